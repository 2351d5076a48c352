/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To be loaded before libc: a KVM without the capability whose number is in NO_CAPABILITY, or with
 * as much of it as CAPABILITY_VALUE says.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	const char *missing = getenv("NO_CAPABILITY");
	unsigned long argument;
	va_list arguments;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (request == KVM_CHECK_EXTENSION && missing && strtoul(missing, NULL, 0) == argument)
		return getenv("CAPABILITY_VALUE") ? atoi(getenv("CAPABILITY_VALUE")) : 0;
	return next(fd, request, argument);
}

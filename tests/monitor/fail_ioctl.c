/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To be loaded before libc: a KVM that refuses. FAIL_REQUEST is "slot" (a memory slot that is set,
 * not one that is taken away), "no-slot" (the other way round) or "routing"; from the FAIL_AT-th of
 * them on, FAIL_COUNT fail with ENOMEM.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static bool is_meant(unsigned long request, unsigned long argument)
{
	const struct kvm_userspace_memory_region *region = (void *)argument;
	const char *which = getenv("FAIL_REQUEST");

	if (!which)
		return false;
	if (!strcmp(which, "routing"))
		return request == KVM_SET_GSI_ROUTING;
	return request == KVM_SET_USER_MEMORY_REGION &&
	       !region->memory_size == !strcmp(which, "no-slot");
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	static atomic_int n;
	unsigned long argument;
	va_list arguments;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (is_meant(request, argument)) {
		int at = atoi(getenv("FAIL_AT")), now = atomic_fetch_add(&n, 1) + 1;

		if (now >= at && now < at + atoi(getenv("FAIL_COUNT"))) {
			errno = ENOMEM;
			return -1;
		}
	}
	return next(fd, request, argument);
}

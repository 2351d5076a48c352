/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * first_run.c - when a program first enters its guest: preloaded (LD_PRELOAD) into a monitor, it writes
 * two numbers in binary to the descriptor FIRST_RUN_FD at the first KVM_RUN of the process: the
 * monotonic time, and the CPU time of the process, in nanoseconds.
 */
#include <dlfcn.h>
#include <linux/kvm.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static atomic_bool done;

static uint64_t now(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void tell(void)
{
	const char *fd = getenv("FIRST_RUN_FD");
	uint64_t times[2] = { now(CLOCK_MONOTONIC), now(CLOCK_PROCESS_CPUTIME_ID) };

	if (fd && write((int)strtol(fd, NULL, 10), times, sizeof(times)) != sizeof(times))
		_exit(127);
}

/* All requests of KVM have one argument. */
__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
	static int (*_Atomic real)(int fd, unsigned long request, ...);
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	if (!real)
		real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	if (request == KVM_RUN && !atomic_exchange(&done, true))
		tell();
	return real(fd, request, argument);
}

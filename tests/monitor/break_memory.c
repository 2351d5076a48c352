/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To be loaded before libc: when the file BREAK_TRIGGER is there, something breaks, once, in the
 * mapping that BREAK_MAPPING is a part of the line of in /proc/self/maps, or whose size it is:
 * "size:" and hexadecimal digits. The file is removed when the next call will find it broken.
 *
 * BREAK_HOW=poison: what the kernel does when the guest touches a page with a memory error: SIGBUS
 *   to the thread, and KVM_RUN is interrupted. In the page at BREAK_OFFSET.
 * BREAK_HOW=own: the same signal, but not in KVM_RUN: when a memory slot is set.
 * BREAK_HOW=revoke: the mapping allows no access any more: the kernel's EFAULT from here on.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_bool due;
static _Atomic pid_t vcpu;

static void find(uintptr_t *start, uintptr_t *end)
{
	const char *words = getenv("BREAK_MAPPING");
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long size = 0;

	(void)sscanf(words, "size:%lx", &size);
	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", start, end) != 2 ||
		    (size ? *end - *start != size : !strstr(line, words)))
			continue;
		fclose(maps);
		return;
	}
	fprintf(stderr, "break_memory: no mapping of %s\n", words);
	abort();
}

/* As the kernel sends it; only a thread itself may pretend so. */
static void raise_sigbus(void)
{
	siginfo_t info = { .si_signo = SIGBUS, .si_code = BUS_MCEERR_AR };
	uintptr_t start = 0, end = 0;

	find(&start, &end);
	info.si_addr = (void *)(start + strtoul(getenv("BREAK_OFFSET"), NULL, 0));
	if (syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info))
		perror("break_memory: SIGBUS");
}

static void *wait_for_trigger(void *argument)
{
	uintptr_t start = 0, end = 0;

	while (access(getenv("BREAK_TRIGGER"), F_OK))
		usleep(20000);
	if (!strcmp(getenv("BREAK_HOW"), "revoke")) {
		find(&start, &end);
		if (mprotect((void *)start, end - start, PROT_NONE))
			perror("break_memory: mprotect");
		unlink(getenv("BREAK_TRIGGER"));
		return argument;
	}
	due = true;
	unlink(getenv("BREAK_TRIGGER"));
	/* Out of the guest, which the monitor takes for nothing. */
	while (due && strcmp(getenv("BREAK_HOW"), "own")) {
		tgkill(getpid(), vcpu, SIGUSR1);
		usleep(20000);
	}
	return argument;
}

__attribute__((constructor)) static void begin(void)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&thread, NULL, wait_for_trigger, NULL))
		abort();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int ioctl(int fd, unsigned long request, ...)
{
	int (*next)(int, unsigned long, ...) =
		(int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	bool own = !strcmp(getenv("BREAK_HOW"), "own");
	unsigned long argument;
	va_list arguments;
	int result;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (request == KVM_RUN)
		vcpu = gettid();
	if (own && request == KVM_SET_USER_MEMORY_REGION && atomic_exchange(&due, false))
		raise_sigbus();
	result = next(fd, request, argument);
	if (!own && request == KVM_RUN && result < 0 && errno == EINTR &&
	    atomic_exchange(&due, false)) {
		raise_sigbus();
		errno = EINTR;
	}
	return result;
}

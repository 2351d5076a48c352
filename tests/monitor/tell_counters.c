/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * To be loaded before libc: who reads the named pipe TELL_COUNTERS gets KVM's counters of this process's
 * virtual CPUs, in sums, as lines "NAME NUMBER". They are those of debugfs, which some hosts let nobody read,
 * not even root.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CPUS_MAX  16
#define NAMES_MAX 256

static int (*_Atomic next_ioctl)(int, unsigned long, ...);
static int stats[CPUS_MAX];
static atomic_uint n_stats;

/* Adds what is there under the names of the first CPU, which are those of all. */
static void tell(FILE *pipe)
{
	for (unsigned int at = 0;; at++) {
		uint64_t sum = 0;
		struct {
			struct kvm_stats_desc desc;
			char name[NAMES_MAX];
		} entry;

		for (unsigned int cpu = 0; cpu < n_stats; cpu++) {
			struct kvm_stats_header header;
			uint64_t value;

			if (pread(stats[cpu], &header, sizeof(header), 0) != sizeof(header) ||
			    at >= header.num_desc || header.name_size > NAMES_MAX)
				return;
			size_t size = sizeof(entry.desc) + header.name_size;

			if (pread(stats[cpu], &entry, size,
				  (off_t)(header.desc_offset + at * size)) != (ssize_t)size ||
			    pread(stats[cpu], &value, sizeof(value),
				  (off_t)header.data_offset + entry.desc.offset) != sizeof(value))
				return;
			sum += value;
		}
		if (!n_stats)
			return;
		fprintf(pipe, "%s %" PRIu64 "\n", entry.desc.name, sum);
	}
}

static void *serve(void *path)
{
	FILE *pipe;

	while ((pipe = fopen(path, "we"))) {
		tell(pipe);
		fclose(pipe);
		/* so that the reader sees the end before there is another writer */
		usleep(10000);
	}
	return NULL;
}

__attribute__((constructor)) static void start(void)
{
	const char *path = getenv("TELL_COUNTERS");
	sigset_t all, old;
	pthread_t thread;

	if (!path)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	if (pthread_create(&thread, NULL, serve, (void *)path))
		abort();
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

int ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list arguments;
	int rc;

	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (!next_ioctl)
		next_ioctl = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
	rc = next_ioctl(fd, request, argument);
	if (request == KVM_CREATE_VCPU && rc >= 0 && n_stats < CPUS_MAX) {
		stats[n_stats] = next_ioctl(rc, KVM_GET_STATS_FD, 0ul);
		if (stats[n_stats] < 0)
			abort();
		n_stats++;
	}
	return rc;
}

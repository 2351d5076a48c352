// SPDX-License-Identifier: BSD-3-Clause
/* A user with bad manners: random arguments to every call, while others fault and reset. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_shape/uapi.h"
#include "selftest.h"

#define CALLS 4000
#define PAGE  4096u

struct torture {
	const struct session *session;
	atomic_bool stop;
};

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Mostly near the ends of what there is. */
static uint64_t odd_offset(const struct session *session, uint64_t *seed)
{
	uint64_t region = next(seed) % 16 ? next(seed) % (session->n_regions + 2) : next(seed);
	uint64_t sizes[] = { 0,       4,       0x40,
			     0x100,   PAGE,    0x11000,
			     0x12000, 0x20000, session->memory.size };
	uint64_t at = sizes[next(seed) % 9] + next(seed) % 24 - 12;

	return (region << UAPI_OFFSET_SHIFT) + (next(seed) % 32 ? at : next(seed));
}

static void odd_transfer(const struct session *session, uint64_t *seed, uint8_t *buf)
{
	size_t len = next(seed) % 8 ? next(seed) % 40 : next(seed) % 0x30000;
	off_t at = (off_t)odd_offset(session, seed);
	ssize_t n;

	for (size_t i = 0; i < 40; i++)
		buf[i] = (uint8_t)next(seed);
	if (next(seed) % 2)
		n = pread(session->device, next(seed) % 16 ? buf : NULL, len, at);
	else
		n = pwrite(session->device, next(seed) % 16 ? buf : (void *)8, len, at);
	(void)n;
}

static void odd_ioctl(const struct session *session, uint64_t *seed)
{
	static const unsigned long commands[] = {
		VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO,
		VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_RESET,           VFIO_DEVICE_FEATURE,
	};
	uint32_t words[64];

	for (unsigned int i = 0; i < 64; i++)
		words[i] = (uint32_t)(next(seed) % 4 ? next(seed) % 8 : next(seed));
	if (next(seed) % 4)
		words[0] = (uint32_t)(next(seed) % 300);
	ioctl(session->device, commands[next(seed) % 6], next(seed) % 16 ? words : NULL);
}

static void odd_map(const struct session *session, uint64_t *seed)
{
	size_t len = (size_t)(1 + next(seed) % 64) * PAGE;
	uint64_t at = odd_offset(session, seed) & ~(uint64_t)(PAGE - 1);
	int flags = next(seed) % 4 ? MAP_SHARED : MAP_PRIVATE;
	uint8_t *address = mmap(NULL, len, PROT_READ, flags, session->device, (off_t)at);

	if (address == MAP_FAILED)
		return;
	(void)is_unreachable(address);
	munmap(address, len);
}

/* Not by touching it: a signal of another thread would land here. */
static void *store(void *argument)
{
	struct torture *torture = argument;
	uint8_t page[PAGE] = { 1 };
	uint64_t at = 0;

	while (!torture->stop) {
		ssize_t n = pwrite(torture->session->device, page, PAGE,
				   (off_t)(torture->session->memory.offset + at));

		(void)n;
		at = (at + 17 * PAGE) % ((uint64_t)8 << 20);
	}
	return NULL;
}

static void *reset(void *argument)
{
	struct torture *torture = argument;

	while (!torture->stop) {
		ioctl(torture->session->device, VFIO_DEVICE_RESET);
		usleep(20000);
	}
	return NULL;
}

void check_torture(struct session *session)
{
	struct torture torture = { .session = session };
	uint64_t seed = 0x9e3779b97f4a7c15u;
	uint8_t *buf = malloc(0x30000);
	pthread_t threads[2];
	uint32_t control;

	if (!buf || pthread_create(&threads[0], NULL, store, &torture) ||
	    pthread_create(&threads[1], NULL, reset, &torture))
		bail_out("threads: %s", strerror(errno));
	/* A reset of hardware takes its time. */
	for (unsigned int i = 0; i < (session->is_function ? CALLS / 8 : CALLS); i++) {
		switch (next(&seed) % 4) {
		case 0:
			odd_ioctl(session, &seed);
			break;
		case 1:
			odd_map(session, &seed);
			break;
		default:
			odd_transfer(session, &seed, buf);
			break;
		}
	}
	torture.stop = true;
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	free(buf);
	session_close_device(session);
	session_open_device(session);
	control = hdm_read(session, HDM_CONTROL);
	/* Generations 3 and 2n keep what was written to their decoder, whoever wrote it. */
	result(of_generation(session, "3n") || control & HDM_COMMITTED,
	       "after many odd calls it answers", "control 0x%x", control);
}

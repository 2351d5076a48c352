/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tap in front of any device, fake or sim: keeps the journal, makes the n-th call fail, and
 * balances map with unmap. It also asserts what vfio.h demands of the caller.
 */
#ifndef TESTS_TAP_H
#define TESTS_TAP_H

#include <sys/types.h>

#include <cxlvm/vfio.h>

#include "journal.h"

#define TAP_MAPS_MAX 16

struct tap_map {
	uint8_t *address;
	uint64_t size;
	uint64_t offset; /* in the region */
	uint32_t region;
};

struct tap_dma_buf {
	int fd;
	ino_t inode; /* the number alone may be another device's by now */
};

struct tap {
	struct cxlvm_device_ops ops;
	const struct cxlvm_device_ops *inner;
	void *device;
	struct journal *journal;
	struct faults *faults;
	unsigned int index;
	unsigned int n_maps;
	struct tap_map maps[TAP_MAPS_MAX];
	/* dma-bufs that were exported: how many of them are open is asked of the system */
	unsigned int n_dma_bufs;
	struct tap_dma_buf dma_bufs[TAP_MAPS_MAX];
	const char *closed; /* no call may come now, because ... */
	unsigned long calls;
};

/* Pass tap->ops and tap to the engine instead of inner and device. */
void tap_init(struct tap *tap, const struct cxlvm_device_ops *inner, void *device,
	      struct journal *journal, struct faults *faults, unsigned int index);

/* How many of the exported dma-bufs are open. */
unsigned int tap_open_dma_bufs(const struct tap *tap);

/* Is [address, address + size) one mapping, or a part of one, that was not unmapped? */
const struct tap_map *tap_find_map(const struct tap *tap, const void *address, uint64_t size);

#endif

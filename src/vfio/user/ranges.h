/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of the host that a server may reach: what was announced to it, sorted by address. */
#ifndef CXLVM_VFIO_USER_RANGES_H
#define CXLVM_VFIO_USER_RANGES_H

#include <cxlvm/vfio.h>

/* As many as the protocol's default allows would be 65535; nobody has that many memory slots. */
#define RANGES_MAX 4096u

struct ranges {
	struct cxlvm_dma_range *list; /* descriptors are duplicates, closed with the range */
	unsigned int n, room;
	unsigned int n_without_fd;
};

void ranges_finish(struct ranges *ranges);

/*
 * Take a copy of a checked range. -EINVAL (empty, wraps around), -EEXIST, -ENOSPC (limit), -ENOMEM,
 * -EMFILE.
 */
int ranges_add(struct ranges *ranges, const struct cxlvm_dma_range *range, unsigned int limit,
	       struct cxlvm_error *err);

/* The range of exactly this base and size; NULL if there is none. */
struct cxlvm_dma_range *ranges_find(struct ranges *ranges, struct cxlvm_iova base, uint64_t size);
void ranges_remove(struct ranges *ranges, struct cxlvm_dma_range *range);

/*
 * Where the bytes at base are in this process: all of them in one range, and writable if the device
 * is to write; else NULL.
 */
void *ranges_reach(const struct ranges *ranges, struct cxlvm_iova base, uint64_t size, bool write);

#endif

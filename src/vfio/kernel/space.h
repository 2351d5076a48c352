/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An I/O address space: what the devices of one IOMMU group reach. Two kinds, a type1 container
 * (group.c) and an I/O address space of an iommufd (iommufd.c); what both share is in space.c.
 */
#ifndef CXLVM_VFIO_KERNEL_SPACE_H
#define CXLVM_VFIO_KERNEL_SPACE_H

#include <pthread.h>
#include <stdatomic.h>

#include <cxlvm/host.h>
#include <cxlvm/kernel.h>

struct space;

struct space_ops {
	/* Ask the kernel; a piece that was mapped is unmapped whole, as one or with others. */
	int (*map)(struct space *space, struct cxlvm_iova base, const void *address, uint64_t size,
		   bool writable);
	int (*unmap)(struct space *space, struct cxlvm_iova base, uint64_t size);
	/* NULL: no dma-buf can be mapped. */
	int (*map_dma_buf)(struct space *space, struct cxlvm_iova base, int fd, uint64_t size);
	/* The last device is closed. */
	void (*close)(struct space *space);
};

#define SPACE_USERS_MAX  64
#define SPACE_RANGES_MAX 4096

/* What is mapped. */
struct space_range {
	struct cxlvm_iova base;
	uint64_t size;
	const void *address;
	bool writable;
	uint64_t users; /* bit n: user n of the space */
};

struct space {
	const struct space_ops *ops;
	const struct cxlvm_kernel_config *config;
	_Atomic uint64_t *mapped; /* bytes in all spaces of the same struct cxlvm_kernel */
	struct space *next;       /* of the same */
	unsigned int group;
	uint64_t users; /* bit n: a device that is open */

	pthread_mutex_t mutex;         /* what is below */
	struct cxlvm_iova_range *iova; /* usable, ascending; none: no limit known */
	size_t n_iova;
	struct space_range *ranges;
	unsigned int n_ranges, room;
};

void space_init(struct space *space, const struct space_ops *ops,
		const struct cxlvm_kernel_config *config, _Atomic uint64_t *mapped,
		unsigned int group);
/* What init and the functions below made, not the kernel's part. */
void space_finish(struct space *space);

/* A number for a device, or -ENOSPC. */
int space_add_user(struct space *space);

/*
 * Take over n usable ranges from the kernel: first and last u64 each. -EPROTO, -ENOMEM; -ERANGE when
 * something is mapped where it is no longer usable: then those before remain.
 */
int space_take_iova(struct space *space, const uint8_t *ranges, uint32_t n,
		    struct cxlvm_error *err);
/* How many there are; the first n of them. */
size_t space_iova_ranges(struct space *space, struct cxlvm_iova_range *ranges, size_t n);

/* Operations of a transport, for user of the space. */
int space_dma_map(struct space *space, unsigned int user, const struct cxlvm_dma_range *range,
		  struct cxlvm_error *err);
int space_dma_unmap(struct space *space, unsigned int user, struct cxlvm_iova base, uint64_t size);
int space_memory_map(struct space *space, unsigned int user, const struct cxlvm_memory_area *areas,
		     size_t n, struct cxlvm_error *err);
void space_memory_unmap(struct space *space, unsigned int user,
			const struct cxlvm_memory_area *areas, size_t n);
/* All that only this user has mapped; it is a user no longer. */
void space_remove_user(struct space *space, unsigned int user);

#endif

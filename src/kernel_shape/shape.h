/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * How the kernel answers for a CXL Type-2 device, one generation of its interface at a time: info
 * bytes, region bytes, register and reset semantics, put on top of the software device. Used by
 * the sim transport and, compiled into a kernel module, by the lab. Freestanding.
 *
 * Generation 2 keeps a shadow of the HDM decoder that the monitor programs; generation 5 shows the
 * live register, host address included, and absorbs writes.
 */
#ifndef CXLVM_KERNEL_SHAPE_SHAPE_H
#define CXLVM_KERNEL_SHAPE_SHAPE_H

#include "device/device.h"

/* Region indices: not in the order of their subtypes, as nothing promises one. */
#define SHAPE_REGION_REGS   9u
#define SHAPE_REGION_MEMORY 10u
#define SHAPE_NUM_REGIONS   11u

struct kernel_shape {
	struct swdev *dev;
	unsigned int generation;
	uint64_t page_size;
	uint32_t shadow[DECODER_DWORDS]; /* generation 2 */
};

/* -EINVAL for a generation that has no shape here. dev stays the caller's. */
int kernel_shape_init(struct kernel_shape *shape, struct swdev *dev, unsigned int generation,
		      uint64_t page_size);

/* The bytes of device info and region info, as cxlvm_device_ops wants them. */
int kernel_shape_info(const struct kernel_shape *shape, void *buf, size_t len, size_t *needed);
int kernel_shape_region_info(const struct kernel_shape *shape, uint32_t index, void *buf,
			     size_t len, size_t *needed);

/*
 * Read and write of every region but device memory, whose owner serves it: -EINVAL for an access
 * that this generation of the kernel refuses.
 */
int kernel_shape_read(const struct kernel_shape *shape, uint32_t region, uint64_t offset, void *buf,
		      size_t len);
int kernel_shape_write(struct kernel_shape *shape, uint32_t region, uint64_t offset,
		       const void *buf, size_t len);

/* After a reset of the device: what the kernel samples or restores. */
void kernel_shape_reset(struct kernel_shape *shape);

/* Would an access to device memory succeed now? */
bool kernel_shape_memory_usable(const struct kernel_shape *shape);

#endif

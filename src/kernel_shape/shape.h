/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * How the kernel answers for a CXL Type-2 device, one generation of its interface at a time: info
 * bytes, region bytes, register and reset semantics, put on top of the software device. Used by
 * the sim transport and, compiled into a kernel module, by the lab. Freestanding.
 *
 * Generations 2 to 4 keep a copy of the HDM decoder that takes writes, each by its own rules; 5
 * and 6 show the live register and absorb writes. What differs is a row of the table in shape.c.
 */
#ifndef CXLVM_KERNEL_SHAPE_SHAPE_H
#define CXLVM_KERNEL_SHAPE_SHAPE_H

#include "kernel_shape/facts.h"
#include "regs/dvsec.h"

/* Generation 2 as shipped in some kernels: its decoder survives a reset, and resets are real. */
#define SHAPE_GENERATION_2N 0x2eu

/* Region indices: not in the order of their subtypes, as nothing promises one. */
#define SHAPE_REGION_REGS   9u
#define SHAPE_REGION_MEMORY 10u
#define SHAPE_NUM_REGIONS   11u

#define SHAPE_CM_DWORDS (SWDEV_HDM_OFFSET / 4 + DECODER_DWORDS)

/*
 * Mistakes and differences that kernels of one interface have had, or could have: each on or off
 * (docs/device.md). Of those that exclude each other at most one is on.
 */
struct shape_quirks {
	bool no_mmap; /* device memory cannot be mapped */

	bool base_zero; /* the register region shows base 0... */
	bool base_host; /* ...or the host's base */

	bool writes_kept; /* the kernel's decoder takes every write as it is... */
	bool writes_frozen; /* ...or none while committed and locked, and no range while committed... */
	bool writes_absorbed; /* ...or none */

	bool shadow_lost; /* the kernel's decoder is sampled again at a reset... */
	bool shadow_kept; /* ...or keeps what it was */

	bool space_off_error; /* while Memory Space is off register reads fail with EIO... */
	bool space_off_ones;  /* ...or give ones */

	bool register_lies; /* the size of decoder 0 reads 256 MiB too large */
	bool chain_loops;   /* the last capability of each chain points to the first... */
	bool chain_short;   /* ...or its end is missing */

	bool reset_again;  /* each reset answers EAGAIN so many times first */
	bool reset_fails;  /* no reset succeeds: EIO, and device memory is out of reach */
	bool size_changes; /* after a reset the real decoder is 256 MiB larger... */
	bool decoder_late; /* ...or not committed until it was looked at so many times... */
	bool decoder_lost; /* ...or never committed */

	unsigned int times; /* of reset_again and decoder_late */
};

/* One of them: its name, where its switch is in struct shape_quirks. */
struct shape_quirk {
	const char *name;
	size_t flag;
	unsigned int group; /* of one group at most one is on; 0: by itself */
};

#define SHAPE_QUIRKS 18u

extern const struct shape_quirk shape_quirk_list[SHAPE_QUIRKS];

static inline bool *shape_quirk_switch(struct shape_quirks *quirks, unsigned int quirk)
{
	return (bool *)((char *)quirks + shape_quirk_list[quirk].flag);
}

struct kernel_shape {
	struct swdev *dev;
	struct shape_facts facts; /* of the generation, changed by the quirks */
	struct shape_quirks quirks;
	unsigned int again;  /* times that the reset under way was put off */
	unsigned int late;   /* looks until the decoder is committed again */
	unsigned int resets; /* of the device, by whomever */
	uint64_t page_size;
	/* The kernel's copy of the CM area: array and RAS as they were, then its decoder. */
	uint32_t cm[SHAPE_CM_DWORDS];
	/* Its copy of the CXL Device DVSEC. */
	uint32_t dvsec[DVSEC_DEVICE_SIZE / 4];
	/* A reset failed: device memory is out of reach. */
	bool gated;
	/* MSI-X is switched on, and one bit per vector that someone listens to. */
	bool irq_on;
	uint32_t irq_connected;
};

/*
 * The driver takes the device: generation is 2 to 6 or SHAPE_GENERATION_2N, -EINVAL for others.
 * dev stays the caller's.
 */
int kernel_shape_init(struct kernel_shape *shape, struct swdev *dev, unsigned int generation,
		      uint64_t page_size);

/*
 * From now on this kernel has these quirks and no others. Those about the kernel's decoder before
 * the device is opened, the others whenever no call is under way.
 */
void kernel_shape_set_quirks(struct kernel_shape *shape, const struct shape_quirks *quirks);

/* Time passes: whoever asks whether memory is usable calls this first. For decoder_late. */
void kernel_shape_look(struct kernel_shape *shape);

/* A user opens the device, again after a close too: what the kernel samples then. */
void kernel_shape_open(struct kernel_shape *shape);

/* Bytes of a region, 0 for one that is none. */
uint64_t kernel_shape_region_size(const struct kernel_shape *shape, uint32_t index);

/* The bytes of device info and region info, as cxlvm_device_ops wants them. */
int kernel_shape_info(const struct kernel_shape *shape, void *buf, size_t len, size_t *needed);
int kernel_shape_region_info(const struct kernel_shape *shape, uint32_t index, void *buf,
			     size_t len, size_t *needed);

/*
 * Read and write of every region but device memory, whose owner serves it. The whole length or an
 * error: -EINVAL for an access that this generation of the kernel refuses, -EIO for one that it
 * would cut short at the end of the region, or that it answers with this error.
 */
int kernel_shape_read(const struct kernel_shape *shape, uint32_t region, uint64_t offset, void *buf,
		      size_t len);
int kernel_shape_write(struct kernel_shape *shape, uint32_t region, uint64_t offset,
		       const void *buf, size_t len);

/* The bytes of interrupt info. -EINVAL for an index that does not exist. */
int kernel_shape_irq_info(const struct kernel_shape *shape, uint32_t index, void *buf, size_t len,
			  size_t *needed);

/*
 * The user connects or disconnects count vectors of an interrupt index, from start on: bit i of
 * connected says whether someone listens to vector start + i. The first call switches MSI-X on. A
 * vector that nobody listens to is masked: its message waits. -EINVAL for an index without
 * interrupts, vectors that do not exist and count 0.
 */
int kernel_shape_irq_set(struct kernel_shape *shape, uint32_t index, uint32_t start, uint32_t count,
			 uint32_t connected);

/* Switched off, all disconnected. -EINVAL for an index without interrupts. */
int kernel_shape_irq_disable(struct kernel_shape *shape, uint32_t index);

/*
 * The user asks for a reset: VFIO_DEVICE_RESET, or function-level reset through config space.
 * Generations 5 and 6 make it a CXL reset that clears device memory; it stays out of reach when
 * that fails, until a reset succeeds. 0 or a negative errno.
 */
int kernel_shape_device_reset(struct kernel_shape *shape);

/* After a reset of the device by others: what the kernel samples or restores. */
void kernel_shape_reset(struct kernel_shape *shape);

/* May this part of a region be mapped? Device memory, and what the component BAR does not hide. */
bool kernel_shape_may_map(const struct kernel_shape *shape, uint32_t region, uint64_t offset,
			  uint64_t size);

/* Would a CPU access to mapped device memory succeed now? */
bool kernel_shape_memory_usable(const struct kernel_shape *shape);

/*
 * Read or write of device memory through the file: 0 with *len cut to what the kernel would
 * transfer, or its error.
 */
int kernel_shape_memory_access(const struct kernel_shape *shape, uint64_t offset, size_t *len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* What tells the generations apart, for the files of this room. */
#ifndef CXLVM_KERNEL_SHAPE_FACTS_H
#define CXLVM_KERNEL_SHAPE_FACTS_H

#include "kernel_shape/shape.h"

#define HDM_BYTES    (4 * DECODER_DWORDS)
/* The HDM decoder capability in the component block, and in the BAR. */
#define HDM_IN_BLOCK (CM_OFFSET + SWDEV_HDM_OFFSET)
#define HDM_IN_BAR   (SWDEV_BLOCK_OFFSET + HDM_IN_BLOCK)

/* What a read or write of the hidden part of the component BAR does. */
enum bar_access {
	BAR_PASSES,  /* hidden from mmap only */
	BAR_REFUSES, /* the whole access fails */
	BAR_IS_DARK, /* those bytes read ones and drop writes */
};

/* What mapped device memory depends on. */
enum memory_gate {
	GATE_NONE,
	GATE_DECODER,           /* the real decoder is committed */
	GATE_DECODER_AND_SPACE, /* and Memory Space is on */
};

/* Read and write of device memory. */
enum memory_file {
	MEMORY_CLAMPED,     /* cut at the end, nothing at the end */
	MEMORY_FITS,        /* the whole range or -EINVAL */
	MEMORY_REFUSED,     /* always -EIO */
	MEMORY_CLAMPED_END, /* cut at the end, -EINVAL at the end */
};

/* What a write to one register of the CXL Device DVSEC does. */
enum dvsec_access {
	DVSEC_FIXED,
	DVSEC_WRITABLE,
	DVSEC_UNTIL_LOCK, /* writable until CONFIG_LOCK */
	DVSEC_W1C,
	DVSEC_ONCE, /* what is set stays set */
};

/* What the bits of CXL Control 2 do that start something. */
enum dvsec_initiate {
	INITIATE_STORED,    /* nothing happens */
	INITIATE_FORWARDED, /* the device gets them; CXL Status 2 is the device's */
	INITIATE_RESETS,    /* a request for a CXL reset is carried out */
	INITIATE_PRETENDS,  /* completion is shown, nothing happens */
};

struct dvsec_facts {
	uint8_t control, status, control2, status2, lock, range_base; /* enum dvsec_access */
	uint8_t initiate;                                             /* enum dvsec_initiate */
	uint16_t control_ones;                                        /* bits held at 1 */
	uint16_t status_clears;                                       /* bits that W1C is about */
	bool first_register_only;                                     /* of a 4-byte write */
};

struct shape_facts {
	unsigned int generation;
	uint32_t region_type;
	uint32_t capability_size; /* of device capability 6; 0: there is none */

	/* Register region. */
	uint32_t regs_first; /* offset 0 of the region, in the component block */
	uint32_t regs_size;
	bool regs_one_dword;   /* per call */
	bool regs_clamped;     /* an access over the end is cut short, not refused */
	bool regs_need_space;  /* reads fail while Memory Space is off */
	bool frees_decoder;    /* a committed and locked decoder is sampled unlocked, base 0 */
	bool samples_at_open;  /* the decoder and the DVSEC */
	bool samples_at_reset; /* the decoder */
	void (*write)(uint32_t *hdm, uint32_t at, uint32_t value); /* NULL: live, absorbed */

	/* Component BAR. */
	bool hides_block; /* the whole component block; else the HDM decoder capability */
	bool hole_exact;  /* not rounded to pages */
	bool no_area_no_mmap;
	enum bar_access bar;

	bool reset_clears; /* device memory: the kernel's reset is a CXL reset */
	enum memory_gate gate;
	enum memory_file file;
	struct dvsec_facts dvsec;
};

/* shadow.c: the rules for writes to the kernel's decoder, by generation. */
void shadow_write_2(uint32_t *hdm, uint32_t at, uint32_t value);
void shadow_write_3(uint32_t *hdm, uint32_t at, uint32_t value);
void shadow_write_4(uint32_t *hdm, uint32_t at, uint32_t value);
/* Fill the kernel's decoder from the real one. */
void shadow_sample(struct kernel_shape *shape);

/* registers.c, config.c: regions of their own. */
int shape_registers_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf,
			 size_t len);
int shape_registers_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf,
			  size_t len);
int shape_config_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len);
int shape_config_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf, size_t len);
void shape_dvsec_sample(struct kernel_shape *shape);
void shape_dvsec_reset(struct kernel_shape *shape);

/* irq.c: after a reset of the device, MSI-X is put back as it was. */
void shape_irq_restore(struct kernel_shape *shape);

/* The longest naturally aligned piece, of at most 4 bytes, that an access of len bytes begins with. */
unsigned int shape_access_piece(uint64_t offset, size_t len);

#endif

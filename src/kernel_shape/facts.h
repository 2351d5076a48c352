/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* What tells the generations apart: a row of the table in shape.c is one of these. */
#ifndef CXLVM_KERNEL_SHAPE_FACTS_H
#define CXLVM_KERNEL_SHAPE_FACTS_H

#include "device/device.h"

/* What a read or write of the hidden part of the component BAR does. */
enum bar_access {
	BAR_PASSES,  /* hidden from mmap only */
	BAR_REFUSES, /* the whole access fails */
	BAR_IS_DARK, /* those bytes read ones and drop writes */
};

/* What reads of the register region give while Memory Space is off. */
enum regs_space {
	SPACE_IGNORED, /* what they give while it is on */
	SPACE_ONES,
	SPACE_ERROR,
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
	enum regs_space space; /* what reads give while Memory Space is off */
	bool frees_decoder;    /* a committed and locked decoder is sampled unlocked */
	bool zeroes_base;      /* of a committed and locked decoder base 0 is shown */
	bool samples_at_open;  /* the decoder and the DVSEC */
	bool samples_at_reset; /* the decoder */
	/* NULL: there is no copy; reads are live, writes absorbed. */
	void (*write)(uint32_t *hdm, uint32_t at, uint32_t value);

	/* Component BAR. */
	bool hides_block; /* the whole component block; else the HDM decoder capability */
	bool hole_exact;  /* not rounded to pages */
	bool no_area_no_mmap;
	enum bar_access bar;

	bool reset_clears; /* device memory: the kernel's reset is a CXL reset */
	bool no_memory_mmap;
	bool huge_pages; /* a fault of mapped device memory fills in more than one page */
	enum memory_gate gate;
	enum memory_file file;
	struct dvsec_facts dvsec;
};

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fake device: answers device operations from bytes typed by hand from the reference pages
 * (fake_bytes.c), never from the project's own structures, and lets a test spoil any of them.
 *
 * What it shows: vendor 1d0f device c2c2, 256 MiB of memory, component block at 0x10000 of BAR 2
 * (128 KiB), HDM block at CM + 0x100, firmware committed and locked decoder 0 at the host address
 * FAKE_HOST_BASE. Kernel behaviour as vfio-cxl-uapi.md sections 4 (generations 2 and 2n) to 8 (6).
 */
#ifndef TESTS_FAKE_H
#define TESTS_FAKE_H

#include <cxlvm/vfio.h>

/* Where the host's firmware put decoder 0: may reach nobody (P2). */
#define FAKE_HOST_BASE 0x00005eedc0000000ull

#define FAKE_MEMORY_SIZE  0x10000000ull
#define FAKE_BAR          2u
#define FAKE_BLOCK_OFFSET 0x10000ull
#define FAKE_CM_OFFSET    0x11000ull
#define FAKE_HDM_OFFSET   0x11100ull /* in the BAR */
#define FAKE_DVSEC        0x100u     /* CXL Device DVSEC in config space */
#define FAKE_REGIONS_MAX  16u

/* Where fake_add_capabilities puts PCI Express (the sim has it there) and Power Management. */
#define FAKE_PCIE 0x40u
#define FAKE_PM   0x80u

/* What fake_open takes beside 2 to 6. */
#define FAKE_2N 0x2eu

/* The two RFCs: for fake_fill_rfc. */
#define FAKE_R1 1u
#define FAKE_R2 2u

struct fake_answer {
	uint8_t bytes[1024];
	size_t len;
	size_t needed; /* 0: len; else what the fake says it needs */
	int error;     /* 0, or what the call returns */
};

struct fake {
	struct cxlvm_device_ops ops;
	unsigned int kernel;     /* as opened */
	unsigned int generation; /* 2 for 2n too */
	struct fake_answer info;
	struct fake_answer regions[FAKE_REGIONS_MAX];
	uint8_t config[4096];
	uint8_t block[0x10000];    /* the component block as hardware shows it */
	uint8_t shadow[0x1000];    /* generations 2 to 4: the kernel's copy, from CM start */
	uint32_t memory_region;    /* index */
	uint32_t registers_region; /* index */
	bool cache_capable;
	bool keeps_shadow;     /* 2n, 3: the guest's decoder survives a reset */
	bool keeps_base;       /* 2n at first: of the guest's decoder only the base does */
	bool drops_writes;     /* kernel that takes register writes and forgets them */
	unsigned int drops_at; /* not 0: only writes of this register of the HDM block are lost */
	bool loses_decoder;    /* the next reset leaves decoder 0 uncommitted */
	bool restores_decoder; /* the next reset commits it again */
	bool needed_grows;     /* info always wants one byte more than it gets */
	bool memory_space_off; /* the host switched the real bit off */
	int usable;            /* what the optional operation answers */
	int dma_buf_error;     /* 0: memory is exported, as by generations 5 and 6 */
	unsigned int n_live;   /* mappings */
	unsigned int resets;
	unsigned int cxl_resets; /* asked for in CXL Control 2 */
	bool cxl_reset_fails;
	unsigned int media_waits; /* so often range 1 says that the media is not active */
	bool never_writes_back;   /* asked to write its caches back it never says that it did */
};

struct fake *fake_open(unsigned int generation);
void fake_close(struct fake *fake);

/* VFIO_DEVICE_RESET: what the kernel of this generation does to its decoder. */
int fake_reset(struct fake *fake);

/* Little-endian numbers in the fake's bytes. */
uint64_t fake_get(const uint8_t *bytes, unsigned int length);
void fake_put(uint8_t *bytes, unsigned int length, uint64_t value);

/* A register of the HDM block as hardware has it, as the kernel (generations 2 to 4) shows it. */
uint32_t fake_hardware(const struct fake *fake, unsigned int hdm_offset);
void fake_set_hardware(struct fake *fake, unsigned int hdm_offset, uint32_t value);
uint32_t fake_kernel(const struct fake *fake, unsigned int hdm_offset);
void fake_set_kernel(struct fake *fake, unsigned int hdm_offset, uint32_t value);
/* Fill the kernel's copy from hardware, as at bind and at reset. */
void fake_sample(struct fake *fake);

/* Write hex digits ("01 00 ff") to bytes; returns how many bytes that is. */
size_t fake_hex(uint8_t *bytes, size_t max, const char *hex);

/* Replace the answer of one region by these bytes. */
void fake_set_region(struct fake *fake, uint32_t index, const char *hex);

/* Capabilities for function-level reset and power states; the golden bytes have none. */
void fake_add_capabilities(struct fake *fake);

/* Memory in two mappable areas of one half each, the upper one listed first. */
void fake_split_memory(struct fake *fake);

/* The mappable areas of the component BAR as a kernel with larger pages lists them. */
void fake_set_page_size(struct fake *fake, uint64_t page_size);

/* fake_rules.c: what writes do to the kernel's decoder, by offset in the HDM block. */
void fake_write_2(struct fake *fake, unsigned int hdm_offset, uint32_t value);
void fake_write_3(struct fake *fake, unsigned int hdm_offset, uint32_t value);
void fake_write_4(struct fake *fake, unsigned int hdm_offset, uint32_t value);

/* fake_bytes.c: what the reference pages say the kernel sends. */
void fake_fill_bytes(struct fake *fake);
/* Device info and regions of an RFC instead. */
void fake_fill_rfc(struct fake *fake, unsigned int which);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files that turn a device's answers into a description. */
#ifndef CXLVM_VFIO_READER_H
#define CXLVM_VFIO_READER_H

#include "vfio/answer.h"
#include "vfio/description.h"

/* What the scan of the device found, before a generation is decided. */
struct typed_region {
	bool present;
	uint32_t index;
	uint32_t type;
	uint32_t flags;
	uint64_t size;
	bool has_geometry; /* a capability with an id above 5 */
	uint32_t geometry_bar;
	uint64_t geometry_offset;
};

/* How many capability ids of the device and types of regions are kept, for messages (DET-3). */
#define SEEN_MAX 8

struct region_type {
	uint32_t index;
	uint32_t type;
	uint32_t subtype;
};

struct device_scan {
	uint32_t flags;
	uint32_t num_regions;
	unsigned int n_capabilities;
	uint16_t capabilities[SEEN_MAX];
	unsigned int n_types; /* of regions */
	struct region_type types[SEEN_MAX];
	struct typed_region memory;
	struct typed_region regs;
	bool has_cxl_capability; /* device capability 6 */
	uint32_t cxl_room;
	uint8_t cxl[64]; /* its bytes, zero beyond room */
};

struct reader {
	const struct cxlvm_device_ops *ops;
	void *device;
	uint64_t page_size;
	bool allow_slow; /* memory that cannot be mapped is accepted */
	struct device_scan scan;
};

/* Device info and all regions from index 9 up: REG-1, and what decides the generation. */
int reader_scan(struct reader *reader, struct cxlvm_error *err);

/* Size, flags and mappable areas of the memory region: REG-2, REG-4, REG-5. */
int reader_memory_areas(const struct reader *reader, struct vfio_description *desc,
			struct cxlvm_error *err);

/*
 * Size of the component BAR; that length bytes at offset are inside (OVL-1) and that none of them
 * can be mapped (OVL-3).
 */
int reader_component_bar(const struct reader *reader, uint32_t bar, uint64_t offset,
			 uint64_t length, uint64_t *bar_size, struct cxlvm_error *err);

/*
 * Generations whose device capability says where the component block is: the same as the Register
 * Locator says, all of it in the BAR. Fills in bar and bar_size.
 */
int reader_component_block(const struct reader *reader, uint32_t bar, uint64_t offset,
			   struct vfio_description *desc, struct cxlvm_error *err);

/*
 * Generations 4 to 6: the register region is the HDM decoder capability, and a capability on it
 * says where that is in which BAR; the Register Locator and the capability array must agree.
 */
int reader_geometry(const struct reader *reader, struct vfio_description *desc,
		    struct cxlvm_error *err);

/* Generations 2 and 3: what the device capability says about the firmware (the gate). */
int reader_firmware_committed(bool committed, uint32_t flags, struct cxlvm_error *err);

/* The CXL Device DVSEC: its offset, memory capable, cache capable irrelevant. */
int reader_device_dvsec(const struct reader *reader, uint32_t *offset, struct cxlvm_error *err);

/* The component block that the Register Locator names: BAR and offset. */
int reader_register_locator(const struct reader *reader, uint32_t *bar, uint64_t *offset,
			    struct cxlvm_error *err);

/* The ATS extended capability, 0: none. */
int reader_ats(const struct reader *reader, uint32_t *offset, struct cxlvm_error *err);

/* Read one register, little endian. */
int reader_dword(const struct reader *reader, uint32_t region, uint64_t offset, uint32_t *value,
		 struct cxlvm_error *err);

/* Capabilities of a CM area, from its start; ras is 0 when there is none. */
struct cm_places {
	uint32_t hdm;
	uint32_t ras;
};

/*
 * Walk the capability array of a CM area that is readable at offset of region, limit bytes long:
 * where the HDM decoder capability (within limit) and the RAS capability are (REG-7).
 */
int reader_find_capabilities(const struct reader *reader, uint32_t region, uint64_t offset,
			     uint64_t limit, struct cm_places *places, struct cxlvm_error *err);

/* The CM area is at cm of the BAR: where the HDM decoder capability and the header log are. */
void reader_place(const struct cm_places *places, uint64_t cm, struct vfio_description *desc);

/* The real decoder, at desc->regs_hdm of the register region: REG-3, REG-6, REG-8, REG-9. */
int reader_decoder(const struct reader *reader, struct vfio_description *desc,
		   struct cxlvm_error *err);

/* One file per generation: 2 with 2n, 3, 4, 5 with 6. */
int read_generation2(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err);
int read_generation3(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err);
int read_generation4(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err);
int read_generation5(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel (or a server) says about a device, checked and copied: the one form in which
 * every generation of the interface ends. Nothing here points into an answer (REG-10).
 */
#ifndef CXLVM_VFIO_DESCRIPTION_H
#define CXLVM_VFIO_DESCRIPTION_H

#include <cxlvm/vfio.h>

#define AREAS_MAX 16

struct vfio_area {
	uint64_t offset;
	uint64_t size;
};

struct vfio_description {
	unsigned int generation;
	uint32_t flags; /* of device info */
	bool firmware_committed;
	bool cache_capable; /* the device may hold dirty lines of host memory */

	/* Device memory. */
	uint32_t memory_region;
	uint64_t region_size; /* of the region */
	uint64_t memory_size; /* of the real decoder: what is presented and mapped */
	/* Mappable areas, sorted; they cover memory_size. 0: the memory cannot be mapped. */
	unsigned int n_areas;
	struct vfio_area areas[AREAS_MAX];

	/* Decoder registers. */
	uint32_t regs_region;
	uint64_t regs_size;
	uint64_t regs_hdm;       /* the HDM decoder capability in this region */
	uint32_t hdm_capability; /* the part of the capability register that is presented */
	bool kernel_decoder;     /* the kernel has a decoder that the monitor writes */

	/* Component block in its BAR. */
	uint32_t bar;
	uint64_t bar_size;
	uint64_t hdm_offset; /* of the HDM decoder capability */
	uint64_t hdm_size;   /* with all real decoders: none of it comes from the device */
	uint64_t log_offset; /* of the header log of the RAS capability; log_size 0: none */
	uint64_t log_size;
	uint64_t served; /* first byte that the register region answers for */
	uint64_t served_size;

	uint32_t dvsec; /* of the CXL Device DVSEC in config space */
	/* Its range 1 said that the media is active: the register tells, and can be asked again. */
	bool media_told;
	uint32_t ats; /* of the ATS capability, 0: none */
};

/* What of config space a guest is not to find: reads 0, save the bits keep of the first dword. */
#define HIDDEN_MAX 9

struct vfio_hidden_range {
	uint32_t offset;
	uint32_t length;
	uint32_t keep;
};

struct vfio_hidden {
	unsigned int n;
	struct vfio_hidden_range ranges[HIDDEN_MAX];
};

/* Is this a CXL device, by the flag of device info? 0 or what the device returned. */
int vfio_is_cxl(const struct cxlvm_device_ops *ops, void *device, bool *cxl,
		struct cxlvm_error *err);

/*
 * What leads to the component registers: the CXL Device DVSEC, and the entries of the Register
 * Locator that name them (DET-4). Nothing is found where there is nothing. -EPROTO for capabilities
 * that form a loop or leave config space, or what the device returned.
 */
int vfio_find_hidden(const struct cxlvm_device_ops *ops, void *device, struct vfio_hidden *hidden,
		     struct cxlvm_error *err);

/*
 * Read and check everything. Memory Space must be on. Errors as cxlvm_endpoint_realize; err names
 * what was seen. page_size is the host's. With allow_slow memory that cannot be mapped is no error.
 */
int vfio_describe(const struct cxlvm_device_ops *ops, void *device, uint64_t page_size,
		  bool allow_slow, struct vfio_description *desc, struct cxlvm_error *err);

/*
 * Ask again: is the real decoder still committed, without error, and of the size it had? -ENXIO,
 * -EPROTO, or what the device returned.
 */
int vfio_decoder_check(const struct cxlvm_device_ops *ops, void *device,
		       const struct vfio_description *desc, struct cxlvm_error *err);

#endif

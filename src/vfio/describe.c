/* SPDX-License-Identifier: BSD-3-Clause */
/* Which generation of the kernel interface a device speaks, and its description. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio/reader.h"

/* Words of the device capability that name the regions, by generation. */
#define CXL3_MEMORY_REGION 12u
#define CXL3_REGS_REGION   16u
#define CXL3_SIZE          48u

static bool names_regions(const struct device_scan *scan, uint32_t memory_at, uint32_t regs_at,
			  uint32_t size)
{
	return scan->cxl_room >= size && scan->memory.present && scan->regs.present &&
	       get_le32(scan->cxl + memory_at) == scan->memory.index &&
	       get_le32(scan->cxl + regs_at) == scan->regs.index;
}

/* The decision procedure; 0 when nothing known fits. */
static unsigned int decide(const struct device_scan *scan)
{
	if (scan->has_cxl_capability) {
		if (names_regions(scan, CXL3_MEMORY_REGION, CXL3_REGS_REGION, CXL3_SIZE))
			return 3;
		if (names_regions(scan, UAPI_CXL2_MEMORY_REGION, UAPI_CXL2_REGS_REGION,
				  UAPI_CXL2_SIZE))
			return 2;
		return 0;
	}
	if (!scan->memory.present || !scan->regs.present || scan->memory.type != scan->regs.type)
		return 0;
	if (scan->memory.type != UAPI_TYPE_CXL)
		return 4;
	return scan->regs.has_geometry ? 5 : 0;
}

/* DET-3: say what was seen. */
static int refuse_layout(const struct device_scan *scan, unsigned int generation,
			 struct cxlvm_error *err)
{
	const struct typed_region *m = &scan->memory, *r = &scan->regs;

	if (generation)
		return cxlvm_error_set(err, -EOPNOTSUPP,
				       "the kernel speaks generation %u of the VFIO CXL interface; "
				       "2, 5 and 6 are supported",
				       generation);
	cxlvm_error_set(
		err, -EOPNOTSUPP,
		"unknown layout of the VFIO CXL interface: device info flags 0x%x, %u "
		"regions, capability 6 %s of %u bytes, memory region %d type 0x%x, register "
		"region %d type 0x%x, geometry capability %s",
		scan->flags, scan->num_regions, scan->has_cxl_capability ? "present" : "absent",
		scan->cxl_room, m->present ? (int)m->index : -1, m->type,
		r->present ? (int)r->index : -1, r->type, r->has_geometry ? "present" : "absent");
	cxlvm_error_hint(err, "this kernel's VFIO CXL interface is not known to this version");
	return -EOPNOTSUPP;
}

static int describe_regions(const struct reader *reader, struct vfio_description *desc,
			    struct cxlvm_error *err)
{
	const struct typed_region *memory = &reader->scan.memory, *regs = &reader->scan.regs;
	uint32_t need = UAPI_REGION_FLAG_READ;

	if (!memory->size || !is_aligned(memory->size, CXLVM_HDM_GRANULE))
		return cxlvm_error_set(err, -EPROTO,
				       "memory region %u of 0x%" PRIx64
				       " bytes is not a non-zero multiple of 256 MiB (0x%" PRIx64
				       ")",
				       memory->index, memory->size, CXLVM_HDM_GRANULE);
	if (desc->generation == 2)
		need |= UAPI_REGION_FLAG_WRITE;
	if ((regs->flags & need) != need)
		return cxlvm_error_set(err, -EPROTO,
				       "register region %u has flags 0x%x, 0x%x are needed",
				       regs->index, regs->flags, need);
	desc->memory_region = memory->index;
	desc->region_size = memory->size;
	desc->regs_region = regs->index;
	desc->regs_size = regs->size;
	return 0;
}

int vfio_describe(const struct cxlvm_device_ops *ops, void *device, uint64_t page_size,
		  struct vfio_description *desc, struct cxlvm_error *err)
{
	struct reader reader = { .ops = ops, .device = device, .page_size = page_size };
	int ret;

	memset(desc, 0, sizeof(*desc));
	ret = reader_scan(&reader, err);
	if (ret)
		return ret;
	desc->flags = reader.scan.flags;
	desc->generation = decide(&reader.scan);
	if (desc->generation != 2 && desc->generation != 5)
		return refuse_layout(&reader.scan, desc->generation, err);
	ret = describe_regions(&reader, desc, err);
	if (!ret)
		ret = reader_device_dvsec(&reader, &desc->dvsec, err);
	if (!ret)
		ret = desc->generation == 2 ? read_generation2(&reader, desc, err)
					    : read_generation5(&reader, desc, err);
	if (!ret)
		ret = reader_memory_areas(&reader, desc, err);
	/* The gate: flag where there is one, and the committed bit (both checked above). */
	desc->firmware_committed = !ret;
	return ret;
}

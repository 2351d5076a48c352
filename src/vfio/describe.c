/* SPDX-License-Identifier: BSD-3-Clause */
/* Which generation of the kernel interface a device speaks, and its description. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio/reader.h"

static bool names_regions(const struct device_scan *scan, uint32_t memory_at, uint32_t regs_at,
			  uint32_t size)
{
	return scan->cxl_room >= size && get_le32(scan->cxl + memory_at) == scan->memory.index &&
	       get_le32(scan->cxl + regs_at) == scan->regs.index;
}

/* The decision procedure; 0 with the test that failed when nothing known fits. */
static unsigned int decide(const struct device_scan *scan, const char **why)
{
	if (!scan->memory.present || !scan->regs.present) {
		*why = scan->memory.present ? "no register region" : "no memory region";
		return 0;
	}
	if (scan->memory.type != scan->regs.type) {
		*why = "region types differ";
		return 0;
	}
	if (scan->has_cxl_capability) {
		*why = scan->memory.type == UAPI_TYPE_CXL
			       ? "capability 6 does not name the regions"
			       : "capability 6 with regions of generation 4";
		if (scan->memory.type != UAPI_TYPE_CXL)
			return 0;
		if (names_regions(scan, UAPI_CXL3_MEMORY_REGION, UAPI_CXL3_REGS_REGION,
				  UAPI_CXL3_SIZE))
			return 3;
		if (names_regions(scan, UAPI_CXL2_MEMORY_REGION, UAPI_CXL2_REGS_REGION,
				  UAPI_CXL2_SIZE))
			return 2;
		return 0;
	}
	*why = "no geometry capability on the register region";
	if (!scan->regs.has_geometry)
		return 0;
	return scan->memory.type == UAPI_TYPE_CXL ? 5 : 4;
}

/* DET-3: say which test failed and what was seen. */
static int refuse_layout(const struct device_scan *scan, const char *why, struct cxlvm_error *err)
{
	char ids[SEEN_MAX * 6 + 1] = "", types[SEEN_MAX * 26 + 1] = "";
	size_t n = 0, t = 0;

	for (unsigned int i = 0; i < scan->n_capabilities; i++)
		n += (size_t)snprintf(ids + n, sizeof(ids) - n, " %u", scan->capabilities[i]);
	for (unsigned int i = 0; i < scan->n_types; i++)
		t += (size_t)snprintf(types + t, sizeof(types) - t, " %u:0x%x/%u",
				      scan->types[i].index, scan->types[i].type,
				      scan->types[i].subtype);
	cxlvm_error_set(err, -EOPNOTSUPP,
			"unknown VFIO CXL layout, %s: flags 0x%x, capabilities%s (6: %u bytes), "
			"%u regions, types%s",
			why, scan->flags, n ? ids : " none", scan->cxl_room, scan->num_regions,
			t ? types : " none");
	if (scan->has_cxl_capability && !scan->regs.present)
		cxlvm_error_hint(err, "kernels of the first proposals (2024, 2025) answer like "
				      "this; use one with version 2 of the series or later");
	else
		cxlvm_error_hint(err, "this kernel's VFIO CXL interface is not known to this "
				      "version");
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

static int read_generation(const struct reader *reader, struct vfio_description *desc,
			   struct cxlvm_error *err)
{
	switch (desc->generation) {
	case 2:
		return read_generation2(reader, desc, err);
	case 3:
		return read_generation3(reader, desc, err);
	case 4:
		return read_generation4(reader, desc, err);
	default:
		return read_generation5(reader, desc, err);
	}
}

int vfio_describe(const struct cxlvm_device_ops *ops, void *device, uint64_t page_size,
		  bool allow_slow, struct vfio_description *desc, struct cxlvm_error *err)
{
	struct reader reader = {
		.ops = ops,
		.device = device,
		.page_size = page_size,
		.allow_slow = allow_slow,
	};
	const char *why = "";
	int ret;

	memset(desc, 0, sizeof(*desc));
	ret = reader_scan(&reader, err);
	if (!ret) {
		desc->flags = reader.scan.flags;
		desc->generation = decide(&reader.scan, &why);
		ret = desc->generation ? describe_regions(&reader, desc, err)
				       : refuse_layout(&reader.scan, why, err);
	}
	if (!ret)
		ret = reader_device_dvsec(&reader, &desc->dvsec, err);
	if (!ret)
		ret = reader_ats(&reader, &desc->ats, err);
	if (!ret)
		ret = read_generation(&reader, desc, err);
	if (!ret)
		ret = reader_memory_areas(&reader, desc, err);
	if (ret == -EPROTO)
		cxlvm_error_hint(err, "what the kernel or the server says of this device cannot "
				      "be: use another version of it, or the device as a plain PCI "
				      "device (cxl=off)");
	if (ret == -EOPNOTSUPP)
		cxlvm_error_hint(err, "supported is one decoder over plain device-coherent memory, "
				      "without interleaving; else use the device as a plain PCI "
				      "device (cxl=off)");
	/* The gate: flag where there is one, and the committed bit (both checked above). */
	desc->firmware_committed = !ret;
	return ret;
}

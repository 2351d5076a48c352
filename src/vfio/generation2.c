/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generations 2 and 2n, which nothing tells apart: device capability 6 names BAR, offset of the CM area and both regions; the
 * register region begins with the CM area and ends with the HDM decoder capability.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "regs/component.h"
#include "vfio/reader.h"

int read_generation2(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err)
{
	const uint8_t *cap = reader->scan.cxl;
	uint32_t flags = get_le32(cap + UAPI_CXL2_FLAGS);
	uint64_t cm = get_le64(cap + UAPI_CXL2_CM_OFFSET);
	struct cm_places places;
	int ret;

	ret = reader_firmware_committed(flags & UAPI_CXL2_FLAG_COMMITTED, flags, err);
	if (ret)
		return ret;
	desc->kernel_decoder = true;
	desc->cache_capable = flags & UAPI_CXL2_FLAG_CACHE;
	if (cm < CM_OFFSET)
		return cxlvm_error_set(err, -EPROTO,
				       "CM area at 0x%" PRIx64
				       " of BAR %u is below 0x%x, where a component block begins",
				       cm, cap[UAPI_CXL2_BAR], CM_OFFSET);
	ret = reader_component_block(reader, cap[UAPI_CXL2_BAR], cm - CM_OFFSET, desc, err);
	if (!ret)
		ret = reader_find_capabilities(
			reader, desc->regs_region, 0,
			desc->regs_size < CM_SIZE ? desc->regs_size : CM_SIZE, &places, err);
	if (ret)
		return ret;
	reader_place(&places, cm, desc);
	desc->regs_hdm = places.hdm;
	desc->served = cm;
	desc->served_size = desc->regs_size;
	if (desc->served_size > CXLVM_COMPONENT_BLOCK_SIZE - CM_OFFSET)
		return cxlvm_error_set(err, -EPROTO,
				       "register region of 0x%" PRIx64
				       " bytes is larger than a component block",
				       desc->served_size);
	return reader_decoder(reader, desc, err);
}

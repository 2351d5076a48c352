/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generation 3: device capability 6 names BAR and offset of the component block and both regions;
 * the register region is the whole block, which cannot be reached through the BAR. Of it only the
 * CM area up to the end of the HDM decoder capability shows anything. Its decoder is a copy that
 * takes writes and survives resets; it never gets any.
 */
#include <errno.h>
#include <inttypes.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "regs/component.h"
#include "vfio/reader.h"

int read_generation3(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err)
{
	const uint8_t *cap = reader->scan.cxl;
	uint32_t flags = get_le32(cap + UAPI_CXL3_FLAGS);
	uint64_t block = get_le64(cap + UAPI_CXL3_BLOCK_OFFSET);
	uint64_t size = get_le64(cap + UAPI_CXL3_BLOCK_SIZE);
	struct cm_places places;
	int ret;

	ret = reader_firmware_committed(flags & UAPI_CXL3_FLAG_COMMITTED, flags, err);
	if (ret)
		return ret;
	if (size != CXLVM_COMPONENT_BLOCK_SIZE || desc->regs_size != size)
		return cxlvm_error_set(err, -EPROTO,
				       "component block of 0x%" PRIx64
				       " bytes, register region of 0x%" PRIx64
				       "; both have to be 0x%" PRIx64,
				       size, desc->regs_size, (uint64_t)CXLVM_COMPONENT_BLOCK_SIZE);
	ret = reader_component_block(reader, get_le32(cap + UAPI_CXL3_BAR), block, desc, err);
	if (!ret)
		ret = reader_find_capabilities(reader, desc->regs_region, CM_OFFSET, CM_SIZE,
					       &places, err);
	if (ret)
		return ret;
	reader_place(&places, block + CM_OFFSET, desc);
	desc->regs_hdm = CM_OFFSET + places.hdm;
	desc->served = block;
	desc->served_size = size;
	return reader_decoder(reader, desc, err);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generation 2: device capability 6 names BAR, offset of the CM area and both regions; the
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
	uint32_t hdm, locator_bar;
	uint64_t locator_offset;
	int ret;

	if (!(flags & UAPI_CXL2_FLAG_COMMITTED)) {
		cxlvm_error_set(err, -ENXIO,
				"firmware did not commit the decoder (CXL capability flags 0x%x)",
				flags);
		cxlvm_error_hint(err, "check the firmware's CXL settings of the host");
		return -ENXIO;
	}
	desc->kernel_decoder = true;
	desc->bar = cap[UAPI_CXL2_BAR];
	if (cm < CM_OFFSET)
		return cxlvm_error_set(err, -EPROTO,
				       "CM area at 0x%" PRIx64
				       " of BAR %u is below 0x%x, where a component block begins",
				       cm, desc->bar, CM_OFFSET);
	ret = reader_component_bar(reader, desc->bar, cm - CM_OFFSET, CXLVM_COMPONENT_BLOCK_SIZE,
				   &desc->bar_size, err);
	if (!ret)
		ret = reader_register_locator(reader, &locator_bar, &locator_offset, err);
	if (ret)
		return ret;
	if (locator_bar != desc->bar || locator_offset != cm - CM_OFFSET)
		return cxlvm_error_set(err, -EPROTO,
				       "component block at 0x%" PRIx64
				       " of BAR %u by the kernel, at "
				       "0x%" PRIx64 " of BAR %u by the Register Locator",
				       cm - CM_OFFSET, desc->bar, locator_offset, locator_bar);
	ret = reader_find_hdm(reader, desc->regs_region, 0,
			      desc->regs_size < CM_SIZE ? desc->regs_size : CM_SIZE, &hdm, err);
	if (ret)
		return ret;
	desc->regs_hdm = hdm;
	desc->hdm_offset = cm + hdm;
	desc->served = cm;
	desc->served_size = desc->regs_size;
	if (desc->served_size > CXLVM_COMPONENT_BLOCK_SIZE - CM_OFFSET)
		return cxlvm_error_set(err, -EPROTO,
				       "register region of 0x%" PRIx64
				       " bytes is larger than a component block",
				       desc->served_size);
	return reader_decoder(reader, desc, err);
}

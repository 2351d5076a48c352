/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the component registers are: what the kernel says against what the device says. */
#include <errno.h>
#include <inttypes.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "vfio/reader.h"

int reader_firmware_committed(bool committed, uint32_t flags, struct cxlvm_error *err)
{
	if (committed)
		return 0;
	cxlvm_error_set(err, -ENXIO,
			"firmware did not commit the decoder (CXL capability flags 0x%x)", flags);
	cxlvm_error_hint(err, "check the firmware's CXL settings of the host");
	return -ENXIO;
}

int reader_component_block(const struct reader *reader, uint32_t bar, uint64_t offset,
			   struct vfio_description *desc, struct cxlvm_error *err)
{
	uint32_t locator_bar;
	uint64_t locator_offset;
	int ret;

	desc->bar = bar;
	ret = reader_component_bar(reader, bar, offset, CXLVM_COMPONENT_BLOCK_SIZE, &desc->bar_size,
				   err);
	if (!ret)
		ret = reader_register_locator(reader, &locator_bar, &locator_offset, err);
	if (ret)
		return ret;
	if (locator_bar != bar || locator_offset != offset)
		return cxlvm_error_set(err, -EPROTO,
				       "component block at 0x%" PRIx64
				       " of BAR %u by the kernel, at 0x%" PRIx64
				       " of BAR %u by the Register Locator",
				       offset, bar, locator_offset, locator_bar);
	return 0;
}

int reader_geometry(const struct reader *reader, struct vfio_description *desc,
		    struct cxlvm_error *err)
{
	const struct typed_region *regs = &reader->scan.regs;
	struct cm_places places;
	uint32_t locator_bar;
	uint64_t block, geometry = regs->geometry_offset;
	int ret;

	desc->bar = regs->geometry_bar;
	ret = reader_component_bar(reader, desc->bar, geometry, 4 * DECODER_DWORDS, &desc->bar_size,
				   err);
	if (!ret)
		ret = reader_register_locator(reader, &locator_bar, &block, err);
	if (ret)
		return ret;
	if (locator_bar != desc->bar || block > desc->bar_size ||
	    !range_fits(block, CXLVM_COMPONENT_BLOCK_SIZE, desc->bar_size))
		return cxlvm_error_set(err, -EPROTO,
				       "component block at 0x%" PRIx64 " of BAR %u by the Register "
				       "Locator; registers in BAR %u of 0x%" PRIx64 " bytes",
				       block, locator_bar, desc->bar, desc->bar_size);
	ret = reader_find_capabilities(reader, desc->bar, block + CM_OFFSET, CM_SIZE, &places, err);
	if (ret)
		return ret;
	reader_place(&places, block + CM_OFFSET, desc);
	if (desc->hdm_offset != geometry)
		return cxlvm_error_set(err, -EPROTO,
				       "HDM decoder capability at 0x%" PRIx64 " of BAR %u by the "
				       "kernel, at 0x%" PRIx64 " by the capability array",
				       geometry, desc->bar, desc->hdm_offset);
	desc->regs_hdm = 0;
	desc->served = desc->hdm_offset;
	desc->served_size = 4 * DECODER_DWORDS;
	return reader_decoder(reader, desc, err);
}

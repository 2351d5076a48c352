/* SPDX-License-Identifier: BSD-3-Clause */
/* The CXL DVSECs that decide about a device, found in its config space. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "regs/dvsec.h"
#include "regs/pci.h"
#include "vfio/reader.h"

/* As many extended capabilities as can stand in 0x100 to 0xfff, and so the bound of the walk. */
#define EXTENDED_CAPABILITIES_MAX ((PCI_CONFIG_SIZE - PCI_EXTENDED) / 8)

int reader_dword(const struct reader *reader, uint32_t region, uint64_t offset, uint32_t *value,
		 struct cxlvm_error *err)
{
	uint8_t bytes[4];
	int ret = reader->ops->read(reader->device, region, offset, bytes, sizeof(bytes));

	*value = ret ? 0 : get_le32(bytes);
	if (ret)
		return cxlvm_error_set(err, ret, "region %u: read of 4 bytes at 0x%" PRIx64 ": %s",
				       region, offset, strerror(-ret));
	return 0;
}

/* Find the DVSEC of CXL with this id; *length is what its header says. */
static int find_dvsec(const struct reader *reader, uint16_t id, uint32_t *offset, uint32_t *length,
		      struct cxlvm_error *err)
{
	const struct reg_row *row = dvsec_header_table.rows;
	uint32_t at = PCI_EXTENDED;

	for (unsigned int i = 0; i < EXTENDED_CAPABILITIES_MAX; i++) {
		uint32_t header[3];

		if (at < PCI_EXTENDED || !is_aligned(at, 4) ||
		    !range_fits(at, sizeof(header), PCI_CONFIG_SIZE))
			return cxlvm_error_set(err, -EPROTO,
					       "extended capability at 0x%x of config space", at);
		for (unsigned int n = 0; n < 3; n++) {
			int ret = reader_dword(reader, CXLVM_REGION_CONFIG, at + 4 * n, &header[n],
					       err);

			if (ret)
				return ret;
		}
		if (reg_get(header, 0, &row[DVSEC_CAP_ID]) == PCI_EXT_CAP_DVSEC &&
		    reg_get(header, 0, &row[DVSEC_VENDOR]) == CXL_VENDOR_ID &&
		    reg_get(header, 0, &row[DVSEC_ID]) == id) {
			*offset = at;
			*length = reg_get(header, 0, &row[DVSEC_LENGTH]);
			return 0;
		}
		at = reg_get(header, 0, &row[DVSEC_CAP_NEXT]);
		if (!at)
			return cxlvm_error_set(err, -EPROTO,
					       "no CXL DVSEC with id %u in config space", id);
	}
	return cxlvm_error_set(err, -EPROTO, "extended capabilities form a loop");
}

int reader_device_dvsec(const struct reader *reader, uint32_t *offset, struct cxlvm_error *err)
{
	const struct reg_row *row = dvsec_device_table.rows;
	uint32_t length, capability[3] = { 0 };
	int ret;

	ret = find_dvsec(reader, DVSEC_ID_DEVICE, offset, &length, err);
	if (ret)
		return ret;
	if (length < row[CXLDEV_RANGE2_BASE_LOW].offset + 4u ||
	    !range_fits(*offset, length, PCI_CONFIG_SIZE))
		return cxlvm_error_set(err, -EPROTO, "CXL Device DVSEC at 0x%x of %u bytes",
				       *offset, length);
	ret = reader_dword(reader, CXLVM_REGION_CONFIG, *offset + 8, &capability[2], err);
	if (ret)
		return ret;
	if (!reg_get(capability, 0, &row[CXLDEV_MEM_CAPABLE]))
		return cxlvm_error_set(err, -EOPNOTSUPP,
				       "the device is not Mem_Capable (CXL capability 0x%x)",
				       capability[2] >> 16);
	if (!reg_get(capability, 0, &row[CXLDEV_HDM_COUNT]))
		return cxlvm_error_set(
			err, -EPROTO,
			"the device has no HDM range (CXL capability 0x%x, HDM_Count 0)",
			capability[2] >> 16);
	return 0;
}

int reader_register_locator(const struct reader *reader, uint32_t *bar, uint64_t *offset,
			    struct cxlvm_error *err)
{
	const struct reg_row *row = dvsec_locator_table.rows;
	uint32_t at = 0, length = 0;
	int ret;

	ret = find_dvsec(reader, DVSEC_ID_REGISTER_LOCATOR, &at, &length, err);
	if (ret)
		return ret;
	if (!range_fits(at, length, PCI_CONFIG_SIZE))
		return cxlvm_error_set(err, -EPROTO, "Register Locator at 0x%x of %u bytes", at,
				       length);
	for (uint32_t entry = DVSEC_LOCATOR_ENTRY; entry + 8 <= length; entry += 8) {
		uint32_t image[5] = { 0 }, low, high;

		ret = reader_dword(reader, CXLVM_REGION_CONFIG, at + entry, &low, err);
		if (!ret)
			ret = reader_dword(reader, CXLVM_REGION_CONFIG, at + entry + 4, &high, err);
		if (ret)
			return ret;
		/* The rows describe the first entry. */
		image[DVSEC_LOCATOR_ENTRY / 4] = low;
		image[DVSEC_LOCATOR_ENTRY / 4 + 1] = high;
		if (reg_get(image, 0, &row[LOCATOR_BLOCK_ID]) != LOCATOR_BLOCK_COMPONENT)
			continue;
		*bar = reg_get(image, 0, &row[LOCATOR_BAR]);
		*offset = (uint64_t)reg_get(image, 0, &row[LOCATOR_OFFSET_HIGH]) << 32 |
			  (uint64_t)reg_get(image, 0, &row[LOCATOR_OFFSET_LOW]) << 16;
		return 0;
	}
	return cxlvm_error_set(err, -EPROTO,
			       "Register Locator at 0x%x names no component register block", at);
}

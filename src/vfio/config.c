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

/* A walk along the extended capabilities: where it is, and what is there. */
struct extended {
	unsigned int steps;
	uint32_t at;
	uint32_t header[3]; /* the first dword; all of them of a DVSEC */
};

static uint32_t header_field(const struct extended *ext, enum dvsec_header_row row)
{
	return reg_get(ext->header, 0, &dvsec_header_table.rows[row]);
}

/* 1 with the next extended capability, 0 after the last one. */
static int next_extended(const struct reader *reader, struct extended *ext, struct cxlvm_error *err)
{
	uint32_t at = ext->steps ? header_field(ext, DVSEC_CAP_NEXT) : PCI_EXTENDED;
	unsigned int dwords = 1;

	if (!at)
		return 0;
	if (ext->steps++ == EXTENDED_CAPABILITIES_MAX)
		return cxlvm_error_set(err, -EPROTO, "extended capabilities form a loop");
	memset(ext->header, 0, sizeof(ext->header));
	ext->at = at;
	for (unsigned int n = 0; n < dwords; n++) {
		int ret;

		if (at < PCI_EXTENDED || !is_aligned(at, 4) ||
		    !range_fits(at, 4 * (n + 1), PCI_CONFIG_SIZE))
			return cxlvm_error_set(err, -EPROTO,
					       "extended capability at 0x%x of config space", at);
		ret = reader_dword(reader, CXLVM_REGION_CONFIG, at + 4 * n, &ext->header[n], err);
		if (ret)
			return ret;
		if (header_field(ext, DVSEC_CAP_ID) == PCI_EXT_CAP_DVSEC)
			dwords = 3;
	}
	return 1;
}

/* 1 with the DVSEC of CXL with this id; *length is what its header says; 0: there is none. */
static int find_dvsec(const struct reader *reader, uint16_t id, uint32_t *offset, uint32_t *length,
		      struct cxlvm_error *err)
{
	struct extended ext = { 0 };
	int ret;

	while ((ret = next_extended(reader, &ext, err)) > 0) {
		if (header_field(&ext, DVSEC_CAP_ID) != PCI_EXT_CAP_DVSEC ||
		    header_field(&ext, DVSEC_VENDOR) != CXL_VENDOR_ID ||
		    header_field(&ext, DVSEC_ID) != id)
			continue;
		*offset = ext.at;
		*length = header_field(&ext, DVSEC_LENGTH);
		return 1;
	}
	return ret;
}

static int need_dvsec(const struct reader *reader, uint16_t id, uint32_t *offset, uint32_t *length,
		      struct cxlvm_error *err)
{
	int ret = find_dvsec(reader, id, offset, length, err);

	if (!ret)
		return cxlvm_error_set(err, -EPROTO, "no CXL DVSEC with id %u in config space", id);
	return ret < 0 ? ret : 0;
}

int reader_ats(const struct reader *reader, uint32_t *offset, struct cxlvm_error *err)
{
	struct extended ext = { 0 };
	int ret;

	*offset = 0;
	while ((ret = next_extended(reader, &ext, err)) > 0)
		if (header_field(&ext, DVSEC_CAP_ID) == PCI_EXT_CAP_ATS)
			*offset = ext.at;
	return ret;
}

int reader_device_dvsec(const struct reader *reader, uint32_t *offset, struct cxlvm_error *err)
{
	const struct reg_row *row = dvsec_device_table.rows;
	uint32_t length, capability[3] = { 0 };
	int ret;

	ret = need_dvsec(reader, DVSEC_ID_DEVICE, offset, &length, err);
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

/*
 * One entry of the Register Locator: 1 when it is one, with its position and what it names; 0
 * after the last one.
 */
struct locator {
	uint32_t at, length; /* of the DVSEC */
	uint32_t entry;      /* the next one */
	uint32_t block_id;
	uint32_t bar;
	uint64_t offset;
};

static int next_entry(const struct reader *reader, struct locator *locator, struct cxlvm_error *err)
{
	const struct reg_row *row = dvsec_locator_table.rows;
	uint32_t image[5] = { 0 };

	if (locator->entry + 8 > locator->length)
		return 0;
	/* The rows describe the first entry. */
	for (uint32_t n = 0; n < 2; n++) {
		int ret = reader_dword(reader, CXLVM_REGION_CONFIG,
				       locator->at + locator->entry + 4 * n,
				       &image[DVSEC_LOCATOR_ENTRY / 4 + n], err);

		if (ret)
			return ret;
	}
	locator->entry += 8;
	locator->block_id = reg_get(image, 0, &row[LOCATOR_BLOCK_ID]);
	locator->bar = reg_get(image, 0, &row[LOCATOR_BAR]);
	locator->offset = (uint64_t)reg_get(image, 0, &row[LOCATOR_OFFSET_HIGH]) << 32 |
			  (uint64_t)reg_get(image, 0, &row[LOCATOR_OFFSET_LOW]) << 16;
	return 1;
}

int reader_register_locator(const struct reader *reader, uint32_t *bar, uint64_t *offset,
			    struct cxlvm_error *err)
{
	struct locator locator = { .entry = DVSEC_LOCATOR_ENTRY };
	int ret = need_dvsec(reader, DVSEC_ID_REGISTER_LOCATOR, &locator.at, &locator.length, err);

	if (ret)
		return ret;
	if (!range_fits(locator.at, locator.length, PCI_CONFIG_SIZE))
		return cxlvm_error_set(err, -EPROTO, "Register Locator at 0x%x of %u bytes",
				       locator.at, locator.length);
	while ((ret = next_entry(reader, &locator, err)) > 0) {
		if (locator.block_id != LOCATOR_BLOCK_COMPONENT)
			continue;
		*bar = locator.bar;
		*offset = locator.offset;
		return 0;
	}
	if (ret)
		return ret;
	return cxlvm_error_set(err, -EPROTO,
			       "Register Locator at 0x%x names no component register block",
			       locator.at);
}

static int hide(struct vfio_hidden *hidden, uint32_t offset, uint32_t length, uint32_t keep,
		struct cxlvm_error *err)
{
	if (hidden->n == HIDDEN_MAX)
		return cxlvm_error_set(err, -EPROTO,
				       "Register Locator with more than %u component register "
				       "blocks",
				       HIDDEN_MAX - 1);
	hidden->ranges[hidden->n++] = (struct vfio_hidden_range){ offset, length, keep };
	return 0;
}

int vfio_find_hidden(const struct cxlvm_device_ops *ops, void *device, struct vfio_hidden *hidden,
		     struct cxlvm_error *err)
{
	const struct reg_row *next = &dvsec_header_table.rows[DVSEC_CAP_NEXT];
	struct reader reader = { .ops = ops, .device = device };
	struct locator locator = { .entry = DVSEC_LOCATOR_ENTRY };
	uint32_t offset = 0, length = 0;
	int ret;

	hidden->n = 0;
	ret = find_dvsec(&reader, DVSEC_ID_DEVICE, &offset, &length, err);
	if (ret > 0) {
		/* The link to the next capability stays, all else is that of a null capability. */
		if (length < dvsec_header_table.size)
			length = dvsec_header_table.size;
		if (length > PCI_CONFIG_SIZE - offset)
			length = PCI_CONFIG_SIZE - offset;
		ret = hide(hidden, offset, length, reg_mask(next), err);
	}
	if (!ret)
		ret = find_dvsec(&reader, DVSEC_ID_REGISTER_LOCATOR, &locator.at, &locator.length,
				 err);
	if (ret <= 0)
		return ret;
	if (locator.length > PCI_CONFIG_SIZE - locator.at)
		locator.length = PCI_CONFIG_SIZE - locator.at;
	/* Block identifier 0 is an empty entry. */
	while ((ret = next_entry(&reader, &locator, err)) > 0) {
		if (locator.block_id != LOCATOR_BLOCK_COMPONENT)
			continue;
		ret = hide(hidden, locator.at + locator.entry - 8, 8, 0, err);
		if (ret)
			return ret;
	}
	return ret;
}

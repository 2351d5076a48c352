/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hdm.c - a device's HDM decoder 0, found and read the way the guest does it: Register Locator,
 * component block, capability array
 */
#include <errno.h>
#include <linux/pci_regs.h>

#include "config_space.h"
#include "device.h"
#include "hdm.h"

#define DVSEC_VENDOR_CXL       0x1e98u
#define DVSEC_REGISTER_LOCATOR 8u
#define LOCATOR_ENTRIES        0x0cu
#define LOCATOR_ENTRY_BYTES    8u
#define BLOCK_COMPONENT        1u

#define CACHEMEM_OFFSET 0x1000u
#define CAPABILITY_HDM  5u

#define HDM_GLOBAL_CONTROL 0x04u
#define HDM_BASE           0x10u
#define HDM_SIZE           0x18u
#define HDM_CONTROL        0x20u

static uint32_t config(struct device *device, uint32_t offset)
{
	return endpoint_config_read(device, offset, 4);
}

/* The DVSEC of the CXL consortium with this id, 0 if there is none. */
static uint32_t find_dvsec(struct device *device, uint32_t id)
{
	uint32_t offset = PCI_HEADER_SPACE;

	/* Each step needs 4 bytes at least: more of them are a loop. */
	for (unsigned int i = 0; offset && i < PCI_CONFIG_SPACE / 4; i++) {
		uint32_t header = config(device, offset);

		if ((header & 0xffff) == PCI_EXT_CAP_ID_DVSEC &&
		    (config(device, offset + 4) & 0xffff) == DVSEC_VENDOR_CXL &&
		    (config(device, offset + 8) & 0xffff) == id)
			return offset;
		offset = header >> 20 & 0xffc;
		if (offset < PCI_HEADER_SPACE || offset > PCI_CONFIG_SPACE - 12)
			break;
	}
	return 0;
}

static bool find_block(struct device *device, uint32_t *bar, uint64_t *offset)
{
	uint32_t locator = find_dvsec(device, DVSEC_REGISTER_LOCATOR);
	uint32_t end;

	if (!locator)
		return false;
	end = locator + (config(device, locator + 4) >> 20);
	for (uint32_t at = locator + LOCATOR_ENTRIES;
	     at + LOCATOR_ENTRY_BYTES <= end && end <= PCI_CONFIG_SPACE;
	     at += LOCATOR_ENTRY_BYTES) {
		uint32_t low = config(device, at);

		if ((low >> 8 & 0xff) != BLOCK_COMPONENT)
			continue;
		*bar = low & 7;
		*offset = (uint64_t)config(device, at + 4) << 32 | (low & 0xffff0000);
		return *bar < PCI_BARS;
	}
	return false;
}

static uint32_t reg(struct device *device, uint32_t bar, uint64_t offset)
{
	return (uint32_t)endpoint_bar_read(device, bar, offset, 4);
}

int hdm_read(struct device *device, struct hdm_decoder *decoder, struct cxlvm_error *err)
{
	uint64_t array;
	uint32_t header;

	if (!find_block(device, &decoder->bar, &array))
		goto none;
	array += CACHEMEM_OFFSET;
	header = reg(device, decoder->bar, array);
	for (unsigned int i = 1; i <= header >> 24; i++) {
		uint32_t entry = reg(device, decoder->bar, array + 4 * i);
		uint64_t at = array + (entry >> 20);

		if ((entry & 0xffff) != CAPABILITY_HDM)
			continue;
		decoder->offset = at;
		decoder->global_control = reg(device, decoder->bar, at + HDM_GLOBAL_CONTROL);
		decoder->base = (uint64_t)reg(device, decoder->bar, at + HDM_BASE + 4) << 32 |
				reg(device, decoder->bar, at + HDM_BASE);
		decoder->size = (uint64_t)reg(device, decoder->bar, at + HDM_SIZE + 4) << 32 |
				reg(device, decoder->bar, at + HDM_SIZE);
		decoder->control = reg(device, decoder->bar, at + HDM_CONTROL);
		return 0;
	}
none:
	return cxlvm_error_set(err, -ENODEV, "%s: the guest would not find an HDM decoder",
			       device->name);
}

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "device/device.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif

#include "base/math.h"
#include "regs/dvsec.h"

#define DSN_OFFSET     0x100u
#define LOCATOR_OFFSET 0x180u

static const struct dvsec device_dvsecs[] = {
	{ &dvsec_device_table, DVSEC_ID_DEVICE, 3, SWDEV_DVSEC_DEVICE, 0 },
	{ &dvsec_gpf_device_table, DVSEC_ID_GPF_DEVICE, 0, 0x150, 0 },
	{ &dvsec_flex_bus_table, DVSEC_ID_FLEX_BUS, 2, 0x160, 0 },
	{ &dvsec_locator_table, DVSEC_ID_REGISTER_LOCATOR, 0, LOCATOR_OFFSET, 0 },
	{ NULL, 0, 0, 0, 0 },
};

static void reset_dvsecs(struct swdev *dev)
{
	const struct reg_row *device = dvsec_device_table.rows;
	const struct reg_row *locator = dvsec_locator_table.rows;
	uint64_t size = dev->settings.memory_size, base = dev->settings.base.value;
	uint32_t *config = dev->config;

	dvsec_list_reset(device_dvsecs, config);
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_WRITEBACK_CAPABLE], 1);
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_RESET_CAPABLE], 1);
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_RESET_CLEARS], 1);
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_RANGE1_SIZE_HIGH],
		(uint32_t)(size >> 32));
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_RANGE1_SIZE_LOW], (uint32_t)size >> 28);
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_RANGE1_BASE_HIGH],
		(uint32_t)(base >> 32));
	reg_set(config, SWDEV_DVSEC_DEVICE, &device[CXLDEV_RANGE1_BASE_LOW], (uint32_t)base >> 28);
	reg_set(config, LOCATOR_OFFSET, &locator[LOCATOR_BAR], dev->settings.component_bar);
	reg_set(config, LOCATOR_OFFSET, &locator[LOCATOR_OFFSET_LOW], SWDEV_BLOCK_OFFSET >> 16);
}

static void reset_component(struct swdev *dev)
{
	static const struct cm_capability capabilities[] = {
		{ CM_ID_RAS, 2, SWDEV_RAS_OFFSET },
		{ CM_ID_HDM, 1, SWDEV_HDM_OFFSET },
	};
	struct decoder_setting firmware = {
		.base = dev->settings.base.value,
		.size = dev->settings.memory_size,
	};
	uint64_t fault = dev->settings.base.value + SWDEV_FAULT_OFFSET;

	cm_array_build(dev->cm, capabilities, 2);
	regs_reset(&ras_table, dev->cm, SWDEV_RAS_OFFSET);
	reg_set(dev->cm, SWDEV_RAS_OFFSET, &ras_table.rows[RAS_HEADER_LOG_0], (uint32_t)fault);
	reg_set(dev->cm, SWDEV_RAS_OFFSET, &ras_table.rows[RAS_HEADER_LOG_1],
		(uint32_t)(fault >> 32));
	decoder_reset(&dev->cm[SWDEV_HDM_OFFSET / 4], 0);
	/* swdev_init checked the setting. */
	(void)decoder_commit_locked(&dev->cm[SWDEV_HDM_OFFSET / 4], &firmware);
}

int swdev_init(struct swdev *dev, const struct swdev_config *settings)
{
	const struct reg_row *header = pci_header_table.rows;
	uint32_t *config = dev->config;

	if (!is_aligned(settings->memory_size, CXLVM_HDM_GRANULE) ||
	    !is_aligned(settings->base.value, CXLVM_HDM_GRANULE) ||
	    !range_is_valid(settings->base.value, settings->memory_size))
		return -EINVAL;

	dev->settings = *settings;
	for (unsigned int i = 0; i < PCI_CONFIG_DWORDS; i++)
		config[i] = 0;
	for (unsigned int i = 0; i < CM_DWORDS; i++)
		dev->cm[i] = 0;

	regs_reset(&pci_header_table, config, 0);
	reg_set(config, 0, &header[PCI_VENDOR], SWDEV_VENDOR);
	reg_set(config, 0, &header[PCI_DEVICE], SWDEV_DEVICE);
	reg_set(config, 0, &header[PCI_CLASS], SWDEV_CLASS);
	reg_set(config, 0, &header[PCI_SUBSYSTEM_VENDOR], SWDEV_VENDOR);
	reg_set(config, 0, &header[PCI_SUBSYSTEM], SWDEV_DEVICE);
	reg_set(config, 0, &header[PCI_CAP_POINTER], SWDEV_PCIE);
	reg_set(config, 0, &header[PCI_MEMORY_SPACE], 1);
	for (unsigned int i = 0; i < PCI_BARS; i++)
		if (swdev_bar_size(i))
			reg_set(config, 4 * i, &pci_bar_table.rows[PCI_BAR_TYPE],
				pci_bar_table.rows[PCI_BAR_TYPE].reset);
	swdev_reset(dev);
	return 0;
}

void swdev_reset(struct swdev *dev)
{
	regs_reset(&pcie_table, dev->config, SWDEV_PCIE);
	msix_reset(dev);
	reg_set(dev->config, SWDEV_PCIE, &pcie_table.rows[PCIE_CAP_NEXT], SWDEV_MSIX);
	regs_reset(&dsn_table, dev->config, DSN_OFFSET);
	reg_set(dev->config, DSN_OFFSET, &dsn_table.rows[DSN_CAP_NEXT], SWDEV_DVSEC_DEVICE);
	reg_set(dev->config, DSN_OFFSET, &dsn_table.rows[DSN_LOW], (uint32_t)dev->settings.serial);
	reg_set(dev->config, DSN_OFFSET, &dsn_table.rows[DSN_HIGH],
		(uint32_t)(dev->settings.serial >> 32));
	reset_dvsecs(dev);
	reset_component(dev);
	engine_reset(dev);
}

int swdev_cxl_reset(struct swdev *dev, bool clear)
{
	const struct swdev_bus *bus = dev->settings.bus;
	enum dvsec_device_row outcome = CXLDEV_RESET_COMPLETE;
	int ret = 0;

	/* Nothing is copied behind the clearing. */
	engine_reset(dev);
	if (clear)
		ret = bus && bus->memory_clear ? bus->memory_clear(bus->owner) : -EIO;
	swdev_reset(dev);
	if (ret)
		outcome = CXLDEV_RESET_ERROR;
	reg_set(dev->config, SWDEV_DVSEC_DEVICE, &dvsec_device_table.rows[outcome], 1);
	return ret;
}

uint32_t swdev_config_read(const struct swdev *dev, uint32_t offset, unsigned int length)
{
	return (uint32_t)regs_read(dev->config, offset, length);
}

/* CONFIG_LOCK makes the lockable fields of the CXL Device DVSEC read-only (8.1.3.6). */
static bool is_locked_away(const struct swdev *dev, uint32_t offset)
{
	const struct reg_row *rows = dvsec_device_table.rows;
	uint32_t at = offset - SWDEV_DVSEC_DEVICE;

	if (offset < SWDEV_DVSEC_DEVICE || at >= DVSEC_DEVICE_SIZE ||
	    !reg_get(dev->config, SWDEV_DVSEC_DEVICE, &rows[CXLDEV_CONFIG_LOCK]))
		return false;
	for (unsigned int i = 0; i < DVSEC_DEVICE_ROWS; i++)
		if (rows[i].access == REG_RWL && at >= rows[i].offset &&
		    at - rows[i].offset < rows[i].width)
			return true;
	return false;
}

/* Bits of CXL Control 2 that start something. */
static void initiate(struct swdev *dev, uint32_t offset, unsigned int length, uint32_t value)
{
	const struct reg_row *rows = dvsec_device_table.rows;

	/* The caches are empty, so they are written back at once. */
	if (regs_write_sets(&rows[CXLDEV_INITIATE_WB], SWDEV_DVSEC_DEVICE, offset, length, value))
		reg_set(dev->config, SWDEV_DVSEC_DEVICE, &rows[CXLDEV_CACHE_INVALID], 1);
	if (regs_write_sets(&rows[CXLDEV_INITIATE_RESET], SWDEV_DVSEC_DEVICE, offset, length,
			    value))
		(void)swdev_cxl_reset(dev, reg_get(dev->config, SWDEV_DVSEC_DEVICE,
						   &rows[CXLDEV_MEM_CLEAR_ENABLE]));
}

static void write_bars(struct swdev *dev, uint32_t offset, unsigned int length, uint32_t value)
{
	const struct reg_row *low = &pci_bar_table.rows[PCI_BAR_LOW];

	if (!ranges_overlap(low->offset, 4 * PCI_BARS, offset, length))
		return;
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		uint32_t size = swdev_bar_size(i);

		if (!size)
			continue;
		regs_write(&pci_bar_table, dev->config, 4 * i, offset, length, value);
		/* Address bits below the size of the BAR read 0. */
		reg_set(dev->config, 4 * i, low,
			reg_get(dev->config, 4 * i, low) & ~((size >> 4) - 1));
	}
}

void swdev_config_write(struct swdev *dev, uint32_t offset, unsigned int length, uint32_t value)
{
	regs_write(&pci_header_table, dev->config, 0, offset, length, value);
	write_bars(dev, offset, length, value);
	regs_write(&pcie_table, dev->config, SWDEV_PCIE, offset, length, value);
	regs_write(&msix_table, dev->config, SWDEV_MSIX, offset, length, value);
	msix_deliver(dev);
	/* The DVSECs are behind all of these. */
	if (offset + length <= SWDEV_DVSEC_DEVICE)
		return;
	/* Byte by byte, as only some bytes of a wide write may be locked. */
	for (unsigned int i = 0; i < length; i++)
		if (!is_locked_away(dev, offset + i))
			dvsec_list_write(device_dvsecs, dev->config, offset + i, 1,
					 value >> (8 * i) & 0xff);
	initiate(dev, offset, length, value);
}

uint32_t swdev_bar_size(unsigned int bar)
{
	switch (bar) {
	case SWDEV_BAR:
		return SWDEV_BAR_SIZE;
	case SWDEV_ENGINE_BAR:
		return SWDEV_ENGINE_BAR_SIZE;
	case SWDEV_MSIX_BAR:
		return SWDEV_MSIX_BAR_SIZE;
	default:
		return 0;
	}
}

static uint64_t component_read(const struct swdev *dev, uint32_t offset, unsigned int length)
{
	uint32_t cm = SWDEV_BLOCK_OFFSET + CM_OFFSET;

	if (offset < cm || !range_fits(offset - cm, length, CM_SIZE))
		return 0;
	return regs_read(dev->cm, offset - cm, length);
}

static void component_write(struct swdev *dev, uint32_t offset, unsigned int length, uint64_t value)
{
	uint32_t cm = SWDEV_BLOCK_OFFSET + CM_OFFSET;

	if (offset < cm || !range_fits(offset - cm, length, CM_SIZE))
		return;
	/* The decoder is committed and locked; only RAS takes writes. */
	regs_write(&ras_table, dev->cm, SWDEV_RAS_OFFSET, offset - cm, length, value);
}

uint64_t swdev_bar_read(const struct swdev *dev, unsigned int bar, uint32_t offset,
			unsigned int length)
{
	switch (bar) {
	case SWDEV_ENGINE_BAR:
		return engine_read(dev, offset, length);
	case SWDEV_MSIX_BAR:
		return msix_read(dev, offset, length);
	default:
		return component_read(dev, offset, length);
	}
}

void swdev_bar_write(struct swdev *dev, unsigned int bar, uint32_t offset, unsigned int length,
		     uint64_t value)
{
	switch (bar) {
	case SWDEV_ENGINE_BAR:
		engine_write(dev, offset, length, value);
		break;
	case SWDEV_MSIX_BAR:
		msix_write(dev, offset, length, value);
		break;
	default:
		component_write(dev, offset, length, value);
		break;
	}
}

bool swdev_memory_space(const struct swdev *dev)
{
	return reg_get(dev->config, 0, &pci_header_table.rows[PCI_MEMORY_SPACE]);
}

bool swdev_bus_master(const struct swdev *dev)
{
	return reg_get(dev->config, 0, &pci_header_table.rows[PCI_BUS_MASTER]);
}

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "base/math.h"
#include "device/device.h"

static uint32_t control_get(const struct swdev *dev, enum msix_row row)
{
	return reg_get(dev->config, SWDEV_MSIX, &msix_table.rows[row]);
}

static bool is_masked(const struct swdev *dev, unsigned int vector)
{
	return control_get(dev, MSIX_FUNCTION_MASK) ||
	       reg_get(dev->msix.table, vector * MSIX_ENTRY_SIZE,
		       &msix_entry_table.rows[MSIX_VECTOR_MASK]);
}

void msix_reset(struct swdev *dev)
{
	const struct reg_row *rows = msix_table.rows;

	regs_reset(&msix_table, dev->config, SWDEV_MSIX);
	reg_set(dev->config, SWDEV_MSIX, &rows[MSIX_TABLE_COUNT], SWDEV_MSIX_VECTORS - 1);
	reg_set(dev->config, SWDEV_MSIX, &rows[MSIX_TABLE_BIR], SWDEV_MSIX_BAR);
	reg_set(dev->config, SWDEV_MSIX, &rows[MSIX_TABLE_OFFSET], SWDEV_MSIX_TABLE >> 3);
	reg_set(dev->config, SWDEV_MSIX, &rows[MSIX_PBA_BIR], SWDEV_MSIX_BAR);
	reg_set(dev->config, SWDEV_MSIX, &rows[MSIX_PBA_OFFSET], SWDEV_MSIX_PBA >> 3);
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++)
		regs_reset(&msix_entry_table, dev->msix.table, i * MSIX_ENTRY_SIZE);
	reg_store(&dev->msix.pending[0], 0);
	reg_store(&dev->msix.pending[1], 0);
}

static void send(struct swdev *dev, unsigned int vector)
{
	const struct swdev_bus *bus = dev->settings.bus;

	if (bus && bus->interrupt)
		bus->interrupt(bus->owner, vector);
}

void msix_raise(struct swdev *dev, unsigned int vector)
{
	if (!control_get(dev, MSIX_ENABLE))
		return;
	if (is_masked(dev, vector))
		reg_store(&dev->msix.pending[0],
			  reg_load(&dev->msix.pending[0]) | (uint32_t)1 << vector);
	else
		send(dev, vector);
}

void msix_deliver(struct swdev *dev)
{
	if (!control_get(dev, MSIX_ENABLE))
		return;
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++) {
		uint32_t pending = reg_load(&dev->msix.pending[0]), bit = (uint32_t)1 << i;

		if (!(pending & bit) || is_masked(dev, i))
			continue;
		reg_store(&dev->msix.pending[0], pending & ~bit);
		send(dev, i);
	}
}

uint64_t msix_read(const struct swdev *dev, uint32_t offset, unsigned int length)
{
	if (range_fits(offset - SWDEV_MSIX_TABLE, length, SWDEV_MSIX_TABLE_SIZE))
		return regs_read(dev->msix.table, offset - SWDEV_MSIX_TABLE, length);
	if (offset >= SWDEV_MSIX_PBA &&
	    range_fits(offset - SWDEV_MSIX_PBA, length, sizeof(dev->msix.pending)))
		return regs_read(dev->msix.pending, offset - SWDEV_MSIX_PBA, length);
	return 0;
}

void msix_write(struct swdev *dev, uint32_t offset, unsigned int length, uint64_t value)
{
	/* Pending bits are the device's. */
	if (!range_fits(offset - SWDEV_MSIX_TABLE, length, SWDEV_MSIX_TABLE_SIZE))
		return;
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++)
		regs_write(&msix_entry_table, dev->msix.table, i * MSIX_ENTRY_SIZE,
			   offset - SWDEV_MSIX_TABLE, length, value);
	msix_deliver(dev);
}

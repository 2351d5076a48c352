/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Interrupts as every VFIO kernel has them: MSI-X alone is there, the kernel writes its table and
 * its enable bit, and puts both back after a reset.
 */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"
#include "kernel_shape/uapi.h"

/* Message Control of the capability, and what its bits are worth there. */
#define CONTROL (SWDEV_MSIX + msix_table.rows[MSIX_ENABLE].offset)

static uint32_t vectors_of(uint32_t index)
{
	return index == UAPI_IRQ_INDEX_MSIX ? SWDEV_MSIX_VECTORS : 0;
}

int kernel_shape_irq_info(const struct kernel_shape *shape, uint32_t index, void *buf, size_t len,
			  size_t *needed)
{
	uint8_t answer[UAPI_IRQ_SIZE] = { 0 };
	uint32_t vectors = vectors_of(index);

	(void)shape;
	if (index >= UAPI_NUM_IRQS)
		return -EINVAL;
	put_le32(answer, UAPI_IRQ_SIZE);
	put_le32(answer + UAPI_IRQ_FLAGS, vectors ? UAPI_IRQ_FLAG_EVENTFD : 0);
	put_le32(answer + UAPI_IRQ_INDEX, index);
	put_le32(answer + UAPI_IRQ_COUNT, vectors);
	*needed = sizeof(answer);
	memcpy(buf, answer, len < sizeof(answer) ? len : sizeof(answer));
	return 0;
}

/* Write the kernel's part of the device; pending messages of connected vectors leave now. */
void shape_irq_restore(struct kernel_shape *shape)
{
	const struct reg_row *mask = &msix_entry_table.rows[MSIX_VECTOR_MASK];
	uint32_t enable = (uint32_t)shape->irq_on << msix_table.rows[MSIX_ENABLE].lsb;

	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++)
		if (!(shape->irq_connected >> i & 1))
			swdev_bar_write(shape->dev, SWDEV_MSIX_BAR,
					SWDEV_MSIX_TABLE + i * MSIX_ENTRY_SIZE + mask->offset, 4,
					1);
	swdev_config_write(shape->dev, CONTROL, 2, enable);
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++)
		if (shape->irq_connected >> i & 1)
			swdev_bar_write(shape->dev, SWDEV_MSIX_BAR,
					SWDEV_MSIX_TABLE + i * MSIX_ENTRY_SIZE + mask->offset, 4,
					0);
}

int kernel_shape_irq_set(struct kernel_shape *shape, uint32_t index, uint32_t start, uint32_t count,
			 uint32_t connected)
{
	uint32_t range;

	if (!count || !range_fits(start, count, vectors_of(index)))
		return -EINVAL;
	range = (((uint32_t)1 << count) - 1) << start;
	shape->irq_on = true;
	shape->irq_connected = (shape->irq_connected & ~range) | (connected << start & range);
	shape_irq_restore(shape);
	return 0;
}

int kernel_shape_irq_disable(struct kernel_shape *shape, uint32_t index)
{
	if (!vectors_of(index))
		return -EINVAL;
	shape->irq_on = false;
	shape->irq_connected = 0;
	shape_irq_restore(shape);
	return 0;
}

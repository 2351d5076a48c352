/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * MSI-X of the software device (PCIe 6.0, 6.1.4 and 7.7.2): a table and pending bits in BAR 4, which
 * holds nothing else. A message that is masked stays pending and leaves when the mask goes away;
 * while MSI-X is off nothing is sent and nothing becomes pending. Freestanding.
 */
#ifndef CXLVM_DEVICE_MSIX_H
#define CXLVM_DEVICE_MSIX_H

#include "regs/pci.h"

#define SWDEV_MSIX_BAR        4u
#define SWDEV_MSIX_BAR_SIZE   0x2000u
#define SWDEV_MSIX_TABLE      0x0000u /* in the BAR */
#define SWDEV_MSIX_TABLE_SIZE (SWDEV_MSIX_VECTORS * MSIX_ENTRY_SIZE)
#define SWDEV_MSIX_PBA        0x1000u /* in the BAR */
#define SWDEV_MSIX_VECTORS    4u
#define SWDEV_MSIX            0x080u /* in config space */

struct swdev;

struct swdev_msix {
	uint32_t table[SWDEV_MSIX_TABLE_SIZE / 4];
	uint32_t pending[2]; /* one bit per vector; the bus sees 64 bits */
};

/* Off, all vectors masked, nothing pending; capability in config space included. */
void msix_reset(struct swdev *dev);

/* Send the message of a vector below SWDEV_MSIX_VECTORS, or note that it is pending. */
void msix_raise(struct swdev *dev, unsigned int vector);

/* After a write that can have taken a mask away: what was pending leaves. */
void msix_deliver(struct swdev *dev);

/* BAR 4, as swdev_bar_read and swdev_bar_write. */
uint64_t msix_read(const struct swdev *dev, uint32_t offset, unsigned int length);
void msix_write(struct swdev *dev, uint32_t offset, unsigned int length, uint64_t value);

#endif

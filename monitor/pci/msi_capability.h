/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msi_capability.h - MSI of a passed-through function that has no MSI-X (PCIe 6.0, 6.1.4 and 7.7.1),
 * emulated here because the guest's messages are not the host's
 *
 * The capability's size, number of vectors, 64-bit addresses and masks are the device's. How a
 * message gets from the device to the guest is in vectors.h.
 */
#ifndef MONITOR_PCI_MSI_CAPABILITY_H
#define MONITOR_PCI_MSI_CAPABILITY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

#include "vectors.h"

struct device;

struct msi_capability {
	uint32_t at;   /* where in config space; 0: the guest has none */
	uint32_t size; /* bytes */
	struct vectors vectors;
	/* What the guest reads, in dwords from the start; the first one has the list's pointer. */
	_Atomic uint32_t words[6];
};

/* The capability at config offset at. Ended with pci_msi_finish, also when there is none. */
int pci_msi_init(struct device *device, uint32_t at, struct cxlvm_error *err);
void pci_msi_finish(struct device *device);

/* Off, all registers 0, nothing pending. The lock of the device is held from here on. */
void pci_msi_reset(struct device *device);
/* The device was reset without the guest's asking: it gets its eventfds again. */
void pci_msi_renew(struct device *device);

/*
 * A write of the guest, value in the order of config space; of bytes outside nothing is taken. True
 * when it touched the capability: then it is not the device's.
 */
bool pci_msi_write(struct device *device, uint32_t offset, unsigned int length, uint32_t value);
/* What the guest reads: value, with the bytes of the capability replaced. Without the lock, too. */
uint64_t pci_msi_read(const struct msi_capability *msi, uint32_t offset, unsigned int length,
		      uint64_t value);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msix.h - MSI-X of a passed-through function: capability control, table and pending bits
 * (PCIe 6.0, 6.1.4 and 7.7.2), emulated here because the guest's messages are not the host's
 *
 * How a message gets from the device to the guest is in vectors.h.
 */
#ifndef MONITOR_PCI_MSIX_H
#define MONITOR_PCI_MSIX_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/passthrough.h>

#include "vectors.h"

struct device;

struct msix_entry {
	_Atomic uint32_t word[4]; /* address low and high, data, control */
};

struct msix {
	uint32_t capability; /* where in config space; 0: the guest has none */
	struct cxlvm_bar_range table;
	struct cxlvm_bar_range pba;
	struct vectors vectors;
	struct msix_entry *entries; /* one for each */
	atomic_bool enabled;
	atomic_bool masked; /* the function */
};

/*
 * The capability at config offset capability: where table and PBA are, and eventfds. -EPROTO for
 * one that contradicts itself. Ended with pci_msix_finish, also when there is none.
 */
int pci_msix_init(struct device *device, uint32_t capability, struct cxlvm_error *err);
void pci_msix_finish(struct device *device);

/* Off, all vectors masked, nothing pending. */
void pci_msix_reset(struct device *device);

/* The device was reset without the guest's asking: it gets its eventfds again. */
void pci_msix_renew(struct device *device);

/* The control register: what the guest reads, and its write (the device's lock is held). */
uint16_t pci_msix_control(const struct msix *msix, uint16_t value);
void pci_msix_control_write(struct device *device, uint16_t value);

/* Guest access to table and PBA. */
extern const struct map_ops pci_msix_table_ops;
extern const struct map_ops pci_msix_pba_ops;

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar_map.h - parts of BARs that the guest reaches without an exit
 *
 * What the device lets user space map, in whole pages, less what is trapped (registers of the
 * library, MSI-X table and pending bits), is a memory slot of KVM wherever the guest has put the
 * BAR. All else, and what KVM has no slot for, is forwarded access by access.
 *
 * The same parts are in the device's I/O address space: a device that is told to reach its own BAR
 * (the controller memory buffer of an NVMe device is one) uses the guest's address for it.
 */
#ifndef MONITOR_PCI_BAR_MAP_H
#define MONITOR_PCI_BAR_MAP_H

#include <stdint.h>

#include <cxlvm/base.h>

struct device;

struct bar_map {
	uint32_t bar;
	uint64_t offset; /* in the BAR, of the host's pages */
	uint64_t size;
	void *address;
	unsigned int slot;
	struct cxlvm_gpa guest; /* where it is while enabled */
	bool enabled;
	bool dma; /* while enabled: in the I/O address space too */
};

/* After the spans of the endpoint are known. Nothing is visible yet. */
int bar_maps_init(struct device *device, struct cxlvm_error *err);
/* Put them where the BARs are now, or nowhere. */
void bar_maps_follow(struct device *device);
/* Also after nothing. */
void bar_maps_finish(struct device *device);

#endif

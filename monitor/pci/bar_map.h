/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bar_map.h - parts of BARs that the guest reaches without an exit
 *
 * What the device lets user space map, in whole pages, less what is trapped (registers of the
 * library, MSI-X table and pending bits), is a memory slot of KVM wherever in the memory of its
 * host bridge the guest has put the BAR. All else is forwarded access by access: what KVM has no
 * slot for, and a BAR anywhere else, where a slot could be in the way of device memory and would
 * hide what the guest cannot move.
 *
 * The same parts are in the device's I/O address space: a device that is told to reach its own BAR
 * (the controller memory buffer of an NVMe device is one) uses the guest's address for it.
 */
#ifndef MONITOR_PCI_BAR_MAP_H
#define MONITOR_PCI_BAR_MAP_H

#include <stdbool.h>
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

/* The lock of the device is held from here on. */

/* After the spans of the endpoint are known. Nothing is visible yet. */
int bar_maps_init(struct device *device, struct cxlvm_error *err);
/* Put them where the BARs are now, or nowhere. */
void bar_maps_follow(struct device *device);
/*
 * A BAR does not answer, as that of a device in low power: forward it, until bar_maps_follow, which
 * comes with the next write to configuration space. False if there was nothing to forward.
 */
bool bar_maps_forward(struct device *device);
/* Also after nothing. */
void bar_maps_finish(struct device *device);

#endif

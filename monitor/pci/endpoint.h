/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * endpoint.h - the passed-through function as the guest's config space and BARs show it
 *
 * The device answers, libcxlvm filters. Three things are the monitor's own: the BARs; the Memory
 * Space bit, which moves the guest's BARs and never the device's (the real bit stays on, device
 * memory is not gated by it); and interrupts, of which the guest has MSI-X only (msix.h), or MSI where the device
 * has no MSI-X (msi_capability.h).
 */
#ifndef MONITOR_PCI_ENDPOINT_H
#define MONITOR_PCI_ENDPOINT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/passthrough.h>

#include "bar_map.h"
#include "map.h"
#include "msi_capability.h"
#include "msix.h"

#define PCI_BARS 6

struct device;

struct pci_bar {
	struct device *device;
	uint32_t index;
	uint64_t size;             /* 0: no memory BAR, or the upper half of the one before */
	uint32_t flags;            /* bits 3:0 of the register */
	struct cxlvm_gpa assigned; /* by firmware */
	_Atomic uint64_t guest;    /* what the guest wrote last */
	struct map_range *range;
};

/* A part of a BAR that the device does not answer: registers of libcxlvm, MSI-X table and PBA. */
struct pci_span {
	struct device *device;
	struct cxlvm_bar_range where;
	const struct map_ops *ops;
	void *opaque;
	struct map_range *range;
};

/* A byte of config space that the guest reads differently. */
struct pci_patch {
	uint32_t offset;
	uint8_t value;
};

/* Header type, interrupt pin, and two capabilities, each with the pointer of the one before. */
#define PCI_PATCHES_MAX 4

struct pci_endpoint {
	struct pci_bar bars[PCI_BARS];
	struct pci_span *spans;
	size_t n_spans;
	struct bar_map *maps;
	size_t n_maps;
	struct pci_patch patches[PCI_PATCHES_MAX];
	unsigned int n_patches;
	struct msix msix;
	struct msi_capability msi;
	atomic_bool memory_space; /* the guest's bit */
	atomic_bool held;         /* in a bus reset: nobody answers */
};

/* Read the device's interrupts and the sizes and types of its BARs; before realize. */
int endpoint_open(struct device *device, struct cxlvm_error *err);
/* Take the spans of the realized endpoint. */
int endpoint_init(struct device *device, struct cxlvm_error *err);
/* Also after neither of both. */
void endpoint_finish(struct device *device);

/* Ranges of the guest physical map that endpoint_attach will add. */
unsigned int endpoint_map_ranges(const struct device *device);
int endpoint_attach(struct device *device, struct map *map, struct cxlvm_error *err);

/* System reset: what firmware assigned, memory decode on. */
void endpoint_reset(struct device *device);
/* Any other reset of the function: BARs 0, memory decode off. held: from now on nobody answers. */
void endpoint_clear(struct device *device, bool held);

/*
 * Before a reset of the machine or the bus: kernels keep configuration space over a reset of the
 * device, so that it is the monitor who takes bus mastering and all that away.
 */
void endpoint_quiesce(struct device *device);

/* Around a reset that the guest has not asked for: what it has set up stays. */
uint16_t endpoint_save(struct device *device);
void endpoint_restore(struct device *device, uint16_t command);

uint32_t endpoint_config_read(struct device *device, uint32_t offset, unsigned int length);
void endpoint_config_write(struct device *device, uint32_t offset, unsigned int length,
			   uint32_t value);

/* Guest access to a BAR, wherever it is now. */
uint64_t endpoint_bar_read(struct device *device, uint32_t bar, uint64_t offset,
			   unsigned int length);

static inline bool pci_bar_is_64bit(const struct pci_bar *bar)
{
	return (bar->flags & 0x6) == 0x4;
}

static inline bool pci_bar_is_prefetchable(const struct pci_bar *bar)
{
	return bar->flags & 0x8;
}

#endif

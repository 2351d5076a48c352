/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * endpoint.h - the passed-through function as the guest's config space and BARs show it
 *
 * The device answers, libcxlvm filters. Only two things are the monitor's own: the BARs, and
 * the Memory Space bit, which moves the guest's BARs and never the device's (DESIGN rule 3: the
 * real bit stays on, device memory is not gated by it).
 */
#ifndef MONITOR_PCI_ENDPOINT_H
#define MONITOR_PCI_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/passthrough.h>

#include "map.h"

#define PCI_BARS 6

struct device;

struct pci_bar {
	struct device *device;
	uint32_t index;
	uint64_t size;             /* 0: no memory BAR, or the upper half of the one before */
	uint32_t flags;            /* bits 3:0 of the register */
	struct cxlvm_gpa assigned; /* by firmware */
	uint64_t guest;            /* what the guest wrote last */
	struct map_range *range;
};

/* Registers in a BAR that libcxlvm answers. */
struct pci_span {
	struct device *device;
	struct cxlvm_bar_range where;
	struct map_range *range;
};

struct pci_endpoint {
	struct pci_bar bars[PCI_BARS];
	struct pci_span *spans;
	size_t n_spans;
	bool memory_space; /* the guest's bit */
};

/* Read sizes and types of the device's BARs, take the spans of its realized endpoint. */
int endpoint_init(struct device *device, struct cxlvm_error *err);
void endpoint_finish(struct device *device);

/* Ranges of the guest physical map that endpoint_attach will add. */
unsigned int endpoint_map_ranges(const struct device *device);
int endpoint_attach(struct device *device, struct map *map, struct cxlvm_error *err);

/* What firmware assigned, memory decode on. The map has to be published after it. */
void endpoint_reset(struct device *device);

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

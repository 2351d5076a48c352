/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * firmware.c - the part of a firmware that distributes addresses
 *
 * Everything is decided once, when the machine is built, and written into the registers at each
 * system reset. Below 4 GiB: the root port's own BAR at the start of the bridge's memory, the
 * device's BARs from the next MiB on, inside a bridge window of exactly the MiBs they need.
 */
#include <errno.h>

#include "device.h"
#include "host_bridge.h"
#include "util.h"

#define BRIDGE_WINDOW_GRANULE MIB(1)
#define MMIO64_GRANULE        GIB(1)

/* Base above limit: the bridge passes nothing on. */
#define CLOSED_BASE  0xfff00000ull
#define CLOSED_LIMIT 0x000fffffull

static bool goes_above_4g(const struct pci_bar *bar)
{
	return pci_bar_is_64bit(bar) && pci_bar_is_prefetchable(bar);
}

/*
 * Give each BAR of one kind its place from base on, the larger ones first: then each is aligned
 * to its own size without holes. Returns the end.
 */
static uint64_t place_bars(struct pci_endpoint *pci, bool above_4g, uint64_t base)
{
	bool placed[PCI_BARS] = { false };

	for (;;) {
		struct pci_bar *largest = NULL;

		for (unsigned int i = 0; i < PCI_BARS; i++) {
			struct pci_bar *bar = &pci->bars[i];

			if (bar->size && !placed[i] && goes_above_4g(bar) == above_4g &&
			    (!largest || bar->size > largest->size))
				largest = bar;
		}
		if (!largest)
			return base;
		base = align_up(base, largest->size);
		largest->assigned.value = base;
		base += largest->size;
		placed[largest->index] = true;
	}
}

static int place_below_4g(struct pci_host_bridge *bridge, struct cxlvm_error *err)
{
	struct root_port_assignment *port = &bridge->port.assigned;
	uint64_t start = bridge->mmio32.value + BRIDGE_WINDOW_GRANULE;
	uint64_t limit = bridge->mmio32.value + bridge->mmio32_size;
	uint64_t end;

	port->bar = bridge->mmio32;
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &bridge->device->pci.bars[i];

		/* Before any sum of sizes can wrap. */
		if (bar->size > bridge->mmio32_size && !goes_above_4g(bar))
			return cxlvm_error_set(err, -ENOSPC,
					       "%s: BAR %u of 0x%llx bytes has to be below 4 GiB, "
					       "where host bridge %u has 0x%llx",
					       bridge->device->name, bar->index,
					       (unsigned long long)bar->size, bridge->uid,
					       (unsigned long long)bridge->mmio32_size);
	}
	end = align_up(place_bars(&bridge->device->pci, false, start), BRIDGE_WINDOW_GRANULE);
	if (end > limit)
		return cxlvm_error_set(err, -ENOSPC,
				       "%s: its BARs end at 0x%llx, the memory of host bridge %u "
				       "below 4 GiB at 0x%llx",
				       bridge->device->name, (unsigned long long)end, bridge->uid,
				       (unsigned long long)limit);
	port->memory_base = end > start ? start : CLOSED_BASE;
	port->memory_limit = end > start ? end - 1 : CLOSED_LIMIT;
	return 0;
}

static int place_above_4g(struct pci_host_bridge *bridge, struct cxlvm_machine *machine,
			  struct cxlvm_error *err)
{
	struct root_port_assignment *port = &bridge->port.assigned;
	struct pci_endpoint *pci = &bridge->device->pci;
	uint64_t largest = 0;
	uint64_t size = 0;
	int code;

	port->prefetchable_base = CLOSED_BASE;
	port->prefetchable_limit = CLOSED_LIMIT;
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &pci->bars[i];

		if (!bar->size || !goes_above_4g(bar))
			continue;
		/* More than any address width can hold; keeps the sum from wrapping. */
		if (bar->size >= (uint64_t)1 << 52)
			return cxlvm_error_set(err, -ERANGE, "%s: BAR %u has 0x%llx bytes",
					       bridge->device->name, bar->index,
					       (unsigned long long)bar->size);
		size += bar->size;
		if (bar->size > largest)
			largest = bar->size;
	}
	if (!size)
		return 0;
	size = align_up(size, MMIO64_GRANULE);
	code = cxlvm_machine_place_range(machine, "64-bit PCI window", size,
					 largest > MMIO64_GRANULE ? largest : MMIO64_GRANULE,
					 &bridge->mmio64, err);
	if (code)
		return code;
	bridge->mmio64_size = size;
	place_bars(pci, true, bridge->mmio64.value);
	port->prefetchable_base = bridge->mmio64.value;
	port->prefetchable_limit = bridge->mmio64.value + size - 1;
	return 0;
}

int firmware_assign(struct pci_host_bridge *bridge, struct cxlvm_machine *machine,
		    struct cxlvm_error *err)
{
	struct root_port_assignment *port = &bridge->port.assigned;
	int code;

	port->primary = bridge->bus_first;
	port->secondary = (uint8_t)(bridge->bus_first + 1);
	port->subordinate = port->secondary;
	code = place_below_4g(bridge, err);
	if (!code)
		code = place_above_4g(bridge, machine, err);
	return code;
}

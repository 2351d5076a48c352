/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_bridge.h - host bridges: a CXL one with one root port and one device each, or, in a
 * machine without devices, one plain PCI Express bridge with nothing below it
 */
#ifndef MONITOR_PCI_HOST_BRIDGE_H
#define MONITOR_PCI_HOST_BRIDGE_H

#include <stdint.h>

#include <cxlvm/bridge.h>
#include <cxlvm/window.h>

#include "map.h"
#include "root_port.h"

struct device;

struct pci_host_bridge {
	unsigned int index;
	uint32_t uid;
	uint8_t bus_first;
	uint8_t bus_last;
	struct cxlvm_gpa mmio32;
	uint64_t mmio32_size;
	struct cxlvm_gpa mmio64; /* prefetchable; size 0: none */
	uint64_t mmio64_size;

	struct cxlvm_bridge *cxl; /* NULL: plain PCI Express */
	struct root_port port;    /* only below a CXL host bridge */
	struct device *device;    /* behind the port */
};

/* Buses and memory below 4 GiB follow from the index. */
int host_bridge_init(struct pci_host_bridge *bridge, unsigned int index, struct cxlvm_error *err);
/* Make it a CXL host bridge, with the decoder policy of the device that comes below it. */
int host_bridge_make_cxl(struct pci_host_bridge *bridge, enum cxlvm_decoder_policy decoder,
			 struct map *map, struct cxlvm_error *err);
void host_bridge_finish(struct pci_host_bridge *bridge);

/* Trap its component block, whose place the frozen machine knows. */
int host_bridge_attach(struct pci_host_bridge *bridge, const struct cxlvm_machine *machine,
		       struct map *map, struct cxlvm_error *err);

/* Bridge and root port to their reset values, everything assigned. */
void host_bridge_reset(struct pci_host_bridge *bridge);

/* Number of its root port, the only one. */
#define HOST_BRIDGE_PORT 1

/*
 * The part of a firmware that distributes addresses: BARs of root port and device, windows of the
 * root port. Below 4 GiB from what the bridge has; above it from a new range of the frozen
 * machine, if there is anything to put there.
 */
int firmware_assign(struct pci_host_bridge *bridge, struct cxlvm_machine *machine,
		    struct cxlvm_error *err);

#endif

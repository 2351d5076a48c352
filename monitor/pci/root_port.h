/* SPDX-License-Identifier: BSD-3-Clause */
/* root_port.h - a CXL root port: PCI header here, CXL registers from libcxlvm */
#ifndef MONITOR_PCI_ROOT_PORT_H
#define MONITOR_PCI_ROOT_PORT_H

#include <pthread.h>
#include <stdint.h>

#include <cxlvm/base.h>
#include <cxlvm/bridge.h>

#include "config_space.h"
#include "map.h"

/* The root port is device 1 on its bridge's first bus, its only function. */
#define ROOT_PORT_DEVICE 1u

/* What firmware assigns. limits are inclusive; base above limit: nothing behind the port. */
struct root_port_assignment {
	struct cxlvm_gpa bar;
	uint8_t primary;
	uint8_t secondary;
	uint8_t subordinate;
	uint64_t memory_base, memory_limit;
	uint64_t prefetchable_base, prefetchable_limit;
};

struct device;

struct root_port {
	pthread_mutex_t lock; /* space, cxl; held for no longer than an access to them */
	struct pci_space space;
	struct cxlvm_root_port *cxl;
	uint32_t port_control; /* where in config space: CXL Port Extensions DVSEC */
	uint8_t number;        /* Link Capabilities port number: target of the bridge's decoder */
	struct root_port_assignment assigned;
	struct map *map;
	struct map_range *range; /* of its component registers */
};

int root_port_init(struct root_port *port, uint8_t number, struct map *map,
		   struct cxlvm_error *err);
void root_port_finish(struct root_port *port);

/* Reset values, then what firmware assigned. */
void root_port_reset(struct root_port *port);

/* Guest access. A write may begin or end a reset of the bus with the device below. */
uint32_t root_port_config_read(struct root_port *port, uint32_t offset, unsigned int length);
void root_port_config_write(struct root_port *port, struct device *below, uint32_t offset,
			    unsigned int length, uint32_t value);

/* The bus behind the port as the guest has set it; 0 for none. */
uint8_t root_port_secondary(struct root_port *port);

#endif

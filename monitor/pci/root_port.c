/* SPDX-License-Identifier: BSD-3-Clause */
/* root_port.c - a CXL root port */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "device.h"
#include "ids.h"
#include "root_port.h"
#include "util.h"

#define CAP_PCIE 0x40u /* the only capability */

#define BAR_SIZE CXLVM_COMPONENT_BLOCK_SIZE

#define STATUS_W1C 0xf900u /* PCI 3.0, 6.2.3 */

/* Linux needs speed and width other than 0; what they are makes no difference. */
#define LINK_SPEED_32GT   5u
#define LINK_WIDTH_X16    (16u << 4)
#define LINK_SPEEDS_TO_5  0x3eu
#define PORT_NUMBER_SHIFT 24

/* Prefetchable base and limit: bit 0 of each says 64 bits. */
#define PREF_TYPE_64 0x00010001u

/* CXL Port Extensions DVSEC, port control: without this bit a bus reset has no effect (8.1.5.2). */
#define DVSEC_PORT_EXTENSIONS 3u
#define PORT_CONTROL          0x0cu
#define PORT_UNMASK_SBR       0x0001u

static uint64_t component_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct root_port *port = opaque;

	return cxlvm_root_port_read(port->cxl, offset, length);
}

static void component_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	struct root_port *port = opaque;

	pthread_mutex_lock(&port->lock);
	cxlvm_root_port_write(port->cxl, offset, length, value);
	pthread_mutex_unlock(&port->lock);
}

static const struct map_ops component_ops = {
	.read = component_read,
	.write = component_write,
};

/* Where the port control register is: the library decides where its DVSECs are. */
static uint32_t find_port_control(const struct root_port *port)
{
	uint32_t offset = PCI_HEADER_SPACE;

	while (offset) {
		uint32_t header = cxlvm_root_port_config_read(port->cxl, offset, 4);
		uint32_t id = cxlvm_root_port_config_read(port->cxl, offset + PCI_DVSEC_HEADER2, 2);

		if (id == DVSEC_PORT_EXTENSIONS)
			return offset + PORT_CONTROL;
		offset = PCI_EXT_CAP_NEXT(header);
	}
	return 0;
}

int root_port_init(struct root_port *port, uint8_t number, struct map *map, struct cxlvm_error *err)
{
	struct map_range range = {
		.size = BAR_SIZE,
		.priority = MAP_PRIORITY_BAR,
		.ops = &component_ops,
		.opaque = port,
	};
	/* All of extended config space is CXL's: nothing else of ours is there. */
	const struct cxlvm_root_port_config cxl_config = { .size = sizeof(cxl_config), .bar = 0 };
	int code;

	memset(port, 0, sizeof(*port));
	port->number = number;
	port->map = map;
	code = cxlvm_root_port_create(&cxl_config, &port->cxl, err);
	if (code)
		return code;
	pthread_mutex_init(&port->lock, NULL);
	port->port_control = find_port_control(port);
	port->range = map_add(map, &range);
	if (!port->range) {
		root_port_finish(port);
		return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	}
	return 0;
}

void root_port_finish(struct root_port *port)
{
	if (port->cxl)
		pthread_mutex_destroy(&port->lock);
	cxlvm_root_port_destroy(port->cxl);
	port->cxl = NULL;
}

static void reset_header(struct pci_space *s)
{
	memset(s, 0, sizeof(*s));
	pci_space_set(s, PCI_VENDOR_ID, 2, PCI_VENDOR_CXLVM);
	pci_space_set(s, PCI_DEVICE_ID, 2, PCI_DEVICE_CXLVM_ROOT_PORT);
	pci_space_rules(s, PCI_COMMAND, 2,
			PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				PCI_COMMAND_PARITY | PCI_COMMAND_SERR | PCI_COMMAND_INTX_DISABLE,
			0);
	pci_space_set(s, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	pci_space_rules(s, PCI_STATUS, 2, 0, STATUS_W1C);
	pci_space_set(s, PCI_CLASS_DEVICE, 2, PCI_CLASS_PCI_BRIDGE);
	pci_space_rules(s, PCI_CACHE_LINE_SIZE, 1, 0xff, 0);
	pci_space_set(s, PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_BRIDGE);

	pci_space_set(s, PCI_BASE_ADDRESS_0, 4, PCI_BASE_ADDRESS_MEM_TYPE_64);
	pci_space_rules(s, PCI_BASE_ADDRESS_0, 8, ~(BAR_SIZE - 1), 0);
	/* Secondary latency timer is 0 in PCI Express; I/O base and limit: no I/O behind us. */
	pci_space_rules(s, PCI_PRIMARY_BUS, 3, 0xffffff, 0);
	pci_space_rules(s, PCI_SEC_STATUS, 2, 0, STATUS_W1C);
	pci_space_rules(s, PCI_MEMORY_BASE, 4, 0xfff0fff0, 0);
	pci_space_set(s, PCI_PREF_MEMORY_BASE, 4, PREF_TYPE_64);
	pci_space_rules(s, PCI_PREF_MEMORY_BASE, 4, 0xfff0fff0, 0);
	pci_space_rules(s, PCI_PREF_BASE_UPPER32, 8, UINT64_MAX, 0);
	pci_space_set(s, PCI_CAPABILITY_LIST, 1, CAP_PCIE);
	pci_space_rules(s, PCI_INTERRUPT_LINE, 1, 0xff, 0);
	pci_space_rules(s, PCI_BRIDGE_CONTROL, 2,
			PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_BUS_RESET, 0);
}

static void reset_pcie_capability(struct pci_space *s, uint8_t number)
{
	pci_space_set(s, CAP_PCIE + PCI_CAP_LIST_ID, 1, PCI_CAP_ID_EXP);
	pci_space_set(s, CAP_PCIE + PCI_EXP_FLAGS, 2, 2 | PCI_EXP_TYPE_ROOT_PORT << 4);
	pci_space_set(s, CAP_PCIE + PCI_EXP_DEVCAP, 4, PCI_EXP_DEVCAP_RBER | 1);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_DEVCTL, 2, 0x7fff, 0);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_DEVSTA, 2, 0, 0x000f);
	pci_space_set(s, CAP_PCIE + PCI_EXP_LNKCAP, 4,
		      (uint32_t)number << PORT_NUMBER_SHIFT | PCI_EXP_LNKCAP_DLLLARC |
			      LINK_WIDTH_X16 | LINK_SPEED_32GT);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_LNKCTL, 2, 0x0fdb, 0);
	pci_space_set(s, CAP_PCIE + PCI_EXP_LNKSTA, 2,
		      PCI_EXP_LNKSTA_DLLLA | LINK_WIDTH_X16 | LINK_SPEED_32GT);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_RTCTL, 2, 0x001f, 0);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_RTSTA, 4, 0, PCI_EXP_RTSTA_PME);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_DEVCTL2, 2, 0xffff, 0);
	pci_space_set(s, CAP_PCIE + PCI_EXP_LNKCAP2, 4, LINK_SPEEDS_TO_5);
	pci_space_set(s, CAP_PCIE + PCI_EXP_LNKCTL2, 2, LINK_SPEED_32GT);
	pci_space_rules(s, CAP_PCIE + PCI_EXP_LNKCTL2, 2, 0x1fff, 0);
}

/* The monitor is the firmware: the guest finds everything assigned and decoding. */
static void assign(struct pci_space *s, const struct root_port_assignment *a)
{
	pci_space_set(s, PCI_BASE_ADDRESS_0, 8, a->bar.value | PCI_BASE_ADDRESS_MEM_TYPE_64);
	pci_space_set(s, PCI_PRIMARY_BUS, 1, a->primary);
	pci_space_set(s, PCI_SECONDARY_BUS, 1, a->secondary);
	pci_space_set(s, PCI_SUBORDINATE_BUS, 1, a->subordinate);
	pci_space_set(s, PCI_MEMORY_BASE, 2, a->memory_base >> 16 & 0xfff0);
	pci_space_set(s, PCI_MEMORY_LIMIT, 2, a->memory_limit >> 16 & 0xfff0);
	pci_space_set(s, PCI_PREF_MEMORY_BASE, 2, (a->prefetchable_base >> 16 & 0xfff0) | 1);
	pci_space_set(s, PCI_PREF_MEMORY_LIMIT, 2, (a->prefetchable_limit >> 16 & 0xfff0) | 1);
	pci_space_set(s, PCI_PREF_BASE_UPPER32, 4, a->prefetchable_base >> 32);
	pci_space_set(s, PCI_PREF_LIMIT_UPPER32, 4, a->prefetchable_limit >> 32);
	pci_space_set(s, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
}

static void follow_bar(struct root_port *port)
{
	bool enabled = pci_space_get(&port->space, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;
	uint64_t base = pci_space_get(&port->space, PCI_BASE_ADDRESS_0, 8) & ~(BAR_SIZE - 1);

	map_begin(port->map);
	map_move(port->map, port->range, enabled, (struct cxlvm_gpa){ base });
	map_commit(port->map);
}

void root_port_reset(struct root_port *port)
{
	pthread_mutex_lock(&port->lock);
	reset_header(&port->space);
	reset_pcie_capability(&port->space, port->number);
	assign(&port->space, &port->assigned);
	cxlvm_root_port_reset(port->cxl);
	follow_bar(port);
	pthread_mutex_unlock(&port->lock);
}

uint32_t root_port_config_read(struct root_port *port, uint32_t offset, unsigned int length)
{
	uint32_t value;

	pthread_mutex_lock(&port->lock);
	if (offset >= PCI_HEADER_SPACE)
		value = cxlvm_root_port_config_read(port->cxl, offset, length);
	else
		value = pci_space_read(&port->space, offset, length);
	pthread_mutex_unlock(&port->lock);
	return value;
}

/* Is the bus behind the port held in reset? A port with a CXL link masks it unless told not to. */
static bool holds_bus(const struct root_port *port)
{
	uint64_t control = pci_space_get(&port->space, PCI_BRIDGE_CONTROL, 2);
	uint32_t mask = cxlvm_root_port_config_read(port->cxl, port->port_control, 2);

	return (control & PCI_BRIDGE_CTL_BUS_RESET) && (mask & PORT_UNMASK_SBR);
}

void root_port_config_write(struct root_port *port, struct device *below, uint32_t offset,
			    unsigned int length, uint32_t value)
{
	bool before, after;

	/* The device's lock for all of it: two writes must not change places in the bus reset. */
	pthread_mutex_lock(&below->lock);
	pthread_mutex_lock(&port->lock);
	before = holds_bus(port);
	if (offset >= PCI_HEADER_SPACE)
		cxlvm_root_port_config_write(port->cxl, offset, length, value);
	else
		pci_space_write(&port->space, offset, length, value);
	after = holds_bus(port);
	follow_bar(port);
	pthread_mutex_unlock(&port->lock);
	if (after && !before)
		device_bus_reset_begin(below);
	if (before && !after)
		device_bus_reset_end(below);
	pthread_mutex_unlock(&below->lock);
}

uint8_t root_port_secondary(struct root_port *port)
{
	uint8_t bus;

	pthread_mutex_lock(&port->lock);
	bus = (uint8_t)pci_space_get(&port->space, PCI_SECONDARY_BUS, 1);
	pthread_mutex_unlock(&port->lock);
	return bus;
}

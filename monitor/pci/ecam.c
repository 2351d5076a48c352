/* SPDX-License-Identifier: BSD-3-Clause */
/* ecam.c - configuration access by memory */
#include <errno.h>

#include "device.h"
#include "ecam.h"
#include "host_bridge.h"
#include "layout.h"
#include "vm.h"

struct target {
	struct root_port *port; /* NULL: the device behind it */
	struct device *device;  /* NULL: nobody there */
	uint32_t offset;
};

/* Routing as on real buses: the device is where the guest has put the port's secondary bus. */
static struct target route(struct vm *vm, uint64_t address)
{
	struct target target = { .offset = address & (PCI_CONFIG_SPACE - 1) };
	unsigned int bus = (unsigned int)(address >> 20);
	unsigned int function = (unsigned int)(address >> 12) & 0xff;
	unsigned int index = bus / LAYOUT_BUSES_PER_BRIDGE;
	struct pci_host_bridge *bridge;

	if (index >= vm->n_bridges)
		return target;
	bridge = &vm->bridges[index];
	if (!bridge->cxl)
		return target;
	if (bus == bridge->bus_first) {
		if (function == ROOT_PORT_DEVICE << 3) {
			target.port = &bridge->port;
			target.device = bridge->device;
		}
	} else if (bus == root_port_secondary(&bridge->port) && function == 0) {
		target.device = bridge->device;
	}
	return target;
}

static uint64_t ecam_read(void *opaque, uint64_t offset, unsigned int length)
{
	struct target target = route(opaque, offset);

	if (!pci_access_is_valid(target.offset, length))
		return all_ones(length);
	if (target.port)
		return root_port_config_read(target.port, target.offset, length);
	if (target.device)
		return endpoint_config_read(target.device, target.offset, length);
	return all_ones(length);
}

static void ecam_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	struct target target = route(opaque, offset);

	if (!pci_access_is_valid(target.offset, length))
		return;
	if (target.port)
		root_port_config_write(target.port, target.device, target.offset, length,
				       (uint32_t)value);
	else if (target.device)
		endpoint_config_write(target.device, target.offset, length, (uint32_t)value);
}

static const struct map_ops ecam_ops = {
	.read = ecam_read,
	.write = ecam_write,
};

uint64_t ecam_size(unsigned int n_bridges)
{
	return (uint64_t)n_bridges * LAYOUT_BUSES_PER_BRIDGE * LAYOUT_ECAM_PER_BUS;
}

int ecam_attach(struct vm *vm, struct cxlvm_error *err)
{
	struct map_range range = {
		.base.value = LAYOUT_ECAM_BASE,
		.size = ecam_size(vm->n_bridges),
		.priority = MAP_PRIORITY_PLATFORM,
		.enabled = true,
		.ops = &ecam_ops,
		.opaque = vm,
	};

	if (!map_add(&vm->map, &range))
		return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	return 0;
}

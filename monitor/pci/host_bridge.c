/* SPDX-License-Identifier: BSD-3-Clause */
/* host_bridge.c - host bridges */
#include <errno.h>
#include <string.h>

#include "device.h"
#include "host_bridge.h"
#include "layout.h"

static uint64_t block_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct pci_host_bridge *bridge = opaque;

	return cxlvm_bridge_read(bridge->cxl, offset, length);
}

static void block_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	const struct pci_host_bridge *bridge = opaque;

	/* The device's verbs publish the bridge's decoder; what the guest makes of it reaches them. */
	pthread_mutex_lock(&bridge->device->lock);
	cxlvm_bridge_write(bridge->cxl, offset, length, value);
	pthread_mutex_unlock(&bridge->device->lock);
}

static const struct map_ops block_ops = {
	.read = block_read,
	.write = block_write,
};

int host_bridge_init(struct pci_host_bridge *bridge, unsigned int index, struct cxlvm_error *err)
{
	unsigned int bus = index * LAYOUT_BUSES_PER_BRIDGE;

	memset(bridge, 0, sizeof(*bridge));
	if (bus + LAYOUT_BUSES_PER_BRIDGE > 256)
		return cxlvm_error_set(err, -ENOSPC, "%u host bridges need more than 256 buses",
				       index + 1);
	bridge->index = index;
	bridge->uid = index + 1;
	bridge->bus_first = (uint8_t)bus;
	bridge->bus_last = (uint8_t)(bus + LAYOUT_BUSES_PER_BRIDGE - 1);
	bridge->mmio32.value = LAYOUT_MMIO32_BASE + (uint64_t)index * LAYOUT_MMIO32_PER_BRIDGE;
	bridge->mmio32_size = LAYOUT_MMIO32_PER_BRIDGE;
	return 0;
}

/* The device's lock is held. */
static void decoder_changed(void *host, const struct cxlvm_bridge_decoder *decoder)
{
	const struct pci_host_bridge *bridge = host;

	cxlvm_endpoint_bridge_changed(bridge->device->endpoint, decoder);
}

int host_bridge_make_cxl(struct pci_host_bridge *bridge, enum cxlvm_decoder_policy decoder,
			 struct map *map, struct cxlvm_error *err)
{
	struct cxlvm_bridge_config config = {
		.size = sizeof(config),
		.decoder = decoder,
		.changed = decoder_changed,
		.host = bridge,
	};
	int code = cxlvm_bridge_create(&config, &bridge->cxl, err);

	if (!code)
		code = root_port_init(&bridge->port, HOST_BRIDGE_PORT, map, err);
	return code;
}

void host_bridge_finish(struct pci_host_bridge *bridge)
{
	if (!bridge->cxl)
		return;
	root_port_finish(&bridge->port);
	cxlvm_bridge_destroy(bridge->cxl);
	bridge->cxl = NULL;
}

int host_bridge_attach(struct pci_host_bridge *bridge, const struct cxlvm_machine *machine,
		       struct map *map, struct cxlvm_error *err)
{
	const struct cxlvm_bridge_place *place = cxlvm_machine_bridge(machine, bridge->index);
	struct map_range range = {
		.size = CXLVM_COMPONENT_BLOCK_SIZE,
		.priority = MAP_PRIORITY_PLATFORM,
		.enabled = true,
		.ops = &block_ops,
		.opaque = bridge,
	};

	if (!place || !place->has_base)
		return cxlvm_error_set(err, -ENXIO, "host bridge %u: its block was not placed",
				       bridge->uid);
	range.base = place->base;
	if (!map_add(map, &range))
		return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	return 0;
}

void host_bridge_reset(struct pci_host_bridge *bridge)
{
	if (!bridge->cxl)
		return;
	pthread_mutex_lock(&bridge->device->lock);
	cxlvm_bridge_reset(bridge->cxl);
	pthread_mutex_unlock(&bridge->device->lock);
	root_port_reset(&bridge->port);
	endpoint_reset(bridge->device);
}

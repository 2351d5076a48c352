/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c - one passed-through device */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "host.h"
#include "pci/host_bridge.h"
#include "vm.h"

/* As many as cxlvm_endpoint_realize takes. */
#define IOVA_RANGES_MAX 32

#define RESET_TRIES   100
#define RESET_WAIT_MS 10

static int open_sim(struct device *device, const struct device_config *config,
		    struct cxlvm_error *err)
{
	struct cxlvm_sim_config sim = {
		.size = sizeof(sim),
		.memory_size = config->size,
		.generation = config->generation,
		/* A plan leaves nothing behind. */
		.memory_file = device->vm->config->plan ? NULL : config->memory_file,
		.serial = device->bridge->uid,
		.quirks = config->quirks,
	};

	return cxlvm_sim_open(&sim, &device->transport, err);
}

static int open_user(struct device *device, const struct device_config *config,
		     struct cxlvm_error *err)
{
	struct cxlvm_user_config user = {
		.size = sizeof(user),
		.path = config->socket,
	};

	return cxlvm_user_open(&user, &device->transport, err);
}

/* RAM of the guest where the device reaches it by DMA. All or nothing. */
static int map_ram(struct device *device, struct cxlvm_error *err)
{
	const struct cxlvm_transport_ops *transport = device->transport.transport;
	const struct ram *ram = &device->vm->ram;

	if (!transport->dma_map)
		return 0;
	for (unsigned int i = 0; ram->mapping && i < ram->n_blocks; i++) {
		const struct ram_block *block = &ram->blocks[i];
		const struct cxlvm_dma_range range = {
			.base.value = block->base.value,
			.size = block->size,
			.address = block->address,
			.fd = ram->fd,
			.offset = block->offset,
			.writable = true,
		};
		int code = transport->dma_map(device->transport.device, &range, err);

		if (code)
			return cxlvm_error_set(
				err, code,
				"%s: RAM at 0x%llx, size 0x%llx, cannot be mapped for "
				"DMA: %s",
				device->name, (unsigned long long)block->base.value,
				(unsigned long long)block->size, strerror(-code));
		device->n_ram_mapped = i + 1;
	}
	return 0;
}

static void unmap_ram(struct device *device)
{
	const struct cxlvm_transport_ops *transport = device->transport.transport;

	for (; device->n_ram_mapped; device->n_ram_mapped--) {
		const struct ram_block *block = &device->vm->ram.blocks[device->n_ram_mapped - 1];

		/* It was mapped, so it is there. */
		(void)transport->dma_unmap(device->transport.device,
					   (struct cxlvm_iova){ block->base.value }, block->size);
	}
}

int device_realize(struct device *device, const struct device_config *config,
		   struct pci_host_bridge *bridge, struct cxlvm_error *err)
{
	struct vm *vm = device->vm;
	struct cxlvm_endpoint_config endpoint = {
		.size = sizeof(endpoint),
		.name = device->name,
		.bridge_uid = bridge->uid,
		.port = HOST_BRIDGE_PORT,
		.page_size = (uint64_t)sysconf(_SC_PAGESIZE),
		.has_window_base = config->has_window_base,
		.window_base = config->window_base,
		.decoder = config->decoder,
		.mode = config->mode,
		.window = config->window,
		.require_dma = config->require_dma,
		.allow_slow = config->allow_slow,
	};
	struct cxlvm_iova_range iova[IOVA_RANGES_MAX];
	struct cxlvm_bar_range exclude[2];
	int code;

	pthread_mutex_init(&device->lock, NULL);
	for (unsigned int i = 0; i < VFIO_NOTICES; i++)
		device->notices[i] = -1;
	device->bridge = bridge;
	bridge->device = device;
	device->real = config->vfio;
	if (config->vfio)
		code = vfio_open(device, config, err);
	else
		code = config->socket ? open_user(device, config, err)
				      : open_sim(device, config, err);
	device->opened = !code;
	if (!code)
		code = map_ram(device, err);
	if (!code)
		code = endpoint_open(device, err);
	if (code)
		return code;
	if (device->pci.msix.capability) {
		exclude[0] = device->pci.msix.table;
		exclude[1] = device->pci.msix.pba;
		endpoint.exclude = exclude;
		endpoint.n_exclude = ARRAY_SIZE(exclude);
	}
	/* More than the library takes are left out: what remains is usable. */
	if (device->transport.transport->iova_ranges) {
		endpoint.n_iova = device->transport.transport->iova_ranges(device->transport.device,
									   iova, IOVA_RANGES_MAX);
		if (endpoint.n_iova > IOVA_RANGES_MAX)
			endpoint.n_iova = IOVA_RANGES_MAX;
		endpoint.iova = iova;
	}
	code = cxlvm_endpoint_realize(vm->machine, &endpoint, device->transport.ops,
				      device->transport.device, host_ops_for(device), device,
				      &device->endpoint, err);
	if (!code)
		code = endpoint_init(device, err);
	if (!code && device->real && !vm->config->plan)
		code = vfio_listen(device, err);
	return code;
}

void device_finish(struct device *device)
{
	vfio_deafen(device);
	/* DMA under way would meet memory that is no longer mapped, and fill the host's log (P8). */
	if (device->opened && !device->vm->config->plan)
		endpoint_quiesce(device);
	cxlvm_endpoint_unrealize(device->endpoint);
	cxlvm_endpoint_free(device->endpoint);
	device->endpoint = NULL;
	endpoint_finish(device);
	unmap_ram(device);
	if (device->opened)
		device->transport.transport->close(device->transport.device);
	device->opened = false;
	if (device->bridge)
		pthread_mutex_destroy(&device->lock);
	device->bridge = NULL;
}

void device_warn(struct device *device, int code, const char *text)
{
	const struct cxlvm_event event = {
		.kind = CXLVM_EVENT_WARNING,
		.device = device->name,
		.code = code,
		.text = text,
	};

	host_event(device, &event);
}

int device_reset_real(struct device *device)
{
	int code = -EAGAIN;

	for (int i = 0; i < RESET_TRIES && code == -EAGAIN; i++) {
		if (i)
			host_sleep_ms(device, RESET_WAIT_MS);
		code = device->transport.transport->reset(device->transport.device);
	}
	return code;
}

int device_reset(struct device *device, enum cxlvm_reset_kind kind, struct cxlvm_error *err)
{
	int code, result;

	pthread_mutex_lock(&device->lock);
	code = cxlvm_endpoint_reset_prepare(device->endpoint, kind, err);
	if (!code) {
		uint16_t command = endpoint_save(device);

		result = device_reset_real(device);
		endpoint_restore(device, command);
		code = cxlvm_endpoint_reset_done(device->endpoint, kind, result, err);
	}
	pthread_mutex_unlock(&device->lock);
	return code;
}

void device_bus_reset_begin(struct device *device)
{
	/* The kind is known and the device is there: it cannot fail. */
	(void)cxlvm_endpoint_reset_prepare(device->endpoint, CXLVM_RESET_BUS, NULL);
	endpoint_quiesce(device);
	endpoint_clear(device, true);
	device->bus_reset_result = device_reset_real(device);
}

void device_bus_reset_end(struct device *device)
{
	/* A failure is an event, and the device stays dark. */
	(void)cxlvm_endpoint_reset_done(device->endpoint, CXLVM_RESET_BUS, device->bus_reset_result,
					NULL);
	device->pci.held = false;
}

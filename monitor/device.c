/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c - one passed-through device */
#include <errno.h>
#include <unistd.h>

#include "device.h"
#include "host.h"
#include "pci/host_bridge.h"
#include "vm.h"

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
	int code = cxlvm_sim_open(&sim, &device->transport, err);

	device->opened = code == 0;
	return code;
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
	int code;

	pthread_mutex_init(&device->lock, NULL);
	device->bridge = bridge;
	bridge->device = device;
	code = open_sim(device, config, err);
	if (code)
		return code;
	code = cxlvm_endpoint_realize(
		vm->machine, &endpoint, device->transport.ops, device->transport.device,
		vm->config->plan ? &host_plan_ops : &host_kvm_ops, device, &device->endpoint, err);
	if (code)
		return code;
	return endpoint_init(device, err);
}

void device_finish(struct device *device)
{
	cxlvm_endpoint_unrealize(device->endpoint);
	cxlvm_endpoint_free(device->endpoint);
	device->endpoint = NULL;
	endpoint_finish(device);
	if (device->opened)
		device->transport.transport->close(device->transport.device);
	device->opened = false;
	if (device->bridge)
		pthread_mutex_destroy(&device->lock);
	device->bridge = NULL;
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

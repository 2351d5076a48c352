/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices to put below a virtual machine. */
#include "vm.h"

#include "test.h"

static void close_fake(struct test_device *device)
{
	fake_close(device->fake);
}

static int reset_fake(void *device)
{
	return fake_reset(device);
}

static void open_fake(struct test_device *device, unsigned int generation)
{
	memset(device, 0, sizeof(*device));
	device->fake = fake_open(generation);
	device->ops = &device->fake->ops;
	device->device = device->fake;
	device->reset = reset_fake;
	device->close = close_fake;
}

static void close_sim(struct test_device *device)
{
	device->transport.transport->close(device->transport.device);
}

void open_sim_of(struct test_device *device, unsigned int index, unsigned int kernel, uint64_t size)
{
	struct cxlvm_sim_config config = {
		.size = sizeof(config),
		.memory_size = size,
		.generation = kernel,
		.serial = 0x1122334455667700 + index,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(device, 0, sizeof(*device));
	if (cxlvm_sim_open(&config, &device->transport, &err))
		fail_msg("sim: %s", err.message);
	device->ops = device->transport.ops;
	device->device = device->transport.device;
	device->reset = device->transport.transport->reset;
	device->close = close_sim;
}

#define FACTORIES(k, number, seen)                                         \
	void open_fake_##k(struct test_device *device, unsigned int index) \
	{                                                                  \
		(void)index;                                               \
		open_fake(device, number);                                 \
	}                                                                  \
	void open_sim_##k(struct test_device *device, unsigned int index)  \
	{                                                                  \
		open_sim_of(device, index, number, FAKE_MEMORY_SIZE);      \
	}
VM_KERNELS(FACTORIES)

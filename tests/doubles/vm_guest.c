/* SPDX-License-Identifier: BSD-3-Clause */
/* Decoder policy guest: host bridges that a guest can program, and the guest that does. */
#include "vm.h"

#include "test.h"

/* From the bridge, own or library's, to the endpoint below it. */
static void bridge_changed(void *host, const struct cxlvm_bridge_decoder *decoder)
{
	struct vm_device *device = host;

	board_bridge(device->recorder.board, device->config.bridge_uid)->decoder = *decoder;
	if (device->endpoint)
		cxlvm_endpoint_bridge_changed(device->endpoint, decoder);
}

void vm_guest_bridge(struct vm *vm, unsigned int i)
{
	struct bridge_model *bridge = &vm->board.bridges[i];
	struct cxlvm_bridge_config config = {
		.size = sizeof(config),
		.decoder = CXLVM_DECODER_GUEST,
		.changed = bridge_changed,
		.host = &vm->devices[i],
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	bridge->changed = bridge_changed;
	bridge->host = &vm->devices[i];
	bridge->hdm[1] = 2;
	if (vm->variant->personality == PERSONALITY_OWN)
		assert_int_equal(cxlvm_bridge_create(&config, &bridge->cxl, &err), 0);
}

struct vm *vm_create_guest(const struct variant *variant, unsigned int n)
{
	struct vm_options options = {
		.decoder = CXLVM_DECODER_GUEST,
		.sim_memory = variant->sim ? 2 * FAKE_MEMORY_SIZE : 0,
	};

	return vm_create_options(variant, n, &options);
}

void vm_hdm_write(struct vm *vm, unsigned int i, unsigned int offset, uint32_t value)
{
	vm_write(vm, i, vm->devices[i].hdm + offset, 4, value);
}

uint32_t vm_bridge(struct vm *vm, unsigned int i, unsigned int offset)
{
	return bridge_model_read(&vm->board.bridges[i], offset);
}

void vm_bridge_write(struct vm *vm, unsigned int i, unsigned int offset, uint32_t value)
{
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;

	verb_begin(vm, VERB_BRIDGE, &before);
	bridge_model_write(&vm->board.bridges[i], offset, value);
	verb_end(vm, &before, 0, &none);
}

uint32_t vm_commit(struct vm *vm, unsigned int i, uint64_t base, uint64_t size, uint32_t control)
{
	vm_hdm_write(vm, i, 0x10, (uint32_t)base);
	vm_hdm_write(vm, i, 0x14, (uint32_t)(base >> 32));
	vm_hdm_write(vm, i, 0x18, (uint32_t)size);
	vm_hdm_write(vm, i, 0x1c, (uint32_t)(size >> 32));
	vm_hdm_write(vm, i, 0x20, control | 0x200);
	return vm_hdm(vm, i, 0x20);
}

uint32_t vm_bridge_commit(struct vm *vm, unsigned int i, uint64_t base, uint64_t size)
{
	vm_bridge_write(vm, i, 0x10, (uint32_t)base);
	vm_bridge_write(vm, i, 0x14, (uint32_t)(base >> 32));
	vm_bridge_write(vm, i, 0x18, (uint32_t)size);
	vm_bridge_write(vm, i, 0x1c, (uint32_t)(size >> 32));
	vm_bridge_write(vm, i, 0x24, vm->devices[i].config.port);
	vm_bridge_write(vm, i, 0x20, 0x200);
	return vm_bridge(vm, i, 0x20);
}

void vm_check_mapped(struct vm *vm, unsigned int i, uint64_t base, uint64_t size)
{
	const struct recorder *recorder = &vm->devices[i].recorder;
	const struct fake *fake = vm->devices[i].below.fake;
	uint64_t bytes = 0;

	vm_check(vm);
	assert_true(recorder->enabled);
	assert_true(recorder->dma_mapped);
	assert_true(cxlvm_endpoint_is_committed(vm->devices[i].endpoint));
	assert_true(recorder->areas[0].guest.value == base);
	for (size_t a = 0; a < recorder->n_areas; a++)
		bytes += recorder->areas[a].size;
	assert_true(bytes == size);
	assert_int_equal(vm_hdm(vm, i, 0x10), base & 0xffffffff);
	assert_int_equal(vm_hdm(vm, i, 0x14), base >> 32);
	assert_int_equal(vm_hdm(vm, i, 0x18), size & 0xffffffff);
	assert_int_equal(vm_hdm(vm, i, 0x20) & 0xe00, 0x600);
	assert_int_equal(vm_bridge(vm, i, 0x20) & 0xe00, 0x600);
	if (fake && fake->generation == 2) {
		assert_int_equal(fake_kernel(fake, 0x10), base & 0xffffffff);
		assert_int_equal(fake_kernel(fake, 0x14), base >> 32);
		assert_int_equal(fake_kernel(fake, 0x20), 0x700);
	}
}

uint64_t vm_window_size(struct vm *vm, unsigned int i)
{
	return cxlvm_machine_window(vm->machine, i)->size;
}

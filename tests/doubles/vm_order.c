/* SPDX-License-Identifier: BSD-3-Clause */
/* The order in which the two personalities call the verbs. */
#include "vm.h"

#include "test.h"

/* The host's own way to turn Memory Space off, below the library (qemu-adapter.md, F7). */
static void memory_space_off(struct vm_device *device)
{
	uint8_t bytes[2];

	assert_int_equal(device->below.ops->read(device->below.device, 7, 4, bytes, 2), 0);
	bytes[0] = (uint8_t)(bytes[0] & ~2u);
	assert_int_equal(device->below.ops->write(device->below.device, 7, 4, bytes, 2), 0);
}

static int reset_own(struct vm *vm, unsigned int ways, struct cxlvm_error *err)
{
	int results[VM_DEVICES_MAX] = { 0 }, first = 0;

	for (unsigned int i = 0; i < vm->n; i++) {
		struct test_device *below = &vm->devices[i].below;

		if (!(ways & VM_RESET_NO_PREPARE)) {
			int ret = vm_reset_prepare(vm, i, CXLVM_RESET_SYSTEM, err);

			first = first ? first : ret;
		}
		if (ways & VM_RESET_MEMORY_SPACE_OFF)
			memory_space_off(&vm->devices[i]);
		if (!(ways & VM_RESET_NO_DEVICE_RESET))
			results[i] = below->reset(below->device);
	}
	board_reset_bridges(&vm->board);
	vm->board.phase = PHASE_EXIT;
	for (unsigned int i = 0; i < vm->n; i++) {
		int ret = vm_reset_done(vm, i, CXLVM_RESET_SYSTEM, results[i], err);

		first = first ? first : ret;
	}
	vm->board.phase = PHASE_RUN;
	return first;
}

/* What an adapter can tell: a bus reset and a system reset come as the same type (point 6). */
static enum cxlvm_reset_kind derived_kind(const struct vm *vm)
{
	return vm->board.host_in_reset ? CXLVM_RESET_SYSTEM : CXLVM_RESET_BUS;
}

/* Hot reset of all devices: prepare on each of them, then the reset, result dropped (F6). */
static int hold_hot_reset(struct vm *vm, unsigned int ways, struct cxlvm_error *err)
{
	int first = 0;

	for (unsigned int i = 0; i < vm->n && !(ways & VM_RESET_NO_PREPARE); i++) {
		int ret = vm_reset_prepare(vm, i, CXLVM_RESET_HOT, err);

		first = first ? first : ret;
	}
	for (unsigned int i = 0; i < vm->n && !(ways & VM_RESET_NO_DEVICE_RESET); i++)
		vm->devices[i].below.reset(vm->devices[i].below.device);
	return first;
}

/*
 * The device's own reset: prepare, Memory Space off and BARs cleared through the function that
 * guest writes take (F7), reset, result dropped (point 5). Done comes in exit.
 */
static int hold_device(struct vm *vm, unsigned int i, unsigned int ways, struct cxlvm_error *err)
{
	struct test_device *below = &vm->devices[i].below;
	int ret = 0;

	if (!(ways & VM_RESET_NO_PREPARE)) {
		ret = vm_reset_prepare(vm, i, derived_kind(vm), err);
		vm_config_write(vm, i, 4, 2, vm_config_read(vm, i, 4, 2) & ~2u);
		for (uint32_t bar = 0x10; bar < 0x28; bar += 4)
			vm_config_write(vm, i, bar, 4, 0);
	}
	if (ways & VM_RESET_MEMORY_SPACE_OFF)
		memory_space_off(&vm->devices[i]);
	if (!(ways & VM_RESET_NO_DEVICE_RESET))
		below->reset(below->device);
	return ret;
}

static int exit_device(struct vm *vm, unsigned int i, struct cxlvm_error *err)
{
	return vm_reset_done(vm, i, derived_kind(vm), CXLVM_RESET_RESULT_UNKNOWN, err);
}

static int reset_qemu(struct vm *vm, unsigned int ways, struct cxlvm_error *err)
{
	int first, ret;

	vm->board.host_in_reset = true;
	vm->board.phase = PHASE_ENTER;
	/* nothing of ours happens in enter */
	vm->board.phase = PHASE_HOLD;
	first = hold_hot_reset(vm, ways, err);
	for (unsigned int i = 0; i < vm->n; i++) {
		ret = hold_device(vm, i, ways, err);
		first = first ? first : ret;
	}
	/* Point 3. Endpoint hold before bridge hold: this wipes what was published above (F4). */
	board_reset_bridges(&vm->board);
	vm->board.phase = PHASE_EXIT;
	for (unsigned int i = 0; i < vm->n; i++) {
		ret = exit_device(vm, i, err);
		first = first ? first : ret;
	}
	vm->board.phase = PHASE_RUN;
	vm->board.host_in_reset = false;
	return first;
}

int vm_bus_reset(struct vm *vm, unsigned int i, struct cxlvm_error *err)
{
	struct test_device *below = &vm->devices[i].below;
	int ret;

	if (vm->variant->personality == PERSONALITY_OWN) {
		ret = vm_reset_prepare(vm, i, CXLVM_RESET_BUS, err);
		assert_int_equal(below->reset(below->device), 0);
		return ret ? ret : vm_reset_done(vm, i, CXLVM_RESET_BUS, 0, err);
	}
	vm->board.phase = PHASE_HOLD;
	ret = hold_device(vm, i, VM_RESET_PLAIN, err);
	vm->board.phase = PHASE_EXIT;
	ret = ret ? ret : exit_device(vm, i, err);
	vm->board.phase = PHASE_RUN;
	return ret;
}

void vm_function_reset(struct vm *vm, unsigned int i, bool happens)
{
	struct test_device *below = &vm->devices[i].below;
	struct cxlvm_endpoint *endpoint = vm->devices[i].endpoint;
	enum cxlvm_reset_kind kind;
	uint32_t device_value;

	assert_int_equal(pthread_mutex_lock(&vm->board.lock), 0);
	vm->board.verb = VERB_CONFIG_WRITE;
	assert_true(cxlvm_endpoint_config_write_begin(endpoint, FAKE_PCIE + 8, 2, 0x8000,
						      &device_value, &kind));
	assert_int_equal(kind, CXLVM_RESET_FUNCTION);
	assert_int_equal(device_value, 0x8000);
	assert_false(vm->devices[i].recorder.enabled);
	if (happens)
		below->reset(below->device);
	cxlvm_endpoint_config_write_end(endpoint);
	vm->board.verb = VERB_NONE;
	vm_check(vm);
	pthread_mutex_unlock(&vm->board.lock);
}

int vm_system_reset_way(struct vm *vm, unsigned int ways, struct cxlvm_error *err)
{
	if (vm->variant->personality == PERSONALITY_OWN)
		return reset_own(vm, ways, err);
	return reset_qemu(vm, ways, err);
}

int vm_system_reset(struct vm *vm, struct cxlvm_error *err)
{
	return vm_system_reset_way(vm, VM_RESET_PLAIN, err);
}

static int realize_all(struct vm *vm, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < vm->n; i++) {
		int ret = vm->devices[i].endpoint ? 0 : vm_realize(vm, i, err);

		if (ret)
			return ret;
	}
	return 0;
}

static int freeze_once(struct vm *vm, struct cxlvm_error *err)
{
	return cxlvm_machine_is_frozen(vm->machine) ? 0 : vm_freeze(vm, err);
}

int vm_start(struct vm *vm, struct cxlvm_error *err)
{
	bool own = vm->variant->personality == PERSONALITY_OWN;
	int ret;

	ret = own ? realize_all(vm, err) : freeze_once(vm, err);
	if (!ret)
		ret = own ? freeze_once(vm, err) : realize_all(vm, err);
	for (unsigned int i = 0; i < vm->n && !ret; i++) {
		/* qemu: newest notifier first */
		unsigned int which = own ? i : vm->n - 1 - i;

		if (!vm->devices[which].done)
			ret = vm_machine_done(vm, which, err);
	}
	return ret ? ret : vm_system_reset(vm, err);
}

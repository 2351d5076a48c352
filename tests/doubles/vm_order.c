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
	int first = 0;

	for (unsigned int i = 0; i < vm->n; i++) {
		struct test_device *below = &vm->devices[i].below;

		if (!(ways & VM_RESET_NO_PREPARE)) {
			int ret = vm_reset_prepare(vm, i, CXLVM_RESET_SYSTEM, err);

			first = first ? first : ret;
		}
		if (ways & VM_RESET_MEMORY_SPACE_OFF)
			memory_space_off(&vm->devices[i]);
		if (!(ways & VM_RESET_NO_DEVICE_RESET))
			assert_int_equal(below->reset(below->device), 0);
	}
	board_reset_bridges(&vm->board);
	vm->board.phase = PHASE_EXIT;
	for (unsigned int i = 0; i < vm->n; i++) {
		int ret = vm_reset_done(vm, i, CXLVM_RESET_SYSTEM, 0, err);

		first = first ? first : ret;
	}
	vm->board.phase = PHASE_RUN;
	return first;
}

/* prepare, raw reset, result dropped: for the hot reset of several devices, then for its own. */
static int hold_device(struct vm *vm, unsigned int i, unsigned int ways, struct cxlvm_error *err)
{
	struct test_device *below = &vm->devices[i].below;
	int ret = 0;

	if (!(ways & VM_RESET_NO_PREPARE))
		ret = vm_reset_prepare(vm, i, CXLVM_RESET_SYSTEM, err);
	if (ways & VM_RESET_MEMORY_SPACE_OFF)
		memory_space_off(&vm->devices[i]);
	if (!(ways & VM_RESET_NO_DEVICE_RESET))
		below->reset(below->device);
	return ret;
}

static int reset_qemu(struct vm *vm, unsigned int ways, struct cxlvm_error *err)
{
	int first = 0, ret;

	vm->board.phase = PHASE_ENTER;
	/* nothing of ours happens in enter */
	vm->board.phase = PHASE_HOLD;
	for (unsigned int pass = 0; pass < 2; pass++) {
		for (unsigned int i = 0; i < vm->n; i++) {
			ret = hold_device(vm, i, ways, err);
			first = first ? first : ret;
		}
	}
	/* endpoint hold before bridge hold: this wipes whatever was published above (F4) */
	board_reset_bridges(&vm->board);
	vm->board.phase = PHASE_EXIT;
	for (unsigned int i = 0; i < vm->n; i++) {
		ret = vm_reset_done(vm, i, CXLVM_RESET_SYSTEM, CXLVM_RESET_RESULT_UNKNOWN, err);
		first = first ? first : ret;
	}
	vm->board.phase = PHASE_RUN;
	return first;
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

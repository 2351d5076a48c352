/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space: Mem_Enable of the CXL Device DVSEC, its ranges, Memory Space (contract 9, 12). */
#include <errno.h>

#include "test.h"
#include "vm.h"

static struct vm *started(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm_start(vm, &err))
		fail_msg("start: %s", err.message);
	return vm;
}

static uint32_t control_at(struct vm *vm)
{
	return vm->devices[0].dvsec + 0x0c;
}

static void expect_mapped(struct vm *vm, bool mapped)
{
	assert_int_equal(vm->devices[0].recorder.enabled, mapped);
	assert_int_equal(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint), mapped);
	/* the decoder itself stays committed */
	assert_true(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
	assert_int_equal(!!(vm_config_read(vm, 0, control_at(vm), 2) & 4), mapped);
}

/* 6.2 of linux-cxl-guest.md: 1/1 after reset. */
static void mem_enable_is_on_after_reset(void **state)
{
	struct vm *vm = started(state);

	expect_mapped(vm, true);
	assert_int_equal(vm_config_read(vm, 0, control_at(vm), 2) & 6, 6);
	vm_stop(vm);
}

static void p3_mem_enable_maps_and_unmaps(void **state)
{
	struct vm *vm = started(state);
	uint16_t on = (uint16_t)vm_config_read(vm, 0, control_at(vm), 2);
	uint16_t off = (uint16_t)(on & ~4);

	for (unsigned int round = 0; round < 3; round++) {
		journal_clear(&vm->board.journal);
		assert_int_equal(vm_config_write(vm, 0, control_at(vm), 2, off), 0);
		expect_mapped(vm, false);
		assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), 1);
		/* again: nothing happens */
		vm_config_write(vm, 0, control_at(vm), 2, off);
		assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), 1);
		/* one byte, two, four: each turns it on */
		vm_config_write(vm, 0, control_at(vm), 1u << round, on);
		expect_mapped(vm, true);
		assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 1);
		/* the real decoder is not programmed for it */
		for (size_t i = 0; i < vm->board.journal.n; i++)
			assert_true(vm->board.journal.entries[i].call != CALL_WRITE ||
				    vm->board.journal.entries[i].region == 7);
	}
	vm_check_running(vm);
	vm_stop(vm);
}

/* A write that begins before the register and covers it, or misses it. */
static void mem_enable_by_wider_writes(void **state)
{
	struct vm *vm = started(state);
	uint32_t at = vm->devices[0].dvsec;

	/* capability (read-only) and control are not in one dword; control and status are */
	vm_config_write(vm, 0, at + 0x0c, 4, 0x00000002);
	expect_mapped(vm, false);
	vm_config_write(vm, 0, at + 0x0d, 1, 0x00); /* high byte only */
	expect_mapped(vm, false);
	vm_config_write(vm, 0, at + 0x0e, 2, 0x0004); /* status */
	expect_mapped(vm, false);
	vm_config_write(vm, 0, at + 0x08, 4, 0xffffffff); /* id, capability */
	expect_mapped(vm, false);
	vm_config_write(vm, 0, at + 0x0c, 4, 0x00000006);
	expect_mapped(vm, true);
	vm_check_running(vm);
	vm_stop(vm);
}

/* System reset presents 1 again. */
static void mem_enable_comes_back_with_a_system_reset(void **state)
{
	struct vm *vm = started(state);

	vm_config_write(vm, 0, control_at(vm), 2, 0x0002);
	expect_mapped(vm, false);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	expect_mapped(vm, true);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Enabling while the device is not usable maps nothing. */
static void mem_enable_does_not_map_an_unusable_device(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;

	fake_set_hardware(fake, 0x20, 0x000);
	fake_set_kernel(fake, 0x20, 0x000);
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_false(vm->devices[0].recorder.enabled);
	vm_config_write(vm, 0, control_at(vm), 2, 0x0002);
	vm_config_write(vm, 0, control_at(vm), 2, 0x0006);
	assert_false(vm->devices[0].recorder.enabled);
	fake_fill_bytes(fake);
	fake_sample(fake);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* CHK-7: range 1 has the guest's base (or 0), size, valid and active of the decoder. */
static void chk7_range_1_agrees_with_the_decoder(void **state)
{
	struct vm *vm = started(state);
	uint32_t at = vm->devices[0].dvsec;
	uint64_t base = (uint64_t)vm_config_read(vm, 0, at + 0x20, 4) << 32 |
			vm_config_read(vm, 0, at + 0x24, 4);

	assert_true((base & 0xfffffffff0000000) == VM_WINDOW(0) ||
		    (base & 0xfffffffff0000000) == 0);
	assert_int_equal(vm_config_read(vm, 0, at + 0x18, 4), 0);
	assert_int_equal(vm_config_read(vm, 0, at + 0x1c, 4) & 0xf0000003, 0x10000003);
	/* HDM_Count is one, memory capable */
	assert_int_equal(vm_config_read(vm, 0, at + 0x0a, 2) & 0x34, 0x14);
	vm_stop(vm);
}

static void chk7_w15_ranges_hide_the_host_address(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	/* in range 2 as well, where nobody looks */
	fake_put(fake->config + FAKE_DVSEC + 0x30, 4, FAKE_HOST_BASE >> 32);
	fake_put(fake->config + FAKE_DVSEC + 0x34, 4, FAKE_HOST_BASE & 0xffffffff);
	/* and in the reserved bits of range 1 */
	fake_put(fake->config + FAKE_DVSEC + 0x24, 4, (FAKE_HOST_BASE & 0xffffffff) | 0x0eadbee0);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_config_read(vm, 0, FAKE_DVSEC + 0x24, 4), VM_WINDOW(0) & 0xffffffff);
	for (uint32_t at = FAKE_DVSEC + 0x18; at < FAKE_DVSEC + 0x38; at += 4) {
		assert_int_not_equal(vm_config_read(vm, 0, at, 4), FAKE_HOST_BASE >> 32);
		assert_int_not_equal(vm_config_read(vm, 0, at, 4), FAKE_HOST_BASE & 0xffffffff);
		assert_int_not_equal(vm_config_read(vm, 0, at, 2), FAKE_HOST_BASE >> 32);
	}
	vm_stop(vm);
}

/* The rest of config space is the host's business: passed on as it was merged. */
static void config_reads_pass_what_is_not_ours(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;

	assert_int_equal(vm_config_read(vm, 0, 0, 4), 0xc2c21d0f);
	assert_int_equal(vm_config_read(vm, 0, 0x08, 4), 0x12000001);
	assert_int_equal(vm_config_read(vm, 0, 0x0b, 1), 0x12);
	for (uint32_t at = 0x140; at < 0x190; at += 4)
		assert_int_equal(vm_config_read(vm, 0, at, 4), fake_get(fake->config + at, 4));
	/* what the host merged counts, not what the device has */
	assert_int_equal(cxlvm_endpoint_config_read(vm->devices[0].endpoint, 0x10, 4, 0xfe00000c),
			 0xfe00000c);
	assert_int_equal(cxlvm_endpoint_config_read(vm->devices[0].endpoint, 0x200, 4, 0x12345678),
			 0x12345678);
	vm_stop(vm);
}

/* Memory Space moves BARs only; the real bit stays on (10.1); device memory is not gated by it. */
static void pci_memory_space_does_not_gate_device_memory(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;

	assert_int_equal(vm_config_write(vm, 0, 4, 2, 0x0000), CXLVM_RESET_NONE);
	assert_int_equal(fake->config[4] & 2, 2);
	assert_true(vm->devices[0].recorder.enabled);
	vm_config_write(vm, 0, 4, 1, 0x04);
	assert_int_equal(fake->config[4] & 2, 2);
	vm_config_write(vm, 0, 4, 4, 0x00000000);
	assert_int_equal(fake->config[4] & 2, 2);
	vm_config_write(vm, 0, 4, 2, 0x0006);
	vm_check_running(vm);
	vm_stop(vm);
}

/* After unrealize: ones, and nothing may be written to the device any more. */
static void config_is_dark_after_unrealize(void **state)
{
	struct vm *vm = started(state);
	struct cxlvm_endpoint *endpoint = vm->devices[0].endpoint;
	enum cxlvm_reset_kind kind;
	uint32_t device_value;

	vm_unrealize(vm, 0);
	assert_int_equal(vm_config_read(vm, 0, control_at(vm), 2), 0xffff);
	assert_int_equal(vm_config_read(vm, 0, 0, 4), 0xffffffff);
	assert_int_equal(vm_config_read(vm, 0, 0, 1), 0xff);
	assert_false(cxlvm_endpoint_config_write_begin(endpoint, control_at(vm), 2, 0,
						       &device_value, &kind));
	cxlvm_endpoint_config_write_end(endpoint);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(mem_enable_is_on_after_reset),
		TEST_ALL(config_is_dark_after_unrealize),
		TEST_ALL(p3_mem_enable_maps_and_unmaps),
		TEST_ALL(mem_enable_by_wider_writes),
		TEST_ALL(mem_enable_comes_back_with_a_system_reset),
		TEST_FAKE(mem_enable_does_not_map_an_unusable_device),
		TEST_ALL(chk7_range_1_agrees_with_the_decoder),
		TEST_FAKE(chk7_w15_ranges_hide_the_host_address),
		TEST_FAKE(config_reads_pass_what_is_not_ours),
		TEST_FAKE(pci_memory_space_does_not_gate_device_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

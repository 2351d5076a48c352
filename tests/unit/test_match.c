/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows that the host has placed: which one belongs to the device (contract 4.2). */
#include <errno.h>

#include "test.h"
#include "vm.h"

/* A qemu machine with one bridge and these windows; realize of one device is tried. */
static struct vm *with_windows(const struct variant *variant, const struct cxlvm_window *windows,
			       unsigned int n)
{
	struct vm_options options = { .bare = true };
	struct vm *vm = vm_create_options(variant, 1, &options);
	struct cxlvm_gpa block = { VM_BLOCK(0) }, other = { VM_BLOCK(1) };

	for (unsigned int i = 0; i < n; i++)
		assert_int_equal(cxlvm_machine_add_window(vm->machine, &windows[i], NULL), 0);
	assert_int_equal(cxlvm_machine_add_bridge(vm->machine, "cxl0", 12, &block, NULL), 0);
	assert_int_equal(cxlvm_machine_add_bridge(vm->machine, "cxl1", 13, &other, NULL), 0);
	return vm;
}

static struct cxlvm_window window(const char *name, uint64_t base, uint64_t size, uint32_t target)
{
	struct cxlvm_window w = { .has_base = true,
				  .base = { base },
				  .size = size,
				  .restrictions = 0x0f,
				  .n_targets = 1,
				  .targets = { target } };

	snprintf(w.name, sizeof(w.name), "%s", name);
	return w;
}

static void refused(struct vm *vm, int code, struct cxlvm_error *err)
{
	int ret;

	assert_int_equal(vm_freeze(vm, NULL), 0);
	ret = vm_realize(vm, 0, err);
	if (!ret || (code && ret != code))
		fail_msg("realize gave %d: %s", ret, err->message);
	assert_message_says(err, "accel0");
	for (unsigned int i = 0; cxlvm_machine_window(vm->machine, i); i++)
		assert_string_equal(cxlvm_machine_window(vm->machine, i)->owner, "");
	vm_stop(vm);
}

static void w4_match_no_window_names_the_bridge(void **state)
{
	struct cxlvm_window w[] = { window("a", 0x140000000, 0x10000000, 13) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	refused(with_windows(*state, w, 1), -ENOENT, &err);
	assert_message_has(&err, 12);
	assert_message_has(&err, 1); /* number of windows */
	assert_string_not_equal(err.hint, "");
}

/* 4.2, first row: the device and its parent, which is no CXL host bridge. */
static void match_parent_that_is_no_host_bridge_is_named(void **state)
{
	struct cxlvm_window w[] = { window("a", 0x140000000, 0x10000000, 12) };
	struct vm *vm = with_windows(*state, w, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.bridge_uid = 99;
	refused(vm, -ENOENT, &err);
	assert_message_has(&err, 99);
	assert_message_says(&err, "parent");
	assert_non_null(strstr(err.hint, "root port"));
}

/* 4.2, fifth row, WIN-4, WIN-5: a window that the host could not place is no window at 0. */
static void win4_win5_window_without_address_is_refused(void **state)
{
	struct vm_options options = { .bare = true, .phys_bits = 38 };
	struct vm *vm = vm_create_options(*state, 1, &options);
	struct cxlvm_window w = window("lost", 0x140000000, 0x30000000, 12);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	w.has_base = false;
	assert_int_equal(cxlvm_machine_add_window(vm->machine, &w, &err), -EINVAL);
	assert_message_says(&err, "lost");
	assert_message_has(&err, 0x30000000);
	assert_message_has(&err, 38);
	assert_message_has(&err, 0x3fffffffff);
	assert_string_not_equal(err.hint, "");
	assert_null(cxlvm_machine_window(vm->machine, 0));
	vm_stop(vm);
}

/* 4.2, seventh row: the window and the other device. */
static void match_window_in_use_names_the_owner(void **state)
{
	struct vm *vm = vm_create(*state, 2);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[1].config.bridge_uid = VM_UID(0);
	assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_int_equal(vm_realize(vm, 1, &err), -EEXIST);
	assert_message_says(&err, "accel1");
	assert_message_says(&err, "fmw0");
	assert_message_says(&err, "accel0");
	assert_string_not_equal(err.hint, "");
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel0");
	vm_stop(vm);
}

/* 4.2, eighth row: the host bridge, the range of the device and that of the window. */
static void match_bridge_without_decoder_gives_both_ranges(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	faults_arm_call(&vm->board.faults, CALL_BRIDGE, -EOPNOTSUPP);
	assert_int_equal(vm_start(vm, &err), -EOPNOTSUPP);
	faults_disarm(&vm->board.faults);
	assert_message_says(&err, "accel0");
	assert_message_has(&err, VM_UID(0));
	assert_message_has(&err, VM_WINDOW(0));
	assert_message_has(&err, VM_WINDOW(0) + FAKE_MEMORY_SIZE - 1);
	assert_message_has(&err, VM_WINDOW(0) + 2 * FAKE_MEMORY_SIZE - 1);
	assert_non_null(strstr(err.hint, "HDM decoder capability"));
	vm_stop(vm);
}

static void match_two_windows_are_named(void **state)
{
	struct cxlvm_window w[] = { window("wide", 0x140000000, 0x10000000, 12),
				    window("deep", 0x180000000, 0x10000000, 12) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	refused(with_windows(*state, w, 2), 0, &err);
	assert_message_says(&err, "wide");
	assert_message_says(&err, "deep");
	assert_message_has(&err, 12);
	assert_message_has(&err, 2);
	assert_string_not_equal(err.hint, "");
}

/* All of them, as long as the message holds them. */
static void match_many_windows_are_named(void **state)
{
	struct cxlvm_window w[8];
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	char name[CXLVM_NAME_MAX];

	for (unsigned int i = 0; i < ARRAY_SIZE(w); i++) {
		snprintf(name, sizeof(name), "window-with-a-name-of-forty-characters-%02u", i);
		w[i] = window(name, 0x140000000 + i * 0x10000000ull, 0x10000000, 12);
	}
	refused(with_windows(*state, w, 3), -EINVAL, &err);
	for (unsigned int i = 0; i < 3; i++)
		assert_message_says(&err, w[i].name);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	refused(with_windows(*state, w, ARRAY_SIZE(w)), -EINVAL, &err);
	assert_message_has(&err, ARRAY_SIZE(w));
	assert_message_says(&err, w[0].name);
}

static void match_interleaved_window_is_refused(void **state)
{
	struct cxlvm_window w[] = { window("wide", 0x140000000, 0x10000000, 13) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	w[0].n_targets = 2;
	w[0].targets[1] = 12;
	refused(with_windows(*state, w, 1), 0, &err);
	assert_message_says(&err, "wide");
	assert_message_has(&err, 2);
	assert_string_not_equal(err.hint, "");
}

static void p9_w8_match_memory_larger_than_the_window_gives_both_sizes(void **state)
{
	struct cxlvm_window w[] = { window("small", 0x140000000, 0x10000000, 12) };
	struct vm *vm = with_windows(*state, w, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct fake *fake = vm->devices[0].below.fake;

	/* 512 MiB of memory: region and decoder */
	fake_put(fake->regions[fake->memory_region].bytes + 16, 8, 0x20000000);
	fake_set_hardware(fake, 0x18, 0x20000000);
	fake_sample(fake);
	refused(vm, -ERANGE, &err);
	assert_message_says(&err, "small");
	assert_message_has(&err, 0x20000000);
	assert_message_has(&err, 0x10000000);
	assert_non_null(strstr(err.hint, "0x20000000"));
}

/* ACPI-2, CHK-5: HDM-D needs a window for device-coherent memory. */
static void chk5_window_without_device_coherent_is_refused(void **state)
{
	struct cxlvm_window w[] = { window("type3", 0x140000000, 0x10000000, 12) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	w[0].restrictions = 0x0e;
	refused(with_windows(*state, w, 1), 0, &err);
	assert_message_says(&err, "type3");
	assert_message_has(&err, 0x0e);
	assert_string_not_equal(err.hint, "");
}

/* window-base lies inside the matched window: there the decoder goes; a tail stays dark. */
static void match_window_base_inside_moves_the_decoder(void **state)
{
	struct cxlvm_window w[] = { window("wide", 0x140000000, 0x40000000, 12) };
	struct vm *vm = with_windows(*state, w, 1);
	struct cxlvm_gpa base;

	vm->devices[0].config.has_window_base = true;
	vm->devices[0].config.window_base.value = 0x170000000;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x10), 0x70000000);
	assert_int_equal(vm_hdm(vm, 0, 0x14), 1);
	assert_int_equal(vm->devices[0].recorder.copy[0].guest.value, 0x170000000);
	assert_int_equal(vm->board.bridges[0].decoder.base.value, 0x170000000);
	assert_true(cxlvm_endpoint_window_base(vm->devices[0].endpoint, &base));
	assert_true(base.value == 0x170000000 || base.value == 0x140000000);
	assert_int_equal(cxlvm_machine_window(vm->machine, 0)->base.value, 0x140000000);
	vm_stop(vm);
}

static void match_window_base_outside_gives_both_numbers(void **state)
{
	static const uint64_t bad[] = { 0x130000000, 0x180000000,  0x180000000 - 0x8000000,
					0x100000000, 0x4000000000, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cxlvm_window w[] = { window("wide", 0x140000000, 0x40000000, 12) };
		struct vm *vm = with_windows(*state, w, 1);
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		vm->devices[0].config.has_window_base = true;
		vm->devices[0].config.window_base.value = bad[i];
		refused(vm, 0, &err);
		assert_message_has(&err, bad[i]);
		if (bad[i] && bad[i] % 0x10000000 == 0)
			assert_message_has(&err, 0x140000000);
	}
}

/* The window that is matched is the one of the bridge, not the first one (W7). */
static void w7_each_device_gets_the_window_of_its_bridge(void **state)
{
	struct vm *vm = vm_create(*state, 2);

	vm->devices[0].config.bridge_uid = VM_UID(1);
	vm->devices[1].config.bridge_uid = VM_UID(0);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x10), VM_WINDOW(1) & 0xffffffff);
	assert_int_equal(vm_hdm(vm, 1, 0x10), VM_WINDOW(0) & 0xffffffff);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel1");
	assert_int_equal(vm->board.bridges[1].decoder.port, VM_PORT(0));
	vm_stop(vm);
}

/* With placed windows the claim is taken in realize; machine done may follow at once. */
static void match_claims_in_realize(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel0");
	assert_int_equal(vm_machine_done(vm, 0, NULL), 0);
	assert_int_equal(vm_machine_done(vm, 0, NULL), 0);
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

int main(void)
{
#define QEMU(f) TEST_ON(f, QEMU_FAKE_2, "[qemu,fake 2]"), TEST_ON(f, QEMU_FAKE_5, "[qemu,fake 5]")
	const struct CMUnitTest tests[] = {
		QEMU(w4_match_no_window_names_the_bridge),
		QEMU(match_two_windows_are_named),
		QEMU(match_many_windows_are_named),
		QEMU(match_parent_that_is_no_host_bridge_is_named),
		QEMU(win4_win5_window_without_address_is_refused),
		QEMU(match_window_in_use_names_the_owner),
		QEMU(match_bridge_without_decoder_gives_both_ranges),
		QEMU(match_interleaved_window_is_refused),
		QEMU(p9_w8_match_memory_larger_than_the_window_gives_both_sizes),
		QEMU(chk5_window_without_device_coherent_is_refused),
		QEMU(match_window_base_inside_moves_the_decoder),
		QEMU(match_window_base_outside_gives_both_numbers),
		QEMU(w7_each_device_gets_the_window_of_its_bridge),
		QEMU(match_claims_in_realize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

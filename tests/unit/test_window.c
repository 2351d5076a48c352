/* SPDX-License-Identifier: BSD-3-Clause */
/* Windows of devices: placement by cxlvm, window-base, matching, claims. */
#include <errno.h>

#include "test.h"
#include "vm.h"

#define GIB 0x40000000ull

static const struct variant *own(void **state)
{
	const struct variant *variant = *state;

	return variant ? variant : &variants[OWN_FAKE_5];
}

/* RAM, then blocks, then windows at multiples of 1 GiB, in the order of reservation. */
static void win1_two_devices_are_placed_in_order(void **state)
{
	struct vm *vm = vm_create(own(state), 2);
	struct cxlvm_gpa base;

	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_false(cxlvm_endpoint_window_base(vm->devices[0].endpoint, &base)); /* WIN-5 */
	assert_false(cxlvm_machine_window(vm->machine, 0)->has_base);
	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const struct cxlvm_window *window = cxlvm_machine_window(vm->machine, i);

		assert_int_equal(cxlvm_machine_bridge(vm->machine, i)->base.value, VM_BLOCK(i));
		assert_true(window->has_base);
		assert_int_equal(window->base.value, VM_WINDOW(i));
		assert_int_equal(window->size, FAKE_MEMORY_SIZE);
		assert_int_equal(window->restrictions, 0x15);
		assert_int_equal(window->n_targets, 1);
		assert_int_equal(window->targets[0], VM_UID(i));
		assert_string_equal(window->owner, vm->devices[i].name);
		assert_true(cxlvm_endpoint_window_base(vm->devices[i].endpoint, &base));
		assert_int_equal(base.value, VM_WINDOW(i));
	}
	assert_null(cxlvm_machine_window(vm->machine, 2));
	vm_check_running(vm);
	vm_stop(vm);
}

/* WIN-6: the order of realizing decides, nothing else; a base given moves only that window. */
static void win6_window_base_moves_one_window(void **state)
{
	struct vm *vm = vm_create(own(state), 2);

	vm->devices[0].config.has_window_base = true;
	vm->devices[0].config.window_base.value = 0x150000000; /* 256 MiB-aligned, not 1 GiB */
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_machine_window(vm->machine, 0)->base.value, 0x150000000);
	/* the first place that is aligned and free, from place_from upwards */
	assert_int_equal(cxlvm_machine_window(vm->machine, 1)->base.value, 0x140000000);
	vm_check_running(vm);
	vm_stop(vm);
}

/* WIN-6: however often, and whatever devices of another kind there are before, between, behind. */
static void win6_the_same_place_beside_other_devices(void **state)
{
	/* who is realized when; 1 is no CXL device */
	static const unsigned int orders[][3] = {
		{ 0, 2, 1 }, { 0, 1, 2 }, { 1, 0, 2 }, { 0, 2, 1 }
	};

	for (size_t o = 0; o < ARRAY_SIZE(orders); o++) {
		struct vm *vm = vm_create(own(state), 3);

		fake_put(vm->devices[1].below.fake->info.bytes + 4, 4, 0x83);
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(vm_realize(vm, orders[o][i], NULL), 0);
		assert_true(cxlvm_endpoint_is_plain(vm->devices[1].endpoint));
		assert_int_equal(vm_freeze(vm, NULL), 0);
		for (unsigned int i = 0; i < 2; i++) {
			const struct cxlvm_window *window = cxlvm_machine_window(vm->machine, i);

			assert_int_equal(window->base.value, VM_WINDOW(i));
			assert_int_equal(window->targets[0], VM_UID(2 * i));
		}
		assert_null(cxlvm_machine_window(vm->machine, 2));
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(cxlvm_machine_bridge(vm->machine, i)->base.value,
					 VM_BLOCK(i));
		vm_stop(vm);
	}
}

static void win2_automatic_placement_avoids_explicit_bases(void **state)
{
	struct vm *vm = vm_create(own(state), 2);

	vm->devices[1].config.has_window_base = true;
	vm->devices[1].config.window_base.value = VM_WINDOW(0);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_machine_window(vm->machine, 0)->base.value, VM_WINDOW(1));
	assert_int_equal(cxlvm_machine_window(vm->machine, 1)->base.value, VM_WINDOW(0));
	vm_check_running(vm);
	vm_stop(vm);
}

/* Unaligned, zero, in RAM, beyond the width, over the other window: refused with the numbers. */
static void chk1_chk2_win5_w5_w39_bad_window_bases_are_refused(void **state)
{
	static const struct {
		uint64_t base;
		uint64_t first, second; /* numbers that the message must contain; second 0: one */
		const char *says;
	} bad[] = {
		{ 0x148000000, 0x148000000, 0x10000000, "accel1" },
		{ 0x150000001, 0x150000001, 0x10000000, "accel1" },
		{ 0, 0x10000000, 0, "non-zero multiple" },
		{ 0x10000000, 0x10000000, 0x20000000, "RAM" },
		{ 0x3ff0000000, 0x3ff0000000, 0, NULL }, /* fits: control case */
		{ 0x4000000000, 0x4000000000, 38, "accel1" },
		{ 0xfffffffff0000000, 0xfffffffff0000000, 38, "accel1" },
		{ 0x180000000, 0x180000000, 0, "accel0" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct vm_options options = { .phys_bits = 38 };
		struct vm *vm = vm_create_options(own(state), 2, &options);
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret;

		vm->devices[0].config.has_window_base = true;
		vm->devices[0].config.window_base.value = 0x180000000;
		vm->devices[1].config.has_window_base = true;
		vm->devices[1].config.window_base.value = bad[i].base;
		ret = vm_start(vm, &err);
		if (!bad[i].says) {
			assert_int_equal(ret, 0);
			vm_check_running(vm);
			vm_stop(vm);
			continue;
		}
		if (!ret)
			fail_msg("window base 0x%llx was taken", (unsigned long long)bad[i].base);
		assert_message_has(&err, bad[i].first);
		if (bad[i].second == 38) {
			if (!message_has(&err, 38))
				assert_message_has(&err, 0x4000000000);
		} else if (bad[i].second == 0x20000000) {
			/* RAM is 0 to 0x1fffffff: its size, end or last byte */
			assert_true(message_has(&err, VM_RAM_SIZE) ||
				    message_has(&err, VM_RAM_SIZE - 1));
		} else if (bad[i].second) {
			assert_message_has(&err, bad[i].second);
		}
		assert_message_says(&err, bad[i].says);
		assert_message_says(&err, "accel1");
		vm_stop(vm);
	}
}

/* WIN-4: a window that does not fit is an error at freeze, and nothing was placed. */
static void win4_w6_window_that_does_not_fit_is_an_error(void **state)
{
	struct vm_options options = { .phys_bits = 33, .place_from = 0x1c0000000 };
	struct vm *vm = vm_create_options(own(state), 1, &options);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(vm_start(vm, &err), -ERANGE);
	if (!message_has(&err, 33))
		assert_message_has(&err, 0x200000000);
	assert_message_has(&err, FAKE_MEMORY_SIZE);
	assert_false(cxlvm_machine_window(vm->machine, 0)->has_base);
	vm_stop(vm);
}

/*
 * WIN-3: usable I/O addresses end before the window, or have a hole in it. What the host has placed is
 * refused; what is placed here goes where it can be used, if there is such a place.
 */
static void win3_w37_window_outside_usable_iova_is_refused(void **state)
{
	static const struct cxlvm_iova_range ends[] = { { { 0 }, { VM_WINDOW(0) - 1 } } };
	static const struct cxlvm_iova_range hole[] = { { { 0 }, { VM_WINDOW(0) + 0x1000000 - 1 } },
							{ { VM_WINDOW(0) + 0x1001000 },
							  { UINT64_MAX } } };
	static const struct cxlvm_iova_range fits[] = {
		{ { 0 }, { 0xfedfffff } }, { { 0xfef00000 }, { VM_WINDOW(0) + 0x10000000 - 1 } }
	};
	/* not sorted */
	static const struct cxlvm_iova_range far[] = { { { VM_WINDOW(8) }, { UINT64_MAX } },
						       { { VM_WINDOW(2) + 1 },
							 { VM_WINDOW(3) + 0x10000000 - 1 } },
						       { { 0 }, { 0xfedfffff } } };
	static const struct cxlvm_iova_range two[] = { { { 0 }, { VM_WINDOW(1) - 1 } },
						       { { VM_WINDOW(8) }, { UINT64_MAX } } };
	static const struct {
		const struct cxlvm_iova_range *ranges;
		size_t n;
		int own, qemu; /* what is expected */
		uint64_t base; /* own */
	} cases[] = { { ends, 1, -ERANGE, -ERANGE, 0 },
		      { hole, 2, 0, -ERANGE, VM_WINDOW(1) },
		      { fits, 2, 0, 0, VM_WINDOW(0) },
		      { far, 3, 0, -ERANGE, VM_WINDOW(3) },
		      { two, 2, 0, 0, VM_WINDOW(0) } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = vm_create(*state, 1);
		bool placed_here = vm->variant->personality == PERSONALITY_OWN;
		int code = placed_here ? cases[i].own : cases[i].qemu;
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		vm->devices[0].config.iova = cases[i].ranges;
		vm->devices[0].config.n_iova = cases[i].n;
		assert_int_equal(vm_start(vm, &err), code);
		if (code) {
			assert_message_has(&err, placed_here ? VM_WINDOW(0) - 1 : VM_WINDOW(0));
			assert_message_says(&err, "usable I/O address");
			assert_message_has(&err, cases[i].ranges[cases[i].n - 1].last.value);
			assert_string_not_equal(err.hint, "");
			assert_false(vm->devices[0].recorder.prepared);
		} else if (placed_here) {
			assert_true(cxlvm_machine_window(vm->machine, 0)->base.value ==
				    cases[i].base);
			vm_check_running(vm);
		}
		vm_stop(vm);
	}
}

/* WIN-3: a base that was asked for is not moved, but refused. */
static void win3_window_base_outside_usable_iova_is_refused(void **state)
{
	static const struct cxlvm_iova_range iova = { { 0 }, { 0x1fffffffff } };
	struct vm *vm = vm_create(own(state), 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.iova = &iova;
	vm->devices[0].config.n_iova = 1;
	vm->devices[0].config.has_window_base = true;
	vm->devices[0].config.window_base.value = 0x2000000000;
	assert_int_equal(vm_start(vm, &err), -ERANGE);
	assert_message_has(&err, 0x2000000000);
	assert_message_has(&err, 0x1fffffffff);
	vm_stop(vm);
}

/* A device of which firmware made size bytes: region and decoder. */
static void set_memory_size(struct vm *vm, unsigned int i, uint64_t size)
{
	struct fake *fake = vm->devices[i].below.fake;

	fake_put(fake->regions[fake->memory_region].bytes + 16, 8, size);
	fake_set_hardware(fake, 0x18, (uint32_t)size);
	fake_set_hardware(fake, 0x1c, (uint32_t)(size >> 32));
	fake_sample(fake);
}

/*
 * WIN-1: 1 GiB at least, and the largest power of two that divides the size where there is room. RAM
 * and blocks end behind 4 GiB.
 */
static void win1_windows_are_aligned_for_the_largest_page(void **state)
{
	static const struct {
		uint64_t sizes[2], bases[2];
		unsigned int phys_bits;
	} cases[] = {
		{ { GIB / 4, GIB }, { 5 * GIB, 6 * GIB }, 46 },
		{ { 2 * GIB, 3 * GIB }, { 6 * GIB, 8 * GIB }, 46 },
		{ { 16 * GIB, GIB / 4 }, { 16 * GIB, 5 * GIB }, 46 },
		{ { 24 * GIB, 8 * GIB }, { 8 * GIB, 32 * GIB }, 46 },
		{ { 512 * GIB, 1 * GIB }, { 512 * GIB, 5 * GIB }, 46 },
		/* 64 GiB in all: no room at a multiple of 32, but there is one of 8 */
		{ { 32 * GIB, 32 * GIB - GIB }, { 32 * GIB, 0 }, 36 },
		{ { 32 * GIB, 24 * GIB }, { 32 * GIB, 8 * GIB }, 36 },
		{ { 24 * GIB, 32 * GIB }, { 8 * GIB, 32 * GIB }, 36 },
		{ { 48 * GIB, GIB }, { 16 * GIB, 5 * GIB }, 36 },
		{ { 56 * GIB, GIB }, { 8 * GIB, 5 * GIB }, 36 },
		{ { 58 * GIB, GIB }, { 6 * GIB, 5 * GIB }, 36 },
		{ { 59 * GIB, 0 }, { 5 * GIB, 0 }, 36 },
	};

	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		struct vm_options options = { .phys_bits = cases[c].phys_bits };
		unsigned int n = cases[c].sizes[1] ? 2 : 1;
		struct vm *vm = vm_create_options(own(state), n, &options);
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret = 0;

		for (unsigned int i = 0; i < n; i++)
			set_memory_size(vm, i, cases[c].sizes[i]);
		for (unsigned int i = 0; i < n; i++)
			assert_int_equal(vm_realize(vm, i, NULL), 0);
		ret = vm_freeze(vm, &err);
		for (unsigned int i = 0; i < n; i++) {
			const struct cxlvm_window *window = cxlvm_machine_window(vm->machine, i);

			if (n == 2 && !cases[c].bases[1]) {
				assert_int_equal(ret, -ERANGE);
				assert_false(window->has_base); /* all or none */
				continue;
			}
			assert_int_equal(ret, 0);
			if (window->base.value != cases[c].bases[i])
				fail_msg("case %zu: window %u at 0x%llx, not 0x%llx", c, i,
					 (unsigned long long)window->base.value,
					 (unsigned long long)cases[c].bases[i]);
		}
		vm_stop(vm);
	}
}

/* All windows that a machine can have, in use at once; no bridge and no window beyond them. */
static void win2_32_devices_run_and_the_33rd_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, CXLVM_WINDOWS_MAX);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_gpa block = { 0 };

	if (vm_start(vm, &err))
		fail_msg("start: %s", err.message);
	for (unsigned int i = 0; i < CXLVM_WINDOWS_MAX; i++) {
		assert_true(cxlvm_machine_window(vm->machine, i)->base.value == VM_WINDOW(i));
		assert_string_equal(cxlvm_machine_window(vm->machine, i)->owner,
				    vm->devices[i].name);
	}
	vm_check_running(vm);
	assert_null(cxlvm_machine_window(vm->machine, CXLVM_WINDOWS_MAX));
	assert_int_equal(cxlvm_machine_add_bridge(vm->machine, "one more", 99, &block, &err),
			 -ENOSPC);
	assert_message_says(&err, "one more");
	assert_message_has(&err, 32);
	vm_stop(vm);
}

static void win2_33rd_window_is_refused_with_the_number(void **state)
{
	struct vm *vm = vm_create(own(state), 1);
	struct cxlvm_window window = {
		.has_base = true,
		.size = 0x10000000,
		.restrictions = 0x0f,
		.n_targets = 1,
		.targets = { 77 },
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	for (unsigned int i = 0; i < CXLVM_WINDOWS_MAX; i++) {
		snprintf(window.name, sizeof(window.name), "fmw%u", i);
		window.base.value = VM_WINDOW(i);
		assert_int_equal(cxlvm_machine_add_window(vm->machine, &window, NULL), 0);
	}
	assert_int_equal(vm_realize(vm, 0, &err), -ENOSPC);
	assert_message_says(&err, "accel0");
	assert_message_has(&err, 32);
	assert_string_not_equal(err.hint, "");
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	window.base.value = VM_WINDOW(40);
	assert_int_equal(cxlvm_machine_add_window(vm->machine, &window, &err), -ENOSPC);
	assert_message_has(&err, 32);
	vm_stop(vm);
}

static void bridge_that_does_not_exist_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.bridge_uid = 99;
	assert_true(vm_start(vm, &err) < 0);
	assert_message_has(&err, 99);
	vm_stop(vm);
}

/* One endpoint per host bridge; the message names the first one. */
static void claim_second_device_names_the_first(void **state)
{
	struct vm *vm = vm_create(*state, 2);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;

	vm->devices[1].config.bridge_uid = VM_UID(0);
	ret = vm_start(vm, &err);
	assert_true(ret < 0);
	assert_message_says(&err, "accel0");
	assert_message_says(&err, "accel1");
	if (vm->variant->personality == PERSONALITY_QEMU) {
		assert_int_equal(ret, -EEXIST);
		assert_message_says(&err, "fmw0");
	}
	vm_stop(vm);
}

/* LIFE-3: the claim goes with unrealize, before free; then another device may have the window. */
static void life3_w38_window_can_be_claimed_again(void **state)
{
	struct vm *vm = vm_create(*state, 2);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->n = 1; /* the second waits */
	assert_int_equal(vm_start(vm, NULL), 0);
	vm->n = 2;
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel0");
	vm_unrealize(vm, 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "");
	vm_free(vm, 0);
	vm->devices[1].config.bridge_uid = VM_UID(0);
	assert_int_equal(vm_realize(vm, 1, &err), 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel1");
	assert_int_equal(vm_machine_done(vm, 1, &err), 0);
	assert_int_equal(vm_reset_done(vm, 1, CXLVM_RESET_SYSTEM, 0, &err), 0);
	assert_true(vm->devices[1].recorder.enabled);
	assert_int_equal(vm_hdm(vm, 1, 0x10), VM_WINDOW(0) & 0xffffffff);
	vm_stop(vm);
}

static void life3_unrealize_frees_the_window_of_own_placement(void **state)
{
	struct vm *vm = vm_create(own(state), 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel0");
	vm_unrealize(vm, 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "");
	vm_stop(vm);
}

/* A realize that fails, or a device that goes before freeze, leaves no window behind. */
static void life1_reservation_goes_with_the_device(void **state)
{
	struct vm *vm = vm_create(own(state), 2);

	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_int_equal(vm_realize(vm, 1, NULL), 0);
	vm_unrealize(vm, 0);
	vm_free(vm, 0);
	assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_machine_done(vm, 1, NULL), 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "accel1");
	/* one window exists, the one of the device that stayed, at the first place */
	assert_null(cxlvm_machine_window(vm->machine, 1));
	assert_int_equal(cxlvm_machine_window(vm->machine, 0)->base.value, VM_WINDOW(0));
	vm_stop(vm);
}

/* Own placement cannot add a window to a frozen machine. */
static void realize_after_own_freeze_is_refused(void **state)
{
	struct vm *vm = vm_create(own(state), 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, &err), -ENOENT);
	assert_message_has(&err, VM_UID(0));
	vm_stop(vm);
}

static void machine_done_before_freeze_asks_again(void **state)
{
	struct vm *vm = vm_create(own(state), 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_int_equal(vm_machine_done(vm, 0, &err), -EAGAIN);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, &err), -EAGAIN);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_machine_done(vm, 0, NULL), 0); /* may be repeated */
	vm_check_running(vm);
	vm_stop(vm);
}

int main(void)
{
#define OWN(f)  TEST_ON(f, OWN_FAKE_2, "[own,fake 2]"), TEST_ON(f, OWN_FAKE_5, "[own,fake 5]")
#define QEMU(f) TEST_ON(f, QEMU_FAKE_2, "[qemu,fake 2]"), TEST_ON(f, QEMU_FAKE_5, "[qemu,fake 5]")
	const struct CMUnitTest tests[] = {
		OWN(win1_two_devices_are_placed_in_order),
		OWN(win6_window_base_moves_one_window),
		OWN(win6_the_same_place_beside_other_devices),
		OWN(win2_automatic_placement_avoids_explicit_bases),
		OWN(chk1_chk2_win5_w5_w39_bad_window_bases_are_refused),
		OWN(win4_w6_window_that_does_not_fit_is_an_error),
		TEST_FAKE(win3_w37_window_outside_usable_iova_is_refused),
		OWN(win3_window_base_outside_usable_iova_is_refused),
		OWN(win1_windows_are_aligned_for_the_largest_page),
		TEST_SIM_ON(win2_32_devices_run_and_the_33rd_is_refused, 5),
		TEST_FAKE_2(win2_32_devices_run_and_the_33rd_is_refused),
		OWN(win2_33rd_window_is_refused_with_the_number),
		TEST_FAKE(bridge_that_does_not_exist_is_refused),
		TEST_FAKE(claim_second_device_names_the_first),
		QEMU(life3_w38_window_can_be_claimed_again),
		OWN(life3_unrealize_frees_the_window_of_own_placement),
		OWN(life1_reservation_goes_with_the_device),
		OWN(realize_after_own_freeze_is_refused),
		OWN(machine_done_before_freeze_asks_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

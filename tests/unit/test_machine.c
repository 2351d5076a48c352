/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine without devices: ranges, bridges, placed windows, freeze; refusals have numbers. */
#include <cxlvm/window.h>

#include <cxlvm/host.h>
#include <errno.h>

#include "test.h"
#include "vm.h"

#define GIB 0x40000000ull

static struct cxlvm_machine *make(unsigned int phys_bits, uint64_t from)
{
	struct cxlvm_machine_config config = { .size = sizeof(config),
					       .phys_bits = phys_bits,
					       .place_from = { from } };
	struct cxlvm_machine *machine = NULL;

	assert_int_equal(cxlvm_machine_create(&config, &machine, NULL), 0);
	assert_non_null(machine);
	return machine;
}

static struct cxlvm_window window_at(uint64_t base, uint64_t size)
{
	return (struct cxlvm_window){ .name = "w1",
				      .has_base = true,
				      .base = { base },
				      .size = size,
				      .restrictions = 0x15,
				      .n_targets = 1,
				      .targets = { 7 } };
}

static struct cxlvm_gpa gpa(uint64_t value)
{
	return (struct cxlvm_gpa){ value };
}

static void machine_refuses_bad_widths(void **state)
{
	static const struct {
		unsigned int bits;
		uint64_t from;
	} bad[] = { { 0, 0 },  { 31, 0 },          { 53, 0 },
		    { 64, 0 }, { 36, 1ull << 36 }, { 36, 1ull << 40 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cxlvm_machine_config config = { .size = sizeof(config),
						       .phys_bits = bad[i].bits,
						       .place_from = { bad[i].from } };
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct cxlvm_machine *machine = NULL;

		assert_int_equal(cxlvm_machine_create(&config, &machine, &err), -EINVAL);
		assert_null(machine);
		assert_message_has(&err, bad[i].bits);
	}
	for (unsigned int bits = 32; bits <= 52; bits += 20) {
		struct cxlvm_machine *machine = make(bits, 0);

		assert_int_equal(cxlvm_machine_phys_bits(machine), bits);
		cxlvm_machine_destroy(machine);
	}
	cxlvm_machine_destroy(NULL);
}

static void win2_ranges_may_not_overlap(void **state)
{
	struct cxlvm_machine *machine = make(46, 0);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_int_equal(cxlvm_machine_add_range(machine, "RAM", gpa(0), 0x20000000, NULL), 0);
	/* touching is not overlapping */
	assert_int_equal(cxlvm_machine_add_range(machine, "rom", gpa(0x20000000), 1, NULL), 0);
	assert_int_equal(cxlvm_machine_add_range(machine, "gic", gpa(0x1fffffff), 0x10, &err),
			 -EEXIST);
	assert_message_says(&err, "RAM");
	assert_message_says(&err, "gic");
	assert_message_has(&err, 0x1fffffff);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(cxlvm_machine_add_range(machine, "none", gpa(0x30000000), 0, &err),
			 -EINVAL);
	assert_message_says(&err, "none");
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(cxlvm_machine_add_range(machine, "wrap", gpa(UINT64_MAX), 2, &err),
			 -EINVAL);
	assert_message_says(&err, "wrap");
	cxlvm_machine_destroy(machine);
}

static void machine_counts_its_ranges(void **state)
{
	struct cxlvm_machine *machine = make(46, 0);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < CXLVM_RANGES_MAX; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		assert_int_equal(
			cxlvm_machine_add_range(machine, name, gpa(i * 0x1000ull), 0x1000, NULL),
			0);
	}
	assert_int_equal(cxlvm_machine_add_range(machine, "more", gpa(GIB), 1, &err), -ENOSPC);
	assert_message_has(&err, CXLVM_RANGES_MAX);
	cxlvm_machine_destroy(machine);
}

static void bridges_have_unique_uids_and_aligned_blocks(void **state)
{
	static const uint64_t bad[] = { 0x8000, 0x100001000, 0xffffffffffff0000ull };
	struct cxlvm_machine *machine = make(46, 0x100000000);
	struct cxlvm_gpa base = gpa(0x100000000);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_int_equal(cxlvm_machine_add_bridge(machine, "first", 7, &base, NULL), 0);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "second", 7, NULL, &err), -EEXIST);
	assert_message_has(&err, 7);
	assert_message_says(&err, "first");
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(cxlvm_machine_add_bridge(machine, "second", 8, &base, &err), -EEXIST);
	assert_message_has(&err, 0x100000000);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		err = (struct cxlvm_error)CXLVM_ERROR_INIT;
		base = gpa(bad[i]);
		assert_true(cxlvm_machine_add_bridge(machine, "bad", 9, &base, &err) < 0);
		assert_message_has(&err, bad[i]);
	}
	assert_null(cxlvm_machine_bridge(machine, 1));
	assert_string_equal(cxlvm_machine_bridge(machine, 0)->name, "first");
	cxlvm_machine_destroy(machine);
}

/* Unaligned, zero, inside RAM, beyond the width, over another: both numbers, nothing added. */
static void win1_placed_windows_are_checked(void **state)
{
	static const struct {
		uint64_t base, size;
		int code;
		uint64_t first, second;
	} bad[] = {
		{ 0x140001000, 0x10000000, -EINVAL, 0x140001000, 0x10000000 },
		{ 0x148000000, 0x10000000, -EINVAL, 0x148000000, 0x10000000 },
		{ 0x140000000, 0x08000000, -EINVAL, 0x08000000, 0x10000000 },
		{ 0x140000000, 0, -EINVAL, 0, 0 },
		{ 0, 0x10000000, -EINVAL, 0, 0 },
		{ 0x10000000, 0x10000000, -EEXIST, 0x10000000, 0 },
		{ 0x3ff0000000, 0x20000000, -ERANGE, 0x3ff0000000, 38 },
		{ 0x4000000000, 0x10000000, -ERANGE, 0x4000000000, 38 },
		{ 0xfffffffff0000000, 0x20000000, 0, 0xfffffffff0000000, 0x20000000 },
		{ 0x200000000, 0x10000000, -EEXIST, 0x200000000, 0x1f0000000 },
	};
	struct cxlvm_machine *machine = make(38, 0x100000000);
	struct cxlvm_window good = window_at(0x1f0000000, 0x20000000);

	(void)state;
	assert_int_equal(cxlvm_machine_add_range(machine, "RAM", gpa(0), 0x20000000, NULL), 0);
	snprintf(good.name, sizeof(good.name), "other");
	assert_int_equal(cxlvm_machine_add_window(machine, &good, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cxlvm_window window = window_at(bad[i].base, bad[i].size);
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret = cxlvm_machine_add_window(machine, &window, &err);

		if (!ret || (bad[i].code && ret != bad[i].code))
			fail_msg("window %zu: %d, %s", i, ret, err.message);
		assert_message_has(&err, bad[i].first);
		if (bad[i].second == 38 && !message_has(&err, 38))
			assert_message_has(&err, 0x4000000000);
		else if (bad[i].second > 38)
			assert_message_has(&err, bad[i].second);
		assert_message_says(&err, "w1");
		if (ret == -EEXIST)
			assert_message_says(&err, i == 5 ? "RAM" : "other");
		assert_null(cxlvm_machine_window(machine, 1));
	}
	/* the last granule below the limit is fine */
	good = window_at(0x3ff0000000, 0x10000000);
	assert_int_equal(cxlvm_machine_add_window(machine, &good, NULL), 0);
	assert_string_equal(cxlvm_machine_window(machine, 1)->name, "w1");
	assert_null(cxlvm_machine_window(machine, 2));
	cxlvm_machine_destroy(machine);
}

static void machine_counts_its_windows(void **state)
{
	struct cxlvm_machine *machine = make(46, 0x100000000);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_window window;

	(void)state;
	for (unsigned int i = 0; i < CXLVM_WINDOWS_MAX; i++) {
		window = window_at(0x1000000000 + i * GIB, 0x10000000);
		snprintf(window.name, sizeof(window.name), "w%u", i);
		assert_int_equal(cxlvm_machine_add_window(machine, &window, NULL), 0);
	}
	window = window_at(0x2000000000, 0x10000000);
	assert_int_equal(cxlvm_machine_add_window(machine, &window, &err), -ENOSPC);
	assert_message_has(&err, CXLVM_WINDOWS_MAX);
	window.n_targets = CXLVM_TARGETS_MAX + 1;
	assert_true(cxlvm_machine_add_window(machine, &window, NULL) < 0);
	cxlvm_machine_destroy(machine);
}

/* A host may add bridges late (QEMU does), so a target is looked for when the table is made. */
static void acpi6_dangling_target_is_an_error_in_the_table(void **state)
{
	struct cxlvm_window window = window_at(0x140000000, 0x10000000);
	struct cxlvm_machine *machine = make(46, 0x100000000);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_gpa unknown = { 0 };
	uint8_t cedt[256];
	size_t needed;

	(void)state;
	assert_int_equal(cxlvm_machine_add_bridge(machine, "b", 8, NULL, NULL), 0);
	assert_int_equal(cxlvm_machine_add_window(machine, &window, NULL), 0);
	assert_int_equal(cxlvm_machine_freeze(machine, NULL), 0);
	assert_int_equal(cxlvm_cedt_build(machine, NULL, cedt, sizeof(cedt), &needed, &err),
			 -ENOENT);
	assert_message_says(&err, "w1");
	assert_message_has(&err, 7);
	/* a bridge whose block the host keeps may come after freeze, and is in no table */
	assert_int_equal(cxlvm_machine_add_bridge(machine, "a", 7, NULL, NULL), -EBUSY);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "a", 7, &unknown, NULL), 0);
	assert_false(cxlvm_machine_bridge(machine, 1)->has_base);
	assert_int_equal(cxlvm_cedt_build(machine, NULL, cedt, sizeof(cedt), &needed, NULL),
			 -ENOENT);
	cxlvm_machine_destroy(machine);
}

static void freeze_ends_all_changes(void **state)
{
	struct cxlvm_window window = window_at(0x140000000, 0x10000000);
	struct cxlvm_machine *machine = make(46, 0x100000000);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_int_equal(cxlvm_machine_freeze(machine, NULL), 0);
	assert_int_equal(cxlvm_machine_freeze(machine, &err), -EALREADY);
	assert_int_equal(err.code, -EALREADY);
	assert_int_equal(cxlvm_machine_add_range(machine, "r", gpa(0), 1, NULL), -EBUSY);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "b", 7, NULL, NULL), -EBUSY);
	assert_int_equal(cxlvm_machine_add_window(machine, &window, NULL), -EBUSY);
	assert_null(cxlvm_machine_window(machine, 0));
	assert_null(cxlvm_machine_bridge(machine, 0));
	cxlvm_machine_destroy(machine);
}

/* Blocks avoid ranges and placed windows, from place_from upwards, 64 KiB each. */
static void freeze_places_blocks_around_ranges(void **state)
{
	struct cxlvm_machine *machine = make(46, 0x100000000);

	(void)state;
	assert_int_equal(cxlvm_machine_add_range(machine, "RAM", gpa(0x100000000), 0x50000000, 0),
			 0);
	assert_int_equal(cxlvm_machine_add_range(machine, "dev", gpa(0x150010000), 0x1000, NULL),
			 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(cxlvm_machine_add_bridge(machine, "b", 3 - i, NULL, NULL), 0);
	assert_int_equal(cxlvm_machine_freeze(machine, NULL), 0);
	assert_int_equal(cxlvm_machine_bridge(machine, 0)->base.value, 0x150000000);
	assert_int_equal(cxlvm_machine_bridge(machine, 1)->base.value, 0x150020000);
	assert_int_equal(cxlvm_machine_bridge(machine, 2)->base.value, 0x150030000);
	assert_int_equal(cxlvm_machine_bridge(machine, 0)->uid, 3);
	assert_true(cxlvm_machine_bridge(machine, 2)->has_base);
	cxlvm_machine_destroy(machine);
}

static void win3_blocks_beyond_the_width_are_refused_all_or_nothing(void **state)
{
	struct cxlvm_machine *machine = make(32, 0xffff0000);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_int_equal(cxlvm_machine_add_bridge(machine, "b", 1, NULL, NULL), 0);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "c", 2, NULL, NULL), 0);
	assert_int_equal(cxlvm_machine_freeze(machine, &err), -ERANGE);
	if (!message_has(&err, 32))
		assert_message_has(&err, 0x100000000);
	assert_false(cxlvm_machine_is_frozen(machine));
	assert_false(cxlvm_machine_bridge(machine, 0)->has_base);
	assert_false(cxlvm_machine_bridge(machine, 1)->has_base);
	cxlvm_machine_destroy(machine);
}

static void w36_place_range_goes_above_everything(void **state)
{
	struct cxlvm_window window = window_at(0x180000000, 0x10000000);
	struct cxlvm_machine *machine = make(36, 0x100000000);
	struct cxlvm_gpa base = gpa(1), second = gpa(1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_true(cxlvm_machine_place_range(machine, "pci", GIB, GIB, &base, NULL) < 0);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "b", 7, NULL, NULL), 0);
	assert_int_equal(cxlvm_machine_add_window(machine, &window, NULL), 0);
	assert_int_equal(cxlvm_machine_freeze(machine, NULL), 0);
	assert_int_equal(cxlvm_machine_place_range(machine, "pci", 2 * GIB, GIB, &base, NULL), 0);
	assert_int_equal(base.value, 0x1c0000000);
	assert_int_equal(cxlvm_machine_place_range(machine, "too", 64 * GIB, GIB, &second, &err),
			 -ERANGE);
	assert_message_says(&err, "too");
	assert_int_equal(cxlvm_machine_place_range(machine, "odd", 0x1000, 0x1000, &second, NULL),
			 0);
	assert_int_equal(second.value, 0x240000000);
	cxlvm_machine_destroy(machine);
}

static void trace_patterns_count_names(void **state)
{
	struct cxlvm_machine *machine = make(46, 0);

	(void)state;
	assert_int_equal(cxlvm_machine_trace(machine, "*", true), CXLVM_TRACE_COUNT);
	assert_int_equal(cxlvm_machine_trace(machine, "cxl_locked_hdm", true), 1);
	assert_int_equal(cxlvm_machine_trace(machine, "cxl_reset_*", false), 2);
	assert_int_equal(cxlvm_machine_trace(machine, "nothing", true), 0);
	cxlvm_machine_destroy(machine);
}

/* A caller that was built against a shorter or longer structure. */
static void structures_say_their_size(void **state)
{
	struct cxlvm_machine_config config = { .size = 0, .phys_bits = 46 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_machine *machine = NULL;

	(void)state;
	assert_int_equal(cxlvm_machine_create(&config, &machine, &err), -EINVAL);
	assert_null(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(machine_refuses_bad_widths),
		cmocka_unit_test(win2_ranges_may_not_overlap),
		cmocka_unit_test(machine_counts_its_ranges),
		cmocka_unit_test(bridges_have_unique_uids_and_aligned_blocks),
		cmocka_unit_test(win1_placed_windows_are_checked),
		cmocka_unit_test(machine_counts_its_windows),
		cmocka_unit_test(acpi6_dangling_target_is_an_error_in_the_table),
		cmocka_unit_test(freeze_ends_all_changes),
		cmocka_unit_test(freeze_places_blocks_around_ranges),
		cmocka_unit_test(win3_blocks_beyond_the_width_are_refused_all_or_nothing),
		cmocka_unit_test(w36_place_range_goes_above_everything),
		cmocka_unit_test(trace_patterns_count_names),
		cmocka_unit_test(structures_say_their_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

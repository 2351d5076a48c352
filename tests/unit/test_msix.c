/* SPDX-License-Identifier: BSD-3-Clause */
/* MSI-X of the software device: capability, table, pending bits, as on a bus. */
#include "device/device.h"
#include "test.h"

#define CONTROL 0x82u
#define ENABLE  0x8000u
#define MASKED  0x4000u

struct wires {
	struct swdev dev;
	struct swdev_bus bus;
	unsigned int sent[4];
};

static void interrupt(void *owner, unsigned int vector)
{
	struct wires *w = owner;

	assert_true(vector < 4);
	w->sent[vector]++;
}

static struct wires *plug(void)
{
	static struct wires w;
	struct swdev_config settings = { .memory_size = 0x10000000, .bus = &w.bus };

	memset(&w, 0, sizeof(w));
	w.bus = (struct swdev_bus){ .owner = &w, .interrupt = interrupt };
	assert_int_equal(swdev_init(&w.dev, &settings), 0);
	return &w;
}

static void mask(struct wires *w, unsigned int vector, bool masked)
{
	swdev_bar_write(&w->dev, 4, 16 * vector + 12, 4, masked);
}

static void control(struct wires *w, uint32_t value)
{
	swdev_config_write(&w->dev, CONTROL, 2, value);
}

static uint64_t pending(const struct wires *w)
{
	return swdev_bar_read(&w->dev, 4, 0x1000, 8);
}

static void capability_says_where_the_table_is(void **state)
{
	struct wires *w = plug();

	(void)state;
	assert_int_equal(swdev_config_read(&w->dev, 0x34, 1), 0x40);
	assert_int_equal(swdev_config_read(&w->dev, 0x40, 2), 0x8010);
	assert_int_equal(swdev_config_read(&w->dev, 0x80, 4), 0x00030011);
	assert_int_equal(swdev_config_read(&w->dev, 0x84, 4), 0x4);
	assert_int_equal(swdev_config_read(&w->dev, 0x88, 4), 0x1004);
	/* only enable and function mask can be written */
	for (uint32_t at = 0x80; at < 0x8c; at += 4)
		swdev_config_write(&w->dev, at, 4, UINT32_MAX);
	assert_int_equal(swdev_config_read(&w->dev, 0x80, 4), 0xc0030011);
	assert_int_equal(swdev_config_read(&w->dev, 0x84, 4), 0x4);
	assert_int_equal(swdev_config_read(&w->dev, 0x88, 4), 0x1004);
}

static void bars_are_sized_as_memory(void **state)
{
	static const uint32_t sizes[] = { 0xfffe0004, 0xffffffff, 0xfffff004,
					  0xffffffff, 0xffffe004, 0xffffffff };
	struct wires *w = plug();

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		swdev_config_write(&w->dev, 0x10 + 4 * i, 4, UINT32_MAX);
		assert_int_equal(swdev_config_read(&w->dev, 0x10 + 4 * i, 4), sizes[i]);
	}
}

static void table_keeps_what_is_written(void **state)
{
	struct wires *w = plug();

	(void)state;
	for (uint32_t at = 0; at < 0x1000; at += 4) {
		bool is_mask = at < 0x40 && at % 16 == 12;
		bool is_address = at < 0x40 && at % 16 == 0;

		assert_int_equal(swdev_bar_read(&w->dev, 4, at, 4), is_mask);
		swdev_bar_write(&w->dev, 4, at, 4, UINT32_MAX);
		assert_int_equal(swdev_bar_read(&w->dev, 4, at, 4), is_mask      ? 1
								    : is_address ? 0xfffffffc
								    : at < 0x40  ? UINT32_MAX
										 : 0);
	}
	swdev_bar_write(&w->dev, 4, 0, 8, 0x1122334455667788);
	assert_true(swdev_bar_read(&w->dev, 4, 0, 8) == 0x1122334455667788);
}

static void masks_hold_a_message_back(void **state)
{
	struct wires *w = plug();

	(void)state;
	/* off: nothing is sent or remembered */
	mask(w, 1, false);
	msix_raise(&w->dev, 1);
	assert_int_equal(pending(w), 0);
	control(w, ENABLE);
	assert_int_equal(w->sent[1], 0);
	/* on */
	msix_raise(&w->dev, 1);
	assert_int_equal(w->sent[1], 1);
	/* masked by vector: pending, sent once when the mask goes */
	msix_raise(&w->dev, 2);
	msix_raise(&w->dev, 2);
	assert_int_equal(pending(w), 4);
	assert_int_equal(w->sent[2], 0);
	mask(w, 3, false);
	assert_int_equal(w->sent[2], 0);
	mask(w, 2, false);
	assert_int_equal(w->sent[2], 1);
	assert_int_equal(pending(w), 0);
	/* masked by function */
	control(w, ENABLE | MASKED);
	msix_raise(&w->dev, 1);
	msix_raise(&w->dev, 0);
	assert_int_equal(w->sent[1], 1);
	assert_int_equal(pending(w), 3);
	control(w, ENABLE);
	assert_int_equal(w->sent[1], 2);
	assert_int_equal(w->sent[0], 0); /* still masked by vector */
	assert_int_equal(pending(w), 1);
	mask(w, 0, false);
	assert_int_equal(w->sent[0], 1);
}

static void pending_bits_are_read_only(void **state)
{
	struct wires *w = plug();

	(void)state;
	swdev_bar_write(&w->dev, 4, 0x1000, 8, UINT64_MAX);
	assert_int_equal(pending(w), 0);
	control(w, ENABLE);
	msix_raise(&w->dev, 3);
	swdev_bar_write(&w->dev, 4, 0x1000, 8, 0);
	assert_int_equal(pending(w), 8);
	assert_int_equal(swdev_bar_read(&w->dev, 4, 0x1000, 1), 8);
	assert_int_equal(swdev_bar_read(&w->dev, 4, 0x1008, 8), 0);
	assert_int_equal(swdev_bar_read(&w->dev, 4, 0x1ff8, 8), 0);
}

static void rst_reset_masks_all_and_forgets(void **state)
{
	struct wires *w = plug();

	(void)state;
	control(w, ENABLE);
	swdev_bar_write(&w->dev, 4, 0, 8, 0xfee00000);
	mask(w, 0, false);
	msix_raise(&w->dev, 1);
	swdev_reset(&w->dev);
	assert_int_equal(swdev_config_read(&w->dev, CONTROL, 2), 3);
	assert_int_equal(pending(w), 0);
	assert_int_equal(swdev_bar_read(&w->dev, 4, 0, 8), 0);
	assert_int_equal(swdev_bar_read(&w->dev, 4, 12, 4), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(capability_says_where_the_table_is),
		cmocka_unit_test(bars_are_sized_as_memory),
		cmocka_unit_test(table_keeps_what_is_written),
		cmocka_unit_test(masks_hold_a_message_back),
		cmocka_unit_test(pending_bits_are_read_only),
		cmocka_unit_test(rst_reset_masks_all_and_forgets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Resets of the software device and of the kernels on top of it: who asks for which reset, and
 * what becomes of device memory (CXL 3.1, 8.1.3.1, 8.1.3.4, 8.1.3.5 and 9.7).
 */
#include <errno.h>

#include "fake.h"
#include "kernel_shape/shape.h"
#include "test.h"

#define CAPABILITY 0x11au
#define CONTROL2   0x120u
#define STATUS2    0x122u
#define INVALID    1u
#define COMPLETE   2u
#define FAILED     4u
#define WRITE_BACK 2u
#define RESET      4u
#define CLEAR      8u

static const unsigned int kernels[] = { 2, 0x2e, 3, 4, 5, 6 };

struct machine {
	struct swdev dev;
	struct swdev_bus bus;
	struct kernel_shape shape;
	unsigned int clears;
	int answer;
};

static int memory_clear(void *owner)
{
	struct machine *m = owner;

	m->clears++;
	return m->answer;
}

static struct machine *plug(unsigned int kernel)
{
	static struct machine m;
	struct swdev_config settings = {
		.memory_size = 0x10000000,
		.base = { 0x6a700000000 },
		.bus = &m.bus,
	};

	memset(&m, 0, sizeof(m));
	m.bus = (struct swdev_bus){ .owner = &m, .memory_clear = memory_clear };
	assert_int_equal(swdev_init(&m.dev, &settings), 0);
	assert_int_equal(kernel_shape_init(&m.shape, &m.dev, kernel, 4096), 0);
	kernel_shape_open(&m.shape);
	return &m;
}

static uint32_t get(const struct machine *m, uint32_t at)
{
	uint8_t bytes[2];

	assert_int_equal(kernel_shape_read(&m->shape, 7, at, bytes, 2), 0);
	return (uint32_t)fake_get(bytes, 2);
}

static void put(struct machine *m, uint32_t at, uint32_t value)
{
	uint8_t bytes[2];

	fake_put(bytes, 2, value);
	assert_int_equal(kernel_shape_write(&m->shape, 7, at, bytes, 2), 0);
}

/* Cache, I/O and memory; hardware init; one range; write-back; CXL reset with memory clear. */
static void device_says_what_a_type_2_device_can(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		assert_int_equal(get(plug(kernels[i]), CAPABILITY), 0x08df);
}

static void rst3_device_resets_when_asked(void **state)
{
	struct machine *m = plug(2);

	(void)state;
	m->dev.cm[0x118 / 4] = 0x20000000; /* spoilt, to be set by the reset */
	swdev_config_write(&m->dev, CONTROL2, 2, RESET);
	assert_int_equal(swdev_config_read(&m->dev, STATUS2, 2), COMPLETE);
	assert_int_equal(swdev_config_read(&m->dev, CONTROL2, 2), 0);
	assert_int_equal(m->dev.cm[0x118 / 4], 0x10000000);
	assert_int_equal(m->clears, 0);
	/* memory is cleared when that is enabled, in the same write or before */
	swdev_config_write(&m->dev, CONTROL2, 2, RESET | CLEAR);
	assert_int_equal(m->clears, 1);
	assert_int_equal(swdev_config_read(&m->dev, CONTROL2, 2), 0);
	swdev_config_write(&m->dev, CONTROL2, 2, CLEAR);
	assert_int_equal(m->clears, 1);
	swdev_config_write(&m->dev, CONTROL2, 1, CLEAR | RESET);
	assert_int_equal(m->clears, 2);
	/* an error is told, and goes with the next reset */
	m->answer = -EIO;
	swdev_config_write(&m->dev, CONTROL2, 4, RESET | CLEAR);
	assert_int_equal(swdev_config_read(&m->dev, STATUS2, 2), FAILED);
	swdev_config_write(&m->dev, CONTROL2, 2, RESET);
	assert_int_equal(swdev_config_read(&m->dev, STATUS2, 2), COMPLETE);
	/* who cannot clear says so */
	m->bus.memory_clear = NULL;
	swdev_config_write(&m->dev, CONTROL2, 2, RESET | CLEAR);
	assert_int_equal(swdev_config_read(&m->dev, STATUS2, 2), FAILED);
}

static void rst_reset_while_copying_clears_nothing_twice(void **state)
{
	struct machine *m = plug(5);

	(void)state;
	swdev_bar_write(&m->dev, 2, 0x20, 4, 4096);
	swdev_bar_write(&m->dev, 2, 0x24, 4, 1);
	assert_true(swdev_engine_busy(&m->dev));
	assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
	assert_false(swdev_engine_busy(&m->dev));
	assert_int_equal(m->clears, 1);
}

/* The kernel's own reset and function-level reset: 5 and 6 clear, always (7.5). */
static void rst_kernel_reset_clears_in_5_and_6(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		struct machine *m = plug(kernel);
		bool clears = kernel == 5 || kernel == 6;

		assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
		assert_int_equal(m->clears, clears);
		put(m, 0x48, 0x8000); /* FLR */
		assert_int_equal(m->clears, 2 * clears);
		assert_true(kernel_shape_memory_usable(&m->shape));
	}
}

/* 7.5: memory stays gated until a reset succeeds. */
static void rst_memory_stays_gated_after_a_failed_reset(void **state)
{
	(void)state;
	for (unsigned int kernel = 5; kernel <= 6; kernel++) {
		struct machine *m = plug(kernel);
		size_t len = 8;

		m->answer = -EIO;
		assert_int_equal(kernel_shape_device_reset(&m->shape), -EIO);
		assert_false(kernel_shape_memory_usable(&m->shape));
		assert_int_equal(kernel_shape_memory_access(&m->shape, 0, &len), -EIO);
		m->answer = 0;
		assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
		assert_true(kernel_shape_memory_usable(&m->shape));
		m->answer = -EIO;
		put(m, 0x48, 0x8000); /* FLR says nothing */
		assert_false(kernel_shape_memory_usable(&m->shape));
	}
}

/*
 * A guest's request: forwarded without its wish for the memory (2), real with it (2n, 4), nothing
 * (3), pretended (5, 6).
 */
static void rst3_guest_reset_by_generation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		bool real = kernel == 0x2e || kernel == 4;
		struct machine *m = plug(kernel);

		put(m, CONTROL2, RESET);
		assert_int_equal(m->clears, 0);
		assert_int_equal(get(m, STATUS2), kernel == 3 ? 0 : COMPLETE);
		m = plug(kernel);
		m->answer = -EIO;
		put(m, CONTROL2, CLEAR);
		put(m, CONTROL2, RESET | CLEAR);
		assert_int_equal(m->clears, real);
		assert_int_equal(get(m, STATUS2), real ? FAILED : kernel == 3 ? 0 : COMPLETE);
		m->answer = 0;
		put(m, CONTROL2, RESET | CLEAR);
		assert_int_equal(m->clears, 2 * real);
		assert_int_equal(get(m, STATUS2), kernel == 3 ? 0 : COMPLETE);
	}
}

/* Generation 2 forwards the request for the caches, and shows the device's answer. */
static void write_back_is_the_devices_in_2(void **state)
{
	struct machine *m = plug(2);

	(void)state;
	assert_int_equal(get(m, STATUS2), 0);
	put(m, CONTROL2, WRITE_BACK);
	assert_int_equal(get(m, STATUS2), INVALID);
	assert_int_equal(swdev_config_read(&m->dev, STATUS2, 2), INVALID);
	assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
	assert_int_equal(get(m, STATUS2), 0);
}

/* MSI-X is put back by a kernel that resets; the pending bits are gone. */
static void rst_interrupts_are_put_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		struct machine *m = plug(kernels[i]);

		assert_int_equal(kernel_shape_irq_set(&m->shape, 2, 1, 2, 1), 0);
		assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
		assert_int_equal(swdev_config_read(&m->dev, 0x82, 2), 0x8003);
		for (uint32_t vector = 0; vector < 4; vector++)
			assert_int_equal(swdev_bar_read(&m->dev, 4, 16 * vector + 12, 4),
					 vector != 1);
		assert_int_equal(kernel_shape_irq_disable(&m->shape, 2), 0);
		assert_int_equal(swdev_config_read(&m->dev, 0x82, 2), 3);
		assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
		assert_int_equal(swdev_config_read(&m->dev, 0x82, 2), 3);
	}
}

/* A server switches them while it runs: what was switched off is gone. */
static void quirks_can_be_switched_while_open(void **state)
{
	const struct shape_quirks fails = { .reset_fails = true },
				  late = { .decoder_late = true, .times = 2 },
				  ones = { .space_off_ones = true }, none = { .times = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		struct machine *m = plug(kernels[i]);
		bool looks = kernels[i] != 3;
		uint8_t bytes[4] = { 0 };

		kernel_shape_set_quirks(&m->shape, &fails);
		assert_int_equal(kernel_shape_device_reset(&m->shape), -EIO);
		assert_false(kernel_shape_memory_usable(&m->shape));
		kernel_shape_set_quirks(&m->shape, &late);
		assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
		assert_int_equal(kernel_shape_memory_usable(&m->shape), !looks);
		kernel_shape_look(&m->shape);
		assert_int_equal(kernel_shape_memory_usable(&m->shape), !looks);
		kernel_shape_look(&m->shape);
		assert_true(kernel_shape_memory_usable(&m->shape));
		kernel_shape_set_quirks(&m->shape, &ones);
		kernel_shape_set_quirks(&m->shape, &none);
		assert_int_equal(kernel_shape_device_reset(&m->shape), 0);
		assert_true(kernel_shape_memory_usable(&m->shape));
		put(m, 4, 0);
		if (kernels[i] != 6)
			assert_int_equal(kernel_shape_read(&m->shape, 9, 0, bytes, 4), 0);
		if (kernels[i] != 5 && kernels[i] != 6)
			assert_int_not_equal(fake_get(bytes, 4), UINT32_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_says_what_a_type_2_device_can),
		cmocka_unit_test(rst3_device_resets_when_asked),
		cmocka_unit_test(rst_reset_while_copying_clears_nothing_twice),
		cmocka_unit_test(rst_kernel_reset_clears_in_5_and_6),
		cmocka_unit_test(rst_memory_stays_gated_after_a_failed_reset),
		cmocka_unit_test(rst3_guest_reset_by_generation),
		cmocka_unit_test(write_back_is_the_devices_in_2),
		cmocka_unit_test(rst_interrupts_are_put_back),
		cmocka_unit_test(quirks_can_be_switched_while_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

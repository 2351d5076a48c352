/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only the shapes have, a test per rule of vfio-cxl-uapi.md 4 to 8: when the decoder is
 * sampled, device memory through the file, the CXL Device DVSEC. The sims are asked where that is
 * enough, the shape itself where the device has to change behind the kernel's back.
 */
#include <errno.h>
#include <stdlib.h>

#include "fake.h"
#include "kernel_shape/shape.h"
#include "raw.h"
#include "test.h"

static const unsigned int kernels[] = { 2, 0x2e, 3, 4, 5, 6 };

struct machine {
	struct swdev dev;
	struct kernel_shape shape;
};

static struct machine *plug(unsigned int kernel)
{
	static struct machine m;
	struct swdev_config settings = { .memory_size = 0x10000000, .base = { 0x6a700000000 } };

	memset(&m, 0, sizeof(m));
	assert_int_equal(swdev_init(&m.dev, &settings), 0);
	assert_int_equal(kernel_shape_init(&m.shape, &m.dev, kernel, 4096), 0);
	kernel_shape_open(&m.shape);
	return &m;
}

/* The real decoder, behind the kernel's back. */
static void set_hardware(struct machine *m, unsigned int offset, uint32_t value)
{
	m->dev.cm[(0x100 + offset) / 4] = value;
}

static uint64_t hdm_at(const struct machine *m, unsigned int kernel)
{
	(void)m;
	return kernel == 2 || kernel == 0x2e ? 0x100 : kernel == 3 ? 0x1100 : 0;
}

static uint32_t get(const struct machine *m, unsigned int kernel, unsigned int offset)
{
	uint8_t bytes[4];

	assert_int_equal(kernel_shape_read(&m->shape, 9, hdm_at(m, kernel) + offset, bytes, 4), 0);
	return (uint32_t)fake_get(bytes, 4);
}

static int put(struct machine *m, unsigned int kernel, unsigned int offset, uint32_t value)
{
	uint8_t bytes[4];

	fake_put(bytes, 4, value);
	return kernel_shape_write(&m->shape, 9, hdm_at(m, kernel) + offset, bytes, 4);
}

static void unknown_generations_have_no_shape(void **state)
{
	static const unsigned int bad[] = { 0, 1, 7, 0x2d, 0x2f, 20 };
	struct machine *m = plug(2);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(kernel_shape_init(&m->shape, &m->dev, bad[i], 4096), -EINVAL);
}

/* Section 2: shadow per bind (3), per open (2, 2n, 4), none (5, 6). */
static void shadow_is_sampled_at_bind_or_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		struct machine *m = plug(kernel);

		set_hardware(m, 0x18, 0x20000000);
		assert_int_equal(get(m, kernel, 0x18),
				 kernel >= 5 && kernel != 0x2e ? 0x20000000 : 0x10000000);
		kernel_shape_open(&m->shape);
		assert_int_equal(get(m, kernel, 0x18), kernel == 3 ? 0x10000000 : 0x20000000);
	}
}

/* 5: writes survive a close and reopen; 6: they do not. */
static void shadow_writes_after_reopen(void **state)
{
	struct machine *m = plug(3);

	(void)state;
	assert_int_equal(put(m, 3, 0x20, 0), 0);
	assert_int_equal(put(m, 3, 0x10, 0x40000000), 0);
	kernel_shape_open(&m->shape);
	assert_int_equal(get(m, 3, 0x20), 0);
	assert_int_equal(get(m, 3, 0x10), 0x40000000);
	m = plug(4);
	set_hardware(m, 0x20, 0x600); /* not locked */
	kernel_shape_open(&m->shape);
	assert_int_equal(put(m, 4, 0x20, 0), 0);
	assert_int_equal(put(m, 4, 0x10, 0x40000000), 0);
	assert_int_equal(get(m, 4, 0x10), 0x40000000);
	kernel_shape_open(&m->shape);
	assert_int_equal(get(m, 4, 0x20), 0x600);
	assert_int_equal(get(m, 4, 0x10), 0);
}

/* After a reset: 2 and 4 sample again, 2n and 3 keep what they had, 5 and 6 are live. */
static void shadow_after_a_reset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		struct machine *m = plug(kernel);
		bool keeps = kernel == 0x2e || kernel == 3;

		set_hardware(m, 0x20, 0);
		kernel_shape_reset(&m->shape);
		assert_int_equal(get(m, kernel, 0x20) & 0x400, keeps ? 0x400 : 0);
	}
}

/* 4.2: a decoder that is committed but not locked keeps the host address. */
static void generation_2_keeps_an_unlocked_base(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct machine *m = plug(kernels[i]);

		set_hardware(m, 0x20, 0x600);
		kernel_shape_open(&m->shape);
		assert_int_equal(get(m, kernels[i], 0x14), 0x6a7);
		assert_int_equal(get(m, kernels[i], 0x20), 0x600);
	}
}

/* Section 6, the decoder that firmware did not lock. */
static void generation_4_decoder_machine(void **state)
{
	struct machine *m = plug(4);

	(void)state;
	set_hardware(m, 0x20, 0xe00); /* with error bit */
	kernel_shape_open(&m->shape);
	assert_int_equal(put(m, 4, 0x10, 0x40000000), 0);
	assert_int_equal(get(m, 4, 0x10), 0); /* committed */
	assert_int_equal(put(m, 4, 0, 0xffffffff), 0);
	assert_int_equal(get(m, 4, 0), 0);
	assert_int_equal(put(m, 4, 0x20, 0x200), 0);
	assert_int_equal(get(m, 4, 0x20), 0x600); /* error dropped */
	assert_int_equal(put(m, 4, 0x20, 0), 0);
	assert_int_equal(get(m, 4, 0x20), 0);
	assert_int_equal(put(m, 4, 0x10, 0x4fffffff), 0);
	assert_int_equal(get(m, 4, 0x10), 0x40000000);
	assert_int_equal(put(m, 4, 0x20, 0x300), 0);
	assert_int_equal(get(m, 4, 0x20), 0x700);
	assert_int_equal(put(m, 4, 0x20, 0), 0);
	assert_int_equal(get(m, 4, 0x20), 0x700); /* frozen */
	assert_int_equal(put(m, 4, 0x10, 0), 0);
	assert_int_equal(get(m, 4, 0x10), 0x40000000);
}

/* Is mapped memory reachable: decoder lost, Memory Space off. */
static void memory_gate(void **state)
{
	static const struct {
		unsigned int kernel;
		bool no_decoder, no_space;
	} gates[] = { { 2, false, true },  { 0x2e, false, true }, { 3, true, true },
		      { 4, false, false }, { 5, false, false },   { 6, false, true } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
		struct machine *m = plug(gates[i].kernel);

		assert_true(kernel_shape_memory_usable(&m->shape));
		swdev_config_write(&m->dev, 4, 2, 0);
		assert_int_equal(kernel_shape_memory_usable(&m->shape), gates[i].no_space);
		swdev_config_write(&m->dev, 4, 2, 2);
		set_hardware(m, 0x20, 0);
		kernel_shape_reset(&m->shape);
		assert_int_equal(kernel_shape_memory_usable(&m->shape), gates[i].no_decoder);
	}
}

/* pread and pwrite of device memory: error, or how much of 8 bytes. */
static int file_access(struct machine *m, uint64_t offset)
{
	size_t len = 8;
	int ret = kernel_shape_memory_access(&m->shape, offset, &len);

	return ret ? ret : (int)len;
}

static void memory_file(void **state)
{
	static const struct {
		unsigned int kernel;
		int inside, across, end, dark, no_space;
	} rules[] = {
		{ 2, 8, 4, 0, -EIO, 8 },          { 0x2e, 8, 4, 0, -EIO, 8 },
		{ 3, 8, -EINVAL, -EINVAL, 8, 8 }, { 4, -EIO, -EIO, -EIO, -EIO, -EIO },
		{ 5, 8, 4, -EINVAL, -EIO, -EIO }, { 6, 8, 4, -EINVAL, -EIO, 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		struct machine *m = plug(rules[i].kernel);

		assert_int_equal(file_access(m, 0), rules[i].inside);
		assert_int_equal(file_access(m, 0xffffff8), rules[i].inside);
		assert_int_equal(file_access(m, 0xffffffc), rules[i].across);
		assert_int_equal(file_access(m, 0x10000000), rules[i].end);
		swdev_config_write(&m->dev, 4, 2, 0);
		assert_int_equal(file_access(m, 0), rules[i].no_space);
		swdev_config_write(&m->dev, 4, 2, 2);
		set_hardware(m, 0x20, 0);
		kernel_shape_reset(&m->shape);
		assert_int_equal(file_access(m, 0), rules[i].dark);
	}
}

/* The same rules through the sim's file; a cut transfer is an error for who wants all of it. */
static void memory_file_of_the_sim(void **state)
{
	struct raw *raw = raw_open(state);
	bool refused = raw->generation == 4;
	uint8_t bytes[8];

	assert_int_equal(raw_write(raw, raw->memory, 0x1000, 0x1122334455667788, 8),
			 refused ? -EIO : 0);
	assert_int_equal(raw_read(raw, raw->memory, 0x1000, bytes, 8), refused ? -EIO : 0);
	if (!refused)
		assert_true(fake_get(bytes, 8) == 0x1122334455667788);
	assert_int_equal(raw_read(raw, raw->memory, 0xffffffc, bytes, 8),
			 raw->generation == 3 ? -EINVAL : -EIO);
	raw_close(raw);
}

/* DVSEC: what is fixed in all generations. */
static void dvsec_fixed(void **state)
{
	struct raw *raw = raw_open(state);
	bool base = raw->generation == 2; /* kept in the shadow there */

	for (unsigned int at = 0; at < 0x3c; at += 4) {
		uint32_t before = raw_dvsec(raw, at, 4);

		if (at >= 0xc && at < 0x18)
			continue;
		if (base && ((at >= 0x20 && at < 0x28) || (at >= 0x30 && at < 0x38)))
			continue;
		raw_set_dvsec(raw, at, 4, ~before);
		assert_int_equal(raw_dvsec(raw, at, 4), before);
		for (unsigned int i = 0; i < 4; i++)
			raw_set_dvsec(raw, at + i, 1, 0xff);
		assert_int_equal(raw_dvsec(raw, at, 4), before);
	}
	assert_int_equal(raw_dvsec(raw, 0x16, 2), 0);
	raw_set_dvsec(raw, 0x16, 2, 0xffff);
	assert_int_equal(raw_dvsec(raw, 0x16, 2), 0);
	raw_close(raw);
}

/* 4.5: range base is kept in the shadow, low 28 bits cleared. */
static void dvsec_2_range_base(void **state)
{
	struct raw *raw = raw_open(state);

	raw_set_dvsec(raw, 0x20, 4, 0x12345678);
	assert_int_equal(raw_dvsec(raw, 0x20, 4), 0x12345678);
	raw_set_dvsec(raw, 0x24, 4, 0xdeadbeef);
	assert_int_equal(raw_dvsec(raw, 0x24, 4), 0xd0000000);
	raw_set_dvsec(raw, 0x27, 1, 0x3f);
	assert_int_equal(raw_dvsec(raw, 0x24, 4), 0x30000000);
	raw_close(raw);
}

/* Control: until the lock (2, 2n, 3); IO_Enable held (2); Mem_Enable held (4). */
static void dvsec_control(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t held = raw->generation == 2 ? 2 : raw->generation == 4 ? 4 : 0;

	raw_set_dvsec(raw, 0xc, 2, 0x0005);
	assert_int_equal(raw_dvsec(raw, 0xc, 2) & 7, 5 | held);
	raw_set_dvsec(raw, 0xc, 2, 0);
	assert_int_equal(raw_dvsec(raw, 0xc, 2), held);
	raw_set_dvsec(raw, 0xc, 1, 0x04);
	assert_int_equal(raw_dvsec(raw, 0xc, 2), 4 | held);
	/* the lock is write-once in 2, 2n and 3, fixed in the others */
	raw_set_dvsec(raw, 0x14, 2, 1);
	assert_int_equal(raw_dvsec(raw, 0x14, 2), raw->generation <= 3);
	raw_set_dvsec(raw, 0x14, 2, 0);
	assert_int_equal(raw_dvsec(raw, 0x14, 2), raw->generation <= 3);
	raw_set_dvsec(raw, 0xc, 2, 0);
	assert_int_equal(raw_dvsec(raw, 0xc, 2), raw->generation <= 3 ? 4 | held : held);
	/* control 2 is locked with it in 3 */
	raw_set_dvsec(raw, 0x10, 2, 1);
	assert_int_equal(raw_dvsec(raw, 0x10, 2) & 1, raw->generation != 3);
	raw_close(raw);
}

/* 5: a 4-byte write changes only the first of two registers. */
static void dvsec_wide_writes(void **state)
{
	struct raw *raw = raw_open(state);

	raw_set_dvsec(raw, 0x14, 4, 0x00000000);
	raw_set_dvsec(raw, 0x10, 4, 0x00000001);
	assert_int_equal(raw_dvsec(raw, 0x10, 2) & 1, 1);
	raw_set_dvsec(raw, 0xc, 4, 0x40000005);
	assert_int_equal(raw_dvsec(raw, 0xc, 2) & 5, 5);
	raw_close(raw);
}

/* Write-1-to-clear: bit 14 of status (2, 2n), all of both (3, 4), nothing (5, 6). */
static void dvsec_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		struct machine *m = plug(kernel);
		bool two = kernel == 2 || kernel == 0x2e, all = kernel == 3 || kernel == 4;
		uint8_t bytes[4] = { 0xff, 0xff, 0xff, 0xff };

		m->shape.dvsec[0xc / 4] |= 0xffff0000;
		m->shape.dvsec[0x10 / 4] |= 0xffff0000;
		assert_int_equal(kernel_shape_write(&m->shape, 7, 0x11e, bytes, 2), 0);
		assert_int_equal(m->shape.dvsec[0xc / 4] >> 16, two ? 0xbfff : all ? 0 : 0xffff);
		assert_int_equal(kernel_shape_write(&m->shape, 7, 0x122, bytes, 2), 0);
		assert_int_equal(m->shape.dvsec[0x10 / 4] >> 16, all ? 0 : 0xffff);
		/* 3: not with the register before it */
		m->shape.dvsec[0xc / 4] |= 0xffff0000;
		assert_int_equal(kernel_shape_write(&m->shape, 7, 0x11c, bytes, 4), 0);
		assert_int_equal(m->shape.dvsec[0xc / 4] >> 16, two           ? 0xbfff
								: kernel == 4 ? 0
									      : 0xffff);
	}
}

/*
 * A request for a CXL reset: forwarded (2), real (2n, 4), stored (3), pretended (5, 6). The real
 * decoder, spoilt before, tells which.
 */
static void dvsec_initiate_reset(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		struct machine *m = plug(kernel);
		bool real = kernel == 2 || kernel == 0x2e || kernel == 4;
		uint8_t bytes[2] = { 0x04, 0x00 };

		set_hardware(m, 0x18, 0x20000000);
		kernel_shape_open(&m->shape);
		assert_int_equal(kernel_shape_write(&m->shape, 7, 0x120, bytes, 2), 0);
		if (kernel == 4) /* sampled again */
			assert_int_equal(get(m, kernel, 0x18), 0x10000000);
		assert_int_equal(m->dev.cm[0x118 / 4], real ? 0x10000000 : 0x20000000);
		assert_int_equal(kernel_shape_read(&m->shape, 7, 0x120, bytes, 2), 0);
		assert_int_equal(bytes[0] & 4, kernel == 3 ? 4 : 0); /* clears itself */
		assert_int_equal(kernel_shape_read(&m->shape, 7, 0x122, bytes, 2), 0);
		assert_int_equal(bytes[0] & 6, kernel == 3 ? 0 : 2);
	}
}

/* Write-back and invalidation: the device's (2), the kernel's (2n, 4), pretended (5, 6), stored (3). */
static void dvsec_initiate_write_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		unsigned int kernel = kernels[i];
		struct machine *m = plug(kernel);
		uint8_t bytes[2] = { 0x02, 0x00 };

		assert_int_equal(kernel_shape_write(&m->shape, 7, 0x120, bytes, 2), 0);
		assert_int_equal(kernel_shape_read(&m->shape, 7, 0x120, bytes, 2), 0);
		assert_int_equal(bytes[0] & 2, kernel == 3 ? 2 : 0);
		assert_int_equal(kernel_shape_read(&m->shape, 7, 0x122, bytes, 2), 0);
		assert_int_equal(bytes[0] & 1, kernel == 3 ? 0 : 1);
	}
}

/* The copy of the DVSEC is the kernel's: nothing of it reaches the device (3 to 6). */
static void dvsec_writes_do_not_reach_the_device(void **state)
{
	(void)state;
	for (size_t i = 2; i < ARRAY_SIZE(kernels); i++) {
		struct machine *m = plug(kernels[i]);
		uint32_t before[0x3c / 4];
		uint8_t bytes[4] = { 0xf9, 0xff, 0xff, 0xff };

		memcpy(before, &m->dev.config[0x110 / 4], sizeof(before));
		for (unsigned int at = 0x110; at < 0x14c; at += 4)
			if (at != 0x120)
				assert_int_equal(kernel_shape_write(&m->shape, 7, at, bytes, 4), 0);
		assert_memory_equal(before, &m->dev.config[0x110 / 4], sizeof(before));
		/* beside it everything does */
		fake_put(bytes, 4, 0);
		assert_int_equal(kernel_shape_write(&m->shape, 7, 4, bytes, 2), 0);
		assert_false(swdev_memory_space(&m->dev));
	}
}

/* Interrupt info: MSI-X alone, with four vectors and eventfds. */
static void interrupt_info(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		struct machine *m = plug(kernels[i]);
		uint8_t bytes[16], want[16];
		size_t needed;

		for (uint32_t index = 0; index < 5; index++) {
			fake_hex(want, 16, "10 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00");
			want[8] = (uint8_t)index;
			want[4] = index == 2;
			want[12] = index == 2 ? 4 : 0;
			assert_int_equal(kernel_shape_irq_info(&m->shape, index, bytes,
							       sizeof(bytes), &needed),
					 0);
			assert_int_equal(needed, 16);
			assert_memory_equal(bytes, want, 16);
		}
		memset(bytes, 0xee, sizeof(bytes));
		assert_int_equal(kernel_shape_irq_info(&m->shape, 2, bytes, 8, &needed), 0);
		assert_int_equal(bytes[4], 1);
		assert_int_equal(bytes[8], 0xee);
		assert_int_equal(kernel_shape_irq_info(&m->shape, 5, bytes, 16, &needed), -EINVAL);
	}
}

/* Memory at the RAS log that no guest may see, in what the kernel lets through. */
static void ras_log_holds_a_host_address(void **state)
{
	struct machine *m = plug(2);
	uint8_t bytes[8];

	(void)state;
	assert_int_equal(kernel_shape_read(&m->shape, 9, 0x98, bytes, 4), 0);
	assert_int_equal(kernel_shape_read(&m->shape, 9, 0x9c, bytes + 4, 4), 0);
	assert_true(fake_get(bytes, 8) == 0x6a70badf0c0);
	m = plug(5);
	assert_int_equal(kernel_shape_read(&m->shape, 0, 0x11098, bytes, 8), 0);
	assert_true(fake_get(bytes, 8) == 0x6a70badf0c0);
}

int main(void)
{
#define SIM(f)                                                                      \
	TEST_ON(f, OWN_SIM_2, "[sim 2]"), TEST_ON(f, OWN_SIM_2N, "[sim 2n]"),       \
		TEST_ON(f, OWN_SIM_3, "[sim 3]"), TEST_ON(f, OWN_SIM_4, "[sim 4]"), \
		TEST_ON(f, OWN_SIM_5, "[sim 5]"), TEST_ON(f, OWN_SIM_6, "[sim 6]")
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unknown_generations_have_no_shape),
		cmocka_unit_test(shadow_is_sampled_at_bind_or_open),
		cmocka_unit_test(shadow_writes_after_reopen),
		cmocka_unit_test(shadow_after_a_reset),
		cmocka_unit_test(generation_2_keeps_an_unlocked_base),
		cmocka_unit_test(generation_4_decoder_machine),
		cmocka_unit_test(memory_gate),
		cmocka_unit_test(memory_file),
		SIM(memory_file_of_the_sim),
		SIM(dvsec_fixed),
		TEST_ON(dvsec_2_range_base, OWN_SIM_2, "[sim 2]"),
		TEST_ON(dvsec_2_range_base, OWN_SIM_2N, "[sim 2n]"),
		SIM(dvsec_control),
		SIM(dvsec_wide_writes),
		cmocka_unit_test(dvsec_status),
		cmocka_unit_test(dvsec_initiate_reset),
		cmocka_unit_test(dvsec_initiate_write_back),
		cmocka_unit_test(dvsec_writes_do_not_reach_the_device),
		cmocka_unit_test(interrupt_info),
		cmocka_unit_test(ras_log_holds_a_host_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

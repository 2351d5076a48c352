/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What accesses to registers do in each generation of the kernel, a test per rule of
 * vfio-cxl-uapi.md 4 to 8, asserted of both the fake and the sim by raw bytes.
 */
#include <errno.h>

#include "raw.h"
#include "test.h"

/* Which lengths and positions each generation takes; the HDM block is 0x30 bytes. */
static void access_register_region(void **state)
{
	static const struct {
		unsigned int offset, length;
		int ret2, ret34, ret56;
	} cases[] = {
		{ 0, 4, 0, 0, 0 },
		{ 0x2c, 4, 0, 0, 0 },
		{ 1, 4, -EINVAL, -EINVAL, -EINVAL },
		{ 2, 2, -EINVAL, -EINVAL, -EINVAL },
		{ 0, 2, -EINVAL, -EINVAL, -EINVAL },
		{ 0, 1, -EINVAL, -EINVAL, -EINVAL },
		{ 0, 6, -EINVAL, -EINVAL, -EINVAL },
		{ 0, 8, -EINVAL, 0, 0 },
		{ 4, 8, -EINVAL, 0, 0 },
	};
	struct raw *raw = raw_open(state);
	uint8_t bytes[8] = { 0 };
	uint64_t end = raw->registers_size;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int want = raw->generation == 2   ? cases[i].ret2
			   : raw->generation <= 4 ? cases[i].ret34
						  : cases[i].ret56;
		uint64_t at = raw->hdm + cases[i].offset;

		assert_int_equal(raw_read(raw, raw->registers, at, bytes, cases[i].length), want);
		if (want)
			assert_int_equal(raw_write(raw, raw->registers, at, 0, cases[i].length),
					 want);
	}
	assert_int_equal(raw_read(raw, raw->registers, end, bytes, 4), -EINVAL);
	assert_int_equal(raw_write(raw, raw->registers, end, 0, 4), -EINVAL);
	assert_int_equal(raw_read(raw, raw->registers, UINT64_MAX - 3, bytes, 4), -EINVAL);
	/* 5 and 6 cut it short, which is an error for who wants all of it */
	assert_int_equal(raw_read(raw, raw->registers, end - 4, bytes, 8),
			 raw->generation == 5 ? -EIO : -EINVAL);
	raw_close(raw);
}

/* Several dwords in one call are the same as one by one. */
static void access_several_dwords_equal_single_ones(void **state)
{
	struct raw *raw = raw_open(state);
	uint8_t block[0x30], one[4];

	assert_int_equal(raw_read(raw, raw->registers, raw->hdm, block, sizeof(block)), 0);
	for (unsigned int at = 0; at < sizeof(block); at += 4) {
		fake_put(one, 4, raw_get(raw, at));
		assert_memory_equal(one, block + at, 4);
	}
	raw_close(raw);
}

static void sampled_decoder(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t control = raw_get(raw, 0x20);

	assert_int_equal(raw_get(raw, 0) & 0xf, 0);
	assert_int_equal(control & 0x1cff, 0x400); /* no error, ways 0, HDM-D */
	assert_int_equal(raw_get(raw, 0x18), 0x10000000);
	assert_int_equal(raw_get(raw, 0x1c), 0);
	if (raw->generation == 2) {
		/* 4.2: lock cleared and base zeroed, for a locked decoder */
		assert_int_equal(control & 0x100, 0);
		assert_int_equal(raw_get(raw, 0x10), 0);
		assert_int_equal(raw_get(raw, 0x14), 0);
	} else {
		/* section 2: with the host's address */
		assert_int_equal(control, 0x700);
		assert_int_not_equal(raw_get(raw, 0x10) | raw_get(raw, 0x14), 0);
	}
	raw_close(raw);
}

/* 4.2 and 5: the array is there as a snapshot; 5: nothing else of the block is. */
static void registers_around_the_hdm_block(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t first = raw->generation == 3 ? 0x1000 : 0;
	uint8_t bytes[4];

	for (uint32_t at = 0; at < raw->registers_size; at += 4) {
		uint32_t value;

		if (at >= raw->hdm && at < raw->hdm + 0x30)
			continue;
		assert_int_equal(raw_read(raw, raw->registers, at, bytes, 4), 0);
		value = (uint32_t)fake_get(bytes, 4);
		if (at == first)
			assert_int_equal(value, 0x02110001);
		if (at == first + 8)
			assert_int_equal(value, 0x10010005);
		if (at < first || at > raw->hdm)
			assert_int_equal(value, 0);
		assert_int_equal(raw_write(raw, raw->registers, at, ~value, 4), 0);
		assert_int_equal(raw_read(raw, raw->registers, at, bytes, 4), 0);
		assert_int_equal(fake_get(bytes, 4), value);
	}
	raw_close(raw);
}

static void generation_2_header(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t cap = raw_get(raw, 0);

	raw_check(raw, 0, ~cap, cap);
	raw_check(raw, 8, 0xffffffff, 0);
	raw_check(raw, 0xc, 0xffffffff, 0);
	/* bits 31:2 dropped; bit 0 only if poison is advertised */
	raw_check(raw, 4, 0xffffffff, cap & 0x400 ? 3 : 2);
	raw_check(raw, 4, 0, 0);
	raw_check(raw, 0x24, 0xffffffff, 0);
	raw_check(raw, 0x28, 0xffffffff, 0);
	raw_close(raw);
}

/* Base and size: low 28 bits cleared; not gated on committed. */
static void generation_2_base_and_size(void **state)
{
	struct raw *raw = raw_open(state);

	assert_int_equal(raw_get(raw, 0x20) & 0x400, 0x400);
	raw_check(raw, 0x10, 0xdeadbeef, 0xd0000000);
	raw_check(raw, 0x14, 0x12345678, 0x12345678);
	raw_check(raw, 0x18, 0x3fffffff, 0x30000000);
	raw_check(raw, 0x1c, 0x00000007, 0x00000007);
	raw_close(raw);
}

static void generation_2_control(void **state)
{
	struct raw *raw = raw_open(state);

	raw_put(raw, 0x10, 0xd0000000);
	/* commit goes to committed at once; read-only bits are masked */
	raw_put(raw, 0x20, 0x00000c00);
	assert_int_equal(raw_get(raw, 0x20) & 0xf00, 0);
	raw_put(raw, 0x20, 0xffffd3ff);
	assert_int_equal(raw_get(raw, 0x20) & 0xfffffdff, 0x000015ff);
	/* locked: base and size are dropped */
	raw_check(raw, 0x10, 0x10000000, 0xd0000000);
	raw_check(raw, 0x14, 1, 0);
	raw_check(raw, 0x18, 0x20000000, 0x10000000);
	raw_check(raw, 0x1c, 1, 0);
	/* a value with lock: dropped; without: only the lock goes */
	raw_check(raw, 0x20, 0x00000300, 0x000017ff);
	raw_check(raw, 0x20, 0x00000000, 0x000016ff);
	raw_check(raw, 0x10, 0x10000000, 0x10000000);
	raw_check(raw, 0x20, 0x00000000, 0x00000000);
	raw_close(raw);
}

static void generation_3_header(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t cap = raw_get(raw, 0);

	raw_check(raw, 0, ~cap, cap);
	raw_check(raw, 8, 0xffffffff, 0);
	raw_check(raw, 0xc, 0xffffffff, 0);
	/* stored as is */
	raw_check(raw, 4, 0xfffffff0, 0xfffffff0);
	raw_check(raw, 0x24, 0x12345678, 0x12345678);
	raw_check(raw, 0x28, 0x9abcdef0, 0x9abcdef0);
	raw_close(raw);
}

static void generation_3_committed(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t low = raw_get(raw, 0x10), high = raw_get(raw, 0x14);

	raw_check(raw, 0x10, ~low, low);
	raw_check(raw, 0x14, ~high, high);
	raw_check(raw, 0x18, 0, 0x10000000);
	raw_check(raw, 0x1c, 1, 0);
	/* only commit is taken */
	raw_check(raw, 0x20, 0xffffffff, 0x700);
	raw_check(raw, 0x20, 0x00000200, 0x700);
	/* clearing it clears committed and lock, whatever else is in the value */
	raw_check(raw, 0x20, 0xfffffdff, 0);
	raw_close(raw);
}

static void generation_3_not_committed(void **state)
{
	struct raw *raw = raw_open(state);

	raw_put(raw, 0x20, 0);
	/* base and size as they are, low bits too */
	raw_check(raw, 0x10, 0x4abcdef1, 0x4abcdef1);
	raw_check(raw, 0x14, 0x00000001, 0x00000001);
	raw_check(raw, 0x18, 0x2fffffff, 0x2fffffff);
	raw_check(raw, 0x1c, 0x00000002, 0x00000002);
	/* control without committed and error */
	raw_check(raw, 0x20, 0x00000c0f, 0x0000000f);
	/* lock alone keeps base and size */
	raw_check(raw, 0x20, 0x00000100, 0x00000100);
	raw_check(raw, 0x10, 0, 0x4abcdef1);
	/* commit sets committed */
	raw_check(raw, 0x20, 0x00000300, 0x00000700);
	raw_close(raw);
}

static void generation_4_committed_and_locked_is_frozen(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t before[12];

	for (unsigned int i = 0; i < 12; i++)
		before[i] = raw_get(raw, 4 * i);
	for (unsigned int i = 0; i < 12; i++)
		if (i != 1)
			raw_check(raw, 4 * i, ~before[i], before[i]);
	raw_check(raw, 0x20, 0, 0x700);
	raw_close(raw);
}

/* A decoder that firmware did not lock: only the fake has one. */
static void generation_4_not_locked(void **state)
{
	struct raw *raw = raw_open(state);
	struct fake *fake = raw->device.fake;

	fake_set_hardware(fake, 0x20, 0x600);
	fake_sample(fake);
	/* base and size only while not committed */
	raw_check(raw, 0x10, 0x40000000, 0xc0000000);
	raw_check(raw, 0x18, 0x20000000, 0x10000000);
	/* clearing commit decommits; the error bit is dropped */
	raw_check(raw, 0x20, 0x00000c00, 0);
	raw_check(raw, 0x10, 0x40000000, 0x40000000);
	raw_check(raw, 0x14, 0x00000003, 0x00000003);
	raw_check(raw, 0x18, 0x20000000, 0x20000000);
	raw_check(raw, 0x1c, 0x00000001, 0x00000001);
	/* commit is copied to committed; with lock it is frozen then */
	raw_check(raw, 0x20, 0x00000a00, 0x00000600);
	raw_check(raw, 0x20, 0x00000300, 0x00000700);
	raw_check(raw, 0x20, 0, 0x00000700);
	raw_check(raw, 0x10, 0, 0x40000000);
	/* until a reset */
	assert_int_equal(raw->device.reset(raw->device.device), 0);
	assert_int_equal(raw_get(raw, 0x20), 0x600);
	assert_int_equal(raw_get(raw, 0x10), 0xc0000000);
	raw_close(raw);
}

/* 7.2: every write is accepted and discarded. */
static void generation_5_and_6_absorb_writes(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t before[12];

	for (unsigned int i = 0; i < 12; i++)
		before[i] = raw_get(raw, 4 * i);
	for (unsigned int i = 0; i < 12; i++)
		raw_put(raw, 4 * i, ~before[i]);
	for (unsigned int i = 0; i < 12; i++)
		assert_int_equal(raw_get(raw, 4 * i), before[i]);
	raw_close(raw);
}

/* 4.6: the shadow is read from hardware again. */
static void reset_2_forgets_the_monitor(void **state)
{
	struct raw *raw = raw_open(state);

	raw_put(raw, 0x10, 0x40000000);
	raw_check(raw, 0x20, 0x300, 0x700);
	assert_int_equal(raw->device.reset(raw->device.device), 0);
	assert_int_equal(raw_get(raw, 0x10), 0);
	assert_int_equal(raw_get(raw, 0x20) & 0x700, 0x600);
	raw_close(raw);
}

/* 4.6 (2n), 5: what was written stays. */
static void reset_2n_and_3_keep_the_shadow(void **state)
{
	struct raw *raw = raw_open(state);

	if (raw->generation == 3)
		raw_put(raw, 0x20, 0);
	raw_put(raw, 0x10, 0x40000000);
	raw_put(raw, 0x14, 0x00000001);
	raw_check(raw, 0x20, 0x300, 0x700);
	assert_int_equal(raw->device.reset(raw->device.device), 0);
	assert_int_equal(raw_get(raw, 0x10), 0x40000000);
	assert_int_equal(raw_get(raw, 0x14), 0x00000001);
	assert_int_equal(raw_get(raw, 0x20), 0x700);
	raw_close(raw);
}

/* Sections 4 to 8: with Memory Space off 5 reads ones, 6 fails, the others have a copy. */
static void memory_space_off(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t command = raw_config(raw, 4, 2), size = raw_get(raw, 0x18);
	uint8_t bytes[4];

	raw_set_config(raw, 4, 2, command & ~2u);
	if (raw->kernel == 6) {
		assert_int_equal(raw_read(raw, raw->registers, raw->hdm, bytes, 4), -EIO);
		assert_int_equal(raw_read(raw, raw->registers, raw->hdm + 0x18, bytes, 4), -EIO);
	} else if (raw->kernel == 5) {
		for (unsigned int at = 0; at < 0x30; at += 4)
			assert_int_equal(raw_get(raw, at), 0xffffffff);
	} else {
		assert_int_equal(raw_get(raw, 0x18), size);
	}
	raw_set_config(raw, 4, 2, command | 2);
	assert_int_equal(raw_get(raw, 0x18), size);
	raw_close(raw);
}

/* Accesses through the BAR to what the register region serves, and beside it. */
static void access_component_bar(void **state)
{
	struct raw *raw = raw_open(state);
	uint64_t block = raw->hdm_in_bar & ~0xffffull, cm = block + 0x1000, hdm = raw->hdm_in_bar;
	int cm_ret = raw->generation == 3 ? -EINVAL : 0;
	int hdm_ret = raw->generation == 3 || raw->generation == 4 ? -EINVAL : 0;
	uint8_t bytes[8] = { 0 };

	/* the array: refused in 3 only */
	assert_int_equal(raw_read(raw, raw->bar, cm, bytes, 4), cm_ret);
	if (!cm_ret)
		assert_int_equal(fake_get(bytes, 4), 0x02110001);
	assert_int_equal(raw_read(raw, raw->bar, block, bytes, 4), cm_ret);
	assert_int_equal(raw_read(raw, raw->bar, block - 4, bytes, 4), 0);
	assert_int_equal(raw_read(raw, raw->bar, block - 4, bytes, 8), cm_ret);
	/* the decoder: as it is in 2, refused in 3 and 4, ones in 5 and 6 */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(raw_read(raw, raw->bar, hdm + 0x20, bytes, 4), hdm_ret);
	if (raw->generation == 2)
		assert_int_equal(fake_get(bytes, 4), 0x700);
	else if (raw->generation == 5)
		assert_int_equal(fake_get(bytes, 4), 0xffffffff);
	assert_int_equal(raw_read(raw, raw->bar, hdm + 0x2f, bytes, 1), hdm_ret);
	/* its neighbours on both sides are ordinary registers */
	assert_int_equal(raw_read(raw, raw->bar, hdm - 4, bytes, 4), cm_ret);
	assert_int_equal(raw_read(raw, raw->bar, hdm + 0x30, bytes, 4), cm_ret);
	/* across the border */
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(raw_read(raw, raw->bar, hdm + 0x2c, bytes, 8), hdm_ret);
	if (raw->generation == 5) {
		assert_int_equal(fake_get(bytes, 4), 0xffffffff);
		assert_int_equal(fake_get(bytes + 4, 4), 0);
	}
	assert_int_equal(raw_write(raw, raw->bar, hdm + 0x20, 0, 4), hdm_ret);
	assert_int_equal(raw_get(raw, 0x20) & 0x600, 0x600);
	/* RAS is there, and takes writes: 1 clears */
	assert_int_equal(raw_read(raw, raw->bar, cm + 0x84, bytes, 4), cm_ret);
	if (!cm_ret)
		assert_int_equal(fake_get(bytes, 4), 0x0001cfff);
	assert_int_equal(raw_write(raw, raw->bar, cm + 0x80, 0xffffffff, 4), cm_ret);
	raw_close(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_KERNEL(access_register_region),
		TEST_KERNEL_ON(access_several_dwords_equal_single_ones, 3),
		TEST_KERNEL_ON(access_several_dwords_equal_single_ones, 4),
		TEST_KERNEL_ON(access_several_dwords_equal_single_ones, 5),
		TEST_KERNEL_ON(access_several_dwords_equal_single_ones, 6),
		TEST_KERNEL(sampled_decoder),
		TEST_KERNEL_ON(registers_around_the_hdm_block, 2),
		TEST_KERNEL_ON(registers_around_the_hdm_block, 2N),
		TEST_KERNEL_ON(registers_around_the_hdm_block, 3),
		TEST_KERNEL_ON(generation_2_header, 2),
		TEST_KERNEL_ON(generation_2_header, 2N),
		TEST_KERNEL_ON(generation_2_base_and_size, 2),
		TEST_KERNEL_ON(generation_2_base_and_size, 2N),
		TEST_KERNEL_ON(generation_2_control, 2),
		TEST_KERNEL_ON(generation_2_control, 2N),
		TEST_KERNEL_ON(generation_3_header, 3),
		TEST_KERNEL_ON(generation_3_committed, 3),
		TEST_KERNEL_ON(generation_3_not_committed, 3),
		TEST_KERNEL_ON(generation_4_committed_and_locked_is_frozen, 4),
		TEST_ON(generation_4_not_locked, OWN_FAKE_4, "[fake 4]"),
		TEST_KERNEL_ON(generation_5_and_6_absorb_writes, 5),
		TEST_KERNEL_ON(generation_5_and_6_absorb_writes, 6),
		TEST_KERNEL_ON(reset_2_forgets_the_monitor, 2),
		TEST_KERNEL_ON(reset_2n_and_3_keep_the_shadow, 2N),
		TEST_KERNEL_ON(reset_2n_and_3_keep_the_shadow, 3),
		TEST_KERNEL(memory_space_off),
		TEST_KERNEL(access_component_bar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

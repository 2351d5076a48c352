/* SPDX-License-Identifier: BSD-3-Clause */
#include "raw.h"

#include "test.h"

const uint8_t *raw_capability(const uint8_t *answer, unsigned int field, size_t len, unsigned id)
{
	uint64_t at = fake_get(answer + field, 4);

	while (at) {
		assert_true(at + 8 <= len && at % 4 == 0);
		if (fake_get(answer + at, 2) == id)
			return answer + at;
		at = fake_get(answer + at + 4, 4);
	}
	return NULL;
}

size_t raw_region(struct raw *raw, uint32_t index, uint8_t *bytes, size_t max)
{
	size_t needed = 0;

	assert_int_equal(
		raw->device.ops->region_info(raw->device.device, index, bytes, max, &needed), 0);
	assert_true(needed >= 32 && needed <= max);
	assert_int_equal(fake_get(bytes, 4), needed);
	assert_int_equal(fake_get(bytes + 8, 4), index);
	return needed;
}

int raw_read(struct raw *raw, uint32_t region, uint64_t offset, void *bytes, size_t len)
{
	return raw->device.ops->read(raw->device.device, region, offset, bytes, len);
}

int raw_write(struct raw *raw, uint32_t region, uint64_t offset, uint64_t value, size_t len)
{
	uint8_t bytes[8];

	fake_put(bytes, 8, value);
	return raw->device.ops->write(raw->device.device, region, offset, bytes, len);
}

uint32_t raw_get(struct raw *raw, uint32_t offset)
{
	uint8_t bytes[4];

	assert_int_equal(raw_read(raw, raw->registers, raw->hdm + offset, bytes, 4), 0);
	return (uint32_t)fake_get(bytes, 4);
}

void raw_put(struct raw *raw, uint32_t offset, uint32_t value)
{
	assert_int_equal(raw_write(raw, raw->registers, raw->hdm + offset, value, 4), 0);
}

uint32_t raw_config(struct raw *raw, uint32_t offset, unsigned int len)
{
	uint8_t bytes[4] = { 0 };

	assert_int_equal(raw_read(raw, 7, offset, bytes, len), 0);
	return (uint32_t)fake_get(bytes, len);
}

void raw_set_config(struct raw *raw, uint32_t offset, unsigned int len, uint32_t value)
{
	assert_int_equal(raw_write(raw, 7, offset, value, len), 0);
}

/* Walk the CM array in the register region, from offset first of it. */
static uint32_t find_hdm(struct raw *raw, uint32_t first)
{
	uint8_t bytes[4];

	for (uint32_t at = first + 4; at < first + 0x40; at += 4) {
		assert_int_equal(raw_read(raw, raw->registers, at, bytes, 4), 0);
		if (fake_get(bytes, 2) == 5)
			return first + ((uint32_t)fake_get(bytes, 4) >> 20);
	}
	fail_msg("no HDM decoder capability in the register region");
	return 0;
}

static void find_regions(struct raw *raw)
{
	uint64_t type_wanted = raw->generation == 4 ? 4 : 0x80001e98;
	uint8_t bytes[1024];

	for (uint32_t index = 9; index < fake_get(raw->info + 8, 4); index++) {
		size_t len = raw_region(raw, index, bytes, sizeof(bytes));
		const uint8_t *type = raw_capability(bytes, 12, len, 2), *geometry;

		if (!type || fake_get(type + 8, 4) != type_wanted)
			continue;
		if (fake_get(type + 12, 4) == 1) {
			raw->memory = index;
			raw->memory_size = fake_get(bytes + 16, 8);
		} else if (fake_get(type + 12, 4) == 2) {
			raw->registers = index;
			raw->registers_size = fake_get(bytes + 16, 8);
			geometry = raw_capability(bytes, 12, len, 6);
			assert_int_equal(geometry != NULL, raw->generation >= 4);
			if (!geometry)
				continue;
			raw->bar = (uint32_t)fake_get(geometry + 8, 4);
			raw->hdm_in_bar = fake_get(geometry + 16, 8);
		}
	}
	assert_true(raw->memory && raw->registers);
}

static void find_dvsec(struct raw *raw)
{
	uint32_t at = 0x100;

	for (unsigned int steps = 0; at && steps < 64; steps++) {
		if (raw_config(raw, at, 2) == 0x23 && raw_config(raw, at + 4, 2) == 0x1e98 &&
		    raw_config(raw, at + 8, 2) == 0)
			raw->dvsec = at;
		at = raw_config(raw, at + 2, 2) >> 4;
	}
	assert_true(raw->dvsec);
}

struct raw *raw_open(void **state)
{
	static struct raw raw;
	const struct variant *variant = *state;
	const uint8_t *cap;

	memset(&raw, 0, sizeof(raw));
	raw.generation = variant->generation;
	raw.kernel = variant->kernel;
	variant->open(&raw.device, 0);
	assert_int_equal(
		raw.device.ops->info(raw.device.device, raw.info, sizeof(raw.info), &raw.info_len),
		0);
	find_regions(&raw);
	find_dvsec(&raw);
	cap = raw_capability(raw.info, 16, raw.info_len, 6);
	assert_int_equal(!!cap, raw.generation <= 3);
	if (raw.generation == 2) {
		assert_non_null(cap);
		/* its offset is that of the CM area, where the region begins */
		raw.hdm = find_hdm(&raw, 0);
		raw.bar = cap[8];
		raw.hdm_in_bar = fake_get(cap + 16, 8) + raw.hdm;
	} else if (raw.generation == 3) {
		assert_non_null(cap);
		/* of the component block, which is the region */
		raw.hdm = find_hdm(&raw, 0x1000);
		raw.bar = (uint32_t)fake_get(cap + 20, 4);
		raw.hdm_in_bar = fake_get(cap + 32, 8) + raw.hdm;
	}
	return &raw;
}

void raw_close(struct raw *raw)
{
	raw->device.close(&raw->device);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a kernel of each generation says about a device, asserted of both the fake and the sim by
 * raw bytes (vfio-cxl-uapi.md 1 to 3): the two agree with the reference page, not with each other.
 * What accesses do is in test_rules.c.
 */
#include <errno.h>

#include "raw.h"
#include "test.h"

static void uapi_info_of_the_device(void **state)
{
	struct raw *raw = raw_open(state);
	const uint8_t *cap = raw_capability(raw->info, 16, raw->info_len, 6);
	uint8_t small[24] = { 0 };
	size_t needed = 0;

	/* RESET, PCI, CXL; CAPS exactly when there are some; argsz */
	assert_int_equal(fake_get(raw->info + 4, 4) & 0x203, 0x203);
	assert_int_equal(!!(fake_get(raw->info + 4, 4) & 0x80), fake_get(raw->info + 16, 4) != 0);
	assert_int_equal(fake_get(raw->info, 4), raw->info_len);
	assert_true(raw->memory < fake_get(raw->info + 8, 4));
	if (raw->generation == 2) {
		assert_non_null(cap);
		assert_int_equal(fake_get(cap + 2, 2), 1);                /* version */
		assert_int_equal(fake_get(cap + 9, 3), 0);                /* reserved */
		assert_int_equal(fake_get(cap + 12, 4) & 1, 1);           /* firmware committed */
		assert_int_equal(fake_get(cap + 16, 8) & 0xffff, 0x1000); /* CM start */
		assert_int_equal(fake_get(cap + 24, 4), raw->memory);
		assert_int_equal(fake_get(cap + 28, 4), raw->registers);
		assert_true(cap + 32 <= raw->info + raw->info_len);
		/* a too small buffer: CAPS, no chain, the needed size */
		assert_int_equal(
			raw->device.ops->info(raw->device.device, small, sizeof(small), &needed),
			0);
		assert_int_equal(needed, raw->info_len);
		assert_int_equal(fake_get(small + 16, 4), 0);
		assert_int_equal(fake_get(small + 4, 4) & 0x80, 0x80);
	} else if (raw->generation == 3) {
		assert_non_null(cap);
		assert_int_equal(fake_get(cap + 2, 2), 1); /* version */
		assert_int_equal(fake_get(cap + 8, 4), 1); /* committed, no other flag */
		assert_int_equal(fake_get(cap + 12, 4), raw->memory);
		assert_int_equal(fake_get(cap + 16, 4), raw->registers);
		assert_true(fake_get(cap + 20, 4) < 6);              /* BAR */
		assert_int_equal(fake_get(cap + 24, 8), 0);          /* reserved, padding */
		assert_int_equal(fake_get(cap + 32, 8) & 0xffff, 0); /* component block */
		assert_int_equal(fake_get(cap + 40, 8), 0x10000);    /* its size */
		assert_true(cap + 48 <= raw->info + raw->info_len);
	} else {
		assert_null(cap);
	}
	raw_close(raw);
}

static void uapi_info_of_the_regions(void **state)
{
	struct raw *raw = raw_open(state);
	uint32_t regions = (uint32_t)fake_get(raw->info + 8, 4);
	uint8_t bytes[1024];
	size_t needed;

	raw_region(raw, raw->memory, bytes, sizeof(bytes));
	assert_int_equal(fake_get(bytes + 4, 4) & 7, 7); /* READ WRITE MMAP */
	assert_int_equal(raw->memory_size, FAKE_MEMORY_SIZE);
	raw_region(raw, raw->registers, bytes, sizeof(bytes));
	assert_int_equal(fake_get(bytes + 4, 4) & 7, 3); /* no MMAP */
	if (raw->generation == 2)
		assert_int_equal(raw->registers_size, raw->hdm + 0x30);
	else
		assert_int_equal(raw->registers_size, raw->generation == 3 ? 0x10000 : 0x30);
	raw_region(raw, 7, bytes, sizeof(bytes));
	assert_int_equal(fake_get(bytes + 16, 8), 4096);
	assert_int_equal(raw->device.ops->region_info(raw->device.device, regions, bytes,
						      sizeof(bytes), &needed),
			 -EINVAL);
	assert_int_equal(raw->device.ops->region_info(raw->device.device, 0xffffffff, bytes,
						      sizeof(bytes), &needed),
			 -EINVAL);
	raw_close(raw);
}

/* The component BAR has a hole where the block is; areas do not touch the HDM block. */
static void uapi_component_bar_has_a_hole(void **state)
{
	struct raw *raw = raw_open(state);
	uint8_t bytes[1024];
	size_t len = raw_region(raw, raw->bar, bytes, sizeof(bytes));
	const uint8_t *sparse = raw_capability(bytes, 12, len, 1);
	uint64_t bar_size = fake_get(bytes + 16, 8);
	/* the whole block, or the page of the HDM block */
	uint64_t page = raw->generation <= 3 ? 0x10000 : 0x1000;
	uint64_t hole = raw->hdm_in_bar & ~(page - 1);

	assert_true(raw->hdm_in_bar + 0x30 <= bar_size);
	if (fake_get(bytes + 4, 4) & 4)
		assert_non_null(sparse);
	for (uint64_t i = 0; sparse && i < fake_get(sparse + 8, 4); i++) {
		uint64_t offset = fake_get(sparse + 16 + 16 * i, 8);
		uint64_t size = fake_get(sparse + 24 + 16 * i, 8);

		assert_true(offset + size <= bar_size);
		assert_true(offset + size <= hole || offset >= hole + page);
	}
	raw_close(raw);
}

static void uapi_memory_can_be_mapped(void **state)
{
	struct raw *raw = raw_open(state);
	struct cxlvm_map_request request = { .region = raw->memory,
					     .size = raw->memory_size,
					     .guest = { 0x150000000 },
					     .alignment = 0x40000000 };
	void *address = NULL;

	assert_int_equal(raw->device.ops->map(raw->device.device, &request, &address), 0);
	assert_int_equal((uintptr_t)address & 0xfff, 0);
	assert_int_equal((uintptr_t)address & 0x1fffff, 0x150000000 & 0x1fffff);
	raw->device.ops->unmap(raw->device.device, address, request.size);
	request.offset = raw->memory_size;
	assert_true(raw->device.ops->map(raw->device.device, &request, &address) < 0);
	request.offset = 0;
	request.region = raw->registers;
	request.size = 4096;
	assert_true(raw->device.ops->map(raw->device.device, &request, &address) < 0);
	raw_close(raw);
}

/* 12, linux-cxl-guest.md 7.2: class, DVSECs of an endpoint, locator that leads to the block. */
static void config_space_of_an_endpoint(void **state)
{
	struct raw *raw = raw_open(state);
	uint8_t config[4096];
	uint32_t seen = 0, at = 0x100;

	for (unsigned int i = 0; i < sizeof(config); i += 4)
		assert_int_equal(raw->device.ops->read(raw->device.device, 7, i, config + i, 4), 0);
	assert_int_not_equal(fake_get(config + 9, 3), 0x050210);
	assert_int_equal(config[0x0e] & 0x7f, 0);
	for (unsigned int steps = 0; at && steps < 64; steps++) {
		uint32_t id = (uint32_t)fake_get(config + at + 8, 2);
		uint32_t length = (uint32_t)fake_get(config + at + 6, 2) >> 4;

		if (fake_get(config + at, 2) == 0x23 && fake_get(config + at + 4, 2) == 0x1e98) {
			seen |= 1u << id;
			if (id == 0) {
				/* memory capable, one range; 256 MiB, valid */
				assert_int_equal(fake_get(config + at + 0x0a, 2) & 0x34, 0x14);
				assert_int_equal(fake_get(config + at + 0x1c, 4) & 0xf0000001,
						 0x10000001);
				assert_true(length >= 0x38);
			}
			if (id == 7)
				assert_int_equal(fake_get(config + at + 0x0e, 2) & 4, 4);
			for (uint32_t e = 0; id == 8 && e < (length - 12) / 8; e++) {
				uint64_t entry = fake_get(config + at + 12 + 8 * e, 8);

				if ((entry >> 8 & 0xff) != 1)
					continue;
				assert_int_equal(entry & 7, raw->bar);
				assert_int_equal((entry & ~0xffffull) + 0x1000,
						 raw->hdm_in_bar & ~0xfffull);
			}
		}
		at = (uint32_t)fake_get(config + at + 2, 2) >> 4;
	}
	assert_int_equal(seen & 0x181, 0x181); /* 0, 7, 8 */
	raw_close(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_KERNEL(uapi_info_of_the_device),       TEST_KERNEL(uapi_info_of_the_regions),
		TEST_KERNEL(uapi_component_bar_has_a_hole), TEST_KERNEL(uapi_memory_can_be_mapped),
		TEST_KERNEL(config_space_of_an_endpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bytes that the sim answers with in each generation, against bytes typed by hand from
 * vfio-cxl-uapi.md 1, 2 and 4 to 8. Do not generate them.
 */
#include <errno.h>
#include <stdlib.h>

#include "raw.h"
#include "test.h"

/* BAR 0 of 128 KiB, component block at 0x10000, HDM block at 0x11100; registers 9, memory 10. */

static const char info_2[] = "38 00 00 00  83 02 00 00  0b 00 00 00  05 00 00 00"
			     "18 00 00 00  00 00 00 00"
			     /* capability 6: BAR 0, flags committed and cache capable */
			     "06 00 01 00  00 00 00 00  00 00 00 00  03 00 00 00"
			     /* CM start, memory region, register region */
			     "00 10 01 00  00 00 00 00  0a 00 00 00  09 00 00 00";
static const char info_3[] = "48 00 00 00  83 02 00 00  0b 00 00 00  05 00 00 00"
			     "18 00 00 00  00 00 00 00"
			     /* capability 6: flags committed; memory, registers, BAR 0 */
			     "06 00 01 00  00 00 00 00  01 00 00 00  0a 00 00 00"
			     "09 00 00 00  00 00 00 00  00 00 00 00  00 00 00 00"
			     /* block offset and size */
			     "00 00 01 00  00 00 00 00  00 00 01 00  00 00 00 00";
static const char info_456[] = "18 00 00 00  03 02 00 00  0b 00 00 00  05 00 00 00"
			       "00 00 00 00  00 00 00 00";

/* The hole is the block (2, 3), or with 64 KiB pages the page of the HDM block. */
static const char bar_block[] = "40 00 00 00  0f 00 00 00  00 00 00 00  20 00 00 00"
				"00 00 02 00  00 00 00 00  00 00 00 00  00 00 00 00"
				"01 00 01 00  00 00 00 00  01 00 00 00  00 00 00 00"
				"00 00 00 00  00 00 00 00  00 00 01 00  00 00 00 00";
/* The hole is one page of 4 KiB. */
static const char bar_page[] = "50 00 00 00  0f 00 00 00  00 00 00 00  20 00 00 00"
			       "00 00 02 00  00 00 00 00  00 00 00 00  00 00 00 00"
			       "01 00 01 00  00 00 00 00  02 00 00 00  00 00 00 00"
			       "00 00 00 00  00 00 00 00  00 10 01 00  00 00 00 00"
			       "00 20 01 00  00 00 00 00  00 e0 00 00  00 00 00 00";
/* The hole covers the BAR: a list without areas; in 3 no MMAP and no list. */
static const char bar_no_area[] = "30 00 00 00  0f 00 00 00  00 00 00 00  20 00 00 00"
				  "00 00 02 00  00 00 00 00  00 00 00 00  00 00 00 00"
				  "01 00 01 00  00 00 00 00  00 00 00 00  00 00 00 00";
static const char bar_no_mmap[] = "20 00 00 00  03 00 00 00  00 00 00 00  00 00 00 00"
				  "00 00 02 00  00 00 00 00  00 00 00 00  00 00 00 00";

static const char registers_2[] = "30 00 00 00  0b 00 00 00  09 00 00 00  20 00 00 00"
				  "30 01 00 00  00 00 00 00  00 00 00 00  00 09 00 00"
				  "02 00 01 00  00 00 00 00  98 1e 00 80  02 00 00 00";
static const char registers_3[] = "30 00 00 00  0b 00 00 00  09 00 00 00  20 00 00 00"
				  "00 00 01 00  00 00 00 00  00 00 00 00  00 09 00 00"
				  "02 00 01 00  00 00 00 00  98 1e 00 80  02 00 00 00";
static const char registers_4[] = "48 00 00 00  0b 00 00 00  09 00 00 00  20 00 00 00"
				  "30 00 00 00  00 00 00 00  00 00 00 00  00 09 00 00"
				  "02 00 01 00  30 00 00 00  04 00 00 00  02 00 00 00"
				  "06 00 01 00  00 00 00 00  00 00 00 00  00 00 00 00"
				  "00 11 01 00  00 00 00 00";
static const char registers_56[] = "48 00 00 00  0b 00 00 00  09 00 00 00  20 00 00 00"
				   "30 00 00 00  00 00 00 00  00 00 00 00  00 09 00 00"
				   "02 00 01 00  30 00 00 00  98 1e 00 80  02 00 00 00"
				   "06 00 01 00  00 00 00 00  00 00 00 00  00 00 00 00"
				   "00 11 01 00  00 00 00 00";

static const char memory_2356[] = "30 00 00 00  0f 00 00 00  0a 00 00 00  20 00 00 00"
				  "00 00 00 10  00 00 00 00  00 00 00 00  00 0a 00 00"
				  "02 00 01 00  00 00 00 00  98 1e 00 80  01 00 00 00";
static const char memory_4[] = "30 00 00 00  0f 00 00 00  0a 00 00 00  20 00 00 00"
			       "00 00 00 10  00 00 00 00  00 00 00 00  00 0a 00 00"
			       "02 00 01 00  00 00 00 00  04 00 00 00  01 00 00 00";

/* The CM array: 2 entries, RAS at 0x80, HDM decoder at 0x100. */
static const char array[] = "01 00 11 02  02 00 02 08  05 00 01 10  00 00 00 00";
/* HDM block: decoders enabled; base; 256 MiB; control; nothing skipped. */
static const char hdm_2[] = "00 00 00 00  02 00 00 00  00 00 00 00  00 00 00 00"
			    "00 00 00 00  00 00 00 00  00 00 00 10  00 00 00 00"
			    "00 06 00 00  00 00 00 00  00 00 00 00  00 00 00 00";
/* Host address 0x6a7_0000_0000, committed and locked. */
static const char hdm_3456[] = "00 00 00 00  02 00 00 00  00 00 00 00  00 00 00 00"
			       "00 00 00 00  a7 06 00 00  00 00 00 10  00 00 00 00"
			       "00 07 00 00  00 00 00 00  00 00 00 00  00 00 00 00";

struct golden {
	unsigned int kernel;
	const char *info, *bar_4k, *bar_64k, *bar_128k, *registers, *memory, *hdm;
	uint32_t array_at, hdm_at; /* in the register region; array_at 1: not there */
};

static const struct golden goldens[] = {
	{ 2, info_2, bar_block, bar_block, bar_block, registers_2, memory_2356, hdm_2, 0, 0x100 },
	{ 0x2e, info_2, bar_block, bar_block, bar_block, registers_2, memory_2356, hdm_2, 0,
	  0x100 },
	{ 3, info_3, bar_block, bar_block, bar_no_mmap, registers_3, memory_2356, hdm_3456, 0x1000,
	  0x1100 },
	{ 4, info_456, bar_page, bar_block, bar_no_area, registers_4, memory_4, hdm_3456, 1, 0 },
	{ 5, info_456, bar_page, bar_block, bar_no_area, registers_56, memory_2356, hdm_3456, 1,
	  0 },
	{ 6, info_456, bar_page, bar_block, bar_no_area, registers_56, memory_2356, hdm_3456, 1,
	  0 },
};

static struct cxlvm_transport open_sim(unsigned int kernel, uint64_t page_size)
{
	struct cxlvm_sim_config config = { .size = sizeof(config),
					   .memory_size = FAKE_MEMORY_SIZE,
					   .generation = kernel,
					   .page_size = page_size };
	struct cxlvm_transport transport;

	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
	return transport;
}

/* The bytes typed and the bytes got; what says which of them. */
static void check_bytes(unsigned int kernel, const char *what, const char *hex, const uint8_t *got,
			size_t len)
{
	uint8_t want[256];
	size_t n = fake_hex(want, sizeof(want), hex);

	if (n != len)
		fail_msg("generation %x, %s: %zu bytes, not %zu", kernel, what, len, n);
	for (size_t i = 0; i < n; i++)
		if (want[i] != got[i])
			fail_msg("generation %x, %s: byte 0x%zx is %02x, not %02x", kernel, what, i,
				 got[i], want[i]);
}

static void check_region(const struct golden *golden, const struct cxlvm_transport *t,
			 uint32_t index, const char *hex)
{
	uint8_t bytes[256];
	size_t needed = 0;
	char what[16];

	snprintf(what, sizeof(what), "region %u", index);
	assert_int_equal(t->ops->region_info(t->device, index, bytes, sizeof(bytes), &needed), 0);
	check_bytes(golden->kernel, what, hex, bytes, needed);
}

static void golden_infos_of_the_sim(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) {
		const struct golden *golden = &goldens[i];
		struct cxlvm_transport t = open_sim(golden->kernel, 4096);
		uint8_t bytes[256];
		size_t needed = 0;

		assert_int_equal(t.ops->info(t.device, bytes, sizeof(bytes), &needed), 0);
		check_bytes(golden->kernel, "device info", golden->info, bytes, needed);
		check_region(golden, &t, 0, golden->bar_4k);
		check_region(golden, &t, 9, golden->registers);
		check_region(golden, &t, 10, golden->memory);
		t.transport->close(t.device);
	}
}

/* 128 KiB is no page size of any host, but the one that leaves nothing of this BAR. */
static void golden_holes_follow_the_page_size(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) {
		struct cxlvm_transport t = open_sim(goldens[i].kernel, 0x10000);

		check_region(&goldens[i], &t, 0, goldens[i].bar_64k);
		t.transport->close(t.device);
		t = open_sim(goldens[i].kernel, 0x20000);
		check_region(&goldens[i], &t, 0, goldens[i].bar_128k);
		t.transport->close(t.device);
	}
}

static void golden_registers_of_the_sim(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(goldens); i++) {
		const struct golden *golden = &goldens[i];
		struct cxlvm_transport t = open_sim(golden->kernel, 4096);
		uint8_t bytes[0x30];

		for (uint32_t at = 0; at < 0x30; at += 4)
			assert_int_equal(
				t.ops->read(t.device, 9, golden->hdm_at + at, bytes + at, 4), 0);
		check_bytes(golden->kernel, "HDM block", golden->hdm, bytes, sizeof(bytes));
		for (uint32_t at = 0; at < 0x10 && golden->array_at != 1; at += 4)
			assert_int_equal(
				t.ops->read(t.device, 9, golden->array_at + at, bytes + at, 4), 0);
		if (golden->array_at != 1)
			check_bytes(golden->kernel, "CM array", array, bytes, 16);
		t.transport->close(t.device);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_infos_of_the_sim),
		cmocka_unit_test(golden_holes_follow_the_page_size),
		cmocka_unit_test(golden_registers_of_the_sim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

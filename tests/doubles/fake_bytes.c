/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Golden bytes, typed by hand from vfio-cxl-uapi.md sections 1 and 2 and linux-cxl-guest.md
 * sections 4, 5 and 7. Do not generate them: a wrong offset shared by all of src/ must fail here.
 */
#include "fake.h"

#include "test.h"

/* argsz, flags RESET PCI CAPS CXL, 11 regions, 5 interrupts, first capability, pad */
static const char info_generation_2[] = "48 00 00 00  83 02 00 00  0b 00 00 00  05 00 00 00"
					"18 00 00 00  00 00 00 00"
					/* capability 5 (atomics), next at 0x28 */
					"05 00 01 00  28 00 00 00  00 00 00 00  00 00 00 00"
					/* capability 6, version 1, last */
					"06 00 01 00  00 00 00 00"
					/* BAR 2, reserved; flags committed, cache capable */
					"02 00 00 00  03 00 00 00"
					/* CM start in the BAR: 0x11000 */
					"00 10 01 00  00 00 00 00"
					/* memory is region 10, registers are region 9 */
					"0a 00 00 00  09 00 00 00";

/* Generation 2n: as 2; here capability 6 comes first and the device is not cache capable. */
static const char info_generation_2n[] = "48 00 00 00  83 02 00 00  0b 00 00 00  05 00 00 00"
					 "18 00 00 00  00 00 00 00"
					 "06 00 01 00  38 00 00 00"
					 "02 00 00 00  01 00 00 00"
					 "00 10 01 00  00 00 00 00"
					 "0a 00 00 00  09 00 00 00"
					 "05 00 01 00  00 00 00 00  00 00 00 00  00 00 00 00";

static const char info_generation_3[] = "58 00 00 00  83 02 00 00  0b 00 00 00  05 00 00 00"
					"18 00 00 00  00 00 00 00"
					"05 00 01 00  28 00 00 00  00 00 00 00  00 00 00 00"
					/* capability 6, version 1, 48 bytes: flags committed */
					"06 00 01 00  00 00 00 00  01 00 00 00"
					/* memory is region 9, registers are region 10; BAR 2 */
					"09 00 00 00  0a 00 00 00  02 00 00 00"
					/* reserved, padding */
					"00 00 00 00  00 00 00 00"
					/* component block: offset 0x10000, size 0x10000 */
					"00 00 01 00  00 00 00 00"
					"00 00 01 00  00 00 00 00";

/* The RFC of September 2024: 1 decoder, BAR 2; HDM size, HDM offset, memory size. 10 regions. */
static const char info_r1[] = "40 00 00 00  83 02 00 00  0a 00 00 00  05 00 00 00"
			      "18 00 00 00  00 00 00 00"
			      "06 00 01 00  00 00 00 00  01 02 00 00  00 00 00 00"
			      "30 00 00 00  00 00 00 00  00 11 01 00  00 00 00 00"
			      "00 00 00 10  00 00 00 00";

/* The RFC of December 2025: the same without memory size, so as long as generation 2. */
static const char info_r2[] = "38 00 00 00  83 02 00 00  0a 00 00 00  05 00 00 00"
			      "18 00 00 00  00 00 00 00"
			      "06 00 01 00  00 00 00 00  01 02 00 00  00 00 00 00"
			      "30 00 00 00  00 00 00 00  00 11 01 00  00 00 00 00";

/* Generations 4 to 6: no capability 6; flags RESET PCI CAPS CXL */
static const char info_generation_456[] = "28 00 00 00  83 02 00 00  0b 00 00 00  05 00 00 00"
					  "18 00 00 00  00 00 00 00"
					  "05 00 01 00  00 00 00 00  00 00 00 00  00 00 00 00";

/* argsz, flags, index, first capability, size, offset (index << 40) */
static const char region_bar0[] = "20 00 00 00  07 00 00 00  00 00 00 00  00 00 00 00"
				  "00 40 00 00  00 00 00 00  00 00 00 00  00 00 00 00";
static const char region_config[] = "20 00 00 00  03 00 00 00  07 00 00 00  00 00 00 00"
				    "00 10 00 00  00 00 00 00  00 00 00 00  00 07 00 00";

/* Component BAR, generation 2: one area, the 64 KiB block at the end is the hole. */
static const char region_bar2_generation_2[] = "40 00 00 00  0f 00 00 00  02 00 00 00  20 00 00 00"
					       "00 00 02 00  00 00 00 00  00 00 00 00  00 02 00 00"
					       /* sparse mmap: header, 1 area */
					       "01 00 01 00  00 00 00 00  01 00 00 00  00 00 00 00"
					       "00 00 00 00  00 00 00 00  00 00 01 00  00 00 00 00";

/* Generation 5: only the page of the HDM block is the hole; two areas. */
static const char region_bar2_generation_5[] = "50 00 00 00  0f 00 00 00  02 00 00 00  20 00 00 00"
					       "00 00 02 00  00 00 00 00  00 00 00 00  00 02 00 00"
					       "01 00 01 00  00 00 00 00  02 00 00 00  00 00 00 00"
					       "00 00 00 00  00 00 00 00  00 10 01 00  00 00 00 00"
					       "00 20 01 00  00 00 00 00  00 e0 00 00  00 00 00 00";

/* Registers, generation 2: index 9, READ WRITE CAPS, 0x130 bytes from CM start */
static const char region_registers_2[] = "30 00 00 00  0b 00 00 00  09 00 00 00  20 00 00 00"
					 "30 01 00 00  00 00 00 00  00 00 00 00  00 09 00 00"
					 /* type 0x80001e98, subtype 2 */
					 "02 00 01 00  00 00 00 00  98 1e 00 80  02 00 00 00";

/* Memory, generation 2: index 10, READ WRITE MMAP CAPS, 256 MiB */
static const char region_memory_2[] = "30 00 00 00  0f 00 00 00  0a 00 00 00  20 00 00 00"
				      "00 00 00 10  00 00 00 00  00 00 00 00  00 0a 00 00"
				      "02 00 01 00  00 00 00 00  98 1e 00 80  01 00 00 00";

/* Memory, generation 5: index 9 */
static const char region_memory_5[] = "30 00 00 00  0f 00 00 00  09 00 00 00  20 00 00 00"
				      "00 00 00 10  00 00 00 00  00 00 00 00  00 09 00 00"
				      "02 00 01 00  00 00 00 00  98 1e 00 80  01 00 00 00";

/* Registers, generation 5: index 10, READ WRITE CAPS, HDM block only (0x30 bytes) */
static const char region_registers_5[] = "48 00 00 00  0b 00 00 00  0a 00 00 00  20 00 00 00"
					 "30 00 00 00  00 00 00 00  00 00 00 00  00 0a 00 00"
					 /* type 0x80001e98, subtype 2, next at 0x30 */
					 "02 00 01 00  30 00 00 00  98 1e 00 80  02 00 00 00"
					 /* geometry: id 6, BAR 2, HDM block at 0x11100 */
					 "06 00 01 00  00 00 00 00  02 00 00 00  00 00 00 00"
					 "00 11 01 00  00 00 00 00";

/* Component BAR, generation 6: the same two areas, the upper one first. */
static const char region_bar2_generation_6[] = "50 00 00 00  0f 00 00 00  02 00 00 00  20 00 00 00"
					       "00 00 02 00  00 00 00 00  00 00 00 00  00 02 00 00"
					       "01 00 01 00  00 00 00 00  02 00 00 00  00 00 00 00"
					       "00 20 01 00  00 00 00 00  00 e0 00 00  00 00 00 00"
					       "00 00 00 00  00 00 00 00  00 10 01 00  00 00 00 00";

/* Registers, generation 3: index 10, READ WRITE CAPS, the whole block of 64 KiB */
static const char region_registers_3[] = "30 00 00 00  0b 00 00 00  0a 00 00 00  20 00 00 00"
					 "00 00 01 00  00 00 00 00  00 00 00 00  00 0a 00 00"
					 "02 00 01 00  00 00 00 00  98 1e 00 80  02 00 00 00";

/* Memory, generation 4: index 10, type 4, subtype 1 */
static const char region_memory_4[] = "30 00 00 00  0f 00 00 00  0a 00 00 00  20 00 00 00"
				      "00 00 00 10  00 00 00 00  00 00 00 00  00 0a 00 00"
				      "02 00 01 00  00 00 00 00  04 00 00 00  01 00 00 00";

/* Registers, generation 4: index 9, HDM block only, type 4, subtype 2; geometry as 5 */
static const char region_registers_4[] = "48 00 00 00  0b 00 00 00  09 00 00 00  20 00 00 00"
					 "30 00 00 00  00 00 00 00  00 00 00 00  00 09 00 00"
					 "02 00 01 00  30 00 00 00  04 00 00 00  02 00 00 00"
					 "06 00 01 00  00 00 00 00  02 00 00 00  00 00 00 00"
					 "00 11 01 00  00 00 00 00";

/* Memory in two halves; index and type as the generation has them. */
static const char region_memory_two_areas[] = "60 00 00 00  0f 00 00 00  00 00 00 00  20 00 00 00"
					      "00 00 00 10  00 00 00 00  00 00 00 00  00 00 00 00"
					      "02 00 01 00  30 00 00 00  00 00 00 00  01 00 00 00"
					      "01 00 01 00  00 00 00 00  02 00 00 00  00 00 00 00"
					      "00 00 00 08  00 00 00 00  00 00 00 08  00 00 00 00"
					      "00 00 00 00  00 00 00 00  00 00 00 08  00 00 00 00";

struct layout {
	unsigned int kernel;
	const char *info, *bar2, *registers, *memory;
	uint32_t registers_region, memory_region;
	bool cache_capable; /* the kernel says so */
};

static const struct layout layouts[] = {
	{ 2, info_generation_2, region_bar2_generation_2, region_registers_2, region_memory_2, 9,
	  10, true },
	{ FAKE_2N, info_generation_2n, region_bar2_generation_2, region_registers_2,
	  region_memory_2, 9, 10, false },
	/* the hole of 3 is that of 2, its memory region that of 5 */
	{ 3, info_generation_3, region_bar2_generation_2, region_registers_3, region_memory_5, 10,
	  9, false },
	{ 4, info_generation_456, region_bar2_generation_5, region_registers_4, region_memory_4, 9,
	  10, false },
	{ 5, info_generation_456, region_bar2_generation_5, region_registers_5, region_memory_5, 10,
	  9, false },
	{ 6, info_generation_456, region_bar2_generation_6, region_registers_5, region_memory_5, 10,
	  9, false },
};

struct piece {
	unsigned int offset;
	const char *hex;
};

static const struct piece config_pieces[] = {
	/* 1d0f:c2c2, Memory Space on, capability list, class 12 00 00 (accelerator) */
	{ 0x000, "0f 1d c2 c2  02 00 10 00  01 00 00 12  00 00 00 00" },
	/* BAR 0 and BAR 2: 64 bit, prefetchable memory */
	{ 0x010, "0c 00 00 00  00 00 00 00  0c 00 00 00  00 00 00 00" },
	{ 0x034, "40 00 00 00" },
	/* PCI Express, endpoint, function-level reset */
	{ 0x040, "10 80 02 00  00 00 00 10" },
	/* MSI-X, 4 vectors, table at BAR 0 + 0x2000, PBA at BAR 0 + 0x3000 */
	{ 0x080, "11 00 03 00  00 20 00 00  00 30 00 00" },
	/* DVSEC 0: CXL Device, revision 3, length 0x3c, next 0x140 */
	{ 0x100, "23 00 01 14  98 1e c3 03  00 00" },
	/* capability: cache, io, mem, hardware init, 1 range; control: io, mem; status */
	{ 0x10a, "1f 00  06 00  00 00" },
	/* range 1: size 256 MiB, valid, active; base is the HOST's address */
	{ 0x118, "00 00 00 00  03 00 00 10  ed 5e 00 00  00 00 00 c0" },
	/* DVSEC 7: Flex Bus, revision 2, length 0x20, next 0x160 */
	{ 0x140, "23 00 01 16  98 1e 02 02  07 00 27 00  02 00 27 00" },
	/* DVSEC 8: Register Locator, 2 entries, next 0x180: empty; component, BAR 2, 0x10000 */
	{ 0x160, "23 00 01 18  98 1e c0 01  08 00 00 00" },
	{ 0x16c, "00 00 00 00  00 00 00 00  02 01 01 00  00 00 00 00" },
	/* DVSEC 5: GPF Device, last */
	{ 0x180, "23 00 01 00  98 1e 00 01  05 00 00 00" },
};

static const struct piece block_pieces[] = {
	/* CM array: 2 entries; RAS at 0x80, HDM decoder at 0x100 */
	{ 0x1000, "01 00 11 02  02 00 02 08  05 00 01 10" },
	/* RAS: status, mask, severity, correctable status, mask, control */
	{ 0x1080, "00 00 00 00  ff cf 01 00  ff cf 01 00  00 00 00 00  7f 00 00 00  00 02 00 00" },
	/* HDM: 1 decoder, interleave bits, poison, UIO (1), device coherent; decoders enabled */
	{ 0x1100, "00 37 31 00  02 00 00 00  00 00 00 00  00 00 00 00" },
	/* decoder 0: host base, 256 MiB, control locked, commit, committed; skip 0 */
	{ 0x1110, "00 00 00 c0  ed 5e 00 00  00 00 00 10  00 00 00 00" },
	{ 0x1120, "00 07 00 00  00 00 00 00  00 00 00 00  00 00 00 00" },
};

static void fill_answer(struct fake_answer *answer, const char *hex)
{
	answer->len = fake_hex(answer->bytes, sizeof(answer->bytes), hex);
	answer->needed = 0;
	answer->error = 0;
	/* The typed argsz has to be the typed length. */
	assert_int_equal(fake_get(answer->bytes, 4), answer->len);
}

void fake_set_region(struct fake *fake, uint32_t index, const char *hex)
{
	assert_true(index < FAKE_REGIONS_MAX);
	fill_answer(&fake->regions[index], hex);
}

static void fill_empty_region(struct fake *fake, uint32_t index)
{
	struct fake_answer *answer = &fake->regions[index];

	memset(answer, 0, sizeof(*answer));
	answer->len = 32;
	answer->bytes[0] = 32;
	answer->bytes[8] = (uint8_t)index;
	answer->bytes[29] = (uint8_t)index;
}

void fake_fill_bytes(struct fake *fake)
{
	const struct layout *layout = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].kernel == fake->kernel)
			layout = &layouts[i];
	assert_non_null(layout);
	for (size_t i = 0; i < ARRAY_SIZE(config_pieces); i++)
		fake_hex(fake->config + config_pieces[i].offset, 64, config_pieces[i].hex);
	for (size_t i = 0; i < ARRAY_SIZE(block_pieces); i++)
		fake_hex(fake->block + block_pieces[i].offset, 64, block_pieces[i].hex);
	fill_answer(&fake->info, layout->info);
	for (uint32_t i = 0; i < FAKE_REGIONS_MAX; i++)
		fill_empty_region(fake, i);
	fake_set_region(fake, 0, region_bar0);
	fake_set_region(fake, 2, layout->bar2);
	fake_set_region(fake, 7, region_config);
	fake_set_region(fake, layout->registers_region, layout->registers);
	fake_set_region(fake, layout->memory_region, layout->memory);
	fake->memory_region = layout->memory_region;
	fake->registers_region = layout->registers_region;
	fake->cache_capable = layout->cache_capable;
}

void fake_split_memory(struct fake *fake)
{
	uint8_t *bytes = fake->regions[fake->memory_region].bytes;
	uint32_t type = (uint32_t)fake_get(bytes + 0x28, 4);

	fake_set_region(fake, fake->memory_region, region_memory_two_areas);
	fake_put(bytes + 8, 4, fake->memory_region);
	fake_put(bytes + 29, 1, fake->memory_region); /* offset: index << 40 */
	fake_put(bytes + 0x28, 4, type);
}

void fake_fill_rfc(struct fake *fake, unsigned int which)
{
	fill_answer(&fake->info, which == FAKE_R1 ? info_r1 : info_r2);
	fill_empty_region(fake, 10);
	fake_set_region(fake, 9, region_memory_5);
	fake->memory_region = 9;
	fake->registers_region = FAKE_REGIONS_MAX; /* none */
}

void fake_set_page_size(struct fake *fake, uint64_t page_size)
{
	uint64_t lower_end = 0x11100 / page_size * page_size;
	uint64_t upper = (0x11130 + page_size - 1) / page_size * page_size;
	uint8_t *list = fake->regions[2].bytes + 0x20;

	/* generations 2 and 3: up to the block, whose 64 KiB are whole pages of any size */
	if (fake->generation < 4)
		return;
	fake_put(list + 8, 4, upper < 0x20000 ? 2 : 1);
	for (unsigned int i = 0; i < 2; i++) {
		bool is_lower = fake_get(list + 0x10 + 16 * i, 8) == 0;

		fake_put(list + 0x10 + 16 * i, 8, is_lower ? 0 : upper);
		fake_put(list + 0x18 + 16 * i, 8, is_lower ? lower_end : 0x20000 - upper);
	}
	/* the only one that is left comes first */
	if (upper == 0x20000 && fake_get(list + 0x10, 8)) {
		fake_put(list + 0x10, 8, 0);
		fake_put(list + 0x18, 8, lower_end);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that realize has to refuse, one broken byte each, by contract id. The message says what
 * was seen; nothing is left behind; the same device without the broken byte is taken.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <cxlvm/vfio.h>

#include "test.h"
#include "vm.h"

enum where { INFO, REGISTERS, MEMORY, BAR2, CONFIG, HARDWARE };

struct refusal {
	const char *id;
	unsigned int kernels; /* digits of the generations whose bytes these are; 0: all */
	enum where where;
	unsigned int offset;
	unsigned int length;
	uint64_t value;
	int code;         /* 0: any */
	uint64_t seen;    /* number that the message must contain; 0: none */
	const char *says; /* text that the message must contain; NULL: none */
};

static const struct refusal refusals[] = {
	/* DET: flags, capability chain */
	{ "det1_flag_clear", 0, INFO, 4, 4, 0x83, -ENODEV, 0x83, NULL },
	{ "det3_generation_2_indices_of_r2", 2, INFO, 0x40, 8, 0, -EOPNOTSUPP, 6, NULL },
	{ "det3_generation_2_index_past_the_end", 2, INFO, 0x40, 4, 11, 0, 11, NULL },
	{ "det3_generation_2_index_below_9", 2, INFO, 0x40, 4, 7, 0, 6, NULL },
	{ "det3_generation_2_same_index_twice", 2, INFO, 0x40, 4, 9, 0, 9, NULL },
	{ "det3_generation_2_indices_swapped", 2, INFO, 0x40, 8, 0x0000000a00000009, 0, 0, NULL },
	{ "det_chain_loops", 2, INFO, 0x2c, 4, 0x18, -EPROTO, 0x18, NULL },
	{ "det_chain_points_at_itself", 2, INFO, 0x2c, 4, 0x28, -EPROTO, 0x28, NULL },
	{ "det_chain_leaves_the_answer", 2, INFO, 0x1c, 4, 0x44, -EPROTO, 0x44, NULL },
	{ "det_chain_leaves_the_answer_by_far", 2, INFO, 0x1c, 4, 0xfffffff8, -EPROTO, 0, NULL },
	{ "det_chain_begins_in_the_header", 0, INFO, 0x10, 4, 8, -EPROTO, 8, NULL },
	{ "det_chain_begins_past_the_end", 0, INFO, 0x10, 4, 0x4000, -EPROTO, 0x4000, NULL },
	{ "det_capability_6_cut_short", 2, INFO, 0x1c, 4, 0x38, 0, 0, NULL },
	{ "det_firmware_did_not_commit", 2, INFO, 0x34, 4, 2, -ENXIO, 0, NULL },
	/* the same for the 48 bytes of generation 3 */
	{ "det3_generation_3_index_past_the_end", 3, INFO, 0x34, 4, 11, 0, 11, NULL },
	{ "det3_generation_3_index_below_9", 3, INFO, 0x38, 4, 7, 0, 6, NULL },
	{ "det3_generation_3_same_index_twice", 3, INFO, 0x34, 4, 10, 0, 10, NULL },
	{ "det3_generation_3_indices_swapped", 3, INFO, 0x34, 8, 0x000000090000000a, 0, 0, NULL },
	{ "det3_generation_3_region_type_4", 3, MEMORY, 0x28, 4, 4, 0, 4, NULL },
	{ "det_capability_6_cut_short", 3, INFO, 0x1c, 4, 0x30, 0, 0, NULL },
	{ "det_capability_6_cut_short_by_the_next", 3, INFO, 0x2c, 4, 0x40, 0, 24, NULL },
	{ "det_chain_loops", 3, INFO, 0x2c, 4, 0x18, -EPROTO, 0x18, NULL },
	{ "det_firmware_did_not_commit", 3, INFO, 0x30, 4, 0xfffffffe, -ENXIO, 0xfffffffe, NULL },
	/* REG-1: exactly one of each */
	{ "reg1_no_dynamic_regions", 0, INFO, 8, 4, 9, 0, 9, NULL },
	{ "reg1_no_regions", 0, INFO, 8, 4, 0, 0, 0, NULL },
	{ "reg1_only_one_region", 0, INFO, 8, 4, 10, 0, 0, NULL },
	{ "reg1_memory_of_another_type", 0, MEMORY, 0x28, 4, 0x80001234, 0, 0, NULL },
	{ "reg1_registers_of_another_subtype", 0, REGISTERS, 0x2c, 4, 7, 0, 0, NULL },
	{ "reg1_two_memory_regions", 0, REGISTERS, 0x2c, 4, 1, 0, 0, NULL },
	{ "reg1_two_register_regions", 0, MEMORY, 0x2c, 4, 2, 0, 0, NULL },
	{ "det_generation_4_type", 56, MEMORY, 0x28, 4, 4, 0, 4, NULL },
	{ "det_half_of_generation_4_type", 4, MEMORY, 0x28, 4, 0x80001e98, 0, 0x80001e98, NULL },
	{ "reg1_type_capability_missing", 0, MEMORY, 0x20, 2, 0x77, 0, 0, NULL },
	{ "reg1_region_chain_loops", 456, REGISTERS, 0x34, 4, 0x20, -EPROTO, 0x20, NULL },
	/* REG-2 */
	{ "reg2_w40_no_memory", 0, MEMORY, 0x10, 8, 0, 0, 0, "256 MiB" },
	{ "reg2_not_a_multiple", 0, MEMORY, 0x10, 8, 0x18000000, 0, 0x18000000, NULL },
	{ "reg2_huge_memory", 456, MEMORY, 0x10, 8, 0xfffffffff0000000, 0, 0, NULL },
	/* REG-3 */
	{ "reg3_decoder_larger_than_memory", 0, HARDWARE, 0x18, 4, 0x20000000, 0, 0x20000000,
	  NULL },
	{ "reg3_w9_decoder_much_larger", 0, HARDWARE, 0x1c, 4, 1, 0, 0x110000000, NULL },
	{ "reg3_decoder_smaller_than_memory", 456, MEMORY, 0x10, 8, 0x20000000, 0, 0x10000000,
	  NULL },
	{ "reg3_decoder_of_size_0", 0, HARDWARE, 0x18, 4, 0, 0, 0, NULL },
	/* REG-4 */
	{ "reg4_memory_without_mmap", 0, MEMORY, 4, 4, 0xb, 0, 0xb, NULL },
	{ "reg4_memory_without_read", 0, MEMORY, 4, 4, 0xe, 0, 0xe, NULL },
	{ "reg4_memory_without_write", 0, MEMORY, 4, 4, 0xd, 0, 0xd, NULL },
	/* REG-6 */
	{ "reg6_registers_without_read", 0, REGISTERS, 4, 4, 0xa, 0, 0xa, NULL },
	{ "reg6_registers_without_write", 2, REGISTERS, 4, 4, 0x9, 0, 0x9, NULL },
	{ "reg6_registers_too_short", 2, REGISTERS, 0x10, 8, 0x12c, 0, 0x12c, NULL },
	{ "reg6_block_too_short", 456, REGISTERS, 0x10, 8, 0x2c, 0, 0x2c, NULL },
	{ "reg6_no_registers", 0, REGISTERS, 0x10, 8, 0, 0, 0, NULL },
	/* REG-8, REG-9, CHK-5 */
	{ "reg8_reserved_decoder_count", 0, HARDWARE, 0, 4, 0x0031370d, 0, 13, NULL },
	{ "reg9_w27_not_committed", 0, HARDWARE, 0x20, 4, 0x300, -ENXIO, 0x300, NULL },
	{ "reg9_commit_error", 0, HARDWARE, 0x20, 4, 0xf00, 0, 0xf00, NULL },
	{ "reg9_interleaved", 0, HARDWARE, 0x20, 4, 0x710, 0, 0x710, NULL },
	{ "reg9_dpa_skip", 0, HARDWARE, 0x24, 4, 0x10000000, 0, 0x10000000, NULL },
	{ "reg9_dpa_skip_high", 0, HARDWARE, 0x28, 4, 1, 0, 0, NULL },
	{ "chk5_back_invalidate", 0, HARDWARE, 0x20, 4, 0x2700, 0, 0x2700, NULL },
	/* OVL-1 */
	{ "ovl1_bar_6", 2, INFO, 0x30, 1, 6, 0, 6, NULL },
	{ "ovl1_w30_bar_255", 2, INFO, 0x30, 1, 255, 0, 255, NULL },
	{ "ovl1_bar_not_implemented", 2, INFO, 0x30, 1, 4, 0, 4, NULL },
	{ "ovl1_offset_past_the_bar", 2, INFO, 0x38, 8, 0x20000, 0, 0x20000, NULL },
	{ "ovl1_offset_wraps", 2, INFO, 0x38, 8, 0xfffffffffffff000, 0, 0, NULL },
	{ "ovl1_bar_6", 3, INFO, 0x3c, 4, 6, 0, 6, NULL },
	{ "ovl1_bar_not_implemented", 3, INFO, 0x3c, 4, 4, 0, 4, NULL },
	{ "ovl1_offset_past_the_bar", 3, INFO, 0x48, 8, 0x20000, 0, 0x20000, NULL },
	{ "ovl1_offset_wraps", 3, INFO, 0x48, 8, 0xffffffffffff0000, 0, 0, NULL },
	{ "ovl1_block_contradicts_the_locator", 3, INFO, 0x48, 8, 0, 0, 0x10000, NULL },
	{ "generation_3_block_size", 3, INFO, 0x50, 8, 0x20000, 0, 0x20000, NULL },
	{ "generation_3_register_region_size", 3, REGISTERS, 0x10, 8, 0xf000, 0, 0xf000, NULL },
	{ "ovl1_bar_6", 456, REGISTERS, 0x38, 4, 6, 0, 6, NULL },
	{ "ovl1_bar_not_implemented", 456, REGISTERS, 0x38, 4, 4, 0, 4, NULL },
	{ "ovl1_offset_past_the_bar", 456, REGISTERS, 0x40, 8, 0x20000, 0, 0x20000, NULL },
	{ "ovl1_offset_wraps", 456, REGISTERS, 0x40, 8, 0xffffffffffffffd0, 0, 0, NULL },
	{ "geometry_contradicts_the_walk", 456, REGISTERS, 0x40, 8, 0x11200, 0, 0x11200, NULL },
	{ "geometry_missing", 456, REGISTERS, 0x24, 4, 0, -EOPNOTSUPP, 0, "geometry" },
	/* OVL-3 */
	{ "ovl3_bar_mappable_as_a_whole", 0, BAR2, 4, 4, 7, 0, 2, NULL },
	{ "ovl3_area_over_the_registers", 0, BAR2, 0x38, 8, 0x12000, 0, 0, "area" },
	{ "ovl3_area_wraps", 0, BAR2, 0x38, 8, 0xffffffffffffffff, 0, 0, "area" },
	{ "ovl3_area_of_size_0", 0, BAR2, 0x38, 8, 0, 0, 0, "area" },
	{ "ovl3_more_areas_than_bytes", 0, BAR2, 0x28, 4, 3, -EPROTO, 3, NULL },
	{ "ovl1_bar_too_small", 0, BAR2, 0x10, 8, 0x11000, 0, 0x11000, NULL },
	{ "ovl1_bar_is_io", 0, CONFIG, 0x18, 1, 0x01, 0, 0, NULL },
	/* config space */
	{ "dvsec_0_missing", 0, CONFIG, 0x108, 2, 0x3f, 0, 0, NULL },
	{ "dvsec_of_another_vendor", 0, CONFIG, 0x104, 2, 0x8086, 0, 0, NULL },
	{ "dvsec_not_mem_capable", 0, CONFIG, 0x10a, 2, 0x001b, 0, 0x1b, NULL },
	{ "extended_capabilities_loop_before_locator", 0, CONFIG, 0x142, 2, 0x1001, 0, 0, NULL },
	{ "locator_missing", 0, CONFIG, 0x168, 2, 0x3f, 0, 0, NULL },
	{ "locator_without_component_block", 0, CONFIG, 0x175, 1, 3, 0, 0, NULL },
	{ "locator_of_another_bar", 0, CONFIG, 0x174, 1, 0, 0, 0, NULL },
	{ "locator_of_another_offset", 0, CONFIG, 0x176, 1, 2, 0, 0x20000, NULL },
	{ "locator_shorter_than_its_entries", 0, CONFIG, 0x166, 2, 0x0140, 0, 0, NULL },
};

/* REG-7: the CM array, where generation 2 has it in the region and 5 behind the BAR. */
static const struct refusal arrays[] = {
	{ "reg7_wrong_array_id", 0, HARDWARE, 0x1000, 4, 0x02110002, 0, 2, NULL },
	{ "reg7_array_of_ones", 0, HARDWARE, 0x1000, 4, 0xffffffff, 0, 0, NULL },
	{ "reg7_hdm_past_the_last_entry", 0, HARDWARE, 0x1000, 4, 0x01110001, 0, 0, NULL },
	{ "reg7_hdm_missing", 0, HARDWARE, 0x1008, 4, 0x10010006, 0, 0, NULL },
	{ "reg7_hdm_twice", 0, HARDWARE, 0x1004, 4, 0x08020005, 0, 0, NULL },
	{ "reg7_pointer_outside", 0, HARDWARE, 0x1008, 4, 0xfe010005, 0, 0xfe0, NULL },
	{ "reg7_pointer_into_the_array", 0, HARDWARE, 0x1008, 4, 0x00010005, 0, 0, NULL },
	{ "reg7_ras_twice", 0, HARDWARE, 0x1008, 4, 0x0c020002, 0, 0xc0, "RAS" },
	{ "reg7_ras_into_the_array", 0, HARDWARE, 0x1004, 4, 0x00020002, 0, 0, "RAS" },
	{ "reg7_ras_past_the_end", 0, HARDWARE, 0x1004, 4, 0xfac20002, 0, 0xfac, "RAS" },
};

static uint8_t *bytes_of(struct fake *fake, const struct refusal *refusal)
{
	switch (refusal->where) {
	case INFO:
		return fake->info.bytes + refusal->offset;
	case REGISTERS:
		return fake->regions[fake->registers_region].bytes + refusal->offset;
	case MEMORY:
		return fake->regions[fake->memory_region].bytes + refusal->offset;
	case BAR2:
		return fake->regions[2].bytes + refusal->offset;
	case CONFIG:
		return fake->config + refusal->offset;
	case HARDWARE:
	default:
		return fake->block + refusal->offset + (refusal->offset < 0x1000 ? 0x1100 : 0);
	}
}

/* What the message has to show: generation 2 hides the lock of a committed decoder. */
static uint64_t seen(const struct refusal *refusal, unsigned int generation)
{
	if (refusal->where == HARDWARE && refusal->offset == 0x20 && generation == 2 &&
	    (refusal->seen & 0x500) == 0x500)
		return refusal->seen & ~0x100ull;
	return refusal->seen;
}

static bool applies(const struct refusal *refusal, unsigned int kernel)
{
	unsigned int digits = refusal->kernels;

	for (; digits; digits /= 10)
		if (digits % 10 == kernel)
			return true;
	return !refusal->kernels;
}

static unsigned int try_all(const struct variant *variant, const struct refusal *list, size_t n,
			    enum cxlvm_cxl_mode mode)
{
	unsigned int tried = 0, wrong = 0;

	for (size_t i = 0; i < n; i++) {
		const struct refusal *refusal = &list[i];
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct vm *vm;
		int ret;

		/* det1: without the flag only mode on refuses */
		if (!applies(refusal, variant->kernel) ||
		    (mode == CXLVM_CXL_AUTO && refusal->code == -ENODEV))
			continue;
		vm = vm_create(variant, 1);
		vm->devices[0].config.mode = mode;
		fake_put(bytes_of(vm->devices[0].below.fake, refusal), refusal->length,
			 refusal->value);
		fake_sample(vm->devices[0].below.fake);
		ret = variant->personality == PERSONALITY_QEMU ? vm_freeze(vm, NULL) : 0;
		assert_int_equal(ret, 0);
		ret = vm_realize(vm, 0, &err);
		tried++;
		/* all of them are run, so that one report has all that is wrong */
		if (!ret || (refusal->code && ret != refusal->code) ||
		    (refusal->seen && !message_has(&err, seen(refusal, variant->generation))) ||
		    (refusal->says && !strstr(err.message, refusal->says)) ||
		    (ret && (!strstr(err.message, "accel0") || !err.hint[0] ||
			     strstr(err.hint, "see the messages")))) {
			print_error("# %s (generation %u): %d \"%s\" (%s)\n", refusal->id,
				    variant->generation, ret, err.message, err.hint);
			wrong++;
		}
		vm_stop(vm);
	}
	print_message("# %u broken devices tried\n", tried);
	return wrong;
}

static void refuses_broken_devices(void **state)
{
	assert_int_equal(try_all(*state, refusals, ARRAY_SIZE(refusals), CXLVM_CXL_AUTO), 0);
	assert_int_equal(try_all(*state, refusals, ARRAY_SIZE(refusals), CXLVM_CXL_ON), 0);
}

static void reg7_w28_refuses_broken_arrays(void **state)
{
	assert_int_equal(try_all(*state, arrays, ARRAY_SIZE(arrays), CXLVM_CXL_AUTO), 0);
}

/* REG-4, REG-5: lists of mappable areas. */
static void reg5_refuses_bad_sparse_areas(void **state)
{
	static const struct {
		const char *id, *areas;
		unsigned int n;
	} lists[] = {
		{ "no area", "", 0 },
		{ "does not cover", "00 00 00 00 00 00 00 00  00 00 00 08 00 00 00 00", 1 },
		{ "hole",
		  "00 00 00 00 00 00 00 00  00 00 00 08 00 00 00 00"
		  "00 00 00 09 00 00 00 00  00 00 00 07 00 00 00 00",
		  2 },
		{ "overlap",
		  "00 00 00 00 00 00 00 00  00 00 00 09 00 00 00 00"
		  "00 00 00 08 00 00 00 00  00 00 00 08 00 00 00 00",
		  2 },
		{ "same area twice",
		  "00 00 00 00 00 00 00 00  00 00 00 10 00 00 00 00"
		  "00 00 00 00 00 00 00 00  00 00 00 10 00 00 00 00",
		  2 },
		{ "outside", "00 00 00 00 00 00 00 00  00 00 00 20 00 00 00 00", 1 },
		{ "wraps", "00 f0 ff ff ff ff ff ff  00 20 00 00 00 00 00 00", 1 },
		{ "not pages",
		  "00 00 00 00 00 00 00 00  00 08 00 08 00 00 00 00"
		  "00 08 00 08 00 00 00 00  00 f8 ff 07 00 00 00 00",
		  2 },
		{ "of size 0",
		  "00 00 00 00 00 00 00 00  00 00 00 10 00 00 00 00"
		  "00 00 00 08 00 00 00 00  00 00 00 00 00 00 00 00",
		  2 },
		{ "more areas than bytes", "00 00 00 00 00 00 00 00  00 00 00 10 00 00 00 00", 2 },
		{ "4 G areas", "00 00 00 00 00 00 00 00  00 00 00 10 00 00 00 00", 0xffffffff },
	};
	unsigned int wrong = 0;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = vm->devices[0].below.fake;
		struct fake_answer *answer = &fake->regions[fake->memory_region];
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		/* chain after the type capability, at 0x30 */
		fake_put(answer->bytes + 0x24, 4, 0x30);
		fake_put(answer->bytes + 0x30, 8, 0x10001);
		fake_put(answer->bytes + 0x38, 4, lists[i].n);
		fake_put(answer->bytes + 0x3c, 4, 0);
		answer->len = 0x40 + fake_hex(answer->bytes + 0x40, 64, lists[i].areas);
		fake_put(answer->bytes, 4, answer->len);
		if (vm->variant->personality == PERSONALITY_QEMU)
			assert_int_equal(vm_freeze(vm, NULL), 0);
		if (!vm_realize(vm, 0, &err) || !strstr(err.message, "accel0")) {
			print_error("# sparse list \"%s\": \"%s\"\n", lists[i].id, err.message);
			wrong++;
		}
		vm_stop(vm);
	}
	assert_int_equal(wrong, 0);
}

/* REG-1: a third typed region, a second one of its kind. */
static void reg1_a_region_twice_is_refused(void **state)
{
	for (unsigned int which = 0; which < 2; which++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = vm->devices[0].below.fake;
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		fake->regions[11] =
			fake->regions[which ? fake->registers_region : fake->memory_region];
		fake_put(fake->regions[11].bytes + 8, 4, 11);
		fake_put(fake->info.bytes + 8, 4, 12);
		if (vm->variant->personality == PERSONALITY_QEMU)
			assert_int_equal(vm_freeze(vm, NULL), 0);
		assert_true(vm_realize(vm, 0, &err) < 0);
		assert_message_has(&err, 11);
		vm_stop(vm);
	}
}

/* Only one decoder is supported: others may exist, but not be committed. */
static void reg8_w13_second_committed_decoder_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_set_hardware(fake, 0, 0x00313701);
	fake_set_hardware(fake, 0x38, 0x10000000);
	fake_set_hardware(fake, 0x40, 0x700);
	fake_sample(fake);
	fake_put(fake->regions[9].bytes + 16, 8, 0x150);
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_true(vm_realize(vm, 0, &err) < 0);
	assert_message_has(&err, 1); /* which decoder */
	vm_stop(vm);
}

/* CHK-5: host-only memory needs a window that allows it; own windows are for Type 2. */
static void chk5_host_only_decoder_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_set_hardware(fake, 0x20, 0x1700);
	fake_sample(fake);
	assert_true(vm_start(vm, &err) < 0);
	assert_message_has(&err, vm->variant->generation == 2 ? 0x1600 : 0x1700);
	vm_stop(vm);
}

/* One line of tests/machines/decoders.list. */
struct listed {
	char refusal[32], message[128];
	uint32_t count, control, skip_low, skip_high, other;
};

/* False for a comment. */
static bool read_listed(const char *line, struct listed *listed)
{
	char numbers[5][16], *end;
	uint32_t *const into[] = { &listed->count, &listed->control, &listed->skip_low,
				   &listed->skip_high, &listed->other };

	if (line[0] == '#')
		return false;
	assert_int_equal(sscanf(line, "%31s %15s %15s %15s %15s %15s %127[^\n]", listed->refusal,
				numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
				listed->message),
			 7);
	for (unsigned int i = 0; i < ARRAY_SIZE(into); i++) {
		*into[i] = (uint32_t)strtoul(numbers[i], &end, 0);
		assert_true(end != numbers[i] && !*end);
	}
	return true;
}

/* Realize says of a device with these decoders what the list says, and what to do. */
static void realize_refuses(const struct variant *variant, const struct listed *listed)
{
	struct vm *vm = vm_create(variant, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_set_hardware(fake, 0, 0x00313700 | listed->count);
	fake_set_hardware(fake, 0x20, listed->control);
	fake_set_hardware(fake, 0x24, listed->skip_low);
	fake_set_hardware(fake, 0x28, listed->skip_high);
	fake_set_hardware(fake, 0x40, listed->other);
	fake_sample(fake);
	/* room for a second decoder */
	if (listed->other)
		fake_put(fake->regions[9].bytes + 16, 8, 0x150);
	if (variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_true(vm_realize(vm, 0, &err) < 0);
	assert_message_says(&err, listed->message);
	assert_true(strlen(err.hint) > 20);
	vm_stop(vm);
}

/* REG-8, REG-9, CHK-5: the same list as cxlvm check is shown (tests/monitor/machines.sh). */
static void reg8_reg9_chk5_each_listed_decoder_is_refused(void **state)
{
	const struct variant *variant = *state;
	const char *root = getenv("CXLVM_SOURCE");
	char path[512], line[256];
	struct listed listed;
	unsigned int n = 0;
	FILE *file;

	assert_non_null(root);
	snprintf(path, sizeof(path), "%s/tests/machines/decoders.list", root);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		/* Registers of others are in the region of generation 2 alone. */
		if (!read_listed(line, &listed) || (listed.other && variant->generation != 2))
			continue;
		realize_refuses(variant, &listed);
		n++;
	}
	fclose(file);
	assert_true(n >= 15);
}

/* Facts come from programs of other versions. */
static void decoder_facts_are_checked(void **state)
{
	struct cxlvm_decoder_facts facts = {
		.size = sizeof(facts),
		.committed = true,
		.interleave_ways = 1,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	assert_int_equal(cxlvm_decoder_check(&facts, NULL), 0);
	facts.has_control = true;
	facts.control = 0x1700;
	assert_int_equal(cxlvm_decoder_check(&facts, NULL), 0);
	/* The control register is for the message alone, where there is one. */
	facts.host_only = true;
	assert_int_equal(cxlvm_decoder_check(&facts, &err), -EOPNOTSUPP);
	assert_message_says(&err, "host-only coherent (HDM-H) (control 0x00001700)");
	facts.has_control = false;
	facts.committed = false;
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(cxlvm_decoder_check(&facts, &err), -ENXIO);
	assert_string_equal(err.message, "the real HDM decoder 0 is not committed");
	facts.size = sizeof(facts.size);
	assert_int_equal(cxlvm_decoder_check(&facts, NULL), -EINVAL);
}

/* An answer that always wants more, or wants gigabytes, ends in an error, not in a loop. */
static void det_endless_answers_are_refused(void **state)
{
	for (unsigned int way = 0; way < 4; way++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = vm->devices[0].below.fake;
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		if (way == 0)
			fake->needed_grows = true;
		else if (way == 1)
			fake->info.needed = (size_t)1 << 40;
		else if (way == 2)
			fake->regions[9].needed = (size_t)1 << 40;
		else
			fake_put(fake->info.bytes + 8, 4, 0xffffffff); /* regions */
		if (vm->variant->personality == PERSONALITY_QEMU)
			assert_int_equal(vm_freeze(vm, NULL), 0);
		assert_true(vm_realize(vm, 0, &err) < 0);
		assert_true(vm->board.journal.n < 1000);
		/* before any of them is asked for */
		if (way == 3)
			assert_message_has(&err, 0xffffffff);
		vm_stop(vm);
	}
}

static void answers_shorter_than_their_headers_are_refused(void **state)
{
	for (size_t len = 0; len < 40; len++) {
		for (unsigned int which = 0; which < 2; which++) {
			struct vm *vm = vm_create(*state, 1);
			struct fake *fake = vm->devices[0].below.fake;
			struct fake_answer *answer = which ? &fake->regions[9] : &fake->info;

			answer->len = len;
			answer->needed = len;
			if (vm->variant->personality == PERSONALITY_QEMU)
				assert_int_equal(vm_freeze(vm, NULL), 0);
			/* generations 4 to 6: 16 bytes say all that is needed (contract 17 has such) */
			assert_true(vm_realize(vm, 0, NULL) < 0 ||
				    (!which && vm->variant->generation >= 4 && len >= 16));
			vm_stop(vm);
		}
	}
}

/* OVL-4: an excluded range over the HDM block. */
static void ovl4_exclusion_over_the_decoder_is_refused(void **state)
{
	static const struct cxlvm_bar_range exclude[] = { { 2, 0x1112c, 0x10 } };
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.exclude = exclude;
	vm->devices[0].config.n_exclude = 1;
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_true(vm_realize(vm, 0, &err) < 0);
	assert_message_has(&err, 0x1112c);
	vm_stop(vm);
}

static void bad_configurations_are_refused(void **state)
{
	char long_name[80];

	memset(long_name, 'n', sizeof(long_name));
	long_name[64] = '\0';
	for (unsigned int way = 0; way < 6; way++) {
		struct vm *vm = vm_create(*state, 1);
		struct cxlvm_endpoint_config *config = &vm->devices[0].config;
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		switch (way) {
		case 0:
			config->name = NULL;
			break;
		case 1:
			config->name = long_name;
			break;
		case 2:
			config->page_size = 3000;
			break;
		case 3:
			config->page_size = 0x20000;
			break;
		case 4:
			config->name = "";
			break;
		default:
			config->size = 0;
			break;
		}
		if (vm->variant->personality == PERSONALITY_QEMU)
			assert_int_equal(vm_freeze(vm, NULL), 0);
		assert_int_equal(vm_realize(vm, 0, &err), -EINVAL);
		assert_int_equal(vm->board.journal.n, 0);
		vm_stop(vm);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE(refuses_broken_devices),
		TEST_FAKE(reg7_w28_refuses_broken_arrays),
		TEST_FAKE(reg5_refuses_bad_sparse_areas),
		TEST_FAKE(reg1_a_region_twice_is_refused),
		TEST_FAKE_2(reg8_w13_second_committed_decoder_is_refused),
		TEST_ON(chk5_host_only_decoder_is_refused, OWN_FAKE_2, "[own,fake 2]"),
		TEST_ON(chk5_host_only_decoder_is_refused, OWN_FAKE_3, "[own,fake 3]"),
		TEST_ON(chk5_host_only_decoder_is_refused, OWN_FAKE_4, "[own,fake 4]"),
		TEST_ON(chk5_host_only_decoder_is_refused, OWN_FAKE_5, "[own,fake 5]"),
		TEST_FAKE(reg8_reg9_chk5_each_listed_decoder_is_refused),
		cmocka_unit_test(decoder_facts_are_checked),
		TEST_FAKE(det_endless_answers_are_refused),
		TEST_FAKE(answers_shorter_than_their_headers_are_refused),
		TEST_FAKE(ovl4_exclusion_over_the_decoder_is_refused),
		TEST_FAKE(bad_configurations_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

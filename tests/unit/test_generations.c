/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What realize makes of each generation where that differs: refused layouts, spans by host page
 * size, oddities that one kernel may have (vfio-cxl-uapi.md 2, 3, 8; vmm-contract.md 1 to 3).
 */
#include <errno.h>

#include "test.h"
#include "vm.h"

static int realize(struct vm *vm, struct cxlvm_error *err)
{
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	return vm_realize(vm, 0, err);
}

/* DET-2, DET-3: an RFC kernel is refused, and the message says what was seen. */
static void refuse_rfc(void **state, unsigned int which, unsigned int bytes)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_fill_rfc(vm->devices[0].below.fake, which);
	assert_int_equal(realize(vm, &err), -EOPNOTSUPP);
	assert_message_says(&err, "accel0");
	assert_message_says(&err, "no register region"); /* the test that failed */
	assert_message_has(&err, 0x283);                 /* flags */
	assert_message_says(&err, "capabilities 6 ");    /* ids */
	assert_message_has(&err, bytes);
	assert_message_has(&err, 10); /* regions */
	assert_message_has(&err, 0x80001e98);
	assert_non_null(strstr(err.hint, "version 2"));
	vm_stop(vm);
}

static void det2_det3_r1_is_refused(void **state)
{
	refuse_rfc(state, FAKE_R1, 40);
}

static void det3_r2_is_refused(void **state)
{
	refuse_rfc(state, FAKE_R2, 32);
}

/* R2 is as long as generation 2 and has the same version: the words tell, not the size. */
static void det3_r2_with_the_regions_of_generation_2_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct fake_answer regions[2] = { fake->regions[9], fake->regions[10] };

	fake_fill_rfc(fake, FAKE_R2);
	fake_put(fake->info.bytes + 8, 4, 11);
	fake->regions[9] = regions[0];
	fake->regions[10] = regions[1];
	fake->registers_region = 9;
	fake->memory_region = 10;
	assert_int_equal(realize(vm, &err), -EOPNOTSUPP);
	assert_message_says(&err, "capability 6 does not name the regions");
	assert_message_has(&err, 32);
	vm_stop(vm);
}

/* The 48 bytes of generation 3, cut to the size of 2 or with the words of 2, are neither. */
static void det3_generation_3_with_the_words_of_2_is_read_as_2_only_if_all_fits(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_put(fake->info.bytes + 0x34, 8, 0);
	fake_put(fake->info.bytes + 0x40, 4, 9);
	fake_put(fake->info.bytes + 0x44, 4, 10);
	/* looks like 2 now, and is refused for what 2 says about the block */
	assert_true(realize(vm, &err) < 0);
	vm_stop(vm);
}

/* Both say the same, and it is not a component block. */
static void generation_3_block_of_another_size_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_put(fake->info.bytes + 0x50, 8, 0x8000);
	fake_put(fake->regions[10].bytes + 0x10, 8, 0x8000);
	assert_int_equal(realize(vm, &err), -EPROTO);
	assert_message_has(&err, 0x8000);
	vm_stop(vm);
}

/* Capability 6 belongs to the vendor's region type, type 4 to kernels without it. */
static void det3_capability_6_with_type_4_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_put(fake->regions[9].bytes + 0x28, 4, 4);
	fake_put(fake->regions[10].bytes + 0x28, 4, 4);
	assert_int_equal(realize(vm, &err), -EOPNOTSUPP);
	assert_message_says(&err, "capability 6 with regions of generation 4");
	vm_stop(vm);
}

/* Contract 3.1: spans with host pages of 4 KiB and 64 KiB. */
static void ovl2_w31_spans_by_page_size(void **state)
{
	static const uint64_t pages[] = { 0x1000, 0x2000, 0x10000 };

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct cxlvm_bar_range span = { 0 };
		bool block = vm->variant->generation == 3 || pages[i] == 0x10000;

		vm->devices[0].config.page_size = pages[i];
		vm->devices[0].recorder.page_size = pages[i];
		fake_set_page_size(vm->devices[0].below.fake, pages[i]);
		assert_int_equal(vm_start(vm, NULL), 0);
		assert_int_equal(cxlvm_endpoint_spans(vm->devices[0].endpoint, &span, 1), 1);
		assert_int_equal(span.offset, block                ? 0x10000
					      : pages[i] == 0x2000 ? 0x10000
								   : 0x11000);
		assert_int_equal(span.size, block ? 0x10000 : pages[i]);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* OVL-3: a list with no areas (6 with large pages), or a BAR that cannot be mapped (3). */
static void ovl3_component_bar_without_areas(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	if (fake->generation == 6)
		fake_set_region(fake, 2,
				"30 00 00 00  0f 00 00 00  02 00 00 00  20 00 00 00"
				"00 00 02 00  00 00 00 00  00 00 00 00  00 02 00 00"
				"01 00 01 00  00 00 00 00  00 00 00 00  00 00 00 00");
	else
		fake_set_region(fake, 2,
				"20 00 00 00  03 00 00 00  02 00 00 00  00 00 00 00"
				"00 00 02 00  00 00 00 00  00 00 00 00  00 02 00 00");
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* The id of the geometry capability is not certain: any above 5 will do, 6 first. */
static void det_geometry_capability_of_another_id(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	fake_put(fake->regions[fake->registers_region].bytes + 0x30, 2, 7);
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Neither the bytes of 2 and 2n nor those of 5 and 6 tell which: both are taken alike. */
static void det_kernels_without_a_marker(void **state)
{
	const struct variant *variant = *state;
	struct vm *vm = vm_create(variant, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_endpoint_generation(vm->devices[0].endpoint),
			 variant->kernel == 6 ? 5 : 2);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Section 8: reads fail while Memory Space is off, so it is on before the first of them. */
static void generation_6_with_memory_space_off(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	fake->config[4] = 0;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	assert_int_equal(vm_system_reset_way(vm, VM_RESET_MEMORY_SPACE_OFF, NULL), 0);
	vm_check_running(vm);
	/* off behind everybody's back: the decoder cannot be asked before it is on again */
	fake->config[4] = 0;
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700); /* OVL-6 */
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_int_equal(fake->config[4], 2);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Some 2n kernels do not let user space map the memory (REG-4). */
static void reg4_w26_generation_2n_without_mmap_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].below.fake->regions[10].bytes[4] = 0x0b;
	assert_int_equal(realize(vm, &err), -EOPNOTSUPP);
	assert_message_says(&err, "mmap");
	assert_non_null(strstr(err.hint, "does not let user space map"));
	vm_stop(vm);
}

/* Section 10, rule 4: device memory is never read or written (the fake fails the test). */
static void p6_memory_is_mapped_not_read(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	uint32_t memory = vm->devices[0].below.fake->memory_region;

	assert_int_equal(vm_start(vm, NULL), 0);
	for (size_t i = 0; i < vm->board.journal.n; i++) {
		const struct journal_entry *entry = &vm->board.journal.entries[i];

		assert_false((entry->call == CALL_READ || entry->call == CALL_WRITE) &&
			     entry->region == memory);
	}
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE_2(det2_det3_r1_is_refused),
		TEST_FAKE_2(det3_r2_is_refused),
		TEST_FAKE_2(det3_r2_with_the_regions_of_generation_2_is_refused),
		TEST_FAKE_ON(det3_generation_3_with_the_words_of_2_is_read_as_2_only_if_all_fits,
			     3),
		TEST_FAKE_ON(generation_3_block_of_another_size_is_refused, 3),
		TEST_FAKE_2(det3_capability_6_with_type_4_is_refused),
		TEST_FAKE_ON(det3_capability_6_with_type_4_is_refused, 3),
		TEST_FAKE(ovl2_w31_spans_by_page_size),
		TEST_FAKE_ON(ovl3_component_bar_without_areas, 3),
		TEST_FAKE_ON(ovl3_component_bar_without_areas, 6),
		TEST_FAKE_ON(det_geometry_capability_of_another_id, 4),
		TEST_FAKE_ON(det_geometry_capability_of_another_id, 5),
		TEST_FAKE_ON(det_geometry_capability_of_another_id, 6),
		TEST_FAKE_ON(det_kernels_without_a_marker, 2N),
		TEST_SIM_ON(det_kernels_without_a_marker, 2N),
		TEST_FAKE_ON(det_kernels_without_a_marker, 6),
		TEST_SIM_ON(det_kernels_without_a_marker, 6),
		TEST_FAKE_ON(generation_6_with_memory_space_off, 6),
		TEST_FAKE_ON(reg4_w26_generation_2n_without_mmap_is_refused, 2N),
		TEST_FAKE(p6_memory_is_mapped_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

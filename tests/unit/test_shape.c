/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices that realize has to take: golden bytes of every generation, and legal oddities. */
#include <errno.h>

#include "test.h"
#include "vm.h"

static struct fake *fake_of(struct vm *vm)
{
	return vm->devices[0].below.fake;
}

static void w29_shape_golden_bytes_are_understood(void **state)
{
	const struct variant *variant = *state;
	struct vm *vm = vm_create(variant, 1);
	struct cxlvm_bar_range span = { 0 };
	struct cxlvm_endpoint *endpoint;

	assert_int_equal(vm_start(vm, NULL), 0);
	endpoint = vm->devices[0].endpoint;
	assert_int_equal(cxlvm_endpoint_generation(endpoint), variant->generation);
	assert_true(cxlvm_endpoint_firmware_committed(endpoint));
	assert_int_equal(cxlvm_endpoint_memory_size(endpoint), 0x10000000);
	assert_string_equal(cxlvm_endpoint_name(endpoint), "accel0");
	assert_int_equal(cxlvm_endpoint_spans(endpoint, NULL, 0), 1);
	assert_int_equal(cxlvm_endpoint_spans(endpoint, &span, 1), 1);
	assert_int_equal(span.bar, 2);
	/* contract 3.1: generation 3 serves the whole block */
	assert_int_equal(span.offset, variant->generation == 3 ? 0x10000 : 0x11000);
	assert_int_equal(span.size, variant->generation == 3 ? 0x10000 : 0x1000);
	assert_int_equal(vm->devices[0].bar, 2);
	assert_int_equal(vm->devices[0].hdm, 0x11100);
	vm_check_running(vm);
	vm_stop(vm);
}

/* The sims, wherever they put their blocks. */
static void shape_sim_is_understood(void **state)
{
	const struct variant *variant = *state;
	struct vm *vm = vm_create(variant, 2);

	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(cxlvm_endpoint_generation(vm->devices[i].endpoint),
				 variant->generation);
		assert_int_equal(cxlvm_endpoint_memory_size(vm->devices[i].endpoint), 0x10000000);
	}
	vm_check_running(vm);
	vm_stop(vm);
}

static void realize_programs_and_maps_nothing(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_WRITE), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_MAP), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_PREPARE), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_BRIDGE), 0);
	assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	assert_int_equal(cxlvm_endpoint_memory_areas(vm->devices[0].endpoint, NULL, 0), 0);
	vm_stop(vm);
}

/* 64 KiB host pages: the whole component block is one page (OVL-2). */
static void ovl2_large_host_pages_trap_the_whole_block(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_bar_range span = { 0 };

	vm->devices[0].config.page_size = 0x10000;
	vm->devices[0].recorder.page_size = 0x10000;
	fake_set_page_size(fake_of(vm), 0x10000);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_endpoint_spans(vm->devices[0].endpoint, &span, 1), 1);
	assert_int_equal(span.offset, 0x10000);
	assert_int_equal(span.size, 0x10000);
	vm_check_running(vm);
	vm_stop(vm);
}

/* MSI-X bytes in the same page are the host's (OVL-4). */
static void ovl4_excluded_ranges_are_cut_out(void **state)
{
	static const struct cxlvm_bar_range exclude[] = { { 0, 0x2000, 0x40 },
							  { 2, 0x11800, 0x100 },
							  { 2, 0x11fc0, 0x1000 } };
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_bar_range spans[4] = { 0 };

	vm->devices[0].config.exclude = exclude;
	vm->devices[0].config.n_exclude = 3;
	assert_int_equal(vm_start(vm, NULL), 0);
	if (vm->variant->generation == 3) {
		assert_int_equal(cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 4), 3);
		assert_int_equal(spans[0].offset, 0x10000);
		assert_int_equal(spans[0].size, 0x1800);
		assert_int_equal(spans[2].offset, 0x12fc0);
		assert_int_equal(spans[2].size, 0xd040);
	} else {
		assert_int_equal(cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 4), 2);
		assert_int_equal(spans[0].offset, 0x11000);
		assert_int_equal(spans[0].size, 0x800);
	}
	assert_int_equal(spans[1].offset, 0x11900);
	assert_int_equal(spans[1].size, 0x6c0);
	vm_stop(vm);
}

/* Order of sparse areas is not guaranteed; adjacent ones that cover the region do (REG-5). */
static void reg5_unsorted_sparse_areas_are_sorted(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	fake_split_memory(fake_of(vm));
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	assert_int_equal(vm->devices[0].recorder.copy[0].offset.value, 0);
	vm_stop(vm);
}

/* Bits and capabilities nobody knows yet: skipped. */
static void det_unknown_capabilities_and_flags_are_skipped(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = fake_of(vm);

	fake->info.bytes[fake->kernel == FAKE_2N ? 0x38 : 0x18] = 0x63; /* was 5 */
	fake->info.bytes[6] |= 0x80;                                    /* flag 23 */
	fake->regions[0].bytes[6] |= 0x80;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Generations 2 and 3: the decoder's size is presented when it is the smaller one (REG-3). */
static void reg3_chk3_generations_2_and_3_present_a_smaller_decoder(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = fake_of(vm);

	fake_put(fake->regions[fake->memory_region].bytes + 16, 8, 0x30000000);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_endpoint_memory_size(vm->devices[0].endpoint), 0x10000000);
	vm_check_running(vm);
	vm_stop(vm);
}

/* More decoders, all others uncommitted: presented as one (REG-8); codes above 8 by table. */
static void reg8_generation_2_shows_one_of_many_decoders(void **state)
{
	static const struct {
		uint32_t code, count;
	} counts[] = { { 0, 1 },   { 1, 2 },   { 2, 4 },  { 3, 6 },  { 4, 8 },
		       { 5, 10 },  { 6, 12 },  { 7, 14 }, { 8, 16 }, { 9, 20 },
		       { 10, 24 }, { 11, 28 }, { 12, 32 } };

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = fake_of(vm);

		fake_set_hardware(fake, 0, 0x00313700 | counts[i].code);
		fake_sample(fake);
		fake_put(fake->regions[9].bytes + 16, 8, 0x110 + 0x20 * counts[i].count);
		assert_int_equal(vm_start(vm, NULL), 0);
		assert_int_equal(vm_hdm(vm, 0, 0) & 0xf, 0);
		/* beyond the only decoder: 0, ignored */
		for (unsigned int at = 0x30; at < 0x10 + 0x20 * counts[i].count; at += 4) {
			assert_int_equal(vm_hdm(vm, 0, at), 0);
			vm_write(vm, 0, 0x11100 + at, 4, 0xffffffff);
			assert_int_equal(vm_hdm(vm, 0, at), 0);
			assert_int_equal(fake_kernel(fake, at), 0);
		}
		vm_check_running(vm);
		vm_stop(vm);
	}
}

static void reg8_count_codes_without_meaning_are_refused(void **state)
{
	for (uint32_t code = 13; code < 16; code++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = fake_of(vm);
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		fake_set_hardware(fake, 0, code);
		fake_sample(fake);
		assert_int_equal(vm_start(vm, &err), -EPROTO);
		assert_message_says(&err, "count code");
		assert_message_has(&err, code);
		vm_stop(vm);
	}
}

/* UIO and what is not supported is cleared, one decoder (3.3). */
static void hdm_capability_shows_what_is_supported(void **state)
{
	static const uint32_t real[] = { 0xfffffff0, 0, 0x00300000, 0x000f3ff0 };
	/* device coherent or not, and MemData-NXM: no targets, interleaving, poison, UIO, nothing reserved */
	static const uint32_t shown[] = { 0x00700000, 0, 0x00300000, 0 };

	for (size_t i = 0; i < ARRAY_SIZE(real); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = fake_of(vm);

		fake_set_hardware(fake, 0, real[i]);
		fake_sample(fake);
		assert_int_equal(vm_start(vm, NULL), 0);
		assert_int_equal(vm_hdm(vm, 0, 0), shown[i]);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		assert_int_equal(vm_hdm(vm, 0, 0), shown[i]);
		vm_stop(vm);
	}
}

/* CHK-4: granularity is presented as 0, whatever hardware has; committed but not locked is fine. */
static void chk4_w12_granularity_and_lock_of_hardware_do_not_show(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = fake_of(vm);

	fake_set_hardware(fake, 0x20, 0x00000602);
	fake_sample(fake);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
	assert_true(vm->devices[0].recorder.enabled);
	vm_stop(vm);
}

/* Optional operation usable: 1 is yes. */
static int usable(void *device)
{
	return ((struct fake *)device)->usable;
}

static void usable_operation_is_asked(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = fake_of(vm);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake->ops.usable = usable;
	tap_init(&vm->devices[0].tap, &fake->ops, fake, &vm->board.journal, &vm->board.faults, 0);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_true(journal_count(&vm->board.journal, CALL_USABLE) > 0);
	fake->usable = 0;
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_true(vm_system_reset(vm, &err) < 0);
	fake->usable = 1;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE(w29_shape_golden_bytes_are_understood),
		TEST_SIM(shape_sim_is_understood),
		TEST_ALL(realize_programs_and_maps_nothing),
		TEST_FAKE(ovl2_large_host_pages_trap_the_whole_block),
		TEST_FAKE(ovl4_excluded_ranges_are_cut_out),
		TEST_FAKE(reg5_unsorted_sparse_areas_are_sorted),
		TEST_FAKE(det_unknown_capabilities_and_flags_are_skipped),
		TEST_FAKE_2(reg3_chk3_generations_2_and_3_present_a_smaller_decoder),
		TEST_FAKE_ON(reg3_chk3_generations_2_and_3_present_a_smaller_decoder, 2N),
		TEST_FAKE_ON(reg3_chk3_generations_2_and_3_present_a_smaller_decoder, 3),
		TEST_FAKE(reg8_count_codes_without_meaning_are_refused),
		TEST_FAKE_2(reg8_generation_2_shows_one_of_many_decoders),
		TEST_FAKE_ON(reg8_generation_2_shows_one_of_many_decoders, 2N),
		TEST_FAKE(hdm_capability_shows_what_is_supported),
		TEST_FAKE(chk4_w12_granularity_and_lock_of_hardware_do_not_show),
		TEST_FAKE(usable_operation_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

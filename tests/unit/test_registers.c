/* SPDX-License-Identifier: BSD-3-Clause */
/* Trapped registers: access rules of contract 3.2, the locked decoder of 3.3, P1. */
#include <errno.h>

#include "test.h"
#include "vm.h"

#define ONES(length) ((length) >= 8 ? UINT64_MAX : (1ull << (8 * (length))) - 1)

static struct vm *started(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm_start(vm, &err))
		fail_msg("start: %s", err.message);
	return vm;
}

/* linux-cxl-guest.md section 5, for this window: typed, not computed. */
static void hdm_block_shows_the_published_decoder(void **state)
{
	static const uint32_t want[] = {
		0,          2,          0,          0, /* from 0x04 */
		0x40000000, 0x00000001, 0x10000000, 0, 0x00000700, 0, 0, 0
	};
	struct vm *vm = started(state);

	assert_int_equal(vm_hdm(vm, 0, 0) & 0xf, 0);
	for (unsigned int i = 1; i < ARRAY_SIZE(want); i++)
		assert_int_equal(vm_hdm(vm, 0, 4 * i), want[i]);
	vm_stop(vm);
}

/* The state getter and the registers are one thing. */
static void state_equals_what_the_guest_reads(void **state)
{
	struct cxlvm_endpoint_state copy;
	struct vm *vm = started(state);

	cxlvm_endpoint_get_state(vm->devices[0].endpoint, &copy, sizeof(copy));
	for (unsigned int i = 0; i < ARRAY_SIZE(copy.hdm); i++)
		assert_int_equal(copy.hdm[i], vm_hdm(vm, 0, 4 * i));
	assert_int_equal(copy.dvsec_control & 4, 4);
	assert_int_equal(copy.usable, 1);
	assert_int_equal(copy.mapped, 1);
	vm_stop(vm);
}

static void w20_access_rules_for_reads_in_the_hdm_block(void **state)
{
	struct vm *vm = started(state);
	uint64_t hdm = vm->devices[0].hdm;

	for (unsigned int at = 0; at < 0x30; at++) {
		uint64_t low = vm_hdm(vm, 0, at & ~3u);
		uint64_t both =
			low | (at < 0x2c ? (uint64_t)vm_hdm(vm, 0, (at & ~3u) + 4) << 32 : 0);

		for (unsigned int length = 1; length <= 8; length++) {
			struct cxlvm_endpoint_counters before, after;
			bool good = (length == 1 || length == 2 || length == 4 || length == 8) &&
				    (hdm + at) % length == 0;
			uint64_t want = ONES(length);
			uint64_t got;

			if (good)
				want &= length == 8 ? both : low >> (8 * (at & 3));
			cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &before,
						    sizeof(before));
			got = vm_read(vm, 0, hdm + at, length);
			cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &after, sizeof(after));
			if (got != want)
				fail_msg("%u bytes at HDM + 0x%x: 0x%llx, not 0x%llx", length, at,
					 (unsigned long long)got, (unsigned long long)want);
			assert_int_equal(after.bad_accesses - before.bad_accesses, !good);
		}
	}
	vm_stop(vm);
}

static void access_rules_for_writes_are_counted(void **state)
{
	struct vm *vm = started(state);
	uint64_t hdm = vm->devices[0].hdm;

	for (unsigned int at = 0; at < 0x30; at++) {
		for (unsigned int length = 1; length <= 8; length++) {
			struct cxlvm_endpoint_counters before, after;
			bool good = (length == 4 || length == 8) && (hdm + at) % length == 0;

			cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &before,
						    sizeof(before));
			vm_write(vm, 0, hdm + at, length, 0);
			cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &after, sizeof(after));
			assert_int_equal(after.writes - before.writes, 1);
			assert_int_equal(after.bad_accesses - before.bad_accesses, !good);
		}
	}
	vm_check_running(vm);
	vm_stop(vm);
}

/* Contract 3.3, section 9: a locked decoder does not move, whatever is written, however wide. */
static void w17_locked_decoder_ignores_all_guest_writes(void **state)
{
	static const uint64_t values[] = { 0,      UINT64_MAX, 0x200,      0x600,
					   0x2000, 0x10000000, 0x80000000, 0x0123456789abcdef };
	struct vm *vm = started(state);
	struct vm_snapshot before, after;
	uint64_t hdm = vm->devices[0].hdm;
	uint32_t capability = vm_hdm(vm, 0, 0);

	vm_snapshot(vm, &before);
	journal_clear(&vm->board.journal);
	for (unsigned int round = 0; round < 2; round++)
		for (unsigned int at = 0x08; at < 0x30; at++)
			for (unsigned int length = 1; length <= 8; length++)
				for (size_t v = 0; v < ARRAY_SIZE(values); v++)
					vm_write(vm, 0, hdm + at, length, values[v] & ONES(length));
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	/* P1: nothing of it reached the device; the map did not even blink */
	for (size_t i = 0; i < vm->board.journal.n; i++) {
		const struct journal_entry *entry = &vm->board.journal.entries[i];

		/* a write that runs over the end of the block may be relayed past it */
		if (entry->call == CALL_WRITE && vm->devices[0].below.fake &&
		    entry->region == vm->devices[0].below.fake->registers_region)
			fail_msg("write of the guest at 0x%llx reached the kernel's decoder",
				 (unsigned long long)entry->offset);
	}
	assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), 0);
	vm_write(vm, 0, hdm, 4, ~capability);
	assert_int_equal(vm_hdm(vm, 0, 0), capability);
	vm_check_running(vm);
	vm_stop(vm);
}

/* CHK-6 and 3.3: decoder enable stays 1; bit 0 only where the capability advertises poison. */
static void chk6_w14_global_enable_stays_on(void **state)
{
	struct vm *vm = started(state);
	uint64_t hdm = vm->devices[0].hdm;
	uint32_t poison = vm_hdm(vm, 0, 0) >> 10 & 1;

	journal_clear(&vm->board.journal);
	vm_write(vm, 0, hdm + 4, 4, 0);
	assert_int_equal(vm_hdm(vm, 0, 4), 2);
	vm_write(vm, 0, hdm + 4, 4, 0xffffffff);
	assert_int_equal(vm_hdm(vm, 0, 4), 2 | poison);
	vm_write(vm, 0, hdm, 8, 0);
	assert_int_equal(vm_hdm(vm, 0, 4), 2);
	vm_write(vm, 0, hdm + 4, 2, 0xffff);
	assert_int_equal(vm_hdm(vm, 0, 4), 2);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), 0);
	assert_true(vm->devices[0].recorder.enabled);
	vm_stop(vm);
}

/* Outside the HDM block, inside the trapped page: the real bytes (RAS at CM + 0x80, array). */
static void ovl2_the_rest_of_the_page_is_relayed(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;
	const struct journal_entry *entry;

	assert_int_equal(vm_read(vm, 0, 0x11000, 4), 0x02110001);
	assert_int_equal(vm_read(vm, 0, 0x11004, 8), UINT64_MAX); /* not aligned */
	assert_int_equal(vm_read(vm, 0, 0x11000, 8), 0x0802000202110001);
	assert_int_equal(vm_read(vm, 0, 0x11084, 4), 0x0001cfff);
	assert_int_equal(vm_read(vm, 0, 0x11085, 1), 0xcf);
	assert_int_equal(vm_read(vm, 0, 0x11086, 2), 0x0001);
	assert_int_equal(vm_read(vm, 0, 0x11085, 2), 0xffff);
	/* behind the HDM block */
	fake_put(fake->block + 0x1140, 4, 0x13572468);
	assert_int_equal(vm_read(vm, 0, 0x11140, 4), fake->generation == 3 ? 0 : 0x13572468);
	journal_clear(&vm->board.journal);
	vm_write(vm, 0, 0x11080, 4, 0x01020304);
	assert_int_equal(journal_count(&vm->board.journal, CALL_WRITE), 1);
	entry = &vm->board.journal.entries[journal_find(&vm->board.journal, CALL_WRITE, 0)];
	if (fake->generation == 2) {
		assert_int_equal(entry->region, 9);
		assert_int_equal(entry->offset, 0x80);
	} else if (fake->generation == 3) {
		assert_int_equal(entry->region, 10);
		assert_int_equal(entry->offset, 0x1080);
	} else {
		assert_int_equal(entry->region, 2);
		assert_int_equal(entry->offset, 0x11080);
	}
	assert_int_equal(entry->length, 4);
	assert_memory_equal(entry->data, "\x04\x03\x02\x01", 4);
	/* P2: the header log reads 0 and is not asked */
	journal_clear(&vm->board.journal);
	memset(fake->block + 0x1098, 0x5e, 0x40);
	fake_sample(fake);
	for (uint64_t at = 0x11098; at < 0x110d8; at += 4) {
		vm_write(vm, 0, at, 4, 1);
		assert_int_equal(vm_read(vm, 0, at, 4), 0);
	}
	assert_int_equal(vm->board.journal.n, 0);
	assert_int_equal(vm_read(vm, 0, 0x11094, 4), 0x200);
	/* 1 and 2 byte writes are dropped */
	journal_clear(&vm->board.journal);
	vm_write(vm, 0, 0x11080, 1, 1);
	vm_write(vm, 0, 0x11080, 2, 1);
	vm_write(vm, 0, 0x11081, 4, 1);
	assert_int_equal(vm->board.journal.n, 0);
	vm_stop(vm);
}

/* Back-end error: ones, counted; the HDM block is not concerned (3.2, OVL-6). */
static void device_errors_read_ones_and_are_counted(void **state)
{
	struct cxlvm_endpoint_counters before, after;
	struct vm *vm = started(state);

	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &before, sizeof(before));
	faults_arm(&vm->board.faults, 1, FAULT_BEFORE, -EIO);
	vm->board.faults.persistent = true;
	assert_int_equal(vm_read(vm, 0, 0x11080, 4), 0xffffffff);
	assert_int_equal(vm_read(vm, 0, 0x11080, 2), 0xffff);
	vm_write(vm, 0, 0x11080, 4, 1);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
	faults_disarm(&vm->board.faults);
	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &after, sizeof(after));
	assert_int_equal(after.device_errors - before.device_errors, 3);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Neither the wrong BAR nor an offset outside the spans reaches anything. */
static void accesses_outside_the_spans_read_ones(void **state)
{
	struct vm *vm = started(state);
	bool block = vm->variant->generation == 3; /* which traps all of it */
	const uint64_t offsets[] = { 0, block ? 0xffff : 0x10fff, block ? 0x20000 : 0x12000,
				     0x20000, UINT64_MAX };

	journal_clear(&vm->board.journal);
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		assert_int_equal(vm_read(vm, 0, offsets[i], 1), 0xff);
		vm_write(vm, 0, offsets[i], 4, 0);
	}
	assert_int_equal(cxlvm_endpoint_reg_read(vm->devices[0].endpoint, 0, 0x11100, 4),
			 0xffffffff);
	assert_int_equal(cxlvm_endpoint_reg_read(vm->devices[0].endpoint, 77, 0x11100, 4),
			 0xffffffff);
	/* across the end of the span */
	assert_true(vm_read(vm, 0, block ? 0x1fffc : 0x11ffc, 8) == UINT64_MAX);
	assert_int_equal(journal_count(&vm->board.journal, CALL_READ), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_WRITE), 0);
	vm_stop(vm);
}

/* OVL-6: the real device reads all ones (Memory Space off, generation 5); the block does not. */
static void ovl6_real_registers_do_not_show(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;

	fake->config[4] = 0;
	memset(fake->block + 0x1100, 0xff, 0x30);
	memset(fake->shadow + 0x100, 0xff, 0x30);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
	assert_int_equal(vm_hdm(vm, 0, 0x10), VM_WINDOW(0) & 0xffffffff);
	fake_fill_bytes(fake);
	fake_sample(fake);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(hdm_block_shows_the_published_decoder),
		TEST_ALL(state_equals_what_the_guest_reads),
		TEST_ALL(w20_access_rules_for_reads_in_the_hdm_block),
		TEST_ALL(access_rules_for_writes_are_counted),
		TEST_ALL(w17_locked_decoder_ignores_all_guest_writes),
		TEST_ALL(chk6_w14_global_enable_stays_on),
		TEST_FAKE(ovl2_the_rest_of_the_page_is_relayed),
		TEST_FAKE(device_errors_read_ones_and_are_counted),
		TEST_FAKE(accesses_outside_the_spans_read_ones),
		TEST_FAKE(ovl6_real_registers_do_not_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

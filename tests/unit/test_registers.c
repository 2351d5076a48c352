/* SPDX-License-Identifier: BSD-3-Clause */
/* Trapped registers: access rules of contract 3.2, the locked decoder of 3.3, P1, P2. */
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

/* A number the guest can assemble from what it reads must not hold the host's address. */
static unsigned int marks(const uint8_t *bytes, size_t n)
{
	unsigned int found = 0;

	/* 0x5eed.... anywhere, as bytes: high word of the base */
	for (size_t i = 0; i + 1 < n; i++)
		found += bytes[i] == 0xed && bytes[i + 1] == 0x5e;
	/* 0xc0000000 as an aligned dword: low word of the base */
	for (size_t i = 0; i + 3 < n; i += 4)
		found += fake_get(bytes + i, 4) == 0xc0000000;
	return found;
}

static unsigned int marks_in_registers(struct vm *vm)
{
	struct cxlvm_bar_range spans[4];
	size_t n = cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 4);
	static const unsigned int lengths[] = { 1, 2, 4, 8 };
	unsigned int found = 0;

	for (size_t s = 0; s < n; s++) {
		for (size_t l = 0; l < ARRAY_SIZE(lengths); l++) {
			static uint8_t bytes[0x10000];
			unsigned int length = lengths[l];

			journal_clear(&vm->board.journal);
			for (uint64_t at = 0; at < spans[s].size; at += length)
				fake_put(bytes + at, length,
					 cxlvm_endpoint_reg_read(vm->devices[0].endpoint,
								 spans[s].bar, spans[s].offset + at,
								 length));
			found += marks(bytes, spans[s].size);
		}
	}
	return found;
}

static unsigned int marks_in_config(struct vm *vm)
{
	static const unsigned int lengths[] = { 1, 2, 4 };
	unsigned int found = 0;

	for (size_t l = 0; l < ARRAY_SIZE(lengths); l++) {
		uint8_t bytes[4096];

		for (uint32_t at = 0; at < sizeof(bytes); at += lengths[l])
			fake_put(bytes + at, lengths[l], vm_config_read(vm, 0, at, lengths[l]));
		found += marks(bytes, sizeof(bytes));
	}
	return found;
}

/*
 * P2 at every stage of the life. The host's address is in the register region (3 to 6), in DVSEC range
 * 1 (all) and, as a committed but unlocked decoder, in the kernel's shadow (2: W16).
 */
static void p2_no_host_address_is_visible(void **state)
{
	for (unsigned int unlocked = 0; unlocked < 2; unlocked++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = vm->devices[0].below.fake;
		struct vm_device *device = &vm->devices[0];

		if (unlocked) {
			fake_set_hardware(fake, 0x20, 0x600);
			fake_sample(fake);
		}
		/* the search finds what is there: positive control */
		assert_true(marks(fake->config, sizeof(fake->config)) == 2);
		if (vm->variant->personality == PERSONALITY_QEMU)
			assert_int_equal(vm_freeze(vm, NULL), 0);
		assert_int_equal(vm_realize(vm, 0, NULL), 0);
		assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
		assert_int_equal(vm_start(vm, NULL), 0);
		assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
		assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
		device->below.reset(device->below.device);
		board_reset_bridges(&vm->board);
		/* a failed one */
		faults_arm(&vm->board.faults, 1, FAULT_BEFORE, -EIO);
		assert_true(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL) < 0);
		faults_disarm(&vm->board.faults);
		assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
		vm_stop(vm);
	}
}

/* The same while the guest programs the decoder itself, and fails to. */
static void p2_no_host_address_with_policy_guest(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	assert_true(marks(vm->devices[0].below.fake->config, 4096) == 2);
	assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE, 0), 0x600);
	assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
	vm_hdm_write(vm, 0, 0x20, 0);
	assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
	faults_arm(&vm->board.faults, 5, FAULT_BEFORE, -EIO);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE, 0), 0xa00);
	faults_disarm(&vm->board.faults);
	assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(marks_in_registers(vm) + marks_in_config(vm), 0);
	vm_stop(vm);
}

/* Nor in anything that the library tells the host to publish, trace or report. */
static void p2_traces_and_events_hold_no_host_address(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const struct recorder *recorder = &vm->devices[0].recorder;

	cxlvm_machine_trace(vm->machine, "*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	vm->devices[0].below.fake->loses_decoder = true;
	assert_true(vm_system_reset(vm, NULL) < 0);
	assert_true(recorder->n_traces > 3);
	for (unsigned int t = 0; t < recorder->n_traces; t++)
		for (unsigned int a = 0; a < recorder->traces[t].n_args; a++) {
			assert_int_not_equal(recorder->traces[t].args[a] >> 32, 0x5eed);
			assert_int_not_equal(recorder->traces[t].args[a], 0xc0000000);
		}
	for (unsigned int e = 0; e < recorder->n_events; e++)
		assert_null(strstr(recorder->events[e].text, "5eed"));
	assert_null(strstr(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint), "5eed"));
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
		TEST_FAKE(p2_no_host_address_is_visible),
		TEST_FAKE(p2_no_host_address_with_policy_guest),
		TEST_FAKE_TELLS(p2_traces_and_events_hold_no_host_address),
		TEST_FAKE(ovl2_the_rest_of_the_page_is_relayed),
		TEST_FAKE(device_errors_read_ones_and_are_counted),
		TEST_FAKE(accesses_outside_the_spans_read_ones),
		TEST_FAKE(ovl6_real_registers_do_not_show),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

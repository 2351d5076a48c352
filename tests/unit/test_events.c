/* SPDX-License-Identifier: BSD-3-Clause */
/* P8: a guest cannot fill the log of its host. Time is virtual. */
#include <errno.h>

#include "test.h"
#include "vm.h"

#define SECOND_NS 1000000000ull

static struct vm *started(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm_start(vm, &err))
		fail_msg("start: %s", err.message);
	return vm;
}

static struct cxlvm_endpoint_counters counters(const struct vm *vm)
{
	struct cxlvm_endpoint_counters c;

	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &c, sizeof(c));
	return c;
}

static size_t events(const struct vm *vm)
{
	return journal_count(&vm->board.journal, CALL_EVENT);
}

/* Every access of contract 18 that is not allowed, a thousand times and more. */
static void p8_w19_a_flood_of_bad_accesses_is_one_message_a_second(void **state)
{
	struct vm *vm = started(state);
	struct vm_device *device = &vm->devices[0];
	uint64_t hdm = device->hdm, last = 0;
	const struct recorded_event *event;
	size_t before = events(vm);
	char number[32];

	for (unsigned int second = 0; second < 3; second++) {
		size_t start = events(vm);

		for (unsigned int i = 0; i < 300; i++) {
			vm_write(vm, 0, hdm + 0x10, 1, 0xff); /* byte */
			vm_write(vm, 0, hdm + 0x10, 2, 0xff); /* word */
			vm_write(vm, 0, hdm + 0x11, 4, 0xff); /* unaligned */
			vm_write(vm, 0, hdm + 0x14, 8, 0xff);
			vm_write(vm, 0, UINT64_MAX - 3, 8, 0xff); /* across the end */
			assert_int_equal(vm_read(vm, 0, hdm + 0x11, 2), 0xffff);
		}
		assert_int_equal(events(vm) - start, 1);
		vm->board.now_ns += SECOND_NS;
	}
	/* the next one tells how many there were since the last message */
	last = counters(vm).bad_accesses;
	assert_true(last >= 3ull * 300 * 5);
	vm_write(vm, 0, hdm + 0x11, 4, 0);
	assert_int_equal(events(vm) - before, 4);
	event = recorder_event(&device->recorder, CXLVM_EVENT_WARNING);
	assert_non_null(event);
	snprintf(number, sizeof(number), " %llu not allowed",
		 (unsigned long long)(counters(vm).bad_accesses - last / 3 * 2 - 1));
	if (!strstr(event->text, number))
		fail_msg("\"%s\" does not say%s", event->text, number);
	/* and with no bad access there is none */
	vm->board.now_ns += 10 * SECOND_NS;
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_int_equal(events(vm) - before, 4);
	vm_stop(vm);
}

/* Reads make no host call; what they ran into is told by the next call that may. */
static void p8_w19_bad_reads_are_told_by_the_next_verb(void **state)
{
	struct vm *vm = started(state);
	size_t before = events(vm);

	for (unsigned int i = 0; i < 1000; i++)
		vm_read(vm, 0, vm->devices[0].hdm + 0x13, 2);
	assert_int_equal(events(vm), before);
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_int_equal(events(vm), before + 1);
	assert_non_null(strstr(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_WARNING)->text,
			       " 1000 not allowed"));
	vm_stop(vm);
}

/* Accesses that the device refuses: ones, dropped, counted, one message (contract 3.2). */
static void p8_device_errors_are_one_message_a_second(void **state)
{
	struct vm *vm = started(state);
	struct vm_device *device = &vm->devices[0];
	struct cxlvm_bar_range span;
	size_t before;

	assert_true(cxlvm_endpoint_spans(device->endpoint, &span, 1) >= 1);
	before = events(vm);
	faults_arm(&vm->board.faults, 1, FAULT_BEFORE, -EIO);
	vm->board.faults.persistent = true;
	for (unsigned int i = 0; i < 500; i++) {
		assert_int_equal(vm_read(vm, 0, span.offset + 0x80, 4), 0xffffffff);
		vm_write(vm, 0, span.offset + 0x80, 4, 0);
	}
	faults_disarm(&vm->board.faults);
	assert_int_equal(counters(vm).device_errors, 1000);
	assert_int_equal(events(vm), before + 1);
	assert_non_null(
		strstr(recorder_event(&device->recorder, CXLVM_EVENT_WARNING)->text, "refused"));
	vm_stop(vm);
}

/* Warnings of another kind, one per reset: a burst, then one a second, and the rest is counted. */
static void p8_warnings_of_resets_are_limited_and_counted(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;
	unsigned int resets = 50, warned = 0;
	const struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t left_out;

	for (unsigned int i = 0; i < resets; i++) {
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
		assert_int_equal(fake_reset(fake), 0);
		/* found locked at another base: a warning */
		fake_set_kernel(fake, 0x10, 0x50000000);
		fake_set_kernel(fake, 0x20, 0x700);
		assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
	}
	for (size_t i = 0; i < vm->board.journal.n; i++)
		if (vm->board.journal.entries[i].call == CALL_EVENT &&
		    vm->board.journal.entries[i].region == CXLVM_EVENT_WARNING)
			warned++;
	left_out = counters(vm).warnings_left_out;
	/* little virtual time passes in a reset */
	assert_true(warned >= CXLVM_WARNINGS_BURST && warned <= CXLVM_WARNINGS_BURST + 2);
	assert_true(left_out + warned >= resets && left_out + warned <= resets + 1);
	/* what management has to know of is not a warning, and is never left out */
	assert_true(recorder_event(recorder, CXLVM_EVENT_MEMORY_AVAILABLE));
	/* a second later there is room for one, an hour later for a burst */
	vm->board.now_ns += SECOND_NS;
	for (unsigned int round = 0; round < 2; round++) {
		unsigned int n = round ? 2 * CXLVM_WARNINGS_BURST : 3;
		unsigned int want = round ? CXLVM_WARNINGS_BURST : 1;
		uint64_t from = counters(vm).warnings_left_out;

		for (unsigned int i = 0; i < n; i++) {
			assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
			fake_set_kernel(fake, 0x10, 0x50000000);
			fake_set_kernel(fake, 0x20, 0x700);
			assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
		}
		assert_int_equal(counters(vm).warnings_left_out - from, n - want);
		vm->board.now_ns += 3600 * SECOND_NS;
	}
	vm_stop(vm);
}

static unsigned int seen(const struct vm *vm, enum cxlvm_event_kind kind)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < vm->devices[0].recorder.n_events; i++)
		n += vm->devices[0].recorder.events[i].kind == kind;
	return n;
}

/*
 * 10.3 step 5: a reset may have cleared the memory, and whoever manages the machine is told so, once
 * and before it is told that the memory is back; so may low power. Not by the start of the machine.
 */
static void rst_lost_content_is_an_event_of_each_reset(void **state)
{
	static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
						       CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
						       CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP,
						       CXLVM_RESET_SYSTEM };
	struct vm *vm = started(state);
	struct recorder *recorder = &vm->devices[0].recorder;

	assert_int_equal(seen(vm, CXLVM_EVENT_CONTENT_LOST), 0);
	assert_int_equal(seen(vm, CXLVM_EVENT_MEMORY_AVAILABLE), 0);
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (int fails = 1; fails >= 0; fails--) {
			recorder->n_events = 0;
			assert_int_equal(vm_reset_prepare(vm, 0, kinds[k], NULL), 0);
			if (kinds[k] >= CXLVM_RESET_WAKEUP)
				board_reset_bridges(&vm->board);
			assert_int_equal(vm_reset_done(vm, 0, kinds[k], fails ? -EIO : 0, NULL),
					 fails ? -EIO : 0);
			assert_int_equal(seen(vm, CXLVM_EVENT_RESET_FAILED), fails);
			assert_int_equal(seen(vm, CXLVM_EVENT_CONTENT_LOST), !fails);
			assert_int_equal(seen(vm, CXLVM_EVENT_MEMORY_AVAILABLE), !fails);
		}
		assert_true(recorder_event(recorder, CXLVM_EVENT_CONTENT_LOST) <
			    recorder_event(recorder, CXLVM_EVENT_MEMORY_AVAILABLE));
	}
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(p8_w19_a_flood_of_bad_accesses_is_one_message_a_second),
		TEST_ALL(p8_w19_bad_reads_are_told_by_the_next_verb),
		TEST_FAKE(p8_device_errors_are_one_message_a_second),
		TEST_FAKE_2(p8_warnings_of_resets_are_limited_and_counted),
		TEST_ALL(rst_lost_content_is_an_event_of_each_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

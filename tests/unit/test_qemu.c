/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a host like QEMU does to the library, point by point (qemu-adapter.md, section 7). The
 * recorder does it in every test; here each point is asked for by itself, and where a broken
 * library would have to be noticed, the test breaks the rule and sees that it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "test.h"
#include "vm.h"

static struct vm *started(void **state, unsigned int n)
{
	struct vm *vm = vm_create(*state, n);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	for (unsigned int i = 0; i < n; i++)
		if (vm->devices[i].below.fake)
			fake_add_capabilities(vm->devices[i].below.fake);
	if (vm_start(vm, &err))
		fail_msg("start: %s (%s)", err.message, err.hint);
	return vm;
}

static const struct bridge_model *bridge_of(struct vm *vm, unsigned int i)
{
	return board_bridge(&vm->board, VM_UID(i));
}

/* A rule is broken on purpose between these two; how often that was noticed. */
static void provoke(struct vm *vm)
{
	vm->board.provoked = true;
	vm->board.broken = 0;
}

static unsigned int noticed(struct vm *vm)
{
	vm->board.provoked = false;
	return vm->board.broken;
}

static void qemu1_windows_are_frozen_before_bridges_and_devices(void **state)
{
	struct vm *vm = vm_create(*state, 2);

	assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_null(cxlvm_machine_bridge(vm->machine, 0));
	assert_true(cxlvm_machine_window(vm->machine, 1)->has_base);
	/* the second one first: its bridge is there, the other is not */
	assert_int_equal(vm_realize(vm, 1, NULL), 0);
	assert_null(cxlvm_machine_bridge(vm->machine, 1));
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "");
	assert_string_equal(cxlvm_machine_window(vm->machine, 1)->owner, "accel1");
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

static void qemu2_newest_notifier_first_and_no_reset_before_all(void **state)
{
	struct vm *vm = vm_create(*state, 2);

	assert_int_equal(vm_freeze(vm, NULL), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(vm_realize(vm, i, NULL), 0);
	journal_clear(&vm->board.journal);
	assert_int_equal(vm_machine_done(vm, 1, NULL), 0);
	/* the other one has not come yet: a reset of it is refused, and touches nothing */
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL), -EAGAIN);
	assert_int_equal(vm_machine_done(vm, 0, NULL), 0);
	for (size_t i = 0; i < vm->board.journal.n; i++)
		assert_true(vm->board.journal.entries[i].call == CALL_TRACE);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* The bridge's hold comes after the endpoint's: only what is published in exit is left. */
static void qemu3_bridge_is_published_after_its_own_reset(void **state)
{
	struct vm *vm = started(state, 2);
	const struct bridge_model *bridge = bridge_of(vm, 0);

	vm->board.phase = PHASE_HOLD;
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	assert_int_equal(bridge->published, 1);
	assert_int_equal(bridge->decoder.size, FAKE_MEMORY_SIZE);
	board_reset_bridges(&vm->board);
	assert_int_equal(bridge->decoder.size, 0);
	assert_false(bridge->masked);
	vm->board.phase = PHASE_EXIT;
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL), 0);
	vm->board.phase = PHASE_RUN;
	assert_int_equal(bridge->published, 2);
	assert_int_equal(bridge->decoder.size, FAKE_MEMORY_SIZE);
	assert_true(bridge->masked);
	/* a library that publishes and enables in hold */
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	vm->board.phase = PHASE_HOLD;
	provoke(vm);
	vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL);
	assert_int_equal(noticed(vm), 2);
	vm->board.phase = PHASE_RUN;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_stop(vm);
}

/* Prepare nests and repeats, with or without a reset in between; done may come alone. */
static void qemu4_verbs_nest_and_repeat(void **state)
{
	static const enum cxlvm_reset_kind nests[][5] = {
		{ CXLVM_RESET_HOT, CXLVM_RESET_SYSTEM, 0 },
		{ CXLVM_RESET_SYSTEM, CXLVM_RESET_HOT, CXLVM_RESET_SYSTEM, 0 },
		{ CXLVM_RESET_FUNCTION, CXLVM_RESET_HOT, CXLVM_RESET_BUS, CXLVM_RESET_SYSTEM, 0 },
		{ CXLVM_RESET_LOW_POWER, CXLVM_RESET_WAKEUP, CXLVM_RESET_LOW_POWER, 0 },
		{ 0 },
	};
	struct vm *vm = started(state, 2);
	struct test_device *below = &vm->devices[0].below;
	struct vm_snapshot first, last;

	vm_snapshot(vm, &first);
	for (unsigned int resets = 0; resets < 2; resets++) {
		for (size_t i = 0; i < ARRAY_SIZE(nests); i++) {
			enum cxlvm_reset_kind done =
				i == 3 ? CXLVM_RESET_WAKEUP : CXLVM_RESET_SYSTEM;

			for (size_t n = 0; nests[i][n]; n++) {
				assert_int_equal(vm_reset_prepare(vm, 0, nests[i][n], NULL), 0);
				if (resets)
					below->reset(below->device);
			}
			board_reset_bridges(&vm->board);
			/* an inner done programs nothing */
			if (nests[i][0])
				assert_int_equal(
					vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
			assert_int_equal(vm->devices[0].recorder.enabled, !nests[i][0]);
			assert_int_equal(vm_reset_done(vm, 0, done, 0, NULL), 0);
			/* and again, without prepare: resume */
			assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_WAKEUP,
						       CXLVM_RESET_RESULT_UNKNOWN, NULL),
					 0);
			assert_int_equal(vm_reset_done(vm, 1, CXLVM_RESET_WAKEUP,
						       CXLVM_RESET_RESULT_UNKNOWN, NULL),
					 0);
			vm_check_running(vm);
			vm_snapshot(vm, &last);
			vm_snapshot_assert_equal(&first, &last, true);
		}
	}
	vm_stop(vm);
}

/* Between prepare and done the host writes Memory Space off by the way that guest writes take. */
static void qemu5_own_reset_turns_memory_space_off(void **state)
{
	struct vm *vm = started(state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	vm_config_write(vm, 0, 4, 2, 0x0000);
	for (uint32_t bar = 0x10; bar < 0x28; bar += 4)
		vm_config_write(vm, 0, bar, 4, 0);
	assert_int_equal(fake->config[4] & 2, 2);
	assert_false(vm->devices[0].recorder.enabled);
	fake->config[4] = 0; /* the reset itself */
	fake_reset(fake);
	board_reset_bridges(&vm->board);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, CXLVM_RESET_RESULT_UNKNOWN, NULL),
			 0);
	assert_int_equal(fake->config[4] & 2, 2);
	vm_check_running(vm);
	vm_stop(vm);
}

/* One type for both: the host derives the kind, and only a system reset touches the bridge. */
static void qemu6_bus_reset_leaves_the_bridge_alone(void **state)
{
	struct vm *vm = started(state, 2);
	const struct recorder *recorder = &vm->devices[0].recorder;
	const struct cxlvm_trace *trace = NULL;
	struct vm_snapshot first, last;

	cxlvm_machine_trace(vm->machine, "cxl_reset_done", true);
	vm_snapshot(vm, &first);
	for (unsigned int round = 0; round < 3; round++) {
		assert_int_equal(vm_bus_reset(vm, 0, NULL), 0);
		assert_int_equal(recorder_trace_count(recorder, CXLVM_TRACE_RESET_DONE, &trace),
				 round + 1);
		assert_int_equal(trace->args[0], CXLVM_RESET_BUS);
		assert_int_equal(bridge_of(vm, 0)->published, 1);
		vm_check_running(vm);
		vm_snapshot(vm, &last);
		vm_snapshot_assert_equal(&first, &last, true);
	}
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(bridge_of(vm, 0)->published, 2);
	recorder_trace_count(recorder, CXLVM_TRACE_RESET_DONE, &trace);
	assert_int_equal(trace->args[0], CXLVM_RESET_SYSTEM);
	vm_stop(vm);
}

/* The config write succeeds, whatever became of the device: the library looks for itself. */
static void qemu7_function_reset_that_may_not_have_happened(void **state)
{
	struct vm *vm = started(state, 1);
	struct vm_snapshot first, last;
	struct fake *fake = vm->devices[0].below.fake;

	vm_snapshot(vm, &first);
	for (unsigned int happens = 0; happens < 2; happens++) {
		vm_function_reset(vm, 0, happens);
		vm_check_running(vm);
		vm_snapshot(vm, &last);
		vm_snapshot_assert_equal(&first, &last, true);
	}
	if (fake && !fake->keeps_shadow) {
		fake->loses_decoder = true;
		vm_function_reset(vm, 0, true);
		assert_false(vm->devices[0].recorder.enabled);
		assert_int_equal(vm_hdm(vm, 0, 0x20), 0x800);
		assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_RESET_FAILED));
		fake->loses_decoder = false;
		fake->restores_decoder = true;
		vm_function_reset(vm, 0, true);
		vm_check_running(vm);
	}
	vm_stop(vm);
}

static void qemu8_all_areas_in_one_commit(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	struct journal *journal = &vm->board.journal;
	struct fake *fake = vm->devices[0].below.fake;
	long at;

	fake_split_memory(fake);
	assert_int_equal(vm_start(vm, NULL), 0);
	at = journal_find(journal, CALL_ENABLE, 0);
	assert_int_equal(journal_count(journal, CALL_ENABLE), 1);
	assert_int_equal(journal->entries[at].length, 2);
	journal_clear(journal);
	/* DMA fails and nobody says so: "unknown" is no reason to stop */
	recorder->dma_fails = true;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_true(recorder->enabled);
	at = journal_find(journal, CALL_DISABLE, 0);
	assert_int_equal(journal_count(journal, CALL_DISABLE), 1);
	assert_int_equal(journal->entries[at].length, 2);
	recorder->dma_fails = false;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* QEMU aborts when slots run out in enable: prepare is asked, and its answer counts. */
static void map8_qemu8_too_many_areas_are_refused_in_prepare(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake_split_memory(vm->devices[0].below.fake);
	recorder->slots = 1;
	assert_int_equal(vm_start(vm, &err), -ENOSPC);
	assert_message_has(&err, 1);
	assert_message_has(&err, 2);
	assert_false(recorder->prepared);
	assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
	recorder->slots = 2;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	/* a library that did not care */
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	recorder->slots = 1;
	provoke(vm);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL), 0);
	assert_int_equal(noticed(vm), 1);
	vm_stop(vm);
}

/* Each way to lose the memory: the recorder asserts that no transaction is open. */
static void qemu9_no_disable_in_an_open_transaction(void **state)
{
	struct vm *vm = started(state, 1);
	uint32_t control = vm->devices[0].dvsec + 0xc;
	struct journal *journal = &vm->board.journal;

	journal_clear(journal);
	vm_config_write(vm, 0, control, 2, 2);
	vm_config_write(vm, 0, control, 2, 6);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, NULL), 0);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_BUS, 0, NULL), 0);
	vm_function_reset(vm, 0, true);
	assert_int_equal(journal_count(journal, CALL_DISABLE), 3);
	/* a host that has one open when it calls */
	provoke(vm);
	vm->board.verb = VERB_CONFIG_WRITE;
	vm->board.depth = 1;
	vm->devices[0].recorder.ops.disable(&vm->devices[0].recorder, vm->devices[0].recorder.areas,
					    vm->devices[0].recorder.n_areas);
	vm->board.depth = 0;
	vm->board.verb = VERB_NONE;
	assert_int_equal(noticed(vm), 1);
	vm->devices[0].recorder.enabled = vm->devices[0].recorder.dma_mapped = true;
	vm_unrealize(vm, 0);
	assert_int_equal(journal_count(journal, CALL_DISABLE), 5);
	vm_stop(vm);
}

static void qemu10_reads_and_getters_from_everywhere(void **state)
{
	static const enum call from[] = { CALL_ENABLE, CALL_DISABLE, CALL_BRIDGE, CALL_EVENT,
					  CALL_TRACE };
	struct vm *vm = vm_create(*state, 1);
	struct vm_device *device = &vm->devices[0];

	cxlvm_machine_trace(vm->machine, "*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(from); i++)
		if (!device->recorder.calls_back[from[i]])
			fail_msg("no call back from %s", call_name(from[i]));
	/* a read that had to wait for the lock comes after unrealize (F21): ones, no device call */
	vm_unrealize(vm, 0);
	for (unsigned int length = 1; length <= 8; length++)
		assert_true(vm_read(vm, 0, device->hdm, length) ==
			    (length < 8 ? (1ull << (8 * length)) - 1 : UINT64_MAX));
	assert_true(device->recorder.prepared);
	/* a getter that calls the host */
	vm->board.verb = VERB_RESET_DONE;
	device->recorder.calling_back = true;
	provoke(vm);
	device->recorder.ops.dma_state(&device->recorder);
	assert_int_equal(noticed(vm), 1);
	device->recorder.calling_back = false;
	vm->board.verb = VERB_NONE;
	vm_stop(vm);
}

/* The longest wait there is: a device that says "again" and then never gets ready. */
static void qemu11_no_verb_sleeps_longer_than_10_s(void **state)
{
	static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_FUNCTION, CXLVM_RESET_CXL,
						       CXLVM_RESET_HOT, CXLVM_RESET_BUS,
						       CXLVM_RESET_SYSTEM };
	struct vm *vm = started(state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t longest = 0;

	fake->loses_decoder = true;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(vm_reset_prepare(vm, 0, kinds[i], NULL), 0);
		fake_reset(fake);
		if (kinds[i] == CXLVM_RESET_SYSTEM)
			board_reset_bridges(&vm->board);
		assert_true(vm_reset_done(vm, 0, kinds[i], -EAGAIN, NULL) < 0);
		if (vm->board.slept_ms > longest)
			longest = vm->board.slept_ms;
	}
	assert_in_range(longest, 1000, BOARD_SLEEP_MAX_MS);
	vm->board.verb = VERB_RESET_DONE;
	provoke(vm);
	vm->board.slept_ms = BOARD_SLEEP_MAX_MS;
	recorder->ops.sleep_ms(recorder, 1);
	assert_int_equal(noticed(vm), 1);
	vm->board.verb = VERB_NONE;
	vm_stop(vm);
}

static int nested[3];

static void call_verbs(struct recorder *recorder)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	nested[0] = cxlvm_endpoint_reset_prepare(recorder->endpoint, CXLVM_RESET_SYSTEM, &err);
	assert_int_equal(err.code, nested[0]);
	assert_string_not_equal(err.hint, "");
	nested[1] = cxlvm_endpoint_reset_done(recorder->endpoint, CXLVM_RESET_SYSTEM, 0, NULL);
	nested[2] = cxlvm_endpoint_recheck(recorder->endpoint);
}

/* A host that calls a verb from within an operation of another one: refused, nothing changes. */
static void qemu11_recursive_verbs_are_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	vm->devices[0].recorder.on_enable = call_verbs;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(nested[0], -EBUSY);
	assert_int_equal(nested[1], -EBUSY);
	assert_int_equal(nested[2], 0);
	vm_check_running(vm);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* What lies at the ends of memory and window: 'm' memory, '1' dark region, '0' the host's own. */
static void check_window(struct vm *vm, unsigned int i, const char *want)
{
	const struct cxlvm_window *window = cxlvm_machine_window(vm->machine, i);
	const uint64_t at[] = { 0, FAKE_MEMORY_SIZE - 1, FAKE_MEMORY_SIZE, window->size - 1,
				window->size };

	assert_int_equal(strlen(want), ARRAY_SIZE(at));
	for (size_t n = 0; n < ARRAY_SIZE(at); n++) {
		char got = recorder_memory_at(&vm->devices[i].recorder, window,
					      window->base.value + at[n]);

		if (got != want[n])
			fail_msg("window + 0x%llx: '%c', not '%c'", (unsigned long long)at[n], got,
				 want[n]);
	}
}

/*
 * Below the library's own dark region the host would answer 0 (F17). The window is the device's
 * from realize to unrealize, memory or not; what the decoder does not cover stays dark.
 */
static void qemu12_w22_dark_window_reads_ones(void **state)
{
	struct vm *vm = vm_create(*state, 2);

	assert_int_equal(vm_freeze(vm, NULL), 0);
	check_window(vm, 0, "00000");
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	check_window(vm, 0, "11110");
	assert_int_equal(vm_start(vm, NULL), 0);
	check_window(vm, 0, "mm110");
	check_window(vm, 1, "mm110");
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
	check_window(vm, 0, "11110");
	check_window(vm, 1, "mm110");
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 2);
	check_window(vm, 0, "11110");
	vm_unrealize(vm, 0);
	check_window(vm, 0, "00000");
	vm_stop(vm);
}

static void qemu13_published_bridge_takes_no_guest_writes(void **state)
{
	struct vm *vm = started(state, 1);
	struct bridge_model *bridge = board_bridge(&vm->board, VM_UID(0));

	bridge_guest_write(bridge, 0x7000000000, 0x10000000, 0x600);
	vm_check_running(vm);
	/* after the wipe the model is as it comes, and takes them */
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	board_reset_bridges(&vm->board);
	bridge_guest_write(bridge, 0x7000000000, 0x10000000, 0x600);
	assert_int_equal(bridge->decoder.base.value, 0x7000000000);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL), 0);
	bridge_guest_write(bridge, 0x7000000000, 0x10000000, 0x600);
	vm_check_running(vm);
	vm_stop(vm);
}

/* No HDM capability (hdm_for_passthrough is off): the start fails and says what is needed. */
static void qemu13_bridge_without_hdm_capability(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct bridge_model *bridge = board_bridge(&vm->board, VM_UID(0));
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	bridge->no_hdm = true;
	assert_int_equal(vm_start(vm, &err), -EOPNOTSUPP);
	assert_message_has(&err, VM_UID(0));
	assert_message_has(&err, VM_WINDOW(0));
	assert_non_null(strstr(err.hint, "HDM decoder capability"));
	assert_false(vm->devices[0].recorder.enabled);
	assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	bridge->no_hdm = false;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/*
 * Every access of 1 to 8 bytes around each span, cut at its ends as QEMU does: each piece is all
 * ones or what single bytes give, and writes of such pieces change nothing that is ours.
 */
static void qemu14_accesses_split_at_the_ends_of_spans(void **state)
{
	struct vm *vm = started(state, 1);
	struct cxlvm_bar_range spans[4];
	size_t n = cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 4);
	struct vm_snapshot before, after;
	unsigned int tried = 0;

	vm_snapshot(vm, &before);
	for (size_t s = 0; s < n; s++) {
		const uint64_t around[] = { spans[s].offset, spans[s].offset + spans[s].size,
					    vm->devices[0].hdm, vm->devices[0].hdm + 0x30 };

		for (size_t a = 0; a < ARRAY_SIZE(around); a++)
			for (uint64_t at = around[a] - 9; at < around[a] + 9; at++)
				for (unsigned int length = 1; length <= 8; length++, tried++) {
					uint64_t got = vm_guest_read(vm, 0, at, length);

					for (unsigned int b = 0; b < length; b++) {
						uint64_t byte = got >> (8 * b) & 0xff;

						if (byte != 0xff &&
						    byte != vm_guest_read(vm, 0, at + b, 1))
							fail_msg("%u bytes at 0x%llx", length,
								 (unsigned long long)at);
					}
					vm_guest_write(vm, 0, at, length, UINT64_MAX);
					vm_guest_write(vm, 0, at, length, 0);
				}
	}
	journal_clear(&vm->board.journal);
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	vm_check_running(vm);
	assert_true(tried >= 4 * 18 * 8);
	vm_stop(vm);
}

/* Answers are lent for a call only (tap.c); after realize there are none to look at. */
static void reg10_w24_qemu15_region_info_is_gone_after_realize(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_bar_range spans[4];

	assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_true(journal_count(&vm->board.journal, CALL_REGION_INFO) > 0);
	journal_clear(&vm->board.journal);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(cxlvm_endpoint_memory_size(vm->devices[0].endpoint), FAKE_MEMORY_SIZE);
	assert_int_equal(cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 4), 1);
	assert_int_equal(journal_count(&vm->board.journal, CALL_INFO), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_REGION_INFO), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* The signal handler of a host: whose is the address? Then it leaves the access. */
static struct cxlvm_endpoint *asked[2];
static volatile sig_atomic_t owners[2];
static sigjmp_buf leave_access;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	for (unsigned int i = 0; i < 2; i++)
		owners[i] = cxlvm_endpoint_host_owns_address(asked[i], info->si_addr);
	siglongjmp(leave_access, 1);
}

/* Touch an address that faults; false if it does not. */
static bool faults_at(volatile const uint8_t *address)
{
	owners[0] = owners[1] = -1;
	if (sigsetjmp(leave_access, 1))
		return true;
	(void)*address;
	return false;
}

static char memory_path[2][32];

static int reset_sim(void *device)
{
	(void)device;
	return 0;
}

static void close_sim(struct test_device *device)
{
	device->transport.transport->close(device->transport.device);
}

/* A sim on a file that the test can cut short: what is mapped of it then raises SIGBUS. */
static void open_sim_on_file(struct test_device *device, unsigned int index)
{
	struct cxlvm_sim_config config = { .size = sizeof(config),
					   .memory_size = FAKE_MEMORY_SIZE,
					   .memory_file = memory_path[index],
					   .generation = 5 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(device, 0, sizeof(*device));
	if (cxlvm_sim_open(&config, &device->transport, &err))
		fail_msg("sim: %s", err.message);
	device->ops = device->transport.ops;
	device->device = device->transport.device;
	device->reset = reset_sim;
	device->close = close_sim;
}

static void map6_qemu16_sigbus_is_attributed_in_a_signal_handler(void **state)
{
	struct variant variant = *(const struct variant *)*state;
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO }, old;
	struct cxlvm_memory_area areas[2];
	uint8_t *elsewhere;
	struct vm *vm;

	for (unsigned int i = 0; i < 2; i++) {
		int fd;

		snprintf(memory_path[i], sizeof(memory_path[i]), "/tmp/cxlvm-test.XXXXXX");
		fd = mkstemp(memory_path[i]);
		assert_true(fd >= 0);
		close(fd);
	}
	variant.open = open_sim_on_file;
	vm = vm_create(&variant, 2);
	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		asked[i] = vm->devices[i].endpoint;
		assert_int_equal(cxlvm_endpoint_memory_areas(asked[i], &areas[i], 1), 1);
		assert_int_equal(truncate(memory_path[i], 0), 0);
	}
	elsewhere = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(elsewhere, MAP_FAILED);
	assert_int_equal(sigaction(SIGBUS, &action, &old), 0);
	assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		const uint8_t *first = areas[i].address;

		assert_true(faults_at(first));
		assert_true(owners[i] == 1 && owners[1 - i] == 0);
		assert_true(faults_at(first + areas[i].size - 1));
		assert_true(owners[i] == 1 && owners[1 - i] == 0);
	}
	assert_true(faults_at(elsewhere));
	assert_true(owners[0] == 0 && owners[1] == 0);
	/* also between unrealize and free, when a vCPU may still be on its way out */
	vm_unrealize(vm, 0);
	assert_true(faults_at(areas[0].address));
	assert_int_equal(owners[0], 1);
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	signal(SIGSEGV, SIG_DFL);
	munmap(elsewhere, 4096);
	vm_stop(vm);
	for (unsigned int i = 0; i < 2; i++)
		unlink(memory_path[i]);
}

/* A vCPU's fault without an address: each device is asked, those that are well stay mapped. */
static void map5_qemu16_fault_without_an_address(void **state)
{
	struct vm *vm = started(state, 2);
	struct fake *fake = vm->devices[1].below.fake;

	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(vm_recheck(vm, 0) + vm_recheck(vm, 1), 0);
	fake_set_hardware(fake, 0x20, 0);
	fake_set_kernel(fake, 0x20, 0);
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_int_equal(vm_recheck(vm, 1), 1);
	assert_true(vm->devices[0].recorder.enabled);
	assert_false(vm->devices[1].recorder.enabled);
	assert_int_equal(vm_recheck(vm, 0) + vm_recheck(vm, 1), 0);
	vm_stop(vm);
}

/* The machine runs: a second device is refused when the host says so, and nothing is left of it. */
static void qemu17_hotplug_is_refused_on_a_running_machine(void **state)
{
	struct vm *vm = vm_create(*state, 2);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->n = 1;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm->n = 2;
	vm->devices[1].config.hotplug = true;
	journal_clear(&vm->board.journal);
	assert_int_equal(vm_realize(vm, 1, &err), -EOPNOTSUPP);
	assert_message_says(&err, "accel1");
	assert_message_says(&err, "running machine");
	assert_string_not_equal(err.hint, "");
	/* it is asked whether it is a CXL device, and nothing else */
	assert_int_equal(vm->board.journal.n, 1);
	assert_int_equal(journal_count(&vm->board.journal, CALL_INFO), 1);
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_string_equal(cxlvm_machine_window(vm->machine, 1)->owner, "");
	else
		assert_null(cxlvm_machine_window(vm->machine, 1));
	vm->n = 1;
	vm_check_running(vm);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm->n = 2;
	vm_stop(vm);
}

#define Q(f, v, text) TEST_ON(f, QEMU_##v, text)
#define QEMU_FAKES(f)                                                                   \
	Q(f, FAKE_2, "[fake 2]"), Q(f, FAKE_2N, "[fake 2n]"), Q(f, FAKE_3, "[fake 3]"), \
		Q(f, FAKE_4, "[fake 4]"), Q(f, FAKE_5, "[fake 5]"), Q(f, FAKE_6, "[fake 6]")
#define QEMU_ALL(f)                                                                              \
	QEMU_FAKES(f), Q(f, SIM_2, "[sim 2]"), Q(f, SIM_2N, "[sim 2n]"), Q(f, SIM_3, "[sim 3]"), \
		Q(f, SIM_4, "[sim 4]"), Q(f, SIM_5, "[sim 5]"), Q(f, SIM_6, "[sim 6]")
/* Those whose register region follows the device through a reset. */
#define QEMU_TELL(f)                                                                  \
	Q(f, FAKE_2, "[fake 2]"), Q(f, FAKE_4, "[fake 4]"), Q(f, FAKE_5, "[fake 5]"), \
		Q(f, FAKE_6, "[fake 6]")

int main(void)
{
	const struct CMUnitTest tests[] = {
		QEMU_ALL(qemu1_windows_are_frozen_before_bridges_and_devices),
		QEMU_ALL(qemu2_newest_notifier_first_and_no_reset_before_all),
		QEMU_ALL(qemu3_bridge_is_published_after_its_own_reset),
		QEMU_ALL(qemu4_verbs_nest_and_repeat),
		QEMU_FAKES(qemu5_own_reset_turns_memory_space_off),
		QEMU_ALL(qemu6_bus_reset_leaves_the_bridge_alone),
		QEMU_ALL(qemu7_function_reset_that_may_not_have_happened),
		QEMU_FAKES(qemu8_all_areas_in_one_commit),
		TEST_FAKE(map8_qemu8_too_many_areas_are_refused_in_prepare),
		QEMU_ALL(qemu9_no_disable_in_an_open_transaction),
		QEMU_ALL(qemu10_reads_and_getters_from_everywhere),
		QEMU_TELL(qemu11_no_verb_sleeps_longer_than_10_s),
		TEST_ALL(qemu11_recursive_verbs_are_refused),
		QEMU_ALL(qemu12_w22_dark_window_reads_ones),
		QEMU_ALL(qemu13_published_bridge_takes_no_guest_writes),
		TEST_ALL(qemu13_bridge_without_hdm_capability),
		QEMU_ALL(qemu14_accesses_split_at_the_ends_of_spans),
		QEMU_ALL(reg10_w24_qemu15_region_info_is_gone_after_realize),
		Q(map6_qemu16_sigbus_is_attributed_in_a_signal_handler, SIM_5, "[sim 5]"),
		TEST_FAKE(map5_qemu16_fault_without_an_address),
		TEST_ALL(qemu17_hotplug_is_refused_on_a_running_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

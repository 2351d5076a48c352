/* SPDX-License-Identifier: BSD-3-Clause */
/* System reset in both orders of verbs, other kinds refused, end of life (contract 6.2, 10, 11). */
#include <errno.h>

#include "test.h"
#include "vm.h"

static struct vm *started(void **state, unsigned int n)
{
	struct vm *vm = vm_create(*state, n);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm_start(vm, &err))
		fail_msg("start: %s (%s)", err.message, err.hint);
	return vm;
}

/* PRG-1: program at the end of every system reset, the first included; PRG-4: not before. */
static void prg1_prg4_w1_programs_at_every_system_reset(void **state)
{
	struct vm *vm = vm_create(*state, 2);
	bool qemu = vm->variant->personality == PERSONALITY_QEMU;

	if (qemu)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(vm_realize(vm, i, NULL), 0);
	if (!qemu)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	/* newest notifier first in QEMU (point 2) */
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(vm_machine_done(vm, qemu ? 1 - i : i, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_false(cxlvm_endpoint_is_committed(vm->devices[i].endpoint));
		assert_false(vm->devices[i].recorder.prepared);
	}
	for (unsigned int round = 0; round < 3; round++) {
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		vm_check_running(vm);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(board_bridge(&vm->board, VM_UID(i))->published, round + 1);
	}
	vm_stop(vm);
}

/* RST-1: after 100 resets everything equals what it was after the first, register by register. */
static void rst1_after_100_resets_as_after_the_first(void **state)
{
	struct vm *vm = started(state, 2);
	struct vm_snapshot first, last;
	uint32_t block[2][0x30 / 4];
	uint8_t config[2][0x400];

	vm_snapshot(vm, &first);
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int at = 0; at < 0x30; at += 4)
			block[i][at / 4] = vm_hdm(vm, i, at);
		for (uint32_t at = 0; at < 0x400; at += 4)
			fake_put(config[i] + at, 4, vm_config_read(vm, i, at, 4));
	}
	for (unsigned int round = 0; round < 100; round++) {
		journal_clear(&vm->board.journal);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
	}
	vm_snapshot(vm, &last);
	vm_snapshot_assert_equal(&first, &last, true);
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int at = 0; at < 0x30; at += 4)
			assert_int_equal(vm_hdm(vm, i, at), block[i][at / 4]);
		for (uint32_t at = 0; at < 0x400; at += 4)
			assert_int_equal(vm_config_read(vm, i, at, 4), fake_get(config[i] + at, 4));
	}
	vm_check_running(vm);
	vm_stop(vm);
}

/* RST-2: between prepare and done nothing is mapped and the decoder shows its reset values. */
static void rst2_w33_prepare_takes_the_memory_away(void **state)
{
	struct vm *vm = started(state, 1);
	const struct vm_device *device = &vm->devices[0];

	for (unsigned int again = 0; again < 3; again++) { /* idempotent, repeated */
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
		assert_false(device->recorder.enabled);
		assert_false(device->recorder.dma_mapped);
		assert_false(cxlvm_endpoint_is_committed(device->endpoint));
		assert_false(cxlvm_endpoint_memory_mapped(device->endpoint));
		assert_int_equal(vm_hdm(vm, 0, 0x20) & 0xe00, 0);
		assert_int_equal(vm_hdm(vm, 0, 0x10), 0);
		assert_int_equal(vm_hdm(vm, 0, 0x14), 0);
	}
	board_reset_bridges(&vm->board);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* All ways in which a host may come (qemu-adapter.md 7, point 4): the same end. */
static void rst_all_ways_of_a_system_reset_end_alike(void **state)
{
	struct vm *vm = started(state, 2);
	struct vm_snapshot first, last;

	vm_snapshot(vm, &first);
	for (unsigned int ways = 0; ways < 8; ways++) {
		if (ways & VM_RESET_MEMORY_SPACE_OFF && vm->variant->sim)
			continue; /* the sims have no such bit to turn off for sure */
		assert_int_equal(vm_system_reset_way(vm, ways, NULL), 0);
		vm_snapshot(vm, &last);
		vm_snapshot_assert_equal(&first, &last, true);
		vm_check_running(vm);
	}
	vm_stop(vm);
}

/* The host turned Memory Space off before the reset: on again before guest access (DESIGN 3). */
static void memory_space_must_be_on(struct recorder *recorder)
{
	const struct fake *fake = recorder->reset_device;

	assert_int_equal(fake->config[4] & 2, 2);
}

static void rst_memory_space_is_set_again_in_reset_done(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	vm->devices[0].recorder.on_enable = memory_space_must_be_on;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_system_reset_way(vm, VM_RESET_MEMORY_SPACE_OFF, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* A result of 0 is not believed, "unknown" is no excuse: the device is asked. */
static void rst_results_are_not_believed(void **state)
{
	static const int results[] = { 0, CXLVM_RESET_RESULT_UNKNOWN };
	struct vm *vm = started(state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
		board_reset_bridges(&vm->board);
		fake->loses_decoder = true;
		fake_reset(fake);
		assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, results[i], &err),
				 -ENXIO);
		/* the decoder is back: the next reset works */
		fake->loses_decoder = false;
		fake_fill_bytes(fake);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		vm_check_running(vm);
	}
	vm_stop(vm);
}

/* A reset that is known to have failed: nothing is mapped, even if all looks well (RST-3). */
static void rst3_failed_reset_maps_nothing(void **state)
{
	struct vm *vm = started(state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	board_reset_bridges(&vm->board);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, -EXFULL, &err), -EXFULL);
	assert_false(vm->devices[0].recorder.enabled);
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_RESET_FAILED));
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* 10.3 step 2: committed alone is not enough. Waited for, not for ever, then dark until a reset. */
static void rst_media_that_is_not_active_is_waited_for(void **state)
{
	struct vm *vm = started(state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	fake->media_waits = 20;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(fake->media_waits, 0);
	assert_in_range(vm->board.slept_ms, 100, 1000);
	vm_check_running(vm);
	fake->media_waits = UINT32_MAX;
	assert_int_equal(vm_system_reset(vm, &err), -ENXIO);
	assert_message_says(&err, "media");
	assert_non_null(strstr(err.hint, "Memory_Active"));
	assert_false(vm->devices[0].recorder.enabled);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x800);
	fake->media_waits = 0;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	/* lost and back between resets: a vCPU's fault has a reason then */
	fake->media_waits = 1;
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_false(vm->devices[0].recorder.enabled);
	assert_int_equal(vm_recheck(vm, 0), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* A device that never says whether it is: nobody would wait for it but us. */
static void rst_media_that_is_never_told_is_not_asked_for(void **state)
{
	static const uint8_t told[] = { 0, 1, 2 }; /* neither, valid only, active without valid */

	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct fake *fake = vm->devices[0].below.fake;

		fake->config[FAKE_DVSEC + 0x1c] = told[i];
		assert_int_equal(vm_start(vm, NULL), 0);
		fake->media_waits = 100;
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		assert_int_equal(fake->media_waits, 100);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* One device is broken: the other one runs, and gets its bridge. */
static void rst_a_broken_device_leaves_the_other_alone(void **state)
{
	struct vm *vm = started(state, 2);
	struct fake *fake = vm->devices[0].below.fake;

	fake->loses_decoder = true;
	assert_int_equal(vm_system_reset(vm, NULL), -ENXIO);
	assert_false(vm->devices[0].recorder.enabled);
	assert_int_equal(vm->board.bridges[0].decoder.size, 0);
	assert_true(vm->devices[1].recorder.enabled);
	assert_int_equal(vm->board.bridges[1].decoder.base.value, VM_WINDOW(1));
	fake->loses_decoder = false;
	fake_fill_bytes(fake);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Kinds that come later: refused, nothing changed. */
static void rst_what_is_no_kind_is_refused(void **state)
{
	static const int kinds[] = { CXLVM_RESET_NONE, 1, CXLVM_RESET_SYSTEM + 1, -1 };
	struct vm *vm = started(state, 1);
	struct vm_snapshot before, after;

	vm_snapshot(vm, &before);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		enum cxlvm_reset_kind kind = (enum cxlvm_reset_kind)kinds[i];
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		assert_int_equal(vm_reset_prepare(vm, 0, kind, &err), -EINVAL);
		err = (struct cxlvm_error)CXLVM_ERROR_INIT;
		vm->board.verb = VERB_RESET_DONE;
		assert_int_equal(cxlvm_endpoint_reset_done(vm->devices[0].endpoint, kind, 0, &err),
				 -EINVAL);
		vm->board.verb = VERB_NONE;
		assert_int_equal(err.code, -EINVAL);
		vm_snapshot(vm, &after);
		vm_snapshot_assert_equal(&before, &after, true);
	}
	vm_check_running(vm);
	vm_stop(vm);
}

/* MAP-5: EFAULT without address. Usable: nothing; not usable: the map is disabled, VM goes on. */
static void map5_recheck_disables_what_is_not_usable(void **state)
{
	struct vm *vm = started(state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	assert_int_equal(vm_recheck(vm, 0), 0);
	vm_check_running(vm);
	fake_set_hardware(fake, 0x20, 0);
	fake_set_kernel(fake, 0x20, 0);
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_false(vm->devices[0].recorder.enabled);
	assert_false(vm->devices[0].recorder.dma_mapped);
	assert_string_not_equal(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint), "");
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE));
	assert_int_equal(vm_recheck(vm, 0), 0); /* nothing left to disable */
	fake_fill_bytes(fake);
	fake_sample(fake);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* 10.1: whoever switches the real Memory Space bit off, it is on again, and so is the memory. */
static void recheck_puts_memory_space_back(void **state)
{
	struct vm *vm = started(state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_endpoint *ep = vm->devices[0].endpoint;

	fake->config[4] &= (uint8_t)~2u;
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_true(fake->config[4] & 2);
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE));
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_MEMORY_AVAILABLE));
	vm_check_running(vm);
	assert_int_equal(vm_recheck(vm, 0), 0);
	/* it cannot be put back: dark, until it can */
	fake->config[4] &= (uint8_t)~2u;
	faults_arm(&vm->board.faults, 2, FAULT_BEFORE, -EIO);
	vm->board.faults.persistent = true;
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_int_equal(vm_recheck(vm, 0), 0);
	faults_disarm(&vm->board.faults);
	assert_false(vm->devices[0].recorder.enabled);
	assert_non_null(strstr(cxlvm_endpoint_unusable_reason(ep), "PCI command register"));
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_true(fake->config[4] & 2);
	vm_check_running(vm);
	vm_stop(vm);
}

/* A device that does not answer is not usable. */
static void recheck_of_a_silent_device(void **state)
{
	struct vm *vm = started(state, 1);

	faults_arm(&vm->board.faults, 1, FAULT_BEFORE, -EIO);
	vm->board.faults.persistent = true;
	assert_int_equal(vm_recheck(vm, 0), 1);
	faults_disarm(&vm->board.faults);
	assert_false(vm->devices[0].recorder.enabled);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* MAP-6: by address, from the first byte to the last. */
static void map6_host_owns_address(void **state)
{
	struct vm *vm = started(state, 2);
	struct cxlvm_memory_area areas[8];
	size_t n = cxlvm_endpoint_memory_areas(vm->devices[0].endpoint, areas, 8);

	assert_true(n >= 1 && n <= 8);
	for (size_t i = 0; i < n; i++) {
		const uint8_t *first = areas[i].address;
		const uint8_t *last = first + (areas[i].size - 1);

		assert_true(cxlvm_endpoint_host_owns_address(vm->devices[0].endpoint, first));
		assert_true(cxlvm_endpoint_host_owns_address(vm->devices[0].endpoint, last));
		assert_false(cxlvm_endpoint_host_owns_address(vm->devices[1].endpoint, first));
		assert_false(cxlvm_endpoint_host_owns_address(vm->devices[0].endpoint, first - 1) &&
			     i == 0);
		assert_false(cxlvm_endpoint_host_owns_address(vm->devices[0].endpoint, last + 1) &&
			     i == n - 1);
	}
	assert_false(cxlvm_endpoint_host_owns_address(vm->devices[0].endpoint, NULL));
	assert_false(cxlvm_endpoint_host_owns_address(vm->devices[0].endpoint, vm));
	vm_stop(vm);
}

/* MAP-6: one device is dark until its reset, the other one is not touched. */
static void map6_memory_error_takes_the_memory_away_until_a_reset(void **state)
{
	struct vm *vm = started(state, 2);
	struct recorder *recorder = &vm->devices[1].recorder;
	struct cxlvm_memory_area area;
	struct cxlvm_gpa guest = { 0 };
	const struct recorded_event *event;
	const uint8_t *broken;
	char wanted[32];

	assert_true(cxlvm_endpoint_memory_areas(vm->devices[1].endpoint, &area, 1) >= 1);
	broken = (const uint8_t *)area.address + 0x5123;
	assert_int_equal(vm_memory_error(vm, 0, broken, &guest), 0);
	assert_int_equal(vm_memory_error(vm, 1, vm, &guest), 0);
	assert_true(vm->devices[0].recorder.enabled && recorder->enabled);
	assert_int_equal(vm_memory_error(vm, 1, broken, &guest), 1);
	assert_int_equal(guest.value, area.guest.value + 0x5123);
	assert_true(vm->devices[0].recorder.enabled);
	assert_false(recorder->enabled);
	assert_false(recorder->dma_mapped);
	event = recorder_event(recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE);
	assert_non_null(event);
	assert_int_equal(event->code, -EHWPOISON);
	snprintf(wanted, sizeof(wanted), "0x%llx", (unsigned long long)guest.value);
	assert_non_null(strstr(cxlvm_endpoint_unusable_reason(vm->devices[1].endpoint), wanted));
	/* another vCPU with the same error; a device that says that it is well brings nothing back */
	recorder->n_events = 0;
	assert_int_equal(vm_memory_error(vm, 1, broken, &guest), 1);
	assert_null(recorder_event(recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE));
	assert_int_equal(vm_recheck(vm, 1), 0);
	assert_false(recorder->enabled);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_unrealize(vm, 1);
	assert_int_equal(vm_memory_error(vm, 1, broken, &guest), 1);
	vm_stop(vm);
}

/* MAP-5: taken away by a kernel that does not say where or why: then neither do we. */
static void map5_memory_that_cannot_be_reached_until_a_reset(void **state)
{
	struct vm *vm = started(state, 2);
	struct recorder *recorder = &vm->devices[1].recorder;
	struct cxlvm_memory_area area;
	const struct recorded_event *event;
	const char *reason;

	assert_true(cxlvm_endpoint_memory_areas(vm->devices[1].endpoint, &area, 1) >= 1);
	assert_int_equal(vm_memory_error(vm, 0, area.address, NULL), 0);
	assert_int_equal(vm_memory_error(vm, 1, area.address, NULL), 1);
	assert_true(vm->devices[0].recorder.enabled);
	assert_false(recorder->enabled);
	event = recorder_event(recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE);
	assert_non_null(event);
	assert_int_equal(event->code, -ENXIO);
	reason = cxlvm_endpoint_unusable_reason(vm->devices[1].endpoint);
	assert_non_null(strstr(reason, "cannot be reached"));
	assert_null(strstr(reason, "0x"));
	assert_null(strstr(reason, "memory error"));
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* MAP-2: congruent to the guest address modulo 2 MiB, so that large pages are possible. */
static void map2_addresses_are_congruent(void **state)
{
	struct vm *vm = started(state, 2);

	for (unsigned int i = 0; i < 2; i++) {
		struct cxlvm_memory_area area;

		assert_true(cxlvm_endpoint_memory_areas(vm->devices[i].endpoint, &area, 1) >= 1);
		assert_int_equal((uintptr_t)area.address % (2 << 20), area.guest.value % (2 << 20));
	}
	vm_stop(vm);
}

/* MAP-2: and modulo 1 GiB where a page of 1 GiB fits. */
static void map2_large_memory_is_congruent_modulo_1_gib(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_memory_area area;

	fake_put(fake->regions[fake->memory_region].bytes + 16, 8, 0x80000000);
	fake_set_hardware(fake, 0x18, 0x80000000);
	fake_sample(fake);
	vm->devices[0].config.has_window_base = true;
	vm->devices[0].config.window_base.value = 0x190000000; /* not a multiple of 1 GiB */
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_endpoint_memory_areas(vm->devices[0].endpoint, &area, 1), 1);
	assert_int_equal(area.guest.value, 0x190000000);
	assert_int_equal((uintptr_t)area.address % (1 << 30), area.guest.value % (1 << 30));
	vm_check_running(vm);
	vm_stop(vm);
}

/* Dark: ones, vanishing writes, no device call (the tap asserts it), claim gone; idempotent. */
static void w23_unrealize_is_dark(void **state)
{
	struct vm *vm = started(state, 1);
	struct vm_device *device = &vm->devices[0];

	vm_unrealize(vm, 0);
	vm_unrealize(vm, 0);
	for (unsigned int length = 1; length <= 8; length++) {
		uint64_t ones = length == 8 ? UINT64_MAX : (1ull << (8 * length)) - 1;

		for (unsigned int at = 0; at < 0x200; at++) {
			assert_true(vm_read(vm, 0, (device->hdm & ~0xfffull) + at, length) == ones);
			vm_write(vm, 0, (device->hdm & ~0xfffull) + at, length, 0);
		}
	}
	assert_true(device->recorder.prepared); /* release only in free */
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->owner, "");
	vm_stop(vm);
}

/* free without unrealize does both; NULL is nothing; a device that never was reset. */
static void free_alone_is_enough(void **state)
{
	struct vm *vm = started(state, 2);
	struct vm_device *device = &vm->devices[1];

	vm->board.verb = VERB_FREE;
	device->recorder.endpoint = NULL;
	cxlvm_endpoint_free(device->endpoint);
	vm->board.verb = VERB_NONE;
	device->endpoint = NULL;
	assert_false(device->recorder.enabled);
	assert_false(device->recorder.prepared);
	assert_int_equal(device->tap.n_maps, 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 1)->owner, "");
	cxlvm_endpoint_free(NULL);
	cxlvm_endpoint_unrealize(NULL);
	vm_stop(vm);
	vm = vm_create(*state, 1);
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	vm_stop(vm);
}

/* Unrealize in the middle of a reset: prepare came, done never does. */
static void life2_unrealize_between_prepare_and_done(void **state)
{
	struct vm *vm = started(state, 1);

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	vm_unrealize(vm, 0);
	vm_stop(vm);
}

static unsigned int enabled, committed_when_enabled, committed_when_disabled;

static void look_when_enabled(struct recorder *recorder)
{
	enabled++;
	committed_when_enabled += cxlvm_endpoint_is_committed(recorder->endpoint);
}

static void look_when_disabled(struct recorder *recorder)
{
	committed_when_disabled += cxlvm_endpoint_is_committed(recorder->endpoint);
}

/* A vCPU that polls for committed finds the memory there, with policy locked as well. */
static void p3_committed_is_shown_after_the_memory_is_there(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;

	enabled = committed_when_enabled = committed_when_disabled = 0;
	recorder->on_enable = look_when_enabled;
	recorder->on_disable = look_when_disabled;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_bus_reset(vm, 0, NULL), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	assert_int_equal(enabled, 3);
	assert_int_equal(committed_when_enabled, 0);
	assert_int_equal(committed_when_disabled, 2);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(prg1_prg4_w1_programs_at_every_system_reset),
		TEST_ALL(rst1_after_100_resets_as_after_the_first),
		TEST_ALL(rst2_w33_prepare_takes_the_memory_away),
		TEST_ALL(p3_committed_is_shown_after_the_memory_is_there),
		TEST_ALL(rst_all_ways_of_a_system_reset_end_alike),
		TEST_FAKE(rst_memory_space_is_set_again_in_reset_done),
		TEST_FAKE_TELLS(rst_results_are_not_believed),
		TEST_FAKE(rst3_failed_reset_maps_nothing),
		TEST_FAKE(rst_media_that_is_not_active_is_waited_for),
		TEST_FAKE(rst_media_that_is_never_told_is_not_asked_for),
		TEST_FAKE_TELLS(rst_a_broken_device_leaves_the_other_alone),
		TEST_ALL(rst_what_is_no_kind_is_refused),
		TEST_FAKE(map5_recheck_disables_what_is_not_usable),
		TEST_FAKE(recheck_puts_memory_space_back),
		TEST_FAKE(recheck_of_a_silent_device),
		TEST_ALL(map6_host_owns_address),
		TEST_ALL(map6_memory_error_takes_the_memory_away_until_a_reset),
		TEST_ALL(map5_memory_that_cannot_be_reached_until_a_reset),
		TEST_ALL(map2_addresses_are_congruent),
		TEST_ON(map2_large_memory_is_congruent_modulo_1_gib, OWN_FAKE_2, "[own,fake 2]"),
		TEST_ON(map2_large_memory_is_congruent_modulo_1_gib, OWN_FAKE_5, "[own,fake 5]"),
		TEST_ALL(w23_unrealize_is_dark),
		TEST_ALL(free_alone_is_enough),
		TEST_ALL(life2_unrealize_between_prepare_and_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

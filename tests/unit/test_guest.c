/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decoder policy guest: each row of the table in contract 3.3, each check of a commit, the host
 * bridge's decoder, moves, resets (contract 6.1, 9). vm.c checks P3 around every single write.
 */
#include <errno.h>
#include <inttypes.h>

#include "test.h"
#include "vm.h"

#define SIZE FAKE_MEMORY_SIZE

static struct vm *started_n(void **state, unsigned int n)
{
	struct vm *vm = vm_create_guest(*state, n);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm_start(vm, &err))
		fail_msg("start: %s (%s)", err.message, err.hint);
	return vm;
}

static struct vm *started(void **state)
{
	return started_n(state, 1);
}

/* Endpoint first, then host bridge: the order of Linux. */
static struct vm *mapped(void **state, uint32_t control)
{
	struct vm *vm = started(state);

	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, control), control | 0x600);
	assert_int_equal(vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE) & 0x600, 0x600);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	return vm;
}

static uint32_t last_warning(struct vm *vm)
{
	const struct recorded_event *event =
		recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_WARNING);

	return event ? (uint32_t)-event->code : 0;
}

static void assert_nothing_mapped(struct vm *vm, unsigned int i)
{
	const struct recorder *recorder = &vm->devices[i].recorder;

	assert_false(recorder->prepared);
	assert_false(recorder->enabled);
	assert_false(recorder->dma_mapped);
	assert_int_equal(vm->devices[i].tap.n_maps, 0);
	assert_int_equal(cxlvm_endpoint_memory_areas(vm->devices[i].endpoint, NULL, 0), 0);
}

/* 6.1: not committed, size preset, range 1 of the DVSEC as the device has it, without its base. */
static void policy_guest_after_reset(void **state)
{
	struct vm *vm = started(state);
	uint32_t range = vm->devices[0].dvsec + 0x18;
	uint64_t size = cxlvm_endpoint_memory_size(vm->devices[0].endpoint);

	assert_int_equal(vm_hdm(vm, 0, 0x04), 2);
	assert_int_equal(vm_hdm(vm, 0, 0x10), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x14), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x18), size);
	assert_int_equal(vm_hdm(vm, 0, 0x1c), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0);
	assert_int_equal(vm_config_read(vm, 0, range + 4, 4) & 0xf0000003, size | 3);
	assert_int_equal(vm_config_read(vm, 0, range + 8, 4), 0);
	assert_int_equal(vm_config_read(vm, 0, range + 12, 4), 0);
	assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	assert_nothing_mapped(vm, 0);
	/* the library publishes nothing in the host bridge */
	assert_int_equal(journal_count(&vm->board.journal, CALL_BRIDGE), 0);
	assert_int_equal(vm_bridge(vm, 0, 0x20), 0);
	vm_stop(vm);
}

/* ACPI-3: fixed is for locked decoders. */
static void acpi3_policy_guest_wants_no_fixed_window(void **state)
{
	struct vm *vm = started(state);

	assert_int_equal(cxlvm_endpoint_restrictions(vm->devices[0].endpoint), 0x05);
	if (vm->variant->personality == PERSONALITY_OWN)
		assert_int_equal(cxlvm_machine_window(vm->machine, 0)->restrictions, 0x05);
	vm_stop(vm);
}

static void decoder_commit_maps_before_it_shows(struct recorder *recorder)
{
	uint32_t control = (uint32_t)cxlvm_endpoint_reg_read(recorder->endpoint, recorder->hdm_bar,
							     recorder->hdm_offset + 0x20, 4);

	assert_int_equal(control & 0x400, 0);
}

static void decoder_row_commit_maps_then_commits(void **state)
{
	struct vm *vm = started(state);

	/* the host bridge first, so that the endpoint's commit enables the map */
	assert_int_equal(vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE) & 0x600, 0x600);
	assert_nothing_mapped(vm, 0);
	vm->devices[0].recorder.on_enable = decoder_commit_maps_before_it_shows;
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_stop(vm);
}

static void decoder_row_committed_and_locked_ignores_everything(void **state)
{
	static const uint32_t values[] = { 0, UINT32_MAX, 0x100, 0x200, 0x30000000 };
	struct vm *vm = mapped(state, 0x100);
	struct vm_snapshot before, after;

	vm_snapshot(vm, &before);
	journal_clear(&vm->board.journal);
	for (unsigned int at = 0x08; at < 0x30; at += 4)
		for (size_t v = 0; v < ARRAY_SIZE(values); v++)
			vm_hdm_write(vm, 0, at, values[v]);
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_WRITE), 0);
	vm_stop(vm);
}

static void decoder_row_committed_commit_1_changes_nothing(void **state)
{
	struct vm *vm = mapped(state, 0);
	struct vm_snapshot before, after;

	vm_snapshot(vm, &before);
	journal_clear(&vm->board.journal);
	vm_hdm_write(vm, 0, 0x20, 0x3200 | 0x1ff);
	/* nor do base, size and skip change while committed */
	vm_hdm_write(vm, 0, 0x10, 0x50000000);
	vm_hdm_write(vm, 0, 0x14, 7);
	vm_hdm_write(vm, 0, 0x18, 0x20000000);
	vm_hdm_write(vm, 0, 0x24, 1);
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	assert_int_equal(vm->board.journal.n, 0);
	vm_stop(vm);
}

static unsigned int disabled_while_committed;

static void look_at_committed(struct recorder *recorder)
{
	disabled_while_committed += cxlvm_endpoint_is_committed(recorder->endpoint);
}

static void decoder_row_decommit_unmaps_first(void **state)
{
	struct vm *vm = mapped(state, 0);

	vm->devices[0].recorder.on_disable = look_at_committed;
	disabled_while_committed = 0;
	vm_hdm_write(vm, 0, 0x20, 0);
	assert_int_equal(disabled_while_committed, 1);
	assert_nothing_mapped(vm, 0);
	/* the range stays as it was written */
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x10), VM_WINDOW(0) & 0xffffffff);
	assert_int_equal(vm_hdm(vm, 0, 0x18), SIZE);
	/* and can be committed again */
	vm_hdm_write(vm, 0, 0x20, 0x200);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_stop(vm);
}

static void decoder_row_uncommitted_fields_are_stored(void **state)
{
	struct vm *vm = started(state);

	vm_hdm_write(vm, 0, 0x10, 0xabcdef01);
	vm_hdm_write(vm, 0, 0x14, 0x12345678);
	vm_hdm_write(vm, 0, 0x18, 0x9fffffff);
	vm_hdm_write(vm, 0, 0x1c, 0x00000003);
	vm_hdm_write(vm, 0, 0x20, 0xfffffdff & ~0x200u);
	vm_hdm_write(vm, 0, 0x24, 0x11223344);
	vm_hdm_write(vm, 0, 0x28, 0x55667788);
	vm_hdm_write(vm, 0, 0x2c, 0xffffffff);
	vm_hdm_write(vm, 0, 0x08, 0xffffffff);
	vm_hdm_write(vm, 0, 0x00, 0xffffffff);
	assert_int_equal(vm_hdm(vm, 0, 0x10), 0xa0000000);
	assert_int_equal(vm_hdm(vm, 0, 0x14), 0x12345678);
	assert_int_equal(vm_hdm(vm, 0, 0x18), 0x90000000);
	assert_int_equal(vm_hdm(vm, 0, 0x1c), 3);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x31ff);
	assert_int_equal(vm_hdm(vm, 0, 0x24), 0x11223344);
	assert_int_equal(vm_hdm(vm, 0, 0x28), 0x55667788);
	assert_int_equal(vm_hdm(vm, 0, 0x2c), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x08), 0);
	assert_int_equal(vm_hdm(vm, 0, 0x00) & 0xf, 0);
	/* commit fails: error; commit 0 clears it */
	vm_hdm_write(vm, 0, 0x20, 0x200);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0xa00);
	vm_hdm_write(vm, 0, 0x20, 0);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0);
	assert_nothing_mapped(vm, 0);
	vm_stop(vm);
}

/* 8 bytes are two dwords, low first; 1 and 2 bytes are dropped (3.2). */
static void decoder_guest_access_widths(void **state)
{
	struct vm *vm = started(state);
	uint64_t hdm = vm->devices[0].hdm;

	vm_write(vm, 0, hdm + 0x10, 8, VM_WINDOW(0));
	vm_write(vm, 0, hdm + 0x18, 8, SIZE);
	assert_int_equal(vm_hdm(vm, 0, 0x14), VM_WINDOW(0) >> 32);
	vm_write(vm, 0, hdm + 0x20, 1, 0xff);
	vm_write(vm, 0, hdm + 0x20, 2, 0x200);
	vm_write(vm, 0, hdm + 0x21, 4, 0xffffffff);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0);
	vm_write(vm, 0, hdm + 0x20, 8, 0x200);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x600);
	vm_stop(vm);
}

/* A commit that must fail: error bit, and everything else as it was. */
static void refuse(struct vm *vm, const char *what, int code, uint64_t base, uint64_t size,
		   uint32_t control)
{
	struct recorder *recorder = &vm->devices[0].recorder;
	struct cxlvm_endpoint_counters before, after;
	struct vm_snapshot one, other;
	uint32_t found;

	recorder->n_events = 0;
	vm->board.now_ns += 1000000000; /* so that the warning is not left out (P8) */
	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &before, sizeof(before));
	vm_hdm_write(vm, 0, 0x10, (uint32_t)base);
	vm_hdm_write(vm, 0, 0x14, (uint32_t)(base >> 32));
	vm_hdm_write(vm, 0, 0x18, (uint32_t)size);
	vm_hdm_write(vm, 0, 0x1c, (uint32_t)(size >> 32));
	vm_hdm_write(vm, 0, 0x20, control & ~0x200u);
	vm_snapshot(vm, &one);
	vm_hdm_write(vm, 0, 0x20, control | 0x200);
	found = vm_hdm(vm, 0, 0x20);
	if (found != (control | 0xa00))
		fail_msg("%s: control 0x%08" PRIx32 ", not 0x%08" PRIx32, what, found,
			 control | 0xa00);
	vm_snapshot(vm, &other);
	one.devices[0].state.hdm[8] |= 0x200;
	vm_snapshot_assert_equal(&one, &other, false);
	assert_nothing_mapped(vm, 0);
	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &after, sizeof(after));
	assert_int_equal(after.program_failures - before.program_failures, 1);
	assert_int_equal(after.programmed, before.programmed);
	if (last_warning(vm) != (uint32_t)-code)
		fail_msg("%s: event with error %" PRIu32 ", not %d", what, last_warning(vm), -code);
	assert_string_not_equal(recorder->events[recorder->n_events - 1].text, "");
}

/* What the registers and the window tell. */
static void decoder_each_failing_check_gives_the_error_bit(void **state)
{
	struct vm *vm = started_n(state, 2);
	uint64_t memory = cxlvm_endpoint_memory_size(vm->devices[0].endpoint);
	uint64_t window = vm_window_size(vm, 0);
	bool host_only = cxlvm_machine_window(vm->machine, 0)->restrictions & 2;

	/* the other device is committed in its own window */
	assert_int_equal(vm_commit(vm, 1, VM_WINDOW(1), SIZE, 0), 0x600);
	refuse(vm, "larger than the memory", -ERANGE, VM_WINDOW(0), memory + SIZE, 0);
	refuse(vm, "below the window", -ERANGE, VM_WINDOW(0) - SIZE, SIZE, 0);
	refuse(vm, "base 0", -ERANGE, 0, SIZE, 0);
	refuse(vm, "behind the window", -ERANGE, VM_WINDOW(0) + window, SIZE, 0);
	if (memory > SIZE)
		refuse(vm, "over the end of the window", -ERANGE, VM_WINDOW(0) + window - SIZE,
		       2 * SIZE, 0);
	refuse(vm, "over another device", -ERANGE, VM_WINDOW(1), SIZE, 0);
	refuse(vm, "wraps", -ERANGE, 0xfffffffff0000000, 2 * SIZE, 0);
	refuse(vm, "the whole address space", -ERANGE, VM_WINDOW(0), 0xfffffffff0000000, 0);
	refuse(vm, "ways 1", -EINVAL, VM_WINDOW(0), SIZE, 0x10);
	refuse(vm, "ways 15", -EINVAL, VM_WINDOW(0), SIZE, 0xf0);
	refuse(vm, "granularity 7", -EINVAL, VM_WINDOW(0), SIZE, 0x07);
	refuse(vm, "back-invalidate", -EINVAL, VM_WINDOW(0), SIZE, 0x2000);
	if (!host_only)
		refuse(vm, "host-only", -EINVAL, VM_WINDOW(0), SIZE, 0x1000);
	vm_hdm_write(vm, 0, 0x24, 1);
	refuse(vm, "skip low", -EINVAL, VM_WINDOW(0), SIZE, 0);
	vm_hdm_write(vm, 0, 0x24, 0);
	vm_hdm_write(vm, 0, 0x28, 0x80000000);
	refuse(vm, "skip high", -EINVAL, VM_WINDOW(0), SIZE, 0);
	vm_hdm_write(vm, 0, 0x28, 0);
	/* positive control, with a legal granularity */
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 6), 0x606);
	vm_hdm_write(vm, 0, 0x20, 0);
	if (host_only)
		assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0x1000), 0x1600);
	vm_stop(vm);
}

/* WIN-3: usable I/O addresses hold for what the guest chooses, too. */
static void win3_guest_base_outside_usable_iova_is_refused(void **state)
{
	struct cxlvm_iova_range iova = { { 0 }, { VM_WINDOW(0) + SIZE - 1 } };
	struct vm *vm = vm_create_guest(*state, 1);

	if (vm->variant->sim && vm->variant->personality == PERSONALITY_OWN)
		iova.last.value += SIZE; /* the window has to be usable as a whole there */
	else
		vm->window_memory = SIZE;
	vm->devices[0].config.iova = &iova;
	vm->devices[0].config.n_iova = 1;
	if (vm->variant->sim && vm->variant->personality == PERSONALITY_QEMU)
		iova.last.value += SIZE;
	assert_int_equal(vm_start(vm, NULL), 0);
	if (vm_window_size(vm, 0) > iova.last.value + 1 - VM_WINDOW(0))
		refuse(vm, "beyond usable I/O addresses", -ERANGE, iova.last.value + 1, SIZE, 0);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	vm_stop(vm);
}

/* The real decoder as hardware and kernel show it: control 0, and what it was. */
struct real_control {
	uint32_t hardware, kernel;
};

static struct real_control take_memory_away(struct fake *fake)
{
	struct real_control was = { fake_hardware(fake, 0x20), fake_kernel(fake, 0x20) };

	fake_set_hardware(fake, 0x20, 0);
	fake_set_kernel(fake, 0x20, 0);
	return was;
}

static void give_memory_back(struct fake *fake, struct real_control was)
{
	fake_set_hardware(fake, 0x20, was.hardware);
	fake_set_kernel(fake, 0x20, was.kernel);
}

/* The real decoder is asked at every commit, once and without waiting. */
static void decoder_commit_asks_the_device(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;
	struct real_control was = take_memory_away(fake);

	journal_clear(&vm->board.journal);
	refuse(vm, "not usable", -ENXIO, VM_WINDOW(0), SIZE, 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_SLEEP), 0);
	give_memory_back(fake, was);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	vm_stop(vm);
}

static void decoder_no_commit_during_a_reset(void **state)
{
	struct vm *vm = started(state);

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, NULL), 0);
	refuse(vm, "during a reset", -EBUSY, VM_WINDOW(0), SIZE, 0);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_BUS, 0, NULL), 0);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	vm_stop(vm);
}

/* A reset that is known to have failed: what the last user of the memory stored is still there. */
static void decoder_no_commit_after_a_failed_reset(void **state)
{
	struct vm *vm = mapped(state, 0);

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_CXL, NULL), 0);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_CXL, -EIO, NULL), -EIO);
	assert_nothing_mapped(vm, 0);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x800);
	refuse(vm, "after a failed reset", -ENXIO, VM_WINDOW(0), SIZE, 0);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_CXL, NULL), 0);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_CXL, 0, NULL), 0);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_stop(vm);
}

static void decoder_size_0_commits_and_maps_nothing(void **state)
{
	struct vm *vm = started(state);

	assert_int_equal(vm_bridge_commit(vm, 0, VM_WINDOW(0), 0) & 0x600, 0x600);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), 0, 0), 0x600);
	assert_true(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	assert_nothing_mapped(vm, 0);
	vm_hdm_write(vm, 0, 0x20, 0);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0);
	vm_stop(vm);
}

/* The memory answers only while the host bridge leads to it, and nobody else decides. */
static void p3_map_follows_the_host_bridge(void **state)
{
	struct vm *vm = mapped(state, 0);
	struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t other = VM_WINDOW(0) + SIZE;

	/* decommit of the bridge, and back */
	vm_bridge_write(vm, 0, 0x20, 0);
	assert_false(recorder->enabled);
	assert_true(recorder->prepared);
	assert_true(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	/* over another range, another size, to another port */
	vm_bridge_commit(vm, 0, other, SIZE);
	assert_false(recorder->enabled);
	vm_bridge_write(vm, 0, 0x20, 0);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), 2 * SIZE);
	assert_false(recorder->enabled);
	vm_bridge_write(vm, 0, 0x20, 0);
	vm_bridge_write(vm, 0, 0x10, VM_WINDOW(0) & 0xffffffff);
	vm_bridge_write(vm, 0, 0x18, SIZE);
	vm_bridge_write(vm, 0, 0x24, vm->devices[0].config.port + 1u);
	vm_bridge_write(vm, 0, 0x20, 0x200);
	assert_false(recorder->enabled);
	vm_bridge_write(vm, 0, 0x20, 0);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	/* the global decoder enable of the bridge */
	vm_bridge_write(vm, 0, 0x04, 0);
	assert_false(recorder->enabled);
	vm_bridge_write(vm, 0, 0x04, 2);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_stop(vm);
}

/* Global enable is the guest's, and so is Mem_Enable. */
static void p3_map_follows_the_enables(void **state)
{
	struct vm *vm = mapped(state, 0x100);
	struct recorder *recorder = &vm->devices[0].recorder;
	uint32_t control = vm->devices[0].dvsec + 0x0c;

	vm_hdm_write(vm, 0, 0x04, 0);
	assert_int_equal(vm_hdm(vm, 0, 0x04), 0);
	assert_false(recorder->enabled);
	vm_hdm_write(vm, 0, 0x04, 3);
	assert_int_equal(vm_hdm(vm, 0, 0x04), 2); /* poison is not advertised */
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_config_write(vm, 0, control, 2, vm_config_read(vm, 0, control, 2) & ~4u);
	assert_false(recorder->enabled);
	vm_config_write(vm, 0, control, 2, vm_config_read(vm, 0, control, 2) | 4u);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_stop(vm);
}

/* Section 9: a new base moves register, CPU map, DMA map and the kernel's decoder together. */
static void p5_new_base_moves_everything(void **state)
{
	struct vm *vm = mapped(state, 0);
	struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t other = VM_WINDOW(0) + vm_window_size(vm, 0) - SIZE;
	const struct journal_entry *entries = vm->board.journal.entries;
	uint32_t range = vm->devices[0].dvsec + 0x20;
	long disable, enable;

	assert_int_not_equal(other, VM_WINDOW(0));
	journal_clear(&vm->board.journal);
	vm_hdm_write(vm, 0, 0x20, 0);
	vm_bridge_write(vm, 0, 0x20, 0);
	assert_int_equal(vm_config_read(vm, 0, range + 4, 4), 0);
	vm_bridge_commit(vm, 0, other, SIZE);
	assert_int_equal(vm_commit(vm, 0, other, SIZE, 0x100), 0x700);
	vm_check_mapped(vm, 0, other, SIZE);
	assert_int_equal(vm_config_read(vm, 0, range, 4), other >> 32);
	assert_int_equal(vm_config_read(vm, 0, range + 4, 4), other & 0xffffffff);
	/* the kernel's decoder of generation 2 was found locked, but by ourselves */
	for (unsigned int e = 0; e < recorder->n_events; e++)
		assert_null(strstr(recorder->events[e].text, "locked"));
	disable = journal_find(&vm->board.journal, CALL_DISABLE, 0);
	enable = journal_find(&vm->board.journal, CALL_ENABLE, 0);
	assert_true(disable >= 0 && disable < enable);
	assert_true(entries[disable].offset == VM_WINDOW(0));
	assert_true(entries[enable].offset == other);
	if (recorder->ops.dma_map) {
		/* DMA-4, DMA-5: off after the CPU, on before it */
		long unmap = journal_find(&vm->board.journal, CALL_DMA_UNMAP, 0);
		long map = journal_find(&vm->board.journal, CALL_DMA_MAP, 0);

		assert_true(disable < unmap && unmap < map && map < enable);
		assert_true(entries[map].offset == other);
	}
	vm_stop(vm);
}

/* Generation 2: after a commit that was undone the kernel's decoder is locked by us all the same. */
static void p4_an_undone_commit_leaves_our_lock_ours(void **state)
{
	struct vm *vm = mapped(state, 0);
	struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t other = VM_WINDOW(0) + vm_window_size(vm, 0) - SIZE;

	vm_hdm_write(vm, 0, 0x20, 0);
	faults_arm_call(&vm->board.faults, CALL_DMA_MAP, -EXFULL);
	assert_int_equal(vm_commit(vm, 0, other, SIZE, 0) & 0xc00, 0x800);
	assert_true(vm->board.faults.fired);
	faults_disarm(&vm->board.faults);
	assert_int_equal(vm_commit(vm, 0, other, SIZE, 0) & 0xc00, 0x400);
	for (unsigned int e = 0; e < recorder->n_events; e++)
		assert_null(strstr(recorder->events[e].text, "locked"));
	vm_stop(vm);
}

/* A part of the memory, then all of it. */
static void decoder_size_is_the_guests_choice(void **state)
{
	struct vm *vm = started(state);
	uint64_t memory = cxlvm_endpoint_memory_size(vm->devices[0].endpoint);

	assert_true(memory == 2 * SIZE);
	vm_bridge_commit(vm, 0, VM_WINDOW(0) + SIZE, SIZE);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0) + SIZE, SIZE, 0), 0x600);
	vm_check_mapped(vm, 0, VM_WINDOW(0) + SIZE, SIZE);
	vm_hdm_write(vm, 0, 0x20, 0);
	vm_bridge_write(vm, 0, 0x20, 0);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), memory);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), memory, 0), 0x600);
	vm_check_mapped(vm, 0, VM_WINDOW(0), memory);
	vm_stop(vm);
}

static const enum cxlvm_reset_kind all_kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
						   CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
						   CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP,
						   CXLVM_RESET_SYSTEM };

static int reset(struct vm *vm, enum cxlvm_reset_kind kind, int result)
{
	struct test_device *below = &vm->devices[0].below;

	assert_int_equal(vm_reset_prepare(vm, 0, kind, NULL), 0);
	assert_false(vm->devices[0].recorder.enabled);
	if (kind != CXLVM_RESET_LOW_POWER)
		assert_int_equal(below->reset(below->device), 0);
	if (kind >= CXLVM_RESET_WAKEUP)
		board_reset_bridges(&vm->board);
	return vm_reset_done(vm, 0, kind, result, NULL);
}

/* Function-level reset and low power keep the decoder, all others present the reset state. */
static void prg2_policy_guest_by_kind_of_reset(void **state)
{
	for (uint32_t lock = 0; lock <= 0x100; lock += 0x100)
		for (size_t k = 0; k < ARRAY_SIZE(all_kinds); k++) {
			enum cxlvm_reset_kind kind = all_kinds[k];
			struct vm *vm = started(state);
			struct vm_snapshot fresh, before, after;

			vm_snapshot(vm, &fresh);
			assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, lock), lock | 0x600);
			vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE);
			vm_snapshot(vm, &before);
			assert_int_equal(reset(vm, kind, 0), 0);
			vm_snapshot(vm, &after);
			if (kind <= CXLVM_RESET_FUNCTION) {
				vm_snapshot_assert_equal(&before, &after, true);
				vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
			} else {
				struct cxlvm_endpoint_state *one = &fresh.devices[0].state;
				struct cxlvm_endpoint_state *two = &after.devices[0].state;

				assert_memory_equal(one, two, sizeof(*one));
				assert_nothing_mapped(vm, 0);
				/* the bridge's decoder only goes with the machine */
				assert_int_equal(vm_bridge(vm, 0, 0x20) & 0x400,
						 kind < CXLVM_RESET_WAKEUP ? 0x400 : 0);
				/* and the guest can have it all again */
				assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
				if (kind >= CXLVM_RESET_WAKEUP)
					vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE);
				vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
			}
			vm_stop(vm);
		}
}

/* RST-1 for this policy: 100 of each kind, each as the first, with the guest's commits in between. */
static void rst1_policy_guest_100_resets_of_each_kind(void **state)
{
	for (size_t k = 0; k < ARRAY_SIZE(all_kinds); k++) {
		struct vm *vm = mapped(state, 0);
		struct vm_snapshot first, now;

		vm->only_faults = true;
		for (unsigned int n = 0; n < 100; n++) {
			journal_clear(&vm->board.journal);
			assert_int_equal(reset(vm, all_kinds[k], 0), 0);
			vm_snapshot(vm, n ? &now : &first);
			if (n)
				vm_snapshot_assert_equal(&first, &now, true);
			if (all_kinds[k] > CXLVM_RESET_FUNCTION) {
				assert_nothing_mapped(vm, 0);
				assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
			}
			if (all_kinds[k] >= CXLVM_RESET_WAKEUP)
				vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE);
			vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
		}
		vm_stop(vm);
	}
}

/* After a system reset an old host bridge is not taken for the new one. */
static void policy_guest_forgets_the_bridge_at_system_reset(void **state)
{
	struct vm *vm = mapped(state, 0);

	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	assert_false(vm->devices[0].recorder.enabled);
	vm_stop(vm);
}

/* A function-level reset after which the device is lost: fails closed, map released. */
static void p3_policy_guest_fails_closed(void **state)
{
	struct vm *vm = mapped(state, 0x100);

	vm->devices[0].below.fake->loses_decoder = true;
	assert_true(reset(vm, CXLVM_RESET_FUNCTION, 0) < 0);
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x800);
	assert_nothing_mapped(vm, 0);
	vm_stop(vm);
}

/* Memory that the device took away comes back where the guest has put it. */
static void recheck_with_policy_guest(void **state)
{
	struct vm *vm = mapped(state, 0);
	struct fake *fake = vm->devices[0].below.fake;
	struct real_control was = take_memory_away(fake);

	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_false(vm->devices[0].recorder.enabled);
	assert_true(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	give_memory_back(fake, was);
	assert_int_equal(vm_recheck(vm, 0), 0);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	vm_stop(vm);
}

/* A guest that commits anew need not wait for the host to look. */
static void decoder_commit_brings_back_what_was_taken_away(void **state)
{
	struct vm *vm = mapped(state, 0);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_endpoint *ep = vm->devices[0].endpoint;
	struct real_control was = take_memory_away(fake);

	assert_int_equal(vm_recheck(vm, 0), 1);
	vm_hdm_write(vm, 0, 0x20, 0);
	assert_nothing_mapped(vm, 0);
	/* still away: the device is asked */
	refuse(vm, "while it is away", -ENXIO, VM_WINDOW(0), SIZE, 0);
	assert_true(cxlvm_endpoint_unusable_reason(ep)[0]);
	give_memory_back(fake, was);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0), 0x600);
	vm_check_mapped(vm, 0, VM_WINDOW(0), SIZE);
	assert_string_equal(cxlvm_endpoint_unusable_reason(ep), "");
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_MEMORY_AVAILABLE));
	/* and it is not mapped a second time */
	journal_clear(&vm->board.journal);
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_MAP), 0);
	vm_stop(vm);
}

/* The locked decoder is not the host bridge's business. */
static void policy_locked_ignores_bridge_changed(void **state)
{
	struct cxlvm_bridge_decoder none = { .size = 0 };
	struct vm *vm = vm_create(*state, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	journal_clear(&vm->board.journal);
	cxlvm_endpoint_bridge_changed(vm->devices[0].endpoint, &none);
	assert_int_equal(vm->board.journal.n, 0);
	vm_check_running(vm);
	vm_stop(vm);
}

static void policy_guest_dark_after_unrealize(void **state)
{
	struct cxlvm_bridge_decoder decoder;
	struct vm *vm = mapped(state, 0);

	decoder = board_bridge(&vm->board, VM_UID(0))->decoder;
	vm_unrealize(vm, 0);
	journal_clear(&vm->board.journal);
	cxlvm_endpoint_bridge_changed(vm->devices[0].endpoint, &decoder);
	vm_hdm_write(vm, 0, 0x20, 0x200);
	assert_int_equal(vm->board.journal.n, 0);
	vm_stop(vm);
}

static void policy_is_checked(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.decoder = (enum cxlvm_decoder_policy)2;
	assert_int_equal(vm_start(vm, &err), -EINVAL);
	assert_message_has(&err, 2);
	vm->devices[0].config.decoder = CXLVM_DECODER_GUEST;
	/* the library publishes nothing, so it needs no operation for that */
	vm->devices[0].recorder.ops.bridge_decoder = NULL;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_stop(vm);
}

static void trace_of_a_guest_commit(void **state)
{
	struct vm *vm = started(state);
	struct recorder *recorder = &vm->devices[0].recorder;
	const struct cxlvm_trace *trace = NULL;

	cxlvm_machine_trace(vm->machine, "*", true);
	vm_commit(vm, 0, VM_WINDOW(0), SIZE, 0);
	assert_int_equal(recorder_trace_count(recorder, CXLVM_TRACE_GUEST_COMMIT, &trace), 1);
	assert_true(trace->args[0] == VM_WINDOW(0) && trace->args[1] == SIZE);
	assert_int_equal(trace->args[2], 0x600);
	assert_int_equal(trace->args[3], 0);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), SIZE);
	assert_true(recorder_trace_count(recorder, CXLVM_TRACE_BRIDGE_CHANGED, &trace) > 0);
	assert_true(trace->args[0] == VM_WINDOW(0) && trace->args[2] == VM_PORT(0));
	recorder_trace_count(recorder, CXLVM_TRACE_MAP_ENABLE, &trace);
	assert_true(trace->args[0] == VM_WINDOW(0) && trace->args[1] == SIZE);
	vm_hdm_write(vm, 0, 0x20, 0);
	assert_int_equal(recorder_trace_count(recorder, CXLVM_TRACE_GUEST_DECOMMIT, &trace), 1);
	vm_commit(vm, 0, 0, SIZE, 0);
	recorder_trace_count(recorder, CXLVM_TRACE_GUEST_COMMIT, &trace);
	assert_int_equal(trace->args[3], ERANGE);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(policy_guest_after_reset),
		TEST_FAKE(acpi3_policy_guest_wants_no_fixed_window),
		TEST_ALL(decoder_row_commit_maps_then_commits),
		TEST_ALL(decoder_row_committed_and_locked_ignores_everything),
		TEST_ALL(decoder_row_committed_commit_1_changes_nothing),
		TEST_ALL(decoder_row_decommit_unmaps_first),
		TEST_ALL(decoder_row_uncommitted_fields_are_stored),
		TEST_ALL(decoder_guest_access_widths),
		TEST_ALL(decoder_each_failing_check_gives_the_error_bit),
		TEST_ALL(win3_guest_base_outside_usable_iova_is_refused),
		TEST_FAKE(decoder_commit_asks_the_device),
		TEST_ALL(decoder_no_commit_during_a_reset),
		TEST_ALL(decoder_no_commit_after_a_failed_reset),
		TEST_ALL(decoder_size_0_commits_and_maps_nothing),
		TEST_ALL(p3_map_follows_the_host_bridge),
		TEST_ALL(p3_map_follows_the_enables),
		/* the window has to be larger than the decoder: not that of a fake below host own */
		TEST_SIM(p5_new_base_moves_everything),
		TEST_ON(p5_new_base_moves_everything, QEMU_FAKE_2, "[qemu,fake 2]"),
		TEST_ON(p5_new_base_moves_everything, QEMU_FAKE_2N, "[qemu,fake 2N]"),
		TEST_ON(p5_new_base_moves_everything, QEMU_FAKE_3, "[qemu,fake 3]"),
		TEST_ON(p5_new_base_moves_everything, QEMU_FAKE_4, "[qemu,fake 4]"),
		TEST_ON(p5_new_base_moves_everything, QEMU_FAKE_5, "[qemu,fake 5]"),
		TEST_ON(p5_new_base_moves_everything, QEMU_FAKE_6, "[qemu,fake 6]"),
		TEST_ON(p4_an_undone_commit_leaves_our_lock_ours, OWN_SIM_2, "[own,sim 2]"),
		TEST_ON(p4_an_undone_commit_leaves_our_lock_ours, OWN_SIM_2N, "[own,sim 2N]"),
		TEST_SIM(decoder_size_is_the_guests_choice),
		TEST_ALL(prg2_policy_guest_by_kind_of_reset),
		TEST_ALL(rst1_policy_guest_100_resets_of_each_kind),
		TEST_ALL(policy_guest_forgets_the_bridge_at_system_reset),
		TEST_FAKE_TELLS(p3_policy_guest_fails_closed),
		TEST_FAKE(recheck_with_policy_guest),
		TEST_FAKE(decoder_commit_brings_back_what_was_taken_away),
		TEST_ALL(policy_locked_ignores_bridge_changed),
		TEST_ALL(policy_guest_dark_after_unrealize),
		TEST_FAKE(policy_is_checked),
		TEST_ALL(trace_of_a_guest_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Every kind of reset but system: before, after, and as config writes (contract 10, 12). */
#include <errno.h>

#include "test.h"
#include "vm.h"

#define FLR_CAPABLE 0x10000000u
#define CONTROL2    (FAKE_DVSEC + 0x10)
#define STATUS2     (FAKE_DVSEC + 0x12)

static const enum cxlvm_reset_kind all_kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
						   CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
						   CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP,
						   CXLVM_RESET_SYSTEM };

static bool keeps_registers(enum cxlvm_reset_kind kind)
{
	return kind == CXLVM_RESET_FUNCTION || kind == CXLVM_RESET_LOW_POWER;
}

static bool mirrors_bridge(enum cxlvm_reset_kind kind)
{
	return kind == CXLVM_RESET_WAKEUP || kind == CXLVM_RESET_SYSTEM;
}

static struct vm *started(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm->devices[0].below.fake)
		fake_add_capabilities(vm->devices[0].below.fake);
	if (vm_start(vm, &err))
		fail_msg("start: %s (%s)", err.message, err.hint);
	return vm;
}

static void reset_device(struct vm *vm)
{
	struct test_device *below = &vm->devices[0].below;

	assert_int_equal(below->reset(below->device), 0);
}

/* The order a host calls things for a reset that is not the whole machine's. */
static int reset(struct vm *vm, enum cxlvm_reset_kind kind, int result, struct cxlvm_error *err)
{
	assert_int_equal(vm_reset_prepare(vm, 0, kind, NULL), 0);
	if (kind != CXLVM_RESET_LOW_POWER)
		reset_device(vm);
	if (mirrors_bridge(kind))
		board_reset_bridges(&vm->board);
	return vm_reset_done(vm, 0, kind, result, err);
}

static void rst_each_kind_takes_the_memory_and_brings_it_back(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_kinds); i++) {
		enum cxlvm_reset_kind kind = all_kinds[i];
		struct vm *vm = started(state);
		struct cxlvm_endpoint *ep = vm->devices[0].endpoint;
		unsigned int published = board_bridge(&vm->board, VM_UID(0))->published;
		struct vm_snapshot before, after;

		vm_snapshot(vm, &before);
		assert_int_equal(vm_reset_prepare(vm, 0, kind, NULL), 0);
		assert_false(cxlvm_endpoint_memory_mapped(ep));
		assert_false(vm->devices[0].recorder.dma_mapped);
		/* function-level reset and low power leave the decoder alone (DESIGN rule 3) */
		assert_int_equal(cxlvm_endpoint_is_committed(ep), keeps_registers(kind));
		if (kind != CXLVM_RESET_LOW_POWER)
			reset_device(vm);
		if (mirrors_bridge(kind))
			board_reset_bridges(&vm->board);
		assert_int_equal(vm_reset_done(vm, 0, kind, CXLVM_RESET_RESULT_UNKNOWN, NULL), 0);
		vm_check_running(vm);
		vm_snapshot(vm, &after);
		vm_snapshot_assert_equal(&before, &after, true);
		/* the host bridge's decoder changes at system reset (and wakeup) only */
		assert_int_equal(board_bridge(&vm->board, VM_UID(0))->published - published,
				 mirrors_bridge(kind));
		vm_stop(vm);
	}
}

/* 10.2: kernel 2 does not write caches back, so we do, before a reset of a device that runs. */
static void w34_caches_are_written_back_before_a_reset(void **state)
{
	static const uint8_t write_back[] = { 0x02, 0x00 };
	struct vm *vm = started(state);
	const struct journal *journal = &vm->board.journal;

	for (size_t i = 0; i < ARRAY_SIZE(all_kinds); i++) {
		bool wanted =
			all_kinds[i] != CXLVM_RESET_LOW_POWER && all_kinds[i] != CXLVM_RESET_WAKEUP;
		unsigned int asked = 0;
		bool disabled = false;

		journal_clear(&vm->board.journal);
		assert_int_equal(vm_reset_prepare(vm, 0, all_kinds[i], NULL), 0);
		for (size_t n = 0; n < journal->n; n++) {
			const struct journal_entry *entry = &journal->entries[n];

			disabled = disabled || entry->call == CALL_DISABLE;
			if (entry->call != CALL_WRITE || entry->offset != CONTROL2)
				continue;
			assert_memory_equal(entry->data, write_back, 2);
			/* first nobody reaches the memory any more */
			assert_true(disabled);
			asked++;
		}
		assert_int_equal(asked, wanted && vm->variant->kernel == 2);
		if (mirrors_bridge(all_kinds[i]))
			board_reset_bridges(&vm->board);
		assert_int_equal(vm_reset_done(vm, 0, all_kinds[i], 0, NULL), 0);
	}
	vm_stop(vm);
}

/* 10.2 step 2: its completion is waited for, not for ever; then the reset goes on, with a warning. */
static void w34_caches_that_are_not_written_back_are_told(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_kinds); i++) {
		struct vm *vm = started(state);
		struct recorder *recorder = &vm->devices[0].recorder;
		bool wanted = all_kinds[i] != CXLVM_RESET_LOW_POWER &&
			      all_kinds[i] != CXLVM_RESET_WAKEUP && vm->variant->kernel == 2;
		const struct recorded_event *event;

		vm->devices[0].below.fake->never_writes_back = true;
		recorder->n_events = 0;
		assert_int_equal(vm_reset_prepare(vm, 0, all_kinds[i], NULL), 0);
		event = recorder_event(recorder, CXLVM_EVENT_WARNING);
		if (wanted) {
			assert_in_range(vm->board.slept_ms, 50, 1000);
			assert_non_null(event);
			assert_non_null(strstr(event->text, "did not write back"));
		} else {
			assert_int_equal(vm->board.slept_ms, 0);
			assert_null(event);
		}
		assert_false(recorder->enabled);
		/* nothing to write back: the memory is not mapped any more */
		assert_int_equal(vm_reset_prepare(vm, 0, all_kinds[i], NULL), 0);
		assert_int_equal(vm->board.slept_ms, 0);
		reset_device(vm);
		if (mirrors_bridge(all_kinds[i]))
			board_reset_bridges(&vm->board);
		assert_int_equal(vm_reset_done(vm, 0, all_kinds[i], 0, NULL), 0);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* RST-1 for each kind. */
static void rst1_100_resets_of_each_kind(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_kinds); i++) {
		struct vm *vm = started(state);
		struct vm_snapshot first, last;

		assert_int_equal(reset(vm, all_kinds[i], 0, NULL), 0);
		vm_snapshot(vm, &first);
		for (unsigned int n = 0; n < 99; n++)
			assert_int_equal(reset(vm, all_kinds[i], 0, NULL), 0);
		vm_snapshot(vm, &last);
		vm_snapshot_assert_equal(&first, &last, true);
		vm_stop(vm);
	}
}

/* Everything that a guest can write and that starts no reset: decoder 0, and the DVSEC, lock last. */
static void write_all(struct vm *vm, uint32_t value)
{
	uint32_t dvsec = vm->devices[0].dvsec;

	for (unsigned int at = 0; at < 0x30; at += 4)
		vm_write(vm, 0, vm->devices[0].hdm + at, 4, value);
	for (uint32_t at = 0x0a; at < 0x3c; at += 2)
		if (at != 0x14)
			vm_config_write(vm, 0, dvsec + at, 2,
					value & (at == 0x10 ? 0xfffbu : 0xffffu));
	vm_config_write(vm, 0, dvsec + 0x14, 2, value & 0xffff);
}

/*
 * RST-1 after a guest that wrote everywhere: function-level reset and low power change none of it
 * (DESIGN rule 3), any other kind ends as the first reset did.
 */
static void rst1_what_a_guest_wrote_is_kept_or_forgotten(void **state)
{
	static const uint32_t values[] = { UINT32_MAX, 0, 0x5a5a5a5a, 0xa5a5a5a5 };

	for (size_t i = 0; i < ARRAY_SIZE(all_kinds); i++) {
		struct vm *vm = started(state);
		struct vm_snapshot first, written, after;

		vm->only_faults = true;
		assert_int_equal(reset(vm, all_kinds[i], 0, NULL), 0);
		vm_snapshot(vm, &first);
		for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
			uint16_t control;

			journal_clear(&vm->board.journal);
			write_all(vm, values[v]);
			vm_snapshot(vm, &written);
			control = written.devices[0].state.dvsec_control;
			assert_int_equal(reset(vm, all_kinds[i], 0, NULL), 0);
			vm_snapshot(vm, &after);
			if (!keeps_registers(all_kinds[i])) {
				/* what is written did arrive, or nothing is forgotten */
				if (values[v] & 1)
					assert_int_equal(written.devices[0].state.dvsec_lock, 1);
				assert_int_equal(control & 4, values[v] & 4);
				vm_snapshot_assert_equal(&first, &after, true);
				vm_check_running(vm);
				continue;
			}
			assert_memory_equal(written.devices[0].state.hdm,
					    after.devices[0].state.hdm,
					    sizeof(after.devices[0].state.hdm));
			assert_int_equal(after.devices[0].state.dvsec_control, control);
			assert_int_equal(after.devices[0].state.dvsec_lock,
					 written.devices[0].state.dvsec_lock);
			assert_int_equal(after.devices[0].enabled, !!(control & 4));
		}
		vm_stop(vm);
	}
}

/* Mem_Enable that the guest turned off: kept by a function-level reset, on again after others. */
static void rst_memory_enable_by_kind(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(all_kinds); i++) {
		struct vm *vm = started(state);
		struct cxlvm_endpoint *ep = vm->devices[0].endpoint;
		uint32_t control = vm->devices[0].dvsec + 0x0c;

		vm_config_write(vm, 0, control, 2, vm_config_read(vm, 0, control, 2) & ~4u);
		assert_false(cxlvm_endpoint_memory_mapped(ep));
		assert_int_equal(reset(vm, all_kinds[i], 0, NULL), 0);
		assert_true(cxlvm_endpoint_is_committed(ep));
		assert_int_equal(cxlvm_endpoint_memory_mapped(ep), !keeps_registers(all_kinds[i]));
		vm_stop(vm);
	}
}

/* Within a stronger reset nothing is programmed; the strongest kind decides what is reset. */
static void rst_nested_kinds(void **state)
{
	struct vm *vm = started(state);
	struct cxlvm_endpoint *ep = vm->devices[0].endpoint;

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, NULL), 0);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
	reset_device(vm);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
	assert_false(cxlvm_endpoint_memory_mapped(ep));
	assert_false(cxlvm_endpoint_is_committed(ep));
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_BUS, 0, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* 10.3 step 1: again, and again, but not for ever. */
static void rst_eagain_is_repeated(void **state)
{
	struct vm *vm = started(state);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(reset(vm, CXLVM_RESET_HOT, -EAGAIN, &err), 0);
	vm_check_running(vm);

	/* the device says "again" each time: given up, dark, with an event */
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_HOT, NULL), 0);
	faults_arm_call(&vm->board.faults, CALL_DEVICE_RESET, -EAGAIN);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_HOT, -EAGAIN, &err), -EAGAIN);
	faults_disarm(&vm->board.faults);
	assert_in_range(vm->board.faults.hits, 2, 10);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x800);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* A reset that failed for certain: memory may hold what its last user stored. */
static void rst_known_failure_is_dark(void **state)
{
	struct vm *vm = started(state);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(reset(vm, CXLVM_RESET_FUNCTION, -EIO, &err), -EIO);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_RESET_FAILED));
	/* tried again at the next reset, of any kind */
	assert_int_equal(reset(vm, CXLVM_RESET_FUNCTION, 0, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* A hot reset loses the decoder; one reset of the device more brings it back. */
static void rst_hot_reset_that_loses_the_decoder(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;
	unsigned int resets;

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_HOT, NULL), 0);
	fake->loses_decoder = true;
	reset_device(vm);
	fake->loses_decoder = false;
	fake->restores_decoder = true;
	resets = fake->resets;
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_HOT, 0, NULL), 0);
	assert_int_equal(fake->resets, resets + 1);
	vm_check_running(vm);
	vm_stop(vm);
}

/* PRG-2: a function-level reset is a config write; the kernel does it and does not say how. */
static void prg2_flr_by_config_write(void **state)
{
	struct vm *vm = started(state);
	struct vm_snapshot before, after;
	uint32_t device_value;
	enum cxlvm_reset_kind kind;

	vm_snapshot(vm, &before);
	vm->board.verb = VERB_CONFIG_WRITE;
	assert_true(cxlvm_endpoint_config_write_begin(vm->devices[0].endpoint, FAKE_PCIE + 8, 2,
						      0x8010, &device_value, &kind));
	assert_int_equal(kind, CXLVM_RESET_FUNCTION);
	assert_int_equal(device_value, 0x8010);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	reset_device(vm);
	cxlvm_endpoint_config_write_end(vm->devices[0].endpoint);
	vm->board.verb = VERB_NONE;
	vm_check_running(vm);
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	/* the same bit in the other byte, and without the bit */
	assert_int_equal(vm_config_write(vm, 0, FAKE_PCIE + 9, 1, 0x80), CXLVM_RESET_FUNCTION);
	assert_int_equal(vm_config_write(vm, 0, FAKE_PCIE + 8, 4, 0x7fff), CXLVM_RESET_NONE);
	vm_check_running(vm);
	vm_stop(vm);
}

/* The software device has function-level reset: the same through its own config space. */
static void flr_of_the_software_device(void **state)
{
	struct vm *vm = started(state);
	struct vm_snapshot before, after;

	assert_int_equal(vm_config_read(vm, 0, 0x44, 4) & FLR_CAPABLE, FLR_CAPABLE);
	vm_config_write(vm, 0, 0x04, 2, 0x6);
	vm_snapshot(vm, &before);
	assert_int_equal(vm_config_write(vm, 0, 0x48, 2, 0x8000), CXLVM_RESET_FUNCTION);
	vm_check_running(vm);
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	assert_int_equal(vm_config_read(vm, 0, 0x48, 2) & 0x8000, 0);
	vm_stop(vm);
}

static void flr_of_a_device_without_it_is_a_plain_write(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	fake_add_capabilities(vm->devices[0].below.fake);
	fake_put(vm->devices[0].below.fake->config + FAKE_PCIE + 4, 4, 0);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_config_write(vm, 0, FAKE_PCIE + 8, 2, 0x8000), CXLVM_RESET_NONE);
	vm_check_running(vm);
	vm_stop(vm);
}

/* RST-1 after guest activity: kernels keep these bits, the guest must not see them again. */
static void rst1_control_2_and_status_2_are_forgotten(void **state)
{
	struct vm *vm = started(state);

	vm_config_write(vm, 0, CONTROL2, 2, 0x0b);
	assert_int_equal(vm_config_read(vm, 0, CONTROL2, 2), 0x09);
	assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 1, 1);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm->devices[0].below.fake->config[FAKE_DVSEC + 0x10] = 0x09;
	vm->devices[0].below.fake->config[FAKE_DVSEC + 0x12] = 0x01;
	assert_int_equal(vm_config_read(vm, 0, CONTROL2, 2), 0);
	assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 7, 0);
	vm_stop(vm);
}

/* RST-3: a guest that asked for a CXL reset gets one. */
static void rst3_cxl_reset_is_real(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;
	unsigned int resets = fake->resets;

	assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 6, 0);
	assert_int_equal(vm_config_write(vm, 0, CONTROL2, 2, 4), CXLVM_RESET_CXL);
	if (vm->variant->generation == 3) {
		/* nobody can do it: its reset leaves the memory as it was */
		assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 6, 4);
		assert_int_equal(fake->cxl_resets, 0);
		vm_stop(vm);
		return;
	}
	assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 6, 2);
	vm_check_running(vm);
	if (vm->variant->generation == 2 || vm->variant->generation == 4) {
		/* the kernel forwards the bit (2) or resets (2n, 4) */
		assert_int_equal(fake->cxl_resets, 1);
		assert_int_equal(fake->resets, resets);
	} else {
		/* the kernel would only pretend: the bit stays here, the host resets */
		assert_int_equal(fake->cxl_resets, 0);
		assert_int_equal(fake->resets, resets + 1);
	}
	/* a system reset clears what status 2 says */
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 6, 0);
	vm_stop(vm);
}

/* ... or the error bit. */
static void rst3_cxl_reset_that_fails_says_so(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;

	fake->cxl_reset_fails = true;
	faults_arm_call(&vm->board.faults, CALL_DEVICE_RESET, -EIO);
	vm_config_write(vm, 0, CONTROL2, 2, 4);
	faults_disarm(&vm->board.faults);
	assert_int_equal(vm_config_read(vm, 0, STATUS2, 2) & 6, 4);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* PRG-3: D3hot takes the memory away, D0 brings it back; registers keep their values. */
static void prg3_low_power_by_config_write(void **state)
{
	struct vm *vm = started(state);
	struct vm_snapshot before, after;

	vm_snapshot(vm, &before);
	assert_int_equal(vm_config_write(vm, 0, FAKE_PM + 4, 2, 3), CXLVM_RESET_LOW_POWER);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_true(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	assert_int_equal(vm_config_write(vm, 0, FAKE_PM + 4, 2, 0), CXLVM_RESET_LOW_POWER);
	vm_check_running(vm);
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(&before, &after, true);
	/* a system reset in between ends it */
	vm_config_write(vm, 0, FAKE_PM + 4, 2, 3);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	assert_int_equal(vm_config_write(vm, 0, FAKE_PM + 4, 2, 0), CXLVM_RESET_NONE);
	vm_stop(vm);
}

/* Revoked behind everybody's back, and returned. */
static void recheck_maps_again_what_has_come_back(void **state)
{
	struct vm *vm = started(state);
	struct fake *fake = vm->devices[0].below.fake;
	uint32_t control = fake_hardware(fake, 0x20);
	uint32_t shadow = vm->variant->generation <= 4 ? fake_kernel(fake, 0x20) : 0;
	struct cxlvm_endpoint *ep = vm->devices[0].endpoint;

	fake_set_hardware(fake, 0x20, 0);
	if (shadow)
		fake_set_kernel(fake, 0x20, 0);
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_false(cxlvm_endpoint_memory_mapped(ep));
	assert_int_equal(vm_recheck(vm, 0), 0);
	fake_set_hardware(fake, 0x20, control);
	if (shadow)
		fake_set_kernel(fake, 0x20, shadow);
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_true(cxlvm_endpoint_memory_mapped(ep));
	assert_non_null(recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_MEMORY_AVAILABLE));
	assert_string_equal(cxlvm_endpoint_unusable_reason(ep), "");
	vm_stop(vm);
}

static void w21_hotplug_is_refused(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.hotplug = true;
	assert_int_equal(vm_realize(vm, 0, &err), -EOPNOTSUPP);
	assert_message_says(&err, "running machine");
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(rst_each_kind_takes_the_memory_and_brings_it_back),
		TEST_FAKE(w34_caches_are_written_back_before_a_reset),
		TEST_FAKE(w34_caches_that_are_not_written_back_are_told),
		TEST_ALL(rst1_100_resets_of_each_kind),
		TEST_ALL(rst1_what_a_guest_wrote_is_kept_or_forgotten),
		TEST_ALL(rst_memory_enable_by_kind),
		TEST_ALL(rst_nested_kinds),
		TEST_ALL(rst_eagain_is_repeated),
		TEST_ALL(rst_known_failure_is_dark),
		TEST_FAKE_TELLS(rst_hot_reset_that_loses_the_decoder),
		TEST_FAKE(prg2_flr_by_config_write),
		TEST_SIM(flr_of_the_software_device),
		TEST_FAKE(flr_of_a_device_without_it_is_a_plain_write),
		TEST_FAKE(rst1_control_2_and_status_2_are_forgotten),
		TEST_FAKE(rst3_cxl_reset_is_real),
		TEST_FAKE(rst3_cxl_reset_that_fails_says_so),
		TEST_FAKE(prg3_low_power_by_config_write),
		TEST_FAKE(recheck_maps_again_what_has_come_back),
		TEST_ALL(w21_hotplug_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

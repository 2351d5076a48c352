/* SPDX-License-Identifier: BSD-3-Clause */
/* Trace points: what is switched on appears with its arguments, what is not does not. */
#include <errno.h>

#include "test.h"
#include "vm.h"

static const struct cxlvm_trace *last(struct vm *vm, enum cxlvm_trace_id id, unsigned int times)
{
	const struct cxlvm_trace *trace = NULL;
	unsigned int count = recorder_trace_count(&vm->devices[0].recorder, id, &trace);

	if (count != times)
		fail_msg("%s: %u times, not %u", cxlvm_trace_name(id), count, times);
	return trace;
}

static void trace_locked_hdm_has_base_low_high_control(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const struct cxlvm_trace *trace;

	cxlvm_machine_trace(vm->machine, "cxl_locked_hdm", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	trace = last(vm, CXLVM_TRACE_LOCKED_HDM, 1);
	assert_int_equal(trace->n_args, 4);
	assert_int_equal(trace->args[0], 0x140000000);
	assert_int_equal(trace->args[1], 0x40000000);
	assert_int_equal(trace->args[2], 1);
	assert_int_equal(trace->args[3], 0x700);
	assert_int_equal(vm->devices[0].recorder.n_traces, 1); /* and nothing else */
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	last(vm, CXLVM_TRACE_LOCKED_HDM, 2);
	cxlvm_machine_trace(vm->machine, "cxl_locked_hdm", false);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	last(vm, CXLVM_TRACE_LOCKED_HDM, 2);
	vm_stop(vm);
}

static void trace_off_is_silent(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 2);
	vm_unrealize(vm, 0);
	assert_int_equal(vm->devices[0].recorder.n_traces, 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_TRACE), 0);
	vm_stop(vm);
}

static void trace_all_of_one_life(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const struct cxlvm_trace *trace;
	bool own = vm->variant->personality == PERSONALITY_OWN;

	cxlvm_machine_trace(vm->machine, "*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(last(vm, CXLVM_TRACE_DETECTED, 1)->args[0], vm->variant->generation);
	trace = last(vm, CXLVM_TRACE_REGIONS, 1);
	assert_int_equal(trace->args[1], FAKE_MEMORY_SIZE);
	trace = last(vm, CXLVM_TRACE_SETUP_PARAMS, 1);
	assert_int_equal(trace->args[0], vm->devices[0].bar);
	assert_int_equal(trace->args[3], FAKE_MEMORY_SIZE);
	trace = last(vm, CXLVM_TRACE_BAR_SUBREGION, 1);
	assert_int_equal(trace->args[0], vm->devices[0].bar);
	assert_true(trace->args[1] <= vm->devices[0].hdm);
	trace = last(vm, CXLVM_TRACE_WINDOW_CLAIMED, 1);
	assert_int_equal(trace->args[0], VM_WINDOW(0));
	last(vm, CXLVM_TRACE_WINDOW_RESERVED, own ? 1 : 0);
	trace = last(vm, CXLVM_TRACE_MAP_ENABLE, 1);
	assert_int_equal(trace->args[0], VM_WINDOW(0));
	assert_int_equal(trace->args[1], FAKE_MEMORY_SIZE);
	last(vm, CXLVM_TRACE_MAP_DISABLE, 0);
	assert_int_equal(last(vm, CXLVM_TRACE_RESET_DONE, 1)->args[0], CXLVM_RESET_SYSTEM);
	last(vm, CXLVM_TRACE_PROGRAM_FAILED, 0);
	vm_unrealize(vm, 0);
	last(vm, CXLVM_TRACE_MAP_DISABLE, 1);
	last(vm, CXLVM_TRACE_WINDOW_RELEASED, 1);
	vm_free(vm, 0);
	last(vm, CXLVM_TRACE_PUT_DEVICE, 1);
	vm_stop(vm);
}

static void trace_program_failed_says_why(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const struct cxlvm_trace *trace;

	cxlvm_machine_trace(vm->machine, "cxl_program_failed", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	faults_arm(&vm->board.faults, 6, FAULT_BEFORE, -EXFULL);
	assert_int_equal(vm_system_reset(vm, NULL), -EXFULL);
	faults_disarm(&vm->board.faults);
	trace = last(vm, CXLVM_TRACE_PROGRAM_FAILED, 1);
	assert_true(trace->args[1] == EXFULL || trace->args[1] == (uint64_t)(int64_t)-EXFULL);
	vm_stop(vm);
}

/* Why the map changed: each of the reasons, as its number in host.h. */
static void trace_map_changes_have_a_reason(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	uint32_t control;

	cxlvm_machine_trace(vm->machine, "cxl_map_*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	control = vm->devices[0].dvsec + 0xc;
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_ENABLE, 1)->args[2], CXLVM_MAP_RESET);
	vm_config_write(vm, 0, control, 2, 0x0002);
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_DISABLE, 1)->args[2], CXLVM_MAP_REGISTERS);
	vm_config_write(vm, 0, control, 2, 0x0006);
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_ENABLE, 2)->args[2], CXLVM_MAP_REGISTERS);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_DISABLE, 2)->args[2], CXLVM_MAP_RESET);
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_ENABLE, 3)->args[2], CXLVM_MAP_RESET);
	fake_set_hardware(fake, 0x20, 0);
	fake_set_kernel(fake, 0x20, 0);
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_DISABLE, 3)->args[2], CXLVM_MAP_USABLE);
	fake_fill_bytes(fake);
	fake_sample(fake);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_unrealize(vm, 0);
	assert_int_equal(last(vm, CXLVM_TRACE_MAP_DISABLE, 4)->args[2], CXLVM_MAP_UNREALIZE);
	vm_stop(vm);
}

/* Each begin of a reset, with its kind; done alone begins one of its own. */
static void trace_reset_begins_with_its_kind(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	cxlvm_machine_trace(vm->machine, "cxl_reset_prepare", true);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_HOT, NULL), 0);
	assert_int_equal(last(vm, CXLVM_TRACE_RESET_PREPARE, 1)->args[0], CXLVM_RESET_HOT);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, NULL), 0);
	assert_int_equal(last(vm, CXLVM_TRACE_RESET_PREPARE, 2)->args[0], CXLVM_RESET_BUS);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_BUS, 0, NULL), 0);
	last(vm, CXLVM_TRACE_RESET_PREPARE, 2);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
	assert_int_equal(last(vm, CXLVM_TRACE_RESET_PREPARE, 3)->args[0], CXLVM_RESET_FUNCTION);
	assert_int_equal(vm->devices[0].recorder.n_traces, 3);
	vm_stop(vm);
}

/* From the first prepare, however often it is repeated, to the end of done. */
static void trace_reset_has_its_duration(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const struct cxlvm_trace *trace;

	cxlvm_machine_trace(vm->machine, "cxl_reset_done", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int round = 0; round < 2; round++) {
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_HOT, NULL), 0);
		vm->board.now_ns += 3000000000;
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_HOT, NULL), 0);
		vm->board.now_ns += 2000000000;
		assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_HOT, 0, NULL), 0);
		trace = last(vm, CXLVM_TRACE_RESET_DONE, 2 + round);
		assert_int_equal(trace->args[0], CXLVM_RESET_HOT);
		assert_int_equal(trace->args[1], 0);
		assert_true(trace->args[2] >= 5000000000 && trace->args[2] < 5100000000);
		vm->board.now_ns += 60000000000; /* between resets */
	}
	vm_stop(vm);
}

/* Generation 2: what was written, and control; the base that is read instead is no one's (P2). */
static void trace_verify_mismatch_shows_no_host_address(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const struct cxlvm_trace *trace;

	cxlvm_machine_trace(vm->machine, "cxl_verify_mismatch", true);
	vm->devices[0].below.fake->drops_at = 0x14;
	fake_set_hardware(vm->devices[0].below.fake, 0x20, 0x600); /* unlocked: base is kept */
	fake_sample(vm->devices[0].below.fake);
	assert_int_equal(vm_start(vm, NULL), -EPROTO);
	trace = last(vm, CXLVM_TRACE_VERIFY_MISMATCH, 1);
	assert_int_equal(trace->args[0], VM_WINDOW(0));
	assert_int_equal(trace->args[1] & 0x700, 0x700);
	vm_stop(vm);
}

static void trace_counters_at_the_end(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_endpoint_counters counters;
	const struct cxlvm_trace *trace;

	cxlvm_machine_trace(vm->machine, "cxl_counters", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_write(vm, 0, vm->devices[0].hdm, 4, 0);
	vm_write(vm, 0, vm->devices[0].hdm + 1, 4, 0);
	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &counters, sizeof(counters));
	vm_unrealize(vm, 0);
	trace = last(vm, CXLVM_TRACE_COUNTERS, 1);
	assert_int_equal(trace->args[0], counters.writes);
	assert_int_equal(trace->args[0], 2);
	assert_int_equal(trace->args[1], counters.bad_accesses);
	assert_true(trace->args[1] >= 1);
	assert_int_equal(trace->args[2], counters.device_errors);
	assert_int_equal(trace->args[3], 2);
	assert_int_equal(trace->args[4], 0);
	vm_stop(vm);
}

/* A host without event and trace, and without the optional DMA operations. */
static void optional_host_operations_may_be_absent(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_host_ops *ops = &vm->devices[0].recorder.ops;

	ops->event = NULL;
	ops->trace = NULL;
	ops->dma_state = NULL;
	cxlvm_machine_trace(vm->machine, "*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(trace_locked_hdm_has_base_low_high_control),
		TEST_ALL(trace_off_is_silent),
		TEST_ALL(trace_all_of_one_life),
		TEST_FAKE(trace_program_failed_says_why),
		TEST_FAKE_TELLS(trace_map_changes_have_a_reason),
		TEST_ALL(trace_reset_begins_with_its_kind),
		TEST_ALL(trace_reset_has_its_duration),
		TEST_FAKE_2(trace_verify_mismatch_shows_no_host_address),
		TEST_ALL(trace_counters_at_the_end),
		TEST_ALL(optional_host_operations_may_be_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

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
		TEST_ALL(optional_host_operations_may_be_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

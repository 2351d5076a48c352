/* SPDX-License-Identifier: BSD-3-Clause */
/* Device memory in the I/O address space (contract 8): dma-buf, by address, failures, option. */
#include <errno.h>

#include "test.h"
#include "vm.h"

#define ATS 0x1c0u /* where these tests put an ATS capability, behind the last one at 0x180 */

static void add_ats(struct fake *fake, bool enabled)
{
	fake_put(fake->config + 0x182, 2, 0x0001 | ATS << 4);
	fake_put(fake->config + ATS, 4, 0x0001000f);
	fake_put(fake->config + ATS + 6, 2, enabled ? 0x8000 : 0);
}

static bool exports(const struct vm *vm)
{
	return vm->variant->kernel == 5 || vm->variant->kernel == 6;
}

static const struct recorded_event *warning(const struct vm *vm)
{
	return recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_WARNING);
}

static unsigned int warnings(const struct vm *vm)
{
	const struct recorder *recorder = &vm->devices[0].recorder;
	unsigned int n = 0;

	for (unsigned int i = 0; i < recorder->n_events; i++)
		if (recorder->events[i].kind == CXLVM_EVENT_WARNING &&
		    strstr(recorder->events[i].text, "DMA"))
			n++;
	return n;
}

/* DMA-1: kernels 5 and 6 export, the others answer ENOTTY; the host gets what there is. */
static void dma1_as_dma_buf_where_the_kernel_exports_it(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	const struct cxlvm_trace *trace = NULL;

	cxlvm_machine_trace(vm->machine, "cxl_dma_*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_MAP), 1);
	assert_int_equal(recorder->n_dma_bufs, exports(vm) ? recorder->n_areas : 0);
	assert_int_equal(tap_open_dma_bufs(&vm->devices[0].tap), recorder->n_dma_bufs);
	assert_int_equal(recorder_trace_count(recorder, CXLVM_TRACE_DMA_MAP, &trace), 1);
	assert_int_equal(trace->args[0], VM_WINDOW(0));
	assert_int_equal(trace->args[1], FAKE_MEMORY_SIZE);
	assert_int_equal(trace->args[2], recorder->n_areas);
	assert_int_equal(trace->args[3], recorder->n_dma_bufs);
	assert_int_equal(warnings(vm), 0);
	vm_unrealize(vm, 0);
	assert_int_equal(recorder_trace_count(recorder, CXLVM_TRACE_DMA_UNMAP, NULL), 1);
	assert_int_equal(tap_open_dma_bufs(&vm->devices[0].tap), 0);
	vm_stop(vm);
}

/* DMA-1: the kernel knows the feature, but not for this device. */
static void dma1_refused_export_falls_back_to_addresses(void **state)
{
	static const int codes[] = { -ENOTTY, -EOPNOTSUPP };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		struct vm *vm = vm_create(*state, 1);

		vm->devices[0].below.fake->dma_buf_error = codes[i];
		assert_int_equal(vm_start(vm, NULL), 0);
		vm_check_running(vm);
		assert_int_equal(vm->devices[0].recorder.n_dma_bufs, 0);
		assert_true(vm->devices[0].recorder.dma_mapped);
		assert_int_equal(warnings(vm), 0);
		vm_stop(vm);
	}
}

/* Anything else than "cannot" went wrong, and is an error of the transaction. */
static void dma1_failed_export_is_an_error(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].below.fake->dma_buf_error = -EMFILE;
	assert_int_equal(vm_start(vm, &err), -EMFILE);
	assert_message_says(&err, "dma-buf");
	assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
	vm->devices[0].below.fake->dma_buf_error = 0;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Several areas: all of them with a descriptor or none, and the first ones are closed again. */
static void dma1_one_area_without_export_means_none(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct fake_answer *answer = &fake->regions[fake->memory_region];

	fake_put(answer->bytes + 0x24, 4, 0x30);
	fake_put(answer->bytes + 0x30, 8, 0x10001);
	fake_put(answer->bytes + 0x38, 8, 2);
	answer->len = 0x40 + fake_hex(answer->bytes + 0x40, 64,
				      "00 00 00 00 00 00 00 00  00 00 00 08 00 00 00 00"
				      "00 00 00 08 00 00 00 00  00 00 00 08 00 00 00 00");
	fake_put(answer->bytes, 4, answer->len);
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm->devices[0].recorder.n_dma_bufs, 2);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
	journal_clear(&vm->board.journal);
	faults_arm(&vm->board.faults, 2, FAULT_BEFORE, -ENOTTY);
	vm->board.faults.one_call = true;
	vm->board.faults.only = CALL_DMA_BUF;
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), 0);
	faults_disarm(&vm->board.faults);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_BUF), 2);
	assert_int_equal(vm->devices[0].recorder.n_dma_bufs, 0);
	assert_int_equal(tap_open_dma_bufs(&vm->devices[0].tap), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* DMA-6: at each reset closed, exported and mapped again. DMA-4, DMA-5: exactly that, in order. */
static void dma4_dma5_dma6_each_reset_exports_and_maps_again(void **state)
{
	static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
						       CXLVM_RESET_CXL, CXLVM_RESET_HOT,
						       CXLVM_RESET_BUS };
	struct vm *vm = vm_create(*state, 1);
	struct journal *journal = &vm->board.journal;

	assert_int_equal(vm_start(vm, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		journal_clear(journal);
		assert_int_equal(vm_reset_prepare(vm, 0, kinds[i], NULL), 0);
		assert_int_equal(journal_count(journal, CALL_DMA_UNMAP), 1);
		assert_true(journal_find(journal, CALL_DISABLE, 0) <
			    journal_find(journal, CALL_DMA_UNMAP, 0));
		assert_int_equal(tap_open_dma_bufs(&vm->devices[0].tap), 0);
		assert_int_equal(vm_reset_done(vm, 0, kinds[i], 0, NULL), 0);
		assert_int_equal(journal_count(journal, CALL_DMA_MAP), 1);
		assert_int_equal(journal_count(journal, CALL_DMA_BUF), 1);
		assert_true(journal_find(journal, CALL_DMA_BUF, 0) <
			    journal_find(journal, CALL_DMA_MAP, 0));
		assert_true(journal_find(journal, CALL_DMA_MAP, 0) <
			    journal_find(journal, CALL_ENABLE, 0));
		assert_int_equal(tap_open_dma_bufs(&vm->devices[0].tap), exports(vm) ? 1 : 0);
		vm_check(vm);
	}
	vm_stop(vm);
}

/* A host that maps for DMA with the memory is not asked to handle descriptors. */
static void dma1_no_export_without_dma_map(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_BUF), 0);
	vm_stop(vm);
}

/* One start in which the host cannot map, by address or as dma-buf. */
struct dma_case {
	bool export, require, ats;
	int code; /* of dma_map */
	int ret;  /* of the first system reset */
	bool warned;
};

static void start_without_dma(const struct variant *variant, const struct dma_case *c)
{
	struct vm *vm = vm_create(variant, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;

	vm->devices[0].below.fake->dma_buf_error = c->export ? 0 : -ENOTTY;
	add_ats(vm->devices[0].below.fake, c->ats);
	vm->devices[0].config.require_dma = c->require;
	recorder->may_lack_dma = true;
	faults_arm_call(&vm->board.faults, CALL_DMA_MAP, c->code);
	ret = vm_start(vm, &err);
	if (ret != c->ret)
		fail_msg("dma_map %d, export %d, require %d, ATS %d: %d (%s)", c->code, c->export,
			 c->require, c->ats, ret, err.message);
	assert_int_equal(warnings(vm), c->warned ? 1 : 0);
	assert_int_equal(tap_open_dma_bufs(&vm->devices[0].tap), 0);
	/* DMA-8 */
	if (c->code == -EFAULT && !c->export) {
		const char *text = ret ? err.message : warning(vm)->text;

		assert_non_null(strstr(text, "VFIO_DEVICE_FEATURE_DMA_BUF"));
		assert_non_null(strstr(text, "by address"));
	}
	if (c->warned) {
		assert_int_equal(warning(vm)->code, c->code);
		vm_check_running(vm);
		/* once in a life */
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		assert_int_equal(warnings(vm), 1);
		assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_UNMAP), 0);
	} else {
		assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
		assert_false(recorder->enabled);
		assert_true(err.hint[0]);
	}
	/* a host that can maps at the next reset */
	faults_disarm(&vm->board.faults);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_true(recorder->dma_mapped);
	vm_check_running(vm);
	vm_stop(vm);
}

static void dma2_dma8_a_host_that_cannot_map(void **state)
{
	static const struct dma_case cases[] = {
		/* "cannot": a warning, unless somebody needs it */
		{ .code = -EFAULT, .ret = 0, .warned = true },
		{ .code = -EOPNOTSUPP, .ret = 0, .warned = true },
		{ .code = -EFAULT, .export = true, .ret = 0, .warned = true },
		{ .code = -EFAULT, .ats = true, .ret = -EFAULT },
		{ .code = -EFAULT, .require = true, .ret = -EFAULT },
		{ .code = -EFAULT, .export = true, .ats = true, .ret = -EFAULT },
		/* everything else went wrong */
		{ .code = -ENOMEM, .ret = -ENOMEM },
		{ .code = -ENOSPC, .export = true, .ret = -ENOSPC },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		start_without_dma(*state, &cases[i]);
}

/* ATS: as the control register says now, not as it was at realize. */
static void dma2_ats_is_read_when_it_matters(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].recorder.may_lack_dma = true;
	add_ats(fake, false);
	faults_arm_call(&vm->board.faults, CALL_DMA_MAP, -EFAULT);
	assert_int_equal(vm_start(vm, NULL), 0);
	fake_put(fake->config + ATS + 6, 2, 0x8000);
	assert_int_equal(vm_system_reset(vm, &err), -EFAULT);
	assert_message_says(&err, "ATS");
	faults_disarm(&vm->board.faults);
	vm_stop(vm);
}

/* What a host answers that maps with the memory, by what the device and the option ask. */
static enum cxlvm_dma_state answer;

static enum cxlvm_dma_state host_answers(void *host)
{
	struct recorder *recorder = host;

	/* asked when there is something to tell */
	assert_true(recorder->enabled);
	return answer;
}

static void dma2_state_after_enable(void **state)
{
	static const struct {
		enum cxlvm_dma_state answer;
		bool absent, require, ats;
		int ret;
		bool warned;
	} cases[] = {
		{ CXLVM_DMA_MAPPED, false, true, true, 0, false },
		{ CXLVM_DMA_NOT_MAPPED, false, false, false, 0, true },
		{ CXLVM_DMA_NOT_MAPPED, false, false, true, -EADDRNOTAVAIL, false },
		{ CXLVM_DMA_NOT_MAPPED, false, true, false, -EADDRNOTAVAIL, false },
		{ CXLVM_DMA_UNKNOWN, false, false, true, 0, true },
		{ CXLVM_DMA_UNKNOWN, false, true, false, -EADDRNOTAVAIL, false },
		{ CXLVM_DMA_UNKNOWN, true, false, false, 0, true },
		{ CXLVM_DMA_UNKNOWN, true, true, false, -EADDRNOTAVAIL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = vm_create(*state, 1);
		struct recorder *recorder = &vm->devices[0].recorder;
		const struct bridge_model *bridge = board_bridge(&vm->board, VM_UID(0));
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret;

		add_ats(vm->devices[0].below.fake, cases[i].ats);
		vm->devices[0].config.require_dma = cases[i].require;
		answer = cases[i].answer;
		recorder->ops.dma_state = cases[i].absent ? NULL : host_answers;
		ret = vm_start(vm, &err);
		if (ret != cases[i].ret)
			fail_msg("case %zu: %d (%s)", i, ret, err.message);
		assert_int_equal(warnings(vm), cases[i].warned ? 1 : 0);
		if (ret) {
			/* undone: the map that was enabled is not any more, and nobody is committed */
			assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 1);
			assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), 1);
			assert_false(recorder->enabled);
			assert_false(recorder->dma_mapped);
			assert_int_equal(vm_hdm(vm, 0, 0x20) & 0xc00, 0x800);
			assert_int_equal(bridge->decoder.size, 0);
			assert_true(err.hint[0]);
			answer = CXLVM_DMA_MAPPED;
			recorder->ops.dma_state = host_answers;
		}
		if (!ret || !cases[i].absent) {
			assert_int_equal(vm_system_reset(vm, NULL), 0);
			vm_check_running(vm);
		}
		assert_int_equal(warnings(vm), cases[i].warned ? 1 : 0);
		vm_stop(vm);
	}
}

/* A host that maps when it is asked to has said all there is to say. */
static void dma2_a_host_with_dma_map_needs_no_state(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.require_dma = true;
	recorder->ops.dma_state = NULL;
	if (vm_start(vm, &err))
		fail_msg("start: %s", err.message);
	vm_check_running(vm);
	assert_int_equal(warnings(vm), 0);
	vm_stop(vm);
	/* what it says itself goes before */
	vm = vm_create(*state, 1);
	vm->devices[0].config.require_dma = true;
	vm->devices[0].recorder.ops.dma_state = host_answers;
	answer = CXLVM_DMA_NOT_MAPPED;
	assert_int_equal(vm_start(vm, NULL), -EADDRNOTAVAIL);
	assert_false(vm->devices[0].recorder.dma_mapped);
	vm_stop(vm);
}

/* The failure comes after a function-level reset: the decoder that it kept fails closed too. */
static void dma2_state_after_a_function_reset(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;

	vm->devices[0].config.require_dma = true;
	recorder->ops.dma_state = host_answers;
	answer = CXLVM_DMA_MAPPED;
	assert_int_equal(vm_start(vm, NULL), 0);
	answer = CXLVM_DMA_NOT_MAPPED;
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_FUNCTION, NULL), 0);
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_FUNCTION, 0, NULL), -EADDRNOTAVAIL);
	assert_false(recorder->enabled);
	answer = CXLVM_DMA_MAPPED;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Policy guest, host bridge first: the guest's commit is refused, and undone. */
static void dma2_guest_commit_that_is_not_mapped(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t size = FAKE_MEMORY_SIZE;

	vm->devices[0].config.require_dma = true;
	recorder->ops.dma_state = host_answers;
	answer = CXLVM_DMA_NOT_MAPPED;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_bridge_commit(vm, 0, VM_WINDOW(0), size) & 0x600, 0x600);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), size, 0) & 0xc00, 0x800);
	assert_false(recorder->enabled);
	assert_false(recorder->prepared);
	assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 1);
	assert_int_equal(warning(vm)->code, -EADDRNOTAVAIL);
	answer = CXLVM_DMA_MAPPED;
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), size, 0) & 0xc00, 0x400);
	vm_check_mapped(vm, 0, VM_WINDOW(0), size);
	vm_stop(vm);
}

/* Enabled by a register of another device, or by Mem_Enable: nobody is there to be refused. */
static void dma2_memory_that_is_enabled_later_and_not_mapped(void **state)
{
	for (unsigned int by_bridge = 0; by_bridge < 2; by_bridge++) {
		struct vm *vm = by_bridge ? vm_create_guest(*state, 1) : vm_create(*state, 1);
		struct recorder *recorder = &vm->devices[0].recorder;
		uint64_t size = FAKE_MEMORY_SIZE;

		vm->devices[0].config.require_dma = true;
		recorder->ops.dma_state = host_answers;
		answer = CXLVM_DMA_MAPPED;
		assert_int_equal(vm_start(vm, NULL), 0);
		if (by_bridge)
			assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), size, 0) & 0xc00, 0x400);
		else
			vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 2);
		assert_false(recorder->enabled);
		answer = CXLVM_DMA_NOT_MAPPED;
		if (by_bridge)
			vm_bridge_commit(vm, 0, VM_WINDOW(0), size);
		else
			vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 6);
		assert_false(recorder->enabled);
		assert_string_not_equal(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint),
					"");
		assert_int_equal(recorder_event(recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE)->code,
				 -EADDRNOTAVAIL);
		/* until the next reset */
		answer = CXLVM_DMA_MAPPED;
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		if (by_bridge) {
			assert_int_equal(vm_bridge_commit(vm, 0, VM_WINDOW(0), size) & 0x600,
					 0x600);
			assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), size, 0) & 0xc00, 0x400);
		}
		assert_true(recorder->enabled);
		vm_check(vm);
		vm_stop(vm);
	}
}

#define TEST_OWN(f, k) TEST_ON(f, OWN_FAKE_##k, "[own,fake " #k "]")
#define TEST_OWNS(f)                                                                     \
	TEST_OWN(f, 2), TEST_OWN(f, 2N), TEST_OWN(f, 3), TEST_OWN(f, 4), TEST_OWN(f, 5), \
		TEST_OWN(f, 6)
#define TEST_SIMS(f)                                                                        \
	TEST_ON(f, OWN_SIM_2, "[own,sim 2]"), TEST_ON(f, OWN_SIM_2N, "[own,sim 2N]"),       \
		TEST_ON(f, OWN_SIM_3, "[own,sim 3]"), TEST_ON(f, OWN_SIM_4, "[own,sim 4]"), \
		TEST_ON(f, OWN_SIM_5, "[own,sim 5]"), TEST_ON(f, OWN_SIM_6, "[own,sim 6]")

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_OWNS(dma1_as_dma_buf_where_the_kernel_exports_it),
		TEST_SIMS(dma1_as_dma_buf_where_the_kernel_exports_it),
		TEST_OWNS(dma1_refused_export_falls_back_to_addresses),
		TEST_OWN(dma1_failed_export_is_an_error, 5),
		TEST_OWN(dma1_one_area_without_export_means_none, 5),
		TEST_OWN(dma1_one_area_without_export_means_none, 6),
		TEST_OWNS(dma4_dma5_dma6_each_reset_exports_and_maps_again),
		TEST_SIMS(dma4_dma5_dma6_each_reset_exports_and_maps_again),
		TEST_ON(dma1_no_export_without_dma_map, QEMU_FAKE_5, "[qemu,fake 5]"),
		TEST_ON(dma1_no_export_without_dma_map, QEMU_SIM_6, "[qemu,sim 6]"),
		TEST_OWN(dma2_dma8_a_host_that_cannot_map, 5),
		TEST_OWN(dma2_dma8_a_host_that_cannot_map, 6),
		TEST_OWNS(dma2_ats_is_read_when_it_matters),
		TEST_ON(dma2_state_after_enable, QEMU_FAKE_2, "[qemu,fake 2]"),
		TEST_ON(dma2_state_after_enable, QEMU_FAKE_5, "[qemu,fake 5]"),
		TEST_OWNS(dma2_a_host_with_dma_map_needs_no_state),
		TEST_FAKE(dma2_state_after_a_function_reset),
		TEST_FAKE(dma2_guest_commit_that_is_not_mapped),
		TEST_FAKE(dma2_memory_that_is_enabled_later_and_not_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

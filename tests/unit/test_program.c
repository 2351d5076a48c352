/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The programming transaction (contract 6.3): the exact accesses to the kernel's decoder in
 * generation 2, none in generations 3 to 6, and what is left when one of them fails.
 */
#include <errno.h>

#include "test.h"
#include "vm.h"

/* One access to the register region: offsets and bytes typed by hand, window at 0x1_4000_0000. */
struct access {
	char way; /* 'R' or 'W' */
	uint64_t offset;
	const char *bytes;
};

/* Control is at CM + 0x100 + 0x20, base low at + 0x10, base high at + 0x14. */
static const struct access
	fresh[] = {
		{ 'R', 0x120, "00 06 00 00" }, /* committed, lock clear: as after a reset */
		{ 'R', 0x110, "00 00 00 00" }, { 'R', 0x114, "00 00 00 00" },
		{ 'W', 0x110, "00 00 00 40" }, { 'W', 0x114, "01 00 00 00" },
		{ 'W', 0x120, "00 03 00 00" }, /* lock and commit; read-only bits zero */
		{ 'R', 0x110, "00 00 00 40" }, { 'R', 0x114, "01 00 00 00" },
		{ 'R', 0x120, "00 07 00 00" },
	};

static const struct access kept[] = {
	{ 'R', 0x120, "00 07 00 00" },
	{ 'R', 0x110, "00 00 00 40" },
	{ 'R', 0x114, "01 00 00 00" },
};

static const struct access lock_found[] = {
	{ 'R', 0x120, "00 07 00 00" }, { 'R', 0x110, "00 00 00 60" }, { 'R', 0x114, "02 00 00 00" },
	{ 'W', 0x120, NULL }, /* lock clear: checked below */
	{ 'W', 0x110, "00 00 00 40" }, { 'W', 0x114, "01 00 00 00" }, { 'W', 0x120, "00 03 00 00" },
	{ 'R', 0x110, "00 00 00 40" }, { 'R', 0x114, "01 00 00 00" }, { 'R', 0x120, "00 07 00 00" },
};

/* The accesses to the register region end with these; before them there are only reads. */
static void check_accesses(const struct vm *vm, const struct access *want, size_t n)
{
	const struct journal *journal = &vm->board.journal;
	const struct journal_entry *got[256];
	size_t count = 0;

	for (size_t i = 0; i < journal->n; i++) {
		const struct journal_entry *entry = &journal->entries[i];

		if ((entry->call != CALL_READ && entry->call != CALL_WRITE) || entry->region != 9)
			continue;
		assert_int_equal(entry->length, 4);
		assert_int_equal(entry->offset % 4, 0);
		assert_true(count < ARRAY_SIZE(got));
		got[count++] = entry;
	}
	assert_true(count >= n);
	for (size_t i = 0; i < count - n; i++)
		assert_int_equal(got[i]->call, CALL_READ);
	for (size_t i = 0; i < n; i++) {
		const struct journal_entry *entry = got[count - n + i];
		uint8_t bytes[4];

		if (entry->call != (want[i].way == 'R' ? CALL_READ : CALL_WRITE) ||
		    entry->offset != want[i].offset)
			fail_msg("access %zu is %s 0x%llx, not %c 0x%llx", i,
				 call_name(entry->call), (unsigned long long)entry->offset,
				 want[i].way, (unsigned long long)want[i].offset);
		if (!want[i].bytes) {
			/* lock (bit 8) clear, commit kept, read-only bits zero */
			assert_int_equal(fake_get(entry->data, 4) & 0xd00, 0);
			continue;
		}
		fake_hex(bytes, sizeof(bytes), want[i].bytes);
		assert_memory_equal(entry->data, bytes, 4);
	}
}

/* Up to the point where the transaction begins: device reset, verbs outstanding. */
static struct vm *held(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	if (vm_realize(vm, 0, &err))
		fail_msg("realize: %s", err.message);
	if (vm->variant->personality == PERSONALITY_OWN)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_machine_done(vm, 0, NULL), 0);
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	fake_reset(vm->devices[0].below.fake);
	journal_clear(&vm->board.journal);
	return vm;
}

static int done(struct vm *vm, struct cxlvm_error *err)
{
	return vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, 0, err);
}

static void prg_generation_2_accesses_after_reset(void **state)
{
	struct vm *vm = held(state);

	assert_int_equal(done(vm, NULL), 0);
	check_accesses(vm, fresh, ARRAY_SIZE(fresh));
	vm_check_running(vm);
	vm_stop(vm);
}

/* 2n keeps the base over a reset: compare first, write only if different (RST-5). */
static void rst5_generation_2n_is_not_written_again(void **state)
{
	struct vm *vm = held(state);

	assert_int_equal(done(vm, NULL), 0);
	journal_clear(&vm->board.journal);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	check_accesses(vm, kept, ARRAY_SIZE(kept));
	vm_check_running(vm);
	vm_stop(vm);
}

/* The first 2n kernels kept the base but not commit and lock: written again, like 2. */
static void rst5_generation_2n_that_keeps_the_base_only(void **state)
{
	struct vm *vm = held(state);

	vm->devices[0].below.fake->keeps_base = true;
	assert_int_equal(done(vm, NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		journal_clear(&vm->board.journal);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		assert_true(journal_count(&vm->board.journal, CALL_WRITE) >= 3);
		vm_check_running(vm);
	}
	vm_stop(vm);
}

/* RST-5: a kernel that forgets the base is written after each reset. */
static void rst5_generation_2_is_written_after_each_reset(void **state)
{
	struct vm *vm = held(state);

	assert_int_equal(done(vm, NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		journal_clear(&vm->board.journal);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		check_accesses(vm, fresh, ARRAY_SIZE(fresh));
	}
	vm_stop(vm);
}

static struct vm *locked_elsewhere(void **state)
{
	struct vm *vm = held(state);
	struct fake *fake = vm->devices[0].below.fake;

	fake_set_kernel(fake, 0x10, 0x60000000);
	fake_set_kernel(fake, 0x14, 2);
	fake_set_kernel(fake, 0x20, 0x700);
	return vm;
}

static void prg_lock_found_is_cleared_with_a_warning(void **state)
{
	struct vm *vm = locked_elsewhere(state);
	const struct cxlvm_trace *trace = NULL;

	cxlvm_machine_trace(vm->machine, "cxl_lock_found", true);
	assert_int_equal(done(vm, NULL), 0);
	check_accesses(vm, lock_found, ARRAY_SIZE(lock_found));
	assert_int_equal(
		recorder_trace_count(&vm->devices[0].recorder, CXLVM_TRACE_LOCK_FOUND, &trace), 1);
	assert_int_equal(trace->args[0], 0x700);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Generations 3 to 6: no write to the register region, ever. */
static void p1_w2_w11_generations_3_to_6_are_never_written(void **state)
{
	struct vm *vm = held(state);

	assert_int_equal(done(vm, NULL), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_write(vm, 0, FAKE_HDM_OFFSET + 0x10, 4, 0);
	vm_write(vm, 0, FAKE_HDM_OFFSET + 0x20, 4, 0);
	for (size_t i = 0; i < vm->board.journal.n; i++)
		assert_false(vm->board.journal.entries[i].call == CALL_WRITE &&
			     vm->board.journal.entries[i].region ==
				     vm->devices[0].below.fake->registers_region);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Where in the list of counted calls the accesses to the register region are. */
static unsigned int register_accesses(struct vm *vm, unsigned int *calls, unsigned int max)
{
	unsigned int counted = 0, n = 0;

	faults_arm(&vm->board.faults, 0, FAULT_BEFORE, 0);
	assert_int_equal(done(vm, NULL), 0);
	faults_disarm(&vm->board.faults);
	for (size_t i = 0; i < vm->board.journal.n; i++) {
		const struct journal_entry *entry = &vm->board.journal.entries[i];

		switch (entry->call) {
		case CALL_READ:
		case CALL_WRITE:
			counted++;
			if (entry->region == 9 && n < max)
				calls[n++] = counted;
			break;
		case CALL_INFO:
		case CALL_REGION_INFO:
		case CALL_MAP:
		case CALL_DMA_BUF:
		case CALL_USABLE:
		case CALL_PREPARE:
		case CALL_DMA_MAP:
		case CALL_BRIDGE:
		case CALL_DEVICE_RESET:
			counted++;
			break;
		default:
			break;
		}
	}
	assert_int_equal(counted, vm->board.faults.calls);
	return n;
}

/*
 * Each access fails in turn, before or after it had its effect: the kernel's decoder is as before
 * (base, control; lock only if it was set), nothing is mapped, the error bit is set (vm.c asserts
 * it), the error is the device's. The next reset then works.
 */
static void fail_each(void **state, struct vm *(*make)(void **), enum fault_when when)
{
	unsigned int calls[64], n, failed = 0;
	struct vm *vm = make(state);

	n = register_accesses(vm, calls, ARRAY_SIZE(calls));
	assert_true(n >= 9);
	vm_stop(vm);
	for (unsigned int i = 0; i < n; i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		uint32_t low, high, control;
		struct fake *fake;

		vm = make(state);
		fake = vm->devices[0].below.fake;
		low = fake_kernel(fake, 0x10);
		high = fake_kernel(fake, 0x14);
		control = fake_kernel(fake, 0x20);
		faults_arm(&vm->board.faults, calls[i], when, -EXFULL);
		assert_int_equal(done(vm, &err), -EXFULL);
		faults_disarm(&vm->board.faults);
		failed++;
		assert_int_equal(vm->board.faults.hits, 1);
		if (fake_kernel(fake, 0x10) != low || fake_kernel(fake, 0x14) != high ||
		    fake_kernel(fake, 0x20) != control)
			fail_msg("access %u of %u failed: kernel has 0x%x 0x%x 0x%x", i + 1, n,
				 fake_kernel(fake, 0x10), fake_kernel(fake, 0x14),
				 fake_kernel(fake, 0x20));
		assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
		assert_int_equal(vm->board.bridges[0].published, 0);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		vm_check_running(vm);
		vm_stop(vm);
	}
	print_message("# %u kernel accesses failed in turn\n", failed);
}

static void p4_w3_each_kernel_access_fails_before_its_effect(void **state)
{
	fail_each(state, held, FAULT_BEFORE);
}

static void p4_each_kernel_access_fails_after_its_effect(void **state)
{
	fail_each(state, held, FAULT_AFTER);
}

static void p4_each_kernel_access_fails_with_a_lock_found(void **state)
{
	fail_each(state, locked_elsewhere, FAULT_BEFORE);
}

/* Restoring fails too: the device is unusable, nothing is mapped, and it says so. */
static void p4_device_that_stays_broken_is_unusable(void **state)
{
	unsigned int calls[64], n;
	struct vm *vm = held(state);

	n = register_accesses(vm, calls, ARRAY_SIZE(calls));
	vm_stop(vm);
	for (unsigned int i = 0; i < n; i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		vm = held(state);
		vm->lenient = true; /* the kernel's decoder cannot be restored */
		faults_arm(&vm->board.faults, calls[i], FAULT_BEFORE, -EXFULL);
		vm->board.faults.persistent = true;
		assert_int_equal(done(vm, &err), -EXFULL);
		faults_disarm(&vm->board.faults);
		assert_false(vm->devices[0].recorder.enabled);
		assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
		assert_string_not_equal(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint),
					"");
		/* Mem_Enable off and on does not bring it back */
		vm_config_write(vm, 0, FAKE_DVSEC + 0xc, 2, 2);
		vm_config_write(vm, 0, FAKE_DVSEC + 0xc, 2, 6);
		assert_false(vm->devices[0].recorder.enabled);
		/* but a reset does */
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* CHK-8: read-back differs. */
static void chk8_kernel_that_drops_writes_is_found_out(void **state)
{
	struct vm *vm = held(state);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].below.fake->drops_writes = true;
	assert_int_equal(done(vm, &err), -EPROTO);
	assert_message_says(&err, "accel0");
	assert_false(vm->devices[0].recorder.enabled);
	assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
	vm->devices[0].below.fake->drops_writes = false;
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* One register after the other is not taken: each is compared, and the others are put back. */
static void chk8_w10_each_register_is_read_back(void **state)
{
	static const unsigned int registers[] = { 0x10, 0x14, 0x20 };

	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		struct vm *vm = held(state);
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		vm->devices[0].below.fake->drops_at = registers[i];
		assert_int_equal(done(vm, &err), -EPROTO);
		vm->devices[0].below.fake->drops_at = 0;
		assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* A decoder that is locked elsewhere is not "as wanted" because one half of its base is right. */
static void rst5_both_halves_of_the_base_count(void **state)
{
	static const uint32_t bases[][2] = { { 0x40000000, 0x00000002 },
					     { 0x50000000, 0x00000001 } };

	for (size_t i = 0; i < ARRAY_SIZE(bases); i++) {
		struct vm *vm = held(state);
		struct fake *fake = vm->devices[0].below.fake;

		fake_set_kernel(fake, 0x10, bases[i][0]);
		fake_set_kernel(fake, 0x14, bases[i][1]);
		fake_set_kernel(fake, 0x20, 0x700);
		assert_int_equal(done(vm, NULL), 0);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* 6.3 step 2: what the real decoder is now decides, not what it was. */
static void prg_real_decoder_is_checked_each_time(void **state)
{
	static const struct {
		unsigned int offset;
		uint32_t value;
		int code;
	} cases[] = {
		{ 0x20, 0x300, -ENXIO },       /* not committed */
		{ 0x20, 0xf00, 0 },            /* error */
		{ 0x18, 0x20000000, -EPROTO }, /* size changed */
		{ 0x1c, 0x00000001, -EPROTO },
		{ 0x18, 0x00000000, -EPROTO },
		{ 0x20, 0x2700, 0 }, /* now back-invalidate */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = held(state);
		struct fake *fake = vm->devices[0].below.fake;
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret;

		fake_set_hardware(fake, cases[i].offset, cases[i].value);
		fake_sample(fake);
		ret = done(vm, &err);
		if (!ret || (cases[i].code && ret != cases[i].code))
			fail_msg("case %zu: %d %s", i, ret, err.message);
		assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
		assert_int_equal(vm->board.bridges[0].published, 0);
		vm_stop(vm);
	}
}

/* DMA-5 and 6.3: map, prepare, program, DMA, publish bridge, enable; nothing mapped twice. */
static void map4_dma5_prg_order_of_the_transaction(void **state)
{
	struct vm *vm = held(state);
	const struct journal *journal = &vm->board.journal;
	long map, prepare, write, dma, enable;

	assert_int_equal(done(vm, NULL), 0);
	map = journal_find(journal, CALL_MAP, 0);
	prepare = journal_find(journal, CALL_PREPARE, 0);
	enable = journal_find(journal, CALL_ENABLE, 0);
	assert_true(map >= 0 && prepare > map && enable > prepare);
	assert_int_equal(journal_count(journal, CALL_ENABLE), 1);
	assert_int_equal(journal_count(journal, CALL_BRIDGE), 1);
	if (vm->variant->personality == PERSONALITY_OWN) {
		dma = journal_find(journal, CALL_DMA_MAP, 0);
		assert_true(dma > prepare && dma < enable);
	}
	if (vm->variant->generation == 2) {
		for (size_t i = 0; i < journal->n; i++)
			if (journal->entries[i].call == CALL_WRITE &&
			    journal->entries[i].region == 9)
				assert_true((long)i < enable);
		write = journal_find(journal, CALL_WRITE, 0);
		assert_true(write > 0);
	}
	journal_clear(&vm->board.journal);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(journal_count(journal, CALL_PREPARE), 0); /* once per map */
	assert_int_equal(journal_count(journal, CALL_MAP), 0);
	vm_stop(vm);
}

/* DMA-3: the device's own memory is always mapped for DMA; never skipped for whose it is. */
static void dma3_dma4_w32_dma_never_skips_by_ownership(void **state)
{
	struct vm *vm = held(state);
	const struct journal_entry *entry;
	long at;

	assert_int_equal(done(vm, NULL), 0);
	for (unsigned int i = 0; i < 3; i++) {
		/* the recorder fails an enable without it; here is the positive side */
		assert_true(vm->devices[0].recorder.dma_mapped);
		at = journal_find(&vm->board.journal, CALL_DMA_MAP, 0);
		assert_true(at >= 0);
		entry = &vm->board.journal.entries[at];
		assert_int_equal(entry->offset, VM_WINDOW(0));
		assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_UNMAP), i ? 1 : 0);
		journal_clear(&vm->board.journal);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
	}
	vm_unrealize(vm, 0);
	assert_false(vm->devices[0].recorder.dma_mapped);
	vm_stop(vm);
}

/* The counters tell management how often it went right and wrong. */
static void counters_of_programming(void **state)
{
	struct cxlvm_endpoint_counters counters;
	struct vm *vm = held(state);

	assert_int_equal(done(vm, NULL), 0);
	faults_arm(&vm->board.faults, 6, FAULT_BEFORE, -EIO);
	assert_true(vm_system_reset(vm, NULL) < 0);
	faults_disarm(&vm->board.faults);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &counters, sizeof(counters));
	assert_int_equal(counters.programmed, 2);
	assert_int_equal(counters.program_failures, 1);
	vm_stop(vm);
}

/* The host had switched it off: a programming that fails does not leave it on. */
static void p4_memory_space_is_put_back_on_failure(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	const uint8_t *command = vm->devices[0].below.fake->config + 4;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(vm_start(vm, NULL), 0);
	faults_arm_call(&vm->board.faults, CALL_BRIDGE, -EIO);
	assert_int_equal(vm_system_reset_way(vm, VM_RESET_MEMORY_SPACE_OFF, &err), -EIO);
	faults_disarm(&vm->board.faults);
	assert_int_equal(fake_get(command, 2) & 2, 0);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	assert_int_equal(fake_get(command, 2) & 2, 2);
	vm_stop(vm);
}

/* What a host answers that finds out only as it enables. */
static int enable_result;

static int host_enabled(void *host, struct cxlvm_error *err)
{
	const struct recorder *recorder = host;

	assert_true(recorder->enabled);
	if (enable_result) {
		cxlvm_error_set(err, enable_result, "no slot");
		cxlvm_error_hint(err, "make room");
	}
	return enable_result;
}

/* The host undoes nothing itself: disable follows. Nothing is committed, the error bit is set. */
static void check_refused(struct vm *vm, unsigned int disabled)
{
	const struct recorder *recorder = &vm->devices[0].recorder;

	assert_false(recorder->enabled);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_int_equal(vm_hdm(vm, 0, 0x20) & 0xc00, 0x800);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DISABLE), disabled);
}

/* Contract 6.3: an error at the start; later an event, and the next reset tries again. */
static void p4_map4_a_host_that_does_not_enable(void **state)
{
	static const enum cxlvm_reset_kind kinds[] = {
		CXLVM_RESET_SYSTEM,
		CXLVM_RESET_FUNCTION,
		CXLVM_RESET_CXL,
		CXLVM_RESET_BUS,
	};
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	recorder->ops.enabled = host_enabled;
	enable_result = -ENOMEM;
	assert_int_equal(vm_start(vm, &err), -ENOMEM);
	assert_non_null(strstr(err.message, "no slot"));
	assert_string_equal(err.hint, "make room");
	check_refused(vm, 1);
	vm_stop(vm);

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		vm = vm_create(*state, 1);
		recorder = &vm->devices[0].recorder;
		recorder->ops.enabled = host_enabled;
		enable_result = 0;
		assert_int_equal(vm_start(vm, NULL), 0);
		enable_result = -ENOMEM;
		if (kinds[i] == CXLVM_RESET_SYSTEM) {
			assert_int_equal(vm_system_reset(vm, NULL), -ENOMEM);
		} else {
			assert_int_equal(vm_reset_prepare(vm, 0, kinds[i], NULL), 0);
			assert_int_equal(vm_reset_done(vm, 0, kinds[i], 0, NULL), -ENOMEM);
		}
		check_refused(vm, 2);
		assert_int_equal(recorder_event(recorder, CXLVM_EVENT_RESET_FAILED)->code, -ENOMEM);
		enable_result = 0;
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		vm_check_running(vm);
		vm_stop(vm);
	}
}

/* Mem_Enable cannot fail: an event, and the memory stays away until the next reset. */
static void p3_map4_a_host_that_does_not_enable_for_a_register(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;

	recorder->ops.enabled = host_enabled;
	enable_result = 0;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 2);
	enable_result = -ENOMEM;
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 6);
	assert_false(recorder->enabled);
	assert_int_equal(recorder_event(recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE)->code, -ENOMEM);
	assert_non_null(strstr(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint), "no slot"));
	enable_result = 0;
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 6);
	assert_false(recorder->enabled);
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

/* Policy guest: the commit is refused, and the next one is not. */
static void p4_map4_a_host_that_does_not_enable_for_a_commit(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	uint64_t size = FAKE_MEMORY_SIZE;

	recorder->ops.enabled = host_enabled;
	enable_result = -ENOMEM;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(vm_bridge_commit(vm, 0, VM_WINDOW(0), size) & 0x600, 0x600);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), size, 0) & 0xc00, 0x800);
	assert_false(recorder->enabled);
	assert_false(recorder->prepared);
	enable_result = 0;
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), size, 0) & 0xc00, 0x400);
	vm_check_mapped(vm, 0, VM_WINDOW(0), size);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE_2(prg_generation_2_accesses_after_reset),
		TEST_FAKE_ON(prg_generation_2_accesses_after_reset, 2N),
		TEST_FAKE_ON(rst5_generation_2n_is_not_written_again, 2N),
		TEST_FAKE_ON(rst5_generation_2n_that_keeps_the_base_only, 2N),
		TEST_FAKE_2(rst5_generation_2_is_written_after_each_reset),
		TEST_FAKE_2(prg_lock_found_is_cleared_with_a_warning),
		TEST_FAKE_ON(p1_w2_w11_generations_3_to_6_are_never_written, 3),
		TEST_FAKE_ON(p1_w2_w11_generations_3_to_6_are_never_written, 4),
		TEST_FAKE_ON(p1_w2_w11_generations_3_to_6_are_never_written, 5),
		TEST_FAKE_ON(p1_w2_w11_generations_3_to_6_are_never_written, 6),
		TEST_FAKE_2(p4_w3_each_kernel_access_fails_before_its_effect),
		TEST_FAKE_2(p4_each_kernel_access_fails_after_its_effect),
		TEST_FAKE_2(p4_each_kernel_access_fails_with_a_lock_found),
		TEST_FAKE_2(p4_device_that_stays_broken_is_unusable),
		TEST_FAKE_2(chk8_kernel_that_drops_writes_is_found_out),
		TEST_FAKE_2(chk8_w10_each_register_is_read_back),
		TEST_FAKE_2(rst5_both_halves_of_the_base_count),
		TEST_FAKE(prg_real_decoder_is_checked_each_time),
		TEST_FAKE(map4_dma5_prg_order_of_the_transaction),
		TEST_ON(dma3_dma4_w32_dma_never_skips_by_ownership, OWN_FAKE_2, "[own,fake 2]"),
		TEST_ON(dma3_dma4_w32_dma_never_skips_by_ownership, OWN_FAKE_5, "[own,fake 5]"),
		TEST_FAKE(counters_of_programming),
		TEST_FAKE(p4_memory_space_is_put_back_on_failure),
		TEST_FAKE(p4_map4_a_host_that_does_not_enable),
		TEST_FAKE(p3_map4_a_host_that_does_not_enable_for_a_register),
		TEST_FAKE(p4_map4_a_host_that_does_not_enable_for_a_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

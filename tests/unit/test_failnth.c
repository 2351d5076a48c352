/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every device, DMA and host call of realize, freeze, machine done, the first and a later reset, of
 * each other kind of reset and of a guest's commit fails once, in turn, before or after it had its
 * effect. vm.c compares a full snapshot around each verb that fails (DESIGN rule 4) and wants one
 * error with message and hint; here the machine then goes on, and ends like one that saw no
 * failure. Allocations fail in test_alloc.c.
 */
#include <errno.h>

#include "test.h"
#include "vm.h"

#define DEVICES 2

enum stage { START, LATER_RESET, DARK_START };

struct tally {
	unsigned int points, refused, tolerated;
};

/* Everything as after an undisturbed start. */
static void check_equal_to_undisturbed(struct vm *vm, const struct vm_snapshot *good)
{
	struct vm_snapshot now;

	vm_snapshot(vm, &now);
	vm_snapshot_assert_equal(good, &now, true);
	vm_check_running(vm);
}

/* DARK_START: Memory Space of the real devices is off; who fails has to turn it off again. */
static struct vm *make(const struct variant *variant, enum stage stage)
{
	struct vm *vm = vm_create(variant, DEVICES);

	vm->only_faults = true;
	if (stage == DARK_START)
		for (unsigned int i = 0; i < DEVICES; i++)
			vm->devices[i].below.fake->config[4] = 0;
	return vm;
}

/* Write-back before a reset is wanted, not needed: its failure is a warning with that code. */
static bool warned(const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n; i++) {
		const struct recorded_event *event =
			recorder_event(&vm->devices[i].recorder, CXLVM_EVENT_WARNING);

		if (event && event->code == -EXFULL)
			return true;
	}
	return false;
}

/* One run with call number n failing. False when there is no such call. */
static bool one(const struct variant *variant, enum stage stage, unsigned int n,
		enum fault_when when, const struct vm_snapshot *good, struct tally *tally)
{
	struct vm *vm = make(variant, stage);
	struct faults *faults = &vm->board.faults;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	bool fired;
	int ret;

	if (stage == LATER_RESET)
		assert_int_equal(vm_start(vm, NULL), 0);
	faults_arm(faults, n, when, -EXFULL);
	ret = stage != LATER_RESET ? vm_start(vm, &err) : vm_system_reset(vm, &err);
	faults_disarm(faults);
	fired = faults->fired;
	if (fired) {
		tally->points++;
		if (ret) {
			/* the error is the one that was given, not another one made of it */
			if (ret != -EXFULL)
				fail_msg("call %u (%s) gave -EXFULL, the verb %d: %s", n,
					 call_name(faults->hit), ret, err.message);
			tally->refused++;
		} else {
			/* a failure that is no failure: only where the call is optional, or told */
			if (!warned(vm) &&
			    (faults->hit == CALL_WRITE || faults->hit == CALL_MAP ||
			     faults->hit == CALL_PREPARE || faults->hit == CALL_DMA_MAP ||
			     faults->hit == CALL_BRIDGE || faults->hit == CALL_INFO))
				fail_msg("call %u (%s) failed and nobody cared", n,
					 call_name(faults->hit));
			tally->tolerated++;
		}
		/* go on: what failed is done again */
		if (ret && stage != LATER_RESET)
			assert_int_equal(vm_start(vm, &err), 0);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		check_equal_to_undisturbed(vm, good);
	} else {
		assert_int_equal(ret, 0);
	}
	vm_stop(vm);
	return fired;
}

/* The same, and the host gives up at once: nothing may be left (vm_stop asserts it). */
static bool one_then_stop(const struct variant *variant, enum stage stage, unsigned int n,
			  enum fault_when when)
{
	struct vm *vm = make(variant, stage);
	bool fired;

	if (stage == LATER_RESET)
		assert_int_equal(vm_start(vm, NULL), 0);
	faults_arm(&vm->board.faults, n, when, -EXFULL);
	if (stage != LATER_RESET)
		vm_start(vm, NULL);
	else
		vm_system_reset(vm, NULL);
	fired = vm->board.faults.fired;
	vm_stop(vm);
	return fired;
}

static void fail_all(void **state, enum stage stage, const char *what)
{
	const struct variant *variant = *state;
	struct tally tally = { 0 };
	struct vm_snapshot good;
	struct vm *vm = vm_create(variant, DEVICES);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (vm_start(vm, &err))
		fail_msg("start: %s", err.message);
	vm_snapshot(vm, &good);
	vm_stop(vm);
	for (enum fault_when when = FAULT_BEFORE; when <= FAULT_AFTER; when++) {
		for (unsigned int n = 1; one(variant, stage, n, when, &good, &tally); n++)
			one_then_stop(variant, stage, n, when);
	}
	print_message("# %s, %s: %u points tried, %u refused, %u tolerated\n", variant->name, what,
		      tally.points, tally.refused, tally.tolerated);
	/* at the very least: info, two regions, registers, config; map, prepare, bridge */
	assert_true(tally.points >= (stage != LATER_RESET ? 2 * 2 * 12 : 2 * 2 * 2));
	assert_true(tally.refused >= (stage != LATER_RESET ? 2 * 2 * 8 : 2 * 2 * 2));
}

static void p4_life1_every_call_of_start_fails_in_turn(void **state)
{
	fail_all(state, START, "realize to first reset");
}

static void p4_memory_space_is_put_back(void **state)
{
	fail_all(state, DARK_START, "start with Memory Space off");
}

static void p4_every_call_of_a_later_reset_fails_in_turn(void **state)
{
	fail_all(state, LATER_RESET, "later reset");
}

/*
 * Decoder policy guest: each call of a commit. All or nothing here means the error bit and otherwise
 * the state before; the next commit then ends as if nothing had been.
 */
static bool one_of_a_commit(const struct variant *variant, unsigned int n, enum fault_when when,
			    const struct vm_snapshot *good, struct tally *tally)
{
	struct vm *vm = vm_create_guest(variant, 1);
	struct vm_snapshot before, after;
	uint32_t control;
	bool fired;

	vm->only_faults = true;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE);
	vm_hdm_write(vm, 0, 0x10, (uint32_t)VM_WINDOW(0));
	vm_hdm_write(vm, 0, 0x14, (uint32_t)(VM_WINDOW(0) >> 32));
	vm_hdm_write(vm, 0, 0x18, FAKE_MEMORY_SIZE);
	vm_snapshot(vm, &before);
	faults_arm(&vm->board.faults, n, when, -EXFULL);
	vm_hdm_write(vm, 0, 0x20, 0x200);
	faults_disarm(&vm->board.faults);
	fired = vm->board.faults.fired;
	control = vm_hdm(vm, 0, 0x20);
	tally->points += fired;
	if (fired && control == 0xa00) {
		tally->refused++;
		before.devices[0].state.hdm[8] = 0xa00;
		vm_snapshot(vm, &after);
		vm_snapshot_assert_equal(&before, &after, true);
		assert_int_equal(
			recorder_event(&vm->devices[0].recorder, CXLVM_EVENT_WARNING)->code,
			-EXFULL);
		vm_hdm_write(vm, 0, 0x20, 0x200);
	} else {
		/* the optional question to the device: the decoder tells instead */
		assert_int_equal(control, 0x600);
		assert_true(!fired || vm->board.faults.hit == CALL_USABLE);
		tally->tolerated += fired;
	}
	vm_snapshot(vm, &after);
	vm_snapshot_assert_equal(good, &after, true);
	vm_check_mapped(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE);
	vm_stop(vm);
	return fired;
}

static void p4_every_call_of_a_guest_commit_fails_in_turn(void **state)
{
	const struct variant *variant = *state;
	struct vm *vm = vm_create_guest(variant, 1);
	struct tally tally = { 0 };
	struct vm_snapshot good;

	assert_int_equal(vm_start(vm, NULL), 0);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE);
	vm_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE, 0);
	vm_snapshot(vm, &good);
	vm_stop(vm);
	for (enum fault_when when = FAULT_BEFORE; when <= FAULT_AFTER; when++)
		for (unsigned int n = 1; one_of_a_commit(variant, n, when, &good, &tally); n++)
			;
	print_message("# %s, guest commit: %u points tried, %u refused, %u tolerated\n",
		      variant->name, tally.points, tally.refused, tally.tolerated);
	/* the least: command register, decoder of five dwords, map, prepare */
	assert_true(tally.refused >= 2 * 8);
}

/* Ways in which one device alone is reset, or loses and gets its memory; 0 where nobody says. */
static int by_verbs(struct vm *vm, enum cxlvm_reset_kind kind, struct cxlvm_error *err)
{
	struct test_device *below = &vm->devices[0].below;
	int ret = vm_reset_prepare(vm, 0, kind, err);

	if (ret)
		return ret;
	if (kind != CXLVM_RESET_LOW_POWER)
		below->reset(below->device);
	if (kind >= CXLVM_RESET_WAKEUP)
		board_reset_bridges(&vm->board);
	return vm_reset_done(vm, 0, kind, CXLVM_RESET_RESULT_UNKNOWN, err);
}

static int low_power(struct vm *vm, struct cxlvm_error *err)
{
	return by_verbs(vm, CXLVM_RESET_LOW_POWER, err);
}

static int function(struct vm *vm, struct cxlvm_error *err)
{
	return by_verbs(vm, CXLVM_RESET_FUNCTION, err);
}

static int cxl(struct vm *vm, struct cxlvm_error *err)
{
	return by_verbs(vm, CXLVM_RESET_CXL, err);
}

static int hot(struct vm *vm, struct cxlvm_error *err)
{
	return by_verbs(vm, CXLVM_RESET_HOT, err);
}

static int bus(struct vm *vm, struct cxlvm_error *err)
{
	return vm_bus_reset(vm, 0, err);
}

static int wakeup(struct vm *vm, struct cxlvm_error *err)
{
	return by_verbs(vm, CXLVM_RESET_WAKEUP, err);
}

/* The reset left Memory Space off: who fails has to leave it so. */
static int bus_with_memory_space_off(struct vm *vm, struct cxlvm_error *err)
{
	struct test_device *below = &vm->devices[0].below;
	uint8_t command[2];
	int ret = vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, err);

	if (ret)
		return ret;
	assert_int_equal(below->ops->read(below->device, 7, 4, command, 2), 0);
	command[0] &= 0xfd;
	assert_int_equal(below->ops->write(below->device, 7, 4, command, 2), 0);
	return vm_reset_done(vm, 0, CXLVM_RESET_BUS, CXLVM_RESET_RESULT_UNKNOWN, err);
}

/* By config writes, which cannot fail for the guest. */
static int function_by_write(struct vm *vm, struct cxlvm_error *err)
{
	(void)err;
	vm_function_reset(vm, 0, true);
	return 0;
}

static int cxl_by_write(struct vm *vm, struct cxlvm_error *err)
{
	(void)err;
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0x10, 2, 4);
	return 0;
}

static int mem_enable(struct vm *vm, struct cxlvm_error *err)
{
	(void)err;
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0x0c, 2, 2);
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0x0c, 2, 6);
	return 0;
}

/* Asked whether it is usable: who does not answer is not, until it answers again. */
static int recheck(struct vm *vm, struct cxlvm_error *err)
{
	(void)err;
	vm_recheck(vm, 0);
	vm_recheck(vm, 0);
	return 0;
}

static const struct way {
	const char *name;
	int (*run)(struct vm *vm, struct cxlvm_error *err);
	unsigned int least; /* calls that can fail */
} ways[] = {
	{ "low power", low_power, 4 },
	{ "function reset", function, 4 },
	{ "CXL reset", cxl, 4 },
	{ "hot reset", hot, 4 },
	{ "bus reset", bus, 4 },
	{ "bus reset that leaves Memory Space off", bus_with_memory_space_off, 5 },
	{ "wakeup", wakeup, 5 },
	{ "function reset by config write", function_by_write, 4 },
	{ "CXL reset by config write", cxl_by_write, 4 },
	{ "memory enable", mem_enable, 0 },
	{ "recheck", recheck, 1 },
};

static bool one_of_a_way(const struct variant *variant, const struct way *way, unsigned int n,
			 enum fault_when when, struct tally *tally)
{
	struct vm *vm = vm_create(variant, 1);
	struct recorder *recorder = &vm->devices[0].recorder;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm_snapshot good;
	bool fired;
	int ret;

	vm->only_faults = true;
	if (vm->devices[0].below.fake)
		fake_add_capabilities(vm->devices[0].below.fake);
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_snapshot(vm, &good);
	faults_arm(&vm->board.faults, n, when, -EXFULL);
	ret = way->run(vm, &err);
	faults_disarm(&vm->board.faults);
	fired = vm->board.faults.fired;
	tally->points += fired;
	tally->refused += fired && !recorder->enabled;
	tally->tolerated += fired && recorder->enabled;
	if (ret && ret != -EXFULL)
		fail_msg("%s: call %u (%s) gave -EXFULL, the verb %d: %s", way->name, n,
			 call_name(vm->board.faults.hit), ret, err.message);
	/* what is dark says why, to the host and to the guest */
	if (!recorder->enabled) {
		assert_true(fired);
		assert_true(recorder_event(recorder, CXLVM_EVENT_RESET_FAILED) ||
			    recorder_event(recorder, CXLVM_EVENT_MEMORY_UNAVAILABLE));
		assert_string_not_equal(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint),
					"");
	} else {
		assert_int_equal(ret, 0);
	}
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	check_equal_to_undisturbed(vm, &good);
	vm_stop(vm);
	return fired;
}

static void p4_every_call_of_each_kind_of_reset_fails_in_turn(void **state)
{
	const struct variant *variant = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct tally tally = { 0 };

		/* nobody can do it there: the error bit, whatever fails */
		if (variant->generation == 3 && ways[i].run == cxl_by_write)
			continue;
		for (enum fault_when when = FAULT_BEFORE; when <= FAULT_AFTER; when++)
			for (unsigned int n = 1; one_of_a_way(variant, &ways[i], n, when, &tally);
			     n++)
				;
		print_message("# %s, %s: %u points tried, %u dark, %u tolerated\n", variant->name,
			      ways[i].name, tally.points, tally.refused, tally.tolerated);
		assert_true(tally.points >= 2 * ways[i].least);
	}
}

/* Nothing that can fail is called any more. */
static void life1_unrealize_makes_no_call_that_can_fail(void **state)
{
	struct vm *vm = vm_create(*state, DEVICES);

	assert_int_equal(vm_start(vm, NULL), 0);
	faults_arm(&vm->board.faults, 0, FAULT_BEFORE, 0);
	for (unsigned int i = 0; i < DEVICES; i++) {
		vm_unrealize(vm, i);
		vm_free(vm, i);
	}
	assert_int_equal(vm->board.faults.calls, 0);
	faults_disarm(&vm->board.faults);
	vm_stop(vm);
}

/* From the n-th call on everything fails: no verb may leave more than it found, nothing leaks. */
static void life1_device_dies_at_any_point(void **state)
{
	const struct variant *variant = *state;
	unsigned int points = 0;

	for (unsigned int n = 1;; n++) {
		struct vm *vm = vm_create(variant, DEVICES);
		bool fired;

		vm->lenient = true;
		faults_arm(&vm->board.faults, n, FAULT_BEFORE, -ENODEV);
		vm->board.faults.persistent = true;
		vm_start(vm, NULL);
		fired = vm->board.faults.fired;
		if (fired) {
			points++;
			for (unsigned int i = 0; i < DEVICES; i++)
				if (vm->devices[i].endpoint && vm->devices[i].done)
					vm_recheck(vm, i);
			for (unsigned int i = 0; i < DEVICES; i++)
				assert_false(vm->devices[i].recorder.enabled &&
					     !vm->devices[i].done);
		}
		vm_stop(vm);
		if (!fired)
			break;
	}
	print_message("# %s: device died at %u points\n", variant->name, points);
	assert_true(points >= 24);
}

/* With sanitizers every point takes long: one generation of each kind. The plain build has all. */
#ifdef __SANITIZE_ADDRESS__
#define TEST_EACH(f) TEST_FAKE_2(f), TEST_FAKE_ON(f, 3), TEST_FAKE_5(f)
#define WHICH        "fakes of generations 2, 3 and 5 (all of them without sanitizers)"
#else
#define TEST_EACH(f) TEST_ALL(f)
#define WHICH        "all generations"
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_EACH(p4_life1_every_call_of_start_fails_in_turn),
		TEST_FAKE(p4_memory_space_is_put_back),
		TEST_EACH(p4_every_call_of_a_later_reset_fails_in_turn),
		TEST_EACH(p4_every_call_of_a_guest_commit_fails_in_turn),
		TEST_EACH(p4_every_call_of_each_kind_of_reset_fails_in_turn),
		TEST_ALL(life1_unrealize_makes_no_call_that_can_fail),
		TEST_EACH(life1_device_dies_at_any_point),
	};

	print_message("# " WHICH "\n");
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of machines for a while, in no order: three devices of each kernel with both hosts,
 * resets of every kind with failing calls, revoked and returned memory, unrealize and again. After
 * each verb everything holds that tests/doubles asserts (vm.h), and at the end neither descriptors
 * nor memory have become more.
 *
 *   soak [SECONDS]    SOAK_SEED: repeat a run
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <time.h>

#include "test.h"
#include "vm.h"

#define DEVICES  3u
#define VERBS    40u
#define LEAK_MAX ((size_t)256 << 10)

static uint64_t random_state;
static unsigned int seconds = 60;

static unsigned int pick(unsigned int n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(random_state >> 33) % n;
}

static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
					       CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
					       CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP };

/* One device's reset; now and then a call in it fails, and another reset has to mend that. */
static void reset_one(struct vm *vm, unsigned int i)
{
	enum cxlvm_reset_kind kind = kinds[pick(ARRAY_SIZE(kinds))];
	struct test_device *below = &vm->devices[i].below;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(vm_reset_prepare(vm, i, kind, NULL), 0);
	if (kind != CXLVM_RESET_LOW_POWER)
		assert_int_equal(below->reset(below->device), 0);
	if (kind == CXLVM_RESET_WAKEUP)
		board_reset_bridges(&vm->board);
	if (pick(4) == 0)
		faults_arm(&vm->board.faults, 1 + pick(12), FAULT_BEFORE, -EIO);
	(void)vm_reset_done(vm, i, kind, pick(8) ? 0 : CXLVM_RESET_RESULT_UNKNOWN, &err);
	faults_disarm(&vm->board.faults);
}

static void one_verb(struct vm *vm)
{
	unsigned int i = pick(DEVICES);

	switch (pick(6)) {
	case 0:
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		break;
	case 1:
		vm_config_write(vm, i, vm->devices[i].dvsec + 0xc, 2, pick(2) ? 0x7 : 0x3);
		break;
	case 2:
		vm_write(vm, i, vm->devices[i].hdm + 4 * pick(12), 4, pick(1u << 31));
		break;
	case 3:
		(void)vm_recheck(vm, i);
		break;
	default:
		reset_one(vm, i);
		break;
	}
	journal_clear(&vm->board.journal);
}

static void one_life(const struct variant *variant)
{
	struct vm *vm = vm_create(variant, DEVICES);

	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	for (unsigned int i = 0; i < VERBS; i++)
		one_verb(vm);
	/* whatever it was, a system reset brings everything back */
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

static unsigned int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(folder);
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static void life1_nothing_is_left_after_many_lives(void **state)
{
	time_t end = time(NULL) + seconds;
	unsigned long lives = 0;
	unsigned int descriptors;
	size_t used;

	(void)state;
	for (size_t i = 0; i < VARIANTS; i++)
		one_life(&variants[i]);
	descriptors = open_descriptors();
	used = mallinfo2().uordblks;
	for (; time(NULL) < end; lives++)
		one_life(&variants[pick(VARIANTS)]);
	print_message("%lu lives\n", lives);
	assert_int_equal(open_descriptors(), descriptors);
	assert_true(mallinfo2().uordblks <= used + LEAK_MAX);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(life1_nothing_is_left_after_many_lives),
	};
	const char *seed = getenv("SOAK_SEED");

	if (argc > 1)
		seconds = (unsigned int)strtoul(argv[1], NULL, 10);
	random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	print_message("SOAK_SEED=%llu\n", (unsigned long long)random_state);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

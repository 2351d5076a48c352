/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two threads reset one device under the lock of its host (RST-4): a reset that comes while the
 * other one programs, and programming while the other one is between prepare and done. Also for the
 * thread sanitizer.
 */
#include <pthread.h>
#include <semaphore.h>

#include "test.h"
#include "vm.h"

#define ROUNDS 60

struct second {
	struct vm *vm;
	sem_t go;   /* the other one is in the middle */
	sem_t done; /* a reset of this thread is over */
	unsigned int resets;
};

static struct second second;

/* As a vCPU whose access resets the device: each call waits for the lock. */
static void reset_once(struct vm *vm, enum cxlvm_reset_kind kind)
{
	struct test_device *below = &vm->devices[0].below;

	assert_int_equal(vm_reset_prepare(vm, 0, kind, NULL), 0);
	pthread_mutex_lock(&vm->board.lock);
	below->reset(below->device);
	pthread_mutex_unlock(&vm->board.lock);
	assert_int_equal(vm_reset_done(vm, 0, kind, 0, NULL), 0);
}

static void *reset_when_told(void *opaque)
{
	(void)opaque;
	for (unsigned int i = 0; i < 2 * ROUNDS; i++) {
		sem_wait(&second.go);
		reset_once(second.vm, CXLVM_RESET_FUNCTION);
		second.resets++;
		sem_post(&second.done);
	}
	return NULL;
}

/* In the middle of the transaction: the second thread comes, and has to wait for its end. */
static bool tell;

static void let_the_second_come(struct recorder *recorder)
{
	(void)recorder;
	if (tell)
		sem_post(&second.go);
	tell = false;
}

static void rst4_two_threads_reset_one_device(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct vm_snapshot first, last;
	pthread_t thread;

	second = (struct second){ .vm = vm };
	sem_init(&second.go, 0, 0);
	sem_init(&second.done, 0, 0);
	vm->devices[0].recorder.on_enable = let_the_second_come;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_snapshot(vm, &first);
	assert_int_equal(pthread_create(&thread, NULL, reset_when_told, NULL), 0);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct test_device *below = &vm->devices[0].below;

		journal_clear(&vm->board.journal);
		/* a reset during programming */
		tell = true;
		reset_once(vm, CXLVM_RESET_BUS);
		sem_wait(&second.done);
		vm_check_running(vm);
		/* programming during a reset: the inner one is over, and programs nothing */
		assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, NULL), 0);
		sem_post(&second.go);
		sem_wait(&second.done);
		assert_false(vm->devices[0].recorder.enabled);
		assert_false(cxlvm_endpoint_is_committed(vm->devices[0].endpoint));
		below->reset(below->device);
		assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_BUS, 0, NULL), 0);
		vm_check_running(vm);
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(second.resets, 2 * ROUNDS);
	vm_snapshot(vm, &last);
	vm_snapshot_assert_equal(&first, &last, true);
	sem_destroy(&second.go);
	sem_destroy(&second.done);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_ALL(rst4_two_threads_reset_one_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

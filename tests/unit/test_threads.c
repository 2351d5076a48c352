/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and getters at any time, on other threads, while verbs run: no torn control register, no
 * half of an old and half of a new base below a committed decoder. Also for the thread sanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test.h"
#include "vm.h"

#define RESETS 300

struct reader {
	struct vm_device *device;
	atomic_bool stop;
	atomic_ulong reads;
	unsigned long bad;
};

static void *read_all(void *opaque)
{
	struct reader *reader = opaque;
	struct cxlvm_endpoint *endpoint = reader->device->endpoint;
	uint64_t hdm = reader->device->hdm;
	uint32_t bar = reader->device->bar;

	while (!atomic_load(&reader->stop)) {
		uint64_t control = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x20, 4);
		uint64_t low = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x10, 4);
		uint64_t high = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x14, 4);
		struct cxlvm_endpoint_counters counters;
		struct cxlvm_gpa base;

		reader->bad += control != 0x700 && control != 0;
		reader->bad += low != 0x40000000 && low != 0;
		reader->bad += high != 1 && high != 0;
		reader->bad +=
			!cxlvm_endpoint_window_base(endpoint, &base) || base.value != VM_WINDOW(0);
		cxlvm_endpoint_is_committed(endpoint);
		cxlvm_endpoint_memory_mapped(endpoint);
		cxlvm_endpoint_get_counters(endpoint, &counters, sizeof(counters));
		reader->bad += cxlvm_endpoint_host_owns_address(endpoint, reader);
		cxlvm_endpoint_config_read(endpoint, reader->device->dvsec + 0xc, 2, 0);
		atomic_fetch_add(&reader->reads, 1);
	}
	return NULL;
}

static void reads_run_beside_resets(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct reader readers[2] = { 0 };
	pthread_t threads[2];

	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int i = 0; i < 2; i++) {
		readers[i].device = &vm->devices[0];
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	/* at least so many, and until both readers had their share */
	for (unsigned int i = 0; i < RESETS || atomic_load(&readers[0].reads) < RESETS ||
				 atomic_load(&readers[1].reads) < RESETS;
	     i++) {
		journal_clear(&vm->board.journal);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		sched_yield();
	}
	for (unsigned int i = 0; i < 2; i++) {
		atomic_store(&readers[i].stop, true);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(readers[i].bad, 0);
	vm_stop(vm);
}

static void *read_guest(void *opaque)
{
	struct reader *reader = opaque;
	struct cxlvm_endpoint *endpoint = reader->device->endpoint;
	uint64_t hdm = reader->device->hdm;
	uint32_t bar = reader->device->bar;

	while (!atomic_load(&reader->stop)) {
		uint64_t control = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x20, 4);
		uint64_t low = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x10, 4);

		reader->bad += control != 0 && control != 0x200 && control != 0x600;
		reader->bad += low != 0x40000000 && low != 0x50000000 && low != 0;
		cxlvm_endpoint_is_committed(endpoint);
		cxlvm_endpoint_memory_mapped(endpoint);
		reader->bad += cxlvm_endpoint_host_owns_address(endpoint, reader);
		cxlvm_endpoint_config_read(endpoint, reader->device->dvsec + 0x24, 4, 0);
		atomic_fetch_add(&reader->reads, 1);
	}
	return NULL;
}

/* Policy guest: the map itself comes and goes below the readers. */
static void reads_run_beside_commits(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);
	struct reader reader = { .device = &vm->devices[0] };
	pthread_t thread;

	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_guest, &reader), 0);
	for (unsigned int i = 0; i < RESETS || atomic_load(&reader.reads) < RESETS; i++) {
		bool room = vm_window_size(vm, 0) > FAKE_MEMORY_SIZE;
		uint64_t base = VM_WINDOW(0) + (room && (i & 1) ? FAKE_MEMORY_SIZE : 0);

		journal_clear(&vm->board.journal);
		vm_bridge_commit(vm, 0, base, FAKE_MEMORY_SIZE);
		vm_commit(vm, 0, base, FAKE_MEMORY_SIZE, 0);
		assert_true(vm->devices[0].recorder.enabled);
		vm_hdm_write(vm, 0, 0x20, 0);
		vm_bridge_write(vm, 0, 0x20, 0);
		sched_yield();
	}
	atomic_store(&reader.stop, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(reader.bad, 0);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* one kernel of each kind: register reads do not ask the kernel */
		TEST_FAKE_2(reads_run_beside_resets),     TEST_FAKE_ON(reads_run_beside_resets, 3),
		TEST_SIM_ON(reads_run_beside_resets, 5),  TEST_FAKE_2(reads_run_beside_commits),
		TEST_SIM_ON(reads_run_beside_commits, 5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

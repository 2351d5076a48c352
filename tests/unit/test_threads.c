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

/* Of each kind, and until both readers had as many passes. */
#define RESETS  30
#define READERS 2
#define COMMITS 300

static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
					       CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
					       CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP };

struct reader {
	struct vm_device *device;
	bool relayed; /* registers that the device answers, too */
	atomic_bool stop;
	atomic_ulong reads;
	unsigned long bad;
};

/* The journal is for one thread: readers go past it, and past what the tap asserts. */
static _Thread_local bool is_reader;
static int (*tap_read)(void *tap, uint32_t region, uint64_t offset, void *buf, size_t len);

static int read_past_tap(void *opaque, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	const struct tap *tap = opaque;

	if (is_reader)
		return tap->inner->read(tap->device, region, offset, buf, len);
	return tap_read(opaque, region, offset, buf, len);
}

static void read_decoder(struct reader *reader)
{
	struct cxlvm_endpoint *endpoint = reader->device->endpoint;
	uint64_t hdm = reader->device->hdm;
	uint32_t bar = reader->device->bar;
	uint64_t control = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x20, 4);
	uint64_t base = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x10, 8);
	uint64_t size = cxlvm_endpoint_reg_read(endpoint, bar, hdm + 0x18, 4);

	reader->bad += control != 0x700 && control != 0;
	reader->bad += (uint32_t)base != 0x40000000 && (uint32_t)base != 0;
	reader->bad += base >> 32 != 1 && base >> 32 != 0;
	reader->bad += size != FAKE_MEMORY_SIZE && size != 0;
}

/* Everything that is marked "any time". */
static void read_endpoint(struct reader *reader)
{
	struct cxlvm_endpoint *endpoint = reader->device->endpoint;
	struct cxlvm_endpoint_counters counters;
	struct cxlvm_bar_range span;
	struct cxlvm_gpa base;

	reader->bad += !cxlvm_endpoint_window_base(endpoint, &base) || base.value != VM_WINDOW(0);
	reader->bad += cxlvm_endpoint_memory_size(endpoint) != FAKE_MEMORY_SIZE;
	reader->bad += cxlvm_endpoint_spans(endpoint, &span, 1) != 1;
	reader->bad += !cxlvm_endpoint_firmware_committed(endpoint);
	reader->bad += !cxlvm_endpoint_generation(endpoint) || !cxlvm_endpoint_name(endpoint)[0];
	cxlvm_endpoint_restrictions(endpoint);
	cxlvm_endpoint_is_committed(endpoint);
	cxlvm_endpoint_memory_mapped(endpoint);
	cxlvm_endpoint_get_counters(endpoint, &counters, sizeof(counters));
	reader->bad += cxlvm_endpoint_host_owns_address(endpoint, reader);
	for (uint32_t at = 0; at < 0x3c; at += 4)
		cxlvm_endpoint_config_read(endpoint, reader->device->dvsec + at, 4, 0);
	/* the CM array in front of the HDM block: from the device */
	if (reader->relayed)
		cxlvm_endpoint_reg_read(endpoint, span.bar, span.offset, 4);
}

static void *read_all(void *opaque)
{
	struct reader *reader = opaque;

	is_reader = true;
	while (!atomic_load(&reader->stop)) {
		read_decoder(reader);
		read_endpoint(reader);
		atomic_fetch_add(&reader->reads, 1);
		sched_yield(); /* where processors are few, the resets are who is waited for */
	}
	return NULL;
}

static bool had_their_share(struct reader *readers)
{
	for (unsigned int i = 0; i < READERS; i++)
		if (atomic_load(&readers[i].reads) < RESETS)
			return false;
	return true;
}

/* The order a host calls things for one device's reset. */
static void reset_device(struct vm *vm, enum cxlvm_reset_kind kind)
{
	struct test_device *below = &vm->devices[0].below;

	assert_int_equal(vm_reset_prepare(vm, 0, kind, NULL), 0);
	if (kind != CXLVM_RESET_LOW_POWER)
		assert_int_equal(below->reset(below->device), 0);
	if (kind == CXLVM_RESET_WAKEUP)
		board_reset_bridges(&vm->board);
	assert_int_equal(vm_reset_done(vm, 0, kind, 0, NULL), 0);
}

static void reads_run_beside_resets_of_every_kind(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct reader readers[READERS] = { 0 };
	pthread_t threads[READERS];

	tap_read = vm->devices[0].tap.ops.read;
	vm->devices[0].tap.ops.read = read_past_tap;
	assert_int_equal(vm_start(vm, NULL), 0);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].device = &vm->devices[0];
		/* the fake is for one thread */
		readers[i].relayed = vm->variant->sim;
		assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
	}
	for (unsigned int i = 0; i < RESETS || !had_their_share(readers); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			reset_device(vm, kinds[k]);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
		journal_clear(&vm->board.journal);
		sched_yield();
	}
	for (unsigned int i = 0; i < READERS; i++) {
		atomic_store(&readers[i].stop, true);
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	for (unsigned int i = 0; i < READERS; i++)
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
		sched_yield(); /* where processors are few, the resets are who is waited for */
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
	for (unsigned int i = 0; i < COMMITS || atomic_load(&reader.reads) < COMMITS; i++) {
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
		TEST_ALL(reads_run_beside_resets_of_every_kind),
		TEST_ALL(reads_run_beside_commits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

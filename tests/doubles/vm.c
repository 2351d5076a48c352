/* SPDX-License-Identifier: BSD-3-Clause */
#include "vm.h"

#include <errno.h>
#include <stdlib.h>

#include "test.h"

#define VARIANTS_OF(k, number, seen)                                                               \
	[OWN_FAKE_##k] = { "own, fake " #k, PERSONALITY_OWN, open_fake_##k, seen, number, false }, \
	[QEMU_FAKE_##                                                                              \
		k] = { "qemu, fake " #k, PERSONALITY_QEMU, open_fake_##k, seen, number, false },   \
	[OWN_SIM_##k] = { "own, sim " #k, PERSONALITY_OWN, open_sim_##k, seen, number, true },     \
	[QEMU_SIM_##k] = { "qemu, sim " #k, PERSONALITY_QEMU, open_sim_##k, seen, number, true },
const struct variant variants[VARIANTS] = { VM_KERNELS(VARIANTS_OF) };

/* Windows that the host has placed: larger than the memory, restrictions as QEMU has them. */
static void place_windows(struct vm *vm)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	for (unsigned int i = 0; i < vm->n; i++) {
		struct cxlvm_window window = {
			.has_base = true,
			.base = { VM_WINDOW(i) },
			.size = 2 * vm->window_memory,
			.restrictions = 0x0f,
			.n_targets = 1,
			.targets = { VM_UID(i) },
		};

		snprintf(window.name, sizeof(window.name), "fmw%u", i);
		assert_int_equal(cxlvm_machine_add_window(vm->machine, &window, &err), 0);
	}
}

static void furnish(struct vm *vm)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	assert_int_equal(cxlvm_machine_add_range(vm->machine, "RAM", (struct cxlvm_gpa){ 0 },
						 VM_RAM_SIZE, &err),
			 0);
	/* windows first: their targets are names until the end (qemu-adapter.md 7, point 1) */
	if (vm->variant->personality == PERSONALITY_QEMU) {
		place_windows(vm);
		return;
	}
	for (unsigned int i = 0; i < vm->n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cxl%u", i);
		assert_int_equal(cxlvm_machine_add_bridge(vm->machine, name, VM_UID(i), NULL, &err),
				 0);
	}
}

/*
 * Point 1: host bridges come after the windows that name them, and after freeze, each before the
 * endpoint below it; their blocks are the host's own business.
 */
static void add_late_bridge(struct vm *vm, uint32_t uid)
{
	const struct cxlvm_gpa own_block = { 0 };
	char name[16];

	if (vm->variant->personality != PERSONALITY_QEMU || vm->bare || uid < VM_UID(0) ||
	    uid >= VM_UID(VM_DEVICES_MAX))
		return;
	for (unsigned int i = 0; cxlvm_machine_bridge(vm->machine, i); i++)
		if (cxlvm_machine_bridge(vm->machine, i)->uid == uid)
			return;
	snprintf(name, sizeof(name), "cxl%u", uid - VM_UID(0));
	assert_int_equal(cxlvm_machine_add_bridge(vm->machine, name, uid, &own_block, NULL), 0);
}

/* Entered twice by one thread: an error, not a deadlock. */
static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attributes;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	assert_int_equal(pthread_mutex_init(lock, &attributes), 0);
	pthread_mutexattr_destroy(&attributes);
}

struct vm *vm_create_options(const struct variant *variant, unsigned int n,
			     const struct vm_options *options)
{
	struct cxlvm_machine_config config = {
		.size = sizeof(config),
		.phys_bits = options->phys_bits ? options->phys_bits : 46,
		.place_from = { options->place_from ? options->place_from : 0x100000000 },
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm *vm = calloc(1, sizeof(*vm) + n * sizeof(vm->devices[0]));

	assert_non_null(vm);
	assert_true(n <= VM_DEVICES_MAX);
	vm->variant = variant;
	vm->decoder = options->decoder;
	vm->window_memory = options->sim_memory ? options->sim_memory : FAKE_MEMORY_SIZE;
	vm->n = n;
	vm->bare = options->bare;
	vm->board.personality = variant->personality;
	lock_init(&vm->board.lock);
	journal_init(&vm->board.journal);
	assert_int_equal(cxlvm_machine_create(&config, &vm->machine, &err), 0);
	vm->board.n_bridges = n;
	for (unsigned int i = 0; i < n; i++) {
		struct vm_device *device = &vm->devices[i];

		snprintf(device->name, sizeof(device->name), "accel%u", i);
		vm->board.bridges[i].uid = VM_UID(i);
		if (options->sim_memory)
			open_sim_of(&device->below, i, variant->kernel, options->sim_memory);
		else
			variant->open(&device->below, i);
		tap_init(&device->tap, device->below.ops, device->below.device, &vm->board.journal,
			 &vm->board.faults, i);
		recorder_init(&device->recorder, &vm->board, i, &device->tap, device->name);
		device->recorder.reset = device->below.reset;
		device->recorder.reset_device = device->below.device;
		device->config = (struct cxlvm_endpoint_config){
			.size = sizeof(device->config),
			.name = device->name,
			.bridge_uid = VM_UID(i),
			.port = VM_PORT(i),
			.page_size = 4096,
			.decoder = options->decoder,
		};
		if (options->decoder == CXLVM_DECODER_GUEST)
			vm_guest_bridge(vm, i);
	}
	if (!options->bare)
		furnish(vm);
	return vm;
}

struct vm *vm_create(const struct variant *variant, unsigned int n)
{
	return vm_create_options(variant, n, &(struct vm_options){ 0 });
}

/* A verb begins: one at a time, and none within another (point 11); remember what rule 4 needs. */
/* Where only what was told to fail does, nothing else is compared: snapshots take most of the time. */
static bool may_fail(const struct vm *vm)
{
	const struct faults *faults = &vm->board.faults;

	return !vm->lenient && (!vm->only_faults || (faults->armed && !faults->fired));
}

void verb_begin(struct vm *vm, enum verb verb, struct vm_snapshot *before)
{
	if (pthread_mutex_lock(&vm->board.lock))
		fail_msg("a verb within a verb");
	assert_int_equal(vm->board.verb, VERB_NONE);
	before->n = 0;
	if (may_fail(vm))
		vm_snapshot(vm, before);
	vm->board.verb = verb;
	vm->board.slept_ms = 0;
}

int verb_end(struct vm *vm, const struct vm_snapshot *before, int ret,
	     const struct cxlvm_error *err)
{
	struct vm_snapshot after;

	vm->board.verb = VERB_NONE;
	assert_int_equal(vm->board.depth, 0);
	if (ret) {
		assert_true(ret < 0);
		assert_int_equal(err->code, ret);
		assert_true(err->message[0]);
		assert_null(strchr(err->message, '\n'));
		assert_null(strchr(err->hint, '\n'));
		if (!err->hint[0])
			fail_msg("no hint: %s", err->message);
		if (!vm->lenient) {
			if (!before->n)
				fail_msg("nothing was told to fail: %s", err->message);
			vm_snapshot(vm, &after);
			vm_snapshot_assert_equal(before, &after, false);
		}
	} else {
		assert_int_equal(err->code, 0);
	}
	vm_check(vm);
	pthread_mutex_unlock(&vm->board.lock);
	return ret;
}

static void hand_over(struct cxlvm_error *err, const struct cxlvm_error *mine)
{
	if (err && !err->code)
		*err = *mine;
}

/* Walk as a guest: CM array in the trapped span, then the HDM pointer. */
static void find_hdm(struct vm_device *device)
{
	struct cxlvm_bar_range spans[8];
	size_t n = cxlvm_endpoint_spans(device->endpoint, spans, 8);

	assert_true(n >= 1 && n <= 8);
	for (size_t i = 0; i < n; i++) {
		for (uint64_t at = (spans[i].offset + 4095) & ~4095ull;
		     at < spans[i].offset + spans[i].size; at += 4096) {
			uint64_t header =
				cxlvm_endpoint_reg_read(device->endpoint, spans[i].bar, at, 4);

			if ((header & 0xffff) != 1)
				continue;
			for (unsigned int e = 1; e <= header >> 24; e++) {
				uint64_t entry = cxlvm_endpoint_reg_read(
					device->endpoint, spans[i].bar, at + 4 * e, 4);

				if ((entry & 0xffff) != 5)
					continue;
				device->bar = spans[i].bar;
				device->hdm = at + (entry >> 20);
			}
		}
	}
	if (!device->hdm)
		fail_msg("no HDM decoder capability behind the spans");
}

/* The CXL Device DVSEC, by walking config space of the device below. */
static void find_dvsec(struct vm_device *device)
{
	uint32_t at = 0x100;

	for (unsigned int steps = 0; at && steps < 64; steps++) {
		uint8_t bytes[12];

		assert_int_equal(device->below.ops->read(device->below.device, 7, at, bytes, 12),
				 0);
		if (fake_get(bytes, 2) == 0x23 && fake_get(bytes + 4, 2) == 0x1e98 &&
		    fake_get(bytes + 8, 2) == 0)
			device->dvsec = at;
		at = (uint32_t)fake_get(bytes + 2, 2) >> 4;
	}
	assert_true(device->dvsec);
}

int vm_realize(struct vm *vm, unsigned int i, struct cxlvm_error *err)
{
	struct vm_device *device = &vm->devices[i];
	struct cxlvm_error mine = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	int ret;

	assert_null(device->endpoint);
	device->tap.closed = NULL;
	device->recorder.unrealized = false;
	if (cxlvm_machine_is_frozen(vm->machine))
		add_late_bridge(vm, device->config.bridge_uid);
	verb_begin(vm, VERB_REALIZE, &before);
	ret = cxlvm_endpoint_realize(vm->machine, &device->config, &device->tap.ops, &device->tap,
				     &device->recorder.ops, &device->recorder, &device->endpoint,
				     &mine);
	if (ret) {
		assert_null(device->endpoint);
		assert_int_equal(device->tap.n_maps, 0);
	} else {
		bool armed = vm->board.faults.armed;

		assert_non_null(device->endpoint);
		vm->board.faults.armed = false;
		device->recorder.endpoint = device->endpoint;
		device->dark = false;
		device->done = false;
		if (!cxlvm_endpoint_is_plain(device->endpoint)) {
			find_hdm(device);
			find_dvsec(device);
			device->recorder.hdm_bar = device->bar;
			device->recorder.hdm_offset = device->hdm;
		}
		vm->board.faults.armed = armed;
	}
	ret = verb_end(vm, &before, ret, &mine);
	hand_over(err, &mine);
	return ret;
}

int vm_freeze(struct vm *vm, struct cxlvm_error *err)
{
	struct cxlvm_error mine = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	int ret;

	verb_begin(vm, VERB_FREEZE, &before);
	ret = cxlvm_machine_freeze(vm->machine, &mine);
	ret = verb_end(vm, &before, ret, &mine);
	hand_over(err, &mine);
	return ret;
}

int vm_machine_done(struct vm *vm, unsigned int i, struct cxlvm_error *err)
{
	struct vm_device *device = &vm->devices[i];
	struct cxlvm_error mine = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	int ret;

	verb_begin(vm, VERB_MACHINE_DONE, &before);
	device->tap.closed = "PRG-4: machine done makes no device access";
	ret = cxlvm_endpoint_machine_done(device->endpoint, &mine);
	device->tap.closed = NULL;
	device->done = device->done || !ret;
	ret = verb_end(vm, &before, ret, &mine);
	hand_over(err, &mine);
	return ret;
}

int vm_reset_prepare(struct vm *vm, unsigned int i, enum cxlvm_reset_kind kind,
		     struct cxlvm_error *err)
{
	struct vm_device *device = &vm->devices[i];
	struct cxlvm_error mine = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	int ret;

	verb_begin(vm, VERB_RESET_PREPARE, &before);
	vm->board.kind = kind;
	ret = cxlvm_endpoint_reset_prepare(device->endpoint, kind, &mine);
	if (!ret) {
		assert_false(device->recorder.enabled);
		assert_false(device->recorder.dma_mapped);
	}
	ret = verb_end(vm, &before, ret, &mine);
	hand_over(err, &mine);
	return ret;
}

int vm_reset_done(struct vm *vm, unsigned int i, enum cxlvm_reset_kind kind, int result,
		  struct cxlvm_error *err)
{
	struct vm_device *device = &vm->devices[i];
	struct cxlvm_error mine = CXLVM_ERROR_INIT;
	unsigned int events;
	struct vm_snapshot before;
	int ret;

	verb_begin(vm, VERB_RESET_DONE, &before);
	events = device->recorder.n_events;
	vm->board.kind = kind;
	/* Done without prepare prepares first; what a failure then leaves is that state. */
	if (device->recorder.enabled) {
		ret = cxlvm_endpoint_reset_done(device->endpoint, kind, result, &mine);
		vm->board.verb = VERB_NONE;
		if (ret) {
			assert_false(cxlvm_endpoint_is_committed(device->endpoint));
			assert_false(device->recorder.enabled);
			assert_false(device->recorder.dma_mapped);
		}
		vm_check(vm);
		pthread_mutex_unlock(&vm->board.lock);
	} else {
		ret = cxlvm_endpoint_reset_done(device->endpoint, kind, result, &mine);
		verb_end(vm, &before, ret, &mine);
	}
	if (ret && ret != -EOPNOTSUPP && ret != -EAGAIN && device->done) {
		/* error bit, reason, and an event with the same code */
		bool told = false;

		assert_int_equal(vm_hdm(vm, i, 0x20) & 0xc00, 0x800);
		assert_string_not_equal(cxlvm_endpoint_unusable_reason(device->endpoint), "");
		for (unsigned int e = events; e < device->recorder.n_events; e++)
			told = told || device->recorder.events[e].code == ret;
		if (!told)
			fail_msg("no event tells about %d", ret);
	}
	hand_over(err, &mine);
	return ret;
}

int vm_recheck(struct vm *vm, unsigned int i)
{
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	int ret;

	verb_begin(vm, VERB_RECHECK, &before);
	ret = cxlvm_endpoint_recheck(vm->devices[i].endpoint);
	assert_true(ret == 0 || ret == 1);
	verb_end(vm, &before, 0, &none);
	return ret;
}

int vm_memory_error(struct vm *vm, unsigned int i, const void *address, struct cxlvm_gpa *guest)
{
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	int ret;

	verb_begin(vm, VERB_RECHECK, &before);
	ret = cxlvm_endpoint_memory_error(vm->devices[i].endpoint, address, guest);
	assert_true(ret == 0 || ret == 1);
	verb_end(vm, &before, 0, &none);
	return ret;
}

void vm_unrealize(struct vm *vm, unsigned int i)
{
	struct vm_device *device = &vm->devices[i];
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;

	verb_begin(vm, VERB_UNREALIZE, &before);
	cxlvm_endpoint_unrealize(device->endpoint);
	device->recorder.unrealized = true;
	device->dark = true;
	device->tap.closed = "it was unrealized";
	assert_false(device->recorder.enabled);
	assert_false(device->recorder.dma_mapped);
	verb_end(vm, &before, 0, &none);
}

void vm_free(struct vm *vm, unsigned int i)
{
	struct vm_device *device = &vm->devices[i];
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	struct cxlvm_endpoint *endpoint = device->endpoint;

	verb_begin(vm, VERB_FREE, &before);
	device->recorder.endpoint = NULL; /* nobody reads any more */
	device->endpoint = NULL;
	cxlvm_endpoint_free(endpoint);
	device->hdm = 0;
	device->recorder.hdm_offset = 0;
	assert_false(device->recorder.prepared);
	assert_int_equal(device->tap.n_maps, 0);
	assert_int_equal(tap_open_dma_bufs(&device->tap), 0);
	verb_end(vm, &before, 0, &none);
}

void vm_write(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length, uint64_t value)
{
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;

	verb_begin(vm, VERB_REG_WRITE, &before);
	cxlvm_endpoint_reg_write(vm->devices[i].endpoint, vm->devices[i].bar, offset, length,
				 value);
	verb_end(vm, &before, 0, &none);
}

uint64_t vm_read(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length)
{
	return cxlvm_endpoint_reg_read(vm->devices[i].endpoint, vm->devices[i].bar, offset, length);
}

uint32_t vm_hdm(struct vm *vm, unsigned int i, unsigned int offset)
{
	return (uint32_t)vm_read(vm, i, vm->devices[i].hdm + offset, 4);
}

uint32_t vm_config_read(struct vm *vm, unsigned int i, uint32_t offset, unsigned int length)
{
	struct test_device *below = &vm->devices[i].below;
	uint8_t bytes[4] = { 0 };

	assert_int_equal(below->ops->read(below->device, 7, offset, bytes, length), 0);
	return cxlvm_endpoint_config_read(vm->devices[i].endpoint, offset, length,
					  (uint32_t)fake_get(bytes, length));
}

enum cxlvm_reset_kind vm_config_write(struct vm *vm, unsigned int i, uint32_t offset,
				      unsigned int length, uint32_t value)
{
	struct test_device *below = &vm->devices[i].below;
	enum cxlvm_reset_kind kind = CXLVM_RESET_NONE;
	struct cxlvm_error none = CXLVM_ERROR_INIT;
	struct vm_snapshot before;
	uint32_t device_value = value;
	uint8_t bytes[4];

	verb_begin(vm, VERB_CONFIG_WRITE, &before);
	if (cxlvm_endpoint_config_write_begin(vm->devices[i].endpoint, offset, length, value,
					      &device_value, &kind)) {
		fake_put(bytes, length, device_value);
		assert_int_equal(below->ops->write(below->device, 7, offset, bytes, length), 0);
	}
	cxlvm_endpoint_config_write_end(vm->devices[i].endpoint);
	verb_end(vm, &before, 0, &none);
	return kind;
}

void vm_stop(struct vm *vm)
{
	if (!vm)
		return;
	faults_disarm(&vm->board.faults);
	for (unsigned int i = vm->n; i-- > 0;) {
		struct vm_device *device = &vm->devices[i];

		if (device->endpoint) {
			if (!device->dark)
				vm_unrealize(vm, i);
			/* one late reader (point 10) */
			assert_int_equal(vm_hdm(vm, i, 0x20), 0xffffffff);
			vm_free(vm, i);
		}
		assert_false(device->recorder.prepared);
		assert_int_equal(device->tap.n_maps, 0);
	}
	/* only now: a snapshot looks at every device */
	for (unsigned int i = 0; i < vm->n; i++) {
		vm->devices[i].below.close(&vm->devices[i].below);
		cxlvm_bridge_destroy(vm->board.bridges[i].cxl);
	}
	cxlvm_machine_destroy(vm->machine);
	pthread_mutex_destroy(&vm->board.lock);
	journal_free(&vm->board.journal);
	free(vm);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The quirks of the sim: that each does what it says, at the kernel's interface, and that the
 * library answers as the contract demands, in all generations and with both hosts: works, refuses
 * the device, or leaves its memory away with the error bit and an event.
 */
#include <errno.h>
#include <stdlib.h>

#include "test.h"
#include "vm.h"

#define REGS       9u
#define BASE_LOW   0x10u
#define BASE_HIGH  0x14u
#define SIZE_LOW   0x18u
#define CONTROL    0x20u
#define HOST_HIGH  0x6a7u
#define COMMITTED  0x400u
#define ERROR_BIT  0x800u
#define BIT(quirk) ((uint64_t)1 << CXLVM_SIM_QUIRK_##quirk)

#define N_KERNELS 6u
static const unsigned int kernels[N_KERNELS] = { 2, 0x2e, 3, 4, 5, 6 };

/* What the next sim is. */
static struct cxlvm_sim_config wanted;

static void want(unsigned int kernel, uint64_t quirks, unsigned int times)
{
	wanted = (struct cxlvm_sim_config){
		.size = sizeof(wanted),
		.memory_size = FAKE_MEMORY_SIZE,
		.generation = kernel,
		.quirks = quirks,
		.quirk_times = times,
	};
}

static void close_quirky(struct test_device *device)
{
	device->transport.transport->close(device->transport.device);
}

static void open_quirky(struct test_device *device, unsigned int index)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)index;
	memset(device, 0, sizeof(*device));
	if (cxlvm_sim_open(&wanted, &device->transport, &err))
		fail_msg("sim: %s", err.message);
	device->ops = device->transport.ops;
	device->device = device->transport.device;
	device->reset = device->transport.transport->reset;
	device->close = close_quirky;
}

static struct test_device plug(unsigned int kernel, uint64_t quirks)
{
	struct test_device device;

	want(kernel, quirks, 0);
	open_quirky(&device, 0);
	return device;
}

static uint64_t place(unsigned int kernel, unsigned int offset)
{
	return offset + (kernel == 2 || kernel == 0x2e ? 0x100 : kernel == 3 ? 0x1100 : 0);
}

static uint32_t get(const struct test_device *device, unsigned int kernel, unsigned int offset)
{
	uint8_t bytes[4];

	assert_int_equal(device->ops->read(device->device, REGS, place(kernel, offset), bytes, 4),
			 0);
	return (uint32_t)fake_get(bytes, 4);
}

static void put(const struct test_device *device, unsigned int kernel, unsigned int offset,
		uint32_t value)
{
	uint8_t bytes[4];

	fake_put(bytes, 4, value);
	assert_int_equal(device->ops->write(device->device, REGS, place(kernel, offset), bytes, 4),
			 0);
}

static void base_is_zero_or_the_hosts(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < N_KERNELS; i++) {
		struct test_device device = plug(kernels[i], BIT(BASE_ZERO));

		assert_int_equal(get(&device, kernels[i], BASE_HIGH), 0);
		assert_int_equal(get(&device, kernels[i], CONTROL) & COMMITTED, COMMITTED);
		device.close(&device);
		device = plug(kernels[i], BIT(BASE_HOST));
		assert_int_equal(get(&device, kernels[i], BASE_HIGH), HOST_HIGH);
		device.close(&device);
	}
}

static void writes_are_kept_frozen_or_absorbed(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < N_KERNELS; i++) {
		unsigned int kernel = kernels[i];
		struct test_device device = plug(kernel, BIT(WRITES_KEPT));

		put(&device, kernel, BASE_HIGH, 0x55);
		assert_int_equal(get(&device, kernel, BASE_HIGH), 0x55);
		put(&device, kernel, CONTROL, 0);
		assert_int_equal(get(&device, kernel, CONTROL), 0);
		put(&device, kernel, CONTROL, 0x300);
		assert_int_equal(get(&device, kernel, CONTROL), 0x700);
		device.close(&device);

		device = plug(kernel, BIT(WRITES_FROZEN));
		put(&device, kernel, CONTROL, 0x300);
		put(&device, kernel, CONTROL, 0);
		assert_int_equal(get(&device, kernel, CONTROL), 0x700);
		put(&device, kernel, BASE_LOW, 0x50000000);
		assert_int_equal(get(&device, kernel, BASE_LOW), 0);
		device.close(&device);

		device = plug(kernel, BIT(WRITES_ABSORBED));
		put(&device, kernel, CONTROL, 0);
		assert_int_equal(get(&device, kernel, CONTROL) & COMMITTED, COMMITTED);
		put(&device, kernel, BASE_LOW, 0x50000000);
		assert_int_equal(get(&device, kernel, BASE_LOW), 0);
		device.close(&device);
	}
}

static void shadow_is_lost_or_kept_at_reset(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < N_KERNELS; i++) {
		for (unsigned int kept = 0; kept < 2; kept++) {
			/* the live ones have a shadow only when writes are kept */
			uint64_t quirks =
				(kept ? BIT(SHADOW_KEPT) : BIT(SHADOW_LOST)) | BIT(WRITES_KEPT);
			struct test_device device = plug(kernels[i], quirks);

			put(&device, kernels[i], BASE_LOW, 0x50000000);
			assert_int_equal(device.reset(device.device), 0);
			assert_int_equal(get(&device, kernels[i], BASE_LOW), kept ? 0x50000000 : 0);
			device.close(&device);
		}
	}
}

static void space_off_gives_an_error_or_ones(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < N_KERNELS; i++) {
		struct test_device device = plug(kernels[i], BIT(SPACE_OFF_ERROR));
		uint64_t at = place(kernels[i], CONTROL);
		uint8_t bytes[4] = { 0 };

		assert_int_equal(device.ops->write(device.device, 7, 4, bytes, 2), 0);
		assert_int_equal(device.ops->read(device.device, REGS, at, bytes, 4), -EIO);
		device.close(&device);
		device = plug(kernels[i], BIT(SPACE_OFF_ONES));
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(device.ops->write(device.device, 7, 4, bytes, 2), 0);
		assert_int_equal(get(&device, kernels[i], CONTROL), UINT32_MAX);
		device.close(&device);
	}
}

static void reset_is_put_off_or_fails(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < N_KERNELS; i++) {
		struct test_device device = plug(kernels[i], BIT(RESET_AGAIN));

		for (unsigned int round = 0; round < 2; round++) {
			for (unsigned int n = 0; n < 3; n++)
				assert_int_equal(device.reset(device.device), -EAGAIN);
			assert_int_equal(device.reset(device.device), 0);
		}
		device.close(&device);
		device = plug(kernels[i], BIT(RESET_FAILS));
		assert_int_equal(device.ops->usable(device.device), 1);
		for (unsigned int round = 0; round < 2; round++)
			assert_int_equal(device.reset(device.device), -EIO);
		assert_int_equal(device.ops->usable(device.device), 0);
		device.close(&device);
	}
}

static void decoder_comes_late_or_never(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < N_KERNELS; i++) {
		/* generation 3 does not look */
		int before = kernels[i] == 3;
		struct test_device device = plug(kernels[i], BIT(DECODER_LATE));

		assert_int_equal(device.ops->usable(device.device), 1);
		for (unsigned int round = 0; round < 2; round++) {
			assert_int_equal(device.reset(device.device), 0);
			assert_int_equal(device.ops->usable(device.device), before);
			assert_int_equal(device.ops->usable(device.device), before);
			assert_int_equal(device.ops->usable(device.device), 1);
		}
		device.close(&device);
		device = plug(kernels[i], BIT(DECODER_LOST));
		assert_int_equal(device.ops->usable(device.device), 1);
		assert_int_equal(device.reset(device.device), 0);
		for (unsigned int n = 0; n < 100; n++)
			assert_int_equal(device.ops->usable(device.device), before);
		device.close(&device);
	}
}

/* What the library makes of each: nothing bad, no device, or no memory. */
enum answer {
	WORKS,
	REFUSED,   /* by realize */
	NO_MEMORY, /* reset_done fails */
};

static const struct {
	uint64_t quirks;
	const char *words; /* in the message, where it is an error */
	int code;
	enum answer answers[N_KERNELS]; /* 2, 2n, 3, 4, 5, 6 */
} expected[] = {
#define ALL(a)                   \
	{                        \
		a, a, a, a, a, a \
	}
	{ BIT(NO_MMAP), "mmap", -EOPNOTSUPP, ALL(REFUSED) },
	{ BIT(BASE_ZERO), "", 0, ALL(WORKS) },
	{ BIT(BASE_HOST), "", 0, ALL(WORKS) },
	{ BIT(WRITES_KEPT), "", 0, ALL(WORKS) },
	{ BIT(WRITES_FROZEN),
	  "does not read back",
	  -EPROTO,
	  { NO_MEMORY, NO_MEMORY, WORKS, WORKS, WORKS, WORKS } },
	{ BIT(WRITES_ABSORBED),
	  "does not read back",
	  -EPROTO,
	  { NO_MEMORY, NO_MEMORY, WORKS, WORKS, WORKS, WORKS } },
	{ BIT(SHADOW_LOST), "", 0, ALL(WORKS) },
	{ BIT(SHADOW_KEPT), "", 0, ALL(WORKS) },
	{ BIT(SPACE_OFF_ERROR), "", 0, ALL(WORKS) },
	{ BIT(SPACE_OFF_ONES), "", 0, ALL(WORKS) },
	{ BIT(REGISTER_LIES), "0x20000000", -EPROTO, ALL(REFUSED) },
	{ BIT(CHAIN_LOOPS), "chain goes back", -EPROTO, ALL(REFUSED) },
	{ BIT(CHAIN_SHORT), "12 bytes, 16 needed", -EPROTO, ALL(REFUSED) },
	{ BIT(RESET_AGAIN), "", 0, ALL(WORKS) },
	{ BIT(RESET_FAILS), "could not be reset", -EIO, ALL(NO_MEMORY) },
	/* 2n and 3 answer from a copy: nobody notices */
	{ BIT(SIZE_CHANGES),
	  "0x20000000",
	  -EPROTO,
	  { NO_MEMORY, WORKS, WORKS, NO_MEMORY, NO_MEMORY, NO_MEMORY } },
	{ BIT(DECODER_LATE), "", 0, ALL(WORKS) },
	{ BIT(DECODER_LOST),
	  "not usable",
	  -ENXIO,
	  { NO_MEMORY, NO_MEMORY, WORKS, NO_MEMORY, NO_MEMORY, NO_MEMORY } },
};

static bool has_event(const struct vm *vm, enum cxlvm_event_kind kind)
{
	const struct recorder *recorder = &vm->devices[0].recorder;

	for (unsigned int i = 0; i < recorder->n_events; i++)
		if (recorder->events[i].kind == kind)
			return true;
	return false;
}

static struct vm *start(const struct variant *of, uint64_t quirks, unsigned int times, int *ret,
			struct cxlvm_error *err)
{
	static struct variant variant;
	struct vm *vm;

	want(of->kernel, quirks, times);
	variant = *of;
	variant.open = open_quirky;
	vm = vm_create(&variant, 1);
	*ret = vm_start(vm, err);
	return vm;
}

/* QEMU drops what a reset said, so the memory that is out of reach is all there is to see. */
static void want_error(const struct vm *vm, const struct cxlvm_error *err, int ret, unsigned int i)
{
	bool dropped = vm->variant->personality == PERSONALITY_QEMU &&
		       expected[i].quirks == BIT(RESET_FAILS);

	assert_int_equal(ret, dropped ? -ENXIO : expected[i].code);
	assert_message_says(err, dropped ? "not usable" : expected[i].words);
	/* a next step, and not the one that is said where nobody knows */
	assert_true(err->hint[0]);
	assert_null(strstr(err->hint, "see the messages"));
}

static void no_memory(struct vm *vm)
{
	struct cxlvm_endpoint *ep = vm->devices[0].endpoint;

	assert_false(cxlvm_endpoint_memory_mapped(ep));
	assert_false(cxlvm_endpoint_is_committed(ep));
	assert_int_equal(vm_hdm(vm, 0, CONTROL) & (COMMITTED | ERROR_BIT), ERROR_BIT);
	assert_true(cxlvm_endpoint_unusable_reason(ep)[0]);
	assert_true(has_event(vm, CXLVM_EVENT_RESET_FAILED));
}

static void answer_is(const struct variant *of, unsigned int i, enum answer answer)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;
	struct vm *vm = start(of, expected[i].quirks, 0, &ret, &err);

	for (unsigned int round = 0; round < 3; round++) {
		if (answer == REFUSED) {
			assert_null(vm->devices[0].endpoint);
			want_error(vm, &err, ret, i);
			break;
		}
		if (answer == NO_MEMORY) {
			want_error(vm, &err, ret, i);
			no_memory(vm);
		} else {
			if (ret)
				fail_msg("%s", err.message);
			vm_check_running(vm);
		}
		err = (struct cxlvm_error)CXLVM_ERROR_INIT;
		ret = vm_system_reset(vm, &err);
	}
	vm_stop(vm);
}

static void every_quirk_has_its_answer(void **state)
{
	const struct variant *variant = *state;
	unsigned int kernel = 0;

	while (kernels[kernel] != variant->kernel)
		kernel++;
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++)
		answer_is(variant, i, expected[i].answers[kernel]);
	/* none is left out */
	assert_non_null(cxlvm_sim_quirk_name(ARRAY_SIZE(expected) - 1));
	assert_null(cxlvm_sim_quirk_name(ARRAY_SIZE(expected)));
}

/* 10.3: issued again on EAGAIN, bounded. */
static void rst_again_is_bounded(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;
	struct vm *vm = start(*state, BIT(RESET_AGAIN), 1000, &ret, &err);

	assert_int_equal(ret, -EAGAIN);
	no_memory(vm);
	vm_stop(vm);
}

/* 10.3: the real decoder is waited for; it can take longer than a reset. */
static void rst_late_decoder_is_waited_for_and_given_up(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;
	struct vm *vm = start(*state, BIT(DECODER_LATE), 50, &ret, &err);

	assert_int_equal(ret, 0);
	vm_check_running(vm);
	vm_stop(vm);
	vm = start(*state, BIT(DECODER_LATE), 100000, &ret, &err);
	assert_int_equal(ret, -ENXIO);
	no_memory(vm);
	vm_stop(vm);
}

static void contradicting_and_unknown_quirks_are_refused(void **state)
{
	static const uint64_t bad[] = {
		BIT(BASE_ZERO) | BIT(BASE_HOST),
		BIT(WRITES_KEPT) | BIT(WRITES_ABSORBED),
		BIT(WRITES_FROZEN) | BIT(WRITES_ABSORBED),
		BIT(SHADOW_LOST) | BIT(SHADOW_KEPT),
		BIT(SPACE_OFF_ERROR) | BIT(SPACE_OFF_ONES),
		BIT(CHAIN_LOOPS) | BIT(CHAIN_SHORT),
		BIT(SIZE_CHANGES) | BIT(DECODER_LATE),
		BIT(DECODER_LATE) | BIT(DECODER_LOST),
		(uint64_t)1 << ARRAY_SIZE(expected),
		UINT64_MAX,
	};
	struct cxlvm_transport transport;

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(bad); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		want(5, bad[i], 0);
		assert_int_equal(cxlvm_sim_open(&wanted, &transport, &err), -EINVAL);
		assert_int_equal(err.code, -EINVAL);
		assert_true(err.message[0]);
	}
	/* a caller that knows no quirks has none, whatever stands behind its structure */
	want(5, UINT64_MAX, 0);
	wanted.size = offsetof(struct cxlvm_sim_config, quirks);
	assert_int_equal(cxlvm_sim_open(&wanted, &transport, NULL), 0);
	transport.transport->close(transport.device);
	wanted.size = offsetof(struct cxlvm_sim_config, memory_size);
	assert_int_equal(cxlvm_sim_open(&wanted, &transport, NULL), -EINVAL);
}

/* docs/device.md lists them all, in this order. */
static void manual_has_the_quirks(void **state)
{
	const char *root = getenv("CXLVM_SOURCE");
	char path[512], line[512], row[64];
	unsigned int next = 0;
	FILE *file;

	(void)state;
	assert_non_null(root);
	snprintf(path, sizeof(path), "%s/docs/device.md", root);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "| `", 3))
			continue;
		assert_non_null(cxlvm_sim_quirk_name(next));
		snprintf(row, sizeof(row), "| `%s` |", cxlvm_sim_quirk_name(next++));
		assert_memory_equal(line, row, strlen(row));
	}
	fclose(file);
	assert_null(cxlvm_sim_quirk_name(next));
}

int main(void)
{
#define OWN_SIM(f)                                                                  \
	TEST_ON(f, OWN_SIM_2, "[sim 2]"), TEST_ON(f, OWN_SIM_2N, "[sim 2n]"),       \
		TEST_ON(f, OWN_SIM_4, "[sim 4]"), TEST_ON(f, OWN_SIM_5, "[sim 5]"), \
		TEST_ON(f, OWN_SIM_6, "[sim 6]")
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base_is_zero_or_the_hosts),
		cmocka_unit_test(writes_are_kept_frozen_or_absorbed),
		cmocka_unit_test(shadow_is_lost_or_kept_at_reset),
		cmocka_unit_test(space_off_gives_an_error_or_ones),
		cmocka_unit_test(reset_is_put_off_or_fails),
		cmocka_unit_test(decoder_comes_late_or_never),
		TEST_SIM(every_quirk_has_its_answer),
		OWN_SIM(rst_again_is_bounded),
		OWN_SIM(rst_late_decoder_is_waited_for_and_given_up),
		cmocka_unit_test(contradicting_and_unknown_quirks_are_refused),
		cmocka_unit_test(manual_has_the_quirks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole endpoint on a vfio-user server that goes away, comes back, or comes back as another one
 * (VU-6). Both hosts.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user_client.h"
#include "vm.h"

struct loss {
	struct client client;
	struct vm *vm;
	struct variant variant;
};

/* For the factory, which is told nothing. */
static struct loss *current;

static void close_user(struct test_device *device)
{
	(void)device;
	client_close(&current->client);
}

static void open_user(struct test_device *device, unsigned int index)
{
	(void)index;
	memset(device, 0, sizeof(*device));
	client_open_well(&current->client);
	device->ops = current->client.transport.ops;
	device->device = current->client.transport.device;
	device->reset = current->client.transport.transport->reset;
	device->close = close_user;
}

static int setup(void **state)
{
	enum personality personality = (enum personality)(uintptr_t)*state;
	struct loss *loss = calloc(1, sizeof(*loss));

	assert_non_null(loss);
	user_server_init(&loss->client.server);
	user_server_start(&loss->client.server);
	loss->client.fds = open_fds();
	loss->variant = (struct variant){
		.name = "user",
		.personality = personality,
		.open = open_user,
		.generation = 5,
		.kernel = 5,
		.sim = true,
	};
	current = loss;
	*state = loss;
	return 0;
}

static int teardown(void **state)
{
	struct loss *loss = *state;

	vm_stop(loss->vm);
	user_server_finish(&loss->client.server);
	free(loss);
	return 0;
}

static struct vm *start(struct loss *loss)
{
	loss->vm = vm_create(&loss->variant, 1);
	assert_int_equal(vm_start(loss->vm, NULL), 0);
	vm_check_running(loss->vm);
	return loss->vm;
}

static void stop(struct loss *loss)
{
	vm_stop(loss->vm);
	loss->vm = NULL;
}

static const struct cxlvm_transport_ops *transport(struct loss *loss)
{
	return loss->client.transport.transport;
}

/* What a host does that polls: service, then recheck. */
static void notice(struct loss *loss)
{
	assert_int_equal(transport(loss)->service(loss->client.transport.device), -ENODEV);
	assert_int_equal(vm_recheck(loss->vm, 0), 1);
}

/* A system reset whose raw reset may fail. */
static int reset(struct loss *loss, struct cxlvm_error *err)
{
	struct vm *vm = loss->vm;
	int result, ret;

	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_SYSTEM, NULL), 0);
	result = transport(loss)->reset(loss->client.transport.device);
	board_reset_bridges(&vm->board);
	vm->board.phase = PHASE_EXIT;
	if (vm->variant->personality == PERSONALITY_QEMU)
		result = CXLVM_RESET_RESULT_UNKNOWN;
	ret = vm_reset_done(vm, 0, CXLVM_RESET_SYSTEM, result, err);
	vm->board.phase = PHASE_RUN;
	return ret;
}

static char *memory(struct vm *vm)
{
	struct cxlvm_memory_area area;

	assert_int_equal(cxlvm_endpoint_memory_areas(vm->devices[0].endpoint, &area, 1), 1);
	return area.address;
}

/* A dword of the trapped page that the server answers: the capability header of the block. */
static uint64_t relayed(struct vm *vm)
{
	struct vm_device *device = &vm->devices[0];
	struct cxlvm_bar_range span;

	assert_true(cxlvm_endpoint_spans(device->endpoint, &span, 1) > 0);
	return vm_read(vm, 0, span.offset, 4);
}

static void assert_dark(struct vm *vm)
{
	assert_false(vm->devices[0].recorder.enabled);
	assert_false(vm->devices[0].recorder.dma_mapped);
	assert_false(cxlvm_endpoint_memory_mapped(vm->devices[0].endpoint));
	assert_int_equal(relayed(vm), UINT32_MAX);
	assert_string_not_equal(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint), "");
}

static void assert_event(struct vm *vm, enum cxlvm_event_kind kind, const char *says)
{
	const struct recorded_event *event = recorder_event(&vm->devices[0].recorder, kind);

	assert_non_null(event);
	if (!strstr(event->text, says))
		fail_msg("'%s' does not say '%s'", event->text, says);
}

/* The server's memory is the guest's, at the address that was given out first. */
static void assert_same_memory(struct loss *loss, const char *was)
{
	char *address = memory(loss->vm), text[6] = "";

	assert_ptr_equal(address, was);
	assert_int_equal(pwrite(loss->client.server.memory_fd, "there", 5, 0x1234567), 5);
	assert_memory_equal(address + 0x1234567, "there", 5);
	memcpy(address + 0x7654321, "here!", 5);
	assert_int_equal(pread(loss->client.server.memory_fd, text, 5, 0x7654321), 5);
	assert_string_equal(text, "here!");
}

/* A register region that cannot be written is enough: the decoder that counts is ours. */
static void vu2_vu3_an_endpoint_lives_on_a_server(void **state)
{
	struct loss *loss = *state;
	struct vm *vm;
	unsigned int nth;

	start(loss);
	nth = client_question_of(&loss->client, 9);
	stop(loss);
	client_rule(&loss->client, US_REGION_INFO, nth, US_PAYLOAD, 4, 4, 9);
	vm = start(loss);
	assert_same_memory(loss, memory(vm));
	for (unsigned int i = 0; i < 10; i++) {
		assert_int_equal(reset(loss, NULL), 0);
		vm_check_running(vm);
	}
	assert_int_equal(vm_hdm(vm, 0, 0x20), 0x700);
	assert_int_not_equal(relayed(vm), UINT32_MAX);
	stop(loss);
	client_assert_nothing_left(&loss->client);
}

static void client11_vu6_loss_makes_the_memory_dark(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	char *address = memory(vm);

	assert_same_memory(loss, address);
	assert_int_not_equal(relayed(vm), UINT32_MAX);
	user_server_kill(&loss->client.server);
	notice(loss);
	assert_dark(vm);
	assert_event(vm, CXLVM_EVENT_MEMORY_UNAVAILABLE, loss->client.server.path);
	/* client11: this process still has the pages, so that nothing of it is killed */
	assert_memory_equal(address + 0x1234567, "there", 5);
	assert_int_equal(vm_recheck(vm, 0), 0);
	assert_dark(vm);
}

/* Also without anybody who polls: the next question tells. */
static void vu6_loss_is_found_by_recheck_alone(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);

	assert_int_equal(vm_recheck(vm, 0), 0);
	user_server_kill(&loss->client.server);
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_dark(vm);
	assert_event(vm, CXLVM_EVENT_MEMORY_UNAVAILABLE, "closed the connection");
}

static void vu6_reset_without_a_server_fails(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	user_server_kill(&loss->client.server);
	notice(loss);
	assert_int_equal(reset(loss, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.message, loss->client.server.path));
	assert_true(err.hint[0]);
	assert_dark(vm);
	assert_event(vm, CXLVM_EVENT_RESET_FAILED, "Connection refused");
}

/* The same server again: nothing happens until the reset, and then everything is as it was. */
static void vu6_reset_connects_again(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	char *address = memory(vm);
	unsigned int resets;

	for (unsigned int i = 0; i < 3; i++) {
		user_server_kill(&loss->client.server);
		notice(loss);
		user_server_start(&loss->client.server);
		assert_int_equal(vm_recheck(vm, 0), 0);
		assert_dark(vm);
		resets = user_server_count(&loss->client.server, US_RESET);
		assert_int_equal(reset(loss, NULL), 0);
		/* Of the new server too, which may have been another client's before. */
		assert_int_equal(user_server_count(&loss->client.server, US_RESET), resets + 1);
		vm_check_running(vm);
		assert_same_memory(loss, address);
		assert_int_not_equal(relayed(vm), UINT32_MAX);
		assert_string_equal(cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint), "");
	}
	assert_event(vm, CXLVM_EVENT_MEMORY_AVAILABLE, "");
}

/* Lost between two looks: the reset itself finds it, and mends it in one go. */
static void vu6_a_server_that_was_replaced_unseen(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	char *address = memory(vm);

	user_server_kill(&loss->client.server);
	user_server_start(&loss->client.server);
	assert_int_equal(reset(loss, NULL), 0);
	vm_check_running(vm);
	assert_same_memory(loss, address);
}

static void vu6_another_size_stays_unusable(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint64_t size = loss->client.server.memory_size;
	char *address = memory(vm);

	user_server_kill(&loss->client.server);
	notice(loss);
	loss->client.server.memory_size = 2 * size;
	user_server_start(&loss->client.server);
	assert_int_equal(reset(loss, &err), -ESTALE);
	assert_message_has(&err, size);
	assert_message_has(&err, 2 * size);
	assert_dark(vm);
	assert_event(vm, CXLVM_EVENT_RESET_FAILED, "region");
	/* and it is tried again at each reset */
	user_server_kill(&loss->client.server);
	loss->client.server.memory_size = size;
	user_server_start(&loss->client.server);
	assert_int_equal(reset(loss, NULL), 0);
	vm_check_running(vm);
	assert_same_memory(loss, address);
}

static void vu6_another_shape_stays_unusable(void **state)
{
	static const struct {
		unsigned int command, nth;
		int64_t at, bytes;
		uint64_t value;
		const char *says;
	} other[] = {
		/* ids, flags, number of interrupt types, flags of a region, vectors */
		{ US_READ, 1, 16, 4, 0x12345678, "another device" },
		{ US_READ, 2, 16, 4, 0x12345678, "another device" },
		{ US_READ, 3, 16, 4, 0x12345678, "another device" },
		{ US_GET_INFO, 1, 4, 4, 2, "flags 0x" },
		{ US_GET_INFO, 1, 12, 4, 4, "interrupt types" },
		{ US_REGION_INFO, 2, 4, 4, 9, "region 0" },
		{ US_IRQ_INFO, 3, 12, 4, 5, "vectors" },
	};
	struct loss *loss = *state;
	struct vm *vm = start(loss);

	for (size_t i = 0; i < ARRAY_SIZE(other); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		user_server_kill(&loss->client.server);
		user_server_start(&loss->client.server);
		client_rule(&loss->client, other[i].command, other[i].nth, US_PAYLOAD, other[i].at,
			    other[i].bytes, other[i].value);
		assert_int_equal(reset(loss, &err), -ESTALE);
		assert_message_says(&err, other[i].says);
		assert_dark(vm);
		user_server_no_rules(&loss->client.server);
	}
	assert_int_equal(reset(loss, NULL), 0);
	vm_check_running(vm);
}

/* Memory and eventfds are announced to the new server, the descriptors may be closed since. */
static void vu6_announcements_are_repeated(void **state)
{
	struct loss *loss = *state;
	int ram = memfd_create("ram", MFD_CLOEXEC), event[2];
	void *device;
	struct cxlvm_dma_range range = { .base = { 0x100000 }, .size = 0x10000, .fd = ram };
	uint64_t value;
	unsigned int maps;

	start(loss);
	device = loss->client.transport.device;
	event[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	event[1] = dup(event[0]);
	assert_int_equal(transport(loss)->dma_map(device, &range, NULL), 0);
	assert_int_equal(transport(loss)->irq_set(device, 2, 3, 1, event), 0);
	range.base.value = 0x300000;
	assert_int_equal(transport(loss)->dma_map(device, &range, NULL), 0);
	close(ram);
	close(event[0]);
	maps = user_server_count(&loss->client.server, US_DMA_MAP);
	user_server_kill(&loss->client.server);
	notice(loss);
	/* gone while there is no server: not announced any more */
	assert_int_equal(transport(loss)->dma_unmap(device, range.base, range.size), 0);
	user_server_start(&loss->client.server);
	assert_int_equal(reset(loss, NULL), 0);
	assert_int_equal(user_server_count(&loss->client.server, US_DMA_MAP), maps + 1);
	assert_int_equal(user_server_seen(&loss->client.server, US_DMA_MAP, maps).n_fds, 1);
	assert_true(user_server_trigger(&loss->client.server, 3));
	assert_int_equal(read(event[1], &value, 8), 8);
	close(event[1]);
}

/* Each message of the way back fails once: unusable, nothing half done, and the next one works. */
static void vu6_each_message_of_reconnecting_fails(void **state)
{
	static const enum us_action actions[] = { US_ERROR, US_CLOSE, US_SIZE };
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	char *address = memory(vm);
	struct cxlvm_dma_range range = { .base = { 0 }, .size = 0x10000, .fd = -1 };
	unsigned int before, n;

	assert_int_equal(transport(loss)->dma_map(loss->client.transport.device, &range, NULL), 0);
	user_server_kill(&loss->client.server);
	user_server_start(&loss->client.server);
	before = user_server_count(&loss->client.server, 0);
	assert_int_equal(transport(loss)->reset(loss->client.transport.device), 0);
	n = user_server_count(&loss->client.server, 0) - before;
	assert_true(n > 20);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		for (unsigned int nth = 1; nth <= n; nth++) {
			user_server_kill(&loss->client.server);
			notice(loss);
			user_server_start(&loss->client.server);
			user_server_no_rules(&loss->client.server);
			client_rule(&loss->client, 0, nth, actions[i], 5, 0, 0);
			if (!reset(loss, NULL))
				fail_msg("message %u, action %d: it came back", nth, actions[i]);
			assert_dark(vm);
			user_server_no_rules(&loss->client.server);
			vm->devices[0].recorder.n_events = 0;
			assert_int_equal(reset(loss, NULL), 0);
			vm_check_running(vm);
			assert_ptr_equal(memory(vm), address);
			user_server_forget(&loss->client.server);
			journal_clear(&vm->board.journal);
			vm->devices[0].recorder.n_events = 0;
		}
	}
	assert_same_memory(loss, address);
}

/* How many messages a realize is, on either host. */
static unsigned int realize_messages(struct loss *loss)
{
	struct variant own = loss->variant;
	struct cxlvm_endpoint *endpoint;
	struct vm_device *device;
	unsigned int before;
	struct vm *vm;

	own.personality = PERSONALITY_OWN;
	vm = vm_create(&own, 1);
	device = &vm->devices[0];
	before = user_server_count(&loss->client.server, 0);
	assert_int_equal(cxlvm_endpoint_realize(vm->machine, &device->config, &device->tap.ops,
						&device->tap, &device->recorder.ops,
						&device->recorder, &endpoint, NULL),
			 0);
	before = user_server_count(&loss->client.server, 0) - before;
	cxlvm_endpoint_free(endpoint);
	vm_stop(vm);
	return before;
}

/* The server goes at any message of realize: an error, and nothing is left behind. */
static void vu6_loss_at_each_message_of_realize(void **state)
{
	struct loss *loss = *state;
	unsigned int n = realize_messages(loss);

	assert_true(n > 20);
	for (unsigned int nth = 1; nth <= n; nth++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		loss->vm = vm_create(&loss->variant, 1);
		user_server_no_rules(&loss->client.server);
		client_rule(&loss->client, 0, nth, US_CLOSE, 0, 0, 0);
		assert_int_equal(vm_start(loss->vm, &err), -ENODEV);
		assert_true(err.message[0]);
		stop(loss);
		client_assert_nothing_left(&loss->client);
		user_server_forget(&loss->client.server);
	}
}

/* At any message of a reset: it succeeds over a new connection, or fails, and the next succeeds. */
static void vu6_loss_at_each_message_of_a_reset(void **state)
{
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	unsigned int n = user_server_count(&loss->client.server, 0);
	char *address = memory(vm);

	assert_int_equal(reset(loss, NULL), 0);
	n = user_server_count(&loss->client.server, 0) - n;
	for (unsigned int nth = 1; nth <= n; nth++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		user_server_no_rules(&loss->client.server);
		client_rule(&loss->client, 0, nth, US_CLOSE, 0, 0, 0);
		if (reset(loss, &err))
			assert_dark(vm);
		else
			vm_check_running(vm);
		user_server_no_rules(&loss->client.server);
		assert_int_equal(reset(loss, NULL), 0);
		vm_check_running(vm);
		assert_ptr_equal(memory(vm), address);
		user_server_forget(&loss->client.server);
		journal_clear(&vm->board.journal);
		vm->devices[0].recorder.n_events = 0;
	}
	assert_same_memory(loss, address);
}

/* What a guest reads of registers when the server's answer is bad: all ones, counted. */
static void client7_bad_answers_to_reads_are_ones(void **state)
{
	static const struct {
		enum us_action action;
		int64_t a;
	} bad[] = { { US_ERROR, EIO }, { US_SIZE, -1 }, { US_SIZE, -4 }, { US_SIZE, 4 } };
	struct loss *loss = *state;
	struct vm *vm = start(loss);
	struct cxlvm_endpoint_counters counters;
	uint64_t good = relayed(vm);

	assert_int_not_equal(good, UINT32_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		user_server_no_rules(&loss->client.server);
		client_rule(&loss->client, US_READ, 0, bad[i].action, bad[i].a, 0, 0);
		assert_int_equal(relayed(vm), UINT32_MAX);
	}
	user_server_no_rules(&loss->client.server);
	assert_int_equal(relayed(vm), good);
	cxlvm_endpoint_get_counters(vm->devices[0].endpoint, &counters, sizeof(counters));
	assert_true(counters.device_errors >= ARRAY_SIZE(bad));
	/* missing: one timeout, then at once */
	client_rule(&loss->client, US_READ, 0, US_SILENT, 0, 0, 0);
	assert_int_equal(relayed(vm), UINT32_MAX);
	assert_int_equal(relayed(vm), UINT32_MAX);
	assert_int_equal(vm_recheck(vm, 0), 1);
	assert_dark(vm);
	assert_event(vm, CXLVM_EVENT_MEMORY_UNAVAILABLE, "does not answer");
}

#define LOSS_TEST(f)                                                                 \
	{ #f "[own]", f, setup, teardown, (void *)PERSONALITY_OWN },                 \
	{                                                                            \
#f "[qemu]", f, setup, teardown, (void *)(uintptr_t)PERSONALITY_QEMU \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOSS_TEST(vu2_vu3_an_endpoint_lives_on_a_server),
		LOSS_TEST(client11_vu6_loss_makes_the_memory_dark),
		LOSS_TEST(vu6_loss_is_found_by_recheck_alone),
		LOSS_TEST(vu6_reset_without_a_server_fails),
		LOSS_TEST(vu6_reset_connects_again),
		LOSS_TEST(vu6_a_server_that_was_replaced_unseen),
		LOSS_TEST(vu6_another_size_stays_unusable),
		LOSS_TEST(vu6_another_shape_stays_unusable),
		LOSS_TEST(vu6_announcements_are_repeated),
		LOSS_TEST(vu6_each_message_of_reconnecting_fails),
		LOSS_TEST(vu6_loss_at_each_message_of_realize),
		LOSS_TEST(vu6_loss_at_each_message_of_a_reset),
		LOSS_TEST(client7_bad_answers_to_reads_are_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

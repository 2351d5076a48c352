/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user client against the vfio-user server, both of the library: the server on a thread of
 * its own, waiting as its header says. Also for the thread sanitizer.
 */
#include <cxlvm/server.h>
#include <cxlvm/vfio.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "test.h"

#define CONFIG 7u
#define ENGINE 2u
#define MEMORY 10u
#define RAM_AT 0x100000u
#define RAM    0x40000u

struct pair {
	char path[64];
	struct cxlvm_server *server;
	int stop[2];
	pthread_t thread;
	struct cxlvm_transport user;
	uint8_t *ram;
	int ram_fd;
	bool linger; /* the server goes on while messages follow each other */
};

static void on_alarm(int signal)
{
	(void)signal;
}

/* A timer for this thread alone, which gets it out of linger's receive. */
static timer_t start_timer(void)
{
	const struct itimerspec period = { { .tv_nsec = 5000000 }, { .tv_nsec = 5000000 } };
	const struct sigaction action = { .sa_handler = on_alarm };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	timer_t timer;

	event._sigev_un._tid = gettid();
	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &period, NULL), 0);
	return timer;
}

/* The same by cxlvm_server_linger: waits inside of it while messages follow each other. */
static void *serve_lingering(void *opaque)
{
	struct pair *pair = opaque;
	timer_t timer = start_timer();
	bool came = false;

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = pair->stop[0], .events = POLLIN },
			{ .fd = cxlvm_server_fd(pair->server), .events = POLLIN },
		};
		int ms = came ? cxlvm_server_linger(pair->server) : cxlvm_server_step(pair->server);
		int n = poll(fds, 2, ms);

		came = n > 0 && fds[1].revents;
		if (n > 0 && fds[0].revents)
			break;
	}
	timer_delete(timer);
	return NULL;
}

static void *serve(void *opaque)
{
	struct pair *pair = opaque;

	if (pair->linger)
		return serve_lingering(pair);
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = pair->stop[0], .events = POLLIN },
			{ .fd = cxlvm_server_fd(pair->server), .events = POLLIN },
		};
		int ms = cxlvm_server_step(pair->server);

		if (poll(fds, 2, ms) > 0 && fds[0].revents)
			return NULL;
	}
}

static void start(struct pair *pair)
{
	struct cxlvm_server_config config = {
		.size = sizeof(config),
		.socket_path = pair->path,
		.memory_size = FAKE_MEMORY_SIZE,
	};

	assert_int_equal(cxlvm_server_create(&config, &pair->server, NULL), 0);
	assert_int_equal(pipe(pair->stop), 0);
	assert_int_equal(pthread_create(&pair->thread, NULL, serve, pair), 0);
}

static void stop(struct pair *pair)
{
	assert_int_equal(write(pair->stop[1], "", 1), 1);
	pthread_join(pair->thread, NULL);
	cxlvm_server_destroy(pair->server);
	close(pair->stop[0]);
	close(pair->stop[1]);
}

static int setup_with(void **state, bool linger)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	struct cxlvm_user_config config = { .size = sizeof(config), .path = pair->path };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	pair->linger = linger;
	snprintf(pair->path, sizeof(pair->path), "/tmp/cxlvm-pair-%d", getpid());
	start(pair);
	if (cxlvm_user_open(&config, &pair->user, &err))
		fail_msg("%s", err.message);
	pair->ram_fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(pair->ram_fd, RAM), 0);
	pair->ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, pair->ram_fd, 0);
	assert_true(pair->ram != MAP_FAILED);
	*state = pair;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, false);
}

static int setup_linger(void **state)
{
	return setup_with(state, true);
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	pair->user.transport->close(pair->user.device);
	stop(pair);
	munmap(pair->ram, RAM);
	close(pair->ram_fd);
	free(pair);
	return 0;
}

static uint32_t get(struct pair *pair, uint32_t region, uint64_t offset)
{
	uint8_t bytes[4];

	assert_int_equal(pair->user.ops->read(pair->user.device, region, offset, bytes, 4), 0);
	return (uint32_t)fake_get(bytes, 4);
}

static void set(struct pair *pair, uint32_t region, uint64_t offset, uint32_t value)
{
	uint8_t bytes[4];

	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	assert_int_equal(pair->user.ops->write(pair->user.device, region, offset, bytes, 4), 0);
}

static void map_ram(struct pair *pair, bool shared)
{
	struct cxlvm_dma_range range = {
		.base = { RAM_AT },
		.size = RAM,
		.address = pair->ram,
		.fd = shared ? pair->ram_fd : -1,
		.writable = true,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (pair->user.transport->dma_map(pair->user.device, &range, &err))
		fail_msg("%s", err.message);
}

/* One command of the copy engine, to its end; ends with an interrupt on vector 1. */
static void copy(struct pair *pair, uint32_t direction, uint32_t source, uint32_t destination,
		 uint32_t length, int event)
{
	struct pollfd fds[2] = {
		{ .fd = event, .events = POLLIN },
		{ .fd = pair->user.transport->poll_fd(pair->user.device), .events = POLLIN },
	};
	uint64_t value;

	set(pair, ENGINE, 0x08, direction | 0x100);
	set(pair, ENGINE, 0x0c, 1);
	set(pair, ENGINE, 0x10, source);
	set(pair, ENGINE, 0x18, destination);
	set(pair, ENGINE, 0x20, length);
	set(pair, ENGINE, 0x24, 1);
	/* As a host does it that has something to wait for. */
	for (;;) {
		assert_true(poll(fds, 2, 20000) > 0);
		if (fds[1].revents)
			assert_int_equal(pair->user.transport->service(pair->user.device), 0);
		if (fds[0].revents)
			break;
	}
	assert_int_equal(read(event, &value, 8), 8);
	assert_int_equal(get(pair, ENGINE, 0x28), 2);
	assert_int_equal(get(pair, ENGINE, 0x2c), length);
}

/* MSI-X on, vector 1 connected and not masked. */
static void connect_vector(struct pair *pair, int event)
{
	int fds[2] = { -1, event };
	uint32_t at = get(pair, CONFIG, 0x34) & 0xfc;

	assert_int_equal(pair->user.transport->irq_set(pair->user.device, 2, 0, 2, fds), 0);
	while (at && (get(pair, CONFIG, at) & 0xff) != 0x11)
		at = get(pair, CONFIG, at) >> 8 & 0xfc;
	assert_int_not_equal(at, 0);
	set(pair, CONFIG, at, 0x80000000);
	/* vector control of entry 1 */
	set(pair, get(pair, CONFIG, at + 4) & 7, (get(pair, CONFIG, at + 4) & ~7u) + 16 + 12, 0);
	/* memory space and bus master */
	set(pair, CONFIG, 4, 6);
}

static void copies(struct pair *pair, bool shared)
{
	struct cxlvm_map_request request = {
		.region = MEMORY,
		.size = 0x200000,
		.guest = { 0x140000000 },
		.alignment = 2 << 20,
	};
	int event = eventfd(0, EFD_CLOEXEC);
	void *address;
	uint8_t *memory;

	map_ram(pair, shared);
	connect_vector(pair, event);
	assert_int_equal(pair->user.ops->map(pair->user.device, &request, &address), 0);
	memory = address;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < RAM / 2; i++)
			pair->ram[i] = (uint8_t)(i * 31 + (i >> 8) + round);
		memset(pair->ram + RAM / 2, 0, RAM / 2);
		copy(pair, 0, RAM_AT, 0x123457, RAM / 2 - 3, event);
		assert_memory_equal(memory + 0x123457, pair->ram, RAM / 2 - 3);
		copy(pair, 1, 0x123457, RAM_AT + RAM / 2, RAM / 2 - 3, event);
		assert_memory_equal(pair->ram + RAM / 2, pair->ram, RAM / 2 - 3);
	}
	assert_int_equal(pair->user.transport->dma_unmap(pair->user.device,
							 (struct cxlvm_iova){ RAM_AT }, RAM),
			 0);
	pair->user.ops->unmap(pair->user.device, address, request.size);
	close(event);
}

static void pair_copies_through_shared_memory(void **state)
{
	copies(*state, true);
}

static void pair_copies_through_messages(void **state)
{
	copies(*state, false);
}

/* Reads on threads while the engine asks for memory by messages. */
struct reader {
	struct pair *pair;
	uint32_t ids;
	unsigned int bad;
};

static void *read_often(void *opaque)
{
	struct reader *reader = opaque;

	for (unsigned int i = 0; i < 1000; i++) {
		uint8_t bytes[4];

		if (reader->pair->user.ops->read(reader->pair->user.device, CONFIG, 0, bytes, 4) ||
		    fake_get(bytes, 4) != reader->ids)
			reader->bad++;
	}
	return NULL;
}

static void pair_reads_beside_copies(void **state)
{
	struct pair *pair = *state;
	struct reader readers[2] = { { pair, get(pair, CONFIG, 0), 0 },
				     { pair, get(pair, CONFIG, 0), 0 } };
	pthread_t threads[2];

	for (unsigned int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_often, &readers[i]), 0);
	copies(pair, false);
	for (unsigned int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].bad, 0);
	}
}

static void pair_reset_and_a_new_server(void **state)
{
	struct pair *pair = *state;
	uint32_t ids = get(pair, CONFIG, 0);

	map_ram(pair, true);
	assert_int_equal(pair->user.transport->reset(pair->user.device), 0);
	assert_int_equal(get(pair, CONFIG, 0), ids);
	stop(pair);
	assert_int_equal(pair->user.ops->usable(pair->user.device), 0);
	start(pair);
	assert_int_equal(pair->user.ops->usable(pair->user.device), 0);
	assert_int_equal(pair->user.transport->reset(pair->user.device), 0);
	assert_int_equal(get(pair, CONFIG, 0), ids);
	/* it was announced again, so it can be taken away */
	assert_int_equal(pair->user.transport->dma_unmap(pair->user.device,
							 (struct cxlvm_iova){ RAM_AT }, RAM),
			 0);
	copies(pair, true);
}

/* Once with a server that steps, once with one that lingers. */
#define PAIR_TEST(f)                                                                 \
	cmocka_unit_test_setup_teardown(f, setup, teardown),                         \
	{                                                                            \
		.name = #f "[linger]", .test_func = (f), .setup_func = setup_linger, \
		.teardown_func = teardown,                                           \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(pair_copies_through_shared_memory),
		PAIR_TEST(pair_copies_through_messages),
		PAIR_TEST(pair_reads_beside_copies),
		PAIR_TEST(pair_reset_and_a_new_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

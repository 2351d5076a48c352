/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user transport against a scripted server: memory for DMA, interrupts, sizes of
 * messages, several threads.
 */
#include <cxlvm/vfio.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "user_client.h"

#define PAGE 4096u

static const struct cxlvm_transport_ops *ops(struct client *client)
{
	return client->transport.transport;
}

static int dma_map(struct client *client, uint64_t base, uint64_t size, void *address, int fd,
		   uint64_t offset, bool writable)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_dma_range range = {
		.base = { base },
		.size = size,
		.address = address,
		.fd = fd,
		.offset = offset,
		.writable = writable,
	};
	int ret = ops(client)->dma_map(client->transport.device, &range, &err);

	assert_int_equal(err.code, ret);
	assert_int_equal(!ret, !err.message[0]);
	return ret;
}

static int dma_unmap(struct client *client, uint64_t base, uint64_t size)
{
	return ops(client)->dma_unmap(client->transport.device, (struct cxlvm_iova){ base }, size);
}

/* Bytes of the messages, with and without a descriptor, writable or not. */
static void client9_dma_maps_carry_what_they_should(void **state)
{
	struct client *client = *state;
	int fd = memfd_create("ram", MFD_CLOEXEC);
	static uint8_t rom[PAGE];
	struct us_message message;
	char text[6] = "";

	client_open_well(client);
	assert_int_equal(ftruncate(fd, 16 * PAGE), 0);
	assert_int_equal(pwrite(fd, "hello", 5, 3 * PAGE), 5);
	assert_int_equal(dma_map(client, 0x100000000, 2 * PAGE, NULL, fd, 3 * PAGE, true), 0);
	message = user_server_seen(&client->server, US_DMA_MAP, 0);
	assert_int_equal(message.size, 48);
	assert_int_equal(fake_get(message.payload, 4), 32);
	assert_int_equal(fake_get(message.payload + 4, 4), 3);
	assert_int_equal(fake_get(message.payload + 8, 8), 3 * PAGE);
	assert_int_equal(fake_get(message.payload + 16, 8), 0x100000000);
	assert_int_equal(fake_get(message.payload + 24, 8), 2 * PAGE);
	assert_int_equal(message.n_fds, 1);
	assert_int_equal(pread(message.fd, text, 5, 3 * PAGE), 5);
	assert_string_equal(text, "hello");
	/* read-only, and not shared */
	assert_int_equal(dma_map(client, 0xfffff000, PAGE, rom, -1, 77, false), 0);
	message = user_server_seen(&client->server, US_DMA_MAP, 1);
	assert_int_equal(fake_get(message.payload + 4, 4), 1);
	assert_int_equal(fake_get(message.payload + 8, 8), 0);
	assert_int_equal(message.n_fds, 0);

	assert_int_equal(dma_unmap(client, 0x100000000, 2 * PAGE), 0);
	message = user_server_seen(&client->server, US_DMA_UNMAP, 0);
	assert_int_equal(message.size, 40);
	assert_int_equal(fake_get(message.payload, 4), 24);
	assert_int_equal(fake_get(message.payload + 4, 4), 0);
	assert_int_equal(fake_get(message.payload + 8, 8), 0x100000000);
	assert_int_equal(fake_get(message.payload + 16, 8), 2 * PAGE);
	close(fd);
}

static void client9_dma_ranges_are_exact(void **state)
{
	struct client *client = *state;
	static uint8_t ram[16 * PAGE];

	client_open_well(client);
	assert_int_equal(dma_map(client, 8 * PAGE, 4 * PAGE, ram, -1, 0, true), 0);
	for (uint64_t at = 5; at < 12; at++)
		assert_int_equal(dma_map(client, at * PAGE, 4 * PAGE, ram, -1, 0, true), -EEXIST);
	assert_int_equal(dma_map(client, 0, UINT64_MAX - PAGE + 1, ram, -1, 0, true), -EEXIST);
	assert_int_equal(dma_map(client, 4 * PAGE, 4 * PAGE, ram, -1, 0, true), 0);
	assert_int_equal(dma_map(client, 12 * PAGE, 4 * PAGE, ram, -1, 0, true), 0);
	assert_int_equal(dma_map(client, 0, 0, ram, -1, 0, true), -EINVAL);
	assert_int_equal(dma_map(client, 0 - (uint64_t)PAGE, 2 * PAGE, ram, -1, 0, true), -EINVAL);
	/* less than a page of the server */
	assert_int_equal(dma_map(client, 0x800, PAGE, ram, -1, 0, true), -EINVAL);
	assert_int_equal(dma_map(client, 0, 0x800, ram, -1, 0, true), -EINVAL);
	assert_int_equal(user_server_count(&client->server, US_DMA_MAP), 3);
	/* nothing but what was mapped */
	assert_int_equal(dma_unmap(client, 8 * PAGE, 2 * PAGE), -ENOENT);
	assert_int_equal(dma_unmap(client, 9 * PAGE, 3 * PAGE), -ENOENT);
	assert_int_equal(dma_unmap(client, 0, PAGE), -ENOENT);
	assert_int_equal(user_server_count(&client->server, US_DMA_UNMAP), 0);
	assert_int_equal(dma_unmap(client, 8 * PAGE, 4 * PAGE), 0);
	assert_int_equal(dma_unmap(client, 8 * PAGE, 4 * PAGE), -ENOENT);
	assert_int_equal(dma_map(client, 8 * PAGE, 4 * PAGE, ram, -1, 0, true), 0);
}

/* The server's own limits: number of ranges, size of pages. */
static void client9_dma_limits_of_the_server(void **state)
{
	struct client *client = *state;
	static uint8_t ram[PAGE];

	client->server.version_json =
		"{\"capabilities\":{\"max_dma_maps\":40,\"pgsizes\":2097152}}";
	client_open_well(client);
	assert_int_equal(dma_map(client, 0x1000, 0x200000, ram, -1, 0, true), -EINVAL);
	for (uint64_t i = 0; i < 40; i++)
		assert_int_equal(dma_map(client, (40 - i) << 22, 0x200000, ram, -1, 0, true), 0);
	assert_int_equal(dma_map(client, 0x200000, 0x200000, ram, -1, 0, true), -ENOSPC);
	assert_int_equal(dma_unmap(client, 20 << 22, 0x200000), 0);
	assert_int_equal(dma_map(client, 0x200000, 0x200000, ram, -1, 0, true), 0);
}

/* Refused by the server: not mapped. Not answered or not let go: the connection ends. */
static void client9_dma_refusals(void **state)
{
	static const int errors[] = { EBUSY, ENODEV };
	struct client *client = *state;
	static uint8_t ram[PAGE];

	client_open_well(client);
	client_rule(client, US_DMA_MAP, 1, US_ERROR, ENOSPC, 0, 0);
	assert_int_equal(dma_map(client, 0, PAGE, ram, -1, 0, true), -ENOSPC);
	assert_int_equal(dma_unmap(client, 0, PAGE), -ENOENT);
	assert_int_equal(dma_map(client, 0, PAGE, ram, -1, 0, true), 0);
	assert_true(client_works(client));
	client_close(client);
	user_server_no_rules(&client->server);
	/* also with the error that says here that there is no server */
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		client_open_well(client);
		assert_int_equal(dma_map(client, 0, PAGE, ram, -1, 0, true), 0);
		client_rule(client, US_DMA_UNMAP, 1, US_ERROR, errors[i], 0, 0);
		assert_int_equal(dma_unmap(client, 0, PAGE), 0);
		assert_true(client_is_lost(client));
		client_close(client);
		user_server_no_rules(&client->server);
	}

	client_open_well(client);
	assert_int_equal(dma_map(client, 0, PAGE, ram, -1, 0, true), 0);
	user_server_kill(&client->server);
	/* without a server the range goes as well, and nothing new comes */
	assert_int_equal(dma_unmap(client, 0, PAGE), 0);
	assert_int_equal(dma_unmap(client, 0, PAGE), -ENOENT);
	assert_int_equal(dma_map(client, 0, PAGE, ram, -1, 0, true), -ENODEV);
}

static void put64(uint8_t *p, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++, value >>= 8)
		p[i] = (uint8_t)value;
}

/* A request of the server: 32 bytes, and data for a write. */
static size_t request(uint8_t *p, uint8_t command, uint8_t flags, uint64_t address, uint64_t count,
		      uint64_t data)
{
	memset(p, 0, 32 + data);
	p[0] = 0x34;
	p[1] = 0x12;
	p[2] = command;
	put64(p + 4, 32 + data);
	p[8] = flags;
	put64(p + 16, address);
	put64(p + 24, count);
	for (uint64_t i = 0; i < data; i++)
		p[32 + i] = (uint8_t)(i + 1);
	return 32 + data;
}

/* What a server asks in between, and what it gets: the data or an errno. */
static void client10_requests_are_checked(void **state)
{
	static const struct {
		uint8_t command;
		uint64_t address, count, data;
		uint32_t error;
	} asked[] = {
		{ US_DMA_READ, 0x10000, 16, 0, 0 },
		{ US_DMA_READ, 0x10ff0, 16, 0, 0 },
		{ US_DMA_READ, 0x10ff1, 16, 0, EFAULT },
		{ US_DMA_READ, 0xffff, 16, 0, EFAULT },
		{ US_DMA_READ, 0x50000, 16, 0, EFAULT },
		{ US_DMA_READ, UINT64_MAX - 3, 16, 0, EFAULT },
		{ US_DMA_READ, 0x10000, 0, 0, EINVAL },
		{ US_DMA_READ, 0x10000, 65537, 0, EINVAL },
		{ US_DMA_READ, 0x10000, UINT64_MAX, 0, EINVAL },
		{ US_DMA_READ, 0x10000, 4, 4, EINVAL },
		{ US_DMA_WRITE, 0x10100, 16, 16, 0 },
		{ US_DMA_WRITE, 0x10100, 16, 15, EINVAL },
		{ US_DMA_WRITE, 0x10100, 15, 16, EINVAL },
		{ US_DMA_WRITE, 0x10100, 0, 0, EINVAL },
		{ US_DMA_WRITE, 0x10ff8, 16, 16, EFAULT },
		/* read-only memory */
		{ US_DMA_READ, 0x20000, 16, 0, 0 },
		{ US_DMA_WRITE, 0x20000, 16, 16, EFAULT },
		/* not for a client */
		{ US_READ, 0, 4, 0, ENOSYS },
		{ 77, 0, 4, 0, ENOSYS },
	};
	struct client *client = *state;
	static uint8_t ram[PAGE], rom[PAGE], bytes[100], expected[16];

	for (unsigned int i = 0; i < PAGE; i++)
		ram[i] = (uint8_t)(i * 7);
	client_open_well(client);
	assert_int_equal(dma_map(client, 0x10000, PAGE, ram, -1, 0, true), 0);
	assert_int_equal(dma_map(client, 0x20000, PAGE, rom, -1, 0, false), 0);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		size_t n = request(bytes, asked[i].command, 0, asked[i].address, asked[i].count,
				   asked[i].data);
		bool data = !asked[i].error && asked[i].command == US_DMA_READ;
		struct us_message reply;

		user_server_no_rules(&client->server);
		user_server_rule(&client->server, &(struct us_rule){ .command = US_READ,
								     .nth = 1,
								     .action = US_ASK,
								     .a = (int64_t)n,
								     .b = 1,
								     .bytes = bytes });
		/* the answer to our own read comes behind the request */
		assert_true(client_works(client));
		reply = user_server_reply(&client->server, (unsigned int)i + 1);
		assert_int_equal(reply.id, 0x1234);
		assert_int_equal(reply.command, asked[i].command);
		assert_int_equal(reply.error, asked[i].error);
		assert_int_equal(reply.flags, asked[i].error ? 0x21 : 1);
		assert_int_equal(reply.size, asked[i].error ? 16u : data ? 48u : 32u);
		if (!asked[i].error)
			assert_memory_equal(reply.payload, bytes + 16, 16);
		if (data) {
			const uint8_t *memory = asked[i].address >= 0x20000 ? rom : ram;

			assert_memory_equal(reply.payload + 16, memory + asked[i].address % PAGE,
					    16);
		}
	}
	for (unsigned int i = 0; i < 16; i++)
		expected[i] = (uint8_t)(i + 1);
	assert_memory_equal(ram + 0x100, expected, 16);
	assert_int_equal(ram[0x110], (uint8_t)(0x110 * 7));
	memset(expected, 0, sizeof(expected));
	assert_memory_equal(rom, expected, 16);
}

/* Ids of the two directions have nothing to do with each other. */
static void client10_a_request_may_have_the_id_of_ours(void **state)
{
	struct client *client = *state;
	static uint8_t ram[PAGE], bytes[32];
	struct us_message ours, reply;
	size_t n = request(bytes, US_DMA_READ, 0, 0x10000, 16, 0);

	client_open_well(client);
	assert_int_equal(dma_map(client, 0x10000, PAGE, ram, -1, 0, true), 0);
	assert_true(client_works(client));
	ours = user_server_seen(&client->server, US_READ,
				user_server_count(&client->server, US_READ) - 1);
	bytes[0] = (uint8_t)(ours.id + 1);
	bytes[1] = (uint8_t)((ours.id + 1) >> 8);
	user_server_rule(&client->server, &(struct us_rule){ .command = US_READ,
							     .nth = 1,
							     .action = US_ASK,
							     .a = (int64_t)n,
							     .b = 1,
							     .bytes = bytes });
	assert_true(client_works(client));
	assert_int_equal(user_server_seen(&client->server, US_READ,
					  user_server_count(&client->server, US_READ) - 1)
				 .id,
			 ours.id + 1);
	reply = user_server_reply(&client->server, 1);
	assert_int_equal(reply.id, ours.id + 1);
	assert_int_equal(reply.command, US_DMA_READ);
	assert_int_equal(reply.size, 48);
}

/* A server that asks for more and more and takes no answer: given up, as one that is silent. */
static void client6_a_server_that_never_reads_is_given_up(void **state)
{
	enum { REQUESTS = 200 };
	struct client *client = *state;
	static uint8_t ram[16 * PAGE], flood[32 * REQUESTS];
	struct timespec start, end;
	uint8_t bytes[4];

	client_open_well(client);
	assert_int_equal(dma_map(client, 0x10000, sizeof(ram), ram, -1, 0, true), 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		request(flood + 32 * i, US_DMA_READ, 0, 0x10000, sizeof(ram), 0);
	user_server_rule(&client->server, &(struct us_rule){ .command = US_READ,
							     .nth = 1,
							     .action = US_ASK,
							     .a = sizeof(flood),
							     .bytes = flood });
	client_rule(client, US_READ, 1, US_DELAY, 4 * CLIENT_TIMEOUT_MS, 0, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - start.tv_sec) * 1000 < 10 * CLIENT_TIMEOUT_MS);
	assert_true(client_is_lost(client));
}

/* While nobody waits, the descriptor polls readable, and service answers. */
static void client10_requests_are_served_when_idle(void **state)
{
	struct client *client = *state;
	struct pollfd poll_fd = { .events = POLLIN };
	static uint8_t ram[PAGE], bytes[64];
	struct us_message reply;

	client_open_well(client);
	poll_fd.fd = ops(client)->poll_fd(client->transport.device);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(ops(client)->service(client->transport.device), 0);
	assert_int_equal(dma_map(client, 0x10000, PAGE, ram, -1, 0, true), 0);
	memcpy(ram, "abcd", 4);
	/* no reply wanted, then one is */
	user_server_push(&client->server, bytes, request(bytes, US_DMA_WRITE, 0x10, 0x10004, 4, 4));
	user_server_push(&client->server, bytes, request(bytes, US_DMA_READ, 0, 0x10000, 8, 0));
	for (unsigned int i = 0; i < 2000 && !ram[4]; i++) {
		assert_int_equal(poll(&poll_fd, 1, 5000), 1);
		assert_int_equal(ops(client)->service(client->transport.device), 0);
	}
	while (poll(&poll_fd, 1, 0))
		assert_int_equal(ops(client)->service(client->transport.device), 0);
	reply = user_server_reply(&client->server, 1);
	assert_int_equal(reply.command, US_DMA_READ);
	assert_memory_equal(reply.payload + 16, "abcd\1\2\3\4", 8);
	assert_true(client_works(client));
	/* gone: said once */
	user_server_kill(&client->server);
	assert_int_equal(poll(&poll_fd, 1, 5000), 1);
	assert_int_equal(ops(client)->service(client->transport.device), -ENODEV);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	assert_int_equal(ops(client)->service(client->transport.device), -ENODEV);
	assert_true(client_is_lost(client));
}

/* The largest request both ways, behind which the stream is in step. */
static void client10_largest_requests(void **state)
{
	struct client *client = *state;
	static uint8_t ram[65536], bytes[2 * (32 + 65536)];
	size_t n;

	client_open_well(client);
	assert_int_equal(dma_map(client, 0x10000, sizeof(ram), ram, -1, 0, true), 0);
	n = request(bytes, US_DMA_WRITE, 0, 0x10000, 65536, 65536);
	n += request(bytes + n, US_DMA_READ, 0, 0x10000, 65536, 0);
	user_server_rule(&client->server, &(struct us_rule){ .command = US_READ,
							     .nth = 1,
							     .action = US_ASK,
							     .a = (int64_t)n,
							     .b = 2,
							     .bytes = bytes });
	assert_true(client_works(client));
	assert_memory_equal(ram, bytes + 32, sizeof(ram));
	assert_int_equal(user_server_reply(&client->server, 2).size, 32 + 65536);
	assert_true(client_works(client));
}

/* A read or write of any size goes out in pieces that the server takes. */
static void client8_data_is_cut_to_the_servers_limit(void **state)
{
	struct client *client = *state;
	uint8_t here[64], there[64];
	unsigned int before;

	client->server.version_json = "{\"capabilities\":{\"max_data_xfer_size\":24}}";
	client_open_well(client);
	before = user_server_count(&client->server, US_READ);
	assert_int_equal(client_read(client, 7, 0, here, 64), 0);
	client->server.sim.ops->read(client->server.sim.device, 7, 0, there, 64);
	assert_memory_equal(here, there, 64);
	assert_int_equal(user_server_count(&client->server, US_READ), before + 3);
	for (unsigned int i = 0; i < 3; i++) {
		struct us_message message = user_server_seen(&client->server, US_READ, before + i);

		assert_int_equal(fake_get(message.payload, 8), 24 * i);
		assert_int_equal(fake_get(message.payload + 8, 4), 7);
		assert_int_equal(fake_get(message.payload + 12, 4), i < 2 ? 24 : 16);
	}
	/* outside of the region, around the end, no region: not even asked */
	before = user_server_count(&client->server, US_READ);
	assert_int_equal(client_read(client, 7, 4090, here, 16), -EINVAL);
	assert_int_equal(client_read(client, 7, UINT64_MAX, here, 16), -EINVAL);
	assert_int_equal(client_read(client, 99, 0, here, 16), -EINVAL);
	assert_int_equal(user_server_count(&client->server, US_READ), before);
}

/* Which of the server's eventfds leads to which of ours. */
static void assert_connected(struct client *client, unsigned int vector, int fd)
{
	uint64_t one = 0;

	assert_int_equal(user_server_trigger(&client->server, vector), fd >= 0);
	if (fd < 0)
		return;
	assert_int_equal(read(fd, &one, 8), 8);
	assert_int_equal(one, 1);
}

static void client8_eventfds_go_in_runs(void **state)
{
	struct client *client = *state;
	int fds[4], holes[4], before;

	client_open_well(client);
	for (unsigned int i = 0; i < 4; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	before = open_fds();
	/* the server takes two at once */
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 4, fds), 0);
	assert_int_equal(user_server_count(&client->server, US_SET_IRQS), 2);
	for (unsigned int i = 0; i < 4; i++)
		assert_connected(client, i, fds[i]);
	/* holes */
	memcpy(holes, fds, sizeof(holes));
	holes[1] = holes[2] = -1;
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 1, 3, holes + 1), 0);
	assert_int_equal(user_server_count(&client->server, US_SET_IRQS), 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_connected(client, i, holes[i]);
	assert_int_equal(ops(client)->irq_disable(client->transport.device, 2), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_connected(client, i, -1);
	/* both ends are in this process; the log of the server keeps the first of each message */
	assert_int_equal(open_fds(), before + 3);
	for (unsigned int i = 0; i < 4; i++)
		close(fds[i]);
}

static void client8_bad_vectors_are_refused(void **state)
{
	struct client *client = *state;
	int fds[5] = { -1, -1, -1, -1, -1 };

	client_open_well(client);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 5, fds), -EINVAL);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 4, 1, fds), -EINVAL);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, UINT32_MAX, 2, fds),
			 -EINVAL);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 0, fds), -EINVAL);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 0, 0, 1, fds), -EINVAL);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 50, 0, 1, fds), -EINVAL);
	assert_int_equal(ops(client)->irq_disable(client->transport.device, 0), -EINVAL);
	fds[1] = 1 << 20;
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 2, fds), -EBADF);
	assert_int_equal(user_server_count(&client->server, US_SET_IRQS), 0);
}

/* All or nothing: what was connected before is connected again. */
static void client8_failed_connections_are_undone(void **state)
{
	struct client *client = *state;
	int old[4], new[4];

	client_open_well(client);
	for (unsigned int i = 0; i < 4; i++) {
		old[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		new[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 4, old), 0);
	client_rule(client, US_SET_IRQS, 2, US_ERROR, EMFILE, 0, 0);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 4, new), -EMFILE);
	for (unsigned int i = 0; i < 4; i++)
		assert_connected(client, i, old[i]);
	/* and if that fails as well, nothing is left half done */
	user_server_no_rules(&client->server);
	client_rule(client, US_SET_IRQS, 0, US_ERROR, EMFILE, 0, 0);
	assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 4, new), -EMFILE);
	assert_true(client_is_lost(client));
	for (unsigned int i = 0; i < 4; i++) {
		close(old[i]);
		close(new[i]);
	}
}

static void reset_is_a_message(void **state)
{
	struct client *client = *state;

	client_open_well(client);
	assert_int_equal(ops(client)->reset(client->transport.device), 0);
	assert_int_equal(user_server_count(&client->server, US_RESET), 1);
	assert_int_equal(user_server_seen(&client->server, US_RESET, 0).size, 16);
	client_rule(client, US_RESET, 1, US_ERROR, EAGAIN, 0, 0);
	assert_int_equal(ops(client)->reset(client->transport.device), -EAGAIN);
	assert_int_equal(ops(client)->reset(client->transport.device), 0);
	client_close(client);
	/* a device that cannot says so in its flags */
	client_rule(client, US_GET_INFO, 1, US_PAYLOAD, 4, 4, 2);
	client_open_well(client);
	assert_int_equal(ops(client)->reset(client->transport.device), -ENOTTY);
	assert_int_equal(user_server_count(&client->server, US_RESET), 3);
}

/* Readers on several threads, beside service and requests of the server; also for TSan. */
struct reader {
	struct client *client;
	unsigned int reads, bad;
};

#define READERS          4
#define READS_OF_EACH    500
#define REQUESTS_BETWEEN 50

static void *read_often(void *opaque)
{
	struct reader *reader = opaque;
	uint8_t first[4], bytes[4];

	if (client_read(reader->client, 7, 0, first, 4))
		reader->bad++;
	for (; reader->reads < READS_OF_EACH; reader->reads++)
		if (client_read(reader->client, 7, 0, bytes, 4) || memcmp(first, bytes, 4))
			reader->bad++;
	return NULL;
}

static void threads_take_turns(void **state)
{
	struct client *client = *state;
	struct reader readers[READERS] = { 0 };
	pthread_t threads[READERS];
	static uint8_t ram[PAGE], bytes[64];

	client_open_well(client);
	assert_int_equal(dma_map(client, 0x10000, PAGE, ram, -1, 0, true), 0);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].client = client;
		pthread_create(&threads[i], NULL, read_often, &readers[i]);
	}
	for (unsigned int i = 0; i < REQUESTS_BETWEEN; i++) {
		int fds[1] = { -1 };

		request(bytes, US_DMA_READ, 0, 0x10000, 8, 0);
		user_server_push(&client->server, bytes, 32);
		assert_int_equal(ops(client)->service(client->transport.device), 0);
		assert_int_equal(ops(client)->irq_set(client->transport.device, 2, 0, 1, fds), 0);
	}
	for (unsigned int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].bad, 0);
		assert_int_equal(readers[i].reads, READS_OF_EACH);
	}
}

/* All of them wait for one server that says nothing, and only once. */
static void threads_share_one_timeout(void **state)
{
	struct client *client = *state;
	struct reader readers[READERS] = { 0 };
	pthread_t threads[READERS];
	struct timespec start, end;

	client_open_well(client);
	client_rule(client, US_READ, 0, US_SILENT, 0, 0, 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i].client = client;
		pthread_create(&threads[i], NULL, read_often, &readers[i]);
	}
	for (unsigned int i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(readers[i].bad, READS_OF_EACH + 1);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true((end.tv_sec - start.tv_sec) * 1000 < 10 * CLIENT_TIMEOUT_MS);
	assert_true(client_is_lost(client));
}

static void *reset_device(void *argument)
{
	struct client *client = argument;

	assert_int_equal(ops(client)->reset(client->transport.device), -ETIMEDOUT);
	return NULL;
}

/* The device is lost, and the thread that connects again takes its time: who polls is not kept busy. */
static void vu6_who_polls_does_not_spin_while_another_connects(void **state)
{
	struct client *client = *state;
	unsigned int woken = 0;
	pthread_t thread;
	int ret = 0;

	client_open_well(client);
	client_rule(client, US_RESET, 0, US_SILENT, 0, 0, 0);
	client_rule(client, US_VERSION, 0, US_SILENT, 0, 0, 0);
	assert_int_equal(pthread_create(&thread, NULL, reset_device, client), 0);
	while (pthread_tryjoin_np(thread, NULL) == EBUSY) {
		struct pollfd pfd = { .fd = ops(client)->poll_fd(client->transport.device),
				      .events = POLLIN };

		if (poll(&pfd, 1, 10) != 1)
			continue;
		woken++;
		ret = ops(client)->service(client->transport.device);
		assert_true(!ret || ret == -ENODEV);
		/* The other thread may have to get a processor first. */
		usleep(1000);
	}
	assert_in_range(woken, 0, 100);
	/* Told afterwards, once. */
	while (ret != -ENODEV) {
		struct pollfd pfd = { .fd = ops(client)->poll_fd(client->transport.device),
				      .events = POLLIN };

		assert_int_equal(poll(&pfd, 1, 5000), 1);
		ret = ops(client)->service(client->transport.device);
	}
	assert_true(client_is_lost(client));
}

#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)

/* A server that asks and takes its time: all of it is one call's, however short each wait is. */
static void client6_a_slow_asker_is_bounded(void **state)
{
	enum { PAGES = 16, REQUESTS = 40, ROUNDS = 12 };
	static uint8_t ram[PAGES * 4096], flood[32 * REQUESTS];
	const struct cxlvm_dma_range range = {
		.base = { 0x100000 },
		.size = sizeof(ram),
		.address = ram,
		.fd = -1,
		.writable = true,
	};
	struct client *client = *state;
	uint8_t bytes[4];

	for (unsigned int i = 0; i < REQUESTS; i++) {
		flood[32 * i + 2] = US_DMA_READ;
		flood[32 * i + 4] = 32;
		/* all of it: 64 KiB from 0x100000 */
		flood[32 * i + 18] = 0x10;
		flood[32 * i + 26] = 1;
	}
	for (unsigned int way = 0; way < 2; way++) {
		client_open_well(client);
		assert_int_equal(client->transport.transport->dma_map(client->transport.device,
								      &range, NULL),
				 0);
		/* more than there is room for; or one after the other; each much sooner than 400 ms */
		for (unsigned int i = 0; i < (way == 1 ? ROUNDS : 1); i++)
			user_server_rule(&client->server,
					 &(struct us_rule){ .command = US_READ,
							    .nth = 1,
							    .action = US_ASK,
							    .a = way == 1 ? 32 : sizeof(flood),
							    .b = way == 1 ? 1 : REQUESTS,
							    .c = way == 1 ? 100 : 50,
							    .bytes = flood });
		/* and then the answer, 1.2 or 2 s later: too late */
		assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
		assert_true(client_is_lost(client));
		client_close(client);
		user_server_no_rules(&client->server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(client9_dma_maps_carry_what_they_should),
		CLIENT_TEST(client9_dma_ranges_are_exact),
		CLIENT_TEST(client9_dma_limits_of_the_server),
		CLIENT_TEST(client9_dma_refusals),
		CLIENT_TEST(client10_requests_are_checked),
		CLIENT_TEST(client10_a_request_may_have_the_id_of_ours),
		CLIENT_TEST(client6_a_server_that_never_reads_is_given_up),
		CLIENT_TEST(client10_requests_are_served_when_idle),
		CLIENT_TEST(client10_largest_requests),
		CLIENT_TEST(client6_a_slow_asker_is_bounded),
		CLIENT_TEST(client8_data_is_cut_to_the_servers_limit),
		CLIENT_TEST(client8_eventfds_go_in_runs),
		CLIENT_TEST(client8_bad_vectors_are_refused),
		CLIENT_TEST(client8_failed_connections_are_undone),
		CLIENT_TEST(reset_is_a_message),
		CLIENT_TEST(threads_take_turns),
		CLIENT_TEST(threads_share_one_timeout),
		CLIENT_TEST(vu6_who_polls_does_not_spin_while_another_connects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user server: memory of the client, the copy engine that uses it, and interrupts. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vu_rig.h"

/* The copy engine, from docs/device.md: region 2. */
enum { DIRECTION = 0x08, VECTOR = 0x0c, SOURCE = 0x10, DESTINATION = 0x18, LENGTH = 0x20 };
enum { DOORBELL = 0x24, STATUS = 0x28, BYTES = 0x2c };
enum { TO_DEVICE, FROM_DEVICE };
enum { BUSY = 1, DONE = 2, FAILED = 4, DMA_FAILED = 7, MEMORY_FAILED = 8 };

#define READ_WRITE 3u
#define RAM_BASE   0x100000000ull
#define RAM_SIZE   0x20000u

static struct rig rig;

static int make_ram(bool sealed)
{
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	uint8_t bytes[4096];

	assert_int_equal(ftruncate(fd, RAM_SIZE), 0);
	for (unsigned int at = 0; at < RAM_SIZE; at += sizeof(bytes)) {
		for (unsigned int i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)((at + i) * 11 + (at + i) / 256);
		assert_int_equal(pwrite(fd, bytes, sizeof(bytes), at), sizeof(bytes));
	}
	if (sealed)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

/* A client with Bus Master Enable on. */
static void start(const char *json)
{
	rig_init(&rig);
	rig_agree(&rig, json);
	rig_write(&rig, 7, 4, 2, 6);
}

static void command(uint32_t direction, uint64_t source, uint64_t destination, uint32_t length)
{
	rig_write(&rig, 2, DIRECTION, 4, direction | 0x100);
	rig_write(&rig, 2, SOURCE, 8, source);
	rig_write(&rig, 2, DESTINATION, 8, destination);
	rig_write(&rig, 2, LENGTH, 4, length);
	rig_write(&rig, 2, DOORBELL, 4, 1);
}

static void want_status(uint32_t status, uint32_t error, uint32_t bytes)
{
	assert_int_equal(rig_read(&rig, 2, STATUS, 4), status | error << 8);
	assert_int_equal(rig_read(&rig, 2, BYTES, 4), bytes);
}

static void vu_server_copies_through_shared_memory(void **state)
{
	static uint8_t ram[RAM_SIZE], device[RAM_SIZE];

	(void)state;
	/* Sealed memory is mapped, other memory is read and written. */
	for (unsigned int sealed = 0; sealed < 2; sealed++) {
		int fd;

		start("");
		fd = make_ram(sealed);
		assert_int_equal(rig_map(&rig, READ_WRITE, 0x1000, RAM_BASE, RAM_SIZE - 0x1000, fd),
				 0);
		command(TO_DEVICE, RAM_BASE + 0x123, 0x5001, 0x10000);
		rig_settle(&rig);
		want_status(DONE, 0, 0x10000);
		assert_int_equal(pread(fd, ram, RAM_SIZE, 0), RAM_SIZE);
		assert_int_equal(rig_try_read(&rig, 10, 0x5001, 0x10000), 0);
		assert_memory_equal(rig.reply + 16, ram + 0x1123, 0x10000);
		/* And back, to another place. */
		command(FROM_DEVICE, 0x5001, RAM_BASE, 0x800);
		rig_settle(&rig);
		want_status(DONE, 0, 0x800);
		assert_int_equal(pread(fd, device, 0x800, 0x1000), 0x800);
		assert_memory_equal(device, ram + 0x1123, 0x800);
		close(fd);
		rig_finish(&rig);
	}
}

/* Answer DMA messages at a socket from an array, until the copy is over. */
static unsigned int serve_dma(int fd, uint8_t *ram, uint32_t largest)
{
	unsigned int n = 0;

	while (rig_receive(&rig, fd)) {
		static uint8_t answer[8192];
		uint64_t address = rig_get(rig.reply, 8), count = rig_get(rig.reply + 8, 8);
		bool reading = rig.head[2] == RIG_DMA_READ;

		assert_true(reading || rig.head[2] == RIG_DMA_WRITE);
		assert_int_equal(rig_get(rig.head + 8, 4), 0);
		assert_int_equal(rig.reply_size, 16 + (reading ? 0 : count));
		assert_true(count && count <= largest);
		assert_true(address >= RAM_BASE && address + count <= RAM_BASE + RAM_SIZE);
		memcpy(answer, rig.head, 16);
		rig_put(answer + 4, 4, 32 + (reading ? count : 0));
		rig_put(answer + 8, 4, 1);
		memcpy(answer + 16, rig.reply, 16);
		if (reading)
			memcpy(answer + 32, ram + (address - RAM_BASE), count);
		else
			memcpy(ram + (address - RAM_BASE), rig.reply + 16, count);
		rig_send(fd, answer, 32 + (reading ? count : 0), NULL, 0);
		n++;
	}
	return n;
}

static void copy_by_messages(const char *json, uint32_t largest, bool twin)
{
	static uint8_t ram[RAM_SIZE];
	int fd;

	start(json);
	assert_int_equal(rig.n_reply_fds, 0);
	rig_leave(&rig);
	rig_agree(&rig, json);
	assert_int_equal(rig.n_reply_fds, twin);
	fd = twin ? dup(rig.reply_fds[0]) : rig.fd;
	rig_write(&rig, 7, 4, 2, 6);
	for (unsigned int i = 0; i < RAM_SIZE; i++)
		ram[i] = (uint8_t)(i * 5 + i / 256);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	command(TO_DEVICE, RAM_BASE + 0x10, 0x7000, 0x3000);
	assert_true(serve_dma(fd, ram, largest) >= 4);
	want_status(DONE, 0, 0x3000);
	assert_int_equal(rig_try_read(&rig, 10, 0x7000, 0x3000), 0);
	assert_memory_equal(rig.reply + 16, ram + 0x10, 0x3000);
	command(FROM_DEVICE, 0x7000, RAM_BASE + 0x8003, 0x1234);
	assert_true(serve_dma(fd, ram, largest) >= 2);
	want_status(DONE, 0, 0x1234);
	assert_memory_equal(ram + 0x8003, ram + 0x10, 0x1234);
	if (twin)
		close(fd);
	rig_finish(&rig);
}

static void vu_server16_copies_by_messages(void **state)
{
	(void)state;
	copy_by_messages("", 4096, false);
}

static void vu_server_splits_messages_at_the_limit_of_the_client(void **state)
{
	(void)state;
	copy_by_messages("{\"capabilities\":{\"max_data_xfer_size\":1000}}", 1000, false);
}

static void vu_server_uses_the_twin_socket_when_asked(void **state)
{
	(void)state;
	/* start() looks for none: the first client does not ask. */
	rig_init(&rig);
	rig_agree(&rig, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
	assert_int_equal(rig.n_reply_fds, 1);
	assert_non_null(strstr((char *)rig.reply + 4,
			       "\"twin_socket\":{\"supported\":true,\"fd_index\":0}"));
	rig_leave(&rig);
	/* Not for one that takes no descriptors. */
	rig_agree(&rig, "{\"capabilities\":{\"max_msg_fds\":0,"
			"\"twin_socket\":{\"supported\":true}}}");
	assert_int_equal(rig.n_reply_fds, 0);
	assert_null(strstr((char *)rig.reply + 4, "twin"));
	rig_finish(&rig);
}

static void vu_server_copies_by_messages_on_the_twin_socket(void **state)
{
	static uint8_t ram[RAM_SIZE];
	int twin;

	(void)state;
	start("{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
	rig_leave(&rig);
	rig_agree(&rig, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
	twin = dup(rig.reply_fds[0]);
	rig_write(&rig, 7, 4, 2, 6);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	memset(ram, 0x3c, sizeof(ram));
	command(TO_DEVICE, RAM_BASE, 0, 0x2000);
	assert_int_equal(serve_dma(twin, ram, 4096), 2);
	want_status(DONE, 0, 0x2000);
	assert_int_equal(rig_read(&rig, 10, 0x1ff8, 8), 0x3c3c3c3c3c3c3c3c);
	/* A command there breaks the rules. */
	rig_send(twin, "\1\0\15\0\20\0\0\0\0\0\0\0\0\0\0\0", 16, NULL, 0);
	assert_true(rig_is_closed(&rig, rig.fd));
	close(twin);
	rig_finish(&rig);
}

/* Take the DMA message that must come, and answer it with these bytes behind its header. */
static void answer_with(uint32_t flags, uint32_t error, const uint8_t *payload, uint32_t size)
{
	uint8_t answer[64];

	assert_true(rig_receive(&rig, rig.fd));
	memcpy(answer, rig.head, 16);
	rig_put(answer + 4, 4, 16 + size);
	rig_put(answer + 8, 4, flags);
	rig_put(answer + 12, 4, error);
	memcpy(answer + 16, payload, size);
	rig_send(rig.fd, answer, 16 + size, NULL, 0);
	rig_settle(&rig);
}

static void vu_server16_checks_the_answers_to_its_messages(void **state)
{
	static const struct {
		uint32_t flags, error, size;
		uint64_t address, count;
	} bad[] = {
		{ 0x21, EFAULT, 0, 0, 0 },      /* an error */
		{ 0x21, 0, 16, RAM_BASE, 16 },  /* an error with a payload */
		{ 1, 0, 15, RAM_BASE, 16 },     /* too short for its fixed part */
		{ 1, 0, 31, RAM_BASE, 16 },     /* short */
		{ 1, 0, 33, RAM_BASE, 16 },     /* long */
		{ 1, 0, 32, RAM_BASE + 1, 16 }, /* of another address */
		{ 1, 0, 32, RAM_BASE, 17 },     /* of another count */
		{ 1, 0, 32, RAM_BASE, 0 },
	};

	(void)state;
	start("");
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		uint8_t payload[48] = { 0 };

		rig_put(payload, 8, bad[i].address);
		rig_put(payload + 8, 8, bad[i].count);
		command(TO_DEVICE, RAM_BASE, 0, 16);
		answer_with(bad[i].flags, bad[i].error, payload, bad[i].size);
		want_status(FAILED, DMA_FAILED, 0);
	}
	/* A right one still does. */
	{
		uint8_t payload[32] = { 0 };

		rig_put(payload, 8, RAM_BASE);
		rig_put(payload + 8, 8, 16);
		command(TO_DEVICE, RAM_BASE, 0, 16);
		answer_with(1, 0, payload, 32);
		want_status(DONE, 0, 16);
	}
	rig_finish(&rig);
}

static void vu_server16_answers_while_it_waits_for_an_answer(void **state)
{
	uint8_t payload[32] = { 0 }, stale[32];
	uint8_t head[16];

	(void)state;
	start("");
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	assert_true(rig_receive(&rig, rig.fd));
	memcpy(head, rig.head, 16);
	/* The device is there all the time. */
	want_status(BUSY, 0, 0);
	assert_int_equal(rig_read(&rig, 7, 0, 4), 0xc0021234);
	/* Answers that nobody asked for are dropped: another id, another command. */
	memcpy(stale, head, 16);
	rig_put(stale, 2, rig_get(head, 2) + 1);
	rig_put(stale + 4, 4, 16);
	rig_put(stale + 8, 4, 0x21);
	rig_send(rig.fd, stale, 16, NULL, 0);
	memcpy(stale, head, 16);
	rig_put(stale + 2, 2, RIG_DMA_WRITE);
	rig_put(stale + 4, 4, 16);
	rig_put(stale + 8, 4, 0x21);
	rig_send(rig.fd, stale, 16, NULL, 0);
	want_status(BUSY, 0, 0);
	/* A reset ends it; the late answer belongs to nothing. */
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_write(&rig, 7, 4, 2, 6);
	rig_put(payload, 8, RAM_BASE);
	rig_put(payload + 8, 8, 16);
	memset(payload + 16, 0x11, 16);
	command(TO_DEVICE, RAM_BASE + 0x100, 0, 16);
	rig_put(head + 4, 4, 48);
	rig_put(head + 8, 4, 1);
	rig_send(rig.fd, head, 16, NULL, 0);
	rig_send(rig.fd, payload, 32, NULL, 0);
	rig_put(payload, 8, RAM_BASE + 0x100);
	memset(payload + 16, 0x22, 16);
	answer_with(1, 0, payload, 32);
	want_status(DONE, 0, 16);
	assert_int_equal(rig_read(&rig, 10, 0, 4), 0x22222222);
	rig_finish(&rig);
}

/* The client reads nothing for a while: the copy waits for room to ask, and is done in the end. */
static void vu_server_copy_waits_for_room_to_ask(void **state)
{
	static uint8_t ram[RAM_SIZE];
	uint8_t bytes[32], read[16] = { 0 }, info[16] = { 16 };
	size_t n;

	(void)state;
	start("");
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	rig_write(&rig, 2, DIRECTION, 4, TO_DEVICE);
	rig_write(&rig, 2, SOURCE, 8, RAM_BASE);
	rig_write(&rig, 2, LENGTH, 4, 0x1000);
	rig_put(read + 8, 4, 10);
	rig_put(read + 12, 4, 1 << 20);
	n = rig_message(&rig, bytes, RIG_REGION_READ, 0, read, sizeof(read));
	for (unsigned int i = 0; i < 3; i++)
		rig_send(rig.fd, bytes, n, NULL, 0);
	/* The doorbell, and what is behind it. */
	{
		uint8_t ring[36];

		rig_put(read, 8, DOORBELL);
		rig_put(read + 8, 4, 2);
		rig_put(read + 12, 4, 4);
		memcpy(ring, read, 16);
		rig_put(ring + 16, 4, 1);
		n = rig_message(&rig, bytes, RIG_GET_INFO, 0, info, sizeof(info));
		rig_send(rig.fd, bytes, n, NULL, 0);
		memmove(ring + 16, ring, 20);
		n = rig_message(&rig, ring, RIG_REGION_WRITE, 0x10, ring + 16, 20);
		rig_send(rig.fd, ring, n, NULL, 0);
	}
	rig_settle(&rig);
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(rig_receive(&rig, rig.fd));
		assert_int_equal(rig_get(rig.head + 8, 4), 1);
	}
	memset(ram, 0x77, sizeof(ram));
	assert_int_equal(serve_dma(rig.fd, ram, 4096), 1);
	want_status(DONE, 0, 0x1000);
	rig_finish(&rig);
}

static void vu_server16_gives_up_a_silent_client_after_a_while(void **state)
{
	int wait;

	(void)state;
	start("");
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	assert_true(rig_receive(&rig, rig.fd));
	/* It wants to be called then, not before and not never. */
	wait = cxlvm_server_step(rig.server);
	assert_in_range(wait, 4000, 5000);
	want_status(BUSY, 0, 0);
	usleep(5050 * 1000);
	rig.wait = cxlvm_server_step(rig.server);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0);
	rig_finish(&rig);
}

static void vu_server10_dma_map_rules(void **state)
{
	uint8_t payload[32] = { 0 };
	int fd, other, device, folder, read_only, pipes[2];
	char path[40];

	(void)state;
	rig_start(&rig);
	fd = make_ram(false);
	other = make_ram(true);
	device = open("/dev/null", O_RDWR | O_CLOEXEC);
	folder = open("/tmp", O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	/* Sizes, wraps, flags. */
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, 0, -1), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, UINT64_MAX - 0xffe, 0x1000, -1), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, UINT64_MAX, -1), EINVAL);
	assert_int_equal(rig_map(&rig, 0, 0, 0x1000, 0x1000, -1), EINVAL);
	assert_int_equal(rig_map(&rig, 0x10, 0, 0x1000, 0x1000, -1), EINVAL);
	assert_int_equal(rig_map(&rig, UINT32_MAX, 0, 0x1000, 0x1000, -1), EINVAL);
	rig_put(payload, 4, 31);
	rig_put(payload + 4, 4, 3);
	rig_put(payload + 24, 8, 0x1000);
	assert_int_equal(rig_call(&rig, RIG_DMA_MAP, payload, 32), EINVAL);
	/* Descriptors that cannot be it, each closed again. */
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, 0x1000, pipes[0]), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, 0x1000, rig.fd), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, 0x1000, folder), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, 0x1000, device), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, 0x1000, read_only), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x1000, RAM_SIZE + 1, fd), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, RAM_SIZE, 0x1000, 0x1000, fd), EINVAL);
	assert_int_equal(rig_map(&rig, READ_WRITE, UINT64_MAX, 0x1000, 0x1000, fd), EINVAL);
	/* What may be: read-only, unaligned, the last bytes of all, a BAR's own address. */
	assert_int_equal(rig_map(&rig, 1, 0, 0x10000, 0x1000, read_only), 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0x10, 0x20010, 0x123, other), 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, UINT64_MAX - 0xfff, 0x1000, -1), 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0xe0000000, 0x20000, -1), 0);
	/* The identical one again, with another file; overlaps of every kind are not. */
	assert_int_equal(rig_map(&rig, 1, 0, 0x10000, 0x1000, fd), 0);
	assert_int_equal(rig_map(&rig, 1, 0, 0x10000, 0x1000, -1), 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, 0x10000, 0x1000, fd), EEXIST);
	assert_int_equal(rig_map(&rig, 1, 0, 0xf000, 0x1001, fd), EEXIST);
	assert_int_equal(rig_map(&rig, 1, 0, 0x10fff, 0x1000, fd), EEXIST);
	assert_int_equal(rig_map(&rig, 1, 0, 0x10800, 1, fd), EEXIST);
	assert_int_equal(rig_map(&rig, 1, 0, 0, 0x40000, -1), EEXIST);
	assert_int_equal(rig_map(&rig, 1, 0, 0xf000, 0x1000, -1), 0);
	assert_int_equal(rig_map(&rig, 1, 0, 0x11000, 0x1000, -1), 0);
	close(fd);
	close(other);
	close(folder);
	close(device);
	close(read_only);
	close(pipes[0]);
	close(pipes[1]);
	rig_finish(&rig);
}

static void vu_server11_dma_unmap_rules(void **state)
{
	uint8_t payload[24] = { 23 };

	(void)state;
	rig_start(&rig);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(rig_map(&rig, 3, 0, 0x10000 * (uint64_t)i, 0x2000, -1), 0);
	assert_int_equal(rig_call(&rig, RIG_DMA_UNMAP, payload, sizeof(payload)), EINVAL);
	assert_int_equal(rig_unmap(&rig, 0, 0x10000, 0x1000), ENOENT);
	assert_int_equal(rig_unmap(&rig, 0, 0x10000, 0x3000), ENOENT);
	assert_int_equal(rig_unmap(&rig, 0, 0x11000, 0x1000), ENOENT);
	assert_int_equal(rig_unmap(&rig, 0, 0x50000, 0x2000), ENOENT);
	assert_int_equal(rig_unmap(&rig, 0, UINT64_MAX, 1), ENOENT);
	assert_int_equal(rig_unmap(&rig, 1, 0x10000, 0x2000), EINVAL);
	assert_int_equal(rig_unmap(&rig, 4, 0x10000, 0x2000), EINVAL);
	assert_int_equal(rig_unmap(&rig, 0, 0x10000, 0x2000), 0);
	assert_int_equal(rig_unmap(&rig, 0, 0x10000, 0x2000), ENOENT);
	/* All: with neither address nor size. */
	assert_int_equal(rig_unmap(&rig, 2, 0x20000, 0x2000), EINVAL);
	assert_int_equal(rig_unmap(&rig, 2, 0, 0x2000), EINVAL);
	assert_int_equal(rig_unmap(&rig, 2, 0, 0), 0);
	assert_int_equal(rig_unmap(&rig, 0, 0x20000, 0x2000), ENOENT);
	assert_int_equal(rig_unmap(&rig, 2, 0, 0), 0);
	rig_finish(&rig);
}

static void vu_server10_maps_and_unmaps_hundreds_of_times(void **state)
{
	int fd;

	(void)state;
	rig_start(&rig);
	fd = make_ram(true);
	for (unsigned int i = 0; i < 512; i++)
		assert_int_equal(rig_map(&rig, 3, 0, 0x100000 * (uint64_t)(i * 7 % 512), 0x1000,
					 i % 2 ? fd : -1),
				 0);
	assert_int_equal(rig_map(&rig, 3, 0, 0x100000ull * 512, 0x1000, -1), ENOSPC);
	assert_int_equal(rig_map(&rig, 3, 0, 0x100000ull * 512, 0x1000, fd), ENOSPC);
	for (unsigned int i = 0; i < 512; i++)
		assert_int_equal(rig_unmap(&rig, 0, 0x100000 * (uint64_t)(i * 5 % 512), 0x1000), 0);
	for (unsigned int i = 0; i < 1000; i++) {
		assert_int_equal(rig_map(&rig, 3, 0, 0xc0000, 0x10000, fd), 0);
		assert_int_equal(rig_unmap(&rig, 0, 0xc0000, 0x10000), 0);
	}
	close(fd);
	rig_finish(&rig);
}

static void vu_server11_reaches_only_what_is_mapped_for_it(void **state)
{
	int fd;

	(void)state;
	start("");
	fd = make_ram(true);
	assert_int_equal(rig_map(&rig, 1, 0, RAM_BASE, 0x1000, fd), 0);
	assert_int_equal(rig_map(&rig, 2, 0, RAM_BASE + 0x10000, 0x1000, fd), 0);
	command(TO_DEVICE, RAM_BASE, 0, 0x1000);
	rig_settle(&rig);
	want_status(DONE, 0, 0x1000);
	/* Read-only, write-only, past the end, before the beginning, nowhere. */
	command(FROM_DEVICE, 0, RAM_BASE, 16);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0);
	command(TO_DEVICE, RAM_BASE + 0x10000, 0, 16);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0);
	command(TO_DEVICE, RAM_BASE + 0x800, 0, 0x801);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0x800);
	command(TO_DEVICE, RAM_BASE - 1, 0, 2);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0);
	/* Nothing behind the answer to an unmap; a reset in between changes no mapping. */
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_write(&rig, 7, 4, 2, 6);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	want_status(DONE, 0, 16);
	assert_int_equal(rig_unmap(&rig, 0, RAM_BASE, 0x1000), 0);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0);
	close(fd);
	rig_finish(&rig);
}

/* RAM that becomes shorter under the server's hands: an error of the copy, and no signal. */
static void vu_server_survives_a_file_that_was_cut(void **state)
{
	int fd;

	(void)state;
	start("");
	fd = make_ram(false);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, fd), 0);
	assert_int_equal(ftruncate(fd, 0x1000), 0);
	command(TO_DEVICE, RAM_BASE, 0, 0x4000);
	rig_settle(&rig);
	want_status(FAILED, DMA_FAILED, 0x1000);
	close(fd);
	rig_finish(&rig);
}

static void vu_server_poison_fails_the_copy(void **state)
{
	struct cxlvm_dpa at = { 0x3000 };
	int fd;

	(void)state;
	start("");
	fd = make_ram(true);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, fd), 0);
	assert_int_equal(cxlvm_server_poison(rig.server, at, 64, true), 0);
	command(FROM_DEVICE, 0x2000, RAM_BASE, 0x2000);
	rig_settle(&rig);
	want_status(FAILED, MEMORY_FAILED, 0x1000);
	command(TO_DEVICE, RAM_BASE, 0x2000, 0x2000);
	rig_settle(&rig);
	want_status(DONE, 0, 0x2000);
	command(FROM_DEVICE, 0x2000, RAM_BASE, 0x2000);
	rig_settle(&rig);
	want_status(DONE, 0, 0x2000);
	close(fd);
	rig_finish(&rig);
}

/* A copy of the largest size does not keep the server from anything else. */
static void vu_server_long_copy_is_done_in_parts(void **state)
{
	unsigned int steps = 0;
	int fd;

	(void)state;
	start("");
	fd = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, 64 << 20), 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, 64 << 20, fd), 0);
	command(TO_DEVICE, RAM_BASE, 0, 64 << 20);
	while (!cxlvm_server_step(rig.server))
		steps++;
	assert_in_range(steps, 100, 1000);
	want_status(DONE, 0, 64 << 20);
	close(fd);
	rig_finish(&rig);
}

static uint64_t count_of(int fd)
{
	uint64_t value = 0;

	return read(fd, &value, sizeof(value)) == sizeof(value) ? value : 0;
}

static void vu_server12_interrupts_arrive_at_their_eventfds(void **state)
{
	int fds[4], ram, replacement;

	(void)state;
	start("");
	ram = make_ram(true);
	for (unsigned int i = 0; i < 4; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, ram), 0);
	/* As QEMU does: one vector without a descriptor, off, then each with its own. */
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, NULL, 0), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x21, 2, 0, 0, NULL, 0), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, fds, 1), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 1, 3, fds + 1, 3), 0);
	for (uint32_t vector = 0; vector < 4; vector++) {
		rig_write(&rig, 2, VECTOR, 4, vector);
		command(TO_DEVICE, RAM_BASE, 0, 16);
		rig_settle(&rig);
		for (uint32_t i = 0; i < 4; i++)
			assert_int_equal(count_of(fds[i]), i == vector);
	}
	/* Another descriptor for vector 2 takes the place of the first. */
	replacement = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 2, 1, &replacement, 1), 0);
	rig_write(&rig, 2, VECTOR, 4, 2);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	assert_int_equal(count_of(fds[2]), 0);
	assert_int_equal(count_of(replacement), 1);
	/* Resets of both kinds touch no descriptor. */
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_write(&rig, 7, 0x48, 2, 0x8000);
	rig_write(&rig, 7, 4, 2, 6);
	rig_write(&rig, 2, VECTOR, 4, 2);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	assert_int_equal(count_of(replacement), 1);
	/* Masked by the client: it waits. */
	assert_int_equal(rig_set_irqs(&rig, 0x09, 2, 2, 1, NULL, 0), 0);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	assert_int_equal(count_of(replacement), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x11, 2, 2, 1, NULL, 0), 0);
	assert_int_equal(count_of(replacement), 1);
	/* Vectors 2 and 3 taken away, then all. */
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 2, 2, NULL, 0), 0);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	assert_int_equal(count_of(replacement), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x21, 2, 0, 0, NULL, 0), 0);
	rig_write(&rig, 2, VECTOR, 4, 0);
	command(TO_DEVICE, RAM_BASE, 0, 16);
	rig_settle(&rig);
	assert_int_equal(count_of(fds[0]), 0);
	for (unsigned int i = 0; i < 4; i++)
		close(fds[i]);
	close(replacement);
	close(ram);
	rig_finish(&rig);
}

static void vu_server12_client_fires_interrupts_itself(void **state)
{
	uint8_t payload[23] = { 23, 0, 0, 0, 0x22, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0 };
	int fds[3];

	(void)state;
	rig_start(&rig);
	for (unsigned int i = 0; i < 3; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 1, 3, fds, 3), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x21, 2, 2, 2, NULL, 0), 0);
	assert_int_equal(count_of(fds[0]), 0);
	assert_int_equal(count_of(fds[1]), 1);
	assert_int_equal(count_of(fds[2]), 1);
	payload[20] = 1;
	payload[22] = 9;
	assert_int_equal(rig_call(&rig, RIG_SET_IRQS, payload, sizeof(payload)), 0);
	assert_int_equal(count_of(fds[0]), 1);
	assert_int_equal(count_of(fds[1]), 0);
	assert_int_equal(count_of(fds[2]), 1);
	/* a byte for each, and no more */
	for (uint8_t size = 20; size < 26; size++) {
		uint8_t other[26] = { 0 };

		memcpy(other, payload, sizeof(payload));
		other[0] = size;
		assert_int_equal(rig_call(&rig, RIG_SET_IRQS, other, size),
				 size == 23 ? 0 : EINVAL);
	}
	for (unsigned int i = 0; i < 3; i++)
		close(fds[i]);
	rig_finish(&rig);
}

static void vu_server12_set_irqs_rules(void **state)
{
	static const struct {
		uint32_t flags, index, start, count;
		unsigned int fds;
		int error;
	} cases[] = {
		{ 0x24, 5, 0, 1, 1, EINVAL }, /* no such index */
		{ 0x24, UINT32_MAX, 0, 1, 1, EINVAL },
		{ 0x24, 2, 4, 1, 1, EINVAL }, /* no such vector */
		{ 0x24, 2, 0, 5, 5, EINVAL },
		{ 0x24, 2, UINT32_MAX, 2, 2, EINVAL }, /* wraps */
		{ 0x24, 2, 1, UINT32_MAX, 1, EINVAL },
		{ 0x24, 2, 0, 2, 1, EINVAL }, /* descriptors and count differ */
		{ 0x24, 2, 0, 1, 2, EINVAL },
		{ 0x24, 2, 0, 0, 0, EINVAL },  /* descriptors for no vector */
		{ 0x24, 0, 0, 1, 1, EINVAL },  /* INTx: there is none */
		{ 0x26, 2, 0, 1, 1, EINVAL },  /* two kinds of data */
		{ 0x2c, 2, 0, 1, 1, EINVAL },  /* two actions */
		{ 0x04, 2, 0, 1, 1, EINVAL },  /* no action */
		{ 0x20, 2, 0, 1, 0, EINVAL },  /* no kind of data */
		{ 0x64, 2, 0, 1, 1, EINVAL },  /* unknown bit */
		{ 0x0c, 2, 0, 1, 1, EINVAL },  /* mask by eventfd */
		{ 0x21, 2, 0, 1, 1, EINVAL },  /* a descriptor where none belongs */
		{ 0x22, 2, 0, 1, 0, EINVAL },  /* bytes missing */
		{ 0x09, 3, 0, 1, 0, ENOTSUP }, /* ERR has no mask */
		{ 0x21, 0, 0, 0, 0, 0 },       /* off, although there is none */
		{ 0x21, 1, 0, 0, 0, 0 },
		{ 0x21, 2, 0, 0, 0, 0 },
		{ 0x24, 3, 0, 1, 1, 0 }, /* ERR and REQ have one each */
		{ 0x24, 4, 0, 1, 1, 0 },
		{ 0x21, 2, 0, 4, 0, 0 }, /* fired: nobody listens */
		{ 0x24, 2, 3, 1, 1, 0 },
	};
	int fds[5], pipes[2];

	(void)state;
	rig_start(&rig);
	for (unsigned int i = 0; i < 5; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(rig_set_irqs(&rig, cases[i].flags, cases[i].index, cases[i].start,
					      cases[i].count, fds, cases[i].fds),
				 cases[i].error);
	/* Not an eventfd: it might block whoever writes. */
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, pipes + 1, 1), EINVAL);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, &rig.fd, 1), EINVAL);
	close(pipes[0]);
	close(pipes[1]);
	for (unsigned int i = 0; i < 5; i++)
		close(fds[i]);
	rig_finish(&rig);
}

/* Its counter is full, and it blocks who writes: not the server, which does not write. */
static void vu_server13_never_blocks_at_an_eventfd(void **state)
{
	uint64_t full = UINT64_MAX - 1;
	int fd;

	(void)state;
	rig_start(&rig);
	fd = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(write(fd, &full, sizeof(full)), sizeof(full));
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, &fd, 1), 0);
	alarm(20);
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(rig_set_irqs(&rig, 0x21, 2, 0, 1, NULL, 0), 0);
	alarm(0);
	close(fd);
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vu_server_copies_through_shared_memory),
		cmocka_unit_test(vu_server16_copies_by_messages),
		cmocka_unit_test(vu_server_splits_messages_at_the_limit_of_the_client),
		cmocka_unit_test(vu_server_uses_the_twin_socket_when_asked),
		cmocka_unit_test(vu_server_copies_by_messages_on_the_twin_socket),
		cmocka_unit_test(vu_server16_checks_the_answers_to_its_messages),
		cmocka_unit_test(vu_server16_answers_while_it_waits_for_an_answer),
		cmocka_unit_test(vu_server_copy_waits_for_room_to_ask),
		cmocka_unit_test(vu_server16_gives_up_a_silent_client_after_a_while),
		cmocka_unit_test(vu_server10_dma_map_rules),
		cmocka_unit_test(vu_server11_dma_unmap_rules),
		cmocka_unit_test(vu_server10_maps_and_unmaps_hundreds_of_times),
		cmocka_unit_test(vu_server11_reaches_only_what_is_mapped_for_it),
		cmocka_unit_test(vu_server_survives_a_file_that_was_cut),
		cmocka_unit_test(vu_server_poison_fails_the_copy),
		cmocka_unit_test(vu_server_long_copy_is_done_in_parts),
		cmocka_unit_test(vu_server12_interrupts_arrive_at_their_eventfds),
		cmocka_unit_test(vu_server12_client_fires_interrupts_itself),
		cmocka_unit_test(vu_server12_set_irqs_rules),
		cmocka_unit_test(vu_server13_never_blocks_at_an_eventfd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user server against clients that want to end it, hold it, or mislead its device. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "vu_rig.h"

/* The copy engine, from docs/device.md: region 2. */
enum { DIRECTION = 0x08, VECTOR = 0x0c, SOURCE = 0x10, DESTINATION = 0x18, LENGTH = 0x20 };
enum { DOORBELL = 0x24, STATUS = 0x28, BYTES = 0x2c };
enum { TO_DEVICE, FROM_DEVICE, WITH_INTERRUPT = 0x100 };
enum { DONE = 2, FAILED = 4, DMA_FAILED = 7 };

#define READ_WRITE 3u
#define RAM_BASE   0x100000000ull
#define RAM_SIZE   0x20000u

static struct rig rig;

static void start(void)
{
	rig_start(&rig);
	rig_write(&rig, 7, 4, 2, 6);
}

static void copy(uint32_t direction, uint64_t source, uint64_t destination, uint32_t length)
{
	rig_write(&rig, 2, DIRECTION, 4, direction);
	rig_write(&rig, 2, SOURCE, 8, source);
	rig_write(&rig, 2, DESTINATION, 8, destination);
	rig_write(&rig, 2, LENGTH, 4, length);
	rig_write(&rig, 2, DOORBELL, 4, 1);
	rig_settle(&rig);
}

static void want_status(uint32_t status, uint32_t error, uint32_t bytes)
{
	assert_int_equal(rig_read(&rig, 2, STATUS, 4), status | error << 8);
	assert_int_equal(rig_read(&rig, 2, BYTES, 4), bytes);
}

static bool is_mapped(const char *name)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool found = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		found = found || strstr(line, name);
	fclose(maps);
	return found;
}

/*
 * Huge pages that the host has not: a sealed file maps well, and touching it is a SIGBUS. Where
 * there are some, the copy works, at any offset.
 */
static void vu_server_survives_huge_pages_that_are_not_there(void **state)
{
	static const uint64_t offsets[] = { 0, 0x1000 };
	bool sealed = false;

	(void)state;
	start();
	rig_write(&rig, 10, 0, 8, 0x1122334455667788);
	do {
		int fd = memfd_create("huge-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB |
							  21u << 26 /* 2 MiB */);
		void *all;
		bool there;

		if (fd < 0) {
			print_message("no huge pages of 2 MiB here: %s\n", strerror(errno));
			break;
		}
		sealed = !sealed;
		assert_int_equal(ftruncate(fd, 2 << 20), 0);
		if (sealed)
			assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
		/* With a reservation: only where there is one. */
		all = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		there = all != MAP_FAILED;
		for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
			assert_int_equal(
				rig_map(&rig, READ_WRITE, offsets[i], RAM_BASE, RAM_SIZE, fd), 0);
			copy(FROM_DEVICE, 0, RAM_BASE + 0x10, 8);
			want_status(there ? DONE : FAILED, there ? 0 : DMA_FAILED, there ? 8 : 0);
			if (there)
				assert_memory_equal((char *)all + offsets[i] + 0x10,
						    "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
			copy(TO_DEVICE, RAM_BASE + 0x10, 0x100, 8);
			/* Without a mapping the kernel reads zeros where there is nothing. */
			if (there)
				assert_int_equal(rig_read(&rig, 10, 0x100, 8), 0x1122334455667788);
			assert_int_equal(rig_unmap(&rig, 0, RAM_BASE, RAM_SIZE), 0);
		}
		if (there)
			munmap(all, 2 << 20);
		close(fd);
		assert_false(is_mapped("huge-ram"));
	} while (sealed);
	rig_finish(&rig);
}

/* Take the DMA message that must come; its header. */
static void take_request(uint8_t *head)
{
	assert_true(rig_receive(&rig, rig.fd));
	memcpy(head, rig.head, 16);
}

static void answer_read(const uint8_t *head, uint64_t iova, uint8_t data)
{
	uint8_t answer[48] = { 0 };

	memcpy(answer, head, 16);
	rig_put(answer + 4, 4, sizeof(answer));
	rig_put(answer + 8, 4, 1);
	rig_put(answer + 16, 8, iova);
	rig_put(answer + 24, 8, 16);
	memset(answer + 32, data, 16);
	rig_send(rig.fd, answer, sizeof(answer), NULL, 0);
	rig_settle(&rig);
}

/*
 * A copy that ended (by a reset, or because its memory was taken away) while the client was asked
 * for data: the answer is not that of the next copy from the same place.
 */
static void vu_server_asks_anew_for_a_copy_that_begins_anew(void **state)
{
	uint8_t old[16], new[16];

	(void)state;
	for (unsigned int way = 0; way < 4; way++) {
		start();
		assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
		copy(TO_DEVICE, RAM_BASE, 0, 16);
		take_request(old);
		switch (way) {
		case 0:
			assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
			break;
		case 1: /* and the answer is there already */
			assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
			answer_read(old, RAM_BASE, 0x11);
			break;
		case 2: /* function-level reset: PCIe device control, bit 15 */
			rig_write(&rig, 7, 0x48, 2, 0x8000);
			break;
		case 3:
			assert_int_equal(rig_unmap(&rig, 0, RAM_BASE, RAM_SIZE), 0);
			rig_settle(&rig);
			want_status(FAILED, DMA_FAILED, 0);
			assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
			break;
		}
		rig_write(&rig, 7, 4, 2, 6);
		copy(TO_DEVICE, RAM_BASE, 0, 16);
		if (way != 1)
			answer_read(old, RAM_BASE, 0x11);
		take_request(new);
		assert_int_not_equal(rig_get(old, 2), rig_get(new, 2));
		answer_read(new, RAM_BASE, 0x22);
		want_status(DONE, 0, 16);
		assert_int_equal(rig_read(&rig, 10, 0, 8), 0x2222222222222222);
		rig_finish(&rig);
	}
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Much work in few bytes, and no answer that has to be taken: many steps, none of them long. */
static void vu_server_does_a_bounded_part_in_one_step(void **state)
{
	enum { MESSAGES = 2000 };
	static uint8_t bytes[MESSAGES * 32];
	struct cxlvm_server_stats before, after;
	uint64_t most = 0, first;
	uint8_t read[16] = { 0 };
	size_t n = 0;

	(void)state;
	start();
	rig_put(read + 8, 4, 10);
	rig_put(read + 12, 4, 1 << 20);
	for (unsigned int i = 0; i < MESSAGES; i++)
		n += rig_message(&rig, bytes + n, RIG_REGION_READ, 0x10, read, sizeof(read));
	cxlvm_server_get_stats(rig.server, &before, sizeof(before));
	first = before.messages;
	rig_send(rig.fd, bytes, n, NULL, 0);
	while (rig_step(&rig)) {
		cxlvm_server_get_stats(rig.server, &after, sizeof(after));
		if (after.messages - before.messages > most)
			most = after.messages - before.messages;
		before = after;
	}
	assert_int_equal(before.messages - first, MESSAGES);
	assert_int_equal(before.errors, 0);
	assert_in_range(most, 1, 16);
	/* Small ones still come many at a time. */
	n = 0;
	memset(read, 0, sizeof(read));
	rig_put(read + 8, 4, 7);
	rig_put(read + 12, 4, 4);
	for (unsigned int i = 0; i < MESSAGES; i++)
		n += rig_message(&rig, bytes + n, RIG_REGION_READ, 0x10, read, sizeof(read));
	rig_send(rig.fd, bytes, n, NULL, 0);
	assert_true(rig_step(&rig));
	cxlvm_server_get_stats(rig.server, &after, sizeof(after));
	assert_true(after.messages - before.messages >= 1000);
	rig_settle(&rig);
	rig_finish(&rig);
}

/* Anybody can lock a folder like /tmp, and whoever starts a server there must not wait for him. */
static void vu_server_does_not_wait_for_a_locked_folder(void **state)
{
	char folder[] = "/tmp/cxlvm-locked-XXXXXX", path[64];
	struct cxlvm_server_config config = { .size = sizeof(config),
					      .memory_size = RIG_MEMORY_SIZE };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	unsigned int open_before = rig_open_files();
	struct cxlvm_server *server;
	uint64_t begin = now_ms();
	int fd;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	config.socket_path = path;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	alarm(20);
	assert_int_equal(cxlvm_server_create(&config, &server, &err), -EBUSY);
	alarm(0);
	assert_in_range(now_ms() - begin, 500, 10000);
	assert_non_null(strstr(err.message, path));
	assert_true(err.hint[0]);
	close(fd);
	assert_int_equal(cxlvm_server_create(&config, &server, &err), 0);
	cxlvm_server_destroy(server);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(rig_open_files(), open_before);
}

/* A TCP socket with data that nobody takes, and whose close is to wait for that. */
static int lingering_socket(int *peer)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct linger forever = { 1, 100000 };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	socklen_t size = sizeof(address);
	static const char data[65536];

	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(listen(listener, 1), 0);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, size), 0);
	*peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &forever, sizeof(forever)), 0);
	while (send(fd, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
	return fd;
}

/* The last reference to what a client sent is the server's: its close would take a day. */
static void vu_server_does_not_wait_in_close(void **state)
{
	uint8_t map[32] = { 32, 0, 0, 0, 3 }, bytes[48];
	uint64_t begin;
	int fd, peer;

	(void)state;
	rig_put(map + 24, 8, 0x1000);
	for (unsigned int way = 0; way < 3; way++) {
		start();
		fd = lingering_socket(&peer);
		/* with a whole message that is refused, with half of one, and with nonsense */
		rig_message(&rig, bytes, RIG_DMA_MAP, 0, map, sizeof(map));
		if (way == 2)
			rig_put(bytes + 4, 4, 3);
		rig_send(rig.fd, bytes, way ? 20 : sizeof(bytes), &fd, 1);
		close(fd);
		begin = now_ms();
		alarm(20);
		if (!way) {
			assert_true(rig_receive(&rig, rig.fd));
			assert_int_equal(rig_get(rig.head + 12, 4), EINVAL);
		} else {
			rig_settle(&rig);
		}
		rig_leave(&rig);
		alarm(0);
		assert_true(now_ms() - begin < 10000);
		close(peer);
		rig_finish(&rig);
	}
}

/*
 * A file that a file system has to be asked about, which a client may serve itself and never answer:
 * it is not used, and memory is reached by messages. This one is shorter than what it should hold,
 * which the server cannot know.
 */
static void vu_server_asks_no_file_system_about_a_clients_file(void **state)
{
	uint8_t head[16];
	int fd;

	(void)state;
	start();
	fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, fd), 0);
	close(fd);
	copy(TO_DEVICE, RAM_BASE, 0, 16);
	take_request(head);
	assert_int_equal(head[2], RIG_DMA_READ);
	answer_read(head, RAM_BASE, 0x33);
	want_status(DONE, 0, 16);
	assert_int_equal(rig_read(&rig, 10, 0, 8), 0x3333333333333333);
	rig_finish(&rig);
}

/* Its flags are the client's as well: data goes where it belongs, and the file does not grow. */
static void vu_server_writes_in_place_whatever_flags_a_file_has(void **state)
{
	uint8_t data[8] = { 0 };
	int fd;

	(void)state;
	start();
	fd = memfd_create("ram", MFD_CLOEXEC);
	rig_write(&rig, 10, 0, 8, 0x1122334455667788);
	assert_int_equal(ftruncate(fd, RAM_SIZE), 0);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, fd), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	copy(FROM_DEVICE, 0, RAM_BASE + 0x11, 8);
	want_status(DONE, 0, 8);
	assert_int_equal(lseek(fd, 0, SEEK_END), RAM_SIZE);
	assert_int_equal(pread(fd, data, 8, 0x11), 8);
	assert_memory_equal(data, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
	close(fd);
	rig_finish(&rig);
}

/* A second client gets its answer while the first one leaves the server no quiet moment. */
static void vu_server_refuses_a_second_client_beside_a_flood(void **state)
{
	static uint8_t bytes[64 * 32];
	uint8_t read[16] = { 0 }, byte;
	unsigned int steps = 0;
	size_t n = 0;
	int second;

	(void)state;
	start();
	rig_put(read + 8, 4, 10);
	rig_put(read + 12, 4, 1 << 20);
	for (unsigned int i = 0; i < 64; i++)
		n += rig_message(&rig, bytes + n, RIG_REGION_READ, 0x10, read, sizeof(read));
	second = rig_connect(&rig);
	while (recv(second, &byte, 1, MSG_DONTWAIT)) {
		/* as much as there is room for */
		while (send(rig.fd, bytes, n, MSG_DONTWAIT) == (ssize_t)n)
			;
		assert_true(rig_step(&rig));
		assert_true(steps++ < 100);
	}
	assert_int_equal(rig.refused, 1);
	assert_int_equal(rig.left, 0);
	close(second);
	rig_settle(&rig);
	rig_finish(&rig);
}

/* A command of the client where only answers belong: dropped, with that reason. */
static void vu_server_drops_who_commands_on_the_twin_socket(void **state)
{
	uint8_t bytes[16];
	size_t n;
	int twin;

	(void)state;
	rig_init(&rig);
	rig_agree(&rig, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
	twin = dup(rig.reply_fds[0]);
	n = rig_message(&rig, bytes, RIG_RESET, 0, NULL, 0);
	rig_send(twin, bytes, n, NULL, 0);
	assert_true(rig_is_closed(&rig, rig.fd));
	assert_int_equal(rig.left, 1);
	assert_non_null(strstr(rig.text, "command on the twin socket"));
	close(twin);
	rig_finish(&rig);
}

/* Each counter counts what its name says, once. */
static void vu_server_statistics_count(void **state)
{
	struct cxlvm_server_stats stats;
	eventfd_t count;
	int event, ram, second;

	(void)state;
	start();
	ram = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(ram, RAM_SIZE), 0);
	event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, ram), 0);
	assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, &event, 1), 0);
	rig_write(&rig, 2, VECTOR, 4, 0);
	/* two copies that work, one of memory that is not mapped; each ends with an interrupt */
	copy(TO_DEVICE | WITH_INTERRUPT, RAM_BASE, 0, 16);
	copy(FROM_DEVICE | WITH_INTERRUPT, 0, RAM_BASE, 24);
	copy(TO_DEVICE | WITH_INTERRUPT, RAM_BASE + RAM_SIZE, 0, 16);
	second = rig_connect(&rig);
	rig_settle(&rig);
	close(second);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	assert_int_equal(rig_try_read(&rig, 99, 0, 4), EINVAL);
	cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
	assert_int_equal(stats.clients, 1);
	assert_int_equal(stats.refused, 1);
	assert_int_equal(stats.resets, 2);
	assert_int_equal(stats.errors, 1);
	assert_int_equal(stats.interrupts, 3);
	assert_int_equal(eventfd_read(event, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(stats.dma_read, 16);
	assert_int_equal(stats.dma_written, 24);
	assert_int_equal(stats.dma_failed, 1);
	assert_int_equal(stats.dma_messages, 0);
	assert_int_equal(stats.dma_ranges, 1);
	assert_true(stats.connected);
	close(event);
	close(ram);
	rig_finish(&rig);
}

static time_t ahead_s;

/* The library's, too. */
int clock_gettime(clockid_t clock, struct timespec *now)
{
	int ret = (int)syscall(SYS_clock_gettime, clock, now);

	now->tv_sec += ahead_s;
	return ret;
}

/* A client that does not say its version, or half of it, has the device for 5 s and not longer. */
static void vu_server_drops_who_does_not_agree_in_time(void **state)
{
	static const uint8_t half[8] = { 1, 0, 1 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		rig_init(&rig);
		rig.fd = rig_connect(&rig);
		if (i)
			rig_send(rig.fd, half, sizeof(half), NULL, 0);
		rig_settle(&rig);
		assert_in_range(rig.wait, 1, 5000);
		ahead_s += 4;
		rig.wait = cxlvm_server_step(rig.server);
		assert_in_range(rig.wait, 1, 1000);
		assert_false(rig_is_closed(&rig, rig.fd));
		ahead_s += 1;
		rig.wait = cxlvm_server_step(rig.server);
		assert_true(rig_is_closed(&rig, rig.fd));
		assert_int_equal(rig.left, 1);
		assert_non_null(strstr(rig.text, "version"));
		assert_int_equal(rig.wait, -1);
		close(rig.fd);
		/* Who agreed may be silent. */
		rig_agree(&rig, "");
		ahead_s += 100;
		rig.wait = cxlvm_server_step(rig.server);
		assert_int_equal(rig.wait, -1);
		assert_int_equal(rig.left, 1);
		rig_finish(&rig);
	}
}

/* Too many descriptors, and of kinds that cannot be meant; all are closed, which rig_finish counts. */
static void vu_server3_hostile_descriptors_are_closed(void **state)
{
	static const unsigned int counts[] = { 1, 8, 16, 17, 253 };
	uint8_t map[32] = { 32, [4] = 3, [25] = 0x10 }, info[16] = { 16 };
	int fds[253], kinds[5], pipes[2];

	(void)state;
	rig_start(&rig);
	fds[0] = memfd_create("peer", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fds[0], 0x1000), 0);
	for (unsigned int i = 1; i < ARRAY_SIZE(fds); i++)
		fds[i] = fds[0];
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned int n = counts[i];

		assert_int_equal(rig_call_fds(&rig, RIG_RESET, NULL, 0, fds, n), EINVAL);
		assert_int_equal(rig_call_fds(&rig, RIG_GET_INFO, info, 16, fds, n), EINVAL);
		assert_int_equal(rig_call_fds(&rig, 77, NULL, 0, fds, n), ENOTSUP);
		assert_int_equal(rig_call_fds(&rig, RIG_DMA_MAP, map, 32, fds, n),
				 n == 1 ? 0 : EINVAL);
		assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, n, fds, n), EINVAL);
	}
	/* For an interrupt: a file, a folder, a pipe that nobody reads, a device, one read-only. */
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	close(pipes[0]);
	kinds[0] = fds[0];
	kinds[1] = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	kinds[2] = pipes[1];
	kinds[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
	kinds[4] = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		assert_int_equal(rig_set_irqs(&rig, 0x24, 2, 0, 1, &kinds[i], 1), EINVAL);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		close(kinds[i]);
	rig_finish(&rig);
}

/* Ids are the sender's: many commands may have one, also that of a command of the server. */
static void vu_server_equal_ids_are_answered_in_turn(void **state)
{
	uint8_t bytes[4 * 32], head[16], info[16] = { 16 }, read[16] = { [8] = 7, [12] = 4 };
	size_t n = 0;

	(void)state;
	start();
	for (unsigned int i = 0; i < 4; i++) {
		rig.id = 5;
		n += rig_message(&rig, bytes + n, i % 2 ? RIG_GET_INFO : RIG_REGION_READ, 0,
				 i % 2 ? info : read, 16);
	}
	rig_send(rig.fd, bytes, n, NULL, 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(rig_receive(&rig, rig.fd));
		assert_memory_equal(rig.head, bytes, 2);
		assert_int_equal(rig_get(rig.head + 2, 2), i % 2 ? RIG_GET_INFO : RIG_REGION_READ);
	}
	assert_int_equal(rig_map(&rig, READ_WRITE, 0, RAM_BASE, RAM_SIZE, -1), 0);
	copy(TO_DEVICE, RAM_BASE, 0, 16);
	take_request(head);
	n = rig_message(&rig, bytes, RIG_GET_INFO, 0, info, 16);
	memcpy(bytes, head, 2);
	rig_send(rig.fd, bytes, n, NULL, 0);
	assert_true(rig_receive(&rig, rig.fd));
	assert_memory_equal(rig.head, bytes, 4);
	assert_int_equal(rig.reply_size, 16);
	answer_read(head, RAM_BASE, 0x33);
	want_status(DONE, 0, 16);
	rig_finish(&rig);
}

/* An answer to nothing, also with descriptors, is dropped and counted. */
static void vu_server16_unsolicited_answers_are_dropped(void **state)
{
	uint8_t bytes[64], payload[32] = { 0 };
	struct cxlvm_server_stats stats;
	int fds[3];

	(void)state;
	start();
	fds[0] = fds[1] = fds[2] = rig.fd;
	for (uint16_t command = 0; command < 20; command++) {
		size_t n = rig_message(&rig, bytes, command, 1, payload, sizeof(payload));

		rig_send(rig.fd, bytes, n, fds, command % 4);
	}
	rig_settle(&rig);
	cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
	assert_int_equal(stats.errors, 20);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_finish(&rig);
}

/* A client that leaves after any byte of what a client says; the next one is served each time. */
static void vu_server15_clients_leave_after_each_byte(void **state)
{
	uint8_t bytes[256], info[16] = { 16 }, map[32] = { 32, [4] = 3, [25] = 0x10 };
	size_t n;

	(void)state;
	rig_init(&rig);
	n = rig_message(&rig, bytes, RIG_VERSION, 0, "\0\0\0\0{}", 7);
	n += rig_message(&rig, bytes + n, RIG_GET_INFO, 0, info, sizeof(info));
	n += rig_message(&rig, bytes + n, RIG_DMA_MAP, 0, map, sizeof(map));
	for (size_t cut = 0; cut <= n; cut++) {
		rig.fd = rig_connect(&rig);
		for (size_t i = 0; i < cut; i++) {
			rig_send(rig.fd, bytes + i, 1, NULL, 0);
			rig_settle(&rig);
		}
		rig_leave(&rig);
	}
	assert_int_equal(rig.left, n + 1);
	rig_agree(&rig, "");
	assert_int_equal(rig_map(&rig, 3, 0, 0, 0x1000, -1), 0);
	rig_finish(&rig);
}

/* What Linux and QEMU read of the headers is not the client's to change. */
static void vu_server9_read_only_config_space_stays(void **state)
{
	/* ids, class and header type, capability pointer, capability and DVSEC headers */
	static const struct {
		uint32_t at, size;
	} fixed[] = { { 0, 4 },      { 8, 4 },      { 0xe, 1 },   { 0x2c, 4 },   { 0x34, 1 },
		      { 0x40, 8 },   { 0x80, 2 },   { 0x84, 8 },  { 0x100, 12 }, { 0x110, 12 },
		      { 0x150, 10 }, { 0x160, 12 }, { 0x180, 12 } };
	uint8_t before[4096], ones[16];

	(void)state;
	rig_start(&rig);
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
	memcpy(before, rig.reply + 16, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
		assert_int_equal(
			rig_try_write(&rig, 7, fixed[i].at, fixed[i].size, ones, fixed[i].size), 0);
		for (uint32_t at = fixed[i].at; at < fixed[i].at + fixed[i].size; at++)
			assert_int_equal(rig_try_write(&rig, 7, at, 1, ones, 1), 0);
	}
	assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
	assert_memory_equal(rig.reply + 16, before, 4096);
	/* Status bits of the PCI Express capability apart, nothing at all behind the last one. */
	for (uint32_t at = 0x200; at < 4096; at += 16)
		assert_int_equal(rig_try_write(&rig, 7, at, 16, ones, 16), 0);
	assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
	assert_memory_equal(rig.reply + 16, before, 4096);
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vu_server3_hostile_descriptors_are_closed),
		cmocka_unit_test(vu_server_equal_ids_are_answered_in_turn),
		cmocka_unit_test(vu_server16_unsolicited_answers_are_dropped),
		cmocka_unit_test(vu_server15_clients_leave_after_each_byte),
		cmocka_unit_test(vu_server9_read_only_config_space_stays),
		cmocka_unit_test(vu_server_survives_huge_pages_that_are_not_there),
		cmocka_unit_test(vu_server_asks_anew_for_a_copy_that_begins_anew),
		cmocka_unit_test(vu_server_does_a_bounded_part_in_one_step),
		cmocka_unit_test(vu_server_does_not_wait_for_a_locked_folder),
		cmocka_unit_test(vu_server_does_not_wait_in_close),
		cmocka_unit_test(vu_server_asks_no_file_system_about_a_clients_file),
		cmocka_unit_test(vu_server_writes_in_place_whatever_flags_a_file_has),
		cmocka_unit_test(vu_server_refuses_a_second_client_beside_a_flood),
		cmocka_unit_test(vu_server_drops_who_commands_on_the_twin_socket),
		cmocka_unit_test(vu_server_statistics_count),
		cmocka_unit_test(vu_server_drops_who_does_not_agree_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ./dev bench vfio-user: what a message to a device in another process costs, over what its bytes
 * alone cost: a child that answers as many bytes as the server does, with one blocking receive and
 * one send. Server and child are processes of their own, client and peers on one processor or on
 * two. The copy is that of the device's engine, from guest memory into device memory, over memcpy
 * between the same two files.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cxlvm/vfio.h>

#include "bench.h"

#define ROUNDS      4000u
#define IN_FLIGHT   16u
#define COPY_BYTES  (16u << 20)
#define COPY_AT     0x40000000u
#define MEMORY_SIZE (256u << 20)

/* Bytes of messages, headers included, for 4 bytes of data. */
#define REQUEST      32u /* of a read; the answer to a write */
#define REQUEST_DATA 36u /* of a write; the answer to a read */

#define REGION_CONFIG 7u
#define REGION_ENGINE 2u
#define COMMAND       4u
#define BUS_MASTER    6u /* and Memory Space */
#define CACHE_LINE    0xcu

struct peer {
	pid_t pid;
	int fd; /* of a bare socket, to the child or the server */
};

struct context {
	char folder[32];
	struct peer echo;   /* answers bytes */
	struct peer server; /* behind the transport */
	struct peer raw;    /* a server that we write to ourselves */
	struct cxlvm_transport user;
	uint8_t *ram;    /* what the device reaches by DMA */
	uint8_t *memory; /* of the device */
	cpu_set_t processor[2];
};

static void die(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			die("send");
		p += sent;
		n -= (size_t)sent;
	}
}

static void receive_all(int fd, uint8_t *p, size_t n)
{
	while (n) {
		ssize_t got = recv(fd, p, n, 0);

		if (got <= 0)
			die("receive");
		p += got;
		n -= (size_t)got;
	}
}

/* The first byte says how long each request is: its answer has the other length. */
static void echo(int fd)
{
	static uint8_t bytes[IN_FLIGHT * REQUEST_DATA];
	size_t have = 0;

	for (;;) {
		ssize_t n = recv(fd, bytes + have, sizeof(bytes) - have, 0);
		size_t size, whole;

		if (n <= 0)
			_exit(0);
		have += (size_t)n;
		size = bytes[0];
		whole = have / size;
		if (!whole)
			continue;
		send_all(fd, bytes, whole * (REQUEST + REQUEST_DATA - size));
		have -= whole * size;
		memmove(bytes, bytes + whole * size, have);
		bytes[0] = (uint8_t)size;
	}
}

static void start_echo(struct context *c)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		die("socketpair");
	c->echo.pid = fork();
	if (!c->echo.pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		echo(pair[1]);
	}
	close(pair[1]);
	c->echo.fd = pair[0];
}

/* The server of this build: cli/cxlvm beside the folder of this program. */
static void start_server(struct peer *peer, const char *socket_path)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *end;

	if (n < 0)
		die("/proc/self/exe");
	path[n] = '\0';
	for (unsigned int i = 0; i < 2; i++) {
		end = strrchr(path, '/');
		if (end)
			*end = '\0';
	}
	strncat(path, "/cli/cxlvm", sizeof(path) - strlen(path) - 1);
	peer->pid = fork();
	if (peer->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!freopen("/dev/null", "w", stderr))
		_exit(1);
	execl(path, "cxlvm", "device", "--socket", socket_path, "--size", "256M", (char *)NULL);
	_exit(1);
}

/* It takes a moment until a server listens. */
static int try_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, path, strlen(path) + 1);
	for (unsigned int i = 0; i < 500; i++) {
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fd;
		usleep(10000);
	}
	die(path);
	return -1;
}

/* The version, by hand: nothing of our client is in the way. */
static void start_raw(struct context *c)
{
	static const uint8_t hello[20] = { 1, 0, 1, 0, 20 };
	uint8_t answer[4096];
	char path[64];

	snprintf(path, sizeof(path), "%s/raw", c->folder);
	start_server(&c->raw, path);
	c->raw.fd = try_connect(path);
	send_all(c->raw.fd, hello, sizeof(hello));
	receive_all(c->raw.fd, answer, 16);
	receive_all(c->raw.fd, answer + 16, (size_t)(answer[4] | answer[5] << 8) - 16);
}

/* A register access that failed: what is wrong with the server, if it is lost. */
static void die_lost(struct context *c, const char *what, int ret)
{
	struct cxlvm_error why = CXLVM_ERROR_INIT;

	c->user.ops->why_unusable(c->user.device, &why);
	fprintf(stderr, "bench: %s: %s\n", what, why.code ? why.message : strerror(-ret));
	exit(1);
}

static void write_register(struct context *c, uint32_t region, uint64_t offset, uint32_t value)
{
	uint8_t bytes[4];
	int ret;

	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	ret = c->user.ops->write(c->user.device, region, offset, bytes, 4);
	if (ret)
		die_lost(c, "register write", ret);
}

static uint32_t read_register(struct context *c, uint32_t region, uint64_t offset)
{
	uint8_t b[4];
	int ret = c->user.ops->read(c->user.device, region, offset, b, 4);

	if (ret)
		die_lost(c, "register read", ret);
	return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Guest memory for the engine, and the device memory as the guest would have it. */
static void share_memory(struct context *c)
{
	/* Sealed, as a server maps only what cannot get shorter below it. */
	int fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_dma_range range = {
		.base = { COPY_AT },
		.size = COPY_BYTES,
		.fd = fd,
		.writable = true,
	};
	struct cxlvm_map_request request = {
		.region = 10,
		.size = MEMORY_SIZE,
		.guest = { 0x140000000 },
		.alignment = 2u << 20,
	};
	void *memory;

	if (fd < 0 || ftruncate(fd, COPY_BYTES) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK))
		die("memfd");
	c->ram = mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c->ram == MAP_FAILED)
		die("mmap");
	range.address = c->ram;
	if (c->user.transport->dma_map(c->user.device, &range, &err) ||
	    c->user.ops->map(c->user.device, &request, &memory)) {
		fprintf(stderr, "bench: %s\n", err.message);
		exit(1);
	}
	close(fd);
	c->memory = memory;
	memset(c->ram, 0x5a, COPY_BYTES);
	memset(c->memory, 0, COPY_BYTES);
	write_register(c, REGION_CONFIG, COMMAND, BUS_MASTER);
}

/* What every host has that does not want each wait to have a time limit of its own. */
static void *watch(void *argument)
{
	const struct context *c = argument;
	struct pollfd poll_fd = {
		.fd = c->user.transport->poll_fd(c->user.device),
		.events = POLLIN,
	};

	while (poll(&poll_fd, 1, -1) >= 0)
		if (c->user.transport->service(c->user.device))
			break;
	return NULL;
}

static void start_watch(struct context *c)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, watch, c))
		die("thread");
	c->user.transport->polled(c->user.device, true);
}

static void start_transport(struct context *c)
{
	char path[64];
	struct cxlvm_user_config config = { .size = sizeof(config), .path = path };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	snprintf(path, sizeof(path), "%s/user", c->folder);
	start_server(&c->server, path);
	/* A client that leaves at once: the server is there then. */
	close(try_connect(path));
	if (cxlvm_user_open(&config, &c->user, &err)) {
		fprintf(stderr, "bench: %s\n", err.message);
		exit(1);
	}
	share_memory(c);
	start_watch(c);
}

/* The first two processors that there are; the second is the first where there is one only. */
static void find_processors(struct context *c)
{
	cpu_set_t allowed;
	unsigned int n = 0;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("processors");
	for (unsigned int i = 0; i < CPU_SETSIZE && n < 2; i++) {
		if (!CPU_ISSET(i, &allowed))
			continue;
		CPU_ZERO(&c->processor[n]);
		CPU_SET(i, &c->processor[n++]);
	}
	if (n == 1)
		c->processor[1] = c->processor[0];
}

/* Client on the first processor, the peers on it too or on the second. */
static void place(const struct context *c, unsigned int two)
{
	const pid_t pids[] = { c->echo.pid, c->server.pid, c->raw.pid };

	for (unsigned int i = 0; i < 3; i++)
		if (sched_setaffinity(pids[i], sizeof(cpu_set_t), &c->processor[two]))
			die("processors");
	if (sched_setaffinity(0, sizeof(cpu_set_t), &c->processor[0]))
		die("processors");
}

/* Nanoseconds of one round with the child: n requests of size bytes at once. */
static double bare(struct context *c, unsigned int size, unsigned int n)
{
	uint8_t bytes[IN_FLIGHT * REQUEST_DATA];
	unsigned int rounds = ROUNDS / n;
	uint64_t start;

	memset(bytes, (int)size, sizeof(bytes));
	start = bench_now();
	for (unsigned int i = 0; i < rounds; i++) {
		send_all(c->echo.fd, bytes, (size_t)n * size);
		receive_all(c->echo.fd, bytes, (size_t)n * (REQUEST + REQUEST_DATA - size));
		memset(bytes, (int)size, n);
	}
	return (double)(bench_now() - start) / (rounds * n);
}

static double bare_read(void *context, unsigned int two)
{
	place(context, two);
	return bare(context, REQUEST, 1);
}

static double bare_write(void *context, unsigned int two)
{
	place(context, two);
	return bare(context, REQUEST_DATA, 1);
}

static double bare_16(void *context, unsigned int two)
{
	place(context, two);
	return bare(context, REQUEST, IN_FLIGHT);
}

static double user_read(void *context, unsigned int two)
{
	struct context *c = context;
	uint64_t start;

	place(c, two);
	start = bench_now();
	for (unsigned int i = 0; i < ROUNDS; i++)
		bench_use(read_register(c, REGION_CONFIG, 0));
	return (double)(bench_now() - start) / ROUNDS;
}

static double user_write(void *context, unsigned int two)
{
	struct context *c = context;
	uint64_t start;

	place(c, two);
	start = bench_now();
	for (unsigned int i = 0; i < ROUNDS; i++)
		write_register(c, REGION_CONFIG, CACHE_LINE, 0);
	return (double)(bench_now() - start) / ROUNDS;
}

/* Nanoseconds for each of 16 reads that the server finds at once. */
static double raw_16(void *context, unsigned int two)
{
	struct context *c = context;
	uint8_t requests[IN_FLIGHT * REQUEST] = { 0 }, answers[IN_FLIGHT * REQUEST_DATA];
	unsigned int rounds = ROUNDS / IN_FLIGHT;
	uint64_t start;

	for (unsigned int i = 0; i < IN_FLIGHT; i++) {
		uint8_t *p = requests + i * REQUEST;

		p[0] = (uint8_t)i;
		p[2] = 9;
		p[4] = REQUEST;
		p[24] = REGION_CONFIG;
		p[28] = 4;
	}
	place(c, two);
	start = bench_now();
	for (unsigned int i = 0; i < rounds; i++) {
		send_all(c->raw.fd, requests, sizeof(requests));
		receive_all(c->raw.fd, answers, sizeof(answers));
	}
	return (double)(bench_now() - start) / (rounds * IN_FLIGHT);
}

/* Microseconds of one copy by the engine, from the doorbell to the status that says done. */
static double engine_copy(void *context, unsigned int two)
{
	struct context *c = context;
	uint64_t start;
	uint32_t status;

	place(c, two);
	write_register(c, REGION_ENGINE, 0x08, 0);
	write_register(c, REGION_ENGINE, 0x10, COPY_AT);
	write_register(c, REGION_ENGINE, 0x18, 0);
	write_register(c, REGION_ENGINE, 0x20, COPY_BYTES);
	c->memory[COPY_BYTES - 1] = 0;
	start = bench_now();
	write_register(c, REGION_ENGINE, 0x24, 1);
	do {
		status = read_register(c, REGION_ENGINE, 0x28);
	} while (status & 1);
	start = bench_now() - start;
	if (status != 2 || c->memory[COPY_BYTES - 1] != 0x5a) {
		fprintf(stderr, "bench: the engine says 0x%x\n", status);
		exit(1);
	}
	return (double)start / 1000;
}

static double plain_copy(void *context, unsigned int two)
{
	struct context *c = context;
	uint64_t start;

	place(c, two);
	start = bench_now();
	memcpy(c->memory, c->ram, COPY_BYTES);
	return (double)(bench_now() - start) / 1000;
}

static struct bench_case cases[] = {
	{ .name = "bare_read_1cpu", .unit = "ns", .run = bare_read },
	{ .name = "read_1cpu", .unit = "ns", .run = user_read },
	{ .name = "bare_write_1cpu", .unit = "ns", .run = bare_write },
	{ .name = "write_1cpu", .unit = "ns", .run = user_write },
	{ .name = "bare_read_2cpus", .unit = "ns", .run = bare_read, .argument = 1 },
	{ .name = "read_2cpus", .unit = "ns", .run = user_read, .argument = 1 },
	{ .name = "bare_write_2cpus", .unit = "ns", .run = bare_write, .argument = 1 },
	{ .name = "write_2cpus", .unit = "ns", .run = user_write, .argument = 1 },
	{ .name = "bare_16_in_flight_1cpu", .unit = "ns", .run = bare_16 },
	{ .name = "16_in_flight_1cpu", .unit = "ns", .run = raw_16 },
	{ .name = "bare_16_in_flight_2cpus", .unit = "ns", .run = bare_16, .argument = 1 },
	{ .name = "16_in_flight_2cpus", .unit = "ns", .run = raw_16, .argument = 1 },
	{ .name = "memcpy_16M", .unit = "us", .run = plain_copy },
	{ .name = "dma_copy_16M_1cpu", .unit = "us", .run = engine_copy },
	{ .name = "dma_copy_16M_2cpus", .unit = "us", .run = engine_copy, .argument = 1 },
};

static const struct bench_ratio ratios[] = {
	{ "read over bare, 1 cpu", "read_1cpu", "bare_read_1cpu", 1, 0, 1.1 },
	{ "write over bare, 1 cpu", "write_1cpu", "bare_write_1cpu", 1, 0, 1.1 },
	{ "read over bare, 2 cpus", "read_2cpus", "bare_read_2cpus", 1, 0, 0 },
	{ "write over bare, 2 cpus", "write_2cpus", "bare_write_2cpus", 1, 0, 0 },
	{ "16 in flight over bare, 1 cpu", "16_in_flight_1cpu", "bare_16_in_flight_1cpu", 1, 0, 0 },
	{ "16 in flight over bare, 2 cpus", "16_in_flight_2cpus", "bare_16_in_flight_2cpus", 1, 0,
	  0 },
	{ "dma copy over memcpy, 1 cpu", "dma_copy_16M_1cpu", "memcpy_16M", 1, 0, 0 },
	{ "dma copy over memcpy, 2 cpus", "dma_copy_16M_2cpus", "memcpy_16M", 1, 0, 0 },
};

static void stop(struct peer *peer)
{
	if (peer->pid > 0 && !kill(peer->pid, SIGTERM))
		waitpid(peer->pid, NULL, 0);
}

int main(int argc, char **argv)
{
	struct context c = { .folder = "/tmp/cxlvm-bench-XXXXXX" };
	struct bench bench = {
		.name = "vfio-user",
		.cases = cases,
		.n_cases = sizeof(cases) / sizeof(cases[0]),
		.ratios = ratios,
		.n_ratios = sizeof(ratios) / sizeof(ratios[0]),
		.context = &c,
		.notes =
			"one message and its answer, 4 bytes of data; bare: the same bytes through a "
			"socket pair to a child\nin flight: 16 requests in one send, time of each",
	};
	int status;

	find_processors(&c);
	if (!mkdtemp(c.folder))
		die("temporary folder");
	start_echo(&c);
	start_raw(&c);
	start_transport(&c);
	status = bench_main(&bench, argc, argv);
	stop(&c.echo);
	stop(&c.raw);
	stop(&c.server);
	/* The servers took their sockets with them. */
	rmdir(c.folder);
	return status;
}

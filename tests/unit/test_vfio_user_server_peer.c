/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user server and clients that are processes of their own: killed in the midst of
 * anything, and waited for inside of the receive.
 */
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vu_rig.h"

/* Clients killed in each phase. */
#define ROUNDS 20

/* Bytes that the engine copies for who is killed: many steps of it. */
#define COPY ((uint64_t)64 << 20)

enum phase {
	CONNECTED,
	VERSION_BEGUN,
	VERSION_ASKED, /* the answer is under way */
	AGREED,
	REGION_INFO_ASKED, /* the answer, with a descriptor, is under way */
	MAP_BEGUN,         /* the descriptor is there, the message is not */
	MAPPED,
	EVENTFDS_SET,
	WRITE_BEGUN, /* a large one, most of which is missing */
	ENGINE_COPIES,
	ENGINE_ASKS, /* the server waits for an answer to DMA_READ */
	PHASES,
};

static struct rig rig;

/* What follows runs in the client, where a failed check must not go on with the tests. */
static void must(bool condition)
{
	if (!condition)
		_exit(1);
}

static int client_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, rig.path, sizeof(rig.path));
	must(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* The first part bytes of a message; passed: a descriptor with it, or -1. */
static void client_send(int fd, uint16_t command, const void *payload, uint32_t size, size_t part,
			int passed)
{
	static uint8_t bytes[(1 << 16) + 64];
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	size_t n = rig_message(&rig, bytes, command, 0, payload, size);
	struct iovec iov = { bytes, part < n ? part : n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (passed >= 0) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(cmsg), &passed, sizeof(passed));
	}
	must(sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
}

/* A command whose answer is no error. */
static void client_call(int fd, uint16_t command, const void *payload, uint32_t size, int passed)
{
	uint8_t answer[512];
	uint32_t more;

	client_send(fd, command, payload, size, SIZE_MAX, passed);
	must(recv(fd, answer, 16, MSG_WAITALL) == 16);
	must(rig_get(answer + 8, 4) == 1);
	more = (uint32_t)rig_get(answer + 4, 4) - 16;
	must(more <= sizeof(answer));
	must(!more || recv(fd, answer, more, MSG_WAITALL) == (ssize_t)more);
}

static void client_agree(int fd)
{
	static const char payload[] = "\0\0\0\0{\"capabilities\":{\"max_msg_fds\":8}}";

	client_call(fd, RIG_VERSION, payload, sizeof(payload), -1);
}

static void client_access(uint8_t *payload, uint32_t region, uint64_t offset, uint32_t count)
{
	rig_put(payload, 8, offset);
	rig_put(payload + 8, 4, region);
	rig_put(payload + 12, 4, count);
}

static void client_write(int fd, uint32_t region, uint64_t offset, uint64_t value)
{
	uint8_t payload[24];

	client_access(payload, region, offset, 4);
	rig_put(payload + 16, 8, value);
	client_call(fd, RIG_REGION_WRITE, payload, 20, -1);
}

/* COPY bytes of guest memory at address 0, or only as addresses that have to be asked for. */
static void client_map(int fd, bool with_memory)
{
	uint8_t payload[32] = { 32, 0, 0, 0, 3 };
	int memory = with_memory ? memfd_create("peer", MFD_CLOEXEC) : -1;

	must(!with_memory || !ftruncate(memory, (off_t)COPY));
	rig_put(payload + 24, 8, COPY);
	client_call(fd, RIG_DMA_MAP, payload, sizeof(payload), memory);
}

/* All of the engine's registers but the doorbell. */
static void client_prepare_copy(int fd)
{
	client_write(fd, 7, 4, 6);
	client_write(fd, 2, 0x20, COPY);
}

static void client_ring(int fd)
{
	uint8_t payload[20];

	client_access(payload, 2, 0x24, 4);
	rig_put(payload + 16, 4, 1);
	client_send(fd, RIG_REGION_WRITE, payload, sizeof(payload), SIZE_MAX, -1);
}

/* Go up to a phase, say so, and wait for the end. */
static void client_live(enum phase phase, int said)
{
	static uint8_t payload[1 << 16];
	int fd = client_connect(), event;

	if (phase > VERSION_ASKED)
		client_agree(fd);
	switch (phase) {
	case VERSION_BEGUN:
	case VERSION_ASKED:
		client_send(fd, RIG_VERSION, payload, 4, phase == VERSION_BEGUN ? 10 : SIZE_MAX,
			    -1);
		break;
	case REGION_INFO_ASKED:
		rig_put(payload, 4, 512);
		rig_put(payload + 8, 4, 10);
		client_send(fd, RIG_GET_REGION_INFO, payload, 32, SIZE_MAX, -1);
		break;
	case MAP_BEGUN:
		client_send(fd, RIG_DMA_MAP, payload, 32, 20, memfd_create("peer", MFD_CLOEXEC));
		break;
	case MAPPED:
		client_map(fd, true);
		break;
	case EVENTFDS_SET:
		event = eventfd(0, EFD_CLOEXEC);
		rig_put(payload, 4, 20);
		rig_put(payload + 4, 4, 0x24);
		rig_put(payload + 8, 4, 2);
		rig_put(payload + 16, 4, 1);
		client_call(fd, RIG_SET_IRQS, payload, 20, event);
		break;
	case WRITE_BEGUN:
		client_access(payload, 10, 0, sizeof(payload) - 16);
		client_send(fd, RIG_REGION_WRITE, payload, sizeof(payload), 1000, -1);
		break;
	case ENGINE_COPIES:
	case ENGINE_ASKS:
		client_map(fd, phase == ENGINE_COPIES);
		client_prepare_copy(fd);
		break;
	default:
		break;
	}
	must(write(said, "", 1) == 1);
	/* Whoever kills waits for the engine to be at it. */
	if (phase == ENGINE_COPIES || phase == ENGINE_ASKS)
		client_ring(fd);
	for (;;)
		pause();
}

static pid_t start_client(enum phase phase, int *said)
{
	int pipes[2];
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pipes[0]);
		client_live(phase, pipes[1]);
	}
	close(pipes[1]);
	*said = pipes[0];
	return pid;
}

/* Has the server's last step said that the engine is where the phase wants it? */
static bool engine_is_at(enum phase phase)
{
	return phase == ENGINE_COPIES ? rig.wait == 0 : phase == ENGINE_ASKS ? rig.wait > 0 : true;
}

static void kill_one(enum phase phase)
{
	struct cxlvm_server_stats stats;
	int said, status;
	pid_t pid = start_client(phase, &said);
	struct pollfd poll_fd = { .fd = said, .events = POLLIN };
	unsigned int left = rig.left;
	uint8_t byte;

	/* Single steps: it is said before the engine starts, which must not be done by then. */
	while (!poll(&poll_fd, 1, 0))
		if (!rig_step(&rig))
			usleep(100);
	assert_int_equal(read(said, &byte, 1), 1);
	for (unsigned int i = 0; i < 10000 && !engine_is_at(phase); i++)
		if (!rig_step(&rig))
			usleep(1000);
	assert_true(engine_is_at(phase));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	close(said);
	rig_settle(&rig);
	assert_int_equal(rig.left, left + 1);
	cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
	assert_false(stats.connected);
	assert_int_equal(stats.dma_ranges, 0);
}

/* Of the memory that clients gave. */
static unsigned int mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned int n = 0;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		n += strstr(line, "/memfd:peer") != NULL;
	fclose(maps);
	return n;
}

static void vu_server15_client_killed_in_each_phase_leaves_nothing(void **state)
{
	unsigned int files;
	size_t heap = 0;

	(void)state;
	rig_init(&rig);
	files = rig_open_files();
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (enum phase phase = 0; phase < PHASES; phase++) {
			kill_one(phase);
			assert_int_equal(rig_open_files(), files);
			assert_int_equal(mappings(), 0);
			/* The next one gets a device as after power on. */
			rig_agree(&rig, "");
			assert_int_equal(rig_read(&rig, 2, 0x28, 4), 0);
			assert_int_equal(rig_read(&rig, 7, 4, 2) & 4, 0);
			rig_leave(&rig);
		}
		/* What is made once was made in the first round. */
		if (!round)
			heap = mallinfo2().uordblks;
	}
	assert_int_equal(mallinfo2().uordblks, heap);
	rig_finish(&rig);
}

/* A client that asks, and asks again as soon as it is answered. */
static pid_t start_asking(unsigned int times)
{
	pid_t pid = fork();
	uint8_t payload[16];
	int fd;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = client_connect();
	client_agree(fd);
	client_access(payload, 7, 0, 4);
	for (unsigned int i = 0; i < times; i++)
		client_call(fd, RIG_REGION_READ, payload, sizeof(payload), -1);
	_exit(0);
}

static void on_alarm(int signal)
{
	(void)signal;
}

/* As its owner calls it: with a timer that ends the wait for a client that says nothing. */
static int linger(void)
{
	const struct itimerval period = { { .tv_usec = 10000 }, { .tv_usec = 10000 } };
	const struct itimerval never = { 0 };
	const struct sigaction action = { .sa_handler = on_alarm };
	int wait;

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &period, NULL), 0);
	wait = cxlvm_server_linger(rig.server);
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	return wait;
}

/* Calls of linger until a client that asks so often was answered and is gone. */
static unsigned int linger_calls(unsigned int times)
{
	struct pollfd poll_fd = { .fd = cxlvm_server_fd(rig.server), .events = POLLIN };
	unsigned int calls = 0, left = rig.left;
	pid_t pid = start_asking(times);
	int status;

	while (rig.left == left) {
		assert_int_equal(poll(&poll_fd, 1, 20000), 1);
		/* -1, or what is left of the time for its version */
		assert_int_not_equal(linger(), 0);
		calls++;
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return calls;
}

static void vu_server_linger_answers_what_follows_and_returns(void **state)
{
	enum { TIMES = 20000 };
	unsigned int calls;

	(void)state;
	rig_init(&rig);
	calls = linger_calls(TIMES);
	/* Not one for each message. */
	assert_true(calls < TIMES / 4);
	/* Nor one for all: what else the owner serves gets its turn. */
	assert_true(calls > 3);
	rig_finish(&rig);
}

/* Nothing else to do is the condition: while the engine copies, a call is a step. */
static void vu_server_linger_does_not_wait_while_the_engine_copies(void **state)
{
	uint8_t map[32] = { 32, 0, 0, 0, 3 };
	struct cxlvm_server_stats stats;
	unsigned int calls = 0;
	int fd;

	(void)state;
	rig_start(&rig);
	fd = memfd_create("peer", MFD_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)COPY), 0);
	rig_put(map + 24, 8, COPY);
	assert_int_equal(rig_call_fds(&rig, RIG_DMA_MAP, map, sizeof(map), &fd, 1), 0);
	close(fd);
	rig_write(&rig, 7, 4, 4, 6);
	rig_write(&rig, 2, 0x20, 4, COPY);
	rig_write(&rig, 2, 0x24, 4, 1);
	do {
		rig.wait = linger();
		calls++;
	} while (!rig.wait);
	/* A part of the copy each. */
	assert_true(calls > 10);
	cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
	assert_int_equal(stats.dma_read, COPY);
	rig_finish(&rig);
}

/* A client that says nothing more or half of something, and the end of one, inside of the wait. */
static void vu_server_linger_ends_with_a_signal_or_the_client(void **state)
{
	uint8_t half[8] = { 0 };

	(void)state;
	rig_start(&rig);
	assert_int_equal(linger(), -1);
	assert_int_equal(rig.left, 0);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	assert_int_equal(send(rig.fd, half, sizeof(half), 0), sizeof(half));
	assert_int_equal(linger(), -1);
	assert_int_equal(linger(), -1);
	assert_int_equal(rig.left, 0);
	close(rig.fd);
	rig.fd = -1;
	assert_int_equal(linger(), -1);
	assert_int_equal(rig.left, 1);
	rig_finish(&rig);
}

static bool fail_adds;

/* Of the C library: what it gives for a new descriptor when the user watches too many. */
int epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && fail_adds) {
		errno = ENOSPC;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll, op, fd, event);
}

/* Whom nobody would be woken for again is sent away; the next client is served. */
static void vu_server_linger_drops_whom_it_cannot_watch_again(void **state)
{
	(void)state;
	rig_start(&rig);
	fail_adds = true;
	assert_int_equal(linger(), -1);
	fail_adds = false;
	assert_int_equal(rig.left, 1);
	rig_leave(&rig);
	rig_agree(&rig, "");
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vu_server15_client_killed_in_each_phase_leaves_nothing),
		cmocka_unit_test(vu_server_linger_answers_what_follows_and_returns),
		cmocka_unit_test(vu_server_linger_does_not_wait_while_the_engine_copies),
		cmocka_unit_test(vu_server_linger_ends_with_a_signal_or_the_client),
		cmocka_unit_test(vu_server_linger_drops_whom_it_cannot_watch_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

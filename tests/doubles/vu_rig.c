/* SPDX-License-Identifier: BSD-3-Clause */
#include "vu_rig.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* So often an answer is looked for while the server has nothing to do. */
#define PATIENCE 2

#define PART ((size_t)64 << 10)

void rig_put(uint8_t *p, unsigned int bytes, uint64_t value)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

uint64_t rig_get(const uint8_t *p, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)p[i] << 8 * i;
	return value;
}

unsigned int rig_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void on_event(void *owner, enum cxlvm_server_event event, const char *text)
{
	struct rig *rig = owner;

	rig->came += event == CXLVM_SERVER_CLIENT_CAME;
	rig->left += event == CXLVM_SERVER_CLIENT_LEFT;
	rig->refused += event == CXLVM_SERVER_CLIENT_REFUSED;
	snprintf(rig->text, sizeof(rig->text), "%s", text);
	if (event == CXLVM_SERVER_CLIENT_REFUSED)
		snprintf(rig->refusal, sizeof(rig->refusal), "%s", text);
}

void rig_init(struct rig *rig)
{
	rig_init_exposed(rig, false);
}

static void serve(struct rig *rig, const char *memory_file, bool exposed)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_server_config config = {
		.size = sizeof(config),
		.socket_path = rig->path,
		.memory_size = RIG_MEMORY_SIZE,
		.memory_file = memory_file,
		.serial = 0x1122334455667788,
		.expose_memory_bar = exposed,
		.owner = rig,
		.event = on_event,
	};

	if (cxlvm_server_create(&config, &rig->server, &err))
		fail_msg("%s", err.message);
}

void rig_init_exposed(struct rig *rig, bool exposed)
{
	memset(rig, 0, sizeof(*rig));
	rig->fd = rig->wait = -1;
	rig->open_before = rig_open_files();
	strcpy(rig->folder, "/tmp/cxlvm-rig-XXXXXX");
	assert_non_null(mkdtemp(rig->folder));
	snprintf(rig->path, sizeof(rig->path), "%s/socket", rig->folder);
	serve(rig, NULL, exposed);
}

void rig_restart(struct rig *rig, const char *memory_file)
{
	cxlvm_server_destroy(rig->server);
	serve(rig, memory_file, false);
}

void rig_finish(struct rig *rig)
{
	if (rig->fd >= 0)
		close(rig->fd);
	rig_close_reply_fds(rig);
	cxlvm_server_destroy(rig->server);
	/* Only empty when the server removed its socket. */
	assert_int_equal(rmdir(rig->folder), 0);
	assert_int_equal(rig_open_files(), rig->open_before);
}

bool rig_step(struct rig *rig)
{
	struct pollfd pfd = { .fd = cxlvm_server_fd(rig->server), .events = POLLIN };

	if (rig->wait && !poll(&pfd, 1, 0))
		return false;
	rig->wait = cxlvm_server_step(rig->server);
	return true;
}

void rig_settle(struct rig *rig)
{
	unsigned int n = 0;

	while (rig_step(rig))
		/* Else it spins. */
		assert_true(n++ < 100000);
}

int rig_connect(struct rig *rig)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_in_range(snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig->path), 1,
			sizeof(address.sun_path) - 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

size_t rig_message(struct rig *rig, uint8_t *to, uint16_t command, uint32_t flags,
		   const void *payload, uint32_t size)
{
	rig_put(to, 2, ++rig->id);
	rig_put(to + 2, 2, command);
	rig_put(to + 4, 4, 16 + size);
	rig_put(to + 8, 4, flags);
	rig_put(to + 12, 4, 0);
	if (size)
		memcpy(to + 16, payload, size);
	return 16 + size;
}

void rig_send(int fd, const void *bytes, size_t size, const int *fds, unsigned int n_fds)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n_fds) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, MSG_NOSIGNAL), (ssize_t)size);
}

void rig_close_reply_fds(struct rig *rig)
{
	for (unsigned int i = 0; i < rig->n_reply_fds; i++)
		close(rig->reply_fds[i]);
	rig->n_reply_fds = 0;
}

/* Exactly size bytes, and the descriptors that come with them. */
static bool receive_all(struct rig *rig, int fd, uint8_t *to, size_t size)
{
	unsigned int idle = 0;
	size_t done = 0;

	while (done < size && idle < PATIENCE) {
		char control[CMSG_SPACE(16 * sizeof(int))];
		struct iovec iov = { to + done, size - done };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof(control) };
		struct cmsghdr *cmsg;
		ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

		if (!n || (n < 0 && errno != EAGAIN))
			return false;
		if (n < 0) {
			idle = rig_step(rig) ? 0 : idle + 1;
			continue;
		}
		done += (size_t)n;
		cmsg = CMSG_FIRSTHDR(&msg);
		if (!cmsg)
			continue;
		rig->n_reply_fds = (unsigned int)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(rig->reply_fds, CMSG_DATA(cmsg), rig->n_reply_fds * sizeof(int));
	}
	return done == size;
}

bool rig_receive(struct rig *rig, int fd)
{
	rig_close_reply_fds(rig);
	if (!receive_all(rig, fd, rig->head, 16))
		return false;
	rig->reply_size = (uint32_t)rig_get(rig->head + 4, 4) - 16;
	assert_true(rig->reply_size <= sizeof(rig->reply));
	return receive_all(rig, fd, rig->reply, rig->reply_size);
}

bool rig_is_closed(struct rig *rig, int fd)
{
	uint8_t byte;
	ssize_t n;

	rig_settle(rig);
	n = recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
	/* What the server did not read any more makes the end a reset. */
	return !n || (n < 0 && errno == ECONNRESET);
}

int rig_call_fds(struct rig *rig, uint16_t command, const void *payload, uint32_t size,
		 const int *fds, unsigned int n_fds)
{
	static uint8_t bytes[(1 << 20) + 64];
	size_t n = rig_message(rig, bytes, command, 0, payload, size);
	uint32_t flags, error;

	/* In parts that the socket takes while the server is not stepped. */
	for (size_t at = 0; at < n; at += PART, n_fds = 0) {
		rig_send(rig->fd, bytes + at, n - at < PART ? n - at : PART, fds, n_fds);
		if (n > PART)
			rig_step(rig);
	}
	assert_true(rig_receive(rig, rig->fd));
	assert_memory_equal(rig->head, bytes, 4);
	flags = (uint32_t)rig_get(rig->head + 8, 4);
	error = (uint32_t)rig_get(rig->head + 12, 4);
	if (flags == 1) {
		assert_int_equal(error, 0);
		return 0;
	}
	/* A bare header with a positive errno and nothing else. */
	assert_int_equal(flags, 0x21);
	assert_in_range(error, 1, 4095);
	assert_int_equal(rig->reply_size, 0);
	assert_int_equal(rig->n_reply_fds, 0);
	return (int)error;
}

int rig_call(struct rig *rig, uint16_t command, const void *payload, uint32_t size)
{
	return rig_call_fds(rig, command, payload, size, NULL, 0);
}

void rig_agree(struct rig *rig, const char *json)
{
	uint8_t payload[512] = { 0 };
	uint32_t size = 4;

	if (*json) {
		size += (uint32_t)strlen(json) + 1;
		assert_true(size <= sizeof(payload));
		memcpy(payload + 4, json, size - 4);
	}
	rig->fd = rig_connect(rig);
	assert_int_equal(rig_call(rig, RIG_VERSION, payload, size), 0);
}

void rig_start(struct rig *rig)
{
	rig_init(rig);
	rig_agree(rig, "{\"capabilities\":{\"max_msg_fds\":16}}");
}

void rig_leave(struct rig *rig)
{
	close(rig->fd);
	rig->fd = -1;
	rig_settle(rig);
}

int rig_try_read(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count)
{
	uint8_t payload[16];
	int ret;

	rig_put(payload, 8, offset);
	rig_put(payload + 8, 4, region);
	rig_put(payload + 12, 4, count);
	ret = rig_call(rig, RIG_REGION_READ, payload, sizeof(payload));
	if (!ret) {
		assert_int_equal(rig->reply_size, 16 + count);
		assert_memory_equal(rig->reply, payload, 16);
	}
	return ret;
}

int rig_try_write(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count,
		  const void *data, uint32_t size)
{
	static uint8_t payload[(1 << 20) + 32];
	int ret;

	rig_put(payload, 8, offset);
	rig_put(payload + 8, 4, region);
	rig_put(payload + 12, 4, count);
	memcpy(payload + 16, data, size);
	ret = rig_call(rig, RIG_REGION_WRITE, payload, 16 + size);
	if (!ret) {
		assert_int_equal(rig->reply_size, 16);
		assert_memory_equal(rig->reply, payload, 16);
	}
	return ret;
}

uint64_t rig_read(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count)
{
	assert_int_equal(rig_try_read(rig, region, offset, count), 0);
	return rig_get(rig->reply + 16, count);
}

void rig_write(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count, uint64_t value)
{
	uint8_t data[8];

	rig_put(data, 8, value);
	assert_int_equal(rig_try_write(rig, region, offset, count, data, count), 0);
}

int rig_map(struct rig *rig, uint32_t flags, uint64_t offset, uint64_t iova, uint64_t size, int fd)
{
	uint8_t payload[32];

	rig_put(payload, 4, sizeof(payload));
	rig_put(payload + 4, 4, flags);
	rig_put(payload + 8, 8, offset);
	rig_put(payload + 16, 8, iova);
	rig_put(payload + 24, 8, size);
	return rig_call_fds(rig, RIG_DMA_MAP, payload, sizeof(payload), &fd, fd >= 0);
}

int rig_unmap(struct rig *rig, uint32_t flags, uint64_t iova, uint64_t size)
{
	uint8_t payload[24];
	int ret;

	rig_put(payload, 4, sizeof(payload));
	rig_put(payload + 4, 4, flags);
	rig_put(payload + 8, 8, iova);
	rig_put(payload + 16, 8, size);
	ret = rig_call(rig, RIG_DMA_UNMAP, payload, sizeof(payload));
	if (!ret) {
		assert_int_equal(rig->reply_size, sizeof(payload));
		assert_memory_equal(rig->reply, payload, sizeof(payload));
	}
	return ret;
}

int rig_set_irqs(struct rig *rig, uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
		 const int *fds, unsigned int n_fds)
{
	uint8_t payload[20];

	rig_put(payload, 4, sizeof(payload));
	rig_put(payload + 4, 4, flags);
	rig_put(payload + 8, 4, index);
	rig_put(payload + 12, 4, start);
	rig_put(payload + 16, 4, count);
	return rig_call_fds(rig, RIG_SET_IRQS, payload, sizeof(payload), fds, n_fds);
}

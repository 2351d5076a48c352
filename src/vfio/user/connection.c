/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/user/connection.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/math.h"

/* Reads of the socket in one connection_service: a server that floods us gets its turn again. */
#define SERVICE_ROUNDS 16

/* A whole handshake, in times of what one message may take. */
#define HANDSHAKE_TIMES 2

/* So much data is copied behind its header, which costs less than a second piece of a message. */
#define DATA_COPIED 64u

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

/* An errno from the other side of a socket. */
#define ERRNO_MAX 4095u

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t after_ms(unsigned int ms)
{
	return now_ns() + (uint64_t)ms * 1000000u;
}

/*
 * No way back: a late answer would be taken for that of a later message. Whoever polls the socket
 * sees that it was shut down.
 */
int connection_give_up(struct connection *conn, int code, const char *what)
{
	if (!conn->lost) {
		cxlvm_error_set(&conn->why, code, "%s", what);
		shutdown(conn->fd, SHUT_RDWR);
	}
	conn->lost = true;
	return -ENODEV;
}

static int give_up_errno(struct connection *conn, int code)
{
	if (code == -EAGAIN || code == -ETIMEDOUT)
		return connection_give_up(conn, -ETIMEDOUT, "the server does not answer");
	if (code == -EPROTO)
		return connection_give_up(conn, code, "the server breaks the framing of messages");
	if (__atomic_load_n(&conn->overdue, __ATOMIC_RELAXED))
		return connection_give_up(conn, -ETIMEDOUT, "the server does not answer");
	if (code == -EPIPE || code == -ECONNRESET)
		return connection_give_up(conn, -ENODEV, "the server closed the connection");
	return connection_give_up(conn, code, strerror(-code));
}

/* Poll until end. 0, -ETIMEDOUT or another negative errno. */
static int wait_for(const struct connection *conn, short events, uint64_t end)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = conn->fd, .events = events };
		uint64_t now = now_ns();
		uint64_t left = end > now ? (end - now + 999999) / 1000000 : 0;
		int n = poll(&poll_fd, 1, (int)left);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!left)
			return -ETIMEDOUT;
	}
}

/* Time that a wait may take, from now on: 0 means that nothing has been waited for yet. */
static uint64_t wait_end(const struct connection *conn, uint64_t *end)
{
	if (conn->handshake_end)
		return conn->handshake_end;
	if (!*end)
		*end = after_ms(conn->timeout_ms);
	return *end;
}

/*
 * More bytes. The first wait is in the receive itself, which the socket's own timeout ends or
 * connection_end_wait: one system call less on the way of every register read.
 */
static int receive(struct connection *conn, bool first, uint64_t *end)
{
	ssize_t n;

	if (first && !conn->handshake_end) {
		__atomic_store_n(&conn->waits, conn->waits + 1, __ATOMIC_RELAXED);
		n = conn->no_fds ? vu_stream_receive_bytes_wait(&conn->stream)
				 : vu_stream_receive_wait(&conn->stream);
		__atomic_store_n(&conn->waits, conn->waits + 1, __ATOMIC_RELAXED);
		if (n == -EINTR)
			return 0;
	} else {
		int ret = wait_for(conn, POLLIN, wait_end(conn, end));

		n = ret ? ret : vu_stream_receive(&conn->stream);
		/* Polled, and taken by nobody else: the kernel dropped what it had. */
		if (!ret && n == -EAGAIN)
			return 0;
	}
	if (n > 0)
		return 0;
	return give_up_errno(conn, n ? (int)n : -EPIPE);
}

/*
 * Send all of it. While there is no room, what arrives is taken in: the server may be waiting for
 * room as well.
 */
static int send_all(struct connection *conn, const uint8_t *head, size_t head_size,
		    const uint8_t *data, size_t data_size, const int *fds, unsigned int n_fds,
		    uint64_t *end)
{
	for (;;) {
		ssize_t n = vu_stream_send(conn->fd, head, head_size, data, data_size, fds, n_fds);
		short events = POLLOUT;
		size_t part;
		int ret;

		if (n < 0 && n != -EAGAIN)
			return give_up_errno(conn, (int)n);
		if (n > 0) {
			n_fds = 0;
			part = (size_t)n < head_size ? (size_t)n : head_size;
			head += part;
			head_size -= part;
			part = (size_t)n - part;
			/* Without data there is no address to add to. */
			if (part)
				data += part;
			data_size -= part;
			if (!head_size && !data_size)
				return 0;
			if (!head_size) {
				head = data;
				head_size = data_size;
				data_size = 0;
			}
			continue;
		}
		if (conn->stream.end - conn->stream.start < conn->stream.capacity)
			events |= POLLIN;
		ret = wait_for(conn, events, wait_end(conn, end));
		if (ret)
			return give_up_errno(conn, ret);
		if (events & POLLIN) {
			n = vu_stream_receive(&conn->stream);
			if (n <= 0 && n != -EAGAIN)
				return give_up_errno(conn, n ? (int)n : -EPIPE);
		}
	}
}

/* What a server may ask: memory that was announced to it. */
static int serve(struct connection *conn, const struct vu_message *message, uint64_t *end)
{
	struct vu_header answer = message->header;
	uint8_t head[VU_HEADER_BYTES + VU_DMA_BYTES];
	const uint8_t *request = message->payload, *data = NULL;
	uint32_t error = 0, size = 0, data_size = 0;
	struct cxlvm_iova base;
	uint64_t count;
	bool write;
	void *memory;

	write = message->header.command == VU_DMA_WRITE;
	if (message->header.command != VU_DMA_READ && !write) {
		error = ENOSYS;
	} else if (vu_message_check(message)) {
		error = EINVAL;
	} else {
		base.value = get_le64(request + VU_DMA_ADDRESS);
		count = get_le64(request + VU_DMA_COUNT);
		if (!count || count > CONNECTION_DATA_MAX ||
		    (write && count != message->payload_size - VU_DMA_BYTES))
			error = EINVAL;
		memory = error ? NULL : ranges_reach(conn->ranges, base, count, write);
		if (!error && !memory)
			error = EFAULT;
		if (!error && write)
			memcpy(memory, request + VU_DMA_BYTES, count);
		if (!error) {
			memcpy(head + VU_HEADER_BYTES, request, VU_DMA_BYTES);
			size = VU_DMA_BYTES;
			data = write ? NULL : memory;
			data_size = write ? 0 : (uint32_t)count;
		}
	}
	if (message->header.flags & VU_FLAG_NO_REPLY)
		return 0;
	answer.size = VU_HEADER_BYTES + size + data_size;
	answer.flags = VU_TYPE_REPLY | (error ? VU_FLAG_ERROR : 0);
	answer.error = error;
	vu_header_encode(head, &answer);
	return send_all(conn, head, VU_HEADER_BYTES + size, data, data_size, NULL, 0, end);
}

/* Is this the answer to what was asked last? Nothing else may come. */
static bool is_answer(const struct connection *conn, const struct call *call,
		      const struct vu_message *message)
{
	return message->header.id == conn->id && message->header.command == call->command;
}

static int take_answer(struct connection *conn, struct call *call, struct vu_message *message)
{
	uint32_t size = message->payload_size;
	size_t part;

	(void)conn;
	if (message->header.flags & VU_FLAG_ERROR) {
		uint32_t error = message->header.error;

		return error && error <= ERRNO_MAX ? -(int)error : -EIO;
	}
	if (vu_message_check(message) || size < call->reply_size)
		return -EPROTO;
	if (call->reply_size)
		memcpy(call->reply, message->payload, call->reply_size);
	call->got = size - call->reply_size;
	part = call->got < call->reply_room ? call->got : call->reply_room;
	if (part)
		memcpy(call->reply_data, message->payload + call->reply_size, part);
	if (message->n_fds == 1)
		call->fd = vu_message_take_fd(message, 0);
	return message->n_fds > 1 ? -EPROTO : 0;
}

/*
 * All whole messages that are there. 1: one of them was the answer to call, and *result is what it
 * says; 0: none was; -ENODEV. A server that keeps asking does not answer: after each of its requests
 * it is looked at the time.
 */
static int handle(struct connection *conn, struct call *call, int *result, uint64_t *end)
{
	struct vu_message message;
	bool answered = false;
	int ret;

	while ((ret = vu_stream_next(&conn->stream, &message)) > 0) {
		if (vu_header_type(&message.header) == VU_TYPE_COMMAND) {
			ret = serve(conn, &message, end);
			if (!ret && now_ns() > wait_end(conn, end))
				ret = give_up_errno(conn, -ETIMEDOUT);
		} else if (call && !answered && is_answer(conn, call, &message)) {
			*result = take_answer(conn, call, &message);
			answered = true;
			ret = 0;
		} else {
			ret = connection_give_up(conn, -EPROTO,
						 "the server answers what was not asked");
		}
		vu_message_close_fds(&message);
		if (ret)
			break;
	}
	if (ret == -EPROTO)
		ret = give_up_errno(conn, ret);
	return ret ? ret : answered;
}

int connection_call(struct connection *conn, struct call *call)
{
	uint8_t head[VU_HEADER_BYTES + VU_DATA_OVERHEAD + DATA_COPIED];
	size_t head_size = VU_HEADER_BYTES + call->head_size, data_size = call->data_size;
	struct vu_header header = {
		.id = ++conn->id,
		.command = call->command,
		.size = (uint32_t)(head_size + data_size),
		.flags = VU_TYPE_COMMAND,
	};
	uint64_t end = 0;
	int result = 0, ret;

	call->got = 0;
	call->fd = -1;
	if (conn->lost)
		return -ENODEV;
	vu_header_encode(head, &header);
	if (call->head_size)
		memcpy(head + VU_HEADER_BYTES, call->head, call->head_size);
	if (data_size && data_size <= DATA_COPIED) {
		memcpy(head + head_size, call->data, data_size);
		head_size += data_size;
		data_size = 0;
	}
	ret = send_all(conn, head, head_size, call->data, data_size, call->fds, call->n_fds, &end);
	for (bool first = true; !ret; first = false) {
		ret = receive(conn, first, &end);
		if (!ret)
			ret = handle(conn, call, &result, &end);
	}
	if (ret > 0)
		ret = result;
	if (ret && call->fd >= 0) {
		vu_fd_close(call->fd);
		call->fd = -1;
	}
	return ret;
}

int connection_service(struct connection *conn)
{
	int ret = conn->lost ? -ENODEV : 0;
	uint64_t end = 0;

	for (unsigned int i = 0; !ret && i < SERVICE_ROUNDS; i++) {
		ssize_t n = vu_stream_receive(&conn->stream);

		if (n == -EAGAIN) {
			conn->no_fds = conn->refuses_fds;
			return 0;
		}
		if (n <= 0)
			return give_up_errno(conn, n ? (int)n : -EPIPE);
		ret = handle(conn, NULL, NULL, &end);
	}
	return ret;
}

static int set_limit(const struct connection *conn, int option, unsigned int ms)
{
	struct timeval limit = {
		.tv_sec = (time_t)(ms / 1000),
		.tv_usec = (suseconds_t)(ms % 1000) * 1000,
	};

	return setsockopt(conn->fd, SOL_SOCKET, option, &limit, sizeof(limit));
}

/* It was set before, so it can be. */
void connection_limit(struct connection *conn, bool limited)
{
	(void)set_limit(conn, SO_RCVTIMEO, limited ? conn->timeout_ms : 0);
}

void connection_end_wait(struct connection *conn, uint32_t wait)
{
	/* A next one that has begun meanwhile would be ended: the server answered at the last moment. */
	if (__atomic_load_n(&conn->waits, __ATOMIC_RELAXED) != wait)
		return;
	__atomic_store_n(&conn->overdue, true, __ATOMIC_RELAXED);
	shutdown(conn->fd, SHUT_RDWR);
}

/* A queue that is full makes connect wait, so that is bounded as well. */
static int connect_to(struct connection *conn, const char *path, struct cxlvm_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ret;

	memcpy(address.sun_path, path, strlen(path));
	conn->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		return cxlvm_error_set(err, -errno, "socket: %s", strerror(errno));
	ret = set_limit(conn, SO_RCVTIMEO, conn->timeout_ms);
	if (!ret)
		ret = set_limit(conn, SO_SNDTIMEO, conn->timeout_ms);
	if (!ret)
		do {
			ret = connect(conn->fd, (struct sockaddr *)&address, sizeof(address));
		} while (ret && errno == EINTR);
	if (!ret)
		return 0;
	ret = errno == EAGAIN ? -ETIMEDOUT : -errno;
	cxlvm_error_set(err, ret, "%s", strerror(-ret));
	if (ret == -ENOENT || ret == -ECONNREFUSED)
		cxlvm_error_hint(err, "start the server first: cxlvm device --socket %s", path);
	else if (ret == -ETIMEDOUT)
		cxlvm_error_hint(err, "the server has another client: end that one first");
	else if (ret == -EACCES)
		cxlvm_error_hint(err, "be the user who has started the server: ls -l %s", path);
	close(conn->fd);
	conn->fd = -1;
	return ret;
}

/* What the server says about itself, as far as it binds us. */
static int check_version(struct connection *conn, const struct vu_version *version,
			 struct cxlvm_error *err)
{
	const struct vu_capabilities *caps = &version->caps;

	if (version->major != VU_MAJOR || version->minor > VU_MINOR) {
		cxlvm_error_set(err, -EPROTONOSUPPORT, "version %u.%u of the protocol, not %u.%u",
				version->major, version->minor, VU_MAJOR, VU_MINOR);
		cxlvm_error_hint(err, "use a server of version %u.x", VU_MAJOR);
		return -EPROTONOSUPPORT;
	}
	if (!caps->max_data_xfer_size || !caps->pgsizes || caps->twin_socket)
		return cxlvm_error_set(err, -EPROTO,
				       "max_data_xfer_size %" PRIu64 ", pgsizes 0x%" PRIx64
				       ", twin socket %s: cannot be",
				       caps->max_data_xfer_size, caps->pgsizes,
				       caps->twin_socket ? "without being asked for" : "none");
	conn->server = *caps;
	return 0;
}

static int negotiate(struct connection *conn, struct cxlvm_error *err)
{
	struct vu_version version = { .major = VU_MAJOR, .minor = VU_MINOR };
	uint8_t request[VU_VERSION_SEND_MAX], text[VU_VERSION_MAX];
	struct call call = {
		.command = VU_VERSION,
		.reply_data = text,
		.reply_room = sizeof(text),
	};
	int ret;

	vu_capabilities_default(&version.caps);
	version.caps.max_msg_fds = VU_FDS_MAX;
	version.caps.max_data_xfer_size = CONNECTION_DATA_MAX;
	ret = vu_version_encode(request, &version);
	if (ret < 0)
		return cxlvm_error_set(err, ret, "version message: %s", strerror(-ret));
	call.data = request;
	call.data_size = (size_t)ret;
	ret = connection_call(conn, &call);
	if (call.fd >= 0) {
		vu_fd_close(call.fd);
		ret = -EPROTO;
	}
	if (!ret && (call.got > sizeof(text) || vu_version_decode(&version, text, call.got)))
		ret = -EPROTO;
	if (!ret)
		return check_version(conn, &version, err);
	if (ret == -ENODEV && conn->lost)
		ret = conn->why.code;
	cxlvm_error_set(err, ret, "on version %u.%u: %s%s", VU_MAJOR, VU_MINOR,
			conn->lost || ret == -EPROTO ? "" : "the server refuses it: ",
			conn->lost ? conn->why.message : strerror(-ret));
	if (ret == -EPROTO)
		cxlvm_error_hint(err, "is this the socket of a vfio-user server, such as cxlvm "
				      "device --socket?");
	else if (conn->lost)
		cxlvm_error_hint(err, "if the server has another client, end that one first");
	else
		cxlvm_error_hint(err, "use a server of version %u.x of the protocol", VU_MAJOR);
	return ret;
}

int connection_open(struct connection *conn, const char *path, unsigned int timeout_ms,
		    const struct ranges *ranges, struct cxlvm_error *err)
{
	int ret;

	memset(conn, 0, sizeof(*conn));
	conn->timeout_ms = timeout_ms;
	conn->ranges = ranges;
	conn->handshake_end = after_ms(HANDSHAKE_TIMES * timeout_ms);
	ret = connect_to(conn, path, err);
	if (ret)
		return ret;
	ret = vu_stream_init(&conn->stream, conn->fd, CONNECTION_DATA_MAX + VU_DATA_OVERHEAD);
	if (ret) {
		close(conn->fd);
		conn->fd = -1;
		return cxlvm_error_set(err, ret, "no memory for a connection");
	}
	ret = negotiate(conn, err);
	if (ret)
		connection_close(conn);
	return ret;
}

void connection_ready(struct connection *conn)
{
	const int no = 0;

	conn->handshake_end = 0;
	/* Kernels before 6.16 do not know it: each receive has room for descriptors then. */
	conn->refuses_fds = !setsockopt(conn->fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
	(void)connection_service(conn);
}

void connection_close(struct connection *conn)
{
	if (conn->fd < 0)
		return;
	vu_stream_finish(&conn->stream);
	close(conn->fd);
	conn->fd = -1;
}

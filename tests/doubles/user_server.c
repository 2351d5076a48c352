/* SPDX-License-Identifier: BSD-3-Clause */
#include "user_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake.h"
#include "test.h"

#define ANSWER_MAX (16 + 32 + (1u << 20))
#define FDS_MAX    253 /* that a message can have */

static uint64_t get(const uint8_t *p, unsigned int n)
{
	return fake_get(p, n);
}

static void put(uint8_t *p, unsigned int n, uint64_t value)
{
	for (unsigned int i = 0; i < n; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

void user_server_init(struct user_server *server)
{
	static atomic_uint number;

	memset(server, 0, sizeof(*server));
	snprintf(server->path, sizeof(server->path), "/tmp/cxlvm-user-%d-%u", getpid(),
		 atomic_fetch_add(&number, 1));
	server->memory_size = FAKE_MEMORY_SIZE;
	server->vectors = US_VECTORS;
	server->memory_fd = server->client = -1;
	server->version_json = "{\"capabilities\":{\"max_msg_fds\":2,\"later\":{\"a\":[1,null]}}}";
	for (unsigned int i = 0; i < US_VECTORS; i++)
		server->eventfds[i] = -1;
	pthread_mutex_init(&server->mutex, NULL);
	pthread_cond_init(&server->changed, NULL);
}

/* Exactly n bytes and the descriptors with them; false at the end of the stream. */
static bool read_exactly(int fd, void *buf, size_t n, int *fds, unsigned int *n_fds)
{
	while (n) {
		union {
			struct cmsghdr align;
			char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		} control;
		struct iovec iov = { buf, n };
		struct msghdr msg = { .msg_iov = &iov,
				      .msg_iovlen = 1,
				      .msg_control = &control,
				      .msg_controllen = sizeof(control) };
		ssize_t got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
		struct cmsghdr *cmsg = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

		if (got <= 0)
			return false;
		if (cmsg) {
			*n_fds = (unsigned int)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
			memcpy(fds, CMSG_DATA(cmsg), *n_fds * sizeof(int));
		}
		buf = (char *)buf + got;
		n -= (size_t)got;
	}
	return true;
}

static bool send_bytes(int fd, const uint8_t *p, size_t n, const int *fds, unsigned int n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = { .bytes = { 0 } };

	while (n) {
		struct iovec iov = { (void *)(uintptr_t)p, n };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t sent;

		if (n_fds) {
			struct cmsghdr *cmsg;

			msg.msg_control = &control;
			msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
			cmsg = CMSG_FIRSTHDR(&msg);
			cmsg->cmsg_level = SOL_SOCKET;
			cmsg->cmsg_type = SCM_RIGHTS;
			cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
			memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
		}
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		n_fds = 0;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

struct request {
	uint8_t header[16];
	uint8_t *payload; /* ANSWER_MAX bytes */
	uint32_t size;    /* of the payload */
	int fds[FDS_MAX];
	unsigned int n_fds;
};

struct answer {
	uint8_t *bytes; /* header and payload */
	uint32_t size;  /* of the payload */
	int fds[FDS_MAX];
	unsigned int n_fds;
};

static uint32_t answer_version(struct user_server *server, uint8_t *out)
{
	size_t n = server->version_json ? strlen(server->version_json) + 1 : 0;

	put(out, 2, 0);
	put(out + 2, 2, server->version_minor);
	if (n)
		memcpy(out + 4, server->version_json, n);
	return (uint32_t)(4 + n);
}

static int answer_region_info(struct user_server *server, const struct request *request,
			      struct answer *answer)
{
	uint8_t bytes[4096] = { 0 }, *out = answer->bytes + 16;
	uint32_t argsz = (uint32_t)get(request->payload, 4);
	uint32_t index = (uint32_t)get(request->payload + 8, 4);
	size_t needed = 0;
	int ret = server->sim.ops->region_info(server->sim.device, index, bytes, sizeof(bytes),
					       &needed);

	if (ret)
		return ret;
	put(bytes + 24, 8, 0);
	answer->size = 32;
	if (argsz >= needed) {
		answer->size = (uint32_t)needed;
		/* mmap: all of a typed region, which is the device memory */
		if (index >= 9 && get(bytes + 4, 4) & 4)
			answer->fds[answer->n_fds++] = server->memory_fd;
	} else {
		put(bytes + 4, 4, get(bytes + 4, 4) & ~8u);
		put(bytes + 12, 4, 0);
	}
	memcpy(out, bytes, answer->size);
	return 0;
}

static int answer_access(struct user_server *server, const struct request *request, bool read,
			 struct answer *answer)
{
	const struct cxlvm_device_ops *ops = server->sim.ops;
	uint64_t offset = get(request->payload, 8);
	uint32_t region = (uint32_t)get(request->payload + 8, 4);
	uint32_t count = (uint32_t)get(request->payload + 12, 4);

	memcpy(answer->bytes + 16, request->payload, 16);
	answer->size = read ? 16 + count : 16;
	if (read)
		return ops->read(server->sim.device, region, offset, answer->bytes + 32, count);
	if (request->size != 16 + count)
		return -EINVAL;
	return ops->write(server->sim.device, region, offset, request->payload + 16, count);
}

static int answer_irqs(struct user_server *server, const struct request *request)
{
	uint32_t flags = (uint32_t)get(request->payload + 4, 4);
	uint32_t start = (uint32_t)get(request->payload + 12, 4);
	uint32_t count = (uint32_t)get(request->payload + 16, 4);

	if (get(request->payload, 4) != 20 || get(request->payload + 8, 4) != 2)
		return -EINVAL;
	if (flags == 0x21 && !start && !count)
		count = server->vectors;
	else if (flags != 0x24 || start + count > server->vectors ||
		 (request->n_fds && request->n_fds != count))
		return -EINVAL;
	pthread_mutex_lock(&server->mutex);
	for (uint32_t i = 0; i < count; i++) {
		int *fd = &server->eventfds[start + i];

		if (*fd >= 0)
			close(*fd);
		*fd = request->n_fds ? dup(request->fds[i]) : -1;
	}
	pthread_mutex_unlock(&server->mutex);
	return 0;
}

/* A good answer: 0 or negative errno. */
static int make_answer(struct user_server *server, const struct request *request,
		       struct answer *answer)
{
	uint8_t *out = answer->bytes + 16;
	size_t needed;

	switch (get(request->header + 2, 2)) {
	case US_VERSION:
		answer->size = answer_version(server, out);
		return 0;
	case US_DMA_MAP:
		return request->size == 32 ? 0 : -EINVAL;
	case US_DMA_UNMAP:
		answer->size = 24;
		memcpy(out, request->payload, 24);
		return request->size == 24 ? 0 : -EINVAL;
	case US_GET_INFO:
		answer->size = 16;
		server->sim.ops->info(server->sim.device, out, 16, &needed);
		put(out, 4, 16);
		if (!server->keep_cxl_flag)
			put(out + 4, 4, get(out + 4, 4) & ~0x200u);
		return 0;
	case US_REGION_INFO:
		return answer_region_info(server, request, answer);
	case US_IRQ_INFO:
		answer->size = 16;
		memcpy(out, request->payload, 16);
		put(out + 4, 4, 1);
		put(out + 12, 4, get(out + 8, 4) == 2 ? server->vectors : get(out + 8, 4) > 2);
		return 0;
	case US_SET_IRQS:
		return answer_irqs(server, request);
	case US_READ:
		return answer_access(server, request, true, answer);
	case US_WRITE:
		return answer_access(server, request, false, answer);
	case US_RESET:
		return server->sim.transport->reset(server->sim.device);
	default:
		return -EINVAL;
	}
}

static void note(struct user_server *server, const struct request *request)
{
	struct us_message *message;

	pthread_mutex_lock(&server->mutex);
	if (server->n_seen == US_SEEN_MAX)
		abort();
	message = &server->seen[server->n_seen++];
	*message = (struct us_message){
		.id = (uint16_t)get(request->header, 2),
		.command = (uint16_t)get(request->header + 2, 2),
		.size = (uint32_t)get(request->header + 4, 4),
		.flags = (uint32_t)get(request->header + 8, 4),
		.error = (uint32_t)get(request->header + 12, 4),
		.n_fds = request->n_fds,
		.fd = request->n_fds ? dup(request->fds[0]) : -1,
	};
	memcpy(message->payload, request->payload,
	       request->size < US_SEEN_BYTES ? request->size : US_SEEN_BYTES);
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->mutex);
}

/* One message, whole. */
static bool read_message(struct user_server *server, struct request *request)
{
	request->n_fds = 0;
	if (!read_exactly(server->client, request->header, 16, request->fds, &request->n_fds))
		return false;
	request->size = (uint32_t)get(request->header + 4, 4) - 16;
	if (request->size > ANSWER_MAX ||
	    !read_exactly(server->client, request->payload, request->size, request->fds,
			  &request->n_fds))
		return false;
	note(server, request);
	return true;
}

static void close_request_fds(struct request *request)
{
	for (unsigned int i = 0; i < request->n_fds; i++)
		close(request->fds[i]);
}

/* The rules that are due for this message, in their order. */
static unsigned int due_rules(struct user_server *server, unsigned int command, struct us_rule *due)
{
	unsigned int n = 0;

	pthread_mutex_lock(&server->mutex);
	for (unsigned int i = 0; i < server->n_rules; i++) {
		struct us_rule *rule = &server->rules[i];

		if (rule->command && rule->command != command)
			continue;
		rule->count++;
		if (!rule->nth || rule->nth == rule->count)
			due[n++] = *rule;
	}
	pthread_mutex_unlock(&server->mutex);
	return n;
}

/* Requests of ours first: each is answered before anything else is done. */
static bool ask_first(struct user_server *server, const struct us_rule *rule)
{
	struct request reply = { .payload = malloc(ANSWER_MAX) };
	bool ok = send_bytes(server->client, rule->bytes, (size_t)rule->a, NULL, 0);

	for (int64_t i = 0; ok && i < rule->b; i++) {
		usleep((useconds_t)rule->c * 1000);
		ok = read_message(server, &reply);
		close_request_fds(&reply);
	}
	free(reply.payload);
	return ok;
}

static void error_answer(struct answer *answer, int64_t error)
{
	answer->size = 0;
	answer->n_fds = 0;
	put(answer->bytes + 8, 4, 0x21);
	put(answer->bytes + 12, 4, (uint64_t)error);
}

static bool send_answer(struct user_server *server, struct answer *answer, struct us_rule *due,
			unsigned int n)
{
	static const uint8_t empty[1];
	int64_t cut = -1, pause = -1;
	unsigned int total;
	int file = -1;
	bool ok;

	for (unsigned int i = 0; i < n; i++) {
		const struct us_rule *rule = &due[i];

		switch (rule->action) {
		case US_ERROR:
			error_answer(answer, rule->a);
			break;
		case US_SILENT:
			return true;
		case US_CLOSE:
			return false;
		case US_SIZE:
			answer->size = (uint32_t)((int64_t)answer->size + rule->a);
			break;
		case US_PAYLOAD:
			put(answer->bytes + 16 + rule->a, (unsigned int)rule->b, rule->c);
			break;
		case US_CUT:
			cut = rule->a;
			break;
		case US_BYTEWISE:
			pause = rule->a;
			break;
		case US_FDS:
			file = memfd_create("extra", MFD_CLOEXEC);
			for (int64_t k = 0; k < rule->a; k++)
				answer->fds[answer->n_fds++] = file;
			break;
		case US_FD:
			answer->n_fds = rule->a >= 0;
			answer->fds[0] = (int)rule->a;
			break;
		case US_ASK:
			if (!ask_first(server, rule))
				return false;
			break;
		case US_DELAY:
			usleep((useconds_t)rule->a * 1000);
			break;
		case US_HEADER:
			break;
		}
	}
	put(answer->bytes + 4, 4, 16 + answer->size);
	for (unsigned int i = 0; i < n; i++)
		if (due[i].action == US_HEADER)
			put(answer->bytes + due[i].a, (unsigned int)due[i].b, due[i].c);
	total = 16 + answer->size;
	if (cut >= 0 && (unsigned int)cut < total)
		total = (unsigned int)cut;
	if (pause >= 0) {
		ok = true;
		for (unsigned int i = 0; ok && i < total; i++) {
			ok = send_bytes(server->client, answer->bytes + i, 1, answer->fds,
					i ? 0 : answer->n_fds);
			if (pause)
				usleep((useconds_t)pause);
		}
	} else {
		ok = send_bytes(server->client, total ? answer->bytes : empty, total, answer->fds,
				answer->n_fds);
	}
	if (file >= 0)
		close(file);
	return ok && cut < 0;
}

static bool serve_one(struct user_server *server, struct request *request, struct answer *answer)
{
	struct us_rule due[US_RULES_MAX];
	unsigned int n;
	bool ok;
	int ret;

	if (!read_message(server, request))
		return false;
	ok = true;
	if ((get(request->header + 8, 4) & 0xf) == 0) {
		n = due_rules(server, (unsigned int)get(request->header + 2, 2), due);
		answer->size = 0;
		answer->n_fds = 0;
		memcpy(answer->bytes, request->header, 16);
		put(answer->bytes + 8, 4, 1);
		put(answer->bytes + 12, 4, 0);
		ret = make_answer(server, request, answer);
		if (ret)
			error_answer(answer, -ret);
		ok = send_answer(server, answer, due, n);
	}
	close_request_fds(request);
	return ok;
}

static void drop_client(struct user_server *server)
{
	pthread_mutex_lock(&server->mutex);
	close(server->client);
	server->client = -1;
	for (unsigned int i = 0; i < US_VECTORS; i++) {
		if (server->eventfds[i] >= 0)
			close(server->eventfds[i]);
		server->eventfds[i] = -1;
	}
	pthread_mutex_unlock(&server->mutex);
}

static void *serve(void *opaque)
{
	struct user_server *server = opaque;
	struct request request = { .payload = malloc(ANSWER_MAX) };
	struct answer answer = { .bytes = malloc(ANSWER_MAX) };

	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = server->wake[0], .events = POLLIN },
			{ .fd = server->client >= 0 ? server->client : server->listen_fd,
			  .events = POLLIN },
		};

		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			break;
		if (server->client < 0) {
			int client = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

			pthread_mutex_lock(&server->mutex);
			server->client = client;
			server->connections += client >= 0;
			pthread_mutex_unlock(&server->mutex);
		} else if (!serve_one(server, &request, &answer)) {
			drop_client(server);
		}
	}
	if (server->client >= 0)
		drop_client(server);
	free(request.payload);
	free(answer.bytes);
	return NULL;
}

void user_server_start(struct user_server *server)
{
	struct cxlvm_sim_config config = {
		.size = sizeof(config),
		.memory_size = server->memory_size,
		.generation = 5,
		.serial = 0x1122334455667788,
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char file[32];

	server->memory_fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(server->memory_fd >= 0);
	snprintf(file, sizeof(file), "/proc/self/fd/%d", server->memory_fd);
	config.memory_file = file;
	assert_int_equal(cxlvm_sim_open(&config, &server->sim, NULL), 0);
	unlink(server->path);
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(address.sun_path, server->path, sizeof(server->path));
	assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->listen_fd, 1), 0);
	assert_int_equal(pipe2(server->wake, O_CLOEXEC), 0);
	assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
	server->running = true;
}

void user_server_kill(struct user_server *server)
{
	if (!server->running)
		return;
	server->running = false;
	/* Wakes it from a read as well. */
	pthread_mutex_lock(&server->mutex);
	if (server->client >= 0)
		shutdown(server->client, SHUT_RDWR);
	pthread_mutex_unlock(&server->mutex);
	assert_int_equal(write(server->wake[1], "", 1), 1);
	pthread_join(server->thread, NULL);
	close(server->wake[0]);
	close(server->wake[1]);
	close(server->listen_fd);
	server->sim.transport->close(server->sim.device);
	close(server->memory_fd);
	server->memory_fd = -1;
}

void user_server_forget(struct user_server *server)
{
	pthread_mutex_lock(&server->mutex);
	for (unsigned int i = 0; i < server->n_seen; i++)
		if (server->seen[i].fd >= 0)
			close(server->seen[i].fd);
	server->n_seen = 0;
	pthread_mutex_unlock(&server->mutex);
}

void user_server_finish(struct user_server *server)
{
	user_server_kill(server);
	user_server_forget(server);
	unlink(server->path);
	pthread_mutex_destroy(&server->mutex);
	pthread_cond_destroy(&server->changed);
}

void user_server_rule(struct user_server *server, const struct us_rule *rule)
{
	pthread_mutex_lock(&server->mutex);
	if (server->n_rules == US_RULES_MAX)
		abort();
	server->rules[server->n_rules++] = *rule;
	pthread_mutex_unlock(&server->mutex);
}

void user_server_no_rules(struct user_server *server)
{
	pthread_mutex_lock(&server->mutex);
	server->n_rules = 0;
	pthread_mutex_unlock(&server->mutex);
}

void user_server_push(struct user_server *server, const void *bytes, size_t n)
{
	pthread_mutex_lock(&server->mutex);
	send_bytes(server->client, bytes, n, NULL, 0);
	pthread_mutex_unlock(&server->mutex);
}

static const struct us_message *find(struct user_server *server, bool reply, unsigned int command,
				     unsigned int nth)
{
	for (unsigned int i = 0; i < server->n_seen; i++) {
		const struct us_message *message = &server->seen[i];

		if ((message->flags & 0xf) != reply || (command && message->command != command))
			continue;
		if (!nth--)
			return message;
	}
	return NULL;
}

struct us_message user_server_reply(struct user_server *server, unsigned int n)
{
	const struct us_message *message;
	struct us_message copy;

	pthread_mutex_lock(&server->mutex);
	while (!(message = find(server, true, 0, n - 1)))
		pthread_cond_wait(&server->changed, &server->mutex);
	copy = *message;
	pthread_mutex_unlock(&server->mutex);
	return copy;
}

bool user_server_trigger(struct user_server *server, unsigned int vector)
{
	uint64_t one = 1;
	bool connected;

	pthread_mutex_lock(&server->mutex);
	connected = server->eventfds[vector] >= 0;
	if (connected)
		assert_int_equal(write(server->eventfds[vector], &one, 8), 8);
	pthread_mutex_unlock(&server->mutex);
	return connected;
}

unsigned int user_server_count(struct user_server *server, unsigned int command)
{
	unsigned int n = 0;

	pthread_mutex_lock(&server->mutex);
	while (find(server, false, command, n))
		n++;
	pthread_mutex_unlock(&server->mutex);
	return n;
}

struct us_message user_server_seen(struct user_server *server, unsigned int command,
				   unsigned int nth)
{
	const struct us_message *message;
	struct us_message copy = { 0 };

	pthread_mutex_lock(&server->mutex);
	message = find(server, false, command, nth);
	if (message)
		copy = *message;
	pthread_mutex_unlock(&server->mutex);
	assert_non_null(message);
	return copy;
}

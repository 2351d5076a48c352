/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a server, and what a step of it is. */
#include "vfio_user/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "base/math.h"
#include "base/sized.h"

uint64_t server_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void server_event(struct cxlvm_server *server, enum cxlvm_server_event event, const char *format,
		  ...)
{
	char text[CXLVM_ERROR_MESSAGE_MAX];
	va_list args;

	if (!server->config.event)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	server->config.event(server->config.owner, event, text);
}

static int check_config(const struct cxlvm_server_config *config, struct cxlvm_error *err)
{
	if (!config->memory_size || !is_aligned(config->memory_size, CXLVM_HDM_GRANULE) ||
	    config->memory_size > UINT64_MAX / 4) {
		cxlvm_error_set(err, -EINVAL,
				"size of %" PRIu64
				" bytes is not a non-zero multiple of 256 MiB (%" PRIu64 ")",
				config->memory_size, CXLVM_HDM_GRANULE);
		cxlvm_error_hint(err, "for example 256M or 1G");
		return -EINVAL;
	}
	if (config->expose_memory_bar && !is_power_of_two(config->memory_size)) {
		cxlvm_error_set(err, -EINVAL,
				"memory of %" PRIu64
				" bytes cannot be a BAR: that is a power of two",
				config->memory_size);
		cxlvm_error_hint(err, "for example 256M, 512M or 1G");
		return -EINVAL;
	}
	return 0;
}

static int open_memory(struct cxlvm_server *server, struct cxlvm_error *err)
{
	const char *path = server->config.memory_file;
	uint64_t size = server->config.memory_size;
	bool made;
	int fd = vu_memory_file(path, size, &made, &server->lock, err), ret;

	if (fd < 0)
		return fd;
	server->made_file = made ? strdup(path) : NULL;
	if (made && !server->made_file) {
		unlink(path);
		close(fd);
		return cxlvm_error_set(err, -ENOMEM, "no memory for a server");
	}
	ret = vu_memory_attach(&server->memory, fd, 0, size, true);
	if (ret)
		cxlvm_error_set(err, ret, "device memory of %" PRIu64 " bytes: %s", size,
				strerror(-ret));
	if (ret == -ENOMEM)
		cxlvm_error_hint(err,
				 "not enough address space or memory for it: look at ulimit -v, "
				 "or ask for a smaller size");
	return ret;
}

static int start_listening(struct cxlvm_server *server, struct cxlvm_error *err)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ret = cxlvm_listener_create(server->config.socket_path, &server->listener, err);

	if (ret)
		return ret;
	server->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->epoll < 0 ||
	    epoll_ctl(server->epoll, EPOLL_CTL_ADD, cxlvm_listener_fd(server->listener), &event))
		return cxlvm_error_set(err, -errno, "epoll: %s", strerror(errno));
	return 0;
}

int cxlvm_server_create(const struct cxlvm_server_config *given, struct cxlvm_server **out,
			struct cxlvm_error *err)
{
	struct cxlvm_server_config config;
	struct cxlvm_server *server;
	int ret = sized_config_take(&config, sizeof(config),
				    SIZE_WITH(struct cxlvm_server_config, memory_size), given,
				    "server", err);

	if (!ret)
		ret = check_config(&config, err);
	if (ret)
		return ret;
	server = calloc(1, sizeof(*server));
	if (!server)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a server");
	server->config = config;
	server->epoll = server->memory.fd = server->lock = -1;
	vu_client_init(&server->client);
	ret = vu_irqs_init(&server->irqs, err);
	if (ret) {
		free(server);
		return ret;
	}
	ret = vu_accelerator_init(server, err);
	/* Whoever finds a server there already must not find its memory file changed. */
	if (!ret)
		ret = start_listening(server, err);
	if (!ret)
		ret = open_memory(server, err);
	if (ret) {
		cxlvm_server_destroy(server);
		return ret;
	}
	/* From here on it is worth something. */
	free(server->made_file);
	server->made_file = NULL;
	/* The texts are the caller's. */
	server->config.socket_path = server->config.memory_file = NULL;
	*out = server;
	return 0;
}

void cxlvm_server_destroy(struct cxlvm_server *server)
{
	if (!server)
		return;
	if (vu_client_is_there(&server->client))
		vu_client_drop(server, "the server ends");
	cxlvm_listener_destroy(server->listener);
	if (server->epoll >= 0)
		close(server->epoll);
	vu_irqs_finish(&server->irqs);
	vu_memory_detach(&server->memory);
	if (server->made_file)
		unlink(server->made_file);
	if (server->lock >= 0)
		close(server->lock);
	free(server->made_file);
	free(server);
}

int cxlvm_server_fd(const struct cxlvm_server *server)
{
	return server->epoll;
}

static void refuse(struct cxlvm_server *server, int fd, const char *reason)
{
	if (fd >= 0)
		close(fd);
	server->stats.refused++;
	server_event(server, CXLVM_SERVER_CLIENT_REFUSED, "%s", reason);
}

/* What one client did to the memory's file is not to reach the next one. */
static int mend_memory(struct cxlvm_server *server)
{
	bool mended;
	int ret = vu_memory_mend(&server->memory, &mended);

	if (!ret && mended)
		server_event(server, CXLVM_SERVER_MEMORY_MENDED,
			     "the memory file was cut: it has its size again, with zeros");
	return ret;
}

/* The next client gets the device, or is sent away while another has it. */
static void accept_client(struct cxlvm_server *server)
{
	int fd = cxlvm_listener_accept(server->listener);

	if (fd < 0)
		return;
	if (vu_client_is_there(&server->client))
		refuse(server, fd, "another client has the device");
	else if (mend_memory(server))
		refuse(server, fd, "the memory file was cut, and there is no room to mend it");
	else if (vu_client_open(server, fd))
		refuse(server, -1, "no memory for it");
}

/* Behind the client's messages: the engine, and the answer of a step. */
static int finish_step(struct cxlvm_server *server)
{
	int wait = vu_accelerator_step(server);
	int patience = vu_client_patience(server);

	if (patience >= 0 && (wait < 0 || patience < wait))
		wait = patience;
	return server->client.more ? 0 : wait;
}

int cxlvm_server_step(struct cxlvm_server *server)
{
	/* A client that left makes room for the next one at once. */
	if (vu_client_is_there(&server->client))
		(void)vu_client_step(server, false);
	accept_client(server);
	return finish_step(server);
}

int cxlvm_server_linger(struct cxlvm_server *server)
{
	uint64_t end = server_now() + SERVER_LINGER_MS;
	int wait = cxlvm_server_step(server);

	if (wait != -1 || !vu_client_is_there(&server->client))
		return wait;
	/* Each message would wake epoll as well, for nobody. */
	vu_client_unwatch(server);
	/* Only while the client's messages are all that there is to do. */
	while (wait == -1 && vu_client_is_there(&server->client) && vu_client_step(server, true)) {
		wait = finish_step(server);
		if (server_now() >= end)
			break;
	}
	vu_client_watch(server);
	return wait;
}

void cxlvm_server_get_stats(const struct cxlvm_server *server, struct cxlvm_server_stats *stats,
			    size_t size)
{
	struct cxlvm_server_stats now = server->stats;

	now.connected = server->client.agreed;
	now.dma_ranges = server->dma.n;
	now.poisoned = server->n_poison;
	sized_give(stats, size, &now, sizeof(now));
}

/* Exactly this range; NULL when it is not poisoned. */
static struct vu_poison *find_poison(struct cxlvm_server *server, uint64_t dpa, uint64_t size)
{
	for (unsigned int i = 0; i < server->n_poison; i++)
		if (server->poison[i].dpa == dpa && server->poison[i].size == size)
			return &server->poison[i];
	return NULL;
}

int cxlvm_server_poison(struct cxlvm_server *server, struct cxlvm_dpa dpa, uint64_t size, bool on)
{
	struct vu_poison *there;

	if (!on && !size) {
		server->n_poison = 0;
		return 0;
	}
	if (!size || !range_fits(dpa.value, size, server->memory.size))
		return -EINVAL;
	there = find_poison(server, dpa.value, size);
	if (!on) {
		if (!there)
			return -ENOENT;
		*there = server->poison[--server->n_poison];
		return 0;
	}
	/* Twice is once: it goes when it is taken away. */
	if (there)
		return 0;
	if (server->n_poison == CXLVM_SERVER_POISON_MAX)
		return -ENOSPC;
	server->poison[server->n_poison++] = (struct vu_poison){ dpa.value, size };
	return 0;
}

void cxlvm_server_memory_ready(struct cxlvm_server *server, bool ready)
{
	server->memory_not_ready = !ready;
	vu_accelerator_show_ready(server);
}

void cxlvm_server_fail_resets(struct cxlvm_server *server, unsigned int count)
{
	server->failing_resets = count;
}

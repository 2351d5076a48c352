/* SPDX-License-Identifier: BSD-3-Clause */
/* One client of the server: receiving, answering, leaving. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vfio_user/server.h"

/* The longest message of the server: an answer with data. */
#define ANSWER_MAX ((size_t)VU_HEADER_BYTES + SERVER_REPLY_MAX + SERVER_DATA_MAX)

/* So much may wait for the client before no more of its messages are looked at. */
#define WAITING_MAX ((size_t)64 << 10)

#define REQUEST_MAX ((size_t)VU_DATA_OVERHEAD + VU_DMA_ACCESS_MAX)

/*
 * What the messages of one step may cost, in bytes that are moved; so much each of them costs at
 * least. Few bytes can ask for much, and no answers need to be taken where none are wanted.
 */
#define STEP_COST    ((uint64_t)4 << 20)
#define MESSAGE_COST ((uint64_t)1 << 10)

void vu_client_init(struct vu_client *client)
{
	*client = (struct vu_client){ .main.fd = -1, .twin.fd = -1 };
}

/* fd is the channel's afterwards, after a failure too. */
static int channel_open(struct cxlvm_server *server, struct vu_channel *channel, int fd,
			uint32_t limit, size_t waiting)
{
	struct epoll_event event = { .events = EPOLLIN };
	int ret;

	*channel = (struct vu_channel){ .fd = fd, .waits_for = EPOLLIN };
	ret = vu_stream_init(&channel->stream, fd, limit);
	if (ret)
		goto close;
	ret = vu_output_init(&channel->output, waiting);
	if (ret)
		goto finish_stream;
	if (!epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event))
		return 0;
	ret = -errno;
	vu_output_finish(&channel->output);
finish_stream:
	vu_stream_finish(&channel->stream);
close:
	close(fd);
	channel->fd = -1;
	return ret;
}

static void channel_close(struct vu_channel *channel)
{
	if (channel->fd < 0)
		return;
	vu_output_finish(&channel->output);
	vu_stream_finish(&channel->stream);
	/* The last reference: epoll forgets it. */
	close(channel->fd);
	channel->fd = -1;
}

int vu_client_open(struct cxlvm_server *server, int fd)
{
	struct vu_client *client = &server->client;

	/* For linger; everything else is told not to wait (MSG_DONTWAIT). */
	if (fcntl(fd, F_SETFL, 0)) {
		int ret = -errno;

		close(fd);
		return ret;
	}
	vu_client_init(client);
	vu_capabilities_default(&client->caps);
	client->deadline = server_now() + SERVER_VERSION_MS;
	return channel_open(server, &client->main, fd, SERVER_LIMIT,
			    ANSWER_MAX + REQUEST_MAX + WAITING_MAX);
}

int vu_client_add_twin(struct cxlvm_server *server)
{
	int pair[2], ret;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	ret = channel_open(server, &server->client.twin, pair[0], REQUEST_MAX, REQUEST_MAX);
	if (!ret)
		return pair[1];
	close(pair[1]);
	return ret;
}

void vu_client_drop(struct cxlvm_server *server, const char *reason)
{
	struct vu_client *client = &server->client;

	channel_close(&client->main);
	channel_close(&client->twin);
	vu_dma_finish(&server->dma);
	vu_irqs_clear(&server->irqs);
	vu_client_init(client);
	vu_accelerator_power_on(server);
	server_event(server, CXLVM_SERVER_CLIENT_LEFT, "%s", reason);
}

int vu_client_patience(struct cxlvm_server *server)
{
	const struct vu_client *client = &server->client;
	uint64_t now;

	if (!vu_client_is_there(client) || client->agreed)
		return -1;
	now = server_now();
	if (now < client->deadline)
		return (int)(client->deadline - now);
	vu_client_drop(server, "it did not agree on a version in 5 s");
	return -1;
}

static void trace(struct cxlvm_server *server, const struct vu_header *header, bool sent,
		  unsigned int descriptors)
{
	const struct vu_command_row *row;
	struct cxlvm_server_message message;

	if (!server->config.trace)
		return;
	row = vu_command_find(header->command);
	message = (struct cxlvm_server_message){
		.sent = sent,
		.reply = vu_header_type(header) == VU_TYPE_REPLY,
		.id = header->id,
		.command = header->command,
		.name = row ? row->name : NULL,
		.size = header->size,
		.error = header->flags & VU_FLAG_ERROR ? (int)header->error : 0,
		.descriptors = descriptors,
	};
	server->config.trace(server->config.owner, &message);
}

/* Carry out a command. The first one is VERSION, and no other is. */
static int execute(struct cxlvm_server *server, struct vu_request *request)
{
	struct vu_client *client = &server->client;
	int ret = vu_message_check(request->message);

	if (client->agreed)
		return ret ? ret : vu_command_execute(server, request);
	if (!ret && request->message->header.command != VU_VERSION)
		ret = -EINVAL;
	if (!ret)
		ret = vu_command_version(server, request);
	if (ret)
		client->leaving = "it broke the rules of the protocol's first message";
	return ret;
}

static void answer(struct cxlvm_server *server, struct vu_message *message, uint8_t *room)
{
	struct vu_request request = {
		.message = message,
		.reply = room + VU_HEADER_BYTES,
		.reply_fd = -1,
	};
	struct vu_header header = {
		.id = message->header.id,
		.command = message->header.command,
		.size = VU_HEADER_BYTES,
		.flags = VU_TYPE_REPLY,
	};
	int ret = execute(server, &request);
	bool silent;

	server->client.spent += MESSAGE_COST + message->payload_size + request.reply_size;
	if (ret) {
		server->stats.errors++;
		header.flags |= VU_FLAG_ERROR;
		header.error = (uint32_t)-ret;
	} else {
		header.size += request.reply_size;
	}
	/* VERSION is answered always: nothing can follow without its answer. */
	silent = message->header.flags & VU_FLAG_NO_REPLY && message->header.command != VU_VERSION;
	if ((ret || silent) && request.reply_fd >= 0) {
		close(request.reply_fd);
		request.reply_fd = -1;
	}
	if (silent)
		return;
	vu_header_encode(room, &header);
	vu_output_commit(&server->client.main.output, header.size, request.reply_fd);
	trace(server, &header, true, request.reply_fd >= 0);
}

/* An answer to a command of the server. What nobody asked for is dropped. */
static void take_reply(struct cxlvm_server *server, const struct vu_message *message)
{
	if (!server->client.agreed)
		server->client.leaving = "it sent an answer before it agreed on a version";
	if (vu_dma_reply(&server->dma, message))
		server->stats.errors++;
}

/*
 * Messages that were received, while there is room for their answers. 0: none is left that is whole,
 * or client->more; -EAGAIN: the client has to take answers first; -EPROTO.
 */
static int take_messages(struct cxlvm_server *server, struct vu_channel *channel)
{
	struct vu_client *client = &server->client;
	bool main = channel == &client->main;
	struct vu_message message;

	for (;;) {
		uint8_t *room = NULL;
		int ret;

		client->more = client->spent >= STEP_COST;
		if (client->leaving || client->more)
			return 0;
		if (main)
			room = vu_output_reserve(&channel->output, ANSWER_MAX);
		if (main && !room)
			return -EAGAIN;
		ret = vu_stream_next(&channel->stream, &message);
		if (ret <= 0)
			return ret;
		server->stats.messages++;
		trace(server, &message.header, false, message.n_fds);
		if (vu_header_type(&message.header) == VU_TYPE_REPLY)
			take_reply(server, &message);
		else if (main)
			answer(server, &message, room);
		else
			/* Commands of a client come on the main socket. */
			client->leaving = "it sent a command on the twin socket";
		vu_message_close_fds(&message);
	}
}

/* Tell epoll what is waited for: never for input that would not be looked at. */
static void wait_for(struct cxlvm_server *server, struct vu_channel *channel, bool input)
{
	struct epoll_event event = { .events = input ? EPOLLIN : 0 };

	if (!vu_output_is_empty(&channel->output))
		event.events |= EPOLLOUT;
	if (event.events == channel->waits_for)
		return;
	/* Modifying what was added cannot fail. */
	if (!channel->unwatched)
		(void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, channel->fd, &event);
	channel->waits_for = event.events;
}

void vu_client_unwatch(struct cxlvm_server *server)
{
	struct vu_channel *channel = &server->client.main;

	if (vu_client_is_there(&server->client))
		channel->unwatched = !epoll_ctl(server->epoll, EPOLL_CTL_DEL, channel->fd, NULL);
}

void vu_client_watch(struct cxlvm_server *server)
{
	struct vu_channel *channel = &server->client.main;
	struct epoll_event event = { .events = channel->waits_for };

	if (!vu_client_is_there(&server->client) || !channel->unwatched)
		return;
	channel->unwatched = false;
	/* Who is not watched would never be answered again. */
	if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, channel->fd, &event))
		vu_client_drop(server, "no memory to wait for it");
}

/*
 * Take messages and send their answers, in turn: what was sent makes room. 0: no whole message is
 * left; -EAGAIN: the client has to take answers first, some are waiting; or an errno.
 */
static int take_and_send(struct cxlvm_server *server, struct vu_channel *channel)
{
	for (;;) {
		int taken = take_messages(server, channel);
		int sent = vu_output_flush(&channel->output, channel->fd);

		if (sent && sent != -EAGAIN)
			return sent;
		if (taken != -EAGAIN || sent)
			return taken;
	}
}

/* Why a channel cannot go on; NULL: it can. */
static const char *channel_step(struct cxlvm_server *server, struct vu_channel *channel, bool left,
				bool wait, bool *came)
{
	ssize_t n = -EAGAIN;
	int ret = 0;

	/* What was left by the last step or waited for room, then what is new. */
	if (left || !vu_output_is_empty(&channel->output)) {
		ret = vu_output_flush(&channel->output, channel->fd);
		if (!ret || ret == -EAGAIN)
			ret = take_and_send(server, channel);
	}
	if (!ret && !server->client.leaving && !server->client.more) {
		/* What waits for room to be sent must not wait for what arrives. */
		n = wait && vu_output_is_empty(&channel->output)
			    ? vu_stream_receive_wait(&channel->stream)
			    : vu_stream_receive(&channel->stream);
		if (n > 0)
			ret = take_and_send(server, channel);
	}
	*came |= n > 0;
	if (ret == -EPROTO || n == -EPROTO)
		return "it sent a message that is none: size or type cannot be";
	if (!n || (n < 0 && n != -EAGAIN && n != -EINTR) || (ret && ret != -EAGAIN))
		return "it closed the connection";
	wait_for(server, channel, !ret);
	return NULL;
}

bool vu_client_step(struct cxlvm_server *server, bool wait)
{
	struct vu_client *client = &server->client;
	bool left = client->more, came = left;
	const char *reason;

	client->spent = 0;
	client->more = false;
	reason = channel_step(server, &client->main, left, wait, &came);

	if (!reason && client->twin.fd >= 0)
		reason = channel_step(server, &client->twin, left, false, &came);
	if (!reason)
		reason = client->leaving;
	if (reason)
		vu_client_drop(server, reason);
	return came;
}

void vu_client_send_dma(struct cxlvm_server *server)
{
	struct vu_client *client = &server->client;
	struct vu_channel *channel = client->twin.fd >= 0 ? &client->twin : &client->main;
	uint8_t *room = vu_output_reserve(&channel->output, REQUEST_MAX);
	struct vu_header header;
	size_t size;

	if (!room)
		return;
	size = vu_dma_request(&server->dma, server_now(), client->caps.max_data_xfer_size, room);
	vu_header_decode(&header, room);
	vu_output_commit(&channel->output, size, -1);
	server->stats.dma_messages++;
	trace(server, &header, true, 0);
	(void)vu_output_flush(&channel->output, channel->fd);
	wait_for(server, channel, channel->waits_for & EPOLLIN);
}

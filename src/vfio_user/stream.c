/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Room for more messages behind the largest one, so that small ones arrive many at a time. */
#define ROOM_BEHIND ((size_t)64 << 10)

/*
 * The most descriptors that the kernel lets go with a message (SCM_MAX_FD). There is room for all of
 * them, as those without room are closed by the kernel, which can take as long as the sender likes
 * (vu_fd_close).
 */
#define FDS_SENT 253

/* Correctly aligned space for the control data of one sendmsg or recvmsg. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(FDS_SENT * sizeof(int))];
};

int vu_stream_init(struct vu_stream *stream, int fd, uint32_t limit)
{
	*stream = (struct vu_stream){
		.fd = fd,
		.limit = limit,
		.capacity = limit + ROOM_BEHIND,
	};
	stream->buffer = malloc(stream->capacity);
	return stream->buffer ? 0 : -ENOMEM;
}

static void close_all(struct vu_stream_fds *fds)
{
	for (unsigned int i = 0; i < fds->n; i++)
		vu_fd_close(fds->fd[i]);
	fds->n = 0;
	fds->lost = false;
}

void vu_stream_finish(struct vu_stream *stream)
{
	close_all(&stream->fds[0]);
	close_all(&stream->fds[1]);
	free(stream->buffer);
	stream->buffer = NULL;
}

/* Where the message begins that the last byte received belongs to. */
static uint64_t last_begun(const struct vu_stream *stream)
{
	size_t at = stream->start;

	while (stream->end - at >= VU_HEADER_BYTES) {
		struct vu_header header;

		vu_header_decode(&header, stream->buffer + at);
		if (vu_header_check(&header, stream->limit) || header.size >= stream->end - at)
			break;
		at += header.size;
	}
	return stream->position + (at - stream->start);
}

static bool is_used(const struct vu_stream_fds *fds)
{
	return fds->n || fds->lost;
}

/*
 * The place for descriptors of the message that begins at a position. Messages are taken out before
 * more are received, so at most one other has some: the one that this chunk completed.
 */
static struct vu_stream_fds *fds_of(struct vu_stream *stream, uint64_t at)
{
	struct vu_stream_fds *fds = stream->fds;

	for (unsigned int i = 0; i < 2; i++)
		if (is_used(&fds[i]) && fds[i].at == at)
			return &fds[i];
	for (unsigned int i = 0; i < 2; i++)
		if (!is_used(&fds[i])) {
			fds[i].at = at;
			return &fds[i];
		}
	return NULL;
}

static void keep_fds(struct vu_stream *stream, const struct cmsghdr *cmsg)
{
	struct vu_stream_fds *to = fds_of(stream, last_begun(stream));
	size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < n; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
		if (to && to->n < VU_FDS_MAX) {
			to->fd[to->n++] = fd;
			continue;
		}
		vu_fd_close(fd);
		if (to)
			to->lost = true;
	}
}

/* The kernel closed descriptors for which there was no room. */
static void note_lost_fds(struct vu_stream *stream)
{
	struct vu_stream_fds *fds = fds_of(stream, last_begun(stream));

	if (fds)
		fds->lost = true;
}

/* Make room behind what was received: how much, or -EPROTO. */
static ssize_t make_room(struct vu_stream *stream)
{
	/* What is left is the beginning of one message: moved once in its life. */
	if (stream->start) {
		memmove(stream->buffer, stream->buffer + stream->start,
			stream->end - stream->start);
		stream->end -= stream->start;
		stream->start = 0;
	}
	return stream->end < stream->capacity ? (ssize_t)(stream->capacity - stream->end) : -EPROTO;
}

/* What the system call gave. */
static ssize_t received(struct vu_stream *stream, ssize_t n)
{
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	stream->end += (size_t)n;
	return n;
}

static ssize_t receive(struct vu_stream *stream, int flags)
{
	union control control;
	struct iovec iov;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n = make_room(stream);

	if (n < 0)
		return n;
	iov.iov_base = stream->buffer + stream->end;
	iov.iov_len = (size_t)n;
	n = received(stream, recvmsg(stream->fd, &msg, flags | MSG_CMSG_CLOEXEC));
	if (n < 0)
		return n;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg))
		if (cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS)
			keep_fds(stream, cmsg);
	if (msg.msg_flags & MSG_CTRUNC)
		note_lost_fds(stream);
	return n;
}

ssize_t vu_stream_receive(struct vu_stream *stream)
{
	ssize_t n;

	do {
		n = receive(stream, MSG_DONTWAIT);
	} while (n == -EINTR);
	return n;
}

ssize_t vu_stream_receive_wait(struct vu_stream *stream)
{
	return receive(stream, 0);
}

ssize_t vu_stream_receive_bytes_wait(struct vu_stream *stream)
{
	ssize_t n = make_room(stream);

	if (n < 0)
		return n;
	return received(stream, recv(stream->fd, stream->buffer + stream->end, (size_t)n, 0));
}

/* Give the message at start what came with it. */
static void give_fds(struct vu_stream *stream, struct vu_message *message)
{
	for (unsigned int i = 0; i < 2; i++) {
		struct vu_stream_fds *from = &stream->fds[i];

		if (!is_used(from) || from->at != stream->position)
			continue;
		memcpy(message->fds, from->fd, from->n * sizeof(from->fd[0]));
		message->n_fds = from->n;
		message->fds_lost = from->lost;
		from->n = 0;
		from->lost = false;
	}
}

int vu_stream_next(struct vu_stream *stream, struct vu_message *message)
{
	const uint8_t *p = stream->buffer + stream->start;
	size_t there = stream->end - stream->start;
	int ret;

	if (there < VU_HEADER_BYTES)
		return 0;
	vu_header_decode(&message->header, p);
	ret = vu_header_check(&message->header, stream->limit);
	if (ret)
		return ret;
	if (message->header.size > there)
		return 0;
	message->payload = p + VU_HEADER_BYTES;
	message->payload_size = message->header.size - VU_HEADER_BYTES;
	message->n_fds = 0;
	message->fds_lost = false;
	give_fds(stream, message);
	stream->start += message->header.size;
	stream->position += message->header.size;
	return 1;
}

ssize_t vu_stream_send(int fd, const void *head, size_t head_size, const void *data,
		       size_t data_size, const int *fds, unsigned int n_fds)
{
	struct iovec iov[] = {
		{ .iov_base = (void *)(uintptr_t)head, .iov_len = head_size },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = data_size },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = data_size ? 2 : 1 };
	union control control;
	ssize_t n;

	if (n_fds > VU_FDS_MAX)
		return -EINVAL;
	if (n_fds) {
		struct cmsghdr *cmsg;

		memset(&control, 0, CMSG_SPACE(n_fds * sizeof(int)));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
	}
	do {
		/* Most messages are one piece: the kernel has less to copy and to check then. */
		n = n_fds || data_size ? sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL)
				       : send(fd, head, head_size, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EWOULDBLOCK ? -EAGAIN : -errno;
	return n;
}

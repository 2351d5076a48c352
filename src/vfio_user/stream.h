/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The receiving half of a vfio-user socket: one recvmsg per wake-up, any number of messages out of
 * it, however the sender or the kernel cut the stream.
 *
 *	while ((n = vu_stream_receive(&stream)) > 0)
 *		while ((ret = vu_stream_next(&stream, &message)) > 0) {
 *			...
 *			vu_message_close_fds(&message);
 *		}
 *
 * Descriptors belong to the last message begun in the chunk they came with: a sender puts one
 * message in a sendmsg that carries descriptors, and the kernel ends a chunk behind the piece that
 * they came with. A stream belongs to one thread.
 */
#ifndef CXLVM_VFIO_USER_STREAM_H
#define CXLVM_VFIO_USER_STREAM_H

#include <sys/types.h>

#include "vfio_user/message.h"

/* Descriptors that came with the message beginning at a position of the stream. */
struct vu_stream_fds {
	uint64_t at;
	unsigned int n;
	bool lost;
	int fd[VU_FDS_MAX];
};

struct vu_stream {
	int fd;
	uint32_t limit; /* of one message */
	uint8_t *buffer;
	size_t capacity;
	size_t start, end; /* bytes received and not handed out */
	uint64_t position; /* of start, in the stream */
	/* Of the message at start, and of the last one begun. */
	struct vu_stream_fds fds[2];
};

/*
 * Receive from the socket fd, which stays the caller's, messages of at most limit bytes with header.
 * 0 or -ENOMEM. finish closes descriptors that were not handed out.
 */
int vu_stream_init(struct vu_stream *stream, int fd, uint32_t limit);
void vu_stream_finish(struct vu_stream *stream);

/*
 * One recvmsg, never blocking. The number of bytes that came; 0: the peer closed; -EAGAIN: nothing
 * there; -EPROTO: messages were left in the buffer so that nothing more fits; or what recvmsg gave.
 */
ssize_t vu_stream_receive(struct vu_stream *stream);

/*
 * The same, for a caller that has nothing else to do: waits for bytes, as long as the socket's
 * SO_RCVTIMEO says if it has one (then -EAGAIN), or until a signal (-EINTR).
 */
ssize_t vu_stream_receive_wait(struct vu_stream *stream);

/* The same for a socket that no descriptors come to, which is cheaper. */
ssize_t vu_stream_receive_bytes_wait(struct vu_stream *stream);

/*
 * The next whole message: 1 and *message, whose descriptors the caller takes or closes; 0: none yet,
 * receive more; -EPROTO: this stream cannot go on (vu_header_check).
 */
int vu_stream_next(struct vu_stream *stream, struct vu_message *message);

/*
 * One system call that sends a header (and what else stands at head) and data, with n_fds descriptors, which
 * stay the caller's; never blocking, no signal. The number of bytes that went out, possibly not all
 * (the rest is sent without the descriptors), or negative errno: -EAGAIN when there is no room.
 */
ssize_t vu_stream_send(int fd, const void *head, size_t head_size, const void *data,
		       size_t data_size, const int *fds, unsigned int n_fds);

#endif

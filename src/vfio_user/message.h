/* SPDX-License-Identifier: BSD-3-Clause */
/* One message of the vfio-user protocol: its header, and what each command looks like. */
#ifndef CXLVM_VFIO_USER_MESSAGE_H
#define CXLVM_VFIO_USER_MESSAGE_H

#include <cxlvm/base.h>

#include "vfio_user/protocol.h"

/* Descriptors that one message may bring here; also what is announced as max_msg_fds. */
#define VU_FDS_MAX 16u

struct vu_header {
	uint16_t id;
	uint16_t command;
	uint32_t size; /* of the whole message */
	uint32_t flags;
	uint32_t error;
};

/*
 * A message that was received whole. payload points into the stream's buffer and is valid until
 * the next vu_stream_receive. Descriptors are the message's until taken.
 */
struct vu_message {
	struct vu_header header;
	const uint8_t *payload;
	uint32_t payload_size; /* header.size without the header */
	int fds[VU_FDS_MAX];   /* -1: taken */
	unsigned int n_fds;
	bool fds_lost; /* more descriptors came than one message may bring */
};

enum vu_direction {
	VU_CLIENT_TO_SERVER,
	VU_SERVER_TO_CLIENT,
};

/* What a command looks like, in bytes without header; a row of the protocol's table. */
struct vu_command_row {
	uint16_t command;
	const char *name;
	enum vu_direction direction;
	uint32_t request_min;
	bool request_more; /* data may follow the fixed part, else the size is exact */
	uint32_t reply_min;
	bool reply_more;
	bool request_fds; /* may carry descriptors */
	bool reply_fds;
};

/* The row of a command; NULL for a number that is none or is not used here. */
const struct vu_command_row *vu_command_find(uint16_t command);

/* From and to the VU_HEADER_BYTES bytes at p. */
void vu_header_decode(struct vu_header *header, const uint8_t *p);
void vu_header_encode(uint8_t *p, const struct vu_header *header);

static inline uint32_t vu_header_type(const struct vu_header *header)
{
	return header->flags & VU_FLAG_TYPE;
}

/*
 * Can a stream go on behind this header? 0, or -EPROTO: a type that is neither command nor reply, a
 * size below the header's own or above limit. What it announces must not even be skipped.
 */
int vu_header_check(const struct vu_header *header, uint32_t limit);

/*
 * Does the payload have the size that its command asks for, and come with descriptors only where
 * it may? 0, -EINVAL, or -ENOTSUP for a command that has no row. A reply with VU_FLAG_ERROR is
 * right when it is a header only.
 */
int vu_message_check(const struct vu_message *message);

/*
 * Close a descriptor that came from the peer. A socket with SO_LINGER would wait until what was
 * written into it is sent, for as long as its maker likes: that is switched off before.
 */
void vu_fd_close(int fd);

/* Hand descriptor i to the caller, who closes it. */
int vu_message_take_fd(struct vu_message *message, unsigned int i);
/* Close the descriptors that nobody took. */
void vu_message_close_fds(struct vu_message *message);

#endif

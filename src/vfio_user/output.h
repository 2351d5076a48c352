/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sending half of a socket of the server: messages wait here until the peer takes them. Bounded:
 * who wants to put one in asks for the room first, and does something else when there is none.
 */
#ifndef CXLVM_VFIO_USER_OUTPUT_H
#define CXLVM_VFIO_USER_OUTPUT_H

#include <cxlvm/base.h>

struct vu_output {
	uint8_t *bytes;
	size_t capacity, start, end;
	/* One descriptor, which goes out with the message that begins at fd_at. */
	int fd; /* -1: none */
	size_t fd_at;
};

int vu_output_init(struct vu_output *output, size_t capacity);
void vu_output_finish(struct vu_output *output);

static inline bool vu_output_is_empty(const struct vu_output *output)
{
	return output->start == output->end;
}

/* Room for a message of size bytes, to be filled in place; NULL: not now. */
uint8_t *vu_output_reserve(struct vu_output *output, size_t size);

/*
 * The message in the room reserved last is complete and has size bytes. fd goes with it and is closed
 * then, -1: none. vu_output_reserve gives no room while one waits.
 */
void vu_output_commit(struct vu_output *output, size_t size, int fd);

/* Send what can be sent to the socket. 0: all, -EAGAIN: the peer takes no more now; or an errno. */
int vu_output_flush(struct vu_output *output, int socket);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfio_user/stream.h"

int vu_output_init(struct vu_output *output, size_t capacity)
{
	*output = (struct vu_output){ .capacity = capacity, .fd = -1 };
	output->bytes = malloc(capacity);
	return output->bytes ? 0 : -ENOMEM;
}

static void drop_fd(struct vu_output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

void vu_output_finish(struct vu_output *output)
{
	drop_fd(output);
	free(output->bytes);
	output->bytes = NULL;
}

uint8_t *vu_output_reserve(struct vu_output *output, size_t size)
{
	if (output->fd >= 0 || size > output->capacity - (output->end - output->start))
		return NULL;
	if (size > output->capacity - output->end) {
		memmove(output->bytes, output->bytes + output->start, output->end - output->start);
		output->end -= output->start;
		output->start = 0;
	}
	return output->bytes + output->end;
}

void vu_output_commit(struct vu_output *output, size_t size, int fd)
{
	output->fd = fd;
	output->fd_at = output->end;
	output->end += size;
}

int vu_output_flush(struct vu_output *output, int socket)
{
	while (!vu_output_is_empty(output)) {
		/* A message with a descriptor begins a sendmsg of its own. */
		bool with = output->fd >= 0 && output->fd_at == output->start;
		size_t end = output->fd >= 0 && !with ? output->fd_at : output->end;
		ssize_t n = vu_stream_send(socket, output->bytes + output->start,
					   end - output->start, NULL, 0, &output->fd, with);

		if (n < 0)
			return (int)n;
		if (with)
			drop_fd(output);
		output->start += (size_t)n;
	}
	output->start = output->end = 0;
	return 0;
}

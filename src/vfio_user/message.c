/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/message.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"

#define COMMAND(number, name_, way, in, in_more, out, out_more, in_fds, out_fds)               \
	{                                                                                      \
		.command = (number), .name = (name_), .direction = (way), .request_min = (in), \
		.request_more = (in_more), .reply_min = (out), .reply_more = (out_more),       \
		.request_fds = (in_fds), .reply_fds = (out_fds),                               \
	}
#define TO_SERVER VU_CLIENT_TO_SERVER
#define TO_CLIENT VU_SERVER_TO_CLIENT

/* clang-format off */
static const struct vu_command_row commands[] = {
	COMMAND(VU_VERSION, "VERSION", TO_SERVER,
		VU_VERSION_BYTES, true, VU_VERSION_BYTES, true, false, true),
	COMMAND(VU_DMA_MAP, "DMA_MAP", TO_SERVER,
		VU_MAP_BYTES, false, 0, false, true, false),
	COMMAND(VU_DMA_UNMAP, "DMA_UNMAP", TO_SERVER,
		VU_UNMAP_BYTES, false, VU_UNMAP_BYTES, false, false, false),
	COMMAND(VU_DEVICE_GET_INFO, "DEVICE_GET_INFO", TO_SERVER,
		VU_INFO_BYTES, false, VU_INFO_BYTES, false, false, false),
	COMMAND(VU_DEVICE_GET_REGION_INFO, "DEVICE_GET_REGION_INFO", TO_SERVER,
		UAPI_REGION_SIZE, false, UAPI_REGION_SIZE, true, false, true),
	COMMAND(VU_DEVICE_GET_REGION_IO_FDS, "DEVICE_GET_REGION_IO_FDS", TO_SERVER,
		VU_IO_FDS_BYTES, false, VU_IO_FDS_BYTES, true, false, true),
	COMMAND(VU_DEVICE_GET_IRQ_INFO, "DEVICE_GET_IRQ_INFO", TO_SERVER,
		UAPI_IRQ_SIZE, false, UAPI_IRQ_SIZE, false, false, false),
	COMMAND(VU_DEVICE_SET_IRQS, "DEVICE_SET_IRQS", TO_SERVER,
		VU_SET_IRQS_BYTES, true, 0, false, true, false),
	COMMAND(VU_REGION_READ, "REGION_READ", TO_SERVER,
		VU_ACCESS_BYTES, false, VU_ACCESS_BYTES, true, false, false),
	COMMAND(VU_REGION_WRITE, "REGION_WRITE", TO_SERVER,
		VU_ACCESS_BYTES, true, VU_ACCESS_BYTES, false, false, false),
	COMMAND(VU_DMA_READ, "DMA_READ", TO_CLIENT,
		VU_DMA_BYTES, false, VU_DMA_BYTES, true, false, false),
	COMMAND(VU_DMA_WRITE, "DMA_WRITE", TO_CLIENT,
		VU_DMA_BYTES, true, VU_DMA_BYTES, false, false, false),
	COMMAND(VU_DEVICE_RESET, "DEVICE_RESET", TO_SERVER,
		0, false, 0, false, false, false),
};
/* clang-format on */

const struct vu_command_row *vu_command_find(uint16_t command)
{
	for (unsigned int i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].command == command)
			return &commands[i];
	return NULL;
}

void vu_header_decode(struct vu_header *header, const uint8_t *p)
{
	header->id = get_le16(p + VU_HEADER_ID);
	header->command = get_le16(p + VU_HEADER_COMMAND);
	header->size = get_le32(p + VU_HEADER_SIZE);
	header->flags = get_le32(p + VU_HEADER_FLAGS);
	header->error = get_le32(p + VU_HEADER_ERROR);
}

void vu_header_encode(uint8_t *p, const struct vu_header *header)
{
	put_le16(p + VU_HEADER_ID, header->id);
	put_le16(p + VU_HEADER_COMMAND, header->command);
	put_le32(p + VU_HEADER_SIZE, header->size);
	put_le32(p + VU_HEADER_FLAGS, header->flags);
	put_le32(p + VU_HEADER_ERROR, header->error);
}

int vu_header_check(const struct vu_header *header, uint32_t limit)
{
	if (vu_header_type(header) > VU_TYPE_REPLY || header->size < VU_HEADER_BYTES ||
	    header->size > limit)
		return -EPROTO;
	return 0;
}

int vu_message_check(const struct vu_message *message)
{
	const struct vu_command_row *row = vu_command_find(message->header.command);
	bool reply = vu_header_type(&message->header) == VU_TYPE_REPLY;
	bool error = reply && message->header.flags & VU_FLAG_ERROR;
	uint32_t size = message->payload_size, min;
	bool more, fds;

	if (!row)
		return -ENOTSUP;
	min = reply ? row->reply_min : row->request_min;
	more = reply ? row->reply_more : row->request_more;
	fds = reply ? row->reply_fds : row->request_fds;
	if (error) {
		min = 0;
		more = fds = false;
	}
	if (size < min || (size > min && !more))
		return -EINVAL;
	return message->fds_lost || (message->n_fds && !fds) ? -EINVAL : 0;
}

int vu_message_take_fd(struct vu_message *message, unsigned int i)
{
	int fd = message->fds[i];

	message->fds[i] = -1;
	return fd;
}

void vu_fd_close(int fd)
{
	const struct linger none = { 0 };

	/* Fails for what is no socket, and asks nobody. */
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

void vu_message_close_fds(struct vu_message *message)
{
	for (unsigned int i = 0; i < message->n_fds; i++)
		if (message->fds[i] >= 0)
			vu_fd_close(vu_message_take_fd(message, i));
	message->n_fds = 0;
}

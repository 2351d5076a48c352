/* SPDX-License-Identifier: BSD-3-Clause */
/* What each command of a client does. Sizes and descriptors were checked by vu_message_check. */
#include <errno.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio_user/server.h"

int vu_command_version(struct cxlvm_server *server, struct vu_request *request)
{
	const struct vu_message *message = request->message;
	struct vu_client *client = &server->client;
	struct vu_version theirs, ours = { .major = VU_MAJOR, .minor = VU_MINOR };
	int ret, size;

	ret = vu_version_decode(&theirs, message->payload, message->payload_size);
	if (ret)
		return ret;
	if (theirs.major != VU_MAJOR) {
		server_event(server, CXLVM_SERVER_CLIENT_REFUSED,
			     "it speaks vfio-user %u.%u, this server %u.%u: use a client of major "
			     "version %u",
			     theirs.major, theirs.minor, VU_MAJOR, VU_MINOR, VU_MAJOR);
		return -EINVAL;
	}
	if (theirs.minor < ours.minor)
		ours.minor = theirs.minor;
	vu_capabilities_default(&ours.caps);
	ours.caps.max_msg_fds = VU_FDS_MAX;
	ours.caps.max_dma_maps = VU_DMA_RANGES_MAX;
	/* No descriptor can be sent to who takes none. */
	if (theirs.caps.twin_socket && theirs.caps.max_msg_fds) {
		request->reply_fd = vu_client_add_twin(server);
		if (request->reply_fd < 0)
			return request->reply_fd;
		ours.caps.twin_socket = ours.caps.has_twin_fd_index = true;
	}
	size = vu_version_encode(request->reply, &ours);
	if (size < 0)
		return size;
	request->reply_size = (uint32_t)size;
	client->caps = theirs.caps;
	client->agreed = true;
	server->stats.clients++;
	server_event(server, CXLVM_SERVER_CLIENT_CAME, "vfio-user %u.%u%s", theirs.major,
		     ours.minor, ours.caps.twin_socket ? ", with a twin socket" : "");
	return 0;
}

static int dma_map(struct cxlvm_server *server, struct vu_request *request)
{
	struct vu_message *message = request->message;

	if (message->n_fds > 1)
		return -EINVAL;
	return vu_dma_map(&server->dma, message->payload,
			  message->n_fds ? vu_message_take_fd(message, 0) : -1);
}

static int dma_unmap(struct cxlvm_server *server, struct vu_request *request)
{
	memcpy(request->reply, request->message->payload, VU_UNMAP_BYTES);
	request->reply_size = VU_UNMAP_BYTES;
	return vu_dma_unmap(&server->dma, request->message->payload);
}

static int get_info(struct cxlvm_server *server, struct vu_request *request)
{
	uint8_t info[UAPI_INFO_SIZE];
	size_t needed;
	int ret = kernel_shape_info(&server->shape, info, sizeof(info), &needed);

	if (ret)
		return ret;
	if (get_le32(request->message->payload + UAPI_INFO_ARGSZ) < VU_INFO_BYTES)
		return -EINVAL;
	/* The socket form ends before the offset of capabilities. */
	memcpy(request->reply, info, VU_INFO_BYTES);
	put_le32(request->reply + UAPI_INFO_ARGSZ, VU_INFO_BYTES);
	request->reply_size = VU_INFO_BYTES;
	return 0;
}

static int get_region_info(struct cxlvm_server *server, struct vu_request *request)
{
	const uint8_t *p = request->message->payload;
	uint32_t argsz = get_le32(p + UAPI_REGION_ARGSZ), index = get_le32(p + UAPI_REGION_INDEX);
	size_t room = argsz < SERVER_REPLY_MAX ? argsz : SERVER_REPLY_MAX, needed;
	int ret;

	if (argsz < UAPI_REGION_SIZE)
		return -EINVAL;
	ret = vu_accelerator_region_info(server, index, request->reply, room, &needed);
	if (ret)
		return ret;
	request->reply_size = needed <= room ? (uint32_t)needed : UAPI_REGION_SIZE;
	/* The descriptor goes with the complete answer: clients look for it there only. */
	if (!vu_accelerator_is_memory(server, index) || needed > room ||
	    !server->client.caps.max_msg_fds)
		return 0;
	request->reply_fd = vu_memory_share(&server->memory);
	return request->reply_fd < 0 ? request->reply_fd : 0;
}

/* No region has eventfds of its own: writes come as messages. */
static int get_region_io_fds(struct cxlvm_server *server, struct vu_request *request)
{
	const uint8_t *p = request->message->payload;
	uint8_t info[UAPI_REGION_SIZE];
	size_t needed;
	int ret;

	ret = kernel_shape_region_info(&server->shape, get_le32(p + VU_IO_FDS_INDEX), info,
				       sizeof(info), &needed);
	if (ret)
		return ret;
	if (get_le32(p + VU_IO_FDS_ARGSZ) < VU_IO_FDS_BYTES || get_le32(p + VU_IO_FDS_FLAGS) ||
	    get_le32(p + VU_IO_FDS_COUNT))
		return -EINVAL;
	memcpy(request->reply, p, VU_IO_FDS_BYTES);
	put_le32(request->reply + VU_IO_FDS_ARGSZ, VU_IO_FDS_BYTES);
	request->reply_size = VU_IO_FDS_BYTES;
	return 0;
}

static int get_irq_info(struct vu_request *request)
{
	const uint8_t *p = request->message->payload;
	uint32_t index = get_le32(p + UAPI_IRQ_INDEX), flags = UAPI_IRQ_FLAG_EVENTFD;

	if (get_le32(p + UAPI_IRQ_ARGSZ) < UAPI_IRQ_SIZE || index >= VU_IRQ_INDICES)
		return -EINVAL;
	if (index == VU_IRQ_INDEX_MSIX)
		flags |= UAPI_IRQ_FLAG_MASKABLE;
	put_le32(request->reply + UAPI_IRQ_ARGSZ, UAPI_IRQ_SIZE);
	put_le32(request->reply + UAPI_IRQ_FLAGS, flags);
	put_le32(request->reply + UAPI_IRQ_INDEX, index);
	put_le32(request->reply + UAPI_IRQ_COUNT, vu_irqs_count(index));
	request->reply_size = UAPI_IRQ_SIZE;
	return 0;
}

static int set_irqs(struct cxlvm_server *server, struct vu_request *request)
{
	int ret = vu_irqs_set(&server->irqs, request->message);

	if (!ret)
		vu_accelerator_connect(server);
	return ret;
}

static int region_read(struct cxlvm_server *server, struct vu_request *request)
{
	const uint8_t *p = request->message->payload;
	uint32_t count = get_le32(p + VU_ACCESS_COUNT);
	int ret = vu_accelerator_read(server, get_le32(p + VU_ACCESS_REGION),
				      get_le64(p + VU_ACCESS_OFFSET),
				      request->reply + VU_ACCESS_BYTES, count);

	if (ret)
		return ret;
	memcpy(request->reply, p, VU_ACCESS_BYTES);
	request->reply_size = VU_ACCESS_BYTES + count;
	return 0;
}

static int region_write(struct cxlvm_server *server, struct vu_request *request)
{
	const uint8_t *p = request->message->payload;
	uint32_t count = get_le32(p + VU_ACCESS_COUNT);

	if (count != request->message->payload_size - VU_ACCESS_BYTES)
		return -EINVAL;
	memcpy(request->reply, p, VU_ACCESS_BYTES);
	request->reply_size = VU_ACCESS_BYTES;
	return vu_accelerator_write(server, get_le32(p + VU_ACCESS_REGION),
				    get_le64(p + VU_ACCESS_OFFSET), p + VU_ACCESS_BYTES, count);
}

static int device_reset(struct cxlvm_server *server)
{
	if (server->failing_resets) {
		server->failing_resets--;
		return -EIO;
	}
	server->stats.resets++;
	server_event(server, CXLVM_SERVER_DEVICE_RESET, "by message");
	vu_accelerator_reset(server);
	return 0;
}

int vu_command_execute(struct cxlvm_server *server, struct vu_request *request)
{
	switch (request->message->header.command) {
	case VU_DMA_MAP:
		return dma_map(server, request);
	case VU_DMA_UNMAP:
		return dma_unmap(server, request);
	case VU_DEVICE_GET_INFO:
		return get_info(server, request);
	case VU_DEVICE_GET_REGION_INFO:
		return get_region_info(server, request);
	case VU_DEVICE_GET_REGION_IO_FDS:
		return get_region_io_fds(server, request);
	case VU_DEVICE_GET_IRQ_INFO:
		return get_irq_info(request);
	case VU_DEVICE_SET_IRQS:
		return set_irqs(server, request);
	case VU_REGION_READ:
		return region_read(server, request);
	case VU_REGION_WRITE:
		return region_write(server, request);
	case VU_DEVICE_RESET:
		return device_reset(server);
	default:
		/* A second VERSION, and what only a server asks. */
		return -EINVAL;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/dma.h"

#include <errno.h>
#include <string.h>

#include "base/math.h"

/* Number of ranges that begin at or below an address. */
static unsigned int ranges_up_to(const struct vu_dma *dma, uint64_t iova)
{
	unsigned int low = 0, high = dma->n;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (dma->ranges[middle].iova <= iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void remove_range(struct vu_dma *dma, unsigned int i)
{
	if (dma->ranges[i].has_memory)
		vu_memory_detach(&dma->ranges[i].memory);
	dma->n--;
	memmove(&dma->ranges[i], &dma->ranges[i + 1], (dma->n - i) * sizeof(dma->ranges[0]));
}

static int check_range(const struct vu_dma *dma, const struct vu_dma_range *new, bool *again)
{
	unsigned int at = ranges_up_to(dma, new->iova);
	const struct vu_dma_range *before = at ? &dma->ranges[at - 1] : NULL;
	const struct vu_dma_range *behind = at < dma->n ? &dma->ranges[at] : NULL;

	*again = before && before->iova == new->iova && before->size == new->size &&
		 before->flags == new->flags;
	if (*again)
		return 0;
	if ((before && ranges_overlap(before->iova, before->size, new->iova, new->size)) ||
	    (behind && ranges_overlap(behind->iova, behind->size, new->iova, new->size)))
		return -EEXIST;
	return dma->n == VU_DMA_RANGES_MAX ? -ENOSPC : 0;
}

/* Take the memory that came as a file, or leave it: then it is reached by messages. */
static int attach(struct vu_dma_range *range, int fd, uint64_t offset)
{
	int kind = vu_memory_kind(fd);

	range->has_memory = kind > 0;
	if (range->has_memory)
		return vu_memory_attach(&range->memory, fd, offset, range->size,
					range->flags & VU_MAP_FLAG_WRITE);
	vu_fd_close(fd);
	return kind;
}

int vu_dma_map(struct vu_dma *dma, const uint8_t *request, int fd)
{
	uint32_t known = VU_MAP_FLAG_READ | VU_MAP_FLAG_WRITE;
	struct vu_dma_range new = {
		.iova = get_le64(request + VU_MAP_ADDRESS),
		.size = get_le64(request + VU_MAP_LENGTH),
		.flags = get_le32(request + VU_MAP_FLAGS),
	};
	bool again = false;
	unsigned int at;
	int ret = 0;

	if (get_le32(request + VU_MAP_ARGSZ) < VU_MAP_BYTES || !new.flags || new.flags & ~known ||
	    !range_is_valid(new.iova, new.size))
		ret = -EINVAL;
	if (!ret)
		ret = check_range(dma, &new, &again);
	if (!ret && fd >= 0)
		ret = attach(&new, fd, get_le64(request + VU_MAP_OFFSET));
	else if (fd >= 0)
		vu_fd_close(fd);
	if (ret)
		return ret;
	at = ranges_up_to(dma, new.iova);
	if (again)
		remove_range(dma, --at);
	memmove(&dma->ranges[at + 1], &dma->ranges[at], (dma->n - at) * sizeof(dma->ranges[0]));
	dma->ranges[at] = new;
	dma->n++;
	return 0;
}

int vu_dma_unmap(struct vu_dma *dma, const uint8_t *request)
{
	uint32_t flags = get_le32(request + VU_UNMAP_FLAGS);
	uint64_t iova = get_le64(request + VU_UNMAP_ADDRESS);
	uint64_t size = get_le64(request + VU_UNMAP_LENGTH);
	unsigned int at;

	if (get_le32(request + VU_UNMAP_ARGSZ) < VU_UNMAP_BYTES || flags & ~VU_UNMAP_FLAG_ALL)
		return -EINVAL;
	if (flags & VU_UNMAP_FLAG_ALL) {
		if (iova || size)
			return -EINVAL;
		while (dma->n)
			remove_range(dma, dma->n - 1);
		return 0;
	}
	at = ranges_up_to(dma, iova);
	if (!at || dma->ranges[at - 1].iova != iova || dma->ranges[at - 1].size != size)
		return -ENOENT;
	remove_range(dma, at - 1);
	return 0;
}

void vu_dma_finish(struct vu_dma *dma)
{
	while (dma->n)
		remove_range(dma, dma->n - 1);
	vu_dma_forget(dma);
}

/* By messages: the first time it is only begun. */
static int access_by_message(struct vu_dma_access *access, bool writing, uint64_t iova, void *buf,
			     uint32_t len)
{
	if (access->state != VU_DMA_NONE && access->writing == writing && access->iova == iova &&
	    access->len == len) {
		if (access->state != VU_DMA_ANSWERED)
			return -EAGAIN;
		access->state = VU_DMA_NONE;
		if (!access->result && !writing)
			memcpy(buf, access->data, len);
		return access->result;
	}
	/* An answer to what was asked before has another id and will be dropped. */
	access->state = VU_DMA_WAITING;
	access->writing = writing;
	access->iova = iova;
	access->len = len;
	access->done = 0;
	if (writing)
		memcpy(access->data, buf, len);
	return -EAGAIN;
}

int vu_dma_access(struct vu_dma *dma, bool writing, uint64_t iova, void *buf, size_t len,
		  uint64_t limit)
{
	uint32_t flag = writing ? VU_MAP_FLAG_WRITE : VU_MAP_FLAG_READ;
	unsigned int at = ranges_up_to(dma, iova);
	const struct vu_dma_range *range = at ? &dma->ranges[at - 1] : NULL;
	uint64_t offset;

	if (!range || !(range->flags & flag) || !range_fits(iova - range->iova, len, range->size))
		return -EFAULT;
	offset = iova - range->iova;
	if (range->has_memory)
		return writing ? vu_memory_write(&range->memory, offset, buf, len)
			       : vu_memory_read(&range->memory, offset, buf, len);
	if (!limit || len > VU_DMA_ACCESS_MAX)
		return -EFAULT;
	return access_by_message(&dma->access, writing, iova, buf, (uint32_t)len);
}

size_t vu_dma_request(struct vu_dma *dma, uint64_t now, uint64_t limit, uint8_t *p)
{
	struct vu_dma_access *access = &dma->access;
	uint32_t left = access->len - access->done;
	struct vu_header header = {
		.id = ++access->id,
		.command = access->writing ? VU_DMA_WRITE : VU_DMA_READ,
		.size = VU_HEADER_BYTES + VU_DMA_BYTES,
	};

	access->part = left < limit ? left : (uint32_t)limit;
	if (access->writing)
		header.size += access->part;
	vu_header_encode(p, &header);
	p += VU_HEADER_BYTES;
	put_le64(p + VU_DMA_ADDRESS, access->iova + access->done);
	put_le64(p + VU_DMA_COUNT, access->part);
	if (access->writing)
		memcpy(p + VU_DMA_BYTES, access->data + access->done, access->part);
	access->deadline = now + VU_DMA_PATIENCE;
	access->state = VU_DMA_SENT;
	return header.size;
}

static int check_reply(const struct vu_dma_access *access, const struct vu_message *message)
{
	uint32_t data = access->writing ? 0 : access->part;

	if (message->header.flags & VU_FLAG_ERROR)
		return -EFAULT;
	/* The sizes of a reply that is no error are at least those of its fixed part. */
	if (message->payload_size != VU_DMA_BYTES + data ||
	    get_le64(message->payload + VU_DMA_ADDRESS) != access->iova + access->done ||
	    get_le64(message->payload + VU_DMA_COUNT) != access->part)
		return -EPROTO;
	return 0;
}

int vu_dma_reply(struct vu_dma *dma, const struct vu_message *message)
{
	struct vu_dma_access *access = &dma->access;
	uint16_t command = access->writing ? VU_DMA_WRITE : VU_DMA_READ;

	if (access->state != VU_DMA_SENT || message->header.id != access->id ||
	    message->header.command != command)
		return -EINVAL;
	access->result = vu_message_check(message) ? -EPROTO : check_reply(access, message);
	access->state = VU_DMA_ANSWERED;
	if (access->result)
		return 0;
	if (!access->writing)
		memcpy(access->data + access->done, message->payload + VU_DMA_BYTES, access->part);
	access->done += access->part;
	if (access->done < access->len)
		access->state = VU_DMA_WAITING;
	return 0;
}

void vu_dma_forget(struct vu_dma *dma)
{
	dma->access.state = VU_DMA_NONE;
}

void vu_dma_give_up(struct vu_dma *dma)
{
	dma->access.result = -ETIMEDOUT;
	dma->access.state = VU_DMA_ANSWERED;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of the client that the device may reach: ranges with a descriptor are used through it,
 * the others by messages to the client, of which one is under way at a time.
 */
#ifndef CXLVM_VFIO_USER_DMA_H
#define CXLVM_VFIO_USER_DMA_H

#include <cxlvm/base.h>

#include "vfio_user/memory.h"
#include "vfio_user/message.h"

#define VU_DMA_RANGES_MAX 512u
#define VU_DMA_ACCESS_MAX 4096u /* bytes of one access of the device */
#define VU_DMA_PATIENCE   5000  /* milliseconds until an answer is given up */

struct vu_dma_range {
	uint64_t iova;
	uint64_t size;
	uint32_t flags; /* VU_MAP_FLAG_* */
	bool has_memory;
	struct vu_memory memory;
};

enum vu_dma_state {
	VU_DMA_NONE,
	VU_DMA_WAITING, /* to be sent */
	VU_DMA_SENT,
	VU_DMA_ANSWERED, /* with result */
};

/* An access by messages. It is split if the client takes less in one message. */
struct vu_dma_access {
	enum vu_dma_state state;
	bool writing;
	uint64_t iova;
	uint32_t len, done, part; /* bytes: all, answered, in the message under way */
	uint16_t id;              /* of that message */
	uint64_t deadline;        /* milliseconds, of the monotonic clock */
	int result;
	uint8_t data[VU_DMA_ACCESS_MAX];
};

struct vu_dma {
	unsigned int n;
	struct vu_dma_range ranges[VU_DMA_RANGES_MAX]; /* sorted */
	struct vu_dma_access access;
};

/*
 * DMA_MAP as the request names it, with its descriptor or -1, which belongs to dma afterwards, after a
 * failure too. The same range with the same flags again takes the place of the first. -EINVAL,
 * -EEXIST when it overlaps another, -ENOSPC.
 */
int vu_dma_map(struct vu_dma *dma, const uint8_t *request, int fd);

/* DMA_UNMAP: exactly one range, or all; -EINVAL, -ENOENT. */
int vu_dma_unmap(struct vu_dma *dma, const uint8_t *request);

/* Forget all of it. */
void vu_dma_finish(struct vu_dma *dma);

/*
 * One access of the device: 0; -EFAULT when the memory is not mapped for it; -EAGAIN: ask again for
 * the same when the access is answered; or an error of the memory or the client. limit: the most
 * that the client takes in one message.
 */
int vu_dma_access(struct vu_dma *dma, bool writing, uint64_t iova, void *buf, size_t len,
		  uint64_t limit);

/* Write the message that is to be sent at p, at most VU_DATA_OVERHEAD + VU_DMA_ACCESS_MAX bytes. */
size_t vu_dma_request(struct vu_dma *dma, uint64_t now, uint64_t limit, uint8_t *p);

/* A reply came. 0, or -EINVAL when it answers nothing that was asked; it is dropped then. */
int vu_dma_reply(struct vu_dma *dma, const struct vu_message *message);

/* Whoever asked has ended: an answer that is there or comes is nobody's. */
void vu_dma_forget(struct vu_dma *dma);

/* No answer will come any more: the access fails when it is asked for again. */
void vu_dma_give_up(struct vu_dma *dma);

#endif

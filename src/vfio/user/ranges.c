/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/user/ranges.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"

static void close_range_fd(const struct cxlvm_dma_range *range)
{
	if (range->fd >= 0)
		close(range->fd);
}

void ranges_finish(struct ranges *ranges)
{
	for (unsigned int i = 0; i < ranges->n; i++)
		close_range_fd(&ranges->list[i]);
	free(ranges->list);
	memset(ranges, 0, sizeof(*ranges));
}

/* The first range that ends behind address: it has it, or a new one goes before it. */
static unsigned int position(const struct ranges *ranges, uint64_t address)
{
	unsigned int low = 0, high = ranges->n;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct cxlvm_dma_range *range = &ranges->list[middle];

		if (range->base.value + (range->size - 1) < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow(struct ranges *ranges, struct cxlvm_error *err)
{
	unsigned int room = ranges->room ? 2 * ranges->room : 16;
	struct cxlvm_dma_range *list;

	if (ranges->n < ranges->room)
		return 0;
	list = realloc(ranges->list, room * sizeof(*list));
	if (!list)
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u DMA ranges", room);
	ranges->list = list;
	ranges->room = room;
	return 0;
}

int ranges_add(struct ranges *ranges, const struct cxlvm_dma_range *range, unsigned int limit,
	       struct cxlvm_error *err)
{
	struct cxlvm_dma_range copy = *range;
	unsigned int at;
	int ret;

	if (!range_is_valid(range->base.value, range->size))
		return cxlvm_error_set(err, -EINVAL,
				       "DMA range 0x%" PRIx64 "+0x%" PRIx64
				       " is empty or wraps around",
				       range->base.value, range->size);
	at = position(ranges, range->base.value);
	if (at < ranges->n && ranges_overlap(ranges->list[at].base.value, ranges->list[at].size,
					     range->base.value, range->size))
		return cxlvm_error_set(err, -EEXIST,
				       "DMA range 0x%" PRIx64 "+0x%" PRIx64 " overlaps 0x%" PRIx64
				       "+0x%" PRIx64,
				       range->base.value, range->size, ranges->list[at].base.value,
				       ranges->list[at].size);
	if (ranges->n >= limit)
		return cxlvm_error_set(err, -ENOSPC,
				       "%u DMA ranges, and no more than %u are possible",
				       ranges->n + 1, limit);
	ret = grow(ranges, err);
	if (ret)
		return ret;
	if (range->fd >= 0) {
		copy.fd = fcntl(range->fd, F_DUPFD_CLOEXEC, 0);
		if (copy.fd < 0)
			return cxlvm_error_set(err, -errno, "descriptor %d of a DMA range: %s",
					       range->fd, strerror(errno));
	}
	memmove(&ranges->list[at + 1], &ranges->list[at],
		(ranges->n - at) * sizeof(ranges->list[0]));
	ranges->list[at] = copy;
	ranges->n++;
	ranges->n_without_fd += copy.fd < 0;
	return 0;
}

struct cxlvm_dma_range *ranges_find(struct ranges *ranges, struct cxlvm_iova base, uint64_t size)
{
	unsigned int at = position(ranges, base.value);

	if (at == ranges->n || ranges->list[at].base.value != base.value ||
	    ranges->list[at].size != size)
		return NULL;
	return &ranges->list[at];
}

void ranges_remove(struct ranges *ranges, struct cxlvm_dma_range *range)
{
	size_t at = (size_t)(range - ranges->list);

	close_range_fd(range);
	ranges->n_without_fd -= range->fd < 0;
	ranges->n--;
	memmove(range, range + 1, (ranges->n - at) * sizeof(*range));
}

void *ranges_reach(const struct ranges *ranges, struct cxlvm_iova base, uint64_t size, bool write)
{
	unsigned int at = position(ranges, base.value);
	const struct cxlvm_dma_range *range;

	/* There may be no list yet. */
	if (at == ranges->n)
		return NULL;
	range = &ranges->list[at];
	if (base.value < range->base.value ||
	    !range_fits(base.value - range->base.value, size, range->size) ||
	    (write && !range->writable))
		return NULL;
	return (char *)range->address + (base.value - range->base.value);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the sim's device reaches: guest RAM through a table of mapped ranges, its own memory in the
 * file, eventfds. The host makes calls one at a time, so nothing here is locked.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "vfio/sim/sim.h"

/* The only range that holds all of an access, or NULL. */
static const struct sim_dma_range *range_of(const struct sim *sim, uint64_t iova, size_t len)
{
	for (unsigned int i = 0; i < sim->n_dma; i++) {
		const struct sim_dma_range *range = &sim->dma[i];

		if (iova >= range->base && range_fits(iova - range->base, len, range->size))
			return range;
	}
	return NULL;
}

static int dma_read(void *owner, uint64_t iova, void *buf, size_t len)
{
	const struct sim_dma_range *range = range_of(owner, iova, len);

	if (!range)
		return -EFAULT;
	memcpy(buf, range->address + (iova - range->base), len);
	return 0;
}

static int dma_write(void *owner, uint64_t iova, const void *buf, size_t len)
{
	const struct sim_dma_range *range = range_of(owner, iova, len);

	if (!range || !range->writable)
		return -EFAULT;
	memcpy(range->address + (iova - range->base), buf, len);
	return 0;
}

static int memory_read(void *owner, uint64_t dpa, void *buf, size_t len)
{
	return sim_memory_transfer(owner, dpa, buf, NULL, len);
}

static int memory_write(void *owner, uint64_t dpa, const void *buf, size_t len)
{
	return sim_memory_transfer(owner, dpa, NULL, buf, len);
}

/* Punch out what is there: the file keeps its size and reads 0. Else write it, where files cannot. */
static int memory_clear(void *owner)
{
	static const uint8_t zeros[64 << 10];
	struct sim *sim = owner;
	int ret = 0;

	if (!fallocate(sim->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
		       (off_t)sim->memory_size))
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	for (uint64_t at = 0; at < sim->memory_size && !ret; at += sizeof(zeros))
		ret = sim_memory_transfer(sim, at, NULL, zeros, sizeof(zeros));
	return ret;
}

static void interrupt(void *owner, unsigned int vector)
{
	const struct sim *sim = owner;
	uint64_t one = 1;

	/* A counter that is full has not been looked at: the message is there already. */
	if (sim->eventfds[vector] >= 0 && write(sim->eventfds[vector], &one, sizeof(one)) < 0)
		return;
}

void sim_bus_init(struct sim *sim)
{
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++)
		sim->eventfds[i] = -1;
	sim->bus = (struct swdev_bus){
		.owner = sim,
		.dma_read = dma_read,
		.dma_write = dma_write,
		.memory_read = memory_read,
		.memory_write = memory_write,
		.memory_clear = memory_clear,
		.interrupt = interrupt,
	};
}

static void take_eventfd(struct sim *sim, unsigned int vector, int fd)
{
	if (sim->eventfds[vector] >= 0)
		close(sim->eventfds[vector]);
	sim->eventfds[vector] = fd;
}

void sim_bus_finish(struct sim *sim)
{
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++)
		take_eventfd(sim, i, -1);
}

int sim_irq_set(void *device, uint32_t index, uint32_t start, uint32_t count, const int *eventfds)
{
	int fds[SWDEV_MSIX_VECTORS];
	struct sim *sim = device;
	uint32_t connected = 0, n;
	int ret = 0;

	/* Vectors outside of what there is are the shape's to refuse. */
	if (count > SWDEV_MSIX_VECTORS || start > SWDEV_MSIX_VECTORS - count)
		return -EINVAL;
	for (n = 0; n < count; n++) {
		fds[n] = -1;
		if (eventfds[n] < 0)
			continue;
		fds[n] = fcntl(eventfds[n], F_DUPFD_CLOEXEC, 0);
		if (fds[n] < 0) {
			ret = -errno;
			goto fail;
		}
		connected |= (uint32_t)1 << n;
	}
	/* What is pending arrives at the new descriptors: they are in place before. */
	for (uint32_t i = 0; i < count; i++) {
		int old = sim->eventfds[start + i];

		sim->eventfds[start + i] = fds[i];
		fds[i] = old;
	}
	ret = kernel_shape_irq_set(&sim->shape, index, start, count, connected);
	for (uint32_t i = 0; ret && i < count; i++) {
		int refused = sim->eventfds[start + i];

		sim->eventfds[start + i] = fds[i];
		fds[i] = refused;
	}
fail:
	while (n--)
		if (fds[n] >= 0)
			close(fds[n]);
	return ret;
}

int sim_irq_disable(void *device, uint32_t index)
{
	struct sim *sim = device;
	int ret = kernel_shape_irq_disable(&sim->shape, index);

	if (!ret)
		sim_bus_finish(sim);
	return ret;
}

int sim_dma_map(void *device, const struct cxlvm_dma_range *range, struct cxlvm_error *err)
{
	uint64_t base = range->base.value, size = range->size;
	struct sim *sim = device;

	if (!range_is_valid(base, size) || !is_aligned(base | size, sim->page_size) ||
	    !range->address) {
		cxlvm_error_set(
			err, -EINVAL,
			"sim: DMA range 0x%" PRIx64 "+0x%" PRIx64
			" is empty, wraps, has no memory or is not made of pages of %" PRIu64
			" bytes",
			base, size, sim->page_size);
		cxlvm_error_hint(err, "map whole pages of the host");
		return -EINVAL;
	}
	for (unsigned int i = 0; i < sim->n_dma; i++) {
		const struct sim_dma_range *other = &sim->dma[i];

		if (!ranges_overlap(base, size, other->base, other->size))
			continue;
		cxlvm_error_set(err, -EEXIST,
				"sim: DMA range 0x%" PRIx64 "+0x%" PRIx64 " overlaps 0x%" PRIx64
				"+0x%" PRIx64,
				base, size, other->base, other->size);
		cxlvm_error_hint(err, "unmap that one first");
		return -EEXIST;
	}
	if (sim->n_dma == SIM_DMA_RANGES) {
		cxlvm_error_set(err, -ENOSPC,
				"sim: %u DMA ranges are mapped, and there are no more",
				SIM_DMA_RANGES);
		cxlvm_error_hint(err, "map fewer, larger ranges");
		return -ENOSPC;
	}
	sim->dma[sim->n_dma++] = (struct sim_dma_range){
		.base = base,
		.size = size,
		.address = range->address,
		.writable = range->writable,
	};
	return 0;
}

int sim_dma_unmap(void *device, struct cxlvm_iova base, uint64_t size)
{
	struct sim *sim = device;

	for (unsigned int i = 0; i < sim->n_dma; i++) {
		if (sim->dma[i].base != base.value || sim->dma[i].size != size)
			continue;
		sim->dma[i] = sim->dma[--sim->n_dma];
		return 0;
	}
	return -ENOENT;
}

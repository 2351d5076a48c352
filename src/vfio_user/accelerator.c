/* SPDX-License-Identifier: BSD-3-Clause */
/* The software device behind the server: what its registers reach, and the faults put into it. */
#include <errno.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio_user/server.h"

/* Where the firmware of an imaginary host committed the real decoder. */
#define FIRMWARE_BASE ((uint64_t)0x6a7 << 32)

/* The engine's work of one step, in bytes: some tens of microseconds. */
#define STEP_BYTES ((uint32_t)256 << 10)

#define GENERATION 5u

static bool is_poisoned(const struct cxlvm_server *server, uint64_t dpa, uint64_t len)
{
	for (unsigned int i = 0; i < server->n_poison; i++)
		if (ranges_overlap(dpa, len, server->poison[i].dpa, server->poison[i].size))
			return true;
	return false;
}

/* Ranges that were written as a whole hold data again. */
static void cure_poison(struct cxlvm_server *server, uint64_t dpa, uint64_t len)
{
	for (unsigned int i = 0; i < server->n_poison;) {
		const struct vu_poison *poison = &server->poison[i];

		if (poison->dpa >= dpa && range_fits(poison->dpa - dpa, poison->size, len))
			server->poison[i] = server->poison[--server->n_poison];
		else
			i++;
	}
}

static int memory_read(void *owner, uint64_t dpa, void *buf, size_t len)
{
	struct cxlvm_server *server = owner;

	if (server->memory_not_ready || is_poisoned(server, dpa, len))
		return -EIO;
	return vu_memory_read(&server->memory, dpa, buf, len);
}

static int memory_write(void *owner, uint64_t dpa, const void *buf, size_t len)
{
	struct cxlvm_server *server = owner;
	int ret = server->memory_not_ready ? -EIO : vu_memory_write(&server->memory, dpa, buf, len);

	if (!ret)
		cure_poison(server, dpa, len);
	return ret;
}

static int memory_clear(void *owner)
{
	struct cxlvm_server *server = owner;
	int ret = vu_memory_clear(&server->memory);

	if (!ret)
		server->n_poison = 0;
	return ret;
}

static void count_dma(struct cxlvm_server *server, int ret, size_t len, uint64_t *bytes)
{
	if (!ret)
		*bytes += len;
	else if (ret != -EAGAIN)
		server->stats.dma_failed++;
}

static int dma_read(void *owner, uint64_t iova, void *buf, size_t len)
{
	struct cxlvm_server *server = owner;
	int ret = vu_dma_access(&server->dma, false, iova, buf, len,
				server->client.caps.max_data_xfer_size);

	count_dma(server, ret, len, &server->stats.dma_read);
	return ret;
}

static int dma_write(void *owner, uint64_t iova, const void *buf, size_t len)
{
	struct cxlvm_server *server = owner;
	int ret = vu_dma_access(&server->dma, true, iova, (void *)(uintptr_t)buf, len,
				server->client.caps.max_data_xfer_size);

	count_dma(server, ret, len, &server->stats.dma_written);
	return ret;
}

static void interrupt(void *owner, unsigned int vector)
{
	struct cxlvm_server *server = owner;

	if (vu_irqs_signal(&server->irqs, VU_IRQ_INDEX_MSIX, vector))
		server->stats.interrupts++;
}

void vu_accelerator_power_on(struct cxlvm_server *server)
{
	struct swdev_config settings = server->dev.settings;

	/* It was possible with these settings before. */
	(void)swdev_init(&server->dev, &settings);
	(void)kernel_shape_init(&server->shape, &server->dev, GENERATION, server->shape.page_size);
	kernel_shape_open(&server->shape);
	vu_expose_reset(server);
	vu_accelerator_show_ready(server);
}

int vu_accelerator_init(struct cxlvm_server *server, struct cxlvm_error *err)
{
	struct swdev_config settings = {
		.memory_size = server->config.memory_size,
		.serial = server->config.serial,
		.base = { FIRMWARE_BASE },
		.bus = &server->bus,
	};
	int ret;

	server->bus = (struct swdev_bus){
		.owner = server,
		.dma_read = dma_read,
		.dma_write = dma_write,
		.memory_read = memory_read,
		.memory_write = memory_write,
		.memory_clear = memory_clear,
		.interrupt = interrupt,
	};
	/* Nothing of the device is mapped by page but its memory. */
	server->shape.page_size = 4096;
	ret = swdev_init(&server->dev, &settings);
	if (ret)
		return cxlvm_error_set(err, ret, "device of %llu bytes: %s",
				       (unsigned long long)settings.memory_size, strerror(-ret));
	vu_accelerator_power_on(server);
	return 0;
}

/* A copy that ended waits for nothing: the next one from the same place asks the client anew. */
static void forget_access(struct cxlvm_server *server)
{
	if (!swdev_engine_busy(&server->dev))
		vu_dma_forget(&server->dma);
}

void vu_accelerator_reset(struct cxlvm_server *server)
{
	swdev_reset(&server->dev);
	kernel_shape_reset(&server->shape);
	vu_accelerator_show_ready(server);
	forget_access(server);
}

void vu_accelerator_connect(struct cxlvm_server *server)
{
	const struct vu_irqs *irqs = &server->irqs;
	uint32_t connected = 0;
	bool any = false;

	for (unsigned int v = 0; v < SWDEV_MSIX_VECTORS; v++) {
		bool there = irqs->eventfds[VU_IRQ_INDEX_MSIX][v] >= 0;

		any |= there;
		connected |= (uint32_t)(there && !irqs->masked[v]) << v;
	}
	/* The index and its vectors exist, so neither fails. */
	if (any)
		(void)kernel_shape_irq_set(&server->shape, VU_IRQ_INDEX_MSIX, 0, SWDEV_MSIX_VECTORS,
					   connected);
	else
		(void)kernel_shape_irq_disable(&server->shape, VU_IRQ_INDEX_MSIX);
}

void vu_accelerator_show_ready(struct cxlvm_server *server)
{
	const struct reg_row *active = &dvsec_device_table.rows[CXLDEV_RANGE1_ACTIVE];

	/* The device's own, and the copy that the kernel shape shows. */
	reg_set(server->dev.config, SWDEV_DVSEC_DEVICE, active, !server->memory_not_ready);
	reg_set(server->shape.dvsec, 0, active, !server->memory_not_ready);
}

int vu_accelerator_step(struct cxlvm_server *server)
{
	struct vu_dma_access *access = &server->dma.access;
	uint64_t now;
	bool left;

	if (!swdev_engine_busy(&server->dev))
		return -1;
	left = swdev_engine_step(&server->dev, STEP_BYTES);
	forget_access(server);
	if (access->state == VU_DMA_WAITING)
		vu_client_send_dma(server);
	if (!left || access->state == VU_DMA_NONE || access->state == VU_DMA_ANSWERED)
		return left ? 0 : -1;
	/* No room to ask: the client takes what was sent before, which the descriptor tells. */
	if (access->state == VU_DMA_WAITING)
		return -1;
	now = server_now();
	if (now < access->deadline)
		return (int)(access->deadline - now);
	vu_dma_give_up(&server->dma);
	return 0;
}

/* The region of the device that is behind a region of the client. */
static uint32_t region_behind(const struct cxlvm_server *server, uint32_t region)
{
	return server->config.expose_memory_bar ? vu_expose_region(region) : region;
}

bool vu_accelerator_is_memory(const struct cxlvm_server *server, uint32_t index)
{
	return region_behind(server, index) == SHAPE_REGION_MEMORY;
}

int vu_accelerator_region_info(struct cxlvm_server *server, uint32_t index, uint8_t *buf,
			       size_t len, size_t *needed)
{
	int ret = kernel_shape_region_info(&server->shape, region_behind(server, index), buf, len,
					   needed);
	uint32_t flags;

	if (ret)
		return ret;
	put_le32(buf + UAPI_REGION_INDEX, index);
	/* The kernel's place in its file; here memory begins at 0 of its own. */
	put_le64(buf + UAPI_REGION_OFFSET, 0);
	flags = get_le32(buf + UAPI_REGION_FLAGS);
	/* BARs carry no type, and registers are in no file that could be mapped. */
	if (index < UAPI_REGION_INDEX_ROM) {
		flags &= ~UAPI_REGION_FLAG_CAPS;
		if (!vu_accelerator_is_memory(server, index))
			flags &= ~UAPI_REGION_FLAG_MMAP;
		put_le32(buf + UAPI_REGION_CAP_OFFSET, 0);
		put_le32(buf + UAPI_REGION_ARGSZ, UAPI_REGION_SIZE);
		*needed = UAPI_REGION_SIZE;
	}
	if (len < *needed)
		flags &= ~UAPI_REGION_FLAG_CAPS;
	put_le32(buf + UAPI_REGION_FLAGS, flags);
	return 0;
}

/* region is the device's. */
static int check_access(struct cxlvm_server *server, uint32_t region, uint64_t offset, uint32_t len)
{
	size_t cut = len;

	if (!len || len > SERVER_DATA_MAX ||
	    !range_fits(offset, len, kernel_shape_region_size(&server->shape, region)))
		return -EINVAL;
	/* It lies inside, so nothing is cut. */
	return region == SHAPE_REGION_MEMORY
		       ? kernel_shape_memory_access(&server->shape, offset, &cut)
		       : 0;
}

int vu_accelerator_read(struct cxlvm_server *server, uint32_t region, uint64_t offset, void *buf,
			uint32_t len)
{
	bool config = region == UAPI_REGION_INDEX_CONFIG;
	int ret;

	region = region_behind(server, region);
	ret = check_access(server, region, offset, len);
	if (ret)
		return ret;
	if (region == SHAPE_REGION_MEMORY)
		return memory_read(server, offset, buf, len);
	ret = kernel_shape_read(&server->shape, region, offset, buf, len);
	if (!ret && config && server->config.expose_memory_bar)
		vu_expose_config_read(server, offset, buf, len);
	return ret;
}

int vu_accelerator_write(struct cxlvm_server *server, uint32_t region, uint64_t offset,
			 const void *buf, uint32_t len)
{
	bool config = region == UAPI_REGION_INDEX_CONFIG;
	int ret;

	region = region_behind(server, region);
	ret = check_access(server, region, offset, len);
	if (ret)
		return ret;
	if (region == SHAPE_REGION_MEMORY)
		return memory_write(server, offset, buf, len);
	ret = kernel_shape_write(&server->shape, region, offset, buf, len);
	if (ret || !config)
		return ret;
	/* A function-level reset is a config write. */
	vu_accelerator_show_ready(server);
	forget_access(server);
	if (server->config.expose_memory_bar)
		vu_expose_config_write(server, offset, buf, len);
	return 0;
}

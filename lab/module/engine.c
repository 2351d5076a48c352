// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* The bus of the software device, and the work that carries out commands of its copy engine. */
#include "lab.h"

/* Bytes between two looks at what else has to be done with the device. */
#define BUDGET (64u << 10)

static int dma(struct lab_device *lab, u64 iova, void *buf, size_t len, bool write)
{
	int ret = vfio_dma_rw(lab->vdev, iova, buf, len, write);

	lab_count(lab, write ? LAB_DMA_WRITES : LAB_DMA_READS);
	if (ret)
		lab_count(lab, LAB_DMA_FAILED);
	/* Not what the engine takes for "later". */
	return ret == -EAGAIN ? -EIO : ret;
}

static int dma_read(void *owner, uint64_t iova, void *buf, size_t len)
{
	return dma(owner, iova, buf, len, false);
}

static int dma_write(void *owner, uint64_t iova, const void *buf, size_t len)
{
	return dma(owner, iova, (void *)buf, len, true);
}

static int memory_read(void *owner, uint64_t dpa, void *buf, size_t len)
{
	struct lab_device *lab = owner;

	return lab_memory_read(&lab->memory, dpa, buf, len);
}

static int memory_write(void *owner, uint64_t dpa, const void *buf, size_t len)
{
	struct lab_device *lab = owner;

	return lab_memory_write(&lab->memory, dpa, buf, len);
}

static int memory_clear(void *owner)
{
	struct lab_device *lab = owner;

	/* Nobody writes behind the clearing. */
	lab_revoke_memory(lab);
	lab_memory_clear(&lab->memory);
	return 0;
}

static void run(struct work_struct *work)
{
	struct lab_device *lab = container_of(work, struct lab_device, engine);
	bool left = true;

	while (left) {
		mutex_lock(&lab->lock);
		/* Nobody listens any more: the command stays where it is until the reset. */
		left = lab->open && swdev_engine_step(&lab->dev, BUDGET);
		mutex_unlock(&lab->lock);
		cond_resched();
	}
}

void lab_engine_init(struct lab_device *lab)
{
	INIT_WORK(&lab->engine, run);
	lab->bus = (struct swdev_bus){
		.owner = lab,
		.dma_read = dma_read,
		.dma_write = dma_write,
		.memory_read = memory_read,
		.memory_write = memory_write,
		.memory_clear = memory_clear,
		.interrupt = lab_interrupt,
	};
}

void lab_engine_kick(struct lab_device *lab)
{
	lockdep_assert_held(&lab->lock);
	if (lab->open && swdev_engine_busy(&lab->dev))
		queue_work(system_dfl_wq, &lab->engine);
}

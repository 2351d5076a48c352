// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* One device: made, opened, closed, reset. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <linux/slab.h>

#include "lab.h"

/*
 * Where the firmware of the imaginary host committed the decoder when the memory is not at a
 * physical address of its own. No guest may see it (contract P2).
 */
#define HOST_BASE ((u64)0x6a7 << 32)

/*
 * The component BAR outside of what the kernel hides. To VFIO's type1 memory that a driver maps is a
 * device's only if no page of the host's is there, or a reserved one: others it does not map for DMA.
 */
static void mark_scratch(void *scratch, bool reserved)
{
	for (unsigned int at = 0; at < SWDEV_BAR_SIZE; at += PAGE_SIZE) {
		struct page *page = virt_to_page((u8 *)scratch + at);

		if (reserved)
			SetPageReserved(page);
		else
			ClearPageReserved(page);
	}
}

int lab_device_init(struct lab_device *lab, struct vfio_device *vdev,
		    const struct lab_settings *settings)
{
	struct swdev_config config = {
		.memory_size = settings->size,
		.serial = settings->serial,
		.base = { settings->memory_at ?: HOST_BASE },
		.component_bar = settings->component_region,
		.bus = &lab->bus,
	};
	int ret;

	lab->vdev = vdev;
	lab->component_region = settings->component_region;
	lab->memory_is_bar = settings->memory_is_bar;
	lab->sample = settings->sample;
	lab->firmware = settings->firmware;
	mutex_init(&lab->lock);
	init_rwsem(&lab->memory_lock);
	spin_lock_init(&lab->failures_lock);
	lab_engine_init(lab);
	lab->scratch = alloc_pages_exact(SWDEV_BAR_SIZE, GFP_KERNEL | __GFP_ZERO);
	if (!lab->scratch)
		return -ENOMEM;
	mark_scratch(lab->scratch, true);
	ret = lab_memory_init(&lab->memory, settings);
	if (ret == -EBUSY)
		dev_err(vdev->dev, "memory at %pa is in use: reserve it with memmap=\n",
			&settings->memory_at);
	if (!ret)
		ret = swdev_init(&lab->dev, &config);
	if (!ret)
		ret = kernel_shape_init(&lab->shape, &lab->dev, settings->generation, PAGE_SIZE);
	if (ret) {
		lab_device_finish(lab);
		return ret;
	}
	kernel_shape_set_quirks(&lab->shape, &settings->quirks);
	return 0;
}

void lab_device_finish(struct lab_device *lab)
{
	lab_memory_finish(&lab->memory);
	if (lab->scratch) {
		mark_scratch(lab->scratch, false);
		free_pages_exact(lab->scratch, SWDEV_BAR_SIZE);
	}
	lab->scratch = NULL;
}

int lab_device_open(struct lab_device *lab)
{
	int ret = lab_call(lab, LAB_CALL_OPEN);

	if (ret)
		return ret;
	mutex_lock(&lab->lock);
	lab_sample(lab);
	kernel_shape_open(&lab->shape);
	memcpy(lab->header, lab->dev.config, sizeof(lab->header));
	lab->open = true;
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
	return 0;
}

/* Config space as it was before the device was opened: command and BARs. */
static void restore_header(struct lab_device *lab)
{
	for (u32 bar = 0; bar < PCI_BARS; bar++)
		swdev_config_write(&lab->dev, 0x10 + 4 * bar, 4, lab->header[4 + bar]);
	swdev_config_write(&lab->dev, 0x04, 2, lab->header[1] & 0xffff);
}

static void drop(struct eventfd_ctx **trigger)
{
	if (*trigger)
		eventfd_ctx_put(*trigger);
	*trigger = NULL;
}

void lab_device_close(struct lab_device *lab)
{
	mutex_lock(&lab->lock);
	lab->open = false;
	lab->low_power = false;
	lab_irqs_off(lab);
	drop(&lab->error);
	drop(&lab->request);
	/* No DMA of this user's commands later, whoever opens the device next. */
	engine_reset(&lab->dev);
	restore_header(lab);
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
	cancel_work_sync(&lab->engine);
	lab_count(lab, LAB_CLOSES);
}

int lab_device_reset(struct lab_device *lab)
{
	return lab_call(lab, LAB_CALL_RESET) ?: lab_shape_reset(lab);
}

void lab_follow(struct lab_device *lab, bool memory_space, bool low_power)
{
	mutex_lock(&lab->lock);
	reg_set(lab->dev.config, 0, &pci_header_table.rows[PCI_MEMORY_SPACE], memory_space);
	lab->low_power = low_power;
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
}

void lab_set_low_power(struct lab_device *lab, bool low)
{
	mutex_lock(&lab->lock);
	lab->low_power = low;
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
}

int lab_shape_reset(struct lab_device *lab)
{
	unsigned int resets;
	int ret;

	mutex_lock(&lab->lock);
	resets = lab->shape.resets;
	ret = kernel_shape_device_reset(&lab->shape);
	if (lab->shape.resets != resets) {
		lab_count(lab, LAB_DEVICE_RESETS);
		if (lab->shape.facts.gate != GATE_NONE)
			lab_revoke_memory(lab);
	}
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
	return ret;
}

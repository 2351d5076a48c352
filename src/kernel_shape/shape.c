/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* The generations, one row each; when the kernel samples the device; its rules for device memory. */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"
#include "kernel_shape/uapi.h"

/* Bits of CXL Control and CXL Status. */
#define IO_ENABLE    0x0002u
#define MEM_ENABLE   0x0004u
#define VIRAL_STATUS 0x4000u

#define GENERATION_2                                                                              \
	.region_type = UAPI_TYPE_CXL, .capability_size = UAPI_CXL2_SIZE, .regs_first = CM_OFFSET, \
	.regs_size = SWDEV_HDM_OFFSET + HDM_BYTES, .regs_one_dword = true, .frees_decoder = true, \
	.zeroes_base = true, .samples_at_open = true, .write = shadow_write_2,                    \
	.hides_block = true, .hole_exact = true, .bar = BAR_PASSES, .gate = GATE_DECODER,         \
	.file = MEMORY_CLAMPED

#define GENERATION_2_DVSEC                                                             \
	.control = DVSEC_UNTIL_LOCK, .control_ones = IO_ENABLE, .status = DVSEC_W1C,   \
	.status_clears = VIRAL_STATUS, .control2 = DVSEC_WRITABLE, .lock = DVSEC_ONCE, \
	.range_base = DVSEC_WRITABLE

#define GENERATION_5                                                                             \
	.region_type = UAPI_TYPE_CXL, .regs_first = HDM_IN_BLOCK, .regs_size = HDM_BYTES,        \
	.regs_clamped = true, .samples_at_open = true, .bar = BAR_IS_DARK, .reset_clears = true, \
	.file = MEMORY_CLAMPED_END, .huge_pages = true,                                          \
	.dvsec = {                                                                               \
		.control = DVSEC_WRITABLE,                                                       \
		.control2 = DVSEC_WRITABLE,                                                      \
		.initiate = INITIATE_PRETENDS,                                                   \
	}

static const struct shape_facts generations[] = {
	{
		.generation = 2,
		GENERATION_2,
		.samples_at_reset = true,
		.dvsec = { GENERATION_2_DVSEC, .initiate = INITIATE_FORWARDED },
	},
	{
		.generation = SHAPE_GENERATION_2N,
		GENERATION_2,
		.dvsec = { GENERATION_2_DVSEC, .initiate = INITIATE_RESETS },
	},
	{
		.generation = 3,
		.region_type = UAPI_TYPE_CXL,
		.capability_size = UAPI_CXL3_SIZE,
		.regs_size = CXLVM_COMPONENT_BLOCK_SIZE,
		.write = shadow_write_3,
		.hides_block = true,
		.no_area_no_mmap = true,
		.bar = BAR_REFUSES,
		.gate = GATE_NONE,
		.file = MEMORY_FITS,
		.dvsec = {
			.control = DVSEC_UNTIL_LOCK,
			.control2 = DVSEC_UNTIL_LOCK,
			.status = DVSEC_W1C,
			.status2 = DVSEC_W1C,
			.status_clears = UINT16_MAX,
			.lock = DVSEC_ONCE,
			.first_register_only = true,
		},
	},
	{
		.generation = 4,
		.region_type = UAPI_TYPE_CXL_4,
		.regs_first = HDM_IN_BLOCK,
		.regs_size = HDM_BYTES,
		.samples_at_open = true,
		.samples_at_reset = true,
		.write = shadow_write_4,
		.bar = BAR_REFUSES,
		.gate = GATE_DECODER_AND_SPACE,
		.file = MEMORY_REFUSED,
		.huge_pages = true,
		.dvsec = {
			.control = DVSEC_WRITABLE,
			.control_ones = MEM_ENABLE,
			.control2 = DVSEC_WRITABLE,
			.status = DVSEC_W1C,
			.status2 = DVSEC_W1C,
			.status_clears = UINT16_MAX,
			.initiate = INITIATE_RESETS,
		},
	},
	{
		.generation = 5,
		GENERATION_5,
		.space = SPACE_ONES,
		.gate = GATE_DECODER_AND_SPACE,
	},
	{
		.generation = 6,
		GENERATION_5,
		.gate = GATE_DECODER,
		.space = SPACE_ERROR,
	},
};

const struct shape_facts *shape_facts_of(unsigned int generation)
{
	for (unsigned int i = 0; i < sizeof(generations) / sizeof(generations[0]); i++)
		if (generations[i].generation == generation)
			return &generations[i];
	return NULL;
}

int kernel_shape_init(struct kernel_shape *shape, struct swdev *dev, unsigned int generation,
		      uint64_t page_size)
{
	const struct shape_facts *facts = shape_facts_of(generation);

	if (!facts)
		return -EINVAL;
	shape->dev = dev;
	shape->facts = *facts;
	memset(&shape->quirks, 0, sizeof(shape->quirks));
	shape->again = 0;
	shape->late = 0;
	shape->page_size = page_size;
	shape->gated = false;
	shape->irq_on = false;
	shape->irq_connected = 0;
	memcpy(shape->cm, dev->cm, sizeof(shape->cm));
	shadow_sample(shape);
	shape_dvsec_sample(shape);
	return 0;
}

void kernel_shape_open(struct kernel_shape *shape)
{
	if (!shape->facts.samples_at_open)
		return;
	shadow_sample(shape);
	shape_dvsec_sample(shape);
}

int kernel_shape_device_reset(struct kernel_shape *shape)
{
	int ret = quirks_before_reset(shape);

	if (ret)
		return ret;
	if (shape->facts.reset_clears)
		ret = swdev_cxl_reset(shape->dev, true);
	else
		swdev_reset(shape->dev);
	kernel_shape_reset(shape);
	shape->gated = ret != 0;
	return ret;
}

void kernel_shape_reset(struct kernel_shape *shape)
{
	shape->resets++;
	quirks_after_reset(shape);
	shape_dvsec_reset(shape);
	shape_irq_restore(shape);
	if (shape->facts.samples_at_reset)
		shadow_sample(shape);
}

bool kernel_shape_memory_usable(const struct kernel_shape *shape)
{
	enum memory_gate gate = shape->facts.gate;

	if (shape->gated)
		return false;
	if (gate == GATE_NONE)
		return true;
	if (gate == GATE_DECODER_AND_SPACE && !swdev_memory_space(shape->dev))
		return false;
	return decoder_is_committed(swdev_hdm(shape->dev));
}

int kernel_shape_memory_access(const struct kernel_shape *shape, uint64_t offset, size_t *len)
{
	uint64_t size = shape->dev->settings.memory_size;

	switch (shape->facts.file) {
	case MEMORY_REFUSED:
		return -EIO;
	case MEMORY_FITS:
		return range_fits(offset, *len, size) ? 0 : -EINVAL;
	case MEMORY_CLAMPED_END:
		if (offset >= size)
			return -EINVAL;
		break;
	case MEMORY_CLAMPED:
		break;
	}
	if (!kernel_shape_memory_usable(shape))
		return -EIO;
	if (offset >= size)
		*len = 0;
	else if (*len > size - offset)
		*len = (size_t)(size - offset);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* Device info and region info, byte by byte. */
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

#define ANSWER_MAX 160u

/* An answer being put together: fixed part, then a chain of capabilities. */
struct answer {
	uint8_t bytes[ANSWER_MAX];
	uint32_t size;      /* so far */
	uint32_t link;      /* where the offset of the next capability goes */
	uint32_t flags_at;  /* position of the flags word */
	uint32_t caps_flag; /* its bit that says there are capabilities */
	uint32_t cap_at;    /* position of the offset of the first one */
};

static uint8_t *add_capability(struct answer *answer, uint16_t id, uint32_t size)
{
	uint8_t *cap = &answer->bytes[answer->size];

	put_le16(cap + UAPI_CAP_ID, id);
	put_le16(cap + UAPI_CAP_VERSION, 1);
	put_le32(&answer->bytes[answer->link], answer->size);
	answer->link = answer->size + UAPI_CAP_NEXT;
	answer->size += size;
	return cap;
}

/*
 * Hand out an answer as the kernel does: a buffer that is too small is no error, it gets the fixed
 * part with the size that would do and no offset of a chain.
 */
static int give(const struct kernel_shape *shape, struct answer *answer, uint32_t fixed, void *buf,
		size_t len, size_t *needed)
{
	uint8_t *flags = &answer->bytes[answer->flags_at];

	if (answer->size > fixed && shape->quirks.chain_loops)
		put_le32(&answer->bytes[answer->link], fixed);
	/* The last capability is longer than this. */
	if (answer->size > fixed && shape->quirks.chain_short)
		answer->size -= 4;
	put_le32(answer->bytes, answer->size);
	if (answer->size > fixed)
		put_le32(flags, get_le32(flags) | answer->caps_flag);
	*needed = answer->size;
	if (len < answer->size) {
		if (answer->size > fixed)
			put_le32(&answer->bytes[answer->cap_at], 0);
		memcpy(buf, answer->bytes, len < fixed ? len : fixed);
		return 0;
	}
	memcpy(buf, answer->bytes, answer->size);
	return 0;
}

/* Capability 6, which only generations 2, 2n and 3 have. */
static void add_device_capability(const struct kernel_shape *shape, struct answer *answer)
{
	const struct shape_facts *facts = &shape->facts;
	uint32_t bar = shape->dev->settings.component_bar;
	uint8_t *cap = add_capability(answer, UAPI_DEVICE_CAP_CXL, facts->capability_size);

	if (facts->capability_size == UAPI_CXL2_SIZE) {
		cap[UAPI_CXL2_BAR] = (uint8_t)bar;
		put_le32(cap + UAPI_CXL2_FLAGS, UAPI_CXL2_FLAG_COMMITTED | UAPI_CXL2_FLAG_CACHE);
		put_le64(cap + UAPI_CXL2_CM_OFFSET, SWDEV_BLOCK_OFFSET + CM_OFFSET);
		put_le32(cap + UAPI_CXL2_MEMORY_REGION, SHAPE_REGION_MEMORY);
		put_le32(cap + UAPI_CXL2_REGS_REGION, SHAPE_REGION_REGS);
	} else {
		put_le32(cap + UAPI_CXL3_FLAGS, UAPI_CXL3_FLAG_COMMITTED);
		put_le32(cap + UAPI_CXL3_MEMORY_REGION, SHAPE_REGION_MEMORY);
		put_le32(cap + UAPI_CXL3_REGS_REGION, SHAPE_REGION_REGS);
		put_le32(cap + UAPI_CXL3_BAR, bar);
		put_le64(cap + UAPI_CXL3_BLOCK_OFFSET, SWDEV_BLOCK_OFFSET);
		put_le64(cap + UAPI_CXL3_BLOCK_SIZE, CXLVM_COMPONENT_BLOCK_SIZE);
	}
}

int kernel_shape_info(const struct kernel_shape *shape, void *buf, size_t len, size_t *needed)
{
	struct answer answer = {
		.size = UAPI_INFO_SIZE,
		.link = UAPI_INFO_CAP_OFFSET,
		.flags_at = UAPI_INFO_FLAGS,
		.caps_flag = UAPI_INFO_FLAG_CAPS,
		.cap_at = UAPI_INFO_CAP_OFFSET,
	};

	put_le32(answer.bytes + UAPI_INFO_FLAGS,
		 UAPI_INFO_FLAG_RESET | UAPI_INFO_FLAG_PCI | UAPI_INFO_FLAG_CXL);
	put_le32(answer.bytes + UAPI_INFO_NUM_REGIONS, SHAPE_NUM_REGIONS);
	put_le32(answer.bytes + UAPI_INFO_NUM_IRQS, UAPI_NUM_IRQS);
	if (shape->facts.capability_size)
		add_device_capability(shape, &answer);
	return give(shape, &answer, UAPI_INFO_SIZE, buf, len, needed);
}

static void add_type(const struct shape_facts *facts, struct answer *answer, uint32_t subtype)
{
	uint8_t *cap = add_capability(answer, UAPI_REGION_CAP_TYPE, UAPI_TYPE_SIZE);

	put_le32(cap + UAPI_TYPE_TYPE, facts->region_type);
	put_le32(cap + UAPI_TYPE_SUBTYPE, subtype);
}

struct area {
	uint64_t offset, size;
};

/* The parts of the component BAR that may be mapped: all but a hole. Their number. */
static uint32_t component_areas(const struct kernel_shape *shape, struct area areas[2])
{
	const struct shape_facts *facts = &shape->facts;
	uint64_t page = facts->hole_exact ? 1 : shape->page_size;
	uint64_t first = facts->hides_block ? SWDEV_BLOCK_OFFSET : HDM_IN_BAR;
	uint64_t bytes = facts->hides_block ? CXLVM_COMPONENT_BLOCK_SIZE : HDM_BYTES;
	uint64_t hole = align_down(first, page);
	uint64_t end = align_down(first + bytes + page - 1, page);
	uint32_t n = 0;

	if (hole)
		areas[n++] = (struct area){ .offset = 0, .size = hole };
	if (end < SWDEV_BAR_SIZE)
		areas[n++] = (struct area){ .offset = end, .size = SWDEV_BAR_SIZE - end };
	return n;
}

static void component_bar(const struct kernel_shape *shape, struct answer *answer, uint32_t *flags)
{
	struct area areas[2];
	uint32_t n = component_areas(shape, areas);
	uint8_t *cap;

	if (!n && shape->facts.no_area_no_mmap)
		return;
	*flags |= UAPI_REGION_FLAG_MMAP;
	cap = add_capability(answer, UAPI_REGION_CAP_SPARSE,
			     UAPI_SPARSE_AREAS + n * UAPI_SPARSE_AREA);
	put_le32(cap + UAPI_SPARSE_COUNT, n);
	cap += UAPI_SPARSE_AREAS;
	for (uint32_t i = 0; i < n; i++, cap += UAPI_SPARSE_AREA) {
		put_le64(cap, areas[i].offset);
		put_le64(cap + 8, areas[i].size);
	}
}

bool kernel_shape_may_map(const struct kernel_shape *shape, uint32_t region, uint64_t offset,
			  uint64_t size)
{
	struct area areas[2];
	uint32_t n;

	if (region == SHAPE_REGION_MEMORY)
		return !shape->facts.no_memory_mmap &&
		       range_fits(offset, size, shape->dev->settings.memory_size);
	if (region != SWDEV_BAR)
		return false;
	n = component_areas(shape, areas);
	for (uint32_t i = 0; i < n; i++)
		if (offset >= areas[i].offset &&
		    range_fits(offset - areas[i].offset, size, areas[i].size))
			return true;
	return false;
}

static void register_region(const struct kernel_shape *shape, struct answer *answer)
{
	uint8_t *cap;

	add_type(&shape->facts, answer, UAPI_SUBTYPE_CXL_REGS);
	if (shape->facts.capability_size)
		return;
	/* Where there is no device capability, this one has the geometry. */
	cap = add_capability(answer, UAPI_REGION_CAP_CXL_REGS, UAPI_GEOMETRY_SIZE);
	put_le32(cap + UAPI_GEOMETRY_BAR, shape->dev->settings.component_bar);
	put_le64(cap + UAPI_GEOMETRY_OFFSET, HDM_IN_BAR);
}

uint64_t kernel_shape_region_size(const struct kernel_shape *shape, uint32_t index)
{
	switch (index) {
	case SWDEV_BAR:
	case SWDEV_ENGINE_BAR:
	case SWDEV_MSIX_BAR:
		return swdev_bar_size(index);
	case UAPI_REGION_INDEX_CONFIG:
		return PCI_CONFIG_SIZE;
	case SHAPE_REGION_REGS:
		return shape->facts.regs_size;
	case SHAPE_REGION_MEMORY:
		return shape->dev->settings.memory_size;
	default:
		return 0;
	}
}

int kernel_shape_region_info(const struct kernel_shape *shape, uint32_t index, void *buf,
			     size_t len, size_t *needed)
{
	struct answer answer = {
		.size = UAPI_REGION_SIZE,
		.link = UAPI_REGION_CAP_OFFSET,
		.flags_at = UAPI_REGION_FLAGS,
		.caps_flag = UAPI_REGION_FLAG_CAPS,
		.cap_at = UAPI_REGION_CAP_OFFSET,
	};
	uint64_t size = kernel_shape_region_size(shape, index);
	uint32_t flags = size ? UAPI_REGION_FLAG_READ | UAPI_REGION_FLAG_WRITE : 0;

	switch (index) {
	case SWDEV_BAR:
		component_bar(shape, &answer, &flags);
		break;
	case SHAPE_REGION_REGS:
		register_region(shape, &answer);
		break;
	case SHAPE_REGION_MEMORY:
		if (!shape->facts.no_memory_mmap)
			flags |= UAPI_REGION_FLAG_MMAP;
		add_type(&shape->facts, &answer, UAPI_SUBTYPE_CXL_MEMORY);
		break;
	default:
		if (index >= SHAPE_NUM_REGIONS)
			return -EINVAL;
		break;
	}
	put_le32(answer.bytes + UAPI_REGION_FLAGS, flags);
	put_le32(answer.bytes + UAPI_REGION_INDEX, index);
	put_le64(answer.bytes + UAPI_REGION_BYTES, size);
	put_le64(answer.bytes + UAPI_REGION_OFFSET, (uint64_t)index << UAPI_OFFSET_SHIFT);
	return give(shape, &answer, UAPI_REGION_SIZE, buf, len, needed);
}

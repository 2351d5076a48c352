/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* The register region: which accesses each generation takes, and what stands where. */
#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"

static int check(const struct shape_facts *facts, uint64_t offset, size_t len)
{
	if (!is_aligned(offset, 4) || len % 4 || (facts->regs_one_dword && len > 4))
		return -EINVAL;
	if (range_fits(offset, len, facts->regs_size) && offset < facts->regs_size)
		return 0;
	/* Cut short is an error for who wants all of it. */
	return facts->regs_clamped && offset < facts->regs_size ? -EIO : -EINVAL;
}

/* One dword at an offset of the component block. */
static uint32_t read_dword(const struct kernel_shape *shape, uint64_t block)
{
	uint32_t value;

	if (block < CM_OFFSET || block >= HDM_IN_BLOCK + HDM_BYTES)
		return 0;
	if (shape->facts.space == SPACE_ONES && !swdev_memory_space(shape->dev))
		return UINT32_MAX;
	if (shape->facts.write)
		value = reg_load(&shape->cm[(block - CM_OFFSET) / 4]);
	else
		value = reg_load(&swdev_hdm(shape->dev)[(block - HDM_IN_BLOCK) / 4]);
	return block < HDM_IN_BLOCK
		       ? value
		       : quirks_register(shape, (uint32_t)(block - HDM_IN_BLOCK), value);
}

int shape_registers_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf,
			 size_t len)
{
	int ret = check(&shape->facts, offset, len);

	if (ret)
		return ret;
	if (shape->facts.space == SPACE_ERROR && !swdev_memory_space(shape->dev))
		return -EIO;
	for (; len; offset += 4, buf += 4, len -= 4)
		put_le32(buf, read_dword(shape, shape->facts.regs_first + offset));
	return 0;
}

int shape_registers_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf,
			  size_t len)
{
	const struct shape_facts *facts = &shape->facts;
	int ret = check(facts, offset, len);

	if (ret || !facts->write)
		return ret;
	for (; len; offset += 4, buf += 4, len -= 4) {
		uint64_t block = facts->regs_first + offset;

		if (block >= HDM_IN_BLOCK && block < HDM_IN_BLOCK + HDM_BYTES)
			facts->write(&shape->cm[SWDEV_HDM_OFFSET / 4],
				     (uint32_t)(block - HDM_IN_BLOCK), get_le32(buf));
	}
	return 0;
}

// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* Read and write of regions. User memory is reached outside of all locks. */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lab.h"

#define OFFSET_MASK (((u64)1 << UAPI_OFFSET_SHIFT) - 1)

/* Where an access goes; len is cut to what is there. */
struct access {
	u32 region;
	u64 offset;
	size_t len;
};

/* 0 or the negative errno of an access that begins or ends at the wrong place. */
static int limit(const struct lab_device *lab, struct access *access)
{
	const struct shape_facts *facts = &lab->shape.facts;
	u64 size;

	switch (access->region) {
	case UAPI_REGION_INDEX_CONFIG:
		return range_fits(access->offset, access->len, PCI_CONFIG_SIZE) ? 0 : -EFAULT;
	case SHAPE_REGION_REGS:
		size = facts->regs_size;
		if (!facts->regs_clamped && !range_fits(access->offset, access->len, size))
			return -EINVAL;
		break;
	default:
		size = access->region < PCI_BARS ? swdev_bar_size(access->region) : 0;
		break;
	}
	if (access->offset >= size)
		return -EINVAL;
	access->len = min_t(u64, access->len, size - access->offset);
	return 0;
}

static enum lab_call call_of(u32 region, bool write)
{
	switch (region) {
	case UAPI_REGION_INDEX_CONFIG:
		return write ? LAB_CALL_CONFIG_WRITE : LAB_CALL_CONFIG_READ;
	case SHAPE_REGION_REGS:
		return write ? LAB_CALL_REGS_WRITE : LAB_CALL_REGS_READ;
	case SHAPE_REGION_MEMORY:
		return write ? LAB_CALL_MEMORY_WRITE : LAB_CALL_MEMORY_READ;
	default:
		return write ? LAB_CALL_BAR_WRITE : LAB_CALL_BAR_READ;
	}
}

/* That part of an access to BAR 0 that is between first and end is memory, as it is when mapped. */
static void scratch_access(struct lab_device *lab, const struct access *access, u8 *buf, u64 first,
			   u64 end, bool write)
{
	u64 from = max(access->offset, first), to = min(access->offset + access->len, end);

	if (from >= to)
		return;
	if (write)
		memcpy(lab->scratch + from, buf + (from - access->offset), to - from);
	else
		memcpy(buf + (from - access->offset), lab->scratch + from, to - from);
}

static int device_access(struct lab_device *lab, const struct access *access, void *buf, bool write)
{
	struct kernel_shape *shape = &lab->shape;
	u64 cm = SWDEV_BLOCK_OFFSET + CM_OFFSET;
	int ret;

	if (access->region < PCI_BARS && (lab->low_power || !swdev_memory_space(&lab->dev)))
		return -EIO;
	lab_sample(lab);
	kernel_shape_look(shape);
	ret = write ? kernel_shape_write(shape, access->region, access->offset, buf, access->len)
		    : kernel_shape_read(shape, access->region, access->offset, buf, access->len);
	if (!ret && access->region == SWDEV_BAR) {
		scratch_access(lab, access, buf, 0, cm, write);
		scratch_access(lab, access, buf, cm + CM_SIZE, SWDEV_BAR_SIZE, write);
	}
	return ret;
}

/* The same with what comes before and after; a reset can be behind a write to config space. */
static int locked_access(struct lab_device *lab, const struct access *access, void *buf, bool write)
{
	unsigned int resets;
	int ret;

	mutex_lock(&lab->lock);
	resets = lab->shape.resets;
	ret = device_access(lab, access, buf, write);
	if (lab->shape.resets != resets) {
		lab_count(lab, LAB_DEVICE_RESETS);
		if (lab->shape.facts.gate != GATE_NONE)
			lab_revoke_memory(lab);
	}
	lab_update_gates(lab);
	if (write)
		lab_engine_kick(lab);
	mutex_unlock(&lab->lock);
	return ret;
}

/* Device memory: 0 with len as the kernel cuts it, or its error. */
static int memory_limit(struct lab_device *lab, struct access *access)
{
	int ret;

	mutex_lock(&lab->lock);
	lab_sample(lab);
	kernel_shape_look(&lab->shape);
	lab_update_gates(lab);
	ret = kernel_shape_memory_access(&lab->shape, access->offset, &access->len);
	if (!ret && !lab->memory_open)
		ret = -EIO;
	mutex_unlock(&lab->lock);
	return ret;
}

static int begin(struct lab_device *lab, struct access *access, size_t count, loff_t pos,
		 bool write)
{
	u64 region = (u64)pos >> UAPI_OFFSET_SHIFT;
	int ret;

	if (region > U32_MAX)
		return -EINVAL;
	if (region == lab->component_region)
		region = SWDEV_BAR;
	*access = (struct access){
		.region = region,
		.offset = pos & OFFSET_MASK,
		.len = min_t(size_t, count, MAX_RW_COUNT),
	};
	ret = lab_call(lab, call_of(access->region, write));
	if (ret)
		return ret;
	return access->region == SHAPE_REGION_MEMORY ? memory_limit(lab, access)
						     : limit(lab, access);
}

ssize_t lab_region_read(struct lab_device *lab, char __user *buf, size_t count, loff_t *ppos)
{
	u32 most = READ_ONCE(lab->short_reads);
	struct access access;
	ssize_t ret;
	void *bytes;

	ret = begin(lab, &access, count, *ppos, false);
	if (ret || !access.len)
		return ret;
	if (access.region == SHAPE_REGION_MEMORY) {
		ret = lab_memory_to_user(&lab->memory, access.offset, buf,
					 most ? min_t(size_t, most, access.len) : access.len);
		goto out;
	}
	bytes = kvzalloc(access.len, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	ret = locked_access(lab, &access, bytes, false);
	if (!ret) {
		ret = most ? min_t(size_t, most, access.len) : access.len;
		if (copy_to_user(buf, bytes, ret))
			ret = -EFAULT;
	}
	kvfree(bytes);
out:
	if (ret > 0)
		*ppos += ret;
	return ret;
}

ssize_t lab_region_write(struct lab_device *lab, const char __user *buf, size_t count, loff_t *ppos)
{
	struct access access;
	ssize_t ret;
	void *bytes;

	ret = begin(lab, &access, count, *ppos, true);
	if (ret || !access.len)
		return ret;
	if (access.region == SHAPE_REGION_MEMORY) {
		ret = lab_memory_from_user(&lab->memory, access.offset, buf, access.len);
		goto out;
	}
	bytes = kvmalloc(access.len, GFP_KERNEL);
	if (!bytes)
		return -ENOMEM;
	ret = copy_from_user(bytes, buf, access.len) ? -EFAULT : 0;
	if (!ret)
		ret = locked_access(lab, &access, bytes, true) ?: access.len;
	kvfree(bytes);
out:
	if (ret > 0)
		*ppos += ret;
	return ret;
}

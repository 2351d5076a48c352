/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* Region accesses: what each generation of the kernel does with them. */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "base/math.h"
#include "kernel_shape/shape.h"
#include "kernel_shape/uapi.h"
#include "regs/dvsec.h"

#define CM_IN_BAR  (SWDEV_BLOCK_OFFSET + CM_OFFSET)
#define HDM_IN_BAR (CM_IN_BAR + SWDEV_HDM_OFFSET)
#define HDM_BYTES  (4 * DECODER_DWORDS)

/*
 * The shadow of generation 2 is filled from hardware. A decoder that is committed and locked has
 * its lock cleared and its base zeroed, so that the monitor can program it.
 */
static void sample_shadow(struct kernel_shape *shape)
{
	memcpy(shape->shadow, swdev_hdm(shape->dev), sizeof(shape->shadow));
	if (!hdm_get(shape->shadow, 0, 0, HDM_CTL_COMMITTED) ||
	    !hdm_get(shape->shadow, 0, 0, HDM_CTL_LOCK))
		return;
	hdm_set(shape->shadow, 0, 0, HDM_CTL_LOCK, 0);
	hdm_set(shape->shadow, 0, 0, HDM_BASE_LOW, 0);
	hdm_set(shape->shadow, 0, 0, HDM_BASE_HIGH, 0);
}

int kernel_shape_init(struct kernel_shape *shape, struct swdev *dev, unsigned int generation,
		      uint64_t page_size)
{
	if (generation != 2 && generation != 5)
		return -EINVAL;
	shape->dev = dev;
	shape->generation = generation;
	shape->page_size = page_size;
	kernel_shape_reset(shape);
	return 0;
}

void kernel_shape_reset(struct kernel_shape *shape)
{
	sample_shadow(shape);
}

bool kernel_shape_memory_usable(const struct kernel_shape *shape)
{
	if (!decoder_is_committed(swdev_hdm(shape->dev)))
		return false;
	/* Generation 2 does not look at Memory Space; generation 5 does. */
	return shape->generation == 2 || swdev_memory_space(shape->dev);
}

/* Config space: naturally aligned pieces, as the kernel splits what it is given. */
static unsigned int config_piece(uint64_t offset, size_t len)
{
	if (len >= 4 && is_aligned(offset, 4))
		return 4;
	if (len >= 2 && is_aligned(offset, 2))
		return 2;
	return 1;
}

static int config_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len)
{
	if (!range_fits(offset, len, PCI_CONFIG_SIZE))
		return -EFAULT;
	while (len) {
		unsigned int n = config_piece(offset, len);

		put_le(buf, n, swdev_config_read(shape->dev, (uint32_t)offset, n));
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

/* Generation 5: of the CXL Device DVSEC only control and control 2 are writable. */
static bool config_writable(const struct kernel_shape *shape, uint64_t offset)
{
	uint64_t at = offset - SWDEV_DVSEC_DEVICE;
	uint16_t control = dvsec_device_table.rows[CXLDEV_MEM_ENABLE].offset;
	uint16_t control2 = dvsec_device_table.rows[CXLDEV_DISABLE_CACHING].offset;

	if (shape->generation == 2 || offset < SWDEV_DVSEC_DEVICE || at >= DVSEC_DEVICE_SIZE)
		return true;
	return (at & ~1ull) == control || (at & ~1ull) == control2;
}

static int config_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf, size_t len)
{
	if (!range_fits(offset, len, PCI_CONFIG_SIZE))
		return -EFAULT;
	for (; len; offset++, buf++, len--)
		if (config_writable(shape, offset))
			swdev_config_write(shape->dev, (uint32_t)offset, 1, *buf);
	return 0;
}

/* Does a BAR access touch what this generation keeps for itself? */
static bool bar_hidden(const struct kernel_shape *shape, uint64_t offset, size_t len)
{
	if (shape->generation == 2)
		return ranges_overlap(offset, len, SWDEV_BLOCK_OFFSET, CXLVM_COMPONENT_BLOCK_SIZE);
	return ranges_overlap(offset, len, HDM_IN_BAR, HDM_BYTES);
}

static int bar_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len)
{
	if (!range_fits(offset, len, SWDEV_BAR_SIZE))
		return -EINVAL;
	for (; len; offset++, buf++, len--) {
		bool hidden = bar_hidden(shape, offset, 1);

		*buf = hidden ? 0xff : (uint8_t)swdev_bar_read(shape->dev, (uint32_t)offset, 1);
	}
	return 0;
}

static int bar_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf, size_t len)
{
	if (!range_fits(offset, len, SWDEV_BAR_SIZE))
		return -EINVAL;
	if (len <= 8 && !bar_hidden(shape, offset, len))
		swdev_bar_write(shape->dev, (uint32_t)offset, (unsigned int)len,
				get_le(buf, (unsigned int)len));
	return 0;
}

/* Generation 2: exactly one aligned dword, from the CM area or the shadow. */
static int shadow_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len)
{
	if (len != 4 || !is_aligned(offset, 4) ||
	    !range_fits(offset, len, SWDEV_HDM_OFFSET + HDM_BYTES))
		return -EINVAL;
	if (offset < SWDEV_HDM_OFFSET)
		put_le32(buf, reg_load(&shape->dev->cm[offset / 4]));
	else
		put_le32(buf, reg_load(&shape->shadow[(offset - SWDEV_HDM_OFFSET) / 4]));
	return 0;
}

static void shadow_write_control(struct kernel_shape *shape, uint32_t value)
{
	uint32_t *shadow = shape->shadow;
	uint32_t wanted[DECODER_DWORDS] = { 0 };

	reg_store(&wanted[hdm_table.rows[HDM_CTL_COMMIT].offset / 4], value);
	if (hdm_get(shadow, 0, 0, HDM_CTL_LOCK)) {
		/* With the lock set only the lock itself can be taken away. */
		hdm_set(shadow, 0, 0, HDM_CTL_LOCK, hdm_get(wanted, 0, 0, HDM_CTL_LOCK));
		return;
	}
	regs_write(&hdm_table, shadow, 0, hdm_table.rows[HDM_CTL_COMMIT].offset, 4, value);
	hdm_set(shadow, 0, 0, HDM_CTL_COMMITTED, hdm_get(wanted, 0, 0, HDM_CTL_COMMIT));
}

static int shadow_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf, size_t len)
{
	uint32_t at, value;

	if (len != 4 || !is_aligned(offset, 4) ||
	    !range_fits(offset, len, SWDEV_HDM_OFFSET + HDM_BYTES))
		return -EINVAL;
	if (offset < SWDEV_HDM_OFFSET)
		return 0;
	at = (uint32_t)offset - SWDEV_HDM_OFFSET;
	value = get_le32(buf);
	if (at == hdm_table.rows[HDM_CTL_COMMIT].offset) {
		shadow_write_control(shape, value);
	} else if (at == hdm_table.rows[HDM_GLOBAL_ENABLE].offset) {
		hdm_set(shape->shadow, 0, 0, HDM_GLOBAL_ENABLE, value >> 1 & 1);
	} else if (at >= hdm_table.rows[HDM_BASE_LOW].offset &&
		   at <= hdm_table.rows[HDM_SIZE_HIGH].offset &&
		   !hdm_get(shape->shadow, 0, 0, HDM_CTL_LOCK)) {
		/* Not gated on committed: a quirk of this kernel. */
		regs_write(&hdm_table, shape->shadow, 0, at, 4, value);
	}
	return 0;
}

/* Generation 5: the live decoder, in dwords; all ones while Memory Space is off. */
static int live_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len)
{
	if (!len || !is_aligned(offset, 4) || len % 4 || !range_fits(offset, len, HDM_BYTES))
		return -EINVAL;
	for (; len; offset += 4, buf += 4, len -= 4)
		put_le32(buf, swdev_memory_space(shape->dev)
				      ? reg_load(&swdev_hdm(shape->dev)[offset / 4])
				      : UINT32_MAX);
	return 0;
}

static int live_write(uint64_t offset, size_t len)
{
	if (!len || !is_aligned(offset, 4) || len % 4 || !range_fits(offset, len, HDM_BYTES))
		return -EINVAL;
	return 0;
}

int kernel_shape_read(const struct kernel_shape *shape, uint32_t region, uint64_t offset, void *buf,
		      size_t len)
{
	switch (region) {
	case SWDEV_BAR:
		return bar_read(shape, offset, buf, len);
	case UAPI_REGION_INDEX_CONFIG:
		return config_read(shape, offset, buf, len);
	case SHAPE_REGION_REGS:
		return shape->generation == 2 ? shadow_read(shape, offset, buf, len)
					      : live_read(shape, offset, buf, len);
	default:
		return -EINVAL;
	}
}

int kernel_shape_write(struct kernel_shape *shape, uint32_t region, uint64_t offset,
		       const void *buf, size_t len)
{
	switch (region) {
	case SWDEV_BAR:
		return bar_write(shape, offset, buf, len);
	case UAPI_REGION_INDEX_CONFIG:
		return config_write(shape, offset, buf, len);
	case SHAPE_REGION_REGS:
		return shape->generation == 2 ? shadow_write(shape, offset, buf, len)
					      : live_write(offset, len);
	default:
		return -EINVAL;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* Region accesses, and those to the component BAR. */
#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"
#include "kernel_shape/uapi.h"

/* Does a BAR access touch what this generation keeps for itself? */
static bool is_hidden(const struct kernel_shape *shape, uint32_t bar, uint64_t offset, size_t len)
{
	if (bar != SWDEV_BAR)
		return false;
	if (shape->facts.hides_block)
		return ranges_overlap(offset, len, SWDEV_BLOCK_OFFSET, CXLVM_COMPONENT_BLOCK_SIZE);
	return ranges_overlap(offset, len, HDM_IN_BAR, HDM_BYTES);
}

static int check_bar(const struct kernel_shape *shape, uint32_t bar, uint64_t offset, size_t len)
{
	if (!len || !range_fits(offset, len, swdev_bar_size(bar)))
		return -EINVAL;
	if (shape->facts.bar == BAR_REFUSES && is_hidden(shape, bar, offset, len))
		return -EINVAL;
	return 0;
}

/* The MSI-X table is the kernel's, in every generation. */
static bool is_msix_table(uint32_t bar, uint64_t offset, unsigned int len)
{
	return bar == SWDEV_MSIX_BAR &&
	       ranges_overlap(offset, len, SWDEV_MSIX_TABLE, SWDEV_MSIX_TABLE_SIZE);
}

/* What is hidden begins and ends at a dword, so a piece is hidden or not. */
static bool is_dark(const struct kernel_shape *shape, uint32_t bar, uint64_t offset,
		    unsigned int len)
{
	return is_msix_table(bar, offset, len) ||
	       (shape->facts.bar == BAR_IS_DARK && is_hidden(shape, bar, offset, len));
}

static int bar_read(const struct kernel_shape *shape, uint32_t bar, uint64_t offset, uint8_t *buf,
		    size_t len)
{
	int ret = check_bar(shape, bar, offset, len);

	while (!ret && len) {
		unsigned int n = shape_access_piece(offset, len);

		put_le(buf, n,
		       is_dark(shape, bar, offset, n)
			       ? UINT64_MAX
			       : swdev_bar_read(shape->dev, bar, (uint32_t)offset, n));
		offset += n;
		buf += n;
		len -= n;
	}
	return ret;
}

static int bar_write(struct kernel_shape *shape, uint32_t bar, uint64_t offset, const uint8_t *buf,
		     size_t len)
{
	int ret = check_bar(shape, bar, offset, len);

	while (!ret && len) {
		unsigned int n = shape_access_piece(offset, len);

		if (!is_dark(shape, bar, offset, n))
			swdev_bar_write(shape->dev, bar, (uint32_t)offset, n, get_le(buf, n));
		offset += n;
		buf += n;
		len -= n;
	}
	return ret;
}

int kernel_shape_read(const struct kernel_shape *shape, uint32_t region, uint64_t offset, void *buf,
		      size_t len)
{
	switch (region) {
	case SWDEV_BAR:
	case SWDEV_ENGINE_BAR:
	case SWDEV_MSIX_BAR:
		return bar_read(shape, region, offset, buf, len);
	case UAPI_REGION_INDEX_CONFIG:
		return shape_config_read(shape, offset, buf, len);
	case SHAPE_REGION_REGS:
		return shape_registers_read(shape, offset, buf, len);
	default:
		return -EINVAL;
	}
}

int kernel_shape_write(struct kernel_shape *shape, uint32_t region, uint64_t offset,
		       const void *buf, size_t len)
{
	switch (region) {
	case SWDEV_BAR:
	case SWDEV_ENGINE_BAR:
	case SWDEV_MSIX_BAR:
		return bar_write(shape, region, offset, buf, len);
	case UAPI_REGION_INDEX_CONFIG:
		return shape_config_write(shape, offset, buf, len);
	case SHAPE_REGION_REGS:
		return shape_registers_write(shape, offset, buf, len);
	default:
		return -EINVAL;
	}
}

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* Config space: the device's, except for the CXL Device DVSEC, of which the kernel keeps a copy. */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <string.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"

/* Registers of the CXL Device DVSEC, by a row of each. */
#define CONTROL       CXLDEV_MEM_ENABLE_AT
#define STATUS        CXLDEV_VIRAL_STATUS_AT
#define CONTROL2      CXLDEV_INITIATE_RESET_AT
#define STATUS2       CXLDEV_RESET_COMPLETE_AT
#define LOCK          CXLDEV_CONFIG_LOCK_AT
#define RANGE_1_BASE  CXLDEV_RANGE1_BASE_HIGH_AT
#define RANGE_2_BASE  CXLDEV_RANGE2_BASE_HIGH_AT
#define RANGE_BASE_SZ 8u /* high and low */

/* Bits of CXL Control 2, and of CXL Status 2 that tell how it went. */
#define BIT_OF(row)         (1u << dvsec_device_table.rows[row].lsb)
#define INITIATE_WRITE_BACK BIT_OF(CXLDEV_INITIATE_WB)
#define INITIATE_RESET      BIT_OF(CXLDEV_INITIATE_RESET)
#define MEM_CLEAR           BIT_OF(CXLDEV_MEM_CLEAR_ENABLE)
#define CACHE_INVALID       BIT_OF(CXLDEV_CACHE_INVALID)
#define RESET_COMPLETE      BIT_OF(CXLDEV_RESET_COMPLETE)
#define RESET_ERROR         BIT_OF(CXLDEV_RESET_ERROR)

unsigned int shape_access_piece(uint64_t offset, size_t len)
{
	if (len >= 4 && is_aligned(offset, 4))
		return 4;
	if (len >= 2 && is_aligned(offset, 2))
		return 2;
	return 1;
}

void shape_dvsec_sample(struct kernel_shape *shape)
{
	memcpy(shape->dvsec, &shape->dev->config[SWDEV_DVSEC_DEVICE / 4], sizeof(shape->dvsec));
}

static uint16_t dvsec_get(const struct kernel_shape *shape, uint32_t at)
{
	return (uint16_t)regs_read(shape->dvsec, at, 2);
}

static void dvsec_set(struct kernel_shape *shape, uint32_t at, uint32_t value)
{
	uint32_t shift = 8 * (at & 2u), *dword = &shape->dvsec[at / 4];

	reg_store(dword, (reg_load(dword) & ~(0xffffu << shift)) | (value & 0xffffu) << shift);
}

/* The copy outlives a reset, but not what it says about the caches, where it is the device's word. */
void shape_dvsec_reset(struct kernel_shape *shape)
{
	if (shape->facts.dvsec.initiate == INITIATE_RESETS)
		dvsec_set(shape, STATUS2, dvsec_get(shape, STATUS2) & ~CACHE_INVALID);
}

static enum dvsec_access access_of(const struct dvsec_facts *facts, uint32_t at)
{
	switch (at) {
	case CONTROL:
		return facts->control;
	case STATUS:
		return facts->status;
	case CONTROL2:
		return facts->control2;
	case STATUS2:
		return facts->status2;
	case LOCK:
		return facts->lock;
	default:
		if (at - RANGE_1_BASE < RANGE_BASE_SZ || at - RANGE_2_BASE < RANGE_BASE_SZ)
			return facts->range_base;
		return DVSEC_FIXED;
	}
}

/* Bits of a register that no write changes. */
static uint16_t fixed_bits(uint32_t at)
{
	/* The lower half of a base low: below 256 MiB. */
	if (at == RANGE_1_BASE + 4 || at == RANGE_2_BASE + 4)
		return UINT16_MAX;
	if (at == RANGE_1_BASE + 6 || at == RANGE_2_BASE + 6)
		return 0x0fff;
	return at == LOCK ? 0xfffe : 0;
}

/* Bits of CXL Control 2 were set that start something; they read 0 again. */
static void initiate(struct kernel_shape *shape, uint16_t bits)
{
	uint32_t status = dvsec_get(shape, STATUS2);

	switch ((enum dvsec_initiate)shape->facts.dvsec.initiate) {
	case INITIATE_STORED:
		return;
	case INITIATE_FORWARDED:
		swdev_config_write(shape->dev, SWDEV_DVSEC_DEVICE + CONTROL2, 2, bits);
		break;
	case INITIATE_RESETS:
		if (bits & INITIATE_WRITE_BACK) {
			swdev_config_write(shape->dev, SWDEV_DVSEC_DEVICE + CONTROL2, 2,
					   INITIATE_WRITE_BACK);
			status |= CACHE_INVALID;
		}
		if (bits & INITIATE_RESET) {
			/* The guest's wish for its memory goes with it. */
			int ret =
				swdev_cxl_reset(shape->dev, dvsec_get(shape, CONTROL2) & MEM_CLEAR);

			kernel_shape_reset(shape);
			status &= ~(uint32_t)(RESET_COMPLETE | RESET_ERROR);
			status |= ret ? RESET_ERROR : RESET_COMPLETE;
		}
		break;
	case INITIATE_PRETENDS:
		if (bits & INITIATE_WRITE_BACK)
			status |= CACHE_INVALID;
		if (bits & INITIATE_RESET)
			status |= RESET_COMPLETE;
		break;
	}
	dvsec_set(shape, STATUS2, status);
	dvsec_set(shape, CONTROL2,
		  dvsec_get(shape, CONTROL2) & ~(INITIATE_WRITE_BACK | INITIATE_RESET));
}

/* Write those bits of one 16-bit register that are in mask. */
static void dvsec_write(struct kernel_shape *shape, uint32_t at, uint16_t mask, uint16_t value)
{
	const struct dvsec_facts *facts = &shape->facts.dvsec;
	uint16_t old = dvsec_get(shape, at);
	uint32_t now;

	mask &= (uint16_t)~fixed_bits(at);
	value &= mask;
	switch (access_of(facts, at)) {
	case DVSEC_FIXED:
	default:
		return;
	case DVSEC_UNTIL_LOCK:
		if (dvsec_get(shape, LOCK) & 1)
			return;
		now = (old & ~mask) | value;
		break;
	case DVSEC_WRITABLE:
		now = (old & ~mask) | value;
		break;
	case DVSEC_W1C:
		now = old & ~(value & facts->status_clears);
		break;
	case DVSEC_ONCE:
		now = old | value;
		break;
	}
	if (at == CONTROL)
		now |= facts->control_ones;
	dvsec_set(shape, at, now);
	if (at == CONTROL2 && now & (INITIATE_WRITE_BACK | INITIATE_RESET))
		initiate(shape, (uint16_t)(now & (INITIATE_WRITE_BACK | INITIATE_RESET)));
}

/* A naturally aligned write of 1, 2 or 4 bytes, as one or two registers. */
static void dvsec_write_piece(struct kernel_shape *shape, uint32_t at, unsigned int len,
			      uint32_t value)
{
	if (len == 1) {
		unsigned int shift = 8 * (at & 1u);

		dvsec_write(shape, at & ~1u, (uint16_t)(0xffu << shift),
			    (uint16_t)(value << shift));
		return;
	}
	dvsec_write(shape, at, UINT16_MAX, (uint16_t)value);
	if (len == 4 && !shape->facts.dvsec.first_register_only)
		dvsec_write(shape, at + 2, UINT16_MAX, (uint16_t)(value >> 16));
}

static bool in_dvsec(uint64_t offset)
{
	return offset >= SWDEV_DVSEC_DEVICE && offset - SWDEV_DVSEC_DEVICE < DVSEC_DEVICE_SIZE;
}

/* MSI-X is switched by the kernel alone, as its user asks with the interrupts' own call. */
static bool in_msix(uint64_t offset)
{
	return offset >= SWDEV_MSIX && offset - SWDEV_MSIX < MSIX_SIZE;
}

static uint8_t read_byte(const struct kernel_shape *shape, uint32_t offset)
{
	uint32_t at = offset - SWDEV_DVSEC_DEVICE;
	bool live = shape->facts.dvsec.initiate == INITIATE_FORWARDED && (at & ~1u) == STATUS2;

	if (in_dvsec(offset) && !live)
		return (uint8_t)regs_read(shape->dvsec, at, 1);
	return (uint8_t)swdev_config_read(shape->dev, offset, 1);
}

int shape_config_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len)
{
	if (!range_fits(offset, len, PCI_CONFIG_SIZE))
		return -EFAULT;
	for (; len; offset++, buf++, len--)
		*buf = read_byte(shape, (uint32_t)offset);
	return 0;
}

int shape_config_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf, size_t len)
{
	if (!range_fits(offset, len, PCI_CONFIG_SIZE))
		return -EFAULT;
	while (len) {
		unsigned int n = shape_access_piece(offset, len);
		uint32_t value = (uint32_t)get_le(buf, n);

		if (in_dvsec(offset))
			dvsec_write_piece(shape, (uint32_t)offset - SWDEV_DVSEC_DEVICE, n, value);
		else if (!in_msix(offset))
			swdev_config_write(shape->dev, (uint32_t)offset, n, value);
		/* A function-level reset is a write that the kernel carries out, and says nothing. */
		if (regs_write_sets(&pcie_table.rows[PCIE_INITIATE_FLR], SWDEV_PCIE,
				    (uint32_t)offset, n, value))
			(void)kernel_shape_device_reset(shape);
		offset += n;
		buf += n;
		len -= n;
	}
	return 0;
}

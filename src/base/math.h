/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* Checked arithmetic and little-endian access. Freestanding. */
#ifndef CXLVM_BASE_MATH_H
#define CXLVM_BASE_MATH_H

#include <cxlvm/base.h>

/* Does base + size wrap, or is size 0? The last byte may be the last of the address space. */
static inline bool range_is_valid(uint64_t base, uint64_t size)
{
	return size && size - 1 <= UINT64_MAX - base;
}

/* Does [offset, offset + size) lie inside [0, limit)? Never wraps. */
static inline bool range_fits(uint64_t offset, uint64_t size, uint64_t limit)
{
	return size <= limit && offset <= limit - size;
}

/* Do two valid ranges have a byte in common? */
static inline bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a <= b + (b_size - 1) && b <= a + (a_size - 1);
}

static inline bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static inline bool is_aligned(uint64_t value, uint64_t align)
{
	return !(value & (align - 1));
}

/* Round up to a power of two; false when the result does not fit. */
static inline bool align_up(uint64_t value, uint64_t align, uint64_t *result)
{
	if (value > UINT64_MAX - (align - 1))
		return false;
	*result = (value + align - 1) & ~(align - 1);
	return true;
}

static inline uint64_t align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

static inline uint64_t get_le(const uint8_t *p, unsigned int length)
{
	uint64_t value = 0;

	while (length--)
		value = value << 8 | p[length];
	return value;
}

static inline void put_le(uint8_t *p, unsigned int length, uint64_t value)
{
	for (unsigned int i = 0; i < length; i++, value >>= 8)
		p[i] = (uint8_t)value;
}

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)get_le(p, 2);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return (uint32_t)get_le(p, 4);
}

static inline uint64_t get_le64(const uint8_t *p)
{
	return get_le(p, 8);
}

static inline void put_le16(uint8_t *p, uint16_t value)
{
	put_le(p, 2, value);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
	put_le(p, 4, value);
}

static inline void put_le64(uint8_t *p, uint64_t value)
{
	put_le(p, 8, value);
}

/* All ones of length bytes, 1 to 8: what a guest reads where nothing answers. */
static inline uint64_t all_ones(unsigned int length)
{
	return length >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * length)) - 1;
}

#endif

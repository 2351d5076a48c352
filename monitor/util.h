/* SPDX-License-Identifier: BSD-3-Clause */
/* util.h - sizes, alignment, little-endian bytes */
#ifndef MONITOR_UTIL_H
#define MONITOR_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* align is a power of two. */
static inline uint64_t align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

static inline uint64_t align_up(uint64_t value, uint64_t align)
{
	return align_down(value + align - 1, align);
}

static inline bool is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

static inline uint64_t round_up_pow2(uint64_t value)
{
	return value <= 1 ? 1 : (uint64_t)1 << (64 - __builtin_clzll(value - 1));
}

/* What a bus returns when nobody answers. */
static inline uint64_t all_ones(unsigned int length)
{
	return length >= 8 ? UINT64_MAX : ((uint64_t)1 << (8 * length)) - 1;
}

/* The first length bytes at p (1 to 8), as a little-endian number. */
static inline uint64_t load_le(const void *p, unsigned int length)
{
	const uint8_t *bytes = p;
	uint64_t value = 0;

	for (unsigned int i = 0; i < length && i < 8; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

static inline void store_le(void *p, unsigned int length, uint64_t value)
{
	uint8_t *bytes = p;

	for (unsigned int i = 0; i < length && i < 8; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

#endif

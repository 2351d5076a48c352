/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Test pattern for device memory, the same in the guest's driver and in user space. Every word
 * depends on the seed and on its place, so lost, moved, repeated and stale data all show.
 */
#ifndef LAB_PATTERN_H
#define LAB_PATTERN_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdint.h>
#endif

#define PATTERN_PAGE_SIZE  4096
#define PATTERN_PAGE_WORDS (PATTERN_PAGE_SIZE / 8)

/**
 * pattern_word() - word of the pattern (the output function of splitmix64)
 * @seed: names the pattern
 * @index: number of the 64-bit word, counted from the start of the memory
 *
 * Words are stored in the machine's byte order.
 */
static inline uint64_t pattern_word(uint64_t seed, uint64_t index)
{
	uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15ULL;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
	return z ^ (z >> 31);
}

#endif

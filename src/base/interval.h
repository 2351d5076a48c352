/* SPDX-License-Identifier: BSD-3-Clause */
/* A small set of named, disjoint ranges, kept sorted by base. No allocation. */
#ifndef CXLVM_BASE_INTERVAL_H
#define CXLVM_BASE_INTERVAL_H

#include <cxlvm/base.h>

#define INTERVAL_NAME_MAX 64
#define INTERVALS_MAX     160

struct interval {
	char name[INTERVAL_NAME_MAX];
	uint64_t base;
	uint64_t size; /* not 0, does not wrap */
};

struct interval_set {
	unsigned int n;
	struct interval items[INTERVALS_MAX];
};

/* The first member that overlaps the valid range, or NULL. */
const struct interval *interval_find(const struct interval_set *set, uint64_t base, uint64_t size);

/* Add a range. 0, -EINVAL (empty, wraps), -EEXIST (overlaps *other), -ENOSPC. */
int interval_add(struct interval_set *set, const char *name, uint64_t base, uint64_t size,
		 const struct interval **other);

/*
 * The lowest base, at or above from and a multiple of align (power of two), where size bytes
 * overlap no member and end at or below last. false when there is none.
 */
bool interval_find_gap(const struct interval_set *set, uint64_t from, uint64_t size, uint64_t align,
		       uint64_t last, uint64_t *base);

/*
 * The address after the highest member that begins at or above from, or from. UINT64_MAX where no
 * address comes after it.
 */
uint64_t interval_end(const struct interval_set *set, uint64_t from);

#endif

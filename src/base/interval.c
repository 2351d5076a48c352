/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/interval.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"

const struct interval *interval_find(const struct interval_set *set, uint64_t base, uint64_t size)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (ranges_overlap(set->items[i].base, set->items[i].size, base, size))
			return &set->items[i];
	return NULL;
}

int interval_add(struct interval_set *set, const char *name, uint64_t base, uint64_t size,
		 const struct interval **other)
{
	const struct interval *found;
	unsigned int at = 0;

	if (!range_is_valid(base, size))
		return -EINVAL;
	found = interval_find(set, base, size);
	if (found) {
		if (other)
			*other = found;
		return -EEXIST;
	}
	if (set->n == INTERVALS_MAX)
		return -ENOSPC;
	while (at < set->n && set->items[at].base < base)
		at++;
	memmove(&set->items[at + 1], &set->items[at], (set->n - at) * sizeof(set->items[0]));
	set->n++;
	snprintf(set->items[at].name, sizeof(set->items[at].name), "%.63s", name);
	set->items[at].base = base;
	set->items[at].size = size;
	return 0;
}

bool interval_find_gap(const struct interval_set *set, uint64_t from, uint64_t size, uint64_t align,
		       uint64_t last, uint64_t *base)
{
	uint64_t at;

	if (!size || !align_up(from, align, &at))
		return false;
	/* Each step passes one member, so there are at most n + 1 of them. */
	for (unsigned int i = 0; i <= set->n; i++) {
		const struct interval *hit;

		if (at > last || size - 1 > last - at)
			return false;
		hit = interval_find(set, at, size);
		if (!hit) {
			*base = at;
			return true;
		}
		if (hit->size > UINT64_MAX - hit->base ||
		    !align_up(hit->base + hit->size, align, &at))
			return false;
	}
	return false;
}

uint64_t interval_end(const struct interval_set *set, uint64_t from)
{
	uint64_t end = from;

	for (unsigned int i = 0; i < set->n; i++) {
		const struct interval *item = &set->items[i];

		if (item->base < from)
			continue;
		if (item->base > UINT64_MAX - item->size)
			return UINT64_MAX;
		if (item->base + item->size > end)
			end = item->base + item->size;
	}
	return end;
}

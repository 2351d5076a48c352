/* SPDX-License-Identifier: BSD-3-Clause */
/* map.c - the trapped part of the guest physical address space */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "util.h"

int map_init(struct map *map, unsigned int max_ranges, struct cxlvm_error *err)
{
	/* n ranges have 2n borders, so at most 2n - 1 pieces between them. */
	size_t max_entries = 2 * (size_t)max_ranges;

	memset(map, 0, sizeof(*map));
	map->ranges = calloc(max_ranges, sizeof(*map->ranges));
	map->storage = calloc(2 * max_entries, sizeof(*map->storage));
	if (!map->ranges || !map->storage) {
		map_finish(map);
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u trapped ranges", max_ranges);
	}
	map->max_ranges = max_ranges;
	map->tables[0].entries = map->storage;
	map->tables[1].entries = map->storage + max_entries;
	atomic_init(&map->current, &map->tables[0]);
	return 0;
}

void map_finish(struct map *map)
{
	free(map->ranges);
	free(map->storage);
	memset(map, 0, sizeof(*map));
}

struct map_range *map_add(struct map *map, const struct map_range *range)
{
	if (map->n_ranges == map->max_ranges)
		return NULL;
	map->ranges[map->n_ranges] = *range;
	return &map->ranges[map->n_ranges++];
}

static void insert(struct map_table *table, unsigned int at, uint64_t first, uint64_t last,
		   const struct map_range *range)
{
	memmove(&table->entries[at + 1], &table->entries[at],
		(table->n - at) * sizeof(*table->entries));
	table->entries[at] = (struct map_entry){
		.first = first,
		.last = last,
		.range = range,
		.base = range->base.value,
	};
	table->n++;
}

/* Put in those parts of range that no entry covers yet. */
static void fill(struct map_table *table, const struct map_range *range)
{
	uint64_t first = range->base.value;
	uint64_t last = first + range->size - 1;
	unsigned int i = 0;

	while (i < table->n && table->entries[i].last < first)
		i++;
	for (; i < table->n && table->entries[i].first <= last; i++) {
		if (first < table->entries[i].first) {
			insert(table, i, first, table->entries[i].first - 1, range);
			i++;
		}
		if (table->entries[i].last >= last)
			return;
		first = table->entries[i].last + 1;
	}
	insert(table, i, first, last, range);
}

void map_publish(struct map *map)
{
	const struct map_table *current = atomic_load_explicit(&map->current, memory_order_relaxed);
	struct map_table *table = &map->tables[current == &map->tables[0]];

	table->n = 0;
	for (int priority = MAP_PRIORITY_PLATFORM; priority >= MAP_PRIORITY_WINDOW; priority--) {
		for (unsigned int i = 0; i < map->n_ranges; i++) {
			const struct map_range *range = &map->ranges[i];

			/* A guest may have moved a BAR over the end of the address space. */
			if (range->priority != (enum map_priority)priority || !range->enabled ||
			    range->size == 0 ||
			    range->base.value + (range->size - 1) < range->base.value)
				continue;
			fill(table, range);
		}
	}
	atomic_store_explicit(&map->current, table, memory_order_release);
}

const struct map_entry *map_lookup(const struct map *map, uint64_t address)
{
	const struct map_table *table = atomic_load_explicit(&map->current, memory_order_acquire);
	unsigned int low = 0;
	unsigned int high = table->n;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct map_entry *entry = &table->entries[middle];

		if (address < entry->first)
			high = middle;
		else if (address > entry->last)
			low = middle + 1;
		else
			return entry;
	}
	return NULL;
}

uint64_t map_read(const struct map *map, uint64_t address, unsigned int length)
{
	const struct map_entry *entry = map_lookup(map, address);

	if (!entry || length - 1 > entry->last - address)
		return all_ones(length);
	return entry->range->ops->read(entry->range->opaque, address - entry->base, length) &
	       all_ones(length);
}

void map_write(const struct map *map, uint64_t address, unsigned int length, uint64_t value)
{
	const struct map_entry *entry = map_lookup(map, address);

	if (entry && length - 1 <= entry->last - address)
		entry->range->ops->write(entry->range->opaque, address - entry->base, length,
					 value & all_ones(length));
}

static uint64_t dark_read(void *opaque, uint64_t offset, unsigned int length)
{
	(void)opaque;
	(void)offset;
	return all_ones(length);
}

static void dark_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	(void)opaque;
	(void)offset;
	(void)length;
	(void)value;
}

const struct map_ops map_dark_ops = {
	.read = dark_read,
	.write = dark_write,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* map.c - the trapped part of the guest physical address space */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "map.h"
#include "util.h"

int map_init(struct map *map, unsigned int max_ranges, unsigned int n_readers,
	     struct cxlvm_error *err)
{
	/* n ranges have 2n borders, so at most 2n - 1 pieces between them. */
	size_t max_entries = 2 * (size_t)max_ranges;
	size_t readers_size = n_readers * sizeof(*map->readers);

	memset(map, 0, sizeof(*map));
	map->ranges = calloc(max_ranges, sizeof(*map->ranges));
	map->storage = calloc(2 * max_entries, sizeof(*map->storage));
	map->readers = aligned_alloc(_Alignof(struct map_reader), readers_size);
	if (!map->ranges || !map->storage || !map->readers) {
		map_finish(map);
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u trapped ranges", max_ranges);
	}
	memset(map->readers, 0, readers_size);
	pthread_mutex_init(&map->lock, NULL);
	map->changed = true;
	map->n_readers = n_readers;
	map->max_ranges = max_ranges;
	map->tables[0].entries = map->storage;
	map->tables[1].entries = map->storage + max_entries;
	atomic_init(&map->current, &map->tables[0]);
	return 0;
}

void map_finish(struct map *map)
{
	if (map->max_ranges)
		pthread_mutex_destroy(&map->lock);
	free(map->ranges);
	free(map->storage);
	free(map->readers);
	memset(map, 0, sizeof(*map));
}

struct map_range *map_add(struct map *map, const struct map_range *range)
{
	if (map->n_ranges == map->max_ranges)
		return NULL;
	map->ranges[map->n_ranges] = *range;
	return &map->ranges[map->n_ranges++];
}

void map_begin(struct map *map)
{
	pthread_mutex_lock(&map->lock);
}

void map_move(struct map *map, struct map_range *range, bool enabled, struct cxlvm_gpa base)
{
	if (enabled != range->enabled || (enabled && base.value != range->base.value))
		map->changed = true;
	range->enabled = enabled;
	range->base = base;
}

static void insert(struct map_table *table, unsigned int at, uint64_t first, uint64_t last,
		   const struct map_range *range)
{
	memmove(&table->entries[at + 1], &table->entries[at],
		(table->n - at) * sizeof(*table->entries));
	table->entries[at] = (struct map_entry){
		.first = first,
		.last = last,
		.base = range->base.value,
		.ops = range->ops,
		.opaque = range->opaque,
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

static void publish(struct map *map)
{
	const struct map_table *current = atomic_load_explicit(&map->current, memory_order_relaxed);
	struct map_table *table = &map->tables[current == &map->tables[0]];

	/* Who still searches the table of the change before the last. */
	for (unsigned int i = 0; i < map->n_readers; i++)
		while (atomic_load(&map->readers[i].table) == table)
			sched_yield();
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
	atomic_store(&map->current, table);
}

void map_commit(struct map *map)
{
	if (map->changed)
		publish(map);
	map->changed = false;
	pthread_mutex_unlock(&map->lock);
}

static bool search(const struct map_table *table, uint64_t address, struct map_entry *found)
{
	unsigned int low = 0;
	unsigned int high = table->n;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		const struct map_entry *entry = &table->entries[middle];

		if (address < entry->first) {
			high = middle;
		} else if (address > entry->last) {
			low = middle + 1;
		} else {
			*found = *entry;
			return true;
		}
	}
	return false;
}

bool map_lookup(const struct map *map, struct map_reader *reader, uint64_t address,
		struct map_entry *entry)
{
	const struct map_table *table;
	bool found;

	/*
	 * Named first, looked at again after: if it is current still, whoever fills it next sees
	 * the name. All in one order (seq_cst), or the name could come too late.
	 */
	do {
		table = atomic_load(&map->current);
		atomic_store(&reader->table, table);
	} while (atomic_load(&map->current) != table);
	found = search(table, address, entry);
	atomic_store_explicit(&reader->table, NULL, memory_order_release);
	return found;
}

uint64_t map_read(const struct map *map, struct map_reader *reader, uint64_t address,
		  unsigned int length)
{
	struct map_entry entry;

	if (!map_lookup(map, reader, address, &entry) || length - 1 > entry.last - address)
		return all_ones(length);
	return entry.ops->read(entry.opaque, address - entry.base, length) & all_ones(length);
}

void map_write(const struct map *map, struct map_reader *reader, uint64_t address,
	       unsigned int length, uint64_t value)
{
	struct map_entry entry;

	if (map_lookup(map, reader, address, &entry) && length - 1 <= entry.last - address)
		entry.ops->write(entry.opaque, address - entry.base, length,
				 value & all_ones(length));
}

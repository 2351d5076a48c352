/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - what answers a guest access that leaves the guest: the trapped part of the guest
 * physical address space
 *
 * Ranges are added while the machine is built. map_publish flattens them into a sorted table
 * without overlaps (where two ranges meet, the higher priority answers, never the later one) and
 * makes it current with one store. A guest access is a binary search in that immutable table: no
 * lock, no allocation. A range that moves (a BAR) is changed and published again into the other
 * of two tables, both allocated at the start.
 *
 * Two tables are enough as long as the only reader is also the only publisher: the one vCPU,
 * whose config writes move BARs. With more vCPUs, map_publish has to wait until all of them have
 * left the table that it is about to fill.
 */
#ifndef MONITOR_MAP_H
#define MONITOR_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

/* offset is from the start of the range; length is 1 to 8 bytes; values are numbers. */
struct map_ops {
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned int length);
	void (*write)(void *opaque, uint64_t offset, unsigned int length, uint64_t value);
};

/* Where two ranges overlap, the higher one answers. */
enum map_priority {
	MAP_PRIORITY_WINDOW, /* dark memory: below everything (MAP-3) */
	MAP_PRIORITY_BAR,
	MAP_PRIORITY_BAR_SPAN, /* registers in a BAR that the library answers (OVL-2) */
	MAP_PRIORITY_PLATFORM, /* what the guest cannot move */
};

struct map_range {
	struct cxlvm_gpa base;
	uint64_t size;
	enum map_priority priority;
	bool enabled;
	const struct map_ops *ops;
	void *opaque;
};

struct map_entry {
	uint64_t first;
	uint64_t last; /* inclusive, so that the top of the address space can be covered */
	const struct map_range *range;
	uint64_t base; /* of the range when the table was made */
};

struct map_table {
	unsigned int n;
	struct map_entry *entries;
};

struct map {
	struct map_range *ranges;
	unsigned int n_ranges;
	unsigned int max_ranges;
	struct map_entry *storage;
	struct map_table tables[2];
	_Atomic(const struct map_table *) current;
};

/* Room for max_ranges. -ENOMEM. Ended with map_finish, which takes a map of zeros as well. */
int map_init(struct map *map, unsigned int max_ranges, struct cxlvm_error *err);
void map_finish(struct map *map);

/* Add a copy of *range; the result stays valid and may be changed before a map_publish. */
struct map_range *map_add(struct map *map, const struct map_range *range);

void map_publish(struct map *map);

/* NULL where nobody answers. */
const struct map_entry *map_lookup(const struct map *map, uint64_t address);

/* Guest access. Nobody answers, or the access crosses a border: all ones, writes vanish. */
uint64_t map_read(const struct map *map, uint64_t address, unsigned int length);
void map_write(const struct map *map, uint64_t address, unsigned int length, uint64_t value);

/* Device memory that is not there: all ones, writes vanish. */
extern const struct map_ops map_dark_ops;

#endif

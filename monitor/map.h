/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.h - what answers a guest access that leaves the guest: the trapped part of the guest
 * physical address space
 *
 * Ranges are added while the machine is built. Later changes are transactions: map_begin, map_move
 * of any number of ranges, map_commit, which flattens the ranges into a sorted table without
 * overlaps (where two ranges meet, the higher priority answers, never the later one) and makes it
 * current with one store. A guest access is a binary search in that immutable table: no lock, no
 * allocation. The next table is built in the other of two, both allocated at the start.
 *
 * Each vCPU is a reader. It names the table it searches in a word of its own, and map_commit waits
 * until no reader names the table that it is about to fill. Readers leave it before they call the
 * range's operations, so that wait is as short as a search, and an operation may itself change the
 * map. An access that is under way when its range moves still ends where it began, as on a bus.
 */
#ifndef MONITOR_MAP_H
#define MONITOR_MAP_H

#include <pthread.h>
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
	uint64_t base; /* of the whole range */
	const struct map_ops *ops;
	void *opaque;
};

struct map_table {
	unsigned int n;
	struct map_entry *entries;
};

/* One for each thread that looks up, in a cache line of its own. */
struct map_reader {
	_Alignas(64) _Atomic(const struct map_table *) table; /* NULL: not in a search */
};

struct map {
	pthread_mutex_t lock; /* from map_begin to map_commit */
	bool changed;
	struct map_range *ranges;
	unsigned int n_ranges;
	unsigned int max_ranges;
	struct map_entry *storage;
	struct map_table tables[2];
	_Atomic(const struct map_table *) current;
	struct map_reader *readers;
	unsigned int n_readers;
};

/* Room for max_ranges and n_readers. -ENOMEM. Ended with map_finish, also for a map of zeros. */
int map_init(struct map *map, unsigned int max_ranges, unsigned int n_readers,
	     struct cxlvm_error *err);
void map_finish(struct map *map);

/* Add a copy of *range before the guest runs. NULL: no room. The result stays valid. */
struct map_range *map_add(struct map *map, const struct map_range *range);

/*
 * One change of the map, by any thread, one at a time. Only map_move may be called in between, and
 * a device's lock is taken before, never within.
 */
void map_begin(struct map *map);
void map_move(struct map *map, struct map_range *range, bool enabled, struct cxlvm_gpa base);
void map_commit(struct map *map);

/* What answers at address: a copy of its entry. False where nobody does. */
bool map_lookup(const struct map *map, struct map_reader *reader, uint64_t address,
		struct map_entry *entry);

/* Guest access. Nobody answers, or the access crosses a border: all ones, writes vanish. */
uint64_t map_read(const struct map *map, struct map_reader *reader, uint64_t address,
		  unsigned int length);
void map_write(const struct map *map, struct map_reader *reader, uint64_t address,
	       unsigned int length, uint64_t value);

#endif

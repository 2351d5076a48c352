/* SPDX-License-Identifier: BSD-3-Clause */
/* The monitor's map of trapped addresses: priorities, holes, and readers beside changes. */
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "map.h"
#include "test.h"

#define READERS 2
#define ROUNDS  20000

static uint64_t answer(void *opaque, uint64_t offset, unsigned int length)
{
	(void)length;
	return (uint64_t)(uintptr_t)opaque + offset;
}

static void ignore(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	(void)opaque;
	(void)offset;
	(void)length;
	(void)value;
}

static const struct map_ops ops = { .read = answer, .write = ignore };

static struct map_range *add(struct map *map, uint64_t base, uint64_t size,
			     enum map_priority priority, uintptr_t name)
{
	const struct map_range range = {
		.base = { base },
		.size = size,
		.priority = priority,
		.enabled = true,
		.ops = &ops,
		.opaque = (void *)name,
	};
	struct map_range *added = map_add(map, &range);

	assert_non_null(added);
	return added;
}

static uint64_t read_at(struct map *map, uint64_t address)
{
	return map_read(map, &map->readers[0], address, 4);
}

static void publish(struct map *map)
{
	map_begin(map);
	map_commit(map);
}

static void map3_the_higher_priority_answers_in_any_order_of_adding(void **state)
{
	struct map_entry entry;
	struct map map;

	(void)state;
	assert_int_equal(map_init(&map, 4, READERS, NULL), 0);
	add(&map, 0x2000, 0x1000, MAP_PRIORITY_BAR_SPAN, 0x300000);
	add(&map, 0x1000, 0x4000, MAP_PRIORITY_BAR, 0x200000);
	add(&map, 0x0000, 0x8000, MAP_PRIORITY_WINDOW, 0x100000);
	publish(&map);
	assert_int_equal(read_at(&map, 0x0ffc), 0x100ffc);
	assert_int_equal(read_at(&map, 0x1000), 0x200000);
	assert_int_equal(read_at(&map, 0x2000), 0x300000);
	assert_int_equal(read_at(&map, 0x3000), 0x202000);
	assert_int_equal(read_at(&map, 0x5000), 0x105000);
	assert_int_equal(read_at(&map, 0x8000), 0xffffffff);
	/* An access over a border belongs to nobody; the last byte is the range's. */
	assert_int_equal(read_at(&map, 0x0ffe), 0xffffffff);
	assert_int_equal(map_read(&map, &map.readers[0], 0x2ffe, 2), 0x0ffe);
	assert_true(map_lookup(&map, &map.readers[0], 0x2fff, &entry));
	assert_int_equal(entry.base, 0x2000);
	assert_true(map_lookup(&map, &map.readers[0], 0x7fff, &entry));
	assert_int_equal(entry.base, 0);
	assert_false(map_lookup(&map, &map.readers[0], 0x8000, &entry));
	map_finish(&map);
}

static void map4_a_range_moves_in_one_change(void **state)
{
	struct map_range *bar, *span;
	struct map map;

	(void)state;
	assert_int_equal(map_init(&map, 4, READERS, NULL), 0);
	bar = add(&map, 0x1000, 0x2000, MAP_PRIORITY_BAR, 0x100000);
	span = add(&map, 0x2000, 0x1000, MAP_PRIORITY_BAR_SPAN, 0x200000);
	publish(&map);
	map_begin(&map);
	map_move(&map, bar, true, (struct cxlvm_gpa){ 0x11000 });
	map_move(&map, span, true, (struct cxlvm_gpa){ 0x12000 });
	/* Not before it is whole. */
	assert_int_equal(read_at(&map, 0x2000), 0x200000);
	map_commit(&map);
	assert_int_equal(read_at(&map, 0x2000), 0xffffffff);
	assert_int_equal(read_at(&map, 0x11000), 0x100000);
	assert_int_equal(read_at(&map, 0x12000), 0x200000);
	map_begin(&map);
	map_move(&map, bar, false, (struct cxlvm_gpa){ 0x11000 });
	map_move(&map, span, false, (struct cxlvm_gpa){ 0x12000 });
	map_commit(&map);
	assert_int_equal(read_at(&map, 0x12000), 0xffffffff);
	/* Over the end of the address space: nowhere. */
	map_begin(&map);
	map_move(&map, bar, true, (struct cxlvm_gpa){ UINT64_MAX - 0xfff });
	map_commit(&map);
	assert_int_equal(read_at(&map, UINT64_MAX - 0xfff), 0xffffffff);
	map_finish(&map);
}

static void map_has_as_much_room_as_was_asked_for(void **state)
{
	struct map map;
	const struct map_range range = { .size = 1, .ops = &ops };

	(void)state;
	assert_int_equal(map_init(&map, 1, READERS, NULL), 0);
	assert_non_null(map_add(&map, &range));
	assert_null(map_add(&map, &range));
	map_finish(&map);
}

/*
 * Two ranges that change places in each change: at the first place is always one of them whole,
 * and what it answers says which place it thinks it has.
 */
struct race {
	struct map map;
	atomic_bool over;
	atomic_uint wrong;
	atomic_uint reads[READERS];
};

struct reader {
	struct race *race;
	unsigned int index;
};

static void *read_all_the_time(void *opaque)
{
	struct reader *self = opaque;
	struct race *race = self->race;

	while (!atomic_load(&race->over)) {
		uint64_t at = 0x1000 + (atomic_load(&race->reads[self->index]) & 0xff0);
		uint64_t value = map_read(&race->map, &race->map.readers[self->index], at, 4);

		if (value != 0x100000 + at - 0x1000 && value != 0x200000 + at - 0x1000)
			atomic_fetch_add(&race->wrong, 1);
		atomic_fetch_add(&race->reads[self->index], 1);
	}
	return NULL;
}

static void map4_readers_beside_changes_see_one_map_or_the_other(void **state)
{
	static struct race race;
	struct map_range *one, *other;
	pthread_t threads[READERS];
	struct reader readers[READERS];

	(void)state;
	assert_int_equal(map_init(&race.map, 34, READERS, NULL), 0);
	one = add(&race.map, 0x1000, 0x1000, MAP_PRIORITY_BAR, 0x100000);
	other = add(&race.map, 0x9000, 0x1000, MAP_PRIORITY_BAR, 0x200000);
	for (unsigned int i = 0; i < 32; i++)
		add(&race.map, 0x100000 + i * 0x2000, 0x1000, MAP_PRIORITY_BAR, 0x300000);
	publish(&race.map);
	for (unsigned int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ &race, i };
		assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &readers[i]),
				 0);
	}
	for (unsigned int i = 0; i < ROUNDS; i++) {
		map_begin(&race.map);
		map_move(&race.map, one, true, (struct cxlvm_gpa){ i & 1 ? 0x1000 : 0x9000 });
		map_move(&race.map, other, true, (struct cxlvm_gpa){ i & 1 ? 0x9000 : 0x1000 });
		map_commit(&race.map);
	}
	/* Each of them has read while there were changes. */
	for (unsigned int i = 0; i < READERS; i++)
		while (!atomic_load(&race.reads[i]))
			;
	atomic_store(&race.over, true);
	for (unsigned int i = 0; i < READERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&race.wrong), 0);
	map_finish(&race.map);
}

struct change {
	struct map map;
	struct map_range *range;
	atomic_bool done;
};

static void *change_twice(void *opaque)
{
	struct change *change = opaque;

	for (uint64_t i = 1; i <= 2; i++) {
		map_begin(&change->map);
		map_move(&change->map, change->range, true, (struct cxlvm_gpa){ i << 20 });
		map_commit(&change->map);
	}
	atomic_store(&change->done, true);
	return NULL;
}

/* A reader that stays in a table: the second change wants to fill it, and waits. */
static void map4_a_table_is_not_filled_while_somebody_searches_it(void **state)
{
	const struct timespec a_while = { .tv_nsec = 100000000 };
	static struct change change;
	pthread_t thread;

	(void)state;
	assert_int_equal(map_init(&change.map, 1, READERS, NULL), 0);
	change.range = add(&change.map, 0x1000, 0x1000, MAP_PRIORITY_BAR, 0x100000);
	publish(&change.map);
	atomic_store(&change.map.readers[1].table, atomic_load(&change.map.current));
	assert_int_equal(pthread_create(&thread, NULL, change_twice, &change), 0);
	/* Another one reads the first change, as soon as the thread has made it. */
	while (read_at(&change.map, 1 << 20) != 0x100000)
		nanosleep(&a_while, NULL);
	nanosleep(&a_while, NULL);
	assert_false(atomic_load(&change.done));
	atomic_store(&change.map.readers[1].table, NULL);
	pthread_join(thread, NULL);
	assert_int_equal(read_at(&change.map, 2 << 20), 0x100000);
	map_finish(&change.map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map3_the_higher_priority_answers_in_any_order_of_adding),
		cmocka_unit_test(map4_a_range_moves_in_one_change),
		cmocka_unit_test(map_has_as_much_room_as_was_asked_for),
		cmocka_unit_test(map4_a_table_is_not_filled_while_somebody_searches_it),
		cmocka_unit_test(map4_readers_beside_changes_see_one_map_or_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

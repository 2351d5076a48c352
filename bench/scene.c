/* SPDX-License-Identifier: BSD-3-Clause */
/* scene.c - register accesses through the monitor's table of trapped ranges */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"

#define MIB(n) ((uint64_t)(n) << 20)

#define ACCESSES 200000u
#define BAR_STEP ((uint64_t)1 << 20)
#define BARS_AT  0xc0000000ull

static uint64_t span_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct trapped *span = opaque;

	return cxlvm_endpoint_reg_read(span->device->endpoint, span->where.bar,
				       span->where.offset + offset, length);
}

static void span_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	struct trapped *span = opaque;

	pthread_mutex_lock(&span->lock);
	cxlvm_endpoint_reg_write(span->device->endpoint, span->where.bar,
				 span->where.offset + offset, length, value);
	pthread_mutex_unlock(&span->lock);
}

static const struct map_ops span_ops = { .read = span_read, .write = span_write };

static void trap(struct scene *scene, unsigned int i)
{
	struct fleet_device *device = &scene->fleet.devices[i];
	struct cxlvm_bar_range spans[2];
	size_t n = cxlvm_endpoint_spans(device->endpoint, spans, 2);

	for (size_t s = 0; s < n && s < 2; s++) {
		struct trapped *span = &scene->trapped[scene->n++];
		struct map_range range = {
			.base = { BARS_AT + i * BAR_STEP + spans[s].offset },
			.size = spans[s].size,
			.priority = MAP_PRIORITY_BAR_SPAN,
			.enabled = true,
			.ops = &span_ops,
			.opaque = span,
		};

		span->device = device;
		span->where = spans[s];
		pthread_mutex_init(&span->lock, NULL);
		map_add(&scene->map, &range);
	}
}

void scene_open(struct scene *scene, unsigned int n, bool split)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint32_t state = 1;

	fleet_open(&scene->fleet, n, 5, MIB(256));
	fleet_plan(&scene->fleet, split);
	fleet_done(&scene->fleet);
	if (map_init(&scene->map, 2 * n, 2, &err)) {
		fprintf(stderr, "bench: %s\n", err.message);
		exit(1);
	}
	for (unsigned int i = 0; i < n; i++)
		trap(scene, i);
	map_begin(&scene->map);
	map_commit(&scene->map);
	for (unsigned int i = 0; n && i < ADDRESSES; i++) {
		unsigned int device;

		state = state * 1664525 + 1013904223;
		device = (state >> 16) % n;
		scene->addresses[i] =
			BARS_AT + device * BAR_STEP + scene->fleet.devices[device].hdm + 0x20;
	}
}

void scene_close(struct scene *scene)
{
	map_finish(&scene->map);
	fleet_unplan(&scene->fleet);
	fleet_close(&scene->fleet);
}

/* Every case on registers: a loop over addresses, in one thread or two at once. */

struct loop {
	struct scene *scene;
	enum access access;
	unsigned int cpu;
	pthread_barrier_t *barrier;
	uint64_t begin, end;
};

static void *run_loop(void *opaque)
{
	struct loop *loop = opaque;
	const struct scene *scene = loop->scene;
	struct map_reader *reader = &scene->map.readers[loop->cpu & 1];
	struct map_entry entry;
	uint64_t sum = 0;

	bench_pin(loop->cpu);
	pthread_barrier_wait(loop->barrier);
	loop->begin = bench_now();
	for (unsigned int i = 0; i < ACCESSES; i++) {
		uint64_t at = scene->addresses[(i + 512 * loop->cpu) & (ADDRESSES - 1)];

		if (loop->access == ACCESS_READ)
			sum += map_read(&scene->map, reader, at, 4);
		else if (loop->access == ACCESS_WRITE)
			map_write(&scene->map, reader, at - 0x10, 4, i);
		else
			sum += map_lookup(&scene->map, reader, at, &entry) + entry.first;
	}
	loop->end = bench_now();
	bench_use(sum);
	return NULL;
}

double scene_run(struct scene *scene, enum access access, unsigned int n_threads)
{
	struct loop loops[2];
	pthread_t threads[2];
	pthread_barrier_t barrier;
	uint64_t begin = UINT64_MAX, end = 0;

	pthread_barrier_init(&barrier, NULL, n_threads);
	for (unsigned int i = 0; i < n_threads; i++) {
		loops[i] = (struct loop){
			.scene = scene, .access = access, .cpu = i, .barrier = &barrier
		};
		if (pthread_create(&threads[i], NULL, run_loop, &loops[i])) {
			fprintf(stderr, "bench: no thread\n");
			exit(1);
		}
	}
	for (unsigned int i = 0; i < n_threads; i++) {
		pthread_join(threads[i], NULL);
		begin = loops[i].begin < begin ? loops[i].begin : begin;
		end = loops[i].end > end ? loops[i].end : end;
	}
	pthread_barrier_destroy(&barrier);
	return (double)(end - begin) / ACCESSES;
}

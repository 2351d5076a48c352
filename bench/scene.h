/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scene.h - devices behind the monitor's table of trapped ranges, and register accesses through it,
 * as those of a guest go after the exit
 */
#ifndef BENCH_SCENE_H
#define BENCH_SCENE_H

#include <pthread.h>

#include "fleet.h"
#include "map.h"

#define ADDRESSES 1024u /* a power of two */

/* What a host has around a span: its device's lock, for writes. */
struct trapped {
	struct fleet_device *device;
	struct cxlvm_bar_range where;
	pthread_mutex_t lock;
};

/* Devices behind a table of trapped ranges, and register addresses in no order. */
struct scene {
	struct fleet fleet;
	struct map map;
	struct trapped trapped[2 * FLEET_MAX];
	unsigned int n;
	uint64_t addresses[ADDRESSES]; /* of decoder 0 control */
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_LOOKUP };

/* n devices; split: with an excluded range in the page of the decoder, so that each has two spans. */
void scene_open(struct scene *scene, unsigned int n, bool split);
void scene_close(struct scene *scene);

/* ns per access of each of 1 or 2 threads, from the first that starts to the last that ends */
double scene_run(struct scene *scene, enum access access, unsigned int n_threads);

#endif

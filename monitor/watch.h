/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.h - devices behind a socket: a thread that answers what their servers ask while no vCPU
 * waits for them, and notices at once when one goes away; and of devices of the host's VFIO, what
 * the kernel has to say
 */
#ifndef MONITOR_WATCH_H
#define MONITOR_WATCH_H

#include <pthread.h>
#include <stdbool.h>

#include <cxlvm/base.h>

struct vm;

struct watch {
	bool running;
	int stop_fd;
	pthread_t thread;
};

/* Begin, if any device of the machine has something to wait for. Ended with watch_stop. */
int watch_start(struct vm *vm, struct cxlvm_error *err);
/* For a watch that was never started as well. */
void watch_stop(struct vm *vm);

#endif

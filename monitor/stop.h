/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stop.h - what ends a run from outside: signals, the time limit, the console's escape key
 *
 * All of them end up in a signal handler on the vCPU's thread that notes the reason and sets
 * immediate_exit of its struct kvm_run. That has no race: a signal before KVM_RUN makes KVM_RUN
 * return at once, one during KVM_RUN interrupts it.
 */
#ifndef MONITOR_STOP_H
#define MONITOR_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

enum stop_reason {
	STOP_NONE,
	STOP_SIGNAL,     /* SIGINT, SIGTERM, SIGHUP, SIGQUIT from outside */
	STOP_TIME_LIMIT, /* of stop_start_clock */
	STOP_USER,       /* escape key of the console */
};

/* Install the handlers. Called on the thread that will run the vCPU, once in a process. */
int stop_init(struct cxlvm_error *err);

/* The immediate_exit byte of that thread's vCPU; NULL when there is none (any more). */
void stop_watch(volatile uint8_t *immediate_exit);

/* STOP_TIME_LIMIT after so many seconds. */
int stop_start_clock(unsigned int seconds, struct cxlvm_error *err);

/* Ask for the end of the run: any thread. */
void stop_request(void);

enum stop_reason stop_pending(void);

/* The signal of STOP_SIGNAL. */
int stop_signal(void);

#endif

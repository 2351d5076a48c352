/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stop.h - what ends a run from outside: signals, the time limit, the console's escape key
 *
 * Three descriptors for the thread that runs the machine to wait for. The signals are blocked in
 * all threads and read from one of them, so nothing has to be safe in a handler.
 */
#ifndef MONITOR_STOP_H
#define MONITOR_STOP_H

#include <signal.h>
#include <stdbool.h>

#include <cxlvm/base.h>

enum stop_reason {
	STOP_NONE,
	STOP_SIGNAL,     /* SIGINT, SIGTERM, SIGHUP, SIGQUIT from outside */
	STOP_TIME_LIMIT, /* of stop_start_clock */
	STOP_USER,       /* escape key of the console */
};

struct stop {
	bool running;
	sigset_t before; /* signal mask to be put back */
	int signals;     /* signalfd, timerfd, eventfd; readable when there is something */
	int clock;
	int user;
};

/* Called before any other thread is started. -errno. Ended with stop_finish, also of zeros. */
int stop_init(struct stop *stop, struct cxlvm_error *err);
void stop_finish(struct stop *stop);

/* STOP_TIME_LIMIT after so many seconds. */
int stop_start_clock(struct stop *stop, unsigned int seconds, struct cxlvm_error *err);

/* Ask for the end of the run: any thread. */
void stop_request(struct stop *stop);

/* Why the run has to end, if it has to; *number is the signal of STOP_SIGNAL. Does not wait. */
enum stop_reason stop_pending(struct stop *stop, int *number);

#endif

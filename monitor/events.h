/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h - what happens to the machine and its devices, told to whoever wants to hear it: a line
 * on standard error, a line of JSON in the file of --events and for each listener of the control
 * socket (docs/control.md)
 *
 * Events come from any thread, also in the middle of a guest's access, so nothing here waits for
 * a listener: lines are kept, at most EVENTS_KEPT bytes of them, until they are taken; what does
 * not fit is counted and said later.
 */
#ifndef MONITOR_EVENTS_H
#define MONITOR_EVENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

#define EVENTS_KEPT     65536
#define EVENTS_LINE_MAX 1024

struct events {
	pthread_mutex_t lock;
	bool running;
	int file;         /* -1: none */
	const char *path; /* of the file; the caller's */
	bool made;        /* the file: it goes again unless the machine starts */
	bool file_failed; /* and was said to */
	int wake;         /* eventfd: lines are there to be taken */
	bool listened;    /* somebody takes them */
	char kept[EVENTS_KEPT];
	size_t n_kept;
	uint64_t lost;
	uint64_t untold; /* lines that standard error had no room for */
};

/*
 * path NULL: no file. It is the caller's until the end. -errno. Ended with events_finish, which takes
 * one of zeros too and removes a file that was made, unless events_keep_file was called.
 */
int events_init(struct events *events, const char *path, struct cxlvm_error *err);
void events_keep_file(struct events *events);
void events_finish(struct events *events);

/* device "" for the machine itself; code 0 or negative errno; text may be empty. */
void events_add(struct events *events, const char *kind, const char *device, int code,
		const char *text);

/* Does somebody listen from here on? */
void events_listen(struct events *events, bool listened);

/* Take all whole lines that are kept: their bytes, at most EVENTS_KEPT, in to. */
size_t events_take(struct events *events, char *to);

#endif

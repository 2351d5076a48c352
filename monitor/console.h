/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * console.h - standard input and output as the other end of the guest's serial port
 *
 * Output is collected and written at each line's end, when the buffer is full, and by the
 * console's thread when the guest pauses within a line. Input is read by that thread. If standard
 * input is a terminal it is put into raw mode; it is put back by console_finish, and by a handler
 * when the process dies of a fatal signal. Ctrl-A x ends the run, Ctrl-A Ctrl-A is one Ctrl-A.
 */
#ifndef MONITOR_CONSOLE_H
#define MONITOR_CONSOLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cxlvm/base.h>

#define CONSOLE_OUTPUT_MAX 4096
#define CONSOLE_RECENT_MAX 2048
#define CONSOLE_INPUT_MAX  256

struct stop;

/* The other end: called by the console's thread, which must not wait in there. */
struct console_device {
	/*
	 * Take at most n bytes; the number taken. Any less: console_room will be called, or the
	 * receiver was busy.
	 */
	size_t (*input)(void *opaque, const uint8_t *bytes, size_t n);
	/*
	 * Look for output that nobody told of. After how many milliseconds it wants to look again, -1:
	 * after console_room.
	 */
	int (*look)(void *opaque);
	void *opaque;
};

struct console {
	pthread_mutex_t lock; /* output, recent */
	char output[CONSOLE_OUTPUT_MAX];
	size_t n_output;
	char recent[CONSOLE_RECENT_MAX]; /* ring: the newest bytes, for reports */
	uint64_t n_total;
	atomic_bool ticking; /* the thread looks for unfinished lines */
	bool output_failed;
	int output_fd; /* does not block; -1: standard output itself */

	int wake; /* eventfd */
	pthread_t thread;
	bool running;
	atomic_bool ending;
	atomic_bool abandoned; /* output that nobody reads is dropped from here on */
	bool raw;
	bool background;   /* another job has the terminal */
	struct stop *stop; /* where the escape key goes */

	/* Of the thread alone. */
	bool escape; /* the last key was Ctrl-A */
	uint8_t pending[CONSOLE_INPUT_MAX];
	size_t n_input;

	struct console_device device;
};

/* Nothing is read before console_start. -errno. */
int console_init(struct console *console, struct stop *stop, struct cxlvm_error *err);
int console_start(struct console *console, const struct console_device *device,
		  struct cxlvm_error *err);
void console_finish(struct console *console);

/*
 * One byte from the guest, one thread at a time. wait: for a slow reader; else it is kept, and only if
 * there is no room for that it waits.
 */
void console_put(struct console *console, uint8_t byte, bool wait);
bool console_has_room(struct console *console);
void console_flush(struct console *console);

/* The run ends: whoever waits for the reader of the output waits no longer. */
void console_abandon(struct console *console);

/* Put the terminal back: async-signal-safe. */
void console_restore_terminal(void);

/* The device can take bytes again, or has output to look for. */
void console_room(struct console *console);

/* Print the newest lines of the guest, each with a prefix. */
void console_print_recent(struct console *console, FILE *to);

#endif

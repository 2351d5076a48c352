/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the control socket: a line of JSON asks, a line of JSON answers (docs/control.md)
 *
 * Served by the thread that runs the machine, without ever waiting for a client: what a client
 * does not read is kept up to a limit, and then the client is put out. All that comes in is
 * hostile: lines have a length, JSON a depth, commands a list of members.
 */
#ifndef MONITOR_CONTROL_H
#define MONITOR_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include <cxlvm/server.h>

#define CONTROL_CLIENTS_MAX 8
#define CONTROL_LINE_MAX    4096
#define CONTROL_OUTPUT_MAX  ((size_t)1 << 20)

struct vm;
struct json_object;

struct control_client {
	int fd; /* -1: none */
	char line[CONTROL_LINE_MAX];
	size_t n_line;
	char *output;
	size_t n_output, output_size;
	bool listens; /* gets events */
	bool waits;   /* for the end of a reset of the machine */
	struct json_object *id;
	bool closing; /* when the output is gone */
};

struct control {
	struct vm *vm;
	struct cxlvm_listener *listener; /* NULL: none */
	struct control_client *clients;  /* CONTROL_CLIENTS_MAX */
};

/* What a client wants of the machine as a whole. */
enum control_wish { CONTROL_NOTHING, CONTROL_RESET, CONTROL_STOP };

/*
 * Listen at path, as cxlvm_listener_create does. Ended with control_close, which removes the socket
 * and takes one of zeros too.
 */
int control_open(struct control *control, struct vm *vm, const char *path, struct cxlvm_error *err);
void control_close(struct control *control);

/* Descriptors to wait for: at most CONTROL_FDS. */
#define CONTROL_FDS (CONTROL_CLIENTS_MAX + 2)
size_t control_poll(const struct control *control, struct pollfd *fds);

/* Serve whoever is ready. */
enum control_wish control_serve(struct control *control, const struct pollfd *fds, size_t n);

/* The machine was reset: whoever asked for it gets the answer. */
enum control_wish control_reset_done(struct control *control);

#endif

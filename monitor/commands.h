/* SPDX-License-Identifier: BSD-3-Clause */
/* commands.h - what the control socket understands, and its answers (docs/control.md) */
#ifndef MONITOR_COMMANDS_H
#define MONITOR_COMMANDS_H

#include <stdbool.h>

#include "control.h"

struct vm;
struct json_object;

struct command_result {
	enum control_wish wish;
	bool listen;            /* events, from here on */
	struct json_object *id; /* of the command; the caller's */
};

/*
 * Carry out one line of n bytes, with a byte 0 behind it. The answer belongs to the caller; with CONTROL_RESET it is that it was
 * understood, and the real one is due when the machine was reset.
 */
struct json_object *control_command(struct vm *vm, const char *line, size_t n,
				    struct command_result *result);

/* Answers; id may be NULL and is theirs, as is result. */
struct json_object *control_success(struct json_object *id, struct json_object *result);
struct json_object *control_error(struct json_object *id, const char *message, const char *hint);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* control.c - the control socket of cxlvm device */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define NESTING_MAX    4

struct control {
	struct cxlvm_listener *listener;
	struct cxlvm_server *server;
	int fd; /* of the connection, -1: none */
	size_t size;
	char line[LINE_MAX_BYTES];
};

int control_create(const char *path, struct control **out, struct cxlvm_error *err)
{
	struct control *control = calloc(1, sizeof(*control));
	int ret;

	if (!control)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a control socket");
	control->fd = -1;
	ret = cxlvm_listener_create(path, &control->listener, err);
	if (ret)
		free(control);
	else
		*out = control;
	return ret;
}

void control_set_server(struct control *control, struct cxlvm_server *server)
{
	control->server = server;
}

static void hang_up(struct control *control)
{
	close(control->fd);
	control->fd = -1;
	control->size = 0;
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	if (control->fd >= 0)
		hang_up(control);
	cxlvm_listener_destroy(control->listener);
	free(control);
}

int control_fd(const struct control *control)
{
	return control->fd >= 0 ? control->fd : cxlvm_listener_fd(control->listener);
}

/* A member that has to be there and be a number that is not negative. */
static bool get_u64(struct json_object *request, const char *key, uint64_t *value)
{
	struct json_object *member;

	if (!json_object_object_get_ex(request, key, &member) ||
	    !json_object_is_type(member, json_type_int) || json_object_get_int64(member) < 0)
		return false;
	*value = json_object_get_uint64(member);
	return true;
}

static bool get_bool(struct json_object *request, const char *key, bool *value)
{
	struct json_object *member;

	if (!json_object_object_get_ex(request, key, &member) ||
	    !json_object_is_type(member, json_type_boolean))
		return false;
	*value = json_object_get_boolean(member);
	return true;
}

static int do_stats(struct control *control, struct json_object *request,
		    struct json_object *answer)
{
	struct cxlvm_server_stats stats;

	(void)request;
	cxlvm_server_get_stats(control->server, &stats, sizeof(stats));
#define ADD(key, value) json_object_object_add(answer, key, json_object_new_uint64(value))
	ADD("clients", stats.clients);
	ADD("refused", stats.refused);
	ADD("messages", stats.messages);
	ADD("errors", stats.errors);
	ADD("resets", stats.resets);
	ADD("interrupts", stats.interrupts);
	ADD("dma_read", stats.dma_read);
	ADD("dma_written", stats.dma_written);
	ADD("dma_failed", stats.dma_failed);
	ADD("dma_messages", stats.dma_messages);
	ADD("dma_ranges", stats.dma_ranges);
	ADD("poisoned", stats.poisoned);
#undef ADD
	json_object_object_add(answer, "connected", json_object_new_boolean(stats.connected));
	return 0;
}

static int poison(struct control *control, struct json_object *request, bool on)
{
	struct cxlvm_dpa dpa;
	uint64_t size;

	if (!get_u64(request, "address", &dpa.value) || !get_u64(request, "size", &size) || !size)
		return -EINVAL;
	return cxlvm_server_poison(control->server, dpa, size, on);
}

static int do_poison(struct control *control, struct json_object *request,
		     struct json_object *answer)
{
	(void)answer;
	return poison(control, request, true);
}

static int do_clear_poison(struct control *control, struct json_object *request,
			   struct json_object *answer)
{
	(void)answer;
	if (json_object_object_length(request) == 1)
		return cxlvm_server_poison(control->server, (struct cxlvm_dpa){ 0 }, 0, false);
	return poison(control, request, false);
}

static int do_memory_ready(struct control *control, struct json_object *request,
			   struct json_object *answer)
{
	bool ready;

	(void)answer;
	if (!get_bool(request, "ready", &ready))
		return -EINVAL;
	cxlvm_server_memory_ready(control->server, ready);
	return 0;
}

static int do_fail_resets(struct control *control, struct json_object *request,
			  struct json_object *answer)
{
	uint64_t count;

	(void)answer;
	if (!get_u64(request, "count", &count) || count > UINT32_MAX)
		return -EINVAL;
	cxlvm_server_fail_resets(control->server, (unsigned int)count);
	return 0;
}

static const struct {
	const char *name;
	const char *members[2]; /* besides the command */
	const char *hint;       /* what they are */
	int (*execute)(struct control *control, struct json_object *request,
		       struct json_object *answer);
} commands[] = {
	{ "stats", { NULL }, "no other members", do_stats },
	{ "poison", { "address", "size" }, "address and size, inside the memory", do_poison },
	{ "clear-poison",
	  { "address", "size" },
	  "address and size as they were poisoned, or neither: all",
	  do_clear_poison },
	{ "memory-ready", { "ready" }, "ready: true or false", do_memory_ready },
	{ "fail-resets", { "count" }, "count", do_fail_resets },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void add_error(struct json_object *answer, const char *text, const char *hint)
{
	json_object_object_add(answer, "error", json_object_new_string(text));
	if (hint)
		json_object_object_add(answer, "hint", json_object_new_string(hint));
}

static const char *error_text(int code)
{
	switch (code) {
	case -EINVAL:
		return "a member is missing, of another type or out of range";
	case -ENOENT:
		return "no range with this address and size is poisoned";
	case -ENOSPC:
		return "too many ranges are poisoned";
	default:
		return strerror(-code);
	}
}

/* A member that the command does not have; NULL: there is none. */
static const char *unknown_member(struct json_object *request, size_t command)
{
	json_object_object_foreach(request, name, value)
	{
		bool known = !strcmp(name, "command");

		(void)value;
		for (unsigned int i = 0; i < 2 && commands[command].members[i]; i++)
			known |= !strcmp(name, commands[command].members[i]);
		if (!known)
			return name;
	}
	return NULL;
}

static void execute(struct control *control, struct json_object *request,
		    struct json_object *answer)
{
	struct json_object *name;
	char text[160];

	if (!json_object_is_type(request, json_type_object) ||
	    !json_object_object_get_ex(request, "command", &name) ||
	    !json_object_is_type(name, json_type_string)) {
		add_error(answer, "no JSON object with a command, alone in its line",
			  "{\"command\":\"stats\"}");
		return;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		const char *unknown;
		int ret;

		if (strcmp(commands[i].name, json_object_get_string(name)))
			continue;
		unknown = unknown_member(request, i);
		if (unknown) {
			snprintf(text, sizeof(text), "unknown member '%s'", unknown);
			add_error(answer, text, commands[i].hint);
			return;
		}
		ret = commands[i].execute(control, request, answer);
		snprintf(text, sizeof(text), "%s: %s", commands[i].name, error_text(ret));
		if (ret)
			add_error(answer, text, commands[i].hint);
		return;
	}
	add_error(
		answer, "unknown command",
		"commands of a device are stats, poison, clear-poison, memory-ready, fail-resets");
}

/* The one value of a line, which the caller puts; NULL: there is none, or something behind it. */
static struct json_object *parse_line(const char *line, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(NESTING_MAX);
	struct json_object *value = NULL;
	size_t end = size;

	if (tokener) {
		value = json_tokener_parse_ex(tokener, line, (int)size);
		end = json_tokener_get_parse_end(tokener);
	}
	json_tokener_free(tokener);
	while (end < size && strchr(" \t\r\n", line[end]) && line[end])
		end++;
	if (end == size)
		return value;
	json_object_put(value);
	return NULL;
}

/* One line; false: the other side does not take the answer. */
static bool answer_line(struct control *control, const char *line, size_t size)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *request = parse_line(line, size);
	const char *text;
	size_t length;
	bool sent;

	execute(control, request, answer);
	text = json_object_to_json_string_length(answer, JSON_C_TO_STRING_PLAIN, &length);
	/* Short, and the peer has asked: room is there, or it does not read. */
	sent = send(control->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length &&
	       send(control->fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
	json_object_put(request);
	json_object_put(answer);
	return sent;
}

static bool answer_lines(struct control *control)
{
	char *at = control->line, *end;
	size_t left = control->size;

	while ((end = memchr(at, '\n', left))) {
		size_t size = (size_t)(end - at) + 1;

		if (!answer_line(control, at, size))
			return false;
		at += size;
		left -= size;
	}
	memmove(control->line, at, left);
	control->size = left;
	/* A line that does not fit never ends. */
	return left < sizeof(control->line);
}

void control_step(struct control *control)
{
	ssize_t n;

	if (control->fd < 0) {
		control->fd = cxlvm_listener_accept(control->listener);
		if (control->fd < 0)
			control->fd = -1;
		return;
	}
	n = recv(control->fd, control->line + control->size, sizeof(control->line) - control->size,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		control->size += (size_t)n;
	if (n <= 0 || !answer_lines(control))
		hang_up(control);
}

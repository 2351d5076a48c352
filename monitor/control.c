/* SPDX-License-Identifier: BSD-3-Clause */
/* control.c - the control socket: clients, lines, listeners; what is answered is in commands.c */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "commands.h"
#include "control.h"
#include "vm.h"

/* So much not read by a client, and we read nothing of it. */
#define OUTPUT_ENOUGH 65536

int control_open(struct control *control, struct vm *vm, const char *path, struct cxlvm_error *err)
{
	struct cxlvm_error why = CXLVM_ERROR_INIT;
	int code;

	control->vm = vm;
	control->clients = calloc(CONTROL_CLIENTS_MAX, sizeof(*control->clients));
	if (!control->clients)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the control socket");
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		control->clients[i].fd = -1;
	code = cxlvm_listener_create(path, &control->listener, &why);
	if (code) {
		cxlvm_error_set(err, code, "control socket: %s", why.message);
		cxlvm_error_hint(err, "%s", why.hint);
	}
	return code;
}

static void drop(struct control *control, struct control_client *client)
{
	bool listened = false;

	close(client->fd);
	free(client->output);
	json_object_put(client->id);
	memset(client, 0, sizeof(*client));
	client->fd = -1;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		listened |= control->clients[i].fd >= 0 && control->clients[i].listens;
	events_listen(&control->vm->events, listened);
}

size_t control_poll(const struct control *control, struct pollfd *fds)
{
	size_t n = 0;

	if (!control->listener)
		return 0;
	fds[n++] = (struct pollfd){ .fd = cxlvm_listener_fd(control->listener), .events = POLLIN };
	fds[n++] = (struct pollfd){ .fd = control->vm->events.wake, .events = POLLIN };
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		const struct control_client *client = &control->clients[i];
		short wanted = 0;

		if (!client->closing && !client->waits && client->n_output < OUTPUT_ENOUGH)
			wanted |= POLLIN;
		if (client->n_output)
			wanted |= POLLOUT;
		fds[n++] = (struct pollfd){ .fd = client->fd, .events = wanted };
	}
	return n;
}

/* False: the client does not read, and has to go. */
static bool push(struct control_client *client, const char *bytes, size_t n)
{
	if (n > CONTROL_OUTPUT_MAX - client->n_output)
		return false;
	if (client->n_output + n > client->output_size) {
		size_t size = client->n_output + n + 4096;
		char *output = realloc(client->output, size);

		if (!output)
			return false;
		client->output = output;
		client->output_size = size;
	}
	memcpy(client->output + client->n_output, bytes, n);
	client->n_output += n;
	return true;
}

static bool answer(struct control_client *client, struct json_object *reply)
{
	const char *text = json_object_to_json_string_ext(
		reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	bool good;

	good = text && push(client, text, strlen(text)) && push(client, "\n", 1);
	json_object_put(reply);
	return good;
}

/* One line. False: the client has to go. */
static bool serve_line(struct control *control, struct control_client *client, const char *line,
		       size_t n, enum control_wish *wish)
{
	struct command_result result = { .wish = CONTROL_NOTHING };
	struct json_object *reply = control_command(control->vm, line, n, &result);

	if (result.listen) {
		client->listens = true;
		events_listen(&control->vm->events, true);
	}
	if (result.wish > *wish)
		*wish = result.wish;
	if (result.wish == CONTROL_RESET) {
		/* Answered when it has happened. */
		client->waits = true;
		json_object_put(client->id);
		client->id = result.id;
		json_object_put(reply);
		return true;
	}
	json_object_put(result.id);
	return answer(client, reply);
}

/* A whole one, or one that is too long. */
static bool has_line(const struct control_client *client)
{
	return !client->waits &&
	       (client->n_line == CONTROL_LINE_MAX || memchr(client->line, '\n', client->n_line));
}

/*
 * All whole lines there are, up to one that has to be waited for, or until the client has enough to
 * read: a few short lines can ask for more than is kept for it.
 */
static bool serve_lines(struct control *control, struct control_client *client,
			enum control_wish *wish)
{
	while (has_line(client) && client->n_output < OUTPUT_ENOUGH) {
		char *newline = memchr(client->line, '\n', client->n_line);
		size_t used;

		if (!newline) {
			client->closing = true;
			client->n_line = 0;
			return answer(client,
				      control_error(NULL, "the line is longer than 4095 bytes",
						    "send one JSON object in a line"));
		}
		used = (size_t)(newline + 1 - client->line);
		*newline = 0;
		if (!serve_line(control, client, client->line, used - 1, wish))
			return false;
		client->n_line -= used;
		memmove(client->line, client->line + used, client->n_line);
	}
	return true;
}

/* Is there a reason to keep a client that says nothing more? */
static bool is_owed(const struct control_client *client)
{
	return client->n_output || client->waits || client->listens;
}

static bool take_input(struct control_client *client)
{
	size_t room = CONTROL_LINE_MAX - client->n_line;
	ssize_t n = recv(client->fd, client->line + client->n_line, room, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->closing = n == 0;
	client->n_line += (size_t)n;
	return true;
}

static bool serve_output(struct control_client *client)
{
	ssize_t n = send(client->fd, client->output, client->n_output, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->n_output -= (size_t)n;
	memmove(client->output, client->output + n, client->n_output);
	return true;
}

/* Output, which makes room for more, and lines, in turn. False: the client is done, or has to go. */
static bool serve_client(struct control *control, struct control_client *client,
			 enum control_wish *wish)
{
	for (;;) {
		if (client->n_output && !serve_output(client))
			return false;
		if (!has_line(client) || client->n_output >= OUTPUT_ENOUGH)
			return !client->closing || is_owed(client);
		if (!serve_lines(control, client, wish))
			return false;
	}
}

static void accept_client(struct control *control)
{
	int fd = cxlvm_listener_accept(control->listener);
	static const char full[] = "{\"ok\":false,\"error\":\"too many clients\"}\n";

	if (fd < 0)
		return;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i].fd >= 0)
			continue;
		control->clients[i].fd = fd;
		return;
	}
	if (send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL) < 0) {
		/* It will see the end. */
	}
	close(fd);
}

static void serve_listeners(struct control *control)
{
	static char lines[EVENTS_KEPT];
	size_t n = events_take(&control->vm->events, lines);

	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->clients[i];

		if (client->fd >= 0 && client->listens && !push(client, lines, n))
			drop(control, client);
	}
}

enum control_wish control_serve(struct control *control, const struct pollfd *fds, size_t n)
{
	enum control_wish wish = CONTROL_NOTHING;

	if (!n)
		return wish;
	if (fds[0].revents)
		accept_client(control);
	if (fds[1].revents)
		serve_listeners(control);
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->clients[i];
		short ready = fds[2 + i].revents;
		bool good = true;

		if (client->fd < 0 || client->fd != fds[2 + i].fd)
			continue;
		if (ready & POLLIN)
			good = take_input(client);
		else if (ready & (POLLHUP | POLLERR))
			good = false;
		if (!good || !serve_client(control, client, &wish))
			drop(control, client);
	}
	return wish;
}

void control_close(struct control *control)
{
	/* What happened last. */
	if (control->clients)
		serve_listeners(control);
	for (unsigned int i = 0; control->clients && i < CONTROL_CLIENTS_MAX; i++) {
		if (control->clients[i].fd < 0)
			continue;
		if (control->clients[i].n_output)
			(void)serve_output(&control->clients[i]);
		drop(control, &control->clients[i]);
	}
	cxlvm_listener_destroy(control->listener);
	free(control->clients);
	memset(control, 0, sizeof(*control));
}

enum control_wish control_reset_done(struct control *control)
{
	enum control_wish wish = CONTROL_NOTHING;

	for (unsigned int i = 0; control->clients && i < CONTROL_CLIENTS_MAX; i++) {
		struct control_client *client = &control->clients[i];
		bool good;

		if (client->fd < 0 || !client->waits)
			continue;
		client->waits = false;
		good = answer(client, control_success(client->id, NULL));
		client->id = NULL;
		/* It may have sent more meanwhile. */
		if (!good || !serve_client(control, client, &wish))
			drop(control, client);
	}
	return wish;
}

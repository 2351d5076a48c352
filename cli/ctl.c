/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl.c - cxlvm ctl: ask a machine or a software device that runs, through its control socket
 *
 * What comes back is checked like everything from another process: a line has an end and a
 * length, and members that are not there are not printed.
 */
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"
#include "parse.h"

#define ANSWER_MAX ((size_t)2 << 20)
#define WAIT_S     60 /* a reset may take its time */

static void help(FILE *to)
{
	fputs("usage: cxlvm ctl [--json] SOCKET COMMAND\n\n"
	      "Ask a machine (cxlvm run) or a software device (cxlvm device) that runs with\n"
	      "--control SOCKET.\n\n"
	      "Of a machine:\n"
	      "  status                   the machine and its devices\n"
	      "  map                      guest physical map as it is now\n"
	      "  devices                  decoders as the guest sees them, counters\n"
	      "  reset                    reset the machine\n"
	      "  reset DEVICE flr|cxl|bus reset one device\n"
	      "  stop                     end the run\n"
	      "  events                   print what happens, until the run ends\n\n"
	      "Of a software device:\n"
	      "  stats                    counters, and what is now\n"
	      "  poison ADDRESS SIZE      let reads of this range of its memory fail\n"
	      "  clear-poison [ADDRESS SIZE]\n"
	      "                           take this range away, or all\n"
	      "  memory-ready on|off      whether the memory is ready\n"
	      "  fail-resets COUNT        let so many resets fail\n\n"
	      "  --json                   print answers as they come\n",
	      to);
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;
	const char *text;

	json_object_object_get_ex(object, key, &value);
	/* NULL of the member null, too. */
	text = json_object_get_string(value);
	return text ? text : "";
}

static unsigned long long number_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static bool truth_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && json_object_get_boolean(value);
}

static struct json_object *part_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	json_object_object_get_ex(object, key, &value);
	return value;
}

static size_t length_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static void print_status(struct json_object *result)
{
	struct json_object *devices = part_of(result, "devices");

	printf("running: %llu CPUs, %llu MiB, %llu address bits, %llu resets\n",
	       number_of(result, "cpus"), number_of(result, "memory_size") >> 20,
	       number_of(result, "phys_bits"), number_of(result, "resets"));
	for (size_t i = 0; i < length_of(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		const char *reason = text_of(device, "unusable_reason");

		printf("%-8s %s  %llu MiB  generation %llu  %s, %s%s%s\n",
		       text_of(device, "device"), text_of(device, "host"),
		       number_of(device, "memory_size") >> 20, number_of(device, "generation"),
		       truth_of(device, "committed") ? "committed" : "not committed",
		       truth_of(device, "memory_mapped") ? "mapped" : "not mapped",
		       reason[0] ? ": " : "", reason);
	}
}

static void print_map(struct json_object *result)
{
	for (size_t i = 0; i < length_of(result); i++) {
		struct json_object *range = json_object_array_get_idx(result, i);
		unsigned long long base = number_of(range, "resource");
		unsigned long long size = number_of(range, "size");

		printf("0x%012llx-0x%012llx  %-13s %s\n", base, base + (size ? size - 1 : 0),
		       text_of(range, "type"), text_of(range, "device"));
	}
}

static void print_decoder(const char *what, struct json_object *decoder)
{
	printf("  %-12s 0x%012llx, %llu MiB%s%s%s, control 0x%llx\n", what,
	       number_of(decoder, "resource"), number_of(decoder, "size") >> 20,
	       truth_of(decoder, "committed") ? ", committed" : "",
	       truth_of(decoder, "locked") ? ", locked" : "",
	       truth_of(decoder, "error") ? ", error" : "", number_of(decoder, "control"));
}

static void print_devices(struct json_object *result)
{
	static const char *const counters[] = { "writes", "bad_accesses", "device_errors",
						"programmed", "program_failures" };

	for (size_t i = 0; i < length_of(result); i++) {
		struct json_object *device = json_object_array_get_idx(result, i);

		printf("%s: %s, memory enable %s\n", text_of(device, "device"),
		       truth_of(device, "memory_mapped") ? "mapped" : "not mapped",
		       truth_of(device, "memory_enable") ? "on" : "off");
		print_decoder("endpoint", part_of(device, "decoder"));
		print_decoder("host bridge", part_of(device, "host_bridge_decoder"));
		for (size_t c = 0; c < sizeof(counters) / sizeof(counters[0]); c++)
			printf("  %s %llu\n", counters[c],
			       number_of(part_of(device, "counters"), counters[c]));
	}
}

/* What a device answers is its state itself. */
static void print_stats(struct json_object *result)
{
	json_object_object_foreach(result, name, value)
	{
		printf("%-12s %s\n", name, json_object_get_string(value));
	}
}

enum kind { TEXT, NUMBER, TRUTH };

static const struct command_row {
	const char *name;
	unsigned int n_arguments; /* all of them */
	bool optional;            /* or none */
	const char *members[2];
	enum kind kind;
	void (*print)(struct json_object *result);
	enum json_type type; /* of what is printed */
} commands[] = {
	{ .name = "status", .print = print_status, .type = json_type_object },
	{ .name = "map", .print = print_map, .type = json_type_array },
	{ .name = "devices", .print = print_devices, .type = json_type_array },
	{ .name = "reset", .n_arguments = 2, .optional = true, .members = { "device", "kind" } },
	{ .name = "stop" },
	{ .name = "events" },
	{ .name = "stats", .print = print_stats, .type = json_type_object },
	{ .name = "poison", .n_arguments = 2, .members = { "address", "size" }, .kind = NUMBER },
	{ .name = "clear-poison",
	  .n_arguments = 2,
	  .optional = true,
	  .members = { "address", "size" },
	  .kind = NUMBER },
	{ .name = "memory-ready", .n_arguments = 1, .members = { "ready" }, .kind = TRUTH },
	{ .name = "fail-resets", .n_arguments = 1, .members = { "count" }, .kind = NUMBER },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* An argument as JSON has it; NULL: it is none of this kind. */
static struct json_object *value_of(enum kind kind, const char *word)
{
	uint64_t number;

	switch (kind) {
	case NUMBER:
		return parse_size(word, &number) ? json_object_new_uint64(number) : NULL;
	case TRUTH:
		if (!strcmp(word, "on") || !strcmp(word, "off"))
			return json_object_new_boolean(!strcmp(word, "on"));
		return NULL;
	default:
		return json_object_new_string(word);
	}
}

/* The request, which the caller puts; NULL: *bad is an argument that cannot be. */
static struct json_object *build_request(const struct command_row *row, char **words, int n,
					 const char **bad)
{
	struct json_object *asked = json_object_new_object();

	json_object_object_add(asked, "command", json_object_new_string(row->name));
	for (int i = 0; i < n; i++) {
		struct json_object *value = value_of(row->kind, words[i]);

		if (!value) {
			json_object_put(asked);
			*bad = words[i];
			return NULL;
		}
		json_object_object_add(asked, row->members[i], value);
	}
	return asked;
}

static int no_answer(struct cxlvm_error *err)
{
	cxlvm_error_set(err, -ETIMEDOUT, "no answer within %d s", WAIT_S);
	cxlvm_error_hint(err,
			 "is the process stopped (ps shows T)? kill -CONT lets it go on; or end "
			 "it");
	return -ETIMEDOUT;
}

/* Somebody looks at the terminal meanwhile. */
static int wait_for_answer(int fd, struct cxlvm_error *err)
{
	struct pollfd answer = { .fd = fd, .events = POLLIN };
	int ready = poll(&answer, 1, 1000);

	if (!ready) {
		fprintf(stderr, "cxlvm ctl: waiting for the answer, for at most %d s\n", WAIT_S);
		ready = poll(&answer, 1, (WAIT_S - 1) * 1000);
	}
	return ready ? 0 : no_answer(err);
}

static int connect_to(const char *path, struct cxlvm_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd, code;

	if (strlen(path) >= sizeof(address.sun_path))
		return cxlvm_error_set(err, -ENAMETOOLONG, "'%s' is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* The limit of sending is that of connecting, too. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		code = errno == EAGAIN ? no_answer(err) : -errno;
		if (fd >= 0)
			close(fd);
		if (code == -ETIMEDOUT)
			return code;
		cxlvm_error_set(err, code, "cannot reach a machine or device at '%s': %s", path,
				strerror(-code));
		if (code == -EACCES)
			cxlvm_error_hint(err, "only who has started it may ask: ls -l %s", path);
		else
			cxlvm_error_hint(
				err,
				"start one with: cxlvm run --control %s, or cxlvm device --control %s",
				path, path);
		return code;
	}
	return fd;
}

static int send_command(int fd, struct json_object *asked, struct cxlvm_error *err)
{
	const char *line = json_object_to_json_string_ext(asked, JSON_C_TO_STRING_PLAIN);
	size_t length = strlen(line);

	/* Short enough to go at once. */
	if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return cxlvm_error_set(err, -EPIPE, "the other side does not take the command");
	return 0;
}

/* A line without its end; the caller frees it. NULL with err set. */
static char *receive_line(FILE *from, struct cxlvm_error *err)
{
	char *line = NULL;
	size_t size = 0, n = 0;
	int c;

	while ((c = getc(from)) != EOF && c != '\n' && n < ANSWER_MAX) {
		if (n + 2 > size) {
			char *more = realloc(line, size = 2 * size + 1024);

			if (!more)
				break;
			line = more;
		}
		line[n++] = (char)c;
	}
	if (c == '\n' && line) {
		line[n] = 0;
		return line;
	}
	free(line);
	cxlvm_error_set(err, -EIO, "%s",
			c == EOF ? "the other side ended the conversation"
				 : "the answer makes no sense");
	return NULL;
}

/* A machine says whether it did it, and has a result; a device's answer is the result, or an error. */
static bool is_done(struct json_object *answer, struct json_object **result)
{
	if (json_object_object_get_ex(answer, "ok", NULL)) {
		*result = part_of(answer, "result");
		return truth_of(answer, "ok");
	}
	*result = answer;
	return !json_object_object_get_ex(answer, "error", NULL);
}

/* 0 when what was asked for was done. */
static int print_answer(const char *line, const struct command_row *row, bool json,
			struct cxlvm_error *err)
{
	struct json_object *answer = json_tokener_parse(line), *result;
	int code = 0;

	if (json)
		puts(line);
	if (!json_object_is_type(answer, json_type_object)) {
		code = cxlvm_error_set(err, -EPROTO, "the answer is no JSON object");
	} else if (!is_done(answer, &result)) {
		const char *why = text_of(answer, "error");

		code = cxlvm_error_set(err, -EINVAL, "%s", why[0] ? why : "it was not done");
		cxlvm_error_hint(err, "%s", text_of(answer, "hint"));
	} else if (!json && row->print && !json_object_is_type(result, row->type)) {
		code = cxlvm_error_set(err, -EPROTO, "the answer has no result of this command");
		cxlvm_error_hint(err, "cxlvm ctl --json prints it as it came");
	} else if (!json && row->print) {
		row->print(result);
	}
	json_object_put(answer);
	return code;
}

static int converse(int fd, struct json_object *asked, const struct command_row *row, bool json,
		    struct cxlvm_error *err)
{
	bool events = !strcmp(row->name, "events");
	int code = send_command(fd, asked, err);
	FILE *from = fdopen(fd, "r");
	char *line = NULL;

	if (!from) {
		close(fd);
		return cxlvm_error_set(err, -ENOMEM, "no memory for the answer");
	}
	if (!code)
		code = wait_for_answer(fd, err);
	if (!code) {
		line = receive_line(from, err);
		code = line ? print_answer(line, row, json, err) : err->code;
		free(line);
	}
	while (!code && events) {
		struct cxlvm_error end = CXLVM_ERROR_INIT;
		struct timeval forever = { 0 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
		line = receive_line(from, &end);
		if (!line)
			break;
		/* What is not taken is told when the program ends. */
		events = puts(line) >= 0 && !fflush(stdout);
		free(line);
	}
	fclose(from);
	return code;
}

static int usage_error(const char *text, const char *what)
{
	fprintf(stderr, "cxlvm ctl: %s%s\n  hint: cxlvm help ctl lists the commands\n", text, what);
	return STATUS_USAGE;
}

static int run(int argc, char **argv)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	const struct command_row *row = commands;
	const char *bad = NULL;
	struct json_object *asked;
	bool json = false;
	int at = 1, n, fd, code;

	if (at < argc && !strcmp(argv[at], "--help")) {
		help(stdout);
		return STATUS_OK;
	}
	if (at < argc && !strcmp(argv[at], "--json")) {
		json = true;
		at++;
	}
	/* arguments of the command */
	n = argc - at - 2;
	if (n < 0)
		return usage_error("SOCKET and COMMAND are wanted", "");
	while (row < commands + N_COMMANDS && strcmp(row->name, argv[at + 1]))
		row++;
	if (row == commands + N_COMMANDS)
		return usage_error("unknown command ", argv[at + 1]);
	if ((unsigned int)n != row->n_arguments && (n || !row->optional))
		return usage_error("wrong number of arguments for ", argv[at + 1]);
	asked = build_request(row, argv + at + 2, n, &bad);
	if (!asked)
		return usage_error(row->kind == TRUTH ? "neither on nor off: " : "not a number: ",
				   bad);
	fd = connect_to(argv[at], &err);
	code = fd < 0 ? fd : converse(fd, asked, row, json, &err);
	json_object_put(asked);
	if (code) {
		if (code == -EIO || code == -EPIPE || code == -EPROTO)
			cxlvm_error_hint(&err,
					 "is this the socket of --control of a cxlvm run or cxlvm "
					 "device that still runs?");
		print_error("ctl", &err);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

const struct command command_ctl = {
	.name = "ctl",
	.summary = "ask a machine or device that runs",
	.run = run,
	.help = help,
};

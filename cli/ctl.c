/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl.c - cxlvm ctl: ask a machine that runs, through its control socket (docs/control.md)
 *
 * What comes back is checked like everything from another process: a line has an end and a
 * length, and members that are not there are not printed.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "command.h"

#define ANSWER_MAX ((size_t)2 << 20)
#define WAIT_S     60 /* a reset may take its time */

static void help(FILE *to)
{
	fputs("usage: cxlvm ctl [--json] SOCKET COMMAND\n\n"
	      "Ask a machine that runs with --control SOCKET.\n\n"
	      "  status                   the machine and its devices\n"
	      "  map                      guest physical map as it is now\n"
	      "  devices                  decoders as the guest sees them, counters\n"
	      "  reset                    reset the machine\n"
	      "  reset DEVICE flr|cxl|bus reset one device\n"
	      "  stop                     end the run\n"
	      "  events                   print what happens, until the run ends\n"
	      "  --json                   print answers as they come\n",
	      to);
}

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) ? json_object_get_string(value) : "";
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

static const struct {
	const char *name;
	int n_arguments; /* at most */
	void (*print)(struct json_object *result);
} commands[] = {
	{ "status", 0, print_status }, { "map", 0, print_map }, { "devices", 0, print_devices },
	{ "reset", 2, NULL },          { "stop", 0, NULL },     { "events", 0, NULL },
};

static int connect_to(const char *path, struct cxlvm_error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval wait = { .tv_sec = WAIT_S };
	int fd, code;

	if (strlen(path) >= sizeof(address.sun_path))
		return cxlvm_error_set(err, -ENAMETOOLONG, "'%s' is too long for a socket", path);
	memcpy(address.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait))) {
		code = -errno;
		if (fd >= 0)
			close(fd);
		cxlvm_error_set(err, code, "cannot reach a machine at '%s': %s", path,
				strerror(-code));
		cxlvm_error_hint(err, "start one with: cxlvm run --control %s", path);
		return code;
	}
	return fd;
}

static int send_command(int fd, char **words, int n, struct cxlvm_error *err)
{
	struct json_object *asked = json_object_new_object();
	const char *line;
	size_t length;
	int code = 0;

	json_object_object_add(asked, "command", json_object_new_string(words[0]));
	if (n > 1)
		json_object_object_add(asked, "device", json_object_new_string(words[1]));
	if (n > 2)
		json_object_object_add(asked, "kind", json_object_new_string(words[2]));
	line = json_object_to_json_string_ext(asked, JSON_C_TO_STRING_PLAIN);
	length = strlen(line);
	/* Short enough to go at once. */
	if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		code = cxlvm_error_set(err, -EPIPE, "the machine does not take the command");
	json_object_put(asked);
	return code;
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
			c == EOF ? "the machine ended the conversation"
				 : "the machine's answer makes no sense");
	return NULL;
}

/* 0 when the machine did what it was asked for. */
static int print_answer(const char *line, size_t command, bool json, struct cxlvm_error *err)
{
	struct json_object *answer = json_tokener_parse(line);
	struct json_object *result = part_of(answer, "result");
	int code = 0;

	if (json)
		puts(line);
	if (!json_object_is_type(answer, json_type_object)) {
		code = cxlvm_error_set(err, -EPROTO, "the machine's answer is no JSON object");
	} else if (!truth_of(answer, "ok")) {
		code = cxlvm_error_set(err, -EINVAL, "%s", text_of(answer, "error"));
		cxlvm_error_hint(err, "%s", text_of(answer, "hint"));
	} else if (!json && commands[command].print) {
		commands[command].print(result);
	}
	json_object_put(answer);
	return code;
}

static int converse(int fd, char **words, int n, size_t command, bool json, struct cxlvm_error *err)
{
	bool events = !strcmp(words[0], "events");
	int code = send_command(fd, words, n, err);
	FILE *from = fdopen(fd, "r");
	char *line = NULL;

	if (!from) {
		close(fd);
		return cxlvm_error_set(err, -ENOMEM, "no memory for the answer");
	}
	if (!code) {
		line = receive_line(from, err);
		code = line ? print_answer(line, command, json, err) : err->code;
		free(line);
	}
	while (!code && events) {
		struct cxlvm_error end = CXLVM_ERROR_INIT;
		struct timeval forever = { 0 };

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof(forever));
		line = receive_line(from, &end);
		if (!line)
			break;
		puts(line);
		fflush(stdout);
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
	bool json = false;
	size_t command = 0;
	int at = 1, n, fd;

	if (at < argc && !strcmp(argv[at], "--help")) {
		help(stdout);
		return STATUS_OK;
	}
	if (at < argc && !strcmp(argv[at], "--json")) {
		json = true;
		at++;
	}
	n = argc - at - 1;
	if (n < 1)
		return usage_error("SOCKET and COMMAND are wanted", "");
	while (command < sizeof(commands) / sizeof(commands[0]) &&
	       strcmp(commands[command].name, argv[at + 1]))
		command++;
	if (command == sizeof(commands) / sizeof(commands[0]))
		return usage_error("unknown command ", argv[at + 1]);
	if (n - 1 != 0 && n - 1 != commands[command].n_arguments)
		return usage_error("wrong number of arguments for ", argv[at + 1]);
	fd = connect_to(argv[at], &err);
	if (fd < 0 || converse(fd, argv + at + 1, n, command, json, &err)) {
		print_error("ctl", &err);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

const struct command command_ctl = {
	.name = "ctl",
	.summary = "ask a machine that runs",
	.run = run,
	.help = help,
};

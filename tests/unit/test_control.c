/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket (docs/control.md): what its commands answer, and its clients, polite and not. The
 * machine is one of zeros with a device that is only a name; resets of it are noted, not done.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The doubles have a vm.h too. */
#include "../../monitor/vm.h"
#include "commands.h"
#include "control.h"
#include "test.h"

static struct {
	struct vm vm;
	struct device device;
	struct control control;
	char folder[64], path[96];
	char resets[128]; /* that were asked for */
	int reset_code;
} rig;

/* A name that the linker gives: NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_device_reset(struct device *device, enum cxlvm_reset_kind kind, struct cxlvm_error *err);

int __wrap_device_reset(struct device *device, enum cxlvm_reset_kind kind, struct cxlvm_error *err)
{
	size_t n = strlen(rig.resets);

	snprintf(rig.resets + n, sizeof(rig.resets) - n, "%s %s\n", device->name,
		 kind == CXLVM_RESET_FUNCTION ? "flr"
		 : kind == CXLVM_RESET_CXL    ? "cxl"
		 : kind == CXLVM_RESET_BUS    ? "bus"
					      : "?");
	return rig.reset_code ? cxlvm_error_set(err, rig.reset_code, "the device does not reset")
			      : 0;
}

/* Events go to standard error, too: thousands of them only to who asked for them here. */
static void add_event(const char *text)
{
	static int nowhere = -1;
	int before = dup(STDERR_FILENO);

	if (nowhere < 0)
		nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	fflush(stderr);
	assert_true(dup2(nowhere, STDERR_FILENO) >= 0);
	events_add(&rig.vm.events, "warning", "sim0", 0, text);
	fflush(stderr);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
}

static void begin(void)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(&rig, 0, sizeof(rig));
	rig.vm.devices = &rig.device;
	rig.vm.n_devices = 1;
	snprintf(rig.device.name, sizeof(rig.device.name), "sim0");
	snprintf(rig.folder, sizeof(rig.folder), "/tmp/cxlvm-control.XXXXXX");
	assert_non_null(mkdtemp(rig.folder));
	snprintf(rig.path, sizeof(rig.path), "%s/socket", rig.folder);
	assert_int_equal(events_init(&rig.vm.events, NULL, &err), 0);
	if (control_open(&rig.control, &rig.vm, rig.path, &err))
		fail_msg("%s", err.message);
}

static void end(void)
{
	control_close(&rig.control);
	events_finish(&rig.vm.events);
	assert_int_equal(access(rig.path, F_OK), -1);
	assert_int_equal(rmdir(rig.folder), 0);
}

/* Whoever is ready now is served. */
static enum control_wish serve(void)
{
	enum control_wish wish = CONTROL_NOTHING;
	struct pollfd fds[CONTROL_FDS];
	size_t n = control_poll(&rig.control, fds);

	assert_int_equal(n, CONTROL_FDS);
	while (poll(fds, n, 0) > 0) {
		enum control_wish next = control_serve(&rig.control, fds, n);

		if (next > wish)
			wish = next;
		n = control_poll(&rig.control, fds);
	}
	return wish;
}

static int client(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", rig.path);
	assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	serve();
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* What has come so far; the socket's end is "END" behind it. */
static const char *heard(int fd)
{
	static char text[8192];
	size_t n = 0;
	ssize_t got = 1;

	while (n < sizeof(text) - 8 && got > 0) {
		got = recv(fd, text + n, sizeof(text) - 8 - n, MSG_DONTWAIT);
		if (got > 0)
			n += (size_t)got;
	}
	snprintf(text + n, sizeof(text) - n, "%s",
		 !got || (got < 0 && errno == ECONNRESET) ? "END" : "");
	return text;
}

/* One line, without a socket: its answer as text. */
static const char *command_of(const char *line, size_t n, enum control_wish wish)
{
	static char text[4096];
	struct command_result result = { .wish = CONTROL_NOTHING };
	struct json_object *reply = control_command(&rig.vm, line, n, &result);

	snprintf(text, sizeof(text), "%s",
		 json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	assert_int_equal(result.wish, wish);
	json_object_put(result.id);
	json_object_put(reply);
	return text;
}

static const char *command(const char *line)
{
	return command_of(line, strlen(line), CONTROL_NOTHING);
}

static void refuse(const char *line, const char *why)
{
	const char *text = command(line);

	if (!strstr(text, "\"ok\":false") || !strstr(text, why))
		fail_msg("%s: %s, and not %s", line, text, why);
}

static void lines_that_are_no_command_are_refused(void **state)
{
	static const char zero[] = "{\"command\":\"map\0\"}";

	(void)state;
	begin();
	refuse("", "no JSON");
	refuse("{", "no JSON");
	refuse("[]", "no JSON object");
	refuse("null", "no JSON object");
	refuse("{\"command\":\"stop\"}{}", "no JSON");
	refuse("{\"command\":\"stop\"} x", "no JSON");
	refuse("{'command':'stop'}", "no JSON");
	refuse("{\"command\":\"stop\",}", "no JSON");
	refuse("{\"command\":\"st\xff\"}", "no JSON");
	refuse("{\"a\":{\"b\":{\"c\":{\"d\":{}}}}}", "no JSON");
	refuse("{}", "has no member \\\"command\\\"");
	refuse("{\"command\":\"halt\"}", "unknown command 'halt'");
	refuse("{\"command\":\"STOP\"}", "unknown command");
	refuse("{\"command\":5}", "unknown command '5'");
	refuse("{\"command\":\"stop\",\"device\":\"sim0\"}", "no member 'device'");
	refuse("{\"command\":\"reset\",\"device\":\"sim0\",\"kind\":1}",
	       "member 'kind' is no string");
	refuse("{\"command\":\"reset\",\"device\":null}", "member 'device' is no string");
	/* Both would be the command map for what ends at a 0. */
	assert_non_null(strstr(command_of(zero, sizeof(zero) - 1, CONTROL_NOTHING), "U+0000"));
	refuse("{\"command\":\"map\\u0000\"}", "U+0000");
	refuse("{\"command\":\"map\\\\\\u0000\"}", "U+0000");
	/* This is a backslash and letters. */
	refuse("{\"command\":\"map\\\\u0000\"}", "unknown command 'map\\\\u0000'");
	end();
}

static void an_id_comes_back_as_it_was(void **state)
{
	static const char *const ids[] = {
		"\"a\"", "\"\"", "0", "-1", "18446744073709551614", "-9223372036854775807",
		"null",  "true",
	};
	char line[128], wanted[64];

	(void)state;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		snprintf(line, sizeof(line), "{\"command\":\"nothing\",\"id\":%s}", ids[i]);
		snprintf(wanted, sizeof(wanted), "{\"id\":%s,\"ok\":false", ids[i]);
		assert_memory_equal(command(line), wanted, strlen(wanted));
	}
	refuse("{\"command\":\"stop\",\"id\":99999999999999999999}", "beyond 64 bits");
	refuse("{\"command\":\"stop\",\"id\":-99999999999999999999}", "beyond 64 bits");
	refuse("{\"command\":\"stop\",\"id\":[]}", "array or an object");
	refuse("{\"command\":\"stop\",\"id\":{}}", "array or an object");
	end();
}

static void a_device_is_reset_by_name_and_kind(void **state)
{
	static const char machine[] = "{\"command\":\"reset\"}";

	(void)state;
	begin();
	assert_string_equal(command("{\"command\":\"reset\",\"device\":\"sim0\",\"kind\":\"flr\"}"),
			    "{\"ok\":true}");
	assert_string_equal(command("{\"command\":\"reset\",\"device\":\"sim0\",\"kind\":\"cxl\"}"),
			    "{\"ok\":true}");
	assert_string_equal(command("{\"command\":\"reset\",\"device\":\"sim0\",\"kind\":\"bus\"}"),
			    "{\"ok\":true}");
	assert_string_equal(rig.resets, "sim0 flr\nsim0 cxl\nsim0 bus\n");
	refuse("{\"command\":\"reset\",\"device\":\"sim0\"}", "has a device and no kind");
	refuse("{\"command\":\"reset\",\"kind\":\"flr\"}", "has a kind and no device");
	refuse("{\"command\":\"reset\",\"device\":\"sim1\",\"kind\":\"flr\"}", "no device 'sim1'");
	refuse("{\"command\":\"reset\",\"device\":\"sim\",\"kind\":\"flr\"}", "no device 'sim'");
	refuse("{\"command\":\"reset\",\"device\":\"sim0\",\"kind\":\"warm\"}",
	       "'warm' is no kind");
	assert_string_equal(rig.resets, "sim0 flr\nsim0 cxl\nsim0 bus\n");
	rig.reset_code = -EIO;
	refuse("{\"command\":\"reset\",\"device\":\"sim0\",\"kind\":\"flr\"}", "does not reset");
	assert_string_equal(command_of(machine, sizeof(machine) - 1, CONTROL_RESET),
			    "{\"ok\":true}");
	end();
}

/* 64 bytes of a name are shown, less those of a character that would be cut. */
static void what_is_shown_of_a_long_name_is_whole_characters(void **state)
{
	char line[256], wanted[128];

	(void)state;
	begin();
	for (int before = 60; before <= 66; before++) {
		int kept = before >= 64 ? 64 : before;

		/* U+20AC, three bytes, and more */
		snprintf(line, sizeof(line), "{\"command\":\"%.*s\xe2\x82\xac tail\"}", before,
			 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn");
		snprintf(wanted, sizeof(wanted), "unknown command '%.*s%s'", kept,
			 "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
			 before == 60   ? "\xe2\x82\xac "
			 : before == 61 ? "\xe2\x82\xac"
					: "");
		if (before < 60 || !strstr(command(line), wanted))
			fail_msg("%d: %s is not in %s", before, wanted, command(line));
	}
	end();
}

static void lines_come_in_pieces_and_several_at_once(void **state)
{
	int fd;

	(void)state;
	begin();
	fd = client();
	say(fd, "{\"command\":\"x\",");
	assert_int_equal(serve(), CONTROL_NOTHING);
	assert_string_equal(heard(fd), "");
	say(fd, "\"id\":1}\n{\"command\":\"x\",\"id\":2}\n{\"comm");
	assert_int_equal(serve(), CONTROL_NOTHING);
	assert_non_null(strstr(heard(fd), "{\"id\":1,"));
	say(fd, "and\":\"stop\",\"id\":3}\n");
	assert_int_equal(serve(), CONTROL_STOP);
	assert_string_equal(heard(fd), "{\"id\":3,\"ok\":true}\n");
	close(fd);
	serve();
	end();
}

/* 4095 bytes and the end of the line are one; with a byte more there is an error, and the end. */
static void the_longest_line_is_4095_bytes(void **state)
{
	char line[CONTROL_LINE_MAX + 2];
	const char *text;
	int fd;

	(void)state;
	begin();
	memset(line, ' ', sizeof(line));
	memcpy(line, "{\"id\":7,\"command\":\"stop\"}", 25);
	line[CONTROL_LINE_MAX - 1] = '\n';
	line[CONTROL_LINE_MAX] = 0;
	fd = client();
	say(fd, line);
	assert_int_equal(serve(), CONTROL_STOP);
	assert_string_equal(heard(fd), "{\"id\":7,\"ok\":true}\n");
	line[CONTROL_LINE_MAX - 1] = ' ';
	line[CONTROL_LINE_MAX] = '\n';
	line[CONTROL_LINE_MAX + 1] = 0;
	say(fd, line);
	assert_int_equal(serve(), CONTROL_NOTHING);
	text = heard(fd);
	assert_non_null(strstr(text, "longer than 4095 bytes"));
	assert_string_equal(text + strlen(text) - 3, "END");
	close(fd);
	end();
}

/* Lines behind a reset of the machine wait for it; others are served meanwhile. */
static void a_reset_of_the_machine_is_answered_when_it_has_happened(void **state)
{
	int fd, other;

	(void)state;
	begin();
	fd = client();
	other = client();
	say(fd, "{\"command\":\"reset\",\"id\":\"r\"}\n{\"command\":\"stop\",\"id\":\"s\"}\n");
	say(other, "{\"command\":\"x\"}\n");
	assert_int_equal(serve(), CONTROL_RESET);
	assert_string_equal(heard(fd), "");
	assert_non_null(strstr(heard(other), "unknown command"));
	assert_int_equal(serve(), CONTROL_NOTHING);
	assert_int_equal(control_reset_done(&rig.control), CONTROL_STOP);
	serve();
	assert_string_equal(heard(fd), "{\"id\":\"r\",\"ok\":true}\n{\"id\":\"s\",\"ok\":true}\n");
	assert_string_equal(heard(other), "");
	/* Once. */
	assert_int_equal(control_reset_done(&rig.control), CONTROL_NOTHING);
	serve();
	assert_string_equal(heard(fd), "");
	/* One that says nothing more gets its answer, and then the end. */
	say(fd, "{\"command\":\"reset\"}\n");
	shutdown(fd, SHUT_WR);
	assert_int_equal(serve(), CONTROL_RESET);
	control_reset_done(&rig.control);
	serve();
	assert_string_equal(heard(fd), "{\"ok\":true}\nEND");
	close(fd);
	close(other);
	serve();
	end();
}

static void there_is_room_for_8_clients(void **state)
{
	int fds[CONTROL_CLIENTS_MAX], more;

	(void)state;
	begin();
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = client();
	more = client();
	assert_string_equal(heard(more), "{\"ok\":false,\"error\":\"too many clients\"}\nEND");
	close(more);
	say(fds[7], "{\"command\":\"stop\"}\n");
	assert_int_equal(serve(), CONTROL_STOP);
	assert_string_equal(heard(fds[7]), "{\"ok\":true}\n");
	/* The place of who goes is the next one's. */
	close(fds[3]);
	serve();
	fds[3] = client();
	say(fds[3], "{\"command\":\"stop\"}\n");
	assert_int_equal(serve(), CONTROL_STOP);
	assert_string_equal(heard(fds[3]), "{\"ok\":true}\n");
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
	serve();
	end();
}

static void events_go_to_whoever_asked_for_them(void **state)
{
	int fd, other;

	(void)state;
	begin();
	fd = client();
	other = client();
	say(fd, "{\"command\":\"events\"}\n");
	serve();
	assert_string_equal(heard(fd), "{\"ok\":true}\n");
	add_event("something");
	serve();
	assert_non_null(strstr(heard(fd), "something"));
	assert_string_equal(heard(other), "");
	/* A listener that says nothing more stays one. */
	shutdown(fd, SHUT_WR);
	serve();
	add_event("another");
	serve();
	assert_non_null(strstr(heard(fd), "another"));
	assert_true(rig.vm.events.listened);
	close(fd);
	add_event("a third");
	serve();
	assert_false(rig.vm.events.listened);
	close(other);
	serve();
	end();
}

/* P8: a client that does not read is put out at a limit; the others stay. */
static void p8_a_listener_that_does_not_read_is_put_out(void **state)
{
	char text[900];
	int fd, other;
	unsigned int n = 0;

	(void)state;
	begin();
	memset(text, 'e', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	fd = client();
	other = client();
	say(fd, "{\"command\":\"events\"}\n");
	serve();
	/* More than is kept, and than the kernel keeps for it. */
	while (rig.vm.events.listened && n < 8000) {
		add_event(text);
		serve();
		n++;
	}
	assert_in_range(n, CONTROL_OUTPUT_MAX / 1100, 7999);
	say(other, "{\"command\":\"stop\"}\n");
	assert_int_equal(serve(), CONTROL_STOP);
	assert_string_equal(heard(other), "{\"ok\":true}\n");
	close(fd);
	close(other);
	serve();
	end();
}

/* Lines that ask for much and nobody who reads: they wait, and nothing is lost of them. */
static void p8_nothing_more_is_done_for_a_client_that_does_not_read(void **state)
{
	/* Short, so that one read has some two thousand of them. */
	static const char line[] = "1\n";
	size_t asked = 0, answered = 0;
	int fd;

	(void)state;
	begin();
	fd = client();
	for (unsigned int i = 0; i < 20000; i++) {
		if (send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) !=
		    (ssize_t)sizeof(line) - 1)
			break;
		asked++;
		if (i % 64 == 0)
			serve();
	}
	serve();
	assert_true(rig.control.clients[0].n_output < 65536 + 1024);
	for (unsigned int i = 0; i < 20000 && answered < asked; i++) {
		for (const char *c = heard(fd); (c = strchr(c, '\n')); c++)
			answered++;
		serve();
	}
	assert_true(asked > 100);
	assert_int_equal(answered, asked);
	close(fd);
	serve();
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_that_are_no_command_are_refused),
		cmocka_unit_test(an_id_comes_back_as_it_was),
		cmocka_unit_test(a_device_is_reset_by_name_and_kind),
		cmocka_unit_test(what_is_shown_of_a_long_name_is_whole_characters),
		cmocka_unit_test(lines_come_in_pieces_and_several_at_once),
		cmocka_unit_test(the_longest_line_is_4095_bytes),
		cmocka_unit_test(a_reset_of_the_machine_is_answered_when_it_has_happened),
		cmocka_unit_test(there_is_room_for_8_clients),
		cmocka_unit_test(events_go_to_whoever_asked_for_them),
		cmocka_unit_test(p8_a_listener_that_does_not_read_is_put_out),
		cmocka_unit_test(p8_nothing_more_is_done_for_a_client_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

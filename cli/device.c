/* SPDX-License-Identifier: BSD-3-Clause */
/* device.c - cxlvm device: the software device as a vfio-user server */
#include <errno.h>
#include <fnmatch.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cxlvm/server.h>

#include "command.h"
#include "control.h"
#include "parse.h"

#define SIZE_DEFAULT ((uint64_t)1 << 30)

/* Lines about clients in one second: who comes and goes in a loop does not fill a log. */
#define LINES_PER_SECOND 10

struct request {
	struct cxlvm_server_config config;
	const char *control;
	const char *trace; /* pattern of command names */
	bool help;
	/* Lines printed in this second. */
	time_t second;
	unsigned int lines;
	unsigned long long untaken; /* lines that nobody took */
};

static void help(FILE *to)
{
	fputs("usage: cxlvm device --socket PATH [OPTION...]\n\n"
	      "Offer a software CXL Type-2 device to vfio-user clients, one after another, until\n"
	      "SIGTERM or SIGINT.\n\n"
	      "  --socket PATH       listen here\n"
	      "  --size SIZE         CXL memory, a multiple of 256M; default 1G\n"
	      "  --memory-file PATH  keep it in this file; made if missing\n"
	      "  --serial NUMBER     device serial number\n"
	      "  --expose-memory bar the CXL memory is BAR 4 as well; its size a power of two\n"
	      "  --control PATH      statistics and faults, as JSON lines on this socket\n"
	      "  --trace PATTERN     print messages of these commands, for example '*' or 'DMA_*'\n"
	      "  --help              this text\n",
	      to);
}

static bool is_taken(void)
{
	struct pollfd log = { .fd = STDERR_FILENO, .events = POLLOUT };

	return poll(&log, 1, 0) == 1;
}

/*
 * One line to standard error. It may be a pipe that is full, and no client is to make the server wait
 * for who reads it: the line is counted then. What can be written at all has room for a line.
 */
CXLVM_PRINTF(2, 3)
static void say(struct request *request, const char *format, ...)
{
	va_list args;

	if (request->untaken && is_taken()) {
		fprintf(stderr, "cxlvm device: %llu lines are missing here: nobody took them\n",
			request->untaken);
		request->untaken = 0;
	}
	if (!is_taken()) {
		request->untaken++;
		return;
	}
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

static void on_event(void *owner, enum cxlvm_server_event event, const char *text)
{
	static const char *const names[] = {
		[CXLVM_SERVER_CLIENT_CAME] = "client came",
		[CXLVM_SERVER_CLIENT_LEFT] = "client left",
		[CXLVM_SERVER_CLIENT_REFUSED] = "client refused",
		[CXLVM_SERVER_DEVICE_RESET] = "reset",
		[CXLVM_SERVER_MEMORY_MENDED] = "memory",
	};
	struct request *request = owner;
	time_t now = time(NULL);

	if (now != request->second)
		request->lines = 0;
	request->second = now;
	if (request->lines == LINES_PER_SECOND)
		say(request, "cxlvm device: more of this is not printed in this second\n");
	if (request->lines++ < LINES_PER_SECOND)
		say(request, "cxlvm device: %s: %s\n", names[event], text);
}

static void on_message(void *owner, const struct cxlvm_server_message *message)
{
	struct request *request = owner;
	const char *name = message->name ? message->name : "unknown";

	if (fnmatch(request->trace, name, 0))
		return;
	say(request, "trace: %s %s %s (%u) id %u size %u descriptors %u error %d\n",
	    message->sent ? "sent" : "received", message->reply ? "reply" : "command", name,
	    message->command, message->id, message->size, message->descriptors, message->error);
}

static bool refuse(const char *what, const char *value, const char *hint)
{
	fprintf(stderr, "cxlvm device: %s '%s'\n  hint: %s\n", what, value, hint);
	return false;
}

static bool parse_option(struct request *request, const char *name, const char *value)
{
	if (!strcmp(name, "socket"))
		request->config.socket_path = value;
	else if (!strcmp(name, "memory-file"))
		request->config.memory_file = value;
	else if (!strcmp(name, "control"))
		request->control = value;
	else if (!strcmp(name, "trace"))
		request->trace = value;
	else if (!strcmp(name, "expose-memory")) {
		if (strcmp(value, "bar"))
			return refuse("--expose-memory is not known:", value,
				      "--expose-memory bar");
		request->config.expose_memory_bar = true;
	} else if (!strcmp(name, "size")) {
		if (!parse_size(value, &request->config.memory_size))
			return refuse("--size is not a size:", value,
				      "a multiple of 256 MiB, for example --size 1G");
	} else if (!parse_size(value, &request->config.serial)) {
		return refuse("--serial is not a number:", value, "for example --serial 0x1234");
	}
	return true;
}

static bool is_option(const char *name, size_t size)
{
	static const char *const names[] = {
		"socket", "memory-file", "control", "trace", "size", "serial", "expose-memory",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (size == strlen(names[i]) && !memcmp(name, names[i], size))
			return true;
	return false;
}

static bool parse(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		char *text = argv[i], *equals = strchr(text, '=');
		size_t size = equals ? (size_t)(equals - text) : strlen(text);
		char name[16] = "";
		const char *value;

		if (!strcmp(text, "--help")) {
			request->help = true;
			return true;
		}
		if (strncmp(text, "--", 2) || !is_option(text + 2, size - 2))
			return refuse("unknown option", text, "cxlvm help device");
		memcpy(name, text + 2, size - 2);
		value = equals ? equals + 1 : argv[++i];
		if (!value || !*value)
			return refuse("a value is missing behind", text, "cxlvm help device");
		if (!parse_option(request, name, value))
			return false;
	}
	if (!request->config.socket_path) {
		fputs("cxlvm device: which socket?\n"
		      "  hint: cxlvm device --socket PATH; a client is pointed to the same path\n",
		      stderr);
		return false;
	}
	return true;
}

/* The signals that end the server, as a descriptor. */
static int open_signals(struct cxlvm_error *err)
{
	sigset_t signals;
	int fd;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	/* Who reads the messages may go away: no client is to end the server with one. */
	signal(SIGPIPE, SIG_IGN);
	fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		cxlvm_error_set(err, -errno, "signalfd: %s", strerror(errno));
	return fd;
}

/* How long signals, control socket and other clients may wait for who has just sent a message. */
#define LINGER_US 10000

static void interrupt(int signal)
{
	(void)signal;
}

/* Signals that get linger out of its receive, for as long as it is in one. */
static void interrupts(bool on)
{
	const struct itimerval period = {
		.it_interval.tv_usec = on ? LINGER_US : 0,
		.it_value.tv_usec = on ? LINGER_US : 0,
	};

	/* Fails for periods that are none only. */
	(void)setitimer(ITIMER_REAL, &period, NULL);
}

/* Who has just sent a message is likely to send the next one. */
static int linger(struct cxlvm_server *server)
{
	int wait;

	interrupts(true);
	wait = cxlvm_server_linger(server);
	interrupts(false);
	return wait;
}

static void serve(struct cxlvm_server *server, struct control *control, int signals)
{
	const struct sigaction action = { .sa_handler = interrupt };
	sigset_t alarms;
	struct pollfd wanted[3] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = cxlvm_server_fd(server), .events = POLLIN },
		{ .events = POLLIN },
	};

	/* Without SA_RESTART, and not held back as who started this may have it. */
	(void)sigaction(SIGALRM, &action, NULL);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &alarms, NULL);
	for (;;) {
		int wait = wanted[1].revents ? linger(server) : cxlvm_server_step(server);

		wanted[2].fd = control ? control_fd(control) : -1;
		if (poll(wanted, 3, wait) < 0)
			continue;
		if (wanted[0].revents)
			return;
		if (wanted[2].revents)
			control_step(control);
	}
}

static int offer(struct request *request)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_server *server = NULL;
	struct control *control = NULL;
	int signals = open_signals(&err), ret = signals;

	/* The memory file is made last, so that no failure leaves it behind. */
	if (signals >= 0)
		ret = request->control ? control_create(request->control, &control, &err) : 0;
	if (!ret)
		ret = cxlvm_server_create(&request->config, &server, &err);
	if (!ret) {
		if (control)
			control_set_server(control, server);
		fprintf(stderr, "cxlvm device: listening on %s\n", request->config.socket_path);
		serve(server, control, signals);
	}
	control_destroy(control);
	cxlvm_server_destroy(server);
	if (signals >= 0)
		close(signals);
	if (ret)
		print_error("device", &err);
	return ret ? STATUS_FAILED : STATUS_OK;
}

static int run(int argc, char **argv)
{
	struct request request = {
		.config = {
			.size = sizeof(request.config),
			.memory_size = SIZE_DEFAULT,
			.event = on_event,
		},
	};

	if (!parse(&request, argc, argv))
		return STATUS_USAGE;
	if (request.help) {
		help(stdout);
		return STATUS_OK;
	}
	request.config.owner = &request;
	if (request.trace)
		request.config.trace = on_message;
	return offer(&request);
}

const struct command command_device = {
	.name = "device",
	.summary = "offer a software device to vfio-user clients",
	.run = run,
	.help = help,
};

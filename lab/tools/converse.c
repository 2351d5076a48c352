/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hold a conversation with a command over its standard input and output.
 *
 *   converse --log FILE [--timeout S] SCRIPT -- COMMAND [ARG...]
 *
 * Lines of SCRIPT are carried out in order:
 *
 *   expect TEXT   wait for a line of COMMAND that begins with TEXT, after the line matched last
 *   send TEXT     write TEXT and a newline to COMMAND
 *   run COMMAND   run a shell command; it has to succeed
 *   # comment
 *
 * All output of COMMAND is copied to FILE as it comes. The exit status is 0 if the script was
 * carried out and COMMAND then exited with 0, 1 if a step or COMMAND failed, 2 for bad usage, and
 * 124 if it took longer than S seconds (default 120), after COMMAND was stopped.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILL_INTERVAL_MS 50
#define KILL_TRIES       100 /* with SIGTERM, before SIGKILL */
#define STATUS_FAILED    1
#define STATUS_USAGE     2
#define STATUS_TIMEOUT   124

/* A process in a process group of its own, so that what it starts can be stopped with it. */
struct process {
	pid_t pid;
	bool running;
	int status;
};

static struct {
	const char *script_name;
	FILE *script;
	unsigned int line;
	char *step; /* the step being carried out, NULL when the script is done */
	size_t step_size;
	FILE *log;
	int to_command;
	int from_command; /* -1 after its end */
	char *text;       /* output that no step has looked at yet */
	size_t length;
	struct process command;
	struct process helper; /* of a run step */
	sigset_t old_mask;
} talk = { .to_command = -1, .from_command = -1 };

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	if (number != SIGCHLD)
		interrupted = number;
}

static void reap(struct process *process)
{
	if (process->running && waitpid(process->pid, &process->status, WNOHANG) == process->pid)
		process->running = false;
}

static void stop(struct process *process)
{
	for (int tries = 0; process->running; tries++) {
		kill(-process->pid, tries < KILL_TRIES ? SIGTERM : SIGKILL);
		poll(NULL, 0, KILL_INTERVAL_MS);
		reap(process);
	}
}

static void die(const char *what)
{
	fprintf(stderr, "converse: %s: %s\n", what, strerror(errno));
	stop(&talk.helper);
	stop(&talk.command);
	exit(STATUS_FAILED);
}

/* Starts argv; input and output are its standard input and output, or -1 to inherit. */
static void start(struct process *process, char *const argv[], int input, int output)
{
	process->pid = fork();
	if (process->pid < 0)
		die("fork");
	if (!process->pid) {
		setpgid(0, 0);
		sigprocmask(SIG_SETMASK, &talk.old_mask, NULL);
		signal(SIGPIPE, SIG_DFL);
		if ((input >= 0 && dup2(input, 0) < 0) || (output >= 0 && dup2(output, 1) < 0))
			_exit(127);
		execvp(argv[0], argv);
		fprintf(stderr, "converse: %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	setpgid(process->pid, process->pid);
	process->running = true;
}

/* As a shell tells it: 128 and the signal's number for a process that was ended by one. */
static int exit_status(const struct process *process)
{
	if (WIFSIGNALED(process->status))
		return 128 + WTERMSIG(process->status);
	return WEXITSTATUS(process->status);
}

/* Takes the next step from the script; false at a line that is none. */
static bool next_step(void)
{
	ssize_t n;

	/* A length means a line: NOLINTBEGIN(clang-analyzer-core.NullDereference) */
	do {
		n = getline(&talk.step, &talk.step_size, talk.script);
		talk.line++;
		if (n > 0 && talk.step[n - 1] == '\n')
			talk.step[n - 1] = '\0';
	} while (n >= 0 && (!*talk.step || *talk.step == '#'));
	/* NOLINTEND(clang-analyzer-core.NullDereference) */
	if (n < 0) {
		if (ferror(talk.script))
			die(talk.script_name);
		free(talk.step);
		talk.step = NULL;
		return true;
	}
	return !strncmp(talk.step, "expect ", 7) || !strncmp(talk.step, "send", 4) ||
	       !strncmp(talk.step, "run ", 4);
}

/* Drops output up to and including the first line that begins with text; false if none does. */
static bool find_line(const char *text)
{
	size_t at = 0, wanted = strlen(text);
	bool found = false;
	char *end;

	while (!found && talk.length && (end = memchr(talk.text + at, '\n', talk.length - at))) {
		size_t length = (size_t)(end - talk.text) - at;

		found = length >= wanted && !memcmp(talk.text + at, text, wanted);
		at += length + 1;
	}
	talk.length -= at;
	memmove(talk.text, talk.text + at, talk.length);
	return found;
}

/* Carries out steps as far as they go without waiting. */
static bool advance(void)
{
	while (talk.step) {
		if (!strncmp(talk.step, "expect ", 7)) {
			if (!find_line(talk.step + 7))
				return talk.from_command >= 0 || talk.command.running;
		} else if (!strncmp(talk.step, "send", 4)) {
			if (dprintf(talk.to_command, "%s\n", talk.step[4] ? talk.step + 5 : "") < 0)
				return false;
		} else if (talk.helper.running) {
			return true;
		} else if (!talk.helper.pid) {
			start(&talk.helper, (char *[]){ "sh", "-c", talk.step + 4, NULL }, -1, -1);
			return true;
		} else {
			if (exit_status(&talk.helper))
				return false;
			talk.helper.pid = 0;
		}
		if (!next_step())
			return false;
	}
	if (talk.to_command >= 0)
		close(talk.to_command);
	talk.to_command = -1;
	return true;
}

static void read_output(void)
{
	char bytes[4096];
	ssize_t n = read(talk.from_command, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(talk.from_command);
		talk.from_command = -1;
		return;
	}
	if (fwrite(bytes, 1, (size_t)n, talk.log) != (size_t)n || fflush(talk.log))
		die("log file");
	talk.text = realloc(talk.text, talk.length + (size_t)n);
	if (!talk.text)
		die("memory");
	for (ssize_t i = 0; i < n && talk.step; i++)
		if (bytes[i] != '\r')
			talk.text[talk.length++] = bytes[i];
}

/* Until the script is done and the command has ended. */
static int converse(void)
{
	static const struct timespec no_time;

	while (!interrupted) {
		struct pollfd output = { .fd = talk.from_command, .events = POLLIN };
		bool ended;
		int ready;

		reap(&talk.command);
		reap(&talk.helper);
		if (!advance())
			return STATUS_FAILED;
		ended = !talk.command.running && !talk.helper.running;
		if (ended && !talk.step && talk.from_command < 0)
			return exit_status(&talk.command) ? STATUS_FAILED : 0;
		/* a descendant may hold the output open: take what is there and no more */
		ready = ppoll(&output, 1, ended ? &no_time : NULL, &talk.old_mask);
		if (ready > 0)
			read_output();
		else if (!ready)
			talk.from_command = -1;
	}
	return interrupted == SIGALRM ? STATUS_TIMEOUT : 128 + interrupted;
}

static void report(int status, const char *command, long seconds)
{
	if (status == STATUS_TIMEOUT)
		fprintf(stderr, "converse: not done after %ld s\n", seconds);
	if (talk.step)
		fprintf(stderr, "converse: %s:%u: failed: %s\n", talk.script_name, talk.line,
			talk.step);
	if (talk.helper.pid && !talk.helper.running && exit_status(&talk.helper))
		fprintf(stderr, "converse: its exit status: %d\n", exit_status(&talk.helper));
	if (!talk.command.running && exit_status(&talk.command))
		fprintf(stderr, "converse: exit status of %s: %d\n", command,
			exit_status(&talk.command));
}

/* SIGCHLD and the signals that stop us arrive only while waiting in ppoll(). */
static void set_signals(void)
{
	static const int numbers[] = { SIGCHLD, SIGALRM, SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t mask;

	sigemptyset(&mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		sigaddset(&mask, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	sigprocmask(SIG_BLOCK, &mask, &talk.old_mask);
	signal(SIGPIPE, SIG_IGN);
}

static void open_talk(const char *script, const char *log, char *const command[])
{
	int in[2], out[2];

	talk.script_name = script;
	talk.script = fopen(script, "re");
	if (!talk.script)
		die(script);
	talk.log = fopen(log, "we");
	if (!talk.log)
		die(log);
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		die("pipe");
	start(&talk.command, command, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	talk.to_command = in[1];
	talk.from_command = out[0];
}

static int usage(void)
{
	fputs("usage: converse --log FILE [--timeout S] SCRIPT -- COMMAND [ARG...]\n", stderr);
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "log", required_argument, NULL, 'l' },
		{ "timeout", required_argument, NULL, 't' },
		{ 0 },
	};
	const char *log = NULL;
	long seconds = 120;
	int option, status;
	char *end = "";

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == 'l')
			log = optarg;
		else if (option == 't')
			seconds = strtol(optarg, &end, 10);
		else
			return usage();
	}
	if (*end || seconds <= 0 || seconds > 1000000 || !log || argc - optind < 3 ||
	    strcmp(argv[optind + 1], "--") != 0)
		return usage();

	set_signals();
	open_talk(argv[optind], log, argv + optind + 2);
	alarm((unsigned int)seconds);
	status = next_step() ? converse() : STATUS_USAGE;
	if (status)
		report(status, argv[optind + 2], seconds);
	stop(&talk.helper);
	stop(&talk.command);
	return status;
}

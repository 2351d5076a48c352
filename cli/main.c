/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c - the cxlvm program: find the command */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

static int help_run(int argc, char **argv);
static void help_help(FILE *to);

static const struct command command_help = {
	.name = "help",
	.summary = "explain a command",
	.run = help_run,
	.help = help_help,
};

static const struct command *const commands[] = {
	&command_run,    &command_ctl,  &command_plan,  &command_decode,
	&command_device, &command_list, &command_check, &command_help,
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	}
	return NULL;
}

static void print_commands(FILE *to)
{
	fputs("usage: cxlvm COMMAND [OPTION...]\n\n"
	      "Virtual machines with CXL Type-2 devices.\n\n",
	      to);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(to, "  %-6s %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n'cxlvm help COMMAND' lists the options of a command, 'cxlvm --version' prints the "
	      "version.\n",
	      to);
}

static int unknown_command(const char *name)
{
	fprintf(stderr, "cxlvm: unknown command '%s'\n  hint: commands are", name);
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(stderr, "%s %s", i ? "," : "", commands[i]->name);
	fputc('\n', stderr);
	return STATUS_USAGE;
}

static void help_help(FILE *to)
{
	fputs("usage: cxlvm help [COMMAND]\n", to);
}

static int help_run(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_commands(stdout);
		return STATUS_OK;
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	command->help(stdout);
	return STATUS_OK;
}

/* A file opened later must not become standard input, output or error. */
static void keep_standard_files(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What was printed has to be where it was to go. */
static int finish(const char *name, int status)
{
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fprintf(stderr, "cxlvm%s%s: cannot write to standard output: %s\n", name[0] ? " " : "",
		name, strerror(errno ? errno : EIO));
	return status ? status : STATUS_FAILED;
}

static int run(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2) {
		print_commands(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("cxlvm %s\n", cxlvm_version());
		return finish("", STATUS_OK);
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		print_commands(stdout);
		return finish("", STATUS_OK);
	}
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	return finish(command->name, command->run(argc - 1, argv + 1));
}

int main(int argc, char **argv)
{
	keep_standard_files();
	/* The limit on files (ulimit -f) is an error of write, and does not end a machine. */
	signal(SIGXFSZ, SIG_IGN);
	return run(argc, argv);
}

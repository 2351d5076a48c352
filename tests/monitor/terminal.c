/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * terminal - run a command on a terminal of its own, and type when it says so
 *
 *   terminal WORDS KEYS... -- COMMAND [ARG...]
 *
 * When the command has said WORDS, each of KEYS is typed, a tenth of a second apart. What the
 * command says goes to standard output, and at its end "terminal: restored" if the terminal is as
 * it was. The status is the command's, or 128 and the number of the signal that ended it.
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

int main(int argc, char **argv)
{
	static char said[1 << 20];
	struct termios before, after;
	int keys = 2, command = 2, master, slave, status;
	size_t n = 0;
	pid_t pid;

	while (command < argc && strcmp(argv[command], "--"))
		command++;
	if (command + 1 >= argc || openpty(&master, &slave, NULL, NULL, NULL))
		return 2;
	tcgetattr(slave, &before);
	pid = fork();
	if (pid == 0) {
		close(master);
		if (login_tty(dup(slave)))
			_exit(127);
		execvp(argv[command + 1], argv + command + 1);
		_exit(127);
	}
	for (;;) {
		struct pollfd out = { .fd = master, .events = POLLIN };
		ssize_t got = 0;

		if (poll(&out, 1, 100) > 0)
			got = read(master, said + n, sizeof(said) - 1 - n);
		if (got > 0) {
			fwrite(said + n, 1, (size_t)got, stdout);
			n += (size_t)got;
			continue;
		}
		if (waitpid(pid, &status, WNOHANG) == pid)
			break;
		if (keys < command && strstr(said, argv[1])) {
			if (write(master, argv[keys], strlen(argv[keys])) < 0)
				return 2;
			keys++;
		}
	}
	tcgetattr(slave, &after);
	puts(before.c_lflag == after.c_lflag && before.c_iflag == after.c_iflag &&
			     before.c_oflag == after.c_oflag
		     ? "terminal: restored"
		     : "terminal: changed");
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the control socket without manners, for control.sh:
 *
 *   client SOCKET              send standard input as it is, print what comes until the end
 *   client SOCKET --deaf N     ask for the map N times and read nothing; says how that ended
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void send_all(int fd)
{
	char bytes[65536];
	size_t n;

	while ((n = fread(bytes, 1, sizeof(bytes), stdin)) > 0)
		if (send(fd, bytes, n, MSG_NOSIGNAL) < 0)
			return;
	shutdown(fd, SHUT_WR);
}

static void print_all(int fd)
{
	char bytes[65536];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		fwrite(bytes, 1, (size_t)n, stdout);
}

static int be_deaf(int fd, long n)
{
	static const char line[] = "{\"command\":\"map\"}\n";

	for (long i = 0; i < n; i++) {
		ssize_t sent = send(fd, line, sizeof(line) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN) {
			puts("not read");
			return 0;
		}
		if (sent < 0) {
			puts("put out");
			return 0;
		}
	}
	puts("all taken");
	return 0;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc < 2)
		return 2;
	fd = connect_to(argv[1]);
	if (argc == 4 && !strcmp(argv[2], "--deaf"))
		return be_deaf(fd, atol(argv[3]));
	send_all(fd);
	print_all(fd);
	return 0;
}

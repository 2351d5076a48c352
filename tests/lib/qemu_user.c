/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Linux does with descriptors and qemu-user, for a CPU of the other byte order, does not: prints
 * a line for each thing that is not as Linux does it. s390x.sh runs it natively, where there must be
 * none, and under qemu-user, which has to explain the tests that are not judged there.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS  4 /* sent in one message */
#define ROOM 2 /* for which the second receiver has room */

union control {
	char bytes[CMSG_SPACE(FDS * sizeof(int))];
	struct cmsghdr header;
};

static void different(int is, const char *what)
{
	if (is)
		puts(what);
}

static int send_fds(int socket, const int *fds, size_t n)
{
	union control control = { .bytes = { 0 } };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(header), fds, n * sizeof(int));
	return sendmsg(socket, &message, 0) == 1 ? 0 : -1;
}

/* Flags of the message, or -1; the descriptors that there is room for in fds. */
static int receive_fds(int socket, int *fds, size_t room)
{
	union control control = { .bytes = { 0 } };
	char byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov,
				  .msg_iovlen = 1,
				  .msg_control = control.bytes,
				  .msg_controllen = CMSG_SPACE(room * sizeof(int)) };
	struct cmsghdr *header;

	if (recvmsg(socket, &message, 0) != 1)
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_len != CMSG_LEN(room * sizeof(int)))
		return -1;
	memcpy(fds, CMSG_DATA(header), room * sizeof(int));
	return message.msg_flags;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* One is added through fd: what does its eventfd count? */
static uint64_t counted(int event, int fd)
{
	uint64_t one = 1, count = 0;

	if (write(fd, &one, sizeof(one)) != sizeof(one) ||
	    read(event, &count, sizeof(count)) != sizeof(count))
		return 0;
	return count;
}

int main(void)
{
	int event = eventfd(0, EFD_NONBLOCK), ends[2], got[FDS], before, flags;
	const int many[FDS] = { event, event, event, event };
	unsigned long aio = 0;

	if (event < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) || counted(event, event) != 1)
		return 2;
	different(counted(event, fcntl(event, F_DUPFD_CLOEXEC, 0)) != 1,
		  "eventfd from F_DUPFD_CLOEXEC: byte order");
	if (send_fds(ends[0], many, 1) || receive_fds(ends[1], got, 1) < 0)
		return 2;
	different(counted(event, got[0]) != 1, "eventfd from a socket: byte order");
	before = open_fds();
	if (send_fds(ends[0], many, FDS))
		return 2;
	flags = receive_fds(ends[1], got, ROOM);
	if (flags < 0)
		return 2;
	different(!(flags & MSG_CTRUNC), "descriptors without room: nobody is told");
	different(open_fds() - before != ROOM, "descriptors without room: left open");
	different(syscall(SYS_io_setup, 1, &aio) != 0, "io_setup: not there");
	return 0;
}

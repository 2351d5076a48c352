/* SPDX-License-Identifier: BSD-3-Clause */
/* A listening socket as a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cxlvm/server.h>

/* So long another start in the same folder may take, which takes milliseconds. */
#define LOCK_TRIES   100
#define LOCK_WAIT_NS 10000000

struct cxlvm_listener {
	int fd;
	struct sockaddr_un address;
	dev_t device;
	ino_t inode; /* of the file that was made */
};

static int fail(struct cxlvm_error *err, const char *path)
{
	int ret = cxlvm_error_set(err, -errno, "socket %s: %s", path, strerror(errno));

	if (ret == -EACCES || ret == -EROFS)
		cxlvm_error_hint(err, "name a path in a folder that you may write to");
	return ret;
}

/* Anybody can lock a folder like /tmp, for ever: not waited for longer than another start takes. */
static int lock(int fd)
{
	const struct timespec moment = { .tv_nsec = LOCK_WAIT_NS };

	for (unsigned int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		nanosleep(&moment, NULL);
	}
	return -EBUSY;
}

/* The folder of the socket, locked: who starts there as well waits until this server listens. */
static int lock_folder(const char *path, struct cxlvm_error *err)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;
	int fd, ret;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (!slash)
		snprintf(folder, sizeof(folder), ".");
	else
		slash[slash == folder] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = fd < 0 ? -errno : lock(fd);
	if (!ret)
		return fd;
	cxlvm_error_set(err, ret, "folder of the socket %s: %s", path,
			ret == -EBUSY ? "locked by another process" : strerror(-ret));
	cxlvm_error_hint(err, ret == -EBUSY ? "name another folder, which nobody else uses"
					    : "make the folder, or name another one");
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Something exists at path. 0: it was a socket of a dead server and is gone. */
static int clear_path(const struct sockaddr_un *address, struct cxlvm_error *err)
{
	const char *path = address->sun_path;
	struct stat st;
	int fd, ret = 0;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : fail(err, path);
	if (!S_ISSOCK(st.st_mode)) {
		cxlvm_error_set(err, -EINVAL, "%s exists and is not a socket", path);
		cxlvm_error_hint(err, "name a path that does not exist");
		return -EINVAL;
	}
	/* Not blocking: a listener whose queue is full is alive as well (EAGAIN). */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail(err, path);
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
	    errno == ECONNREFUSED) {
		if (unlink(path))
			ret = fail(err, path);
	} else {
		ret = cxlvm_error_set(err, -EADDRINUSE, "a server is listening on socket %s", path);
		cxlvm_error_hint(err, "end that server, or name another socket");
	}
	close(fd);
	return ret;
}

static int bind_here(struct cxlvm_listener *listener, struct cxlvm_error *err)
{
	const char *path = listener->address.sun_path;
	struct stat st;
	int ret = clear_path(&listener->address, err);

	if (ret)
		return ret;
	listener->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The file gets the permissions of the socket: there is no moment with others. */
	if (listener->fd < 0 || fchmod(listener->fd, 0600) ||
	    bind(listener->fd, (const struct sockaddr *)&listener->address,
		 sizeof(listener->address)))
		return fail(err, path);
	if (stat(path, &st) || listen(listener->fd, 8)) {
		ret = fail(err, path);
		unlink(path);
		return ret;
	}
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	return 0;
}

int cxlvm_listener_create(const char *path, struct cxlvm_listener **out, struct cxlvm_error *err)
{
	struct cxlvm_listener *listener;
	size_t size = strlen(path), limit = sizeof(listener->address.sun_path) - 1;
	int folder, ret;

	if (!size || size > limit) {
		ret = cxlvm_error_set(err, size ? -ENAMETOOLONG : -EINVAL,
				      "socket path of %zu bytes, 1 to %zu are possible", size,
				      limit);
		cxlvm_error_hint(err, "name a shorter path, or change to the folder first");
		return ret;
	}
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a socket");
	listener->fd = -1;
	listener->address.sun_family = AF_UNIX;
	memcpy(listener->address.sun_path, path, size + 1);
	folder = lock_folder(path, err);
	if (folder < 0) {
		free(listener);
		return folder;
	}
	ret = bind_here(listener, err);
	close(folder);
	if (!ret) {
		*out = listener;
		return 0;
	}
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
	return ret;
}

void cxlvm_listener_destroy(struct cxlvm_listener *listener)
{
	struct stat st;

	if (!listener)
		return;
	close(listener->fd);
	if (!lstat(listener->address.sun_path, &st) && st.st_dev == listener->device &&
	    st.st_ino == listener->inode)
		unlink(listener->address.sun_path);
	free(listener);
}

int cxlvm_listener_fd(const struct cxlvm_listener *listener)
{
	return listener->fd;
}

int cxlvm_listener_accept(const struct cxlvm_listener *listener)
{
	int fd;

	do {
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd < 0 ? -errno : fd;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* One owner for the file of a device's memory. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_lock.h"

/* Folders of /proc have other entries besides those with a number as their name: -1. */
static int number_of(const struct dirent *entry)
{
	return isdigit((unsigned char)entry->d_name[0]) ? (int)strtol(entry->d_name, NULL, 10) : -1;
}

/* The folder of a process's open files: is one of them this file? Those of others may be closed to us. */
static bool has_open(const char *folder, const struct stat *file, int but)
{
	const struct dirent *entry;
	bool found = false;
	DIR *dir = opendir(folder);

	while (dir && !found && (entry = readdir(dir))) {
		struct stat st;

		if (number_of(entry) < 0 || number_of(entry) == but)
			continue;
		found = !fstatat(dirfd(dir), entry->d_name, &st, 0) && st.st_dev == file->st_dev &&
			st.st_ino == file->st_ino;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* A lock of this kind has no process: one that has the file open is looked for. 0: none is seen. */
static pid_t find_holder(const struct stat *file)
{
	const struct dirent *entry;
	pid_t found = 0;
	DIR *dir = opendir("/proc");

	while (dir && !found && (entry = readdir(dir))) {
		char folder[sizeof(entry->d_name) + 16];

		if (number_of(entry) < 0 || number_of(entry) == getpid())
			continue;
		snprintf(folder, sizeof(folder), "/proc/%s/fd", entry->d_name);
		if (has_open(folder, file, -1))
			found = number_of(entry);
	}
	if (dir)
		closedir(dir);
	return found;
}

static int report_busy(int fd, const char *path, struct cxlvm_error *err)
{
	struct stat st;
	pid_t holder = 0;

	if (!fstat(fd, &st) && !has_open("/proc/self/fd", &st, fd))
		holder = find_holder(&st);
	else
		holder = getpid();
	if (holder == getpid())
		cxlvm_error_set(err, -EBUSY, "memory file %s is another device's memory here",
				path);
	else if (holder)
		cxlvm_error_set(err, -EBUSY,
				"memory file %s is the memory of a device of process %d", path,
				(int)holder);
	else
		cxlvm_error_set(err, -EBUSY,
				"memory file %s is the memory of a device of another process",
				path);
	cxlvm_error_hint(err, "give each device a memory file of its own%s",
			 holder == getpid() ? "" : ", or end the other process");
	return -EBUSY;
}

int file_lock(int fd, const char *path, struct cxlvm_error *err)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ret;

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	ret = -errno;
	if (ret == -EAGAIN || ret == -EACCES)
		return report_busy(fd, path, err);
	cxlvm_error_set(err, ret, "memory file %s cannot be locked: %s", path, strerror(-ret));
	cxlvm_error_hint(err, "name a file in a file system that has locks");
	return ret;
}

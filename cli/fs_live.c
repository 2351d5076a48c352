/* SPDX-License-Identifier: BSD-3-Clause */
/* fs_live.c - this machine, or a folder that holds the folders of one */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"

struct live {
	struct fs fs;
	char root[FS_PATH_MAX]; /* "" for this machine */
};

static const struct live *live_of(const struct fs *fs)
{
	return (const struct live *)fs;
}

static int full_path(struct fs *fs, const char *path, char *full)
{
	int len = snprintf(full, 2 * FS_PATH_MAX, "%s%s", live_of(fs)->root, path);

	return len < 2 * FS_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Of a user or a group, by a file of lines NAME:...:NUMBER:...; the number when it has none. */
static void id_name(const char *file, unsigned int id, char name[static FS_OWNER_MAX])
{
	FILE *from = fopen(file, "re");
	char line[512], *end, *number;

	snprintf(name, FS_OWNER_MAX, "%u", id);
	while (from && fgets(line, sizeof(line), from)) {
		end = strchr(line, ':');
		number = end ? strchr(end + 1, ':') : NULL;
		if (!number || strtoul(number + 1, NULL, 10) != id || end - line >= FS_OWNER_MAX)
			continue;
		*end = '\0';
		memcpy(name, line, (size_t)(end - line) + 1);
		break;
	}
	if (from)
		fclose(from);
}

static int live_status(struct fs *fs, const char *path, struct fs_status *status)
{
	char full[2 * FS_PATH_MAX];
	struct stat stat;
	int ret = full_path(fs, path, full);

	memset(status, 0, sizeof(*status));
	if (ret)
		return ret;
	if (lstat(full, &stat))
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	status->type = S_ISREG(stat.st_mode)   ? FS_FILE
		       : S_ISDIR(stat.st_mode) ? FS_DIR
		       : S_ISCHR(stat.st_mode) ? FS_DEVICE
					       : FS_OTHER;
	status->mode = stat.st_mode & 07777;
	/* Effective ids: they are those that open later. */
	status->readable = !faccessat(AT_FDCWD, full, R_OK, AT_EACCESS);
	status->writable = !faccessat(AT_FDCWD, full, W_OK, AT_EACCESS);
	id_name("/etc/passwd", stat.st_uid, status->owner);
	id_name("/etc/group", stat.st_gid, status->group);
	return 0;
}

/* Regular files only: to open a device may reset it. */
static int open_regular(struct fs *fs, const char *path, int flags)
{
	char full[2 * FS_PATH_MAX], again[64];
	struct stat stat;
	int ret = full_path(fs, path, full), handle, fd;

	if (ret)
		return ret;
	handle = open(full, O_PATH | O_CLOEXEC | O_NOFOLLOW);
	if (handle < 0)
		return -errno;
	if (fstat(handle, &stat) || !S_ISREG(stat.st_mode)) {
		close(handle);
		return -EINVAL;
	}
	snprintf(again, sizeof(again), "/proc/self/fd/%d", handle);
	fd = open(again, flags | O_CLOEXEC | O_NONBLOCK);
	ret = fd < 0 ? -errno : fd;
	close(handle);
	return ret;
}

static ssize_t live_read(struct fs *fs, const char *path, void *buf, size_t len)
{
	int fd = open_regular(fs, path, O_RDONLY);
	size_t done = 0;
	ssize_t n = 0;

	if (fd < 0)
		return fd;
	while (done < len) {
		n = read(fd, (char *)buf + done, len - done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	n = n < 0 && !done ? -errno : (ssize_t)done;
	close(fd);
	return n;
}

static ssize_t live_link(struct fs *fs, const char *path, char *buf, size_t len)
{
	char full[2 * FS_PATH_MAX];
	int ret = full_path(fs, path, full);
	ssize_t n;

	if (ret)
		return ret;
	n = readlink(full, buf, len - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct fs_names *names, size_t *room, const char *name)
{
	char *copy;

	if (names->count == FS_NAMES_MAX)
		return -E2BIG;
	if (names->count == *room) {
		size_t more = *room ? 2 * *room : 64;
		char **grown = realloc(names->names, more * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		names->names = grown;
		*room = more;
	}
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	names->names[names->count++] = copy;
	return 0;
}

static int live_names(struct fs *fs, const char *path, struct fs_names *names)
{
	char full[2 * FS_PATH_MAX];
	int ret = full_path(fs, path, full);
	const struct dirent *entry;
	size_t room = 0;
	DIR *dir;

	if (ret)
		return ret;
	dir = opendir(full);
	if (!dir)
		return -errno;
	while (!ret && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			ret = add_name(names, &room, entry->d_name);
	}
	closedir(dir);
	if (ret)
		fs_names_free(names);
	else if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), compare_names);
	return ret;
}

static int live_registers(struct fs *fs, const char *path, uint64_t offset, void *buf, size_t len)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), first = offset & ~(page - 1);
	size_t span = (size_t)(offset - first) + len;
	const volatile uint32_t *from;
	struct stat stat;
	int fd, ret = 0;
	void *map;

	if (offset % 4 || len % 4)
		return -EINVAL;
	fd = open_regular(fs, path, O_RDONLY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &stat) || stat.st_size < 0 || (uint64_t)stat.st_size < offset ||
	    (uint64_t)stat.st_size - offset < len) {
		close(fd);
		return -ERANGE;
	}
	map = mmap(NULL, span, PROT_READ, MAP_SHARED, fd, (off_t)first);
	if (map == MAP_FAILED) {
		ret = -errno;
	} else {
		from = (const volatile uint32_t *)map + (offset - first) / 4;
		for (size_t i = 0; i < len / 4; i++) {
			uint32_t value = from[i];

			memcpy((char *)buf + 4 * i, &value, 4);
		}
		munmap(map, span);
	}
	close(fd);
	return ret;
}

static void live_close(struct fs *fs)
{
	free(fs);
}

int fs_open_live(const char *root, struct fs **out, struct cxlvm_error *err)
{
	static const struct fs_ops ops = {
		.status = live_status,
		.read = live_read,
		.link = live_link,
		.names = live_names,
		.registers = live_registers,
		.close = live_close,
	};
	struct live *live = calloc(1, sizeof(*live));

	if (!live)
		return cxlvm_error_set(err, -ENOMEM, "no memory to look at the machine");
	if (strlen(root) >= sizeof(live->root)) {
		free(live);
		return cxlvm_error_set(err, -ENAMETOOLONG, "the path of the folder is too long");
	}
	memcpy(live->root, root, strlen(root) + 1);
	live->fs.ops = &ops;
	*out = (struct fs *)live;
	return 0;
}

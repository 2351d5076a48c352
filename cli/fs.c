/* SPDX-License-Identifier: BSD-3-Clause */
/* fs.c - what all kinds of machines to look at share: links, and files that hold one value */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs.h"

#define LINKS_MAX 40
#define TEXT_MAX  ((size_t)64 << 10)

int fs_open(const char *where, struct fs **out, struct cxlvm_error *err)
{
	char sys[FS_PATH_MAX];
	struct stat status;

	if (!where)
		return fs_open_live("", out, err);
	if (stat(where, &status)) {
		int code = -errno;

		cxlvm_error_set(err, code, "cannot open %s: %s", where, strerror(errno));
		cxlvm_error_hint(err, "name a file of 'cxlvm list --capture FILE', or a folder "
				      "that holds the folders sys, proc and dev");
		return code;
	}
	if (!S_ISDIR(status.st_mode))
		return fs_open_tree(where, out, err);
	if (snprintf(sys, sizeof(sys), "%s/sys", where) < (int)sizeof(sys) &&
	    (stat(sys, &status) || !S_ISDIR(status.st_mode))) {
		cxlvm_error_set(err, -ENOENT, "%s holds no folder sys", where);
		cxlvm_error_hint(err, "the folder of a machine holds its sys, proc and dev; this "
				      "machine is looked at without --sysfs");
		return -ENOENT;
	}
	return fs_open_live(where, out, err);
}

void fs_close(struct fs *fs)
{
	if (fs)
		fs->ops->close(fs);
}

/* One part of a path more or, for "..", one less. */
static int add_part(char *out, const char *part, size_t len)
{
	size_t used = strlen(out);

	if (!len || (len == 1 && part[0] == '.'))
		return 0;
	if (len == 2 && part[0] == '.' && part[1] == '.') {
		char *last = strrchr(out, '/');

		if (last)
			*last = '\0';
		return 0;
	}
	if (used + 1 + len >= FS_PATH_MAX)
		return -ENAMETOOLONG;
	out[used] = '/';
	memcpy(out + used + 1, part, len);
	out[used + 1 + len] = '\0';
	return 0;
}

int fs_resolve(struct fs *fs, const char *path, char *out)
{
	char rest[2 * FS_PATH_MAX], target[FS_PATH_MAX];
	const char *at = rest;
	unsigned int links = 0;

	if (path[0] != '/')
		return -EINVAL;
	if (strlen(path) >= FS_PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(rest, path, strlen(path) + 1);
	out[0] = '\0';
	while (*at) {
		size_t before = strlen(out), len = strcspn(at, "/");
		int ret = add_part(out, at, len);
		ssize_t n;

		if (ret)
			return ret;
		at += len;
		at += strspn(at, "/");
		if (strlen(out) <= before)
			continue;
		n = fs->ops->link(fs, out, target, sizeof(target));
		if (n < 0)
			continue;
		if (++links > LINKS_MAX)
			return -ELOOP;
		if ((size_t)n + 1 + strlen(at) >= FS_PATH_MAX)
			return -ENAMETOOLONG;
		out[target[0] == '/' ? 0 : before] = '\0';
		memmove(rest + n + 1, at, strlen(at) + 1);
		memcpy(rest, target, (size_t)n);
		rest[n] = '/';
		at = rest;
	}
	if (!out[0])
		memcpy(out, "/", 2);
	return 0;
}

const char *fs_path(char *buf, const char *format, ...)
{
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(buf, FS_PATH_MAX, format, arguments);
	va_end(arguments);
	if (len < 0 || len >= FS_PATH_MAX)
		buf[0] = '\0';
	return buf;
}

struct fs_status fs_status(struct fs *fs, const char *path)
{
	struct fs_status status = { .type = FS_NONE };
	char real[FS_PATH_MAX];

	if (fs_resolve(fs, path, real) || fs->ops->status(fs, real, &status))
		status.type = FS_NONE;
	return status;
}

bool fs_exists(struct fs *fs, const char *path)
{
	return fs_status(fs, path).type != FS_NONE;
}

ssize_t fs_read(struct fs *fs, const char *path, void *buf, size_t len)
{
	char real[FS_PATH_MAX];
	int ret = fs_resolve(fs, path, real);

	return ret ? ret : fs->ops->read(fs, real, buf, len);
}

int fs_names(struct fs *fs, const char *path, struct fs_names *names)
{
	char real[FS_PATH_MAX];
	int ret = fs_resolve(fs, path, real);

	memset(names, 0, sizeof(*names));
	return ret ? ret : fs->ops->names(fs, real, names);
}

void fs_names_free(struct fs_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	memset(names, 0, sizeof(*names));
}

void fs_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

int fs_text(struct fs *fs, const char *path, char *buf, size_t len)
{
	ssize_t n = fs_read(fs, path, buf, len - 1);
	size_t end;

	buf[n < 0 ? 0 : n] = '\0';
	if (n < 0)
		return (int)n;
	end = strcspn(buf, "\n");
	while (end && buf[end - 1] == ' ')
		end--;
	buf[end] = '\0';
	fs_printable(buf);
	return 0;
}

bool fs_number(struct fs *fs, const char *path, uint64_t *value)
{
	char text[64], *end;

	if (fs_text(fs, path, text, sizeof(text)) || !isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return !errno && !*end;
}

void fs_link_name(struct fs *fs, const char *path, char *buf, size_t len)
{
	char parent[FS_PATH_MAX], real[FS_PATH_MAX], target[FS_PATH_MAX];
	const char *last = strrchr(path, '/');
	ssize_t n;

	buf[0] = '\0';
	if (!last || (size_t)(last - path) >= sizeof(parent))
		return;
	memcpy(parent, path, (size_t)(last - path));
	parent[last - path] = '\0';
	if (fs_resolve(fs, parent[0] ? parent : "/", real) ||
	    strlen(real) + strlen(last) >= sizeof(real))
		return;
	memcpy(real + strlen(real), last, strlen(last) + 1);
	n = fs->ops->link(fs, real, target, sizeof(target));
	if (n < 0)
		return;
	last = strrchr(target, '/');
	snprintf(buf, len, "%s", last ? last + 1 : target);
	fs_printable(buf);
}

bool fs_line(struct fs *fs, const char *path, const char *key, char *buf, size_t len)
{
	char *text = malloc(TEXT_MAX + 1), *line, *save = NULL;
	bool found = false;
	ssize_t n;

	buf[0] = '\0';
	n = text ? fs_read(fs, path, text, TEXT_MAX) : -ENOMEM;
	if (n > 0) {
		text[n] = '\0';
		for (line = strtok_r(text, "\n", &save); line && !found;
		     line = strtok_r(NULL, "\n", &save)) {
			if (strncmp(line, key, strlen(key)))
				continue;
			line += strlen(key);
			line += strspn(line, " \t:");
			snprintf(buf, len, "%s", line);
			found = true;
		}
	}
	free(text);
	for (char *at = buf; *at; at++) /* tabs in it are space */
		*at = *at == '\t' ? ' ' : *at;
	fs_printable(buf);
	for (size_t end = strlen(buf); end && buf[end - 1] == ' '; end--)
		buf[end - 1] = '\0';
	return found;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fs.h - how list and check look at a machine: a small filesystem
 *
 * Three have this interface: this machine, a folder that holds the folders sys, proc and dev of one,
 * and a captured machine, which is one file of text (fs_tree.c has its format). Paths are absolute;
 * symbolic links are followed here, within the machine and at most 40. Nothing is written, a device
 * file is never opened, and what is read is bounded: content is not trusted.
 */
#ifndef CLI_FS_H
#define CLI_FS_H

#include <sys/types.h>

#include <cxlvm/base.h>

#define FS_PATH_MAX  1024
#define FS_NAME_MAX  256
#define FS_OWNER_MAX 32
#define FS_NAMES_MAX 65536u /* names of one folder */

enum fs_type {
	FS_NONE, /* there is no such file */
	FS_FILE,
	FS_DIR,
	FS_DEVICE, /* character device */
	FS_OTHER,
};

struct fs_status {
	enum fs_type type;
	bool readable, writable; /* for whoever asks */
	unsigned int mode;       /* permission bits */
	char owner[FS_OWNER_MAX], group[FS_OWNER_MAX];
};

struct fs_names {
	size_t count;
	char **names; /* sorted */
};

struct fs;

/* Paths here hold no symbolic links, except that link is about the last part itself. */
struct fs_ops {
	/* 0 with FS_NONE when it is not there; negative errno when that cannot be found out. */
	int (*status)(struct fs *fs, const char *path, struct fs_status *status);
	/* At most len bytes from the file's start: how many, or negative errno. */
	ssize_t (*read)(struct fs *fs, const char *path, void *buf, size_t len);
	/* Where a symbolic link points to, terminated: its length, -EINVAL when it is none. */
	ssize_t (*link)(struct fs *fs, const char *path, char *buf, size_t len);
	/* Names of a folder without . and .. ; fs_names_free ends them. */
	int (*names)(struct fs *fs, const char *path, struct fs_names *names);
	/* len bytes of device registers behind a PCI resource file, by 4-byte reads. */
	int (*registers)(struct fs *fs, const char *path, uint64_t offset, void *buf, size_t len);
	void (*close)(struct fs *fs);
};

struct fs {
	const struct fs_ops *ops;
};

/* NULL: this machine; a folder, or the file of a captured machine. fs_close ends it. */
int fs_open(const char *where, struct fs **out, struct cxlvm_error *err);
int fs_open_live(const char *root, struct fs **out, struct cxlvm_error *err);
int fs_open_tree(const char *path, struct fs **out, struct cxlvm_error *err);
/* A captured machine that is in memory already; name is for messages. */
int fs_parse_tree(const char *text, size_t len, const char *name, struct fs **out,
		  struct cxlvm_error *err);
void fs_close(struct fs *fs);

/* path without symbolic links, into out of FS_PATH_MAX bytes. -ELOOP, -ENAMETOOLONG, -EINVAL. */
int fs_resolve(struct fs *fs, const char *path, char *out);

/* The rest follow links. fs_path makes a path; one that is too long is "", which does not exist. */
const char *fs_path(char *buf, const char *format, ...) CXLVM_PRINTF(2, 3);
struct fs_status fs_status(struct fs *fs, const char *path);
bool fs_exists(struct fs *fs, const char *path);
ssize_t fs_read(struct fs *fs, const char *path, void *buf, size_t len);
int fs_names(struct fs *fs, const char *path, struct fs_names *names);
void fs_names_free(struct fs_names *names);

/*
 * The first line of a file, without what is not printable, "" when there is none. Negative errno
 * when it cannot be read.
 */
int fs_text(struct fs *fs, const char *path, char *buf, size_t len);
/* Turn what is not printable ASCII into '?'. */
void fs_printable(char *text);
/* A number in any base that strtoull knows. False: there is none. */
bool fs_number(struct fs *fs, const char *path, uint64_t *value);
/* Last part of what a link points to; "" when there is no such link. */
void fs_link_name(struct fs *fs, const char *path, char *buf, size_t len);
/* The line of a file that begins with key: what follows key, without space around. False: none. */
bool fs_line(struct fs *fs, const char *path, const char *key, char *buf, size_t len);

#endif

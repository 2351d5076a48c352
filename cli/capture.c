/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - cxlvm list --capture: a machine as a file (fs_tree.c has the format)
 *
 * What list and check read, and nothing else. Each row is a pattern of paths, with how much of such a
 * file is kept: serial numbers are cleared, and of files that say more than is needed only some
 * lines are kept.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture.h"
#include "emit.h"

#define CONTENT_MAX ((size_t)64 << 10)
#define PARTS_MAX   16
#define CM_OFFSET   0x1000u
#define CM_SIZE     ((size_t)0x1000)

struct piece {
	char *path;
	long start;
};

struct capture {
	FILE *to;
	struct fs *fs;
	struct json_object *written; /* paths that are there already */
	struct piece *pieces;        /* of what was written so far, one per path */
	size_t n_pieces, room;
	int error;
};

struct row {
	const char *pattern; /* parts may hold * */
	void (*write)(struct capture *capture, const char *path, const struct row *row);
	const char *lines; /* of a text, the lines that begin with one of these words; NULL: all */
};

/* Paths of /sys are kept without links, so that a link and what is behind it are one. */
static bool real_path(struct capture *capture, const char *path, char *real)
{
	if (!strncmp(path, "/sys/", 5))
		return !fs_resolve(capture->fs, path, real);
	return fs_path(real, "%s", path)[0];
}

/* Begin what is written of a path. False when it is there already, or there is no memory. */
static bool note(struct capture *capture, const char *path)
{
	char *copy;

	if (json_object_object_get_ex(capture->written, path, NULL))
		return false;
	if (capture->n_pieces == capture->room) {
		size_t more = capture->room ? 2 * capture->room : 256;
		struct piece *grown = realloc(capture->pieces, more * sizeof(*grown));

		if (!grown) {
			capture->error = -ENOMEM;
			return false;
		}
		capture->pieces = grown;
		capture->room = more;
	}
	copy = strdup(path);
	if (!copy) {
		capture->error = -ENOMEM;
		return false;
	}
	capture->pieces[capture->n_pieces].path = copy;
	capture->pieces[capture->n_pieces++].start = ftell(capture->to);
	emit_bool(capture->written, path, true);
	return true;
}

static void write_head(const struct capture *capture, const char *kind, const char *real,
		       const char *size)
{
	struct fs_status status;

	if (capture->fs->ops->status(capture->fs, real, &status))
		status.readable = false;
	/* What is written to is device files only: of others nobody asks. */
	fprintf(capture->to, "%s %s%s%s %s\n", kind, status.readable ? "r-" : "--",
		size[0] ? " " : "", size, real);
}

static bool keeps(const char *line, const char *lines)
{
	while (lines && *lines) {
		size_t len = strcspn(lines, "|");

		if (!strncmp(line, lines, len))
			return true;
		lines += len + (lines[len] == '|');
	}
	return !lines;
}

/* Words of the kernel's command line that are about IOMMUs and VFIO; others may name things. */
static void write_words(struct capture *capture, const char *path, const struct row *row)
{
	char text[4096], *save = NULL, *word;
	const char *before = "\t";
	ssize_t n = fs_read(capture->fs, path, text, sizeof(text) - 1);

	(void)row;
	if (n < 0 || !note(capture, path))
		return;
	text[n] = '\0';
	write_head(capture, "text", path, "");
	for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (!strstr(word, "iommu") && strncmp(word, "vfio", 4))
			continue;
		fprintf(capture->to, "%s%s", before, word);
		before = " ";
	}
	if (before[0] == ' ')
		fputc('\n', capture->to);
}

static bool is_text(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((bytes[i] < ' ' && bytes[i] != '\n' && bytes[i] != '\t') || bytes[i] > '~')
			return false;
	}
	return !n || bytes[n - 1] == '\n';
}

static void write_hex(struct capture *capture, const uint8_t *bytes, size_t n, uint64_t first)
{
	for (size_t at = 0; at < n; at += 16) {
		size_t len = n - at < 16 ? n - at : 16;
		bool any = false;

		for (size_t i = 0; i < len; i++)
			any = any || bytes[at + i];
		if (!any && at && at + len < n)
			continue;
		fprintf(capture->to, "\t%04llx:", (unsigned long long)(first + at));
		for (size_t i = 0; i < len; i++)
			fprintf(capture->to, " %02x", bytes[at + i]);
		fputc('\n', capture->to);
	}
}

static void write_text(struct capture *capture, const char *path, const struct row *row)
{
	char *text = malloc(CONTENT_MAX + 1), *save = NULL, *end, real[FS_PATH_MAX], size[24];
	struct fs_status status = fs_status(capture->fs, path);
	ssize_t n;

	if (text && status.type == FS_FILE && real_path(capture, path, real) &&
	    note(capture, real)) {
		n = status.readable ? fs_read(capture->fs, path, text, CONTENT_MAX) : -EACCES;
		if (n < 0) {
			/* There, and not to be read: that is a fact as well. */
			fprintf(capture->to, "text -- %s\n", real);
		} else if (!is_text((const uint8_t *)text, (size_t)n)) {
			snprintf(size, sizeof(size), "%zu", (size_t)n);
			write_head(capture, "hex", real, size);
			write_hex(capture, (const uint8_t *)text, (size_t)n, 0);
		} else {
			text[n] = '\0';
			write_head(capture, "text", real, "");
			end = row->lines ? strstr(text, "\n\n") : NULL;
			if (end) /* of the processors, the first one */
				*end = '\0';
			for (char *line = strtok_r(text, "\n", &save); line;
			     line = strtok_r(NULL, "\n", &save)) {
				if (keeps(line, row->lines))
					fprintf(capture->to, "\t%s\n", line);
			}
		}
	}
	free(text);
}

static void write_bytes(struct capture *capture, const char *real, const uint8_t *bytes, size_t n)
{
	char size[24];

	snprintf(size, sizeof(size), "%zu", n);
	write_head(capture, "hex", real, size);
	write_hex(capture, bytes, n, 0);
}

void capture_bytes(struct capture *capture, const char *path, const void *bytes, size_t n,
		   uint64_t first, uint64_t size)
{
	if (!note(capture, path))
		return;
	fprintf(capture->to, "hex r- %llu %s\n", (unsigned long long)size, path);
	write_hex(capture, bytes, n, first);
}

static void write_table(struct capture *capture, const char *path, const struct row *row)
{
	uint8_t *bytes = malloc(CONTENT_MAX);
	ssize_t n = bytes ? fs_read(capture->fs, path, bytes, CONTENT_MAX) : -ENOMEM;

	(void)row;
	if (fs_exists(capture->fs, path) && note(capture, path)) {
		if (n < 0)
			fprintf(capture->to, "text -- %s\n", path);
		else
			write_bytes(capture, path, bytes, (size_t)n);
	}
	free(bytes);
}

static void write_config(struct capture *capture, const char *path, const struct row *row)
{
	uint8_t config[HOST_CONFIG_MAX] = { 0 };
	char real[FS_PATH_MAX];
	struct host_cxl cxl;
	ssize_t n = fs_read(capture->fs, path, config, sizeof(config));

	(void)row;
	if (n < 0 || !real_path(capture, path, real) || !note(capture, real))
		return;
	host_read_config(config, (size_t)n, &cxl);
	if (cxl.serial_at && cxl.serial_at + 8 <= (uint64_t)n)
		memset(config + cxl.serial_at, 0, 8);
	write_bytes(capture, real, config, (size_t)n);
}

/* Of a BAR: the CM area of the component register block, if list reads it. */
static void write_registers(struct capture *capture, const char *path, const struct row *row)
{
	uint8_t image[CM_SIZE];
	char real[FS_PATH_MAX], size[32], own[16];
	struct host_device device = { .group = -1 };
	const char *end = strrchr(path, '/'), *begin = end;
	uint64_t offset;

	(void)row;
	while (begin > path && begin[-1] != '/')
		begin--;
	if ((size_t)(end - begin) >= sizeof(device.address))
		return;
	memcpy(device.address, begin, (size_t)(end - begin));
	host_scan_device(capture->fs, &device);
	snprintf(own, sizeof(own), "resource%u", (unsigned int)device.cxl.component_bar);
	if (!device.n_decoders || strcmp(own, end + 1) || !real_path(capture, path, real))
		return;
	offset = device.cxl.component_offset + CM_OFFSET;
	if (capture->fs->ops->registers(capture->fs, real, offset, image, sizeof(image)) ||
	    !note(capture, real))
		return;
	snprintf(size, sizeof(size), "%llu",
		 (unsigned long long)(device.bars[device.cxl.component_bar].last -
				      device.bars[device.cxl.component_bar].first + 1));
	write_head(capture, "hex", real, size);
	write_hex(capture, image, sizeof(image), offset);
}

static void write_link(struct capture *capture, const char *path, const struct row *row)
{
	char parent[FS_PATH_MAX], real[FS_PATH_MAX], target[FS_PATH_MAX];
	const char *last = strrchr(path, '/');

	(void)row;
	snprintf(parent, sizeof(parent), "%.*s", (int)(last - path), path);
	if (!real_path(capture, parent, real) || strlen(real) + strlen(last) >= sizeof(real))
		return;
	memcpy(real + strlen(real), last, strlen(last) + 1);
	if (capture->fs->ops->link(capture->fs, real, target, sizeof(target)) > 0 &&
	    note(capture, real))
		fprintf(capture->to, "link %s -> %s\n", real, target);
}

static void write_dir(struct capture *capture, const char *path, const struct row *row)
{
	char real[FS_PATH_MAX];

	(void)row;
	if (fs_status(capture->fs, path).type == FS_DIR && real_path(capture, path, real) &&
	    note(capture, real))
		write_head(capture, "dir", real, "");
}

static void write_node(struct capture *capture, const char *path, const struct row *row)
{
	struct fs_status status = fs_status(capture->fs, path);

	(void)row;
	if (status.type == FS_DEVICE && note(capture, path))
		fprintf(capture->to, "node %c%c %04o %s:%s %s\n", status.readable ? 'r' : '-',
			status.writable ? 'w' : '-', status.mode, status.owner, status.group, path);
}

#define DEVICE "/sys/bus/pci/devices/*"
#define CXL    "/sys/bus/cxl/devices/*"

static const struct row rows[] = {
	{ "/proc/sys/kernel/osrelease", write_text, NULL },
	{ "/proc/sys/kernel/arch", write_text, NULL },
	{ "/proc/cmdline", write_words, NULL },
	{ "/proc/cpuinfo", write_text,
	  "vendor_id|model name|flags|address sizes|CPU impl|Features" },
	{ "/proc/self/limits", write_text, "Max locked memory" },
	{ "/proc/self/status", write_text, "PPid|Uid|CapEff" },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", write_text, NULL },
	{ "/dev/kvm", write_node, NULL },
	{ "/dev/iommu", write_node, NULL },
	{ "/dev/vfio/*", write_node, NULL },
	{ "/dev/vfio/devices/*", write_node, NULL },
	{ "/sys/module/kvm*", write_dir, NULL },
	{ "/sys/module/vfio*", write_dir, NULL },
	{ "/sys/module/iommufd", write_dir, NULL },
	{ "/sys/module/cxl_*", write_dir, NULL },
	{ "/sys/module/vfio*/parameters/*", write_text, NULL },
	{ "/sys/bus/pci/drivers/*vfio*", write_dir, NULL },
	{ "/sys/class/iommu", write_dir, NULL },
	{ "/sys/class/iommu/*", write_link, NULL },
	{ "/sys/class/iommu/*/intel-iommu/cap", write_text, NULL },
	{ "/sys/class/iommu/*/intel-iommu/ecap", write_text, NULL },
	{ "/sys/class/iommu/*/amd-iommu/cap", write_text, NULL },
	{ "/sys/class/iommu/*/amd-iommu/features", write_text, NULL },
	{ "/sys/kernel/iommu_groups", write_dir, NULL },
	{ "/sys/kernel/iommu_groups/*/type", write_text, NULL },
	{ "/sys/kernel/iommu_groups/*/reserved_regions", write_text, NULL },
	{ "/sys/kernel/iommu_groups/*/devices/*", write_link, NULL },
	{ "/sys/firmware/acpi/tables/CEDT", write_table, NULL },
	{ DEVICE, write_link, NULL },
	{ DEVICE "/vendor", write_text, NULL },
	{ DEVICE "/device", write_text, NULL },
	{ DEVICE "/class", write_text, NULL },
	{ DEVICE "/driver", write_link, NULL },
	{ DEVICE "/iommu_group", write_link, NULL },
	{ DEVICE "/reset_method", write_text, NULL },
	{ DEVICE "/power_state", write_text, NULL },
	{ DEVICE "/resource", write_text, NULL },
	{ DEVICE "/vfio-dev/*", write_dir, NULL },
	{ DEVICE "/config", write_config, NULL },
	{ DEVICE "/resource[0-5]", write_registers, NULL },
	{ "/sys/class/vfio-dev/*", write_link, NULL },
	{ "/sys/class/vfio-dev/*/device", write_link, NULL },
	{ "/sys/class/vfio-dev/*/device/driver", write_link, NULL },
	{ "/sys/class/vfio-dev/*/device/iommu_group", write_link, NULL },
	{ CXL, write_link, NULL },
	{ CXL "/uport", write_link, NULL },
	{ CXL "/start", write_text, NULL },
	{ CXL "/size", write_text, NULL },
	{ CXL "/locked", write_text, NULL },
	{ CXL "/interleave_ways", write_text, NULL },
	{ CXL "/target_type", write_text, NULL },
	{ CXL "/mode", write_text, NULL },
	{ CXL "/region", write_text, NULL },
	{ CXL "/commit", write_text, NULL },
};

/* Write all paths that the parts from at on match, below path. Once deeper for each part. */
/* NOLINTNEXTLINE(misc-no-recursion): as deep as the pattern, which is one of ours, has parts */
static void expand(struct capture *capture, const struct row *row, const char *path, const char *at)
{
	char next[FS_PATH_MAX], part[FS_NAME_MAX];
	size_t len = strcspn(at, "/");
	struct fs_names names;

	if (len >= sizeof(part))
		return;
	memcpy(part, at, len);
	part[len] = '\0';
	at += len + (at[len] == '/');
	if (!strpbrk(part, "*[")) {
		if (!fs_path(next, "%s/%s", path, part)[0])
			return;
		if (*at)
			expand(capture, row, next, at);
		else
			row->write(capture, next, row);
		return;
	}
	if (fs_names(capture->fs, path[0] ? path : "/", &names))
		return;
	for (size_t i = 0; i < names.count; i++) {
		if (fnmatch(part, names.names[i], 0) ||
		    !fs_path(next, "%s/%s", path, names.names[i])[0])
			continue;
		if (*at)
			expand(capture, row, next, at);
		else
			row->write(capture, next, row);
	}
	fs_names_free(&names);
}

static int compare_pieces(const void *a, const void *b)
{
	return strcmp(((const struct piece *)a)->path, ((const struct piece *)b)->path);
}

/* All pieces, by path: what belongs to one device stands together. */
static void write_pieces(struct capture *capture, const char *text, size_t size, FILE *to)
{
	struct piece *pieces = capture->pieces;
	size_t n = capture->n_pieces;
	struct json_object *ends = json_object_new_object();

	for (size_t i = 0; i < n; i++)
		emit_u64(ends, pieces[i].path,
			 i + 1 < n ? (uint64_t)pieces[i + 1].start : (uint64_t)size);
	if (n)
		qsort(pieces, n, sizeof(*pieces), compare_pieces);
	fputs("cxlvm-machine 1\n", to);
	for (size_t i = 0; i < n; i++) {
		size_t start = (size_t)pieces[i].start;
		uint64_t end = json_object_get_uint64(json_object_object_get(ends, pieces[i].path));

		fwrite(text + start, 1, (size_t)end - start, to);
	}
	json_object_put(ends);
}

/* A file is removed again, a device that somebody wanted it in is not. */
static bool is_regular(FILE *to)
{
	struct stat status;

	return !fstat(fileno(to), &status) && S_ISREG(status.st_mode);
}

static int write_file(struct capture *capture, const char *text, size_t size, const char *path,
		      struct cxlvm_error *err)
{
	FILE *to = fopen(path, "we");
	bool failed, ours;
	int ret;

	if (!to) {
		ret = cxlvm_error_set(err, -errno, "cannot write %s: %s", path, strerror(errno));
		cxlvm_error_hint(err, "name a file in a folder that you may write to");
		return ret;
	}
	ours = is_regular(to);
	write_pieces(capture, text, size, to);
	failed = ferror(to);
	failed = fclose(to) || failed;
	if (!failed)
		return 0;
	ret = cxlvm_error_set(err, errno ? -errno : -EIO, "cannot write all of %s: %s", path,
			      strerror(errno));
	if (ours)
		unlink(path);
	return ret;
}

int capture_write(struct fs *fs, const char *path, const struct host_device *device,
		  const struct cxlvm_transport *opened, struct cxlvm_error *err)
{
	struct capture capture = { .fs = fs };
	char *text = NULL;
	size_t size = 0;
	int ret;

	capture.to = open_memstream(&text, &size);
	if (!capture.to)
		return cxlvm_error_set(err, -errno, "no memory for the capture");
	capture.written = json_object_new_object();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !capture.error; i++)
		expand(&capture, &rows[i], "", rows[i].pattern + 1);
	if (opened)
		record(&capture, device->address, opened);
	if (fclose(capture.to) || capture.error)
		ret = cxlvm_error_set(err, -ENOMEM, "no memory for the capture");
	else
		ret = write_file(&capture, text, size, path, err);
	for (size_t i = 0; i < capture.n_pieces; i++)
		free(capture.pieces[i].path);
	free(capture.pieces);
	json_object_put(capture.written);
	free(text);
	return ret;
}

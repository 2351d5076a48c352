/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fs_tree.c - a captured machine: one file of text
 *
 *   cxlvm-machine 1
 *   # a comment
 *   text r- /sys/devices/pci0000:00/0000:00:01.0/vendor
 *   <TAB>0x8086
 *   hex r- 4096 /sys/devices/pci0000:00/0000:00:01.0/config
 *   <TAB>0000: 86 80 ...
 *   link /sys/bus/pci/devices/0000:00:01.0 -> ../../../devices/pci0000:00/0000:00:01.0
 *   dir r- /sys/kernel/iommu_groups
 *   node rw 0660 root:kvm /dev/kvm
 *
 * Below a file its content, one line behind each tab; of hex, at most 16 bytes behind their offset;
 * bytes that are not there are 0. r and w say what whoever captured it was permitted, so that a file
 * without r has no content. Folders need a line only when they are empty. A hex file that is larger
 * than 64 KiB has the bytes from its first line to its last one.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs.h"

#define HEADER      "cxlvm-machine 1"
#define FILE_MAX    ((size_t)16 << 20)
#define ENTRIES_MAX 100000u
#define WHOLE_MAX   ((uint64_t)64 << 10) /* hex files up to this begin at 0 */
#define SPAN_MAX    ((uint64_t)1 << 20)  /* content of one file */
#define CONTENT_MAX ((size_t)64 << 20)   /* content of all files */

struct entry {
	const char *path; /* in the text */
	const char *target;
	struct fs_status status;
	bool is_link;
	uint64_t size, start; /* of hex: as it says, and offset of the first byte that there is */
	uint8_t *bytes;
	size_t n_bytes;
};

struct tree {
	struct fs fs;
	char *text;
	struct entry *entries;
	size_t n_entries, room;
	size_t content;
};

struct parse {
	struct tree *tree;
	const char *name;
	unsigned int line;
	char *at; /* rest of the text */
	struct cxlvm_error *err;
};

static struct tree *tree_of(struct fs *fs)
{
	return (struct tree *)fs;
}

/* By path, part by part: what is in a folder follows it. */
static int compare_paths(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (!*a || !*b)
		return (*a != 0) - (*b != 0);
	if (*a == '/' || *b == '/')
		return (*a != '/') - (*b != '/');
	return (unsigned char)*a - (unsigned char)*b;
}

static int compare_entries(const void *a, const void *b)
{
	return compare_paths(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

/* The first entry that is not before path. */
static size_t lower_bound(const struct tree *tree, const char *path)
{
	size_t low = 0, high = tree->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_paths(tree->entries[middle].path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct entry *find(const struct tree *tree, const char *path)
{
	size_t at = lower_bound(tree, path);

	return at < tree->n_entries && !strcmp(tree->entries[at].path, path) ? &tree->entries[at]
									     : NULL;
}

/* What follows folder and a slash in path, NULL when path is not below folder. */
static const char *below(const char *path, const char *folder)
{
	size_t len = strcmp(folder, "/") ? strlen(folder) : 0;

	return !strncmp(path, folder, len) && path[len] == '/' ? path + len + 1 : NULL;
}

/* Entries of a folder stand together, those behind the folder's own. */
static size_t first_below(const struct tree *tree, const char *path)
{
	size_t at;

	if (!strcmp(path, "/"))
		return 0;
	at = lower_bound(tree, path);
	return at < tree->n_entries && !strcmp(tree->entries[at].path, path) ? at + 1 : at;
}

static int tree_status(struct fs *fs, const char *path, struct fs_status *status)
{
	const struct tree *tree = tree_of(fs);
	const struct entry *entry = find(tree, path);
	size_t at;

	memset(status, 0, sizeof(*status));
	if (entry && !entry->is_link) {
		*status = entry->status;
		return 0;
	}
	at = first_below(tree, path);
	if (!entry && at < tree->n_entries && below(tree->entries[at].path, path)) {
		status->type = FS_DIR;
		status->readable = true;
	}
	return 0;
}

static ssize_t tree_read(struct fs *fs, const char *path, void *buf, size_t len)
{
	const struct entry *entry = find(tree_of(fs), path);
	size_t n;

	if (!entry)
		return -ENOENT;
	if (entry->is_link || entry->status.type != FS_FILE)
		return -EINVAL;
	if (!entry->status.readable)
		return -EACCES;
	if (entry->start)
		return -EIO;
	n = entry->n_bytes < len ? entry->n_bytes : len;
	if (n)
		memcpy(buf, entry->bytes, n);
	return (ssize_t)n;
}

static ssize_t tree_link(struct fs *fs, const char *path, char *buf, size_t len)
{
	const struct entry *entry = find(tree_of(fs), path);

	if (!entry || !entry->is_link)
		return entry ? -EINVAL : -ENOENT;
	if (strlen(entry->target) >= len)
		return -ENAMETOOLONG;
	memcpy(buf, entry->target, strlen(entry->target) + 1);
	return (ssize_t)strlen(buf);
}

static int tree_names(struct fs *fs, const char *path, struct fs_names *names)
{
	const struct tree *tree = tree_of(fs);
	struct fs_status status;
	size_t first = first_below(tree, path), end = first;
	const char *last = "";

	tree_status(fs, path, &status);
	if (status.type != FS_DIR)
		return status.type == FS_NONE ? -ENOENT : -ENOTDIR;
	if (!status.readable)
		return -EACCES;
	while (end < tree->n_entries && below(tree->entries[end].path, path))
		end++;
	if (end == first)
		return 0;
	names->names = calloc(end - first, sizeof(*names->names));
	if (!names->names)
		return -ENOMEM;
	for (size_t i = first; i < end && names->count < FS_NAMES_MAX; i++) {
		const char *name = below(tree->entries[i].path, path);
		size_t len = strcspn(name, "/");

		if (len == strlen(last) && !strncmp(name, last, len))
			continue;
		names->names[names->count] = strndup(name, len);
		if (!names->names[names->count]) {
			fs_names_free(names);
			return -ENOMEM;
		}
		last = names->names[names->count++];
	}
	return 0;
}

static int tree_registers(struct fs *fs, const char *path, uint64_t offset, void *buf, size_t len)
{
	const struct entry *entry = find(tree_of(fs), path);

	if (!entry || entry->status.type != FS_FILE)
		return -ENOENT;
	if (!entry->status.readable)
		return -EACCES;
	if (offset < entry->start || offset - entry->start > entry->n_bytes ||
	    entry->n_bytes - (offset - entry->start) < len)
		return -ERANGE;
	memcpy(buf, entry->bytes + (offset - entry->start), len);
	return 0;
}

static void free_tree(struct tree *tree)
{
	for (size_t i = 0; i < tree->n_entries; i++)
		free(tree->entries[i].bytes);
	free(tree->entries);
	free(tree->text);
	free(tree);
}

static void tree_close(struct fs *fs)
{
	free_tree(tree_of(fs));
}

static bool refuse(const struct parse *parse, const char *what)
{
	cxlvm_error_set(parse->err, -EINVAL, "%s, line %u: %s", parse->name, parse->line, what);
	cxlvm_error_hint(parse->err,
			 "a captured machine is what 'cxlvm list --capture FILE' makes; "
			 "see cxlvm-list(1)");
	return false;
}

/* Cut the next line off; NULL at the end. */
static char *next_line(struct parse *parse)
{
	char *line = parse->at, *end;

	if (!line || !*line)
		return NULL;
	end = strchr(line, '\n');
	if (end)
		*end = '\0';
	parse->at = end ? end + 1 : NULL;
	parse->line++;
	return line;
}

/* Cut the next word off. */
static char *next_word(char **at)
{
	char *word = *at, *end = word + strcspn(word, " ");

	*at = *end ? end + 1 : end;
	*end = '\0';
	return word;
}

/* Absolute, without empty parts, "." and "..". */
static bool is_path(const char *path)
{
	if (path[0] != '/' || strlen(path) >= FS_PATH_MAX)
		return false;
	while (*path) {
		size_t len = strcspn(++path, "/");

		if (!len || len >= FS_NAME_MAX || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
	}
	return true;
}

static bool set_access(const char *word, struct fs_status *status)
{
	if ((word[0] != 'r' && word[0] != '-') || (word[1] != 'w' && word[1] != '-') || word[2])
		return false;
	status->readable = word[0] == 'r';
	status->writable = word[1] == 'w';
	return true;
}

static bool set_content(const struct parse *parse, struct entry *entry, size_t size)
{
	if (size > CONTENT_MAX - parse->tree->content)
		return refuse(parse, "more than 64 MiB of content");
	entry->bytes = calloc(1, size ? size : 1);
	if (!entry->bytes)
		return refuse(parse, "no memory for the content");
	entry->n_bytes = size;
	parse->tree->content += size;
	return true;
}

static bool parse_text(struct parse *parse, struct entry *entry)
{
	size_t size = 0, used = 0;
	const char *at;

	for (at = parse->at; at && *at == '\t';) {
		size_t len = strcspn(at, "\n");

		size += len; /* one byte less for the tab, one more for the end of the line */
		at = at[len] ? at + len + 1 : NULL;
	}
	if (!set_content(parse, entry, size))
		return false;
	while (parse->at && *parse->at == '\t') {
		const char *line = next_line(parse) + 1;
		size_t len = strlen(line);

		memcpy(entry->bytes + used, line, len);
		used += len;
		entry->bytes[used++] = '\n';
	}
	return true;
}

/* "OFFSET: BYTE BYTE...", at most 16. How many, 0 for anything else. */
static size_t parse_hex_line(const char *line, uint64_t *offset, uint8_t bytes[16])
{
	size_t n = 0;
	char *end;

	if (!isxdigit((unsigned char)line[0]))
		return 0;
	errno = 0;
	*offset = strtoull(line, &end, 16);
	if (errno || *end != ':')
		return 0;
	for (line = end + 1; *line; line += 3) {
		if (line[0] != ' ' || !isxdigit((unsigned char)line[1]) ||
		    !isxdigit((unsigned char)line[2]) || n == 16)
			return 0;
		bytes[n++] = (uint8_t)strtoul((char[]){ line[1], line[2], 0 }, NULL, 16);
	}
	return n;
}

/* The span that the lines below cover, without taking them. */
static bool hex_span(const struct parse *parse, uint64_t *first, uint64_t *end)
{
	const char *at = parse->at;
	bool any = false;

	*first = *end = 0;
	while (at && *at == '\t') {
		size_t len = strcspn(at, "\n");
		uint64_t offset;
		uint8_t bytes[16];
		char line[80];
		size_t n;

		if (len >= sizeof(line))
			return false;
		memcpy(line, at + 1, len - 1);
		line[len - 1] = '\0';
		n = parse_hex_line(line, &offset, bytes);
		if (!n || offset > UINT64_MAX - n)
			return false;
		if (!any || offset < *first)
			*first = offset;
		if (!any || offset + n > *end)
			*end = offset + n;
		any = true;
		at = at[len] ? at + len + 1 : NULL;
	}
	return true;
}

static bool parse_hex(struct parse *parse, struct entry *entry)
{
	uint64_t first, end;

	if (!hex_span(parse, &first, &end))
		return refuse(parse, "below this, a line is not 'OFFSET: BYTE BYTE...' in hex");
	if (end > entry->size)
		return refuse(parse, "below this, bytes lie behind the end of the file");
	if (entry->size <= WHOLE_MAX) {
		first = 0;
		end = entry->size;
	}
	if (end - first > SPAN_MAX)
		return refuse(parse, "the lines of this file span more than 1 MiB");
	entry->start = first;
	if (!set_content(parse, entry, (size_t)(end - first)))
		return false;
	while (parse->at && *parse->at == '\t') {
		uint64_t offset = 0;
		uint8_t bytes[16];
		size_t n = parse_hex_line(next_line(parse) + 1, &offset, bytes);

		memcpy(entry->bytes + (offset - first), bytes, n);
	}
	return true;
}

static struct entry *new_entry(const struct parse *parse)
{
	struct tree *tree = parse->tree;

	if (tree->n_entries == ENTRIES_MAX) {
		refuse(parse, "more than 100000 files");
		return NULL;
	}
	if (tree->n_entries == tree->room) {
		size_t more = tree->room ? 2 * tree->room : 256;
		struct entry *grown = realloc(tree->entries, more * sizeof(*grown));

		if (!grown) {
			refuse(parse, "no memory");
			return NULL;
		}
		tree->entries = grown;
		tree->room = more;
	}
	memset(&tree->entries[tree->n_entries], 0, sizeof(*tree->entries));
	return &tree->entries[tree->n_entries++];
}

static bool parse_link(struct parse *parse, struct entry *entry, char *line)
{
	char *arrow = strstr(line, " -> ");

	if (!arrow || !arrow[4])
		return refuse(parse, "a link is 'link PATH -> TARGET'");
	*arrow = '\0';
	entry->is_link = true;
	entry->path = line;
	entry->target = arrow + 4;
	return true;
}

static bool parse_node(struct parse *parse, struct entry *entry, char *line)
{
	const char *mode = next_word(&line);
	char *owner = next_word(&line), *group = strchr(owner, ':');
	char *end;

	entry->status.type = FS_DEVICE;
	entry->status.mode = (unsigned int)strtoul(mode, &end, 8) & 07777;
	if (!isdigit((unsigned char)mode[0]) || *end || !group)
		return refuse(parse, "a node is 'node ACCESS MODE OWNER:GROUP PATH'");
	*group++ = '\0';
	snprintf(entry->status.owner, sizeof(entry->status.owner), "%s", owner);
	snprintf(entry->status.group, sizeof(entry->status.group), "%s", group);
	entry->path = line;
	return true;
}

static bool parse_entry(struct parse *parse, char *line)
{
	struct entry *entry = new_entry(parse);
	const char *kind = next_word(&line), *size;
	char *end;
	bool good = true;

	if (!entry)
		return false;
	entry->path = "";
	if (!strcmp(kind, "link"))
		return parse_link(parse, entry, line);
	if (!set_access(next_word(&line), &entry->status))
		return refuse(parse, "a line is 'text', 'hex', 'dir' or 'node' with access (r- for "
				     "example), or 'link'");
	entry->path = line;
	entry->status.type = FS_FILE;
	if (!strcmp(kind, "text")) {
		good = parse_text(parse, entry);
	} else if (!strcmp(kind, "hex")) {
		size = next_word(&line);
		entry->path = line;
		entry->size = strtoull(size, &end, 10);
		if (!isdigit((unsigned char)size[0]) || *end)
			return refuse(parse, "a binary file is 'hex ACCESS SIZE PATH'");
		good = parse_hex(parse, entry);
	} else if (!strcmp(kind, "dir")) {
		entry->status.type = FS_DIR;
	} else if (!strcmp(kind, "node")) {
		good = parse_node(parse, entry, line);
	} else {
		return refuse(parse, "this kind of file is not known");
	}
	return good;
}

static bool parse_all(struct parse *parse)
{
	struct tree *tree = parse->tree;
	char *line = next_line(parse);

	if (!line || strcmp(line, HEADER))
		return refuse(parse, "the first line is not '" HEADER "'");
	while ((line = next_line(parse))) {
		if (!line[0] || line[0] == '#')
			continue;
		if (!parse_entry(parse, line))
			return false;
		if (!is_path(tree->entries[tree->n_entries - 1].path))
			return refuse(parse, "the path is not absolute, or holds '.' or '..'");
	}
	if (tree->n_entries)
		qsort(tree->entries, tree->n_entries, sizeof(*tree->entries), compare_entries);
	for (size_t i = 1; i < tree->n_entries; i++) {
		if (!strcmp(tree->entries[i - 1].path, tree->entries[i].path)) {
			cxlvm_error_set(parse->err, -EINVAL, "%s: %s is there twice", parse->name,
					tree->entries[i].path);
			cxlvm_error_hint(parse->err, "leave one of them");
			return false;
		}
	}
	return true;
}

int fs_parse_tree(const char *text, size_t len, const char *name, struct fs **out,
		  struct cxlvm_error *err)
{
	static const struct fs_ops ops = {
		.status = tree_status,
		.read = tree_read,
		.link = tree_link,
		.names = tree_names,
		.registers = tree_registers,
		.close = tree_close,
	};
	struct cxlvm_error own = CXLVM_ERROR_INIT;
	struct parse parse = { .name = name, .err = err ? err : &own };
	struct tree *tree = calloc(1, sizeof(*tree));
	char *copy = malloc(len + 1);

	if (!tree || !copy) {
		free(tree);
		free(copy);
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory", name);
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	tree->fs.ops = &ops;
	tree->text = copy;
	parse.tree = tree;
	parse.at = copy;
	if (strlen(copy) != len)
		refuse(&parse, "holds bytes that are 0");
	else if (parse_all(&parse)) {
		*out = (struct fs *)tree;
		return 0;
	}
	free_tree(tree);
	return parse.err->code;
}

int fs_open_tree(const char *path, struct fs **out, struct cxlvm_error *err)
{
	char *text = malloc(FILE_MAX + 1);
	size_t len = 0;
	ssize_t n = 1;
	int fd, ret;

	if (!text)
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory", path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (fd >= 0 && n > 0 && len <= FILE_MAX) {
		n = read(fd, text + len, FILE_MAX + 1 - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			len += (size_t)n;
	}
	if (fd < 0 || n < 0) {
		ret = cxlvm_error_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
		cxlvm_error_hint(err, "it is to be a regular file, made by 'cxlvm list --capture'");
	} else if (len > FILE_MAX) {
		ret = cxlvm_error_set(err, -EFBIG, "%s has more than 16 MiB", path);
		cxlvm_error_hint(err, "is it a file of 'cxlvm list --capture'?");
	} else {
		ret = fs_parse_tree(text, len, path, out, err);
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return ret;
}

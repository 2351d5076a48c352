/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * decode.c - cxlvm decode: what the bytes of a component block, config space or CEDT mean
 *
 * The library takes the image apart (cxlvm/regs.h); here is how the file gets in, and how text and
 * JSON come out. The format is described in cxlvm-decode(1).
 */
#include <cxlvm/regs.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"

#define FORMAT_VERSION 1
#define FILE_MAX       ((size_t)1 << 20)
#define DEPTH_MAX      8
#define VALUE_WIDTH    19 /* column of values in text */

struct request {
	const char *path;
	enum cxlvm_image_kind kind; /* CXLVM_IMAGE_UNKNOWN: find out */
	bool json;
	bool help;
};

static void help(FILE *to)
{
	fputs("usage: cxlvm decode [--json] [--type component|config|cedt] FILE\n\n"
	      "Print the fields of a raw CXL component register block, of PCI config space or of a\n"
	      "CEDT. FILE may be - for standard input; at most 1 MiB.\n\n"
	      "  --json\n        print JSON instead of text\n"
	      "  --type KIND\n        what FILE is, instead of finding out by its content\n"
	      "  --help\n        print this\n",
	      to);
}

/* Text */

static void text_begin(void *context, const struct cxlvm_structure *structure)
{
	unsigned int *depth = context;

	if (!*depth)
		putchar('\n');
	printf("%*s%s", (int)*depth * 2, "", structure->name);
	if (structure->index >= 0)
		printf(" %d", structure->index);
	printf(" at 0x%" PRIx32 ", 0x%" PRIx32 " bytes", structure->offset, structure->size);
	if (structure->summary[0])
		printf(": %s", structure->summary);
	putchar('\n');
	++*depth;
}

static void text_field(void *context, const struct cxlvm_field *field)
{
	const unsigned int *depth = context;
	char bits[16], value[24], section[32] = "";

	if (field->bits == 1)
		snprintf(bits, sizeof(bits), "%u", field->lsb);
	else
		snprintf(bits, sizeof(bits), "%u:%u", field->lsb + field->bits - 1, field->lsb);
	snprintf(value, sizeof(value), "0x%" PRIx64, field->value);
	if (field->section[0])
		snprintf(section, sizeof(section), "%s", field->section);
	printf("%*s0x%04" PRIx32 " %6s  %-4s %-10s  %-37s %s%*s%s\n", (int)*depth * 2, "",
	       field->offset, bits, field->access, section, field->name, value,
	       field->text[0] ? VALUE_WIDTH - (int)strlen(value) : 0, "", field->text);
}

static void text_end(void *context)
{
	--*(unsigned int *)context;
}

static int print_text(const uint8_t *image, size_t len, enum cxlvm_image_kind kind,
		      struct cxlvm_error *err)
{
	static const struct cxlvm_visitor visitor = {
		.size = sizeof(visitor),
		.begin = text_begin,
		.field = text_field,
		.end = text_end,
		.problem = NULL,
	};
	unsigned int depth = 0;

	printf("%s, %zu bytes\n", cxlvm_image_kind_name(kind), len);
	return cxlvm_image_visit(image, len, kind, &visitor, &depth, err);
}

/* JSON */

struct json_state {
	struct json_object *open[DEPTH_MAX]; /* "structures" of the document, then structures */
	unsigned int depth;
	struct json_object *problems;
};

static void add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	if (value[0])
		json_object_object_add(object, key, json_object_new_string(value));
}

/* The array called key of object, made when it is first needed. */
static struct json_object *array_of(struct json_object *object, const char *key)
{
	struct json_object *array = NULL;

	if (!json_object_object_get_ex(object, key, &array)) {
		array = json_object_new_array();
		json_object_object_add(object, key, array);
	}
	return array;
}

static void json_begin(void *context, const struct cxlvm_structure *structure)
{
	struct json_state *state = context;
	struct json_object *object = json_object_new_object();

	add_string(object, "name", structure->name);
	if (structure->index >= 0)
		add_u64(object, "index", (uint64_t)structure->index);
	add_u64(object, "offset", structure->offset);
	add_u64(object, "size", structure->size);
	add_string(object, "specification", structure->specification);
	add_string(object, "summary", structure->summary);
	json_object_array_add(array_of(state->open[state->depth], "structures"), object);
	if (state->depth + 1 < DEPTH_MAX)
		state->open[++state->depth] = object;
}

static void json_field(void *context, const struct cxlvm_field *field)
{
	struct json_state *state = context;
	struct json_object *object = json_object_new_object();

	add_string(object, "name", field->name);
	add_u64(object, "offset", field->offset);
	add_u64(object, "width", field->width);
	add_u64(object, "lsb", field->lsb);
	add_u64(object, "bits", field->bits);
	add_u64(object, "value", field->value);
	add_string(object, "text", field->text);
	add_string(object, "access", field->access);
	add_string(object, "section", field->section);
	json_object_array_add(array_of(state->open[state->depth], "fields"), object);
}

static void json_end(void *context)
{
	struct json_state *state = context;

	if (state->depth)
		state->depth--;
}

static void json_problem(void *context, uint32_t offset, const char *message)
{
	struct json_state *state = context;
	struct json_object *object = json_object_new_object();

	add_u64(object, "offset", offset);
	add_string(object, "message", message);
	json_object_array_add(state->problems, object);
}

static int print_json(const uint8_t *image, size_t len, enum cxlvm_image_kind kind,
		      struct cxlvm_error *err)
{
	static const struct cxlvm_visitor visitor = {
		.size = sizeof(visitor),
		.begin = json_begin,
		.field = json_field,
		.end = json_end,
		.problem = json_problem,
	};
	struct json_object *document = json_object_new_object();
	struct json_state state = { .open = { document }, .problems = json_object_new_array() };
	int ret;

	add_u64(document, "version", FORMAT_VERSION);
	add_string(document, "type", cxlvm_image_kind_name(kind));
	add_u64(document, "size", len);
	array_of(document, "structures");
	ret = cxlvm_image_visit(image, len, kind, &visitor, &state, err);
	json_object_object_add(document, "complete", json_object_new_boolean(!ret));
	json_object_object_add(document, "problems", state.problems);
	puts(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(document);
	return ret;
}

/* Each problem is a line on standard error. */
static void say_problem(void *context, uint32_t offset, const char *message)
{
	const struct request *request = context;

	fprintf(stderr, "cxlvm decode: %s: stopped at 0x%" PRIx32 ": %s\n", request->path, offset,
		message);
}

static int say_problems(struct request request, const uint8_t *image, size_t len,
			enum cxlvm_image_kind kind)
{
	static const struct cxlvm_visitor visitor = {
		.size = sizeof(visitor),
		.begin = NULL,
		.field = NULL,
		.end = NULL,
		.problem = say_problem,
	};

	return cxlvm_image_visit(image, len, kind, &visitor, &request, NULL);
}

static int decode(const struct request *request, const uint8_t *image, size_t len)
{
	enum cxlvm_image_kind kind = request->kind;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;

	if (kind == CXLVM_IMAGE_UNKNOWN)
		kind = cxlvm_image_recognize(image, len);
	if (kind == CXLVM_IMAGE_UNKNOWN) {
		cxlvm_error_set(&err, -EINVAL,
				"%s: its %zu bytes are no component block (capability array at "
				"0x1000 or 0), config space or CEDT",
				request->path, len);
		cxlvm_error_hint(&err, "say what it is: --type component, config or cedt");
		print_error("decode", &err);
		return STATUS_FAILED;
	}
	ret = (request->json ? print_json : print_text)(image, len, kind, &err);
	if (!ret)
		return STATUS_OK;
	say_problems(*request, image, len, kind);
	fputs("  hint: the output holds what could be decoded\n", stderr);
	return STATUS_FAILED;
}

/* Read all of fd: the number of bytes, at most limit, or a negative errno. */
static ssize_t read_all(int fd, uint8_t *buf, size_t limit)
{
	size_t len = 0;

	while (len < limit) {
		ssize_t n = read(fd, buf + len, limit - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static int decode_open(const struct request *request, int fd)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint8_t *image = malloc(FILE_MAX + 1);
	int status = STATUS_FAILED;
	ssize_t len;

	if (!image) {
		cxlvm_error_set(&err, -ENOMEM, "no memory for %s", request->path);
		cxlvm_error_hint(&err, "%zu bytes are needed", FILE_MAX + 1);
		print_error("decode", &err);
		return STATUS_FAILED;
	}
	len = read_all(fd, image, FILE_MAX + 1);
	if (len < 0) {
		cxlvm_error_set(&err, (int)len, "cannot read %s: %s", request->path,
				strerror((int)-len));
		cxlvm_error_hint(&err, "FILE is a regular file, or - for standard input");
	} else if ((size_t)len > FILE_MAX) {
		cxlvm_error_set(&err, -EFBIG, "%s has more than %zu bytes", request->path,
				FILE_MAX);
		cxlvm_error_hint(&err,
				 "a component block has 65536 bytes, config space at most 4096");
	} else {
		status = decode(request, image, (size_t)len);
	}
	if (err.code)
		print_error("decode", &err);
	free(image);
	return status;
}

static int decode_file(const struct request *request)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int fd, status;

	if (!strcmp(request->path, "-"))
		return decode_open(request, STDIN_FILENO);
	fd = open(request->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		cxlvm_error_set(&err, -errno, "cannot open %s: %s", request->path, strerror(errno));
		cxlvm_error_hint(&err, "FILE is a regular file, or - for standard input");
		print_error("decode", &err);
		return STATUS_FAILED;
	}
	status = decode_open(request, fd);
	close(fd);
	return status;
}

static bool parse_kind(const char *text, enum cxlvm_image_kind *kind)
{
	for (int i = CXLVM_IMAGE_COMPONENT; i <= CXLVM_IMAGE_CEDT; i++) {
		if (text && !strcmp(text, cxlvm_image_kind_name((enum cxlvm_image_kind)i))) {
			*kind = (enum cxlvm_image_kind)i;
			return true;
		}
	}
	if (text)
		fprintf(stderr, "cxlvm decode: --type '%s' is not known\n", text);
	else
		fputs("cxlvm decode: --type needs a value\n", stderr);
	fputs("  hint: types are component, config, cedt\n", stderr);
	return false;
}

static bool refuse(const char *what, const char *text)
{
	fprintf(stderr,
		"cxlvm decode: %s '%s'\n"
		"  hint: options are --json, --type, --help; then one FILE, or -\n",
		what, text);
	return false;
}

static bool parse(struct request *request, int argc, char **argv)
{
	bool options = true;

	for (int i = 1; i < argc; i++) {
		const char *text = argv[i];

		if (!options || text[0] != '-' || !strcmp(text, "-")) {
			if (request->path)
				return refuse("unexpected argument", text);
			request->path = text;
		} else if (!strcmp(text, "--")) {
			options = false;
		} else if (!strcmp(text, "--json")) {
			request->json = true;
		} else if (!strcmp(text, "--help")) {
			request->help = true;
		} else if (!strcmp(text, "--type")) {
			if (!parse_kind(++i < argc ? argv[i] : NULL, &request->kind))
				return false;
		} else if (!strncmp(text, "--type=", 7)) {
			if (!parse_kind(text + 7, &request->kind))
				return false;
		} else {
			return refuse("unknown option", text);
		}
	}
	if (!request->path && !request->help) {
		fputs("cxlvm decode: which file?\n  hint: cxlvm decode FILE, or - for standard "
		      "input\n",
		      stderr);
		return false;
	}
	return true;
}

static int run(int argc, char **argv)
{
	struct request request = { .kind = CXLVM_IMAGE_UNKNOWN };

	if (!parse(&request, argc, argv))
		return STATUS_USAGE;
	if (request.help) {
		help(stdout);
		return STATUS_OK;
	}
	return decode_file(&request);
}

const struct command command_decode = {
	.name = "decode",
	.summary = "explain the bytes of CXL registers and tables",
	.run = run,
	.help = help,
};

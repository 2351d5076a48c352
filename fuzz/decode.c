/* SPDX-License-Identifier: BSD-3-Clause */
/* Target: images of registers and tables, as "cxlvm decode" takes them from anywhere. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"

struct seen {
	size_t len;
	unsigned int depth;
	unsigned int problems;
	uint64_t calls;
};

/* Printable ASCII, one line. */
static void check_text(const char *text)
{
	FUZZ_CHECK(text != NULL);
	for (; *text; text++)
		FUZZ_CHECK(*text >= ' ' && *text <= '~');
}

static void begin(void *context, const struct cxlvm_structure *structure)
{
	struct seen *seen = context;

	FUZZ_CHECK(++seen->depth < 8 && ++seen->calls < 1000000);
	FUZZ_CHECK(structure->offset <= seen->len);
	check_text(structure->name);
	check_text(structure->specification);
	check_text(structure->summary);
}

static void field(void *context, const struct cxlvm_field *field)
{
	struct seen *seen = context;

	FUZZ_CHECK(seen->depth && ++seen->calls < 1000000);
	FUZZ_CHECK(field->width >= 1 && field->width <= 8);
	FUZZ_CHECK(field->bits && field->lsb + field->bits <= 8 * field->width);
	FUZZ_CHECK(field->offset + (uint64_t)field->width <= seen->len);
	FUZZ_CHECK(field->bits == 64 || field->value >> field->bits == 0);
	check_text(field->name);
	check_text(field->section);
	check_text(field->access);
	check_text(field->text);
}

static void end(void *context)
{
	struct seen *seen = context;

	FUZZ_CHECK(seen->depth--);
}

static void problem(void *context, uint32_t offset, const char *message)
{
	struct seen *seen = context;

	(void)offset;
	seen->problems++;
	check_text(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cxlvm_visitor visitor = {
		.size = sizeof(visitor),
		.begin = begin,
		.field = field,
		.end = end,
		.problem = problem,
	};
	enum cxlvm_image_kind kind = cxlvm_image_recognize(data, size);

	check_text(cxlvm_image_kind_name(kind));
	for (kind = CXLVM_IMAGE_UNKNOWN; kind <= CXLVM_IMAGE_CEDT; kind++) {
		struct seen seen = { .len = size };
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		int ret = cxlvm_image_visit(data, size, kind, &visitor, &seen, &err);

		FUZZ_CHECK(seen.depth == 0 && ret == err.code);
		if (kind == CXLVM_IMAGE_UNKNOWN)
			FUZZ_CHECK(ret == -EINVAL && !seen.calls);
		else
			FUZZ_CHECK(ret == (seen.problems ? -EPROTO : 0));
	}
	return 0;
}

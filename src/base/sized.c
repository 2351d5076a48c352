/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/sized.h"

#include <errno.h>
#include <string.h>

/* A larger one was never meant: its size was not set. */
#define SIZE_LIMIT 4096u

static size_t size_of(const void *structure)
{
	size_t size;

	memcpy(&size, structure, sizeof(size));
	return size;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

int sized_config_take(void *to, size_t known, size_t first, const void *from, const char *what,
		      struct cxlvm_error *err)
{
	const unsigned char *bytes = from;
	size_t size = size_of(from);

	if (size < first || size > SIZE_LIMIT) {
		cxlvm_error_set(err, -EINVAL,
				"%s configuration of %zu bytes, not within %zu and %u (%zu known)",
				what, size, first, SIZE_LIMIT, known);
		cxlvm_error_hint(err, "set size to the sizeof of the structure");
		return -EINVAL;
	}
	for (size_t i = known; i < size; i++) {
		if (!bytes[i])
			continue;
		cxlvm_error_set(
			err, -E2BIG,
			"%s configuration of %zu bytes is not 0 at %zu, %zu bytes are known", what,
			size, i, known);
		cxlvm_error_hint(err,
				 "this is libcxlvm %s: the program asks for what a later one "
				 "has, or did not clear the structure",
				 cxlvm_version());
		return -E2BIG;
	}
	memset(to, 0, known);
	memcpy(to, from, smaller(size, known));
	return 0;
}

void sized_table_take(void *to, size_t known, const void *from)
{
	memset(to, 0, known);
	memcpy(to, from, smaller(size_of(from), known));
}

void sized_give(void *to, size_t size, const void *from, size_t known)
{
	memset(to, 0, size);
	memcpy(to, from, smaller(size, known));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* parse.c - numbers, and what is said of what is not understood */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

bool parse_refuse(const struct parser *parser, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "cxlvm %s: ", parser->command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return false;
}

bool parse_size(const char *text, uint64_t *value)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (*value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

bool parse_number(const char *text, uint64_t least, uint64_t most, unsigned int *value)
{
	uint64_t number;

	if (!parse_size(text, &number) || number < least || number > most)
		return false;
	*value = (unsigned int)number;
	return true;
}

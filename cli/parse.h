/* SPDX-License-Identifier: BSD-3-Clause */
/* parse.h - what the files that take options apart share */
#ifndef CLI_PARSE_H
#define CLI_PARSE_H

#include "options.h"

struct parser {
	const char *command;
	struct options *options;
};

/* Print "cxlvm COMMAND: ..." to standard error; a hint is a second line of the text. Is false. */
bool parse_refuse(const struct parser *parser, const char *format, ...) CXLVM_PRINTF(2, 3);

/* A number, decimal or 0x..., with one of K, M, G, T behind it (powers of 1024), or without. */
bool parse_size(const char *text, uint64_t *value);

/* The same, from least to most. */
bool parse_number(const char *text, uint64_t least, uint64_t most, unsigned int *value);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* message.c - how errors look */
#include "command.h"

void print_error(const char *command, const struct cxlvm_error *err)
{
	fprintf(stderr, "cxlvm %s: %s\n", command, err->message);
	if (err->hint[0])
		fprintf(stderr, "  hint: %s\n", err->hint);
}

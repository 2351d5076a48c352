/* SPDX-License-Identifier: BSD-3-Clause */
/* message.c - how errors look */
#include <errno.h>
#include <string.h>

#include "command.h"

void print_error(const char *command, const struct cxlvm_error *err)
{
	const char *hint = err->hint;

	/* Whatever was to be opened. */
	if (err->code == -EMFILE && !strstr(hint, "ulimit"))
		hint = "allow more open files: ulimit -n 4096 in the shell that starts it";
	fprintf(stderr, "cxlvm %s: %s\n", command, err->message);
	if (hint[0])
		fprintf(stderr, "  hint: %s\n", hint);
}

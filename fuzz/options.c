/* SPDX-License-Identifier: BSD-3-Clause */
/* Target: the command line of run and plan, arguments separated by line ends. */
#include "options.h"

#include <string.h>

#define ARGS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[4096];
	char *argv[ARGS_MAX + 2] = { text }, *at;
	struct options options;
	int argc = 1;

	if (!size || size >= sizeof(text))
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (at = strchr(text, '\n'); at && argc <= ARGS_MAX; at = strchr(at, '\n')) {
		*at++ = '\0';
		argv[argc++] = at;
	}
	memset(&options, 0, sizeof(options));
	(void)options_parse(&options, data[0] & 1, argc, argv);
	options_finish(&options);
	return 0;
}

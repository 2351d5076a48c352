// SPDX-License-Identifier: BSD-3-Clause
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "selftest.h"

static unsigned int n, failed;
static char about[32];

void tests_are_about(const char *text)
{
	snprintf(about, sizeof(about), "%s", text);
}

bool result(bool passed, const char *name, const char *format, ...)
{
	va_list args;

	printf("%sok %u - %s: %s\n", passed ? "" : "not ", ++n, about, name);
	if (!passed) {
		failed++;
		printf("# ");
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
		printf("\n");
	}
	fflush(stdout);
	return passed;
}

void skip(const char *name, const char *reason)
{
	printf("ok %u - %s: %s # SKIP %s\n", ++n, about, name, reason);
	fflush(stdout);
}

void bail_out(const char *format, ...)
{
	va_list args;

	printf("Bail out! ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(1);
}

int finish(void)
{
	printf("1..%u\n", n);
	return failed || !n;
}

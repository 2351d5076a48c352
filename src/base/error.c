/* SPDX-License-Identifier: BSD-3-Clause */
#include <cxlvm/base.h>

#include <stdarg.h>
#include <stdio.h>

/* Names come from users and files: one line stays one line. */
static void one_line(char *text)
{
	for (; *text; text++)
		if (*text == '\n' || *text == '\r')
			*text = ' ';
}

int cxlvm_error_set(struct cxlvm_error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err || err->code)
		return code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->message, sizeof(err->message), format, args);
	va_end(args);
	one_line(err->message);
	err->hint[0] = '\0';
	return code;
}

void cxlvm_error_hint(struct cxlvm_error *err, const char *format, ...)
{
	va_list args;

	if (!err || !err->code || err->hint[0])
		return;
	va_start(args, format);
	vsnprintf(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	one_line(err->hint);
}

const char *cxlvm_version(void)
{
	return CXLVM_VERSION;
}

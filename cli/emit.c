/* SPDX-License-Identifier: BSD-3-Clause */
/* emit.c - what list and check print with */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "emit.h"

const char *emit_size(uint64_t size, char text[static EMIT_SIZE_MAX])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (size && !(size % 1024) && unit < 4) {
		size /= 1024;
		unit++;
	}
	snprintf(text, EMIT_SIZE_MAX, "%" PRIu64 " %s", size, units[unit]);
	return text;
}

void emit_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

void emit_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

void emit_string(struct json_object *object, const char *key, const char *value)
{
	if (value[0])
		json_object_object_add(object, key, json_object_new_string(value));
}

void emit_document(struct json_object *document)
{
	puts(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PRETTY |
							      JSON_C_TO_STRING_SPACED |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(document);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* emit.h - what list and check print with */
#ifndef CLI_EMIT_H
#define CLI_EMIT_H

#include <json-c/json.h>

#include <cxlvm/base.h>

#define EMIT_SIZE_MAX 32

/* "256 MiB": the largest unit that divides size. */
const char *emit_size(uint64_t size, char text[static EMIT_SIZE_MAX]);

void emit_u64(struct json_object *object, const char *key, uint64_t value);
void emit_bool(struct json_object *object, const char *key, bool value);
/* Left out when there is none. */
void emit_string(struct json_object *object, const char *key, const char *value);

/* Print and release it. */
void emit_document(struct json_object *document);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Just enough of JSON (RFC 8259) for a VERSION message. The library has no JSON library, and the
 * text comes from a peer: nothing is allocated, and nesting deeper than JSON_DEPTH_MAX is refused.
 */
#ifndef CXLVM_VFIO_USER_JSON_H
#define CXLVM_VFIO_USER_JSON_H

#include <cxlvm/base.h>

#define JSON_DEPTH_MAX 32u

struct json {
	const char *at, *end;
	unsigned int depth;
};

enum json_kind {
	JSON_OBJECT,
	JSON_ARRAY,
	JSON_STRING,
	JSON_NUMBER,
	JSON_WORD, /* true, false, null */
	JSON_BAD,
};

static inline void json_init(struct json *json, const char *text, size_t size)
{
	*json = (struct json){ .at = text, .end = text + size };
}

/* What stands next, behind white space. */
enum json_kind json_peek(struct json *json);

/*
 * Go through the members of the object that stands next: on_member is called behind each key (size
 * bytes, as written, escapes included) and reads the value or skips it. 0 or -EINVAL, also what
 * on_member returned.
 */
int json_object(struct json *json, void *owner,
		int (*on_member)(struct json *json, void *owner, const char *key, size_t size));

/* Read what stands next. -EINVAL when it is of another type; fractions and signs are refused. */
int json_u64(struct json *json, uint64_t *value);
int json_bool(struct json *json, bool *value);

/* Check and drop whatever stands next. */
int json_skip(struct json *json);

/* Nothing but white space is left: 0, else -EINVAL. */
int json_finish(struct json *json);

#endif

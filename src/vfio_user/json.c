/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/json.h"

#include <errno.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void skip_space(struct json *json)
{
	while (json->at < json->end && memchr(" \t\n\r", *json->at, 4))
		json->at++;
}

/* The next character, not taken; 0 at the end: a NUL inside is no JSON anyway. */
static char next(struct json *json)
{
	skip_space(json);
	return json->at < json->end ? *json->at : '\0';
}

static bool take(struct json *json, char c)
{
	if (next(json) != c)
		return false;
	json->at++;
	return true;
}

enum json_kind json_peek(struct json *json)
{
	char c = next(json);

	if (is_digit(c))
		return JSON_NUMBER;
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_ARRAY;
	case '"':
		return JSON_STRING;
	case '-':
		return JSON_NUMBER;
	case 't':
	case 'f':
	case 'n':
		return JSON_WORD;
	default:
		return JSON_BAD;
	}
}

/* Behind a backslash. */
static bool take_escape(struct json *json)
{
	if (json->at == json->end)
		return false;
	if (*json->at != 'u')
		return memchr("\"\\/bfnrt", *json->at++, 8);
	json->at++;
	for (unsigned int i = 0; i < 4; i++, json->at++)
		if (json->at == json->end || !is_hex(*json->at))
			return false;
	return true;
}

/* A string as it is written; its bytes are compared and never shown, so UTF-8 is not checked. */
static int take_string(struct json *json, const char **text, size_t *size)
{
	if (!take(json, '"'))
		return -EINVAL;
	*text = json->at;
	while (json->at < json->end && *json->at != '"') {
		unsigned char c = (unsigned char)*json->at++;

		if (c < 0x20 || (c == '\\' && !take_escape(json)))
			return -EINVAL;
	}
	*size = (size_t)(json->at - *text);
	return take(json, '"') ? 0 : -EINVAL;
}

static int take_word(struct json *json, const char *word)
{
	size_t size = strlen(word);

	skip_space(json);
	if ((size_t)(json->end - json->at) < size || memcmp(json->at, word, size))
		return -EINVAL;
	json->at += size;
	return 0;
}

static bool take_digits(struct json *json)
{
	const char *first = json->at;

	while (json->at < json->end && is_digit(*json->at))
		json->at++;
	return json->at > first;
}

static bool take_char(struct json *json, const char *set)
{
	if (json->at == json->end || !*json->at || !strchr(set, *json->at))
		return false;
	json->at++;
	return true;
}

static int skip_number(struct json *json)
{
	skip_space(json);
	take_char(json, "-");
	if (!take_char(json, "0") && !take_digits(json))
		return -EINVAL;
	if (take_char(json, ".") && !take_digits(json))
		return -EINVAL;
	if (take_char(json, "eE")) {
		take_char(json, "+-");
		if (!take_digits(json))
			return -EINVAL;
	}
	return 0;
}

int json_u64(struct json *json, uint64_t *value)
{
	const char *first;
	uint64_t sum = 0;

	skip_space(json);
	first = json->at;
	if (skip_number(json))
		return -EINVAL;
	for (; first < json->at; first++) {
		uint64_t digit = (uint64_t)(*first - '0');

		if (!is_digit(*first) || sum > (UINT64_MAX - digit) / 10)
			return -EINVAL;
		sum = 10 * sum + digit;
	}
	*value = sum;
	return 0;
}

int json_bool(struct json *json, bool *value)
{
	*value = next(json) == 't';
	return take_word(json, *value ? "true" : "false");
}

static int enter(struct json *json)
{
	return ++json->depth > JSON_DEPTH_MAX ? -EINVAL : 0;
}

/* Values lie in values: enter() lets at most JSON_DEPTH_MAX. NOLINTBEGIN(misc-no-recursion) */
int json_object(struct json *json, void *owner,
		int (*on_member)(struct json *json, void *owner, const char *key, size_t size))
{
	int ret = take(json, '{') ? enter(json) : -EINVAL;

	if (!ret && next(json) != '}')
		do {
			const char *key;
			size_t size;

			ret = take_string(json, &key, &size);
			if (!ret && !take(json, ':'))
				ret = -EINVAL;
			if (!ret)
				ret = on_member(json, owner, key, size);
		} while (!ret && take(json, ','));
	json->depth--;
	return ret ? ret : take(json, '}') ? 0 : -EINVAL;
}

static int skip_member(struct json *json, void *owner, const char *key, size_t size)
{
	(void)owner;
	(void)key;
	(void)size;
	return json_skip(json);
}

static int skip_array(struct json *json)
{
	int ret = take(json, '[') ? enter(json) : -EINVAL;

	if (!ret && next(json) != ']')
		do {
			ret = json_skip(json);
		} while (!ret && take(json, ','));
	json->depth--;
	return ret ? ret : take(json, ']') ? 0 : -EINVAL;
}

int json_skip(struct json *json)
{
	const char *text;
	size_t size;

	switch (json_peek(json)) {
	case JSON_OBJECT:
		return json_object(json, NULL, skip_member);
	case JSON_ARRAY:
		return skip_array(json);
	case JSON_STRING:
		return take_string(json, &text, &size);
	case JSON_NUMBER:
		return skip_number(json);
	case JSON_WORD:
		return take_word(json, *json->at == 't'   ? "true"
				       : *json->at == 'f' ? "false"
							  : "null");
	case JSON_BAD:
		break;
	}
	return -EINVAL;
}
/* NOLINTEND(misc-no-recursion) */

int json_finish(struct json *json)
{
	skip_space(json);
	return json->at == json->end ? 0 : -EINVAL;
}

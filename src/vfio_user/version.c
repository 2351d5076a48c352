/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "vfio_user/json.h"

static const struct vu_capabilities defaults = {
	.max_msg_fds = 1,
	.max_data_xfer_size = 1 << 20,
	.pgsizes = 4096,
	.max_dma_maps = 65535,
};

/* Capabilities that are numbers. */
static const struct {
	const char *name;
	size_t member;
} numbers[] = {
	{ "max_msg_fds", offsetof(struct vu_capabilities, max_msg_fds) },
	{ "max_data_xfer_size", offsetof(struct vu_capabilities, max_data_xfer_size) },
	{ "pgsizes", offsetof(struct vu_capabilities, pgsizes) },
	{ "max_dma_maps", offsetof(struct vu_capabilities, max_dma_maps) },
};

#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static uint64_t *number_of(struct vu_capabilities *caps, unsigned int i)
{
	return (uint64_t *)((char *)caps + numbers[i].member);
}

void vu_capabilities_default(struct vu_capabilities *caps)
{
	*caps = defaults;
}

static bool is_key(const char *key, size_t size, const char *name)
{
	return size == strlen(name) && !memcmp(key, name, size);
}

static int on_twin_socket(struct json *json, void *owner, const char *key, size_t size)
{
	struct vu_capabilities *caps = owner;

	if (is_key(key, size, "supported"))
		return json_bool(json, &caps->twin_socket);
	if (is_key(key, size, "fd_index")) {
		caps->has_twin_fd_index = true;
		return json_u64(json, &caps->twin_fd_index);
	}
	return json_skip(json);
}

static int on_capability(struct json *json, void *owner, const char *key, size_t size)
{
	struct vu_capabilities *caps = owner;

	for (unsigned int i = 0; i < N_NUMBERS; i++)
		if (is_key(key, size, numbers[i].name))
			return json_u64(json, number_of(caps, i));
	if (is_key(key, size, "write_multiple"))
		return json_bool(json, &caps->write_multiple);
	if (is_key(key, size, "twin_socket"))
		return json_object(json, caps, on_twin_socket);
	return json_skip(json);
}

static int on_top(struct json *json, void *owner, const char *key, size_t size)
{
	return is_key(key, size, "capabilities") ? json_object(json, owner, on_capability)
						 : json_skip(json);
}

int vu_version_decode(struct vu_version *version, const uint8_t *payload, size_t size)
{
	const char *text = (const char *)payload + VU_VERSION_JSON;
	struct json json;
	int ret;

	if (size < VU_VERSION_BYTES || size > VU_VERSION_MAX)
		return -EINVAL;
	version->major = get_le16(payload + VU_VERSION_MAJOR);
	version->minor = get_le16(payload + VU_VERSION_MINOR);
	version->caps = defaults;
	size -= VU_VERSION_JSON;
	if (!size)
		return 0;
	if (memchr(text, '\0', size) != text + size - 1)
		return -EINVAL;
	json_init(&json, text, size - 1);
	ret = json_object(&json, &version->caps, on_top);
	return ret ? ret : json_finish(&json);
}

/* Text being put together. */
struct text {
	char *bytes;
	size_t size, room; /* size may pass room: then it did not fit */
};

static void add(struct text *text, const char *format, ...) CXLVM_PRINTF(2, 3);

static void add(struct text *text, const char *format, ...)
{
	size_t at = text->size < text->room ? text->size : text->room;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->bytes + at, text->room - at, format, args);
	va_end(args);
	text->size += n < 0 ? text->room : (size_t)n;
}

int vu_version_encode(uint8_t payload[VU_VERSION_SEND_MAX], const struct vu_version *version)
{
	struct vu_capabilities caps = version->caps, usual = defaults;
	struct text text = {
		.bytes = (char *)payload + VU_VERSION_JSON,
		.room = VU_VERSION_SEND_MAX - VU_VERSION_JSON,
	};
	const char *between = "";

	put_le16(payload + VU_VERSION_MAJOR, version->major);
	put_le16(payload + VU_VERSION_MINOR, version->minor);
	add(&text, "{\"capabilities\":{");
	for (unsigned int i = 0; i < N_NUMBERS; i++) {
		if (*number_of(&caps, i) == *number_of(&usual, i))
			continue;
		add(&text, "%s\"%s\":%" PRIu64, between, numbers[i].name, *number_of(&caps, i));
		between = ",";
	}
	if (caps.write_multiple) {
		add(&text, "%s\"write_multiple\":true", between);
		between = ",";
	}
	if (caps.twin_socket) {
		add(&text, "%s\"twin_socket\":{\"supported\":true", between);
		if (caps.has_twin_fd_index)
			add(&text, ",\"fd_index\":%" PRIu64, caps.twin_fd_index);
		add(&text, "}");
	}
	add(&text, "}}");
	/* With its NUL. */
	return text.size < text.room ? (int)(VU_VERSION_JSON + text.size + 1) : -EMSGSIZE;
}

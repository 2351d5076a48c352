/* SPDX-License-Identifier: BSD-3-Clause */
/* The payload of VERSION, and the JSON in it, which a peer wrote. */
#include <errno.h>
#include <stdlib.h>

#include "test.h"
#include "vfio_user/version.h"

/* What a QEMU 11 client proposes. */
static const char qemu[] = "{\"capabilities\":{\"migration\":{\"max_bitmap_size\":268435456,"
			   "\"pgsize\":4096},\"max_msg_fds\":16,\"pgsizes\":4096,"
			   "\"max_data_xfer_size\":1048576,\"max_dma_maps\":65535,"
			   "\"write_multiple\":true}}";

static int decode(struct vu_version *version, const char *json, size_t size)
{
	/* On the heap, so that reading too far is seen. */
	uint8_t *payload = malloc(4 + size);
	int ret;

	assert_non_null(payload);
	memcpy(payload, "\0\0\1\0", 4);
	memcpy(payload + 4, json, size);
	ret = vu_version_decode(version, payload, 4 + size);
	free(payload);
	return ret;
}

static int decode_text(struct vu_version *version, const char *json)
{
	return decode(version, json, strlen(json) + 1);
}

static void assert_defaults(const struct vu_capabilities *caps)
{
	assert_int_equal(caps->max_msg_fds, 1);
	assert_int_equal(caps->max_data_xfer_size, 1048576);
	assert_int_equal(caps->pgsizes, 4096);
	assert_int_equal(caps->max_dma_maps, 65535);
	assert_false(caps->write_multiple);
	assert_false(caps->twin_socket);
	assert_false(caps->has_twin_fd_index);
}

static void what_is_not_said_has_its_default(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{\"capabilities\":{}}",
		" {\t\"capabilities\" : { } } \r\n",
		"{\"other\":[1,2.5e-3,{\"a\":null}],\"capabilities\":{\"more\":\"\\u00e4\\\"}\"}}",
		"{\"max_msg_fds\":7}",
		"{\"capabilities\":{\"twin_socket\":{\"fd_indexes\":3},\"x\":{\"max_msg_fds\":7}}}",
		"{\"capabilities\":{\"bytes\":\"\xff\xc0\"}}",
	};
	struct vu_version version;

	(void)state;
	assert_int_equal(decode(&version, "", 0), 0);
	assert_int_equal(version.major, 0);
	assert_int_equal(version.minor, 1);
	assert_defaults(&version.caps);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		assert_int_equal(decode_text(&version, texts[i]), 0);
		assert_defaults(&version.caps);
	}
}

static void what_is_said_is_taken(void **state)
{
	struct vu_version version;

	(void)state;
	assert_int_equal(decode_text(&version, qemu), 0);
	assert_int_equal(version.caps.max_msg_fds, 16);
	assert_true(version.caps.write_multiple);
	assert_false(version.caps.twin_socket);
	assert_int_equal(decode_text(&version,
				     "{\"capabilities\":{\"max_data_xfer_size\":65536,"
				     "\"pgsizes\":18446744073709551615,\"max_dma_maps\":0,"
				     "\"twin_socket\":{\"supported\":true,\"fd_index\":2}}}"),
			 0);
	assert_int_equal(version.caps.max_data_xfer_size, 65536);
	assert_true(version.caps.pgsizes == UINT64_MAX);
	assert_int_equal(version.caps.max_dma_maps, 0);
	assert_true(version.caps.twin_socket && version.caps.has_twin_fd_index);
	assert_int_equal(version.caps.twin_fd_index, 2);
	/* The last of two. */
	assert_int_equal(decode_text(&version, "{\"capabilities\":{\"max_msg_fds\":3,"
					       "\"max_msg_fds\":5}}"),
			 0);
	assert_int_equal(version.caps.max_msg_fds, 5);
}

static void bad_json_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		" ",
		"{",
		"}",
		"[]",
		"7",
		"null",
		"\"text\"",
		"{}x",
		"{}{}",
		"{\"a\"}",
		"{\"a\":}",
		"{\"a\":1,}",
		"{,}",
		"{a:1}",
		"{'a':1}",
		"{\"a\":1 \"b\":2}",
		"{\"a\":tru}",
		"{\"a\":TRUE}",
		"{\"a\":01}",
		"{\"a\":1.}",
		"{\"a\":.5}",
		"{\"a\":1e}",
		"{\"a\":-}",
		"{\"a\":+1}",
		"{\"a\":[1,]}",
		"{\"a\":[1 2]}",
		"{\"a\":\"\\x\"}",
		"{\"a\":\"\\u12g4\"}",
		"{\"a\":\"\\",
		"{\"a\":\"\\u",
		"{\"a\":\"\\u12",
		"{\"a\":\"\n\"}",
		"{\"a\":\"",
		"{\"capabilities\":7}",
		"{\"capabilities\":[]}",
		"{\"capabilities\":null}",
		"{\"capabilities\":{\"max_msg_fds\":\"16\"}}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":1.5}}",
		"{\"capabilities\":{\"max_msg_fds\":1e3}}",
		"{\"capabilities\":{\"max_msg_fds\":true}}",
		"{\"capabilities\":{\"max_msg_fds\":null}}",
		"{\"capabilities\":{\"max_msg_fds\":{}}}",
		"{\"capabilities\":{\"pgsizes\":18446744073709551616}}",
		"{\"capabilities\":{\"pgsizes\":99999999999999999999999999}}",
		"{\"capabilities\":{\"write_multiple\":1}}",
		"{\"capabilities\":{\"twin_socket\":true}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":1}}}",
		"{\"capabilities\":{\"twin_socket\":{\"fd_index\":-1}}}",
	};
	struct vu_version version;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_int_equal(decode_text(&version, texts[i]), -EINVAL);
}

static void the_terminating_nul_is_where_it_must_be(void **state)
{
	struct vu_version version;

	(void)state;
	assert_int_equal(decode(&version, "{}", 2), -EINVAL);
	assert_int_equal(decode(&version, "{}\0", 3), 0);
	assert_int_equal(decode(&version, "{}\0\0", 4), -EINVAL);
	assert_int_equal(decode(&version, "{\0}\0", 4), -EINVAL);
	assert_int_equal(decode(&version, "\0", 1), -EINVAL);
	assert_int_equal(vu_version_decode(&version, (const uint8_t *)"\0\0\0", 3), -EINVAL);
}

static void json_cut_at_any_byte_is_refused(void **state)
{
	struct vu_version version;
	char text[sizeof(qemu)];

	(void)state;
	for (size_t cut = 1; cut < sizeof(qemu) - 1; cut++) {
		memcpy(text, qemu, cut);
		text[cut] = '\0';
		assert_int_equal(decode(&version, text, cut + 1), -EINVAL);
	}
}

static void length_and_nesting_are_bounded(void **state)
{
	static char text[1 << 20];
	struct vu_version version;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "{}", 2);
	text[4091] = '\0';
	assert_int_equal(decode(&version, text, 4092), 0);
	text[4091] = ' ';
	text[4092] = '\0';
	assert_int_equal(decode(&version, text, 4093), -EINVAL);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(decode(&version, text, sizeof(text)), -EINVAL);

	/* {"a":[[[...]]]}: the object and 31 arrays pass. */
	for (size_t depth = 1; depth < 2000; depth++) {
		memcpy(text, "{\"a\":", 5);
		memset(text + 5, '[', depth);
		memset(text + 5 + depth, ']', depth);
		memcpy(text + 5 + 2 * depth, "}", 2);
		assert_int_equal(decode_text(&version, text), depth < 32 ? 0 : -EINVAL);
	}
	/* Never closed. */
	memset(text, '[', 4000);
	text[4000] = '\0';
	assert_int_equal(decode_text(&version, text), -EINVAL);
}

static void encoding_golden_bytes(void **state)
{
	static const char wanted[] =
		"\0\0\0\0{\"capabilities\":{\"max_msg_fds\":16,\"twin_socket\":"
		"{\"supported\":true,\"fd_index\":0}}}";
	static const char nothing[] = "\0\0\2\0{\"capabilities\":{}}";
	uint8_t payload[VU_VERSION_SEND_MAX];
	struct vu_version version = { .minor = 2 };

	(void)state;
	vu_capabilities_default(&version.caps);
	assert_int_equal(vu_version_encode(payload, &version), sizeof(nothing));
	assert_memory_equal(payload, nothing, sizeof(nothing));
	version.minor = 0;
	version.caps.max_msg_fds = 16;
	version.caps.twin_socket = version.caps.has_twin_fd_index = true;
	assert_int_equal(vu_version_encode(payload, &version), sizeof(wanted));
	assert_memory_equal(payload, wanted, sizeof(wanted));
}

static void encoding_is_read_back_and_bounded(void **state)
{
	uint8_t payload[VU_VERSION_SEND_MAX];
	struct vu_version version = { .minor = 1 }, again;
	int n;

	(void)state;
	vu_capabilities_default(&version.caps);
	version.caps.max_msg_fds = 8;
	version.caps.max_data_xfer_size = 4096;
	version.caps.pgsizes = 0x40201000;
	version.caps.max_dma_maps = 1;
	version.caps.write_multiple = true;
	version.caps.twin_socket = true;
	n = vu_version_encode(payload, &version);
	assert_in_range(n, 1, VU_VERSION_SEND_MAX);
	assert_int_equal(vu_version_decode(&again, payload, (size_t)n), 0);
	assert_memory_equal(&again.caps, &version.caps, sizeof(again.caps));
	/* Too much for the buffer of a QEMU client. */
	version.caps.max_msg_fds = version.caps.max_data_xfer_size = UINT64_MAX;
	version.caps.pgsizes = version.caps.max_dma_maps = UINT64_MAX - 1;
	assert_int_equal(vu_version_encode(payload, &version), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(what_is_said_is_taken),
		cmocka_unit_test(bad_json_is_refused),
		cmocka_unit_test(the_terminating_nul_is_where_it_must_be),
		cmocka_unit_test(json_cut_at_any_byte_is_refused),
		cmocka_unit_test(length_and_nesting_are_bounded),
		cmocka_unit_test(encoding_golden_bytes),
		cmocka_unit_test(encoding_is_read_back_and_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

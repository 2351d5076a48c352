/* SPDX-License-Identifier: BSD-3-Clause */
/* Host bridge and root port for hosts without a model: linux-cxl-guest.md sections 4, 5, 7. */
#include <cxlvm/cxlvm.h>

#include <errno.h>
#include <stdlib.h>

#include "fake.h"
#include "test.h"

#define ROOT_PORT(n)                                                                            \
	(&(const struct cxlvm_root_port_config){ .size = sizeof(struct cxlvm_root_port_config), \
						 .bar = (n) })

#define ONES(length) ((length) >= 8 ? UINT64_MAX : (1ull << (8 * (length))) - 1)

/* "Minimal HB block": root port number 3, 256 MiB at 0x2_5000_0000. */
static const struct cxlvm_bridge_decoder decoder = {
	.base = { 0x250000000 },
	.size = 0x10000000,
	.port = 3,
	.control = 0x700,
	.global_control = 2,
};

static const struct {
	uint64_t offset;
	uint32_t value;
} minimal_block[] = {
	{ 0x1000, 0x01110001 }, { 0x1004, 0x10010005 }, { 0x1100, 0x00000010 },
	{ 0x1104, 0x00000002 }, { 0x1110, 0x50000000 }, { 0x1114, 0x00000002 },
	{ 0x1118, 0x10000000 }, { 0x111c, 0x00000000 }, { 0x1120, 0x00000700 },
	{ 0x1124, 0x00000003 }, { 0x1128, 0x00000000 },
};

static uint32_t wanted(uint64_t offset)
{
	for (size_t i = 0; i < ARRAY_SIZE(minimal_block); i++)
		if (minimal_block[i].offset == offset)
			return minimal_block[i].value;
	return 0;
}

static int make_bridge(void **state)
{
	struct cxlvm_bridge *bridge = NULL;

	assert_int_equal(cxlvm_bridge_create(NULL, &bridge, NULL), 0);
	*state = bridge;
	return 0;
}

static int end_bridge(void **state)
{
	cxlvm_bridge_destroy(*state);
	return 0;
}

static void check_block(const struct cxlvm_bridge *bridge)
{
	for (uint64_t offset = 0; offset < 0x10000; offset += 4)
		if (cxlvm_bridge_read(bridge, offset, 4) != wanted(offset))
			fail_msg("0x%04llx is 0x%08llx, not 0x%08x", (unsigned long long)offset,
				 (unsigned long long)cxlvm_bridge_read(bridge, offset, 4),
				 wanted(offset));
}

static void bridge_shows_the_minimal_block(void **state)
{
	struct cxlvm_bridge_decoder shown;

	assert_int_equal(cxlvm_bridge_publish(*state, &decoder), 0);
	check_block(*state);
	cxlvm_bridge_get(*state, &shown);
	assert_int_equal(shown.base.value, decoder.base.value);
	assert_int_equal(shown.size, decoder.size);
	assert_int_equal(shown.port, 3);
	assert_int_equal(shown.control, 0x700);
	assert_int_equal(shown.global_control, 2);
}

static void check_reset_state(const struct cxlvm_bridge *bridge)
{
	struct cxlvm_bridge_decoder shown;

	assert_int_equal(cxlvm_bridge_read(bridge, 0x1000, 4), 0x01110001);
	assert_int_equal(cxlvm_bridge_read(bridge, 0x1004, 4), 0x10010005);
	assert_int_equal(cxlvm_bridge_read(bridge, 0x1100, 4), 0x10);
	for (uint64_t offset = 0x1110; offset < 0x1120; offset += 4)
		assert_int_equal(cxlvm_bridge_read(bridge, offset, 4), 0);
	assert_int_equal(cxlvm_bridge_read(bridge, 0x1120, 4) & 0x700, 0);
	assert_int_equal(cxlvm_bridge_read(bridge, 0x1124, 4), 0);
	cxlvm_bridge_get(bridge, &shown);
	assert_int_equal(shown.size, 0);
}

static void bridge_is_uncommitted_after_create_reset_and_size_0(void **state)
{
	struct cxlvm_bridge_decoder none = { .size = 0 };

	check_reset_state(*state);
	assert_int_equal(cxlvm_bridge_publish(*state, &decoder), 0);
	cxlvm_bridge_reset(*state);
	check_reset_state(*state);
	assert_int_equal(cxlvm_bridge_publish(*state, &decoder), 0);
	assert_int_equal(cxlvm_bridge_publish(*state, &none), 0);
	check_reset_state(*state);
	assert_int_equal(cxlvm_bridge_publish(*state, &decoder), 0);
	check_block(*state);
}

static void bridge_published_decoder_is_locked(void **state)
{
	static const uint64_t values[] = { 0, UINT64_MAX, 0x200, 0x600, 0xdeadbeefcafe1234 };

	assert_int_equal(cxlvm_bridge_publish(*state, &decoder), 0);
	for (uint64_t offset = 0x0ff0; offset < 0x1140; offset++)
		for (unsigned int length = 1; length <= 8; length++)
			for (size_t v = 0; v < ARRAY_SIZE(values); v++)
				cxlvm_bridge_write(*state, offset, length,
						   values[v] & ONES(length));
	check_block(*state);
}

static void bridge_access_rules(void **state)
{
	struct cxlvm_bridge *bridge = *state;

	assert_int_equal(cxlvm_bridge_publish(bridge, &decoder), 0);
	for (uint64_t offset = 0x1000; offset < 0x1140; offset++) {
		uint64_t low = wanted(offset & ~3ull);
		uint64_t both = low | (uint64_t)wanted((offset & ~3ull) + 4) << 32;
		unsigned int shift = 8 * (unsigned int)(offset & 3);

		for (unsigned int length = 1; length <= 8; length++) {
			bool whole = length == 1 || length == 2 || length == 4 || length == 8;
			uint64_t want = ONES(length);

			if (whole && offset % length == 0)
				want &= length == 8 ? both : low >> shift;
			if (cxlvm_bridge_read(bridge, offset, length) != want)
				fail_msg("read of %u at 0x%llx", length,
					 (unsigned long long)offset);
		}
	}
}

static void bridge_reads_ones_past_the_end(void **state)
{
	static const uint64_t past[] = { 0x10000, 0x10004, 0x20000, UINT64_MAX - 7, UINT64_MAX };

	for (unsigned int length = 1; length <= 8; length++) {
		for (size_t i = 0; i < ARRAY_SIZE(past); i++) {
			assert_true(cxlvm_bridge_read(*state, past[i], length) == ONES(length));
			cxlvm_bridge_write(*state, past[i], length, 0);
		}
		if (length > 1)
			assert_true(cxlvm_bridge_read(*state, 0x10000 - length + 1, length) ==
				    ONES(length));
	}
}

static void bridge_refuses_what_no_decoder_can_show(void **state)
{
	struct cxlvm_bridge_decoder bad = decoder;

	assert_int_equal(cxlvm_bridge_publish(*state, &decoder), 0);
	bad.base.value += 0x1000;
	assert_int_equal(cxlvm_bridge_publish(*state, &bad), -EINVAL);
	bad = decoder;
	bad.size = 0x8000000;
	assert_int_equal(cxlvm_bridge_publish(*state, &bad), -EINVAL);
	bad = decoder;
	bad.base.value = 0xfffffffff0000000;
	bad.size = 0x20000000;
	assert_int_equal(cxlvm_bridge_publish(*state, &bad), -EINVAL);
	check_block(*state); /* unchanged on failure */
}

/* linux-cxl-guest.md 7.1 and 7.3: the DVSECs of a root port, found as Linux does. */
static void root_port_has_its_dvsecs(void **state)
{
	static const struct {
		uint32_t id, length;
	} must[] = { { 3, 0x28 }, { 4, 0x10 }, { 7, 0 }, { 8, 0 } };
	bool seen[16] = { false };
	struct cxlvm_root_port *port = NULL;
	uint32_t at = 0x100, steps = 0;

	(void)state;
	assert_int_equal(cxlvm_root_port_create(ROOT_PORT(2), &port, NULL), 0);
	for (; at && steps < 16; steps++) {
		uint32_t header = cxlvm_root_port_config_read(port, at, 4);
		uint32_t second = cxlvm_root_port_config_read(port, at + 4, 4);
		uint32_t id = cxlvm_root_port_config_read(port, at + 8, 2);

		assert_int_equal(header & 0xfffff, 0x10023);
		assert_int_equal(second & 0xffff, 0x1e98);
		if (id >= ARRAY_SIZE(seen) || seen[id])
			fail_msg("DVSEC %u unknown, or a second one", id);
		seen[id] = true;
		for (size_t i = 0; i < ARRAY_SIZE(must); i++)
			if (must[i].id == id && must[i].length)
				assert_int_equal(second >> 20, must[i].length);
		if (id == 8) {
			/* one component entry at BAR 2, offset 0; length says how many there are */
			assert_true((second >> 20) >= 0x14 && (second >> 20) % 8 == 4);
			assert_int_equal(cxlvm_root_port_config_read(port, at + 0xc, 4), 0x102);
			assert_int_equal(cxlvm_root_port_config_read(port, at + 0x10, 4), 0);
		}
		if (id == 7)
			assert_int_equal(cxlvm_root_port_config_read(port, at + 0xe, 2) & 4, 4);
		assert_true(header >> 20 == 0 || header >> 20 >= at + (second >> 20));
		at = header >> 20;
	}
	assert_int_equal(at, 0);
	for (size_t i = 0; i < ARRAY_SIZE(must); i++)
		assert_true(seen[must[i].id]);
	/* nothing below 0x100, nothing after the last */
	assert_int_equal(cxlvm_root_port_config_read(port, 0xffc, 4), 0);
	cxlvm_root_port_destroy(port);
}

static uint32_t find_dvsec(struct cxlvm_root_port *port, uint32_t id)
{
	uint32_t at = 0x100;

	while (at && cxlvm_root_port_config_read(port, at + 8, 2) != id)
		at = cxlvm_root_port_config_read(port, at, 4) >> 20;
	assert_true(at);
	return at;
}

/* Linux writes 0x0702 to both GPF phase controls: it sticks or is dropped, no more. */
static void root_port_takes_the_gpf_writes_of_linux(void **state)
{
	struct cxlvm_root_port *port = NULL;
	uint32_t at, before;

	(void)state;
	assert_int_equal(cxlvm_root_port_create(ROOT_PORT(0), &port, NULL), 0);
	at = find_dvsec(port, 4);
	before = cxlvm_root_port_config_read(port, at + 0xc, 4);
	cxlvm_root_port_config_write(port, at + 0xc, 2, 0x0702);
	cxlvm_root_port_config_write(port, at + 0xe, 2, 0x0702);
	assert_true(cxlvm_root_port_config_read(port, at + 0xc, 4) == 0x07020702 ||
		    cxlvm_root_port_config_read(port, at + 0xc, 4) == before);
	cxlvm_root_port_reset(port);
	assert_int_equal(cxlvm_root_port_config_read(port, at + 0xc, 4), before);
	cxlvm_root_port_destroy(port);
}

static void root_port_headers_survive_writes(void **state)
{
	struct cxlvm_root_port *port = NULL;
	uint32_t at = 0x100;

	(void)state;
	assert_int_equal(cxlvm_root_port_create(ROOT_PORT(0), &port, NULL), 0);
	while (at) {
		uint32_t header[3];

		for (unsigned int i = 0; i < 3; i++)
			header[i] = cxlvm_root_port_config_read(port, at + 4 * i, 4);
		for (unsigned int i = 0; i < 3; i++)
			cxlvm_root_port_config_write(port, at + 4 * i, 4, ~header[i]);
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(cxlvm_root_port_config_read(port, at + 4 * i, 4),
					 header[i]);
		assert_int_equal(cxlvm_root_port_config_read(port, at + 8, 2), header[2] & 0xffff);
		at = header[0] >> 20;
	}
	cxlvm_root_port_destroy(port);
}

static void root_port_block_has_no_decoder(void **state)
{
	struct cxlvm_root_port *port = NULL;
	uint64_t header;

	(void)state;
	assert_int_equal(cxlvm_root_port_create(ROOT_PORT(0), &port, NULL), 0);
	header = cxlvm_root_port_read(port, 0x1000, 4);
	assert_int_equal(header & 0xffff, 1);
	for (unsigned int i = 1; i <= header >> 24; i++)
		assert_int_not_equal(cxlvm_root_port_read(port, 0x1000 + 4 * i, 4) & 0xffff, 5);
	assert_int_equal(cxlvm_root_port_read(port, 0x1001, 4), 0xffffffff);
	assert_int_equal(cxlvm_root_port_read(port, 0x10000, 4), 0xffffffff);
	for (uint64_t offset = 0; offset < 0x10000; offset += 4)
		cxlvm_root_port_write(port, offset, 4, 0xffffffff);
	assert_int_equal(cxlvm_root_port_read(port, 0x1000, 4), header);
	cxlvm_root_port_destroy(port);
}

static void root_port_refuses_bar_6(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_root_port *port = NULL;

	(void)state;
	assert_int_equal(cxlvm_root_port_create(ROOT_PORT(6), &port, &err), -EINVAL);
	assert_null(port);
	assert_non_null(strchr(err.message, '6'));
	cxlvm_root_port_destroy(NULL);
	cxlvm_bridge_destroy(NULL);
}

/* Policy guest: what the bridge said last, how often, and what it showed meanwhile. */
struct listener {
	struct cxlvm_bridge *bridge;
	struct cxlvm_bridge_decoder said;
	unsigned int times;
	bool committed_meanwhile;
};

static void listen_to(void *host, const struct cxlvm_bridge_decoder *shown)
{
	struct listener *listener = host;

	listener->said = *shown;
	listener->times++;
	listener->committed_meanwhile = cxlvm_bridge_read(listener->bridge, 0x1120, 4) & 0x400;
}

static int make_guest_bridge(void **state)
{
	struct listener *listener = calloc(1, sizeof(*listener));
	struct cxlvm_bridge_config config = {
		.size = sizeof(config),
		.decoder = CXLVM_DECODER_GUEST,
		.changed = listen_to,
		.host = listener,
	};

	assert_non_null(listener);
	assert_int_equal(cxlvm_bridge_create(&config, &listener->bridge, NULL), 0);
	*state = listener;
	return 0;
}

static int end_guest_bridge(void **state)
{
	struct listener *listener = *state;

	cxlvm_bridge_destroy(listener->bridge);
	free(listener);
	return 0;
}

/* Registers of the HDM decoder capability. */
static void set(struct listener *listener, uint64_t at, uint32_t value)
{
	cxlvm_bridge_write(listener->bridge, 0x1100 + at, 4, value);
}

static uint32_t get(struct listener *listener, uint64_t at)
{
	return (uint32_t)cxlvm_bridge_read(listener->bridge, 0x1100 + at, 4);
}

static void set_minimal(struct listener *listener)
{
	set(listener, 0x10, 0x50000000);
	set(listener, 0x14, 2);
	set(listener, 0x18, 0x10000000);
	set(listener, 0x1c, 0);
	set(listener, 0x24, 3);
}

static void bridge_guest_commits_and_locks(void **state)
{
	struct listener *listener = *state;
	struct cxlvm_bridge_decoder shown;

	assert_int_equal(get(listener, 0x04), 2);
	assert_int_equal(get(listener, 0x20), 0);
	set_minimal(listener);
	assert_int_equal(listener->times, 0);
	set(listener, 0x20, 0x300);
	check_block(listener->bridge);
	assert_int_equal(listener->times, 1);
	assert_true(listener->said.base.value == 0x250000000);
	assert_true(listener->said.size == 0x10000000);
	assert_int_equal(listener->said.port, 3);
	assert_int_equal(listener->said.control, 0x700);
	assert_int_equal(listener->said.global_control, 2);
	cxlvm_bridge_get(listener->bridge, &shown);
	assert_true(shown.size == 0x10000000);
	/* locked: nothing goes any more */
	for (uint64_t at = 0x08; at < 0x30; at += 4) {
		set(listener, at, 0);
		set(listener, at, UINT32_MAX);
	}
	set(listener, 0x00, UINT32_MAX);
	cxlvm_bridge_write(listener->bridge, 0x1000, 8, UINT64_MAX);
	check_block(listener->bridge);
	assert_int_equal(listener->times, 1);
}

static void bridge_guest_decommit_tells_first(void **state)
{
	struct listener *listener = *state;

	set_minimal(listener);
	set(listener, 0x20, 0x200);
	assert_int_equal(get(listener, 0x20), 0x600);
	/* committed, not locked: commit 1 changes nothing */
	set(listener, 0x20, 0x3fff);
	set(listener, 0x10, 0x60000000);
	assert_int_equal(get(listener, 0x20), 0x600);
	assert_int_equal(get(listener, 0x10), 0x50000000);
	assert_int_equal(listener->times, 1);
	set(listener, 0x20, 0);
	assert_int_equal(listener->times, 2);
	assert_true(listener->said.size == 0);
	assert_true(listener->committed_meanwhile);
	assert_int_equal(get(listener, 0x20), 0);
	set(listener, 0x10, 0x6fffffff);
	assert_int_equal(get(listener, 0x10), 0x60000000);
	/* and a reset of a committed one */
	set(listener, 0x20, 0x200);
	cxlvm_bridge_reset(listener->bridge);
	assert_int_equal(listener->times, 4);
	assert_true(listener->said.size == 0);
	assert_int_equal(get(listener, 0x10), 0);
	assert_int_equal(get(listener, 0x20), 0);
	cxlvm_bridge_reset(listener->bridge);
	assert_int_equal(listener->times, 4);
}

static void bridge_guest_bad_commits_give_the_error_bit(void **state)
{
	struct listener *listener = *state;

	set_minimal(listener);
	set(listener, 0x20, 0x210); /* interleaves */
	assert_int_equal(get(listener, 0x20), 0xa10);
	set(listener, 0x20, 0x207); /* granularity without meaning */
	assert_int_equal(get(listener, 0x20), 0xa07);
	set(listener, 0x10, 0xf0000000);
	set(listener, 0x14, 0xffffffff);
	set(listener, 0x18, 0x20000000); /* wraps */
	set(listener, 0x20, 0x200);
	assert_int_equal(get(listener, 0x20), 0xa00);
	set(listener, 0x20, 0);
	assert_int_equal(get(listener, 0x20), 0);
	assert_int_equal(listener->times, 0);
	/* the last granule of the address space is none that wraps */
	set(listener, 0x18, 0x10000000);
	set(listener, 0x20, 0x200);
	assert_int_equal(get(listener, 0x20), 0x600);
}

static void bridge_guest_global_enable_is_told(void **state)
{
	struct listener *listener = *state;

	set_minimal(listener);
	set(listener, 0x20, 0x300);
	set(listener, 0x04, 0xfffffffd);
	assert_int_equal(get(listener, 0x04), 0);
	assert_int_equal(listener->times, 2);
	assert_int_equal(listener->said.global_control, 0);
	set(listener, 0x04, 0);
	assert_int_equal(listener->times, 2);
	set(listener, 0x04, 2);
	assert_int_equal(listener->times, 3);
	assert_int_equal(listener->said.global_control, 2);
	assert_true(listener->said.size == 0x10000000);
}

static void bridge_guest_access_rules(void **state)
{
	struct listener *listener = *state;
	struct cxlvm_bridge *bridge = listener->bridge;

	cxlvm_bridge_write(bridge, 0x1110, 8, 0x250000000);
	cxlvm_bridge_write(bridge, 0x1118, 8, 0x10000000);
	cxlvm_bridge_write(bridge, 0x1124, 4, 3);
	cxlvm_bridge_write(bridge, 0x1120, 1, 0xff);
	cxlvm_bridge_write(bridge, 0x1120, 2, 0x300);
	cxlvm_bridge_write(bridge, 0x111e, 8, UINT64_MAX);
	cxlvm_bridge_write(bridge, 0xfffc, 8, UINT64_MAX);
	cxlvm_bridge_write(bridge, UINT64_MAX - 3, 4, UINT32_MAX);
	cxlvm_bridge_write(bridge, 0x1130, 4, UINT32_MAX);
	cxlvm_bridge_write(bridge, 0x10fc, 4, UINT32_MAX);
	assert_int_equal(get(listener, 0x20), 0);
	cxlvm_bridge_write(bridge, 0x1120, 4, 0x300);
	check_block(bridge);
}

static void bridge_guest_is_not_published(void **state)
{
	struct listener *listener = *state;

	assert_int_equal(cxlvm_bridge_publish(listener->bridge, &decoder), -EPERM);
	assert_int_equal(get(listener, 0x20), 0);
}

static void bridge_refuses_a_bad_configuration(void **state)
{
	struct cxlvm_bridge_config good = {
		.size = sizeof(good),
		.decoder = CXLVM_DECODER_GUEST,
		.changed = listen_to,
	};
	struct cxlvm_bridge_config bad = good;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_bridge *bridge = NULL;

	(void)state;
	bad.size = offsetof(struct cxlvm_bridge_config, decoder);
	assert_int_equal(cxlvm_bridge_create(&bad, &bridge, &err), -EINVAL);
	assert_non_null(strstr(err.message, "bytes"));
	bad = good;
	bad.decoder = (enum cxlvm_decoder_policy)7;
	assert_int_equal(cxlvm_bridge_create(&bad, &bridge, NULL), -EINVAL);
	bad = good;
	bad.changed = NULL;
	assert_int_equal(cxlvm_bridge_create(&bad, &bridge, NULL), -EINVAL);
	assert_null(bridge);
	bad.decoder = CXLVM_DECODER_LOCKED;
	assert_int_equal(cxlvm_bridge_create(&bad, &bridge, NULL), 0);
	cxlvm_bridge_destroy(bridge);
}

int main(void)
{
#define GUEST(f)  cmocka_unit_test_setup_teardown(f, make_guest_bridge, end_guest_bridge)
#define BRIDGE(f) cmocka_unit_test_setup_teardown(f, make_bridge, end_bridge)
	const struct CMUnitTest tests[] = {
		BRIDGE(bridge_shows_the_minimal_block),
		BRIDGE(bridge_is_uncommitted_after_create_reset_and_size_0),
		BRIDGE(bridge_published_decoder_is_locked),
		BRIDGE(bridge_access_rules),
		BRIDGE(bridge_reads_ones_past_the_end),
		BRIDGE(bridge_refuses_what_no_decoder_can_show),
		GUEST(bridge_guest_commits_and_locks),
		GUEST(bridge_guest_decommit_tells_first),
		GUEST(bridge_guest_bad_commits_give_the_error_bit),
		GUEST(bridge_guest_global_enable_is_told),
		GUEST(bridge_guest_access_rules),
		GUEST(bridge_guest_is_not_published),
		cmocka_unit_test(bridge_refuses_a_bad_configuration),
		cmocka_unit_test(root_port_has_its_dvsecs),
		cmocka_unit_test(root_port_takes_the_gpf_writes_of_linux),
		cmocka_unit_test(root_port_headers_survive_writes),
		cmocka_unit_test(root_port_block_has_no_decoder),
		cmocka_unit_test(root_port_refuses_bar_6),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

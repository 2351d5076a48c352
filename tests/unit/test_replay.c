/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices of captured machines (tests/machines/generation-N.machine): what a real kernel answered, of
 * the lab's module in each generation, goes through realize like a device.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <cxlvm/cxlvm.h>

#include "replay.h"
#include "test.h"

#define MEMORY    0x10000000ull
#define HOST_BASE 0x6a700000000ull /* where decoder 0 of the captured device really is */
#define UID       1
#define SPANS_MAX 8

struct rig {
	struct fs *fs;
	struct replay replay;
	struct cxlvm_machine *machine;
	struct cxlvm_endpoint *endpoint;
	unsigned int prepared;
};

static int prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
		   struct cxlvm_error *err)
{
	(void)areas;
	(void)n;
	(void)err;
	((struct rig *)host)->prepared++;
	return 0;
}

static void nothing(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	(void)host;
	(void)areas;
	(void)n;
}

static int bridge(void *host, uint32_t uid, const struct cxlvm_bridge_decoder *decoder)
{
	(void)host;
	(void)uid;
	(void)decoder;
	return 0;
}

static int reset(void *host, enum cxlvm_reset_kind kind)
{
	(void)host;
	(void)kind;
	return 0;
}

static uint64_t now(void *host)
{
	(void)host;
	return 0;
}

static void no_sleep(void *host, unsigned int milliseconds)
{
	(void)host;
	(void)milliseconds;
}

static const struct cxlvm_host_ops host_ops = {
	.size = sizeof(host_ops),
	.prepare = prepare,
	.release = nothing,
	.enable = nothing,
	.disable = nothing,
	.bridge_decoder = bridge,
	.device_reset = reset,
	.now_ns = now,
	.sleep_ms = no_sleep,
};

static int start(struct rig *rig, const char *machine, const char *name, struct cxlvm_error *err)
{
	const struct cxlvm_machine_config config = {
		.size = sizeof(config),
		.phys_bits = 40,
		.place_from = { 0x100000000ull },
	};
	const struct cxlvm_endpoint_config endpoint = {
		.size = sizeof(endpoint),
		.name = name,
		.bridge_uid = UID,
		.page_size = 4096,
	};
	char path[1024];

	memset(rig, 0, sizeof(*rig));
	snprintf(path, sizeof(path), "%s/tests/machines/%s.machine", getenv("CXLVM_SOURCE"),
		 machine);
	assert_int_equal(fs_open_tree(path, &rig->fs, err), 0);
	rig->replay.fs = rig->fs;
	snprintf(rig->replay.name, sizeof(rig->replay.name), "%s", name);
	assert_true(replay_exists(rig->fs, name));
	assert_int_equal(cxlvm_machine_create(&config, &rig->machine, err), 0);
	assert_int_equal(cxlvm_machine_add_bridge(rig->machine, "bridge", UID, NULL, err), 0);
	return cxlvm_endpoint_realize(rig->machine, &endpoint, &replay_ops, &rig->replay, &host_ops,
				      rig, &rig->endpoint, err);
}

static void stop(struct rig *rig)
{
	if (rig->endpoint) {
		cxlvm_endpoint_unrealize(rig->endpoint);
		cxlvm_endpoint_free(rig->endpoint);
	}
	cxlvm_machine_destroy(rig->machine);
	fs_close(rig->fs);
}

static const struct {
	const char *machine, *name;
	unsigned int generation;
} recorded[] = {
	{ "generation-2", "cxlvm_lab.0", 2 }, { "generation-3", "cxlvm_lab.2", 3 },
	{ "generation-4", "cxlvm_lab.3", 4 }, { "generation-5", "cxlvm_lab.4", 5 },
	{ "generation-6", "cxlvm_lab.5", 5 },
};

static void recorded_devices_are_of_their_generation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct rig rig;

		if (start(&rig, recorded[i].machine, recorded[i].name, &err))
			fail_msg("%s: %s", recorded[i].machine, err.message);
		assert_int_equal(cxlvm_endpoint_generation(rig.endpoint), recorded[i].generation);
		assert_int_equal(cxlvm_endpoint_memory_size(rig.endpoint), MEMORY);
		stop(&rig);
	}
}

/* Whether a dword that is read is the upper half of the host's base. */
static bool spans_show_base(const struct rig *rig)
{
	struct cxlvm_bar_range spans[SPANS_MAX];
	size_t n = cxlvm_endpoint_spans(rig->endpoint, spans, SPANS_MAX);

	assert_in_range(n, 1, SPANS_MAX);
	for (size_t i = 0; i < n; i++)
		for (uint64_t at = 0; at < spans[i].size; at += 4)
			if (cxlvm_endpoint_reg_read(rig->endpoint, spans[i].bar,
						    spans[i].offset + at, 4) == HOST_BASE >> 32)
				return true;
	return false;
}

/* In what was recorded it is there; 2 hides it in its registers, but the DVSEC has it. */
static bool recording_shows_base(const struct rig *rig)
{
	for (uint32_t region = CXLVM_REGION_CONFIG; region < 11; region++)
		for (uint64_t at = 0; at < 0x10000; at += 4) {
			uint8_t bytes[4];

			if (!replay_ops.read((void *)&rig->replay, region, at, bytes, 4) &&
			    bytes[0] == 0xa7 && bytes[1] == 0x06 && !bytes[2] && !bytes[3])
				return true;
		}
	return false;
}

static void p2_recorded_host_addresses_stay_there(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct rig rig;

		assert_int_equal(start(&rig, recorded[i].machine, recorded[i].name, &err), 0);
		assert_int_equal(cxlvm_machine_freeze(rig.machine, &err), 0);
		assert_int_equal(cxlvm_endpoint_machine_done(rig.endpoint, &err), 0);
		assert_true(recording_shows_base(&rig));
		assert_false(spans_show_base(&rig));
		stop(&rig);
	}
}

/* There is no memory behind it: nothing is ever mapped. */
static void p4_recorded_device_is_never_programmed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recorded); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct rig rig;

		assert_int_equal(start(&rig, recorded[i].machine, recorded[i].name, &err), 0);
		assert_int_equal(cxlvm_machine_freeze(rig.machine, &err), 0);
		assert_int_equal(cxlvm_endpoint_machine_done(rig.endpoint, &err), 0);
		assert_int_not_equal(
			cxlvm_endpoint_reset_done(rig.endpoint, CXLVM_RESET_SYSTEM, 0, &err), 0);
		assert_false(cxlvm_endpoint_is_committed(rig.endpoint));
		assert_false(cxlvm_endpoint_memory_mapped(rig.endpoint));
		assert_int_equal(rig.prepared, 0);
		stop(&rig);
	}
}

static void det2_recorded_unknown_generation_is_refused(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct rig rig;

	(void)state;
	assert_int_equal(start(&rig, "generation-unknown", "cxlvm_lab.4", &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.message, "80001e98"));
	stop(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_devices_are_of_their_generation),
		cmocka_unit_test(p2_recorded_host_addresses_stay_there),
		cmocka_unit_test(p4_recorded_device_is_never_programmed),
		cmocka_unit_test(det2_recorded_unknown_generation_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

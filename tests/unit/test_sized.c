/* SPDX-License-Identifier: BSD-3-Clause */
/* Structures with a size: programs that were built with older and newer headers (cxlvm/base.h). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <cxlvm/cxlvm.h>

#include "test.h"

#define FIRST(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#define LIMIT               4096

static char socket_path[64];

/* Any structure, with room for what a newer program has and for what an older one has not. */
union any {
	size_t size;
	struct cxlvm_machine_config machine;
	struct cxlvm_endpoint_config endpoint;
	struct cxlvm_bridge_config bridge;
	struct cxlvm_root_port_config root_port;
	struct cxlvm_sim_config sim;
	struct cxlvm_user_config user;
	struct cxlvm_server_config server;
	uint8_t bytes[LIMIT + 8];
};

static int open_machine(const union any *config, struct cxlvm_error *err)
{
	struct cxlvm_machine *machine = NULL;
	int ret = cxlvm_machine_create(&config->machine, &machine, err);

	cxlvm_machine_destroy(machine);
	return ret;
}

static int open_bridge(const union any *config, struct cxlvm_error *err)
{
	struct cxlvm_bridge *bridge = NULL;
	int ret = cxlvm_bridge_create(&config->bridge, &bridge, err);

	cxlvm_bridge_destroy(bridge);
	return ret;
}

static int open_root_port(const union any *config, struct cxlvm_error *err)
{
	struct cxlvm_root_port *port = NULL;
	int ret = cxlvm_root_port_create(&config->root_port, &port, err);

	cxlvm_root_port_destroy(port);
	return ret;
}

static int open_sim(const union any *config, struct cxlvm_error *err)
{
	struct cxlvm_transport sim;
	int ret = cxlvm_sim_open(&config->sim, &sim, err);

	if (!ret)
		sim.transport->close(sim.device);
	return ret;
}

/* Nobody listens there: a configuration that was accepted ends in -ENOENT. */
static int open_user(const union any *config, struct cxlvm_error *err)
{
	struct cxlvm_error local = CXLVM_ERROR_INIT;
	struct cxlvm_transport user;
	int ret = cxlvm_user_open(&config->user, &user, &local);

	assert_int_not_equal(ret, 0);
	if (ret == -ENOENT)
		return 0;
	*err = local;
	return ret;
}

static int open_server(const union any *config, struct cxlvm_error *err)
{
	struct cxlvm_server *server = NULL;
	int ret = cxlvm_server_create(&config->server, &server, err);

	cxlvm_server_destroy(server);
	return ret;
}

static int host_prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
			struct cxlvm_error *err)
{
	(void)host, (void)areas, (void)n, (void)err;
	return 0;
}

static void host_areas(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	(void)host, (void)areas, (void)n;
}

static int host_bridge(void *host, uint32_t uid, const struct cxlvm_bridge_decoder *decoder)
{
	(void)host, (void)uid, (void)decoder;
	return 0;
}

static uint64_t host_now(void *host)
{
	(void)host;
	return 0;
}

static void host_sleep(void *host, unsigned int milliseconds)
{
	(void)host, (void)milliseconds;
}

static const struct cxlvm_host_ops host_ops = {
	.size = sizeof(host_ops),
	.prepare = host_prepare,
	.release = host_areas,
	.enable = host_areas,
	.disable = host_areas,
	.bridge_decoder = host_bridge,
	.now_ns = host_now,
	.sleep_ms = host_sleep,
};

/* Realize over the tables given, NULL for good ones; then look at it. */
static int realize(const struct cxlvm_endpoint_config *config, const struct cxlvm_device_ops *ops,
		   const struct cxlvm_host_ops *host, void (*look)(struct cxlvm_endpoint *endpoint),
		   struct cxlvm_error *err)
{
	struct cxlvm_machine_config machine_config = {
		.size = sizeof(machine_config),
		.phys_bits = 46,
		.place_from = { 0x100000000 },
	};
	struct cxlvm_sim_config sim_config = {
		.size = sizeof(sim_config),
		.memory_size = CXLVM_HDM_GRANULE,
	};
	struct cxlvm_endpoint *endpoint = NULL;
	struct cxlvm_machine *machine = NULL;
	struct cxlvm_transport sim;
	int ret;

	assert_int_equal(cxlvm_machine_create(&machine_config, &machine, NULL), 0);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "bridge", 1, NULL, NULL), 0);
	assert_int_equal(cxlvm_sim_open(&sim_config, &sim, NULL), 0);
	ret = cxlvm_endpoint_realize(machine, config, ops ? ops : sim.ops, sim.device,
				     host ? host : &host_ops, NULL, &endpoint, err);
	if (!ret && look)
		look(endpoint);
	cxlvm_endpoint_free(endpoint);
	sim.transport->close(sim.device);
	cxlvm_machine_destroy(machine);
	return ret;
}

static int open_endpoint(const union any *config, struct cxlvm_error *err)
{
	return realize(&config->endpoint, NULL, NULL, NULL, err);
}

/* clang-format off */
static const struct kind {
	const char *name;
	int (*open)(const union any *config, struct cxlvm_error *err);
	size_t first; /* bytes that every program has to give */
	size_t known;
	union any good;
} kinds[] = {
	{ "machine", open_machine, FIRST(struct cxlvm_machine_config, place_from),
	  sizeof(struct cxlvm_machine_config), { .machine = { .phys_bits = 46 } } },
	{ "endpoint", open_endpoint, FIRST(struct cxlvm_endpoint_config, page_size),
	  sizeof(struct cxlvm_endpoint_config),
	  { .endpoint = { .name = "dev", .bridge_uid = 1, .page_size = 4096 } } },
	{ "host bridge", open_bridge, FIRST(struct cxlvm_bridge_config, decoder),
	  sizeof(struct cxlvm_bridge_config), { .bridge = { .decoder = CXLVM_DECODER_LOCKED } } },
	{ "root port", open_root_port, FIRST(struct cxlvm_root_port_config, bar),
	  sizeof(struct cxlvm_root_port_config), { .root_port = { .bar = 0 } } },
	{ "sim", open_sim, FIRST(struct cxlvm_sim_config, memory_size),
	  sizeof(struct cxlvm_sim_config), { .sim = { .memory_size = CXLVM_HDM_GRANULE } } },
	{ "vfio-user", open_user, FIRST(struct cxlvm_user_config, path),
	  sizeof(struct cxlvm_user_config), { .user = { .path = socket_path } } },
	{ "server", open_server, FIRST(struct cxlvm_server_config, memory_size),
	  sizeof(struct cxlvm_server_config),
	  { .server = { .socket_path = socket_path, .memory_size = CXLVM_HDM_GRANULE } } },
};
/* clang-format on */

static int open_with(const struct kind *kind, union any *config, size_t size,
		     struct cxlvm_error *err)
{
	*err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	config->size = size;
	return kind->open(config, err);
}

static void of_the_same_version(void **state)
{
	struct cxlvm_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union any config = kinds[i].good;

		if (open_with(&kinds[i], &config, kinds[i].known, &err))
			fail_msg("%s: %s", kinds[i].name, err.message);
	}
}

/* What stands behind an older program's structure is somebody else's. */
static void an_older_program_gets_defaults(void **state)
{
	struct cxlvm_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union any config = kinds[i].good;

		memset(config.bytes + kinds[i].first, 0xa5, sizeof(config) - kinds[i].first);
		if (open_with(&kinds[i], &config, kinds[i].first, &err))
			fail_msg("%s: %s", kinds[i].name, err.message);
	}
}

static void a_newer_program_may_leave_what_is_new_alone(void **state)
{
	struct cxlvm_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		union any config = kinds[i].good;

		if (open_with(&kinds[i], &config, kinds[i].known + 64, &err) ||
		    open_with(&kinds[i], &config, LIMIT, &err))
			fail_msg("%s: %s", kinds[i].name, err.message);
	}
}

static void a_newer_program_is_not_half_understood(void **state)
{
	struct cxlvm_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const size_t at[] = { kinds[i].known, kinds[i].known + 63 };

		for (size_t n = 0; n < ARRAY_SIZE(at); n++) {
			union any config = kinds[i].good;
			char number[24];

			config.bytes[at[n]] = 1;
			assert_int_equal(open_with(&kinds[i], &config, kinds[i].known + 64, &err),
					 -E2BIG);
			snprintf(number, sizeof(number), "not 0 at %zu,", at[n]);
			assert_non_null(strstr(err.message, number));
			assert_non_null(strstr(err.message, kinds[i].name));
			assert_non_null(strstr(err.hint, cxlvm_version()));
		}
	}
}

static void a_size_that_cannot_be_is_refused(void **state)
{
	struct cxlvm_error err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const size_t bad[] = { 0, kinds[i].first - 1, LIMIT + 1, SIZE_MAX };

		for (size_t n = 0; n < ARRAY_SIZE(bad); n++) {
			union any config = kinds[i].good;

			assert_int_equal(open_with(&kinds[i], &config, bad[n], &err), -EINVAL);
			assert_non_null(strstr(err.message, kinds[i].name));
			assert_true(err.hint[0]);
		}
	}
}

static void look_at_counters(struct cxlvm_endpoint *endpoint)
{
	struct {
		struct cxlvm_endpoint_counters known;
		uint64_t later[4];
	} counters;
	struct {
		struct cxlvm_endpoint_state known;
		uint64_t later[4];
	} seen;
	struct cxlvm_endpoint_state part;

	cxlvm_endpoint_reg_write(endpoint, 9, 0, 4, 0);
	memset(&counters, 0xa5, sizeof(counters));
	cxlvm_endpoint_get_counters(endpoint, &counters.known, sizeof(counters));
	assert_int_equal(counters.known.writes, 1);
	memset(&seen, 0xa5, sizeof(seen));
	cxlvm_endpoint_get_state(endpoint, &seen.known, sizeof(seen));
	assert_int_equal(seen.known.hdm[1], 2); /* global enable */
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(counters.later[i], 0);
		assert_int_equal(seen.later[i], 0);
	}
	/* an older one gets no more than it has room for */
	memset(&part, 0xa5, sizeof(part));
	cxlvm_endpoint_get_state(endpoint, &part, 8);
	assert_int_equal(part.hdm[1], 2);
	assert_int_equal(part.hdm[2], 0xa5a5a5a5);
}

static const struct cxlvm_endpoint_config endpoint_config = {
	.size = sizeof(endpoint_config),
	.name = "dev",
	.bridge_uid = 1,
	.page_size = 4096,
};

static void what_is_filled_in_is_0_beyond_what_is_known(void **state)
{
	(void)state;
	assert_int_equal(realize(&endpoint_config, NULL, NULL, look_at_counters, NULL), 0);
}

/* Behind the end of an older table stands no function. */
static void functions_behind_a_table_are_absent(void **state)
{
	struct cxlvm_host_ops host = host_ops;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	memset((char *)&host + offsetof(struct cxlvm_host_ops, event), 0xa5,
	       sizeof(host) - offsetof(struct cxlvm_host_ops, event));
	host.size = offsetof(struct cxlvm_host_ops, event);
	/* a write to a BAR that is not trapped would be an event */
	assert_int_equal(realize(&endpoint_config, NULL, &host, look_at_counters, NULL), 0);
	host = host_ops;
	host.size = offsetof(struct cxlvm_host_ops, sleep_ms);
	assert_int_equal(realize(&endpoint_config, NULL, &host, NULL, &err), -EINVAL);
	assert_non_null(strstr(err.message, "host operation"));
}

static void count_field(void *context, const struct cxlvm_field *field)
{
	(void)field;
	++*(unsigned int *)context;
}

static void visitors_of_other_versions_are_called(void **state)
{
	static const uint8_t image[256] = { 0x86, 0x80 };
	struct {
		struct cxlvm_visitor known;
		void (*later)(void *context);
	} newer = { .known = { .size = sizeof(newer), .field = count_field } };
	struct cxlvm_visitor older;
	unsigned int all = 0, some = 0;

	(void)state;
	(void)cxlvm_image_visit(image, sizeof(image), CXLVM_IMAGE_CONFIG, &newer.known, &all, NULL);
	memset(&older, 0xa5, sizeof(older));
	older.size = offsetof(struct cxlvm_visitor, end);
	older.begin = NULL;
	older.field = count_field;
	(void)cxlvm_image_visit(image, sizeof(image), CXLVM_IMAGE_CONFIG, &older, &some, NULL);
	assert_true(all > 0);
	assert_int_equal(all, some);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(of_the_same_version),
		cmocka_unit_test(an_older_program_gets_defaults),
		cmocka_unit_test(a_newer_program_may_leave_what_is_new_alone),
		cmocka_unit_test(a_newer_program_is_not_half_understood),
		cmocka_unit_test(a_size_that_cannot_be_is_refused),
		cmocka_unit_test(what_is_filled_in_is_0_beyond_what_is_known),
		cmocka_unit_test(functions_behind_a_table_are_absent),
		cmocka_unit_test(visitors_of_other_versions_are_called),
	};

	snprintf(socket_path, sizeof(socket_path), "/tmp/cxlvm-sized-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}

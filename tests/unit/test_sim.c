/* SPDX-License-Identifier: BSD-3-Clause */
/* What only the sim has: its options, and the file that holds the device memory. */
#include <cxlvm/vfio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake.h"
#include "test.h"

static struct cxlvm_sim_config good(void)
{
	return (struct cxlvm_sim_config){ .size = sizeof(struct cxlvm_sim_config),
					  .memory_size = FAKE_MEMORY_SIZE };
}

static void sim_refuses_bad_options(void **state)
{
	static const uint64_t sizes[] = { 0, 1, 0x8000000, 0x18000000, UINT64_MAX };
	static const unsigned int generations[] = { 1, 7, 25, 0x2d, 0x2f };
	struct cxlvm_transport transport;
	struct cxlvm_sim_config config;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		config = good();
		config.memory_size = sizes[i];
		assert_int_equal(cxlvm_sim_open(&config, &transport, &err), -EINVAL);
		assert_int_equal(err.code, -EINVAL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		config = good();
		config.generation = generations[i];
		assert_int_equal(cxlvm_sim_open(&config, &transport, &err), -EINVAL);
		assert_true(err.message[0]);
	}
	config = good();
	config.size = 0;
	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), -EINVAL);
}

static void sim_cannot_open_a_file_that_cannot_be(void **state)
{
	struct cxlvm_sim_config config = good();
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport transport;

	(void)state;
	config.memory_file = "/nonexistent/directory/memory";
	assert_int_equal(cxlvm_sim_open(&config, &transport, &err), -ENOENT);
	assert_non_null(strstr(err.message, "/nonexistent/directory/memory"));
}

/* The region index of device memory, by its type: 0x80001e98, subtype 1. */
static uint32_t memory_region(const struct cxlvm_transport *transport)
{
	for (uint32_t index = 9; index < 32; index++) {
		uint8_t bytes[256] = { 0 };
		size_t needed = 0;

		if (transport->ops->region_info(transport->device, index, bytes, sizeof(bytes),
						&needed))
			break;
		for (uint64_t at = fake_get(bytes + 12, 4); at; at = fake_get(bytes + at + 4, 4))
			if (fake_get(bytes + at, 2) == 2 &&
			    fake_get(bytes + at + 8, 8) == 0x180001e98)
				return index;
	}
	fail_msg("no device memory");
	return 0;
}

/* Made if missing, grown if shorter, and what is stored through the map is in the file. */
static void sim_memory_is_the_file(void **state)
{
	char path[] = "/tmp/cxlvm-sim-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "before", 6, 0), 6);
	for (unsigned int generation = 2; generation <= 5; generation += 3) {
		struct cxlvm_sim_config config = good();
		struct cxlvm_map_request request = { .size = FAKE_MEMORY_SIZE,
						     .guest = { 0x140000000 },
						     .alignment = 2 << 20 };
		struct cxlvm_transport transport;
		struct stat status;
		void *address = NULL;
		char *memory, text[8] = "";

		config.generation = generation;
		config.memory_file = path;
		assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_size, FAKE_MEMORY_SIZE);
		request.region = memory_region(&transport);
		assert_int_equal(transport.ops->map(transport.device, &request, &address), 0);
		memory = address;
		if (generation == 2)
			assert_memory_equal(memory, "before", 6);
		memcpy(memory + FAKE_MEMORY_SIZE - 5, "hello", 5);
		assert_int_equal(pread(fd, text, 5, FAKE_MEMORY_SIZE - 5), 5);
		assert_string_equal(text, "hello");
		assert_int_equal(pwrite(fd, "other", 5, 4096), 5);
		assert_memory_equal(memory + 4096, "other", 5);
		transport.ops->unmap(transport.device, address, request.size);
		transport.transport->close(transport.device);
	}
	close(fd);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sim_refuses_bad_options),
		cmocka_unit_test(sim_cannot_open_a_file_that_cannot_be),
		cmocka_unit_test(sim_memory_is_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What only the sim has: its options, and the file that holds the device memory. */
#include <cxlvm/vfio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
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
	static const unsigned int unknown[] = { 1, 7, 25, 0x2d, 0x2f };
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
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		config = good();
		config.generation = unknown[i];
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

static off_t size_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_size;
}

/* Made if missing; an empty one gets the size, and is emptied again if nothing was mapped. */
static void sim_an_empty_file_gets_the_size(void **state)
{
	char path[] = "/tmp/cxlvm-sim-XXXXXX";
	struct cxlvm_sim_config config = good();
	struct cxlvm_transport transport;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	config.memory_file = path;
	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
	assert_int_equal(size_of(fd), FAKE_MEMORY_SIZE);
	transport.transport->close(transport.device);
	assert_int_equal(size_of(fd), 0);
	close(fd);
	unlink(path);
	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
	assert_int_equal(access(path, F_OK), 0);
	transport.transport->close(transport.device);
	assert_int_equal(access(path, F_OK), -1);
}

/* A file of another size is somebody else's: refused with both numbers, and as it was. */
static void sim_a_file_of_another_size_is_not_touched(void **state)
{
	static const off_t sizes[] = { 1, 1 << 20, FAKE_MEMORY_SIZE - 1, FAKE_MEMORY_SIZE + 1 };
	char path[] = "/tmp/cxlvm-sim-XXXXXX";
	struct cxlvm_sim_config config = good();
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	config.memory_file = path;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct cxlvm_transport transport;
		char number[24];

		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_int_equal(cxlvm_sim_open(&config, &transport, &err), -EINVAL);
		snprintf(number, sizeof(number), " %jd bytes", (intmax_t)sizes[i]);
		assert_non_null(strstr(err.message, number));
		assert_non_null(strstr(err.message, "268435456"));
		assert_non_null(strstr(err.hint, "truncate -s 268435456"));
		assert_int_equal(size_of(fd), sizes[i]);
	}
	close(fd);
	unlink(path);
}

/* One file, one device: of this process, and of another one, which is named. */
static void sim_a_file_is_the_memory_of_one_device(void **state)
{
	char path[] = "/tmp/cxlvm-sim-XXXXXX", process[32];
	struct cxlvm_sim_config config = good();
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport first, second;
	int fd = mkstemp(path), ends[2], status;
	pid_t child;

	(void)state;
	config.memory_file = path;
	assert_int_equal(cxlvm_sim_open(&config, &first, NULL), 0);
	assert_int_equal(cxlvm_sim_open(&config, &second, &err), -EBUSY);
	assert_non_null(strstr(err.message, "another device's memory here"));
	assert_int_equal(size_of(fd), FAKE_MEMORY_SIZE);
	close(fd);
	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		char byte;

		/* has the file open, and the lock */
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) != 0);
	}
	close(ends[0]);
	/* ours is gone, not the child's: the open file is one */
	first.transport->close(first.device);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(cxlvm_sim_open(&config, &second, &err), -EBUSY);
	snprintf(process, sizeof(process), "process %d", (int)child);
	assert_non_null(strstr(err.message, process));
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(cxlvm_sim_open(&config, &second, NULL), 0);
	second.transport->close(second.device);
	unlink(path);
}

/* What is stored through the map is in the file. */
static void sim_memory_is_the_file(void **state)
{
	char path[] = "/tmp/cxlvm-sim-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "before", 6, 0), 6);
	assert_int_equal(ftruncate(fd, FAKE_MEMORY_SIZE), 0);
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

/* MAP-5: somebody else cuts the file short, and gives it its size again. */
static void map5_a_file_that_is_cut_short_is_not_usable(void **state)
{
	char path[] = "/tmp/cxlvm-sim-XXXXXX";
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_sim_config config = good();
	struct cxlvm_transport transport;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	config.memory_file = path;
	config.generation = 2;
	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
	assert_int_equal(transport.ops->usable(transport.device), 1);
	transport.ops->why_unusable(transport.device, &err);
	assert_int_equal(err.code, 0);
	assert_int_equal(ftruncate(fd, FAKE_MEMORY_SIZE - 1), 0);
	assert_int_equal(transport.ops->usable(transport.device), 0);
	transport.ops->why_unusable(transport.device, &err);
	assert_int_equal(err.code, -EIO);
	assert_non_null(strstr(err.message, "268435455 bytes instead of 268435456"));
	assert_int_equal(ftruncate(fd, FAKE_MEMORY_SIZE), 0);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	transport.ops->why_unusable(transport.device, &err);
	assert_int_equal(err.code, 0);
	transport.transport->close(transport.device);
	close(fd);
	unlink(path);
}

/* MAP-1: the mapping of device memory, as the kernel describes it. */
struct mapping {
	char permissions[8];
	unsigned long resident; /* KiB */
	char flags[256];
};

static bool find_mapping(const void *address, struct mapping *mapping)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[512], permissions[8];
	bool inside = false, found = false;

	assert_non_null(smaps);
	memset(mapping, 0, sizeof(*mapping));
	while (fgets(line, sizeof(line), smaps)) {
		unsigned long first, end;

		/* NOLINTNEXTLINE(cert-err34-c): the kernel writes what a long holds */
		if (sscanf(line, "%lx-%lx %7s", &first, &end, permissions) == 3) {
			inside = (uintptr_t)address >= first && (uintptr_t)address < end;
			found = found || inside;
			if (inside)
				memcpy(mapping->permissions, permissions, sizeof(permissions));
		}
		/* NOLINTNEXTLINE(cert-err34-c): the same */
		if (inside && sscanf(line, "Rss: %lu kB", &mapping->resident) == 1)
			continue;
		if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(mapping->flags, sizeof(mapping->flags), "%.255s", line + 8);
	}
	fclose(smaps);
	return found;
}

static void map1_w35_shared_untouched_not_dumped_not_inherited(void **state)
{
	struct cxlvm_sim_config config = good();
	struct cxlvm_map_request request = { .size = FAKE_MEMORY_SIZE,
					     .guest = { 0x140000000 },
					     .alignment = 2 << 20 };
	struct cxlvm_transport transport;
	struct mapping mapping;
	void *address = NULL;

	(void)state;
	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
	request.region = memory_region(&transport);
	assert_int_equal(transport.ops->map(transport.device, &request, &address), 0);
	assert_true(find_mapping(address, &mapping));
	assert_string_equal(mapping.permissions, "rw-s");
	/* nobody touched it, neither by hand nor by populating or locking it */
	assert_int_equal(mapping.resident, 0);
	assert_null(strstr(mapping.flags, " lo"));
	assert_non_null(strstr(mapping.flags, " dd")); /* MADV_DONTDUMP */
	assert_non_null(strstr(mapping.flags, " dc")); /* MADV_DONTFORK */
	assert_null(strstr(mapping.flags, " mg"));     /* MADV_MERGEABLE */
	transport.ops->unmap(transport.device, address, request.size);
	assert_false(find_mapping(address, &mapping));
	transport.transport->close(transport.device);
}

enum { DIRECTION = 0x08, VECTOR = 0x0c, SOURCE = 0x10, DESTINATION = 0x18, LENGTH = 0x20 };
enum { DOORBELL = 0x24, STATUS = 0x28, BYTES = 0x2c };
enum { TO_DEVICE = 0, FROM_DEVICE = 1, INTERRUPT = 0x100 };
#define ENGINE_BAR 2u
#define MSIX_BAR   4u
#define MSIX_INDEX 2u
#define CONFIG     7u
#define DONE       2u
#define FAILED(c)  (4u | (uint32_t)(c) << 8)

static void put(const struct cxlvm_transport *t, uint32_t region, uint64_t at, uint64_t value,
		unsigned int length)
{
	uint8_t bytes[8];

	fake_put(bytes, length, value);
	assert_int_equal(t->ops->write(t->device, region, at, bytes, length), 0);
}

static uint64_t get(const struct cxlvm_transport *t, uint32_t region, uint64_t at,
		    unsigned int length)
{
	uint8_t bytes[8];

	assert_int_equal(t->ops->read(t->device, region, at, bytes, length), 0);
	return fake_get(bytes, length);
}

/* A command of the copy engine; the sim has carried it out when the doorbell is written. */
static uint64_t copy(const struct cxlvm_transport *t, uint32_t direction, uint64_t source,
		     uint64_t destination, uint32_t length)
{
	put(t, ENGINE_BAR, DIRECTION, direction, 4);
	put(t, ENGINE_BAR, SOURCE, source, 8);
	put(t, ENGINE_BAR, DESTINATION, destination, 8);
	put(t, ENGINE_BAR, LENGTH, length, 4);
	put(t, ENGINE_BAR, DOORBELL, 1, 4);
	return get(t, ENGINE_BAR, STATUS, 4);
}

static const unsigned int generations[] = { 2, CXLVM_SIM_GENERATION_2N, 3, 4, 5, 6 };

static struct cxlvm_transport open_sim(unsigned int generation)
{
	struct cxlvm_sim_config config = good();
	struct cxlvm_transport transport;

	config.generation = generation;
	config.page_size = 4096;
	assert_int_equal(cxlvm_sim_open(&config, &transport, NULL), 0);
	put(&transport, CONFIG, 4, 0x6, 2);
	return transport;
}

static void close_sim(const struct cxlvm_transport *t)
{
	t->transport->close(t->device);
}

static int map(const struct cxlvm_transport *t, uint64_t base, uint64_t size, void *address,
	       bool writable)
{
	struct cxlvm_dma_range range = {
		.base = { base }, .size = size, .address = address, .fd = -1, .writable = writable
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret = t->transport->dma_map(t->device, &range, &err);

	assert_int_equal(err.code, ret);
	if (ret) {
		assert_true(err.message[0]);
		assert_true(err.hint[0]);
	}
	return ret;
}

static int unmap(const struct cxlvm_transport *t, uint64_t base, uint64_t size)
{
	return t->transport->dma_unmap(t->device, (struct cxlvm_iova){ base }, size);
}

static uint8_t ram[0x10000] __attribute__((aligned(4096)));

static void dma_copies_guest_memory(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
		struct cxlvm_transport t = open_sim(generations[i]);

		for (size_t at = 0; at < sizeof(ram); at++)
			ram[at] = (uint8_t)(at * 3 + at / 256);
		/* two ranges that touch are one for the device */
		assert_int_equal(map(&t, 0x100000000, 4096, ram, false), 0);
		assert_int_equal(map(&t, 0x100001000, 3 * 4096, ram + 4096, true), 0);
		assert_int_equal(copy(&t, TO_DEVICE, 0x100000010, FAKE_MEMORY_SIZE - 8000, 8000),
				 DONE);
		assert_int_equal(copy(&t, FROM_DEVICE, FAKE_MEMORY_SIZE - 8000, 0x100002000, 8000),
				 DONE);
		assert_memory_equal(ram + 0x2000, ram + 0x10, 4096);
		assert_int_equal(get(&t, ENGINE_BAR, BYTES, 4), 8000);
		close_sim(&t);
	}
}

static void dma_stays_inside_what_is_mapped(void **state)
{
	struct cxlvm_transport t = open_sim(5);

	(void)state;
	assert_int_equal(copy(&t, TO_DEVICE, 0x1000, 0, 16), FAILED(7));
	assert_int_equal(map(&t, 0x1000, 4096, ram, false), 0);
	memset(ram, 0x5a, sizeof(ram));
	assert_int_equal(copy(&t, TO_DEVICE, 0x1000, 0, 4096), DONE);
	assert_int_equal(copy(&t, TO_DEVICE, 0xfff, 0, 4096), FAILED(7));
	assert_int_equal(get(&t, ENGINE_BAR, BYTES, 4), 0);
	assert_int_equal(copy(&t, TO_DEVICE, 0x1001, 0, 4096), FAILED(7));
	assert_int_equal(get(&t, ENGINE_BAR, BYTES, 4), 4095);
	/* read-only for the device: not a byte */
	assert_int_equal(copy(&t, FROM_DEVICE, 4096, 0x1000, 16), FAILED(7));
	assert_int_equal(ram[0], 0x5a);
	assert_int_equal(unmap(&t, 0x1000, 4096), 0);
	assert_int_equal(copy(&t, TO_DEVICE, 0x1000, 0, 16), FAILED(7));
	/* without Bus Master Enable */
	assert_int_equal(map(&t, 0x1000, 4096, ram, true), 0);
	put(&t, CONFIG, 4, 0x2, 2);
	assert_int_equal(copy(&t, TO_DEVICE, 0x1000, 0, 16), FAILED(6));
	close_sim(&t);
}

/* The file behind device memory gets shorter: an error status, and the bytes before it. */
static void copy_from_memory_that_is_gone_fails(void **state)
{
	char path[] = "/tmp/cxlvm-sim-XXXXXX";
	int fd = mkstemp(path);
	struct cxlvm_sim_config config = good();
	struct cxlvm_transport t;

	(void)state;
	assert_true(fd >= 0);
	config.memory_file = path;
	assert_int_equal(cxlvm_sim_open(&config, &t, NULL), 0);
	put(&t, CONFIG, 4, 0x6, 2);
	assert_int_equal(map(&t, 0x10000, 0x10000, ram, true), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(copy(&t, FROM_DEVICE, 0, 0x10000, 8192), FAILED(8));
	assert_int_equal(get(&t, ENGINE_BAR, BYTES, 4), 4096);
	close_sim(&t);
	close(fd);
	unlink(path);
}

static void dma_ranges_are_checked(void **state)
{
	struct cxlvm_transport t = open_sim(5);

	(void)state;
	assert_int_equal(map(&t, 0x1000, 0, ram, true), -EINVAL);
	assert_int_equal(map(&t, 0x1001, 4096, ram, true), -EINVAL);
	assert_int_equal(map(&t, 0x1000, 4095, ram, true), -EINVAL);
	assert_int_equal(map(&t, 0x1000, 4096, NULL, true), -EINVAL);
	assert_int_equal(map(&t, UINT64_MAX - 4095, 8192, ram, true), -EINVAL);
	assert_int_equal(map(&t, 0x2000, 8192, ram, true), 0);
	assert_int_equal(map(&t, 0x2000, 8192, ram, true), -EEXIST);
	assert_int_equal(map(&t, 0x1000, 8192, ram, true), -EEXIST);
	assert_int_equal(map(&t, 0x3000, 8192, ram, true), -EEXIST);
	assert_int_equal(map(&t, 0, 0x10000, ram, true), -EEXIST);
	assert_int_equal(map(&t, 0x1000, 4096, ram, true), 0);
	assert_int_equal(map(&t, 0x4000, 4096, ram, true), 0);
	/* exactly one range that was mapped */
	assert_int_equal(unmap(&t, 0x2000, 4096), -ENOENT);
	assert_int_equal(unmap(&t, 0x3000, 4096), -ENOENT);
	assert_int_equal(unmap(&t, 0x1000, 0x4000), -ENOENT);
	assert_int_equal(unmap(&t, 0x8000, 4096), -ENOENT);
	assert_int_equal(unmap(&t, 0x2000, 8192), 0);
	assert_int_equal(unmap(&t, 0x2000, 8192), -ENOENT);
	assert_int_equal(unmap(&t, 0x1000, 4096), 0);
	assert_int_equal(unmap(&t, 0x4000, 4096), 0);
	/* as many as there are places, the last one at the end of the address space */
	for (uint64_t i = 0; i < 64; i++)
		assert_int_equal(map(&t, 0 - 4096 * (i + 1), 4096, ram, true), 0);
	assert_int_equal(map(&t, 0x1000, 4096, ram, true), -ENOSPC);
	assert_int_equal(unmap(&t, 0 - 4096ull, 4096), 0);
	assert_int_equal(map(&t, 0x1000, 4096, ram, true), 0);
	close_sim(&t);
}

static uint64_t arrived(int fd)
{
	uint64_t count = 0;

	return read(fd, &count, sizeof(count)) == sizeof(count) ? count : 0;
}

static int irq(const struct cxlvm_transport *t, uint32_t start, uint32_t count, const int *fds)
{
	return t->transport->irq_set(t->device, MSIX_INDEX, start, count, fds);
}

static uint64_t complete(const struct cxlvm_transport *t, uint32_t vector)
{
	put(t, ENGINE_BAR, VECTOR, vector, 4);
	return copy(t, TO_DEVICE | INTERRUPT, 0x100000000, 0, 16);
}

static void interrupts_arrive_where_they_are_connected(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
		struct cxlvm_transport t = open_sim(generations[i]);
		int fds[4], none[4] = { -1, -1, -1, -1 };

		for (unsigned int n = 0; n < 4; n++) {
			fds[n] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
			assert_true(fds[n] >= 0);
		}
		assert_int_equal(map(&t, 0x100000000, 4096, ram, true), 0);
		/* nobody listens: no interrupt, and none later for it */
		assert_int_equal(complete(&t, 0), DONE);
		assert_int_equal(irq(&t, 0, 4, fds), 0);
		for (uint32_t n = 0; n < 4; n++) {
			assert_int_equal(arrived(fds[n]), 0);
			assert_int_equal(complete(&t, n), DONE);
			assert_int_equal(arrived(fds[n]), 1);
		}
		/* disconnected: the message waits for who connects next */
		assert_int_equal(irq(&t, 2, 1, none), 0);
		assert_int_equal(complete(&t, 2), DONE);
		assert_int_equal(complete(&t, 2), DONE);
		assert_int_equal(get(&t, MSIX_BAR, 0x1000, 8), 4);
		assert_int_equal(irq(&t, 2, 1, &fds[3]), 0);
		assert_int_equal(arrived(fds[2]), 0);
		assert_int_equal(arrived(fds[3]), 1);
		/* a reset by the kernel puts them back */
		assert_int_equal(t.transport->reset(t.device), 0);
		put(&t, CONFIG, 4, 0x6, 2);
		assert_int_equal(complete(&t, 1), DONE);
		assert_int_equal(arrived(fds[1]), 1);
		assert_int_equal(t.transport->irq_disable(t.device, MSIX_INDEX), 0);
		assert_int_equal(complete(&t, 1), DONE);
		assert_int_equal(irq(&t, 1, 1, &fds[1]), 0);
		assert_int_equal(arrived(fds[1]), 0);
		for (unsigned int n = 0; n < 4; n++)
			close(fds[n]);
		/* the sim keeps its own */
		assert_int_equal(complete(&t, 1), DONE);
		close_sim(&t);
	}
}

static void interrupts_that_do_not_exist_are_refused(void **state)
{
	struct cxlvm_transport t = open_sim(5);
	int fds[5] = { -1, -1, -1, -1, -1 }, good_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int bad[2] = { good_fd, 1 << 20 };

	(void)state;
	assert_int_equal(irq(&t, 0, 0, fds), -EINVAL);
	assert_int_equal(irq(&t, 0, 5, fds), -EINVAL);
	assert_int_equal(irq(&t, 4, 1, fds), -EINVAL);
	assert_int_equal(irq(&t, UINT32_MAX, 2, fds), -EINVAL);
	assert_int_equal(irq(&t, 1, UINT32_MAX, fds), -EINVAL);
	for (uint32_t index = 0; index < 6; index++) {
		if (index == MSIX_INDEX)
			continue;
		assert_int_equal(t.transport->irq_set(t.device, index, 0, 1, &good_fd), -EINVAL);
		assert_int_equal(t.transport->irq_disable(t.device, index), -EINVAL);
	}
	/* all or nothing: one bad descriptor connects none */
	assert_int_equal(map(&t, 0x100000000, 4096, ram, true), 0);
	assert_int_equal(irq(&t, 0, 2, bad), -EBADF);
	assert_int_equal(complete(&t, 0), DONE);
	assert_int_equal(arrived(good_fd), 0);
	close(good_fd);
	close_sim(&t);
}

/* The kernel's part of MSI-X: its user sees ones in the table, and writes nothing. */
static void msix_table_and_switches_are_the_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
		struct cxlvm_transport t = open_sim(generations[i]);

		for (uint64_t at = 0; at < 0x40; at += 4) {
			put(&t, MSIX_BAR, at, 0, 4);
			assert_int_equal(get(&t, MSIX_BAR, at, 4), UINT32_MAX);
		}
		assert_int_equal(get(&t, MSIX_BAR, 0x40, 4), 0);
		put(&t, CONFIG, 0x82, 0xc000, 2);
		assert_int_equal(get(&t, CONFIG, 0x82, 2), 3);
		close_sim(&t);
	}
}

/* What a reset leaves of the memory: nothing in 5 and 6, whose reset clears it (7.5). */
static void content_after_a_reset_by_generation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
		unsigned int generation = generations[i];
		bool clears = generation == 5 || generation == 6;
		struct cxlvm_transport t = open_sim(generation);
		struct cxlvm_map_request request = { .region = 10,
						     .size = FAKE_MEMORY_SIZE,
						     .alignment = 2 << 20 };
		void *address = NULL;
		uint8_t *memory;

		assert_int_equal(t.ops->map(t.device, &request, &address), 0);
		memory = address;
		for (int flr = 0; flr < 2; flr++) {
			memory[0] = 1;
			memory[FAKE_MEMORY_SIZE - 1] = 2;
			if (flr)
				put(&t, CONFIG, 0x48, 0x8000, 2);
			else
				assert_int_equal(t.transport->reset(t.device), 0);
			assert_int_equal(memory[0], clears ? 0 : 1);
			assert_int_equal(memory[FAKE_MEMORY_SIZE - 1], clears ? 0 : 2);
		}
		t.ops->unmap(t.device, address, request.size);
		close_sim(&t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sim_refuses_bad_options),
		cmocka_unit_test(sim_cannot_open_a_file_that_cannot_be),
		cmocka_unit_test(sim_memory_is_the_file),
		cmocka_unit_test(sim_an_empty_file_gets_the_size),
		cmocka_unit_test(sim_a_file_of_another_size_is_not_touched),
		cmocka_unit_test(sim_a_file_is_the_memory_of_one_device),
		cmocka_unit_test(map5_a_file_that_is_cut_short_is_not_usable),
		cmocka_unit_test(map1_w35_shared_untouched_not_dumped_not_inherited),
		cmocka_unit_test(content_after_a_reset_by_generation),
		cmocka_unit_test(dma_copies_guest_memory),
		cmocka_unit_test(dma_stays_inside_what_is_mapped),
		cmocka_unit_test(copy_from_memory_that_is_gone_fails),
		cmocka_unit_test(dma_ranges_are_checked),
		cmocka_unit_test(interrupts_arrive_where_they_are_connected),
		cmocka_unit_test(interrupts_that_do_not_exist_are_refused),
		cmocka_unit_test(msix_table_and_switches_are_the_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

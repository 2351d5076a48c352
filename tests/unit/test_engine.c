/* SPDX-License-Identifier: BSD-3-Clause */
/* The copy engine of the software device, at its registers; offsets are typed from docs/device.md. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "device/device.h"
#include "test.h"

#define MEMORY_SIZE  0x10000000ull
#define WINDOW       0x20000u /* of device memory and of host memory that the test looks at */
#define HOST_BASE    0x100000000ull
#define LENGTH_LIMIT 0x4000000u

enum { DIRECTION = 0x08, VECTOR = 0x0c, SOURCE = 0x10, DESTINATION = 0x18, LENGTH = 0x20 };
enum { DOORBELL = 0x24, STATUS = 0x28, BYTES = 0x2c, COUNT = 0x30, REFUSED = 0x34 };
enum { TO_DEVICE, FROM_DEVICE, IN_DEVICE };
enum { BUSY = 1, DONE = 2, FAILED = 4 };
enum { BAD_COMMAND = 1, BAD_LENGTH, BAD_DEVICE, BAD_HOST, OVERLAP, NO_MASTER, DMA, MEMORY };

/* The outside of the device: two arrays, and the number of the access that fails. */
struct outside {
	struct swdev dev;
	struct swdev_bus bus;
	uint8_t memory[WINDOW], host[WINDOW];
	unsigned int accesses, fail_at, again_at, interrupts, last_vector;
	uint64_t widest, again_bytes;
};

static int reach(struct outside *o, uint8_t *array, uint64_t at, void *in, const void *out,
		 size_t len)
{
	o->accesses++;
	if (o->accesses == o->fail_at)
		return -EIO;
	if (o->accesses == o->again_at) {
		o->again_bytes = len;
		return -EAGAIN;
	}
	/* The engine reads anew before it writes anew. */
	if (o->again_bytes && array == o->host && in) {
		assert_int_equal(len, o->again_bytes);
		o->again_bytes = 0;
	}
	if (len > o->widest)
		o->widest = len;
	/* one access stays inside 4 KiB */
	assert_true(len && at / 4096 == (at + len - 1) / 4096);
	if (at >= WINDOW || len > WINDOW - at)
		return -EFAULT;
	if (in)
		memcpy(in, array + at, len);
	else if (out)
		memcpy(array + at, out, len);
	return 0;
}

static int dma_read(void *owner, uint64_t iova, void *buf, size_t len)
{
	struct outside *o = owner;

	return reach(o, o->host, iova - HOST_BASE, buf, NULL, len);
}

static int dma_write(void *owner, uint64_t iova, const void *buf, size_t len)
{
	struct outside *o = owner;

	return reach(o, o->host, iova - HOST_BASE, NULL, buf, len);
}

static int memory_read(void *owner, uint64_t dpa, void *buf, size_t len)
{
	struct outside *o = owner;

	return reach(o, o->memory, dpa, buf, NULL, len);
}

static int memory_write(void *owner, uint64_t dpa, const void *buf, size_t len)
{
	struct outside *o = owner;

	return reach(o, o->memory, dpa, NULL, buf, len);
}

static void interrupt(void *owner, unsigned int vector)
{
	struct outside *o = owner;

	o->interrupts++;
	o->last_vector = vector;
}

static struct outside *plug(void)
{
	static struct outside o;
	struct swdev_config settings = { .memory_size = MEMORY_SIZE, .bus = &o.bus };

	memset(&o, 0, sizeof(o));
	o.bus = (struct swdev_bus){ .owner = &o,
				    .dma_read = dma_read,
				    .dma_write = dma_write,
				    .memory_read = memory_read,
				    .memory_write = memory_write,
				    .interrupt = interrupt };
	for (unsigned int i = 0; i < WINDOW; i++) {
		o.host[i] = (uint8_t)(i * 7 + i / 256);
		o.memory[i] = (uint8_t)(i * 13 + i / 251 + 1);
	}
	assert_int_equal(swdev_init(&o.dev, &settings), 0);
	swdev_config_write(&o.dev, 4, 2, 0x6);
	return &o;
}

static uint32_t get(const struct outside *o, uint32_t at)
{
	return (uint32_t)swdev_bar_read(&o->dev, 2, at, 4);
}

static void put(struct outside *o, uint32_t at, uint32_t value)
{
	swdev_bar_write(&o->dev, 2, at, 4, value);
}

static void command(struct outside *o, uint32_t direction, uint64_t source, uint64_t destination,
		    uint32_t length)
{
	put(o, DIRECTION, direction);
	swdev_bar_write(&o->dev, 2, SOURCE, 8, source);
	swdev_bar_write(&o->dev, 2, DESTINATION, 8, destination);
	put(o, LENGTH, length);
	put(o, DOORBELL, 1);
}

static void run(struct outside *o)
{
	for (unsigned int i = 0; swdev_engine_step(&o->dev, 4096); i++)
		assert_true(i < 100000);
}

static void want_status(const struct outside *o, uint32_t status, uint32_t error, uint32_t bytes)
{
	assert_int_equal(get(o, STATUS), status | error << 8);
	assert_int_equal(get(o, BYTES), bytes);
}

static void registers_after_power_on(void **state)
{
	struct outside *o = plug();

	(void)state;
	assert_int_equal(get(o, 0), 1);
	assert_int_equal(get(o, 4), LENGTH_LIMIT);
	for (uint32_t at = 8; at < 0x1000; at += 4)
		assert_int_equal(get(o, at), 0);
	/* read-only ones stay */
	for (uint32_t at = 0x28; at < 0x1000; at += 4)
		put(o, at, UINT32_MAX);
	put(o, 0, 0);
	put(o, 4, 0);
	assert_int_equal(get(o, 0), 1);
	assert_int_equal(get(o, 4), LENGTH_LIMIT);
	for (uint32_t at = 0x28; at < 0x1000; at += 4)
		assert_int_equal(get(o, at), 0);
	/* nothing of it reached the device */
	assert_int_equal(o->accesses, 0);
}

static void copies_in_every_direction(void **state)
{
	static const struct {
		uint32_t source, destination, length;
	} copies[] = {
		{ 0, 0, 1 },           { 0, 0, 4096 },        { 5, 4091, 12345 },
		{ 4095, 1, 65536 },    { 0x1000, 0x3, 4097 }, { 1, 0x1ffff - 7, 8 },
		{ 0x10000, 0, 65536 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(copies); i++) {
		uint32_t from = copies[i].source, to = copies[i].destination, n = copies[i].length;
		struct outside *o = plug();
		static uint8_t before[WINDOW];

		memcpy(before, o->memory, WINDOW);
		command(o, TO_DEVICE, HOST_BASE + from, to, n);
		run(o);
		want_status(o, DONE, 0, n);
		assert_memory_equal(o->memory + to, o->host + from, n);
		assert_memory_equal(o->memory, before, to);
		assert_memory_equal(o->memory + to + n, before + to + n, WINDOW - to - n);

		o = plug();
		memcpy(before, o->host, WINDOW);
		command(o, FROM_DEVICE, from, HOST_BASE + to, n);
		run(o);
		want_status(o, DONE, 0, n);
		assert_memory_equal(o->host + to, o->memory + from, n);
		assert_memory_equal(o->host, before, to);
		assert_memory_equal(o->host + to + n, before + to + n, WINDOW - to - n);
	}
}

static void copies_inside_the_device(void **state)
{
	struct outside *o = plug();
	uint8_t want[5000];

	(void)state;
	memcpy(want, o->memory + 100, sizeof(want));
	command(o, IN_DEVICE, 100, 5100, sizeof(want));
	run(o);
	want_status(o, DONE, 0, sizeof(want));
	assert_memory_equal(o->memory + 5100, want, sizeof(want));
	/* without any DMA, so Bus Master Enable does not matter */
	swdev_config_write(&o->dev, 4, 2, 0x2);
	command(o, IN_DEVICE, 0, 0x8000, 16);
	run(o);
	want_status(o, DONE, 0, 16);
}

/* Each is refused as a whole, with its own code; nothing moves. */
static void bad_commands_move_nothing(void **state)
{
	static const struct {
		uint32_t direction;
		uint64_t source, destination;
		uint32_t length, error;
	} bad[] = {
		{ 3, 0, 0, 16, BAD_COMMAND },
		{ TO_DEVICE, HOST_BASE, 0, 0, BAD_LENGTH },
		{ TO_DEVICE, HOST_BASE, 0, LENGTH_LIMIT + 1, BAD_LENGTH },
		{ TO_DEVICE, HOST_BASE, 0, UINT32_MAX, BAD_LENGTH },
		{ TO_DEVICE, HOST_BASE, MEMORY_SIZE - 15, 16, BAD_DEVICE },
		{ TO_DEVICE, HOST_BASE, MEMORY_SIZE, 1, BAD_DEVICE },
		{ TO_DEVICE, HOST_BASE, UINT64_MAX, 1, BAD_DEVICE },
		{ TO_DEVICE, HOST_BASE, UINT64_MAX - 7, 16, BAD_DEVICE },
		{ FROM_DEVICE, MEMORY_SIZE - 15, HOST_BASE, 16, BAD_DEVICE },
		{ FROM_DEVICE, 1ull << 63, HOST_BASE, 1, BAD_DEVICE },
		{ IN_DEVICE, 0, MEMORY_SIZE - 1, 2, BAD_DEVICE },
		{ IN_DEVICE, MEMORY_SIZE - 1, 0, 2, BAD_DEVICE },
		{ TO_DEVICE, UINT64_MAX - 14, 0, 16, BAD_HOST },
		{ FROM_DEVICE, 0, UINT64_MAX, 2, BAD_HOST },
		{ IN_DEVICE, 0, 15, 16, OVERLAP },
		{ IN_DEVICE, 15, 0, 16, OVERLAP },
		{ IN_DEVICE, 64, 64, 1, OVERLAP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct outside *o = plug();

		command(o, bad[i].direction, bad[i].source, bad[i].destination, bad[i].length);
		assert_false(swdev_engine_busy(&o->dev));
		want_status(o, FAILED, bad[i].error, 0);
		assert_int_equal(get(o, COUNT), 1);
		assert_int_equal(o->accesses, 0);
		assert_false(swdev_engine_step(&o->dev, 4096));
		/* and the next good one works */
		command(o, TO_DEVICE, HOST_BASE, 0, 16);
		run(o);
		want_status(o, DONE, 0, 16);
		assert_int_equal(get(o, COUNT), 2);
	}
}

static void vector_that_does_not_exist_is_refused(void **state)
{
	struct outside *o = plug();

	(void)state;
	swdev_config_write(&o->dev, 0x82, 2, 0x8000);
	put(o, VECTOR, 4);
	command(o, TO_DEVICE | 0x100, HOST_BASE, 0, 16);
	want_status(o, FAILED, BAD_COMMAND, 0);
	assert_int_equal(o->interrupts, 0);
}

/* The n-th access fails: what came before is counted, nothing after it is tried. */
static void failed_access_ends_the_copy_and_is_counted(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= 6; n++) {
		struct outside *o = plug();
		static uint8_t before[WINDOW];

		memcpy(before, o->memory, WINDOW);
		o->fail_at = n;
		command(o, TO_DEVICE, HOST_BASE, 0, 3 * 4096);
		run(o);
		want_status(o, FAILED, n % 2 ? DMA : MEMORY, (n - 1) / 2 * 4096);
		assert_int_equal(o->accesses, n);
		assert_memory_equal(o->memory, o->host, (n - 1) / 2 * 4096);
		assert_memory_equal(o->memory + (n - 1) / 2 * 4096, before + (n - 1) / 2 * 4096,
				    4096);

		o = plug();
		o->fail_at = n;
		command(o, FROM_DEVICE, 0, HOST_BASE, 3 * 4096);
		run(o);
		want_status(o, FAILED, n % 2 ? MEMORY : DMA, (n - 1) / 2 * 4096);
		assert_int_equal(o->accesses, n);
	}
}

static void without_bus_master_there_is_no_dma(void **state)
{
	struct outside *o = plug();

	(void)state;
	swdev_config_write(&o->dev, 4, 2, 0x2);
	command(o, TO_DEVICE, HOST_BASE, 0, 4096);
	run(o);
	want_status(o, FAILED, NO_MASTER, 0);
	assert_int_equal(o->accesses, 0);
	command(o, FROM_DEVICE, 0, HOST_BASE, 4096);
	run(o);
	want_status(o, FAILED, NO_MASTER, 0);
	assert_int_equal(o->accesses, 1); /* the read of device memory */
	/* taken away in the middle */
	swdev_config_write(&o->dev, 4, 2, 0x6);
	command(o, TO_DEVICE, HOST_BASE, 0, 8192);
	assert_true(swdev_engine_step(&o->dev, 4096));
	swdev_config_write(&o->dev, 4, 2, 0x2);
	assert_false(swdev_engine_step(&o->dev, 4096));
	want_status(o, FAILED, NO_MASTER, 4096);
}

static void without_a_bus_every_copy_fails(void **state)
{
	static struct swdev dev;
	struct swdev_config settings = { .memory_size = MEMORY_SIZE };
	static const struct swdev_bus empty;

	(void)state;
	for (int i = 0; i < 2; i++) {
		settings.bus = i ? &empty : NULL;
		assert_int_equal(swdev_init(&dev, &settings), 0);
		swdev_config_write(&dev, 4, 2, 0x6);
		swdev_config_write(&dev, 0x82, 2, 0x8000);
		swdev_bar_write(&dev, 4, 0xc, 4, 0);
		swdev_bar_write(&dev, 2, LENGTH, 4, 1);
		for (uint32_t direction = 0; direction < 3; direction++) {
			swdev_bar_write(&dev, 2, DESTINATION, 4, 8);
			swdev_bar_write(&dev, 2, DIRECTION, 4, direction | 0x100);
			swdev_bar_write(&dev, 2, DOORBELL, 4, 1);
			assert_false(swdev_engine_step(&dev, 4096));
			assert_int_equal(swdev_bar_read(&dev, 2, STATUS, 4),
					 FAILED | (direction ? MEMORY : DMA) << 8);
		}
	}
}

static void steps_are_bounded_by_their_budget(void **state)
{
	struct outside *o = plug();
	unsigned int steps = 0;

	(void)state;
	command(o, TO_DEVICE, HOST_BASE, 0, 1000);
	assert_true(swdev_engine_step(&o->dev, 0));
	want_status(o, BUSY, 0, 0);
	while (swdev_engine_step(&o->dev, 64)) {
		steps++;
		want_status(o, BUSY, 0, 64 * steps);
	}
	assert_int_equal(steps, 15);
	assert_int_equal(o->widest, 64);
	want_status(o, DONE, 0, 1000);
	assert_false(swdev_engine_step(&o->dev, 64));
}

/* Each access in turn is not done at first: the step ends, and the next one asks for the same. */
static void access_that_is_not_done_yet_is_asked_for_again(void **state)
{
	(void)state;
	for (unsigned int at = 1; at <= 6; at++) {
		struct outside *o = plug();

		command(o, TO_DEVICE, HOST_BASE, 0x2000, 3 * 4096);
		o->again_at = at;
		/* The budget ends inside an access; the one that is repeated is as long as before. */
		assert_true(swdev_engine_step(&o->dev, 5000));
		while (swdev_engine_step(&o->dev, 8192))
			want_status(o, BUSY, 0, get(o, BYTES));
		assert_true(o->accesses >= 7);
		want_status(o, DONE, 0, 3 * 4096);
		assert_memory_equal(o->memory + 0x2000, o->host, 3 * 4096);
	}
}

static void doorbell_while_busy_is_refused_and_counted(void **state)
{
	struct outside *o = plug();

	(void)state;
	command(o, TO_DEVICE, HOST_BASE, 0, 8192);
	assert_true(swdev_engine_step(&o->dev, 4096));
	/* parameters written now belong to the next command */
	command(o, FROM_DEVICE, 0, HOST_BASE + 0x10000, 16);
	put(o, DOORBELL, 1);
	assert_int_equal(get(o, REFUSED), 2);
	want_status(o, BUSY, 0, 4096);
	run(o);
	want_status(o, DONE, 0, 8192);
	assert_memory_equal(o->memory, o->host, 8192);
	assert_int_equal(get(o, COUNT), 1);
	put(o, DOORBELL, 1);
	run(o);
	want_status(o, DONE, 0, 16);
	assert_memory_equal(o->host + 0x10000, o->memory, 16);
	/* a doorbell written 0, or read, is none */
	put(o, DOORBELL, 0);
	assert_int_equal(get(o, DOORBELL), 0);
	assert_int_equal(get(o, COUNT), 2);
}

static void completion_sends_its_interrupt(void **state)
{
	struct outside *o = plug();

	(void)state;
	swdev_config_write(&o->dev, 0x82, 2, 0x8000);
	for (unsigned int i = 0; i < 4; i++)
		swdev_bar_write(&o->dev, 4, 16 * i + 12, 4, 0);
	put(o, VECTOR, 3);
	command(o, TO_DEVICE | 0x100, HOST_BASE, 0, 16);
	assert_int_equal(o->interrupts, 0);
	run(o);
	assert_int_equal(o->interrupts, 1);
	assert_int_equal(o->last_vector, 3);
	/* of an error too; not when it is off */
	command(o, TO_DEVICE | 0x100, HOST_BASE, 0, 0);
	assert_int_equal(o->interrupts, 2);
	command(o, TO_DEVICE, HOST_BASE, 0, 16);
	run(o);
	assert_int_equal(o->interrupts, 2);
}

static void rst_reset_ends_the_copy(void **state)
{
	struct outside *o = plug();

	(void)state;
	command(o, TO_DEVICE, HOST_BASE, 0, 8192);
	assert_true(swdev_engine_step(&o->dev, 4096));
	put(o, DOORBELL, 1);
	swdev_reset(&o->dev);
	assert_false(swdev_engine_busy(&o->dev));
	assert_false(swdev_engine_step(&o->dev, 4096));
	for (uint32_t at = 8; at < 0x40; at += 4)
		assert_int_equal(get(o, at), 0);
	assert_int_equal(o->interrupts, 0);
	assert_int_equal(o->accesses, 2);
}

/* Any width and place: what does not fit the registers is dropped and reads 0. */
static void odd_accesses_do_no_harm(void **state)
{
	struct outside *o = plug();

	(void)state;
	for (unsigned int length = 1; length <= 8; length *= 2)
		for (uint32_t at = 0; at + length <= 0x1000; at += length) {
			swdev_bar_write(&o->dev, 2, at, length, 0);
			(void)swdev_bar_read(&o->dev, 2, at, length);
		}
	assert_int_equal(get(o, COUNT), 0);
	/* length and doorbell in one write */
	swdev_bar_write(&o->dev, 2, SOURCE, 8, HOST_BASE);
	swdev_bar_write(&o->dev, 2, LENGTH, 8, 1ull << 32 | 100);
	run(o);
	want_status(o, DONE, 0, 100);
	swdev_bar_write(&o->dev, 2, DOORBELL, 1, 1);
	run(o);
	assert_int_equal(get(o, COUNT), 2);
}

/* One line of the table in docs/device.md, from the row. */
static void line_of(const struct reg_row *row, char *text, size_t size)
{
	char bits[16];

	if (row->bits == 1)
		snprintf(bits, sizeof(bits), "%u", row->lsb);
	else
		snprintf(bits, sizeof(bits), "%u:%u", row->lsb + row->bits - 1u, row->lsb);
	snprintf(text, size, "| 0x%02x | %s | %s | 0x%x | %s |\n", row->offset, bits,
		 row->access == REG_RW ? "rw" : "ro", row->reset, row->name);
}

static void manual_has_the_registers(void **state)
{
	const char *root = getenv("CXLVM_SOURCE");
	char path[512], want[128], line[512];
	unsigned int row = 0;
	FILE *file;

	(void)state;
	assert_non_null(root);
	snprintf(path, sizeof(path), "%s/docs/device.md", root);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "| 0x", 4))
			continue;
		assert_true(row < engine_table.n_rows);
		line_of(&engine_table.rows[row++], want, sizeof(want));
		assert_string_equal(line, want);
	}
	fclose(file);
	assert_int_equal(row, engine_table.n_rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_after_power_on),
		cmocka_unit_test(copies_in_every_direction),
		cmocka_unit_test(copies_inside_the_device),
		cmocka_unit_test(bad_commands_move_nothing),
		cmocka_unit_test(vector_that_does_not_exist_is_refused),
		cmocka_unit_test(failed_access_ends_the_copy_and_is_counted),
		cmocka_unit_test(without_bus_master_there_is_no_dma),
		cmocka_unit_test(without_a_bus_every_copy_fails),
		cmocka_unit_test(steps_are_bounded_by_their_budget),
		cmocka_unit_test(access_that_is_not_done_yet_is_asked_for_again),
		cmocka_unit_test(doorbell_while_busy_is_refused_and_counted),
		cmocka_unit_test(completion_sends_its_interrupt),
		cmocka_unit_test(rst_reset_ends_the_copy),
		cmocka_unit_test(odd_accesses_do_no_harm),
		cmocka_unit_test(manual_has_the_registers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

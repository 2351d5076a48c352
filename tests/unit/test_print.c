/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Printing of register tables (cxlvm/regs.h): the dumps of linux-cxl-guest 3.4, 5 and 7.7 field by
 * field, and images that are cut, looping or garbage.
 */
#include <cxlvm/regs.h>

#include <errno.h>
#include <stdlib.h>

#include "fake.h"
#include "test.h"

#define FIELDS_MAX   4096
#define PROBLEMS_MAX 64

struct seen_field {
	char structure[48];
	int index;
	struct cxlvm_field field; /* strings that are static stay valid, text is copied */
	char text[128];
};

struct seen {
	struct seen_field *fields;
	unsigned int n_fields;
	unsigned int n_structures;
	unsigned int n_problems;
	unsigned int depth;
	struct cxlvm_structure open[8];
	char summary[128]; /* of the last structure that had one */
	char problem[256]; /* the first one */
	uint32_t problem_offset;
	size_t len;
	struct cxlvm_error err;
	int ret;
};

static void see_begin(void *context, const struct cxlvm_structure *structure)
{
	struct seen *seen = context;

	assert_non_null(structure->summary);
	assert_true(seen->depth < ARRAY_SIZE(seen->open));
	seen->open[seen->depth++] = *structure;
	seen->n_structures++;
	if (structure->summary[0])
		snprintf(seen->summary, sizeof(seen->summary), "%s", structure->summary);
}

static void see_field(void *context, const struct cxlvm_field *field)
{
	struct seen *seen = context;
	struct seen_field *copy = &seen->fields[seen->n_fields];

	assert_true(seen->depth > 0);
	assert_true(field->width >= 1 && field->width <= 8 && field->bits >= 1);
	assert_true(field->lsb + field->bits <= 8 * field->width);
	assert_true(field->offset + field->width <= seen->len);
	assert_true(field->bits == 64 || field->value >> field->bits == 0);
	for (const char *c = field->text; *c; c++)
		assert_true(*c >= 0x20 && *c < 0x7f);
	assert_true(seen->n_fields < FIELDS_MAX);
	snprintf(copy->structure, sizeof(copy->structure), "%s", seen->open[seen->depth - 1].name);
	copy->index = seen->open[seen->depth - 1].index;
	copy->field = *field;
	snprintf(copy->text, sizeof(copy->text), "%s", field->text);
	seen->n_fields++;
}

static void see_end(void *context)
{
	struct seen *seen = context;

	assert_true(seen->depth > 0);
	seen->depth--;
}

static void see_problem(void *context, uint32_t offset, const char *message)
{
	struct seen *seen = context;

	if (!seen->n_problems++) {
		snprintf(seen->problem, sizeof(seen->problem), "%s", message);
		seen->problem_offset = offset;
	}
	assert_true(seen->n_problems <= 2048);
}

/* From a block of exactly len bytes, so that a sanitizer sees a read behind it. */
static struct seen *look(const void *image, size_t len, enum cxlvm_image_kind kind)
{
	static const struct cxlvm_visitor visitor = { sizeof(visitor), see_begin, see_field,
						      see_end, see_problem };
	struct seen *seen = calloc(1, sizeof(*seen));
	uint8_t *exact = malloc(len ? len : 1);

	assert_non_null(seen);
	assert_non_null(exact);
	seen->fields = calloc(FIELDS_MAX, sizeof(*seen->fields));
	assert_non_null(seen->fields);
	memcpy(exact, image, len);
	seen->len = len;
	seen->ret = cxlvm_image_visit(exact, len, kind, &visitor, seen, &seen->err);
	assert_int_equal(seen->depth, 0);
	assert_int_equal(seen->ret, seen->n_problems ? -EPROTO : 0);
	assert_int_equal(seen->err.code, seen->ret);
	free(exact);
	return seen;
}

static void done(struct seen *seen)
{
	free(seen->fields);
	free(seen);
}

static const struct seen_field *find(const struct seen *seen, const char *structure, int index,
				     const char *name)
{
	for (unsigned int i = 0; i < seen->n_fields; i++) {
		const struct seen_field *f = &seen->fields[i];

		if (!strcmp(f->structure, structure) && f->index == index &&
		    !strcmp(f->field.name, name))
			return f;
	}
	return NULL;
}

/* A field has this value and meaning; text NULL: not looked at. */
static void want(const struct seen *seen, const char *structure, int index, const char *name,
		 uint64_t value, const char *text)
{
	const struct seen_field *f = find(seen, structure, index, name);

	if (!f)
		print_error("%s %d has no field %s\n", structure, index, name);
	assert_non_null(f);
	assert_int_equal(f->field.value, value);
	if (text)
		assert_string_equal(f->text, text);
}

static void want_place(const struct seen *seen, const char *structure, int index, const char *name,
		       uint32_t offset, unsigned int lsb, unsigned int bits)
{
	const struct seen_field *f = find(seen, structure, index, name);

	assert_non_null(f);
	assert_int_equal(f->field.offset, offset);
	assert_int_equal(f->field.lsb, lsb);
	assert_int_equal(f->field.bits, bits);
}

static bool has_other_bits(const struct seen *seen)
{
	for (unsigned int i = 0; i < seen->n_fields; i++)
		if (!strcmp(seen->fields[i].field.name, "other bits"))
			return true;
	return false;
}

static void put32(uint8_t *p, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static const char cedt_hex[] = "43 45 44 54 6c 00 00 00 01 e4 42 4f 43 48 53 20"
			       "42 58 50 43 20 20 20 20 09 00 00 00 42 58 50 43"
			       "01 00 00 00 00 00 20 00 0c 00 00 00 01 00 00 00"
			       "00 00 00 00 00 00 00 40 02 00 00 00 00 00 01 00"
			       "00 00 00 00 01 00 28 00 00 00 00 00 00 00 00 50"
			       "02 00 00 00 00 00 00 10 00 00 00 00 00 00 00 00"
			       "00 00 00 00 15 00 00 00 0c 00 00 00";

static size_t cedt_example(uint8_t *table)
{
	return fake_hex(table, 256, cedt_hex);
}

/* Section 5, the minimal blocks of an endpoint and of a host bridge. */
static void endpoint_block(uint8_t *block)
{
	memset(block, 0, 0x10000);
	put32(block + 0x1000, 0x02110001);
	put32(block + 0x1004, 0x08020002);
	put32(block + 0x1008, 0x10010005);
	put32(block + 0x1088, 0x0001cfff);
	put32(block + 0x1094, 0x00000200);
	put32(block + 0x1104, 0x00000002);
	put32(block + 0x1110, 0x50000000);
	put32(block + 0x1114, 0x00000002);
	put32(block + 0x1118, 0x10000000);
	put32(block + 0x1120, 0x00000700);
}

static void bridge_block(uint8_t *block)
{
	endpoint_block(block);
	memset(block + 0x1080, 0, 0x58);
	put32(block + 0x1000, 0x01110001);
	put32(block + 0x1004, 0x10010005);
	put32(block + 0x1008, 0);
	put32(block + 0x1100, 0x00000010);
	put32(block + 0x1124, 0x00000003);
}

/* The dumps of 7.7; headers and the capabilities between the CXL ones are typed here. */
static void root_port_config(uint8_t *config)
{
	memset(config, 0, 4096);
	fake_hex(config, 64,
		 "36 1b 75 00 07 05 10 00 00 00 04 06 00 00 01 00"
		 "04 00 00 fe 00 00 00 00 0c 0d 0e 00 00 00 00 00"
		 "20 fe 30 fe 01 00 f1 ff 00 00 00 00 00 00 00 00"
		 "00 00 00 00 40 00 00 00 00 00 00 00 00 00 00 00");
	fake_hex(config + 0x40, 20, "10 00 42 00 00 80 00 00 00 00 00 00 11 00 00 03");
	fake_hex(config + 0x100, 4, "01 00 02 15");
	fake_hex(config + 0x150, 16, "23 00 81 17 98 1e 80 02 03 00 00 00");
	fake_hex(config + 0x178, 16, "23 00 81 18 98 1e 00 01 04 00 00 00 01 00 01 00");
	fake_hex(config + 0x188, 32, "23 00 81 1a 98 1e 02 02 07 00 26 00 02 00 06 00 ef 00 00 00");
	fake_hex(config + 0x1a8, 32, "23 00 01 00 98 1e 40 02 08 00 00 00 00 01 00 00 00 00 00 00");
}

static void endpoint_config(uint8_t *config)
{
	memset(config, 0, 4096);
	fake_hex(config, 64,
		 "86 80 93 0d 06 00 10 00 00 00 02 05 00 00 00 00"
		 "04 00 00 fe 00 00 00 00 0c 00 00 00 40 00 00 00"
		 "00 00 00 00 00 00 00 00 00 00 00 00 f4 1a 00 11"
		 "00 00 00 00 80 00 00 00 00 00 00 00 00 00 00 00");
	fake_hex(config + 0x80, 4, "10 40 02 00");
	fake_hex(config + 0x40, 4, "11 00 01 80");
	fake_hex(config + 0x100, 12, "03 00 c1 10 88 77 66 55 44 33 22 11");
	fake_hex(config + 0x10c, 24,
		 "23 00 81 14 98 1e c3 03 00 00 1e 00 02 00 00 00 00 00 02 00 00 00 00 00");
	fake_hex(config + 0x124, 16, "00 00 00 00 4b 00 00 10 00 00 00 00 00 00 00 00");
	fake_hex(config + 0x148, 36,
		 "23 00 c1 16 98 1e 40 02 08 00 00 00 00 01 00 00 00 00 00 00 02 03 00 00");
	fake_hex(config + 0x16c, 16, "23 00 c1 17 98 1e 00 01 05 00 06 06 10 27 00 00");
	fake_hex(config + 0x17c, 32, "23 00 c1 19 98 1e 02 02 07 00 26 00 02 00 26 00 ef 00 00 00");
	fake_hex(config + 0x19c, 4, "2e 00 01 00");
}

static void cedt_of_the_reference(void **state)
{
	uint8_t table[256];
	size_t len = cedt_example(table);
	struct seen *s = look(table, len, CXLVM_IMAGE_CEDT);

	(void)state;
	assert_int_equal(s->n_problems, 0);
	assert_false(has_other_bits(s));
	want(s, "ACPI table header", -1, "signature", 0x54444543, "\"CEDT\"");
	want(s, "ACPI table header", -1, "length", 0x6c, "");
	want(s, "ACPI table header", -1, "checksum", 0xe4, "");
	want(s, "ACPI table header", -1, "OEM id", 0x205348434f42, "\"BOCHS \"");
	want(s, "ACPI table header", -1, "OEM table id", 0x2020202043505842, "\"BXPC    \"");
	want(s, "ACPI table header", -1, "creator revision", 1, "");
	want(s, "CHBS", 0, "type", 0, "CHBS");
	want(s, "CHBS", 0, "UID", 12, "");
	want(s, "CHBS", 0, "CXL version", 1, "component registers");
	want(s, "CHBS", 0, "base", 0x240000000, "");
	want(s, "CHBS", 0, "length", 0x10000, "64 KiB");
	want(s, "CFMWS", 1, "type", 1, "CFMWS");
	want(s, "CFMWS", 1, "window base", 0x250000000, "");
	want(s, "CFMWS", 1, "window size", 0x10000000, "256 MiB");
	want(s, "CFMWS", 1, "interleave ways", 0, "1 way");
	want(s, "CFMWS", 1, "interleave arithmetic", 0, "modulo");
	want(s, "CFMWS", 1, "interleave granularity", 0, "256 bytes");
	want(s, "CFMWS", 1, "restrictions", 0x15, "device coherent, volatile, fixed");
	want(s, "CFMWS target", 0, "target", 12, "");
	want_place(s, "CFMWS", 1, "window base", 0x4c, 0, 64);
	want_place(s, "CFMWS target", 0, "target", 0x68, 0, 32);
	assert_string_equal(s->summary, "0x250000000 to 0x25fffffff, 256 MiB");
	done(s);
}

static void endpoint_block_of_the_reference(void **state)
{
	static uint8_t block[0x10000];
	struct seen *s;

	(void)state;
	endpoint_block(block);
	s = look(block, sizeof(block), CXLVM_IMAGE_COMPONENT);
	assert_int_equal(s->n_problems, 0);
	assert_false(has_other_bits(s));
	want(s, "CXL capability array", -1, "capability id", 1, "capability array");
	want(s, "CXL capability array", -1, "array size", 2, "");
	want(s, "CXL capability array entry", 1, "capability id", 2, "RAS");
	want(s, "CXL capability array entry", 1, "pointer", 0x80, "");
	want(s, "CXL capability array entry", 2, "capability id", 5, "HDM decoder");
	want(s, "CXL capability array entry", 2, "pointer", 0x100, "");
	want(s, "CXL RAS capability", -1, "error capabilities and control", 0x200, NULL);
	want_place(s, "CXL RAS capability", -1, "uncorrectable error severity", 0x1088, 0, 32);
	want_place(s, "CXL RAS capability", -1, "header log 15", 0x10d4, 0, 32);
	want(s, "CXL HDM decoder capability", -1, "decoder count", 0, "1 decoder");
	want(s, "CXL HDM decoder capability", -1, "HDM decoder enable", 1, "");
	want(s, "CXL HDM decoder", 0, "base low", 5, "");
	want(s, "CXL HDM decoder", 0, "base high", 2, "");
	want(s, "CXL HDM decoder", 0, "size low", 1, "");
	want(s, "CXL HDM decoder", 0, "interleave granularity", 0, "256 bytes");
	want(s, "CXL HDM decoder", 0, "interleave ways", 0, "1 way");
	want(s, "CXL HDM decoder", 0, "lock on commit", 1, "");
	want(s, "CXL HDM decoder", 0, "committed", 1, "");
	want(s, "CXL HDM decoder", 0, "target range type", 0, "device coherent");
	want_place(s, "CXL HDM decoder", 0, "committed", 0x1120, 10, 1);
	assert_string_equal(s->summary, "0x250000000 to 0x25fffffff, 256 MiB, committed, locked, "
					"device coherent");
	assert_string_equal(find(s, "CXL HDM decoder", 0, "committed")->field.access, "RO");
	assert_string_equal(find(s, "CXL HDM decoder", 0, "committed")->field.section,
			    "8.2.4.20.7");
	assert_string_equal(
		find(s, "CXL RAS capability", -1, "correctable error status")->field.access,
		"RW1C");
	done(s);
}

static void bridge_block_of_the_reference(void **state)
{
	static uint8_t block[0x10000];
	struct seen *s;

	(void)state;
	bridge_block(block);
	s = look(block, sizeof(block), CXLVM_IMAGE_COMPONENT);
	assert_int_equal(s->n_problems, 0);
	assert_null(find(s, "CXL RAS capability", -1, "header log 0"));
	want(s, "CXL HDM decoder capability", -1, "target count", 1, "");
	want(s, "CXL HDM decoder", 0, "target list or DPA skip low", 3, "");
	done(s);

	/* the CM area alone: the same, 0x1000 lower */
	s = look(block + 0x1000, 0x1000, CXLVM_IMAGE_COMPONENT);
	assert_int_equal(s->n_problems, 0);
	want(s, "CXL HDM decoder", 0, "base low", 5, "");
	want_place(s, "CXL HDM decoder", 0, "base low", 0x110, 28, 4);
	done(s);
}

static void root_port_dump_of_the_reference(void **state)
{
	uint8_t config[4096];
	struct seen *s;

	(void)state;
	root_port_config(config);
	s = look(config, sizeof(config), CXLVM_IMAGE_CONFIG);
	assert_int_equal(s->n_problems, 0);
	want(s, "PCI bridge header", -1, "vendor id", 0x1b36, "");
	want(s, "PCI bridge header", -1, "class code", 0x060400, "");
	want(s, "PCI bridge header", -1, "header type", 1, "bridge");
	want(s, "PCI bridge header", -1, "secondary bus", 13, "");
	want(s, "PCI bridge header", -1, "memory limit", 0xfe3, "");
	want(s, "PCI base address", 0, "BAR type", 2, "64-bit");
	assert_null(find(s, "PCI bridge header", -1, "subsystem id"));
	want(s, "PCI Express capability", -1, "device/port type", 4, "root port");
	want(s, "PCI Express capability", -1, "port number", 3, "");
	want(s, "PCI Express capability", -1, "max link speed", 1, "2.5 GT/s");
	want(s, "extended capability", -1, "extended capability id", 1, "AER");
	want(s, "CXL Port Extensions DVSEC", -1, "DVSEC vendor", 0x1e98, "CXL");
	want(s, "CXL Port Extensions DVSEC", -1, "DVSEC length", 0x28, "");
	want(s, "CXL Port Extensions DVSEC", -1, "DVSEC id", 3, "Port Extensions");
	want(s, "CXL Port Extensions DVSEC", -1, "unmask SBR", 0, "");
	want_place(s, "CXL Port Extensions DVSEC", -1, "alt bus limit", 0x15f, 0, 8);
	want(s, "CXL GPF Port DVSEC", -1, "phase 1 timeout", 1, "");
	want(s, "CXL GPF Port DVSEC", -1, "phase 2 timeout scale", 0, "1 us");
	want(s, "CXL Flex Bus Port DVSEC", -1, "DVSEC revision", 2, "");
	want(s, "CXL Flex Bus Port DVSEC", -1, "capability", 0x26, "io, mem, 68-byte flit and VH");
	want(s, "CXL Flex Bus Port DVSEC", -1, "control", 2, "io");
	want(s, "CXL Flex Bus Port DVSEC", -1, "status", 6, "io, mem");
	want(s, "CXL Flex Bus Port DVSEC", -1, "received modified TS data", 0xef, "");
	want(s, "CXL Register Locator DVSEC", -1, "DVSEC length", 0x24, "");
	want(s, "Register Locator entry", 0, "register BIR", 0, "BAR 0");
	want(s, "Register Locator entry", 0, "block identifier", 1, "component registers");
	want(s, "Register Locator entry", 2, "block identifier", 0, "empty");
	assert_null(find(s, "Register Locator entry", 3, "block identifier"));
	done(s);
}

static void endpoint_dump_of_the_reference(void **state)
{
	uint8_t config[4096];
	struct seen *s;

	(void)state;
	endpoint_config(config);
	s = look(config, sizeof(config), CXLVM_IMAGE_CONFIG);
	assert_int_equal(s->n_problems, 0);
	want(s, "PCI header", -1, "device id", 0x0d93, "");
	want(s, "PCI header", -1, "subsystem id", 0x1100, "");
	want(s, "PCI base address", 0, "BAR type", 2, "64-bit");
	want(s, "PCI base address", 2, "BAR prefetchable", 1, "");
	want(s, "PCI base address", 2, "BAR address high", 0x40, "");
	assert_null(find(s, "PCI base address", 1, "BAR type"));
	want(s, "PCI Express capability", -1, "device/port type", 0, "endpoint");
	want(s, "MSI-X capability", -1, "capability id", 0x11, "MSI-X");
	want(s, "MSI-X capability", -1, "table size", 1, "");
	want(s, "MSI-X capability", -1, "MSI-X enable", 1, "");
	want(s, "Device Serial Number", -1, "serial number high", 0x11223344, "");
	want(s, "CXL Device DVSEC", -1, "DVSEC revision", 3, "");
	want(s, "CXL Device DVSEC", -1, "Cache_Capable", 0, "");
	want(s, "CXL Device DVSEC", -1, "Mem_Capable", 1, "");
	want(s, "CXL Device DVSEC", -1, "Mem_HwInit_Mode", 1, "");
	want(s, "CXL Device DVSEC", -1, "HDM_Count", 1, "");
	want(s, "CXL Device DVSEC", -1, "IO_Enable", 1, "");
	want(s, "CXL Device DVSEC", -1, "Mem_Enable", 0, "");
	want(s, "CXL Device DVSEC", -1, "CXL_Reset_Complete", 1, "");
	want(s, "CXL Device DVSEC", -1, "Memory_Info_Valid", 1, "");
	want(s, "CXL Device DVSEC", -1, "Memory_Active", 1, "");
	want(s, "CXL Device DVSEC", -1, "range 1 media type", 2, "see CDAT");
	want(s, "CXL Device DVSEC", -1, "range 1 memory class", 2, "see CDAT");
	want(s, "CXL Device DVSEC", -1, "range 1 size low", 1, "");
	want_place(s, "CXL Device DVSEC", -1, "range 1 size low", 0x128, 28, 4);
	want(s, "Register Locator entry", 0, "block identifier", 1, "component registers");
	want(s, "Register Locator entry", 1, "register BIR", 2, "BAR 2");
	want(s, "Register Locator entry", 1, "block identifier", 3, "memory device registers");
	want(s, "CXL GPF Device DVSEC", -1, "phase 2 duration", 6, "");
	want(s, "CXL GPF Device DVSEC", -1, "phase 2 duration scale", 6, "1 s");
	want(s, "CXL GPF Device DVSEC", -1, "phase 2 power (mW)", 10000, "");
	want(s, "CXL Flex Bus Port DVSEC", -1, "status", 0x26, "io, mem, 68-byte flit and VH");
	want(s, "extended capability", -1, "extended capability id", 0x2e, "DOE");
	done(s);

	/* conventional config space alone is complete */
	s = look(config, 256, CXLVM_IMAGE_CONFIG);
	assert_int_equal(s->n_problems, 0);
	assert_null(find(s, "CXL Device DVSEC", -1, "HDM_Count"));
	done(s);
}

static void every_decoder_of_every_count_code(void **state)
{
	static const unsigned int counts[16] = { 1,  2,  4,  6,  8,  10, 12, 14,
						 16, 20, 24, 28, 32, 0,  0,  0 };
	static uint8_t block[0x10000];

	(void)state;
	for (uint32_t code = 0; code < 16; code++) {
		struct seen *s;
		int n = 0;

		endpoint_block(block);
		put32(block + 0x1100, code);
		for (uint32_t i = 0; i < 32; i++)
			put32(block + 0x1114 + 0x20 * i, 0x100 + i);
		s = look(block, sizeof(block), CXLVM_IMAGE_COMPONENT);
		while (find(s, "CXL HDM decoder", n, "base high")) {
			want(s, "CXL HDM decoder", n, "base high", 0x100 + (unsigned int)n, "");
			n++;
		}
		assert_int_equal(n, counts[code] ? counts[code] : 1);
		assert_int_equal(s->n_problems, counts[code] ? 0 : 1);
		done(s);
	}
}

static void codes_of_ways_and_granularity(void **state)
{
	static const char *const ways[16] = { "1 way",    "2 ways",   "4 ways",   "8 ways",
					      "16 ways",  "reserved", "reserved", "reserved",
					      "3 ways",   "6 ways",   "12 ways",  "reserved",
					      "reserved", "reserved", "reserved", "reserved" };
	static const char *const granularity[16] = {
		"256 bytes",   "512 bytes", "1024 bytes", "2048 bytes", "4096 bytes", "8192 bytes",
		"16384 bytes", "reserved",  "reserved",   "reserved",   "reserved",   "reserved",
		"reserved",    "reserved",  "reserved",   "reserved"
	};
	static uint8_t block[0x10000];

	(void)state;
	for (uint32_t code = 0; code < 16; code++) {
		struct seen *s;

		endpoint_block(block);
		put32(block + 0x1120, code << 4 | code);
		s = look(block, sizeof(block), CXLVM_IMAGE_COMPONENT);
		want(s, "CXL HDM decoder", 0, "interleave ways", code, ways[code]);
		want(s, "CXL HDM decoder", 0, "interleave granularity", code, granularity[code]);
		done(s);
	}
}

/* What reads as garbage where the specification has zeros is shown, not hidden. */
static void bits_without_a_field_are_shown(void **state)
{
	static uint8_t block[0x10000];
	struct seen *s;

	(void)state;
	endpoint_block(block);
	put32(block + 0x1110, 0x5badc0de);
	s = look(block, sizeof(block), CXLVM_IMAGE_COMPONENT);
	want(s, "CXL HDM decoder", 0, "base low", 5, "");
	want(s, "CXL HDM decoder", 0, "other bits", 0x0badc0de, NULL);
	want_place(s, "CXL HDM decoder", 0, "other bits", 0x1110, 0, 32);
	done(s);
}

static void recognizes_images_by_content(void **state)
{
	static uint8_t block[0x10000];
	uint8_t config[4096], table[256];
	size_t len = cedt_example(table);

	(void)state;
	endpoint_block(block);
	endpoint_config(config);
	assert_int_equal(cxlvm_image_recognize(table, len), CXLVM_IMAGE_CEDT);
	assert_int_equal(cxlvm_image_recognize(table, 4), CXLVM_IMAGE_CEDT);
	assert_int_equal(cxlvm_image_recognize(table, 3), CXLVM_IMAGE_UNKNOWN);
	assert_int_equal(cxlvm_image_recognize(table, 0), CXLVM_IMAGE_UNKNOWN);
	assert_int_equal(cxlvm_image_recognize(block, sizeof(block)), CXLVM_IMAGE_COMPONENT);
	assert_int_equal(cxlvm_image_recognize(block, 0x1004), CXLVM_IMAGE_COMPONENT);
	assert_int_equal(cxlvm_image_recognize(block, 0x1000), CXLVM_IMAGE_UNKNOWN);
	assert_int_equal(cxlvm_image_recognize(block + 0x1000, 0x1000), CXLVM_IMAGE_COMPONENT);
	assert_int_equal(cxlvm_image_recognize(config, 4096), CXLVM_IMAGE_CONFIG);
	assert_int_equal(cxlvm_image_recognize(config, 256), CXLVM_IMAGE_CONFIG);
	assert_int_equal(cxlvm_image_recognize(config, 63), CXLVM_IMAGE_UNKNOWN);
	memset(config, 0xff, sizeof(config));
	assert_int_equal(cxlvm_image_recognize(config, 4096), CXLVM_IMAGE_UNKNOWN);
	memset(config, 0, sizeof(config));
	assert_int_equal(cxlvm_image_recognize(config, 4096), CXLVM_IMAGE_UNKNOWN);
	assert_string_equal(cxlvm_image_kind_name(CXLVM_IMAGE_CEDT), "cedt");
	assert_string_equal(cxlvm_image_kind_name(CXLVM_IMAGE_COMPONENT), "component");
	assert_string_equal(cxlvm_image_kind_name(CXLVM_IMAGE_CONFIG), "config");
	assert_string_equal(cxlvm_image_kind_name((enum cxlvm_image_kind)77), "unknown");
}

/* Fields of a cut image are the first ones of the whole: same values, nothing made up. */
static void check_cuts(const uint8_t *image, size_t len, size_t step, enum cxlvm_image_kind kind,
		       size_t complete)
{
	struct seen *whole = look(image, len, kind);

	assert_int_equal(whole->n_problems, 0);
	for (size_t cut = 0; cut < complete; cut += step) {
		struct seen *s = look(image, cut, kind);

		if (kind != CXLVM_IMAGE_CONFIG || cut != 256)
			assert_true(s->n_problems > 0);
		for (unsigned int i = 0; i < s->n_fields; i++) {
			const struct seen_field *f = &s->fields[i];

			assert_true(f->field.offset + f->field.width <= cut);
			want(whole, f->structure, f->index, f->field.name, f->field.value, f->text);
		}
		done(s);
	}
	done(whole);
}

static void cut_anywhere_says_so_and_keeps_what_came_before(void **state)
{
	static uint8_t block[0x10000];
	uint8_t config[4096], table[256];
	size_t len = cedt_example(table);

	(void)state;
	check_cuts(table, len, 1, CXLVM_IMAGE_CEDT, len);
	bridge_block(block);
	check_cuts(block, sizeof(block), 4, CXLVM_IMAGE_COMPONENT, 0x1000);
	check_cuts(block + 0x1000, 0x1000, 3, CXLVM_IMAGE_COMPONENT, 0x1000);
	endpoint_config(config);
	check_cuts(config, sizeof(config), 5, CXLVM_IMAGE_CONFIG, sizeof(config));
}

/* One change to a good image has this problem as the first one. */
static void spoiled(const uint8_t *image, size_t len, enum cxlvm_image_kind kind, uint32_t offset,
		    const char *text)
{
	struct seen *s = look(image, len, kind);

	assert_true(s->n_problems > 0);
	if (!strstr(s->problem, text))
		print_error("the problem is: %s\n", s->problem);
	assert_non_null(strstr(s->problem, text));
	assert_int_equal(s->problem_offset, offset);
	assert_non_null(strstr(s->err.message, text));
	done(s);
}

static void hostile_cedts(void **state)
{
	uint8_t table[256];
	size_t len = cedt_example(table);
	static uint8_t large[64 * 1024];

	(void)state;
	table[0x0b] ^= 1;
	spoiled(table, len, CXLVM_IMAGE_CEDT, 9, "checksum");
	cedt_example(table);
	put32(table + 4, 35);
	spoiled(table, len, CXLVM_IMAGE_CEDT, 4, "length 0x23");
	put32(table + 4, 0xffffffff);
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x6c, "0xffffffff bytes");
	put32(table + 4, 0x44);
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x44, "0x28 more bytes");
	cedt_example(table);
	table[0x26] = 0;
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x24, "record length 0x0");
	table[0x26] = 0x1f;
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x24, "CHBS has 0x20 bytes, this one has 0x1f");
	table[0x26] = 0x20;
	table[0x27] = 0xff;
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x24, "this one has 0xff20");
	cedt_example(table);
	table[0x5c] = 1;
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x44, "a CFMWS of 2 ways has 0x2c bytes");
	table[0x5c] = 5;
	spoiled(table, len, CXLVM_IMAGE_CEDT, 0x44, "ways code 0x5");
	/* smallest records without end */
	cedt_example(large);
	put32(large + 4, sizeof(large));
	for (size_t at = 36; at < sizeof(large); at += 4)
		put32(large + at, 0x00040003);
	spoiled(large, sizeof(large), CXLVM_IMAGE_CEDT, 36 + 4 * 1024, "more than 1024 records");
}

static void hostile_component_blocks(void **state)
{
	static uint8_t block[0x10000];

	(void)state;
	endpoint_block(block);
	put32(block + 0x1000, 0x02110002);
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1000, "the id is 0x2");
	endpoint_block(block);
	put32(block + 0x1008, 0xff010005);
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1008, "the area has 0x1000");
	put32(block + 0x1008, 0x00010005);
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1008, "inside the array");
	endpoint_block(block);
	put32(block + 0x1004, 0x10010005);
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1008, "a second");
	/* 255 entries, all the same, behind the array; nothing is printed 255 times */
	endpoint_block(block);
	put32(block + 0x1000, 0xff110001);
	for (uint32_t i = 1; i <= 255; i++)
		put32(block + 0x1000 + 4 * i, 0x80010005);
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1008, "a second");
	/* decoders beyond the area */
	endpoint_block(block);
	put32(block + 0x1008, 0xfc010005);
	put32(block + 0x1fc0, 1);
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1fc0, "has room for 1");
	memset(block, 0xff, sizeof(block));
	spoiled(block, sizeof(block), CXLVM_IMAGE_COMPONENT, 0x1000, "0xffff");
}

static void hostile_config_spaces(void **state)
{
	uint8_t config[8192];

	(void)state;
	memset(config, 0xff, sizeof(config));
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0, "no device answered");
	endpoint_config(config);
	spoiled(config, 4097, CXLVM_IMAGE_CONFIG, 0x1000, "at most 0x1000");
	put32(config + 0x19c, 0x10c1002e);
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x10c, "comes back to 0x10c");
	put32(config + 0x19c, 0x0401002e);
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x40, "below 0x100");
	put32(config + 0x19c, 0xffffffff);
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x19c, "all ones");
	endpoint_config(config);
	config[0x41] = 0x80;
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x80, "comes back to 0x80");
	config[0x41] = 0x3c;
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x3c, "inside the header");
	endpoint_config(config);
	put32(config + 0x110, 0x00031e98);
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x10c, "has 0x0 bytes");
	put32(config + 0x110, 0xfff31e98);
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x10c, "has 0xfff bytes");
	endpoint_config(config);
	config[0x174] = 7;
	spoiled(config, 4096, CXLVM_IMAGE_CONFIG, 0x17c, "a second CXL Flex Bus Port DVSEC");
}

/* see_field and see_end check what the visitor is told; the sanitizers check the rest. */
static void garbage_is_harmless(void **state)
{
	static uint8_t block[0x10000];
	uint32_t random = 12345;

	(void)state;
	for (unsigned int round = 0; round < 3000; round++) {
		unsigned int kind = round % 3;
		size_t len = kind == 0 ? cedt_example(block) : 4096;

		if (kind == 1)
			endpoint_config(block);
		if (kind == 2) {
			endpoint_block(block);
			memmove(block, block + 0x1000, 0x1000);
		}
		for (unsigned int i = 0; i < 1 + round % 17; i++) {
			random = random * 1664525 + 1013904223;
			block[(random >> 16) % (kind == 0 ? len : 0x200)] = (uint8_t)(random >> 8);
		}
		done(look(block, len - (round % 5 ? 0 : random % 64),
			  (enum cxlvm_image_kind)(kind == 0   ? CXLVM_IMAGE_CEDT
						  : kind == 1 ? CXLVM_IMAGE_CONFIG
							      : CXLVM_IMAGE_COMPONENT)));
	}
}

static void refuses_unknown_kinds_and_older_visitors(void **state)
{
	struct cxlvm_visitor visitor = { .size = sizeof(visitor) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint8_t table[256];
	size_t len = cedt_example(table);

	(void)state;
	/* a visitor without functions is one that only checks */
	assert_int_equal(cxlvm_image_visit(table, len, CXLVM_IMAGE_CEDT, &visitor, NULL, NULL), 0);
	assert_int_equal(cxlvm_image_visit(table, len - 1, CXLVM_IMAGE_CEDT, &visitor, NULL, NULL),
			 -EPROTO);
	assert_int_equal(cxlvm_image_visit(table, len, CXLVM_IMAGE_UNKNOWN, &visitor, NULL, &err),
			 -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	visitor.size = 0;
	assert_int_equal(cxlvm_image_visit(table, len, CXLVM_IMAGE_CEDT, &visitor, NULL, NULL),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cedt_of_the_reference),
		cmocka_unit_test(endpoint_block_of_the_reference),
		cmocka_unit_test(bridge_block_of_the_reference),
		cmocka_unit_test(root_port_dump_of_the_reference),
		cmocka_unit_test(endpoint_dump_of_the_reference),
		cmocka_unit_test(every_decoder_of_every_count_code),
		cmocka_unit_test(codes_of_ways_and_granularity),
		cmocka_unit_test(bits_without_a_field_are_shown),
		cmocka_unit_test(recognizes_images_by_content),
		cmocka_unit_test(cut_anywhere_says_so_and_keeps_what_came_before),
		cmocka_unit_test(hostile_cedts),
		cmocka_unit_test(hostile_component_blocks),
		cmocka_unit_test(hostile_config_spaces),
		cmocka_unit_test(garbage_is_harmless),
		cmocka_unit_test(refuses_unknown_kinds_and_older_visitors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

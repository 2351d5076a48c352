/* SPDX-License-Identifier: BSD-3-Clause */
/* A small AML writer (ACPI 6.5, chapter 20). Lengths are inserted when a package is closed. */
#include <cxlvm/acpi.h>

#include <string.h>

#include "acpi/aml_ops.h"
#include "base/math.h"

void cxlvm_aml_init(struct cxlvm_aml *aml, void *buf, size_t len)
{
	*aml = (struct cxlvm_aml){ .buf = buf, .len = buf ? len : 0 };
}

void aml_bytes(struct cxlvm_aml *aml, const void *bytes, size_t n)
{
	if (range_fits(aml->pos, n, aml->len))
		memcpy(aml->buf + aml->pos, bytes, n);
	else
		aml->overflow = true;
	aml->pos += n;
}

void aml_byte(struct cxlvm_aml *aml, uint8_t byte)
{
	aml_bytes(aml, &byte, 1);
}

static void aml_le(struct cxlvm_aml *aml, unsigned int length, uint64_t value)
{
	uint8_t bytes[8];

	put_le(bytes, length, value);
	aml_bytes(aml, bytes, length);
}

/* Make room for bytes in front of what was written since at. */
static void insert(struct cxlvm_aml *aml, size_t at, const uint8_t *bytes, size_t n)
{
	if (range_fits(aml->pos, n, aml->len)) {
		memmove(aml->buf + at + n, aml->buf + at, aml->pos - at);
		memcpy(aml->buf + at, bytes, n);
	} else {
		aml->overflow = true;
	}
	aml->pos += n;
}

/* PkgLength (20.2.4) of a package with content bytes: it counts itself. Returns its size. */
static size_t package_length(uint8_t bytes[4], size_t content)
{
	size_t n = content + 1 < 0x40       ? 1
		   : content + 2 < 0x1000   ? 2
		   : content + 3 < 0x100000 ? 3
					    : 4;
	size_t length = content + n;

	if (n == 1) {
		bytes[0] = (uint8_t)length;
		return n;
	}
	bytes[0] = (uint8_t)((n - 1) << 6 | (length & 0xf));
	put_le(bytes + 1, (unsigned int)n - 1, length >> 4);
	return n;
}

void cxlvm_aml_end(struct cxlvm_aml *aml, struct cxlvm_aml_package package)
{
	uint8_t bytes[4];
	size_t n = package_length(bytes, aml->pos - package.start);

	insert(aml, package.start, bytes, n);
}

void aml_name(struct cxlvm_aml *aml, const char *name)
{
	char segment[4] = { '_', '_', '_', '_' };

	for (unsigned int i = 0; i < 4 && name[i] && name[i] != '.'; i++)
		segment[i] = name[i];
	aml_bytes(aml, segment, sizeof(segment));
}

static void aml_path(struct cxlvm_aml *aml, const char *path)
{
	const char *second;

	if (*path == '\\') {
		aml_byte(aml, '\\');
		path++;
	}
	second = strchr(path, '.');
	if (second)
		aml_byte(aml, AML_DUAL_NAME_PREFIX);
	aml_name(aml, path);
	if (second)
		aml_name(aml, second + 1);
}

struct cxlvm_aml_package cxlvm_aml_scope(struct cxlvm_aml *aml, const char *path)
{
	struct cxlvm_aml_package package;

	aml_byte(aml, AML_SCOPE_OP);
	package.start = aml->pos;
	aml_path(aml, path);
	return package;
}

struct cxlvm_aml_package cxlvm_aml_device(struct cxlvm_aml *aml, const char *name)
{
	struct cxlvm_aml_package package;

	aml_byte(aml, AML_EXT_OP);
	aml_byte(aml, AML_DEVICE_OP);
	package.start = aml->pos;
	aml_name(aml, name);
	return package;
}

struct cxlvm_aml_package cxlvm_aml_method(struct cxlvm_aml *aml, const char *name,
					  unsigned int args)
{
	struct cxlvm_aml_package package;

	aml_byte(aml, AML_METHOD_OP);
	package.start = aml->pos;
	aml_name(aml, name);
	aml_byte(aml, (uint8_t)(args & AML_METHOD_ARGS) | AML_METHOD_SERIALIZED);
	return package;
}

struct cxlvm_aml_package aml_if(struct cxlvm_aml *aml)
{
	aml_byte(aml, AML_IF_OP);
	return (struct cxlvm_aml_package){ aml->pos };
}

struct cxlvm_aml_package aml_else(struct cxlvm_aml *aml)
{
	aml_byte(aml, AML_ELSE_OP);
	return (struct cxlvm_aml_package){ aml->pos };
}

void aml_integer(struct cxlvm_aml *aml, uint64_t value)
{
	if (value <= 1) {
		aml_byte(aml, (uint8_t)value); /* ZeroOp, OneOp */
	} else if (value <= UINT8_MAX) {
		aml_byte(aml, AML_BYTE_PREFIX);
		aml_le(aml, 1, value);
	} else if (value <= UINT16_MAX) {
		aml_byte(aml, AML_WORD_PREFIX);
		aml_le(aml, 2, value);
	} else if (value <= UINT32_MAX) {
		aml_byte(aml, AML_DWORD_PREFIX);
		aml_le(aml, 4, value);
	} else {
		aml_byte(aml, AML_QWORD_PREFIX);
		aml_le(aml, 8, value);
	}
}

void aml_buffer(struct cxlvm_aml *aml, const void *bytes, size_t n)
{
	struct cxlvm_aml_package package;

	aml_byte(aml, AML_BUFFER_OP);
	package.start = aml->pos;
	aml_integer(aml, n);
	aml_bytes(aml, bytes, n);
	cxlvm_aml_end(aml, package);
}

static uint8_t hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (uint8_t)(c - '0');
	if (c >= 'A' && c <= 'F')
		return (uint8_t)(c - 'A' + 10);
	return 0;
}

/* Three letters of five bits and four hex digits, big endian, as a dword (19.6.36). */
static void aml_eisaid(struct cxlvm_aml *aml, const char *id)
{
	uint32_t value = 0;
	uint8_t bytes[4];

	if (strlen(id) != 7) {
		aml->overflow = true;
		return;
	}
	for (unsigned int i = 0; i < 3; i++)
		value = value << 5 | ((uint32_t)(id[i] - 'A' + 1) & 0x1f);
	for (unsigned int i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	for (unsigned int i = 0; i < 4; i++)
		bytes[i] = (uint8_t)(value >> (24 - 8 * i));
	aml_byte(aml, AML_DWORD_PREFIX);
	aml_bytes(aml, bytes, sizeof(bytes));
}

static void begin_name(struct cxlvm_aml *aml, const char *name)
{
	aml_byte(aml, AML_NAME_OP);
	if (*name == '\\')
		aml_path(aml, name);
	else
		aml_name(aml, name);
}

void cxlvm_aml_name_integer(struct cxlvm_aml *aml, const char *name, uint64_t value)
{
	begin_name(aml, name);
	aml_integer(aml, value);
}

void cxlvm_aml_name_string(struct cxlvm_aml *aml, const char *name, const char *value)
{
	begin_name(aml, name);
	aml_byte(aml, AML_STRING_PREFIX);
	aml_bytes(aml, value, strlen(value) + 1);
}

void cxlvm_aml_name_eisaid(struct cxlvm_aml *aml, const char *name, const char *id)
{
	begin_name(aml, name);
	aml_eisaid(aml, id);
}

static struct cxlvm_aml_package begin_package(struct cxlvm_aml *aml, const char *name, size_t n)
{
	struct cxlvm_aml_package package;

	begin_name(aml, name);
	aml_byte(aml, AML_PACKAGE_OP);
	package.start = aml->pos;
	aml_byte(aml, (uint8_t)n);
	if (n > UINT8_MAX)
		aml->overflow = true;
	return package;
}

void cxlvm_aml_name_package(struct cxlvm_aml *aml, const char *name, const uint64_t *values,
			    size_t n)
{
	struct cxlvm_aml_package package = begin_package(aml, name, n);

	for (size_t i = 0; i < n; i++)
		aml_integer(aml, values[i]);
	cxlvm_aml_end(aml, package);
}

void cxlvm_aml_name_eisaids(struct cxlvm_aml *aml, const char *name, const char *const *ids,
			    size_t n)
{
	struct cxlvm_aml_package package = begin_package(aml, name, n);

	for (size_t i = 0; i < n; i++)
		aml_eisaid(aml, ids[i]);
	cxlvm_aml_end(aml, package);
}

/* Resource descriptors (6.4). */
struct cxlvm_aml_resources cxlvm_aml_resources_begin(struct cxlvm_aml *aml)
{
	begin_name(aml, "_CRS");
	return (struct cxlvm_aml_resources){ aml->pos };
}

void cxlvm_aml_resources_end(struct cxlvm_aml *aml, struct cxlvm_aml_resources res)
{
	uint8_t head[16];
	struct cxlvm_aml size;
	size_t n;

	aml_byte(aml, RES_END_TAG);
	aml_byte(aml, 0); /* no checksum */
	/* In front of the descriptors: BufferOp, length of all, size of the buffer. */
	cxlvm_aml_init(&size, head, sizeof(head));
	aml_integer(&size, aml->pos - res.start);
	insert(aml, res.start, head, size.pos);
	n = package_length(head + 1, aml->pos - res.start);
	head[0] = AML_BUFFER_OP;
	insert(aml, res.start, head, n + 1);
}

static void address_space(struct cxlvm_aml *aml, uint8_t tag, unsigned int width, uint8_t type,
			  uint8_t type_flags, uint64_t base, uint64_t size)
{
	aml_byte(aml, tag);
	aml_le(aml, 2, 3 + 5 * width);
	aml_byte(aml, type);
	aml_byte(aml, RES_PRODUCER_FIXED);
	aml_byte(aml, type_flags);
	aml_le(aml, width, 0); /* granularity */
	aml_le(aml, width, base);
	aml_le(aml, width, base + (size - 1));
	aml_le(aml, width, 0); /* translation */
	aml_le(aml, width, size);
}

void cxlvm_aml_bus_numbers(struct cxlvm_aml *aml, uint8_t first, uint8_t last)
{
	address_space(aml, RES_WORD_SPACE, 2, RES_TYPE_BUS, 0, first, last - first + 1u);
}

void cxlvm_aml_memory_window(struct cxlvm_aml *aml, struct cxlvm_gpa base, uint64_t size,
			     bool prefetchable)
{
	uint8_t flags = RES_MEMORY_WRITABLE | (prefetchable ? RES_MEMORY_PREFETCHABLE : 0);

	if (base.value + (size - 1) <= UINT32_MAX)
		address_space(aml, RES_DWORD_SPACE, 4, RES_TYPE_MEMORY, flags, base.value, size);
	else
		address_space(aml, RES_QWORD_SPACE, 8, RES_TYPE_MEMORY, flags, base.value, size);
}

void cxlvm_aml_memory_fixed(struct cxlvm_aml *aml, uint32_t base, uint32_t size)
{
	aml_byte(aml, RES_MEMORY32_FIXED);
	aml_le(aml, 2, 9);
	aml_byte(aml, RES_MEMORY_WRITABLE);
	aml_le(aml, 4, base);
	aml_le(aml, 4, size);
}

void cxlvm_aml_io_ports(struct cxlvm_aml *aml, uint16_t base, uint8_t size)
{
	aml_byte(aml, RES_IO_PORTS);
	aml_byte(aml, RES_IO_DECODE16);
	aml_le(aml, 2, base);
	aml_le(aml, 2, base);
	aml_byte(aml, 1); /* alignment */
	aml_byte(aml, size);
}

void cxlvm_aml_irq(struct cxlvm_aml *aml, uint8_t irq)
{
	aml_byte(aml, RES_IRQ);
	aml_le(aml, 2, (uint64_t)1 << (irq & 15));
}

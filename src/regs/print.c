/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine: rows of a table over bytes, as calls of a visitor. */
#include "regs/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sized.h"
#include "regs/cedt.h"
#include "regs/component.h"
#include "regs/pci.h"

/* More than any image has; offsets are 32 bits wide. */
#define LENGTH_MAX ((size_t)1 << 30)

static const char *const access_names[] = {
	[REG_RO] = "RO", [REG_RW] = "RW", [REG_RW1C] = "RW1C", [REG_RWO] = "RWO", [REG_RWL] = "RWL",
};

void print_begin(struct print *p, const struct cxlvm_structure *structure)
{
	struct cxlvm_structure copy = *structure;

	if (!copy.summary)
		copy.summary = "";
	if (p->visitor->begin)
		p->visitor->begin(p->context, &copy);
}

void print_end(struct print *p)
{
	if (p->visitor->end)
		p->visitor->end(p->context);
}

void print_problem(struct print *p, uint32_t offset, const char *format, ...)
{
	char message[CXLVM_ERROR_MESSAGE_MAX - 32];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	p->failed = true;
	cxlvm_error_set(p->err, -EPROTO, "at 0x%x: %s", offset, message);
	if (p->visitor->problem)
		p->visitor->problem(p->context, offset, message);
}

bool print_fits(struct print *p, uint32_t offset, uint32_t size, const char *name)
{
	if (range_fits(offset, size, p->len))
		return true;
	print_problem(p, offset < p->len ? p->len : offset,
		      "the %s at 0x%x has 0x%x bytes, but the image ends at 0x%x", name, offset,
		      size, p->len);
	return false;
}

static uint64_t ones(unsigned int bits)
{
	return bits >= 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
}

uint64_t print_get(const struct print *p, uint32_t base, const struct reg_row *row)
{
	if (!range_fits((uint64_t)base + row->offset, row->width, p->len))
		return 0;
	return get_le(p->image + base + row->offset, row->width) >> row->lsb & ones(row->bits);
}

static void print_field(struct print *p, uint32_t base, const struct reg_row *row)
{
	char text[PRINT_TEXT_MAX] = "";
	struct cxlvm_field field = {
		.name = row->name,
		.section = row->section,
		.access = access_names[row->access],
		.text = text,
		.value = print_get(p, base, row),
		.offset = base + row->offset,
		.width = row->width,
		.lsb = row->lsb,
		.bits = row->bits,
	};

	print_meaning(row, field.value, text);
	if (p->visitor->field)
		p->visitor->field(p->context, &field);
}

static bool is_part(const struct print_rows *rows, const struct reg_row *row)
{
	return row->offset >= rows->from && row->offset + row->width <= rows->to;
}

void print_fields(struct print *p, const struct print_rows *rows)
{
	for (unsigned int i = 0; i < rows->table->n_rows; i++) {
		const struct reg_row *row = &rows->table->rows[i];

		if (is_part(rows, row) &&
		    range_fits((uint64_t)rows->base + row->offset, row->width, p->len))
			print_field(p, rows->base, row);
	}
}

/* Which bits of the dword at offset at of the image the rows of a part describe. */
static uint32_t known_bits(const struct print_rows *rows, uint32_t at)
{
	uint64_t first = (uint64_t)at * 8, end = first + 32;
	uint32_t mask = 0;

	for (unsigned int i = 0; i < rows->table->n_rows; i++) {
		const struct reg_row *row = &rows->table->rows[i];
		uint64_t low = ((uint64_t)rows->base + row->offset) * 8 + row->lsb;
		uint64_t high = low + row->bits;

		if (!is_part(rows, row) || low >= end || high <= first)
			continue;
		if (low < first)
			low = first;
		if (high > end)
			high = end;
		mask |= (uint32_t)(ones((unsigned int)(high - low)) << (low - first));
	}
	return mask;
}

void print_other_bits(struct print *p, uint32_t from, uint32_t to, const struct print_rows *rows,
		      unsigned int n)
{
	for (uint32_t at = from; at < to && range_fits(at, 4, p->len); at += 4) {
		struct cxlvm_field field = {
			.name = "other bits",
			.section = "",
			.access = "",
			.text = "no field is known for them",
			.value = get_le32(p->image + at),
			.offset = at,
			.width = 4,
			.bits = 32,
		};

		for (unsigned int i = 0; i < n; i++)
			field.value &= ~known_bits(&rows[i], at);
		if (field.value && p->visitor->field)
			p->visitor->field(p->context, &field);
	}
}

void print_table(struct print *p, const struct reg_table *table, uint32_t base,
		 const char *specification)
{
	const struct cxlvm_structure structure = {
		.name = table->name,
		.specification = specification,
		.index = -1,
		.offset = base,
		.size = table->size,
	};
	const struct print_rows rows = { table, base, 0, table->size };

	if (base < p->len) {
		print_begin(p, &structure);
		print_fields(p, &rows);
		print_other_bits(p, base, base + table->size, &rows, 1);
		print_end(p);
	}
	print_fits(p, base, table->size, table->name);
}

const char *cxlvm_image_kind_name(enum cxlvm_image_kind kind)
{
	switch (kind) {
	case CXLVM_IMAGE_COMPONENT:
		return "component";
	case CXLVM_IMAGE_CONFIG:
		return "config";
	case CXLVM_IMAGE_CEDT:
		return "cedt";
	case CXLVM_IMAGE_UNKNOWN:
		break;
	}
	return "unknown";
}

/* Id 1 and two versions that are not 0: what the CM area begins with. */
static bool is_capability_array(const uint8_t *image, size_t len, size_t at)
{
	return range_fits(at, 4, len) && get_le16(image + at) == CM_ID_ARRAY &&
	       (image[at + 2] & 0x0f) && (image[at + 2] & 0xf0);
}

static bool is_config(const uint8_t *image, size_t len)
{
	const struct reg_row *rows = pci_header_table.rows;
	uint16_t vendor;

	if (len < pci_header_table.size || len > PCI_CONFIG_SIZE)
		return false;
	vendor = get_le16(image + rows[PCI_VENDOR].offset);
	return vendor && vendor != UINT16_MAX &&
	       (image[rows[PCI_HEADER_TYPE].offset] & PCI_HEADER_TYPE_MASK) <= 1;
}

enum cxlvm_image_kind cxlvm_image_recognize(const void *image, size_t len)
{
	const uint8_t *bytes = image;

	if (len >= CEDT_RECORD_SIZE && !memcmp(bytes, "CEDT", 4))
		return CXLVM_IMAGE_CEDT;
	if (is_capability_array(bytes, len, CM_OFFSET) || is_capability_array(bytes, len, 0))
		return CXLVM_IMAGE_COMPONENT;
	if (is_config(bytes, len))
		return CXLVM_IMAGE_CONFIG;
	return CXLVM_IMAGE_UNKNOWN;
}

int cxlvm_image_visit(const void *image, size_t len, enum cxlvm_image_kind kind,
		      const struct cxlvm_visitor *visitor, void *context, struct cxlvm_error *err)
{
	struct cxlvm_visitor known;
	struct print p = { image, 0, &known, context, err, false };

	if (visitor->size < sizeof(visitor->size))
		return cxlvm_error_set(err, -EINVAL, "visitor of %zu bytes, at least %zu",
				       visitor->size, sizeof(visitor->size));
	sized_table_take(&known, sizeof(known), visitor);
	if (len > LENGTH_MAX)
		return cxlvm_error_set(err, -EINVAL, "image of %zu bytes, at most %zu", len,
				       LENGTH_MAX);
	p.len = (uint32_t)len;
	switch (kind) {
	case CXLVM_IMAGE_COMPONENT:
		print_component(&p);
		break;
	case CXLVM_IMAGE_CONFIG:
		print_config(&p);
		break;
	case CXLVM_IMAGE_CEDT:
		print_cedt(&p);
		break;
	default:
		return cxlvm_error_set(err, -EINVAL, "no kind of image has the number %d",
				       (int)kind);
	}
	return p.failed ? -EPROTO : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A CEDT: header and records. */
#include "regs/component.h"
#include "regs/print.h"

#include <stdio.h>

#include "regs/cedt.h"

/* A table of the smallest records could have very many; 32 hosts and 32 windows are usual. */
#define RECORDS_MAX 1024u

static uint64_t cfmws_get(const struct print *p, uint32_t at, enum cfmws_row row)
{
	return print_get(p, at, &cfmws_table.rows[row]);
}

static void print_targets(struct print *p, uint32_t at, uint32_t size)
{
	unsigned int ways = hdm_ways(cfmws_get(p, at, CFMWS_WAYS));

	if (!ways)
		print_problem(p, at, "interleave ways code 0x%llx has no meaning",
			      (unsigned long long)cfmws_get(p, at, CFMWS_WAYS));
	else if (size != CFMWS_SIZE + 4 * ways)
		print_problem(p, at, "a CFMWS of %u ways has 0x%x bytes, this one has 0x%x", ways,
			      CFMWS_SIZE + 4 * ways, size);
	for (unsigned int i = 0; i < ways && CFMWS_SIZE + 4 * (i + 1) <= size; i++) {
		const struct print_rows rows = { &cfmws_target_table, at + CFMWS_SIZE + 4 * i, 0,
						 4 };
		const struct cxlvm_structure structure = {
			.name = cfmws_target_table.name,
			.specification = SPEC_CXL,
			.index = (int)i,
			.offset = rows.base,
			.size = 4,
		};

		if (!range_fits(rows.base, 4, p->len))
			break;
		print_begin(p, &structure);
		print_fields(p, &rows);
		print_end(p);
	}
}

static void summarize(const struct print *p, const struct reg_table *table, uint32_t at, char *text)
{
	char size_text[PRINT_TEXT_MAX];
	uint64_t base, size;

	if (table == &chbs_table && range_fits(at, CHBS_SIZE, p->len)) {
		snprintf(text, PRINT_TEXT_MAX, "host bridge %llu, registers at 0x%llx",
			 (unsigned long long)print_get(p, at, &chbs_table.rows[CHBS_UID]),
			 (unsigned long long)print_get(p, at, &chbs_table.rows[CHBS_BASE]));
	} else if (table == &cfmws_table && range_fits(at, CFMWS_SIZE, p->len)) {
		base = cfmws_get(p, at, CFMWS_BASE);
		size = cfmws_get(p, at, CFMWS_WINDOW_SIZE);
		print_size(size, size_text);
		if (range_is_valid(base, size))
			snprintf(text, PRINT_TEXT_MAX, "0x%llx to 0x%llx, %.32s",
				 (unsigned long long)base, (unsigned long long)(base + (size - 1)),
				 size_text);
		else
			snprintf(text, PRINT_TEXT_MAX, "0x%llx, %.32s", (unsigned long long)base,
				 size_text);
	}
}

static void print_record(struct print *p, uint32_t at, uint32_t size, unsigned int index)
{
	uint64_t type = print_get(p, at, &cedt_record_table.rows[CEDT_TYPE]);
	const struct reg_table *table = type == CEDT_TYPE_CHBS    ? &chbs_table
					: type == CEDT_TYPE_CFMWS ? &cfmws_table
								  : &cedt_record_table;
	const struct print_rows rows[] = {
		{ &cedt_record_table, at, 0, CEDT_RECORD_SIZE },
		{ table, at, CEDT_RECORD_SIZE, size < table->size ? size : table->size },
	};
	char summary[PRINT_TEXT_MAX] = "";
	const struct cxlvm_structure structure = {
		.name = table->name,
		.specification = SPEC_CXL,
		.summary = summary,
		.index = (int)index,
		.offset = at,
		.size = size,
	};

	summarize(p, table, at, summary);
	print_begin(p, &structure);
	print_fields(p, &rows[0]);
	print_fields(p, &rows[1]);
	print_other_bits(p, at, rows[1].base + rows[1].to, rows, 2);
	if (size < table->size || (table == &chbs_table && size != CHBS_SIZE))
		print_problem(p, at, "a %s has 0x%x bytes, this one has 0x%x", table->name,
			      table->size, size);
	else if (table == &cfmws_table && range_fits(at, CFMWS_SIZE, p->len))
		print_targets(p, at, size);
	print_end(p);
	print_fits(p, at, size, table->name);
}

static void check_sum(struct print *p)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < p->len; i++)
		sum = (uint8_t)(sum + p->image[i]);
	if (sum)
		print_problem(p, acpi_header_table.rows[ACPI_CHECKSUM].offset,
			      "the bytes of the table add up to 0x%02x, not to 0: wrong checksum",
			      sum);
}

/* Cut the image down to what the header says; false if that cannot be the table's length. */
static bool apply_length(struct print *p)
{
	const struct reg_row *row = &acpi_header_table.rows[ACPI_LENGTH];
	uint32_t length = (uint32_t)print_get(p, 0, row);

	if (length < ACPI_HEADER_SIZE) {
		print_problem(p, row->offset, "length 0x%x, but the header alone has 0x%x bytes",
			      length, ACPI_HEADER_SIZE);
		return false;
	}
	if (length < p->len) {
		print_problem(p, length, "the table ends here, 0x%x more bytes follow",
			      p->len - length);
		p->len = length;
	}
	return true;
}

void print_cedt(struct print *p)
{
	const struct reg_row *row = cedt_record_table.rows;
	unsigned int index = 0;
	uint32_t length, at;

	print_table(p, &acpi_header_table, 0, SPEC_ACPI);
	if (p->len < ACPI_HEADER_SIZE || !apply_length(p))
		return;
	length = (uint32_t)print_get(p, 0, &acpi_header_table.rows[ACPI_LENGTH]);
	for (at = ACPI_HEADER_SIZE; at < p->len; index++) {
		uint32_t size = (uint32_t)print_get(p, at, &row[CEDT_LENGTH]);

		if (!print_fits(p, at, CEDT_RECORD_SIZE, cedt_record_table.name))
			break;
		if (size < CEDT_RECORD_SIZE) {
			print_problem(p, at,
				      "record length 0x%x, but its header alone has 0x%x bytes",
				      size, CEDT_RECORD_SIZE);
			break;
		}
		if (index == RECORDS_MAX) {
			print_problem(p, at, "more than %u records", RECORDS_MAX);
			break;
		}
		print_record(p, at, size, index);
		at = size < p->len - at ? at + size : p->len;
	}
	if (p->len < length)
		print_problem(p, p->len, "the image ends here, the table has 0x%x bytes", length);
	else
		check_sum(p);
}

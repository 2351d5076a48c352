/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Printing: the hosted sibling of the register tables. The engine walks the rows of a table over
 * bytes in memory order and gives fields to a visitor (cxlvm/regs.h); one file per kind of image
 * knows which structures there are.
 */
#ifndef CXLVM_REGS_PRINT_H
#define CXLVM_REGS_PRINT_H

#include <cxlvm/regs.h>

#include "base/math.h"
#include "regs/regs.h"

struct print {
	const uint8_t *image;
	uint32_t len;
	const struct cxlvm_visitor *visitor;
	void *context;
	struct cxlvm_error *err;
	bool failed;
};

/* A part of a structure: rows of table with offsets from from to to, table beginning at base. */
struct print_rows {
	const struct reg_table *table;
	uint32_t base;
	uint32_t from;
	uint32_t to;
};

#define SPEC_CXL    "CXL 3.1"
#define SPEC_PCI    "PCI 3.0"
#define SPEC_BRIDGE "PCI-to-PCI bridges 1.2"
#define SPEC_PCIE   "PCIe 6.0"
#define SPEC_ACPI   "ACPI 6.5"

#define PRINT_TEXT_MAX 128

void print_begin(struct print *p, const struct cxlvm_structure *structure);
void print_end(struct print *p);
void print_problem(struct print *p, uint32_t offset, const char *format, ...) CXLVM_PRINTF(3, 4);

/* Is the part inside the image? If not it is a problem of the structure called name. */
bool print_fits(struct print *p, uint32_t offset, uint32_t size, const char *name);

/* The fields of all rows that lie inside the image. */
void print_fields(struct print *p, const struct print_rows *rows);

/*
 * Bits that are set and belong to no row of these n parts, dword by dword, from offset from to to
 * of the image.
 */
void print_other_bits(struct print *p, uint32_t from, uint32_t to, const struct print_rows *rows,
		      unsigned int n);

/* begin, fields, other bits and end of a structure that is one table. */
void print_table(struct print *p, const struct reg_table *table, uint32_t base,
		 const char *specification);

/* Value of a row; 0 outside the image. */
uint64_t print_get(const struct print *p, uint32_t base, const struct reg_row *row);

/* What the value of a row means: "" if nothing is known. Fills text (PRINT_TEXT_MAX). */
void print_meaning(const struct reg_row *row, uint64_t value, char *text);

/* "256 MiB": the largest unit that divides size. Fills text (PRINT_TEXT_MAX). */
void print_size(uint64_t size, char *text);

/* Code of interleave granularity (CXL 3.1, 8.2.4.20.7): 0 for one without meaning. */
unsigned int print_granularity(uint64_t code);

void print_component(struct print *p);
void print_config(struct print *p);
void print_cedt(struct print *p);

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Register tables and the engine on them. Freestanding.
 *
 * A row is one field: where it is, who may write it, its reset value and where the specification
 * says so. The same row resets, emulates and (hosted) prints the field; nothing else in the
 * library knows an offset or a bit. A table is relative to its structure; the base passed to each
 * function is where that structure begins in the image.
 *
 * An image is an array of numbers, one per dword, so that the byte order of the host does not
 * matter. Dwords are read and written as single atomic accesses: readers need no lock.
 */
#ifndef CXLVM_REGS_REGS_H
#define CXLVM_REGS_REGS_H

#include <cxlvm/base.h>

enum reg_access {
	REG_RO,   /* the guest cannot change it */
	REG_RW,   /* read, write */
	REG_RW1C, /* writing 1 clears */
	REG_RWO,  /* writing 1 sets, nothing but a reset clears */
	REG_RWL,  /* read, write until a lock: whoever owns the lock decides before writing */
};

struct reg_row {
	const char *name;
	const char *section; /* of the specification */
	uint32_t reset;
	uint16_t offset; /* of the register in its structure, bytes */
	uint8_t width;   /* of the register, bytes: 1, 2 or 4 */
	uint8_t lsb;     /* of the field in the register */
	uint8_t bits;    /* of the field */
	uint8_t access;  /* enum reg_access */
};

struct reg_table {
	const char *name;
	const struct reg_row *rows;
	uint16_t n_rows;
	uint16_t size; /* of the structure, bytes */
};

/*
 * Tables are lists of R(ID, offset, width, lsb, bits, access, reset, name, section). The list
 * makes the enumeration of row ids (REG_ID), the rows themselves (REG_ROW), and, where a constant is
 * needed, the offset of each row's register as ID_AT (REG_AT).
 */
#define REG_ID(id, ...)      id,
#define REG_AT(id, off, ...) id##_AT = (off),
#define REG_ROW(id, off, w, l, n, acc, rst, text, sect) \
	[id] = { .name = (text),                        \
		 .section = (sect),                     \
		 .reset = (rst),                        \
		 .offset = (off),                       \
		 .width = (w),                          \
		 .lsb = (l),                            \
		 .bits = (n),                           \
		 .access = (acc) },

static inline uint32_t reg_load(const uint32_t *dword)
{
	return __atomic_load_n(dword, __ATOMIC_RELAXED);
}

static inline void reg_store(uint32_t *dword, uint32_t value)
{
	__atomic_store_n(dword, value, __ATOMIC_RELAXED);
}

/* Position of a row's field in its dword. */
static inline unsigned int reg_shift(const struct reg_row *row)
{
	return (row->offset & 3u) * 8u + row->lsb;
}

static inline uint32_t reg_mask(const struct reg_row *row)
{
	uint32_t ones = row->bits >= 32 ? UINT32_MAX : ((uint32_t)1 << row->bits) - 1;

	return ones << reg_shift(row);
}

/* The value of a field, right-aligned. */
static inline uint32_t reg_get(const uint32_t *image, uint32_t base, const struct reg_row *row)
{
	return (reg_load(&image[(base + row->offset) / 4]) & reg_mask(row)) >> reg_shift(row);
}

/* Set a field, whatever its access rule; bits that do not fit are dropped. */
static inline void reg_set(uint32_t *image, uint32_t base, const struct reg_row *row,
			   uint32_t value)
{
	uint32_t *dword = &image[(base + row->offset) / 4];
	uint32_t mask = reg_mask(row);

	reg_store(dword, (reg_load(dword) & ~mask) | (value << reg_shift(row) & mask));
}

/* Set every field of the structure to its reset value, and the bytes between them to 0. */
void regs_reset(const struct reg_table *table, uint32_t *image, uint32_t base);

/*
 * A guest write of length bytes (1 to 8) at offset of the image, by the access rules of the rows.
 * Bytes outside the structure are not touched. REG_RWL is taken as writable.
 */
void regs_write(const struct reg_table *table, uint32_t *image, uint32_t base, uint32_t offset,
		unsigned int length, uint64_t value);

/* Does such a write set the field of one bit? For those that start something and read 0. */
bool regs_write_sets(const struct reg_row *row, uint32_t base, uint32_t offset, unsigned int length,
		     uint64_t value);

/* Read length bytes (1 to 8) at offset, any alignment, inside the image. */
uint64_t regs_read(const uint32_t *image, uint32_t offset, unsigned int length);

/* Which accesses a block of CXL component registers takes (contract 3.2). */
bool regs_read_allowed(uint64_t offset, unsigned int length, uint64_t size);
bool regs_write_allowed(uint64_t offset, unsigned int length, uint64_t size);

#endif

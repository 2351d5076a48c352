/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "regs/regs.h"

#include "base/math.h"

/* The reset value of the dword at offset at of the structure. */
static uint32_t reset_value(const struct reg_table *table, uint32_t at)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < table->n_rows; i++) {
		const struct reg_row *row = &table->rows[i];

		if ((row->offset & ~3u) == at)
			value |= row->reset << reg_shift(row) & reg_mask(row);
	}
	return value;
}

void regs_reset(const struct reg_table *table, uint32_t *image, uint32_t base)
{
	/* One store per dword: a reader sees the old value or the new one, nothing between. */
	for (uint32_t at = 0; at < table->size; at += 4)
		reg_store(&image[(base + at) / 4], reset_value(table, at));
}

/* The bits of one dword that a write covers, and their values. */
struct dword_write {
	uint32_t mask;
	uint32_t value;
};

static struct dword_write write_of_dword(uint32_t dword_at, uint32_t offset, unsigned int length,
					 uint64_t value)
{
	struct dword_write write = { 0, 0 };

	for (uint32_t byte = 0; byte < 4; byte++) {
		uint32_t at = dword_at + byte;

		if (at < offset || at - offset >= length)
			continue;
		write.mask |= (uint32_t)0xff << (8 * byte);
		write.value |= (uint32_t)(value >> (8 * (at - offset)) & 0xff) << (8 * byte);
	}
	return write;
}

static uint32_t apply(enum reg_access access, uint32_t old, struct dword_write write,
		      uint32_t field)
{
	uint32_t mask = write.mask & field;

	switch (access) {
	case REG_RW:
	case REG_RWL:
		return (old & ~mask) | (write.value & mask);
	case REG_RW1C:
		return old & ~(write.value & mask);
	case REG_RWO:
		return old | (write.value & mask);
	case REG_RO:
		break;
	}
	return old;
}

void regs_write(const struct reg_table *table, uint32_t *image, uint32_t base, uint32_t offset,
		unsigned int length, uint64_t value)
{
	/* Most writes are to other structures of the same space. */
	if (!ranges_overlap(base, table->size, offset, length))
		return;
	for (unsigned int i = 0; i < table->n_rows; i++) {
		const struct reg_row *row = &table->rows[i];
		uint32_t at = (base + row->offset) & ~3u;
		struct dword_write write;
		uint32_t old;

		if (row->access == REG_RO || at + 4 <= offset || at >= offset + length)
			continue;
		write = write_of_dword(at, offset, length, value);
		old = reg_load(&image[at / 4]);
		reg_store(&image[at / 4],
			  apply((enum reg_access)row->access, old, write, reg_mask(row)));
	}
}

bool regs_write_sets(const struct reg_row *row, uint32_t base, uint32_t offset, unsigned int length,
		     uint64_t value)
{
	uint32_t at = base + row->offset + row->lsb / 8u;

	return offset <= at && at - offset < length &&
	       value >> (8 * (at - offset) + row->lsb % 8u) & 1;
}

uint64_t regs_read(const uint32_t *image, uint32_t offset, unsigned int length)
{
	uint64_t value = 0;

	/* Each dword is loaded once: a reader sees no half of a store. */
	for (unsigned int i = 0, n; i < length; i += n) {
		uint32_t at = offset + i, dword = reg_load(&image[at / 4]);

		n = 4 - (at & 3u);
		if (n > length - i)
			n = length - i;
		value |= ((uint64_t)dword >> (8 * (at & 3u)) & all_ones(n)) << (8 * i);
	}
	return value;
}

bool regs_read_allowed(uint64_t offset, unsigned int length, uint64_t size)
{
	return length <= 8 && is_power_of_two(length) && is_aligned(offset, length) &&
	       range_fits(offset, length, size);
}

bool regs_write_allowed(uint64_t offset, unsigned int length, uint64_t size)
{
	return length >= 4 && regs_read_allowed(offset, length, size);
}

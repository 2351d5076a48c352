/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "regs/component.h"

/* clang-format off */
static const struct reg_row cm_array_rows[] = { CM_ARRAY_LIST(REG_ROW) };
static const struct reg_row cm_entry_rows[] = { CM_ENTRY_LIST(REG_ROW) };
static const struct reg_row ras_rows[] = { RAS_LIST(REG_ROW) };
static const struct reg_row hdm_rows[] = { HDM_LIST(REG_ROW) };

const struct reg_table cm_array_table = {
	"CXL capability header", cm_array_rows, CM_ARRAY_ROWS, 4 };
const struct reg_table cm_entry_table = {
	"CXL capability array entry", cm_entry_rows, CM_ENTRY_ROWS, 4 };
const struct reg_table ras_table = {
	"CXL RAS capability", ras_rows, RAS_ROWS, RAS_SIZE };
const struct reg_table hdm_table = {
	"CXL HDM decoder capability", hdm_rows, HDM_ROWS, HDM_HEADER + HDM_STRIDE };
/* clang-format on */

unsigned int hdm_decoder_count(uint32_t code)
{
	if (code == 0)
		return 1;
	if (code <= 8)
		return 2 * code;
	if (code <= 12)
		return 4 * code - 16;
	return 0;
}

unsigned int hdm_ways(uint64_t code)
{
	if (code <= 4)
		return 1u << code;
	if (code >= 8 && code <= 10)
		return 3u << (code - 8);
	return 0;
}

void cm_array_build(uint32_t *image, const struct cm_capability *capabilities, unsigned int n)
{
	regs_reset(&cm_array_table, image, 0);
	reg_set(image, 0, &cm_array_rows[CM_ARRAY_SIZE], n);
	for (unsigned int i = 0; i < n; i++) {
		uint32_t entry = 4 * (i + 1);

		regs_reset(&cm_entry_table, image, entry);
		reg_set(image, entry, &cm_entry_rows[CM_ENTRY_ID], capabilities[i].id);
		reg_set(image, entry, &cm_entry_rows[CM_ENTRY_VERSION], capabilities[i].version);
		reg_set(image, entry, &cm_entry_rows[CM_ENTRY_POINTER], capabilities[i].offset);
	}
}

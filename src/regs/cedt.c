/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "regs/cedt.h"

/* clang-format off */
static const struct reg_row header_rows[] = { ACPI_HEADER_LIST(REG_ROW) };
static const struct reg_row record_rows[] = { CEDT_RECORD_LIST(REG_ROW) };
static const struct reg_row chbs_rows[] = { CHBS_LIST(REG_ROW) };
static const struct reg_row cfmws_rows[] = { CFMWS_LIST(REG_ROW) };
static const struct reg_row cfmws_target_rows[] = { CFMWS_TARGET_LIST(REG_ROW) };

const struct reg_table acpi_header_table = {
	"ACPI table header", header_rows, ACPI_HEADER_ROWS, ACPI_HEADER_SIZE };
const struct reg_table cedt_record_table = {
	"CEDT record", record_rows, CEDT_RECORD_ROWS, CEDT_RECORD_SIZE };
const struct reg_table chbs_table = {
	"CHBS", chbs_rows, CHBS_ROWS, CHBS_SIZE };
const struct reg_table cfmws_table = {
	"CFMWS", cfmws_rows, CFMWS_ROWS, CFMWS_SIZE };
const struct reg_table cfmws_target_table = {
	"CFMWS target", cfmws_target_rows, CFMWS_TARGET_ROWS, 4 };
/* clang-format on */

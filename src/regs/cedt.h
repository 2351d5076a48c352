/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The CEDT (CXL 3.1, 9.18.1), its ACPI header included (ACPI 6.5, 5.2.6). These rows are printed
 * and located only, never emulated: width and bits go up to 8 and 64.
 */
#ifndef CXLVM_REGS_CEDT_H
#define CXLVM_REGS_CEDT_H

#include "regs/regs.h"

#define ACPI_HEADER_SIZE 36u
#define ACPI_HEADER_LIST(R)                                                      \
	R(ACPI_SIGNATURE, 0x00, 4, 0, 32, REG_RO, 0, "signature", "5.2.6")       \
	R(ACPI_LENGTH, 0x04, 4, 0, 32, REG_RO, 0, "length", "5.2.6")             \
	R(ACPI_REVISION, 0x08, 1, 0, 8, REG_RO, 1, "revision", "5.2.6")          \
	R(ACPI_CHECKSUM, 0x09, 1, 0, 8, REG_RO, 0, "checksum", "5.2.6")          \
	R(ACPI_OEM_ID, 0x0a, 6, 0, 48, REG_RO, 0, "OEM id", "5.2.6")             \
	R(ACPI_OEM_TABLE_ID, 0x10, 8, 0, 64, REG_RO, 0, "OEM table id", "5.2.6") \
	R(ACPI_OEM_REVISION, 0x18, 4, 0, 32, REG_RO, 0, "OEM revision", "5.2.6") \
	R(ACPI_CREATOR_ID, 0x1c, 4, 0, 32, REG_RO, 0, "creator id", "5.2.6")     \
	R(ACPI_CREATOR_REVISION, 0x20, 4, 0, 32, REG_RO, 0, "creator revision", "5.2.6")

#define CEDT_RECORD_SIZE 4u
#define CEDT_RECORD_LIST(R)                                        \
	R(CEDT_TYPE, 0x00, 1, 0, 8, REG_RO, 0, "type", "9.18.1.1") \
	R(CEDT_LENGTH, 0x02, 2, 0, 16, REG_RO, 0, "record length", "9.18.1.1")

#define CEDT_TYPE_CHBS  0u
#define CEDT_TYPE_CFMWS 1u

#define CHBS_SIZE              32u
#define CHBS_VERSION_COMPONENT 1u /* component registers at base, not an RCRB */
#define CHBS_LIST(R)                                                          \
	R(CHBS_UID, 0x04, 4, 0, 32, REG_RO, 0, "UID", "9.18.1.2")             \
	R(CHBS_VERSION, 0x08, 4, 0, 32, REG_RO, 0, "CXL version", "9.18.1.2") \
	R(CHBS_BASE, 0x10, 8, 0, 64, REG_RO, 0, "base", "9.18.1.2")           \
	R(CHBS_LENGTH, 0x18, 8, 0, 64, REG_RO, 0, "length", "9.18.1.2")

#define CFMWS_SIZE 36u /* without targets, which are 4 bytes each */
#define CFMWS_LIST(R)                                                                         \
	R(CFMWS_BASE, 0x08, 8, 0, 64, REG_RO, 0, "window base", "9.18.1.3")                   \
	R(CFMWS_WINDOW_SIZE, 0x10, 8, 0, 64, REG_RO, 0, "window size", "9.18.1.3")            \
	R(CFMWS_WAYS, 0x18, 1, 0, 8, REG_RO, 0, "interleave ways", "9.18.1.3")                \
	R(CFMWS_ARITHMETIC, 0x19, 1, 0, 8, REG_RO, 0, "interleave arithmetic", "9.18.1.3")    \
	R(CFMWS_GRANULARITY, 0x1c, 4, 0, 32, REG_RO, 0, "interleave granularity", "9.18.1.3") \
	R(CFMWS_RESTRICTIONS, 0x20, 2, 0, 16, REG_RO, 0, "restrictions", "9.18.1.3")          \
	R(CFMWS_QTG, 0x22, 2, 0, 16, REG_RO, 0, "QTG id", "9.18.1.3")

/* One target of a CFMWS, relative to it. */
#define CFMWS_TARGET_LIST(R) R(CFMWS_TARGET, 0x00, 4, 0, 32, REG_RO, 0, "target", "9.18.1.3")

/* clang-format off */
enum acpi_header_row { ACPI_HEADER_LIST(REG_ID) ACPI_HEADER_ROWS };
enum cedt_record_row { CEDT_RECORD_LIST(REG_ID) CEDT_RECORD_ROWS };
enum chbs_row { CHBS_LIST(REG_ID) CHBS_ROWS };
enum cfmws_row { CFMWS_LIST(REG_ID) CFMWS_ROWS };
enum cfmws_target_row { CFMWS_TARGET_LIST(REG_ID) CFMWS_TARGET_ROWS };
/* clang-format on */

extern const struct reg_table acpi_header_table;
extern const struct reg_table cedt_record_table;
extern const struct reg_table chbs_table;
extern const struct reg_table cfmws_table;
extern const struct reg_table cfmws_target_table;

#endif

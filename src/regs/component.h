/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * CXL component registers (CXL 3.1, 8.2.3 and 8.2.4): the CXL.cache and CXL.mem area with its
 * capability array, the RAS capability and the HDM decoder capability.
 */
#ifndef CXLVM_REGS_COMPONENT_H
#define CXLVM_REGS_COMPONENT_H

#include "regs/regs.h"

/* Where the CXL.cache and CXL.mem area (CM) begins in a component block, and its size. */
#define CM_OFFSET 0x1000u
#define CM_SIZE   0x1000u
#define CM_DWORDS (CM_SIZE / 4)

/* Capability ids. */
#define CM_ID_ARRAY 1u
#define CM_ID_RAS   2u
#define CM_ID_HDM   5u

/* The array header; entry n (from 1) is at 4 * n. */
#define CM_ARRAY_LIST(R)                                                                  \
	R(CM_ARRAY_ID, 0x00, 4, 0, 16, REG_RO, CM_ID_ARRAY, "capability id", "8.2.4.1")   \
	R(CM_ARRAY_VERSION, 0x00, 4, 16, 4, REG_RO, 1, "capability version", "8.2.4.1")   \
	R(CM_ARRAY_CM_VERSION, 0x00, 4, 20, 4, REG_RO, 1, "cache mem version", "8.2.4.1") \
	R(CM_ARRAY_SIZE, 0x00, 4, 24, 8, REG_RO, 0, "array size", "8.2.4.1")

#define CM_ENTRY_LIST(R)                                                                \
	R(CM_ENTRY_ID, 0x00, 4, 0, 16, REG_RO, 0, "capability id", "8.2.4.2")           \
	R(CM_ENTRY_VERSION, 0x00, 4, 16, 4, REG_RO, 1, "capability version", "8.2.4.2") \
	R(CM_ENTRY_POINTER, 0x00, 4, 20, 12, REG_RO, 0, "pointer", "8.2.4.2")

/* One dword of the header log. */
#define RAS_LOG(R, n) \
	R(RAS_HEADER_LOG_##n, 0x18 + 4 * (n), 4, 0, 32, REG_RO, 0, "header log " #n, "8.2.4.17.7")

/* clang-format off */
#define RAS_LOG_LIST(R) \
	RAS_LOG(R, 0) RAS_LOG(R, 1) RAS_LOG(R, 2) RAS_LOG(R, 3) \
	RAS_LOG(R, 4) RAS_LOG(R, 5) RAS_LOG(R, 6) RAS_LOG(R, 7) \
	RAS_LOG(R, 8) RAS_LOG(R, 9) RAS_LOG(R, 10) RAS_LOG(R, 11) \
	RAS_LOG(R, 12) RAS_LOG(R, 13) RAS_LOG(R, 14) RAS_LOG(R, 15)
/* clang-format on */

#define RAS_LIST(R)                                                                               \
	R(RAS_UE_STATUS, 0x00, 4, 0, 32, REG_RW1C, 0, "uncorrectable error status", "8.2.4.17.1") \
	R(RAS_UE_MASK, 0x04, 4, 0, 32, REG_RW, 0x1cfff, "uncorrectable error mask", "8.2.4.17.2") \
	R(RAS_UE_SEVERITY, 0x08, 4, 0, 32, REG_RW, 0x1cfff, "uncorrectable error severity",       \
	  "8.2.4.17.3")                                                                           \
	R(RAS_CE_STATUS, 0x0c, 4, 0, 32, REG_RW1C, 0, "correctable error status", "8.2.4.17.4")   \
	R(RAS_CE_MASK, 0x10, 4, 0, 32, REG_RW, 0x7f, "correctable error mask", "8.2.4.17.5")      \
	R(RAS_CAP_CONTROL, 0x14, 4, 0, 32, REG_RO, 0x200, "error capabilities and control",       \
	  "8.2.4.17.6")                                                                           \
	RAS_LOG_LIST(R)

#define RAS_SIZE 0x58u

/* The HDM decoder capability with its first decoder; decoder n is HDM_STRIDE * n further. */
#define HDM_STRIDE 0x20u
#define HDM_HEADER 0x10u

/* The last code of interleave granularity with a meaning: 16 KiB. */
#define HDM_GRANULARITY_MAX 6u

#define HDM_LIST(R)                                                                                \
	R(HDM_CAP_COUNT, 0x00, 4, 0, 4, REG_RO, 0, "decoder count", "8.2.4.20.1")                  \
	R(HDM_CAP_TARGETS, 0x00, 4, 4, 4, REG_RO, 0, "target count", "8.2.4.20.1")                 \
	R(HDM_CAP_IG_11_8, 0x00, 4, 8, 1, REG_RO, 0, "A11 to A8 interleave", "8.2.4.20.1")         \
	R(HDM_CAP_IG_14_12, 0x00, 4, 9, 1, REG_RO, 0, "A14 to A12 interleave", "8.2.4.20.1")       \
	R(HDM_CAP_POISON, 0x00, 4, 10, 1, REG_RO, 0, "poison on decode error", "8.2.4.20.1")       \
	R(HDM_CAP_WAYS_3, 0x00, 4, 11, 1, REG_RO, 0, "3, 6, 12 way interleave", "8.2.4.20.1")      \
	R(HDM_CAP_WAYS_16, 0x00, 4, 12, 1, REG_RO, 0, "16 way interleave", "8.2.4.20.1")           \
	R(HDM_CAP_UIO, 0x00, 4, 13, 1, REG_RO, 0, "UIO", "8.2.4.20.1")                             \
	R(HDM_CAP_UIO_COUNT, 0x00, 4, 16, 4, REG_RO, 0, "UIO decoder count", "8.2.4.20.1")         \
	R(HDM_CAP_NXM, 0x00, 4, 20, 1, REG_RO, 0, "MemData-NXM", "8.2.4.20.1")                     \
	R(HDM_CAP_COHERENCY, 0x00, 4, 21, 2, REG_RO, 0, "coherency models", "8.2.4.20.1")          \
	R(HDM_GLOBAL_POISON, 0x04, 4, 0, 1, REG_RW, 0, "poison on decode error enable",            \
	  "8.2.4.20.2")                                                                            \
	R(HDM_GLOBAL_ENABLE, 0x04, 4, 1, 1, REG_RW, 0, "HDM decoder enable", "8.2.4.20.2")         \
	R(HDM_BASE_LOW, 0x10, 4, 28, 4, REG_RWL, 0, "base low", "8.2.4.20.3")                      \
	R(HDM_BASE_HIGH, 0x14, 4, 0, 32, REG_RWL, 0, "base high", "8.2.4.20.4")                    \
	R(HDM_SIZE_LOW, 0x18, 4, 28, 4, REG_RWL, 0, "size low", "8.2.4.20.5")                      \
	R(HDM_SIZE_HIGH, 0x1c, 4, 0, 32, REG_RWL, 0, "size high", "8.2.4.20.6")                    \
	R(HDM_CTL_GRANULARITY, 0x20, 4, 0, 4, REG_RWL, 0, "interleave granularity", "8.2.4.20.7")  \
	R(HDM_CTL_WAYS, 0x20, 4, 4, 4, REG_RWL, 0, "interleave ways", "8.2.4.20.7")                \
	R(HDM_CTL_LOCK, 0x20, 4, 8, 1, REG_RWL, 0, "lock on commit", "8.2.4.20.7")                 \
	R(HDM_CTL_COMMIT, 0x20, 4, 9, 1, REG_RWL, 0, "commit", "8.2.4.20.7")                       \
	R(HDM_CTL_COMMITTED, 0x20, 4, 10, 1, REG_RO, 0, "committed", "8.2.4.20.7")                 \
	R(HDM_CTL_ERROR, 0x20, 4, 11, 1, REG_RO, 0, "error not committed", "8.2.4.20.7")           \
	R(HDM_CTL_HOST_ONLY, 0x20, 4, 12, 1, REG_RWL, 0, "target range type", "8.2.4.20.7")        \
	R(HDM_CTL_BI, 0x20, 4, 13, 1, REG_RWL, 0, "BI", "8.2.4.20.7")                              \
	R(HDM_CTL_UIO, 0x20, 4, 14, 1, REG_RO, 0, "UIO", "8.2.4.20.7")                             \
	R(HDM_CTL_UIG, 0x20, 4, 16, 4, REG_RO, 0, "upstream interleave granularity", "8.2.4.20.7") \
	R(HDM_CTL_UIW, 0x20, 4, 20, 4, REG_RO, 0, "upstream interleave ways", "8.2.4.20.7")        \
	R(HDM_CTL_ISP, 0x20, 4, 24, 4, REG_RO, 0, "interleave set position", "8.2.4.20.7")         \
	R(HDM_TARGET_LOW, 0x24, 4, 0, 32, REG_RWL, 0, "target list or DPA skip low", "8.2.4.20.8") \
	R(HDM_TARGET_HIGH, 0x28, 4, 0, 32, REG_RWL, 0, "target list or DPA skip high", "8.2.4.20.9")

/* clang-format off */
enum cm_array_row { CM_ARRAY_LIST(REG_ID) CM_ARRAY_ROWS };
enum cm_entry_row { CM_ENTRY_LIST(REG_ID) CM_ENTRY_ROWS };
enum ras_row { RAS_LIST(REG_ID) RAS_ROWS };
enum hdm_row { HDM_LIST(REG_ID) HDM_ROWS };

enum hdm_at { HDM_LIST(REG_AT) };
/* clang-format on */

extern const struct reg_table cm_array_table;
extern const struct reg_table cm_entry_table;
extern const struct reg_table ras_table;
extern const struct reg_table hdm_table;

/* Access to one field; n is the decoder. */
static inline uint32_t hdm_get(const uint32_t *image, uint32_t base, unsigned int n,
			       enum hdm_row row)
{
	return reg_get(image, base + HDM_STRIDE * n, &hdm_table.rows[row]);
}

static inline void hdm_set(uint32_t *image, uint32_t base, unsigned int n, enum hdm_row row,
			   uint32_t value)
{
	reg_set(image, base + HDM_STRIDE * n, &hdm_table.rows[row], value);
}

/*
 * Number of decoders that a count code stands for: 1, 2 to 16, 20, 24, 28, 32; 0 for a code
 * without meaning (REG-8).
 */
unsigned int hdm_decoder_count(uint32_t code);

/*
 * Number of devices that a code of interleave ways stands for, of a decoder or of a window: 1, 2, 4, 8,
 * 16, 3, 6, 12; 0 for a reserved code (8.2.4.20.7).
 */
unsigned int hdm_ways(uint64_t code);

/* Write the array header and one entry per capability into an image of the CM area. */
struct cm_capability {
	uint16_t id;
	uint8_t version;
	uint16_t offset; /* from the start of the CM area */
};

void cm_array_build(uint32_t *image, const struct cm_capability *capabilities, unsigned int n);

#endif

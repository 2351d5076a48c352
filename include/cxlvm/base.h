/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * cxlvm/base.h - types shared by all of libcxlvm
 *
 * Addresses have types. A guest physical address, a host physical address, a device physical
 * address and an I/O virtual address are four structures with one member, so that a compiler
 * refuses to mix them. Converting one into another is always a named function.
 *
 * Errors. A function that can fail returns 0 or a negative errno value and, if the caller passed
 * one, fills a struct cxlvm_error with a message (what was found, the numbers compared) and a hint
 * (what to do next). The first error wins; later ones do not overwrite it. The library never
 * prints, never exits and never aborts on outside input.
 *
 * Sizes. A structure whose first member is size_t size may grow at its end in later versions, so
 * that a program and a library of different versions understand each other. Clear it and set size
 * to its sizeof.
 *  - A configuration: members that an older program does not know are 0, and 0 is what they were
 *    before they were added. -E2BIG when a newer program sets one that this library does not
 *    know; -EINVAL when size is below what every program has to set.
 *  - A table of functions, in either direction: those behind size are absent. So a program that uses
 *    a table of the library looks at its size first.
 * What the library fills in for a size that the caller gives: members that it does not know are 0.
 * All other structures stay as they are for as long as the library's major version does.
 */
#ifndef CXLVM_BASE_H
#define CXLVM_BASE_H

#ifdef __KERNEL__
#include <linux/limits.h>
#include <linux/types.h>
#define UINT16_MAX U16_MAX
#define UINT32_MAX U32_MAX
#define UINT64_MAX U64_MAX
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CXLVM_PUBLIC            __attribute__((visibility("default")))
#define CXLVM_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CXLVM_PUBLIC
#define CXLVM_PRINTF(fmt, args)
#endif

/* Windows, decoder bases and decoder sizes are multiples of this (CXL 3.1, 8.2.4.20). */
#define CXLVM_HDM_GRANULE ((uint64_t)256 << 20)

/* A component register block (CXL 3.1, 8.2.3). */
#define CXLVM_COMPONENT_BLOCK_SIZE ((uint64_t)64 << 10)

/*
 * Who programs decoder 0 of endpoint and host bridge (contract 6.1). Locked: the library, as
 * firmware does; committed and locked before the guest runs, and what stock Linux guests need.
 * Guest: both start uncommitted, and the guest programs and commits them, within its window.
 */
enum cxlvm_decoder_policy {
	CXLVM_DECODER_LOCKED = 0,
	CXLVM_DECODER_GUEST = 1,
};

/* Guest physical address. */
struct cxlvm_gpa {
	uint64_t value;
};

/* Host physical address. No value of this type may reach a guest (P2). */
struct cxlvm_hpa {
	uint64_t value;
};

/* Device physical address: an offset into the memory of the device. */
struct cxlvm_dpa {
	uint64_t value;
};

/* I/O virtual address: what an IOMMU translates. */
struct cxlvm_iova {
	uint64_t value;
};

/* A range of I/O virtual addresses that the IOMMU can translate; last is inclusive. */
struct cxlvm_iova_range {
	struct cxlvm_iova first;
	struct cxlvm_iova last;
};

#define CXLVM_ERROR_MESSAGE_MAX 256
#define CXLVM_ERROR_HINT_MAX    192

/*
 * An error, owned by the caller. Initialize with CXLVM_ERROR_INIT (or zero) before the call.
 * code is 0 or a negative errno value; both texts are terminated and hold no newline.
 */
struct cxlvm_error {
	int code;
	char message[CXLVM_ERROR_MESSAGE_MAX];
	char hint[CXLVM_ERROR_HINT_MAX];
};

/* clang-format off */
#define CXLVM_ERROR_INIT { 0, { 0 }, { 0 } }
/* clang-format on */

#ifndef __KERNEL__
/*
 * Fill *err with code (negative errno) and a message, unless it already holds an error.
 * err may be NULL. Returns code, so that a failing function can end with
 * "return cxlvm_error_set(err, -EINVAL, ...)". Thread safe for different err.
 */
CXLVM_PUBLIC int cxlvm_error_set(struct cxlvm_error *err, int code, const char *format, ...)
	CXLVM_PRINTF(3, 4);

/*
 * Add the hint to an error set with cxlvm_error_set. Does nothing if err is NULL, holds no error
 * or has a hint already.
 */
CXLVM_PUBLIC void cxlvm_error_hint(struct cxlvm_error *err, const char *format, ...)
	CXLVM_PRINTF(2, 3);

/* The version of the library that is running, "major.minor.patch". Static storage. */
CXLVM_PUBLIC const char *cxlvm_version(void);
#endif

#ifdef __cplusplus
}
#endif

#endif

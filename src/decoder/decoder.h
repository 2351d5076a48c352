/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The HDM decoder state machine: one type for the endpoint's virtual decoder, the host bridge's
 * decoder and the real decoder of the software device. Freestanding.
 *
 * The state is the register image itself, so there is no second copy to disagree with: an array
 * of DECODER_DWORDS numbers, which begins with the capability register. One decoder, no
 * interleave; the decoder index exists in the register layer and is enforced to be 0 here.
 *
 * Policy "locked": firmware, which the monitor plays, has programmed and locked it
 * (decoder_commit_locked). The guest never writes it, not even when that failed.
 *
 * Policy "guest" (contract 3.3, 9): every write of the guest goes through decoder_write, which says
 * what it asks for. What is behind the decoder is the caller's: it makes the mapping before
 * decoder_commit, and removes it before decoder_decommit.
 */
#ifndef CXLVM_DECODER_DECODER_H
#define CXLVM_DECODER_DECODER_H

#include "regs/component.h"

#define DECODER_DWORDS ((HDM_HEADER + HDM_STRIDE) / 4)

/* What a committed decoder shows. */
struct decoder_setting {
	uint64_t base;    /* multiple of 256 MiB */
	uint64_t size;    /* multiple of 256 MiB, not 0 */
	uint32_t targets; /* host bridge: target list bytes 0..3; endpoint: 0 (DPA skip) */
	bool host_only;   /* target range type: false is device coherent */
};

/*
 * Reset: nothing committed, global decoder enable set (CHK-6), capability register as given with
 * the decoder count forced to one.
 */
void decoder_reset(uint32_t *hdm, uint32_t capability);

/* After reset: the size that a guest finds preset, a multiple of 256 MiB. */
void decoder_preset_size(uint32_t *hdm, uint64_t size);

/*
 * Commit decoder 0 with lock. -EINVAL when base or size is no multiple of 256 MiB, the size is 0
 * or the range wraps (CHK-1, CHK-2); the registers are unchanged then.
 */
int decoder_commit_locked(uint32_t *hdm, const struct decoder_setting *setting);

/* What a write of the guest asks for, beyond the registers. */
enum decoder_request {
	DECODER_NOTHING,  /* it was stored, or ignored */
	DECODER_ENABLE,   /* global decoder enable changed and is stored: what is mapped follows */
	DECODER_COMMIT,   /* check, map, then decoder_commit; or decoder_refuse */
	DECODER_DECOMMIT, /* unmap, then decoder_decommit; nothing has changed yet */
};

/*
 * The guest writes the dword at offset at of the capability, a multiple of 4. Only what may be
 * written in the present state is stored: nothing while committed and locked, commit alone while
 * committed.
 */
enum decoder_request decoder_write(uint32_t *hdm, uint32_t at, uint32_t value);

/* Why a commit cannot be: what the registers alone tell. */
enum decoder_fault {
	DECODER_FAULT_NONE,
	DECODER_FAULT_WAYS,        /* interleaves */
	DECODER_FAULT_GRANULARITY, /* a code without meaning (CHK-4) */
	DECODER_FAULT_SKIP,        /* skips device memory; endpoints only */
	DECODER_FAULT_RANGE,       /* wraps around the end of the address space */
};

/* endpoint: the last two registers are the DPA skip, not a target list. */
enum decoder_fault decoder_check(const uint32_t *hdm, bool endpoint);

/* The ends of what decoder_write asked for. */
void decoder_commit(uint32_t *hdm);   /* committed; the lock takes effect if it is set */
void decoder_refuse(uint32_t *hdm);   /* error bit: not committed */
void decoder_decommit(uint32_t *hdm); /* commit, committed and error clear; the rest stays */

bool decoder_is_committed(const uint32_t *hdm);
bool decoder_is_enabled(const uint32_t *hdm); /* global decoder enable */
uint64_t decoder_base(const uint32_t *hdm);
uint64_t decoder_size(const uint32_t *hdm);
uint32_t decoder_control(const uint32_t *hdm);
uint32_t decoder_global_control(const uint32_t *hdm);

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The HDM decoder state machine: one type for the endpoint's virtual decoder, the host bridge's
 * decoder and the real decoder of the software device. Freestanding.
 *
 * The guest never writes it: firmware, which the monitor plays, has programmed and locked it, and
 * it stays read-only when that failed (contract 3.3, 9; policy "locked").
 *
 * The state is the register image itself, so there is no second copy to disagree with: an array
 * of DECODER_DWORDS numbers, which begins with the capability register. One decoder, no
 * interleave; the decoder index exists in the register layer and is enforced to be 0 here.
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

/*
 * Commit decoder 0 with lock. -EINVAL when base or size is no multiple of 256 MiB, the size is 0
 * or the range wraps (CHK-1, CHK-2); the registers are unchanged then.
 */
int decoder_commit_locked(uint32_t *hdm, const struct decoder_setting *setting);

/* Not committed; with error, the error bit tells the guest why. */
void decoder_decommit(uint32_t *hdm, bool error);

bool decoder_is_committed(const uint32_t *hdm);
bool decoder_is_enabled(const uint32_t *hdm); /* global decoder enable */
uint64_t decoder_base(const uint32_t *hdm);
uint64_t decoder_size(const uint32_t *hdm);
uint32_t decoder_control(const uint32_t *hdm);
uint32_t decoder_global_control(const uint32_t *hdm);

#endif

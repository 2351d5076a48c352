/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "decoder/decoder.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif

#include "base/math.h"

#define CONTROL_DWORD (HDM_CTL_COMMIT_AT / 4u)

/* The committed bit tells that the range is there: released after it, acquired before it. */
static void store_control(uint32_t *hdm, uint32_t control)
{
	__atomic_store_n(&hdm[CONTROL_DWORD], control, __ATOMIC_RELEASE);
}

static uint32_t register_of(const uint32_t *hdm, enum hdm_row row)
{
	return reg_load(&hdm[hdm_table.rows[row].offset / 4]);
}

void decoder_reset(uint32_t *hdm, uint32_t capability)
{
	uint32_t image[DECODER_DWORDS];

	regs_reset(&hdm_table, image, 0);
	image[0] = capability;
	hdm_set(image, 0, 0, HDM_CAP_COUNT, 0);
	hdm_set(image, 0, 0, HDM_GLOBAL_ENABLE, 1);
	/* Not committed before the range goes away. */
	store_control(hdm, image[CONTROL_DWORD]);
	for (unsigned int i = 0; i < DECODER_DWORDS; i++)
		reg_store(&hdm[i], image[i]);
}

static void set_range(uint32_t *hdm, uint64_t base, uint64_t size, uint32_t targets)
{
	hdm_set(hdm, 0, 0, HDM_BASE_LOW, (uint32_t)base >> 28);
	hdm_set(hdm, 0, 0, HDM_BASE_HIGH, (uint32_t)(base >> 32));
	hdm_set(hdm, 0, 0, HDM_SIZE_LOW, (uint32_t)size >> 28);
	hdm_set(hdm, 0, 0, HDM_SIZE_HIGH, (uint32_t)(size >> 32));
	hdm_set(hdm, 0, 0, HDM_TARGET_LOW, targets);
	hdm_set(hdm, 0, 0, HDM_TARGET_HIGH, 0);
}

/* One store for the whole register: a reader sees the old control or the new one. */
static void set_control(uint32_t *hdm, bool host_only, bool committed, bool error)
{
	uint32_t image[DECODER_DWORDS] = { 0 };

	hdm_set(image, 0, 0, HDM_CTL_HOST_ONLY, host_only);
	hdm_set(image, 0, 0, HDM_CTL_LOCK, committed);
	hdm_set(image, 0, 0, HDM_CTL_COMMIT, committed);
	hdm_set(image, 0, 0, HDM_CTL_COMMITTED, committed);
	hdm_set(image, 0, 0, HDM_CTL_ERROR, error);
	store_control(hdm, image[CONTROL_DWORD]);
}

int decoder_commit_locked(uint32_t *hdm, const struct decoder_setting *setting)
{
	if (!is_aligned(setting->base, CXLVM_HDM_GRANULE) ||
	    !is_aligned(setting->size, CXLVM_HDM_GRANULE) ||
	    !range_is_valid(setting->base, setting->size))
		return -EINVAL;
	set_range(hdm, setting->base, setting->size, setting->targets);
	set_control(hdm, setting->host_only, true, false);
	return 0;
}

void decoder_decommit(uint32_t *hdm, bool error)
{
	set_control(hdm, false, false, error);
	set_range(hdm, 0, 0, 0);
}

bool decoder_is_committed(const uint32_t *hdm)
{
	uint32_t control = __atomic_load_n(&hdm[CONTROL_DWORD], __ATOMIC_ACQUIRE);

	return control & reg_mask(&hdm_table.rows[HDM_CTL_COMMITTED]);
}

bool decoder_is_enabled(const uint32_t *hdm)
{
	return hdm_get(hdm, 0, 0, HDM_GLOBAL_ENABLE);
}

uint64_t decoder_base(const uint32_t *hdm)
{
	return (uint64_t)hdm_get(hdm, 0, 0, HDM_BASE_HIGH) << 32 |
	       (uint64_t)hdm_get(hdm, 0, 0, HDM_BASE_LOW) << 28;
}

uint64_t decoder_size(const uint32_t *hdm)
{
	return (uint64_t)hdm_get(hdm, 0, 0, HDM_SIZE_HIGH) << 32 |
	       (uint64_t)hdm_get(hdm, 0, 0, HDM_SIZE_LOW) << 28;
}

uint32_t decoder_control(const uint32_t *hdm)
{
	return register_of(hdm, HDM_CTL_COMMIT);
}

uint32_t decoder_global_control(const uint32_t *hdm)
{
	return register_of(hdm, HDM_GLOBAL_ENABLE);
}

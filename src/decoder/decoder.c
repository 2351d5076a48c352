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

static void set_size(uint32_t *hdm, uint64_t size)
{
	hdm_set(hdm, 0, 0, HDM_SIZE_LOW, (uint32_t)size >> 28);
	hdm_set(hdm, 0, 0, HDM_SIZE_HIGH, (uint32_t)(size >> 32));
}

void decoder_preset_size(uint32_t *hdm, uint64_t size)
{
	set_size(hdm, size);
}

static void set_range(uint32_t *hdm, const struct decoder_setting *setting)
{
	hdm_set(hdm, 0, 0, HDM_BASE_LOW, (uint32_t)setting->base >> 28);
	hdm_set(hdm, 0, 0, HDM_BASE_HIGH, (uint32_t)(setting->base >> 32));
	set_size(hdm, setting->size);
	hdm_set(hdm, 0, 0, HDM_TARGET_LOW, setting->targets);
	hdm_set(hdm, 0, 0, HDM_TARGET_HIGH, 0);
}

/* The control register with one bit as given. */
static uint32_t with_bit(uint32_t control, enum hdm_row row, bool value)
{
	uint32_t mask = reg_mask(&hdm_table.rows[row]);

	return value ? control | mask : control & ~mask;
}

int decoder_commit_locked(uint32_t *hdm, const struct decoder_setting *setting)
{
	uint32_t control = 0;

	if (!is_aligned(setting->base, CXLVM_HDM_GRANULE) ||
	    !is_aligned(setting->size, CXLVM_HDM_GRANULE) ||
	    !range_is_valid(setting->base, setting->size))
		return -EINVAL;
	set_range(hdm, setting);
	control = with_bit(control, HDM_CTL_HOST_ONLY, setting->host_only);
	control = with_bit(control, HDM_CTL_LOCK, true);
	control = with_bit(control, HDM_CTL_COMMIT, true);
	store_control(hdm, with_bit(control, HDM_CTL_COMMITTED, true));
	return 0;
}

/* What the dword at offset at becomes when the guest writes value, by the rules of the rows. */
static uint32_t written(const uint32_t *hdm, uint32_t at, uint32_t value)
{
	uint32_t image[DECODER_DWORDS];

	for (unsigned int i = 0; i < DECODER_DWORDS; i++)
		image[i] = reg_load(&hdm[i]);
	regs_write(&hdm_table, image, 0, at, 4, value);
	return image[at / 4];
}

static enum decoder_request write_global(uint32_t *hdm, uint32_t value)
{
	uint32_t old = decoder_global_control(hdm);

	/* Poison on decode error only where the capability has it. */
	if (!hdm_get(hdm, 0, 0, HDM_CAP_POISON))
		value &= ~reg_mask(&hdm_table.rows[HDM_GLOBAL_POISON]);
	value = written(hdm, HDM_GLOBAL_ENABLE_AT, value);
	reg_store(&hdm[HDM_GLOBAL_ENABLE_AT / 4u], value);
	return (old ^ value) & reg_mask(&hdm_table.rows[HDM_GLOBAL_ENABLE]) ? DECODER_ENABLE
									    : DECODER_NOTHING;
}

static enum decoder_request write_control(uint32_t *hdm, uint32_t value)
{
	bool commit = value & reg_mask(&hdm_table.rows[HDM_CTL_COMMIT]);

	if (decoder_is_committed(hdm))
		return commit ? DECODER_NOTHING : DECODER_DECOMMIT;
	store_control(hdm, with_bit(written(hdm, HDM_CTL_COMMIT_AT, value), HDM_CTL_ERROR, false));
	return commit ? DECODER_COMMIT : DECODER_NOTHING;
}

enum decoder_request decoder_write(uint32_t *hdm, uint32_t at, uint32_t value)
{
	bool committed = decoder_is_committed(hdm);

	if (at == HDM_GLOBAL_ENABLE_AT)
		return write_global(hdm, value);
	if (committed && hdm_get(hdm, 0, 0, HDM_CTL_LOCK))
		return DECODER_NOTHING;
	if (at == HDM_CTL_COMMIT_AT)
		return write_control(hdm, value);
	if (!committed && at < 4 * DECODER_DWORDS)
		reg_store(&hdm[at / 4], written(hdm, at, value));
	return DECODER_NOTHING;
}

enum decoder_fault decoder_check(const uint32_t *hdm, bool endpoint)
{
	if (hdm_get(hdm, 0, 0, HDM_CTL_WAYS))
		return DECODER_FAULT_WAYS;
	if (hdm_get(hdm, 0, 0, HDM_CTL_GRANULARITY) > HDM_GRANULARITY_MAX)
		return DECODER_FAULT_GRANULARITY;
	if (endpoint && (hdm_get(hdm, 0, 0, HDM_TARGET_LOW) || hdm_get(hdm, 0, 0, HDM_TARGET_HIGH)))
		return DECODER_FAULT_SKIP;
	if (decoder_size(hdm) && !range_is_valid(decoder_base(hdm), decoder_size(hdm)))
		return DECODER_FAULT_RANGE;
	return DECODER_FAULT_NONE;
}

void decoder_commit(uint32_t *hdm)
{
	store_control(hdm, with_bit(decoder_control(hdm), HDM_CTL_COMMITTED, true));
}

void decoder_refuse(uint32_t *hdm)
{
	store_control(hdm, with_bit(decoder_control(hdm), HDM_CTL_ERROR, true));
}

void decoder_decommit(uint32_t *hdm)
{
	uint32_t control = with_bit(decoder_control(hdm), HDM_CTL_COMMIT, false);

	control = with_bit(control, HDM_CTL_COMMITTED, false);
	store_control(hdm, with_bit(control, HDM_CTL_ERROR, false));
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

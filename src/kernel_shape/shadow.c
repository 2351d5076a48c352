/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The decoder that the kernel keeps: sampled from the real one, and what writes do to it in
 * generations 2 (with 2n), 3 and 4. at is the offset in the HDM decoder capability.
 */
#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"

#define REGISTER(row) (hdm_table.rows[row].offset)

static bool is_range(uint32_t at)
{
	return at >= REGISTER(HDM_BASE_LOW) && at <= REGISTER(HDM_SIZE_HIGH);
}

void shadow_sample(struct kernel_shape *shape)
{
	uint32_t *hdm = &shape->cm[SWDEV_HDM_OFFSET / 4];

	memcpy(hdm, swdev_hdm(shape->dev), HDM_BYTES);
	if (!hdm_get(hdm, 0, 0, HDM_CTL_COMMITTED) || !hdm_get(hdm, 0, 0, HDM_CTL_LOCK))
		return;
	if (shape->facts.frees_decoder)
		hdm_set(hdm, 0, 0, HDM_CTL_LOCK, 0);
	if (shape->facts.zeroes_base) {
		hdm_set(hdm, 0, 0, HDM_BASE_LOW, 0);
		hdm_set(hdm, 0, 0, HDM_BASE_HIGH, 0);
	}
}

/* One field of a value that is about to be written to the register of the row. */
static uint32_t field(uint32_t value, enum hdm_row row)
{
	return (value & reg_mask(&hdm_table.rows[row])) >> hdm_table.rows[row].lsb;
}

static void write_control_2(uint32_t *hdm, uint32_t value)
{
	if (hdm_get(hdm, 0, 0, HDM_CTL_LOCK)) {
		/* With the lock set only the lock itself can be taken away. */
		hdm_set(hdm, 0, 0, HDM_CTL_LOCK, field(value, HDM_CTL_LOCK));
		return;
	}
	regs_write(&hdm_table, hdm, 0, REGISTER(HDM_CTL_COMMIT), 4, value);
	hdm_set(hdm, 0, 0, HDM_CTL_COMMITTED, field(value, HDM_CTL_COMMIT));
}

void shadow_write_2(uint32_t *hdm, uint32_t at, uint32_t value)
{
	if (at == REGISTER(HDM_CTL_COMMIT)) {
		write_control_2(hdm, value);
	} else if (at == REGISTER(HDM_GLOBAL_ENABLE)) {
		hdm_set(hdm, 0, 0, HDM_GLOBAL_ENABLE, field(value, HDM_GLOBAL_ENABLE));
		if (hdm_get(hdm, 0, 0, HDM_CAP_POISON))
			hdm_set(hdm, 0, 0, HDM_GLOBAL_POISON, field(value, HDM_GLOBAL_POISON));
	} else if (is_range(at) && !hdm_get(hdm, 0, 0, HDM_CTL_LOCK)) {
		/* Not gated on committed: a quirk of this kernel. */
		regs_write(&hdm_table, hdm, 0, at, 4, value);
	}
}

static void write_control_3(uint32_t *hdm, uint32_t value)
{
	uint32_t *control = &hdm[REGISTER(HDM_CTL_COMMIT) / 4];

	if (!hdm_get(hdm, 0, 0, HDM_CTL_COMMITTED)) {
		reg_store(control, value);
		hdm_set(hdm, 0, 0, HDM_CTL_ERROR, 0);
		hdm_set(hdm, 0, 0, HDM_CTL_COMMITTED, field(value, HDM_CTL_COMMIT));
		return;
	}
	if (field(value, HDM_CTL_COMMIT))
		return;
	/* A locked decoder can be decommitted: a mistake of this kernel. */
	hdm_set(hdm, 0, 0, HDM_CTL_COMMIT, 0);
	hdm_set(hdm, 0, 0, HDM_CTL_COMMITTED, 0);
	hdm_set(hdm, 0, 0, HDM_CTL_LOCK, 0);
}

void shadow_write_3(uint32_t *hdm, uint32_t at, uint32_t value)
{
	bool held = hdm_get(hdm, 0, 0, HDM_CTL_COMMITTED) || hdm_get(hdm, 0, 0, HDM_CTL_LOCK);

	if (at == REGISTER(HDM_CTL_COMMIT))
		write_control_3(hdm, value);
	else if (at == REGISTER(HDM_GLOBAL_ENABLE) || (is_range(at) && !held) ||
		 at > REGISTER(HDM_CTL_COMMIT))
		reg_store(&hdm[at / 4], value);
}

void shadow_write_4(uint32_t *hdm, uint32_t at, uint32_t value)
{
	bool committed = hdm_get(hdm, 0, 0, HDM_CTL_COMMITTED);

	if (at == REGISTER(HDM_CTL_COMMIT)) {
		if (committed && hdm_get(hdm, 0, 0, HDM_CTL_LOCK))
			return;
		regs_write(&hdm_table, hdm, 0, at, 4, value);
		hdm_set(hdm, 0, 0, HDM_CTL_ERROR, 0);
		hdm_set(hdm, 0, 0, HDM_CTL_COMMITTED, field(value, HDM_CTL_COMMIT));
	} else if (at < REGISTER(HDM_BASE_LOW) || !committed) {
		/* The table has the capability and the gap behind the header as read-only. */
		regs_write(&hdm_table, hdm, 0, at, 4, value);
	}
}

void shadow_write_none(uint32_t *hdm, uint32_t at, uint32_t value)
{
	(void)hdm;
	(void)at;
	(void)value;
}

void shadow_write_all(uint32_t *hdm, uint32_t at, uint32_t value)
{
	reg_store(&hdm[at / 4], value);
	if (at == REGISTER(HDM_CTL_COMMIT))
		hdm_set(hdm, 0, 0, HDM_CTL_COMMITTED, field(value, HDM_CTL_COMMIT));
}

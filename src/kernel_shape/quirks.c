/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* What kernels of one interface have done differently, as changes of a generation's facts. */
#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/string.h>
#else
#include <errno.h>
#include <stddef.h>
#include <string.h>
#endif

#include "base/math.h"
#include "kernel_shape/private.h"

#define QUIRK(text, member, in_group)                                          \
	{                                                                      \
		.name = (text), .flag = offsetof(struct shape_quirks, member), \
		.group = (in_group),                                           \
	}

const struct shape_quirk shape_quirk_list[SHAPE_QUIRKS] = {
	QUIRK("no-mmap", no_mmap, 0),
	QUIRK("base-zero", base_zero, 1),
	QUIRK("base-host", base_host, 1),
	QUIRK("writes-kept", writes_kept, 2),
	QUIRK("writes-frozen", writes_frozen, 2),
	QUIRK("writes-absorbed", writes_absorbed, 2),
	QUIRK("shadow-lost", shadow_lost, 3),
	QUIRK("shadow-kept", shadow_kept, 3),
	QUIRK("space-off-error", space_off_error, 4),
	QUIRK("space-off-ones", space_off_ones, 4),
	QUIRK("register-lies", register_lies, 0),
	QUIRK("chain-loops", chain_loops, 5),
	QUIRK("chain-short", chain_short, 5),
	QUIRK("reset-again", reset_again, 0),
	QUIRK("reset-fails", reset_fails, 0),
	QUIRK("size-changes", size_changes, 6),
	QUIRK("decoder-late", decoder_late, 6),
	QUIRK("decoder-lost", decoder_lost, 6),
};

void kernel_shape_set_quirks(struct kernel_shape *shape, const struct shape_quirks *quirks)
{
	struct shape_facts *facts = &shape->facts;
	bool zeroed_base = facts->zeroes_base;

	*facts = *shape_facts_of(facts->generation);
	shape->quirks = *quirks;
	facts->no_memory_mmap |= quirks->no_mmap;
	if (quirks->base_zero || quirks->base_host)
		facts->zeroes_base = quirks->base_zero;
	if (quirks->writes_kept)
		facts->write = shadow_write_all;
	if (quirks->writes_frozen)
		facts->write = shadow_write_4;
	if (quirks->writes_absorbed)
		facts->write = shadow_write_none;
	if (quirks->shadow_lost || quirks->shadow_kept)
		facts->samples_at_reset = quirks->shadow_lost;
	if (quirks->space_off_error)
		facts->space = SPACE_ERROR;
	if (quirks->space_off_ones)
		facts->space = SPACE_ONES;
	/* What was sampled before, by the facts of now. */
	if (facts->zeroes_base != zeroed_base)
		shadow_sample(shape);
}

int quirks_before_reset(struct kernel_shape *shape)
{
	if (shape->quirks.reset_again && shape->again < shape->quirks.times) {
		shape->again++;
		return -EAGAIN;
	}
	shape->again = 0;
	if (!shape->quirks.reset_fails)
		return 0;
	shape->gated = true;
	return -EIO;
}

static uint32_t *real_decoder(struct kernel_shape *shape)
{
	return &shape->dev->cm[SWDEV_HDM_OFFSET / 4];
}

/* The real decoder, as firmware committed it and larger. */
static void commit(struct kernel_shape *shape, uint64_t larger)
{
	struct decoder_setting setting = {
		.base = shape->dev->settings.base.value,
		.size = shape->dev->settings.memory_size + larger,
	};

	/* At the end of the address space there is no larger one: it stays as it is. */
	(void)decoder_commit_locked(real_decoder(shape), &setting);
}

void quirks_after_reset(struct kernel_shape *shape)
{
	if (shape->quirks.size_changes)
		commit(shape, CXLVM_HDM_GRANULE);
	if (!shape->quirks.decoder_late && !shape->quirks.decoder_lost)
		return;
	decoder_decommit(real_decoder(shape));
	shape->late = shape->quirks.decoder_late ? shape->quirks.times : 0;
}

void kernel_shape_look(struct kernel_shape *shape)
{
	if (!shape->late || --shape->late)
		return;
	commit(shape, 0);
	if (shape->facts.samples_at_reset)
		shadow_sample(shape);
}

uint32_t quirks_register(const struct kernel_shape *shape, uint32_t at, uint32_t value)
{
	const struct reg_row *rows = hdm_table.rows;

	/* Reads that are live know no sampling. */
	if (!shape->facts.write && shape->facts.zeroes_base &&
	    (at == rows[HDM_BASE_LOW].offset || at == rows[HDM_BASE_HIGH].offset))
		return 0;
	if (shape->quirks.register_lies && at == rows[HDM_SIZE_LOW].offset)
		return value + (uint32_t)CXLVM_HDM_GRANULE;
	return value;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generation 2: the kernel keeps a shadow of the decoder that the monitor has to program after
 * each reset (contract 6.3 step 4). Every access is one aligned dword, little endian, and every
 * result is looked at. While its lock is set the kernel takes nothing but the lock away.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"

static uint64_t position(const struct cxlvm_endpoint *ep, enum hdm_row row)
{
	return ep->desc.regs_hdm + hdm_table.rows[row].offset;
}

static int kernel_decoder_read(struct cxlvm_endpoint *ep, enum hdm_row row, uint32_t *value,
			       struct cxlvm_error *err)
{
	uint8_t bytes[4];
	int ret = ep->ops.read(ep->device, ep->desc.regs_region, position(ep, row), bytes, 4);

	*value = ret ? 0 : get_le32(bytes);
	if (ret)
		return cxlvm_error_set(err, ret,
				       "%s: reading the kernel's decoder at 0x%" PRIx64 ": %s",
				       ep->name, position(ep, row), strerror(-ret));
	return 0;
}

static int kernel_decoder_write(struct cxlvm_endpoint *ep, enum hdm_row row, uint32_t value,
				struct cxlvm_error *err)
{
	uint8_t bytes[4];
	int ret;

	put_le32(bytes, value);
	ret = ep->ops.write(ep->device, ep->desc.regs_region, position(ep, row), bytes, 4);
	if (ret)
		return cxlvm_error_set(
			err, ret, "%s: writing 0x%08x to the kernel's decoder at 0x%" PRIx64 ": %s",
			ep->name, value, position(ep, row), strerror(-ret));
	return 0;
}

static uint32_t control_bit(enum hdm_row row)
{
	return reg_mask(&hdm_table.rows[row]);
}

/* What may be written back: read-only bits as zero. */
static uint32_t writable(uint32_t control)
{
	return control & ~(control_bit(HDM_CTL_COMMITTED) | control_bit(HDM_CTL_ERROR));
}

static bool is_as_wanted(const struct kernel_decoder *now, struct cxlvm_gpa base)
{
	uint32_t set = control_bit(HDM_CTL_LOCK) | control_bit(HDM_CTL_COMMIT) |
		       control_bit(HDM_CTL_COMMITTED);

	return (now->control & (set | control_bit(HDM_CTL_ERROR))) == set &&
	       now->base_low == (uint32_t)base.value &&
	       now->base_high == (uint32_t)(base.value >> 32);
}

static int read_all(struct cxlvm_endpoint *ep, struct kernel_decoder *now, struct cxlvm_error *err)
{
	int ret = kernel_decoder_read(ep, HDM_CTL_COMMIT, &now->control, err);

	if (!ret)
		ret = kernel_decoder_read(ep, HDM_BASE_LOW, &now->base_low, err);
	if (!ret)
		ret = kernel_decoder_read(ep, HDM_BASE_HIGH, &now->base_high, err);
	return ret;
}

/* A guest that moves its decoder leaves our own lock there, which is no surprise. */
static bool is_ours(const struct cxlvm_endpoint *ep, const struct kernel_decoder *found)
{
	return ep->kernel_base &&
	       ep->kernel_base == ((uint64_t)found->base_high << 32 | found->base_low);
}

static int drop_lock(struct cxlvm_endpoint *ep, const struct kernel_decoder *found,
		     struct cxlvm_error *err)
{
	if (!is_ours(ep, found)) {
		TRACE(ep, LOCK_FOUND, found->control);
		endpoint_event(ep, CXLVM_EVENT_WARNING, 0,
			       "the kernel's decoder was found locked: cleared to program it");
	}
	return kernel_decoder_write(ep, HDM_CTL_COMMIT,
				    writable(found->control) & ~control_bit(HDM_CTL_LOCK), err);
}

static int write_and_verify(struct cxlvm_endpoint *ep, struct cxlvm_gpa base,
			    struct cxlvm_error *err)
{
	struct kernel_decoder after;
	int ret = kernel_decoder_write(ep, HDM_BASE_LOW, (uint32_t)base.value, err);

	if (!ret)
		ret = kernel_decoder_write(ep, HDM_BASE_HIGH, (uint32_t)(base.value >> 32), err);
	if (!ret)
		ret = kernel_decoder_write(ep, HDM_CTL_COMMIT,
					   control_bit(HDM_CTL_LOCK) | control_bit(HDM_CTL_COMMIT),
					   err);
	if (ret)
		return ret;
	/* Read back in the order it was written: base low, base high, control. */
	ret = kernel_decoder_read(ep, HDM_BASE_LOW, &after.base_low, err);
	if (!ret)
		ret = kernel_decoder_read(ep, HDM_BASE_HIGH, &after.base_high, err);
	if (!ret)
		ret = kernel_decoder_read(ep, HDM_CTL_COMMIT, &after.control, err);
	if (ret)
		return ret;
	if (is_as_wanted(&after, base))
		return 0;
	TRACE(ep, VERIFY_MISMATCH, base.value, after.control);
	/* What it reads instead may be a host address, and is not for a log (P2). */
	cxlvm_error_set(err, -EPROTO,
			"%s: the kernel's decoder does not read back the base 0x%" PRIx64
			" committed and locked that was written (control 0x%08x)",
			ep->name, base.value, after.control);
	cxlvm_error_hint(err, "this kernel drops writes to its decoder although it has the "
			      "interface of generation 2");
	return -EPROTO;
}

int kernel_decoder_program(struct cxlvm_endpoint *ep, struct cxlvm_gpa base,
			   struct kernel_decoder *before, struct cxlvm_error *err)
{
	int ret;

	*before = (struct kernel_decoder){ .programmed = ep->kernel_base };
	ret = read_all(ep, before, err);
	if (ret)
		return ret;
	/* Some kernels keep the base over a reset: write only what differs (RST-5). */
	if (is_as_wanted(before, base))
		return 0;
	before->written = true;
	if (before->control & control_bit(HDM_CTL_LOCK))
		ret = drop_lock(ep, before, err);
	if (!ret)
		ret = write_and_verify(ep, base, err);
	if (ret)
		kernel_decoder_restore(ep, before);
	else
		ep->kernel_base = base.value;
	return ret;
}

void kernel_decoder_restore(struct cxlvm_endpoint *ep, const struct kernel_decoder *before)
{
	uint32_t control = writable(before->control), lock = control_bit(HDM_CTL_LOCK);
	int ret;

	if (!before->written)
		return;
	/*
	 * The lock may be set by now: then the first write takes it away and nothing else, only
	 * without it is the base taken, and the last write brings the other fields back.
	 */
	ret = kernel_decoder_write(ep, HDM_CTL_COMMIT, control & ~lock, NULL);
	if (!ret)
		ret = kernel_decoder_write(ep, HDM_BASE_LOW, before->base_low, NULL);
	if (!ret)
		ret = kernel_decoder_write(ep, HDM_BASE_HIGH, before->base_high, NULL);
	if (!ret)
		ret = kernel_decoder_write(ep, HDM_CTL_COMMIT, control, NULL);
	ep->kernel_base = before->programmed;
	if (ret)
		snprintf(ep->unusable, sizeof(ep->unusable),
			 "the kernel's decoder could not be restored after a failure: %s",
			 strerror(-ret));
}

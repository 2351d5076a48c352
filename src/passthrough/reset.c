/* SPDX-License-Identifier: BSD-3-Clause */
/* Resets: before, after, and what a vCPU fault without an address means. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"

void endpoint_state_reset(struct cxlvm_endpoint *ep)
{
	uint32_t dvsec[DVSEC_DEVICE_SIZE / 4];
	uint16_t control;

	decoder_reset(ep->state.hdm, ep->desc.hdm_capability);
	regs_reset(&dvsec_device_table, dvsec, 0);
	control = (uint16_t)regs_read(dvsec, dvsec_device_table.rows[CXLDEV_MEM_ENABLE].offset, 2);
	__atomic_store_n(&ep->state.dvsec_control, control, __ATOMIC_RELAXED);
	__atomic_store_n(&ep->state.dvsec_lock, ep->real_lock, __ATOMIC_RELAXED);
}

static int check_kind(const struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind,
		      struct cxlvm_error *err)
{
	if (is_dark(ep))
		return cxlvm_error_set(err, -ENODEV, "%s: the device is gone", ep->name);
	if (kind != CXLVM_RESET_SYSTEM)
		return cxlvm_error_set(
			err, -EOPNOTSUPP,
			"%s: reset of kind %d; only system reset (%d) is implemented", ep->name,
			kind, CXLVM_RESET_SYSTEM);
	return 0;
}

int cxlvm_endpoint_reset_prepare(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind,
				 struct cxlvm_error *err)
{
	int ret = check_kind(ep, kind, err);

	if (ret)
		return ret;
	TRACE(ep, RESET_PREPARE, kind);
	endpoint_map_withdraw(ep);
	if (kind != CXLVM_RESET_FUNCTION)
		endpoint_state_reset(ep);
	if (kind > ep->pending)
		ep->pending = kind;
	return 0;
}

static void fail_reset(struct cxlvm_endpoint *ep, const struct cxlvm_error *err)
{
	decoder_decommit(ep->state.hdm, true);
	count(&ep->counters.program_failures);
	/* A reason set while undoing is the graver one. */
	if (!ep->unusable[0])
		snprintf(ep->unusable, sizeof(ep->unusable), "%s", err->message);
	endpoint_event(ep, CXLVM_EVENT_RESET_FAILED, err->code, err->message);
}

static void report_success(struct cxlvm_endpoint *ep)
{
	count(&ep->counters.programmed);
	/* The first system reset is the start of the machine: nothing was there before. */
	if (ep->was_programmed) {
		endpoint_event(ep, CXLVM_EVENT_CONTENT_LOST, 0,
			       "the content of device memory may be lost");
		endpoint_event(ep, CXLVM_EVENT_MEMORY_AVAILABLE, 0, "");
	}
	ep->was_programmed = true;
}

int cxlvm_endpoint_reset_done(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind, int result,
			      struct cxlvm_error *err)
{
	struct cxlvm_error local = CXLVM_ERROR_INIT;
	int ret = check_kind(ep, kind, err);

	if (ret)
		return ret;
	if (!ep->machine_done)
		return cxlvm_error_set(err, -EAGAIN, "%s: reset before the machine is complete",
				       ep->name);
	if (kind < ep->pending)
		return 0;
	if (ep->pending == CXLVM_RESET_NONE) {
		ret = cxlvm_endpoint_reset_prepare(ep, kind, err);
		if (ret)
			return ret;
	}
	ep->pending = CXLVM_RESET_NONE;
	ep->unusable[0] = '\0';
	/* A reset that is known to have failed leaves what the last user of the memory stored. */
	if (result < 0)
		ret = cxlvm_error_set(&local, result, "%s: the device could not be reset: %s",
				      ep->name, strerror(-result));
	else
		ret = endpoint_program(ep, kind, &local);
	if (ret) {
		fail_reset(ep, &local);
		cxlvm_error_set(err, local.code, "%s", local.message);
		if (local.hint[0])
			cxlvm_error_hint(err, "%s", local.hint);
	} else {
		report_success(ep);
	}
	TRACE(ep, RESET_DONE, kind, (uint64_t)-ret);
	return ret;
}

int cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int usable = -ENOSYS;

	if (is_dark(ep) || !flag_is_set(&ep->state.mapped))
		return 0;
	if (ep->ops.usable)
		usable = ep->ops.usable(ep->device);
	if (usable < 0)
		usable = !vfio_decoder_check(&ep->ops, ep->device, &ep->desc, &err);
	if (usable)
		return 0;
	cxlvm_error_set(&err, -ENXIO, "the device took its memory away");
	snprintf(ep->unusable, sizeof(ep->unusable), "%s", err.message);
	endpoint_map_withdraw(ep);
	endpoint_event(ep, CXLVM_EVENT_MEMORY_UNAVAILABLE, err.code, ep->unusable);
	return 1;
}

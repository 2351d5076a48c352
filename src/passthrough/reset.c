/* SPDX-License-Identifier: BSD-3-Clause */
/* Resets: before, after, and what a vCPU fault without an address means. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"

/* A device that says "again" is reset again: so often, with such a pause. */
#define RESET_ATTEMPTS 5
#define RESET_PAUSE_MS 100

static void reset_decoder(struct cxlvm_endpoint *ep)
{
	decoder_reset(ep->state.hdm, ep->desc.hdm_capability);
	if (ep->decoder == CXLVM_DECODER_GUEST)
		decoder_preset_size(ep->state.hdm, ep->desc.memory_size);
}

void endpoint_state_reset(struct cxlvm_endpoint *ep)
{
	uint32_t dvsec[DVSEC_DEVICE_SIZE / 4];
	uint16_t control;

	reset_decoder(ep);
	regs_reset(&dvsec_device_table, dvsec, 0);
	control = (uint16_t)regs_read(dvsec, dvsec_device_table.rows[CXLDEV_MEM_ENABLE].offset, 2);
	__atomic_store_n(&ep->state.dvsec_control, control, __ATOMIC_RELAXED);
	__atomic_store_n(&ep->state.dvsec_lock, ep->real_lock, __ATOMIC_RELAXED);
	__atomic_store_n(&ep->state.dvsec_control2, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&ep->state.dvsec_status2, 0, __ATOMIC_RELAXED);
}

static int check_kind(const struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind,
		      struct cxlvm_error *err)
{
	if (is_dark(ep))
		return cxlvm_error_set(err, -ENODEV, "%s: the device is gone", ep->name);
	if (ep->programming) {
		cxlvm_error_set(err, -EBUSY, "%s: a reset verb within a host operation of another",
				ep->name);
		cxlvm_error_hint(err, "the host has to serialize the calls for one device");
		return -EBUSY;
	}
	switch (kind) {
	case CXLVM_RESET_LOW_POWER:
	case CXLVM_RESET_FUNCTION:
	case CXLVM_RESET_CXL:
	case CXLVM_RESET_HOT:
	case CXLVM_RESET_BUS:
	case CXLVM_RESET_WAKEUP:
	case CXLVM_RESET_SYSTEM:
		return 0;
	case CXLVM_RESET_NONE:
		break;
	}
	cxlvm_error_set(err, -EINVAL, "%s: %d is no kind of reset", ep->name, kind);
	cxlvm_error_hint(err, "the kinds are in cxlvm/host.h");
	return -EINVAL;
}

/* Function-level reset leaves decoder and memory enable alone; so does low power. */
static bool keeps_registers(enum cxlvm_reset_kind kind)
{
	return kind == CXLVM_RESET_FUNCTION || kind == CXLVM_RESET_LOW_POWER;
}

/* A decoder that the guest had programmed and that is gone takes its map along. */
static void drop_guest_map(struct cxlvm_endpoint *ep)
{
	if (ep->decoder == CXLVM_DECODER_GUEST)
		endpoint_map_destroy(ep);
}

/* Caches are gone or kept with the device's power; only a reset while it runs loses them. */
static bool wants_write_back(enum cxlvm_reset_kind kind)
{
	return kind != CXLVM_RESET_LOW_POWER && kind != CXLVM_RESET_WAKEUP;
}

int cxlvm_endpoint_reset_prepare(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind,
				 struct cxlvm_error *err)
{
	bool was_mapped = flag_is_set(&ep->state.mapped);
	int ret = check_kind(ep, kind, err);

	if (ret || ep->plain)
		return ret;
	TRACE(ep, RESET_PREPARE, kind);
	if (!ep->pending)
		ep->prepared_ns = ep->host_ops.now_ns(ep->host);
	endpoint_map_disable(ep, CXLVM_MAP_RESET);
	if (was_mapped && wants_write_back(kind))
		endpoint_write_back(ep);
	endpoint_dma_withdraw(ep);
	if (!keeps_registers(kind)) {
		endpoint_state_reset(ep);
		drop_guest_map(ep);
	}
	/* The host bridge is reset with the machine, and the guest programs it anew. */
	if (kind >= CXLVM_RESET_WAKEUP)
		ep->bridge = (struct cxlvm_bridge_decoder){ .size = 0 };
	if (kind > ep->pending)
		ep->pending = kind;
	return 0;
}

static void fail_reset(struct cxlvm_endpoint *ep, const struct cxlvm_error *err)
{
	reset_decoder(ep);
	decoder_refuse(ep->state.hdm);
	drop_guest_map(ep);
	count(&ep->counters.program_failures);
	/* A reason set while undoing is the graver one. */
	if (!ep->unusable[0])
		snprintf(ep->unusable, sizeof(ep->unusable), "%s", err->message);
	endpoint_event(ep, CXLVM_EVENT_RESET_FAILED, err->code, err->message);
}

/* Memory that cannot be mapped (allow_slow): nothing is programmed, decoder 0 stays uncommitted. */
static void stay_dark(struct cxlvm_endpoint *ep)
{
	snprintf(ep->unusable, sizeof(ep->unusable),
		 "%s: no memory: the kernel does not let user space map it (allow-slow)", ep->name);
	if (!ep->was_programmed)
		endpoint_event(ep, CXLVM_EVENT_WARNING, 0, ep->unusable);
	ep->was_programmed = true;
}

static void report_success(struct cxlvm_endpoint *ep)
{
	if (!ep->desc.n_areas) {
		stay_dark(ep);
		return;
	}
	count(&ep->counters.programmed);
	/* The first system reset is the start of the machine: nothing was there before. */
	if (ep->was_programmed) {
		/* Also in low power, and when it was taken away without a word (contract 10.3). */
		endpoint_event(ep, CXLVM_EVENT_CONTENT_LOST, 0,
			       "the content of device memory may be lost");
		if (ep->decoder == CXLVM_DECODER_LOCKED || flag_is_set(&ep->state.mapped))
			endpoint_event(ep, CXLVM_EVENT_MEMORY_AVAILABLE, 0, "");
	}
	ep->was_programmed = true;
}

static int reset_again(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind, int result)
{
	for (int i = 0; result == -EAGAIN && ep->host_ops.device_reset && i < RESET_ATTEMPTS; i++) {
		ep->host_ops.sleep_ms(ep->host, RESET_PAUSE_MS);
		result = ep->host_ops.device_reset(ep->host, kind);
	}
	return result;
}

int cxlvm_endpoint_reset_done(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind, int result,
			      struct cxlvm_error *err)
{
	struct cxlvm_error local = CXLVM_ERROR_INIT;
	int ret = check_kind(ep, kind, err);

	if (ret || ep->plain)
		return ret;
	if (!ep->machine_done) {
		cxlvm_error_set(err, -EAGAIN, "%s: reset before the machine is complete", ep->name);
		cxlvm_error_hint(err, "call cxlvm_endpoint_machine_done first");
		return -EAGAIN;
	}
	if (kind < ep->pending)
		return 0;
	if (ep->pending < kind) {
		ret = cxlvm_endpoint_reset_prepare(ep, kind, err);
		if (ret)
			return ret;
	}
	ep->pending = CXLVM_RESET_NONE;
	ep->revoked = false;
	ep->unusable[0] = '\0';
	result = reset_again(ep, kind, result);
	/* A reset that is known to have failed leaves what the last user of the memory stored. */
	if (result < 0) {
		ret = endpoint_unusable(ep, result, "the device could not be reset", &local);
		cxlvm_error_hint(&local, "its memory stays away until a reset succeeds: reset the "
					 "machine again; dmesg of the host says why it failed");
	} else if (ep->desc.n_areas) {
		ret = endpoint_program(ep, kind, &local);
	}
	if (ret) {
		endpoint_complete_error(ep, &local);
		fail_reset(ep, &local);
		cxlvm_error_set(err, local.code, "%s", local.message);
		cxlvm_error_hint(err, "%s", local.hint);
	} else {
		report_success(ep);
	}
	TRACE(ep, RESET_DONE, kind, (uint64_t)-ret,
	      ep->host_ops.now_ns(ep->host) - ep->prepared_ns);
	endpoint_report_accesses(ep);
	return ret;
}

/*
 * The real Memory Space bit is put back first: registers may not be read without it (10.1). *space_was
 * tells whether it was on.
 */
static bool is_usable(struct cxlvm_endpoint *ep, bool *space_was, struct cxlvm_error *err)
{
	struct cxlvm_error local = CXLVM_ERROR_INIT;
	int space = endpoint_memory_space_on(ep, space_was, &local);
	int usable = ep->ops.usable ? ep->ops.usable(ep->device) : -ENOSYS;

	/* What cannot be asked was not seen off. */
	if (space)
		*space_was = true;
	if (space && usable) {
		*err = local;
		return false;
	}
	if (usable < 0)
		usable = !vfio_decoder_check(&ep->ops, ep->device, &ep->desc, err);
	return usable;
}

/* The guest goes on and reads ones; the event says why. */
static void take_away(struct cxlvm_endpoint *ep, const struct cxlvm_error *err)
{
	snprintf(ep->unusable, sizeof(ep->unusable), "%s", err->message);
	endpoint_map_disable(ep, CXLVM_MAP_USABLE);
	endpoint_dma_withdraw(ep);
	endpoint_event(ep, CXLVM_EVENT_MEMORY_UNAVAILABLE, err->code, ep->unusable);
}

int cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	bool was_revoked, usable, space_was;

	if (is_dark(ep))
		return 0;
	endpoint_report_accesses(ep);
	was_revoked = ep->revoked;
	if (ep->pending || (!was_revoked && !flag_is_set(&ep->state.mapped)))
		return 0;
	usable = is_usable(ep, &space_was, &err);
	if (!was_revoked && (!usable || !space_was)) {
		if (usable)
			cxlvm_error_set(&err, -ENXIO, "%s: Memory Space of the real device was off",
					ep->name);
		else if (!err.code)
			endpoint_unusable(ep, -ENXIO, "the device took its memory away", &err);
		ep->revoked = true;
		take_away(ep, &err);
	}
	/* What was taken away is back: the registers have kept their values. */
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	if (usable && ep->revoked && !endpoint_program(ep, CXLVM_RESET_NONE, &err))
		report_success(ep);
	return !was_revoked && (!usable || !space_was);
}

int cxlvm_endpoint_memory_error(struct cxlvm_endpoint *ep, const void *address,
				struct cxlvm_gpa *guest)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	const struct cxlvm_memory_area *area = endpoint_map_area(ep, address);

	if (!area)
		return 0;
	if (guest)
		guest->value = area->guest.value + ((uintptr_t)address - (uintptr_t)area->address);
	/* It may have been disabled since: by another vCPU with the same error, by a reset. */
	if (is_dark(ep) || !flag_is_set(&ep->state.mapped))
		return 1;
	if (guest)
		cxlvm_error_set(&err, -EHWPOISON,
				"%s: memory error in the device memory at guest address 0x%" PRIx64,
				ep->name, guest->value);
	else
		cxlvm_error_set(&err, -ENXIO,
				"%s: the device memory cannot be reached: the kernel has taken it "
				"away, and does not say why or where",
				ep->name);
	take_away(ep, &err);
	return 1;
}

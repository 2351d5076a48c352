/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decoder policy guest: the guest programs decoder 0 of the endpoint, and the memory follows (contract
 * 3.3, 9). It is mapped while the host bridge's decoder 0 leads there as well.
 */
#include <errno.h>
#include <inttypes.h>

#include "decoder/decoder.h"
#include "passthrough/endpoint.h"

static int check_registers(const struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	const uint32_t *hdm = ep->state.hdm;

	switch (decoder_check(hdm, true)) {
	case DECODER_FAULT_WAYS:
		return cxlvm_error_set(err, -EINVAL,
				       "%s: decoder 0 interleaves: ways code %u, not 0", ep->name,
				       hdm_get(hdm, 0, 0, HDM_CTL_WAYS));
	case DECODER_FAULT_GRANULARITY:
		return cxlvm_error_set(
			err, -EINVAL, "%s: decoder 0 has the granularity code %u, above %u",
			ep->name, hdm_get(hdm, 0, 0, HDM_CTL_GRANULARITY), HDM_GRANULARITY_MAX);
	case DECODER_FAULT_SKIP:
		return cxlvm_error_set(err, -EINVAL,
				       "%s: decoder 0 skips device memory (0x%08x%08x bytes)",
				       ep->name, hdm_get(hdm, 0, 0, HDM_TARGET_HIGH),
				       hdm_get(hdm, 0, 0, HDM_TARGET_LOW));
	case DECODER_FAULT_RANGE:
		return cxlvm_error_set(err, -ERANGE,
				       "%s: decoder 0 at 0x%" PRIx64 " of size 0x%" PRIx64
				       " wraps around",
				       ep->name, decoder_base(hdm), decoder_size(hdm));
	case DECODER_FAULT_NONE:
		break;
	}
	return 0;
}

/* CHK-5: what the guest wants of the range must be what the window was made for. */
static int check_type(const struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	const struct cxlvm_window *window = window_info(ep->machine, &ep->hold);
	const uint32_t *hdm = ep->state.hdm;
	uint16_t wanted = hdm_get(hdm, 0, 0, HDM_CTL_HOST_ONLY) ? CXLVM_WINDOW_HOST_COHERENT
								: CXLVM_WINDOW_DEVICE_COHERENT;

	if (hdm_get(hdm, 0, 0, HDM_CTL_BI))
		wanted |= CXLVM_WINDOW_BI;
	if ((window->restrictions & wanted) == wanted)
		return 0;
	return cxlvm_error_set(
		err, -EINVAL,
		"%s: decoder 0 (control 0x%08x) needs a window with the restrictions "
		"0x%x, %s has 0x%x",
		ep->name, decoder_control(hdm), wanted, window->name, window->restrictions);
}

/*
 * Another committed device cannot be in the way: the window has one target and one owner, and
 * windows do not overlap.
 */
int endpoint_check_commit(const struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	struct cxlvm_gpa base = { decoder_base(ep->state.hdm) };
	uint64_t size = decoder_size(ep->state.hdm);
	struct window_request request = {
		.owner = ep->name,
		.bridge_uid = ep->bridge_uid,
		.size = size,
		.base = &base,
		.name = ep->window_name,
	};
	int ret = check_registers(ep, err);

	if (!ret)
		ret = check_type(ep, err);
	if (ret || !size)
		return ret;
	if (size > ep->desc.memory_size)
		return cxlvm_error_set(err, -ERANGE,
				       "%s: decoder 0 of size 0x%" PRIx64
				       " is larger than the device memory of 0x%" PRIx64,
				       ep->name, size, ep->desc.memory_size);
	ret = window_check(ep->machine, &request, &ep->hold, err);
	if (!ret)
		ret = endpoint_check_iova(ep, base, size, err);
	return ret;
}

bool endpoint_bridge_agrees(const struct cxlvm_endpoint *ep)
{
	const struct cxlvm_bridge_decoder *bridge = &ep->bridge;

	if (ep->decoder == CXLVM_DECODER_LOCKED)
		return true;
	return bridge->control & reg_mask(&hdm_table.rows[HDM_CTL_COMMITTED]) &&
	       bridge->global_control & reg_mask(&hdm_table.rows[HDM_GLOBAL_ENABLE]) &&
	       bridge->base.value == decoder_base(ep->state.hdm) &&
	       bridge->size == decoder_size(ep->state.hdm) && bridge->port == ep->port;
}

void cxlvm_endpoint_bridge_changed(struct cxlvm_endpoint *ep,
				   const struct cxlvm_bridge_decoder *decoder)
{
	if (ep->decoder == CXLVM_DECODER_LOCKED || ep->plain || is_dark(ep))
		return;
	TRACE(ep, BRIDGE_CHANGED, decoder->base.value, decoder->size, decoder->port,
	      decoder->control, decoder->global_control);
	ep->bridge = *decoder;
	endpoint_map_update(ep, CXLVM_MAP_REGISTERS);
}

static void commit(struct cxlvm_endpoint *ep)
{
	const uint32_t *hdm = ep->state.hdm;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	bool was_revoked = ep->revoked;
	int ret = endpoint_program_commit(ep, &err);

	if (ret) {
		decoder_refuse(ep->state.hdm);
		count(&ep->counters.program_failures);
		endpoint_event(ep, CXLVM_EVENT_WARNING, ret, err.message);
	} else {
		count(&ep->counters.programmed);
		if (was_revoked && flag_is_set(&ep->state.mapped))
			endpoint_event(ep, CXLVM_EVENT_MEMORY_AVAILABLE, 0, "");
	}
	TRACE(ep, GUEST_COMMIT, decoder_base(hdm), decoder_size(hdm), decoder_control(hdm),
	      (uint64_t)-ret);
}

/* The memory goes first, and only then can the guest read that it is gone. */
static void decommit(struct cxlvm_endpoint *ep)
{
	TRACE(ep, GUEST_DECOMMIT, decoder_base(ep->state.hdm), decoder_size(ep->state.hdm));
	endpoint_map_off(ep, CXLVM_MAP_REGISTERS);
	endpoint_dma_withdraw(ep);
	endpoint_map_destroy(ep);
	decoder_decommit(ep->state.hdm);
}

void endpoint_decoder_write(struct cxlvm_endpoint *ep, uint32_t at, uint32_t value)
{
	if (ep->decoder == CXLVM_DECODER_LOCKED)
		return;
	switch (decoder_write(ep->state.hdm, at, value)) {
	case DECODER_COMMIT:
		commit(ep);
		break;
	case DECODER_DECOMMIT:
		decommit(ep);
		break;
	case DECODER_ENABLE:
		endpoint_map_update(ep, CXLVM_MAP_REGISTERS);
		break;
	case DECODER_NOTHING:
		break;
	}
}

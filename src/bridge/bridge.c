/* SPDX-License-Identifier: BSD-3-Clause */
/* The host bridge: a component block whose only content is an HDM decoder capability. */
#include <cxlvm/bridge.h>

#include <errno.h>
#include <stdlib.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "regs/component.h"

#define BRIDGE_HDM 0x100u /* in the CM area */

/* Capability register: one decoder, one target. A target count of 0 breaks Linux. */
#define BRIDGE_HDM_CAPABILITY 0x10u

struct cxlvm_bridge {
	uint32_t cm[CM_DWORDS];
};

static uint32_t *bridge_hdm(struct cxlvm_bridge *bridge)
{
	return &bridge->cm[BRIDGE_HDM / 4];
}

int cxlvm_bridge_create(struct cxlvm_bridge **bridge, struct cxlvm_error *err)
{
	static const struct cm_capability capabilities[] = { { CM_ID_HDM, 1, BRIDGE_HDM } };
	struct cxlvm_bridge *b = calloc(1, sizeof(*b));

	if (!b)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a host bridge");
	cm_array_build(b->cm, capabilities, 1);
	cxlvm_bridge_reset(b);
	*bridge = b;
	return 0;
}

void cxlvm_bridge_destroy(struct cxlvm_bridge *bridge)
{
	free(bridge);
}

void cxlvm_bridge_reset(struct cxlvm_bridge *bridge)
{
	decoder_reset(bridge_hdm(bridge), BRIDGE_HDM_CAPABILITY);
}

int cxlvm_bridge_publish(struct cxlvm_bridge *bridge, const struct cxlvm_bridge_decoder *decoder)
{
	uint32_t control[DECODER_DWORDS] = { 0 };
	struct decoder_setting setting = {
		.base = decoder->base.value,
		.size = decoder->size,
		.targets = decoder->port,
	};

	if (!decoder->size) {
		decoder_decommit(bridge_hdm(bridge), false);
		return 0;
	}
	reg_store(&control[hdm_table.rows[HDM_CTL_HOST_ONLY].offset / 4], decoder->control);
	setting.host_only = hdm_get(control, 0, 0, HDM_CTL_HOST_ONLY);
	return decoder_commit_locked(bridge_hdm(bridge), &setting);
}

void cxlvm_bridge_get(const struct cxlvm_bridge *bridge, struct cxlvm_bridge_decoder *decoder)
{
	const uint32_t *hdm = &bridge->cm[BRIDGE_HDM / 4];

	*decoder = (struct cxlvm_bridge_decoder){
		.base = { decoder_base(hdm) },
		.size = decoder_is_committed(hdm) ? decoder_size(hdm) : 0,
		.port = (uint8_t)hdm_get(hdm, 0, 0, HDM_TARGET_LOW),
		.control = decoder_control(hdm),
		.global_control = decoder_global_control(hdm),
	};
}

uint64_t cxlvm_bridge_read(const struct cxlvm_bridge *bridge, uint64_t offset, unsigned int length)
{
	if (!regs_read_allowed(offset, length, CXLVM_COMPONENT_BLOCK_SIZE))
		return all_ones(length);
	if (offset < CM_OFFSET || offset - CM_OFFSET >= CM_SIZE)
		return 0;
	return regs_read(bridge->cm, (uint32_t)(offset - CM_OFFSET), length);
}

void cxlvm_bridge_write(struct cxlvm_bridge *bridge, uint64_t offset, unsigned int length,
			uint64_t value)
{
	/* The array is read-only, and so is the decoder, committed or not. */
	(void)bridge;
	(void)offset;
	(void)length;
	(void)value;
}

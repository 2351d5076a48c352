/* SPDX-License-Identifier: BSD-3-Clause */
/* The host bridge: a component block whose only content is an HDM decoder capability. */
#include <cxlvm/bridge.h>

#include <errno.h>
#include <stdlib.h>

#include "base/math.h"
#include "base/sized.h"
#include "decoder/decoder.h"
#include "regs/component.h"

#define BRIDGE_HDM 0x100u /* in the CM area */

/* Capability register: one decoder, one target. A target count of 0 breaks Linux. */
#define BRIDGE_HDM_CAPABILITY 0x10u

struct cxlvm_bridge {
	enum cxlvm_decoder_policy decoder;
	void (*changed)(void *host, const struct cxlvm_bridge_decoder *decoder);
	void *host;
	uint32_t cm[CM_DWORDS];
};

static uint32_t *bridge_hdm(struct cxlvm_bridge *bridge)
{
	return &bridge->cm[BRIDGE_HDM / 4];
}

static int take_config(struct cxlvm_bridge *bridge, const struct cxlvm_bridge_config *given,
		       struct cxlvm_error *err)
{
	struct cxlvm_bridge_config config;
	int ret = sized_config_take(&config, sizeof(config),
				    SIZE_WITH(struct cxlvm_bridge_config, decoder), given,
				    "host bridge", err);

	if (ret)
		return ret;
	if (config.decoder != CXLVM_DECODER_LOCKED && config.decoder != CXLVM_DECODER_GUEST)
		return cxlvm_error_set(err, -EINVAL,
				       "host bridge: decoder policy %d is not locked or guest (0 "
				       "or 1)",
				       (int)config.decoder);
	if (config.decoder == CXLVM_DECODER_GUEST && !config.changed)
		return cxlvm_error_set(err, -EINVAL,
				       "host bridge: with decoder policy guest the function that "
				       "hears of changes is missing");
	bridge->decoder = config.decoder;
	bridge->changed = config.changed;
	bridge->host = config.host;
	return 0;
}

int cxlvm_bridge_create(const struct cxlvm_bridge_config *config, struct cxlvm_bridge **bridge,
			struct cxlvm_error *err)
{
	static const struct cm_capability capabilities[] = { { CM_ID_HDM, 1, BRIDGE_HDM } };
	struct cxlvm_bridge *b = calloc(1, sizeof(*b));
	int ret = 0;

	if (!b)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a host bridge");
	if (config)
		ret = take_config(b, config, err);
	if (ret) {
		free(b);
		return ret;
	}
	cm_array_build(b->cm, capabilities, 1);
	decoder_reset(bridge_hdm(b), BRIDGE_HDM_CAPABILITY);
	*bridge = b;
	return 0;
}

void cxlvm_bridge_destroy(struct cxlvm_bridge *bridge)
{
	free(bridge);
}

static void tell_changed(const struct cxlvm_bridge *bridge,
			 const struct cxlvm_bridge_decoder *decoder)
{
	if (bridge->decoder == CXLVM_DECODER_GUEST)
		bridge->changed(bridge->host, decoder);
}

/* The memory behind it goes before the guest can read that the decoder is gone. */
static void tell_gone(const struct cxlvm_bridge *bridge)
{
	static const struct cxlvm_bridge_decoder gone;

	if (decoder_is_committed(&bridge->cm[BRIDGE_HDM / 4]))
		tell_changed(bridge, &gone);
}

static void tell_shown(const struct cxlvm_bridge *bridge)
{
	struct cxlvm_bridge_decoder shown;

	cxlvm_bridge_get(bridge, &shown);
	tell_changed(bridge, &shown);
}

void cxlvm_bridge_reset(struct cxlvm_bridge *bridge)
{
	tell_gone(bridge);
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

	if (bridge->decoder != CXLVM_DECODER_LOCKED)
		return -EPERM;
	if (!decoder->size) {
		decoder_reset(bridge_hdm(bridge), BRIDGE_HDM_CAPABILITY);
		return 0;
	}
	reg_store(&control[HDM_CTL_HOST_ONLY_AT / 4], decoder->control);
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

static void write_dword(struct cxlvm_bridge *bridge, uint32_t at, uint32_t value)
{
	uint32_t *hdm = bridge_hdm(bridge);

	switch (decoder_write(hdm, at, value)) {
	case DECODER_COMMIT:
		if (decoder_check(hdm, false) != DECODER_FAULT_NONE) {
			decoder_refuse(hdm);
			break;
		}
		decoder_commit(hdm);
		tell_shown(bridge);
		break;
	case DECODER_DECOMMIT:
		tell_gone(bridge);
		decoder_decommit(hdm);
		break;
	case DECODER_ENABLE:
		tell_shown(bridge);
		break;
	case DECODER_NOTHING:
		break;
	}
}

void cxlvm_bridge_write(struct cxlvm_bridge *bridge, uint64_t offset, unsigned int length,
			uint64_t value)
{
	/* The rest of the block is read-only, and so is a decoder of the locked policy. */
	if (bridge->decoder == CXLVM_DECODER_LOCKED ||
	    !regs_write_allowed(offset, length, CXLVM_COMPONENT_BLOCK_SIZE))
		return;
	for (unsigned int done = 0; done < length; done += 4) {
		uint64_t at = offset + done - CM_OFFSET - BRIDGE_HDM;

		if (at < 4 * DECODER_DWORDS)
			write_dword(bridge, (uint32_t)at, (uint32_t)(value >> (8 * done)));
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UID       12
#define COMMITTED 0x400u
#define ENABLE    0x2u

void fuzz_check(bool condition, const char *text, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
	abort();
}

size_t fuzz_bytes(struct fuzz_input *input, void *bytes, size_t n)
{
	if (n > input->left)
		n = input->left;
	if (n)
		memcpy(bytes, input->data, n);
	input->data += n;
	input->left -= n;
	return n;
}

uint64_t fuzz_u64(struct fuzz_input *input)
{
	return fuzz_u32(input) | (uint64_t)fuzz_u32(input) << 32;
}

uint32_t fuzz_u32(struct fuzz_input *input)
{
	return fuzz_u16(input) | (uint32_t)fuzz_u16(input) << 16;
}

uint16_t fuzz_u16(struct fuzz_input *input)
{
	uint8_t low = fuzz_u8(input);

	return (uint16_t)(low | fuzz_u8(input) << 8);
}

uint8_t fuzz_u8(struct fuzz_input *input)
{
	uint8_t byte = 0;

	fuzz_bytes(input, &byte, 1);
	return byte;
}

static int may_fail(struct fuzz_host *host)
{
	bool fails = host->fails & 1;

	host->fails >>= 1;
	return fails ? -ENOSPC : 0;
}

static int prepare(void *opaque, const struct cxlvm_memory_area *areas, size_t n,
		   struct cxlvm_error *err)
{
	struct fuzz_host *host = opaque;

	(void)err;
	FUZZ_CHECK(!host->prepared && n && n <= 64);
	if (may_fail(host))
		return -ENOSPC;
	host->prepared = true;
	memcpy(host->areas, areas, n * sizeof(*areas));
	host->n_areas = n;
	return 0;
}

static void same_areas(const struct fuzz_host *host, const struct cxlvm_memory_area *areas,
		       size_t n)
{
	FUZZ_CHECK(host->prepared && n == host->n_areas);
	for (size_t i = 0; i < n; i++) {
		FUZZ_CHECK(areas[i].address == host->areas[i].address);
		FUZZ_CHECK(areas[i].size == host->areas[i].size);
		FUZZ_CHECK(areas[i].guest.value == host->areas[i].guest.value);
	}
}

static void release(void *opaque, const struct cxlvm_memory_area *areas, size_t n)
{
	struct fuzz_host *host = opaque;

	same_areas(host, areas, n);
	FUZZ_CHECK(!host->enabled);
	host->prepared = false;
}

static void enable(void *opaque, const struct cxlvm_memory_area *areas, size_t n)
{
	struct fuzz_host *host = opaque;

	same_areas(host, areas, n);
	FUZZ_CHECK(!host->enabled);
	host->enabled = true;
}

static void disable(void *opaque, const struct cxlvm_memory_area *areas, size_t n)
{
	struct fuzz_host *host = opaque;

	same_areas(host, areas, n);
	FUZZ_CHECK(host->enabled);
	host->enabled = false;
}

static int dma_map(void *opaque, const struct cxlvm_memory_area *areas, size_t n,
		   struct cxlvm_error *err)
{
	struct fuzz_host *host = opaque;

	(void)err;
	same_areas(host, areas, n);
	FUZZ_CHECK(!host->dma_mapped);
	if (may_fail(host))
		return -ENOSPC;
	host->dma_mapped = true;
	return 0;
}

static void dma_unmap(void *opaque, const struct cxlvm_memory_area *areas, size_t n)
{
	struct fuzz_host *host = opaque;

	same_areas(host, areas, n);
	FUZZ_CHECK(host->dma_mapped);
	host->dma_mapped = false;
}

static enum cxlvm_dma_state dma_state(void *opaque)
{
	const struct fuzz_host *host = opaque;

	return host->dma_mapped ? CXLVM_DMA_MAPPED : CXLVM_DMA_NOT_MAPPED;
}

static int bridge_decoder(void *opaque, uint32_t uid, const struct cxlvm_bridge_decoder *decoder)
{
	struct fuzz_host *host = opaque;

	FUZZ_CHECK(uid == UID && host->decoder == CXLVM_DECODER_LOCKED);
	if (decoder->size && may_fail(host))
		return -ENOSPC;
	return cxlvm_bridge_publish(host->bridge, decoder);
}

static int device_reset(void *opaque, enum cxlvm_reset_kind kind)
{
	struct fuzz_host *host = opaque;

	(void)kind;
	return host->reset(host->device);
}

static uint64_t now_ns(void *opaque)
{
	const struct fuzz_host *host = opaque;

	return host->now_ns;
}

static void sleep_ms(void *opaque, unsigned int milliseconds)
{
	struct fuzz_host *host = opaque;

	host->now_ns += (uint64_t)milliseconds * 1000000;
}

static void event(void *opaque, const struct cxlvm_event *event)
{
	(void)opaque;
	FUZZ_CHECK(!strchr(event->text, '\n'));
}

static const struct cxlvm_host_ops host_ops = {
	.size = sizeof(host_ops),
	.prepare = prepare,
	.release = release,
	.enable = enable,
	.disable = disable,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.dma_state = dma_state,
	.bridge_decoder = bridge_decoder,
	.device_reset = device_reset,
	.now_ns = now_ns,
	.sleep_ms = sleep_ms,
	.event = event,
};

static void bridge_changed(void *opaque, const struct cxlvm_bridge_decoder *decoder)
{
	struct fuzz_host *host = opaque;

	host->bridge_decoder = *decoder;
	if (host->endpoint)
		cxlvm_endpoint_bridge_changed(host->endpoint, decoder);
}

/* An error says what and how to go on, each on one line. */
static int judge(int ret, const struct cxlvm_error *err)
{
	FUZZ_CHECK(ret <= 0 && err->code == ret);
	FUZZ_CHECK(!ret || err->message[0]);
	FUZZ_CHECK(!strchr(err->message, '\n') && !strchr(err->hint, '\n'));
	return ret;
}

int fuzz_host_start(struct fuzz_host *host, const struct cxlvm_endpoint_config *settings)
{
	struct cxlvm_machine_config machine = { .size = sizeof(machine),
						.phys_bits = 46,
						.place_from = { 1ull << 32 } };
	struct cxlvm_bridge_config bridge = {
		.size = sizeof(bridge),
		.decoder = host->decoder,
		.changed = host->decoder == CXLVM_DECODER_GUEST ? bridge_changed : NULL,
		.host = host,
	};
	struct cxlvm_endpoint_config config = *settings;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret;

	config.size = sizeof(config);
	config.name = "accel";
	config.bridge_uid = UID;
	config.port = FUZZ_PORT;
	config.decoder = host->decoder;
	FUZZ_CHECK(!cxlvm_machine_create(&machine, &host->machine, &err));
	FUZZ_CHECK(!cxlvm_bridge_create(&bridge, &host->bridge, &err));
	FUZZ_CHECK(!cxlvm_machine_add_bridge(host->machine, "cxl", UID, NULL, &err));
	ret = judge(cxlvm_endpoint_realize(host->machine, &config, host->ops, host->device,
					   &host_ops, host, &host->endpoint, &err),
		    &err);
	if (ret) {
		host->endpoint = NULL;
		return ret;
	}
	ret = judge(cxlvm_machine_freeze(host->machine, &err), &err);
	return ret ? ret : judge(cxlvm_endpoint_machine_done(host->endpoint, &err), &err);
}

int fuzz_host_system_reset(struct fuzz_host *host)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret = cxlvm_endpoint_reset_prepare(host->endpoint, CXLVM_RESET_SYSTEM, &err);

	FUZZ_CHECK(!ret && !host->enabled);
	host->reset(host->device);
	cxlvm_bridge_reset(host->bridge);
	return judge(cxlvm_endpoint_reset_done(host->endpoint, CXLVM_RESET_SYSTEM, 0, &err), &err);
}

void fuzz_host_finish(struct fuzz_host *host)
{
	if (host->endpoint) {
		cxlvm_endpoint_unrealize(host->endpoint);
		FUZZ_CHECK(!host->enabled && !host->dma_mapped);
		cxlvm_endpoint_free(host->endpoint);
	}
	FUZZ_CHECK(!host->prepared);
	cxlvm_bridge_destroy(host->bridge);
	cxlvm_machine_destroy(host->machine);
}

static uint64_t pair(const struct cxlvm_endpoint_state *state, unsigned int index)
{
	return (uint64_t)state->hdm[index + 1] << 32 | state->hdm[index];
}

/* Policy guest: what the guest made of the bridge's decoder. */
static bool bridge_leads_there(const struct fuzz_host *host,
			       const struct cxlvm_endpoint_state *state)
{
	const struct cxlvm_bridge_decoder *bridge = &host->bridge_decoder;

	if (host->decoder == CXLVM_DECODER_LOCKED)
		return true;
	return bridge->size && bridge->control & COMMITTED && bridge->global_control & ENABLE &&
	       bridge->base.value == pair(state, 4) && bridge->size == pair(state, 6) &&
	       bridge->port == FUZZ_PORT;
}

void fuzz_host_check(struct fuzz_host *host)
{
	struct cxlvm_endpoint *endpoint = host->endpoint;
	struct cxlvm_endpoint_state state;
	const struct cxlvm_window *window = cxlvm_machine_window(host->machine, 0);
	uint64_t at, bytes = 0;

	if (cxlvm_endpoint_is_plain(endpoint)) {
		FUZZ_CHECK(!host->prepared && !host->enabled && !host->dma_mapped);
		return;
	}
	cxlvm_endpoint_get_state(endpoint, &state, sizeof(state));
	FUZZ_CHECK(state.mapped == host->enabled);
	FUZZ_CHECK(cxlvm_endpoint_memory_mapped(endpoint) == host->enabled);
	FUZZ_CHECK(cxlvm_endpoint_is_committed(endpoint) == !!(state.hdm[8] & COMMITTED));
	FUZZ_CHECK(host->enabled ==
		   ((state.hdm[8] & COMMITTED) && (state.hdm[1] & ENABLE) &&
		    (state.dvsec_control & 4) && state.usable && bridge_leads_there(host, &state)));
	if (!host->enabled)
		return;
	at = pair(&state, 4);
	FUZZ_CHECK(window && at >= window->base.value &&
		   pair(&state, 6) <= window->size - (at - window->base.value));
	for (size_t i = 0; i < host->n_areas; i++) {
		FUZZ_CHECK(host->areas[i].guest.value == at + bytes);
		FUZZ_CHECK(host->areas[i].offset.value == bytes);
		bytes += host->areas[i].size;
	}
	FUZZ_CHECK(bytes == pair(&state, 6));
}

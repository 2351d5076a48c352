/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Target: what a guest and its host do to an endpoint on a software device: registers and config
 * space of any size at any place, host bridge, resets of every kind in any order, failing host
 * calls. Both policies, every kernel. P3 holds after each step.
 */
#include <string.h>

#include "fuzz.h"

#define STEPS_MAX   64
#define MEMORY_SIZE (512ull << 20)

struct scene {
	struct fuzz_host host;
	struct cxlvm_transport transport;
	struct cxlvm_bar_range span;
	uint64_t hdm;
};

static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
					       CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
					       CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP,
					       CXLVM_RESET_SYSTEM };

/* The capability array's entry for the HDM decoder, as a guest finds it. */
static void find_hdm(struct scene *scene)
{
	struct cxlvm_endpoint *endpoint = scene->host.endpoint;

	cxlvm_endpoint_spans(endpoint, &scene->span, 1);
	for (uint64_t at = scene->span.offset; at < scene->span.offset + scene->span.size;
	     at += 4096) {
		uint64_t header = cxlvm_endpoint_reg_read(endpoint, scene->span.bar, at, 4);

		for (unsigned int i = 1; (header & 0xffff) == 1 && i <= header >> 24; i++) {
			uint64_t entry = cxlvm_endpoint_reg_read(endpoint, scene->span.bar,
								 at + 4 * (uint64_t)i, 4);

			if ((entry & 0xffff) == 5)
				scene->hdm = at + (entry >> 20);
		}
	}
	FUZZ_CHECK(scene->hdm);
}

static void access_register(struct scene *scene, struct fuzz_input *input, bool any, bool write)
{
	uint64_t offset =
		any ? scene->span.offset + fuzz_u16(input) : scene->hdm + (fuzz_u8(input) & 0x3f);
	unsigned int length = any ? 1 + (fuzz_u8(input) & 7) : 4;
	uint64_t value;

	if (write) {
		cxlvm_endpoint_reg_write(scene->host.endpoint, scene->span.bar, offset, length,
					 length > 4 ? fuzz_u64(input) : fuzz_u32(input));
		return;
	}
	value = cxlvm_endpoint_reg_read(scene->host.endpoint, scene->span.bar, offset, length);
	FUZZ_CHECK(length == 8 || value >> (8 * length) == 0);
}

static void put(uint8_t *bytes, uint32_t value)
{
	for (unsigned int i = 0; i < 4; i++, value >>= 8)
		bytes[i] = (uint8_t)value;
}

static uint32_t get(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
	       (uint32_t)bytes[3] << 24;
}

static void config_read(struct scene *scene, struct fuzz_input *input)
{
	uint32_t offset = fuzz_u16(input) & 0xfff;
	unsigned int length = 1u << (fuzz_u8(input) & 3);
	uint8_t bytes[8] = { 0 };
	uint32_t value;

	(void)scene->transport.ops->read(scene->transport.device, CXLVM_REGION_CONFIG, offset,
					 bytes, length);
	value = cxlvm_endpoint_config_read(scene->host.endpoint, offset, length, get(bytes));
	FUZZ_CHECK(length >= 4 || value >> (8 * length) == 0);
}

static void config_write(struct scene *scene, struct fuzz_input *input)
{
	uint32_t offset = fuzz_u16(input) & 0xfff;
	unsigned int length = 1u << (fuzz_u8(input) & 3);
	uint32_t device_value = 0;
	enum cxlvm_reset_kind kind;
	uint8_t bytes[8] = { 0 };

	if (cxlvm_endpoint_config_write_begin(scene->host.endpoint, offset, length, fuzz_u32(input),
					      &device_value, &kind)) {
		put(bytes, device_value);
		(void)scene->transport.ops->write(scene->transport.device, CXLVM_REGION_CONFIG,
						  offset, bytes, length);
	}
	cxlvm_endpoint_config_write_end(scene->host.endpoint);
}

static void bridge_write(struct scene *scene, struct fuzz_input *input)
{
	uint64_t offset = fuzz_u16(input);
	unsigned int length = 1 + (fuzz_u8(input) & 7);

	cxlvm_bridge_write(scene->host.bridge, offset, length,
			   length > 4 ? fuzz_u64(input) : fuzz_u32(input));
}

/* Decoder and bridge as a guest of policy guest would have them, but for what the input changes. */
static void commit(struct scene *scene, struct fuzz_input *input, bool bridge)
{
	struct cxlvm_gpa base = { 0 };
	uint32_t change = fuzz_u8(input);
	uint64_t start, size = 256ull << 20;

	cxlvm_endpoint_window_base(scene->host.endpoint, &base);
	start = base.value + (uint64_t)(change & 3) * size;
	size <<= change >> 2 & 1;
	const uint32_t words[] = {
		(uint32_t)start,        (uint32_t)(start >> 32),        (uint32_t)size,
		(uint32_t)(size >> 32), 0x200u | (change & 0xf0u) << 4, bridge ? FUZZ_PORT : 0
	};
	static const unsigned int order[] = { 0, 1, 2, 3, 5, 4 };

	for (unsigned int i = 0; i < 6; i++) {
		uint64_t offset = 0x10 + 4 * (uint64_t)order[i];

		if (bridge)
			/* the library's bridge has its decoder where its own array says */
			cxlvm_bridge_write(scene->host.bridge, 0x1100 + offset, 4, words[order[i]]);
		else
			cxlvm_endpoint_reg_write(scene->host.endpoint, scene->span.bar,
						 scene->hdm + offset, 4, words[order[i]]);
	}
}

static void reset(struct scene *scene, struct fuzz_input *input)
{
	unsigned int choice = fuzz_u8(input);
	enum cxlvm_reset_kind kind = kinds[(choice & 7) % 7];
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	static const int results[] = { 0, 0, CXLVM_RESET_RESULT_UNKNOWN, -5 };

	if (choice & 8)
		(void)cxlvm_endpoint_reset_prepare(scene->host.endpoint, kind, NULL);
	if (choice & 16)
		scene->host.reset(scene->host.device);
	/* with the whole machine a bridge is always reset: the host owes that */
	if (choice & 32 || kind >= CXLVM_RESET_WAKEUP)
		cxlvm_bridge_reset(scene->host.bridge);
	if (choice & 64)
		(void)cxlvm_endpoint_reset_done(scene->host.endpoint, kind, results[choice >> 7],
						&err);
}

static void step(struct scene *scene, struct fuzz_input *input)
{
	switch (fuzz_u8(input) % 12) {
	case 0:
	case 1:
		access_register(scene, input, false, true);
		break;
	case 2:
		access_register(scene, input, true, true);
		break;
	case 3:
		access_register(scene, input, true, false);
		break;
	case 4:
		config_write(scene, input);
		break;
	case 5:
		config_read(scene, input);
		break;
	case 6:
		bridge_write(scene, input);
		break;
	case 7:
		commit(scene, input, false);
		break;
	case 8:
		commit(scene, input, true);
		break;
	case 9:
		reset(scene, input);
		break;
	case 10:
		scene->host.fails = fuzz_u8(input);
		break;
	default:
		FUZZ_CHECK(cxlvm_endpoint_recheck(scene->host.endpoint) >= 0);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int generations[] = { 2, CXLVM_SIM_GENERATION_2N, 3, 4, 5, 6 };
	struct fuzz_input input = { data, size };
	unsigned int choice = fuzz_u8(&input);
	struct cxlvm_sim_config sim = {
		.size = sizeof(sim),
		.memory_size = MEMORY_SIZE,
		.generation = generations[choice % 6],
	};
	struct cxlvm_endpoint_config config = { .page_size = choice & 64 ? 65536 : 4096 };
	struct scene scene = { 0 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	sim.page_size = config.page_size;
	FUZZ_CHECK(!cxlvm_sim_open(&sim, &scene.transport, &err));
	scene.host.ops = scene.transport.ops;
	scene.host.device = scene.transport.device;
	scene.host.reset = scene.transport.transport->reset;
	scene.host.decoder = choice & 128 ? CXLVM_DECODER_GUEST : CXLVM_DECODER_LOCKED;
	FUZZ_CHECK(!fuzz_host_start(&scene.host, &config));
	FUZZ_CHECK(!fuzz_host_system_reset(&scene.host));
	fuzz_host_check(&scene.host);
	find_hdm(&scene);
	for (unsigned int i = 0; i < STEPS_MAX && input.left; i++) {
		step(&scene, &input);
		fuzz_host_check(&scene.host);
	}
	/* whatever it was: with nothing failing, the next system reset brings everything back */
	scene.host.fails = 0;
	FUZZ_CHECK(!fuzz_host_system_reset(&scene.host));
	FUZZ_CHECK(scene.host.enabled == (scene.host.decoder == CXLVM_DECODER_LOCKED));
	fuzz_host_check(&scene.host);
	fuzz_host_finish(&scene.host);
	scene.transport.transport->close(scene.transport.device);
	return 0;
}

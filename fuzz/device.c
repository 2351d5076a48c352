/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Target: a device, or a server in front of one, that lies: the answers of every kernel's interface
 * with bytes changed anywhere, before the endpoint is realized and while it runs. Whatever it says,
 * nothing but an error comes of it, and P3 holds.
 */
#include <string.h>

#include "fake.h"
#include "fuzz.h"

/* Overwrite what a patch of the input names: an answer, config space, or registers. */
static void patch(struct fake *fake, struct fuzz_input *input)
{
	unsigned int where = fuzz_u8(input), offset = fuzz_u16(input),
		     n = 1 + (fuzz_u8(input) & 15);
	struct fake_answer *answer = &fake->info;
	uint8_t bytes[16] = { 0 };

	fuzz_bytes(input, bytes, n);
	switch (where % 24) {
	case 20:
		memcpy(fake->config + offset % (sizeof(fake->config) - 16), bytes, n);
		return;
	case 21:
		memcpy(fake->block + offset % (sizeof(fake->block) - 16), bytes, n);
		return;
	case 22:
		memcpy(fake->shadow + offset % (sizeof(fake->shadow) - 16), bytes, n);
		return;
	case 23:
		fake->usable = bytes[0] & 1;
		fake->drops_writes = bytes[0] & 2;
		fake->loses_decoder = bytes[0] & 4;
		fake->keeps_base = bytes[0] & 8;
		fake->needed_grows = bytes[0] & 16;
		fake->cxl_reset_fails = bytes[0] & 32;
		return;
	default:
		break;
	}
	if (where % 24 < FAKE_REGIONS_MAX)
		answer = &fake->regions[where % 24];
	switch (offset >> 14) {
	case 0:
		answer->needed = fuzz_u16(input);
		break;
	case 1:
		answer->len = fuzz_u16(input) % (sizeof(answer->bytes) + 1);
		break;
	default:
		memcpy(answer->bytes + offset % (sizeof(answer->bytes) - 16), bytes, n);
		break;
	}
}

static int reset_fake(void *device)
{
	return fake_reset(device);
}

/* What a guest reads and writes: everything that is trapped, and some of config space. */
static void run_guest(struct fuzz_host *host, struct fuzz_input *input)
{
	struct cxlvm_bar_range spans[8];
	size_t n = cxlvm_endpoint_spans(host->endpoint, spans, 8);

	for (size_t i = 0; i < n && i < 8; i++)
		for (uint64_t at = 0; at < spans[i].size && at < 0x400; at += 8) {
			cxlvm_endpoint_reg_read(host->endpoint, spans[i].bar, spans[i].offset + at,
						8);
			cxlvm_endpoint_reg_write(host->endpoint, spans[i].bar, spans[i].offset + at,
						 4, fuzz_u8(input));
		}
	for (uint32_t at = 0; at < 0x200; at += 4)
		cxlvm_endpoint_config_read(host->endpoint, at, 4, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int kernels[] = { 2, FAKE_2N, 3, 4, 5, 6 };
	struct fuzz_input input = { data, size };
	unsigned int choice = fuzz_u8(&input);
	struct fake *fake = fake_open(kernels[choice % 6]);
	struct cxlvm_endpoint_config config = {
		.page_size = choice & 32 ? 65536 : 4096,
		.mode = choice & 64 ? CXLVM_CXL_ON : CXLVM_CXL_AUTO,
		.allow_slow = choice & 16,
	};
	struct fuzz_host host = {
		.ops = &fake->ops,
		.device = fake,
		.reset = reset_fake,
		.decoder = choice & 128 ? CXLVM_DECODER_GUEST : CXLVM_DECODER_LOCKED,
	};

	for (unsigned int n = fuzz_u8(&input) & 7; n; n--)
		patch(fake, &input);
	if (!fuzz_host_start(&host, &config)) {
		fuzz_host_check(&host);
		for (unsigned int rounds = 0; rounds < 4; rounds++) {
			(void)fuzz_host_system_reset(&host);
			fuzz_host_check(&host);
			run_guest(&host, &input);
			fuzz_host_check(&host);
			(void)cxlvm_endpoint_recheck(host.endpoint);
			fuzz_host_check(&host);
			if (!input.left)
				break;
			patch(fake, &input);
		}
	}
	fuzz_host_finish(&host);
	FUZZ_CHECK(!fake->n_live);
	fake_close(fake);
	return 0;
}

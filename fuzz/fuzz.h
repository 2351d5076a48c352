/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h - what the fuzz targets share: the input as a stream of numbers, and a host that maps
 * nothing and checks what must hold between any two verbs (P3)
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <cxlvm/cxlvm.h>

/* A target: libFuzzer calls it with one input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process: libFuzzer keeps the input. */
#define FUZZ_CHECK(condition) fuzz_check(condition, #condition, __FILE__, __LINE__)
void fuzz_check(bool condition, const char *text, const char *file, int line);

/* Numbers from the input, little endian; zeros after its end. */
struct fuzz_input {
	const uint8_t *data;
	size_t left;
};

uint8_t fuzz_u8(struct fuzz_input *input);
uint16_t fuzz_u16(struct fuzz_input *input);
uint32_t fuzz_u32(struct fuzz_input *input);
uint64_t fuzz_u64(struct fuzz_input *input);
/* At most n bytes; how many there were. */
size_t fuzz_bytes(struct fuzz_input *input, void *bytes, size_t n);

/* One machine with one window and one endpoint on any device. */
struct fuzz_host {
	struct cxlvm_machine *machine;
	struct cxlvm_bridge *bridge;
	struct cxlvm_endpoint *endpoint;
	const struct cxlvm_device_ops *ops;
	void *device;
	int (*reset)(void *device);
	enum cxlvm_decoder_policy decoder;
	struct cxlvm_bridge_decoder bridge_decoder; /* policy guest: what the bridge decodes */
	uint64_t now_ns;
	bool prepared, enabled, dma_mapped;
	size_t n_areas;
	struct cxlvm_memory_area areas[64];
	uint64_t fails; /* bit n: the n-th call from now on that can fail does */
};

#define FUZZ_PORT 3

/*
 * Machine, bridge, realize, freeze, machine done. The first error ends it, with what was made still
 * to be finished.
 */
int fuzz_host_start(struct fuzz_host *host, const struct cxlvm_endpoint_config *settings);
void fuzz_host_finish(struct fuzz_host *host);

/* One system reset: prepare, device and bridge, done. */
int fuzz_host_system_reset(struct fuzz_host *host);

/* P3, and that host and library agree. */
void fuzz_host_check(struct fuzz_host *host);

#endif

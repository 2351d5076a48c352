/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations of a host that keeps memory from everybody: nothing is mapped for the CPU. */
#ifndef BENCH_HOST_H
#define BENCH_HOST_H

#include <cxlvm/host.h>

int host_prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
		 struct cxlvm_error *err);
/* release, enable and disable */
void host_nothing(void *host, const struct cxlvm_memory_area *areas, size_t n);
int host_bridge_decoder(void *host, uint32_t uid, const struct cxlvm_bridge_decoder *decoder);
uint64_t host_now_ns(void *host);

/* Their rows of a table. */
#define HOST_MAPS_NOTHING                                                         \
	.prepare = host_prepare, .release = host_nothing, .enable = host_nothing, \
	.disable = host_nothing, .bridge_decoder = host_bridge_decoder, .now_ns = host_now_ns

#endif

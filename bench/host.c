/* SPDX-License-Identifier: BSD-3-Clause */
#include "host.h"

#include "bench.h"

int host_prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
		 struct cxlvm_error *err)
{
	(void)host;
	(void)areas;
	(void)n;
	(void)err;
	return 0;
}

void host_nothing(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	(void)host;
	(void)areas;
	(void)n;
}

int host_bridge_decoder(void *host, uint32_t uid, const struct cxlvm_bridge_decoder *decoder)
{
	(void)host;
	(void)uid;
	(void)decoder;
	return 0;
}

uint64_t host_now_ns(void *host)
{
	(void)host;
	return bench_now();
}

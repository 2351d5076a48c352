// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Loads from device memory beside loads from guest RAM: passes in turn, so that what disturbs the
 * machine disturbs both, and the quickest pass of each.
 */
#include <linux/cleanup.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "bandwidth.h"

#define PASSES 7

DEFINE_FREE(vfree_u64, u64 *, vfree(_T))

/* Nanoseconds for all words. */
static u64 t2_load_all(const u64 *memory)
{
	u64 begin = ktime_get_ns(), sum = 0, i;

	for (i = 0; i < T2_BANDWIDTH_BYTES / sizeof(u64); i++)
		sum += READ_ONCE(memory[i]);
	OPTIMIZER_HIDE_VAR(sum);
	return ktime_get_ns() - begin;
}

int t2_bandwidth_show(struct seq_file *file, const u64 *memory)
{
	u64 *ram __free(vfree_u64) = vmalloc(T2_BANDWIDTH_BYTES);
	u64 device_ns = U64_MAX, ram_ns = U64_MAX;
	int i;

	if (!ram)
		return -ENOMEM;
	/* Pages that were only read may all be the same one. */
	memset(ram, 0x5a, T2_BANDWIDTH_BYTES);
	for (i = 0; i < PASSES; i++) {
		device_ns = min(device_ns, t2_load_all(memory));
		ram_ns = min(ram_ns, t2_load_all(ram));
		cond_resched();
		if (signal_pending(current))
			return -EINTR;
	}
	seq_printf(file, "bytes %u device_ns %llu ram_ns %llu\n", T2_BANDWIDTH_BYTES, device_ns,
		   ram_ns);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.h - the monitor as a host of libcxlvm (cxlvm/host.h)
 *
 * Three tables that differ only in how device memory gets to the guest: as KVM memory slots, for
 * a device of this machine's kernel also into its own I/O address space, or, for plan, not at all.
 * The host pointer of all is the struct device.
 */
#ifndef MONITOR_HOST_H
#define MONITOR_HOST_H

#include <cxlvm/host.h>

#include "device.h"

extern const struct cxlvm_host_ops host_kvm_ops;
/* The same, with a device's own memory in its I/O address space. */
extern const struct cxlvm_host_ops host_kvm_dma_ops;
extern const struct cxlvm_host_ops host_plan_ops;

const struct cxlvm_host_ops *host_ops_for(const struct device *device);

/* What all share. */
int host_bridge_decoder(void *host, uint32_t bridge_uid,
			const struct cxlvm_bridge_decoder *decoder);
enum cxlvm_dma_state host_dma_state(void *host);
int host_device_reset(void *host, enum cxlvm_reset_kind kind);
uint64_t host_now_ns(void *host);
void host_sleep_ms(void *host, unsigned int milliseconds);
void host_event(void *host, const struct cxlvm_event *event);
void host_trace(void *host, const struct cxlvm_trace *trace);
/*
 * An event of the device, for the log and who listens. A guest can make them as fast as it resets its
 * device, so that the rate of each kind is bounded (P8), and none hides another. The device's lock is held.
 */
void host_tell(struct device *device, enum device_event kind, int code, const char *text);

/* Their rows of the tables. */
#define HOST_OPS_SHARED                                                                      \
	.dma_state = host_dma_state, .bridge_decoder = host_bridge_decoder,                  \
	.device_reset = host_device_reset, .now_ns = host_now_ns, .sleep_ms = host_sleep_ms, \
	.event = host_event, .trace = host_trace

#endif

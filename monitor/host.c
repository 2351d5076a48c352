/* SPDX-License-Identifier: BSD-3-Clause */
/* host.c - what all hosts share */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "device.h"
#include "host.h"
#include "vm.h"

int host_bridge_decoder(void *host, uint32_t bridge_uid, const struct cxlvm_bridge_decoder *decoder)
{
	struct device *device = host;

	if (device->bridge->uid != bridge_uid)
		return -ENOENT;
#ifdef CXLVM_TEST_SWITCHES
	if (device->vm->config->break_hb_decoder)
		return 0;
#endif
	return cxlvm_bridge_publish(device->bridge->cxl, decoder);
}

/*
 * Software devices reach their own memory themselves: no I/O address space is between them, so there
 * is nothing to map (DMA-1, DMA-2), and neither has a plan. The RAM of the guest is mapped
 * by device.c, before the first memory slot and until after the last (DMA-5).
 */
enum cxlvm_dma_state host_dma_state(void *host)
{
	const struct device *device = host;

	if (device->vm->config->plan || !device->transport.transport->memory_map)
		return CXLVM_DMA_MAPPED;
	return device->dma_mapped ? CXLVM_DMA_MAPPED : CXLVM_DMA_NOT_MAPPED;
}

int host_device_reset(void *host, enum cxlvm_reset_kind kind)
{
	(void)kind;
	return device_reset_real(host);
}

uint64_t host_now_ns(void *host)
{
	struct timespec now;

	(void)host;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void host_sleep_ms(void *host, unsigned int milliseconds)
{
	struct timespec left = {
		.tv_sec = milliseconds / 1000,
		.tv_nsec = (long)(milliseconds % 1000) * 1000000,
	};

	(void)host;
	while (nanosleep(&left, &left) && errno == EINTR)
		;
}

static const char *const event_names[DEVICE_EVENTS] = {
	[CXLVM_EVENT_MEMORY_AVAILABLE] = "memory-available",
	[CXLVM_EVENT_MEMORY_UNAVAILABLE] = "memory-unavailable",
	[CXLVM_EVENT_RESET_FAILED] = "reset-failed",
	[CXLVM_EVENT_CONTENT_LOST] = "content-lost",
	[CXLVM_EVENT_WARNING] = "warning",
	[DEVICE_EVENT_ERROR] = "device-error",
	[DEVICE_EVENT_REQUESTED] = "device-requested",
	[DEVICE_EVENT_UNKNOWN] = "unknown",
};

/* So many of a kind at once, then one per second, and how many were left out. */
#define EVENTS_BURST 10

static bool may_tell(struct event_limit *limit, uint64_t now)
{
	uint64_t earned = (now - limit->ns) / 1000000000u;

	if (!limit->ns || earned) {
		limit->credit += earned;
		if (!limit->ns || limit->credit > EVENTS_BURST)
			limit->credit = EVENTS_BURST;
		limit->ns = now;
	}
	if (!limit->credit) {
		limit->left_out++;
		return false;
	}
	limit->credit--;
	return true;
}

void host_tell(struct device *device, enum device_event kind, int code, const char *text)
{
	struct event_limit *limit = &device->event_limits[kind];
	struct events *events = &device->vm->events;
	char left_out[64];

	if (!may_tell(limit, host_now_ns(device)))
		return;
	if (limit->left_out) {
		snprintf(left_out, sizeof(left_out), "%" PRIu64 " events %s left out",
			 limit->left_out, event_names[kind]);
		events_add(events, "warning", device->name, 0, left_out);
	}
	limit->left_out = 0;
	events_add(events, event_names[kind], device->name, code, text);
}

void host_event(void *host, const struct cxlvm_event *event)
{
	/* A later library may have kinds that are not known here. */
	unsigned int kind = event->kind;

	if (kind >= DEVICE_EVENT_ERROR)
		kind = DEVICE_EVENT_UNKNOWN;

	host_tell(host, (enum device_event)kind, event->code, event->text ? event->text : "");
}

void host_trace(void *host, const struct cxlvm_trace *trace)
{
	char line[512];
	int n;

	(void)host;
	n = snprintf(line, sizeof(line), "trace: %s device=%s", cxlvm_trace_name(trace->id),
		     trace->device);
	for (unsigned int i = 0; i < trace->n_args && n > 0 && (size_t)n < sizeof(line); i++) {
		const char *name = cxlvm_trace_arg_name(trace->id, i);

		n += snprintf(line + n, sizeof(line) - (size_t)n, " %s=0x%" PRIx64,
			      name ? name : "?", trace->args[i]);
	}
	fprintf(stderr, "%s\n", line);
}

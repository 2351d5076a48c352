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

/* So many lines at once, then one per second, and how many were left out. */
#define EVENTS_BURST 10

bool host_may_tell(struct device *device)
{
	uint64_t now = host_now_ns(device), earned;
	char text[64];

	earned = (now - device->event_ns) / 1000000000u;
	if (!device->event_ns || earned) {
		device->event_credit += earned;
		if (!device->event_ns || device->event_credit > EVENTS_BURST)
			device->event_credit = EVENTS_BURST;
		device->event_ns = now;
	}
	if (!device->event_credit) {
		device->events_left_out++;
		return false;
	}
	device->event_credit--;
	if (device->events_left_out) {
		snprintf(text, sizeof(text), "%" PRIu64 " events left out",
			 device->events_left_out);
		events_add(&device->vm->events, "warning", device->name, 0, text);
	}
	device->events_left_out = 0;
	return true;
}

void host_event(void *host, const struct cxlvm_event *event)
{
	static const char *const names[] = {
		[CXLVM_EVENT_MEMORY_AVAILABLE] = "memory-available",
		[CXLVM_EVENT_MEMORY_UNAVAILABLE] = "memory-unavailable",
		[CXLVM_EVENT_RESET_FAILED] = "reset-failed",
		[CXLVM_EVENT_CONTENT_LOST] = "content-lost",
		[CXLVM_EVENT_WARNING] = "warning",
	};
	const char *name = (size_t)event->kind < ARRAY_SIZE(names) ? names[event->kind] : NULL;
	struct device *device = host;

	if (host_may_tell(device))
		events_add(&device->vm->events, name ? name : "unknown", event->device, event->code,
			   event->text ? event->text : "");
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

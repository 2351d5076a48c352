/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an endpoint tells its host: what is common to errors of verbs, events, at a bounded rate
 * where a guest can cause them, and traces.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "passthrough/endpoint.h"

#define SECOND_NS 1000000000u

/* So many at once, then one a second (P8). */
static bool may_warn(struct cxlvm_endpoint *ep)
{
	uint64_t now = ep->host_ops.now_ns(ep->host);
	uint64_t earned = (now - ep->warned_ns) / SECOND_NS;

	if (!ep->warned || earned >= CXLVM_WARNINGS_BURST) {
		ep->warnings = 0;
		ep->warned_ns = now;
	} else if (earned) {
		ep->warnings -= earned < ep->warnings ? (unsigned int)earned : ep->warnings;
		ep->warned_ns += earned * SECOND_NS;
	}
	ep->warned = true;
	if (ep->warnings == CXLVM_WARNINGS_BURST) {
		count(&ep->counters.warnings_left_out);
		return false;
	}
	ep->warnings++;
	return true;
}

void endpoint_complete_error(const struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	char message[CXLVM_ERROR_MESSAGE_MAX];
	size_t n = strlen(ep->name);

	if (!err)
		return;
	cxlvm_error_hint(err, "see the messages of the host's kernel (dmesg) about the device");
	if (!strncmp(err->message, ep->name, n) && err->message[n] == ':')
		return;
	memcpy(message, err->message, sizeof(message));
	snprintf(err->message, sizeof(err->message), "%.63s: %.*s", ep->name,
		 (int)(sizeof(err->message) - n - 3), message);
}

void endpoint_event(struct cxlvm_endpoint *ep, enum cxlvm_event_kind kind, int code,
		    const char *text)
{
	struct cxlvm_event event = {
		.kind = kind,
		.device = ep->name,
		.code = code,
		.text = text,
	};

	if (ep->host_ops.event && (kind != CXLVM_EVENT_WARNING || may_warn(ep)))
		ep->host_ops.event(ep->host, &event);
}

void endpoint_report_accesses(struct cxlvm_endpoint *ep)
{
	uint64_t bad = __atomic_load_n(&ep->counters.bad_accesses, __ATOMIC_RELAXED);
	uint64_t refused = __atomic_load_n(&ep->counters.device_errors, __ATOMIC_RELAXED);
	char text[128];
	uint64_t now;

	if (bad == ep->reported_bad && refused == ep->reported_refused)
		return;
	now = ep->host_ops.now_ns(ep->host);
	if ((ep->reported_bad || ep->reported_refused) && now - ep->reported_ns < SECOND_NS)
		return;
	snprintf(text, sizeof(text),
		 "guest accesses to component registers: %" PRIu64 " not allowed, %" PRIu64
		 " refused by the device",
		 bad - ep->reported_bad, refused - ep->reported_refused);
	ep->reported_bad = bad;
	ep->reported_refused = refused;
	ep->reported_ns = now;
	endpoint_event(ep, CXLVM_EVENT_WARNING, 0, text);
}

void endpoint_trace(struct cxlvm_endpoint *ep, enum cxlvm_trace_id id, const uint64_t *args,
		    unsigned int n_args)
{
	struct cxlvm_trace trace = { .id = id, .device = ep->name, .n_args = n_args };

	for (unsigned int i = 0; i < n_args && i < CXLVM_TRACE_ARGS_MAX; i++)
		trace.args[i] = args[i];
	trace_probe(id, ep->name, trace.args);
	if (ep->host_ops.trace && trace_is_on(&ep->machine->trace, id))
		ep->host_ops.trace(ep->host, &trace);
}

int endpoint_unusable(struct cxlvm_endpoint *ep, int code, const char *what,
		      struct cxlvm_error *err)
{
	struct cxlvm_error why = CXLVM_ERROR_INIT;

	if (ep->ops.why_unusable)
		ep->ops.why_unusable(ep->device, &why);
	if (!why.code)
		return cxlvm_error_set(err, code, "%s: %s: %s", ep->name, what, strerror(-code));
	cxlvm_error_set(err, why.code, "%s: %s: %s", ep->name, what, why.message);
	if (why.hint[0])
		cxlvm_error_hint(err, "%s", why.hint);
	return why.code;
}

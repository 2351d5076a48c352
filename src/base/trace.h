/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trace points inside the library. The switch is a word of bits in the machine, read relaxed: off
 * costs a load and an untaken branch; the arguments are evaluated only when on. Each trace point
 * is a USDT probe as well, where the library is built with probes: that one is on while a tracer
 * is attached to it, whatever the switch says.
 */
#ifndef CXLVM_BASE_TRACE_H
#define CXLVM_BASE_TRACE_H

#include <cxlvm/host.h>

_Static_assert(CXLVM_TRACE_COUNT <= 64, "the trace switch is one word");

struct trace_switch {
	uint64_t on; /* bit n: trace id n */
};

static inline bool trace_is_on(const struct trace_switch *trace, enum cxlvm_trace_id id)
{
	return __builtin_expect(
		(int)(__atomic_load_n(&trace->on, __ATOMIC_RELAXED) >> (unsigned int)id & 1), 0);
}

/* Switch by shell pattern; how many names matched. */
unsigned int trace_switch_set(struct trace_switch *trace, const char *pattern, bool on);

#ifdef CXLVM_PROBES
/* Is a tracer attached to the probe of this trace point? */
bool trace_is_probed(enum cxlvm_trace_id id);

/* Pass it, with CXLVM_TRACE_ARGS_MAX arguments. */
void trace_probe(enum cxlvm_trace_id id, const char *device, const uint64_t *args);
#else
static inline bool trace_is_probed(enum cxlvm_trace_id id)
{
	(void)id;
	return false;
}

static inline void trace_probe(enum cxlvm_trace_id id, const char *device, const uint64_t *args)
{
	(void)id;
	(void)device;
	(void)args;
}
#endif

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trace points inside the library. The switch is a word of bits in the machine, read relaxed: off
 * costs a load and an untaken branch; the arguments are evaluated only when on.
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

#endif

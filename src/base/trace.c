/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/trace.h"

#include <fnmatch.h>

/* clang-format off */
static const struct {
	const char *name;
	const char *args[CXLVM_TRACE_ARGS_MAX];
} trace_points[CXLVM_TRACE_COUNT] = {
#define TRACE_POINT(id, name, ...) [CXLVM_TRACE_##id] = { #name, { __VA_ARGS__ } },
	CXLVM_TRACE_LIST(TRACE_POINT)
#undef TRACE_POINT
};
/* clang-format on */

const char *cxlvm_trace_name(enum cxlvm_trace_id id)
{
	return (unsigned int)id < CXLVM_TRACE_COUNT ? trace_points[id].name : "?";
}

const char *cxlvm_trace_arg_name(enum cxlvm_trace_id id, unsigned int n)
{
	if ((unsigned int)id >= CXLVM_TRACE_COUNT || n >= CXLVM_TRACE_ARGS_MAX)
		return NULL;
	return trace_points[id].args[n];
}

unsigned int trace_switch_set(struct trace_switch *trace, const char *pattern, bool on)
{
	unsigned int matched = 0;

	for (unsigned int id = 0; id < CXLVM_TRACE_COUNT; id++) {
		if (fnmatch(pattern, trace_points[id].name, 0))
			continue;
		matched++;
		if (on)
			__atomic_fetch_or(&trace->on, (uint64_t)1 << id, __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&trace->on, ~((uint64_t)1 << id), __ATOMIC_RELAXED);
	}
	return matched;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A USDT probe cxlvm:NAME for each trace point: notes in the ELF file and one instruction that does
 * nothing. A tracer that attaches raises the probe's semaphore; until then no argument is
 * evaluated.
 */
#include "base/trace.h"

/* NOLINTNEXTLINE(bugprone-reserved-identifier): sys/sdt.h looks for it by this name */
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

/* clang-format off */
#define SEMAPHORE(id, name, ...)                                  \
	extern volatile unsigned short cxlvm_##name##_semaphore;  \
	__attribute__((section(".probes"), visibility("hidden"))) \
	volatile unsigned short cxlvm_##name##_semaphore;
CXLVM_TRACE_LIST(SEMAPHORE)
#undef SEMAPHORE

static const volatile unsigned short *const semaphores[CXLVM_TRACE_COUNT] = {
#define SEMAPHORE(id, name, ...) [CXLVM_TRACE_##id] = &cxlvm_##name##_semaphore,
	CXLVM_TRACE_LIST(SEMAPHORE)
#undef SEMAPHORE
};
/* clang-format on */

bool trace_is_probed(enum cxlvm_trace_id id)
{
	return __builtin_expect(*semaphores[id], 0);
}

_Static_assert(CXLVM_TRACE_ARGS_MAX == 5, "as many as a probe takes, the device first");

void trace_probe(enum cxlvm_trace_id id, const char *device, const uint64_t *args)
{
	switch (id) {
#define PROBE(id, name, ...)                                                                   \
	case CXLVM_TRACE_##id:                                                                 \
		STAP_PROBE6(cxlvm, name, device, args[0], args[1], args[2], args[3], args[4]); \
		break;
		CXLVM_TRACE_LIST(PROBE)
#undef PROBE
	case CXLVM_TRACE_COUNT:
		break;
	}
}

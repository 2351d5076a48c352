/* SPDX-License-Identifier: BSD-3-Clause */
/* Getters of an endpoint. */
#include "base/sized.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"

_Static_assert(sizeof(((struct cxlvm_endpoint_state *)0)->hdm) == 4 * DECODER_DWORDS,
	       "the public state holds the decoder");

const char *cxlvm_endpoint_name(const struct cxlvm_endpoint *ep)
{
	return ep->name;
}

bool cxlvm_endpoint_is_plain(const struct cxlvm_endpoint *ep)
{
	return ep->plain;
}

unsigned int cxlvm_endpoint_generation(const struct cxlvm_endpoint *ep)
{
	return ep->desc.generation;
}

bool cxlvm_endpoint_firmware_committed(const struct cxlvm_endpoint *ep)
{
	return ep->desc.firmware_committed;
}

uint64_t cxlvm_endpoint_memory_size(const struct cxlvm_endpoint *ep)
{
	return ep->desc.memory_size;
}

bool cxlvm_endpoint_is_committed(const struct cxlvm_endpoint *ep)
{
	return decoder_is_committed(ep->state.hdm);
}

bool cxlvm_endpoint_memory_mapped(const struct cxlvm_endpoint *ep)
{
	return flag_is_set(&ep->state.mapped);
}

bool cxlvm_endpoint_window_base(const struct cxlvm_endpoint *ep, struct cxlvm_gpa *base)
{
	/* 0 is no base: windows at 0 are refused (WIN-5). */
	uint64_t value = __atomic_load_n(&ep->base, __ATOMIC_ACQUIRE);

	if (value)
		base->value = value;
	return value;
}

uint16_t cxlvm_endpoint_restrictions(const struct cxlvm_endpoint *ep)
{
	/* HDM-D only: anything else is refused in realize (CHK-5). */
	if (ep->plain)
		return 0;
	return ep->decoder == CXLVM_DECODER_GUEST ? CXLVM_WINDOW_TYPE2_GUEST : CXLVM_WINDOW_TYPE2;
}

const char *cxlvm_endpoint_unusable_reason(const struct cxlvm_endpoint *ep)
{
	return ep->unusable;
}

void cxlvm_endpoint_get_state(const struct cxlvm_endpoint *ep, struct cxlvm_endpoint_state *state,
			      size_t size)
{
	sized_give(state, size, &ep->state, sizeof(ep->state));
}

void cxlvm_endpoint_get_counters(const struct cxlvm_endpoint *ep,
				 struct cxlvm_endpoint_counters *counters, size_t size)
{
	const struct cxlvm_endpoint_counters *c = &ep->counters;
	struct cxlvm_endpoint_counters copy = {
		.writes = __atomic_load_n(&c->writes, __ATOMIC_RELAXED),
		.bad_accesses = __atomic_load_n(&c->bad_accesses, __ATOMIC_RELAXED),
		.device_errors = __atomic_load_n(&c->device_errors, __ATOMIC_RELAXED),
		.programmed = __atomic_load_n(&c->programmed, __ATOMIC_RELAXED),
		.program_failures = __atomic_load_n(&c->program_failures, __ATOMIC_RELAXED),
		.warnings_left_out = __atomic_load_n(&c->warnings_left_out, __ATOMIC_RELAXED),
	};

	sized_give(counters, size, &copy, sizeof(copy));
}

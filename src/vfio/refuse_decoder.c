/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is refused of the HDM decoders that firmware has committed: the one list, for realize and for
 * programs that look at a machine.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <cxlvm/vfio.h>

#include "base/sized.h"
#include "regs/component.h"

#define TEXT_MAX 128

/* Is it so? Then text is what is wrong. */
typedef bool refusal_test(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX]);

static bool is_without_count(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX, "HDM decoder count code %u has no meaning", facts->count_code);
	return !hdm_decoder_count(facts->count_code);
}

static bool is_not_committed(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX, "the real HDM decoder 0 is not committed%s",
		 facts->error ? ": a commit failed" : "");
	return !facts->committed;
}

static bool has_error(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX, "the real HDM decoder 0 is committed, and has its error bit set");
	return facts->error;
}

static bool has_another(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX,
		 "HDM decoder %u is committed as well as decoder 0; only one can be passed through",
		 facts->other);
	return facts->other;
}

static bool is_interleaved(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX,
		 "the real HDM decoder 0 interleaves over %" PRIu64
		 " devices; only one can be passed through",
		 facts->interleave_ways);
	return facts->interleave_ways > 1;
}

static bool is_of_reserved_ways(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX, "the real HDM decoder 0 interleaves by code %u, which is reserved",
		 facts->ways_code);
	return !facts->interleave_ways;
}

static bool has_skip(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX,
		 "the real HDM decoder 0 skips 0x%" PRIx64 " bytes of device memory", facts->skip);
	return facts->skip;
}

static bool is_back_invalidate(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX,
		 "the real HDM decoder 0 is committed with back-invalidate (HDM-DB)");
	return facts->back_invalidate;
}

static bool is_host_only(const struct cxlvm_decoder_facts *facts, char text[TEXT_MAX])
{
	snprintf(text, TEXT_MAX,
		 "the real HDM decoder 0 is committed as host-only coherent (HDM-H)");
	return facts->host_only;
}

#define HINT_COMMIT                                                                              \
	"the host's firmware has to commit it: turn the device's CXL memory on in the firmware " \
	"set-up and boot again; if it was committed before, a reset lost it"
#define HINT_COHERENCY                                                                          \
	"only device coherent memory (HDM-D) can be passed through: a setting of the firmware " \
	"for the device"

/* In the order in which they are told. CHK-5: windows are made for plain HDM-D. */
static const struct {
	refusal_test *is;
	int code;
	const char *hint;
} refusals[] = {
	{ is_without_count, -EPROTO,
	  "the device's registers contradict the specification: look for an update of its firmware" },
	{ is_not_committed, -ENXIO, HINT_COMMIT },
	{ has_error, -ENXIO, HINT_COMMIT },
	{ has_another, -EOPNOTSUPP, "set up one range for the device in the firmware" },
	{ is_interleaved, -EOPNOTSUPP, "turn interleaving off in the firmware set-up" },
	{ is_of_reserved_ways, -EOPNOTSUPP,
	  "turn interleaving off in the firmware set-up, or look for an update of the firmware" },
	{ has_skip, -EOPNOTSUPP,
	  "set up one range in the firmware, from the start of the device's memory" },
	{ is_back_invalidate, -EOPNOTSUPP, HINT_COHERENCY },
	{ is_host_only, -EOPNOTSUPP, HINT_COHERENCY },
};

int cxlvm_decoder_check(const struct cxlvm_decoder_facts *given, struct cxlvm_error *err)
{
	struct cxlvm_decoder_facts facts;
	char text[TEXT_MAX], control[32] = "";
	int ret = sized_config_take(&facts, sizeof(facts),
				    SIZE_WITH(struct cxlvm_decoder_facts, skip), given, "decoder",
				    err);

	if (ret)
		return ret;
	if (facts.has_control)
		snprintf(control, sizeof(control), " (control 0x%08" PRIx32 ")", facts.control);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (!refusals[i].is(&facts, text))
			continue;
		cxlvm_error_set(err, refusals[i].code, "%s%s", text, control);
		cxlvm_error_hint(err, "%s", refusals[i].hint);
		return refusals[i].code;
	}
	return 0;
}

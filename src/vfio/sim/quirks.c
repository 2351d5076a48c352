/* SPDX-License-Identifier: BSD-3-Clause */
/* The quirks of a sim: names, and which of them exclude each other. */
#include <errno.h>
#include <stddef.h>

#include "vfio/sim/sim.h"

#define TIMES 3u

struct quirk {
	const char *name;
	size_t flag;        /* in struct shape_quirks */
	unsigned int group; /* of one group at most one; 0: by itself */
};

#define QUIRK(id, text, member, in_group)                                         \
	[CXLVM_SIM_QUIRK_##id] = { .name = (text),                                \
				   .flag = offsetof(struct shape_quirks, member), \
				   .group = (in_group) }

static const struct quirk quirks[] = {
	QUIRK(NO_MMAP, "no-mmap", no_mmap, 0),
	QUIRK(BASE_ZERO, "base-zero", base_zero, 1),
	QUIRK(BASE_HOST, "base-host", base_host, 1),
	QUIRK(WRITES_KEPT, "writes-kept", writes_kept, 2),
	QUIRK(WRITES_FROZEN, "writes-frozen", writes_frozen, 2),
	QUIRK(WRITES_ABSORBED, "writes-absorbed", writes_absorbed, 2),
	QUIRK(SHADOW_LOST, "shadow-lost", shadow_lost, 3),
	QUIRK(SHADOW_KEPT, "shadow-kept", shadow_kept, 3),
	QUIRK(SPACE_OFF_ERROR, "space-off-error", space_off_error, 4),
	QUIRK(SPACE_OFF_ONES, "space-off-ones", space_off_ones, 4),
	QUIRK(REGISTER_LIES, "register-lies", register_lies, 0),
	QUIRK(CHAIN_LOOPS, "chain-loops", chain_loops, 5),
	QUIRK(CHAIN_SHORT, "chain-short", chain_short, 5),
	QUIRK(RESET_AGAIN, "reset-again", reset_again, 0),
	QUIRK(RESET_FAILS, "reset-fails", reset_fails, 0),
	QUIRK(SIZE_CHANGES, "size-changes", size_changes, 6),
	QUIRK(DECODER_LATE, "decoder-late", decoder_late, 6),
	QUIRK(DECODER_LOST, "decoder-lost", decoder_lost, 6),
};

#define N_QUIRKS (sizeof(quirks) / sizeof(quirks[0]))

const char *cxlvm_sim_quirk_name(unsigned int quirk)
{
	return quirk < N_QUIRKS ? quirks[quirk].name : NULL;
}

int sim_quirks(const struct cxlvm_sim_config *config, struct shape_quirks *out,
	       struct cxlvm_error *err)
{
	const struct quirk *of_group[N_QUIRKS] = { NULL };

	*out = (struct shape_quirks){ .times = config->quirk_times ? config->quirk_times : TIMES };
	if (config->quirks >> N_QUIRKS)
		return cxlvm_error_set(err, -EINVAL, "sim: quirks 0x%llx, of which %zu are known",
				       (unsigned long long)config->quirks, N_QUIRKS);
	for (unsigned int i = 0; i < N_QUIRKS; i++) {
		const struct quirk *quirk = &quirks[i];

		if (!(config->quirks >> i & 1))
			continue;
		if (quirk->group && of_group[quirk->group]) {
			cxlvm_error_set(err, -EINVAL, "sim: quirks %s and %s exclude each other",
					of_group[quirk->group]->name, quirk->name);
			cxlvm_error_hint(err, "choose one of them");
			return -EINVAL;
		}
		of_group[quirk->group] = quirk;
		*(bool *)((char *)out + quirk->flag) = true;
	}
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The quirks of a sim, as the configuration asks for them. */
#include <errno.h>
#include <stddef.h>

#include "vfio/sim/sim.h"

#define TIMES 3u

_Static_assert(CXLVM_SIM_QUIRK_DECODER_LOST + 1 == SHAPE_QUIRKS, "bits in the order of the list");

const char *cxlvm_sim_quirk_name(unsigned int quirk)
{
	return quirk < SHAPE_QUIRKS ? shape_quirk_list[quirk].name : NULL;
}

int sim_quirks(const struct cxlvm_sim_config *config, struct shape_quirks *out,
	       struct cxlvm_error *err)
{
	const struct shape_quirk *of_group[SHAPE_QUIRKS] = { NULL };

	*out = (struct shape_quirks){ .times = config->quirk_times ? config->quirk_times : TIMES };
	if (config->quirks >> SHAPE_QUIRKS)
		return cxlvm_error_set(err, -EINVAL, "sim: quirks 0x%llx, of which %u are known",
				       (unsigned long long)config->quirks, SHAPE_QUIRKS);
	for (unsigned int i = 0; i < SHAPE_QUIRKS; i++) {
		const struct shape_quirk *quirk = &shape_quirk_list[i];

		if (!(config->quirks >> i & 1))
			continue;
		if (quirk->group && of_group[quirk->group]) {
			cxlvm_error_set(err, -EINVAL, "sim: quirks %s and %s exclude each other",
					of_group[quirk->group]->name, quirk->name);
			cxlvm_error_hint(err, "choose one of them");
			return -EINVAL;
		}
		of_group[quirk->group] = quirk;
		*shape_quirk_switch(out, i) = true;
	}
	return 0;
}

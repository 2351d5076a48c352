/* SPDX-License-Identifier: BSD-3-Clause */
/* Freeze: host-bridge blocks and reserved windows get their addresses, all or none. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/math.h"
#include "window/machine.h"
#include "window/private.h"

/* Windows are aligned for the largest page, so that one entry can map a gibibyte (WIN-1). */
#define WINDOW_ALIGN ((uint64_t)1 << 30)

static int place(struct cxlvm_machine *machine, const char *name, uint64_t size, uint64_t align,
		 struct cxlvm_gpa *base, struct cxlvm_error *err)
{
	uint64_t last = ((uint64_t)1 << machine->phys_bits) - 1;
	int ret;

	if (!interval_find_gap(&machine->map, machine->place_from, size, align, last,
			       &base->value)) {
		cxlvm_error_set(err, -ERANGE,
				"%s of size 0x%" PRIx64 " does not fit between 0x%" PRIx64
				" and the end of %u address bits (0x%" PRIx64 ")",
				name, size, machine->place_from, machine->phys_bits, last);
		cxlvm_error_hint(err, "use less memory, fewer devices or a wider physical address");
		return -ERANGE;
	}
	ret = machine_occupy(machine, name, base->value, size, err);
	return ret;
}

static int place_bridges(struct cxlvm_machine *machine, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < machine->n_bridges; i++) {
		struct cxlvm_bridge_place *bridge = &machine->bridges[i];
		int ret;

		if (bridge->has_base || machine->host_owned[i])
			continue;
		ret = place(machine, bridge->name, CXLVM_COMPONENT_BLOCK_SIZE,
			    CXLVM_COMPONENT_BLOCK_SIZE, &bridge->base, err);
		if (ret)
			return ret;
		bridge->has_base = true;
	}
	return 0;
}

/* Explicit bases first: they are wishes that nothing placed automatically may take. */
static int place_windows(struct cxlvm_machine *machine, bool explicit, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < machine->n_windows; i++) {
		struct window *w = &machine->windows[i];
		int ret;

		if (!w->in_use || w->info.has_base || w->wants_base != explicit)
			continue;
		if (explicit)
			ret = machine_occupy(machine, w->info.name, w->info.base.value,
					     w->info.size, err);
		else
			ret = place(machine, w->info.name, w->info.size, WINDOW_ALIGN,
				    &w->info.base, err);
		if (ret)
			return ret;
		w->info.has_base = true;
	}
	return 0;
}

int cxlvm_machine_freeze(struct cxlvm_machine *machine, struct cxlvm_error *err)
{
	struct cxlvm_machine *before;
	int ret;

	if (machine->frozen)
		return cxlvm_error_set(err, -EALREADY, "the memory map is final already");
	before = malloc(sizeof(*before));
	if (!before)
		return cxlvm_error_set(err, -ENOMEM, "no memory to freeze the machine");
	*before = *machine;
	ret = place_windows(machine, true, err);
	if (!ret)
		ret = place_bridges(machine, err);
	if (!ret)
		ret = place_windows(machine, false, err);
	if (ret)
		*machine = *before;
	else
		machine->frozen = true;
	free(before);
	return ret;
}

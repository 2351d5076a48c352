/* SPDX-License-Identifier: BSD-3-Clause */
/* Freeze: host-bridge blocks and reserved windows get their addresses, all or none. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/math.h"
#include "window/machine.h"
#include "window/private.h"

/* So that one entry of a second-level page table can map a gibibyte (WIN-1). */
#define WINDOW_ALIGN ((uint64_t)1 << 30)

static uint64_t last_address(const struct cxlvm_machine *machine)
{
	return ((uint64_t)1 << machine->phys_bits) - 1;
}

static int no_room(const struct cxlvm_machine *machine, const char *name, uint64_t size,
		   struct cxlvm_error *err)
{
	cxlvm_error_set(err, -ERANGE,
			"%s of size 0x%" PRIx64 " does not fit between 0x%" PRIx64
			" and the end of %u address bits (0x%" PRIx64 ")",
			name, size, machine->place_from, machine->phys_bits, last_address(machine));
	cxlvm_error_hint(err, "use less memory, fewer devices or a wider physical address");
	return -ERANGE;
}

/* The lowest place with this alignment where the device reaches the window. */
static bool find_aligned(const struct cxlvm_machine *machine, const struct window *w,
			 uint64_t align, uint64_t *base)
{
	uint64_t last = last_address(machine), at;
	bool found = false;

	if (!w->n_iova)
		return interval_find_gap(&machine->map, machine->place_from, w->info.size, align,
					 last, base);
	for (size_t i = 0; i < w->n_iova; i++) {
		uint64_t first = w->iova[i].first.value, end = w->iova[i].last.value;

		if (!interval_find_gap(&machine->map,
				       first > machine->place_from ? first : machine->place_from,
				       w->info.size, align, end < last ? end : last, &at) ||
		    (found && at >= *base))
			continue;
		*base = at;
		found = true;
	}
	return found;
}

/*
 * Aligned to the size where there is room: page tables of processors have large pages of some
 * sizes, those of IOMMUs of all powers of two.
 */
static bool find_place(const struct cxlvm_machine *machine, const struct window *w, uint64_t *base)
{
	uint64_t align = w->info.size & (~w->info.size + 1);

	for (; align > WINDOW_ALIGN; align /= 2)
		if (find_aligned(machine, w, align, base))
			return true;
	return find_aligned(machine, w, WINDOW_ALIGN, base);
}

static int place_window(struct cxlvm_machine *machine, struct window *w, struct cxlvm_error *err)
{
	uint64_t last = last_address(machine);

	if (find_place(machine, w, &w->info.base.value))
		return machine_occupy(machine, w->info.name, w->info.base.value, w->info.size, err);
	if (!w->n_iova)
		return no_room(machine, w->info.name, w->info.size, err);
	cxlvm_error_set(
		err, -ERANGE,
		"%s of size 0x%" PRIx64 " does not fit between 0x%" PRIx64 " and 0x%" PRIx64
		" in the %zu usable I/O address ranges of the device (the last is 0x%" PRIx64
		"-0x%" PRIx64 ")",
		w->info.name, w->info.size, machine->place_from, last, w->n_iova,
		w->iova[w->n_iova - 1].first.value, w->iova[w->n_iova - 1].last.value);
	cxlvm_error_hint(err,
			 "use less memory or fewer devices, or look at the reserved regions of "
			 "the device's IOMMU group");
	return -ERANGE;
}

static int place_block(struct cxlvm_machine *machine, struct cxlvm_bridge_place *bridge,
		       struct cxlvm_error *err)
{
	if (!interval_find_gap(&machine->map, machine->place_from, CXLVM_COMPONENT_BLOCK_SIZE,
			       CXLVM_COMPONENT_BLOCK_SIZE, last_address(machine),
			       &bridge->base.value))
		return no_room(machine, bridge->name, CXLVM_COMPONENT_BLOCK_SIZE, err);
	return machine_occupy(machine, bridge->name, bridge->base.value, CXLVM_COMPONENT_BLOCK_SIZE,
			      err);
}

static int place_bridges(struct cxlvm_machine *machine, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < machine->n_bridges; i++) {
		struct cxlvm_bridge_place *bridge = &machine->bridges[i];
		int ret;

		if (bridge->has_base || machine->host_owned[i])
			continue;
		ret = place_block(machine, bridge, err);
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
			ret = place_window(machine, w, err);
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
	if (!before) {
		cxlvm_error_set(err, -ENOMEM, "no memory to freeze the machine");
		cxlvm_error_hint(err, "free memory of the host");
		return -ENOMEM;
	}
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

/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine: what occupies the guest physical address space, added before freeze. */
#include "window/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/math.h"
#include "base/sized.h"
#include "window/private.h"

static uint64_t last_address(const struct cxlvm_machine *machine)
{
	return ((uint64_t)1 << machine->phys_bits) - 1;
}

int cxlvm_machine_create(const struct cxlvm_machine_config *given, struct cxlvm_machine **machine,
			 struct cxlvm_error *err)
{
	struct cxlvm_machine_config taken, *config = &taken;
	struct cxlvm_machine *m;
	int ret = sized_config_take(config, sizeof(*config),
				    SIZE_WITH(struct cxlvm_machine_config, place_from), given,
				    "machine", err);

	if (ret)
		return ret;
	if (config->phys_bits < 32 || config->phys_bits > 52)
		return cxlvm_error_set(err, -EINVAL,
				       "physical address width of %u bits is not within 32 to 52",
				       config->phys_bits);
	if (config->place_from.value >> config->phys_bits) {
		cxlvm_error_set(err, -EINVAL,
				"placement from 0x%" PRIx64
				" is beyond the address width of %u bits",
				config->place_from.value, config->phys_bits);
		cxlvm_error_hint(err, "give the guest an address width of at least %d bits",
				 64 - __builtin_clzll(config->place_from.value));
		return -EINVAL;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a machine");
	m->phys_bits = config->phys_bits;
	m->place_from = config->place_from.value;
	*machine = m;
	return 0;
}

void cxlvm_machine_destroy(struct cxlvm_machine *machine)
{
	free(machine);
}

/* Record a range and say precisely what it collides with. */
int machine_occupy(struct cxlvm_machine *machine, const char *name, uint64_t base, uint64_t size,
		   struct cxlvm_error *err)
{
	const struct interval *other = NULL;
	int ret;

	if (range_is_valid(base, size) && base + (size - 1) > last_address(machine)) {
		cxlvm_error_set(
			err, -ERANGE,
			"%s 0x%" PRIx64 "-0x%" PRIx64
			" ends beyond the guest's physical address width of %u bits (0x%" PRIx64
			")",
			name, base, base + (size - 1), machine->phys_bits, last_address(machine));
		cxlvm_error_hint(err, "choose a lower address, or less memory");
		return -ERANGE;
	}
	ret = interval_add(&machine->map, name, base, size, &other);
	switch (ret) {
	case 0:
		return 0;
	case -EEXIST:
		cxlvm_error_set(err, ret,
				"%s 0x%" PRIx64 "-0x%" PRIx64 " overlaps %s 0x%" PRIx64
				"-0x%" PRIx64,
				name, base, base + (size - 1), other->name, other->base,
				other->base + (other->size - 1));
		cxlvm_error_hint(err, "choose a free address, or leave the choice to cxlvm");
		return ret;
	case -ENOSPC:
		return cxlvm_error_set(err, ret, "%s: more than %u ranges", name, INTERVALS_MAX);
	default:
		return cxlvm_error_set(
			err, ret, "%s 0x%" PRIx64 " of size 0x%" PRIx64 " is empty or wraps around",
			name, base, size);
	}
}

static int refuse_frozen(const struct cxlvm_machine *machine, const char *name,
			 struct cxlvm_error *err)
{
	if (!machine->frozen)
		return 0;
	return cxlvm_error_set(err, -EBUSY, "%s: the memory map is final", name);
}

int cxlvm_machine_add_range(struct cxlvm_machine *machine, const char *name, struct cxlvm_gpa base,
			    uint64_t size, struct cxlvm_error *err)
{
	int ret = refuse_frozen(machine, name, err);

	if (!ret && machine->n_ranges == CXLVM_RANGES_MAX)
		ret = cxlvm_error_set(err, -ENOSPC, "range %s: more than %u", name,
				      CXLVM_RANGES_MAX);
	if (!ret)
		ret = machine_occupy(machine, name, base.value, size, err);
	if (!ret)
		machine->n_ranges++;
	return ret;
}

struct cxlvm_bridge_place *machine_find_bridge(struct cxlvm_machine *machine, uint32_t uid)
{
	for (unsigned int i = 0; i < machine->n_bridges; i++)
		if (machine->bridges[i].uid == uid)
			return &machine->bridges[i];
	return NULL;
}

int cxlvm_machine_add_bridge(struct cxlvm_machine *machine, const char *name, uint32_t uid,
			     const struct cxlvm_gpa *base, struct cxlvm_error *err)
{
	bool host_owned = base && !base->value;
	struct cxlvm_bridge_place *bridge;
	int ret = host_owned ? 0 : refuse_frozen(machine, name, err);

	if (ret)
		return ret;
	bridge = machine_find_bridge(machine, uid);
	if (bridge)
		return cxlvm_error_set(err, -EEXIST, "host bridge %s: _UID %u is that of %s", name,
				       uid, bridge->name);
	if (machine->n_bridges == CXLVM_BRIDGES_MAX)
		return cxlvm_error_set(err, -ENOSPC, "host bridge %s: one more than %u", name,
				       CXLVM_BRIDGES_MAX);
	if (base && !host_owned) {
		if (!is_aligned(base->value, CXLVM_COMPONENT_BLOCK_SIZE))
			return cxlvm_error_set(err, -EINVAL,
					       "host bridge %s: block at 0x%" PRIx64
					       " is not a multiple of 64 KiB",
					       name, base->value);
		ret = machine_occupy(machine, name, base->value, CXLVM_COMPONENT_BLOCK_SIZE, err);
		if (ret)
			return ret;
	}
	machine->host_owned[machine->n_bridges] = host_owned;
	bridge = &machine->bridges[machine->n_bridges++];
	snprintf(bridge->name, sizeof(bridge->name), "%s", name);
	bridge->uid = uid;
	bridge->has_base = base && !host_owned;
	bridge->base.value = base ? base->value : 0;
	return 0;
}

int cxlvm_machine_add_window(struct cxlvm_machine *machine, const struct cxlvm_window *given,
			     struct cxlvm_error *err)
{
	struct cxlvm_window copy = *given, *window = &copy;
	uint64_t base = window->base.value;
	int ret;

	copy.name[sizeof(copy.name) - 1] = '\0';
	copy.owner[0] = '\0';
	ret = refuse_frozen(machine, window->name, err);
	if (ret)
		return ret;
	if (machine->n_windows == CXLVM_WINDOWS_MAX)
		return cxlvm_error_set(err, -ENOSPC, "window %s: one more than %u", window->name,
				       CXLVM_WINDOWS_MAX);
	if (!window->has_base) {
		cxlvm_error_set(err, -EINVAL,
				"window %s of size 0x%" PRIx64
				" has no address below the end of %u address bits (0x%" PRIx64 ")",
				window->name, window->size, machine->phys_bits,
				last_address(machine));
		cxlvm_error_hint(err, "a window that the host could not place has to be an error "
				      "there: use less memory or smaller windows");
		return -EINVAL;
	}
	if (!base || !is_aligned(base, CXLVM_HDM_GRANULE))
		return cxlvm_error_set(err, -EINVAL,
				       "window %s: base 0x%" PRIx64
				       " is not a non-zero multiple of 256 MiB (0x%" PRIx64 ")",
				       window->name, base, CXLVM_HDM_GRANULE);
	if (!window->size || !is_aligned(window->size, CXLVM_HDM_GRANULE))
		return cxlvm_error_set(err, -EINVAL,
				       "window %s: size 0x%" PRIx64
				       " is not a non-zero multiple of 256 MiB (0x%" PRIx64 ")",
				       window->name, window->size, CXLVM_HDM_GRANULE);
	if (!window->n_targets || window->n_targets > CXLVM_TARGETS_MAX)
		return cxlvm_error_set(err, -EINVAL, "window %s: %u targets, not 1 to %u",
				       window->name, window->n_targets, CXLVM_TARGETS_MAX);
	ret = machine_occupy(machine, window->name, base, window->size, err);
	if (ret)
		return ret;
	machine->windows[machine->n_windows++] = (struct window){ .info = copy, .in_use = true };
	return 0;
}

bool cxlvm_machine_is_frozen(const struct cxlvm_machine *machine)
{
	return machine->frozen;
}

int cxlvm_machine_place_range(struct cxlvm_machine *machine, const char *name, uint64_t size,
			      uint64_t align, struct cxlvm_gpa *base, struct cxlvm_error *err)
{
	uint64_t at, from;
	int ret;

	if (!machine->frozen)
		return cxlvm_error_set(err, -EAGAIN, "%s: the memory map is not final yet", name);
	if (!size || !is_power_of_two(align))
		return cxlvm_error_set(err, -EINVAL, "%s: size 0x%" PRIx64 ", alignment 0x%" PRIx64,
				       name, size, align);
	from = interval_end(&machine->map, machine->place_from);
	if (!interval_find_gap(&machine->map, from, size, align, last_address(machine), &at)) {
		cxlvm_error_set(err, -ERANGE,
				"%s of size 0x%" PRIx64 " does not fit between 0x%" PRIx64
				" and the end of %u address bits (0x%" PRIx64 ")",
				name, size, from, machine->phys_bits, last_address(machine));
		cxlvm_error_hint(err, "use less memory, or a wider physical address");
		return -ERANGE;
	}
	ret = machine_occupy(machine, name, at, size, err);
	if (!ret)
		base->value = at;
	return ret;
}

unsigned int cxlvm_machine_phys_bits(const struct cxlvm_machine *machine)
{
	return machine->phys_bits;
}

const struct cxlvm_window *cxlvm_machine_window(const struct cxlvm_machine *machine,
						unsigned int index)
{
	for (unsigned int i = 0; i < machine->n_windows; i++)
		if (machine->windows[i].in_use && !index--)
			return &machine->windows[i].info;
	return NULL;
}

const struct cxlvm_bridge_place *cxlvm_machine_bridge(const struct cxlvm_machine *machine,
						      unsigned int index)
{
	return index < machine->n_bridges ? &machine->bridges[index] : NULL;
}

unsigned int cxlvm_machine_trace(struct cxlvm_machine *machine, const char *pattern, bool on)
{
	return trace_switch_set(&machine->trace, pattern, on);
}

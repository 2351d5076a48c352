/* SPDX-License-Identifier: BSD-3-Clause */
/* Which window belongs to which device: reserve, match, claim, release (contract 4.2). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "window/machine.h"
#include "window/private.h"

static int check_base(const struct window_request *request, struct cxlvm_error *err)
{
	uint64_t base;

	if (!request->base)
		return 0;
	base = request->base->value;
	if (base && is_aligned(base, CXLVM_HDM_GRANULE))
		return 0;
	cxlvm_error_set(err, -EINVAL,
			"%s: window base 0x%" PRIx64
			" is not a non-zero multiple of 256 MiB (0x%" PRIx64 ")",
			request->owner, base, CXLVM_HDM_GRANULE);
	if (base)
		cxlvm_error_hint(err, "the nearest are 0x%" PRIx64 " and 0x%" PRIx64,
				 align_down(base, CXLVM_HDM_GRANULE),
				 align_down(base, CXLVM_HDM_GRANULE) + CXLVM_HDM_GRANULE);
	else
		cxlvm_error_hint(err, "leave the option out to have the window placed");
	return -EINVAL;
}

static int check_bridge(struct cxlvm_machine *machine, const struct window_request *request,
			struct cxlvm_error *err)
{
	if (machine_find_bridge(machine, request->bridge_uid))
		return 0;
	cxlvm_error_set(err, -ENOENT,
			"%s: its parent, host bridge %u, is no CXL host bridge of this machine (%u "
			"host bridges)",
			request->owner, request->bridge_uid, machine->n_bridges);
	cxlvm_error_hint(err, "put the device directly below a root port of a CXL host bridge");
	return -ENOENT;
}

static bool targets_bridge(const struct cxlvm_window *window, uint32_t uid)
{
	for (unsigned int t = 0; t < window->n_targets; t++)
		if (window->targets[t] == uid)
			return true;
	return false;
}

/* One device per host bridge: its decoder 0 can show one range only (contract 0, 4.2). */
static int check_bridge_free(const struct cxlvm_machine *machine,
			     const struct window_request *request, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < machine->n_windows; i++) {
		const struct window *w = &machine->windows[i];

		if (!w->in_use || !targets_bridge(&w->info, request->bridge_uid))
			continue;
		cxlvm_error_set(err, -EEXIST, "%s: host bridge %u has %s already", request->owner,
				request->bridge_uid, w->info.name);
		cxlvm_error_hint(err, "give each device a host bridge of its own");
		return -EEXIST;
	}
	return 0;
}

/* A name given to a window that is made must be its own. */
static int check_name(const struct cxlvm_machine *machine, const struct window_request *request,
		      struct cxlvm_error *err)
{
	for (unsigned int i = 0; request->name[0] && i < machine->n_windows; i++) {
		const struct cxlvm_window *w = &machine->windows[i].info;

		if (!machine->windows[i].in_use || strcmp(w->name, request->name))
			continue;
		cxlvm_error_set(err, -EEXIST,
				"%s: there is a window %s already, for host bridge %u",
				request->owner, w->name, w->targets[0]);
		cxlvm_error_hint(err, "give each window a name of its own");
		return -EEXIST;
	}
	return 0;
}

int window_reserve(struct cxlvm_machine *machine, const struct window_request *request,
		   struct window_hold *hold, struct cxlvm_error *err)
{
	struct window *w = NULL;
	int ret = check_base(request, err);

	if (!ret)
		ret = check_bridge(machine, request, err);
	if (!ret)
		ret = check_bridge_free(machine, request, err);
	if (!ret)
		ret = check_name(machine, request, err);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < CXLVM_WINDOWS_MAX && !w; i++)
		if (i == machine->n_windows || !machine->windows[i].in_use)
			w = &machine->windows[i];
	if (!w) {
		cxlvm_error_set(err, -ENOSPC, "%s: one window more than %u", request->owner,
				CXLVM_WINDOWS_MAX);
		cxlvm_error_hint(err, "a machine has at most %u devices", CXLVM_WINDOWS_MAX);
		return -ENOSPC;
	}
	*w = (struct window){
		.in_use = true,
		.wants_base = request->base,
		.iova = request->iova,
		.n_iova = request->n_iova,
		.info = {
			.size = request->size,
			.restrictions = request->restrictions,
			.n_targets = 1,
			.targets = { request->bridge_uid },
		},
	};
	if (request->base)
		w->info.base = *request->base;
	if (request->name[0])
		snprintf(w->info.name, sizeof(w->info.name), "%s", request->name);
	else
		snprintf(w->info.name, sizeof(w->info.name), "CXL window of %.48s", request->owner);
	*hold = (struct window_hold){
		.held = true,
		.reserved = true,
		.index = (unsigned int)(w - machine->windows),
	};
	if (hold->index == machine->n_windows)
		machine->n_windows++;
	return 0;
}

/* The window that was asked for by name: topology has the last word. */
static int find_named(const struct cxlvm_machine *machine, const struct window_request *request,
		      unsigned int *index, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < machine->n_windows; i++) {
		const struct cxlvm_window *w = &machine->windows[i].info;

		if (!machine->windows[i].in_use || strcmp(w->name, request->name))
			continue;
		*index = i;
		if (targets_bridge(w, request->bridge_uid))
			return 0;
		cxlvm_error_set(err, -EINVAL,
				"%s: window %s targets host bridge %u, the device is below host "
				"bridge %u",
				request->owner, w->name, w->targets[0], request->bridge_uid);
		cxlvm_error_hint(err, "leave the name out to have the window found by topology");
		return -EINVAL;
	}
	cxlvm_error_set(err, -ENOENT, "%s: there is no window %s (%u windows)", request->owner,
			request->name, machine->n_windows);
	cxlvm_error_hint(err, "leave the name out to have the window found by topology");
	return -ENOENT;
}

/* Contract 4.2 steps 2 and 3: exactly one window targets the bridge, and it has one target. */
static int find_by_topology(const struct cxlvm_machine *machine,
			    const struct window_request *request, unsigned int *index,
			    struct cxlvm_error *err)
{
	char names[CXLVM_ERROR_MESSAGE_MAX] = "";
	unsigned int n = 0;
	size_t used = 0;

	for (unsigned int i = 0; i < machine->n_windows; i++) {
		const struct cxlvm_window *w = &machine->windows[i].info;

		if (!machine->windows[i].in_use || !targets_bridge(w, request->bridge_uid))
			continue;
		/* As many names as a message holds. */
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 n ? ", " : "", w->name);
		*index = i;
		n++;
	}
	if (n == 1)
		return 0;
	if (n) {
		cxlvm_error_set(err, -EINVAL,
				"%s: host bridge %u is the target of %u windows: %.128s",
				request->owner, request->bridge_uid, n, names);
		cxlvm_error_hint(err, "name the window of the device, or leave it one");
		return -EINVAL;
	}
	cxlvm_error_set(err, -ENOENT, "%s: no window targets host bridge %u (%u windows)",
			request->owner, request->bridge_uid, machine->n_windows);
	cxlvm_error_hint(err, "give the machine a fixed memory window with that host bridge as its "
			      "only target");
	return -ENOENT;
}

static int find_window(const struct cxlvm_machine *machine, const struct window_request *request,
		       unsigned int *index, struct cxlvm_error *err)
{
	const struct cxlvm_window *found;
	int ret = request->name[0] ? find_named(machine, request, index, err)
				   : find_by_topology(machine, request, index, err);

	if (ret)
		return ret;
	found = &machine->windows[*index].info;
	if (found->n_targets == 1)
		return 0;
	cxlvm_error_set(err, -EINVAL, "%s: window %s has %u targets; interleaving is not supported",
			request->owner, found->name, found->n_targets);
	cxlvm_error_hint(err, "give the window one target, host bridge %u", request->bridge_uid);
	return -EINVAL;
}

static int check_fit(const struct window_request *request, const struct cxlvm_window *w,
		     struct cxlvm_error *err)
{
	uint64_t base = request->base ? request->base->value : w->base.value;

	if (request->size > w->size) {
		cxlvm_error_set(err, -ERANGE,
				"%s: device memory of 0x%" PRIx64
				" is larger than window %s of 0x%" PRIx64,
				request->owner, request->size, w->name, w->size);
		cxlvm_error_hint(err, "make the window at least 0x%" PRIx64 " large",
				 request->size);
		return -ERANGE;
	}
	if (base < w->base.value || !range_fits(base - w->base.value, request->size, w->size)) {
		cxlvm_error_set(err, -ERANGE,
				"%s: 0x%" PRIx64 " of size 0x%" PRIx64
				" is not inside window %s 0x%" PRIx64 "-0x%" PRIx64,
				request->owner, base, request->size, w->name, w->base.value,
				w->base.value + (w->size - 1));
		cxlvm_error_hint(err, "what fits begins at 0x%" PRIx64 " to 0x%" PRIx64,
				 w->base.value, w->base.value + (w->size - request->size));
		return -ERANGE;
	}
	if (!(w->restrictions & CXLVM_WINDOW_DEVICE_COHERENT)) {
		cxlvm_error_set(err, -EINVAL,
				"%s: window %s does not take device-coherent memory (restrictions "
				"0x%x)",
				request->owner, w->name, w->restrictions);
		cxlvm_error_hint(err, "the window needs restriction bit 0x%x",
				 CXLVM_WINDOW_DEVICE_COHERENT);
		return -EINVAL;
	}
	return 0;
}

int window_match(struct cxlvm_machine *machine, const struct window_request *request,
		 struct window_hold *hold, struct cxlvm_error *err)
{
	unsigned int index = 0;
	int ret = check_base(request, err);

	if (!ret)
		ret = check_bridge(machine, request, err);
	if (!ret)
		ret = find_window(machine, request, &index, err);
	if (!ret)
		ret = check_fit(request, &machine->windows[index].info, err);
	if (ret)
		return ret;
	*hold = (struct window_hold){ .held = true, .index = index };
	return 0;
}

int window_check(const struct cxlvm_machine *machine, const struct window_request *request,
		 const struct window_hold *hold, struct cxlvm_error *err)
{
	return check_fit(request, &machine->windows[hold->index].info, err);
}

int window_claim(struct cxlvm_machine *machine, struct window_hold *hold, const char *owner,
		 struct cxlvm_error *err)
{
	struct cxlvm_window *w = &machine->windows[hold->index].info;

	if (hold->claimed)
		return 0;
	if (!w->owner[0]) {
		snprintf(w->owner, sizeof(w->owner), "%s", owner);
		hold->claimed = true;
		return 0;
	}
	cxlvm_error_set(err, -EEXIST, "%s: window %s is in use by %s", owner, w->name, w->owner);
	cxlvm_error_hint(err, "give each device a host bridge and a window of its own");
	return -EEXIST;
}

void window_release(struct cxlvm_machine *machine, struct window_hold *hold)
{
	struct window *w = &machine->windows[hold->index];

	if (!hold->held)
		return;
	if (hold->claimed)
		w->info.owner[0] = '\0';
	w->iova = NULL;
	w->n_iova = 0;
	/* After freeze the window is part of the tables and stays, free for another device. */
	if (hold->reserved && !machine->frozen) {
		*w = (struct window){ .in_use = false };
		while (machine->n_windows && !machine->windows[machine->n_windows - 1].in_use)
			machine->n_windows--;
	}
	*hold = (struct window_hold){ .held = false };
}

const struct cxlvm_window *window_info(const struct cxlvm_machine *machine,
				       const struct window_hold *hold)
{
	return &machine->windows[hold->index].info;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine as the rest of the library sees it: reservations and claims. */
#ifndef CXLVM_WINDOW_MACHINE_H
#define CXLVM_WINDOW_MACHINE_H

#include <cxlvm/window.h>

#include "base/interval.h"
#include "base/trace.h"

struct window {
	struct cxlvm_window info;
	bool in_use;
	bool wants_base;                     /* placed by us, at info.base */
	const struct cxlvm_iova_range *iova; /* where it may be placed; 0 of them: anywhere */
	size_t n_iova;
};

struct cxlvm_machine {
	unsigned int phys_bits;
	uint64_t place_from;
	bool frozen;
	unsigned int n_ranges;
	struct interval_set map; /* everything that occupies guest physical addresses */
	unsigned int n_bridges;
	struct cxlvm_bridge_place bridges[CXLVM_BRIDGES_MAX];
	bool host_owned[CXLVM_BRIDGES_MAX]; /* the block is none of our business */
	unsigned int n_windows;
	struct window windows[CXLVM_WINDOWS_MAX];
	struct trace_switch trace;
};

/* A device's hold on a window: index, and whether the window exists only for it. */
struct window_hold {
	bool held;
	bool reserved; /* made for this device: goes away with it before freeze */
	bool claimed;
	unsigned int index;
};

struct window_request {
	const char *owner;
	uint32_t bridge_uid;
	uint64_t size;
	const struct cxlvm_gpa *base; /* explicit base, or NULL */
	uint16_t restrictions;        /* of a window that is reserved */
	/* Usable I/O addresses for one that is reserved; they stay until it is released. */
	const struct cxlvm_iova_range *iova;
	size_t n_iova;
	const char *name; /* of the window, "" by topology */
};

/*
 * Before freeze: reserve a window for the device. -ENOENT (no such bridge), -EINVAL (base not
 * aligned or 0), -ENOSPC.
 */
int window_reserve(struct cxlvm_machine *machine, const struct window_request *request,
		   struct window_hold *hold, struct cxlvm_error *err);

/*
 * On a frozen machine: find the one window that targets the device's bridge (contract 4.2) and
 * check that it fits. Does not claim. -ENOENT, -EEXIST, -EINVAL, -ERANGE as in the public header.
 */
int window_match(struct cxlvm_machine *machine, const struct window_request *request,
		 struct window_hold *hold, struct cxlvm_error *err);

/*
 * With final addresses: does the request still fit in the window that is held? For machine done.
 */
int window_check(const struct cxlvm_machine *machine, const struct window_request *request,
		 const struct window_hold *hold, struct cxlvm_error *err);

/* Claim for owner; 0 if this hold has it already, -EEXIST if another device has it. */
int window_claim(struct cxlvm_machine *machine, struct window_hold *hold, const char *owner,
		 struct cxlvm_error *err);

/* Give claim and reservation back. */
void window_release(struct cxlvm_machine *machine, struct window_hold *hold);

/* The window's stored facts. */
const struct cxlvm_window *window_info(const struct cxlvm_machine *machine,
				       const struct window_hold *hold);

#endif

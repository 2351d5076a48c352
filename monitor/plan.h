/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.h - the guest physical map of a machine, as a list */
#ifndef MONITOR_PLAN_H
#define MONITOR_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <cxlvm/window.h>

struct vm;

struct plan_range {
	struct cxlvm_gpa base;
	uint64_t size;
	const char *type;  /* "ram", "cxl-window", ...: the list is in cxlvm-plan(1) */
	const char *owner; /* device, "" when there is none */
	const char *name;  /* of a window whose device was given one (window=NAME), else "" */
	int index;         /* number of host bridge or BAR, -1 when there is none */
};

/*
 * All ranges of the machine as it is now by base; of two with the same base the larger one first, so that
 * what lies within a range follows it. Allocated; the caller frees *ranges. -ENOMEM.
 */
int plan_ranges(struct vm *vm, struct plan_range **ranges, size_t *n, struct cxlvm_error *err);

/* The name that its device was given for a window, "" when it has the library's. */
const char *plan_window_name(const struct vm *vm, const struct cxlvm_window *window);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared by the files of this room only. */
#ifndef CXLVM_WINDOW_PRIVATE_H
#define CXLVM_WINDOW_PRIVATE_H

#include "window/machine.h"

int machine_occupy(struct cxlvm_machine *machine, const char *name, uint64_t base, uint64_t size,
		   struct cxlvm_error *err);
struct cxlvm_bridge_place *machine_find_bridge(struct cxlvm_machine *machine, uint32_t uid);

#endif

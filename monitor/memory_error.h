/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory_error.h - memory of the host that broke under the guest (MAP-6)
 *
 * The kernel says so with SIGBUS and the address in this process. The handler only looks whose
 * memory it is and notes it; what follows is up to the vCPU that had the access. SIGBUS for any
 * other reason ends the process as it always does.
 */
#ifndef MONITOR_MEMORY_ERROR_H
#define MONITOR_MEMORY_ERROR_H

#include <stdbool.h>

#include <cxlvm/base.h>

struct vm;

/* From here on until memory_error_unwatch; one machine at a time. */
int memory_error_watch(struct vm *vm, struct cxlvm_error *err);
void memory_error_unwatch(void);

/* Did memory break that the guest needs? The error says where. Any thread. */
bool memory_error_pending(struct vm *vm, struct cxlvm_error *err);

#endif

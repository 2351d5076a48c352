/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory_error.h - memory of the host that broke under the guest (MAP-6)
 *
 * The kernel says so with SIGBUS and the address in this process. The handler only looks whose
 * memory it is and notes it; what follows is up to the vCPU that had the access: device memory is
 * taken away from the guest, which goes on and reads ones; without its RAM a guest cannot go on.
 * SIGBUS for any other reason, and for an access that this process made, ends it as it always does.
 */
#ifndef MONITOR_MEMORY_ERROR_H
#define MONITOR_MEMORY_ERROR_H

#include <signal.h>
#include <stdbool.h>

#include <cxlvm/base.h>

#include "map.h"

struct vm;

/* From here on until memory_error_unwatch; one machine at a time. */
int memory_error_watch(struct vm *vm, struct cxlvm_error *err);
void memory_error_unwatch(void);

/*
 * What answers in a device's window where no memory slot is: all ones, and writes vanish. Where
 * one is, KVM comes here with an instruction that it emulates when the memory does not answer, and
 * then the device is asked (MAP-5). opaque is the device, or NULL in a window that has none.
 */
extern const struct map_ops memory_error_window_ops;

/* Set while the thread is in KVM_RUN: the access is the guest's. */
extern _Thread_local volatile sig_atomic_t memory_error_in_guest;

/*
 * What has to be done about memory that broke is done. True: the guest cannot go on, and the error
 * says why. The thread of a vCPU, when its KVM_RUN was interrupted; no device's lock is held.
 */
bool memory_error_pending(struct vm *vm, struct cxlvm_error *err);

#endif

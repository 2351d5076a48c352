/* SPDX-License-Identifier: BSD-3-Clause */
/* overhead.h - memory of the host's kernel that a guest costs besides its own */
#ifndef MONITOR_OVERHEAD_H
#define MONITOR_OVERHEAD_H

#include <cxlvm/base.h>

/*
 * Would slots of that many bytes take more of the host than there is? -ENOMEM then. KVM without
 * two-dimensional paging keeps 8 bytes for each page of a slot when the slot is made, whether it is
 * used or not, and what the kernel takes for itself no limit of this process bounds.
 */
int overhead_check(uint64_t size, struct cxlvm_error *err);

#endif

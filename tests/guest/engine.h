/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.h - tests with the copy engine and its interrupts (docs/device.md) */
#ifndef GUEST_ENGINE_H
#define GUEST_ENGINE_H

#include "guest.h"

/* Where the MSI-X table is now. */
u64 msix_table(const struct device *d);

void test_engine(void);
void test_engine_errors(void);
void test_copies(void);
void test_masks(void);

#endif

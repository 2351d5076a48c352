/* SPDX-License-Identifier: BSD-3-Clause */
/* passes.h - passes over device memory, between which somebody outside reads KVM's counters */
#ifndef PASSES_H
#define PASSES_H

void test_passes(void);

#endif

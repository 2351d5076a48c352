/* SPDX-License-Identifier: BSD-3-Clause */
/* ecam.h - configuration access by memory (PCI Express, 7.2.2) */
#ifndef MONITOR_PCI_ECAM_H
#define MONITOR_PCI_ECAM_H

#include <cxlvm/base.h>

#include "map.h"

struct vm;

/* Trap the configuration space of all host bridges. */
int ecam_attach(struct vm *vm, struct cxlvm_error *err);

/* Bytes of configuration space of n host bridges. */
uint64_t ecam_size(unsigned int n_bridges);

#endif

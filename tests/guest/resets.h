/* SPDX-License-Identifier: BSD-3-Clause */
/* resets.h - resets of every kind while other CPUs store to device memory */
#ifndef GUEST_RESETS_H
#define GUEST_RESETS_H

void test_storm_flr(void);
void test_storm_bus(void);
void test_storm_cxl(void);
void test_storm_system(void);
void test_bus_masked(void);

#endif

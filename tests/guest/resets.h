/* SPDX-License-Identifier: BSD-3-Clause */
/* resets.h - resets of every kind while other CPUs store to device memory */
#ifndef GUEST_RESETS_H
#define GUEST_RESETS_H

/* One reset of that kind, and BARs and command register put back. */
struct device;
void flr(struct device *d);
void bus_reset(struct device *d);

void test_reset_msix(void);
void test_reset_port(void);
void test_storm_flr(void);
void test_storm_bus(void);
void test_storm_cxl(void);
void test_storm_system(void);
void test_hammer(void);
void test_memory_lost(void);
void test_memory_lost_reset(void);
void test_bus_masked(void);

#endif

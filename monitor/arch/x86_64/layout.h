/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.h - guest physical addresses and ports of the x86-64 machine, all in one place
 *
 *   0                RAM: boot data, command line, entry page tables, ACPI tables at 0xe0000,
 *                    kernel from 1 MiB, initrd at the top
 *   0xc0000000       PCI memory below 4 GiB, 16 MiB for each host bridge
 *   0xe0000000       ECAM, 8 buses (8 MiB) for each host bridge
 *   0xfec00000       interrupt controllers
 *   4 GiB            rest of RAM
 *   above            host-bridge blocks, CXL windows, 64-bit PCI memory: placed by libcxlvm
 */
#ifndef MONITOR_ARCH_X86_64_LAYOUT_H
#define MONITOR_ARCH_X86_64_LAYOUT_H

#include "util.h"

#define LAYOUT_RAM_LOW_MAX   0xc0000000ull
#define LAYOUT_RAM_HIGH_BASE GIB(4)
#define LAYOUT_RAM_MIN       MIB(64)

/* Boot data, in the first 640 KiB. */
#define LAYOUT_GDT         0x1000u
#define LAYOUT_STACK_TOP   0x9000u
#define LAYOUT_BOOT_PARAMS 0x10000u
#define LAYOUT_CMDLINE     0x20000u
#define LAYOUT_CMDLINE_MAX 0x10000u
#define LAYOUT_PAGING      0x30000u
#define LAYOUT_PAGING_END  0x90000u /* above it Linux puts a trampoline of its own */
#define LAYOUT_RAM_640K    0x9fc00u /* from here to 1 MiB e820 says reserved */

#define LAYOUT_TABLES_BASE 0xe0000u
#define LAYOUT_TABLES_SIZE 0x20000u
#define LAYOUT_KERNEL      0x100000u

/* Everything between RAM and 4 GiB: no CXL window, no host-bridge block here (WIN-2). */
#define LAYOUT_HOLE_BASE 0xc0000000ull
#define LAYOUT_HOLE_SIZE 0x40000000ull

#define LAYOUT_MMIO32_BASE       0xc0000000u
#define LAYOUT_MMIO32_PER_BRIDGE 0x01000000u
#define LAYOUT_ECAM_BASE         0xe0000000u
#define LAYOUT_ECAM_PER_BUS      0x00100000u
#define LAYOUT_BUSES_PER_BRIDGE  8u
#define LAYOUT_IOAPIC            0xfec00000u
#define LAYOUT_LAPIC             0xfee00000u
#define LAYOUT_TSS               0xfffbd000u /* three pages for KVM on some Intel CPUs */

/* Ports and interrupts. */
#define LAYOUT_PORT_UART    0x3f8u
#define LAYOUT_UART_IRQ     4u
#define LAYOUT_PORT_PM1_EVT 0x600u /* status, enable: 2 bytes each */
#define LAYOUT_PORT_PM1_CNT 0x604u
#define LAYOUT_SCI_IRQ      9u
#define LAYOUT_PORT_RESET   0xcf9u
#define LAYOUT_RESET_VALUE  6u
#define LAYOUT_PORT_DEBUG   0xf4u /* test builds only: ends the run with status 0 */

/* SLP_TYP of soft off, in \_S5 and in bits 12:10 of PM1 control. */
#define LAYOUT_SLEEP_S5 5u

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * PCI config space of an endpoint: type 0 header (PCI 3.0, 6.1) and PCI Express capability
 * (PCIe 6.0, 7.5.3); and what a bridge has instead (PCI-to-PCI bridges 1.2, 3.2). Reset values
 * are those of the software device.
 */
#ifndef CXLVM_REGS_PCI_H
#define CXLVM_REGS_PCI_H

#include "regs/regs.h"

#define PCI_CONFIG_SIZE   0x1000u
#define PCI_CONFIG_DWORDS (PCI_CONFIG_SIZE / 4)
#define PCI_EXTENDED      0x100u /* extended config space begins here */
#define PCI_BARS          6u

#define PCI_HEADER_TYPE_MASK   0x7fu
#define PCI_HEADER_TYPE_BRIDGE 1u
#define PCI_BRIDGE_BARS        2u

#define PCI_CAP_MSIX    0x11u
#define PCI_EXT_CAP_DSN 0x0003u
#define PCI_EXT_CAP_ATS 0x000fu

#define PCI_HEADER_LIST(R)                                                                 \
	R(PCI_VENDOR, 0x00, 2, 0, 16, REG_RO, 0, "vendor id", "6.2.1")                     \
	R(PCI_DEVICE, 0x02, 2, 0, 16, REG_RO, 0, "device id", "6.2.1")                     \
	R(PCI_IO_SPACE, 0x04, 2, 0, 1, REG_RO, 0, "I/O space", "6.2.2")                    \
	R(PCI_MEMORY_SPACE, 0x04, 2, 1, 1, REG_RW, 0, "memory space", "6.2.2")             \
	R(PCI_BUS_MASTER, 0x04, 2, 2, 1, REG_RW, 0, "bus master", "6.2.2")                 \
	R(PCI_PARITY, 0x04, 2, 6, 1, REG_RW, 0, "parity error response", "6.2.2")          \
	R(PCI_SERR, 0x04, 2, 8, 1, REG_RW, 0, "SERR# enable", "6.2.2")                     \
	R(PCI_INTX_DISABLE, 0x04, 2, 10, 1, REG_RW, 0, "interrupt disable", "6.2.2")       \
	R(PCI_CAP_LIST, 0x06, 2, 4, 1, REG_RO, 1, "capabilities list", "6.2.3")            \
	R(PCI_STATUS_ERRORS, 0x06, 2, 11, 5, REG_RW1C, 0, "error status", "6.2.3")         \
	R(PCI_REVISION, 0x08, 1, 0, 8, REG_RO, 0, "revision id", "6.2.1")                  \
	R(PCI_CLASS, 0x08, 4, 8, 24, REG_RO, 0, "class code", "6.2.1")                     \
	R(PCI_CACHE_LINE, 0x0c, 1, 0, 8, REG_RW, 0, "cache line size", "6.2.4")            \
	R(PCI_HEADER_TYPE, 0x0e, 1, 0, 8, REG_RO, 0, "header type", "6.2.1")               \
	R(PCI_SUBSYSTEM_VENDOR, 0x2c, 2, 0, 16, REG_RO, 0, "subsystem vendor id", "6.2.4") \
	R(PCI_SUBSYSTEM, 0x2e, 2, 0, 16, REG_RO, 0, "subsystem id", "6.2.4")               \
	R(PCI_CAP_POINTER, 0x34, 1, 0, 8, REG_RO, 0, "capabilities pointer", "6.7")        \
	R(PCI_INTERRUPT_LINE, 0x3c, 1, 0, 8, REG_RW, 0, "interrupt line", "6.2.4")

/* What a type 1 header (of a bridge) has instead of offset 0x18 to 0x2f. */
#define PCI_BRIDGE_LIST(R)                                                                      \
	R(PCI_PRIMARY, 0x18, 1, 0, 8, REG_RW, 0, "primary bus", "3.2.5.2")                      \
	R(PCI_SECONDARY, 0x19, 1, 0, 8, REG_RW, 0, "secondary bus", "3.2.5.3")                  \
	R(PCI_SUBORDINATE, 0x1a, 1, 0, 8, REG_RW, 0, "subordinate bus", "3.2.5.4")              \
	R(PCI_MEMORY_BASE, 0x20, 2, 4, 12, REG_RW, 0, "memory base", "3.2.5.8")                 \
	R(PCI_MEMORY_LIMIT, 0x22, 2, 4, 12, REG_RW, 0, "memory limit", "3.2.5.8")               \
	R(PCI_PF_BASE_64, 0x24, 2, 0, 4, REG_RO, 1, "prefetchable base is 64-bit", "3.2.5.9")   \
	R(PCI_PF_BASE, 0x24, 2, 4, 12, REG_RW, 0, "prefetchable base", "3.2.5.9")               \
	R(PCI_PF_LIMIT_64, 0x26, 2, 0, 4, REG_RO, 1, "prefetchable limit is 64-bit", "3.2.5.9") \
	R(PCI_PF_LIMIT, 0x26, 2, 4, 12, REG_RW, 0, "prefetchable limit", "3.2.5.9")             \
	R(PCI_PF_BASE_HIGH, 0x28, 4, 0, 32, REG_RW, 0, "prefetchable base high", "3.2.5.10")    \
	R(PCI_PF_LIMIT_HIGH, 0x2c, 4, 0, 32, REG_RW, 0, "prefetchable limit high", "3.2.5.10")

/* The two dwords of a 64-bit memory BAR; which address bits stick depends on its size. */
#define PCI_BAR_LIST(R)                                                                  \
	R(PCI_BAR_IO, 0x10, 4, 0, 1, REG_RO, 0, "BAR is I/O", "6.2.5.1")                 \
	R(PCI_BAR_TYPE, 0x10, 4, 1, 2, REG_RO, 2, "BAR type", "6.2.5.1")                 \
	R(PCI_BAR_PREFETCHABLE, 0x10, 4, 3, 1, REG_RO, 0, "BAR prefetchable", "6.2.5.1") \
	R(PCI_BAR_LOW, 0x10, 4, 4, 28, REG_RW, 0, "BAR address low", "6.2.5.1")          \
	R(PCI_BAR_HIGH, 0x14, 4, 0, 32, REG_RW, 0, "BAR address high", "6.2.5.1")

/* What any capability of the conventional list begins with. */
#define PCI_CAPABILITY_LIST(R)                                                 \
	R(PCI_CAPABILITY_ID, 0x00, 1, 0, 8, REG_RO, 0, "capability id", "6.7") \
	R(PCI_CAPABILITY_NEXT, 0x01, 1, 0, 8, REG_RO, 0, "next capability", "6.7")

#define PCIE_SIZE 0x3cu
#define PCIE_LIST(R)                                                                              \
	R(PCIE_CAP_ID, 0x00, 1, 0, 8, REG_RO, 0x10, "capability id", "7.5.3.1")                   \
	R(PCIE_CAP_NEXT, 0x01, 1, 0, 8, REG_RO, 0, "next capability", "7.5.3.1")                  \
	R(PCIE_VERSION, 0x02, 2, 0, 4, REG_RO, 2, "capability version", "7.5.3.2")                \
	R(PCIE_TYPE, 0x02, 2, 4, 4, REG_RO, 0, "device/port type", "7.5.3.2")                     \
	R(PCIE_MAX_PAYLOAD, 0x04, 4, 0, 3, REG_RO, 1, "max payload size supported", "7.5.3.3")    \
	R(PCIE_EXTENDED_TAG, 0x04, 4, 5, 1, REG_RO, 1, "extended tag supported", "7.5.3.3")       \
	R(PCIE_ROLE_ERRORS, 0x04, 4, 15, 1, REG_RO, 1, "role-based error reporting", "7.5.3.3")   \
	R(PCIE_FLR_CAPABLE, 0x04, 4, 28, 1, REG_RO, 1, "function level reset capable", "7.5.3.3") \
	R(PCIE_INITIATE_FLR, 0x08, 2, 15, 1, REG_RO, 0, "initiate function level reset",          \
	  "7.5.3.4")                                                                              \
	R(PCIE_DEVICE_CONTROL, 0x08, 2, 0, 15, REG_RW, 0x2910, "device control", "7.5.3.4")       \
	R(PCIE_DEVICE_STATUS, 0x0a, 2, 0, 4, REG_RW1C, 0, "device status", "7.5.3.5")             \
	R(PCIE_LINK_SPEED_MAX, 0x0c, 4, 0, 4, REG_RO, 5, "max link speed", "7.5.3.6")             \
	R(PCIE_LINK_WIDTH_MAX, 0x0c, 4, 4, 6, REG_RO, 16, "max link width", "7.5.3.6")            \
	R(PCIE_LINK_REPORTS, 0x0c, 4, 20, 1, REG_RO, 0, "link active reporting capable",          \
	  "7.5.3.6")                                                                              \
	R(PCIE_PORT_NUMBER, 0x0c, 4, 24, 8, REG_RO, 0, "port number", "7.5.3.6")                  \
	R(PCIE_LINK_CONTROL, 0x10, 2, 0, 12, REG_RW, 0, "link control", "7.5.3.7")                \
	R(PCIE_LINK_SPEED, 0x12, 2, 0, 4, REG_RO, 5, "current link speed", "7.5.3.8")             \
	R(PCIE_LINK_WIDTH, 0x12, 2, 4, 6, REG_RO, 16, "negotiated link width", "7.5.3.8")         \
	R(PCIE_LINK_ACTIVE, 0x12, 2, 13, 1, REG_RO, 0, "data link layer active", "7.5.3.8")       \
	R(PCIE_DEVICE_CONTROL2, 0x28, 2, 0, 16, REG_RW, 0, "device control 2", "7.5.3.16")        \
	R(PCIE_LINK_SPEEDS, 0x2c, 4, 1, 7, REG_RO, 0x1f, "supported link speeds", "7.5.3.18")     \
	R(PCIE_LINK_SPEED_TARGET, 0x30, 2, 0, 4, REG_RW, 5, "target link speed", "7.5.3.19")

/* MSI-X: the capability, and one entry of its table. */
#define MSIX_SIZE 0x0cu
#define MSIX_LIST(R)                                                                    \
	R(MSIX_CAP_ID, 0x00, 1, 0, 8, REG_RO, PCI_CAP_MSIX, "capability id", "7.7.2.1") \
	R(MSIX_CAP_NEXT, 0x01, 1, 0, 8, REG_RO, 0, "next capability", "7.7.2.1")        \
	R(MSIX_TABLE_COUNT, 0x02, 2, 0, 11, REG_RO, 0, "table size", "7.7.2.2")         \
	R(MSIX_FUNCTION_MASK, 0x02, 2, 14, 1, REG_RW, 0, "function mask", "7.7.2.2")    \
	R(MSIX_ENABLE, 0x02, 2, 15, 1, REG_RW, 0, "MSI-X enable", "7.7.2.2")            \
	R(MSIX_TABLE_BIR, 0x04, 4, 0, 3, REG_RO, 0, "table BIR", "7.7.2.3")             \
	R(MSIX_TABLE_OFFSET, 0x04, 4, 3, 29, REG_RO, 0, "table offset", "7.7.2.3")      \
	R(MSIX_PBA_BIR, 0x08, 4, 0, 3, REG_RO, 0, "PBA BIR", "7.7.2.4")                 \
	R(MSIX_PBA_OFFSET, 0x08, 4, 3, 29, REG_RO, 0, "PBA offset", "7.7.2.4")

#define MSIX_ENTRY_SIZE 0x10u
#define MSIX_ENTRY_LIST(R)                                                                  \
	R(MSIX_ADDRESS_LOW, 0x00, 4, 2, 30, REG_RW, 0, "message address", "7.7.2.5")        \
	R(MSIX_ADDRESS_HIGH, 0x04, 4, 0, 32, REG_RW, 0, "message upper address", "7.7.2.6") \
	R(MSIX_DATA, 0x08, 4, 0, 32, REG_RW, 0, "message data", "7.7.2.7")                  \
	R(MSIX_VECTOR_MASK, 0x0c, 4, 0, 1, REG_RW, 1, "mask bit", "7.7.2.8")

/* Power management (PCI PM 1.2, 3.2): read where a real device has it. */
#define PM_SIZE 0x08u
#define PM_LIST(R)                                                          \
	R(PM_CAP_ID, 0x00, 1, 0, 8, REG_RO, 0x01, "capability id", "3.2.1") \
	R(PM_POWER_STATE, 0x04, 2, 0, 2, REG_RW, 0, "power state", "3.2.4")

#define DSN_SIZE 0x0cu
#define DSN_LIST(R)                                                                      \
	R(DSN_CAP_ID, 0x00, 4, 0, 16, REG_RO, PCI_EXT_CAP_DSN, "extended capability id", \
	  "7.9.3.1")                                                                     \
	R(DSN_CAP_VERSION, 0x00, 4, 16, 4, REG_RO, 1, "capability version", "7.9.3.1")   \
	R(DSN_CAP_NEXT, 0x00, 4, 20, 12, REG_RO, 0, "next capability", "7.9.3.1")        \
	R(DSN_LOW, 0x04, 4, 0, 32, REG_RO, 0, "serial number low", "7.9.3.2")            \
	R(DSN_HIGH, 0x08, 4, 0, 32, REG_RO, 0, "serial number high", "7.9.3.2")

/* Address Translation Services: read where a real device has it. */
#define ATS_SIZE 0x08u
#define ATS_LIST(R)                                                                      \
	R(ATS_CAP_ID, 0x00, 4, 0, 16, REG_RO, PCI_EXT_CAP_ATS, "extended capability id", \
	  "10.5.1.1")                                                                    \
	R(ATS_ENABLE, 0x06, 2, 15, 1, REG_RW, 0, "ATS enable", "10.5.1.3")

/* clang-format off */
enum pci_header_row { PCI_HEADER_LIST(REG_ID) PCI_HEADER_ROWS };
enum pci_bridge_row { PCI_BRIDGE_LIST(REG_ID) PCI_BRIDGE_ROWS };
enum pci_bar_row { PCI_BAR_LIST(REG_ID) PCI_BAR_ROWS };
enum pci_capability_row { PCI_CAPABILITY_LIST(REG_ID) PCI_CAPABILITY_ROWS };
enum pcie_row { PCIE_LIST(REG_ID) PCIE_ROWS };
enum pm_row { PM_LIST(REG_ID) PM_ROWS };
enum msix_row { MSIX_LIST(REG_ID) MSIX_ROWS };
enum msix_entry_row { MSIX_ENTRY_LIST(REG_ID) MSIX_ENTRY_ROWS };
enum dsn_row { DSN_LIST(REG_ID) DSN_ROWS };
enum ats_row { ATS_LIST(REG_ID) ATS_ROWS };
/* clang-format on */

extern const struct reg_table pci_header_table;
extern const struct reg_table pci_bridge_table;
extern const struct reg_table pci_bar_table;
extern const struct reg_table pci_capability_table;
extern const struct reg_table pcie_table;
extern const struct reg_table pm_table;
extern const struct reg_table msix_table;
extern const struct reg_table msix_entry_table;
extern const struct reg_table dsn_table;
extern const struct reg_table ats_table;

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The CXL DVSECs in PCI extended config space (CXL 3.1, 8.1), each from its own header on. Reset
 * values are those of a device or port of cxlvm; what depends on the device is set after reset.
 */
#ifndef CXLVM_REGS_DVSEC_H
#define CXLVM_REGS_DVSEC_H

#include "regs/regs.h"

#define PCI_EXT_CAP_DVSEC 0x0023u
#define CXL_VENDOR_ID     0x1e98u

#define DVSEC_ID_DEVICE           0u
#define DVSEC_ID_PORT_EXTENSIONS  3u
#define DVSEC_ID_GPF_PORT         4u
#define DVSEC_ID_GPF_DEVICE       5u
#define DVSEC_ID_FLEX_BUS         7u
#define DVSEC_ID_REGISTER_LOCATOR 8u

#define DVSEC_HEADER_LIST(R)                                                                 \
	R(DVSEC_CAP_ID, 0x00, 4, 0, 16, REG_RO, PCI_EXT_CAP_DVSEC, "extended capability id", \
	  "8.1.1")                                                                           \
	R(DVSEC_CAP_VERSION, 0x00, 4, 16, 4, REG_RO, 1, "capability version", "8.1.1")       \
	R(DVSEC_CAP_NEXT, 0x00, 4, 20, 12, REG_RO, 0, "next capability", "8.1.1")            \
	R(DVSEC_VENDOR, 0x04, 4, 0, 16, REG_RO, CXL_VENDOR_ID, "DVSEC vendor", "8.1.1")      \
	R(DVSEC_REVISION, 0x04, 4, 16, 4, REG_RO, 0, "DVSEC revision", "8.1.1")              \
	R(DVSEC_LENGTH, 0x04, 4, 20, 12, REG_RO, 0, "DVSEC length", "8.1.1")                 \
	R(DVSEC_ID, 0x08, 2, 0, 16, REG_RO, 0, "DVSEC id", "8.1.1")

#define DVSEC_DEVICE_SIZE 0x3cu
#define DVSEC_DEVICE_LIST(R)                                                                       \
	R(CXLDEV_CACHE_CAPABLE, 0x0a, 2, 0, 1, REG_RO, 1, "Cache_Capable", "8.1.3.1")              \
	R(CXLDEV_IO_CAPABLE, 0x0a, 2, 1, 1, REG_RO, 1, "IO_Capable", "8.1.3.1")                    \
	R(CXLDEV_MEM_CAPABLE, 0x0a, 2, 2, 1, REG_RO, 1, "Mem_Capable", "8.1.3.1")                  \
	R(CXLDEV_MEM_HW_INIT, 0x0a, 2, 3, 1, REG_RO, 1, "Mem_HwInit_Mode", "8.1.3.1")              \
	R(CXLDEV_HDM_COUNT, 0x0a, 2, 4, 2, REG_RO, 1, "HDM_Count", "8.1.3.1")                      \
	R(CXLDEV_WRITEBACK_CAPABLE, 0x0a, 2, 6, 1, REG_RO, 0, "Cache_Writeback_Capable",           \
	  "8.1.3.1")                                                                               \
	R(CXLDEV_RESET_CAPABLE, 0x0a, 2, 7, 1, REG_RO, 0, "CXL_Reset_Capable", "8.1.3.1")          \
	R(CXLDEV_RESET_TIMEOUT, 0x0a, 2, 8, 3, REG_RO, 0, "CXL_Reset_Timeout", "8.1.3.1")          \
	R(CXLDEV_RESET_CLEARS, 0x0a, 2, 11, 1, REG_RO, 0, "CXL_Reset_Mem_Clr_Capable", "8.1.3.1")  \
	R(CXLDEV_MLD, 0x0a, 2, 13, 1, REG_RO, 0, "Multiple_Logical_Device", "8.1.3.1")             \
	R(CXLDEV_VIRAL_CAPABLE, 0x0a, 2, 14, 1, REG_RO, 0, "Viral_Capable", "8.1.3.1")             \
	R(CXLDEV_PM_REPORT, 0x0a, 2, 15, 1, REG_RO, 0, "PM_Init_Completion_Reporting_Capable",     \
	  "8.1.3.1")                                                                               \
	R(CXLDEV_CACHE_ENABLE, 0x0c, 2, 0, 1, REG_RWL, 0, "Cache_Enable", "8.1.3.2")               \
	R(CXLDEV_IO_ENABLE, 0x0c, 2, 1, 1, REG_RO, 1, "IO_Enable", "8.1.3.2")                      \
	R(CXLDEV_MEM_ENABLE, 0x0c, 2, 2, 1, REG_RWL, 1, "Mem_Enable", "8.1.3.2")                   \
	R(CXLDEV_SNOOP_COVERAGE, 0x0c, 2, 3, 5, REG_RWL, 0, "Cache_SF_Coverage", "8.1.3.2")        \
	R(CXLDEV_SNOOP_GRANULARITY, 0x0c, 2, 8, 3, REG_RWL, 0, "Cache_SF_Granularity", "8.1.3.2")  \
	R(CXLDEV_CLEAN_EVICTION, 0x0c, 2, 11, 1, REG_RWL, 0, "Cache_Clean_Eviction", "8.1.3.2")    \
	R(CXLDEV_VIRAL_ENABLE, 0x0c, 2, 14, 1, REG_RWL, 0, "Viral_Enable", "8.1.3.2")              \
	R(CXLDEV_VIRAL_STATUS, 0x0e, 2, 14, 1, REG_RW1C, 0, "Viral_Status", "8.1.3.3")             \
	R(CXLDEV_DISABLE_CACHING, 0x10, 2, 0, 1, REG_RW, 0, "Disable_Caching", "8.1.3.4")          \
	R(CXLDEV_INITIATE_WB, 0x10, 2, 1, 1, REG_RO, 0, "Initiate_Cache_Writeback_Invalidation",   \
	  "8.1.3.4")                                                                               \
	R(CXLDEV_INITIATE_RESET, 0x10, 2, 2, 1, REG_RO, 0, "Initiate_CXL_Reset", "8.1.3.4")        \
	R(CXLDEV_MEM_CLEAR_ENABLE, 0x10, 2, 3, 1, REG_RW, 0, "CXL_Reset_Mem_Clr_Enable",           \
	  "8.1.3.4")                                                                               \
	R(CXLDEV_CACHE_INVALID, 0x12, 2, 0, 1, REG_RO, 0, "Cache_Invalid", "8.1.3.5")              \
	R(CXLDEV_RESET_COMPLETE, 0x12, 2, 1, 1, REG_RO, 0, "CXL_Reset_Complete", "8.1.3.5")        \
	R(CXLDEV_RESET_ERROR, 0x12, 2, 2, 1, REG_RO, 0, "CXL_Reset_Error", "8.1.3.5")              \
	R(CXLDEV_PM_COMPLETE, 0x12, 2, 15, 1, REG_RO, 0, "Power_Management_Initialization",        \
	  "8.1.3.5")                                                                               \
	R(CXLDEV_CONFIG_LOCK, 0x14, 2, 0, 1, REG_RWO, 0, "CONFIG_LOCK", "8.1.3.6")                 \
	R(CXLDEV_CACHE_UNIT, 0x16, 2, 0, 4, REG_RO, 0, "cache size unit", "8.1.3.7")               \
	R(CXLDEV_CACHE_SIZE, 0x16, 2, 8, 8, REG_RO, 0, "cache size", "8.1.3.7")                    \
	R(CXLDEV_RANGE1_SIZE_HIGH, 0x18, 4, 0, 32, REG_RO, 0, "range 1 size high", "8.1.3.8.1")    \
	R(CXLDEV_RANGE1_VALID, 0x1c, 4, 0, 1, REG_RO, 1, "Memory_Info_Valid", "8.1.3.8.2")         \
	R(CXLDEV_RANGE1_ACTIVE, 0x1c, 4, 1, 1, REG_RO, 1, "Memory_Active", "8.1.3.8.2")            \
	R(CXLDEV_RANGE1_MEDIA, 0x1c, 4, 2, 3, REG_RO, 0, "range 1 media type", "8.1.3.8.2")        \
	R(CXLDEV_RANGE1_CLASS, 0x1c, 4, 5, 3, REG_RO, 0, "range 1 memory class", "8.1.3.8.2")      \
	R(CXLDEV_RANGE1_INTERLEAVE, 0x1c, 4, 8, 5, REG_RO, 0, "range 1 desired interleave",        \
	  "8.1.3.8.2")                                                                             \
	R(CXLDEV_RANGE1_TIMEOUT, 0x1c, 4, 13, 3, REG_RO, 0, "range 1 active timeout", "8.1.3.8.2") \
	R(CXLDEV_RANGE1_SIZE_LOW, 0x1c, 4, 28, 4, REG_RO, 0, "range 1 size low", "8.1.3.8.2")      \
	R(CXLDEV_RANGE1_BASE_HIGH, 0x20, 4, 0, 32, REG_RWL, 0, "range 1 base high", "8.1.3.8.3")   \
	R(CXLDEV_RANGE1_BASE_LOW, 0x24, 4, 28, 4, REG_RWL, 0, "range 1 base low", "8.1.3.8.4")     \
	R(CXLDEV_RANGE2_SIZE_HIGH, 0x28, 4, 0, 32, REG_RO, 0, "range 2 size high", "8.1.3.8.5")    \
	R(CXLDEV_RANGE2_SIZE_LOW, 0x2c, 4, 0, 32, REG_RO, 0, "range 2 size low", "8.1.3.8.6")      \
	R(CXLDEV_RANGE2_BASE_HIGH, 0x30, 4, 0, 32, REG_RO, 0, "range 2 base high", "8.1.3.8.7")    \
	R(CXLDEV_RANGE2_BASE_LOW, 0x34, 4, 0, 32, REG_RO, 0, "range 2 base low", "8.1.3.8.8")      \
	R(CXLDEV_CAPABILITY3, 0x38, 2, 0, 16, REG_RO, 0, "capability 3", "8.1.3.9")

#define DVSEC_PORT_SIZE 0x28u
#define DVSEC_PORT_LIST(R)                                                                         \
	R(CXLPORT_PM_COMPLETE, 0x0a, 2, 0, 1, REG_RO, 1, "PM init complete", "8.1.5.1")            \
	R(CXLPORT_UNMASK_SBR, 0x0c, 2, 0, 1, REG_RW, 0, "unmask SBR", "8.1.5.2")                   \
	R(CXLPORT_UNMASK_LINK_DISABLE, 0x0c, 2, 1, 1, REG_RW, 0, "unmask link disable", "8.1.5.2") \
	R(CXLPORT_ALT_MEMORY, 0x0c, 2, 2, 1, REG_RW, 0, "alt memory and id space", "8.1.5.2")      \
	R(CXLPORT_ALT_BME, 0x0c, 2, 3, 1, REG_RW, 0, "alt bus master enable", "8.1.5.2")           \
	R(CXLPORT_VIRAL_ENABLE, 0x0c, 2, 14, 1, REG_RW, 0, "viral enable", "8.1.5.2")              \
	R(CXLPORT_ALT_BUS_BASE, 0x0e, 1, 0, 8, REG_RW, 0, "alt bus base", "8.1.5.3")               \
	R(CXLPORT_ALT_BUS_LIMIT, 0x0f, 1, 0, 8, REG_RW, 0, "alt bus limit", "8.1.5.4")             \
	R(CXLPORT_ALT_MEM_BASE, 0x10, 2, 0, 16, REG_RO, 0, "alt memory base", "8.1.5.5")           \
	R(CXLPORT_ALT_MEM_LIMIT, 0x12, 2, 0, 16, REG_RO, 0, "alt memory limit", "8.1.5.6")         \
	R(CXLPORT_ALT_PF_BASE, 0x14, 2, 0, 16, REG_RO, 0, "alt prefetchable base", "8.1.5.7")      \
	R(CXLPORT_ALT_PF_LIMIT, 0x16, 2, 0, 16, REG_RO, 0, "alt prefetchable limit", "8.1.5.8")    \
	R(CXLPORT_ALT_PF_BASE_HIGH, 0x18, 4, 0, 32, REG_RO, 0, "alt prefetchable base high",       \
	  "8.1.5.9")                                                                               \
	R(CXLPORT_ALT_PF_LIMIT_HIGH, 0x1c, 4, 0, 32, REG_RO, 0, "alt prefetchable limit high",     \
	  "8.1.5.10")                                                                              \
	R(CXLPORT_RCRB_ENABLE, 0x20, 4, 0, 1, REG_RO, 0, "RCRB enable", "8.1.5.11")                \
	R(CXLPORT_RCRB_BASE, 0x20, 4, 13, 19, REG_RO, 0, "RCRB base", "8.1.5.11")                  \
	R(CXLPORT_RCRB_BASE_HIGH, 0x24, 4, 0, 32, REG_RO, 0, "RCRB base high", "8.1.5.12")

#define DVSEC_GPF_SIZE 0x10u
#define DVSEC_GPF_PORT_LIST(R)                                                                \
	R(GPFPORT_PHASE1_TIMEOUT, 0x0c, 2, 0, 4, REG_RW, 0, "phase 1 timeout", "8.1.6.1")     \
	R(GPFPORT_PHASE1_SCALE, 0x0c, 2, 8, 4, REG_RW, 0, "phase 1 timeout scale", "8.1.6.1") \
	R(GPFPORT_PHASE2_TIMEOUT, 0x0e, 2, 0, 4, REG_RW, 0, "phase 2 timeout", "8.1.6.2")     \
	R(GPFPORT_PHASE2_SCALE, 0x0e, 2, 8, 4, REG_RW, 0, "phase 2 timeout scale", "8.1.6.2")

#define DVSEC_GPF_DEVICE_LIST(R)                                                              \
	R(GPFDEV_PHASE2_TIME, 0x0a, 2, 0, 4, REG_RO, 0, "phase 2 duration", "8.1.7.1")        \
	R(GPFDEV_PHASE2_SCALE, 0x0a, 2, 8, 4, REG_RO, 0, "phase 2 duration scale", "8.1.7.1") \
	R(GPFDEV_PHASE2_POWER, 0x0c, 4, 0, 32, REG_RO, 0, "phase 2 power (mW)", "8.1.7.2")

#define DVSEC_FLEX_BUS_SIZE 0x20u
#define DVSEC_FLEX_BUS_LIST(R)                                                           \
	R(FLEXBUS_CAPABILITY, 0x0a, 2, 0, 16, REG_RO, 0x0027, "capability", "8.2.1.3.1") \
	R(FLEXBUS_CONTROL, 0x0c, 2, 0, 16, REG_RO, 0x0027, "control", "8.2.1.3.2")       \
	R(FLEXBUS_STATUS, 0x0e, 2, 0, 16, REG_RO, 0x0027, "status", "8.2.1.3.3")         \
	R(FLEXBUS_TRAINING, 0x10, 4, 0, 24, REG_RO, 0xef, "received modified TS data",   \
	  "8.2.1.3.4")                                                                   \
	R(FLEXBUS_CAPABILITY2, 0x14, 4, 0, 32, REG_RO, 0, "capability 2", "8.2.1.3.5")   \
	R(FLEXBUS_CONTROL2, 0x18, 4, 0, 32, REG_RO, 0, "control 2", "8.2.1.3.6")         \
	R(FLEXBUS_STATUS2, 0x1c, 4, 0, 32, REG_RO, 0, "status 2", "8.2.1.3.7")

#define DVSEC_LOCATOR_ENTRY     0x0cu /* the first entry */
#define DVSEC_LOCATOR_SIZE(n)   (DVSEC_LOCATOR_ENTRY + 8u * (n))
#define LOCATOR_BLOCK_COMPONENT 1u
#define DVSEC_LOCATOR_LIST(R)                                                                   \
	R(LOCATOR_BAR, 0x0c, 4, 0, 3, REG_RO, 0, "register BIR", "8.1.9.1")                     \
	R(LOCATOR_BLOCK_ID, 0x0c, 4, 8, 8, REG_RO, LOCATOR_BLOCK_COMPONENT, "block identifier", \
	  "8.1.9.1")                                                                            \
	R(LOCATOR_OFFSET_LOW, 0x0c, 4, 16, 16, REG_RO, 0, "block offset low", "8.1.9.1")        \
	R(LOCATOR_OFFSET_HIGH, 0x10, 4, 0, 32, REG_RO, 0, "block offset high", "8.1.9.2")

/* clang-format off */
enum dvsec_header_row { DVSEC_HEADER_LIST(REG_ID) DVSEC_HEADER_ROWS };
enum dvsec_device_row { DVSEC_DEVICE_LIST(REG_ID) DVSEC_DEVICE_ROWS };
enum dvsec_port_row { DVSEC_PORT_LIST(REG_ID) DVSEC_PORT_ROWS };
enum dvsec_gpf_port_row { DVSEC_GPF_PORT_LIST(REG_ID) DVSEC_GPF_PORT_ROWS };
enum dvsec_gpf_device_row { DVSEC_GPF_DEVICE_LIST(REG_ID) DVSEC_GPF_DEVICE_ROWS };
enum dvsec_flex_bus_row { DVSEC_FLEX_BUS_LIST(REG_ID) DVSEC_FLEX_BUS_ROWS };
enum dvsec_locator_row { DVSEC_LOCATOR_LIST(REG_ID) DVSEC_LOCATOR_ROWS };

enum dvsec_device_at { DVSEC_DEVICE_LIST(REG_AT) };
/* clang-format on */

extern const struct reg_table dvsec_header_table;
extern const struct reg_table dvsec_device_table;
extern const struct reg_table dvsec_port_table;
extern const struct reg_table dvsec_gpf_port_table;
extern const struct reg_table dvsec_gpf_device_table;
extern const struct reg_table dvsec_flex_bus_table;
extern const struct reg_table dvsec_locator_table;

/* One DVSEC of a function: what and where. A list ends with table NULL. */
struct dvsec {
	const struct reg_table *table;
	uint16_t id;
	uint8_t revision;
	uint16_t base; /* in config space */
	uint16_t next; /* of the last one in the list: what follows, 0 for nothing */
};

/* Reset every DVSEC of the list, headers and the chain of next pointers included. */
void dvsec_list_reset(const struct dvsec *list, uint32_t *config);

/* A guest write to extended config space, by the rules of all tables of the list. */
void dvsec_list_write(const struct dvsec *list, uint32_t *config, uint32_t offset,
		      unsigned int length, uint32_t value);

#endif

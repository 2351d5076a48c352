/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fadt.c - Fixed ACPI Description Table, revision 6 (ACPI 6.5, 5.2.9)
 *
 * Full ACPI, not hardware-reduced: that one has no ISA interrupts, and the serial console would
 * look dead. There is no SMI command port (ACPI is on from the start), no timer, no events.
 */
#include <stddef.h>
#include <string.h>

#include "layout.h"
#include "tables.h"

/* Generic address structure (5.2.3.2). */
struct gas {
	uint8_t space;
	uint8_t bit_width;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));

#define GAS_SPACE_IO    1
#define GAS_ACCESS_BYTE 1
#define GAS_ACCESS_WORD 2

struct fadt {
	struct acpi_header header;
	uint32_t firmware_ctrl;
	uint32_t dsdt;
	uint8_t reserved1;
	uint8_t preferred_pm_profile;
	uint16_t sci_int;
	uint32_t smi_cmd;
	uint8_t acpi_enable;
	uint8_t acpi_disable;
	uint8_t s4bios_req;
	uint8_t pstate_cnt;
	uint32_t pm1a_evt_blk;
	uint32_t pm1b_evt_blk;
	uint32_t pm1a_cnt_blk;
	uint32_t pm1b_cnt_blk;
	uint32_t pm2_cnt_blk;
	uint32_t pm_tmr_blk;
	uint32_t gpe0_blk;
	uint32_t gpe1_blk;
	uint8_t pm1_evt_len;
	uint8_t pm1_cnt_len;
	uint8_t pm2_cnt_len;
	uint8_t pm_tmr_len;
	uint8_t gpe0_blk_len;
	uint8_t gpe1_blk_len;
	uint8_t gpe1_base;
	uint8_t cst_cnt;
	uint16_t p_lvl2_lat;
	uint16_t p_lvl3_lat;
	uint16_t flush_size;
	uint16_t flush_stride;
	uint8_t duty_offset;
	uint8_t duty_width;
	uint8_t day_alrm;
	uint8_t mon_alrm;
	uint8_t century;
	uint16_t iapc_boot_arch;
	uint8_t reserved2;
	uint32_t flags;
	struct gas reset_reg;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_version;
	uint64_t x_firmware_ctrl;
	uint64_t x_dsdt;
	struct gas x_pm1a_evt_blk;
	struct gas x_pm1b_evt_blk;
	struct gas x_pm1a_cnt_blk;
	struct gas x_pm1b_cnt_blk;
	struct gas x_pm2_cnt_blk;
	struct gas x_pm_tmr_blk;
	struct gas x_gpe0_blk;
	struct gas x_gpe1_blk;
	struct gas sleep_control_reg;
	struct gas sleep_status_reg;
	char hypervisor_vendor[8];
} __attribute__((packed));

/* ACPI 6.5, table 5.9. */
_Static_assert(sizeof(struct gas) == 12, "ACPI 6.5, table 5.1");
_Static_assert(offsetof(struct fadt, dsdt) == 40, "DSDT");
_Static_assert(offsetof(struct fadt, sci_int) == 46, "SCI_INT");
_Static_assert(offsetof(struct fadt, pm1a_evt_blk) == 56, "PM1a_EVT_BLK");
_Static_assert(offsetof(struct fadt, pm1a_cnt_blk) == 64, "PM1a_CNT_BLK");
_Static_assert(offsetof(struct fadt, pm1_evt_len) == 88, "PM1_EVT_LEN");
_Static_assert(offsetof(struct fadt, p_lvl2_lat) == 96, "P_LVL2_LAT");
_Static_assert(offsetof(struct fadt, iapc_boot_arch) == 109, "IAPC_BOOT_ARCH");
_Static_assert(offsetof(struct fadt, flags) == 112, "Flags");
_Static_assert(offsetof(struct fadt, reset_reg) == 116, "RESET_REG");
_Static_assert(offsetof(struct fadt, reset_value) == 128, "RESET_VALUE");
_Static_assert(offsetof(struct fadt, minor_version) == 131, "FADT Minor Version");
_Static_assert(offsetof(struct fadt, x_dsdt) == 140, "X_DSDT");
_Static_assert(offsetof(struct fadt, x_pm1a_evt_blk) == 148, "X_PM1a_EVT_BLK");
_Static_assert(offsetof(struct fadt, x_pm1a_cnt_blk) == 172, "X_PM1a_CNT_BLK");
_Static_assert(offsetof(struct fadt, hypervisor_vendor) == 268, "Hypervisor Vendor Identity");
_Static_assert(sizeof(struct fadt) == 276, "length of revision 6");

#define REVISION_MAJOR 6
#define REVISION_MINOR 4

#define PROFILE_ENTERPRISE_SERVER 4

/* IAPC_BOOT_ARCH: the serial port is there, a keyboard controller (bit 1) is not. */
#define BOOT_LEGACY_DEVICES (1u << 0)
#define BOOT_NO_VGA         (1u << 2)
#define BOOT_NO_CMOS_RTC    (1u << 5)

#define FLAG_WBINVD       (1u << 0)
#define FLAG_NO_POWER_BTN (1u << 4) /* no fixed one */
#define FLAG_NO_SLEEP_BTN (1u << 5)
#define FLAG_RESET_REG    (1u << 10)

#define PM1_EVT_BYTES 4
#define PM1_CNT_BYTES 2
#define NO_C_STATE    0xfff /* C2 above 100, C3 above 1000 us: not supported */

static struct gas io_register(uint16_t port, uint8_t bits, uint8_t access_size)
{
	return (struct gas){
		.space = GAS_SPACE_IO,
		.bit_width = bits,
		.access_size = access_size,
		.address = port,
	};
}

size_t acpi_fadt(void *buf, size_t len, struct cxlvm_gpa dsdt)
{
	struct fadt fadt = {
		.dsdt = (uint32_t)dsdt.value,
		.preferred_pm_profile = PROFILE_ENTERPRISE_SERVER,
		.sci_int = LAYOUT_SCI_IRQ,
		.pm1a_evt_blk = LAYOUT_PORT_PM1_EVT,
		.pm1a_cnt_blk = LAYOUT_PORT_PM1_CNT,
		.pm1_evt_len = PM1_EVT_BYTES,
		.pm1_cnt_len = PM1_CNT_BYTES,
		.p_lvl2_lat = NO_C_STATE,
		.p_lvl3_lat = NO_C_STATE,
		.iapc_boot_arch = BOOT_LEGACY_DEVICES | BOOT_NO_VGA | BOOT_NO_CMOS_RTC,
		.flags = FLAG_WBINVD | FLAG_NO_POWER_BTN | FLAG_NO_SLEEP_BTN | FLAG_RESET_REG,
		.reset_reg = io_register(LAYOUT_PORT_RESET, 8, GAS_ACCESS_BYTE),
		.reset_value = LAYOUT_RESET_VALUE,
		.minor_version = REVISION_MINOR,
		.x_dsdt = dsdt.value,
		.x_pm1a_evt_blk =
			io_register(LAYOUT_PORT_PM1_EVT, 8 * PM1_EVT_BYTES, GAS_ACCESS_WORD),
		.x_pm1a_cnt_blk =
			io_register(LAYOUT_PORT_PM1_CNT, 8 * PM1_CNT_BYTES, GAS_ACCESS_WORD),
		.hypervisor_vendor = { 'C', 'X', 'L', 'V', 'M', ' ', ' ', ' ' },
	};

	acpi_header_fill(&fadt.header, "FACP", REVISION_MAJOR, sizeof(fadt));
	if (len >= sizeof(fadt))
		memcpy(buf, &fadt, sizeof(fadt));
	return sizeof(fadt);
}

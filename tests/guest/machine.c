/* SPDX-License-Identifier: BSD-3-Clause */
/* machine.c - the machine as the guest finds it: ACPI tables, configuration space */
#include "guest.h"

/* boot_params (x86 boot protocol), hvm_start_info (PVH). */
#define PARAMS_RSDP    0x070u
#define PARAMS_CMDLINE 0x228u
#define PVH_CMDLINE    0x18u
#define PVH_RSDP       0x20u

#define ROOT_PORT       (1u << 15) /* device 1 of the bridge's first bus */
#define BUS_SHIFT       20
#define BUSES           8u
#define CXL_VENDOR      0x1e98u
#define DVSEC_DEVICE    0u
#define DVSEC_PORT      3u
#define COMPONENT_BLOCK 0x10000u /* in BAR 0 */

struct device devices[DEVICES_MAX];
unsigned int n_devices;
unsigned int n_cpus;
static u64 ecam;
static u64 rsdp;

u64 find_table(u32 signature)
{
	u64 xsdt = read64(rsdp + 24);
	u32 length = read32(xsdt + 4);

	for (u32 at = 36; at + 8 <= length; at += 8) {
		u64 table = (u64)read32(xsdt + at) | (u64)read32(xsdt + at + 4) << 32;

		if (read32(table) == signature)
			return table;
	}
	return 0;
}

/* CHBS (0): the bridge's block; CFMWS (1): its window. Devices in the order of the bridges. */
static void read_cedt(u64 cedt)
{
	u32 length = read32(cedt + 4);

	for (u32 at = 36; at + 4 <= length; at += read16(cedt + at + 2)) {
		u64 entry = cedt + at;

		if (read8(entry) == 0 && n_devices < DEVICES_MAX) {
			devices[n_devices++].bridge_block = read64(entry + 16);
		} else if (read8(entry) == 1) {
			u32 uid = read32(entry + 36);

			if (uid - 1 >= n_devices)
				continue;
			devices[uid - 1].window = read64(entry + 8);
			devices[uid - 1].window_size = read64(entry + 16);
		}
	}
}

static void read_madt(u64 madt)
{
	u32 length = read32(madt + 4);

	for (u32 at = 44; at + 2 <= length; at += read8(madt + at + 1))
		if (read8(madt + at) == 0 && read32(madt + at + 4) & 1)
			n_cpus++;
}

static u32 find_dvsec(u64 config, u32 id)
{
	u32 at = 0x100;

	while (at) {
		if ((read32(config + at) & 0xffff) == 0x23 &&
		    (read32(config + at + 4) & 0xffff) == CXL_VENDOR &&
		    (read32(config + at + 8) & 0xffff) == id)
			return at;
		at = read32(config + at) >> 20;
	}
	return 0;
}

static u32 find_capability(u64 config, u8 id)
{
	u8 at = read8(config + 0x34);

	while (at && read8(config + at) != id)
		at = read8(config + at + 1u);
	return at;
}

/* The HDM decoder capability in a component block. */
static u64 find_hdm(u64 block)
{
	u64 array = block + 0x1000;
	u32 n = read32(array) >> 24;

	for (u32 i = 1; i <= n; i++)
		if ((read32(array + 4 * i) & 0xffff) == 5)
			return array + (read32(array + 4 * i) >> 20);
	return 0;
}

void find_device(struct device *d)
{
	for (unsigned int i = 0; i < 6; i++) {
		u32 low = d->bar_registers[i] = read32(d->config + 0x10 + 4 * i);

		d->bars[i] = low & ~0xfu;
		if ((low & 7) == 4) {
			d->bar_registers[i + 1] = read32(d->config + 0x14 + 4 * i);
			d->bars[i] |= (u64)d->bar_registers[i + 1] << 32;
			i++;
		}
	}
	d->command = read16(d->config + 4);
	d->dvsec = find_dvsec(d->config, DVSEC_DEVICE);
	d->pcie = find_capability(d->config, 0x10);
	d->msix = find_capability(d->config, 0x11);
	d->port_pcie = find_capability(d->port, 0x10);
	d->port_dvsec = find_dvsec(d->port, DVSEC_PORT);
	d->hdm = find_hdm(d->bars[0] + COMPONENT_BLOCK);
	d->bridge_hdm = find_hdm(d->bridge_block);
}

void restore_device(const struct device *d)
{
	for (unsigned int i = 0; i < 6; i++)
		write32(d->config + 0x10 + 4 * i, d->bar_registers[i]);
	write16(d->config + 4, (u16)d->command);
}

/* The address of the command line. */
u64 find_machine(bool pvh, u64 info)
{
	u64 mcfg, cedt;

	rsdp = read64(info + (pvh ? PVH_RSDP : PARAMS_RSDP));
	mcfg = find_table(0x4746434d);
	cedt = find_table(0x54444543);
	ecam = (u64)read32(mcfg + 44) | (u64)read32(mcfg + 48) << 32;
	read_madt(find_table(0x43495041));
	if (cedt)
		read_cedt(cedt);
	for (unsigned int i = 0; i < n_devices; i++) {
		struct device *d = &devices[i];

		d->port = ecam + ((u64)(i * BUSES) << BUS_SHIFT) + ROOT_PORT;
		d->config = ecam + ((u64)read8(d->port + 0x19) << BUS_SHIFT);
		find_device(d);
	}
	return pvh ? read64(info + PVH_CMDLINE) : read32(info + PARAMS_CMDLINE);
}

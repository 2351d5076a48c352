/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - the machine's I/O ports: serial port, power management, reset
 *
 * Linux probes many others (0xCF8, 0x2E, 0x87 ...) although nothing announces them: all ones.
 */
#include <string.h>

#include "layout.h"
#include "util.h"
#include "vm.h"
#include "x86.h"

/* Bytes of struct arch.pm1. */
#define PM1_ENABLE  2u
#define PM1_CONTROL 4u
#define PM1_BYTES   6u

#define PM1_CONTROL_SCI_EN    0x0001u
#define PM1_CONTROL_SLP_TYP   0x1c00u
#define PM1_CONTROL_TYP_SHIFT 10
#define PM1_CONTROL_SLP_EN    0x2000u
#define PM1_CONTROL_KEPT      0x1fffu /* SLP_EN reads 0 */

#define RESET_NOW 0x04u

void ports_reset(struct arch *arch)
{
	memset(arch->pm1, 0, sizeof(arch->pm1));
	/* ACPI mode is on from the start: there is no SMI_CMD to switch it. */
	store_le(arch->pm1 + PM1_CONTROL, 2, PM1_CONTROL_SCI_EN);
}

static enum vcpu_exit pm1_write(struct arch *arch, unsigned int at, const void *data,
				unsigned int length)
{
	uint64_t control;

	pthread_mutex_lock(&arch->lock);
	/* Status bits are RW1C and never set. */
	for (unsigned int i = 0; i < length; i++) {
		if (at + i >= PM1_ENABLE)
			arch->pm1[at + i] = ((const uint8_t *)data)[i];
	}
	control = load_le(arch->pm1 + PM1_CONTROL, 2);
	store_le(arch->pm1 + PM1_CONTROL, 2, (control & PM1_CONTROL_KEPT) | PM1_CONTROL_SCI_EN);
	pthread_mutex_unlock(&arch->lock);
	if ((control & PM1_CONTROL_SLP_EN) &&
	    (control & PM1_CONTROL_SLP_TYP) >> PM1_CONTROL_TYP_SHIFT == LAYOUT_SLEEP_S5)
		return VCPU_POWER_OFF;
	return VCPU_CONTINUE;
}

enum vcpu_exit ports_access(struct arch *arch, uint16_t port, void *data, unsigned int length,
			    bool write)
{
	uint8_t *bytes = data;

	if (port >= LAYOUT_PORT_UART && port + length <= LAYOUT_PORT_UART + SERIAL_REGISTERS) {
		for (unsigned int i = 0; i < length; i++) {
			unsigned int reg = port - LAYOUT_PORT_UART + i;

			if (write)
				serial_write(&arch->serial, reg, bytes[i]);
			else
				bytes[i] = serial_read(&arch->serial, reg);
		}
		return VCPU_CONTINUE;
	}
	if (port >= LAYOUT_PORT_PM1_EVT && port + length <= LAYOUT_PORT_PM1_EVT + PM1_BYTES) {
		if (write)
			return pm1_write(arch, port - LAYOUT_PORT_PM1_EVT, data, length);
		pthread_mutex_lock(&arch->lock);
		memcpy(data, arch->pm1 + (port - LAYOUT_PORT_PM1_EVT), length);
		pthread_mutex_unlock(&arch->lock);
		return VCPU_CONTINUE;
	}
	if (port == LAYOUT_PORT_RESET && write)
		return bytes[0] & RESET_NOW ? VCPU_RESET : VCPU_CONTINUE;
#ifdef CXLVM_TEST_SWITCHES
	if (port == LAYOUT_PORT_DEBUG && write)
		return VCPU_DEBUG_EXIT;
#endif
	if (!write)
		memset(data, 0xff, length);
	return VCPU_CONTINUE;
}

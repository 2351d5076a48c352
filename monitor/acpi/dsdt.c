/* SPDX-License-Identifier: BSD-3-Clause */
/* dsdt.c - the namespace: power-off, serial port, ECAM, host bridges, the CXL root */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"
#include "pci/ecam.h"
#include "serial.h"
#include "tables.h"
#include "vm.h"

/* Revision 2: integers have 64 bits. */
#define REVISION 2

static void add_serial(struct cxlvm_aml *aml)
{
	struct cxlvm_aml_package device = cxlvm_aml_device(aml, "COM1");
	struct cxlvm_aml_resources resources;

	cxlvm_aml_name_eisaid(aml, "_HID", "PNP0501");
	cxlvm_aml_name_integer(aml, "_UID", 1);
	resources = cxlvm_aml_resources_begin(aml);
	cxlvm_aml_io_ports(aml, LAYOUT_PORT_UART, SERIAL_REGISTERS);
	cxlvm_aml_irq(aml, LAYOUT_UART_IRQ);
	cxlvm_aml_resources_end(aml, resources);
	cxlvm_aml_end(aml, device);
}

/* Claims configuration space, so that nobody else takes it (PCI Firmware 3.3, 4.1.2). */
static void add_ecam(struct cxlvm_aml *aml, const struct vm *vm)
{
	struct cxlvm_aml_package device = cxlvm_aml_device(aml, "ECAM");
	struct cxlvm_aml_resources resources;

	cxlvm_aml_name_eisaid(aml, "_HID", "PNP0C02");
	cxlvm_aml_name_integer(aml, "_UID", 1);
	resources = cxlvm_aml_resources_begin(aml);
	cxlvm_aml_memory_fixed(aml, LAYOUT_ECAM_BASE, (uint32_t)ecam_size(vm->n_bridges));
	cxlvm_aml_resources_end(aml, resources);
	cxlvm_aml_end(aml, device);
}

static int add_bridge(struct cxlvm_aml *aml, const struct vm *vm,
		      const struct pci_host_bridge *bridge, struct cxlvm_error *err)
{
	struct cxlvm_acpi_bridge description = {
		.cxl = bridge->cxl != NULL,
		.uid = bridge->uid,
		.bus_first = bridge->bus_first,
		.bus_last = bridge->bus_last,
		/* near the CPUs and RAM, which are in domain 0 */
		.has_domain = vm->config->numa,
		.mmio32 = bridge->mmio32,
		.mmio32_size = bridge->mmio32_size,
		.mmio64 = bridge->mmio64,
		.mmio64_size = bridge->mmio64_size,
	};

	snprintf(description.name, sizeof(description.name), "HB%02X", bridge->index & 0xffu);
	return cxlvm_acpi_bridge(aml, &description, err);
}

size_t acpi_dsdt(void *buf, size_t len, const struct vm *vm, struct cxlvm_error *err)
{
	static const uint64_t soft_off[] = { LAYOUT_SLEEP_S5, LAYOUT_SLEEP_S5, 0, 0 };
	struct acpi_header *header = buf;
	struct cxlvm_aml_package scope;
	struct cxlvm_aml aml;

	if (len < sizeof(*header)) {
		cxlvm_error_set(err, -ENOSPC, "no room for the DSDT");
		return 0;
	}
	cxlvm_aml_init(&aml, header + 1, len - sizeof(*header));
	cxlvm_aml_name_package(&aml, "_S5_", soft_off, ARRAY_SIZE(soft_off));
	scope = cxlvm_aml_scope(&aml, "\\_SB");
	add_serial(&aml);
	add_ecam(&aml, vm);
	for (unsigned int i = 0; i < vm->n_bridges; i++) {
		if (add_bridge(&aml, vm, &vm->bridges[i], err))
			return 0;
	}
	if (vm->n_devices)
		cxlvm_acpi_cxl_root(&aml);
	cxlvm_aml_end(&aml, scope);
	if (aml.overflow) {
		cxlvm_error_set(err, -ENOSPC, "the DSDT needs %zu bytes, there are %zu",
				sizeof(*header) + aml.pos, len);
		return 0;
	}
	acpi_header_fill(header, "DSDT", REVISION, sizeof(*header) + aml.pos);
	return sizeof(*header) + aml.pos;
}

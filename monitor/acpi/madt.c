/* SPDX-License-Identifier: BSD-3-Clause */
/* madt.c - Multiple APIC Description Table (ACPI 6.5, 5.2.12): CPUs, one IOAPIC */
#include <stddef.h>

#include "layout.h"
#include "tables.h"
#include "vm.h"

struct madt_local_apic {
	uint8_t type;
	uint8_t length;
	uint8_t processor_uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct madt_io_apic {
	uint8_t type;
	uint8_t length;
	uint8_t id;
	uint8_t reserved;
	uint32_t address;
	uint32_t gsi_base;
} __attribute__((packed));

struct madt_override {
	uint8_t type;
	uint8_t length;
	uint8_t bus;
	uint8_t source;
	uint32_t gsi;
	uint16_t flags;
} __attribute__((packed));

struct madt {
	struct acpi_header header;
	uint32_t local_apic_address;
	uint32_t flags;
	struct madt_io_apic io_apic;
	struct madt_override sci;
	struct madt_local_apic cpus[];
} __attribute__((packed));

_Static_assert(sizeof(struct madt_local_apic) == 8, "ACPI 6.5, table 5.21");
_Static_assert(sizeof(struct madt_io_apic) == 12, "ACPI 6.5, table 5.23");
_Static_assert(sizeof(struct madt_override) == 10, "ACPI 6.5, table 5.25");
_Static_assert(offsetof(struct madt, io_apic) == 44, "ACPI 6.5, table 5.19");

#define TYPE_LOCAL_APIC 0
#define TYPE_IO_APIC    1
#define TYPE_OVERRIDE   2

#define FLAG_PCAT_COMPAT       1u
#define LOCAL_APIC_ENABLED     1u
#define INTI_LEVEL_ACTIVE_HIGH 0x000du

size_t acpi_madt(void *buf, size_t len, const struct vm *vm)
{
	size_t size = sizeof(struct madt) + vm->n_vcpus * sizeof(struct madt_local_apic);
	struct madt *madt = buf;

	if (len < size)
		return size;
	*madt = (struct madt){
		.local_apic_address = LAYOUT_LAPIC,
		.flags = FLAG_PCAT_COMPAT,
		.io_apic = {
			.type = TYPE_IO_APIC,
			.length = sizeof(madt->io_apic),
			/* id: 0, what KVM's register says */
			.address = LAYOUT_IOAPIC,
		},
		.sci = {
			.type = TYPE_OVERRIDE,
			.length = sizeof(madt->sci),
			.source = LAYOUT_SCI_IRQ,
			.gsi = LAYOUT_SCI_IRQ,
			.flags = INTI_LEVEL_ACTIVE_HIGH,
		},
	};
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		madt->cpus[i] = (struct madt_local_apic){
			.type = TYPE_LOCAL_APIC,
			.length = sizeof(madt->cpus[i]),
			.processor_uid = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = LOCAL_APIC_ENABLED,
		};
	acpi_header_fill(&madt->header, "APIC", 5, size);
	return size;
}

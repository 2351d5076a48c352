/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables.h - the ACPI tables of the machine
 *
 * Built once, when all addresses are final, and copied into guest RAM at each system reset. What
 * CXL needs (CEDT, AML of the CXL objects) comes from libcxlvm; the rest is here.
 */
#ifndef MONITOR_ACPI_TABLES_H
#define MONITOR_ACPI_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include <cxlvm/acpi.h>
#include <cxlvm/base.h>

struct vm;

struct acpi_tables {
	uint8_t *data; /* what belongs at LAYOUT_TABLES_BASE */
	size_t size;
	struct cxlvm_gpa rsdp;
};

int acpi_tables_build(const struct vm *vm, struct acpi_tables *tables, struct cxlvm_error *err);
void acpi_tables_finish(struct acpi_tables *tables);

/* ACPI 6.5, 5.2.6: the head of every table but the RSDP. */
struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

extern const struct cxlvm_acpi_ids acpi_ids;

void acpi_header_fill(struct acpi_header *header, const char *signature, uint8_t revision,
		      size_t length);
/* Such that all length bytes, with the one at *checksum, add up to 0. */
void acpi_checksum(const void *table, size_t length, uint8_t *checksum);

/*
 * The single tables. Each writes at most len bytes and returns the size of the whole table, or
 * 0 with err set. Checksums are made by the caller.
 */
size_t acpi_fadt(void *buf, size_t len, struct cxlvm_gpa dsdt);
size_t acpi_madt(void *buf, size_t len, const struct vm *vm);
size_t acpi_srat(void *buf, size_t len, const struct vm *vm);
size_t acpi_mcfg(void *buf, size_t len, const struct vm *vm);
size_t acpi_dsdt(void *buf, size_t len, const struct vm *vm, struct cxlvm_error *err);

#endif

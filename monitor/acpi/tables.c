/* SPDX-License-Identifier: BSD-3-Clause */
/* tables.c - all ACPI tables, one after the other, and the RSDP that leads to them */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"
#include "tables.h"
#include "vm.h"

#define TABLE_ALIGN 64u
#define TABLES_MAX  5 /* that the XSDT lists */

const struct cxlvm_acpi_ids acpi_ids = {
	.oem_id = { 'C', 'X', 'L', 'V', 'M', ' ' },
	.oem_table_id = { 'C', 'X', 'L', 'V', 'M', 'R', 'U', 'N' },
	.creator_id = { 'C', 'X', 'L', 'V' },
	.oem_revision = 1,
	.creator_revision = 1,
};

/* ACPI 6.5, 5.2.5.3. */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt_address;
	uint32_t length;
	uint64_t xsdt_address;
	uint8_t extended_checksum;
	uint8_t reserved[3];
} __attribute__((packed));

#define RSDP_ACPI1_BYTES 20u

_Static_assert(sizeof(struct acpi_header) == 36, "ACPI 6.5, table 5.4");
_Static_assert(sizeof(struct acpi_rsdp) == 36, "ACPI 6.5, table 5.3");
_Static_assert(offsetof(struct acpi_rsdp, xsdt_address) == 24, "ACPI 6.5, table 5.3");

struct acpi_xsdt {
	struct acpi_header header;
	uint64_t entries[TABLES_MAX];
} __attribute__((packed));

void acpi_checksum(const void *table, size_t length, uint8_t *checksum)
{
	const uint8_t *bytes = table;
	uint8_t sum = 0;

	*checksum = 0;
	for (size_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + bytes[i]);
	*checksum = (uint8_t)-sum;
}

void acpi_header_fill(struct acpi_header *header, const char *signature, uint8_t revision,
		      size_t length)
{
	memcpy(header->signature, signature, sizeof(header->signature));
	header->length = (uint32_t)length;
	header->revision = revision;
	memcpy(header->oem_id, acpi_ids.oem_id, sizeof(header->oem_id));
	memcpy(header->oem_table_id, acpi_ids.oem_table_id, sizeof(header->oem_table_id));
	header->oem_revision = acpi_ids.oem_revision;
	memcpy(header->creator_id, acpi_ids.creator_id, sizeof(header->creator_id));
	header->creator_revision = acpi_ids.creator_revision;
}

/* The tables as they grow. */
struct builder {
	struct acpi_tables *tables;
	struct acpi_xsdt *xsdt;
	unsigned int n;
};

static uint8_t *room(const struct builder *b, size_t *len)
{
	*len = LAYOUT_TABLES_SIZE - b->tables->size;
	return b->tables->data + b->tables->size;
}

/* Keep the table of size bytes that was just written. Its address, 0 if it did not fit. */
static uint64_t keep(struct builder *b, size_t size)
{
	uint64_t address = LAYOUT_TABLES_BASE + b->tables->size;
	struct acpi_header *header;
	size_t len;

	header = (struct acpi_header *)room(b, &len);
	if (size > len)
		return 0;
	acpi_checksum(header, size, &header->checksum);
	b->tables->size = align_up(b->tables->size + size, TABLE_ALIGN);
	if (b->tables->size > LAYOUT_TABLES_SIZE)
		b->tables->size = LAYOUT_TABLES_SIZE;
	return address;
}

/* The same for a table that the XSDT lists. */
static bool list(struct builder *b, size_t size)
{
	uint64_t address = keep(b, size);

	if (address)
		b->xsdt->entries[b->n++] = address;
	return address;
}

static int build_cedt(struct builder *b, const struct vm *vm, struct cxlvm_error *err)
{
	size_t len, needed;
	uint8_t *at = room(b, &len);
	int code = cxlvm_cedt_build(vm->machine, &acpi_ids, at, len, &needed, err);

	if (code)
		return code;
	return list(b, needed) ? 0 : -ENOSPC;
}

static int build_tables(struct builder *b, const struct vm *vm, struct cxlvm_error *err)
{
	struct acpi_rsdp *rsdp = (struct acpi_rsdp *)b->tables->data;
	uint64_t dsdt;
	uint8_t *at;
	size_t len;
	size_t size;

	b->tables->rsdp.value = LAYOUT_TABLES_BASE;
	b->tables->size = align_up(sizeof(*rsdp), TABLE_ALIGN);
	b->xsdt = (struct acpi_xsdt *)room(b, &len);
	b->tables->size += align_up(sizeof(*b->xsdt), TABLE_ALIGN);

	at = room(b, &len);
	size = acpi_dsdt(at, len, vm, err);
	if (!size)
		return err->code;
	dsdt = keep(b, size);
	if (!dsdt)
		return -ENOSPC;

	at = room(b, &len);
	if (!list(b, acpi_fadt(at, len, (struct cxlvm_gpa){ dsdt })))
		return -ENOSPC;
	at = room(b, &len);
	if (!list(b, acpi_madt(at, len, vm)))
		return -ENOSPC;
	at = room(b, &len);
	if (!list(b, acpi_mcfg(at, len, vm)))
		return -ENOSPC;
	at = room(b, &len);
	if (vm->config->numa && !list(b, acpi_srat(at, len, vm)))
		return -ENOSPC;
	if (vm->n_devices) {
		int code = build_cedt(b, vm, err);

		if (code)
			return code;
	}

	size = sizeof(b->xsdt->header) + b->n * sizeof(b->xsdt->entries[0]);
	acpi_header_fill(&b->xsdt->header, "XSDT", 1, size);
	acpi_checksum(b->xsdt, size, &b->xsdt->header.checksum);

	memcpy(rsdp->signature, "RSD PTR ", sizeof(rsdp->signature));
	memcpy(rsdp->oem_id, acpi_ids.oem_id, sizeof(rsdp->oem_id));
	rsdp->revision = 2;
	rsdp->length = sizeof(*rsdp);
	rsdp->xsdt_address = LAYOUT_TABLES_BASE + (uint64_t)((uint8_t *)b->xsdt - b->tables->data);
	acpi_checksum(rsdp, RSDP_ACPI1_BYTES, &rsdp->checksum);
	acpi_checksum(rsdp, sizeof(*rsdp), &rsdp->extended_checksum);
	return 0;
}

int acpi_tables_build(const struct vm *vm, struct acpi_tables *tables, struct cxlvm_error *err)
{
	struct builder builder = { .tables = tables };
	struct cxlvm_error own = CXLVM_ERROR_INIT;
	struct cxlvm_error *where = err ? err : &own;
	int code;

	memset(tables, 0, sizeof(*tables));
	tables->data = calloc(1, LAYOUT_TABLES_SIZE);
	if (!tables->data)
		return cxlvm_error_set(where, -ENOMEM, "no memory for ACPI tables");
	code = build_tables(&builder, vm, where);
	if (code) {
		/* Says nothing where the cause has been said. */
		cxlvm_error_set(where, code, "ACPI tables do not fit into %u bytes",
				LAYOUT_TABLES_SIZE);
		acpi_tables_finish(tables);
	}
	return code;
}

void acpi_tables_finish(struct acpi_tables *tables)
{
	free(tables->data);
	memset(tables, 0, sizeof(*tables));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/acpi.h - what ACPI has to say about CXL: CEDT, and AML of host bridges
 *
 * Only the CXL part of the tables: a host that builds a namespace of its own (our monitor does)
 * puts the AML made here below \_SB and the CEDT next to its other tables. The bytes are made
 * from the stored values of a frozen machine (ACPI-4). The small AML writer behind it is public,
 * so that such a host needs no second one.
 *
 * Nothing here allocates. All functions may run on any thread.
 */
#ifndef CXLVM_ACPI_H
#define CXLVM_ACPI_H

#include <cxlvm/base.h>
#include <cxlvm/window.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Identification in table headers; all three are padded with spaces. */
struct cxlvm_acpi_ids {
	char oem_id[6];
	char oem_table_id[8];
	char creator_id[4];
	uint32_t oem_revision;
	uint32_t creator_revision;
};

/*
 * CEDT of a frozen machine: one CHBS per host bridge, one CFMWS per placed window (ACPI-1).
 * Writes at most len bytes to buf, stores the size of the whole table in *needed. -ENOSPC when
 * len is too small, -EAGAIN before freeze, -ENOENT for a window whose target is no host bridge
 * (ACPI-6). ids may be NULL.
 */
CXLVM_PUBLIC int cxlvm_cedt_build(const struct cxlvm_machine *machine,
				  const struct cxlvm_acpi_ids *ids, void *buf, size_t len,
				  size_t *needed, struct cxlvm_error *err);

/*
 * AML writer: appends to a buffer of the caller and remembers the first overflow; pos keeps
 * counting, so a second run with a buffer of pos bytes fits. Packages are closed in reverse order.
 */
struct cxlvm_aml {
	uint8_t *buf; /* may be NULL to measure */
	size_t len;   /* of buf */
	size_t pos;   /* bytes produced so far */
	bool overflow;
};

/* Start of a package whose length is not known yet: give it back to cxlvm_aml_end. */
struct cxlvm_aml_package {
	size_t start;
};

CXLVM_PUBLIC void cxlvm_aml_init(struct cxlvm_aml *aml, void *buf, size_t len);

/* Scope (path) { ... }: path as in ASL, for example "\\_SB". At most 2 segments. */
CXLVM_PUBLIC struct cxlvm_aml_package cxlvm_aml_scope(struct cxlvm_aml *aml, const char *path);
/* Device (name) { ... }: name has four characters. */
CXLVM_PUBLIC struct cxlvm_aml_package cxlvm_aml_device(struct cxlvm_aml *aml, const char *name);
/* Method (name, args) { ... } */
CXLVM_PUBLIC struct cxlvm_aml_package cxlvm_aml_method(struct cxlvm_aml *aml, const char *name,
						       unsigned int args);
CXLVM_PUBLIC void cxlvm_aml_end(struct cxlvm_aml *aml, struct cxlvm_aml_package package);

/* Name (name, value): an integer, a string, an EISA id ("PNP0A08"). */
CXLVM_PUBLIC void cxlvm_aml_name_integer(struct cxlvm_aml *aml, const char *name, uint64_t value);
CXLVM_PUBLIC void cxlvm_aml_name_string(struct cxlvm_aml *aml, const char *name, const char *value);
CXLVM_PUBLIC void cxlvm_aml_name_eisaid(struct cxlvm_aml *aml, const char *name, const char *id);
/* Name (name, Package () { ... }) of n integers or of n EISA ids. */
CXLVM_PUBLIC void cxlvm_aml_name_package(struct cxlvm_aml *aml, const char *name,
					 const uint64_t *values, size_t n);
CXLVM_PUBLIC void cxlvm_aml_name_eisaids(struct cxlvm_aml *aml, const char *name,
					 const char *const *ids, size_t n);

/* Name (_CRS, ResourceTemplate () { ... }): begin, descriptors, end. */
struct cxlvm_aml_resources {
	size_t start;
};

CXLVM_PUBLIC struct cxlvm_aml_resources cxlvm_aml_resources_begin(struct cxlvm_aml *aml);
CXLVM_PUBLIC void cxlvm_aml_resources_end(struct cxlvm_aml *aml, struct cxlvm_aml_resources res);
/* Bus numbers first to last. */
CXLVM_PUBLIC void cxlvm_aml_bus_numbers(struct cxlvm_aml *aml, uint8_t first, uint8_t last);
/* Memory that a bridge passes on; below 4 GiB a 32-bit descriptor, above a 64-bit one. */
CXLVM_PUBLIC void cxlvm_aml_memory_window(struct cxlvm_aml *aml, struct cxlvm_gpa base,
					  uint64_t size, bool prefetchable);
/* Memory that a device occupies below 4 GiB. */
CXLVM_PUBLIC void cxlvm_aml_memory_fixed(struct cxlvm_aml *aml, uint32_t base, uint32_t size);
CXLVM_PUBLIC void cxlvm_aml_io_ports(struct cxlvm_aml *aml, uint16_t base, uint8_t size);
CXLVM_PUBLIC void cxlvm_aml_irq(struct cxlvm_aml *aml, uint8_t irq);

/* A PCI Express or CXL host bridge in the namespace. */
struct cxlvm_acpi_bridge {
	bool cxl;          /* ACPI0016 with PNP0A08 and PNP0A03 in _CID, else PNP0A08 */
	char name[5];      /* of the Device, four characters */
	uint32_t uid;      /* integer _UID; for CXL the one in CHBS */
	uint16_t segment;  /* _SEG */
	uint8_t bus_first; /* also _BBN */
	uint8_t bus_last;
	bool has_domain; /* the machine has an SRAT, and the bridge is in a proximity domain of it... */
	uint32_t domain;         /* ...this one, as _PXM */
	struct cxlvm_gpa mmio32; /* window below 4 GiB, size 0: none */
	uint64_t mmio32_size;
	struct cxlvm_gpa mmio64; /* prefetchable window above 4 GiB, size 0: none */
	uint64_t mmio64_size;
};

/*
 * Append the Device object of a host bridge: identification, _CRS, _OSC (grants PME, AER and PCIe
 * capability control, and for CXL memory error reporting), _DSM function 5 returning 0 (ACPI-5).
 * -EINVAL for a bad name or a window on the wrong side of 4 GiB.
 */
CXLVM_PUBLIC int cxlvm_acpi_bridge(struct cxlvm_aml *aml, const struct cxlvm_acpi_bridge *bridge,
				   struct cxlvm_error *err);

/* Append the CXL root object (ACPI0017), one per machine with CXL host bridges. */
CXLVM_PUBLIC void cxlvm_acpi_cxl_root(struct cxlvm_aml *aml);

#ifdef __cplusplus
}
#endif

#endif

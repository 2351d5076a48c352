/* SPDX-License-Identifier: BSD-3-Clause */
/* mcfg.c - where configuration space is (PCI Firmware 3.3, 4.1.2) */
#include <string.h>

#include "layout.h"
#include "tables.h"
#include "vm.h"

struct mcfg {
	struct acpi_header header;
	uint64_t reserved1;
	uint64_t base;
	uint16_t segment;
	uint8_t bus_first;
	uint8_t bus_last;
	uint32_t reserved2;
} __attribute__((packed));

_Static_assert(offsetof(struct mcfg, base) == 44, "PCI Firmware 3.3, table 4-2");
_Static_assert(sizeof(struct mcfg) == 60, "PCI Firmware 3.3, table 4-3");

size_t acpi_mcfg(void *buf, size_t len, const struct vm *vm)
{
	struct mcfg mcfg = {
		.base = LAYOUT_ECAM_BASE,
		.bus_first = 0,
		.bus_last = vm->bridges[vm->n_bridges - 1].bus_last,
	};

	acpi_header_fill(&mcfg.header, "MCFG", 1, sizeof(mcfg));
	if (len >= sizeof(mcfg))
		memcpy(buf, &mcfg, sizeof(mcfg));
	return sizeof(mcfg);
}

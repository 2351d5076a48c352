/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * srat.c - System Resource Affinity Table (ACPI 6.5, 5.2.16): CPUs and RAM in domain 0, each CXL
 * window in one of its own
 */
#include <stddef.h>

#include "tables.h"
#include "vm.h"

struct srat_cpu {
	uint8_t type;
	uint8_t length;
	uint8_t domain_low;
	uint8_t apic_id;
	uint32_t flags;
	uint8_t sapic_eid;
	uint8_t domain_high[3];
	uint32_t clock_domain;
} __attribute__((packed));

struct srat_memory {
	uint8_t type;
	uint8_t length;
	uint32_t domain;
	uint16_t reserved1;
	uint64_t base;
	uint64_t size;
	uint32_t reserved2;
	uint32_t flags;
	uint64_t reserved3;
} __attribute__((packed));

struct srat {
	struct acpi_header header;
	uint32_t reserved1; /* must be 1 */
	uint64_t reserved2;
} __attribute__((packed));

_Static_assert(sizeof(struct srat) == 48, "ACPI 6.5, table 5.58");
_Static_assert(sizeof(struct srat_cpu) == 16, "ACPI 6.5, table 5.59");
_Static_assert(sizeof(struct srat_memory) == 40, "ACPI 6.5, table 5.60");
_Static_assert(offsetof(struct srat_memory, base) == 8, "ACPI 6.5, table 5.60");
_Static_assert(offsetof(struct srat_memory, flags) == 28, "ACPI 6.5, table 5.60");

#define TYPE_CPU    0
#define TYPE_MEMORY 1

#define ENABLED       1u
#define HOT_PLUGGABLE 2u /* no RAM of the memory map: it may become some */

static struct srat_memory memory(struct cxlvm_gpa base, uint64_t size, uint32_t domain,
				 uint32_t flags)
{
	return (struct srat_memory){
		.type = TYPE_MEMORY,
		.length = sizeof(struct srat_memory),
		.domain = domain,
		.base = base.value,
		.size = size,
		.flags = flags,
	};
}

size_t acpi_srat(void *buf, size_t len, const struct vm *vm)
{
	const struct cxlvm_window *window;
	struct srat *srat = buf;
	struct srat_cpu *cpus = (struct srat_cpu *)(srat + 1);
	struct srat_memory *ranges = (struct srat_memory *)(cpus + vm->n_vcpus);
	unsigned int n_windows = 0, n = 0;
	size_t size;

	while (cxlvm_machine_window(vm->machine, n_windows))
		n_windows++;
	size = sizeof(*srat) + vm->n_vcpus * sizeof(*cpus) +
	       (vm->ram.n_blocks + n_windows) * sizeof(*ranges);
	if (len < size)
		return size;
	*srat = (struct srat){ .reserved1 = 1 };
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		cpus[i] = (struct srat_cpu){
			.type = TYPE_CPU,
			.length = sizeof(cpus[i]),
			.apic_id = (uint8_t)i,
			.flags = ENABLED,
		};
	for (unsigned int i = 0; i < vm->ram.n_blocks; i++)
		ranges[n++] = memory(vm->ram.blocks[i].base, vm->ram.blocks[i].size, 0, ENABLED);
	for (unsigned int i = 0; (window = cxlvm_machine_window(vm->machine, i)); i++)
		ranges[n++] = memory(window->base, window->size, i + 1, ENABLED | HOT_PLUGGABLE);
	acpi_header_fill(&srat->header, "SRAT", 3, size);
	return size;
}

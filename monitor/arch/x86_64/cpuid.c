/* SPDX-License-Identifier: BSD-3-Clause */
/* cpuid.c - what the guest's CPUID says */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "kvm.h"
#include "x86.h"

#define LEAF_FEATURES      0x1u
#define LEAF_TOPOLOGY      0xbu
#define LEAF_TOPOLOGY_V2   0x1fu
#define LEAF_ADDRESS_SIZES 0x80000008u
#define LEAF_AMD_TOPOLOGY  0x8000001eu

#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)

/* Where a CPU does not say: what every 64-bit one has. */
#define PHYS_BITS_DEFAULT 36u

const struct kvm_cpuid_entry2 *cpuid_find(const union cpuid *cpuid, uint32_t function)
{
	for (uint32_t i = 0; i < cpuid->list.nent; i++) {
		if (cpuid->list.entries[i].function == function)
			return &cpuid->list.entries[i];
	}
	return NULL;
}

int arch_cpu_open(const struct kvm *kvm, struct arch_cpu **out, struct cxlvm_error *err)
{
	struct arch_cpu *cpu = calloc(1, sizeof(*cpu));
	const struct kvm_cpuid_entry2 *leaf;
	unsigned int eax, ebx, ecx, edx;
	int code;

	if (!cpu)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the description of the CPU");
	if (kvm) {
		cpu->cpuid.list.nent = CPUID_ENTRIES_MAX;
		code = kvm_ioctl(kvm->fd, KVM_GET_SUPPORTED_CPUID, (unsigned long)&cpu->cpuid);
		if (code < 0) {
			free(cpu);
			return cxlvm_error_set(err, code,
					       "KVM does not say what it supports (CPUID): %s",
					       strerror(-code));
		}
		leaf = cpuid_find(&cpu->cpuid, LEAF_ADDRESS_SIZES);
		if (leaf)
			cpu->phys_bits = leaf->eax & 0xff;
	}
	if (!cpu->phys_bits && __get_cpuid(LEAF_ADDRESS_SIZES, &eax, &ebx, &ecx, &edx))
		cpu->phys_bits = eax & 0xff;
	if (!cpu->phys_bits)
		cpu->phys_bits = PHYS_BITS_DEFAULT;
	*out = cpu;
	return 0;
}

void arch_cpu_close(struct arch_cpu *cpu)
{
	free(cpu);
}

unsigned int arch_cpu_phys_bits(const struct arch_cpu *cpu)
{
	return cpu->phys_bits;
}

/*
 * The supported list describes, in a few places, the CPU that the ioctl ran on; everything that
 * names one CPU has to name the virtual one.
 */
void cpuid_fix(union cpuid *cpuid, const struct kvm *kvm, unsigned int id, unsigned int phys_bits)
{
	bool deadline = kvm_check(kvm, KVM_CAP_TSC_DEADLINE_TIMER) > 0;

	for (uint32_t i = 0; i < cpuid->list.nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &cpuid->list.entries[i];

		switch (leaf->function) {
		case LEAF_FEATURES:
			/* APIC id 31:24, number of logical CPUs 23:16. */
			leaf->ebx = (leaf->ebx & 0xffff) | 1u << 16 | id << 24;
			leaf->ecx |= LEAF1_ECX_HYPERVISOR;
			if (deadline)
				leaf->ecx |= LEAF1_ECX_TSC_DEADLINE;
			break;
		case LEAF_TOPOLOGY:
		case LEAF_TOPOLOGY_V2:
			leaf->edx = id;
			break;
		case LEAF_ADDRESS_SIZES:
			/* 7:0 width; 23:16 a width of guests in guests. ECX: cores of the host. */
			leaf->eax = (leaf->eax & ~0xff00ffu) | phys_bits;
			leaf->ecx = 0;
			break;
		case LEAF_AMD_TOPOLOGY:
			leaf->eax = id;
			leaf->ebx = (leaf->ebx & ~0xffu) | id;
			break;
		}
	}
}

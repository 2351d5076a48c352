/* SPDX-License-Identifier: BSD-3-Clause */
/* cpuid.c - what the guest's CPUID says */
#include <cpuid.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "kvm.h"
#include "util.h"
#include "x86.h"

#define LEAF_FEATURES      0x1u
#define LEAF_CACHES        0x4u
#define LEAF_TOPOLOGY      0xbu
#define LEAF_TOPOLOGY_V2   0x1fu
#define LEAF_AMD_FEATURES  0x80000001u
#define LEAF_ADDRESS_SIZES 0x80000008u
#define LEAF_AMD_SVM       0x8000000au
#define LEAF_AMD_CACHES    0x8000001du
#define LEAF_AMD_TOPOLOGY  0x8000001eu

#define LEAF1_ECX_VMX          (1u << 5)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR   (1u << 31)
#define LEAF1_EDX_SEVERAL      (1u << 28) /* EBX 23:16 counts */
#define AMD_ECX_SVM            (1u << 2)

/* Leaf 0xb: ECX 15:8 of its two levels. */
#define TOPOLOGY_THREADS (1u << 8)
#define TOPOLOGY_CORES   (2u << 8)

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

static struct kvm_cpuid_entry2 *add_leaf(union cpuid *cpuid, uint32_t function, uint32_t index)
{
	struct kvm_cpuid_entry2 *leaf;

	if (cpuid->list.nent == CPUID_ENTRIES_MAX)
		return NULL;
	leaf = &cpuid->list.entries[cpuid->list.nent++];
	*leaf = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
	return leaf;
}

static void remove_leaves(union cpuid *cpuid, uint32_t function)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cpuid->list.nent; i++)
		if (cpuid->list.entries[i].function != function)
			cpuid->list.entries[kept++] = cpuid->list.entries[i];
	cpuid->list.nent = kept;
}

/* One package; each virtual CPU is a core with one thread. */
static void add_topology(union cpuid *cpuid, unsigned int id, unsigned int n, unsigned int id_bits)
{
	struct kvm_cpuid_entry2 *threads, *cores;

	remove_leaves(cpuid, LEAF_TOPOLOGY);
	remove_leaves(cpuid, LEAF_TOPOLOGY_V2);
	threads = add_leaf(cpuid, LEAF_TOPOLOGY, 0);
	cores = add_leaf(cpuid, LEAF_TOPOLOGY, 1);
	if (!threads || !cores)
		return;
	threads->ebx = 1;
	threads->ecx = TOPOLOGY_THREADS;
	threads->edx = id;
	cores->eax = id_bits;
	cores->ebx = n;
	cores->ecx = TOPOLOGY_CORES | 1;
	cores->edx = id;
}

/* EAX 7:5 is the level, 25:14 how many CPUs share it: the third all of them. */
static uint32_t cache_sharing(uint32_t eax, unsigned int ids)
{
	return (eax & ~(0xfffu << 14)) | ((eax >> 5 & 7) >= 3 ? ids - 1 : 0) << 14;
}

/*
 * The supported list describes, in a few places, the CPU that the ioctl ran on; everything that
 * names one CPU has to name the virtual one. Virtualization is not offered: a guest that used it
 * and was reset in the middle would have to be taken out of it first, which KVM refuses to do by
 * the registers that a reset restores.
 */
void cpuid_fix(union cpuid *cpuid, const struct kvm *kvm, unsigned int id, unsigned int n,
	       unsigned int phys_bits)
{
	bool deadline = kvm_check(kvm, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	unsigned int ids = (unsigned int)round_up_pow2(n);
	unsigned int id_bits = (unsigned int)__builtin_ctz(ids);

	for (uint32_t i = 0; i < cpuid->list.nent; i++) {
		struct kvm_cpuid_entry2 *leaf = &cpuid->list.entries[i];

		switch (leaf->function) {
		case LEAF_FEATURES:
			/* APIC id 31:24, number of logical CPUs 23:16. */
			leaf->ebx = (leaf->ebx & 0xffff) | (n & 0xff) << 16 | id << 24;
			leaf->ecx |= LEAF1_ECX_HYPERVISOR;
			leaf->ecx &= ~LEAF1_ECX_VMX;
			if (deadline)
				leaf->ecx |= LEAF1_ECX_TSC_DEADLINE;
			leaf->edx &= ~LEAF1_EDX_SEVERAL;
			if (n > 1)
				leaf->edx |= LEAF1_EDX_SEVERAL;
			break;
		case LEAF_CACHES:
			/* 31:26: cores in the package. */
			leaf->eax = cache_sharing(leaf->eax, ids) & 0x3ffffff;
			if (leaf->eax & 0x1f)
				leaf->eax |= (ids > 64 ? 63 : ids - 1) << 26;
			break;
		case LEAF_AMD_CACHES:
			leaf->eax = cache_sharing(leaf->eax, ids);
			break;
		case LEAF_AMD_FEATURES:
			leaf->ecx &= ~AMD_ECX_SVM;
			break;
		case LEAF_AMD_SVM:
			leaf->eax = leaf->ebx = leaf->ecx = leaf->edx = 0;
			break;
		case LEAF_ADDRESS_SIZES:
			/* EAX 7:0 width; 23:16 a width of guests in guests. ECX: cores, id bits. */
			leaf->eax = (leaf->eax & ~0xff00ffu) | phys_bits;
			leaf->ecx = (n - 1) | id_bits << 12;
			break;
		case LEAF_AMD_TOPOLOGY:
			leaf->eax = id;
			leaf->ebx = id;
			leaf->ecx = 0;
			break;
		}
	}
	add_topology(cpuid, id, n, id_bits);
}

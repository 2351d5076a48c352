/* SPDX-License-Identifier: BSD-3-Clause */
/* x86.h - what the sources of this architecture share */
#ifndef MONITOR_ARCH_X86_64_X86_H
#define MONITOR_ARCH_X86_64_X86_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ram.h"
#include "serial.h"
#include "vcpu.h"

struct kvm;
struct snapshot;
struct vm;

#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MSR_EFER          0xc0000080u

struct arch {
	struct vm *vm;
	struct serial serial;
	bool has_serial;
	pthread_mutex_t lock; /* pm1 */
	uint8_t pm1[6];       /* event status, event enable, control: 2 bytes each */
	bool huge_pages_1g;
	bool started; /* the first reset is over */
	struct snapshot *snapshot;
};

/* cpuid.c: what the guest's CPUID says. */
#define CPUID_ENTRIES_MAX 256

union cpuid {
	struct kvm_cpuid2 list;
	uint8_t room[sizeof(struct kvm_cpuid2) +
		     CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2)];
};

struct arch_cpu {
	unsigned int phys_bits;
	union cpuid cpuid; /* what KVM supports; empty without KVM */
};

/* Make what KVM supports the CPUID of virtual CPU id of n, with so many address bits. */
void cpuid_fix(union cpuid *cpuid, const struct kvm *kvm, unsigned int id, unsigned int n,
	       unsigned int phys_bits);
/* NULL: no such leaf. */
const struct kvm_cpuid_entry2 *cpuid_find(const union cpuid *cpuid, uint32_t function);

/* snapshot.c: the state of vCPUs and interrupt controllers before the first instruction. */
int snapshot_save(const struct vm *vm, struct snapshot **snapshot, struct cxlvm_error *err);
int snapshot_restore(const struct vm *vm, const struct snapshot *snapshot, struct cxlvm_error *err);
void snapshot_free(struct snapshot *snapshot);

/* state.c: the first vCPU at the entry of a kernel, and the memory type of all of them. */
struct entry {
	struct cxlvm_gpa address;
	struct cxlvm_gpa page_tables;
	bool pvh; /* 32 bits without paging, RBX leads to the start info; else 64 bits, RSI */
};

int state_set_entry(const struct vm *vm, const struct entry *entry, struct cxlvm_error *err);

/* boot.c: kernel, initrd, command line, boot_params and page tables into RAM. */
struct boot;
int boot_load(const struct vm *vm, const struct boot *boot, bool huge_pages_1g, struct entry *entry,
	      struct cxlvm_error *err);

/*
 * paging.c: the page tables at a kernel's entry. They map one to one, writable, the first 4 GiB,
 * all RAM, all host-bridge blocks and all CXL windows, as far as they are below 2^47, with pages
 * of 1 GiB where the CPU has them and 2 MiB elsewhere.
 */
uint64_t paging_size(const struct vm *vm, bool huge_pages_1g);
/* Build them in paging_size bytes at tables, which the guest sees at base. */
void paging_build(const struct vm *vm, bool huge_pages_1g, void *tables, struct cxlvm_gpa base);

/* ports.c */
enum vcpu_exit ports_access(struct arch *arch, uint16_t port, void *data, unsigned int length,
			    bool write);
void ports_reset(struct arch *arch);

#endif

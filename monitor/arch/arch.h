/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arch.h - all that the monitor wants from a CPU architecture
 *
 * Besides this interface an architecture has a layout.h with the addresses of its machine
 * (LAYOUT_*). Sources outside of arch/ see nothing else of it.
 */
#ifndef MONITOR_ARCH_H
#define MONITOR_ARCH_H

#include <stdio.h>

#include <cxlvm/base.h>

#include "vcpu.h"

struct arch;
struct arch_cpu;
struct boot;
struct kvm;
struct ram;
struct vm;
struct vm_config;

/*
 * What the CPU of a guest can be under this KVM; NULL: without KVM, what this CPU is. Asked once,
 * because the question takes a millisecond under another hypervisor.
 */
int arch_cpu_open(const struct kvm *kvm, struct arch_cpu **cpu, struct cxlvm_error *err);
/* NULL is allowed. */
void arch_cpu_close(struct arch_cpu *cpu);
/* Its address width. */
unsigned int arch_cpu_phys_bits(const struct arch_cpu *cpu);

/*
 * Open kernel and initrd and check all that can be checked before anything else is built: that
 * they are what they should be, complete, and fit into RAM.
 */
int boot_open(const struct vm_config *config, const struct ram *ram, struct boot **boot,
	      struct cxlvm_error *err);
void boot_close(struct boot *boot);

/*
 * Interrupt controllers, ports and the vCPUs (vm->vcpus) of a machine whose memory slots exist:
 * a slot set after the interrupt controller waits for a grace period, 6 to 12 ms.
 */
int arch_create(struct vm *vm, struct arch **arch, struct cxlvm_error *err);
/* NULL is allowed. */
void arch_destroy(struct arch *arch);

/*
 * System reset of what arch_create made, the first one included: reset state, then kernel,
 * initrd, command line and tables anew in RAM, the first vCPU at the kernel's entry and the others
 * waiting to be started. No vCPU runs.
 */
int arch_reset(struct arch *arch, struct cxlvm_error *err);

/*
 * Interrupt routes of the interrupt controllers' own pins, which have to be given to KVM together
 * with those of messages: their number, at most ARCH_FIXED_ROUTES. *free_gsi is the first GSI that
 * messages may use.
 */
struct kvm_irq_routing_entry;
unsigned int arch_fixed_routes(struct kvm_irq_routing_entry *entries, unsigned int *free_gsi);
#define ARCH_FIXED_ROUTES 64u

/* Handle the vCPU's exit if it is one that only this architecture has: the thread of the vCPU. */
enum vcpu_exit arch_exit(struct vcpu *vcpu, struct cxlvm_error *err);

/*
 * Do what the guest has written for a device and KVM has kept: before a vCPU pauses or asks for
 * something. The thread of a vCPU.
 */
void arch_settle(struct arch *arch);

/* Registers, code and stack words of a vCPU that does not run, for a report. */
void arch_dump(const struct vcpu *vcpu, FILE *to);

#endif

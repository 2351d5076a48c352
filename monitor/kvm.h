/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm.h - the KVM virtual machine and its memory slots */
#ifndef MONITOR_KVM_H
#define MONITOR_KVM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

#define KVM_SLOTS_MAX 256

struct kvm {
	int fd;    /* /dev/kvm, -1 when closed */
	int vm_fd; /* -1 before kvm_create_vm */
	unsigned int n_slots;
	atomic_bool slot_used[KVM_SLOTS_MAX];
};

/* All of them can be finished, also when init was never called with success. */
#define KVM_INIT                       \
	{                              \
		.fd = -1, .vm_fd = -1, \
	}

/* Open /dev/kvm and check what it offers. Errors with a hint what to do. */
int kvm_open(struct kvm *kvm, struct cxlvm_error *err);
int kvm_create_vm(struct kvm *kvm, struct cxlvm_error *err);
void kvm_finish(struct kvm *kvm);

/* Value of a capability, 0 when there is none. Of the VM if there is one, else of KVM. */
int kvm_check(const struct kvm *kvm, unsigned int capability);

/*
 * Reserve a memory slot: its number or -ENOSPC. Give it back with kvm_slot_free. Nothing is
 * visible to the guest before kvm_slot_set; size 0 takes it away again. 0 or negative errno. Any
 * thread: a guest that programs decoders itself makes two vCPUs reserve at once.
 */
int kvm_slot_alloc(struct kvm *kvm, struct cxlvm_error *err);
void kvm_slot_free(struct kvm *kvm, unsigned int slot);
int kvm_slot_set(const struct kvm *kvm, unsigned int slot, struct cxlvm_gpa base, uint64_t size,
		 void *address);

/* Pages of one slot that KVM counts in 31 bits. */
#define KVM_SLOT_PAGES_MAX ((((uint64_t)1) << 31) - 1)

/* ioctl that repeats when a signal interrupts it; 0 or more, or negative errno. */
int kvm_ioctl(int fd, unsigned long request, unsigned long argument);

#endif

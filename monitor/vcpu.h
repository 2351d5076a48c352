/* SPDX-License-Identifier: BSD-3-Clause */
/* vcpu.h - one virtual CPU: entering it, and the exits that every architecture has */
#ifndef MONITOR_VCPU_H
#define MONITOR_VCPU_H

#include <stddef.h>

#include <cxlvm/base.h>

struct kvm;
struct kvm_run;
struct vm;

struct vcpu {
	int fd; /* -1 when closed */
	struct kvm_run *run;
	size_t run_size;
};

/* What an exit means for the run. */
enum vcpu_exit {
	VCPU_CONTINUE,
	VCPU_INTERRUPTED, /* by a signal or immediate_exit */
	VCPU_FAULT,       /* mapped memory did not answer; KVM does not say which */
	VCPU_RESET,
	VCPU_POWER_OFF,
	VCPU_DEBUG_EXIT, /* test builds: the guest ended the run */
	VCPU_CRASH,      /* triple fault */
	VCPU_ERROR,      /* the error says what */
};

int vcpu_open(struct vcpu *vcpu, const struct kvm *kvm, unsigned int id, struct cxlvm_error *err);
void vcpu_close(struct vcpu *vcpu);

/* Run the guest until it needs us, and do what it needs. */
enum vcpu_exit vcpu_enter(struct vm *vm, struct cxlvm_error *err);

/* Finish an access that the guest has begun, before its state is replaced. */
void vcpu_complete(struct vcpu *vcpu);

#endif

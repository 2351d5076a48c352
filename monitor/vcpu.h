/* SPDX-License-Identifier: BSD-3-Clause */
/* vcpu.h - one virtual CPU: entering it, and the exits that every architecture has */
#ifndef MONITOR_VCPU_H
#define MONITOR_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <cxlvm/base.h>

struct kvm;
struct kvm_run;
struct map_reader;
struct vm;

struct vcpu {
	struct vm *vm;
	unsigned int id;
	int fd; /* -1 when closed */
	struct kvm_run *run;
	size_t run_size;
	unsigned int last_exit;    /* reason KVM gave last, not counting interruptions */
	struct map_reader *reader; /* its place among the readers of the map */
	pthread_t thread;          /* cpus.h */
	bool parked;
};

/* What an exit means for the run. */
enum vcpu_exit {
	VCPU_CONTINUE,
	VCPU_INTERRUPTED, /* by a signal or immediate_exit: no access of the guest is open */
	VCPU_FAULT,       /* mapped memory did not answer; KVM does not say which */
	VCPU_RESET,
	VCPU_POWER_OFF,
	VCPU_DEBUG_EXIT, /* test builds: the guest ended the run */
	VCPU_CRASH,      /* triple fault */
	VCPU_ERROR,      /* the error says what */
};

/* vm and id are set. */
int vcpu_open(struct vcpu *vcpu, const struct kvm *kvm, struct cxlvm_error *err);
/* Also what was never opened, fd -1. */
void vcpu_close(struct vcpu *vcpu);

/* Run the guest until it needs us, and do what it needs: the thread of the vCPU. */
enum vcpu_exit vcpu_enter(struct vcpu *vcpu, struct cxlvm_error *err);

/*
 * After VCPU_FAULT: is the page at guest one that KVM cannot map? The page is not touched. False also
 * when KVM does not know, as before Linux 6.11. The thread of the vCPU.
 */
bool vcpu_sees_fault(const struct vcpu *vcpu, struct cxlvm_gpa guest);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cpus.h - all virtual CPUs: one thread each, run and paused together
 *
 * A thread leaves the guest for good only where KVM_RUN was interrupted: then no access of the
 * guest is half done, and its state may be replaced. What a vCPU cannot do alone (reset, power-off,
 * a crash) it requests: that pauses all of them, and the thread that runs the machine decides what
 * follows. None of these functions waits for a vCPU, except cpus_stop.
 */
#ifndef MONITOR_CPUS_H
#define MONITOR_CPUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <cxlvm/base.h>

#include "vcpu.h"

struct vm;

/* Why the guest does not go on. The first one counts; why is VCPU_CONTINUE when there is none. */
struct cpu_request {
	enum vcpu_exit why;
	struct vcpu *vcpu; /* NULL: none of them */
	struct cxlvm_error err;
};

struct cpus {
	pthread_mutex_t lock; /* all up to event, but pause */
	pthread_cond_t resumed;
	atomic_bool pause;
	bool ending;
	unsigned int n_started;
	unsigned int n_parked;
	struct cpu_request request;
	int event; /* eventfd: a request came, or all are parked */

	/* Memory that faulted and was taken away without anybody knowing why: how often. */
	pthread_mutex_t faults_lock; /* one vCPU takes at a time; before the locks of devices */
	atomic_uint taken;
};

/* -errno; cpus_finish either way. */
int cpus_init(struct cpus *cpus, struct cxlvm_error *err);
void cpus_finish(struct cpus *cpus);

/* Start the threads, paused. */
int cpus_start(struct vm *vm, struct cxlvm_error *err);
/* End them, from whatever they do. */
void cpus_stop(struct vm *vm);

/* Ask all to pause; later all are parked, and the event says so. */
void cpus_pause(struct vm *vm);
bool cpus_are_parked(struct vm *vm);
void cpus_resume(struct vm *vm);

/* The guest cannot go on: any thread. vcpu may be NULL, err only where the reason has one. */
void cpus_request(struct vm *vm, enum vcpu_exit why, struct vcpu *vcpu,
		  const struct cxlvm_error *err);
/* Take the request, if there is one. */
bool cpus_take_request(struct vm *vm, struct cpu_request *request);

#endif

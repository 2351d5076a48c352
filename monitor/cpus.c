/* SPDX-License-Identifier: BSD-3-Clause */
/* cpus.c - all virtual CPUs */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arch.h"
#include "cpus.h"
#include "memory_error.h"
#include "vm.h"

/* Faults in a row, each answered by a disabled map or a try again, before we give up. */
#define FAULTS_MAX 100

/* Interrupts KVM_RUN, nothing else. Together with immediate_exit there is no moment to miss it. */
#define KICK SIGUSR1

static void on_kick(int signal)
{
	(void)signal;
}

int cpus_init(struct cpus *cpus, struct cxlvm_error *err)
{
	memset(cpus, 0, sizeof(*cpus));
	pthread_mutex_init(&cpus->lock, NULL);
	pthread_cond_init(&cpus->resumed, NULL);
	pthread_mutex_init(&cpus->faults_lock, NULL);
	cpus->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cpus->event < 0)
		return cxlvm_error_set(err, -errno, "no eventfd for the virtual CPUs: %s",
				       strerror(errno));
	return 0;
}

void cpus_finish(struct cpus *cpus)
{
	if (cpus->event >= 0)
		close(cpus->event);
	pthread_mutex_destroy(&cpus->faults_lock);
	pthread_cond_destroy(&cpus->resumed);
	pthread_mutex_destroy(&cpus->lock);
}

static void tell(struct cpus *cpus)
{
	uint64_t one = 1;

	if (write(cpus->event, &one, sizeof(one)) < 0) {
		/* Only a full counter refuses, and then it tells already. */
	}
}

/* Wait while there is a pause. False: the thread ends. */
static bool park(struct vcpu *vcpu)
{
	struct cpus *cpus = &vcpu->vm->cpus;
	bool go_on;

	arch_settle(vcpu->vm->arch);
	pthread_mutex_lock(&cpus->lock);
	vcpu->parked = true;
	if (++cpus->n_parked == cpus->n_started)
		tell(cpus);
	while (atomic_load(&cpus->pause) && !cpus->ending)
		pthread_cond_wait(&cpus->resumed, &cpus->lock);
	cpus->n_parked--;
	vcpu->parked = false;
	vcpu->run->immediate_exit = 0;
	go_on = !cpus->ending;
	pthread_mutex_unlock(&cpus->lock);
	return go_on;
}

static bool recheck_devices(struct vm *vm)
{
	bool disabled = false;

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];

		pthread_mutex_lock(&device->lock);
		disabled |= cxlvm_endpoint_recheck(device->endpoint) == 1;
		pthread_mutex_unlock(&device->lock);
	}
	return disabled;
}

/*
 * A kernel can close the gate of device memory without a word where anybody could read it: the real
 * decoder stays committed. Such memory is dark until the device is reset. seen: only what KVM
 * cannot map for this vCPU.
 */
static bool give_up(const struct vcpu *vcpu, bool seen)
{
	struct vm *vm = vcpu->vm;
	bool disabled = false;

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];
		struct cxlvm_memory_area area;

		pthread_mutex_lock(&device->lock);
		if (device->real && device->mapped &&
		    cxlvm_endpoint_memory_areas(device->endpoint, &area, 1) &&
		    (!seen || vcpu_sees_fault(vcpu, area.guest)) &&
		    cxlvm_endpoint_memory_error(device->endpoint, area.address, NULL)) {
			device_warn(device, -EFAULT,
				    "device memory does not answer, and the kernel does not say "
				    "why: it is dark until the device is reset");
			disabled = true;
		}
		pthread_mutex_unlock(&device->lock);
	}
	return disabled;
}

/* A KVM that cannot be asked which device it is does not say: all of them. */
static bool give_up_memory(const struct vcpu *vcpu)
{
	return give_up(vcpu, true) || give_up(vcpu, false);
}

/* BARs, which lose nothing by it: a guest that puts its device into low power makes them fault. */
static bool forward_bars(struct vm *vm)
{
	bool any = false;

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];

		pthread_mutex_lock(&device->lock);
		any |= bar_maps_forward(device);
		pthread_mutex_unlock(&device->lock);
	}
	return any;
}

/* It was not the BARs. */
static void restore_bars(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];

		pthread_mutex_lock(&device->lock);
		bar_maps_follow(device);
		pthread_mutex_unlock(&device->lock);
	}
}

/* Faults of one vCPU in a row. */
struct faults {
	unsigned int n;
	unsigned int taken; /* before the first of them */
};

/* False: there is nothing left that could fault. What another vCPU has taken counts. */
static bool take_something(const struct vcpu *vcpu, const struct faults *faults)
{
	struct vm *vm = vcpu->vm;
	struct cpus *cpus = &vm->cpus;
	bool taken;

	pthread_mutex_lock(&cpus->faults_lock);
	taken = atomic_load(&cpus->taken) != faults->taken;
	if (!taken && forward_bars(vm)) {
		taken = true;
		atomic_fetch_add(&cpus->taken, 1);
	} else if (!taken && give_up_memory(vcpu)) {
		taken = true;
		atomic_fetch_add(&cpus->taken, 1);
		restore_bars(vm);
	}
	pthread_mutex_unlock(&cpus->faults_lock);
	return taken;
}

/* MAP-5: a map was taken away, the guest goes on and reads all ones. */
static void memory_fault(struct vcpu *vcpu, struct faults *faults)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (!faults->n)
		faults->taken = atomic_load(&vcpu->vm->cpus.taken);
	if (recheck_devices(vcpu->vm)) {
		faults->n = 0;
	} else if (++faults->n == FAULTS_MAX) {
		faults->n = 0;
		if (take_something(vcpu, faults))
			return;
		cxlvm_error_set(&err, -EFAULT,
				"the guest touches memory that does not answer, and every device "
				"says that its memory does");
		cpus_request(vcpu->vm, VCPU_ERROR, vcpu, &err);
	}
}

static void *vcpu_thread(void *argument)
{
	struct vcpu *vcpu = argument;
	struct vm *vm = vcpu->vm;
	struct faults faults = { .n = 0 };
	bool go_on = park(vcpu);

	while (go_on) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		enum vcpu_exit why = vcpu_enter(vcpu, &err);

		if (why != VCPU_FAULT)
			faults.n = 0;
		switch (why) {
		case VCPU_CONTINUE:
			break;
		case VCPU_INTERRUPTED:
			if (memory_error_pending(vm, &err))
				cpus_request(vm, VCPU_ERROR, vcpu, &err);
			if (atomic_load(&vm->cpus.pause))
				go_on = park(vcpu);
			break;
		case VCPU_FAULT:
			memory_fault(vcpu, &faults);
			break;
		default:
			/* Before the end, when nobody waits for the reader of the console. */
			arch_settle(vm->arch);
			cpus_request(vm, why, vcpu, &err);
			break;
		}
	}
	return NULL;
}

int cpus_start(struct vm *vm, struct cxlvm_error *err)
{
	const struct sigaction action = { .sa_handler = on_kick };
	sigset_t kick_only, before;
	int code = 0;

	sigaction(KICK, &action, NULL);
	atomic_store(&vm->cpus.pause, true);
	/* The other signals are for the thread that runs the machine. */
	sigfillset(&kick_only);
	sigdelset(&kick_only, KICK);
	sigdelset(&kick_only, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &kick_only, &before);
	for (unsigned int i = 0; i < vm->n_vcpus && !code; i++) {
		code = pthread_create(&vm->vcpus[i].thread, NULL, vcpu_thread, &vm->vcpus[i]);
		if (!code) {
			pthread_mutex_lock(&vm->cpus.lock);
			vm->cpus.n_started++;
			pthread_mutex_unlock(&vm->cpus.lock);
		}
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code)
		return cxlvm_error_set(err, -code, "no thread for virtual CPU %u: %s",
				       vm->cpus.n_started, strerror(code));
	return 0;
}

/* Out of the guest, wherever they are. The lock is held. */
static void kick_all(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->cpus.n_started; i++) {
		struct vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->parked)
			continue;
		vcpu->run->immediate_exit = 1;
		pthread_kill(vcpu->thread, KICK);
	}
}

void cpus_stop(struct vm *vm)
{
	struct cpus *cpus = &vm->cpus;

	pthread_mutex_lock(&cpus->lock);
	cpus->ending = true;
	atomic_store(&cpus->pause, true);
	kick_all(vm);
	pthread_cond_broadcast(&cpus->resumed);
	pthread_mutex_unlock(&cpus->lock);
	for (unsigned int i = 0; i < cpus->n_started; i++)
		pthread_join(vm->vcpus[i].thread, NULL);
	cpus->n_started = 0;
}

void cpus_pause(struct vm *vm)
{
	pthread_mutex_lock(&vm->cpus.lock);
	atomic_store(&vm->cpus.pause, true);
	kick_all(vm);
	pthread_mutex_unlock(&vm->cpus.lock);
}

bool cpus_are_parked(struct vm *vm)
{
	bool parked;

	pthread_mutex_lock(&vm->cpus.lock);
	parked = vm->cpus.n_parked == vm->cpus.n_started;
	pthread_mutex_unlock(&vm->cpus.lock);
	return parked;
}

void cpus_resume(struct vm *vm)
{
	pthread_mutex_lock(&vm->cpus.lock);
	/* A request that came meanwhile (a map that failed) keeps them here. */
	if (vm->cpus.request.why == VCPU_CONTINUE) {
		atomic_store(&vm->cpus.pause, false);
		pthread_cond_broadcast(&vm->cpus.resumed);
	}
	pthread_mutex_unlock(&vm->cpus.lock);
}

void cpus_request(struct vm *vm, enum vcpu_exit why, struct vcpu *vcpu,
		  const struct cxlvm_error *err)
{
	struct cpus *cpus = &vm->cpus;

	pthread_mutex_lock(&cpus->lock);
	if (cpus->request.why == VCPU_CONTINUE) {
		cpus->request.why = why;
		cpus->request.vcpu = vcpu;
		if (err)
			cpus->request.err = *err;
	}
	atomic_store(&cpus->pause, true);
	kick_all(vm);
	pthread_mutex_unlock(&cpus->lock);
	tell(cpus);
}

bool cpus_take_request(struct vm *vm, struct cpu_request *request)
{
	struct cpus *cpus = &vm->cpus;
	uint64_t count;

	if (read(cpus->event, &count, sizeof(count)) < 0) {
		/* Nobody told. */
	}
	pthread_mutex_lock(&cpus->lock);
	*request = cpus->request;
	cpus->request = (struct cpu_request){ .why = VCPU_CONTINUE };
	pthread_mutex_unlock(&cpus->lock);
	return request->why != VCPU_CONTINUE;
}

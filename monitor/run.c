/* SPDX-License-Identifier: BSD-3-Clause */
/* run.c - from the first guest instruction to the end of a run */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "stop.h"
#include "vm.h"

/* Faults in a row, each answered by a disabled map or a try again, before we give up. */
#define FAULTS_MAX 100

#define STATUS_FAILED      1
#define STATUS_SIGNAL_BASE 128

static void print_error(const struct cxlvm_error *err)
{
	fprintf(stderr, "cxlvm run: %s\n", err->message);
	if (err->hint[0])
		fprintf(stderr, "  hint: %s\n", err->hint);
}

/* Everything there is to find out why a guest did not go on. */
static void report(struct vm *vm, const char *what)
{
	console_flush(&vm->console);
	fprintf(stderr, "cxlvm run: %s\n", what);
	arch_dump(vm->arch, stderr);
	console_print_recent(&vm->console, stderr);
}

/* The guest asked for a reset, or this is the first one, whose devices vm_create has reset. */
static int reset_guest(struct vm *vm, bool first, struct cxlvm_error *err)
{
	if (!first) {
		vcpu_complete(&vm->vcpu);
		/* Later than at the start a failure is an event, and the guest runs on without. */
		(void)vm_system_reset(vm, NULL);
		/* immediate_exit was used here: a stop that came meanwhile is not to be lost. */
		stop_watch(&vm->vcpu.run->immediate_exit);
	}
	return arch_reset(vm->arch, err);
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

/* The run was asked to end from outside: the exit status, or -1 if it was not. */
static int stopped(struct vm *vm)
{
	char what[96];

	switch (stop_pending()) {
	case STOP_NONE:
		break;
	case STOP_SIGNAL:
		console_flush(&vm->console);
		fprintf(stderr, "cxlvm run: stopped by signal %d (%s)\n", stop_signal(),
			strsignal(stop_signal()));
		return STATUS_SIGNAL_BASE + stop_signal();
	case STOP_USER:
		console_flush(&vm->console);
		fprintf(stderr, "cxlvm run: stopped from the console\n");
		return STATUS_SIGNAL_BASE + SIGINT;
	case STOP_TIME_LIMIT:
		snprintf(what, sizeof(what), "the guest was not done after %u s (--time-limit)",
			 vm->config->time_limit);
		report(vm, what);
		return STATUS_FAILED;
	}
	return -1;
}

static int run_guest(struct vm *vm)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	unsigned int faults = 0;
	int status;

	for (;;) {
		enum vcpu_exit why = VCPU_CONTINUE;

		/* Also before the guest runs on: a reset or recheck may have failed to map. */
		if (!vm->fatal.code)
			why = vcpu_enter(vm, &err);
		if (vm->fatal.code) {
			report(vm, vm->fatal.message);
			return STATUS_FAILED;
		}
		if (why != VCPU_FAULT)
			faults = 0;
		switch (why) {
		case VCPU_CONTINUE:
			break;
		case VCPU_INTERRUPTED:
			status = stopped(vm);
			if (status >= 0)
				return status;
			break;
		case VCPU_FAULT:
			/* MAP-5: the guest goes on and reads all ones. */
			if (!recheck_devices(vm) && ++faults == FAULTS_MAX) {
				report(vm,
				       "the guest touches memory that does not answer, and every "
				       "device says that its memory does");
				return STATUS_FAILED;
			}
			break;
		case VCPU_RESET:
			if (reset_guest(vm, false, &err)) {
				print_error(&err);
				return STATUS_FAILED;
			}
			break;
		case VCPU_POWER_OFF:
		case VCPU_DEBUG_EXIT:
			return 0;
		case VCPU_CRASH:
			report(vm, "the guest crashed (triple fault)");
			return STATUS_FAILED;
		case VCPU_ERROR:
			report(vm, err.message);
			return STATUS_FAILED;
		}
	}
}

int vm_run(struct vm *vm)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int status = STATUS_FAILED;
	int code;

	code = console_init(&vm->console, &err);
	vm->has_console = !code;
	if (!code)
		code = stop_init(&err);
	if (!code)
		code = arch_create(vm, &vm->arch, &err);
	if (!code)
		code = reset_guest(vm, true, &err);
	if (!code && vm->config->time_limit)
		code = stop_start_clock(vm->config->time_limit, &err);
	if (code) {
		print_error(&err);
		return STATUS_FAILED;
	}
	stop_watch(&vm->vcpu.run->immediate_exit);
	status = run_guest(vm);
	stop_watch(NULL);
	return status;
}

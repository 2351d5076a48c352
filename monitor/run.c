/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.c - from the first guest instruction to the end of a run
 *
 * The vCPUs have threads of their own; this one waits for what they cannot do alone and for what
 * comes from outside. It never waits for a vCPU: an action (a reset, the end) is noted, the vCPUs
 * are asked to pause, and it is carried out when the last one is parked.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "arch.h"
#include "memory_error.h"
#include "vm.h"

enum action { ACTION_NONE, ACTION_RESET, ACTION_END };

struct run {
	struct vm *vm;
	enum action action;
	struct vm_end *end;
	struct cxlvm_error *err;
};

/* The stronger of two actions stays. */
static void ask_for(struct run *run, enum action action)
{
	if (action > run->action)
		run->action = action;
	if (action == ACTION_END)
		console_abandon(&run->vm->console);
	cpus_pause(run->vm);
}

static void end_with_error(struct run *run, const struct cpu_request *request)
{
	if (run->end->kind == VM_END_FAILED)
		return;
	run->end->kind = VM_END_FAILED;
	run->end->vcpu = request->vcpu ? request->vcpu->id : 0;
	cxlvm_error_set(run->err, request->err.code, "%s", request->err.message);
	cxlvm_error_hint(run->err, "%s", request->err.hint);
	ask_for(run, ACTION_END);
}

static void handle_request(struct run *run)
{
	struct cpu_request request;

	if (!cpus_take_request(run->vm, &request))
		return;
	switch (request.why) {
	case VCPU_RESET:
		if (run->vm->config->no_reboot) {
			run->end->kind = VM_END_REBOOT;
			ask_for(run, ACTION_END);
		} else {
			ask_for(run, ACTION_RESET);
		}
		break;
	case VCPU_POWER_OFF:
	case VCPU_DEBUG_EXIT:
		run->end->kind = VM_END_POWER_OFF;
		ask_for(run, ACTION_END);
		break;
	case VCPU_CRASH:
		cxlvm_error_set(&request.err, -EIO, "the guest crashed (triple fault)");
		end_with_error(run, &request);
		break;
	default:
		end_with_error(run, &request);
		break;
	}
}

static void handle_stop(struct run *run)
{
	struct cpu_request limit = { .why = VCPU_ERROR };
	int signal = 0;
	enum stop_reason reason = stop_pending(&run->vm->stop, &signal);

	if (run->action == ACTION_END)
		return;
	switch (reason) {
	case STOP_NONE:
		break;
	case STOP_USER:
		run->end->kind = VM_END_USER;
		ask_for(run, ACTION_END);
		break;
	case STOP_SIGNAL:
		run->end->kind = VM_END_SIGNAL;
		run->end->signal = signal;
		ask_for(run, ACTION_END);
		break;
	case STOP_TIME_LIMIT:
		cxlvm_error_set(&limit.err, -ETIMEDOUT,
				"the guest was not done after %u s (--time-limit)",
				run->vm->config->time_limit);
		end_with_error(run, &limit);
		break;
	}
}

static void grant(struct run *run, enum control_wish wish)
{
	if (run->action == ACTION_END)
		return;
	switch (wish) {
	case CONTROL_NOTHING:
		break;
	case CONTROL_RESET:
		ask_for(run, ACTION_RESET);
		break;
	case CONTROL_STOP:
		run->end->kind = VM_END_CONTROL;
		ask_for(run, ACTION_END);
		break;
	}
}

static void reset(struct run *run)
{
	struct vm *vm = run->vm;
	struct cpu_request failed = { .why = VCPU_ERROR };

	run->action = ACTION_NONE;
	/* Later than at the start a failure is an event, and the guest runs on without. */
	(void)vm_system_reset(vm, NULL);
	if (arch_reset(vm->arch, &failed.err)) {
		end_with_error(run, &failed);
		return;
	}
	vm->n_resets++;
	events_add(&vm->events, "system-reset", "", 0, "");
	cpus_resume(vm);
	grant(run, control_reset_done(&vm->control));
}

/* Descriptors that are always waited for. */
#define FDS_OWN 4

static void loop(struct run *run)
{
	struct vm *vm = run->vm;
	struct pollfd fds[FDS_OWN + CONTROL_FDS] = {
		{ .fd = vm->cpus.event, .events = POLLIN },
		{ .fd = vm->stop.signals, .events = POLLIN },
		{ .fd = vm->stop.clock, .events = POLLIN },
		{ .fd = vm->stop.user, .events = POLLIN },
	};

	cpus_resume(vm);
	for (;;) {
		size_t n = control_poll(&vm->control, fds + FDS_OWN);

		if (poll(fds, FDS_OWN + n, -1) < 0)
			continue;
		handle_request(run);
		handle_stop(run);
		grant(run, control_serve(&vm->control, fds + FDS_OWN, n));
		if (run->action == ACTION_NONE || !cpus_are_parked(vm))
			continue;
		/* What the last one asked for before it was parked. */
		handle_request(run);
		if (run->action == ACTION_END)
			break;
		reset(run);
	}
}

int vm_run(struct vm *vm, struct vm_end *end, struct cxlvm_error *err)
{
	struct run run = { .vm = vm, .end = end, .err = err };
	int code;

	*end = (struct vm_end){ .kind = VM_END_NOT_STARTED };
	code = vm->stop.running ? 0 : stop_init(&vm->stop, err);
	if (!code)
		code = memory_error_watch(vm, err);
	if (!code) {
		code = console_init(&vm->console, &vm->stop, err);
		vm->has_console = !code;
	}
	if (!code)
		code = arch_create(vm, &vm->arch, err);
	if (!code)
		code = arch_reset(vm->arch, err);
	if (!code && vm->config->time_limit)
		code = stop_start_clock(&vm->stop, vm->config->time_limit, err);
	if (!code)
		code = cpus_start(vm, err);
	if (!code) {
		events_keep_file(&vm->events);
		loop(&run);
		code = end->kind == VM_END_FAILED ? err->code : 0;
		console_flush(&vm->console);
	}
	return code;
}

void vm_report(struct vm *vm, const struct vm_end *end, FILE *to)
{
	arch_dump(&vm->vcpus[end->vcpu], to);
	for (unsigned int i = 0; i < vm->n_vcpus; i++) {
		if (i != end->vcpu)
			arch_dump(&vm->vcpus[i], to);
	}
	console_print_recent(&vm->console, to);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* run.c - cxlvm run: boot a virtual machine and stay until it ends */
#include <signal.h>
#include <string.h>

#include "command.h"
#include "options.h"

static void help(FILE *to)
{
	fputs("usage: cxlvm run --kernel FILE [OPTION...]\n\n"
	      "Boot Linux in a virtual machine. The console is standard input and output;\n"
	      "Ctrl-A x ends the run. The exit status is 0 when the guest powered off.\n\n",
	      to);
	options_help(to, false);
}

/* How it ended, for whoever started it; and the exit status. */
static int report(struct vm *vm, const struct vm_end *end, const struct cxlvm_error *err)
{
	switch (end->kind) {
	case VM_END_POWER_OFF:
	case VM_END_REBOOT:
		return STATUS_OK;
	case VM_END_CONTROL:
		fputs("cxlvm run: stopped by the control socket\n", stderr);
		return STATUS_OK;
	case VM_END_SIGNAL:
		fprintf(stderr, "cxlvm run: stopped by signal %d (%s)\n", end->signal,
			strsignal(end->signal));
		return STATUS_SIGNAL + end->signal;
	case VM_END_USER:
		fputs("cxlvm run: stopped from the console\n", stderr);
		return STATUS_SIGNAL + SIGINT;
	case VM_END_NOT_STARTED:
		print_error("run", err);
		return STATUS_FAILED;
	case VM_END_FAILED:
		print_error("run", err);
		vm_report(vm, end, stderr);
		return STATUS_FAILED;
	}
	return STATUS_FAILED;
}

static int boot(const struct vm_config *config)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm_end end;
	struct vm *vm;
	int status;

	if (vm_create(config, &vm, &err)) {
		print_error("run", &err);
		return STATUS_FAILED;
	}
	(void)vm_run(vm, &end, &err);
	status = report(vm, &end, &err);
	vm_destroy(vm);
	return status;
}

static int run(int argc, char **argv)
{
	struct options options;
	int status = STATUS_OK;

	if (!options_parse(&options, false, argc, argv))
		status = STATUS_USAGE;
	else if (options.help)
		help(stdout);
	else
		status = boot(&options.config);
	options_finish(&options);
	return status;
}

const struct command command_run = {
	.name = "run",
	.summary = "boot a virtual machine",
	.run = run,
	.help = help,
};

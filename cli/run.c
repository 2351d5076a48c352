/* SPDX-License-Identifier: BSD-3-Clause */
/* run.c - cxlvm run: boot a virtual machine and stay until it ends */
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

static int boot(const struct vm_config *config)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm *vm;
	int status;

	if (vm_create(config, &vm, &err)) {
		print_error("run", &err);
		return STATUS_FAILED;
	}
	status = vm_run(vm);
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

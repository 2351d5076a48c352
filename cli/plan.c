/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.c - cxlvm plan: what a run with the same options would put where
 *
 * Everything comes from a machine that was built as a run builds it and went through its first
 * system reset (vm_create); nothing is computed here. Names are those of cxl list where it has
 * them. The format is described in cxlvm-plan(1).
 */
#include <json-c/json.h>
#include <string.h>

#include "command.h"
#include "describe.h"
#include "options.h"
#include "plan_svg.h"
#include "plan_text.h"

#define FORMAT_VERSION 1

static void help(FILE *to)
{
	fputs("usage: cxlvm plan [--json] [--svg FILE] [OPTION...]\n\n"
	      "Print what a run with the same options would put where. Needs no KVM, starts nothing\n"
	      "and leaves nothing behind.\n\n",
	      to);
	options_help(to, true);
}

static int print_json(struct vm *vm, struct cxlvm_error *err)
{
	struct json_object *plan = json_object_new_object();

	json_object_object_add(plan, "version", json_object_new_uint64(FORMAT_VERSION));
	json_object_object_add(plan, "phys_bits", json_object_new_uint64(vm->phys_bits));
	json_object_object_add(plan, "memory_size", json_object_new_uint64(vm->ram.size));
	json_object_object_add(plan, "windows", describe_windows(vm));
	json_object_object_add(plan, "hosts", describe_hosts(vm));
	json_object_object_add(plan, "devices", describe_devices(vm));
	json_object_object_add(plan, "decoders", describe_decoders(vm, err));
	json_object_object_add(plan, "map", describe_map(vm, err));
	if (!err->code)
		puts(json_object_to_json_string_ext(plan, JSON_C_TO_STRING_PRETTY |
								  JSON_C_TO_STRING_SPACED |
								  JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(plan);
	return err->code;
}

static int plan_machine(const struct options *options)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm *vm;
	int code = vm_create(&options->config, &vm, &err);

	if (!code) {
		code = options->svg ? plan_svg_write(vm, options->svg, &err) : 0;
		if (!code)
			code = options->json ? print_json(vm, &err) : plan_text_print(vm, &err);
		vm_destroy(vm);
	}
	if (code) {
		print_error("plan", &err);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

static int run(int argc, char **argv)
{
	struct options options;
	int status = STATUS_OK;

	if (!options_parse(&options, true, argc, argv)) {
		status = STATUS_USAGE;
	} else if (options.help) {
		help(stdout);
	} else {
		status = plan_machine(&options);
	}
	options_finish(&options);
	return status;
}

const struct command command_plan = {
	.name = "plan",
	.summary = "print what a run would put where",
	.run = run,
	.help = help,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan.c - cxlvm plan: what a run with the same options would put where
 *
 * Everything comes from a machine that was built as a run builds it and went through its first
 * system reset (vm_create); nothing is computed here. Names are those of cxl list where it has
 * them. The format is described in cxlvm-plan(1).
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "options.h"
#include "pci/hdm.h"
#include "plan.h"
#include "plan_text.h"

#define FORMAT_VERSION 1

static void help(FILE *to)
{
	fputs("usage: cxlvm plan [--json] [OPTION...]\n\n"
	      "Print what a run with the same options would put where. Needs no KVM, maps nothing\n"
	      "and leaves nothing behind.\n\n",
	      to);
	options_help(to, true);
}

static void add_u64(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_string(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, json_object_new_string(value));
}

static void add_bool(struct json_object *object, const char *key, bool value)
{
	json_object_object_add(object, key, json_object_new_boolean(value));
}

static void add_name(struct json_object *object, const char *key, const char *format,
		     unsigned int number)
{
	char name[32];

	snprintf(name, sizeof(name), format, number);
	add_string(object, key, name);
}

/* Root decoders: what a guest finds in the CEDT. */
static struct json_object *describe_windows(const struct vm *vm)
{
	struct json_object *array = json_object_new_array();
	const struct cxlvm_window *window;

	for (unsigned int i = 0; (window = cxlvm_machine_window(vm->machine, i)); i++) {
		struct json_object *object = json_object_new_object();
		struct json_object *targets = json_object_new_array();

		add_name(object, "decoder", "decoder0.%u", i);
		add_string(object, "name", window->name);
		if (window->has_base)
			add_u64(object, "resource", window->base.value);
		add_u64(object, "size", window->size);
		add_u64(object, "interleave_ways", window->n_targets);
		add_u64(object, "restrictions", window->restrictions);
		add_bool(object, "accelmem_capable",
			 window->restrictions & CXLVM_WINDOW_DEVICE_COHERENT);
		add_bool(object, "volatile_capable", window->restrictions & CXLVM_WINDOW_VOLATILE);
		add_bool(object, "pmem_capable", window->restrictions & CXLVM_WINDOW_PERSISTENT);
		add_bool(object, "locked", window->restrictions & CXLVM_WINDOW_FIXED);
		add_u64(object, "qos_class", window->qtg_id);
		add_u64(object, "nr_targets", window->n_targets);
		for (unsigned int t = 0; t < window->n_targets; t++)
			json_object_array_add(targets, json_object_new_uint64(window->targets[t]));
		json_object_object_add(object, "targets", targets);
		add_string(object, "owner", window->owner);
		json_object_array_add(array, object);
	}
	return array;
}

static void describe_decoder(struct json_object *object, uint64_t base, uint64_t size,
			     uint32_t control, uint32_t global_control)
{
	static const unsigned int ways_shift = 4;

	add_u64(object, "resource", base);
	add_u64(object, "size", size);
	/* Both are codes: 256 bytes and 1 way, doubled that often. */
	add_u64(object, "interleave_granularity", (uint64_t)256 << (control & 0xf));
	add_u64(object, "interleave_ways", (uint64_t)1 << (control >> ways_shift & 0xf));
	add_bool(object, "committed", control & HDM_CONTROL_COMMITTED);
	add_bool(object, "locked", control & HDM_CONTROL_LOCK);
	add_bool(object, "error", control & HDM_CONTROL_ERROR);
	add_string(object, "target_type",
		   control & HDM_CONTROL_HOST_ONLY ? "expander" : "accelerator");
	add_u64(object, "control", control);
	add_u64(object, "global_control", global_control);
}

/*
 * Linux numbers ports in the order it finds them: root 0, then host bridges, then endpoints, for
 * which the order here is the likely one.
 */
static struct json_object *describe_decoders(struct vm *vm, struct cxlvm_error *err)
{
	struct json_object *array = json_object_new_array();
	unsigned int port = 1 + vm->n_devices;

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct json_object *object = json_object_new_object();
		struct json_object *targets = json_object_new_array();
		struct cxlvm_bridge_decoder decoder;

		cxlvm_bridge_get(vm->bridges[i].cxl, &decoder);
		add_name(object, "decoder", "decoder%u.0", 1 + i);
		add_name(object, "port", "port%u", 1 + i);
		add_u64(object, "uid", vm->bridges[i].uid);
		describe_decoder(object, decoder.base.value, decoder.size, decoder.control,
				 decoder.global_control);
		json_object_array_add(targets, json_object_new_uint64(decoder.port));
		json_object_object_add(object, "targets", targets);
		json_object_array_add(array, object);
	}
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct json_object *object;
		struct hdm_decoder decoder;

		/* A guest finds no decoder there. */
		if (cxlvm_endpoint_is_plain(vm->devices[i].endpoint))
			continue;
		object = json_object_new_object();
		json_object_array_add(array, object);
		if (hdm_read(&vm->devices[i], &decoder, err))
			break;
		add_name(object, "decoder", "decoder%u.0", port);
		add_name(object, "endpoint", "endpoint%u", port++);
		add_string(object, "device", vm->devices[i].name);
		describe_decoder(object, decoder.base, decoder.size, decoder.control,
				 decoder.global_control);
	}
	return array;
}

static struct json_object *describe_hosts(const struct vm *vm)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < vm->n_bridges; i++) {
		const struct pci_host_bridge *bridge = &vm->bridges[i];
		const struct cxlvm_bridge_place *place = cxlvm_machine_bridge(vm->machine, i);
		struct json_object *object = json_object_new_object();

		add_string(object, "hid", bridge->cxl ? "ACPI0016" : "PNP0A08");
		add_u64(object, "uid", bridge->uid);
		add_u64(object, "bus_first", bridge->bus_first);
		add_u64(object, "bus_last", bridge->bus_last);
		if (place && place->has_base)
			add_u64(object, "component_registers", place->base.value);
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *describe_devices(const struct vm *vm)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		const struct device *device = &vm->devices[i];
		struct json_object *object = json_object_new_object();
		char where[16];

		snprintf(where, sizeof(where), "0000:%02x:00.0",
			 device->bridge->port.assigned.secondary);
		add_string(object, "device", device->name);
		add_string(object, "host", where);
		add_u64(object, "uid", device->bridge->uid);
		add_bool(object, "cxl", !cxlvm_endpoint_is_plain(device->endpoint));
		add_u64(object, "generation", cxlvm_endpoint_generation(device->endpoint));
		add_u64(object, "memory_size", cxlvm_endpoint_memory_size(device->endpoint));
		add_string(object, "decoder_policy",
			   vm->config->devices[i].decoder == CXLVM_DECODER_GUEST ? "guest"
										 : "locked");
		add_bool(object, "firmware_committed",
			 cxlvm_endpoint_firmware_committed(device->endpoint));
		add_bool(object, "committed", cxlvm_endpoint_is_committed(device->endpoint));
		/* The library's word and the host's: a plan in which they differ is a bug. */
		add_bool(object, "memory_mapped",
			 cxlvm_endpoint_memory_mapped(device->endpoint) && device->mapped);
		add_string(object, "unusable_reason",
			   cxlvm_endpoint_unusable_reason(device->endpoint));
		json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *describe_map(const struct vm *vm, struct cxlvm_error *err)
{
	struct json_object *array = json_object_new_array();
	struct plan_range *ranges;
	size_t n;

	if (plan_ranges(vm, &ranges, &n, err))
		return array;
	for (size_t i = 0; i < n; i++) {
		const struct plan_range *range = &ranges[i];
		struct json_object *object = json_object_new_object();

		add_u64(object, "resource", range->base.value);
		add_u64(object, "size", range->size);
		add_string(object, "type", range->type);
		if (range->owner[0])
			add_string(object, "device", range->owner);
		if (range->index >= 0)
			add_u64(object, strstr(range->type, "bar") ? "bar" : "uid",
				(uint64_t)range->index);
		json_object_array_add(array, object);
	}
	free(ranges);
	return array;
}

static int print_json(struct vm *vm, struct cxlvm_error *err)
{
	struct json_object *plan = json_object_new_object();

	add_u64(plan, "version", FORMAT_VERSION);
	add_u64(plan, "phys_bits", vm->phys_bits);
	add_u64(plan, "memory_size", vm->ram.size);
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

static int print_plan(struct vm *vm, bool json, struct cxlvm_error *err)
{
	int code = json ? print_json(vm, err) : plan_text_print(vm, err);

	if (!code && (fflush(stdout) || ferror(stdout)))
		code = cxlvm_error_set(err, errno ? -errno : -EIO, "cannot write the plan: %s",
				       strerror(errno));
	return code;
}

static int plan_machine(const struct vm_config *config, bool json)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm *vm;
	int code = vm_create(config, &vm, &err);

	if (!code) {
		code = print_plan(vm, json, &err);
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
		status = plan_machine(&options.config, options.json);
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

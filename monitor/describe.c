/* SPDX-License-Identifier: BSD-3-Clause */
/* describe.c - the machine as JSON */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "pci/hdm.h"
#include "plan.h"
#include "vm.h"

/* CXL Control in the CXL Device DVSEC (CXL 3.1, 8.1.3.2). */
#define DVSEC_MEM_ENABLE 0x4u

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
struct json_object *describe_windows(const struct vm *vm)
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

static void bridge_decoder(struct device *device, struct cxlvm_bridge_decoder *decoder)
{
	pthread_mutex_lock(&device->lock);
	cxlvm_bridge_get(device->bridge->cxl, decoder);
	pthread_mutex_unlock(&device->lock);
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
struct json_object *describe_decoders(struct vm *vm, struct cxlvm_error *err)
{
	struct json_object *array = json_object_new_array();
	unsigned int port = 1 + vm->n_devices;

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct json_object *object = json_object_new_object();
		struct json_object *targets = json_object_new_array();
		struct cxlvm_bridge_decoder decoder;

		bridge_decoder(&vm->devices[i], &decoder);
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

struct json_object *describe_hosts(const struct vm *vm)
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

struct json_object *describe_devices(struct vm *vm)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];
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
		pthread_mutex_lock(&device->lock);
		add_string(object, "unusable_reason",
			   cxlvm_endpoint_unusable_reason(device->endpoint));
		pthread_mutex_unlock(&device->lock);
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *describe_map(struct vm *vm, struct cxlvm_error *err)
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

/* Offsets in the HDM decoder capability (CXL 3.1, 8.2.4.20), in dwords. */
enum { HDM_GLOBAL = 1, HDM_BASE = 4, HDM_SIZE = 6, HDM_CONTROL = 8 };

static struct json_object *describe_counters(const struct device *device)
{
	struct json_object *object = json_object_new_object();
	struct cxlvm_endpoint_counters counters;

	cxlvm_endpoint_get_counters(device->endpoint, &counters, sizeof(counters));
	add_u64(object, "writes", counters.writes);
	add_u64(object, "bad_accesses", counters.bad_accesses);
	add_u64(object, "device_errors", counters.device_errors);
	add_u64(object, "programmed", counters.programmed);
	add_u64(object, "program_failures", counters.program_failures);
	return object;
}

struct json_object *describe_registers(struct vm *vm)
{
	struct json_object *array = json_object_new_array();

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];
		struct json_object *object = json_object_new_object();
		struct json_object *own = json_object_new_object();
		struct json_object *bridges = json_object_new_object();
		struct cxlvm_bridge_decoder bridge;
		struct cxlvm_endpoint_state state;

		pthread_mutex_lock(&device->lock);
		cxlvm_endpoint_get_state(device->endpoint, &state, sizeof(state));
		pthread_mutex_unlock(&device->lock);
		bridge_decoder(device, &bridge);
		describe_decoder(own, (uint64_t)state.hdm[HDM_BASE + 1] << 32 | state.hdm[HDM_BASE],
				 (uint64_t)state.hdm[HDM_SIZE + 1] << 32 | state.hdm[HDM_SIZE],
				 state.hdm[HDM_CONTROL], state.hdm[HDM_GLOBAL]);
		describe_decoder(bridges, bridge.base.value, bridge.size, bridge.control,
				 bridge.global_control);
		add_string(object, "device", device->name);
		add_bool(object, "memory_mapped",
			 cxlvm_endpoint_memory_mapped(device->endpoint) && device->mapped);
		add_bool(object, "usable", state.usable);
		add_bool(object, "memory_enable", state.dvsec_control & DVSEC_MEM_ENABLE);
		json_object_object_add(object, "decoder", own);
		json_object_object_add(object, "host_bridge_decoder", bridges);
		json_object_object_add(object, "counters", describe_counters(device));
		json_object_array_add(array, object);
	}
	return array;
}

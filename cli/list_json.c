/* SPDX-License-Identifier: BSD-3-Clause */
/* list_json.c - the devices of a machine as JSON; cxlvm-list(1) describes it */
#include <string.h>

#include "emit.h"
#include "list.h"

#define FORMAT_VERSION 1

/* Names are those of cxl list where it has them. */
static struct json_object *decoder_json(const struct host_decoder *decoder)
{
	struct json_object *object = json_object_new_object();

	emit_string(object, "decoder", decoder->name);
	if (decoder->has_range) {
		emit_u64(object, "resource", decoder->base.value);
		emit_u64(object, "size", decoder->size);
		emit_bool(object, "committed", decoder->committed);
	}
	if (decoder->interleave_ways)
		emit_u64(object, "interleave_ways", decoder->interleave_ways);
	if (decoder->has_locked)
		emit_bool(object, "locked", decoder->locked);
	emit_string(object, "mode", decoder->mode);
	if (decoder->has_target_type)
		emit_string(object, "target_type", decoder->host_only ? "expander" : "accelerator");
	emit_string(object, "region", decoder->region);
	emit_string(object, "host", decoder->device);
	return object;
}

static void add_decoder(const struct host *host, const struct host_device *device,
			struct json_object *object)
{
	struct json_object *json;
	struct host_decoder decoder;
	enum list_source source = list_decoder(host, device, &decoder);

	if (source == LIST_UNKNOWN) {
		emit_string(object, "decoder_unknown", device->registers_why);
		return;
	}
	json = decoder_json(&decoder);
	json_object_object_del(json, "host");
	emit_string(json, "source", source == LIST_REGISTERS ? "registers" : "kernel");
	if (source == LIST_REGISTERS) {
		emit_bool(json, "error", decoder.error);
		emit_u64(object, "nr_decoders", device->n_decoders);
		emit_u64(object, "nr_decoders_committed", device->n_committed);
	}
	json_object_object_add(object, "decoder", json);
}

static void add_window(const struct host *host, const struct host_device *device,
		       struct json_object *object)
{
	struct list_window window;
	struct json_object *json;

	if (!list_window(host, device, &window))
		return;
	json = json_object_new_object();
	emit_string(json, "decoder", window.name);
	emit_u64(json, "resource", window.base.value);
	emit_u64(json, "size", window.size);
	json_object_object_add(object, "window", json);
}

static void add_cxl(const struct host *host, const struct host_device *device,
		    struct json_object *object)
{
	const struct host_cxl *cxl = &device->cxl;

	emit_u64(object, "type", host_type(device));
	emit_bool(object, "cache_capable", cxl->cache);
	emit_bool(object, "mem_capable", cxl->mem);
	emit_bool(object, "mem_enabled", cxl->mem_enable);
	emit_bool(object, "memory_active", cxl->range_active);
	emit_u64(object, "memory_size", host_range_size(device));
	if (cxl->locator) {
		emit_u64(object, "component_bar", cxl->component_bar);
		emit_u64(object, "component_offset", cxl->component_offset);
	}
	add_decoder(host, device, object);
	add_window(host, device, object);
}

/* Those that it may be of; without opening it more is not known. */
static void add_generations(const struct host *host, const struct host_device *device,
			    struct json_object *object)
{
	struct list_interface interface;
	struct json_object *array;

	if (!list_generations(host, device, &interface) || !interface.first)
		return;
	array = json_object_new_array();
	for (unsigned int i = interface.first; i <= interface.last; i++)
		json_object_array_add(array, json_object_new_uint64(i));
	json_object_object_add(object, "generations", array);
}

static struct json_object *device_json(const struct host *host, const struct host_device *device)
{
	struct json_object *object = json_object_new_object();

	emit_string(object, "host", device->address);
	emit_string(object, "memdev", device->memdev);
	emit_bool(object, "pci", device->pci);
	if (device->pci) {
		emit_u64(object, "vendor", device->vendor);
		emit_u64(object, "device", device->device);
		emit_u64(object, "class", device->class_code);
	}
	emit_string(object, "name", device->name);
	emit_string(object, "driver", device->driver);
	if (device->group >= 0)
		emit_u64(object, "iommu_group", (uint64_t)device->group);
	emit_bool(object, "vfio", device->vfio);
	add_generations(host, device, object);
	emit_u64(object, "config_readable", device->config_size);
	emit_bool(object, "cxl", device->cxl.device_dvsec);
	if (device->cxl.device_dvsec)
		add_cxl(host, device, object);
	return object;
}

static struct json_object *window_json(const struct host_window *window)
{
	struct json_object *object = json_object_new_object(), *targets = json_object_new_array();

	emit_u64(object, "resource", window->base.value);
	emit_u64(object, "size", window->size);
	emit_u64(object, "restrictions", window->restrictions);
	emit_u64(object, "nr_targets", window->n_targets);
	for (unsigned int i = 0; i < window->n_targets; i++)
		json_object_array_add(targets, json_object_new_uint64(window->targets[i]));
	json_object_object_add(object, "targets", targets);
	return object;
}

void list_json(const struct host *host)
{
	struct json_object *document = json_object_new_object();
	struct json_object *devices = json_object_new_array(), *windows = json_object_new_array(),
			   *decoders = json_object_new_array();

	emit_u64(document, "version", FORMAT_VERSION);
	emit_string(document, "kernel", host->kernel);
	for (size_t i = 0; i < host->n_devices; i++) {
		if (list_shows(&host->devices[i]))
			json_object_array_add(devices, device_json(host, &host->devices[i]));
	}
	for (size_t i = 0; i < host->n_windows; i++)
		json_object_array_add(windows, window_json(&host->windows[i]));
	for (size_t i = 0; i < host->n_decoders; i++)
		json_object_array_add(decoders, decoder_json(&host->decoders[i]));
	json_object_object_add(document, "devices", devices);
	json_object_object_add(document, "windows", windows);
	emit_string(document, "windows_unknown", host->windows_why);
	json_object_object_add(document, "decoders", decoders);
	emit_u64(document, "functions", host->n_functions);
	emit_u64(document, "functions_unseen", host_config_unseen(host));
	emit_document(document);
}

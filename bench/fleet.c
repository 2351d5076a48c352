/* SPDX-License-Identifier: BSD-3-Clause */
#include "fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "host.h"

#define GIB(n) ((uint64_t)(n) << 30)

static void die(const char *what, const struct cxlvm_error *err)
{
	fprintf(stderr, "bench: %s: %s\n", what, err->message);
	exit(1);
}

/* Device operations that count. */

static int count_info(void *opaque, void *buf, size_t len, size_t *needed)
{
	struct fleet_device *device = opaque;

	device->calls++;
	return device->transport.ops->info(device->transport.device, buf, len, needed);
}

static int count_region_info(void *opaque, uint32_t index, void *buf, size_t len, size_t *needed)
{
	struct fleet_device *device = opaque;

	device->calls++;
	return device->transport.ops->region_info(device->transport.device, index, buf, len,
						  needed);
}

static int count_read(void *opaque, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	struct fleet_device *device = opaque;

	device->calls++;
	return device->transport.ops->read(device->transport.device, region, offset, buf, len);
}

static int count_write(void *opaque, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	struct fleet_device *device = opaque;

	device->calls++;
	return device->transport.ops->write(device->transport.device, region, offset, buf, len);
}

static int count_map(void *opaque, const struct cxlvm_map_request *request, void **address)
{
	struct fleet_device *device = opaque;

	device->calls++;
	return device->transport.ops->map(device->transport.device, request, address);
}

static void count_unmap(void *opaque, void *address, uint64_t size)
{
	struct fleet_device *device = opaque;

	device->calls++;
	device->transport.ops->unmap(device->transport.device, address, size);
}

static int count_usable(void *opaque)
{
	struct fleet_device *device = opaque;

	device->calls++;
	return device->transport.ops->usable(device->transport.device);
}

static int device_reset(void *host, enum cxlvm_reset_kind kind)
{
	struct fleet_device *device = host;

	(void)kind;
	return device->transport.transport->reset(device->transport.device);
}

static void sleep_ms(void *host, unsigned int milliseconds)
{
	(void)host;
	(void)milliseconds;
}

static const struct cxlvm_host_ops host_ops = {
	.size = sizeof(host_ops),
	HOST_MAPS_NOTHING,
	.device_reset = device_reset,
	.sleep_ms = sleep_ms,
};

void fleet_open(struct fleet *fleet, unsigned int n, unsigned int generation, uint64_t memory)
{
	struct cxlvm_sim_config config = {
		.size = sizeof(config),
		.memory_size = memory,
		.generation = generation,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(fleet, 0, sizeof(*fleet));
	for (; fleet->n < n; fleet->n++) {
		struct fleet_device *device = &fleet->devices[fleet->n];

		config.serial = fleet->n;
		if (cxlvm_sim_open(&config, &device->transport, &err))
			die("sim", &err);
		device->ops = (struct cxlvm_device_ops){
			.size = sizeof(device->ops),
			.info = count_info,
			.region_info = count_region_info,
			.read = count_read,
			.write = count_write,
			.map = count_map,
			.unmap = count_unmap,
			.usable = device->transport.ops->usable ? count_usable : NULL,
		};
	}
}

static int realize(struct fleet *fleet, unsigned int i, const struct cxlvm_bar_range *exclude,
		   struct cxlvm_error *err)
{
	struct fleet_device *device = &fleet->devices[i];
	char name[16];
	struct cxlvm_endpoint_config config = {
		.size = sizeof(config),
		.name = name,
		.bridge_uid = i,
		.page_size = 4096,
		.exclude = exclude,
		.n_exclude = exclude ? 1 : 0,
	};

	snprintf(name, sizeof(name), "accel%u", i);
	return cxlvm_endpoint_realize(fleet->machine, &config, &device->ops, device, &host_ops,
				      device, &device->endpoint, err);
}

/* As a guest does: the component block's capability array, then the entry of the decoder. */
static void find_hdm(struct fleet_device *device)
{
	struct cxlvm_bar_range span;
	uint64_t header;

	cxlvm_endpoint_spans(device->endpoint, &span, 1);
	device->bar = span.bar;
	for (uint64_t at = span.offset; at < span.offset + span.size; at += 4096) {
		header = cxlvm_endpoint_reg_read(device->endpoint, span.bar, at, 4);
		if ((header & 0xffff) != 1)
			continue;
		for (unsigned int i = 1; i <= header >> 24; i++) {
			uint64_t entry = cxlvm_endpoint_reg_read(device->endpoint, span.bar,
								 at + 4 * (uint64_t)i, 4);

			if ((entry & 0xffff) == 5)
				device->hdm = at + (entry >> 20);
		}
	}
}

/* Realize once to find the decoder, and again with a hole in the middle of the page after it. */
static void realize_split(struct fleet *fleet, unsigned int i, struct cxlvm_error *err)
{
	struct fleet_device *device = &fleet->devices[i];
	struct cxlvm_bar_range hole;

	if (realize(fleet, i, NULL, err))
		die("realize", err);
	find_hdm(device);
	cxlvm_endpoint_free(device->endpoint);
	hole = (struct cxlvm_bar_range){ device->bar, device->hdm + 0x400, 0x100 };
	if (realize(fleet, i, &hole, err))
		die("realize", err);
}

static void make_tables(struct fleet *fleet, struct cxlvm_error *err)
{
	static uint8_t cedt[16384], text[65536];
	struct cxlvm_aml aml;
	size_t needed;

	if (cxlvm_cedt_build(fleet->machine, NULL, cedt, sizeof(cedt), &needed, err))
		die("CEDT", err);
	cxlvm_aml_init(&aml, text, sizeof(text));
	for (unsigned int i = 0; i < fleet->n; i++) {
		struct cxlvm_acpi_bridge bridge = {
			.cxl = true,
			.name = { 'C', 'X', (char)('A' + i / 10), (char)('0' + i % 10), 0 },
			.uid = i,
			.bus_first = (uint8_t)(8 * i),
			.bus_last = (uint8_t)(8 * i + 7),
		};

		if (cxlvm_acpi_bridge(&aml, &bridge, err))
			die("AML", err);
	}
	cxlvm_acpi_cxl_root(&aml);
}

void fleet_plan(struct fleet *fleet, bool split)
{
	struct cxlvm_machine_config config = { .size = sizeof(config),
					       .phys_bits = 52,
					       .place_from = { GIB(4) } };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (cxlvm_machine_create(&config, &fleet->machine, &err) ||
	    cxlvm_machine_add_range(fleet->machine, "RAM", (struct cxlvm_gpa){ 0 }, GIB(2), &err))
		die("machine", &err);
	for (unsigned int i = 0; i < fleet->n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cxl%u", i);
		if (cxlvm_machine_add_bridge(fleet->machine, name, i, NULL, &err))
			die("host bridge", &err);
		if (split)
			realize_split(fleet, i, &err);
		else if (realize(fleet, i, NULL, &err))
			die("realize", &err);
	}
	if (cxlvm_machine_freeze(fleet->machine, &err))
		die("freeze", &err);
	for (unsigned int i = 0; i < fleet->n; i++)
		if (cxlvm_endpoint_machine_done(fleet->devices[i].endpoint, &err))
			die("machine done", &err);
	make_tables(fleet, &err);
	for (unsigned int i = 0; i < fleet->n && !split; i++)
		if (!fleet->devices[i].hdm)
			find_hdm(&fleet->devices[i]);
}

void fleet_prepare(struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->n; i++)
		cxlvm_endpoint_reset_prepare(fleet->devices[i].endpoint, CXLVM_RESET_SYSTEM, NULL);
}

void fleet_reset_devices(struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->n; i++)
		device_reset(&fleet->devices[i], CXLVM_RESET_SYSTEM);
}

void fleet_done(struct fleet *fleet)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	for (unsigned int i = 0; i < fleet->n; i++)
		if (cxlvm_endpoint_reset_done(fleet->devices[i].endpoint, CXLVM_RESET_SYSTEM, 0,
					      &err))
			die("reset", &err);
}

void fleet_unplan(struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->n; i++)
		cxlvm_endpoint_free(fleet->devices[i].endpoint);
	cxlvm_machine_destroy(fleet->machine);
}

void fleet_close(struct fleet *fleet)
{
	for (unsigned int i = 0; i < fleet->n; i++)
		fleet->devices[i].transport.transport->close(fleet->devices[i].transport.device);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * list_text.c - the devices of a machine for people
 *
 * Unlike JSON this is no interface: it may change with every version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "emit.h"
#include "list.h"

static void print_type(const struct host_device *device, char text[static 16])
{
	unsigned int type = host_type(device);

	if (type)
		snprintf(text, 16, "Type %u", type);
	else
		snprintf(text, 16, "%s",
			 device->cxl.device_dvsec   ? "CXL"
			 : host_config_seen(device) ? "PCI"
						    : "?");
}

static void print_decoder(const struct host *host, const struct host_device *device,
			  char text[static 48])
{
	struct host_decoder decoder;
	enum list_source source = list_decoder(host, device, &decoder);

	if (!device->cxl.device_dvsec && host_config_seen(device))
		snprintf(text, 48, "-");
	else if (source == LIST_UNKNOWN)
		snprintf(text, 48, "?");
	else if (!decoder.committed)
		snprintf(text, 48, "%s", decoder.error ? "commit failed" : "not committed");
	else
		snprintf(text, 48, "0x%" PRIx64 "%s", decoder.base.value,
			 decoder.locked ? ", locked" : "");
}

static void print_device(const struct host *host, const struct host_device *device)
{
	char type[16], group[16] = "-", memory[EMIT_SIZE_MAX] = "-", decoder[48];
	struct host_decoder known;
	uint64_t size = host_range_size(device);

	if (list_decoder(host, device, &known) != LIST_UNKNOWN && known.committed)
		size = known.size;
	if (size && device->cxl.device_dvsec)
		emit_size(size, memory);
	if (device->group >= 0)
		snprintf(group, sizeof(group), "%d", device->group);
	print_type(device, type);
	print_decoder(host, device, decoder);
	printf("%-12s  %-6s  %-14s %5s  %9s  %-20s  ", device->address, type,
	       device->driver[0] ? device->driver : "no driver", group, memory, decoder);
	if (device->pci)
		printf("[%04x:%04x]%s%s\n", device->vendor, device->device,
		       device->name[0] ? " " : "", device->name);
	else
		puts("no PCI function");
}

static void print_windows(const struct host *host)
{
	if (!host->n_windows) {
		printf("\nno window: %s\n", host->windows_why);
		return;
	}
	putchar('\n');
	for (size_t i = 0; i < host->n_windows; i++) {
		const struct host_window *window = &host->windows[i];
		char size[EMIT_SIZE_MAX];

		printf("window %zu: 0x%" PRIx64 ", %s, host bridge", i, window->base.value,
		       emit_size(window->size, size));
		for (unsigned int n = 0; n < window->n_targets; n++)
			printf("%s %" PRIu32, n ? "," : "", window->targets[n]);
		putchar('\n');
	}
}

void list_text(const struct host *host)
{
	bool any = false;

	for (size_t i = 0; i < host->n_devices; i++) {
		if (!list_shows(&host->devices[i]))
			continue;
		if (!any)
			printf("%-12s  %-6s  %-14s %5s  %9s  %-20s  %s\n", "ADDRESS", "TYPE",
			       "DRIVER", "GROUP", "MEMORY", "DECODER 0", "DEVICE");
		any = true;
		print_device(host, &host->devices[i]);
	}
	if (!any)
		printf("no CXL device, and none bound to VFIO, among %zu PCI functions\n",
		       host->n_functions);
	print_windows(host);
	for (size_t i = 0; i < host->n_devices; i++) {
		const struct host_device *device = &host->devices[i];
		struct list_window window;
		char text[64];

		if (device->cxl.device_dvsec && list_window(host, device, &window))
			printf("%s: decoder 0 lies in the window at 0x%" PRIx64 "%s%s\n",
			       device->address, window.base.value, window.name[0] ? ", " : "",
			       window.name);
		if (device->cxl.device_dvsec && device->registers_why[0])
			printf("%s: decoders not seen: %s\n", device->address,
			       device->registers_why);
		if (list_generation(host, device, text)[0])
			printf("%s: CXL interface of VFIO: %s\n", device->address, text);
	}
	if (host_config_unseen(host))
		printf("config space of %zu functions not seen: for root only; more of them may be CXL "
		       "devices\n",
		       host_config_unseen(host));
}

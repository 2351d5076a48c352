/* SPDX-License-Identifier: BSD-3-Clause */
/* list_facts.c - what list and check say of a device */
#include <stdio.h>
#include <string.h>

#include "list.h"

bool list_shows(const struct host_device *device)
{
	return device->cxl.device_dvsec || device->vfio;
}

enum list_source list_decoder(const struct host *host, const struct host_device *device,
			      struct host_decoder *decoder)
{
	const struct host_decoder *own = host_endpoint_decoder(host, device);

	if (device->n_decoders) {
		*decoder = device->decoder;
		return LIST_REGISTERS;
	}
	if (own && own->has_range) {
		*decoder = *own;
		return LIST_KERNEL;
	}
	memset(decoder, 0, sizeof(*decoder));
	return LIST_UNKNOWN;
}

static bool contains(struct cxlvm_hpa base, uint64_t size, const struct host_decoder *decoder)
{
	return decoder->base.value >= base.value && decoder->size <= size &&
	       decoder->base.value - base.value <= size - decoder->size;
}

bool list_window(const struct host *host, const struct host_device *device,
		 struct list_window *window)
{
	struct host_decoder decoder;
	bool found = false;

	memset(window, 0, sizeof(*window));
	if (list_decoder(host, device, &decoder) == LIST_UNKNOWN || !decoder.committed ||
	    !decoder.size)
		return false;
	for (size_t i = 0; i < host->n_windows && !found; i++) {
		found = contains(host->windows[i].base, host->windows[i].size, &decoder);
		window->base = host->windows[i].base;
		window->size = host->windows[i].size;
	}
	/* Those of port 0 are the kernel's view of windows. */
	for (size_t i = 0; i < host->n_decoders; i++) {
		const struct host_decoder *root = &host->decoders[i];

		if (strncmp(root->name, "decoder0.", 9) || !root->has_range ||
		    !contains(root->base, root->size, &decoder))
			continue;
		memcpy(window->name, root->name, sizeof(window->name));
		window->base = root->base;
		window->size = root->size;
		return true;
	}
	return found;
}

struct list_interface list_interface(struct fs *fs)
{
	static const char *const switches[] = {
		"/sys/module/vfio_pci/parameters/disable_cxl",
		"/sys/module/vfio_pci_core/parameters/disable_cxl",
	};
	char value[16] = "";

	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]) && !value[0]; i++)
		fs_text(fs, switches[i], value, sizeof(value));
	if (value[0] == 'Y')
		return (struct list_interface){ .off = true };
	if (value[0])
		return (struct list_interface){ .first = 2, .last = 2 };
	if (fs_exists(fs, "/sys/module/vfio_cxl"))
		return (struct list_interface){ .first = 4, .last = 6 };
	return (struct list_interface){ .off = false };
}

bool list_generations(const struct host *host, const struct host_device *device,
		      struct list_interface *interface)
{
	*interface = (struct list_interface){ .off = false };
	/* Of a plain PCI device there is but one interface. */
	if (!device->vfio || (!device->cxl.device_dvsec && host_config_seen(device)))
		return false;
	/* What is no PCI function has a driver of its own kind. */
	if (device->pci)
		*interface = list_interface(host->fs);
	return true;
}

const char *list_generation(const struct host *host, const struct host_device *device,
			    char text[static 64])
{
	struct list_interface interface;

	text[0] = '\0';
	if (!list_generations(host, device, &interface))
		return text;
	if (interface.off)
		snprintf(text, 64, "off by disable_cxl (bound, not opened)");
	else if (!interface.first)
		snprintf(text, 64, "unknown (bound, not opened)");
	else if (interface.first == interface.last)
		snprintf(text, 64, "generation %u (bound, not opened)", interface.first);
	else
		snprintf(text, 64, "generation %u to %u (bound, not opened)", interface.first,
			 interface.last);
	return text;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* list_facts.c - what list and check say of a device */
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

const char *list_generation(const struct host_device *device)
{
	if (!device->cxl.device_dvsec && host_config_seen(device))
		return ""; /* a plain PCI device: there is but one interface */
	return device->vfio ? "unknown (bound, not opened)" : "";
}

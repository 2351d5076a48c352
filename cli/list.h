/* SPDX-License-Identifier: BSD-3-Clause */
/* list.h - how the devices of a machine look: as a table, or as JSON */
#ifndef CLI_LIST_H
#define CLI_LIST_H

#include "host.h"

/* Whether list shows it: it is CXL-capable, or bound to a driver of VFIO. */
bool list_shows(const struct host_device *device);

/* What is known of decoder 0 of a device, and where from. */
enum list_source {
	LIST_UNKNOWN,   /* registers_why says why */
	LIST_REGISTERS, /* its component registers */
	LIST_KERNEL,    /* the kernel's CXL core */
};

enum list_source list_decoder(const struct host *host, const struct host_device *device,
			      struct host_decoder *decoder);

/*
 * How the CXL interface of VFIO is to a device: what is known without opening it. "" when it is not
 * bound to VFIO, or no CXL device.
 */
const char *list_generation(const struct host_device *device);

void list_text(const struct host *host);
void list_json(const struct host *host);

#endif

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

/* The window of the machine that decoder 0 of a device lies in. */
struct list_window {
	char name[32]; /* decoder0.0, of the kernel's CXL core; "": that does not show it */
	struct cxlvm_hpa base;
	uint64_t size;
};

/* False: it is not committed, or what would tell cannot be read. */
bool list_window(const struct host *host, const struct host_device *device,
		 struct list_window *window);

/* What modules and their parameters tell of the CXL interface that this kernel's VFIO has. */
struct list_interface {
	bool off;                 /* disable_cxl of vfio-pci */
	unsigned int first, last; /* it is of one of these generations; 0: not known */
};

struct list_interface list_interface(struct fs *fs);

/* The same of a device, without opening it. False: not bound to VFIO, or no CXL device. */
bool list_generations(const struct host *host, const struct host_device *device,
		      struct list_interface *interface);
/* For people, into text, which comes back: "" for false. */
const char *list_generation(const struct host *host, const struct host_device *device,
			    char text[static 64]);

void list_text(const struct host *host);
void list_json(const struct host *host);

#endif

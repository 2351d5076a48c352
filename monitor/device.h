/* SPDX-License-Identifier: BSD-3-Clause */
/* device.h - one passed-through device: transport, endpoint, and what the guest sees of it */
#ifndef MONITOR_DEVICE_H
#define MONITOR_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/cxlvm.h>

#include "pci/endpoint.h"
#include "vfio.h"

struct vm;
struct pci_host_bridge;

#define DEVICE_NAME_MAX 16

/* Of --device sim,..., --device user:PATH,... and --device vfio:NAME,... */
struct device_config {
	const char *vfio; /* PCI address or folder in sysfs of a device of the host; NULL: none */
	bool has_vfio_fd; /* of its character device, inherited; vfio is then what was written */
	int vfio_fd;
	const char *socket; /* of a vfio-user server; NULL and no vfio: a sim */
	uint64_t size;
	unsigned int generation; /* 0: the default of the transport */
	bool has_window_base;
	struct cxlvm_gpa window_base;
	const char *memory_file; /* NULL: anonymous */
	enum cxlvm_decoder_policy decoder;
	enum cxlvm_cxl_mode mode;
	const char *window; /* NULL: named after the device */
	bool require_dma;
	bool allow_slow;
	uint64_t quirks; /* of the sim: bit n is quirk n */
};

/* What is told of a device: the kinds of enum cxlvm_event_kind by their numbers, and these. */
enum device_event {
	DEVICE_EVENT_UNKNOWN = 0,
	DEVICE_EVENT_ERROR = CXLVM_EVENT_WARNING + 1,
	DEVICE_EVENT_REQUESTED,
	DEVICE_EVENTS
};

/* Of events of one kind: what is left of the burst, since when, and how many were not told. */
struct event_limit {
	uint64_t credit;
	uint64_t ns;
	uint64_t left_out;
};

struct device {
	char name[DEVICE_NAME_MAX];
	struct vm *vm;
	struct pci_host_bridge *bridge;
	bool opened;
	bool real; /* of the host's VFIO */
	struct cxlvm_transport transport;
	unsigned int n_ram_mapped; /* blocks of RAM that it reaches by DMA */
	struct cxlvm_endpoint *endpoint;
	/*
	 * Serializes the verbs and writes that reach the endpoint, as cxlvm/passthrough.h wants
	 * it. Register reads do not take it.
	 */
	pthread_mutex_t lock;
	struct pci_endpoint pci;
	int notices[VFIO_NOTICES]; /* eventfds, -1: none */
	bool dma_mapped;           /* device memory, in its own I/O address space */
	int bus_reset_result;      /* of the device, from begin to end of a bus reset */

	/* Memory slots that host operation prepare reserved: one for each area. */
	int *slots;
	size_t n_slots;
	atomic_bool mapped;
	struct cxlvm_error refusal;        /* why KVM did not take them last; the device's lock */
	const struct cxlvm_window *window; /* set when the machine is complete */
	/* What the areas span, while mapped; read without a lock. */
	_Atomic uint64_t mapped_first, mapped_last;

	struct event_limit event_limits[DEVICE_EVENTS];

	/* Of the guest, which the device did not take; said last when. */
	uint64_t writes_refused;
	uint64_t refused_ns;
};

/* Open the transport and realize the endpoint below bridge. device->vm and name are set. */
int device_realize(struct device *device, const struct device_config *config,
		   struct pci_host_bridge *bridge, struct cxlvm_error *err);
/* For devices of zeros as well. */
void device_finish(struct device *device);

/* An event of kind warning: nothing is lost but what text says. */
void device_warn(struct device *device, int code, const char *text);

/* Reset the device itself; asks again while it says so. 0 or negative errno. */
int device_reset_real(struct device *device);

/*
 * Reset the device because somebody outside asks for it, of kind function, CXL or bus. The guest
 * finds its configuration as it was, as after a reset by the kernel, but not the memory's content.
 */
int device_reset(struct device *device, enum cxlvm_reset_kind kind, struct cxlvm_error *err);

/*
 * The bus above the device is held in reset, and let go: from one to the other the device does not
 * answer. The device's lock is held.
 */
void device_bus_reset_begin(struct device *device);
void device_bus_reset_end(struct device *device);

#endif

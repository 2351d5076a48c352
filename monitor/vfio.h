/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vfio.h - devices of the host's VFIO: what a machine needs for them besides the transport
 *
 * KVM is told of each group or device, so that it knows what a device can do to caches; progress of
 * long work is printed; and what the kernel has to say of a device becomes an event.
 */
#ifndef MONITOR_VFIO_H
#define MONITOR_VFIO_H

#include <cxlvm/kernel.h>

struct device;
struct device_config;
struct vm;

struct vfio {
	struct cxlvm_kernel *kernel; /* NULL: no device needs it yet */
	int kvm_device;              /* KVM's device of this kind; -1: none */
};

#define VFIO_INIT                 \
	{                         \
		.kvm_device = -1, \
	}

/* The kernel's notices of a device. */
enum vfio_notice { VFIO_NOTICE_ERROR, VFIO_NOTICE_REQUEST, VFIO_NOTICES };

/* Open the device that config->vfio or its descriptor names: device->transport is set. */
int vfio_open(struct device *device, const struct device_config *config, struct cxlvm_error *err);
/* After all devices were closed; also when none was opened. */
void vfio_finish(struct vm *vm);

/* Ask for notices of an open device; one without them is all right. Ended with vfio_deafen. */
int vfio_listen(struct device *device, struct cxlvm_error *err);
void vfio_deafen(struct device *device);
/* A notice has arrived. */
void vfio_notice(struct device *device, enum vfio_notice notice);

#endif

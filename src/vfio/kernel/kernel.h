/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices behind the kernel's VFIO, for the files of this transport. */
#ifndef CXLVM_VFIO_KERNEL_KERNEL_H
#define CXLVM_VFIO_KERNEL_KERNEL_H

#include "vfio/kernel/place.h"
#include "vfio/kernel/space.h"

struct kernel_device;

struct cxlvm_kernel {
	struct cxlvm_kernel_config config;
	struct roots roots;
	pthread_mutex_t mutex; /* opening and closing: what is below */
	int iommufd;           /* -1: none yet; one for all spaces that use it */
	struct space *spaces;
	_Atomic uint64_t mapped; /* bytes, in all of them */
	struct kernel_device *devices;
};

struct kernel_region {
	uint64_t size;
	uint64_t offset; /* in the file of the device */
};

struct kernel_device {
	struct cxlvm_kernel *kernel;
	struct kernel_device *next;
	char name[PLACE_NAME_MAX];
	int fd;
	bool told; /* file_add has fd */
	struct space *space;
	unsigned int user; /* of space */
	unsigned int n_regions;
	struct kernel_region *regions;
};

/* kernel.c: the public functions with other folders. */
int kernel_create_at(const struct roots *roots, const struct cxlvm_kernel_config *config,
		     struct cxlvm_kernel **kernel, struct cxlvm_error *err);
int kernel_group_at(const struct roots *roots, const struct cxlvm_kernel_device_config *config,
		    unsigned int *group, struct cxlvm_error *err);
struct space *kernel_find_space(const struct cxlvm_kernel *kernel, const struct space_ops *ops,
				unsigned int group);
/* The functions of the host's hypervisor. */
int kernel_file_add(const struct cxlvm_kernel *kernel, int fd, struct cxlvm_error *err);
void kernel_file_del(const struct cxlvm_kernel *kernel, int fd);

/*
 * Both ways to a device: fd and space of *device are set, and it is a user of the space; or nothing
 * has changed. iommufd_open takes over fd, a character device, if that is not negative and it
 * succeeds.
 */
int group_open(struct cxlvm_kernel *kernel, const struct place *place, struct kernel_device *device,
	       struct cxlvm_error *err);
int iommufd_open(struct cxlvm_kernel *kernel, const struct place *place, int fd,
		 struct kernel_device *device, struct cxlvm_error *err);
/* Take an open device out of its space. */
void iommufd_detach(int fd);

/* device.c */
extern const struct cxlvm_device_ops kernel_device_ops;
int kernel_read_regions(struct kernel_device *device, struct cxlvm_error *err);
int kernel_reset(void *device);
int kernel_irq_set(void *device, uint32_t index, uint32_t start, uint32_t count,
		   const int *eventfds);
int kernel_irq_disable(void *device, uint32_t index);
int kernel_irq_info(void *device, uint32_t index, uint32_t *flags, uint32_t *count);

/* ioctl that repeats when a signal interrupts it: 0 or more, or negative errno. */
int kernel_ioctl(int fd, unsigned int number, void *argument);

#endif

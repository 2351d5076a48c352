/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/kernel.h - the kernel transport: devices that the host's VFIO gives away
 *
 * One object, struct cxlvm_kernel, holds what the devices of one virtual machine share; each device
 * is then a struct cxlvm_transport like any other (cxlvm/vfio.h).
 *
 * Two interfaces of the kernel, one behaviour. Where the device has a character device of its own
 * (/dev/vfio/devices/vfioN) and that and /dev/iommu can be opened, it is used with iommufd; else the
 * device's group (/dev/vfio/GROUP) with a type1 container (cxlvm_kernel_choose).
 *
 * I/O address spaces. Each IOMMU group has one: functions of one group share it, since the hardware
 * cannot tell them apart, and see each other's memory. Devices of different groups see guest RAM and
 * their own memory, never each other's (DMA-3). Guest RAM (dma_map) is told to each device; what a
 * second function of a group maps alike is counted, not mapped again.
 *
 * Device memory (memory_map). A type1 container takes it by address: what the kernel mapped stays
 * mapped until memory_unmap, so that a host unmaps before every reset (the engine does). An iommufd
 * takes it as dma-buf only.
 *
 * Resets are VFIO_DEVICE_RESET. Interrupt types 3 and 4 of irq_set are the kernel's notices of an
 * error of the device, and of its wish to have the device back.
 */
#ifndef CXLVM_KERNEL_H
#define CXLVM_KERNEL_H

#include <cxlvm/vfio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CXLVM_IRQ_MSI     1u
#define CXLVM_IRQ_MSIX    2u
#define CXLVM_IRQ_ERROR   3u
#define CXLVM_IRQ_REQUEST 4u

struct cxlvm_kernel;

struct cxlvm_kernel_config {
	size_t size;        /* sizeof(struct cxlvm_kernel_config) */
	void *host;         /* for the functions below */
	uint64_t page_size; /* of the host, bytes; 0 means the one of this machine */
	/*
	 * The functions below run on the thread of the call that they belong to, with a lock of the
	 * transport held: they must not call the transport, nor wait for another thread that does.
	 */
	/*
	 * Optional both: fd is the file of a group or device, which a hypervisor wants to know
	 * (KVM_DEV_VFIO_FILE) before the device is opened and until it is closed. file_add: 0 or
	 * negative errno with err set; then the device is not opened.
	 */
	int (*file_add)(void *host, int fd, struct cxlvm_error *err);
	void (*file_del)(void *host, int fd);
	/*
	 * Optional. Mapping memory for DMA takes longer than a second: done of total, in bytes, of
	 * one call of dma_map, at most once a second and when it is over.
	 */
	void (*progress)(void *host, uint64_t done, uint64_t total);
	/*
	 * Optional: the most that the host is going to map for DMA, in bytes, counted once for each
	 * I/O address space: devices of one IOMMU group share one (cxlvm_kernel_group). The error for
	 * a limit of locked memory that is too low then says what all of it needs; with 0 what is
	 * mapped and what was to be mapped next.
	 */
	uint64_t dma_size;
};

/*
 * Begin; nothing is opened yet. *kernel is the caller's, who ends it with cxlvm_kernel_destroy after
 * all its devices were closed. config is copied. -EINVAL, -E2BIG (config), -ENOMEM, -EOPNOTSUPP on a big-endian host.
 */
CXLVM_PUBLIC int cxlvm_kernel_create(const struct cxlvm_kernel_config *config,
				     struct cxlvm_kernel **kernel, struct cxlvm_error *err);
/* NULL is allowed. */
CXLVM_PUBLIC void cxlvm_kernel_destroy(struct cxlvm_kernel *kernel);

struct cxlvm_kernel_device_config {
	size_t size; /* sizeof(struct cxlvm_kernel_device_config) */
	/*
	 * A PCI address ("0000:17:00.0"; without domain it is 0000), or the device's folder in
	 * sysfs ("/sys/devices/platform/NAME.0"). NULL with a descriptor.
	 */
	const char *device;
	/*
	 * A descriptor of the device's character device, opened by somebody with the right to do
	 * so. /dev/iommu is opened here. On success it belongs to the transport, and is closed on
	 * exec. After a failure it is still the caller's, but the kernel may not bind it again.
	 */
	bool has_fd;
	int fd;
};

/*
 * Open a device. On success *out is filled and belongs to the caller, as from cxlvm_sim_open. What
 * keeps it from being opened is said with its cure: -ENODEV (no such device), -ENXIO (not bound to a
 * VFIO driver; no IOMMU), -EPERM (group not viable: another driver has a member of it), -EACCES
 * (permission), -EBUSY (somebody has it, who is named where that can be seen), -ENOENT (VFIO is not
 * loaded), -EPROTO (what the kernel says cannot be), -EINVAL, -ENOMEM, and what the kernel answered.
 *
 * Threads. Open and close of devices of one struct cxlvm_kernel take turns; all other calls may come
 * from any thread, as cxlvm/vfio.h allows it for one device.
 */
CXLVM_PUBLIC int cxlvm_kernel_open(struct cxlvm_kernel *kernel,
				   const struct cxlvm_kernel_device_config *config,
				   struct cxlvm_transport *out, struct cxlvm_error *err);

/*
 * The IOMMU group of a device that is going to be opened, into *group. Opens nothing; a descriptor stays
 * the caller's. Errors as of cxlvm_kernel_open where the device is not found or has no group:
 * -ENODEV, -ENXIO, -EINVAL. Any thread.
 */
CXLVM_PUBLIC int cxlvm_kernel_group(const struct cxlvm_kernel_device_config *config,
				    unsigned int *group, struct cxlvm_error *err);

/* The files that a device is opened by: two for iommufd, two for a group. */
enum cxlvm_kernel_file {
	CXLVM_KERNEL_FILE_IOMMU,     /* /dev/iommu */
	CXLVM_KERNEL_FILE_DEVICE,    /* /dev/vfio/devices/vfioN */
	CXLVM_KERNEL_FILE_CONTAINER, /* /dev/vfio/vfio */
	CXLVM_KERNEL_FILE_GROUP,     /* /dev/vfio/GROUP */
	CXLVM_KERNEL_FILES
};

enum cxlvm_kernel_file_state {
	CXLVM_KERNEL_FILE_ABSENT,
	CXLVM_KERNEL_FILE_REFUSED, /* it is there, and may not be opened for reading and writing */
	CXLVM_KERNEL_FILE_USABLE
};

/*
 * How cxlvm_kernel_open opens a device that has these files: true by iommufd, false by its group. If
 * neither has both of its files, the way that is to be mended: iommufd where its files are there, or
 * where the kernel has no groups. *broken is the first file of the way that cannot be used, or
 * CXLVM_KERNEL_FILES if there is none. For programs that look at a machine without opening
 * anything; calls nothing.
 */
CXLVM_PUBLIC bool cxlvm_kernel_choose(const enum cxlvm_kernel_file_state files[CXLVM_KERNEL_FILES],
				      enum cxlvm_kernel_file *broken);

#ifdef __cplusplus
}
#endif

#endif

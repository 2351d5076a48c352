/* SPDX-License-Identifier: BSD-3-Clause */
/* Where a device is in sysfs and /dev, and why it cannot be opened. */
#ifndef CXLVM_VFIO_KERNEL_PLACE_H
#define CXLVM_VFIO_KERNEL_PLACE_H

#include <limits.h>

#include <cxlvm/base.h>

/* Folders in place of /sys, /dev and /proc. */
struct roots {
	const char *sys;
	const char *dev;
	const char *proc;
};

#define PLACE_NAME_MAX 64

struct place {
	char name[PLACE_NAME_MAX];   /* last part of the folder, which is VFIO's name for it */
	char folder[PATH_MAX];       /* in sysfs */
	char driver[PLACE_NAME_MAX]; /* "": none */
	bool pci;
	bool bound; /* to a driver of VFIO */
	bool has_group;
	unsigned int group;          /* IOMMU group */
	char node[PLACE_NAME_MAX];   /* vfioN, the character device; "": none */
	char group_file[PATH_MAX];   /* /dev/vfio/GROUP */
	char device_file[PATH_MAX];  /* /dev/vfio/devices/vfioN */
	char iommufd_file[PATH_MAX]; /* /dev/iommu */
	char container_file[PATH_MAX];
};

/* Find a device by PCI address or folder. -ENODEV says what there is not; -EINVAL. */
int place_find(const struct roots *roots, const char *device, struct place *place,
	       struct cxlvm_error *err);

/* Find the device of a character device that is open. -EINVAL when it is none of VFIO's. */
int place_of_fd(const struct roots *roots, int fd, struct place *place, struct cxlvm_error *err);

/* Use character device and iommufd, not the group? */
bool place_has_iommufd(const struct place *place);

/* Each sets err and returns its code: the sentence, and the commands that help. */
int refuse_unbound(const struct roots *roots, const struct place *place, struct cxlvm_error *err);
int refuse_no_iommu(const struct roots *roots, const struct place *place, struct cxlvm_error *err);
int refuse_not_viable(const struct roots *roots, const struct place *place,
		      struct cxlvm_error *err);
int refuse_busy(const struct roots *roots, const struct place *place, struct cxlvm_error *err);
/* A file that open did not give: code is what it said. */
int refuse_file(const struct roots *roots, const struct place *place, const char *file, int code,
		struct cxlvm_error *err);

/* The last part of the link at path; false when there is none, or it is too long. */
bool link_name(const char *path, char *name, size_t size);

/* A path of parts. False when it does not fit. */
bool path_make(char path[PATH_MAX], const char *format, ...) CXLVM_PRINTF(2, 3);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/kernel/place.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cxlvm/kernel.h>

#define SYS_PREFIX  "/sys/"
#define VFIO_PREFIX "/dev/vfio/"

bool path_make(char path[PATH_MAX], const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	return n > 0 && n < PATH_MAX;
}

bool link_name(const char *path, char *name, size_t size)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	const char *last;

	if (n <= 0)
		return false;
	target[n] = 0;
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (!*last || strlen(last) >= size)
		return false;
	memcpy(name, last, strlen(last) + 1);
	return true;
}

static bool is_number(const char *text, unsigned int *number)
{
	char *end;
	unsigned long value;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	value = strtoul(text, &end, 10);
	*number = (unsigned int)value;
	return !errno && !*end && value <= UINT_MAX;
}

/* The first entry of a folder that begins with prefix. */
static bool first_entry(const char *folder, const char *prefix, char *name, size_t size)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	bool found = false;

	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name);

		found = !strncmp(entry->d_name, prefix, strlen(prefix)) && length < size;
		if (found)
			memcpy(name, entry->d_name, length + 1);
	}
	closedir(dir);
	return found;
}

static int too_long(const char *device, struct cxlvm_error *err)
{
	return cxlvm_error_set(err, -ENAMETOOLONG, "%.64s...: this path is too long", device);
}

/* All that the folder says. Its name is set. */
static int read_folder(const struct roots *roots, struct place *place, struct cxlvm_error *err)
{
	char path[PATH_MAX], name[PLACE_NAME_MAX];
	struct stat st;

	if (stat(place->folder, &st) || !S_ISDIR(st.st_mode)) {
		cxlvm_error_set(err, -ENODEV, "there is no %s %.200s",
				place->pci ? "PCI device" : "folder of a device",
				place->pci ? place->name : place->folder);
		cxlvm_error_hint(err, "%s",
				 place->pci ? "lspci -D lists what there is"
					    : "the folders of devices are below /sys/devices");
		return -ENODEV;
	}
	if (!path_make(path, "%s/driver", place->folder))
		return too_long(place->folder, err);
	if (!link_name(path, place->driver, sizeof(place->driver)))
		place->driver[0] = 0;
	if (!path_make(path, "%s/subsystem", place->folder))
		return too_long(place->folder, err);
	place->pci = place->pci || (link_name(path, name, sizeof(name)) && !strcmp(name, "pci"));
	if (!path_make(path, "%s/iommu_group", place->folder))
		return too_long(place->folder, err);
	place->has_group = link_name(path, name, sizeof(name)) && is_number(name, &place->group);
	if (!path_make(path, "%s/vfio-dev", place->folder))
		return too_long(place->folder, err);
	if (!first_entry(path, "vfio", place->node, sizeof(place->node)))
		place->node[0] = 0;
	/* Kernels before 6.1 have no such folder. */
	place->bound = place->node[0] || strstr(place->driver, "vfio");
	if (!path_make(place->group_file, "%s/vfio/%u", roots->dev, place->group) ||
	    !path_make(place->device_file, "%s/vfio/devices/%s", roots->dev, place->node) ||
	    !path_make(place->iommufd_file, "%s/iommu", roots->dev) ||
	    !path_make(place->container_file, "%s/vfio/vfio", roots->dev))
		return too_long(roots->dev, err);
	return 0;
}

static int take_name(struct place *place, struct cxlvm_error *err)
{
	size_t n = strlen(place->folder);
	const char *last;

	while (n > 1 && place->folder[n - 1] == '/')
		place->folder[--n] = 0;
	last = strrchr(place->folder, '/') + 1;
	if (!*last || strlen(last) >= sizeof(place->name))
		return cxlvm_error_set(err, -EINVAL, "%.200s is not the folder of a device",
				       place->folder);
	memcpy(place->name, last, strlen(last) + 1);
	return 0;
}

/* At most so many hexadecimal digits and the character behind them, which is not passed. */
static bool take_hex(const char **text, unsigned int digits, char behind, unsigned int *value)
{
	const char *c = *text;

	*value = 0;
	for (; isxdigit((unsigned char)*c); c++) {
		char digit[2] = { *c, 0 };

		if (c - *text == digits)
			return false;
		*value = *value << 4 | (unsigned int)strtoul(digit, NULL, 16);
	}
	if (c == *text || *c != behind)
		return false;
	*text = c;
	return true;
}

/* "0000:17:00.0" or "17:00.0", in hexadecimal. */
static bool parse_pci(const char *text, char name[PLACE_NAME_MAX])
{
	unsigned int domain = 0, bus, slot, function;
	const char *colon = strchr(text, ':');

	if (colon && strchr(colon + 1, ':')) {
		if (!take_hex(&text, 8, ':', &domain))
			return false;
		text++;
	}
	if (!take_hex(&text, 2, ':', &bus))
		return false;
	text++;
	if (!take_hex(&text, 2, '.', &slot))
		return false;
	text++;
	if (!take_hex(&text, 1, 0, &function) || slot > 31 || function > 7)
		return false;
	snprintf(name, PLACE_NAME_MAX, "%04x:%02x:%02x.%x", domain, bus, slot, function);
	return true;
}

/* The file of a device or group is not a device's name. */
static int refuse_node(const struct roots *roots, const char *file, struct cxlvm_error *err)
{
	const char *last = strrchr(file, '/') + 1;
	char path[PATH_MAX], name[PLACE_NAME_MAX];
	unsigned int group;

	cxlvm_error_set(err, -EINVAL, "%.64s is a file of VFIO, not a device", file);
	if (path_make(path, "%s/class/vfio-dev/%s/device", roots->sys, last) &&
	    link_name(path, name, sizeof(name)))
		cxlvm_error_hint(err,
				 "name the device, which is %s, or open the file and give its "
				 "descriptor: fd=N",
				 name);
	else if (is_number(last, &group))
		cxlvm_error_hint(err,
				 "name the device: ls /sys/kernel/iommu_groups/%u/devices shows "
				 "which are in the group",
				 group);
	else
		cxlvm_error_hint(err, "name the device: ls -l /sys/class/vfio-dev/*/device shows "
				      "which have a file");
	return -EINVAL;
}

/* What it is part of, where it is no device itself: an interface of a network for example. */
static int refuse_part(const struct place *place, struct cxlvm_error *err)
{
	char path[PATH_MAX], device[PATH_MAX];

	cxlvm_error_set(err, -EINVAL, "%.200s is not the folder of a device", place->folder);
	if (path_make(path, "%s/device", place->folder) && realpath(path, device))
		cxlvm_error_hint(err, "it belongs to one: %.200s", device);
	else
		cxlvm_error_hint(err, "that of a PCI device is /sys/bus/pci/devices/0000:17:00.0; "
				      "lspci -D lists them");
	return -EINVAL;
}

/* Without links: the kernel's name of a device is the last part of where its folder really is. */
static int find_folder(const struct roots *roots, const char *device, struct place *place,
		       struct cxlvm_error *err)
{
	const char *rest = strncmp(device, SYS_PREFIX, strlen(SYS_PREFIX))
				   ? NULL
				   : device + strlen(SYS_PREFIX);
	char path[PATH_MAX], sys[PATH_MAX], bus[PLACE_NAME_MAX];
	size_t n;
	int ret;

	if (!(rest ? path_make(path, "%s/%s", roots->sys, rest) : path_make(path, "%s", device)))
		return too_long(device, err);
	if (!realpath(path, place->folder)) {
		n = strlen(path);
		while (n > 1 && path[n - 1] == '/')
			path[--n] = 0;
		memcpy(place->folder, path, n + 1);
		/* It says that there is none, unless it just came. */
		ret = read_folder(roots, place, err);
		return ret ? ret : take_name(place, err);
	}
	n = realpath(roots->sys, sys) ? strlen(sys) : 0;
	if (!n || strncmp(place->folder, sys, n) || place->folder[n] != '/' ||
	    !path_make(path, "%s/subsystem", place->folder) || !link_name(path, bus, sizeof(bus)))
		return refuse_part(place, err);
	/* Of a class, not of a bus: a device has it. */
	if (!path_make(path, "%s/bus/%s", roots->sys, bus) || access(path, F_OK))
		return refuse_part(place, err);
	return take_name(place, err);
}

int place_find(const struct roots *roots, const char *device, struct place *place,
	       struct cxlvm_error *err)
{
	memset(place, 0, sizeof(*place));
	if (device[0] == '/') {
		int ret = strncmp(device, VFIO_PREFIX, sizeof(VFIO_PREFIX) - 1)
				  ? find_folder(roots, device, place, err)
				  : refuse_node(roots, device, err);

		if (ret)
			return ret;
	} else if (parse_pci(device, place->name)) {
		place->pci = true;
		if (!path_make(place->folder, "%s/bus/pci/devices/%s", roots->sys, place->name))
			return too_long(roots->sys, err);
	} else {
		cxlvm_error_set(err, -EINVAL,
				"'%.64s' is neither a PCI address nor a folder in /sys", device);
		cxlvm_error_hint(err, "write it as lspci -D does: 0000:17:00.0");
		return -EINVAL;
	}
	return read_folder(roots, place, err);
}

int place_of_fd(const struct roots *roots, int fd, struct place *place, struct cxlvm_error *err)
{
	char path[PATH_MAX], target[PATH_MAX];
	struct stat st;
	char *end;

	memset(place, 0, sizeof(*place));
	if (fstat(fd, &st))
		return cxlvm_error_set(err, -EINVAL, "descriptor %d: %s", fd, strerror(errno));
	if (!S_ISCHR(st.st_mode) ||
	    !path_make(path, "%s/dev/char/%u:%u", roots->sys, major(st.st_rdev),
		       minor(st.st_rdev)) ||
	    !realpath(path, target) || !(end = strstr(target, "/vfio-dev/"))) {
		cxlvm_error_set(err, -EINVAL,
				"descriptor %d is not the character device of a VFIO device", fd);
		cxlvm_error_hint(err, "open /dev/vfio/devices/vfioN for reading and writing; N is "
				      "in the folder vfio-dev of the device in sysfs");
		return -EINVAL;
	}
	*end = 0;
	memcpy(place->folder, target, sizeof(target));
	if (take_name(place, err))
		return -EINVAL;
	return read_folder(roots, place, err);
}

bool cxlvm_kernel_choose(const enum cxlvm_kernel_file_state files[CXLVM_KERNEL_FILES],
			 enum cxlvm_kernel_file *broken)
{
	bool usable[CXLVM_KERNEL_FILES] = { false }, there[CXLVM_KERNEL_FILES] = { false };
	bool iommufd, group, chosen;
	unsigned int first;

	for (unsigned int i = 0; i < CXLVM_KERNEL_FILES; i++) {
		usable[i] = files[i] == CXLVM_KERNEL_FILE_USABLE;
		there[i] = files[i] != CXLVM_KERNEL_FILE_ABSENT;
	}
	iommufd = usable[CXLVM_KERNEL_FILE_IOMMU] && usable[CXLVM_KERNEL_FILE_DEVICE];
	group = usable[CXLVM_KERNEL_FILE_CONTAINER] && usable[CXLVM_KERNEL_FILE_GROUP];
	chosen = iommufd || (!group && there[CXLVM_KERNEL_FILE_DEVICE] &&
			     (there[CXLVM_KERNEL_FILE_IOMMU] || !there[CXLVM_KERNEL_FILE_GROUP]));
	first = chosen ? CXLVM_KERNEL_FILE_IOMMU : CXLVM_KERNEL_FILE_CONTAINER;
	*broken = !usable[first]       ? (enum cxlvm_kernel_file)first
		  : !usable[first + 1] ? (enum cxlvm_kernel_file)(first + 1)
				       : CXLVM_KERNEL_FILES;
	return chosen;
}

static enum cxlvm_kernel_file_state file_state(const char *path)
{
	/* Effective ids: they are those that open. */
	if (!faccessat(AT_FDCWD, path, R_OK | W_OK, AT_EACCESS))
		return CXLVM_KERNEL_FILE_USABLE;
	return errno == ENOENT || errno == ENOTDIR ? CXLVM_KERNEL_FILE_ABSENT
						   : CXLVM_KERNEL_FILE_REFUSED;
}

bool place_has_iommufd(const struct place *place)
{
	const enum cxlvm_kernel_file_state files[CXLVM_KERNEL_FILES] = {
		[CXLVM_KERNEL_FILE_IOMMU] = file_state(place->iommufd_file),
		[CXLVM_KERNEL_FILE_DEVICE] =
			place->node[0] ? file_state(place->device_file) : CXLVM_KERNEL_FILE_ABSENT,
		[CXLVM_KERNEL_FILE_CONTAINER] = file_state(place->container_file),
		[CXLVM_KERNEL_FILE_GROUP] = file_state(place->group_file),
	};
	enum cxlvm_kernel_file broken;

	return cxlvm_kernel_choose(files, &broken);
}

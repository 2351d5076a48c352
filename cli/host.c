/* SPDX-License-Identifier: BSD-3-Clause */
/* host.c - the PCI functions of a machine */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define PCI                 "/sys/bus/pci/devices"
#define VFIO_CLASS          "/sys/class/vfio-dev"
#define HOST_OTHERS_MAX     64u /* devices that are no PCI functions */
#define CONFIG_CONVENTIONAL 256u
#define CLASS_MEMORY        0x050210u /* a CXL memory device: Type 3 */

bool host_config_seen(const struct host_device *device)
{
	return device->config_size >= CONFIG_CONVENTIONAL;
}

size_t host_config_unseen(const struct host *host)
{
	size_t n = 0;

	for (size_t i = 0; i < host->n_devices; i++)
		n += host->devices[i].pci && !host_config_seen(&host->devices[i]);
	return n;
}

unsigned int host_type(const struct host_device *device)
{
	if (!device->cxl.device_dvsec)
		return 0;
	if (device->cxl.mem)
		return device->cxl.cache && device->class_code != CLASS_MEMORY ? 2 : 3;
	return device->cxl.cache ? 1 : 0;
}

uint64_t host_range_size(const struct host_device *device)
{
	return device->cxl.range_size_high << 32 | device->cxl.range_size_low << 28;
}

struct host_device *host_find(struct host *host, const char *address)
{
	struct host_device *found = NULL;

	for (size_t i = 0; i < host->n_devices; i++) {
		struct host_device *device = &host->devices[i];
		const char *local = strchr(device->address, ':');

		if (!strcasecmp(device->address, address))
			return device;
		if (local && !strcasecmp(local + 1, address) && !found)
			found = device;
	}
	return found;
}

/* A driver of VFIO: since Linux 6.1 it shows by a folder; before, by its name. */
static void scan_vfio(struct fs *fs, struct host_device *device)
{
	char path[FS_PATH_MAX];
	struct fs_names names;

	device->vfio = strstr(device->driver, "vfio") != NULL;
	if (fs_names(fs, fs_path(path, PCI "/%s/vfio-dev", device->address), &names))
		return;
	if (names.count) {
		device->vfio = true;
		snprintf(device->cdev, sizeof(device->cdev), "%s", names.names[0]);
		fs_printable(device->cdev);
	}
	fs_names_free(&names);
}

static void scan_bars(struct fs *fs, struct host_device *device)
{
	char path[FS_PATH_MAX], text[2048], *at = text;
	ssize_t n = fs_read(fs, fs_path(path, PCI "/%s/resource", device->address), text,
			    sizeof(text) - 1);

	if (n < 0)
		return;
	text[n] = '\0';
	for (unsigned int i = 0; i < HOST_BARS; i++) {
		struct host_bar *bar = &device->bars[i];

		bar->first = strtoull(at, &at, 16);
		bar->last = strtoull(at, &at, 16);
		bar->flags = strtoull(at, &at, 16);
	}
}

/* IOMMU group of the device in this folder, -1: none. */
static int group_of(struct fs *fs, const char *folder)
{
	char path[FS_PATH_MAX], group[32];

	fs_link_name(fs, fs_path(path, "%s/iommu_group", folder), group, sizeof(group));
	return isdigit((unsigned char)group[0]) && strlen(group) < 9 ? (int)strtol(group, NULL, 10)
								     : -1;
}

void host_scan_device(struct fs *fs, struct host_device *device)
{
	uint8_t config[HOST_CONFIG_MAX];
	char path[FS_PATH_MAX];
	uint64_t value;
	ssize_t n;

	if (fs_number(fs, fs_path(path, PCI "/%s/vendor", device->address), &value))
		device->vendor = (uint16_t)value;
	if (fs_number(fs, fs_path(path, PCI "/%s/device", device->address), &value))
		device->device = (uint16_t)value;
	if (fs_number(fs, fs_path(path, PCI "/%s/class", device->address), &value))
		device->class_code = (uint32_t)value;
	fs_link_name(fs, fs_path(path, PCI "/%s/driver", device->address), device->driver,
		     sizeof(device->driver));
	device->group = group_of(fs, fs_path(path, PCI "/%s", device->address));
	scan_vfio(fs, device);
	n = fs_read(fs, fs_path(path, PCI "/%s/config", device->address), config, sizeof(config));
	if (n > 0) {
		device->config_size = (size_t)n;
		host_read_config(config, (size_t)n, &device->cxl);
	}
	scan_bars(fs, device);
	if (device->cxl.device_dvsec)
		host_scan_registers(fs, device);
}

static int scan_pci(struct host *host, struct cxlvm_error *err)
{
	struct fs_names names;
	int ret = fs_names(host->fs, PCI, &names);

	if (ret == -ENOENT)
		ret = 0; /* no PCI at all, as on some arm64 machines */
	if (ret)
		return cxlvm_error_set(err, ret, "cannot read " PCI ": %s", strerror(-ret));
	if (names.count > HOST_DEVICES_MAX) {
		fs_names_free(&names);
		return cxlvm_error_set(err, -E2BIG, "more than %u PCI functions", HOST_DEVICES_MAX);
	}
	host->devices = calloc(names.count + HOST_OTHERS_MAX, sizeof(*host->devices));
	if (!host->devices) {
		fs_names_free(&names);
		return cxlvm_error_set(err, -ENOMEM, "no memory for %zu PCI functions",
				       names.count);
	}
	for (size_t i = 0; i < names.count; i++) {
		struct host_device *device = &host->devices[host->n_devices];

		/* An address and nothing else. */
		if (strlen(names.names[i]) >= sizeof(device->address) ||
		    strspn(names.names[i], "0123456789abcdef:.") != strlen(names.names[i]))
			continue;
		memcpy(device->address, names.names[i], strlen(names.names[i]) + 1);
		device->pci = true;
		host_scan_device(host->fs, device);
		host->n_devices++;
	}
	fs_names_free(&names);
	host->n_functions = host->n_devices;
	return 0;
}

/* A device with a driver of VFIO that is no PCI function, by its class vfio-dev. */
static void scan_other(struct host *host, const char *name)
{
	struct host_device *device = &host->devices[host->n_devices];
	char path[FS_PATH_MAX], folder[FS_PATH_MAX], *last;

	if (fs_resolve(host->fs, fs_path(path, VFIO_CLASS "/%s/device", name), folder))
		return;
	last = strrchr(folder, '/');
	if (strlen(last + 1) >= sizeof(device->address) || host_find(host, last + 1))
		return;
	memset(device, 0, sizeof(*device));
	memcpy(device->address, last + 1, strlen(last));
	fs_printable(device->address);
	fs_link_name(host->fs, fs_path(path, "%s/driver", folder), device->driver,
		     sizeof(device->driver));
	device->group = group_of(host->fs, folder);
	device->vfio = true;
	snprintf(device->cdev, sizeof(device->cdev), "%s", name);
	fs_printable(device->cdev);
	host->n_devices++;
}

static void scan_others(struct host *host)
{
	struct fs_names names;

	if (!host->devices || fs_names(host->fs, VFIO_CLASS, &names))
		return;
	for (size_t i = 0; i < names.count && host->n_devices - host->n_functions < HOST_OTHERS_MAX;
	     i++)
		scan_other(host, names.names[i]);
	fs_names_free(&names);
}

int host_scan(struct fs *fs, bool names, struct host **out, struct cxlvm_error *err)
{
	struct host *host = calloc(1, sizeof(*host));
	struct pci_names *database = NULL;
	int ret;

	if (!host)
		return cxlvm_error_set(err, -ENOMEM, "no memory to look at the machine");
	host->fs = fs;
	fs_text(fs, "/proc/sys/kernel/osrelease", host->kernel, sizeof(host->kernel));
	ret = scan_pci(host, err);
	if (ret) {
		host_free(host);
		return ret;
	}
	scan_others(host);
	host_scan_cxl(host);
	if (names)
		database = pci_names_open();
	for (size_t i = 0; database && i < host->n_functions; i++)
		pci_names_of(database, &host->devices[i]);
	pci_names_close(database);
	*out = host;
	return 0;
}

void host_free(struct host *host)
{
	if (host)
		free(host->devices);
	free(host);
}

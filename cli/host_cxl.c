/* SPDX-License-Identifier: BSD-3-Clause */
/* host_cxl.c - fixed memory windows of the firmware, and what the kernel's CXL core shows */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

#define CEDT      "/sys/firmware/acpi/tables/CEDT"
#define CEDT_SIZE ((size_t)64 << 10)
#define CXL_BUS   "/sys/bus/cxl/devices"

static void scan_windows(struct host *host)
{
	uint8_t *table = malloc(CEDT_SIZE);
	ssize_t size = table ? fs_read(host->fs, CEDT, table, CEDT_SIZE) : -ENOMEM;

	if (size >= 0)
		host_read_cedt(host, table, (size_t)size);
	if (size == -EACCES)
		snprintf(host->windows_why, sizeof(host->windows_why), "%s is for root only", CEDT);
	else if (size < 0)
		snprintf(host->windows_why, sizeof(host->windows_why),
			 "the firmware has no CEDT (no CXL platform, or CXL is off)");
	else if (!host->n_windows)
		snprintf(host->windows_why, sizeof(host->windows_why),
			 "the CEDT holds no fixed memory window");
	free(table);
}

/* The PCI function that an endpoint belongs to: memN is a folder in the function's. */
static void endpoint_device(struct host *host, const char *endpoint, char *address, size_t len)
{
	char path[FS_PATH_MAX], real[FS_PATH_MAX], *last;

	address[0] = '\0';
	if (fs_resolve(host->fs, fs_path(path, CXL_BUS "/%s/uport", endpoint), real))
		return;
	last = strrchr(real, '/');
	if (!last || strncmp(last, "/mem", 4))
		return;
	*last = '\0';
	last = strrchr(real, '/');
	if (last && strlen(last + 1) < len) {
		memcpy(address, last + 1, strlen(last));
		fs_printable(address);
	}
}

static void scan_decoder(struct host *host, const char *name)
{
	struct host_decoder *decoder = &host->decoders[host->n_decoders];
	char path[FS_PATH_MAX], text[64], endpoint[64];
	uint64_t value;

	if (host->n_decoders == HOST_DECODERS_MAX || strlen(name) >= sizeof(decoder->name))
		return;
	memset(decoder, 0, sizeof(*decoder));
	memcpy(decoder->name, name, strlen(name) + 1);
	snprintf(endpoint, sizeof(endpoint), "endpoint%lu", strtoul(name + 7, NULL, 10));
	endpoint_device(host, endpoint, decoder->device, sizeof(decoder->device));
	if (fs_number(host->fs, fs_path(path, CXL_BUS "/%s/start", name), &decoder->base.value) &&
	    fs_number(host->fs, fs_path(path, CXL_BUS "/%s/size", name), &decoder->size))
		decoder->has_range = true;
	if (fs_number(host->fs, fs_path(path, CXL_BUS "/%s/locked", name), &value)) {
		decoder->has_locked = true;
		decoder->locked = value;
	}
	fs_number(host->fs, fs_path(path, CXL_BUS "/%s/interleave_ways", name),
		  &decoder->interleave_ways);
	if (!fs_text(host->fs, fs_path(path, CXL_BUS "/%s/target_type", name), text,
		     sizeof(text))) {
		decoder->has_target_type = true;
		decoder->host_only = strcmp(text, "accelerator");
	}
	fs_text(host->fs, fs_path(path, CXL_BUS "/%s/mode", name), decoder->mode,
		sizeof(decoder->mode));
	/* The attribute "region" of a decoder is a name; an empty line is none. */
	fs_text(host->fs, fs_path(path, CXL_BUS "/%s/region", name), decoder->region,
		sizeof(decoder->region));
	decoder->committed = decoder->has_range && decoder->size;
	if (decoder->region[0] &&
	    fs_number(host->fs, fs_path(path, CXL_BUS "/%s/commit", decoder->region), &value))
		decoder->committed = value;
	host->n_decoders++;
}

static void scan_memdev(struct host *host, const char *name)
{
	char path[FS_PATH_MAX], real[FS_PATH_MAX], *last;

	if (fs_resolve(host->fs, fs_path(path, CXL_BUS "/%s", name), real))
		return;
	last = strrchr(real, '/');
	if (!last || last == real)
		return;
	*last = '\0';
	last = strrchr(real, '/');
	for (size_t i = 0; last && i < host->n_devices; i++) {
		if (!strcmp(host->devices[i].address, last + 1))
			snprintf(host->devices[i].memdev, sizeof(host->devices[i].memdev), "%s",
				 name);
	}
}

void host_scan_cxl(struct host *host)
{
	struct fs_names names;

	scan_windows(host);
	if (fs_names(host->fs, CXL_BUS, &names))
		return;
	for (size_t i = 0; i < names.count; i++) {
		fs_printable(names.names[i]);
		if (!strncmp(names.names[i], "decoder", 7))
			scan_decoder(host, names.names[i]);
		else if (!strncmp(names.names[i], "mem", 3))
			scan_memdev(host, names.names[i]);
	}
	fs_names_free(&names);
}

const struct host_decoder *host_endpoint_decoder(const struct host *host,
						 const struct host_device *device)
{
	for (size_t i = 0; i < host->n_decoders; i++) {
		if (!strcmp(host->decoders[i].device, device->address))
			return &host->decoders[i];
	}
	return NULL;
}

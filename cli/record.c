/* SPDX-License-Identifier: BSD-3-Clause */
/* record.c - what an opened device answers, for a captured machine */
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "replay.h"

/* Of a region: bytes of registers that are kept, and what is kept of the component block. */
#define REGISTERS_MAX  ((size_t)64 << 10)
#define COMPONENT_SIZE ((size_t)0x2000)

/* VFIO device info without capabilities. */
#define INFO_SIZE 24u

/* VFIO region info: flags at 4, size at 16; read is bit 0, mmap bit 2. */
#define REGION_INFO_SIZE 32u
#define FLAG_READ        1u
#define FLAG_MMAP        4u

static uint64_t le(const uint8_t *bytes, unsigned int n)
{
	uint64_t value = 0;

	while (n--)
		value = value << 8 | bytes[n];
	return value;
}

/* Registers by 4-byte reads; those that do not answer are 0. False: none did. */
static bool read_registers(const struct cxlvm_transport *opened, uint32_t region, uint64_t offset,
			   uint8_t *bytes, size_t n)
{
	bool any = false;

	memset(bytes, 0, n);
	for (size_t at = 0; at + 4 <= n; at += 4)
		any |= !opened->ops->read(opened->device, region, offset + at, bytes + at, 4);
	return any;
}

static void record_data(struct capture *capture, const char *name, uint32_t region,
			const uint8_t *bytes, size_t n, uint64_t first, uint64_t size)
{
	char path[FS_PATH_MAX];

	capture_bytes(capture, fs_path(path, "/vfio/%s/region%u.data", name, region), bytes, n,
		      first, size);
}

/* Config space, and by its Register Locator the beginning of the component block. */
static void record_config(struct capture *capture, const char *name,
			  const struct cxlvm_transport *opened, const uint64_t *sizes)
{
	uint8_t *config = calloc(1, HOST_CONFIG_MAX), *block = calloc(1, COMPONENT_SIZE);
	struct host_cxl cxl = { .vendor = 0 };

	if (config && block &&
	    read_registers(opened, CXLVM_REGION_CONFIG, 0, config, HOST_CONFIG_MAX)) {
		host_read_config(config, HOST_CONFIG_MAX, &cxl);
		if (cxl.serial_at && cxl.serial_at + 8 <= HOST_CONFIG_MAX)
			memset(config + cxl.serial_at, 0, 8);
		record_data(capture, name, CXLVM_REGION_CONFIG, config, HOST_CONFIG_MAX, 0,
			    HOST_CONFIG_MAX);
		if (cxl.locator && cxl.component_bar < HOST_BARS &&
		    cxl.component_offset < sizes[cxl.component_bar] &&
		    read_registers(opened, (uint32_t)cxl.component_bar, cxl.component_offset, block,
				   COMPONENT_SIZE))
			record_data(capture, name, (uint32_t)cxl.component_bar, block,
				    COMPONENT_SIZE, cxl.component_offset, sizes[cxl.component_bar]);
	}
	free(config);
	free(block);
}

/* Regions of registers behind the fixed ones: read, and not mapped. */
static void record_registers(struct capture *capture, const char *name,
			     const struct cxlvm_transport *opened, uint32_t region, uint64_t size)
{
	uint8_t *bytes = calloc(1, REGISTERS_MAX);

	if (bytes && size && size <= REGISTERS_MAX &&
	    read_registers(opened, region, 0, bytes, (size_t)size))
		record_data(capture, name, region, bytes, (size_t)size, 0, size);
	free(bytes);
}

/*
 * An answer as a whole: a kernel says how large it is only to who asks for less. Region INFO_REGION is
 * the device itself. 0: there is none.
 */
#define INFO_REGION UINT32_MAX

static size_t ask(const struct cxlvm_transport *opened, uint32_t region,
		  uint8_t bytes[static REPLAY_INFO_MAX])
{
	size_t len = region == INFO_REGION ? INFO_SIZE : REGION_INFO_SIZE;

	for (unsigned int i = 0; i < 2; i++) {
		size_t needed = len;
		int ret = region == INFO_REGION
				  ? opened->ops->info(opened->device, bytes, len, &needed)
				  : opened->ops->region_info(opened->device, region, bytes, len,
							     &needed);

		if (ret || needed > REPLAY_INFO_MAX)
			return 0;
		if (needed <= len)
			break;
		len = needed;
	}
	return len;
}

void record(struct capture *capture, const char *name, const struct cxlvm_transport *opened)
{
	uint64_t sizes[REPLAY_REGIONS_MAX] = { 0 };
	uint8_t bytes[REPLAY_INFO_MAX];
	char path[FS_PATH_MAX];
	size_t n = ask(opened, INFO_REGION, bytes);

	if (!n)
		return;
	capture_bytes(capture, fs_path(path, "/vfio/%s/info", name), bytes, n, 0, n);
	for (uint32_t i = 0; i < REPLAY_REGIONS_MAX; i++) {
		n = ask(opened, i, bytes);
		if (!n)
			continue;
		capture_bytes(capture, fs_path(path, "/vfio/%s/region%u", name, i), bytes, n, 0, n);
		sizes[i] = le(bytes + 16, 8);
		if (i >= CXLVM_REGION_DYNAMIC &&
		    (le(bytes + 4, 4) & (FLAG_READ | FLAG_MMAP)) == FLAG_READ)
			record_registers(capture, name, opened, i, sizes[i]);
	}
	record_config(capture, name, opened, sizes);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* replay.c - an opened device of a captured machine */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "replay.h"

/* Where the offset of the capability chain stands in the answers of VFIO. */
#define INFO_CAPS_AT   16u
#define REGION_CAPS_AT 12u

bool replay_exists(struct fs *fs, const char *name)
{
	char path[FS_PATH_MAX];

	return fs_exists(fs, fs_path(path, "/vfio/%s/info", name));
}

/* An answer as the kernel gives it: one that does not fit comes without its capabilities. */
static int answer(struct fs *fs, const char *path, size_t caps_at, void *buf, size_t len,
		  size_t *needed)
{
	uint8_t bytes[REPLAY_INFO_MAX];
	ssize_t n = fs_read(fs, path, bytes, sizeof(bytes));

	if (n < 0)
		return n == -ENOENT ? -EINVAL : (int)n;
	*needed = (size_t)n;
	if (len < (size_t)n && caps_at + 4 <= (size_t)n)
		memset(bytes + caps_at, 0, 4);
	memcpy(buf, bytes, len < (size_t)n ? len : (size_t)n);
	return 0;
}

static int replay_info(void *device, void *buf, size_t len, size_t *needed)
{
	const struct replay *replay = device;
	char path[FS_PATH_MAX];

	return answer(replay->fs, fs_path(path, "/vfio/%s/info", replay->name), INFO_CAPS_AT, buf,
		      len, needed);
}

static int replay_region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	const struct replay *replay = device;
	char path[FS_PATH_MAX];

	return answer(replay->fs, fs_path(path, "/vfio/%s/region%u", replay->name, index),
		      REGION_CAPS_AT, buf, len, needed);
}

static int replay_read(void *device, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	const struct replay *replay = device;
	char path[FS_PATH_MAX];
	int ret;

	fs_path(path, "/vfio/%s/region%u.data", replay->name, region);
	ret = replay->fs->ops->registers(replay->fs, path, offset, buf, len);
	return ret ? -EIO : 0;
}

static int replay_write(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	(void)device;
	(void)region;
	(void)offset;
	(void)buf;
	(void)len;
	return -EROFS;
}

static int replay_map(void *device, const struct cxlvm_map_request *request, void **address)
{
	(void)device;
	(void)request;
	(void)address;
	return -ENODEV;
}

static void replay_unmap(void *device, void *address, uint64_t size)
{
	(void)device;
	(void)address;
	(void)size;
}

const struct cxlvm_device_ops replay_ops = {
	.size = sizeof(replay_ops),
	.info = replay_info,
	.region_info = replay_region_info,
	.read = replay_read,
	.write = replay_write,
	.map = replay_map,
	.unmap = replay_unmap,
};

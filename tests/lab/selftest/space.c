// SPDX-License-Identifier: BSD-3-Clause
/*
 * The two ways to a device and to I/O addresses: its group with a type1 container, or its own
 * character device with an iommufd.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kernel_shape/uapi.h"
#include "selftest.h"

/* A request whose fields are dwords at these places. */
static void put32(uint8_t *request, uint32_t at, uint32_t value)
{
	memcpy(request + at, &value, sizeof(value));
}

static void put64(uint8_t *request, uint32_t at, uint64_t value)
{
	memcpy(request + at, &value, sizeof(value));
}

static int ask_iommufd(const struct session *session, unsigned int number, uint8_t *request)
{
	return ioctl(session->iommufd, _IO(UAPI_IOCTL_TYPE, number), request) ? errno : 0;
}

static void open_group(struct session *session)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char link[PATH_MAX], target[PATH_MAX], group[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "%s/iommu_group", session->path);
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		bail_out("%s: %s", link, strerror(errno));
	target[n] = 0;
	snprintf(group, sizeof(group), "/dev/vfio/%s", basename(target));
	session->container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	session->group = open(group, O_RDWR | O_CLOEXEC);
	if (session->container < 0 || session->group < 0)
		bail_out("%s: %s", group, strerror(errno));
	if (ioctl(session->group, VFIO_GROUP_GET_STATUS, &status) ||
	    !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		bail_out("%s is not viable", group);
	if (ioctl(session->group, VFIO_GROUP_SET_CONTAINER, &session->container) ||
	    ioctl(session->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		bail_out("%s: container: %s", group, strerror(errno));
}

static void open_iommufd(struct session *session)
{
	uint8_t alloc[UAPI_IOAS_ALLOC_SIZE] = { 0 };
	int ret;

	session->iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC);
	if (session->iommufd < 0)
		bail_out("/dev/iommu: %s", strerror(errno));
	put32(alloc, 0, sizeof(alloc));
	ret = ask_iommufd(session, UAPI_IOMMUFD_IOAS_ALLOC, alloc);
	if (ret)
		bail_out("no I/O address space: %s", strerror(ret));
	memcpy(&session->ioas, alloc + UAPI_IOAS_ALLOC_ID, sizeof(session->ioas));
}

void space_open(struct session *session)
{
	session->container = session->group = session->iommufd = -1;
	if (session->wants_iommufd)
		open_iommufd(session);
	else
		open_group(session);
}

static void find_node(const struct session *session, char *path, size_t size)
{
	char folder[PATH_MAX];
	const struct dirent *entry;
	DIR *dir;

	snprintf(folder, sizeof(folder), "%s/vfio-dev", session->path);
	dir = opendir(folder);
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "vfio", 4)) {
			snprintf(path, size, "/dev/vfio/devices/%s", entry->d_name);
			closedir(dir);
			return;
		}
	bail_out("%s: the device has no character device", folder);
}

static int open_node(const struct session *session)
{
	uint8_t bind[UAPI_BIND_SIZE] = { 0 }, attach[UAPI_ATTACH_SIZE] = { 0 };
	char path[PATH_MAX];
	int fd;

	find_node(session, path, sizeof(path));
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		bail_out("%s: %s", path, strerror(errno));
	put32(bind, 0, sizeof(bind));
	put32(bind, UAPI_BIND_IOMMUFD, (uint32_t)session->iommufd);
	put32(attach, 0, sizeof(attach));
	put32(attach, UAPI_ATTACH_PT, session->ioas);
	if (ioctl(fd, _IO(UAPI_IOCTL_TYPE, UAPI_DEVICE_BIND_IOMMUFD), bind) ||
	    ioctl(fd, _IO(UAPI_IOCTL_TYPE, UAPI_DEVICE_ATTACH_IOMMUFD), attach))
		bail_out("%s: iommufd: %s", path, strerror(errno));
	return fd;
}

int space_open_device(const struct session *session)
{
	char copy[PATH_MAX];
	int fd;

	if (session->wants_iommufd)
		return open_node(session);
	snprintf(copy, sizeof(copy), "%s", session->path);
	fd = ioctl(session->group, VFIO_GROUP_GET_DEVICE_FD, basename(copy));
	if (fd < 0)
		bail_out("%s: %s", session->path, strerror(errno));
	return fd;
}

int space_map(const struct session *session, const void *address, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)address,
		.iova = iova,
		.size = size,
	};
	uint8_t request[UAPI_IOAS_MAP_SIZE] = { 0 };

	if (!session->wants_iommufd)
		return ioctl(session->container, VFIO_IOMMU_MAP_DMA, &map) ? errno : 0;
	put32(request, 0, sizeof(request));
	put32(request, UAPI_IOAS_MAP_FLAGS,
	      UAPI_IOAS_MAP_FLAG_FIXED | UAPI_IOAS_MAP_FLAG_READ | UAPI_IOAS_MAP_FLAG_WRITE);
	put32(request, UAPI_IOAS_MAP_ID, session->ioas);
	put64(request, UAPI_IOAS_MAP_VADDR, (uintptr_t)address);
	put64(request, UAPI_IOAS_MAP_LENGTH, size);
	put64(request, UAPI_IOAS_MAP_IOVA, iova);
	return ask_iommufd(session, UAPI_IOMMUFD_MAP, request);
}

int space_unmap(const struct session *session, uint64_t iova, uint64_t size)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = iova,
		.size = size,
	};
	uint8_t request[UAPI_IOAS_UNMAP_SIZE] = { 0 };

	if (!session->wants_iommufd)
		return ioctl(session->container, VFIO_IOMMU_UNMAP_DMA, &unmap) ? errno : 0;
	put32(request, 0, sizeof(request));
	put32(request, UAPI_IOAS_UNMAP_ID, session->ioas);
	put64(request, UAPI_IOAS_UNMAP_IOVA, iova);
	put64(request, UAPI_IOAS_UNMAP_LENGTH, size);
	return ask_iommufd(session, UAPI_IOMMUFD_UNMAP, request);
}

int space_map_dma_buf(const struct session *session, int fd, uint64_t iova, uint64_t size)
{
	uint8_t request[UAPI_IOAS_MAP_SIZE] = { 0 };

	put32(request, 0, sizeof(request));
	put32(request, UAPI_IOAS_MAP_FLAGS,
	      UAPI_IOAS_MAP_FLAG_FIXED | UAPI_IOAS_MAP_FLAG_READ | UAPI_IOAS_MAP_FLAG_WRITE);
	put32(request, UAPI_IOAS_MAP_ID, session->ioas);
	put32(request, UAPI_IOAS_FILE_FD, (uint32_t)fd);
	put64(request, UAPI_IOAS_MAP_LENGTH, size);
	put64(request, UAPI_IOAS_MAP_IOVA, iova);
	return ask_iommufd(session, UAPI_IOMMUFD_MAP_FILE, request);
}

int device_dma_buf(const struct session *session, uint32_t region, uint64_t size, int *fd)
{
	uint8_t request[UAPI_DMA_BUF_SIZE] = { 0 };

	put32(request, 0, sizeof(request));
	put32(request, UAPI_FEATURE_FLAGS, UAPI_FEATURE_FLAG_GET | UAPI_FEATURE_DMA_BUF);
	put32(request, UAPI_DMA_BUF_REGION, region);
	put32(request, UAPI_DMA_BUF_OPEN_FLAGS, O_RDWR | O_CLOEXEC);
	put32(request, UAPI_DMA_BUF_RANGES, 1);
	put64(request, UAPI_DMA_BUF_LENGTH, size);
	*fd = ioctl(session->device, _IO(UAPI_IOCTL_TYPE, UAPI_DEVICE_FEATURE), request);
	return *fd < 0 ? errno : 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A group and its type1 container. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio/kernel/kernel.h"

/* Room for the answer about a container: so many ranges and other capabilities fit. */
#define CONTAINER_INFO_MAX 4096u
#define CHAIN_MAX          32u

struct group {
	struct space space;
	struct cxlvm_kernel *kernel;
	int file;
	int container;
	bool told; /* file_add has the file */
};

static struct group *group_of(struct space *space)
{
	return (struct group *)space;
}

_Static_assert(offsetof(struct group, space) == 0, "a group is a space");

static int group_map(struct space *space, struct cxlvm_iova base, const void *address,
		     uint64_t size, bool writable)
{
	uint8_t map[UAPI_MAP_SIZE] = { 0 };
	int ret;

	put_le32(map, sizeof(map));
	put_le32(map + UAPI_MAP_FLAGS, UAPI_MAP_FLAG_READ | (writable ? UAPI_MAP_FLAG_WRITE : 0));
	put_le64(map + UAPI_MAP_VADDR, (uintptr_t)address);
	put_le64(map + UAPI_MAP_IOVA, base.value);
	put_le64(map + UAPI_MAP_BYTES, size);
	ret = kernel_ioctl(group_of(space)->container, UAPI_IOMMU_MAP_DMA, map);
	return ret > 0 ? 0 : ret;
}

static int group_unmap(struct space *space, struct cxlvm_iova base, uint64_t size)
{
	uint8_t unmap[UAPI_UNMAP_SIZE] = { 0 };
	int ret;

	put_le32(unmap, sizeof(unmap));
	put_le64(unmap + UAPI_UNMAP_IOVA, base.value);
	put_le64(unmap + UAPI_UNMAP_BYTES, size);
	ret = kernel_ioctl(group_of(space)->container, UAPI_IOMMU_UNMAP_DMA, unmap);
	if (ret < 0)
		return ret;
	/* The kernel says how much it was. */
	return get_le64(unmap + UAPI_UNMAP_BYTES) == size ? 0 : -EIO;
}

static void group_close(struct space *space)
{
	struct group *group = group_of(space);

	if (group->told)
		kernel_file_del(group->kernel, group->file);
	if (group->file >= 0)
		close(group->file);
	if (group->container >= 0)
		close(group->container);
	space_finish(space);
	free(group);
}

static const struct space_ops group_ops = {
	.map = group_map,
	.unmap = group_unmap,
	.close = group_close,
};

static int wrong_info(const struct place *place, const char *what, struct cxlvm_error *err)
{
	return cxlvm_error_set(err, -EPROTO, "%s: info of its container: %s", place->name, what);
}

/* The usable addresses are one of the capabilities; older kernels have none. */
static int read_iova(struct group *group, const struct place *place, struct cxlvm_error *err)
{
	uint8_t info[CONTAINER_INFO_MAX] = { 0 };
	uint32_t size, at, before = UAPI_TYPE1_SIZE - 1;
	int ret;

	put_le32(info, sizeof(info));
	ret = kernel_ioctl(group->container, UAPI_IOMMU_GET_INFO, info);
	if (ret < 0)
		return cxlvm_error_set(err, ret, "%s: info of its container: %s", place->name,
				       strerror(-ret));
	size = get_le32(info);
	if (!(get_le32(info + UAPI_TYPE1_FLAGS) & UAPI_TYPE1_FLAG_CAPS))
		return 0;
	if (size > sizeof(info))
		return wrong_info(place, "it is larger than 4096 bytes", err);
	at = get_le32(info + UAPI_TYPE1_CAP_OFFSET);
	for (unsigned int i = 0; at; i++) {
		if (i == CHAIN_MAX || at <= before || !range_fits(at, UAPI_IOVA_RANGES, size))
			return wrong_info(place, "its capabilities go back, or outside", err);
		if (get_le16(info + at + UAPI_CAP_ID) == UAPI_TYPE1_CAP_IOVA) {
			uint32_t n = get_le32(info + at + UAPI_IOVA_COUNT);

			if (!range_fits(at + UAPI_IOVA_RANGES, (uint64_t)n * UAPI_IOVA_RANGE, size))
				return wrong_info(place, "it has fewer ranges than it says", err);
			return space_take_iova(&group->space, info + at + UAPI_IOVA_RANGES, n, err);
		}
		before = at;
		at = get_le32(info + at + UAPI_CAP_NEXT);
	}
	return 0;
}

static int set_iommu(const struct group *group, const struct place *place, struct cxlvm_error *err)
{
	int ret = kernel_ioctl(group->container, UAPI_CHECK_EXTENSION, (void *)UAPI_TYPE1V2);

	if (ret <= 0) {
		cxlvm_error_set(err, -ENOENT, "%s: VFIO has no type1 IOMMU driver", place->name);
		cxlvm_error_hint(err, "as root: modprobe vfio_iommu_type1");
		return -ENOENT;
	}
	ret = kernel_ioctl(group->file, UAPI_GROUP_SET_CONTAINER, (void *)&group->container);
	if (ret < 0)
		return cxlvm_error_set(err, ret, "%s: attaching IOMMU group %u to a container: %s",
				       place->name, place->group, strerror(-ret));
	ret = kernel_ioctl(group->container, UAPI_SET_IOMMU, (void *)UAPI_TYPE1V2);
	if (ret >= 0)
		return 0;
	cxlvm_error_set(err, ret, "%s: the IOMMU does not take group %u: %s", place->name,
			place->group, strerror(-ret));
	if (ret == -EPERM)
		cxlvm_error_hint(err,
				 "this machine remaps no interrupts; if its guests are "
				 "trusted: modprobe vfio_iommu_type1 allow_unsafe_interrupts=1");
	return ret;
}

static int open_file(const struct cxlvm_kernel *kernel, const struct place *place, const char *path,
		     int *fd, struct cxlvm_error *err)
{
	*fd = open(path, O_RDWR | O_CLOEXEC);
	return *fd < 0 ? refuse_file(&kernel->roots, place, path, -errno, err) : 0;
}

static int check_status(const struct cxlvm_kernel *kernel, const struct group *group,
			const struct place *place, struct cxlvm_error *err)
{
	uint8_t status[UAPI_GROUP_SIZE] = { 0 };
	int ret;

	ret = kernel_ioctl(group->container, UAPI_GET_API_VERSION, NULL);
	if (ret != UAPI_API_VERSION)
		return cxlvm_error_set(err, ret < 0 ? ret : -EPROTO,
				       "%s: VFIO has version %d, not %d", place->name, ret,
				       UAPI_API_VERSION);
	put_le32(status, sizeof(status));
	ret = kernel_ioctl(group->file, UAPI_GROUP_GET_STATUS, status);
	if (ret < 0)
		return cxlvm_error_set(err, ret, "%s: status of IOMMU group %u: %s", place->name,
				       place->group, strerror(-ret));
	if (!(get_le32(status + UAPI_GROUP_FLAGS) & UAPI_GROUP_FLAG_VIABLE))
		return refuse_not_viable(&kernel->roots, place, err);
	return 0;
}

static int group_create(struct cxlvm_kernel *kernel, const struct place *place, struct group **out,
			struct cxlvm_error *err)
{
	struct group *group = calloc(1, sizeof(*group));
	int ret;

	if (!group) {
		cxlvm_error_set(err, -ENOMEM, "no memory for an IOMMU group");
		return -ENOMEM;
	}
	space_init(&group->space, &group_ops, &kernel->config, &kernel->mapped, place->group);
	group->kernel = kernel;
	group->file = -1;
	group->container = -1;
	ret = open_file(kernel, place, place->container_file, &group->container, err);
	if (!ret)
		ret = open_file(kernel, place, place->group_file, &group->file, err);
	if (!ret)
		ret = check_status(kernel, group, place, err);
	if (!ret) {
		ret = kernel_file_add(kernel, group->file, err);
		group->told = !ret;
	}
	if (!ret)
		ret = set_iommu(group, place, err);
	if (!ret)
		ret = read_iova(group, place, err);
	if (ret) {
		group_close(&group->space);
		return ret;
	}
	*out = group;
	return 0;
}

int group_open(struct cxlvm_kernel *kernel, const struct place *place, struct kernel_device *device,
	       struct cxlvm_error *err)
{
	struct space *space = kernel_find_space(kernel, &group_ops, place->group);
	struct group *group = space ? group_of(space) : NULL;
	int ret, user;

	if (!group) {
		ret = group_create(kernel, place, &group, err);
		if (ret)
			return ret;
	}
	user = space_add_user(&group->space);
	if (user < 0) {
		/* Only one that was there before can be full. */
		return cxlvm_error_set(err, user, "IOMMU group %u has more than %u devices in use",
				       place->group, SPACE_USERS_MAX);
	}
	ret = kernel_ioctl(group->file, UAPI_GROUP_GET_DEVICE_FD, (void *)place->name);
	if (ret < 0) {
		space_remove_user(&group->space, (unsigned int)user);
		if (!space)
			group_close(&group->space);
		if (ret == -EBUSY)
			return refuse_busy(&kernel->roots, place, err);
		return cxlvm_error_set(err, ret, "%s: VFIO does not open it: %s", place->name,
				       strerror(-ret));
	}
	if (!space) {
		group->space.next = kernel->spaces;
		kernel->spaces = &group->space;
	}
	device->fd = ret;
	device->space = &group->space;
	device->user = (unsigned int)user;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* A device's own character device, and I/O address spaces of an iommufd. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio/kernel/kernel.h"

/* Ranges of usable addresses that are taken over: a system has a handful. */
#define IOVA_RANGES_ROOM 256u

struct ioas {
	struct space space;
	int iommufd; /* of the struct cxlvm_kernel */
	uint32_t id;
};

static struct ioas *ioas_of(struct space *space)
{
	return (struct ioas *)space;
}

_Static_assert(offsetof(struct ioas, space) == 0, "an I/O address space is a space");

static int request(int fd, unsigned int number, void *argument)
{
	int ret = kernel_ioctl(fd, number, argument);

	return ret > 0 ? 0 : ret;
}

static int ioas_map(struct space *space, struct cxlvm_iova base, const void *address, uint64_t size,
		    bool writable)
{
	const struct ioas *ioas = ioas_of(space);
	uint8_t map[UAPI_IOAS_MAP_SIZE] = { 0 };

	put_le32(map, sizeof(map));
	put_le32(map + UAPI_IOAS_MAP_FLAGS, UAPI_IOAS_MAP_FLAG_FIXED | UAPI_IOAS_MAP_FLAG_READ |
						    (writable ? UAPI_IOAS_MAP_FLAG_WRITE : 0));
	put_le32(map + UAPI_IOAS_MAP_ID, ioas->id);
	put_le64(map + UAPI_IOAS_MAP_VADDR, (uintptr_t)address);
	put_le64(map + UAPI_IOAS_MAP_LENGTH, size);
	put_le64(map + UAPI_IOAS_MAP_IOVA, base.value);
	return request(ioas->iommufd, UAPI_IOMMUFD_MAP, map);
}

static int ioas_map_dma_buf(struct space *space, struct cxlvm_iova base, int fd, uint64_t size)
{
	const struct ioas *ioas = ioas_of(space);
	uint8_t map[UAPI_IOAS_MAP_SIZE] = { 0 };

	put_le32(map, sizeof(map));
	put_le32(map + UAPI_IOAS_MAP_FLAGS,
		 UAPI_IOAS_MAP_FLAG_FIXED | UAPI_IOAS_MAP_FLAG_READ | UAPI_IOAS_MAP_FLAG_WRITE);
	put_le32(map + UAPI_IOAS_MAP_ID, ioas->id);
	put_le32(map + UAPI_IOAS_FILE_FD, (uint32_t)fd);
	put_le64(map + UAPI_IOAS_MAP_LENGTH, size);
	put_le64(map + UAPI_IOAS_MAP_IOVA, base.value);
	return request(ioas->iommufd, UAPI_IOMMUFD_MAP_FILE, map);
}

static int ioas_unmap(struct space *space, struct cxlvm_iova base, uint64_t size)
{
	const struct ioas *ioas = ioas_of(space);
	uint8_t unmap[UAPI_IOAS_UNMAP_SIZE] = { 0 };
	int ret;

	put_le32(unmap, sizeof(unmap));
	put_le32(unmap + UAPI_IOAS_UNMAP_ID, ioas->id);
	put_le64(unmap + UAPI_IOAS_UNMAP_IOVA, base.value);
	put_le64(unmap + UAPI_IOAS_UNMAP_LENGTH, size);
	ret = request(ioas->iommufd, UAPI_IOMMUFD_UNMAP, unmap);
	if (ret)
		return ret;
	return get_le64(unmap + UAPI_IOAS_UNMAP_LENGTH) == size ? 0 : -EIO;
}

static void ioas_close(struct space *space)
{
	struct ioas *ioas = ioas_of(space);
	uint8_t destroy[UAPI_DESTROY_SIZE] = { 0 };

	put_le32(destroy, sizeof(destroy));
	put_le32(destroy + UAPI_DESTROY_ID, ioas->id);
	(void)request(ioas->iommufd, UAPI_IOMMUFD_DESTROY, destroy);
	space_finish(space);
	free(ioas);
}

static const struct space_ops ioas_ops = {
	.map = ioas_map,
	.unmap = ioas_unmap,
	.map_dma_buf = ioas_map_dma_buf,
	.close = ioas_close,
};

/* Known only after a device was attached; each that comes may take some away. */
static int read_iova(struct ioas *ioas, const struct place *place, struct cxlvm_error *err)
{
	uint8_t ranges[IOVA_RANGES_ROOM * UAPI_IOVA_RANGE] = { 0 };
	uint8_t ask[UAPI_IOAS_IOVA_SIZE] = { 0 };
	uint32_t n;
	int ret;

	put_le32(ask, sizeof(ask));
	put_le32(ask + UAPI_IOAS_IOVA_ID, ioas->id);
	put_le32(ask + UAPI_IOAS_IOVA_COUNT, IOVA_RANGES_ROOM);
	put_le64(ask + UAPI_IOAS_IOVA_POINTER, (uintptr_t)ranges);
	ret = request(ioas->iommufd, UAPI_IOMMUFD_IOVA_RANGES, ask);
	n = get_le32(ask + UAPI_IOAS_IOVA_COUNT);
	if (ret)
		return cxlvm_error_set(err, ret, "%s: usable I/O addresses: %s", place->name,
				       strerror(-ret));
	if (n > IOVA_RANGES_ROOM)
		return cxlvm_error_set(err, -EPROTO,
				       "%s: %u ranges of usable I/O addresses, there is room for "
				       "%u",
				       place->name, n, IOVA_RANGES_ROOM);
	return space_take_iova(&ioas->space, ranges, n, err);
}

static int ioas_create(struct cxlvm_kernel *kernel, const struct place *place, struct ioas **out,
		       struct cxlvm_error *err)
{
	struct ioas *ioas = calloc(1, sizeof(*ioas));
	uint8_t alloc[UAPI_IOAS_ALLOC_SIZE] = { 0 };
	int ret;

	if (!ioas) {
		cxlvm_error_set(err, -ENOMEM, "no memory for an I/O address space");
		return -ENOMEM;
	}
	put_le32(alloc, sizeof(alloc));
	ret = request(kernel->iommufd, UAPI_IOMMUFD_IOAS_ALLOC, alloc);
	if (ret) {
		free(ioas);
		cxlvm_error_set(err, ret, "%s: no I/O address space: %s", place->name,
				strerror(-ret));
		return ret;
	}
	space_init(&ioas->space, &ioas_ops, &kernel->config, &kernel->mapped, place->group);
	ioas->iommufd = kernel->iommufd;
	ioas->id = get_le32(alloc + UAPI_IOAS_ALLOC_ID);
	*out = ioas;
	return 0;
}

static int bind(const struct cxlvm_kernel *kernel, const struct place *place, int fd,
		struct cxlvm_error *err)
{
	uint8_t bind[UAPI_BIND_SIZE] = { 0 };
	int ret;

	put_le32(bind, sizeof(bind));
	put_le32(bind + UAPI_BIND_IOMMUFD, (uint32_t)kernel->iommufd);
	ret = request(fd, UAPI_DEVICE_BIND_IOMMUFD, bind);
	/* EINVAL: our request is right, so that it is bound to another one. */
	if (ret == -EBUSY || ret == -EINVAL)
		return refuse_busy(&kernel->roots, place, err);
	if (ret == -EPERM || ret == -EACCES) {
		cxlvm_error_set(err, ret, "%s: the iommufd does not take it: %s", place->name,
				strerror(-ret));
		cxlvm_error_hint(err, "if this machine remaps no interrupts and its guests are "
				      "trusted: modprobe iommufd allow_unsafe_interrupts=1");
		return ret;
	}
	return ret ? cxlvm_error_set(err, ret, "%s: the iommufd does not take it: %s", place->name,
				     strerror(-ret))
		   : 0;
}

static int attach(const struct ioas *ioas, const struct place *place, int fd,
		  struct cxlvm_error *err)
{
	uint8_t attach[UAPI_ATTACH_SIZE] = { 0 };
	int ret;

	put_le32(attach, sizeof(attach));
	put_le32(attach + UAPI_ATTACH_PT, ioas->id);
	ret = request(fd, UAPI_DEVICE_ATTACH_IOMMUFD, attach);
	return ret ? cxlvm_error_set(err, ret,
				     "%s: the IOMMU does not take it into an address space: %s",
				     place->name, strerror(-ret))
		   : 0;
}

void iommufd_detach(int fd)
{
	uint8_t detach[UAPI_DETACH_SIZE] = { 0 };

	put_le32(detach, sizeof(detach));
	(void)request(fd, UAPI_DEVICE_DETACH_IOMMUFD, detach);
}

static int open_iommufd(struct cxlvm_kernel *kernel, const struct place *place,
			struct cxlvm_error *err)
{
	if (kernel->iommufd >= 0)
		return 0;
	kernel->iommufd = open(place->iommufd_file, O_RDWR | O_CLOEXEC);
	return kernel->iommufd < 0
		       ? refuse_file(&kernel->roots, place, place->iommufd_file, -errno, err)
		       : 0;
}

/* A device that is open, into a space that may be new. */
static int enter(struct cxlvm_kernel *kernel, const struct place *place, int fd,
		 struct kernel_device *device, struct cxlvm_error *err)
{
	struct space *space = kernel_find_space(kernel, &ioas_ops, place->group);
	struct ioas *ioas = space ? ioas_of(space) : NULL;
	int ret = 0, user;

	if (!ioas)
		ret = ioas_create(kernel, place, &ioas, err);
	if (ret)
		return ret;
	user = space_add_user(&ioas->space);
	/* Only one that was there before can be full. */
	if (user < 0)
		return cxlvm_error_set(err, user, "IOMMU group %u has more than %u devices in use",
				       place->group, SPACE_USERS_MAX);
	ret = attach(ioas, place, fd, err);
	if (!ret) {
		ret = read_iova(ioas, place, err);
		if (ret)
			iommufd_detach(fd);
	}
	if (ret) {
		space_remove_user(&ioas->space, (unsigned int)user);
		if (!space)
			ioas_close(&ioas->space);
		return ret;
	}
	if (!space) {
		ioas->space.next = kernel->spaces;
		kernel->spaces = &ioas->space;
	}
	device->space = &ioas->space;
	device->user = (unsigned int)user;
	return 0;
}

int iommufd_open(struct cxlvm_kernel *kernel, const struct place *place, int given,
		 struct kernel_device *device, struct cxlvm_error *err)
{
	int fd = given, ret = open_iommufd(kernel, place, err);

	if (ret)
		return ret;
	if (fd < 0)
		fd = open(place->device_file, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return refuse_file(&kernel->roots, place, place->device_file, -errno, err);
	ret = kernel_file_add(kernel, fd, err);
	if (!ret) {
		ret = bind(kernel, place, fd, err);
		if (!ret)
			ret = enter(kernel, place, fd, device, err);
		if (ret)
			kernel_file_del(kernel, fd);
	}
	if (ret) {
		if (given < 0)
			close(fd);
		return ret;
	}
	/* A launcher's descriptor had to survive exec; it is not for what we start. */
	if (given >= 0)
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	device->fd = fd;
	device->told = true;
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* One device: its file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio/answer.h"
#include "vfio/kernel/kernel.h"
#include "vfio/map_file.h"

/* More vectors than MSI-X has. */
#define VECTORS_MAX 4096u

int kernel_ioctl(int fd, unsigned int number, void *argument)
{
	int ret;

	do
		ret = ioctl(fd, _IO(UAPI_IOCTL_TYPE, number), argument);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

/* 0 or negative errno: of requests that have no other answer. */
static int request(int fd, unsigned int number, void *argument)
{
	int ret = kernel_ioctl(fd, number, argument);

	return ret > 0 ? 0 : ret;
}

/* Both infos: argsz is the first word, the kernel writes no more than that. */
static int ask(int fd, unsigned int number, uint8_t answer[ANSWER_BYTES_MAX], size_t fixed,
	       void *buf, size_t len, size_t *needed)
{
	size_t room = len < fixed ? fixed : len;
	int ret;

	if (room > ANSWER_BYTES_MAX)
		room = ANSWER_BYTES_MAX;
	put_le32(answer, (uint32_t)room);
	ret = request(fd, number, answer);
	if (ret)
		return ret;
	*needed = get_le32(answer);
	memcpy(buf, answer, len < room ? len : room);
	return 0;
}

static int device_info(void *opaque, void *buf, size_t len, size_t *needed)
{
	const struct kernel_device *device = opaque;
	uint8_t answer[ANSWER_BYTES_MAX] = { 0 };

	return ask(device->fd, UAPI_DEVICE_GET_INFO, answer, UAPI_INFO_SIZE, buf, len, needed);
}

static int device_region_info(void *opaque, uint32_t index, void *buf, size_t len, size_t *needed)
{
	const struct kernel_device *device = opaque;
	uint8_t answer[ANSWER_BYTES_MAX] = { 0 };

	put_le32(answer + UAPI_REGION_INDEX, index);
	return ask(device->fd, UAPI_DEVICE_GET_REGION, answer, UAPI_REGION_SIZE, buf, len, needed);
}

int kernel_read_regions(struct kernel_device *device, struct cxlvm_error *err)
{
	uint8_t info[UAPI_INFO_SIZE] = { 0 };
	size_t needed = 0;
	int ret = device_info(device, info, sizeof(info), &needed);

	if (ret)
		return cxlvm_error_set(err, ret, "%s: device info: %s", device->name,
				       strerror(-ret));
	device->n_regions = get_le32(info + UAPI_INFO_NUM_REGIONS);
	if (!(get_le32(info + UAPI_INFO_FLAGS) & UAPI_INFO_FLAG_PCI) ||
	    device->n_regions <= CXLVM_REGION_CONFIG || device->n_regions > REGIONS_MAX)
		return cxlvm_error_set(err, -EPROTO,
				       "%s: device info: flags 0x%x and %u regions are not those "
				       "of a PCI device (flag 0x%x, %u to %u regions)",
				       device->name, get_le32(info + UAPI_INFO_FLAGS),
				       device->n_regions, UAPI_INFO_FLAG_PCI,
				       CXLVM_REGION_CONFIG + 1, REGIONS_MAX);
	device->regions = calloc(device->n_regions, sizeof(*device->regions));
	if (!device->regions)
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory for %u regions", device->name,
				       device->n_regions);
	for (uint32_t i = 0; i < device->n_regions; i++) {
		struct kernel_region *region = &device->regions[i];
		uint8_t answer[UAPI_REGION_SIZE];

		ret = device_region_info(device, i, answer, sizeof(answer), &needed);
		/* Some kernels say so of one that the device does not have. */
		if (ret == -EINVAL)
			continue;
		if (ret)
			return cxlvm_error_set(err, ret, "%s: info of region %u: %s", device->name,
					       i, strerror(-ret));
		region->size = get_le64(answer + UAPI_REGION_BYTES);
		region->offset = get_le64(answer + UAPI_REGION_OFFSET);
		if (region->size && (!range_is_valid(region->offset, region->size) ||
				     region->offset + (region->size - 1) > INT64_MAX))
			return cxlvm_error_set(err, -EPROTO,
					       "%s: region %u of 0x%llx bytes at 0x%llx does not "
					       "fit into a file, which ends at 0x%llx",
					       device->name, i, (unsigned long long)region->size,
					       (unsigned long long)region->offset,
					       (unsigned long long)INT64_MAX);
	}
	return 0;
}

static const struct kernel_region *find_region(const struct kernel_device *device, uint32_t index,
					       uint64_t offset, uint64_t len)
{
	if (index >= device->n_regions || !range_fits(offset, len, device->regions[index].size))
		return NULL;
	return &device->regions[index];
}

/*
 * Why a transfer ended after so many bytes. A kernel that gives a part only may refuse the rest for reasons
 * of its own, as no register begins there: the transfer was short.
 */
static int transfer_error(ssize_t n, size_t done)
{
	return n && !done ? -errno : -EIO;
}

static int device_read(void *opaque, uint32_t index, uint64_t offset, void *buf, size_t len)
{
	const struct kernel_device *device = opaque;
	const struct kernel_region *region = find_region(device, index, offset, len);

	if (!region)
		return -EINVAL;
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(device->fd, (char *)buf + done, len - done,
				  (off_t)(region->offset + offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return transfer_error(n, done);
		done += (size_t)n;
	}
	return 0;
}

static int device_write(void *opaque, uint32_t index, uint64_t offset, const void *buf, size_t len)
{
	const struct kernel_device *device = opaque;
	const struct kernel_region *region = find_region(device, index, offset, len);

	if (!region)
		return -EINVAL;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(device->fd, (const char *)buf + done, len - done,
				   (off_t)(region->offset + offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return transfer_error(n, done);
		done += (size_t)n;
	}
	return 0;
}

static int device_map(void *opaque, const struct cxlvm_map_request *map, void **address)
{
	const struct kernel_device *device = opaque;
	const struct kernel_region *region =
		find_region(device, map->region, map->offset, map->size);

	if (!region)
		return -EINVAL;
	return map_file(map, device->fd, region->offset + map->offset,
			device->kernel->config.page_size, address);
}

static void device_unmap(void *opaque, void *address, uint64_t size)
{
	(void)opaque;
	munmap(address, size);
}

static int device_dma_buf(void *opaque, uint32_t index, uint64_t offset, uint64_t size)
{
	const struct kernel_device *device = opaque;
	uint8_t feature[UAPI_DMA_BUF_SIZE] = { 0 };
	int ret;

	/* A container takes no dma-buf: the memory goes there by address. */
	if (!device->space->ops->map_dma_buf)
		return -ENOTTY;
	put_le32(feature, sizeof(feature));
	put_le32(feature + UAPI_FEATURE_FLAGS, UAPI_FEATURE_FLAG_GET | UAPI_FEATURE_DMA_BUF);
	put_le32(feature + UAPI_DMA_BUF_REGION, index);
	put_le32(feature + UAPI_DMA_BUF_OPEN_FLAGS, O_RDWR | O_CLOEXEC);
	put_le32(feature + UAPI_DMA_BUF_RANGES, 1);
	put_le64(feature + UAPI_DMA_BUF_OFFSET, offset);
	put_le64(feature + UAPI_DMA_BUF_LENGTH, size);
	ret = kernel_ioctl(device->fd, UAPI_DEVICE_FEATURE, feature);
	/* A kernel that has the feature for BARs, but not for this region: Linux says ENODEV. */
	return ret == -EINVAL || ret == -ENODEV ? -ENOTTY : ret;
}

const struct cxlvm_device_ops kernel_device_ops = {
	.size = sizeof(kernel_device_ops),
	.info = device_info,
	.region_info = device_region_info,
	.read = device_read,
	.write = device_write,
	.map = device_map,
	.unmap = device_unmap,
	.dma_buf = device_dma_buf,
};

int kernel_reset(void *opaque)
{
	const struct kernel_device *device = opaque;

	return request(device->fd, UAPI_DEVICE_RESET, NULL);
}

int kernel_irq_set(void *opaque, uint32_t index, uint32_t start, uint32_t count,
		   const int *eventfds)
{
	const struct kernel_device *device = opaque;
	size_t size = UAPI_SET_IRQS_DATA + (size_t)count * 4;
	uint8_t *set;
	int ret;

	if (!count || count > VECTORS_MAX)
		return -EINVAL;
	set = calloc(1, size);
	if (!set)
		return -ENOMEM;
	put_le32(set, (uint32_t)size);
	put_le32(set + UAPI_SET_IRQS_FLAGS,
		 UAPI_SET_IRQS_FLAG_EVENTFD | UAPI_SET_IRQS_FLAG_TRIGGER);
	put_le32(set + UAPI_SET_IRQS_INDEX, index);
	put_le32(set + UAPI_SET_IRQS_START, start);
	put_le32(set + UAPI_SET_IRQS_COUNT, count);
	for (uint32_t i = 0; i < count; i++)
		put_le32(set + UAPI_SET_IRQS_DATA + (size_t)i * 4,
			 (uint32_t)(eventfds[i] < 0 ? -1 : eventfds[i]));
	ret = kernel_ioctl(device->fd, UAPI_DEVICE_SET_IRQS, set);
	free(set);
	/* A number: the host has only so many interrupts to spare. */
	return ret > 0 ? -ENOSPC : ret;
}

int kernel_irq_disable(void *opaque, uint32_t index)
{
	const struct kernel_device *device = opaque;
	uint8_t set[UAPI_SET_IRQS_DATA] = { 0 };

	put_le32(set, sizeof(set));
	put_le32(set + UAPI_SET_IRQS_FLAGS, UAPI_SET_IRQS_FLAG_NONE | UAPI_SET_IRQS_FLAG_TRIGGER);
	put_le32(set + UAPI_SET_IRQS_INDEX, index);
	return request(device->fd, UAPI_DEVICE_SET_IRQS, set);
}

int kernel_irq_info(void *opaque, uint32_t index, uint32_t *flags, uint32_t *count)
{
	const struct kernel_device *device = opaque;
	uint8_t info[UAPI_IRQ_SIZE] = { 0 };
	int ret;

	put_le32(info, sizeof(info));
	put_le32(info + UAPI_IRQ_INDEX, index);
	ret = request(device->fd, UAPI_DEVICE_GET_IRQ, info);
	if (ret)
		return ret;
	*flags = get_le32(info + UAPI_IRQ_FLAGS);
	*count = get_le32(info + UAPI_IRQ_COUNT);
	return 0;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernel transport: opening and closing. */
#include "vfio/kernel/kernel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "base/sized.h"

int kernel_file_add(const struct cxlvm_kernel *kernel, int fd, struct cxlvm_error *err)
{
	const struct cxlvm_kernel_config *config = &kernel->config;
	int ret = config->file_add ? config->file_add(config->host, fd, err) : 0;

	/* The host may have left err alone. */
	return ret ? cxlvm_error_set(err, ret, "the hypervisor does not take a file of VFIO: %s",
				     strerror(-ret))
		   : 0;
}

void kernel_file_del(const struct cxlvm_kernel *kernel, int fd)
{
	if (kernel->config.file_del)
		kernel->config.file_del(kernel->config.host, fd);
}

struct space *kernel_find_space(const struct cxlvm_kernel *kernel, const struct space_ops *ops,
				unsigned int group)
{
	struct space *space = kernel->spaces;

	while (space && (space->ops != ops || space->group != group))
		space = space->next;
	return space;
}

/* The space goes with its last device. */
static void leave_space(struct cxlvm_kernel *kernel, struct space *space, unsigned int user)
{
	struct space **link = &kernel->spaces;

	space_remove_user(space, user);
	if (space->users)
		return;
	while (*link != space)
		link = &(*link)->next;
	*link = space->next;
	space->ops->close(space);
}

/* The mutex is held. A device whose file is closed makes no access any more: its space comes after. */
static void release(struct kernel_device *device)
{
	struct cxlvm_kernel *kernel = device->kernel;

	if (device->told)
		kernel_file_del(kernel, device->fd);
	if (device->fd >= 0)
		close(device->fd);
	if (device->space)
		leave_space(kernel, device->space, device->user);
	free(device->regions);
	free(device);
}

static void device_close(void *opaque)
{
	struct kernel_device *device = opaque;
	struct cxlvm_kernel *kernel = device->kernel;
	struct kernel_device **link = &kernel->devices;

	pthread_mutex_lock(&kernel->mutex);
	while (*link != device)
		link = &(*link)->next;
	*link = device->next;
	release(device);
	pthread_mutex_unlock(&kernel->mutex);
}

static int device_dma_map(void *opaque, const struct cxlvm_dma_range *range,
			  struct cxlvm_error *err)
{
	const struct kernel_device *device = opaque;

	return space_dma_map(device->space, device->user, range, err);
}

static int device_dma_unmap(void *opaque, struct cxlvm_iova base, uint64_t size)
{
	const struct kernel_device *device = opaque;

	return space_dma_unmap(device->space, device->user, base, size);
}

static size_t device_iova_ranges(void *opaque, struct cxlvm_iova_range *ranges, size_t n)
{
	const struct kernel_device *device = opaque;

	return space_iova_ranges(device->space, ranges, n);
}

static int device_memory_map(void *opaque, const struct cxlvm_memory_area *areas, size_t n,
			     struct cxlvm_error *err)
{
	const struct kernel_device *device = opaque;

	return space_memory_map(device->space, device->user, areas, n, err);
}

static void device_memory_unmap(void *opaque, const struct cxlvm_memory_area *areas, size_t n)
{
	const struct kernel_device *device = opaque;

	space_memory_unmap(device->space, device->user, areas, n);
}

static const struct cxlvm_transport_ops kernel_transport = {
	.size = sizeof(kernel_transport),
	.reset = kernel_reset,
	.irq_set = kernel_irq_set,
	.irq_disable = kernel_irq_disable,
	.irq_info = kernel_irq_info,
	.close = device_close,
	.dma_map = device_dma_map,
	.dma_unmap = device_dma_unmap,
	.iova_ranges = device_iova_ranges,
	.memory_map = device_memory_map,
	.memory_unmap = device_memory_unmap,
};

static int check_place(const struct cxlvm_kernel *kernel, const struct place *place,
		       struct cxlvm_error *err)
{
	for (const struct kernel_device *d = kernel->devices; d; d = d->next)
		if (!strcmp(d->name, place->name)) {
			cxlvm_error_set(err, -EBUSY, "%s is in use by this process already",
					place->name);
			cxlvm_error_hint(err, "name each device once");
			return -EBUSY;
		}
	/* First what binding does not mend. Others than PCI devices may get their group with it. */
	if (!place->has_group && (place->pci || place->bound))
		return refuse_no_iommu(&kernel->roots, place, err);
	if (!place->bound)
		return refuse_unbound(&kernel->roots, place, err);
	return 0;
}

static int take_device(struct cxlvm_kernel_device_config *config,
		       const struct cxlvm_kernel_device_config *given, struct cxlvm_error *err)
{
	int ret = sized_config_take(config, sizeof(*config),
				    SIZE_WITH(struct cxlvm_kernel_device_config, device), given,
				    "VFIO device", err);

	if (!ret && !config->device == !config->has_fd)
		ret = cxlvm_error_set(err, -EINVAL,
				      "VFIO device configuration with %s of name and descriptor",
				      config->device ? "both" : "none");
	if (ret)
		cxlvm_error_hint(err, "see struct cxlvm_kernel_device_config in cxlvm/kernel.h");
	return ret;
}

static int find_place(const struct roots *roots, const struct cxlvm_kernel_device_config *config,
		      struct place *place, struct cxlvm_error *err)
{
	return config->has_fd ? place_of_fd(roots, config->fd, place, err)
			      : place_find(roots, config->device, place, err);
}

int kernel_group_at(const struct roots *roots, const struct cxlvm_kernel_device_config *given,
		    unsigned int *group, struct cxlvm_error *err)
{
	struct cxlvm_kernel_device_config config;
	struct place place = { .has_group = false };
	int ret = take_device(&config, given, err);

	if (!ret)
		ret = find_place(roots, &config, &place, err);
	if (!ret && !place.has_group)
		ret = refuse_no_iommu(roots, &place, err);
	if (!ret)
		*group = place.group;
	return ret;
}

static int open_device(struct cxlvm_kernel *kernel, const struct cxlvm_kernel_device_config *config,
		       struct kernel_device *device, struct cxlvm_error *err)
{
	struct place place;
	int ret = find_place(&kernel->roots, config, &place, err);

	if (!ret)
		ret = check_place(kernel, &place, err);
	if (ret)
		return ret;
	memcpy(device->name, place.name, sizeof(device->name));
	if (config->has_fd || place_has_iommufd(&place))
		ret = iommufd_open(kernel, &place, config->has_fd ? config->fd : -1, device, err);
	else
		ret = group_open(kernel, &place, device, err);
	if (!ret)
		ret = kernel_read_regions(device, err);
	return ret;
}

/* Where no error of its own says what to do: what can be looked at. */
static void hint_open(const struct kernel_device *device, struct cxlvm_error *err)
{
	const char *name = device->name;

	if (!err)
		return;
	if (!name[0])
		cxlvm_error_hint(err, "lspci -D lists PCI devices; their folders are below "
				      "/sys/devices");
	else if (err->code == -EPROTO)
		cxlvm_error_hint(
			err,
			"the host's kernel contradicts itself: try another one; dmesg | grep "
			"-e vfio -e %s has what it says of the device",
			name);
	else if (err->code == -ENOMEM)
		cxlvm_error_hint(err, "free memory of this machine; dmesg | tail says what it was "
				      "for");
	else
		cxlvm_error_hint(err,
				 "dmesg | grep -e vfio -e iommu -e %s on the host says why; cxlvm "
				 "check %s looks at all that the device needs",
				 name, name);
}

int cxlvm_kernel_open(struct cxlvm_kernel *kernel, const struct cxlvm_kernel_device_config *given,
		      struct cxlvm_transport *out, struct cxlvm_error *err)
{
	struct cxlvm_kernel_device_config taken, *config = &taken;
	struct kernel_device *device;
	int ret = take_device(config, given, err);

	if (ret)
		return ret;
	device = calloc(1, sizeof(*device));
	if (!device) {
		cxlvm_error_set(err, -ENOMEM, "no memory for a VFIO device of %zu bytes",
				sizeof(*device));
		cxlvm_error_hint(err, "free memory of this machine");
		return -ENOMEM;
	}
	device->kernel = kernel;
	device->fd = -1;
	pthread_mutex_lock(&kernel->mutex);
	ret = open_device(kernel, config, device, err);
	if (ret) {
		hint_open(device, err);
		/* A descriptor that was given stays the caller's. */
		if (config->has_fd && device->fd >= 0) {
			iommufd_detach(device->fd);
			kernel_file_del(kernel, device->fd);
			device->told = false;
			device->fd = -1;
		}
		release(device);
	} else {
		device->next = kernel->devices;
		kernel->devices = device;
		*out = (struct cxlvm_transport){
			.device = device,
			.ops = &kernel_device_ops,
			.transport = &kernel_transport,
		};
	}
	pthread_mutex_unlock(&kernel->mutex);
	return ret;
}

static int take_config(struct cxlvm_kernel_config *config, const struct cxlvm_kernel_config *given,
		       struct cxlvm_error *err)
{
	int ret =
		sized_config_take(config, sizeof(*config),
				  SIZE_WITH(struct cxlvm_kernel_config, size), given, "VFIO", err);

	if (ret)
		return ret;
	if (!config->file_add != !config->file_del)
		return cxlvm_error_set(err, -EINVAL,
				       "VFIO configuration with one of file_add and "
				       "file_del");
	if (!config->page_size)
		config->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
	return is_power_of_two(config->page_size)
		       ? 0
		       : cxlvm_error_set(err, -EINVAL, "host page size %llu is no power of two",
					 (unsigned long long)config->page_size);
}

int kernel_create_at(const struct roots *roots, const struct cxlvm_kernel_config *given,
		     struct cxlvm_kernel **out, struct cxlvm_error *err)
{
	struct cxlvm_kernel_config config;
	struct cxlvm_kernel *kernel;
	int ret = take_config(&config, given, err);

	if (ret) {
		cxlvm_error_hint(err, "see struct cxlvm_kernel_config in cxlvm/kernel.h");
		return ret;
	}
	kernel = calloc(1, sizeof(*kernel));
	if (!kernel) {
		cxlvm_error_set(err, -ENOMEM, "no memory for VFIO, %zu bytes", sizeof(*kernel));
		cxlvm_error_hint(err, "free memory of this machine");
		return -ENOMEM;
	}
	kernel->config = config;
	kernel->roots = *roots;
	kernel->iommufd = -1;
	pthread_mutex_init(&kernel->mutex, NULL);
	*out = kernel;
	return 0;
}

static const struct roots machine_roots = { .sys = "/sys", .dev = "/dev", .proc = "/proc" };

int cxlvm_kernel_group(const struct cxlvm_kernel_device_config *config, unsigned int *group,
		       struct cxlvm_error *err)
{
	return kernel_group_at(&machine_roots, config, group, err);
}

int cxlvm_kernel_create(const struct cxlvm_kernel_config *config, struct cxlvm_kernel **kernel,
			struct cxlvm_error *err)
{
	/* Its structures are in the host's byte order, what devices answer is in the bus's. */
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) {
		cxlvm_error_set(err, -EOPNOTSUPP,
				"devices of VFIO on a big-endian host are not supported");
		cxlvm_error_hint(err, "use a vfio-user server, or a little-endian host");
		return -EOPNOTSUPP;
	}
	return kernel_create_at(&machine_roots, config, kernel, err);
}

void cxlvm_kernel_destroy(struct cxlvm_kernel *kernel)
{
	if (!kernel)
		return;
	if (kernel->iommufd >= 0)
		close(kernel->iommufd);
	pthread_mutex_destroy(&kernel->mutex);
	free(kernel);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* vfio.c - devices of the host's VFIO */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "host.h"
#include "vfio.h"
#include "vm.h"

/* The group of attributes is called KVM_DEV_VFIO_FILE since it takes devices as well as groups. */
static int tell_kvm(struct vm *vm, int fd, uint64_t attribute)
{
	int32_t file = fd;
	struct kvm_device_attr attr = {
		.group = KVM_DEV_VFIO_GROUP,
		.attr = attribute,
		.addr = (uintptr_t)&file,
	};

	return kvm_ioctl(vm->vfio.kvm_device, KVM_SET_DEVICE_ATTR, (unsigned long)&attr);
}

static int file_add(void *host, int fd, struct cxlvm_error *err)
{
	struct vm *vm = host;
	struct kvm_create_device create = { .type = KVM_DEV_TYPE_VFIO };
	int code;

	/* A plan has no virtual machine. */
	if (vm->kvm.vm_fd < 0)
		return 0;
	if (vm->vfio.kvm_device < 0) {
		code = kvm_ioctl(vm->kvm.vm_fd, KVM_CREATE_DEVICE, (unsigned long)&create);
		/* A KVM that has nothing to do with VFIO. */
		if (code == -ENODEV || code == -ENOTTY || code == -EINVAL)
			return 0;
		if (code < 0)
			return cxlvm_error_set(err, code, "KVM has no device for VFIO: %s",
					       strerror(-code));
		vm->vfio.kvm_device = (int)create.fd;
	}
	code = tell_kvm(vm, fd, KVM_DEV_VFIO_GROUP_ADD);
	return code < 0 ? cxlvm_error_set(err, code,
					  "KVM does not take the file of a VFIO device: "
					  "%s",
					  strerror(-code))
			: 0;
}

static void file_del(void *host, int fd)
{
	struct vm *vm = host;

	if (vm->vfio.kvm_device >= 0)
		(void)tell_kvm(vm, fd, KVM_DEV_VFIO_GROUP_DEL);
}

static void progress(void *host, uint64_t done, uint64_t total)
{
	(void)host;
	fprintf(stderr, "mapping guest memory for DMA: %llu of %llu MiB\n",
		(unsigned long long)(done >> 20), (unsigned long long)(total >> 20));
}

static struct cxlvm_kernel_device_config device_of(const struct device_config *config)
{
	return (struct cxlvm_kernel_device_config){
		.size = sizeof(struct cxlvm_kernel_device_config),
		.device = config->has_vfio_fd ? NULL : config->vfio,
		.has_fd = config->has_vfio_fd,
		.fd = config->vfio_fd,
	};
}

/*
 * Each I/O address space gets all of RAM, and functions of one IOMMU group share one. A device whose
 * group cannot be seen counts alone; why is said when it is opened.
 */
static uint64_t dma_size(const struct vm *vm)
{
	unsigned int groups[CXLVM_WINDOWS_MAX], n_groups = 0, alone = 0;

	for (unsigned int i = 0; i < vm->config->n_devices; i++) {
		const struct device_config *config = &vm->config->devices[i];
		const struct cxlvm_kernel_device_config device = device_of(config);
		unsigned int group, known = 0;

		if (!config->vfio)
			continue;
		if (cxlvm_kernel_group(&device, &group, NULL)) {
			alone++;
			continue;
		}
		while (known < n_groups && groups[known] != group)
			known++;
		if (known == n_groups)
			groups[n_groups++] = group;
	}
	return (uint64_t)(n_groups + alone) * vm->ram.size;
}

int vfio_open(struct device *device, const struct device_config *config, struct cxlvm_error *err)
{
	struct vm *vm = device->vm;
	const struct cxlvm_kernel_config kernel = {
		.size = sizeof(kernel),
		.host = vm,
		.file_add = file_add,
		.file_del = file_del,
		.progress = progress,
		.dma_size = dma_size(vm),
	};
	const struct cxlvm_kernel_device_config open = device_of(config);
	int code = vm->vfio.kernel ? 0 : cxlvm_kernel_create(&kernel, &vm->vfio.kernel, err);

	if (!code)
		code = cxlvm_kernel_open(vm->vfio.kernel, &open, &device->transport, err);
	return code;
}

void vfio_finish(struct vm *vm)
{
	cxlvm_kernel_destroy(vm->vfio.kernel);
	vm->vfio.kernel = NULL;
	if (vm->vfio.kvm_device >= 0)
		close(vm->vfio.kvm_device);
	vm->vfio.kvm_device = -1;
}

static const uint32_t notice_irqs[VFIO_NOTICES] = {
	[VFIO_NOTICE_ERROR] = CXLVM_IRQ_ERROR,
	[VFIO_NOTICE_REQUEST] = CXLVM_IRQ_REQUEST,
};

int vfio_listen(struct device *device, struct cxlvm_error *err)
{
	static const char *const refusals[VFIO_NOTICES] = {
		[VFIO_NOTICE_ERROR] = "the kernel is not going to tell of errors of the device",
		[VFIO_NOTICE_REQUEST] = "the kernel is not going to tell when it wants the device "
					"back",
	};
	const struct cxlvm_transport *transport = &device->transport;

	for (unsigned int i = 0; i < VFIO_NOTICES; i++) {
		int code, fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0)
			return cxlvm_error_set(err, -errno, "%s: no eventfd: %s", device->name,
					       strerror(errno));
		code = transport->transport->irq_set(transport->device, notice_irqs[i], 0, 1, &fd);
		if (code) {
			close(fd);
			/* Not every device tells of errors. */
			if (code != -EINVAL && code != -ENOTTY)
				device_warn(device, code, refusals[i]);
			continue;
		}
		device->notices[i] = fd;
	}
	return 0;
}

void vfio_deafen(struct device *device)
{
	const struct cxlvm_transport *transport = &device->transport;

	for (unsigned int i = 0; device->opened && i < VFIO_NOTICES; i++) {
		if (device->notices[i] < 0)
			continue;
		(void)transport->transport->irq_disable(transport->device, notice_irqs[i]);
		close(device->notices[i]);
		device->notices[i] = -1;
	}
}

void vfio_notice(struct device *device, enum vfio_notice notice)
{
	uint64_t count;

	if (read(device->notices[notice], &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&device->lock);
	if (notice == VFIO_NOTICE_REQUEST) {
		/* The kernel repeats it while it waits. */
		host_tell(device, DEVICE_EVENT_REQUESTED, 0,
			  "the host wants the device back: end this machine");
	} else {
		/* A guest can make a device have errors. */
		host_tell(device, DEVICE_EVENT_ERROR, -EIO,
			  "the host's kernel reports an error of the device that it could not "
			  "correct");
		(void)cxlvm_endpoint_recheck(device->endpoint);
	}
	pthread_mutex_unlock(&device->lock);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_kvm.c - device memory as KVM memory slots, one for each area
 *
 * prepare checks all that KVM always refuses: alignment, address width, size of a slot, free
 * slots. What it refuses when a slot is set (it has no memory for it) the engine is told, which
 * shows no memory then, until the next reset. A slot that KVM does not take away ends the run: the
 * guest would reach memory that it must not.
 *
 * Device memory goes into the device's I/O address space where there is one: see host_dma_state.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "host.h"
#include "kvm.h"
#include "vm.h"

static int check_area(const struct device *device, const struct cxlvm_memory_area *area,
		      struct cxlvm_error *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t first = area->guest.value;
	uint64_t last = first + (area->size - 1);

	if (area->size == 0 || !is_aligned(area->size, page) || !is_aligned(first, page) ||
	    !is_aligned((uintptr_t)area->address, page))
		return cxlvm_error_set(err, -EINVAL,
				       "%s: memory area at 0x%llx, size 0x%llx, is not a multiple "
				       "of the page size 0x%llx",
				       device->name, (unsigned long long)first,
				       (unsigned long long)area->size, (unsigned long long)page);
	if (last < first || last >> device->vm->phys_bits)
		return cxlvm_error_set(err, -ERANGE,
				       "%s: memory area 0x%llx to 0x%llx is beyond the address "
				       "width of %u bits",
				       device->name, (unsigned long long)first,
				       (unsigned long long)last, device->vm->phys_bits);
	if (area->size / page > KVM_SLOT_PAGES_MAX)
		return cxlvm_error_set(err, -EFBIG,
				       "%s: memory area of 0x%llx bytes is larger than a memory "
				       "slot of KVM",
				       device->name, (unsigned long long)area->size);
	return 0;
}

static void kvm_release(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct device *device = host;

	(void)areas;
	(void)n;
	for (size_t i = 0; i < device->n_slots; i++)
		kvm_slot_free(&device->vm->kvm, (unsigned int)device->slots[i]);
	free(device->slots);
	device->slots = NULL;
	device->n_slots = 0;
}

static int kvm_prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
		       struct cxlvm_error *err)
{
	struct device *device = host;

	device->slots = calloc(n ? n : 1, sizeof(*device->slots));
	if (!device->slots)
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory for %zu slots", device->name,
				       n);
	for (size_t i = 0; i < n; i++) {
		int code = check_area(device, &areas[i], err);

		if (!code)
			code = kvm_slot_alloc(&device->vm->kvm, err);
		if (code < 0) {
			kvm_release(host, areas, n);
			return code;
		}
		device->slots[device->n_slots++] = code;
	}
	return 0;
}

static int set_slot(const struct device *device, const struct cxlvm_memory_area *areas, size_t i,
		    bool on, struct cxlvm_error *err)
{
	int code = kvm_slot_set(&device->vm->kvm, (unsigned int)device->slots[i], areas[i].guest,
				on ? areas[i].size : 0, areas[i].address);

	if (!code)
		return 0;
	cxlvm_error_set(err, code, "%s: KVM does not %s device memory at 0x%llx, size 0x%llx: %s",
			device->name, on ? "map" : "unmap",
			(unsigned long long)areas[i].guest.value, (unsigned long long)areas[i].size,
			strerror(-code));
	if (on)
		cxlvm_error_hint(err, "free memory of the host, whose kernel log may say more, "
				      "then reset the device");
	return code;
}

static void take_slots_away(struct device *device, const struct cxlvm_memory_area *areas, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		if (set_slot(device, areas, i, false, &err))
			cpus_request(device->vm, VCPU_ERROR, NULL, &err);
	}
}

/* All slots or none. */
static void kvm_enable(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct device *device = host;

	(void)n;
	device->refusal = (struct cxlvm_error)CXLVM_ERROR_INIT;
	for (size_t i = 0; i < device->n_slots; i++) {
		if (set_slot(device, areas, i, true, &device->refusal)) {
			take_slots_away(device, areas, i);
			return;
		}
	}
	if (device->n_slots) {
		device->mapped_first = areas[0].guest.value;
		device->mapped_last = areas[device->n_slots - 1].guest.value +
				      (areas[device->n_slots - 1].size - 1);
	}
	device->mapped = true;
}

static int kvm_enabled(void *host, struct cxlvm_error *err)
{
	const struct device *device = host;

	if (device->mapped)
		return 0;
	cxlvm_error_set(err, device->refusal.code, "%s", device->refusal.message);
	cxlvm_error_hint(err, "%s", device->refusal.hint);
	return device->refusal.code;
}

/* When the ioctl is back, KVM has made all vCPUs forget the memory. */
static void kvm_disable(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct device *device = host;

	(void)n;
	if (device->mapped)
		take_slots_away(device, areas, device->n_slots);
	device->mapped = false;
}

static int kvm_dma_map(void *host, const struct cxlvm_memory_area *areas, size_t n,
		       struct cxlvm_error *err)
{
	struct device *device = host;
	int code = device->transport.transport->memory_map(device->transport.device, areas, n, err);

	device->dma_mapped = !code;
	return code;
}

static void kvm_dma_unmap(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct device *device = host;

	device->transport.transport->memory_unmap(device->transport.device, areas, n);
	device->dma_mapped = false;
}

const struct cxlvm_host_ops host_kvm_ops = {
	.size = sizeof(host_kvm_ops),
	.prepare = kvm_prepare,
	.release = kvm_release,
	.enable = kvm_enable,
	.disable = kvm_disable,
	.enabled = kvm_enabled,
	HOST_OPS_SHARED,
};

const struct cxlvm_host_ops host_kvm_dma_ops = {
	.size = sizeof(host_kvm_dma_ops),
	.prepare = kvm_prepare,
	.release = kvm_release,
	.enable = kvm_enable,
	.disable = kvm_disable,
	.enabled = kvm_enabled,
	.dma_map = kvm_dma_map,
	.dma_unmap = kvm_dma_unmap,
	HOST_OPS_SHARED,
};

const struct cxlvm_host_ops *host_ops_for(const struct device *device)
{
	if (device->vm->config->plan)
		return &host_plan_ops;
	return device->transport.transport->memory_map ? &host_kvm_dma_ops : &host_kvm_ops;
}

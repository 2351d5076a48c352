/* SPDX-License-Identifier: BSD-3-Clause */
/* Device memory: mapped into this process once, shown to the guest when the registers say so. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

/* What congruence of guest and host address is asked for: the largest page that can be used. */
#define HUGE_PAGE     ((uint64_t)2 << 20)
#define GIGANTIC_PAGE ((uint64_t)1 << 30)

static bool memory_enabled(const struct cxlvm_endpoint *ep)
{
	const struct reg_row *row = &dvsec_device_table.rows[CXLDEV_MEM_ENABLE];

	return __atomic_load_n(&ep->state.dvsec_control, __ATOMIC_RELAXED) >> row->lsb & 1;
}

/* P3, in one place. */
static bool wants_map(const struct cxlvm_endpoint *ep, bool committed)
{
	return ep->n_areas && committed && decoder_is_enabled(ep->state.hdm) &&
	       memory_enabled(ep) && flag_is_set(&ep->state.usable) && endpoint_bridge_agrees(ep);
}

/* Areas are sorted, and leave no hole. */
uint64_t endpoint_areas_size(const struct cxlvm_endpoint *ep)
{
	const struct cxlvm_memory_area *last = &ep->areas[ep->n_areas - 1];

	return last->offset.value + last->size;
}

static void switch_map(struct cxlvm_endpoint *ep, bool on, enum cxlvm_map_reason reason)
{
	if (on == flag_is_set(&ep->state.mapped))
		return;
	if (on) {
		ep->host_ops.enable(ep->host, ep->areas, ep->n_areas);
		flag_set(&ep->state.mapped, true);
		TRACE(ep, MAP_ENABLE, ep->areas[0].guest.value, endpoint_areas_size(ep), reason);
	} else {
		ep->host_ops.disable(ep->host, ep->areas, ep->n_areas);
		flag_set(&ep->state.mapped, false);
		TRACE(ep, MAP_DISABLE, ep->areas[0].guest.value, endpoint_areas_size(ep), reason);
	}
}

/* Only now can a host tell that maps as it enables. */
int endpoint_map_check(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	int ret = 0;

	if (!flag_is_set(&ep->state.mapped))
		return 0;
	if (ep->host_ops.enabled)
		ret = ep->host_ops.enabled(ep->host, err);
	if (ret)
		return cxlvm_error_set(err, ret, "%s: the host cannot map device memory: %s",
				       ep->name, strerror(-ret));
	return endpoint_dma_check(ep, err);
}

/* Enabled between two transactions: there is nobody to undo it but us. */
static void check_enabled(struct cxlvm_endpoint *ep)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (!endpoint_map_check(ep, &err))
		return;
	snprintf(ep->unusable, sizeof(ep->unusable), "%s", err.message);
	flag_set(&ep->state.usable, false);
	switch_map(ep, false, CXLVM_MAP_UNDONE);
	endpoint_event(ep, CXLVM_EVENT_MEMORY_UNAVAILABLE, err.code, err.message);
}

void endpoint_map_update(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason)
{
	bool was = flag_is_set(&ep->state.mapped);

	switch_map(ep, wants_map(ep, decoder_is_committed(ep->state.hdm)), reason);
	if (reason == CXLVM_MAP_REGISTERS && !was && flag_is_set(&ep->state.mapped))
		check_enabled(ep);
}

void endpoint_map_ahead(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason)
{
	switch_map(ep, wants_map(ep, true), reason);
}

void endpoint_map_off(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason)
{
	switch_map(ep, false, reason);
}

void endpoint_map_disable(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason)
{
	flag_set(&ep->state.usable, false);
	endpoint_map_update(ep, reason);
}

static void unmap_areas(struct cxlvm_endpoint *ep, size_t n)
{
	while (n--)
		ep->ops.unmap(ep->device, ep->areas[n].address, ep->areas[n].size);
}

int endpoint_map_create(struct cxlvm_endpoint *ep, struct cxlvm_gpa base, uint64_t size,
			struct cxlvm_error *err)
{
	const struct vfio_description *desc = &ep->desc;
	size_t n;
	int ret;

	/* Areas are sorted: the first one beyond size ends it. */
	for (n = 0; n < desc->n_areas && desc->areas[n].offset < size; n++) {
		struct cxlvm_memory_area *area = &ep->areas[n];
		uint64_t left = size - desc->areas[n].offset;
		void *address;
		struct cxlvm_map_request request = {
			.region = desc->memory_region,
			.offset = desc->areas[n].offset,
			.size = desc->areas[n].size < left ? desc->areas[n].size : left,
			.guest = { base.value + desc->areas[n].offset },
		};

		request.alignment = request.size >= GIGANTIC_PAGE ? GIGANTIC_PAGE : HUGE_PAGE;
		ret = ep->ops.map(ep->device, &request, &address);
		if (ret) {
			cxlvm_error_set(err, ret,
					"%s: mapping 0x%" PRIx64 " bytes of device memory: %s",
					ep->name, request.size, strerror(-ret));
			if (ret == -ENOMEM)
				cxlvm_error_hint(err,
						 "not enough address space or memory for it: look "
						 "at ulimit -v, or give the guest smaller devices");
			unmap_areas(ep, n);
			return ret;
		}
		/* host_owns_address may still look at what was here before. */
		__atomic_store_n(&area->address, address, __ATOMIC_RELAXED);
		__atomic_store_n(&area->size, request.size, __ATOMIC_RELAXED);
		area->offset.value = request.offset;
		area->guest = request.guest;
		area->dma_buf = -1;
	}
	ret = ep->host_ops.prepare(ep->host, ep->areas, n, err);
	if (ret) {
		cxlvm_error_set(err, ret, "%s: the host cannot map device memory: %s", ep->name,
				strerror(-ret));
		unmap_areas(ep, n);
		return ret;
	}
	__atomic_store_n(&ep->n_areas, n, __ATOMIC_RELEASE);
	return 0;
}

void endpoint_map_destroy(struct cxlvm_endpoint *ep)
{
	size_t n = ep->n_areas;

	if (!n)
		return;
	__atomic_store_n(&ep->n_areas, 0, __ATOMIC_RELEASE);
	ep->host_ops.release(ep->host, ep->areas, n);
	unmap_areas(ep, n);
}

const struct cxlvm_memory_area *endpoint_map_area(const struct cxlvm_endpoint *ep,
						  const void *address)
{
	size_t n = __atomic_load_n(&ep->n_areas, __ATOMIC_ACQUIRE);

	for (size_t i = 0; i < n; i++) {
		const struct cxlvm_memory_area *area = &ep->areas[i];
		uintptr_t first = (uintptr_t)__atomic_load_n(&area->address, __ATOMIC_RELAXED);

		if ((uintptr_t)address - first < __atomic_load_n(&area->size, __ATOMIC_RELAXED))
			return area;
	}
	return NULL;
}

bool cxlvm_endpoint_host_owns_address(const struct cxlvm_endpoint *ep, const void *address)
{
	return endpoint_map_area(ep, address);
}

size_t cxlvm_endpoint_memory_areas(const struct cxlvm_endpoint *ep, struct cxlvm_memory_area *areas,
				   size_t n)
{
	for (size_t i = 0; i < n && i < ep->n_areas; i++)
		areas[i] = ep->areas[i];
	return ep->n_areas;
}

/* The command register of the real device. */
#define COMMAND_OFFSET (pci_header_table.rows[PCI_MEMORY_SPACE].offset)
#define MEMORY_SPACE   (1u << pci_header_table.rows[PCI_MEMORY_SPACE].lsb)

static int write_command(struct cxlvm_endpoint *ep, uint16_t command)
{
	uint8_t bytes[2];

	put_le16(bytes, command);
	return ep->ops.write(ep->device, CXLVM_REGION_CONFIG, COMMAND_OFFSET, bytes, sizeof(bytes));
}

static int read_command(struct cxlvm_endpoint *ep, uint16_t *command)
{
	uint8_t bytes[2];
	int ret =
		ep->ops.read(ep->device, CXLVM_REGION_CONFIG, COMMAND_OFFSET, bytes, sizeof(bytes));

	*command = ret ? 0 : get_le16(bytes);
	return ret;
}

int endpoint_memory_space_on(struct cxlvm_endpoint *ep, bool *was, struct cxlvm_error *err)
{
	uint16_t command;
	int ret = read_command(ep, &command);

	*was = command & MEMORY_SPACE;
	if (!ret && !*was) {
		ret = write_command(ep, (uint16_t)(command | MEMORY_SPACE));
		/* A write that failed may have had its effect all the same. */
		if (ret)
			(void)write_command(ep, command);
	}
	if (ret)
		return endpoint_unusable(ep, ret, "access to the PCI command register", err);
	return 0;
}

void endpoint_memory_space_restore(struct cxlvm_endpoint *ep, bool was)
{
	uint16_t command;

	if (was || read_command(ep, &command))
		return;
	(void)write_command(ep, (uint16_t)(command & ~MEMORY_SPACE));
}

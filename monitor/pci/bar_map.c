/* SPDX-License-Identifier: BSD-3-Clause */
/* bar_map.c - parts of BARs that the guest reaches without an exit */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bar_map.h"
#include "device.h"
#include "host_bridge.h"
#include "util.h"
#include "vm.h"

/* Region info: argsz, flags, index, offset of capabilities; then id, version, next of each. */
#define REGION_INFO_BYTES 4096u
#define REGION_FLAGS_AT   4
#define REGION_CAPS_AT    12
#define REGION_FLAG_MMAP  (1u << 2)
#define REGION_FLAG_CAPS  (1u << 3)
#define CAP_HEADER        8u
#define CAP_SPARSE        1u
#define CAP_SPARSE_COUNT  8u
#define CAP_SPARSE_AREAS  16u
#define CAP_SPARSE_AREA   16u
#define CAPS_MAX          32u

/* As far as large pages need it. */
#define ALIGNMENT_MAX GIB(1)

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static int add_map(struct device *device, uint32_t bar, uint64_t offset, uint64_t end,
		   struct cxlvm_error *err)
{
	struct pci_endpoint *pci = &device->pci;
	struct cxlvm_map_request request = {
		.region = bar,
		.offset = offset,
		.size = end - offset,
		/* BARs are aligned to their size, so that the offset tells it all. */
		.guest.value = offset,
		.alignment =
			pci->bars[bar].size < ALIGNMENT_MAX ? pci->bars[bar].size : ALIGNMENT_MAX,
	};
	struct bar_map map = { .bar = bar, .offset = offset, .size = end - offset };
	struct bar_map *maps;
	int slot;

	maps = realloc(pci->maps, (pci->n_maps + 1) * sizeof(*maps));
	if (!maps)
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory", device->name);
	pci->maps = maps;
	slot = kvm_slot_alloc(&device->vm->kvm, NULL);
	if (slot < 0)
		return 0;
	map.slot = (unsigned int)slot;
	if (device->transport.ops->map(device->transport.device, &request, &map.address)) {
		/* The kernel says that it can be mapped, and does not: forwarded. */
		kvm_slot_free(&device->vm->kvm, map.slot);
		return 0;
	}
	pci->maps[pci->n_maps++] = map;
	return 0;
}

/* The first trapped pages at or behind from in a BAR: *first and *end. */
static bool next_trapped(const struct pci_endpoint *pci, uint32_t bar, uint64_t from,
			 uint64_t *first, uint64_t *end)
{
	uint64_t page = page_size();
	bool found = false;

	for (size_t i = 0; i < pci->n_spans; i++) {
		const struct cxlvm_bar_range *where = &pci->spans[i].where;
		uint64_t begins = align_down(where->offset, page);
		uint64_t ends = align_up(where->offset + where->size, page);

		if (where->bar != bar || ends <= from || (found && begins >= *first))
			continue;
		found = true;
		*first = begins;
		*end = ends;
	}
	return found;
}

/* Whole pages of [from, end) that nobody traps. */
static int add_area(struct device *device, uint32_t bar, uint64_t from, uint64_t end,
		    struct cxlvm_error *err)
{
	uint64_t trapped = 0, behind = 0;
	int code = 0;

	from = align_up(from, page_size());
	end = align_down(end, page_size());
	while (!code && from < end) {
		if (!next_trapped(&device->pci, bar, from, &trapped, &behind) || trapped >= end)
			return add_map(device, bar, from, end, err);
		if (trapped > from)
			code = add_map(device, bar, from, trapped, err);
		from = behind;
	}
	return code;
}

/* The list of areas in a region's info; what is not inside the answer and the BAR is left out. */
static int add_sparse(struct device *device, const struct pci_bar *bar, const uint8_t *info,
		      uint32_t size, uint32_t at, struct cxlvm_error *err)
{
	uint64_t n = size - at >= CAP_SPARSE_AREAS ? load_le(info + at + CAP_SPARSE_COUNT, 4) : 0;
	int code = 0;

	for (uint64_t i = 0; !code && i < n; i++) {
		uint64_t area = at + CAP_SPARSE_AREAS + i * CAP_SPARSE_AREA;
		uint64_t offset, length;

		if (area + CAP_SPARSE_AREA > size)
			break;
		offset = load_le(info + area, 8);
		length = load_le(info + area + 8, 8);
		if (offset > bar->size || length > bar->size - offset)
			continue;
		code = add_area(device, bar->index, offset, offset + length, err);
	}
	return code;
}

static int map_bar(struct device *device, const struct pci_bar *bar, struct cxlvm_error *err)
{
	uint8_t info[REGION_INFO_BYTES] = { 0 };
	size_t needed = 0;
	uint32_t flags, at;
	int code = device->transport.ops->region_info(device->transport.device, bar->index, info,
						      sizeof(info), &needed);

	if (code)
		return cxlvm_error_set(err, code, "%s: cannot read BAR %u: %s", device->name,
				       bar->index, strerror(-code));
	flags = (uint32_t)load_le(info + REGION_FLAGS_AT, 4);
	if (!(flags & REGION_FLAG_MMAP) || needed > sizeof(info))
		return 0;
	at = (flags & REGION_FLAG_CAPS) ? (uint32_t)load_le(info + REGION_CAPS_AT, 4) : 0;
	for (unsigned int i = 0; at && i < CAPS_MAX; i++) {
		if (at > needed || needed - at < CAP_HEADER)
			return 0;
		if (load_le(info + at, 2) == CAP_SPARSE)
			return add_sparse(device, bar, info, (uint32_t)needed, at, err);
		at = (uint32_t)load_le(info + at + 4, 4);
	}
	return add_area(device, bar->index, 0, bar->size, err);
}

int bar_maps_init(struct device *device, struct cxlvm_error *err)
{
	int code = 0;

	for (unsigned int i = 0; !code && i < PCI_BARS; i++)
		if (device->pci.bars[i].size >= page_size())
			code = map_bar(device, &device->pci.bars[i], err);
	return code;
}

/* Without it the device does not reach its own BAR, which few do. */
static void map_dma(struct device *device, struct bar_map *map)
{
	const struct cxlvm_transport *transport = &device->transport;
	struct cxlvm_memory_area area = {
		.offset.value = map->offset,
		.size = map->size,
		.guest = map->guest,
		.address = map->address,
		.dma_buf = transport->ops->dma_buf(transport->device, map->bar, map->offset,
						   map->size),
	};

	map->dma = !transport->transport->memory_map(transport->device, &area, 1, NULL);
	if (area.dma_buf >= 0)
		close(area.dma_buf);
}

static void unmap_dma(struct device *device, struct bar_map *map)
{
	const struct cxlvm_transport *transport = &device->transport;
	const struct cxlvm_memory_area area = { .size = map->size, .guest = map->guest };

	if (map->dma)
		transport->transport->memory_unmap(transport->device, &area, 1);
	map->dma = false;
}

/* DMA before the CPU, and the CPU away before DMA (DMA-5). */
static void enable(struct device *device, struct bar_map *map, struct cxlvm_gpa guest)
{
	map->guest = guest;
	map_dma(device, map);
	map->enabled = !kvm_slot_set(&device->vm->kvm, map->slot, guest, map->size, map->address);
	/* Where KVM does not take it, over another BAR for one, accesses are forwarded. */
	if (!map->enabled)
		unmap_dma(device, map);
}

static void disable(struct device *device, struct bar_map *map)
{
	(void)kvm_slot_set(&device->vm->kvm, map->slot, map->guest, 0, map->address);
	map->enabled = false;
	unmap_dma(device, map);
}

static bool is_inside(uint64_t first, uint64_t size, struct cxlvm_gpa base, uint64_t base_size)
{
	return first >= base.value && size <= base_size && first - base.value <= base_size - size;
}

static bool may_have_slot(const struct device *device, uint64_t first, uint64_t size)
{
	const struct pci_host_bridge *bridge = device->bridge;

	return is_inside(first, size, bridge->mmio32, bridge->mmio32_size) ||
	       is_inside(first, size, bridge->mmio64, bridge->mmio64_size);
}

void bar_maps_follow(struct device *device)
{
	struct pci_endpoint *pci = &device->pci;

	/* All away first: a BAR may go where another was. */
	for (size_t i = 0; i < pci->n_maps; i++) {
		struct bar_map *map = &pci->maps[i];
		uint64_t guest = pci->bars[map->bar].guest + map->offset;

		if (map->enabled && (!pci->memory_space || map->guest.value != guest))
			disable(device, map);
	}
	for (size_t i = 0; pci->memory_space && i < pci->n_maps; i++) {
		struct bar_map *map = &pci->maps[i];
		uint64_t guest = pci->bars[map->bar].guest + map->offset;

		if (!map->enabled && may_have_slot(device, guest, map->size))
			enable(device, map, (struct cxlvm_gpa){ guest });
	}
}

bool bar_maps_forward(struct device *device)
{
	struct pci_endpoint *pci = &device->pci;
	bool any = false;

	for (size_t i = 0; i < pci->n_maps; i++) {
		struct bar_map *map = &pci->maps[i];

		any = any || map->enabled;
		if (map->enabled)
			disable(device, map);
	}
	return any;
}

void bar_maps_finish(struct device *device)
{
	struct pci_endpoint *pci = &device->pci;

	for (size_t i = 0; i < pci->n_maps; i++) {
		struct bar_map *map = &pci->maps[i];

		if (map->enabled)
			disable(device, map);
		kvm_slot_free(&device->vm->kvm, map->slot);
		device->transport.ops->unmap(device->transport.device, map->address, map->size);
	}
	free(pci->maps);
	pci->maps = NULL;
	pci->n_maps = 0;
}

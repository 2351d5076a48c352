/* SPDX-License-Identifier: BSD-3-Clause */
/* endpoint.c - the passed-through function as the guest sees it */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_space.h"
#include "device.h"
#include "endpoint.h"
#include "util.h"
#include "vm.h"

/* VFIO region info: argsz, flags, index, cap_offset; size at 16, offset at 24. */
#define REGION_INFO_BYTES   32
#define REGION_INFO_SIZE_AT 16

#define BARS_END (PCI_BASE_ADDRESS_0 + 4 * PCI_BARS)

static int read_device(struct device *device, uint32_t region, uint64_t offset, unsigned int length,
		       uint64_t *value)
{
	uint8_t bytes[8];
	int code = device->transport.ops->read(device->transport.device, region, offset, bytes,
					       length);

	*value = code ? all_ones(length) : load_le(bytes, length);
	return code;
}

static void write_device(struct device *device, uint32_t region, uint64_t offset,
			 unsigned int length, uint64_t value)
{
	uint8_t bytes[8];

	store_le(bytes, length, value);
	/* A device that refuses a write loses it, as on a real bus. */
	(void)device->transport.ops->write(device->transport.device, region, offset, bytes, length);
}

/* A region access in pieces that every VFIO device takes: naturally aligned. */
static unsigned int piece(uint64_t offset, unsigned int length)
{
	unsigned int n = 4;

	while (n > length || offset % n)
		n /= 2;
	return n;
}

static uint64_t bar_device_read(struct device *device, uint32_t bar, uint64_t offset,
				unsigned int length)
{
	uint64_t value = 0;

	for (unsigned int done = 0; done < length;) {
		unsigned int n = piece(offset + done, length - done);
		uint64_t part;

		(void)read_device(device, bar, offset + done, n, &part);
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): length is at most 8 */
		value |= part << (8 * done);
		done += n;
	}
	return value;
}

static uint64_t bar_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct pci_bar *bar = opaque;

	return bar_device_read(bar->device, bar->index, offset, length);
}

static void bar_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	const struct pci_bar *bar = opaque;

	pthread_mutex_lock(&bar->device->lock);
	for (unsigned int done = 0; done < length;) {
		unsigned int n = piece(offset + done, length - done);

		write_device(bar->device, bar->index, offset + done, n, value >> (8 * done));
		done += n;
	}
	pthread_mutex_unlock(&bar->device->lock);
}

static const struct map_ops bar_ops = {
	.read = bar_read,
	.write = bar_write,
};

static uint64_t span_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct pci_span *span = opaque;

	return cxlvm_endpoint_reg_read(span->device->endpoint, span->where.bar,
				       span->where.offset + offset, length);
}

static void span_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	const struct pci_span *span = opaque;

	pthread_mutex_lock(&span->device->lock);
	cxlvm_endpoint_reg_write(span->device->endpoint, span->where.bar,
				 span->where.offset + offset, length, value);
	pthread_mutex_unlock(&span->device->lock);
}

static const struct map_ops span_ops = {
	.read = span_read,
	.write = span_write,
};

uint64_t endpoint_bar_read(struct device *device, uint32_t bar, uint64_t offset,
			   unsigned int length)
{
	struct pci_endpoint *pci = &device->pci;

	for (size_t i = 0; i < pci->n_spans; i++) {
		const struct cxlvm_bar_range *where = &pci->spans[i].where;

		if (where->bar == bar && offset >= where->offset &&
		    offset + length <= where->offset + where->size)
			return span_read(&pci->spans[i], offset - where->offset, length);
	}
	return bar_device_read(device, bar, offset, length);
}

static int read_bar(struct device *device, struct pci_bar *bar, struct cxlvm_error *err)
{
	uint8_t info[REGION_INFO_BYTES] = { 0 };
	size_t needed;
	uint64_t value;
	int code;

	code = device->transport.ops->region_info(device->transport.device, bar->index, info,
						  sizeof(info), &needed);
	if (!code)
		code = read_device(device, CXLVM_REGION_CONFIG, PCI_BASE_ADDRESS_0 + 4 * bar->index,
				   4, &value);
	if (code)
		return cxlvm_error_set(err, code, "%s: cannot read BAR %u: %s", device->name,
				       bar->index, strerror(-code));
	bar->size = load_le(info + REGION_INFO_SIZE_AT, 8);
	bar->flags = value & 0xf;
	/* I/O BARs are not given to the guest. */
	if (value & PCI_BASE_ADDRESS_SPACE_IO)
		bar->size = 0;
	if (bar->size & (bar->size - 1))
		return cxlvm_error_set(err, -EPROTO,
				       "%s: size 0x%llx of BAR %u is not a power of two",
				       device->name, (unsigned long long)bar->size, bar->index);
	return 0;
}

int endpoint_init(struct device *device, struct cxlvm_error *err)
{
	struct pci_endpoint *pci = &device->pci;
	int code;

	for (uint32_t i = 0; i < PCI_BARS; i++) {
		pci->bars[i].device = device;
		pci->bars[i].index = i;
		if (i > 0 && pci->bars[i - 1].size && pci_bar_is_64bit(&pci->bars[i - 1]))
			continue;
		code = read_bar(device, &pci->bars[i], err);
		if (code)
			return code;
	}

	pci->n_spans = cxlvm_endpoint_spans(device->endpoint, NULL, 0);
	if (pci->n_spans) {
		struct cxlvm_bar_range *where = calloc(pci->n_spans, sizeof(*where));

		pci->spans = calloc(pci->n_spans, sizeof(*pci->spans));
		if (!where || !pci->spans) {
			free(where);
			return cxlvm_error_set(err, -ENOMEM, "%s: no memory", device->name);
		}
		cxlvm_endpoint_spans(device->endpoint, where, pci->n_spans);
		for (size_t i = 0; i < pci->n_spans; i++) {
			pci->spans[i].device = device;
			pci->spans[i].where = where[i];
		}
		free(where);
	}
	return 0;
}

void endpoint_finish(struct device *device)
{
	free(device->pci.spans);
	memset(&device->pci, 0, sizeof(device->pci));
}

unsigned int endpoint_map_ranges(const struct device *device)
{
	return PCI_BARS + (unsigned int)device->pci.n_spans;
}

int endpoint_attach(struct device *device, struct map *map, struct cxlvm_error *err)
{
	struct pci_endpoint *pci = &device->pci;

	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct map_range range = {
			.size = pci->bars[i].size,
			.priority = MAP_PRIORITY_BAR,
			.ops = &bar_ops,
			.opaque = &pci->bars[i],
		};

		pci->bars[i].range = map_add(map, &range);
		if (!pci->bars[i].range)
			return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	}
	for (size_t i = 0; i < pci->n_spans; i++) {
		struct map_range range = {
			.size = pci->spans[i].where.size,
			.priority = MAP_PRIORITY_BAR_SPAN,
			.ops = &span_ops,
			.opaque = &pci->spans[i],
		};

		pci->spans[i].range = map_add(map, &range);
		if (!pci->spans[i].range)
			return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	}
	return 0;
}

static bool move(struct map_range *range, bool enabled, uint64_t base)
{
	bool changed = enabled != range->enabled || (enabled && base != range->base.value);

	range->enabled = enabled;
	range->base.value = base;
	return changed;
}

/* Does anything have to move? Does not publish. */
static bool follow_bars(struct pci_endpoint *pci)
{
	bool changed = false;

	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &pci->bars[i];

		if (bar->size)
			changed |= move(bar->range, pci->memory_space, bar->guest);
	}
	for (size_t i = 0; i < pci->n_spans; i++) {
		struct pci_span *span = &pci->spans[i];

		changed |= move(span->range, pci->memory_space,
				pci->bars[span->where.bar].guest + span->where.offset);
	}
	return changed;
}

void endpoint_reset(struct device *device)
{
	struct pci_endpoint *pci = &device->pci;

	for (unsigned int i = 0; i < PCI_BARS; i++)
		pci->bars[i].guest = pci->bars[i].assigned.value;
	pci->memory_space = true;
	follow_bars(pci);
}

/* The dword of a BAR register, or of the upper half of a 64-bit one. */
static uint32_t bar_register(const struct pci_endpoint *pci, unsigned int index)
{
	const struct pci_bar *bar = &pci->bars[index];

	if (bar->size)
		return (uint32_t)bar->guest | bar->flags;
	if (index > 0 && pci->bars[index - 1].size && pci_bar_is_64bit(&pci->bars[index - 1]))
		return (uint32_t)(pci->bars[index - 1].guest >> 32);
	return 0;
}

static void bar_register_write(struct pci_endpoint *pci, unsigned int index, uint32_t value)
{
	struct pci_bar *bar = &pci->bars[index];

	if (bar->size) {
		bar->guest = (bar->guest & ~(uint64_t)UINT32_MAX) | (value & ~0xfu);
	} else if (index > 0 && pci->bars[index - 1].size &&
		   pci_bar_is_64bit(&pci->bars[index - 1])) {
		bar = &pci->bars[index - 1];
		bar->guest = (uint64_t)value << 32 | (uint32_t)bar->guest;
	} else {
		return;
	}
	bar->guest &= ~(bar->size - 1);
}

/* Replace length bytes at offset in dword, which is the register that contains offset. */
static uint32_t merge(uint32_t dword, uint32_t offset, unsigned int length, uint32_t value)
{
	unsigned int shift = 8 * (offset & 3);
	uint32_t mask = (uint32_t)all_ones(length) << shift;

	return (dword & ~mask) | (value << shift & mask);
}

static bool is_bar(uint32_t offset)
{
	return offset >= PCI_BASE_ADDRESS_0 && offset < BARS_END;
}

static bool is_rom(uint32_t offset)
{
	return offset >= PCI_ROM_ADDRESS && offset < PCI_ROM_ADDRESS + 4;
}

uint32_t endpoint_config_read(struct device *device, uint32_t offset, unsigned int length)
{
	struct pci_endpoint *pci = &device->pci;
	uint64_t value;

	if (is_bar(offset))
		value = bar_register(pci, (offset - PCI_BASE_ADDRESS_0) / 4) >> (8 * (offset & 3));
	else if (is_rom(offset))
		value = 0; /* no expansion ROM for the guest */
	else
		(void)read_device(device, CXLVM_REGION_CONFIG, offset, length, &value);
	value &= all_ones(length);

	if (offset == PCI_COMMAND) {
		value &= ~(uint64_t)PCI_COMMAND_MEMORY;
		if (pci->memory_space)
			value |= PCI_COMMAND_MEMORY;
	}
	return cxlvm_endpoint_config_read(device->endpoint, offset, length, (uint32_t)value);
}

void endpoint_config_write(struct device *device, uint32_t offset, unsigned int length,
			   uint32_t value)
{
	struct pci_endpoint *pci = &device->pci;
	enum cxlvm_reset_kind kind = CXLVM_RESET_NONE;
	uint32_t device_value = value;
	bool pass;

	pthread_mutex_lock(&device->lock);
	pass = cxlvm_endpoint_config_write_begin(device->endpoint, offset, length, value,
						 &device_value, &kind);
	if (is_bar(offset)) {
		unsigned int index = (offset - PCI_BASE_ADDRESS_0) / 4;

		bar_register_write(pci, index,
				   merge(bar_register(pci, index), offset, length, value));
		pass = false;
	} else if (is_rom(offset)) {
		pass = false;
	} else if (offset == PCI_COMMAND) {
		pci->memory_space = value & PCI_COMMAND_MEMORY;
		device_value |= PCI_COMMAND_MEMORY;
	}
	/* A write that resets is bracketed by the library: prepared above, done in _end. */
	if (pass)
		write_device(device, CXLVM_REGION_CONFIG, offset, length, device_value);
	cxlvm_endpoint_config_write_end(device->endpoint);
	if (follow_bars(pci))
		map_publish(&device->vm->map);
	pthread_mutex_unlock(&device->lock);
}

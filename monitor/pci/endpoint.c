/* SPDX-License-Identifier: BSD-3-Clause */
/* endpoint.c - the passed-through function as the guest sees it */
#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_space.h"
#include "device.h"
#include "endpoint.h"
#include "host.h"
#include "util.h"
#include "vm.h"

/* VFIO region info: argsz, flags, index, cap_offset; size at 16, offset at 24. */
#define REGION_INFO_BYTES   32
#define REGION_INFO_SIZE_AT 16

/* The device has more than one function. */
#define HEADER_TYPE_MULTI 0x80u

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

/* What a guest can cause without end is counted, and said at most so often (P8). */
#define REFUSED_EVERY_NS 10000000000u

static void report_refused(struct device *device, uint32_t region, uint64_t offset, int code)
{
	uint64_t now = host_now_ns(device);
	char text[112], name[16] = "config space";

	if (device->writes_refused++ && now - device->refused_ns < REFUSED_EVERY_NS)
		return;
	device->refused_ns = now;
	if (region < PCI_BARS)
		snprintf(name, sizeof(name), "BAR %u", region);
	snprintf(text, sizeof(text),
		 "the device does not take a write to %s at 0x%" PRIx64 "; %" PRIu64
		 " writes are lost so far",
		 name, offset, device->writes_refused);
	device_warn(device, code, text);
}

/* A device that refuses a write loses it, as on a real bus. The device's lock is held. */
static void write_device(struct device *device, uint32_t region, uint64_t offset,
			 unsigned int length, uint64_t value)
{
	uint8_t bytes[8];
	int code;

	store_le(bytes, length, value);
	code = device->transport.ops->write(device->transport.device, region, offset, bytes,
					    length);
	if (code)
		report_refused(device, region, offset, code);
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
		const struct pci_span *span = &pci->spans[i];
		const struct cxlvm_bar_range *where = &span->where;

		if (where->bar == bar && offset >= where->offset &&
		    offset + length <= where->offset + where->size)
			return span->ops->read(span->opaque, offset - where->offset, length);
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

static void add_patch(struct pci_endpoint *pci, uint32_t offset, uint8_t value)
{
	pci->patches[pci->n_patches++] = (struct pci_patch){ .offset = offset, .value = value };
}

static int refuse_intx(struct device *device)
{
	const struct pci_endpoint *pci = &device->pci;
	char text[96];
	uint64_t pin;
	int code = read_device(device, CXLVM_REGION_CONFIG, PCI_INTERRUPT_PIN, 1, &pin);

	if (code || !pin || device->vm->config->plan)
		return code;
	snprintf(text, sizeof(text), "INTx of the device is not given to the guest, %s",
		 pci->msix.capability ? "MSI-X is"
		 : pci->msi.at        ? "MSI is"
				      : "and it has no other interrupts");
	device_warn(device, 0, text);
	return 0;
}

static int hide_functions(struct device *device)
{
	uint64_t type;
	int code = read_device(device, CXLVM_REGION_CONFIG, PCI_HEADER_TYPE, 1, &type);

	if (!code && type & HEADER_TYPE_MULTI)
		add_patch(&device->pci, PCI_HEADER_TYPE, (uint8_t)(type & ~HEADER_TYPE_MULTI));
	return code;
}

struct capability {
	uint32_t at;
	uint8_t id, next;
};

/* Bounded, as a list may be a loop. */
#define CAPABILITIES_MAX (PCI_HEADER_SPACE / 4)

static int read_capabilities(struct device *device, struct capability *list, unsigned int *n)
{
	uint64_t value = 0;
	int code = read_device(device, CXLVM_REGION_CONFIG, PCI_CAPABILITY_LIST, 1, &value);
	uint32_t at = value & 0xfc;

	for (*n = 0; !code && at >= PCI_STD_HEADER_SIZEOF && *n < CAPABILITIES_MAX;) {
		code = read_device(device, CXLVM_REGION_CONFIG, at, 2, &value);
		if (code)
			break;
		list[(*n)++] = (struct capability){
			.at = at,
			.id = value & 0xff,
			.next = (uint8_t)(value >> 8),
		};
		at = value >> 8 & 0xfc;
	}
	return code;
}

/* The one that the guest is given; 0: none. Software devices have MSI-X. */
static uint32_t choose_interrupts(const struct device *device, const struct capability *list,
				  unsigned int n)
{
	uint32_t msi = 0;

	if (!device->transport.transport->irq_set)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		if (list[i].id == PCI_CAP_ID_MSIX)
			return list[i].at;
		if (list[i].id == PCI_CAP_ID_MSI && device->real && !msi)
			msi = list[i].at;
	}
	return msi;
}

/* Capabilities of interrupts: one is emulated; what the guest cannot have is not in its list. */
static int find_interrupts(struct device *device, struct cxlvm_error *err)
{
	struct capability list[CAPABILITIES_MAX];
	struct pci_endpoint *pci = &device->pci;
	uint32_t pointer = PCI_CAPABILITY_LIST, chosen;
	unsigned int n = 0;
	int code = read_capabilities(device, list, &n);

	/* There is no INTx for the guest, and one function in each slot. */
	add_patch(pci, PCI_INTERRUPT_PIN, 0);
	if (!code)
		code = hide_functions(device);
	chosen = choose_interrupts(device, list, code ? 0 : n);
	for (unsigned int i = 0; !code && i < n; i++) {
		const struct capability *c = &list[i];

		if (chosen && c->at == chosen) {
			code = c->id == PCI_CAP_ID_MSIX ? pci_msix_init(device, c->at, err)
							: pci_msi_init(device, c->at, err);
			if (code)
				return code;
			/* A loop comes here again. */
			chosen = 0;
			pointer = c->at + PCI_CAP_LIST_NEXT;
		} else if ((c->id == PCI_CAP_ID_MSI || c->id == PCI_CAP_ID_MSIX) &&
			   pci->n_patches < PCI_PATCHES_MAX) {
			add_patch(pci, pointer, c->next);
		} else {
			pointer = c->at + PCI_CAP_LIST_NEXT;
		}
	}
	if (!code && device->real)
		code = refuse_intx(device);
	if (code) {
		cxlvm_error_set(err, code, "%s: cannot read its capabilities: %s", device->name,
				strerror(-code));
	}
	return code;
}

int endpoint_open(struct device *device, struct cxlvm_error *err)
{
	struct pci_endpoint *pci = &device->pci;

	for (uint32_t i = 0; i < PCI_BARS; i++) {
		int code;

		pci->bars[i].device = device;
		pci->bars[i].index = i;
		if (i > 0 && pci->bars[i - 1].size && pci_bar_is_64bit(&pci->bars[i - 1]))
			continue;
		code = read_bar(device, &pci->bars[i], err);
		if (code)
			return code;
	}
	return find_interrupts(device, err);
}

static int add_msix_span(struct device *device, const struct cxlvm_bar_range *where,
			 const struct map_ops *ops, struct cxlvm_error *err)
{
	struct pci_endpoint *pci = &device->pci;

	if (where->offset > pci->bars[where->bar].size ||
	    where->size > pci->bars[where->bar].size - where->offset)
		return cxlvm_error_set(
			err, -EPROTO,
			"%s: MSI-X table or pending bits at 0x%llx, size 0x%llx, are "
			"not in BAR %u of 0x%llx bytes",
			device->name, (unsigned long long)where->offset,
			(unsigned long long)where->size, where->bar,
			(unsigned long long)pci->bars[where->bar].size);
	pci->spans[pci->n_spans++] = (struct pci_span){
		.device = device,
		.where = *where,
		.ops = ops,
		.opaque = device,
	};
	return 0;
}

int endpoint_init(struct device *device, struct cxlvm_error *err)
{
	struct pci_endpoint *pci = &device->pci;
	size_t n = cxlvm_endpoint_spans(device->endpoint, NULL, 0);
	struct cxlvm_bar_range *where = calloc(n ? n : 1, sizeof(*where));
	int code = 0;

	/* Two more: MSI-X table and PBA. */
	pci->spans = calloc(n + 2, sizeof(*pci->spans));
	if (!where || !pci->spans) {
		free(where);
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory", device->name);
	}
	cxlvm_endpoint_spans(device->endpoint, where, n);
	for (size_t i = 0; i < n; i++)
		pci->spans[i] = (struct pci_span){
			.device = device,
			.where = where[i],
			.ops = &span_ops,
			.opaque = &pci->spans[i],
		};
	free(where);
	pci->n_spans = n;
	if (pci->msix.capability) {
		code = add_msix_span(device, &pci->msix.table, &pci_msix_table_ops, err);
		if (!code)
			code = add_msix_span(device, &pci->msix.pba, &pci_msix_pba_ops, err);
	}
	/* A software device is as quick as an exit to it. */
	if (!code && device->real && !device->vm->config->plan)
		code = bar_maps_init(device, err);
	return code;
}

void endpoint_finish(struct device *device)
{
	bar_maps_finish(device);
	pci_msix_finish(device);
	pci_msi_finish(device);
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
			.ops = pci->spans[i].ops,
			.opaque = pci->spans[i].opaque,
		};

		pci->spans[i].range = map_add(map, &range);
		if (!pci->spans[i].range)
			return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	}
	return 0;
}

/* Put the ranges where the guest wants them. */
static void follow_bars(struct device *device)
{
	struct pci_endpoint *pci = &device->pci;
	struct map *map = &device->vm->map;

	map_begin(map);
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &pci->bars[i];

		if (bar->size)
			map_move(map, bar->range, pci->memory_space,
				 (struct cxlvm_gpa){ bar->guest });
	}
	for (size_t i = 0; i < pci->n_spans; i++) {
		struct pci_span *span = &pci->spans[i];
		uint64_t base = pci->bars[span->where.bar].guest + span->where.offset;

		map_move(map, span->range, pci->memory_space, (struct cxlvm_gpa){ base });
	}
	map_commit(map);
	bar_maps_follow(device);
}

void endpoint_reset(struct device *device)
{
	struct pci_endpoint *pci = &device->pci;

	for (unsigned int i = 0; i < PCI_BARS; i++)
		pci->bars[i].guest = pci->bars[i].assigned.value;
	pci_msix_reset(device);
	pci_msi_reset(device);
	pci->memory_space = true;
	pci->held = false;
	follow_bars(device);
}

void endpoint_clear(struct device *device, bool held)
{
	struct pci_endpoint *pci = &device->pci;

	for (unsigned int i = 0; i < PCI_BARS; i++)
		pci->bars[i].guest = 0;
	pci_msix_reset(device);
	pci_msi_reset(device);
	pci->memory_space = false;
	pci->held = held;
	follow_bars(device);
}

void endpoint_quiesce(struct device *device)
{
	if (device->real)
		write_device(device, CXLVM_REGION_CONFIG, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
}

uint16_t endpoint_save(struct device *device)
{
	uint64_t command;

	return read_device(device, CXLVM_REGION_CONFIG, PCI_COMMAND, 2, &command)
		       ? 0
		       : (uint16_t)command;
}

void endpoint_restore(struct device *device, uint16_t command)
{
	write_device(device, CXLVM_REGION_CONFIG, PCI_COMMAND, 2, command);
	pci_msix_renew(device);
	pci_msi_renew(device);
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
	uint64_t guest = bar->guest;

	if (bar->size) {
		guest = (guest & ~(uint64_t)UINT32_MAX) | (value & ~0xfu);
	} else if (index > 0 && pci->bars[index - 1].size &&
		   pci_bar_is_64bit(&pci->bars[index - 1])) {
		bar = &pci->bars[index - 1];
		guest = (uint64_t)value << 32 | (uint32_t)bar->guest;
	} else {
		return;
	}
	bar->guest = guest & ~(bar->size - 1);
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

/* Where the MSI-X control register is; 0: there is none. */
static uint32_t msix_control_at(const struct pci_endpoint *pci)
{
	return pci->msix.capability ? pci->msix.capability + PCI_MSIX_FLAGS : 0;
}

/* What the guest reads differently from the device. */
static uint64_t patch(const struct pci_endpoint *pci, uint32_t offset, unsigned int length,
		      uint64_t value)
{
	uint32_t control_at = msix_control_at(pci);

	for (unsigned int i = 0; i < pci->n_patches; i++) {
		const struct pci_patch *p = &pci->patches[i];
		unsigned int shift = 8 * (p->offset - offset);

		if (pci_access_touches(offset, length, p->offset, 1))
			value = (value & ~(0xffull << shift)) | (uint64_t)p->value << shift;
	}
	/* Byte by byte: the register is the upper half of a dword, and may be read in halves. */
	for (unsigned int i = 0; control_at && i < length; i++) {
		uint32_t at = offset + i - control_at;
		uint16_t control;

		if (at >= 2)
			continue;
		control = (uint16_t)((value >> (8 * i) & 0xff) << (8 * at));
		control = (uint16_t)(pci_msix_control(&pci->msix, control) >> (8 * at));
		value = (value & ~(0xffull << (8 * i))) | (uint64_t)(control & 0xff) << (8 * i);
	}
	return pci_msi_read(&pci->msi, offset, length, value);
}

/* Enable and function mask are in the second byte of the register. */
static void write_msix_control(struct device *device, uint32_t offset, unsigned int length,
			       uint32_t value)
{
	uint32_t at = msix_control_at(&device->pci) + 1;

	if (at > 1 && pci_access_touches(offset, length, at, 1))
		pci_msix_control_write(device,
				       (uint16_t)((value >> (8 * (at - offset)) & 0xff) << 8));
}

uint32_t endpoint_config_read(struct device *device, uint32_t offset, unsigned int length)
{
	struct pci_endpoint *pci = &device->pci;
	uint64_t value;

	if (pci->held)
		return (uint32_t)all_ones(length);
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
	value = patch(pci, offset, length, value);
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
	if (pci->held) {
		pthread_mutex_unlock(&device->lock);
		return;
	}
	pass = cxlvm_endpoint_config_write_begin(device->endpoint, offset, length, value,
						 &device_value, &kind);
	if (is_bar(offset)) {
		unsigned int index = (offset - PCI_BASE_ADDRESS_0) / 4;

		bar_register_write(pci, index,
				   merge(bar_register(pci, index), offset, length, value));
		pass = false;
	} else if (is_rom(offset) || pci_msi_write(device, offset, length, value)) {
		pass = false;
	} else if (offset == PCI_COMMAND) {
		pci->memory_space = value & PCI_COMMAND_MEMORY;
		device_value |= PCI_COMMAND_MEMORY;
	}
	/* A write that resets is bracketed by the library: prepared above, done in _end. */
	if (pass)
		write_device(device, CXLVM_REGION_CONFIG, offset, length, device_value);
	cxlvm_endpoint_config_write_end(device->endpoint);
	write_msix_control(device, offset, length, value);
	if (kind == CXLVM_RESET_FUNCTION)
		endpoint_clear(device, false);
	else
		follow_bars(device);
	pthread_mutex_unlock(&device->lock);
}

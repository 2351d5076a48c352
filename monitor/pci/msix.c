/* SPDX-License-Identifier: BSD-3-Clause */
/* msix.c - MSI-X of a passed-through function */
#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "map.h"
#include "msix.h"
#include "util.h"
#include "vm.h"

/* VFIO's number of this kind of interrupt. */
#define IRQ_INDEX_MSIX 2u

#define ENTRY_CONTROL 3u /* of the words of an entry */

static int read_config(struct device *device, uint32_t offset, unsigned int length, uint32_t *value)
{
	uint8_t bytes[4];
	int code = device->transport.ops->read(device->transport.device, CXLVM_REGION_CONFIG,
					       offset, bytes, length);

	*value = (uint32_t)load_le(bytes, length);
	return code;
}

static int create_vectors(struct device *device, struct cxlvm_error *err)
{
	struct msix *msix = &device->pci.msix;
	unsigned int n = msix->n_vectors;

	msix->vectors = calloc(n, sizeof(*msix->vectors));
	if (!msix->vectors) {
		msix->n_vectors = 0;
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory for %u interrupt vectors",
				       device->name, n);
	}
	for (unsigned int i = 0; i < n; i++)
		msix->vectors[i].eventfd = -1;
	/* A plan has no interrupts. */
	if (device->vm->config->plan)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		msix->vectors[i].eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (msix->vectors[i].eventfd < 0)
			return cxlvm_error_set(err, -errno,
					       "%s: no eventfd for interrupt vector %u of %u: %s",
					       device->name, i, n, strerror(errno));
	}
	msix->first = msi_reserve(&device->vm->msi, n, err);
	return msix->first < 0 ? msix->first : 0;
}

int pci_msix_init(struct device *device, uint32_t capability, struct cxlvm_error *err)
{
	struct msix *msix = &device->pci.msix;
	uint32_t control, table, pba;
	int code = read_config(device, capability + PCI_MSIX_FLAGS, 2, &control);

	if (!code)
		code = read_config(device, capability + PCI_MSIX_TABLE, 4, &table);
	if (!code)
		code = read_config(device, capability + PCI_MSIX_PBA, 4, &pba);
	if (code)
		return cxlvm_error_set(err, code, "%s: cannot read its MSI-X capability: %s",
				       device->name, strerror(-code));
	msix->n_vectors = (control & PCI_MSIX_FLAGS_QSIZE) + 1;
	msix->table = (struct cxlvm_bar_range){
		.bar = table & PCI_MSIX_TABLE_BIR,
		.offset = table & PCI_MSIX_TABLE_OFFSET,
		.size = (uint64_t)msix->n_vectors * PCI_MSIX_ENTRY_SIZE,
	};
	msix->pba = (struct cxlvm_bar_range){
		.bar = pba & PCI_MSIX_PBA_BIR,
		.offset = pba & PCI_MSIX_PBA_OFFSET,
		.size = align_up(msix->n_vectors, 64) / 8,
	};
	if (msix->table.bar >= PCI_BARS || msix->pba.bar >= PCI_BARS ||
	    (msix->table.bar == msix->pba.bar &&
	     msix->table.offset < msix->pba.offset + msix->pba.size &&
	     msix->pba.offset < msix->table.offset + msix->table.size)) {
		msix->n_vectors = 0;
		return cxlvm_error_set(err, -EPROTO,
				       "%s: MSI-X table (BAR %u, 0x%llx) and pending bits (BAR %u, "
				       "0x%llx) overlap or are in no BAR",
				       device->name, msix->table.bar,
				       (unsigned long long)msix->table.offset, msix->pba.bar,
				       (unsigned long long)msix->pba.offset);
	}
	msix->capability = capability;
	return create_vectors(device, err);
}

void pci_msix_finish(struct device *device)
{
	struct msix *msix = &device->pci.msix;

	if (msix->vectors) {
		pci_msix_reset(device);
		for (unsigned int i = 0; i < msix->n_vectors; i++)
			if (msix->vectors[i].eventfd >= 0)
				close(msix->vectors[i].eventfd);
		free(msix->vectors);
	}
	memset(msix, 0, sizeof(*msix));
}

/* Attach or detach a vector, as its mask, the function's and the enable bit say. */
static void update(struct device *device, unsigned int i)
{
	struct msix *msix = &device->pci.msix;
	struct msix_vector *vector = &msix->vectors[i];
	bool send = msix->enabled && !msix->masked &&
		    !(vector->entry[ENTRY_CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	unsigned int number = (unsigned int)msix->first + i;
	struct msi_message message = {
		.address = (uint64_t)vector->entry[1] << 32 | vector->entry[0],
		.data = vector->entry[2],
	};

	if (send == vector->attached)
		return;
	if (!send)
		msi_detach(&device->vm->msi, number, vector->eventfd);
	else if (msi_attach(&device->vm->msi, number, &message, vector->eventfd))
		/* What KVM does not take stays pending. */
		return;
	vector->attached = send;
}

static void update_all(struct device *device)
{
	for (unsigned int i = 0; i < device->pci.msix.n_vectors; i++)
		update(device, i);
}

static void enable(struct device *device)
{
	const struct cxlvm_transport *transport = &device->transport;
	struct msix *msix = &device->pci.msix;
	int *eventfds = calloc(msix->n_vectors, sizeof(*eventfds));
	int code = -ENOMEM;

	if (eventfds) {
		for (unsigned int i = 0; i < msix->n_vectors; i++)
			eventfds[i] = msix->vectors[i].eventfd;
		code = transport->transport->irq_set(transport->device, IRQ_INDEX_MSIX, 0,
						     msix->n_vectors, eventfds);
		free(eventfds);
	}
	if (code)
		device_warn(device, code, "the device does not take its interrupts");
}

static void disable(struct device *device)
{
	const struct cxlvm_transport *transport = &device->transport;
	struct msix *msix = &device->pci.msix;

	if (transport->transport->irq_disable)
		(void)transport->transport->irq_disable(transport->device, IRQ_INDEX_MSIX);
	for (unsigned int i = 0; i < msix->n_vectors; i++) {
		uint64_t count;

		if (read(msix->vectors[i].eventfd, &count, sizeof(count)) < 0) {
			/* Nothing was pending. */
		}
	}
}

static void set_control(struct device *device, bool enabled, bool masked)
{
	struct msix *msix = &device->pci.msix;
	bool before = msix->enabled;

	msix->enabled = enabled;
	msix->masked = masked;
	update_all(device);
	if (enabled && !before)
		enable(device);
	if (before && !enabled)
		disable(device);
}

void pci_msix_reset(struct device *device)
{
	struct msix *msix = &device->pci.msix;

	if (!msix->capability)
		return;
	set_control(device, false, false);
	for (unsigned int i = 0; i < msix->n_vectors; i++) {
		for (unsigned int word = 0; word < ENTRY_CONTROL; word++)
			msix->vectors[i].entry[word] = 0;
		msix->vectors[i].entry[ENTRY_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
}

void pci_msix_renew(struct device *device)
{
	if (!device->pci.msix.enabled)
		return;
	disable(device);
	enable(device);
}

uint16_t pci_msix_control(const struct msix *msix, uint16_t value)
{
	value &= (uint16_t) ~(PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	if (msix->enabled)
		value |= PCI_MSIX_FLAGS_ENABLE;
	if (msix->masked)
		value |= PCI_MSIX_FLAGS_MASKALL;
	return value;
}

void pci_msix_control_write(struct device *device, uint16_t value)
{
	set_control(device, value & PCI_MSIX_FLAGS_ENABLE, value & PCI_MSIX_FLAGS_MASKALL);
}

/* Natural alignment, 1 to 8 bytes. */
static bool is_natural(uint64_t offset, unsigned int length)
{
	return (length == 1 || length == 2 || length == 4 || length == 8) && offset % length == 0;
}

/* Table and PBA are made of dwords. */
static uint64_t read_dwords(const struct msix *msix, uint64_t offset, unsigned int length,
			    uint32_t (*dword)(const struct msix *msix, uint64_t offset))
{
	uint64_t at = align_down(offset, 4);
	uint64_t value;

	if (!is_natural(offset, length))
		return all_ones(length);
	value = dword(msix, at);
	if (length == 8)
		value |= (uint64_t)dword(msix, at + 4) << 32;
	return value >> (8 * (offset - at));
}

static uint32_t table_dword(const struct msix *msix, uint64_t offset)
{
	const struct msix_vector *vector = &msix->vectors[offset / PCI_MSIX_ENTRY_SIZE];

	return vector->entry[offset % PCI_MSIX_ENTRY_SIZE / 4];
}

static uint64_t table_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct device *device = opaque;

	return read_dwords(&device->pci.msix, offset, length, table_dword);
}

static void table_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	struct device *device = opaque;
	struct msix *msix = &device->pci.msix;
	unsigned int i = (unsigned int)(offset / PCI_MSIX_ENTRY_SIZE);
	struct msix_vector *vector = &msix->vectors[i];

	/* Nothing smaller than a dword may be written (7.7.2.2). */
	if (length < 4 || !is_natural(offset, length))
		return;
	pthread_mutex_lock(&device->lock);
	for (unsigned int done = 0; done < length; done += 4) {
		unsigned int word = (unsigned int)((offset + done) % PCI_MSIX_ENTRY_SIZE / 4);
		uint32_t wanted = (uint32_t)(value >> (8 * done));

		/* Address bits 1:0 and the reserved bits of control read 0. */
		if (word == 0)
			wanted &= ~3u;
		else if (word == ENTRY_CONTROL)
			wanted &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		/* A message that changes while it may be sent: the new one from here on. */
		if (vector->attached && word != ENTRY_CONTROL && wanted != vector->entry[word]) {
			msi_detach(&device->vm->msi, (unsigned int)msix->first + i,
				   vector->eventfd);
			vector->attached = false;
		}
		vector->entry[word] = wanted;
	}
	update(device, i);
	pthread_mutex_unlock(&device->lock);
}

static uint32_t pba_dword(const struct msix *msix, uint64_t offset)
{
	uint32_t bits = 0;

	for (unsigned int bit = 0; bit < 32; bit++) {
		unsigned int i = (unsigned int)(8 * offset) + bit;
		struct pollfd pending = { .events = POLLIN };

		if (i >= msix->n_vectors || msix->vectors[i].attached)
			continue;
		pending.fd = msix->vectors[i].eventfd;
		if (poll(&pending, 1, 0) == 1)
			bits |= 1u << bit;
	}
	return bits;
}

static uint64_t pba_read(void *opaque, uint64_t offset, unsigned int length)
{
	const struct device *device = opaque;

	return read_dwords(&device->pci.msix, offset, length, pba_dword);
}

static void pba_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	/* Pending bits are read-only. */
	(void)opaque;
	(void)offset;
	(void)length;
	(void)value;
}

const struct map_ops pci_msix_table_ops = {
	.read = table_read,
	.write = table_write,
};

const struct map_ops pci_msix_pba_ops = {
	.read = pba_read,
	.write = pba_write,
};

/* SPDX-License-Identifier: BSD-3-Clause */
/* msix.c - MSI-X of a passed-through function */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "map.h"
#include "msix.h"
#include "util.h"
#include "vm.h"

#define ENTRY_CONTROL 3u /* of the words of an entry */

static int read_config(struct device *device, uint32_t offset, unsigned int length, uint32_t *value)
{
	uint8_t bytes[4];
	int code = device->transport.ops->read(device->transport.device, CXLVM_REGION_CONFIG,
					       offset, bytes, length);

	*value = (uint32_t)load_le(bytes, length);
	return code;
}

static int create_vectors(struct device *device, unsigned int n, struct cxlvm_error *err)
{
	struct msix *msix = &device->pci.msix;

	msix->entries = calloc(n, sizeof(*msix->entries));
	if (!msix->entries) {
		cxlvm_error_set(err, -ENOMEM, "%s: no memory for %u interrupt vectors",
				device->name, n);
		cxlvm_error_hint(err, "free memory of this machine");
		return -ENOMEM;
	}
	return vectors_init(device, &msix->vectors, CXLVM_IRQ_MSIX, n, err);
}

int pci_msix_init(struct device *device, uint32_t capability, struct cxlvm_error *err)
{
	struct msix *msix = &device->pci.msix;
	uint32_t control, table, pba;
	unsigned int n;
	int code = read_config(device, capability + PCI_MSIX_FLAGS, 2, &control);

	if (!code)
		code = read_config(device, capability + PCI_MSIX_TABLE, 4, &table);
	if (!code)
		code = read_config(device, capability + PCI_MSIX_PBA, 4, &pba);
	if (code)
		return cxlvm_error_set(err, code, "%s: cannot read its MSI-X capability: %s",
				       device->name, strerror(-code));
	n = (control & PCI_MSIX_FLAGS_QSIZE) + 1;
	msix->table = (struct cxlvm_bar_range){
		.bar = table & PCI_MSIX_TABLE_BIR,
		.offset = table & PCI_MSIX_TABLE_OFFSET,
		.size = (uint64_t)n * PCI_MSIX_ENTRY_SIZE,
	};
	msix->pba = (struct cxlvm_bar_range){
		.bar = pba & PCI_MSIX_PBA_BIR,
		.offset = pba & PCI_MSIX_PBA_OFFSET,
		.size = align_up(n, 64) / 8,
	};
	if (msix->table.bar >= PCI_BARS || msix->pba.bar >= PCI_BARS ||
	    (msix->table.bar == msix->pba.bar &&
	     msix->table.offset < msix->pba.offset + msix->pba.size &&
	     msix->pba.offset < msix->table.offset + msix->table.size)) {
		cxlvm_error_set(err, -EPROTO,
				"%s: MSI-X table (BAR %u, 0x%llx) and pending bits (BAR %u, "
				"0x%llx) overlap or are in no BAR",
				device->name, msix->table.bar,
				(unsigned long long)msix->table.offset, msix->pba.bar,
				(unsigned long long)msix->pba.offset);
		cxlvm_error_hint(err, "the device contradicts itself: lspci -vv on the host shows "
				      "its MSI-X capability");
		return -EPROTO;
	}
	msix->capability = capability;
	return create_vectors(device, n, err);
}

void pci_msix_finish(struct device *device)
{
	struct msix *msix = &device->pci.msix;

	vectors_finish(device, &msix->vectors);
	free(msix->entries);
	memset(msix, 0, sizeof(*msix));
}

/* Send or hold back, as the mask of the vector, the function's and the enable bit say. */
static void update(struct device *device, unsigned int i)
{
	struct msix *msix = &device->pci.msix;
	const struct msix_entry *entry = &msix->entries[i];
	bool send = msix->enabled && !msix->masked &&
		    !(entry->word[ENTRY_CONTROL] & PCI_MSIX_ENTRY_CTRL_MASKBIT);
	struct msi_message message = {
		.address = (uint64_t)entry->word[1] << 32 | entry->word[0],
		.data = entry->word[2],
	};

	vectors_send(device, &msix->vectors, i, send ? &message : NULL);
}

static void set_control(struct device *device, bool enabled, bool masked)
{
	struct msix *msix = &device->pci.msix;

	msix->enabled = enabled;
	msix->masked = masked;
	if (!enabled) {
		vectors_disable(device, &msix->vectors);
		return;
	}
	vectors_enable(device, &msix->vectors, msix->vectors.n);
	for (unsigned int i = 0; i < msix->vectors.n; i++)
		update(device, i);
}

void pci_msix_reset(struct device *device)
{
	struct msix *msix = &device->pci.msix;

	if (!msix->capability)
		return;
	set_control(device, false, false);
	for (unsigned int i = 0; i < msix->vectors.n; i++) {
		for (unsigned int word = 0; word < ENTRY_CONTROL; word++)
			msix->entries[i].word[word] = 0;
		msix->entries[i].word[ENTRY_CONTROL] = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	}
}

void pci_msix_renew(struct device *device)
{
	vectors_renew(device, &device->pci.msix.vectors);
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
static uint64_t read_dwords(const struct device *device, uint64_t offset, unsigned int length,
			    uint32_t (*dword)(const struct device *device, uint64_t offset))
{
	uint64_t at = align_down(offset, 4);
	uint64_t value;

	if (!is_natural(offset, length))
		return all_ones(length);
	value = dword(device, at);
	if (length == 8)
		value |= (uint64_t)dword(device, at + 4) << 32;
	return value >> (8 * (offset - at));
}

static uint32_t table_dword(const struct device *device, uint64_t offset)
{
	const struct msix_entry *entry = &device->pci.msix.entries[offset / PCI_MSIX_ENTRY_SIZE];

	return entry->word[offset % PCI_MSIX_ENTRY_SIZE / 4];
}

static uint64_t table_read(void *opaque, uint64_t offset, unsigned int length)
{
	return read_dwords(opaque, offset, length, table_dword);
}

static void table_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	struct device *device = opaque;
	unsigned int i = (unsigned int)(offset / PCI_MSIX_ENTRY_SIZE);

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
		device->pci.msix.entries[i].word[word] = wanted;
	}
	/* A message that changes while it may be sent: the new one from here on. */
	update(device, i);
	pthread_mutex_unlock(&device->lock);
}

/* Of vectors that are not connected yet the device knows: the kernel holds them back there. */
static uint32_t device_pending(const struct device *device, uint64_t offset)
{
	const struct cxlvm_bar_range *pba = &device->pci.msix.pba;
	uint8_t bytes[4];

	if (device->transport.ops->read(device->transport.device, pba->bar, pba->offset + offset,
					bytes, sizeof(bytes)))
		return 0;
	return (uint32_t)load_le(bytes, sizeof(bytes));
}

static uint32_t pba_dword(const struct device *device, uint64_t offset)
{
	const struct msix *msix = &device->pci.msix;
	const struct vectors *vectors = &msix->vectors;
	uint32_t bits = 0, unconnected = 0;

	for (unsigned int bit = 0; bit < 32; bit++) {
		unsigned int i = (unsigned int)(8 * offset) + bit;

		if (i >= vectors->n)
			break;
		if (vectors_is_pending(vectors, i))
			bits |= 1u << bit;
		if (!vectors->each[i].connected)
			unconnected |= 1u << bit;
	}
	if (vectors->on_use && msix->enabled && unconnected)
		bits |= device_pending(device, offset) & unconnected;
	return bits;
}

static uint64_t pba_read(void *opaque, uint64_t offset, unsigned int length)
{
	return read_dwords(opaque, offset, length, pba_dword);
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

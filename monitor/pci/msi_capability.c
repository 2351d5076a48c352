/* SPDX-License-Identifier: BSD-3-Clause */
/* msi_capability.c - MSI of a passed-through function */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "device.h"
#include "msi_capability.h"
#include "util.h"
#include "vm.h"

/* Message Control is the upper half of the first dword. */
#define CONTROL_SHIFT 16
#define ADDRESS       1u

struct layout {
	bool is_64bit, has_masks;
	unsigned int data, mask, pending; /* dwords; mask and pending if there are masks */
	uint32_t size;
};

static struct layout layout_of(uint16_t control)
{
	struct layout layout = {
		.is_64bit = control & PCI_MSI_FLAGS_64BIT,
		.has_masks = control & PCI_MSI_FLAGS_MASKBIT,
	};

	layout.data = layout.is_64bit ? 3 : 2;
	layout.mask = layout.data + 1;
	layout.pending = layout.data + 2;
	/* Data is the lower half of its dword. */
	layout.size = 4 * layout.data + (layout.has_masks ? 12 : 2);
	return layout;
}

static uint16_t control_of(const struct msi_capability *msi)
{
	return (uint16_t)(msi->words[0] >> CONTROL_SHIFT);
}

int pci_msi_init(struct device *device, uint32_t at, struct cxlvm_error *err)
{
	struct msi_capability *msi = &device->pci.msi;
	uint8_t bytes[2];
	uint16_t control;
	unsigned int code_of_n;
	int code = device->transport.ops->read(device->transport.device, CXLVM_REGION_CONFIG,
					       at + PCI_MSI_FLAGS, bytes, sizeof(bytes));

	if (code)
		return cxlvm_error_set(err, code, "%s: cannot read its MSI capability at 0x%x: %s",
				       device->name, at, strerror(-code));
	control = (uint16_t)load_le(bytes, sizeof(bytes));
	code_of_n = (unsigned int)(control & PCI_MSI_FLAGS_QMASK) >> 1;
	msi->size = layout_of(control).size;
	if (code_of_n > 5 || at + msi->size > PCI_CFG_SPACE_SIZE) {
		cxlvm_error_set(
			err, -EPROTO,
			"%s: MSI capability at 0x%x of %u bytes, number of vectors code %u: "
			"it has to end at 0x%x, with a code of at most 5",
			device->name, at, msi->size, code_of_n, PCI_CFG_SPACE_SIZE);
		cxlvm_error_hint(err, "the device contradicts itself: lspci -vv on the host shows "
				      "its MSI capability");
		return -EPROTO;
	}
	control &= PCI_MSI_FLAGS_QMASK | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT;
	msi->words[0] = (uint32_t)control << CONTROL_SHIFT;
	msi->at = at;
	return vectors_init(device, &msi->vectors, CXLVM_IRQ_MSI, 1u << code_of_n, err);
}

void pci_msi_finish(struct device *device)
{
	struct msi_capability *msi = &device->pci.msi;

	vectors_finish(device, &msi->vectors);
	memset(msi, 0, sizeof(*msi));
}

/* How many the guest has enabled; it may ask for more than there are. */
static unsigned int enabled_vectors(const struct msi_capability *msi)
{
	unsigned int n = 1u << ((control_of(msi) & PCI_MSI_FLAGS_QSIZE) >> 4);

	if (!(control_of(msi) & PCI_MSI_FLAGS_ENABLE))
		return 0;
	return n < msi->vectors.n ? n : msi->vectors.n;
}

/* The vector's number is in the low bits of data (7.7.1.5). */
static void update(struct device *device, unsigned int i, unsigned int n)
{
	struct msi_capability *msi = &device->pci.msi;
	struct layout layout = layout_of(control_of(msi));
	uint16_t data = (uint16_t)msi->words[layout.data];
	struct msi_message message = {
		.address = msi->words[ADDRESS],
		.data = (data & ~(n - 1)) | i,
	};

	if (layout.is_64bit)
		message.address |= (uint64_t)msi->words[ADDRESS + 1] << 32;
	vectors_send(device, &msi->vectors, i,
		     layout.has_masks && msi->words[layout.mask] >> i & 1 ? NULL : &message);
}

static void follow(struct device *device)
{
	struct msi_capability *msi = &device->pci.msi;
	unsigned int n = enabled_vectors(msi);

	/* A number that changes while they are on, which no driver may do: anew. */
	if (!n || (msi->vectors.n_on && msi->vectors.n_on != n))
		vectors_disable(device, &msi->vectors);
	if (!n)
		return;
	vectors_enable(device, &msi->vectors, n);
	for (unsigned int i = 0; i < n; i++)
		update(device, i, n);
}

void pci_msi_reset(struct device *device)
{
	struct msi_capability *msi = &device->pci.msi;

	if (!msi->at)
		return;
	vectors_disable(device, &msi->vectors);
	for (unsigned int i = 1; i < ARRAY_SIZE(msi->words); i++)
		msi->words[i] = 0;
	msi->words[0] &= ~((uint32_t)(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE) << CONTROL_SHIFT);
}

void pci_msi_renew(struct device *device)
{
	vectors_renew(device, &device->pci.msi.vectors);
}

/* Bits that the guest can write in a dword of the capability. */
static uint32_t writable(const struct msi_capability *msi, unsigned int word)
{
	struct layout layout = layout_of(control_of(msi));

	if (word == 0)
		return (uint32_t)(PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE) << CONTROL_SHIFT;
	if (word == ADDRESS)
		return ~3u;
	if (word == layout.data)
		return 0xffff;
	if (word < layout.data)
		return UINT32_MAX;
	if (layout.has_masks && word == layout.mask)
		return (uint32_t)(((uint64_t)1 << msi->vectors.n) - 1);
	return 0;
}

static bool is_inside(const struct msi_capability *msi, uint32_t offset)
{
	return msi->at && offset >= msi->at && offset - msi->at < msi->size;
}

bool pci_msi_write(struct device *device, uint32_t offset, unsigned int length, uint32_t value)
{
	struct msi_capability *msi = &device->pci.msi;
	bool touched = false;

	for (unsigned int i = 0; i < length; i++) {
		uint32_t at = offset + i - msi->at;
		uint32_t mask, byte = value >> (8 * i) & 0xff;

		if (!is_inside(msi, offset + i))
			continue;
		mask = writable(msi, at / 4) & (0xffu << (8 * (at % 4)));
		msi->words[at / 4] = (msi->words[at / 4] & ~mask) | (byte << (8 * (at % 4)) & mask);
		touched = true;
	}
	if (touched)
		follow(device);
	return touched;
}

static uint32_t word_of(const struct msi_capability *msi, unsigned int word)
{
	struct layout layout = layout_of(control_of(msi));
	uint32_t bits = 0;

	if (!layout.has_masks || word != layout.pending)
		return msi->words[word];
	for (unsigned int i = 0; i < msi->vectors.n; i++)
		if (vectors_is_pending(&msi->vectors, i))
			bits |= 1u << i;
	return bits;
}

uint64_t pci_msi_read(const struct msi_capability *msi, uint32_t offset, unsigned int length,
		      uint64_t value)
{
	for (unsigned int i = 0; i < length; i++) {
		uint32_t at = offset + i - msi->at;
		uint64_t byte;

		/* Id and pointer are those of the list. */
		if (!is_inside(msi, offset + i) || at < PCI_MSI_FLAGS)
			continue;
		byte = word_of(msi, at / 4) >> (8 * (at % 4)) & 0xff;
		value = (value & ~(0xffull << (8 * i))) | byte << (8 * i);
	}
	return value;
}

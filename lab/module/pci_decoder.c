// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The HDM decoder of hardware: firmware has committed it before the driver came. A reset of the
 * function loses it, and the driver commits it again, as it was.
 */
#include "pci.h"

#include <linux/delay.h>

#define COMMIT_POLL_US 100
#define COMMIT_POLLS   100

static u32 load(const struct lab_decoder *decoder, unsigned int dword)
{
	return readl(decoder->hdm + 4 * dword);
}

static void store(const struct lab_decoder *decoder, u32 at, u32 value)
{
	writel(value, decoder->hdm + at);
}

/* Component registers answer with Memory Space on; what it was before. */
static u16 switch_on(struct pci_dev *pdev)
{
	u16 command;

	pci_read_config_word(pdev, PCI_COMMAND, &command);
	if (!(command & PCI_COMMAND_MEMORY))
		pci_write_config_word(pdev, PCI_COMMAND, command | PCI_COMMAND_MEMORY);
	return command;
}

static void switch_back(struct pci_dev *pdev, u16 command)
{
	if (!(command & PCI_COMMAND_MEMORY))
		pci_write_config_word(pdev, PCI_COMMAND, command);
}

/* Physical address of the component block, by the Register Locator DVSEC; 0: there is none. */
static phys_addr_t find_block(struct pci_dev *pdev)
{
	u16 dvsec = pci_find_dvsec_capability(pdev, CXL_VENDOR_ID, DVSEC_ID_REGISTER_LOCATOR);
	u32 header, low, high, bar;
	u64 offset;

	if (!dvsec)
		return 0;
	pci_read_config_dword(pdev, dvsec + PCI_DVSEC_HEADER1, &header);
	for (u32 at = DVSEC_LOCATOR_ENTRY; at + 8 <= PCI_DVSEC_HEADER1_LEN(header); at += 8) {
		pci_read_config_dword(pdev, dvsec + at, &low);
		pci_read_config_dword(pdev, dvsec + at + 4, &high);
		if ((low >> 8 & 0xff) != LOCATOR_BLOCK_COMPONENT)
			continue;
		bar = low & 7;
		offset = (u64)high << 32 | (low & 0xffff0000);
		if (bar < PCI_BARS && pci_resource_flags(pdev, bar) & IORESOURCE_MEM &&
		    range_fits(offset, CXLVM_COMPONENT_BLOCK_SIZE, pci_resource_len(pdev, bar)))
			return pci_resource_start(pdev, bar) + offset;
	}
	return 0;
}

/* Offset in the block of the HDM decoder capability; 0: there is none. */
static u32 find_hdm(void __iomem *block)
{
	void __iomem *cm = block + CM_OFFSET;
	u32 header = readl(cm);

	if ((header & 0xffff) != CM_ID_ARRAY)
		return 0;
	for (u32 i = 1; i <= header >> 24; i++) {
		u32 entry = readl(cm + 4 * i);

		if ((entry & 0xffff) == CM_ID_HDM)
			return CM_OFFSET + (entry >> 20);
	}
	return 0;
}

/* What firmware left: committed, one way, of a size. */
static bool is_usable(const u32 *hdm)
{
	return decoder_is_committed(hdm) && decoder_size(hdm) && !hdm_get(hdm, 0, 0, HDM_CTL_WAYS);
}

int lab_decoder_find(struct lab_decoder *decoder, struct pci_dev *pdev)
{
	phys_addr_t at = find_block(pdev);
	u16 command;
	u32 hdm;

	decoder->block = at ? ioremap(at, CXLVM_COMPONENT_BLOCK_SIZE) : NULL;
	if (!decoder->block) {
		pci_err(pdev, "no component registers\n");
		return -ENODEV;
	}
	command = switch_on(pdev);
	hdm = find_hdm(decoder->block);
	decoder->hdm = decoder->block + hdm;
	for (unsigned int i = 0; hdm && i < DECODER_DWORDS; i++)
		decoder->firmware[i] = load(decoder, i);
	switch_back(pdev, command);
	if (!hdm || !is_usable(decoder->firmware)) {
		pci_err(pdev, "HDM decoder 0 is not committed by firmware\n");
		lab_decoder_forget(decoder);
		return -ENODEV;
	}
	return 0;
}

void lab_decoder_forget(struct lab_decoder *decoder)
{
	if (decoder->block)
		iounmap(decoder->block);
	decoder->block = NULL;
}

void lab_decoder_sample(const struct lab_decoder *decoder, u32 *hdm)
{
	for (unsigned int i = 0; i < DECODER_DWORDS; i++)
		reg_store(&hdm[i], load(decoder, i));
	/* This kernel knows one decoder, and firmware has left the others alone. */
	hdm_set(hdm, 0, 0, HDM_CAP_COUNT, 0);
}

static int commit_again(const struct lab_decoder *decoder, struct pci_dev *pdev)
{
	const u32 *was = decoder->firmware;
	u32 hdm[DECODER_DWORDS];

	for (u32 at = HDM_BASE_LOW_AT; at <= HDM_SIZE_HIGH_AT; at += 4)
		store(decoder, at, was[at / 4]);
	for (u32 at = HDM_TARGET_LOW_AT; at <= HDM_TARGET_HIGH_AT; at += 4)
		store(decoder, at, was[at / 4]);
	store(decoder, HDM_GLOBAL_ENABLE_AT, decoder_global_control(was));
	store(decoder, HDM_CTL_COMMIT_AT, decoder_control(was));
	for (int i = 0; i < COMMIT_POLLS; i++) {
		lab_decoder_sample(decoder, hdm);
		if (decoder_is_committed(hdm)) {
			pci_info(
				pdev,
				"decoder 0 lost by a reset, committed again: 0x%llx, 0x%llx bytes\n",
				decoder_base(hdm), decoder_size(hdm));
			return 0;
		}
		usleep_range(COMMIT_POLL_US, 2 * COMMIT_POLL_US);
	}
	pci_err(pdev, "decoder 0 cannot be committed again: control 0x%x\n", decoder_control(hdm));
	return -EIO;
}

int lab_decoder_restore(const struct lab_decoder *decoder, struct pci_dev *pdev)
{
	u16 command = switch_on(pdev);
	u32 hdm[DECODER_DWORDS];
	int ret = 0;

	lab_decoder_sample(decoder, hdm);
	if (!decoder_is_committed(hdm))
		ret = commit_again(decoder, pdev);
	switch_back(pdev, command);
	return ret;
}

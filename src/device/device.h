/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The software CXL Type-2 device as the host's hardware would be: config space with the CXL
 * DVSECs, a component block with RAS and one HDM decoder that firmware committed and locked at a
 * host physical address, a copy engine and MSI-X. Freestanding: no memory behind it, the owner keeps
 * that.
 */
#ifndef CXLVM_DEVICE_DEVICE_H
#define CXLVM_DEVICE_DEVICE_H

#include "decoder/decoder.h"
#include "device/engine.h"
#include "device/msix.h"
#include "regs/component.h"
#include "regs/pci.h"

/* BAR 0: 64 KiB for registers of the device itself (none yet), then the component block. */
#define SWDEV_BAR          0u
#define SWDEV_BAR_SIZE     0x20000u
#define SWDEV_BLOCK_OFFSET 0x10000u
#define SWDEV_RAS_OFFSET   0x080u /* in the CM area */
#define SWDEV_HDM_OFFSET   0x100u /* in the CM area */
#define SWDEV_PCIE         0x040u /* in config space */
#define SWDEV_DVSEC_DEVICE 0x110u /* in config space */

/*
 * The RAS header log holds the address of an error of old, as registers of a used device do: this
 * far behind the base, low dword first. A host physical address that no guest may see (P2).
 */
#define SWDEV_FAULT_OFFSET 0x0badf0c0u

#define SWDEV_VENDOR 0x1234u
#define SWDEV_DEVICE 0xc002u
#define SWDEV_CLASS  0x120000u /* processing accelerator */

struct swdev_config {
	uint64_t memory_size; /* multiple of 256 MiB, not 0 */
	uint64_t serial;
	struct cxlvm_hpa base; /* where firmware committed decoder 0 */
	/* The BAR that the component block is said to be in; SWDEV_BAR unless the owner moves it. */
	uint32_t component_bar;
	/* What the copy engine and MSI-X reach. The owner's, as long as the device; NULL: nothing. */
	const struct swdev_bus *bus;
};

struct swdev {
	struct swdev_config settings;
	uint32_t config[PCI_CONFIG_DWORDS];
	uint32_t cm[CM_DWORDS];
	struct swdev_engine engine;
	struct swdev_msix msix;
};

/* Power on, firmware included: decoder 0 committed, Memory Space on. -EINVAL for bad settings. */
int swdev_init(struct swdev *dev, const struct swdev_config *settings);

/* Back to that state, except BARs and command register. A copy under way ends without a word. */
void swdev_reset(struct swdev *dev);

/*
 * CXL reset as the device does it: with clear, all of device memory reads 0 afterwards, which
 * CXL_Reset_Mem_Clr_Enable asks for. Then as swdev_reset, and CXL Status 2 says how it went. 0 or
 * what memory_clear said.
 */
int swdev_cxl_reset(struct swdev *dev, bool clear);

/* Config space; length 1, 2 or 4, naturally aligned, below 4 KiB (the caller checks). */
uint32_t swdev_config_read(const struct swdev *dev, uint32_t offset, unsigned int length);
void swdev_config_write(struct swdev *dev, uint32_t offset, unsigned int length, uint32_t value);

/* Bytes of a BAR; 0: there is none, or it is the upper half of the one before. */
uint32_t swdev_bar_size(unsigned int bar);

/* A BAR that there is; any length up to 8 inside it (the caller checks both). */
uint64_t swdev_bar_read(const struct swdev *dev, unsigned int bar, uint32_t offset,
			unsigned int length);
void swdev_bar_write(struct swdev *dev, unsigned int bar, uint32_t offset, unsigned int length,
		     uint64_t value);

/* The real decoder: DECODER_DWORDS numbers. */
static inline const uint32_t *swdev_hdm(const struct swdev *dev)
{
	return &dev->cm[SWDEV_HDM_OFFSET / 4];
}

bool swdev_memory_space(const struct swdev *dev);
bool swdev_bus_master(const struct swdev *dev);

#endif

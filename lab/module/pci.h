/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The form of the device that is a real PCI function. Names of the library's register tables are
 * also macros of the kernel's, so this file comes before <linux/pci.h> and is the only way to it.
 */
#ifndef CXLVM_LAB_MODULE_PCI_H
#define CXLVM_LAB_MODULE_PCI_H

#include "lab.h"

#undef PCI_CAPABILITY_LIST
#undef PCI_HEADER_TYPE_MASK
#undef PCI_HEADER_TYPE_BRIDGE
#include <linux/vfio_pci_core.h>

enum lab_pci_owner {
	FUNCTION, /* VFIO's own handling of the hardware */
	NOBODY,   /* reads 0 */
	SOFTWARE,
};

/* A part of config space; moved is where the software device has it, relative to here. */
struct lab_pci_part {
	u32 end;
	enum lab_pci_owner owner;
	s32 moved;
};

/* What kind of function it is. */
struct lab_pci_form {
	u32 memory_bar;    /* the BAR that becomes the device memory, not offered twice */
	u32 component_bar; /* where the component block is put */
	const struct lab_pci_part *parts; /* in order */
};

#define LAB_PCI_NO_BAR U32_MAX

extern const struct lab_pci_form lab_pci_nvme, lab_pci_cxl;

/* The real decoder 0, of a function that has one. */
struct lab_decoder {
	void __iomem *block; /* component registers */
	void __iomem *hdm;
	u32 firmware[DECODER_DWORDS]; /* as the driver found it */
};

struct lab_pci {
	struct vfio_pci_core_device core;
	struct lab_device lab;
	const struct lab_pci_form *form;
	void *memory; /* mapped */
	struct lab_decoder decoder;
	struct mutex reset_lock; /* outside of all others: a reset, until the decoder is back */
};

static inline struct lab_pci *lab_pci_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct lab_pci, core.vdev);
}

/* Follow what the function's config space says about Memory Space and power. */
void lab_pci_follow(struct lab_pci *one);

/* pci_decoder.c: find it and keep what firmware has left there, -ENODEV if it is not committed. */
int lab_decoder_find(struct lab_decoder *decoder, struct pci_dev *pdev);
void lab_decoder_forget(struct lab_decoder *decoder);
/* The registers as they are, of one decoder. Memory Space is on. */
void lab_decoder_sample(const struct lab_decoder *decoder, u32 *hdm);
/* After a reset of the function: commit it again if it was lost. */
int lab_decoder_restore(const struct lab_decoder *decoder, struct pci_dev *pdev);

/* pci_config.c: config space at *ppos, of which one part is the function's and the rest is ours. */
ssize_t lab_pci_config(struct lab_pci *one, char __user *buf, size_t count, loff_t *ppos,
		       bool write);

#endif

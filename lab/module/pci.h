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

struct lab_pci {
	struct vfio_pci_core_device core;
	struct lab_device lab;
	void __iomem *memory; /* BAR 2 */
};

#define LAB_PCI_MEMORY_BAR    2u
#define LAB_PCI_COMPONENT_BAR 4u

static inline struct lab_pci *lab_pci_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct lab_pci, core.vdev);
}

/* Follow what the function's config space says about Memory Space and power. */
void lab_pci_follow(struct lab_pci *one);

/* pci_config.c: config space at *ppos, of which one part is the function's and the rest is ours. */
ssize_t lab_pci_config(struct lab_pci *one, char __user *buf, size_t count, loff_t *ppos,
		       bool write);

#endif

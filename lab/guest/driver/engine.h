/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#ifndef CXLVM_T2_ENGINE_H
#define CXLVM_T2_ENGINE_H

#include <linux/pci.h>

struct dentry;

/**
 * t2_engine_add() - take the copy engine of a device
 * @pdev: the device, enabled
 * @dir: its folder in debugfs, which gets the files "engine" and "registers"
 *
 * Everything is given back when the driver leaves the device.
 */
int t2_engine_add(struct pci_dev *pdev, struct dentry *dir);

#endif

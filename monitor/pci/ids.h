/* SPDX-License-Identifier: BSD-3-Clause */
/* ids.h - identification of what the monitor models (0x1234 is no member's of the PCI-SIG) */
#ifndef MONITOR_PCI_IDS_H
#define MONITOR_PCI_IDS_H

#define PCI_VENDOR_CXLVM           0x1234
#define PCI_DEVICE_CXLVM_ROOT_PORT 0xc001
#define PCI_CLASS_PCI_BRIDGE       0x0604

#endif

// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Config space of the PCI function: its own, but for the BARs and all of extended config space, which
 * has the software device's capabilities.
 */
#include "pci.h"

static const struct lab_pci_part nvme_parts[] = {
	{ 0x18, FUNCTION, 0 },
	/* The BAR of the memory: it is device memory, and not offered twice. */
	{ 0x20, NOBODY, 0 },
	/* The component block is in BAR 4 here, and in BAR 0 of the software device. */
	{ 0x28, SOFTWARE, -0x10 },
	{ PCI_CFG_SPACE_SIZE, FUNCTION, 0 },
	{ PCI_CFG_SPACE_EXP_SIZE, SOFTWARE, 0 },
};

static const struct lab_pci_part cxl_parts[] = {
	{ 0x08, FUNCTION, 0 },
	/* No kernel takes a function of the class of memory devices for a CXL Type-2 device. */
	{ 0x0c, SOFTWARE, 0 },
	{ 0x10, FUNCTION, 0 },
	/* BAR 0 has the real component registers: the software's in their place. */
	{ 0x18, SOFTWARE, 0 },
	{ PCI_CFG_SPACE_SIZE, FUNCTION, 0 },
	{ PCI_CFG_SPACE_EXP_SIZE, SOFTWARE, 0 },
};

const struct lab_pci_form lab_pci_nvme = { 2, 4, nvme_parts };
const struct lab_pci_form lab_pci_cxl = { LAB_PCI_NO_BAR, 0, cxl_parts };

static ssize_t access_part(struct lab_pci *one, const struct lab_pci_part *part, u32 at,
			   char __user *buf, size_t count, bool write)
{
	struct vfio_device *vdev = &one->core.vdev;
	loff_t pos = ((loff_t)VFIO_PCI_CONFIG_REGION_INDEX << UAPI_OFFSET_SHIFT) + at + part->moved;

	switch (part->owner) {
	case FUNCTION:
		return write ? vfio_pci_core_write(vdev, buf, count, &pos)
			     : vfio_pci_core_read(vdev, buf, count, &pos);
	case SOFTWARE:
		return write ? lab_region_write(&one->lab, buf, count, &pos)
			     : lab_region_read(&one->lab, buf, count, &pos);
	case NOBODY:
	default:
		return !write && clear_user(buf, count) ? -EFAULT : count;
	}
}

/* Does a write set the bit that starts a function-level reset? VFIO carries that out itself. */
static int sets_flr(struct lab_pci *one, const char __user *buf, size_t count, u32 at, bool *sets)
{
	u32 where = one->core.pdev->pcie_cap + PCI_EXP_DEVCTL + 1;
	u8 byte;

	*sets = false;
	if (!one->core.pdev->pcie_cap || at > where || where - at >= count)
		return 0;
	if (get_user(byte, (const u8 __user *)buf + (where - at)))
		return -EFAULT;
	*sets = byte & PCI_EXP_DEVCTL_BCR_FLR >> 8;
	return 0;
}

ssize_t lab_pci_config(struct lab_pci *one, char __user *buf, size_t count, loff_t *ppos,
		       bool write)
{
	u32 at = *ppos & VFIO_PCI_OFFSET_MASK;
	bool flr = false;
	size_t done = 0;
	ssize_t ret = 0;

	if ((*ppos & VFIO_PCI_OFFSET_MASK) >= PCI_CFG_SPACE_EXP_SIZE ||
	    count > PCI_CFG_SPACE_EXP_SIZE - at)
		return -EFAULT;
	if (write)
		ret = sets_flr(one, buf, count, at, &flr);
	if (ret)
		return ret;
	/* The last part ends with config space. */
	for (const struct lab_pci_part *part = one->form->parts; done < count; part++) {
		size_t n;

		if (at + done >= part->end)
			continue;
		n = min_t(size_t, count - done, part->end - (at + done));
		ret = access_part(one, part, at + done, buf + done, n, write);
		if (ret <= 0)
			break;
		done += ret;
		if (ret < n)
			break;
	}
	if (flr)
		(void)lab_shape_reset(&one->lab);
	if (write)
		lab_pci_follow(one);
	if (!done)
		return ret;
	*ppos += done;
	return done;
}

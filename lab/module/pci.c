// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A variant driver of vfio-pci for an emulated function with a memory BAR: QEMU's NVMe with a
 * controller memory buffer of a multiple of 256 MiB as BAR 2, behind an emulated IOMMU. Config space,
 * function-level reset, MSI-X and DMA are the function's; its memory becomes the device memory of a
 * CXL device, and BAR 4 the virtual one with the component block. Bound by driver_override.
 *
 * Device memory is in a BAR here, so it cannot be reached without Memory Space, which generations 2,
 * 3 and 6 otherwise could.
 */
#include "pci.h"

#include <linux/module.h>

/* Is it what this driver adds, not VFIO's own? */
static bool is_ours(u32 region)
{
	return region == LAB_PCI_COMPONENT_BAR || region == SHAPE_REGION_REGS ||
	       region == SHAPE_REGION_MEMORY;
}

void lab_pci_follow(struct lab_pci *one)
{
	struct pci_dev *pdev = one->core.pdev;
	bool awake = pdev->current_state == PCI_D0 && !READ_ONCE(one->core.pm_runtime_engaged);
	u16 command = 0;

	if (awake)
		pci_read_config_word(pdev, PCI_COMMAND, &command);
	lab_follow(&one->lab, command & PCI_COMMAND_MEMORY, !awake);
}

static int open_device(struct vfio_device *vdev)
{
	struct lab_pci *one = lab_pci_of(vdev);
	int ret = vfio_pci_core_enable(&one->core);

	if (ret)
		return ret;
	ret = lab_device_open(&one->lab);
	if (ret) {
		vfio_pci_core_disable(&one->core);
		return ret;
	}
	vfio_pci_core_finish_enable(&one->core);
	lab_pci_follow(one);
	return 0;
}

static void close_device(struct vfio_device *vdev)
{
	lab_device_close(&lab_pci_of(vdev)->lab);
	/* Nobody reaches it until it is opened again. */
	lab_follow(&lab_pci_of(vdev)->lab, false, false);
	vfio_pci_core_close_device(vdev);
}

static ssize_t access(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos,
		      bool write)
{
	struct lab_pci *one = lab_pci_of(vdev);
	u64 region = (u64)*ppos >> UAPI_OFFSET_SHIFT;

	if (!count)
		return 0;
	if (region == VFIO_PCI_CONFIG_REGION_INDEX)
		return lab_pci_config(one, buf, count, ppos, write);
	if (region == LAB_PCI_MEMORY_BAR)
		return -EINVAL;
	if (region < U32_MAX && is_ours(region))
		return write ? lab_region_write(&one->lab, buf, count, ppos)
			     : lab_region_read(&one->lab, buf, count, ppos);
	return write ? vfio_pci_core_write(vdev, buf, count, ppos)
		     : vfio_pci_core_read(vdev, buf, count, ppos);
}

static ssize_t read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	return access(vdev, buf, count, ppos, false);
}

static ssize_t write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *ppos)
{
	return access(vdev, (char __user *)buf, count, ppos, true);
}

static int map(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	unsigned long region = vma->vm_pgoff >> (UAPI_OFFSET_SHIFT - PAGE_SHIFT);

	if (region == LAB_PCI_MEMORY_BAR)
		return -EINVAL;
	if (region < U32_MAX && is_ours(region))
		return lab_mmap(&lab_pci_of(vdev)->lab, vma);
	return vfio_pci_core_mmap(vdev, vma);
}

static int region_info(struct vfio_device *vdev, struct vfio_region_info *info,
		       struct vfio_info_cap *caps)
{
	struct lab_pci *one = lab_pci_of(vdev);
	u32 region = info->index;
	int ret;

	if (region == LAB_PCI_MEMORY_BAR) {
		info->offset = (u64)region << UAPI_OFFSET_SHIFT;
		info->size = info->flags = 0;
		return 0;
	}
	if (region == VFIO_PCI_CONFIG_REGION_INDEX || !is_ours(region)) {
		ret = vfio_pci_ioctl_get_region_info(vdev, info, caps);
		/* Extended config space is there, even if the function has none. */
		if (!ret && region == VFIO_PCI_CONFIG_REGION_INDEX)
			info->size = PCI_CFG_SPACE_EXP_SIZE;
		return ret;
	}
	if (region == LAB_PCI_COMPONENT_BAR)
		info->index = SWDEV_BAR;
	ret = lab_region_info(&one->lab, info, caps);
	info->index = region;
	info->offset = (u64)region << UAPI_OFFSET_SHIFT;
	return ret;
}

static long reset(struct lab_pci *one)
{
	long ret = lab_call(&one->lab, LAB_CALL_RESET);

	if (ret)
		return ret;
	mutex_lock(&one->lab.lock);
	lab_revoke_memory(&one->lab);
	mutex_unlock(&one->lab.lock);
	ret = vfio_pci_core_ioctl(&one->core.vdev, VFIO_DEVICE_RESET, 0);
	lab_pci_follow(one);
	return ret ?: lab_shape_reset(&one->lab);
}

static long ioctl(struct vfio_device *vdev, unsigned int command, unsigned long argument)
{
	struct lab_pci *one = lab_pci_of(vdev);
	long ret;

	switch (command) {
	case VFIO_DEVICE_GET_INFO:
		return lab_info(&one->lab, (void __user *)argument);
	case VFIO_DEVICE_RESET:
		return reset(one);
	default:
		ret = vfio_pci_core_ioctl(vdev, command, argument);
		/* Hot resets and what else changes power or Memory Space. */
		lab_pci_follow(one);
		return ret;
	}
}

/* As dma-buf the device memory is what it is, a BAR: for VFIO the request names that. */
static int dma_buf(struct lab_pci *one, u32 flags, struct vfio_device_feature_dma_buf __user *arg,
		   size_t argsz)
{
	u32 region;
	int ret;

	if (one->lab.shape.facts.generation < 5)
		return -ENOTTY;
	if (!(flags & VFIO_DEVICE_FEATURE_GET))
		return vfio_pci_core_ioctl_feature(&one->core.vdev, flags, (void __user *)arg,
						   argsz);
	if (argsz < sizeof(*arg) || get_user(region, &arg->region_index))
		return argsz < sizeof(*arg) ? -EINVAL : -EFAULT;
	if (region != SHAPE_REGION_MEMORY)
		return -EINVAL;
	if (put_user(LAB_PCI_MEMORY_BAR, &arg->region_index))
		return -EFAULT;
	ret = vfio_pci_core_ioctl_feature(&one->core.vdev, flags, (void __user *)arg, argsz);
	if (put_user(region, &arg->region_index) && ret < 0)
		ret = -EFAULT;
	return ret;
}

/* Generation 5 keeps its device awake. */
static int feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz)
{
	struct lab_pci *one = lab_pci_of(vdev);
	int ret = lab_call(&one->lab, LAB_CALL_FEATURE);

	if (ret)
		return ret;
	switch (flags & VFIO_DEVICE_FEATURE_MASK) {
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY:
	case VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP:
	case VFIO_DEVICE_FEATURE_LOW_POWER_EXIT:
		if (one->lab.shape.facts.generation == 5)
			return -ENOTTY;
		break;
	case VFIO_DEVICE_FEATURE_DMA_BUF:
		return dma_buf(one, flags, arg, argsz);
	default:
		break;
	}
	ret = vfio_pci_core_ioctl_feature(vdev, flags, arg, argsz);
	lab_pci_follow(one);
	return ret;
}

static void release(struct vfio_device *vdev)
{
	struct lab_pci *one = lab_pci_of(vdev);

	lab_device_finish(&one->lab);
	if (one->memory)
		iounmap(one->memory);
	vfio_pci_core_release_dev(vdev);
}

static int init(struct vfio_device *vdev)
{
	struct pci_dev *pdev = to_pci_dev(vdev->dev);
	struct lab_pci *one = lab_pci_of(vdev);
	struct lab_settings settings;
	int ret = lab_settings_of(0, &settings);

	if (ret)
		return ret;
	settings.memory_at = pci_resource_start(pdev, LAB_PCI_MEMORY_BAR);
	settings.size = pci_resource_len(pdev, LAB_PCI_MEMORY_BAR);
	settings.component_region = LAB_PCI_COMPONENT_BAR;
	if (!(pci_resource_flags(pdev, LAB_PCI_MEMORY_BAR) & IORESOURCE_MEM) || !settings.size ||
	    settings.size % CXLVM_HDM_GRANULE || settings.memory_at % CXLVM_HDM_GRANULE ||
	    pci_resource_len(pdev, LAB_PCI_COMPONENT_BAR)) {
		pci_err(pdev, "BAR 2 has to be memory of a multiple of 256 MiB, BAR 4 unused\n");
		return -EINVAL;
	}
	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		return ret;
	one->memory = ioremap(settings.memory_at, settings.size);
	settings.mapped = (__force void *)one->memory;
	ret = one->memory ? lab_device_init(&one->lab, vdev, &settings) : -ENOMEM;
	if (ret) {
		if (one->memory)
			iounmap(one->memory);
		vfio_pci_core_release_dev(vdev);
	}
	return ret;
}

static const struct vfio_device_ops operations = {
	.name = LAB_NAME "_pci",
	.init = init,
	.release = release,
	.open_device = open_device,
	.close_device = close_device,
	.read = read,
	.write = write,
	.ioctl = ioctl,
	.get_region_info_caps = region_info,
	.mmap = map,
	.device_feature = feature,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.match_token_uuid = vfio_pci_core_match_token_uuid,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

static const struct vfio_pci_device_ops pci_operations = {
	.get_dmabuf_phys = vfio_pci_core_get_dmabuf_phys,
};

static int probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct lab_pci *one = vfio_alloc_device(lab_pci, core.vdev, &pdev->dev, &operations);
	int ret;

	if (IS_ERR(one))
		return PTR_ERR(one);
	one->core.pci_ops = &pci_operations;
	dev_set_drvdata(&pdev->dev, &one->core);
	ret = vfio_pci_core_register_device(&one->core);
	if (ret) {
		vfio_put_device(&one->core.vdev);
		return ret;
	}
	lab_debug_add(&one->lab, pci_name(pdev));
	return 0;
}

static void remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	lab_debug_remove(&lab_pci_of(&core->vdev)->lab);
	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

static const struct pci_device_id ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_REDHAT, 0x0010) }, /* QEMU's NVMe */
	{}
};
MODULE_DEVICE_TABLE(pci, ids);

static struct pci_driver driver = {
	.name = LAB_NAME "_pci",
	.id_table = ids,
	.probe = probe,
	.remove = remove,
	.err_handler = &vfio_pci_core_err_handlers,
	.driver_managed_dma = true,
};

int lab_pci_init(void)
{
	return pci_register_driver(&driver);
}

void lab_pci_finish(void)
{
	pci_unregister_driver(&driver);
}

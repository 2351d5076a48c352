// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * A variant driver of vfio-pci for an emulated function, behind an emulated IOMMU. Bound by
 * driver_override. Config space below 0x100, resets, MSI-X and DMA are the function's. Two forms:
 *
 * QEMU's NVMe with a controller memory buffer of a multiple of 256 MiB as BAR 2: that becomes the device
 * memory of a CXL device, and BAR 4 the virtual one with the component block. Device memory is in a BAR
 * here, so it cannot be reached without Memory Space, which generations 2, 3 and 6 otherwise could.
 *
 * QEMU's CXL memory device: decoder 0 is the real one, which firmware has committed, and device
 * memory is what it decodes, in the host's CXL window. The rest of the component block is virtual,
 * in place of BAR 0. A reset loses the decoder, at each open too; it is committed again.
 */
#include "pci.h"

#include <linux/module.h>

/* Is it what this driver adds, not VFIO's own? */
static bool is_ours(const struct lab_pci *one, u32 region)
{
	return region == one->form->component_bar || region == SHAPE_REGION_REGS ||
	       region == SHAPE_REGION_MEMORY;
}

/* The BAR that is offered as device memory instead. */
static bool is_memory_bar(const struct lab_pci *one, u32 region)
{
	return region < PCI_BARS && region == one->form->memory_bar;
}

static bool is_awake(const struct lab_pci *one)
{
	return one->core.pdev->current_state == PCI_D0 && !READ_ONCE(one->core.pm_runtime_engaged);
}

static bool memory_space(const struct lab_pci *one)
{
	u16 command = 0;

	pci_read_config_word(one->core.pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MEMORY;
}

void lab_pci_follow(struct lab_pci *one)
{
	bool awake = is_awake(one);

	lab_follow(&one->lab, awake && memory_space(one), !awake);
}

/* While its registers do not answer the decoder is what it was. */
static void sample(struct lab_device *lab)
{
	struct lab_pci *one = container_of(lab, struct lab_pci, lab);

	down_read(&one->core.memory_lock);
	if (is_awake(one) && memory_space(one))
		lab_decoder_sample(&one->decoder, &lab->dev.cm[SWDEV_HDM_OFFSET / 4]);
	up_read(&one->core.memory_lock);
}

/* After a reset of the function. */
static int restore_decoder(struct lab_pci *one)
{
	int ret;

	if (!one->decoder.block)
		return 0;
	/* Nobody switches it off meanwhile. */
	down_write(&one->core.memory_lock);
	ret = lab_decoder_restore(&one->decoder, one->core.pdev);
	up_write(&one->core.memory_lock);
	return ret;
}

static int open_device(struct vfio_device *vdev)
{
	struct lab_pci *one = lab_pci_of(vdev);
	int ret = vfio_pci_core_enable(&one->core);

	if (ret)
		return ret;
	/* That was a reset. */
	ret = restore_decoder(one) ?: lab_device_open(&one->lab);
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
	if (region < U32_MAX && is_memory_bar(one, region))
		return -EINVAL;
	if (region < U32_MAX && is_ours(one, region))
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
	struct lab_pci *one = lab_pci_of(vdev);

	if (region < U32_MAX && is_memory_bar(one, region))
		return -EINVAL;
	if (region < U32_MAX && is_ours(one, region))
		return lab_mmap(&one->lab, vma);
	return vfio_pci_core_mmap(vdev, vma);
}

static int region_info(struct vfio_device *vdev, struct vfio_region_info *info,
		       struct vfio_info_cap *caps)
{
	struct lab_pci *one = lab_pci_of(vdev);
	u32 region = info->index;
	int ret;

	if (is_memory_bar(one, region)) {
		info->offset = (u64)region << UAPI_OFFSET_SHIFT;
		info->size = info->flags = 0;
		return 0;
	}
	if (region == VFIO_PCI_CONFIG_REGION_INDEX || !is_ours(one, region)) {
		ret = vfio_pci_ioctl_get_region_info(vdev, info, caps);
		/* Extended config space is there, even if the function has none. */
		if (!ret && region == VFIO_PCI_CONFIG_REGION_INDEX)
			info->size = PCI_CFG_SPACE_EXP_SIZE;
		return ret;
	}
	if (region == one->form->component_bar)
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
	mutex_lock(&one->reset_lock);
	mutex_lock(&one->lab.lock);
	lab_revoke_memory(&one->lab);
	mutex_unlock(&one->lab.lock);
	ret = vfio_pci_core_ioctl(&one->core.vdev, VFIO_DEVICE_RESET, 0) ?: restore_decoder(one);
	mutex_unlock(&one->reset_lock);
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
	/* Without a BAR there is nothing that VFIO could export. */
	if (region != SHAPE_REGION_MEMORY || one->form->memory_bar == LAB_PCI_NO_BAR)
		return -EINVAL;
	if (put_user(one->form->memory_bar, &arg->region_index))
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

static void unmap_memory(struct lab_pci *one)
{
	lab_decoder_forget(&one->decoder);
	if (one->memory)
		memunmap(one->memory);
	one->memory = NULL;
}

static void release(struct vfio_device *vdev)
{
	struct lab_pci *one = lab_pci_of(vdev);

	lab_device_finish(&one->lab);
	unmap_memory(one);
	vfio_pci_core_release_dev(vdev);
}

/* Device memory is a BAR. */
static int init_nvme(struct pci_dev *pdev, const struct lab_pci_form *form,
		     struct lab_settings *settings)
{
	settings->memory_at = pci_resource_start(pdev, form->memory_bar);
	settings->size = pci_resource_len(pdev, form->memory_bar);
	settings->memory_is_bar = true;
	if (!(pci_resource_flags(pdev, form->memory_bar) & IORESOURCE_MEM) || !settings->size ||
	    settings->size % CXLVM_HDM_GRANULE || settings->memory_at % CXLVM_HDM_GRANULE ||
	    pci_resource_len(pdev, form->component_bar)) {
		pci_err(pdev, "BAR 2 has to be memory of a multiple of 256 MiB, BAR 4 unused\n");
		return -EINVAL;
	}
	return 0;
}

/* Device memory is what the decoder decodes. */
static int init_cxl(struct pci_dev *pdev, struct lab_decoder *decoder,
		    struct lab_settings *settings)
{
	int ret = lab_decoder_find(decoder, pdev);

	if (ret)
		return ret;
	settings->memory_at = decoder_base(decoder->firmware);
	settings->size = decoder_size(decoder->firmware);
	settings->sample = sample;
	settings->firmware = decoder->firmware;
	return 0;
}

static int init(struct vfio_device *vdev)
{
	struct pci_dev *pdev = to_pci_dev(vdev->dev);
	struct lab_pci *one = lab_pci_of(vdev);
	struct lab_settings settings;
	int ret = lab_settings_of(0, &settings);

	if (ret)
		return ret;
	mutex_init(&one->reset_lock);
	one->form = pdev->class >> 8 == PCI_CLASS_MEMORY_CXL ? &lab_pci_cxl : &lab_pci_nvme;
	settings.component_region = one->form->component_bar;
	ret = one->form == &lab_pci_cxl ? init_cxl(pdev, &one->decoder, &settings)
					: init_nvme(pdev, one->form, &settings);
	if (ret)
		return ret;
	ret = vfio_pci_core_init_dev(vdev);
	if (ret)
		goto no_core;
	one->memory = settings.memory_is_bar
			      ? (__force void *)ioremap(settings.memory_at, settings.size)
			      : memremap(settings.memory_at, settings.size, MEMREMAP_WB);
	settings.mapped = one->memory;
	ret = one->memory ? lab_device_init(&one->lab, vdev, &settings) : -ENOMEM;
	if (!ret)
		return 0;
	vfio_pci_core_release_dev(vdev);
no_core:
	unmap_memory(one);
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
	/* Closed with a reset: it is left as it was found. */
	(void)restore_decoder(lab_pci_of(&core->vdev));
	vfio_put_device(&core->vdev);
}

static const struct pci_device_id ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_REDHAT, 0x0010) }, /* QEMU's NVMe */
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(PCI_VENDOR_ID_INTEL,
					  0x0d93) }, /* its CXL memory device */
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

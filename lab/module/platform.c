// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Devices without hardware: platform devices cxlvm_lab.0 and up, in an IOMMU group of their own that
 * stands for no IOMMU. Their DMA is what VFIO copies for them.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "lab.h"

struct lab_platform {
	struct vfio_device vdev;
	struct lab_device lab;
};

static struct platform_device **devices;

static struct lab_device *lab_of(struct vfio_device *vdev)
{
	return &container_of(vdev, struct lab_platform, vdev)->lab;
}

static int init(struct vfio_device *vdev)
{
	struct lab_settings settings;
	int ret = lab_settings_of(to_platform_device(vdev->dev)->id, &settings);

	settings.component_region = SWDEV_BAR;
	return ret ?: lab_device_init(lab_of(vdev), vdev, &settings);
}

static void release(struct vfio_device *vdev)
{
	lab_device_finish(lab_of(vdev));
}

static int open_device(struct vfio_device *vdev)
{
	return lab_device_open(lab_of(vdev));
}

static void close_device(struct vfio_device *vdev)
{
	lab_device_close(lab_of(vdev));
}

static ssize_t read(struct vfio_device *vdev, char __user *buf, size_t count, loff_t *ppos)
{
	return lab_region_read(lab_of(vdev), buf, count, ppos);
}

static ssize_t write(struct vfio_device *vdev, const char __user *buf, size_t count, loff_t *ppos)
{
	return lab_region_write(lab_of(vdev), buf, count, ppos);
}

static long ioctl(struct vfio_device *vdev, unsigned int command, unsigned long argument)
{
	struct lab_device *lab = lab_of(vdev);
	void __user *arg = (void __user *)argument;

	switch (command) {
	case VFIO_DEVICE_GET_INFO:
		return lab_info(lab, arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		return lab_irq_info(lab, arg);
	case VFIO_DEVICE_SET_IRQS:
		return lab_set_irqs(lab, arg);
	case VFIO_DEVICE_RESET:
		return lab_device_reset(lab);
	default:
		return -ENOTTY;
	}
}

static int region_info(struct vfio_device *vdev, struct vfio_region_info *info,
		       struct vfio_info_cap *caps)
{
	return lab_region_info(lab_of(vdev), info, caps);
}

static int map(struct vfio_device *vdev, struct vm_area_struct *vma)
{
	return lab_mmap(lab_of(vdev), vma);
}

static void request(struct vfio_device *vdev, unsigned int count)
{
	lab_notify(lab_of(vdev), false);
}

/* No page is ever pinned, so there is nothing to give back. */
static void dma_unmap(struct vfio_device *vdev, u64 iova, u64 length)
{
	lab_count(lab_of(vdev), LAB_DMA_UNMAPS);
}

/* Low power is generation 6's; the others keep the device awake. */
static int feature(struct vfio_device *vdev, u32 flags, void __user *arg, size_t argsz)
{
	struct lab_device *lab = lab_of(vdev);
	u32 index = flags & VFIO_DEVICE_FEATURE_MASK;
	int ret = lab_call(lab, LAB_CALL_FEATURE);

	if (ret)
		return ret;
	if (lab->shape.facts.generation != 6 || (index != VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY &&
						 index != VFIO_DEVICE_FEATURE_LOW_POWER_EXIT))
		return -ENOTTY;
	ret = vfio_check_feature(flags, argsz, VFIO_DEVICE_FEATURE_SET, 0);
	if (ret != 1)
		return ret;
	lab_set_low_power(lab, index == VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY);
	return 0;
}

static const struct vfio_device_ops operations = {
	.name = LAB_NAME,
	.init = init,
	.release = release,
	.open_device = open_device,
	.close_device = close_device,
	.read = read,
	.write = write,
	.ioctl = ioctl,
	.get_region_info_caps = region_info,
	.mmap = map,
	.request = request,
	.dma_unmap = dma_unmap,
	.device_feature = feature,
	.bind_iommufd = vfio_iommufd_emulated_bind,
	.unbind_iommufd = vfio_iommufd_emulated_unbind,
	.attach_ioas = vfio_iommufd_emulated_attach_ioas,
	.detach_ioas = vfio_iommufd_emulated_detach_ioas,
};

static int probe(struct platform_device *pdev)
{
	struct lab_platform *one = vfio_alloc_device(lab_platform, vdev, &pdev->dev, &operations);
	int ret;

	if (IS_ERR(one))
		return PTR_ERR(one);
	ret = vfio_register_emulated_iommu_dev(&one->vdev);
	if (ret) {
		vfio_put_device(&one->vdev);
		return ret;
	}
	platform_set_drvdata(pdev, one);
	lab_debug_add(&one->lab, dev_name(&pdev->dev));
	return 0;
}

static void remove(struct platform_device *pdev)
{
	struct lab_platform *one = platform_get_drvdata(pdev);

	lab_debug_remove(&one->lab);
	vfio_unregister_group_dev(&one->vdev);
	vfio_put_device(&one->vdev);
}

static struct platform_driver driver = {
	.probe = probe,
	.remove = remove,
	.driver = { .name = LAB_NAME },
};

static void remove_devices(unsigned int n)
{
	while (n--)
		platform_device_unregister(devices[n]);
	kfree(devices);
}

int lab_platform_init(void)
{
	unsigned int n;
	int ret = platform_driver_register(&driver);

	if (ret)
		return ret;
	devices = kcalloc(lab_n_devices, sizeof(devices[0]), GFP_KERNEL);
	ret = devices ? 0 : -ENOMEM;
	for (n = 0; !ret && n < lab_n_devices; n++) {
		devices[n] = platform_device_register_simple(LAB_NAME, n, NULL, 0);
		ret = PTR_ERR_OR_ZERO(devices[n]);
		if (ret)
			break;
		/* A device that nobody drives is no use: say so now. */
		if (!platform_get_drvdata(devices[n]))
			ret = -EINVAL;
	}
	if (ret) {
		remove_devices(n);
		platform_driver_unregister(&driver);
	}
	return ret;
}

void lab_platform_finish(void)
{
	remove_devices(lab_n_devices);
	platform_driver_unregister(&driver);
}

// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * How many DMA ranges users have mapped and unmapped, of all devices. VFIO tells a driver about an
 * unmap only when it has pinned pages there, and never about a map; so this counts the calls that
 * type1 answered with success.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/seq_file.h>
#include <linux/vfio.h>

#include "lab.h"

#define PROBED "vfio_iommu_type1_ioctl"

static atomic64_t maps, unmaps, refused;
static int last_error;
static bool watching;

static int on_entry(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	unsigned int *command = (unsigned int *)instance->data;

	*command = regs_get_kernel_argument(regs, 1);
	/* Others are not followed. */
	return *command != VFIO_IOMMU_MAP_DMA && *command != VFIO_IOMMU_UNMAP_DMA;
}

static int on_return(struct kretprobe_instance *instance, struct pt_regs *regs)
{
	const unsigned int *command = (const unsigned int *)instance->data;
	long ret = regs_return_value(regs);

	if (ret < 0) {
		WRITE_ONCE(last_error, -ret);
		atomic64_inc(&refused);
		return 0;
	}
	atomic64_inc(*command == VFIO_IOMMU_MAP_DMA ? &maps : &unmaps);
	return 0;
}

static struct kretprobe probe = {
	.kp.symbol_name = PROBED,
	.entry_handler = on_entry,
	.handler = on_return,
	.data_size = sizeof(unsigned int),
	.maxactive = 64,
};

static int dma_show(struct seq_file *out, void *unused)
{
	if (!watching)
		seq_puts(out, "unknown: " PROBED " cannot be watched\n");
	else
		seq_printf(out, "maps %lld\nunmaps %lld\nrefused %lld\nlast-error %d\nmissed %d\n",
			   atomic64_read(&maps), atomic64_read(&unmaps), atomic64_read(&refused),
			   READ_ONCE(last_error), probe.nmissed);
	return 0;
}

static ssize_t dma_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	atomic64_set(&maps, 0);
	atomic64_set(&unmaps, 0);
	atomic64_set(&refused, 0);
	WRITE_ONCE(last_error, 0);
	return count;
}

DEFINE_SHOW_STORE_ATTRIBUTE(dma);

void lab_watch_init(struct dentry *root)
{
	watching = !register_kretprobe(&probe);
	debugfs_create_file("dma", 0600, root, NULL, &dma_fops);
}

void lab_watch_finish(void)
{
	if (watching)
		unregister_kretprobe(&probe);
}

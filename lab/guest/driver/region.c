// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Guest driver of the CXL Type-2 software device. It takes the device's region from the CXL core,
 * maps it write-back and offers in debugfs, below cxlvm_t2/<PCI address>/:
 *
 *   range  (read)   "0xSTART 0xSIZE", guest physical
 *   fill   (write)  a seed in hex: expands the pattern of this seed over the whole memory
 *   check  (write)  a seed in hex: compares the whole memory with the pattern
 *          (read)   result of the last comparison, "pages N bad M first_bad X"
 *
 *   bandwidth
 *          (read)   "bytes N device_ns D ram_ns R": how long loads of the first N bytes take, and
 *                   loads of as much of guest RAM
 *
 * X is the number of the first 4 KiB page that differs, or "none". The files of the copy engine are
 * described in engine.c.
 *
 * With the module parameter pci_only the device is taken as a PCI device: no region, only the copy
 * engine. That is for monitors which cannot put the memory into a CXL fixed memory window.
 */
#include <linux/array_size.h>
#include <linux/cleanup.h>
#include <linux/debugfs.h>
#include <linux/io.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/range.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>

#include <cxl/cxl.h>
#include <cxl/pci.h>

#include "bandwidth.h"
#include "engine.h"
#include "pattern.h"

#define CXLVM_T2_VENDOR 0x1234
#define CXLVM_T2_DEVICE 0xc002

static bool pci_only;
module_param(pci_only, bool, 0444);
MODULE_PARM_DESC(pci_only, "use the copy engine only, no CXL region");

static struct dentry *t2_debugfs_root;

/**
 * struct t2_check_result - outcome of a comparison
 * @done: there was one
 * @pages: pages compared
 * @bad: pages that differ
 * @first_bad: number of the first of them
 */
struct t2_check_result {
	bool done;
	u64 pages;
	u64 bad;
	u64 first_bad;
};

/**
 * struct t2_device - the driver's state
 * @cxlds: state of the CXL core, has to be first
 * @range: guest physical range of the region
 * @memory: mapping of the whole region
 * @lock: one fill or check at a time; protects @check
 * @check: what to read from the check file
 */
struct t2_device {
	struct cxl_dev_state cxlds;
	struct range range;
	u64 *memory;
	struct mutex lock;
	struct t2_check_result check;
};

static u64 t2_pages(const struct t2_device *t2)
{
	return range_len(&t2->range) / PATTERN_PAGE_SIZE;
}

/* Called between pages: filling a large memory takes a while. */
static int t2_breathe(void)
{
	cond_resched();
	return signal_pending(current) ? -EINTR : 0;
}

static int t2_fill(struct t2_device *t2, u64 seed)
{
	u64 page, word, index = 0;
	int rc;

	for (page = 0; page < t2_pages(t2); page++) {
		for (word = 0; word < PATTERN_PAGE_WORDS; word++, index++)
			WRITE_ONCE(t2->memory[index], pattern_word(seed, index));
		rc = t2_breathe();
		if (rc)
			return rc;
	}
	return 0;
}

static int t2_check(struct t2_device *t2, u64 seed)
{
	struct t2_check_result result = { .done = true };
	u64 word, index = 0;
	bool same;
	int rc;

	t2->check.done = false;
	for (; result.pages < t2_pages(t2); result.pages++) {
		same = true;
		for (word = 0; word < PATTERN_PAGE_WORDS; word++, index++)
			same &= READ_ONCE(t2->memory[index]) == pattern_word(seed, index);
		if (!same && !result.bad++)
			result.first_bad = result.pages;
		rc = t2_breathe();
		if (rc)
			return rc;
	}
	t2->check = result;
	return 0;
}

static ssize_t t2_write_seed(struct t2_device *t2, const char __user *buf, size_t count,
			     int (*operation)(struct t2_device *t2, u64 seed))
{
	u64 seed;
	int rc;

	rc = kstrtou64_from_user(buf, count, 16, &seed);
	if (rc)
		return rc;

	rc = mutex_lock_interruptible(&t2->lock);
	if (rc)
		return rc;
	rc = operation(t2, seed);
	mutex_unlock(&t2->lock);

	return rc ? rc : count;
}

static int range_show(struct seq_file *file, void *unused)
{
	struct t2_device *t2 = file->private;

	seq_printf(file, "0x%llx 0x%llx\n", t2->range.start, range_len(&t2->range));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(range);

static ssize_t fill_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	return t2_write_seed(file->private_data, buf, count, t2_fill);
}

static const struct file_operations fill_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = fill_write,
};

static int check_show(struct seq_file *file, void *unused)
{
	struct t2_device *t2 = file->private;
	const struct t2_check_result *check = &t2->check;

	guard(mutex)(&t2->lock);
	if (!check->done)
		return -ENODATA;

	seq_printf(file, "pages %llu bad %llu first_bad ", check->pages, check->bad);
	if (check->bad)
		seq_printf(file, "%llu\n", check->first_bad);
	else
		seq_puts(file, "none\n");
	return 0;
}

static ssize_t check_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct seq_file *seq = file->private_data;

	return t2_write_seed(seq->private, buf, count, t2_check);
}
DEFINE_SHOW_STORE_ATTRIBUTE(check);

static int bandwidth_show(struct seq_file *file, void *unused)
{
	struct t2_device *t2 = file->private;

	guard(mutex)(&t2->lock);
	return t2_bandwidth_show(file, t2->memory);
}
DEFINE_SHOW_ATTRIBUTE(bandwidth);

static void t2_remove_debugfs(void *dir)
{
	debugfs_remove(dir);
}

/* The device's folder; NULL after an error that was reported. */
static struct dentry *t2_add_folder(struct pci_dev *pdev)
{
	struct dentry *dir = debugfs_create_dir(pci_name(pdev), t2_debugfs_root);

	return devm_add_action_or_reset(&pdev->dev, t2_remove_debugfs, dir) ? NULL : dir;
}

static int t2_add_debugfs(struct pci_dev *pdev, struct t2_device *t2)
{
	struct dentry *dir = t2_add_folder(pdev);

	if (!dir)
		return -ENOMEM;
	debugfs_create_file("range", 0400, dir, t2, &range_fops);
	debugfs_create_file("fill", 0200, dir, t2, &fill_fops);
	debugfs_create_file("check", 0600, dir, t2, &check_fops);
	debugfs_create_file("bandwidth", 0400, dir, t2, &bandwidth_fops);
	/* A monitor without interrupts and DMA can still give the region. */
	if (t2_engine_add(pdev, dir))
		dev_info(&pdev->dev, "no copy engine\n");
	return 0;
}

static int t2_probe_pci(struct pci_dev *pdev)
{
	struct dentry *dir = t2_add_folder(pdev);

	return dir ? t2_engine_add(pdev, dir) : -ENOMEM;
}

/* The size of the device's memory is what range 1 of its CXL Device DVSEC says. */
static int t2_capacity(struct pci_dev *pdev, u16 dvsec, u64 *capacity)
{
	u32 high, low;
	int rc;

	rc = pci_read_config_dword(pdev, dvsec + PCI_DVSEC_CXL_RANGE_SIZE_HIGH(0), &high);
	if (!rc)
		rc = pci_read_config_dword(pdev, dvsec + PCI_DVSEC_CXL_RANGE_SIZE_LOW(0), &low);
	if (rc)
		return pcibios_err_to_errno(rc);

	*capacity = (u64)high << 32 | (low & PCI_DVSEC_CXL_MEM_SIZE_LOW);
	if (!(low & PCI_DVSEC_CXL_MEM_INFO_VALID) || !*capacity)
		return -ENODEV;
	return 0;
}

static int t2_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	const struct cxl_component_reg_map *regs;
	struct device *dev = &pdev->dev;
	struct cxl_memdev *cxlmd;
	struct t2_device *t2;
	u64 capacity;
	u16 dvsec;
	int rc;

	rc = pcim_enable_device(pdev);
	if (rc)
		return dev_err_probe(dev, rc, "cannot enable the device\n");
	if (pci_only)
		return t2_probe_pci(pdev);
	if (!pcie_is_cxl(pdev))
		return dev_err_probe(dev, -ENODEV, "the link is not a CXL link\n");

	dvsec = pci_find_dvsec_capability(pdev, PCI_VENDOR_ID_CXL, PCI_DVSEC_CXL_DEVICE);
	if (!dvsec)
		return dev_err_probe(dev, -ENODEV, "no CXL Device DVSEC\n");
	rc = t2_capacity(pdev, dvsec, &capacity);
	if (rc)
		return dev_err_probe(dev, rc, "no memory size in the CXL Device DVSEC\n");

	t2 = devm_cxl_dev_state_create(dev, CXL_DEVTYPE_DEVMEM, pci_get_dsn(pdev), dvsec,
				       struct t2_device, cxlds, false);
	if (!t2)
		return -ENOMEM;
	rc = devm_mutex_init(dev, &t2->lock);
	if (rc)
		return rc;

	rc = cxl_pci_setup_regs(pdev, CXL_REGLOC_RBI_COMPONENT, &t2->cxlds.reg_map);
	if (rc)
		return dev_err_probe(dev, rc, "no component registers\n");
	regs = &t2->cxlds.reg_map.component_map;
	if (!regs->hdm_decoder.valid || !regs->ras.valid)
		return dev_err_probe(dev, -ENODEV, "component registers lack %s\n",
				     regs->ras.valid ? "HDM decoders" : "RAS");

	/* The memory needs no initialisation that could be waited for. */
	t2->cxlds.media_ready = true;
	rc = cxl_set_capacity(&t2->cxlds, capacity);
	if (rc)
		return dev_err_probe(dev, rc, "capacity 0x%llx refused\n", capacity);

	cxlmd = devm_cxl_probe_mem(&t2->cxlds, &t2->range);
	if (IS_ERR(cxlmd))
		return dev_err_probe(dev, PTR_ERR(cxlmd), "the CXL core made no region\n");

	if (!devm_request_mem_region(dev, t2->range.start, range_len(&t2->range), KBUILD_MODNAME))
		return dev_err_probe(dev, -EBUSY, "the region is in use\n");
	t2->memory = devm_memremap(dev, t2->range.start, range_len(&t2->range), MEMREMAP_WB);
	if (IS_ERR(t2->memory))
		return dev_err_probe(dev, PTR_ERR(t2->memory), "cannot map the region\n");

	pci_set_drvdata(pdev, t2);
	rc = t2_add_debugfs(pdev, t2);
	if (rc)
		return rc;

	dev_info(dev, "region %pra\n", &t2->range);
	return 0;
}

static const struct pci_device_id t2_ids[] = {
	{ PCI_DEVICE(CXLVM_T2_VENDOR, CXLVM_T2_DEVICE) },
	{},
};
MODULE_DEVICE_TABLE(pci, t2_ids);

static struct pci_driver t2_driver = {
	.name = KBUILD_MODNAME,
	.id_table = t2_ids,
	.probe = t2_probe,
};

static int __init t2_init(void)
{
	int rc;

	t2_debugfs_root = debugfs_create_dir(KBUILD_MODNAME, NULL);
	rc = pci_register_driver(&t2_driver);
	if (rc)
		debugfs_remove(t2_debugfs_root);
	return rc;
}
module_init(t2_init);

static void __exit t2_exit(void)
{
	pci_unregister_driver(&t2_driver);
	debugfs_remove(t2_debugfs_root);
}
module_exit(t2_exit);

MODULE_DESCRIPTION("CXL Type-2 software device");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_IMPORT_NS("CXL");
/* Without a CXL root the probe fails, and nothing repeats it. */
MODULE_SOFTDEP("pre: cxl_acpi");

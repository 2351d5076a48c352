// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Files in debugfs, below cxlvm_lab:
 *
 *   dma                     DMA ranges that users of type1 have mapped and unmapped, and maps and
 *                           unmaps that were refused, with the last error number; a write sets them to 0
 *   DEVICE/memory           the device's own view of its memory: read, write, seek; of a PCI function
 *                           while it is open and its Memory Space is on
 *   DEVICE/state            generation, size, what can be reached now
 *   DEVICE/counters         "NAME COUNT", one a line; a write sets them to 0
 *   DEVICE/revoke           (write) mappings of device memory go, and nobody reaches it
 *   DEVICE/restore          (write) until this
 *   DEVICE/memory_space     0 or 1: the real Memory Space bit, whoever else wrote it
 *   DEVICE/locked           0 or 1: the real decoder's lock, as firmware left it; after the next open or reset
 *   DEVICE/low_power        0 or 1: what VFIO's feature of this name does, by the kernel itself
 *   DEVICE/notify           (write) "error" or "request": VFIO's notices
 *   DEVICE/fail             (write) "CALL N ERRNO [TIMES]": the N-th CALL from now on fails with
 *                           this error number, and TIMES - 1 more; CALL is one of counters.
 *                           With EINTR (4) it does not return before its caller is killed
 *   DEVICE/short_reads      bytes that a read of a region returns at most; 0: all
 *   DEVICE/quirks           names, separated by commas, as the module's parameter; from now on
 *   DEVICE/quirk_times      how often reset-again and decoder-late; belongs to the next quirks
 *   DEVICE/hostile          none, overlap, outside, misplaced, huge or endless: what is wrong with
 *                           answers about device and regions
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "lab.h"

#define LINE_MAX 512

static struct dentry *root;

/* Memory of hardware is there while somebody has opened it and switched it on. */
static bool is_out_of_reach(const struct lab_device *lab)
{
	return lab->memory_is_bar && !READ_ONCE(lab->bars_open);
}

static ssize_t memory_read(struct file *file, char __user *buf, size_t count, loff_t *pos)
{
	struct lab_device *lab = file->private_data;
	u64 size = lab->memory.size;
	ssize_t ret;

	if (*pos < 0 || *pos >= size)
		return 0;
	if (is_out_of_reach(lab))
		return -EIO;
	ret = lab_memory_to_user(&lab->memory, *pos, buf, min_t(u64, count, size - *pos));
	if (ret > 0)
		*pos += ret;
	return ret;
}

static ssize_t memory_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct lab_device *lab = file->private_data;
	u64 size = lab->memory.size;
	ssize_t ret;

	if (*pos < 0 || *pos >= size)
		return -ENOSPC;
	if (is_out_of_reach(lab))
		return -EIO;
	ret = lab_memory_from_user(&lab->memory, *pos, buf, min_t(u64, count, size - *pos));
	if (ret > 0)
		*pos += ret;
	return ret;
}

static loff_t memory_seek(struct file *file, loff_t offset, int whence)
{
	struct lab_device *lab = file->private_data;

	return fixed_size_llseek(file, offset, whence, lab->memory.size);
}

static const struct file_operations memory_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = memory_read,
	.write = memory_write,
	.llseek = memory_seek,
};

/* A line that was written, without its end. The caller frees it. */
static char *line_of(const char __user *buf, size_t count)
{
	char *line;

	if (count > LINE_MAX)
		return ERR_PTR(-E2BIG);
	line = memdup_user_nul(buf, count);
	if (!IS_ERR(line))
		strim(line);
	return line;
}

static int state_show(struct seq_file *out, void *unused)
{
	struct lab_device *lab = out->private;
	unsigned int generation = lab->shape.facts.generation;

	mutex_lock(&lab->lock);
	seq_printf(out, "generation %u%s\n", generation == SHAPE_GENERATION_2N ? 2 : generation,
		   generation == SHAPE_GENERATION_2N ? "n" : "");
	seq_printf(out, "size %llu\n", lab->memory.size);
	seq_printf(out, "backing %s\n", lab->memory.range ? "range" : "pages");
	seq_printf(out, "base 0x%llx\n", lab->dev.settings.base.value);
	seq_printf(out, "open %d\n", lab->open);
	seq_printf(out, "memory-reachable %d\n", lab->memory_open);
	seq_printf(out, "bars-reachable %d\n", lab->bars_open);
	seq_printf(out, "revoked %d\n", lab->revoked);
	seq_printf(out, "low-power %d\n", lab->low_power);
	seq_printf(out, "engine-busy %d\n", swdev_engine_busy(&lab->dev));
	mutex_unlock(&lab->lock);
	return 0;
}

DEFINE_SHOW_ATTRIBUTE(state);

static int counters_show(struct seq_file *out, void *unused)
{
	struct lab_device *lab = out->private;

	for (unsigned int i = 0; i < LAB_N_COUNTS; i++)
		seq_printf(out, "%s %lld\n", lab_count_name(i), atomic64_read(&lab->counts[i]));
	return 0;
}

static struct lab_device *lab_of(struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

static ssize_t counters_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct lab_device *lab = lab_of(file);

	for (unsigned int i = 0; i < LAB_N_COUNTS; i++)
		atomic64_set(&lab->counts[i], 0);
	return count;
}

DEFINE_SHOW_STORE_ATTRIBUTE(counters);

static void set_revoked(struct lab_device *lab, bool revoked)
{
	mutex_lock(&lab->lock);
	lab->revoked = revoked;
	if (revoked)
		lab_revoke_memory(lab);
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
}

static ssize_t revoke_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	set_revoked(file->private_data, true);
	return count;
}

static ssize_t restore_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	set_revoked(file->private_data, false);
	return count;
}

static ssize_t notify_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char *line = line_of(buf, count);
	bool error;

	if (IS_ERR(line))
		return PTR_ERR(line);
	error = !strcmp(line, "error");
	if (!error && strcmp(line, "request")) {
		kfree(line);
		return -EINVAL;
	}
	kfree(line);
	lab_notify(file->private_data, error);
	return count;
}

static ssize_t fail_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char *line = line_of(buf, count);
	ssize_t ret;

	if (IS_ERR(line))
		return PTR_ERR(line);
	ret = lab_failure_set(file->private_data, line) ?: count;
	kfree(line);
	return ret;
}

#define WRITE_ONLY(name)                                    \
	static const struct file_operations name##_fops = { \
		.owner = THIS_MODULE,                       \
		.open = simple_open,                        \
		.write = name##_write,                      \
	}

WRITE_ONLY(revoke);
WRITE_ONLY(restore);
WRITE_ONLY(notify);
WRITE_ONLY(fail);

static int memory_space_get(void *data, u64 *value)
{
	struct lab_device *lab = data;

	mutex_lock(&lab->lock);
	*value = swdev_memory_space(&lab->dev);
	mutex_unlock(&lab->lock);
	return 0;
}

static int memory_space_set(void *data, u64 value)
{
	struct lab_device *lab = data;

	mutex_lock(&lab->lock);
	reg_set(lab->dev.config, 0, &pci_header_table.rows[PCI_MEMORY_SPACE], value != 0);
	lab_update_gates(lab);
	mutex_unlock(&lab->lock);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(memory_space_fops, memory_space_get, memory_space_set, "%llu\n");

static int locked_get(void *data, u64 *value)
{
	struct lab_device *lab = data;

	mutex_lock(&lab->lock);
	*value = hdm_get(swdev_hdm(&lab->dev), 0, 0, HDM_CTL_LOCK);
	mutex_unlock(&lab->lock);
	return 0;
}

static int locked_set(void *data, u64 value)
{
	struct lab_device *lab = data;

	mutex_lock(&lab->lock);
	hdm_set(lab->firmware ?: &lab->dev.cm[SWDEV_HDM_OFFSET / 4], 0, 0, HDM_CTL_LOCK,
		value != 0);
	mutex_unlock(&lab->lock);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(locked_fops, locked_get, locked_set, "%llu\n");

static int low_power_get(void *data, u64 *value)
{
	struct lab_device *lab = data;

	*value = READ_ONCE(lab->low_power);
	return 0;
}

static int low_power_set(void *data, u64 value)
{
	lab_set_low_power(data, value != 0);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(low_power_fops, low_power_get, low_power_set, "%llu\n");

static int quirks_show(struct seq_file *out, void *unused)
{
	struct lab_device *lab = out->private;
	char names[LINE_MAX];

	mutex_lock(&lab->lock);
	lab_quirks_print(&lab->shape.quirks, names, sizeof(names));
	mutex_unlock(&lab->lock);
	seq_printf(out, "%s\n", names);
	return 0;
}

static ssize_t quirks_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct lab_device *lab = lab_of(file);
	char *line = line_of(buf, count);
	struct shape_quirks quirks;
	ssize_t ret;

	if (IS_ERR(line))
		return PTR_ERR(line);
	mutex_lock(&lab->lock);
	quirks.times = lab->shape.quirks.times;
	ret = lab_quirks_parse(line, &quirks);
	if (!ret) {
		kernel_shape_set_quirks(&lab->shape, &quirks);
		lab_update_gates(lab);
	}
	mutex_unlock(&lab->lock);
	kfree(line);
	return ret ?: count;
}

DEFINE_SHOW_STORE_ATTRIBUTE(quirks);

static int hostile_show(struct seq_file *out, void *unused)
{
	struct lab_device *lab = out->private;

	seq_printf(out, "%s\n", lab_hostile_names[READ_ONCE(lab->hostile)]);
	return 0;
}

static ssize_t hostile_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	char *line = line_of(buf, count);
	int which;

	if (IS_ERR(line))
		return PTR_ERR(line);
	which = match_string(lab_hostile_names, LAB_N_HOSTILE, line);
	kfree(line);
	if (which < 0)
		return -EINVAL;
	WRITE_ONCE(lab_of(file)->hostile, which);
	return count;
}

DEFINE_SHOW_STORE_ATTRIBUTE(hostile);

void lab_debug_add(struct lab_device *lab, const char *name)
{
	struct dentry *memory;

	lab->debug = debugfs_create_dir(name, root);
	memory = debugfs_create_file("memory", 0600, lab->debug, lab, &memory_fops);
	if (!IS_ERR(memory))
		i_size_write(d_inode(memory), lab->memory.size);
	debugfs_create_file("state", 0400, lab->debug, lab, &state_fops);
	debugfs_create_file("counters", 0600, lab->debug, lab, &counters_fops);
	debugfs_create_file("revoke", 0200, lab->debug, lab, &revoke_fops);
	debugfs_create_file("restore", 0200, lab->debug, lab, &restore_fops);
	debugfs_create_file("memory_space", 0600, lab->debug, lab, &memory_space_fops);
	debugfs_create_file("locked", 0600, lab->debug, lab, &locked_fops);
	debugfs_create_file("low_power", 0600, lab->debug, lab, &low_power_fops);
	debugfs_create_file("notify", 0200, lab->debug, lab, &notify_fops);
	debugfs_create_file("fail", 0200, lab->debug, lab, &fail_fops);
	debugfs_create_u32("short_reads", 0600, lab->debug, &lab->short_reads);
	debugfs_create_file("quirks", 0600, lab->debug, lab, &quirks_fops);
	debugfs_create_u32("quirk_times", 0600, lab->debug, &lab->shape.quirks.times);
	debugfs_create_file("hostile", 0600, lab->debug, lab, &hostile_fops);
}

void lab_debug_remove(struct lab_device *lab)
{
	debugfs_remove(lab->debug);
}

int lab_debug_init(void)
{
	root = debugfs_create_dir(LAB_NAME, NULL);
	if (IS_ERR(root))
		return PTR_ERR(root);
	lab_watch_init(root);
	return 0;
}

void lab_debug_finish(void)
{
	lab_watch_finish();
	debugfs_remove(root);
}

// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * The copy engine of the CXL Type-2 software device, behind BAR 2: docs/device.md has its registers.
 * Files in debugfs:
 *
 *   engine     (write)  "to ADDRESS LENGTH SEED": expand the pattern of SEED in guest memory and have
 *                       it copied to the device memory at ADDRESS; "from ADDRESS LENGTH SEED": have
 *                       it copied from there, and compare; "poke" and "peek": the same without
 *                       the engine, through the device memory as BAR 4. All in hex; ADDRESS and
 *                       LENGTH are multiples of 8. "try ADDRESS LENGTH SEED DIRECTION VECTOR":
 *                       the pattern of SEED in guest memory, and the engine's registers as told,
 *                       which may be wrong; guest memory is the destination where bit 0 of
 *                       DIRECTION says so, else the source; B counts in all of guest memory
 *              (read)   how the last one went: "done D error E bytes N vector V interrupts I bad B";
 *                       B is the number of 64-bit words that differ
 *   registers  (read)   "version V limit L scratch S component C": S is "kept" when what was
 *                       written to a register is read from it, C the header of the CM area in BAR 0
 *
 * Each copy uses the next one of the interrupt vectors.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/interrupt.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "engine.h"
#include "pattern.h"

#define ENGINE_BAR         2
#define ENGINE_VERSION     0x00
#define ENGINE_LIMIT       0x04
#define ENGINE_DIRECTION   0x08
#define ENGINE_INTERRUPT   BIT(8)
#define ENGINE_VECTOR      0x0c
#define ENGINE_SOURCE      0x10
#define ENGINE_DESTINATION 0x18
#define ENGINE_LENGTH      0x20
#define ENGINE_DOORBELL    0x24
#define ENGINE_STATUS      0x28
#define ENGINE_BUSY        BIT(0)
#define ENGINE_DONE        BIT(1)
#define ENGINE_ERROR(s)    ((s) >> 8 & 0xff)
#define ENGINE_BYTES       0x2c

#define MEMORY_BAR 4

#define COMPONENT_BAR    0
#define COMPONENT_HEADER 0x11000

#define VECTORS     4
#define BUFFER_SIZE SZ_1M
#define PATIENCE    (20 * HZ)

/**
 * struct t2_engine - one device's copy engine
 * @pdev: the device
 * @regs: BAR 2
 * @buffer: guest memory that is copied
 * @dma: its address for the device
 * @vectors: interrupt vectors that there are
 * @next: the one for the next copy
 * @interrupts: how often each came during the last copy
 * @arrived: one did
 * @lock: one copy at a time; protects what follows
 * @vector: of the last copy
 * @status: register at its end
 * @bytes: register at its end
 * @bad: words that differ
 */
struct t2_engine {
	struct pci_dev *pdev;
	void __iomem *regs;
	u64 *buffer;
	dma_addr_t dma;
	int vectors;
	int next;
	atomic_t interrupts[VECTORS];
	struct completion arrived;
	struct mutex lock;
	int vector;
	u32 status;
	u32 bytes;
	u64 bad;
};

struct t2_vector {
	struct t2_engine *engine;
	int number;
};

static irqreturn_t t2_interrupt(int irq, void *data)
{
	struct t2_vector *vector = data;

	atomic_inc(&vector->engine->interrupts[vector->number]);
	complete(&vector->engine->arrived);
	return IRQ_HANDLED;
}

/* Status and bytes, when the engine is idle. */
static int t2_result(struct t2_engine *engine)
{
	engine->status = readl(engine->regs + ENGINE_STATUS);
	engine->bytes = readl(engine->regs + ENGINE_BYTES);
	return engine->status & ENGINE_BUSY ? -ETIMEDOUT : 0;
}

static void t2_start(struct t2_engine *engine, u32 direction, u32 vector, u64 address, u32 length)
{
	bool from_device = direction & 1;
	int i;

	for (i = 0; i < VECTORS; i++)
		atomic_set(&engine->interrupts[i], 0);
	reinit_completion(&engine->arrived);
	writel(direction, engine->regs + ENGINE_DIRECTION);
	writel(vector, engine->regs + ENGINE_VECTOR);
	writeq(from_device ? address : engine->dma, engine->regs + ENGINE_SOURCE);
	writeq(from_device ? engine->dma : address, engine->regs + ENGINE_DESTINATION);
	writel(length, engine->regs + ENGINE_LENGTH);
	writel(1, engine->regs + ENGINE_DOORBELL);
}

static int t2_run(struct t2_engine *engine, bool to_device, u64 address, u32 length)
{
	engine->vector = engine->next;
	engine->next = (engine->next + 1) % engine->vectors;
	t2_start(engine, (to_device ? 0 : 1) | ENGINE_INTERRUPT, engine->vector, address, length);
	if (!wait_for_completion_timeout(&engine->arrived, PATIENCE))
		dev_warn(&engine->pdev->dev, "copy without an interrupt, status 0x%x\n",
			 readl(engine->regs + ENGINE_STATUS));
	return t2_result(engine);
}

/* Registers that may be wrong: without waiting for an interrupt. */
static int t2_try(struct t2_engine *engine, u32 direction, u32 vector, u64 address, u32 length,
		  u64 seed)
{
	unsigned long end = jiffies + PATIENCE;
	u64 i;
	int rc;

	for (i = 0; i < BUFFER_SIZE / sizeof(u64); i++)
		engine->buffer[i] = pattern_word(seed, i);
	engine->vector = vector < VECTORS ? vector : 0;
	t2_start(engine, direction, vector, address, length);
	do {
		msleep(1);
		rc = t2_result(engine);
	} while (rc && time_before(jiffies, end));
	engine->bad = 0;
	for (i = 0; i < BUFFER_SIZE / sizeof(u64); i++)
		engine->bad += READ_ONCE(engine->buffer[i]) != pattern_word(seed, i);
	return rc;
}

/* With loads and stores of this processor. */
static int t2_reach(struct t2_engine *engine, bool to_device, u64 address, u32 length)
{
	void __iomem *memory = pci_iomap_wc_range(engine->pdev, MEMORY_BAR, address, length);

	if (!memory)
		return -ENXIO;
	if (to_device)
		memcpy_toio(memory, engine->buffer, length);
	else
		memcpy_fromio(engine->buffer, memory, length);
	pci_iounmap(engine->pdev, memory);
	engine->status = ENGINE_DONE;
	engine->bytes = length;
	for (int i = 0; i < VECTORS; i++)
		atomic_set(&engine->interrupts[i], 0);
	return 0;
}

static int t2_copy(struct t2_engine *engine, const char *way, u64 address, u32 length, u64 seed)
{
	bool by_engine = !strcmp(way, "to") || !strcmp(way, "from");
	bool to_device = !strcmp(way, "to") || !strcmp(way, "poke");
	u64 first = address / sizeof(u64), words = length / sizeof(u64), i;
	int rc;

	if (!length || length > BUFFER_SIZE || (address | length) % sizeof(u64))
		return -EINVAL;
	for (i = 0; i < words; i++)
		engine->buffer[i] = to_device ? pattern_word(seed, first + i) : ~0ULL;
	engine->bad = 0;
	rc = by_engine ? t2_run(engine, to_device, address, length)
		       : t2_reach(engine, to_device, address, length);
	for (i = 0; i < words; i++)
		engine->bad += READ_ONCE(engine->buffer[i]) != pattern_word(seed, first + i);
	return rc;
}

static int engine_show(struct seq_file *file, void *unused)
{
	struct t2_engine *engine = file->private;
	int i, others = 0;

	guard(mutex)(&engine->lock);
	for (i = 0; i < VECTORS; i++)
		if (i != engine->vector)
			others += atomic_read(&engine->interrupts[i]);
	seq_printf(file, "done %d error %u bytes %u vector %d interrupts %d others %d bad %llu\n",
		   !!(engine->status & ENGINE_DONE), ENGINE_ERROR(engine->status), engine->bytes,
		   engine->vector, atomic_read(&engine->interrupts[engine->vector]), others,
		   engine->bad);
	return 0;
}

static ssize_t engine_write(struct file *file, const char __user *buf, size_t count, loff_t *pos)
{
	struct t2_engine *engine = ((struct seq_file *)file->private_data)->private;
	u64 address, seed;
	char text[80], way[8];
	u32 length, direction, vector;
	int rc, words;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, buf, count))
		return -EFAULT;
	text[count] = '\0';
	words = sscanf(text, "%7s %llx %x %llx %x %x", way, &address, &length, &seed, &direction,
		       &vector);
	if (words != (strcmp(way, "try") ? 4 : 6))
		return -EINVAL;
	rc = mutex_lock_interruptible(&engine->lock);
	if (rc)
		return rc;
	rc = words == 6 ? t2_try(engine, direction, vector, address, length, seed)
			: t2_copy(engine, way, address, length, seed);
	mutex_unlock(&engine->lock);
	return rc ? rc : count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(engine);

static int registers_show(struct seq_file *file, void *unused)
{
	struct t2_engine *engine = file->private;
	u64 scratch = 0x0123456789abcde8ULL;
	void __iomem *component;
	u32 header = ~0;
	bool kept;

	guard(mutex)(&engine->lock);
	writeq(scratch, engine->regs + ENGINE_SOURCE);
	kept = readq(engine->regs + ENGINE_SOURCE) == scratch;
	writel(0, engine->regs + ENGINE_SOURCE);
	kept = kept && readq(engine->regs + ENGINE_SOURCE) == (scratch & ~0xffffffffULL);
	component = pci_iomap_range(engine->pdev, COMPONENT_BAR, COMPONENT_HEADER, 4);
	if (component) {
		header = readl(component);
		pci_iounmap(engine->pdev, component);
	}
	seq_printf(file, "version %u limit 0x%x scratch %s component 0x%08x\n",
		   readl(engine->regs + ENGINE_VERSION), readl(engine->regs + ENGINE_LIMIT),
		   kept ? "kept" : "lost", header);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(registers);

static int t2_request_vectors(struct t2_engine *engine)
{
	struct device *dev = &engine->pdev->dev;
	int i, rc;

	engine->vectors = pci_alloc_irq_vectors(engine->pdev, 1, VECTORS, PCI_IRQ_MSIX);
	if (engine->vectors < 0)
		return dev_err_probe(dev, engine->vectors, "no MSI-X\n");
	for (i = 0; i < engine->vectors; i++) {
		struct t2_vector *vector = devm_kzalloc(dev, sizeof(*vector), GFP_KERNEL);

		if (!vector)
			return -ENOMEM;
		vector->engine = engine;
		vector->number = i;
		rc = devm_request_irq(dev, pci_irq_vector(engine->pdev, i), t2_interrupt, 0,
				      KBUILD_MODNAME, vector);
		if (rc)
			return dev_err_probe(dev, rc, "interrupt vector %d\n", i);
	}
	return 0;
}

int t2_engine_add(struct pci_dev *pdev, struct dentry *dir)
{
	struct device *dev = &pdev->dev;
	struct t2_engine *engine = devm_kzalloc(dev, sizeof(*engine), GFP_KERNEL);
	int rc;

	if (!engine)
		return -ENOMEM;
	engine->pdev = pdev;
	init_completion(&engine->arrived);
	rc = devm_mutex_init(dev, &engine->lock);
	if (rc)
		return rc;
	engine->regs = pcim_iomap(pdev, ENGINE_BAR, 0);
	if (!engine->regs)
		return dev_err_probe(dev, -ENODEV, "no copy engine in BAR %d\n", ENGINE_BAR);
	rc = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (rc)
		return dev_err_probe(dev, rc, "no 64-bit DMA\n");
	engine->buffer = dmam_alloc_coherent(dev, BUFFER_SIZE, &engine->dma, GFP_KERNEL);
	if (!engine->buffer)
		return -ENOMEM;
	pci_set_master(pdev);
	rc = t2_request_vectors(engine);
	if (rc)
		return rc;
	debugfs_create_file("engine", 0600, dir, engine, &engine_fops);
	debugfs_create_file("registers", 0400, dir, engine, &registers_fops);
	return 0;
}

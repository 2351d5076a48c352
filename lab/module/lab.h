/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The lab's device: the software CXL Type-2 device of src/device behind a kernel of src/kernel_shape,
 * offered by this kernel's VFIO. What is here serves both forms: a platform device without hardware
 * (platform.c) and a driver for an emulated PCI function (pci.c).
 *
 * Locks, outermost first:
 *   lock         device, kernel shape, interrupts; held for one access or one step of the copy
 *                engine, never while user memory is read or written, except by vfio_dma_rw
 *   memory_lock  written while mappings are taken away, read by faults
 * The lock of struct lab_memory and the spin lock of failures are the innermost.
 */
#ifndef CXLVM_LAB_MODULE_H
#define CXLVM_LAB_MODULE_H

#include <linux/atomic.h>
#include <linux/eventfd.h>
#include <linux/lockdep.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>
#include <linux/vfio.h>
#include <linux/workqueue.h>

#include "base/math.h"
#include "kernel_shape/shape.h"
#include "kernel_shape/uapi.h"

#define LAB_NAME "cxlvm_lab"

/* Dwords of config space up to the last BAR: what VFIO puts back when a device is closed. */
#define LAB_HEADER_DWORDS 10

/* Calls that can be made to fail: one name of debugfs' file "fail" each. */
#define LAB_CALLS(C)                    \
	C(OPEN, "open")                 \
	C(INFO, "info")                 \
	C(REGION_INFO, "region-info")   \
	C(IRQ_INFO, "irq-info")         \
	C(SET_IRQS, "set-irqs")         \
	C(RESET, "reset")               \
	C(FEATURE, "feature")           \
	C(CONFIG_READ, "config-read")   \
	C(CONFIG_WRITE, "config-write") \
	C(BAR_READ, "bar-read")         \
	C(BAR_WRITE, "bar-write")       \
	C(REGS_READ, "register-read")   \
	C(REGS_WRITE, "register-write") \
	C(MEMORY_READ, "memory-read")   \
	C(MEMORY_WRITE, "memory-write") \
	C(MMAP, "mmap")                 \
	C(FAULT, "fault")

#define LAB_CALL_ID(id, name) LAB_CALL_##id,
enum lab_call { LAB_CALLS(LAB_CALL_ID) LAB_N_CALLS };

/* What else is counted; the calls above are counted too. */
#define LAB_EVENTS(E)                      \
	E(CLOSES, "close")                 \
	E(HUGE_FAULTS, "huge-fault")       \
	E(FAULTS_REFUSED, "fault-refused") \
	E(DEVICE_RESETS, "device-reset")   \
	E(REVOKES, "revoke")               \
	E(INTERRUPTS, "interrupt")         \
	E(DMA_READS, "dma-read")           \
	E(DMA_WRITES, "dma-write")         \
	E(DMA_FAILED, "dma-failed")        \
	E(DMA_UNMAPS, "dma-unmap-notice")  \
	E(INJECTED, "injected-failure")

#define LAB_EVENT_ID(id, name) LAB_##id,
enum lab_event { LAB_FIRST_EVENT = LAB_N_CALLS - 1, LAB_EVENTS(LAB_EVENT_ID) LAB_N_COUNTS };

/* The next failures of one call. */
struct lab_failure {
	u32 calls; /* that succeed before */
	u32 times;
	int error; /* errno, positive */
};

/* Memory of the device: pages that are made when first touched, or a range that nobody else uses. */
struct lab_memory {
	u64 size;
	void *range;   /* NULL: pages */
	bool borrowed; /* the range is somebody else's mapping */
	phys_addr_t range_at;
	struct page **chunks; /* of LAB_CHUNK bytes each; NULL: reads 0 */
	struct mutex lock;    /* to make chunks */
	unsigned long
		*used; /* one bit per LAB_CHUNK bytes: may have been written since it was cleared */
};

#define LAB_CHUNK_ORDER 9
#define LAB_CHUNK       (PAGE_SIZE << LAB_CHUNK_ORDER)

struct lab_device {
	struct vfio_device *vdev;
	/* The region that users know the component BAR by, and whether memory is behind a BAR as well. */
	u32 component_region;
	bool memory_is_bar;
	/* With lock held: what hardware's decoder is now goes to the software device. NULL: it has none. */
	void (*sample)(struct lab_device *lab);
	u32 *firmware; /* what hardware's is after the next open or reset */
	struct mutex lock;
	struct swdev dev;
	struct swdev_bus bus;
	struct kernel_shape shape;
	struct eventfd_ctx *triggers[SWDEV_MSIX_VECTORS];
	struct eventfd_ctx *error, *request; /* who wants to hear of these */
	struct work_struct engine;
	uint32_t header[LAB_HEADER_DWORDS]; /* config space when the device was opened */
	bool open;

	struct rw_semaphore memory_lock;
	bool memory_open, bars_open; /* faults are served */
	bool revoked;                /* by debugfs */
	bool low_power;
	struct lab_memory memory;
	void *scratch; /* SWDEV_BAR_SIZE bytes: BAR 0 outside of the CM area */

	spinlock_t failures_lock;
	struct lab_failure failures[LAB_N_CALLS];
	u32 short_reads; /* bytes that a read returns at most; 0: all */
	u32 hostile;     /* enum lab_hostile */
	atomic64_t counts[LAB_N_COUNTS];
	struct dentry *debug;
};

/* What one device is made from. */
struct lab_settings {
	unsigned int generation;
	u64 size;
	phys_addr_t memory_at; /* 0: pages */
	void *mapped;          /* it, by the caller, who keeps it; NULL: it is mapped here */
	bool memory_is_bar;
	void (*sample)(struct lab_device *lab);
	u32 *firmware;
	u32 component_region;
	u64 serial;
	struct shape_quirks quirks;
};

static inline void lab_count(struct lab_device *lab, unsigned int what)
{
	atomic64_inc(&lab->counts[what]);
}

/* device.c: one device. vdev has to outlive it. */
int lab_device_init(struct lab_device *lab, struct vfio_device *vdev,
		    const struct lab_settings *settings);
void lab_device_finish(struct lab_device *lab);
int lab_device_open(struct lab_device *lab);
void lab_device_close(struct lab_device *lab);
int lab_device_reset(struct lab_device *lab);
/* The same without counting the call: what comes after a reset of hardware, if there is any. */
int lab_shape_reset(struct lab_device *lab);
/* Hardware says whether its memory is reached. */
void lab_follow(struct lab_device *lab, bool memory_space, bool low_power);
void lab_set_low_power(struct lab_device *lab, bool low);

/* With lock held, before the software device is asked about its decoder. */
static inline void lab_sample(struct lab_device *lab)
{
	lockdep_assert_held(&lab->lock);
	if (lab->sample)
		lab->sample(lab);
}

/* With lock held, after whatever can have changed it: what may no longer be reached is unmapped. */
void lab_update_gates(struct lab_device *lab);
/* With lock held: mappings of device memory are taken away; whoever touches it faults again. */
void lab_revoke_memory(struct lab_device *lab);

/* region.c: read and write of all regions. */
ssize_t lab_region_read(struct lab_device *lab, char __user *buf, size_t count, loff_t *ppos);
ssize_t lab_region_write(struct lab_device *lab, const char __user *buf, size_t count,
			 loff_t *ppos);

/* info.c: what is said about the device. */
long lab_info(struct lab_device *lab, void __user *arg);
long lab_irq_info(struct lab_device *lab, void __user *arg);
int lab_region_info(struct lab_device *lab, struct vfio_region_info *info,
		    struct vfio_info_cap *caps);

/* irq.c */
long lab_set_irqs(struct lab_device *lab, void __user *arg);
/* With lock held. */
void lab_irqs_off(struct lab_device *lab);
void lab_interrupt(void *owner, unsigned int vector);
/* Tell whoever listens that there was an error, or that the device is wanted back. */
void lab_notify(struct lab_device *lab, bool error);

/* engine.c: what the copy engine reaches, and who runs it. */
void lab_engine_init(struct lab_device *lab);
/* With lock held, after a write that can have begun a command. */
void lab_engine_kick(struct lab_device *lab);

/* memory.c: copies are in or out of the kernel, the rest is for mappings. */
int lab_memory_init(struct lab_memory *memory, const struct lab_settings *settings);
void lab_memory_finish(struct lab_memory *memory);
/* The page frame at an offset; a negative errno when there is no memory for it. */
int lab_memory_frame(struct lab_memory *memory, u64 offset, unsigned long *pfn);
/* It is mapped, or was written: the next time that memory is cleared this part is. */
void lab_memory_used(struct lab_memory *memory, u64 offset);
int lab_memory_read(struct lab_memory *memory, u64 offset, void *buf, size_t len);
int lab_memory_write(struct lab_memory *memory, u64 offset, const void *buf, size_t len);
/* In user memory. The number of bytes, or a negative errno if there are none. */
ssize_t lab_memory_to_user(struct lab_memory *memory, u64 offset, char __user *buf, size_t len);
ssize_t lab_memory_from_user(struct lab_memory *memory, u64 offset, const char __user *buf,
			     size_t len);
/* Nothing is mapped while this happens. */
void lab_memory_clear(struct lab_memory *memory);

/* map.c */
int lab_mmap(struct lab_device *lab, struct vm_area_struct *vma);

/*
 * inject.c: 0, or the negative errno that this call fails with; EINTR comes when the caller is killed. Counts
 * the call, then the failure.
 */
int lab_call(struct lab_device *lab, enum lab_call call);
/* "CALL N ERRNO [TIMES]": the N-th call from now on fails, and TIMES - 1 more. */
int lab_failure_set(struct lab_device *lab, char *text);
const char *lab_count_name(unsigned int what);

/*
 * Answers that are more hostile than what a kernel shape gives, in region info: what stands in
 * debugfs' file "hostile".
 */
enum lab_hostile {
	LAB_HONEST,
	LAB_OVERLAP,   /* a capability begins inside another; the areas of a BAR overlap */
	LAB_OUTSIDE,   /* the chain leaves the answer */
	LAB_MISPLACED, /* the chain begins inside the fixed part */
	LAB_HUGE,      /* device memory is said to be of 2^63 bytes */
	LAB_ENDLESS,   /* the answer grows each time that it is asked for */
	LAB_N_HOSTILE,
};

extern const char *const lab_hostile_names[LAB_N_HOSTILE];

/* quirks.c: names, separated by commas, to quirks and back. */
int lab_quirks_parse(const char *text, struct shape_quirks *quirks);
int lab_quirks_print(const struct shape_quirks *quirks, char *buf, size_t len);

/* debug.c: files of one device, those of the module. */
void lab_debug_add(struct lab_device *lab, const char *name);
void lab_debug_remove(struct lab_device *lab);
int lab_debug_init(void);
void lab_debug_finish(void);

/* watch.c: counts of the DMA maps and unmaps that type1 was asked for. */
void lab_watch_init(struct dentry *root);
void lab_watch_finish(void);

/* platform.c, pci.c: the two forms. */
int lab_platform_init(void);
void lab_platform_finish(void);
int lab_pci_init(void);
void lab_pci_finish(void);

/* main.c: what the parameters ask for. */
extern unsigned int lab_n_devices;
int lab_settings_of(unsigned int device, struct lab_settings *settings);

#endif

// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * What is said about the device. The kernel shape gives whole answers; this kernel's VFIO wants
 * those about regions in parts and puts them together itself. An answer that it would not put
 * together, a hostile one, is written over its own when the system call ends.
 */
#include <linux/compat.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/uaccess.h>

#include <asm/syscall.h>

#include "lab.h"

#define ANSWER_MAX 256u

const char *const lab_hostile_names[LAB_N_HOSTILE] = {
	[LAB_HONEST] = "none",         [LAB_OVERLAP] = "overlap", [LAB_OUTSIDE] = "outside",
	[LAB_MISPLACED] = "misplaced", [LAB_HUGE] = "huge",       [LAB_ENDLESS] = "endless",
};

/* A capability, of the answer with this size, that the last one in the chain is. */
static u32 last_capability(const u8 *answer, u32 size, u32 at)
{
	while (get_le32(answer + at + UAPI_CAP_NEXT) &&
	       range_fits(get_le32(answer + at + UAPI_CAP_NEXT), UAPI_CAP_HEADER, size) &&
	       get_le32(answer + at + UAPI_CAP_NEXT) > at)
		at = get_le32(answer + at + UAPI_CAP_NEXT);
	return at;
}

/* The areas of a sparse map, if the capability is one, share their bytes. */
static void overlap_areas(u8 *answer, u32 size, u32 cap)
{
	u32 second = cap + UAPI_SPARSE_AREAS + UAPI_SPARSE_AREA;

	if ((get_le32(answer + cap) & 0xffff) != UAPI_REGION_CAP_SPARSE ||
	    !range_fits(second, UAPI_SPARSE_AREA, size))
		return;
	memcpy(answer + second, answer + cap + UAPI_SPARSE_AREAS, UAPI_SPARSE_AREA);
}

/* Make an answer, whose chain begins at the dword cap_at, what the name says. Its new size. */
static u32 make_hostile(struct lab_device *lab, u8 *answer, u32 size, u32 fixed, u32 cap_at)
{
	u32 first = get_le32(answer + cap_at);
	u32 last = first ? last_capability(answer, size, first) : 0;

	switch ((enum lab_hostile)READ_ONCE(lab->hostile)) {
	case LAB_OVERLAP:
		if (!first)
			break;
		overlap_areas(answer, size, first);
		/* Four bytes into the first one, whatever it then is. */
		if (last != first)
			put_le32(answer + first + UAPI_CAP_NEXT, first + 4);
		break;
	case LAB_OUTSIDE:
		if (first)
			put_le32(answer + last + UAPI_CAP_NEXT, size + 0x1000);
		break;
	case LAB_MISPLACED:
		if (first)
			put_le32(answer + cap_at, 4);
		break;
	case LAB_HUGE:
		if (fixed == UAPI_REGION_SIZE &&
		    get_le32(answer + UAPI_REGION_INDEX) == SHAPE_REGION_MEMORY)
			put_le64(answer + UAPI_REGION_BYTES, (u64)1 << 63);
		break;
	case LAB_ENDLESS:
		put_le32(answer, U32_MAX);
		break;
	default:
		break;
	}
	return size;
}

static bool is_hostile(const struct lab_device *lab)
{
	return lab->shape.quirks.chain_loops || lab->shape.quirks.chain_short ||
	       READ_ONCE(lab->hostile) != LAB_HONEST;
}

/* The whole answer, as hostile as it is wanted, to user memory with room for argsz bytes. */
static int give(struct lab_device *lab, void __user *to, u32 argsz, bool region, u32 index)
{
	u32 fixed = region ? UAPI_REGION_SIZE : UAPI_INFO_SIZE;
	u32 cap_at = region ? UAPI_REGION_CAP_OFFSET : UAPI_INFO_CAP_OFFSET;
	size_t len = min_t(size_t, argsz, ANSWER_MAX), needed;
	u8 answer[ANSWER_MAX] = { 0 };
	int ret;

	mutex_lock(&lab->lock);
	ret = region ? kernel_shape_region_info(&lab->shape, index, answer, len, &needed)
		     : kernel_shape_info(&lab->shape, answer, len, &needed);
	mutex_unlock(&lab->lock);
	if (ret)
		return ret;
	len = min_t(size_t, len, needed <= len ? needed : fixed);
	make_hostile(lab, answer, len, fixed, cap_at);
	return copy_to_user(to, answer, len) ? -EFAULT : 0;
}

long lab_info(struct lab_device *lab, void __user *arg)
{
	u32 argsz;
	int ret = lab_call(lab, LAB_CALL_INFO);

	if (ret)
		return ret;
	if (get_user(argsz, (u32 __user *)arg))
		return -EFAULT;
	if (argsz < offsetofend(struct vfio_device_info, num_irqs))
		return -EINVAL;
	return give(lab, arg, argsz, false, 0);
}

struct rewrite {
	struct callback_head work;
	struct lab_device *lab;
	void __user *to;
	u32 argsz, index;
};

static void rewrite(struct callback_head *work)
{
	struct rewrite *todo = container_of(work, struct rewrite, work);

	(void)give(todo->lab, todo->to, todo->argsz, true, todo->index);
	vfio_put_device(todo->lab->vdev);
	kfree(todo);
}

/* When this system call, which asks for region info, returns: give the hostile answer. */
static int rewrite_later(struct lab_device *lab, u32 argsz, u32 index)
{
	struct pt_regs *regs = current_pt_regs();
	unsigned long arguments[6];
	struct rewrite *todo;
	int ret;

	if (in_compat_syscall())
		return 0;
	syscall_get_arguments(current, regs, arguments);
	if (syscall_get_nr(current, regs) != __NR_ioctl ||
	    arguments[1] != VFIO_DEVICE_GET_REGION_INFO)
		return 0;
	todo = kzalloc(sizeof(*todo), GFP_KERNEL);
	if (!todo)
		return -ENOMEM;
	todo->lab = lab;
	todo->to = (void __user *)arguments[2];
	todo->argsz = argsz;
	todo->index = index;
	init_task_work(&todo->work, rewrite);
	get_device(&lab->vdev->device);
	ret = task_work_add(current, &todo->work, TWA_RESUME);
	if (ret) {
		put_device(&lab->vdev->device);
		kfree(todo);
	}
	return ret;
}

/* Hand the chain of an answer over, capability by capability. */
static int add_capabilities(const u8 *answer, u32 size, struct vfio_info_cap *caps)
{
	u32 at = get_le32(answer + UAPI_REGION_CAP_OFFSET);
	int ret = 0;

	while (at && !ret) {
		u32 next = get_le32(answer + at + UAPI_CAP_NEXT);
		u32 end = next ?: size;

		if (end <= at || end > size)
			return -EIO;
		ret = vfio_info_add_capability(caps, (void *)(answer + at), end - at);
		at = next;
	}
	return ret;
}

int lab_region_info(struct lab_device *lab, struct vfio_region_info *info,
		    struct vfio_info_cap *caps)
{
	u8 answer[ANSWER_MAX] __aligned(8) = { 0 };
	struct shape_quirks quirks;
	u32 argsz = info->argsz;
	size_t needed;
	int ret = lab_call(lab, LAB_CALL_REGION_INFO);

	if (ret)
		return ret;
	mutex_lock(&lab->lock);
	/* Only honest chains go through VFIO. */
	quirks = lab->shape.quirks;
	lab->shape.quirks.chain_loops = lab->shape.quirks.chain_short = false;
	ret = kernel_shape_region_info(&lab->shape, info->index, answer, sizeof(answer), &needed);
	lab->shape.quirks = quirks;
	mutex_unlock(&lab->lock);
	if (ret)
		return ret;
	BUILD_BUG_ON(sizeof(*info) != UAPI_REGION_SIZE);
	if (WARN_ON_ONCE(needed > sizeof(answer)))
		return -EIO;
	memcpy(info, answer, sizeof(*info));
	info->argsz = argsz;
	info->cap_offset = 0;
	/* VFIO sets it when there is a chain. */
	info->flags &= ~VFIO_REGION_INFO_FLAG_CAPS;
	ret = add_capabilities(answer, needed, caps);
	if (!ret && is_hostile(lab))
		ret = rewrite_later(lab, argsz, info->index);
	if (ret) {
		kfree(caps->buf);
		caps->buf = NULL;
		caps->size = 0;
	}
	return ret;
}

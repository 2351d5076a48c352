// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* Interrupts: MSI-X of the device, and VFIO's own error and request notices. All are eventfds. */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lab.h"

#define NOTICES 1u /* interrupts of the index of each notice */

static u32 count_of(u32 index)
{
	switch (index) {
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return SWDEV_MSIX_VECTORS;
	case VFIO_PCI_ERR_IRQ_INDEX:
	case VFIO_PCI_REQ_IRQ_INDEX:
		return NOTICES;
	default:
		return 0;
	}
}

long lab_irq_info(struct lab_device *lab, void __user *arg)
{
	const size_t fixed = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info;
	size_t needed;
	int ret = lab_call(lab, LAB_CALL_IRQ_INFO);

	if (ret)
		return ret;
	if (copy_from_user(&info, arg, fixed))
		return -EFAULT;
	if (info.argsz < fixed)
		return -EINVAL;
	BUILD_BUG_ON(sizeof(info) != UAPI_IRQ_SIZE);
	ret = kernel_shape_irq_info(&lab->shape, info.index, &info, sizeof(info), &needed);
	if (ret)
		return ret;
	if (info.index != VFIO_PCI_MSIX_IRQ_INDEX && count_of(info.index)) {
		info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
		info.count = count_of(info.index);
	}
	return copy_to_user(arg, &info, fixed) ? -EFAULT : 0;
}

static void put(struct eventfd_ctx *trigger)
{
	if (trigger)
		eventfd_ctx_put(trigger);
}

void lab_interrupt(void *owner, unsigned int vector)
{
	struct lab_device *lab = owner;

	if (vector >= SWDEV_MSIX_VECTORS || !lab->triggers[vector])
		return;
	eventfd_signal(lab->triggers[vector]);
	lab_count(lab, LAB_INTERRUPTS);
}

void lab_irqs_off(struct lab_device *lab)
{
	lockdep_assert_held(&lab->lock);
	(void)kernel_shape_irq_disable(&lab->shape, VFIO_PCI_MSIX_IRQ_INDEX);
	for (unsigned int i = 0; i < SWDEV_MSIX_VECTORS; i++) {
		put(lab->triggers[i]);
		lab->triggers[i] = NULL;
	}
}

void lab_notify(struct lab_device *lab, bool error)
{
	struct eventfd_ctx *who;

	mutex_lock(&lab->lock);
	who = error ? lab->error : lab->request;
	if (who)
		eventfd_signal(who);
	mutex_unlock(&lab->lock);
}

/* Exchange the triggers of count vectors; what is not used any more is left in theirs. */
static int connect(struct lab_device *lab, u32 start, u32 count, struct eventfd_ctx **theirs)
{
	u32 connected = 0;
	int ret;

	for (u32 i = 0; i < count; i++) {
		swap(lab->triggers[start + i], theirs[i]);
		if (lab->triggers[start + i])
			connected |= 1u << i;
	}
	ret = kernel_shape_irq_set(&lab->shape, VFIO_PCI_MSIX_IRQ_INDEX, start, count, connected);
	for (u32 i = 0; ret && i < count; i++)
		swap(lab->triggers[start + i], theirs[i]);
	return ret;
}

static int set_eventfds(struct lab_device *lab, const struct vfio_irq_set *set, const s32 *fds)
{
	struct eventfd_ctx *contexts[SWDEV_MSIX_VECTORS] = { NULL };
	int ret = 0;
	u32 n;

	if (!set->count || set->count > ARRAY_SIZE(contexts))
		return -EINVAL;
	for (n = 0; n < set->count; n++) {
		if (fds[n] == -1)
			continue;
		contexts[n] = eventfd_ctx_fdget(fds[n]);
		if (IS_ERR(contexts[n])) {
			ret = PTR_ERR(contexts[n]);
			contexts[n] = NULL;
			goto out;
		}
	}
	mutex_lock(&lab->lock);
	if (set->index == VFIO_PCI_MSIX_IRQ_INDEX)
		ret = connect(lab, set->start, set->count, contexts);
	else if (set->index == VFIO_PCI_ERR_IRQ_INDEX)
		swap(lab->error, contexts[0]);
	else
		swap(lab->request, contexts[0]);
	mutex_unlock(&lab->lock);
out:
	for (u32 i = 0; i < n; i++)
		put(contexts[i]);
	return ret;
}

/* As if the interrupts had happened: which ones, one byte each; NULL: all of them. */
static void trigger(struct lab_device *lab, const struct vfio_irq_set *set, const u8 *which)
{
	mutex_lock(&lab->lock);
	for (u32 i = 0; i < set->count; i++) {
		struct eventfd_ctx *who = NULL;

		if (which && !which[i])
			continue;
		if (set->index == VFIO_PCI_MSIX_IRQ_INDEX)
			who = lab->triggers[set->start + i];
		else
			who = set->index == VFIO_PCI_ERR_IRQ_INDEX ? lab->error : lab->request;
		if (who)
			eventfd_signal(who);
	}
	mutex_unlock(&lab->lock);
}

static void disable(struct lab_device *lab, u32 index)
{
	struct eventfd_ctx **notice = index == VFIO_PCI_ERR_IRQ_INDEX ? &lab->error : &lab->request;

	mutex_lock(&lab->lock);
	if (index == VFIO_PCI_MSIX_IRQ_INDEX) {
		lab_irqs_off(lab);
	} else {
		put(*notice);
		*notice = NULL;
	}
	mutex_unlock(&lab->lock);
}

static int set_irqs(struct lab_device *lab, const struct vfio_irq_set *set, const void *data)
{
	if ((set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != VFIO_IRQ_SET_ACTION_TRIGGER ||
	    !count_of(set->index))
		return -ENOTTY;
	switch (set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_NONE:
		if (set->count)
			trigger(lab, set, NULL);
		else
			disable(lab, set->index);
		return 0;
	case VFIO_IRQ_SET_DATA_BOOL:
		trigger(lab, set, data);
		return 0;
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return set_eventfds(lab, set, data);
	default:
		return -EINVAL;
	}
}

long lab_set_irqs(struct lab_device *lab, void __user *arg)
{
	const size_t fixed = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set set;
	void *data = NULL;
	size_t size = 0;
	long ret = lab_call(lab, LAB_CALL_SET_IRQS);

	if (ret)
		return ret;
	if (copy_from_user(&set, arg, fixed))
		return -EFAULT;
	/* After this start and count are inside of what the index has. */
	ret = vfio_set_irqs_validate_and_prepare(
		&set, set.index < VFIO_PCI_NUM_IRQS ? count_of(set.index) : 0, VFIO_PCI_NUM_IRQS,
		&size);
	if (ret)
		return ret;
	if (size) {
		data = memdup_user(arg + fixed, size);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	ret = set_irqs(lab, &set, data);
	kfree(data);
	return ret;
}

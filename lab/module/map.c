// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/*
 * Mappings: device memory, and the component BAR outside of what the kernel hides. They are filled
 * by faults, which are refused (SIGBUS) while the device cannot be reached.
 */
#include <linux/mm.h>

#include "lab.h"

#define OFFSET_MASK ((1UL << (UAPI_OFFSET_SHIFT - PAGE_SHIFT)) - 1)

static vm_fault_t insert(struct vm_fault *vmf, unsigned long pfn, unsigned int order)
{
	if (!order)
		return vmf_insert_pfn(vmf->vma, vmf->address & PAGE_MASK, pfn);
	return vmf_insert_pfn_pmd(vmf, pfn, vmf->flags & FAULT_FLAG_WRITE);
}

/* Can all 2 MiB around the address be mapped at once? */
static bool fits_order(const struct vm_area_struct *vma, unsigned long address, u64 offset,
		       unsigned int order)
{
	unsigned long bytes = PAGE_SIZE << order;

	return order == LAB_CHUNK_ORDER && address >= vma->vm_start &&
	       bytes <= vma->vm_end - address && offset % bytes == 0;
}

static vm_fault_t serve_memory(struct lab_device *lab, struct vm_fault *vmf, unsigned int order)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long address = vmf->address & ~((PAGE_SIZE << order) - 1);
	unsigned long pgoff =
		(vma->vm_pgoff & OFFSET_MASK) + ((address - vma->vm_start) >> PAGE_SHIFT);
	u64 offset = (u64)pgoff << PAGE_SHIFT;
	vm_fault_t ret = VM_FAULT_SIGBUS;
	unsigned long pfn;
	int error;

	if (order && (!lab->shape.facts.huge_pages || !fits_order(vma, address, offset, order)))
		return VM_FAULT_FALLBACK;
	if (lab_call(lab, LAB_CALL_FAULT))
		return VM_FAULT_SIGBUS;
	error = lab_memory_frame(&lab->memory, offset, &pfn);
	if (error)
		return error == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
	down_read(&lab->memory_lock);
	if (lab->memory_open) {
		lab_memory_used(&lab->memory, offset);
		ret = insert(vmf, pfn, order);
	}
	up_read(&lab->memory_lock);
	if (ret == VM_FAULT_SIGBUS)
		lab_count(lab, LAB_FAULTS_REFUSED);
	else if (order)
		lab_count(lab, LAB_HUGE_FAULTS);
	return ret;
}

static vm_fault_t memory_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	return serve_memory(vmf->vma->vm_private_data, vmf, order);
}

static vm_fault_t memory_fault(struct vm_fault *vmf)
{
	return serve_memory(vmf->vma->vm_private_data, vmf, 0);
}

static const struct vm_operations_struct memory_ops = {
	.fault = memory_fault,
	.huge_fault = memory_huge_fault,
};

static vm_fault_t bar_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct lab_device *lab = vma->vm_private_data;
	unsigned long page =
		(vma->vm_pgoff & OFFSET_MASK) + ((vmf->address - vma->vm_start) >> PAGE_SHIFT);
	vm_fault_t ret = VM_FAULT_SIGBUS;

	if (page >= SWDEV_BAR_SIZE >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	down_read(&lab->memory_lock);
	if (lab->bars_open)
		ret = insert(vmf, PHYS_PFN(virt_to_phys(lab->scratch)) + page, 0);
	up_read(&lab->memory_lock);
	return ret;
}

static const struct vm_operations_struct bar_ops = {
	.fault = bar_fault,
};

int lab_mmap(struct lab_device *lab, struct vm_area_struct *vma)
{
	unsigned long region = vma->vm_pgoff >> (UAPI_OFFSET_SHIFT - PAGE_SHIFT);
	u64 offset = (u64)(vma->vm_pgoff & OFFSET_MASK) << PAGE_SHIFT;
	int ret = lab_call(lab, LAB_CALL_MMAP);

	if (region == lab->component_region)
		region = SWDEV_BAR;
	if (ret)
		return ret;
	if (!(vma->vm_flags & VM_SHARED) || region > U32_MAX ||
	    !kernel_shape_may_map(&lab->shape, region, offset, vma->vm_end - vma->vm_start))
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_IO | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = lab;
	vma->vm_ops = region == SHAPE_REGION_MEMORY ? &memory_ops : &bar_ops;
	return 0;
}

static void unmap(struct lab_device *lab, u32 region, u64 size)
{
	unmap_mapping_range(lab->vdev->inode->i_mapping, (loff_t)region << UAPI_OFFSET_SHIFT,
			    (loff_t)size, 1);
}

void lab_revoke_memory(struct lab_device *lab)
{
	lockdep_assert_held(&lab->lock);
	down_write(&lab->memory_lock);
	lab->memory_open = false;
	unmap(lab, SHAPE_REGION_MEMORY, lab->memory.size);
	up_write(&lab->memory_lock);
	lab_count(lab, LAB_REVOKES);
}

void lab_update_gates(struct lab_device *lab)
{
	bool bars = !lab->low_power && swdev_memory_space(&lab->dev);
	bool memory;

	lab_sample(lab);
	memory = !lab->revoked && !lab->low_power && (bars || !lab->memory_is_bar) &&
		 kernel_shape_memory_usable(&lab->shape);
	if (!memory && lab->memory_open)
		lab_revoke_memory(lab);
	down_write(&lab->memory_lock);
	if (!bars && lab->bars_open)
		unmap(lab, lab->component_region, SWDEV_BAR_SIZE);
	lab->memory_open = memory;
	lab->bars_open = bars;
	up_write(&lab->memory_lock);
}

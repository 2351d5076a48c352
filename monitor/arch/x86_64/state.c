/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * state.c - the first vCPU at the entry of a kernel: 64 bits (Documentation/arch/x86/boot.rst), or
 * PVH, 32 bits without paging (Xen: docs/misc/pvh.pandoc)
 */
#include <errno.h>
#include <string.h>

#include "kvm.h"
#include "layout.h"
#include "vm.h"
#include "x86.h"

#define CR0_PE   0x00000001u
#define CR0_ET   0x00000010u
#define CR0_PG   0x80000000u
#define CR4_PAE  0x20u
#define EFER_LME 0x100u
#define EFER_LMA 0x400u

#define RFLAGS_RESERVED 0x2u

#define SELECTOR_CODE 0x10u
#define SELECTOR_DATA 0x18u
#define GDT_CODE64    0x00af9b000000ffffull
#define GDT_CODE32    0x00cf9b000000ffffull
#define GDT_DATA      0x00cf93000000ffffull
#define GDT_ENTRIES   4u

#define SEGMENT_CODE_READ_ACCESSED  11
#define SEGMENT_DATA_WRITE_ACCESSED 3
#define SEGMENT_TSS_BUSY            11

/* MTRRs on, fixed ranges off (they are all uncached at reset), default type write-back. */
#define MTRR_ENABLE     0x800u
#define MTRR_WRITE_BACK 6u

static int set_mtrr(const struct vcpu *vcpu, struct cxlvm_error *err)
{
	union {
		struct kvm_msrs list;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msrs = { .list.nmsrs = 1 };
	int code;

	msrs.list.entries[0].index = MSR_MTRR_DEF_TYPE;
	msrs.list.entries[0].data = MTRR_ENABLE | MTRR_WRITE_BACK;
	code = kvm_ioctl(vcpu->fd, KVM_SET_MSRS, (unsigned long)&msrs);

	/* Without it Linux maps device memory uncached and says nothing (MAP-7). */
	if (code != 1)
		return cxlvm_error_set(err, code < 0 ? code : -EIO,
				       "KVM does not take the memory type (MTRRdefType) of virtual "
				       "CPU %u",
				       vcpu->id);
	return 0;
}

int state_set_entry(const struct vm *vm, const struct entry *entry, struct cxlvm_error *err)
{
	const struct kvm_segment code_segment = {
		.limit = UINT32_MAX,
		.selector = SELECTOR_CODE,
		.type = SEGMENT_CODE_READ_ACCESSED,
		.present = 1,
		.s = 1,
		.l = !entry->pvh,
		.db = entry->pvh,
		.g = 1,
	};
	const struct kvm_segment data_segment = {
		.limit = UINT32_MAX,
		.selector = SELECTOR_DATA,
		.type = SEGMENT_DATA_WRITE_ACCESSED,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};
	/* Intel checks it at entry. */
	const struct kvm_segment task_segment = {
		.limit = 0x67,
		.type = SEGMENT_TSS_BUSY,
		.present = 1,
	};
	struct kvm_regs regs = {
		.rip = entry->address.value,
		.rsi = entry->pvh ? 0 : LAYOUT_BOOT_PARAMS,
		.rbx = entry->pvh ? LAYOUT_BOOT_PARAMS : 0,
		.rsp = LAYOUT_STACK_TOP,
		.rflags = RFLAGS_RESERVED,
	};
	struct kvm_sregs sregs;
	uint64_t *gdt =
		ram_pointer(&vm->ram, (struct cxlvm_gpa){ LAYOUT_GDT }, GDT_ENTRIES * sizeof(*gdt));
	int fd = vm->vcpus[0].fd;
	int code;

	memset(gdt, 0, GDT_ENTRIES * sizeof(*gdt));
	gdt[SELECTOR_CODE / 8] = entry->pvh ? GDT_CODE32 : GDT_CODE64;
	gdt[SELECTOR_DATA / 8] = GDT_DATA;

	code = kvm_ioctl(fd, KVM_GET_SREGS, (unsigned long)&sregs);
	if (code < 0)
		goto fail;
	sregs.cs = code_segment;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data_segment;
	sregs.tr = task_segment;
	sregs.gdt.base = LAYOUT_GDT;
	sregs.gdt.limit = GDT_ENTRIES * sizeof(*gdt) - 1;
	sregs.idt.base = 0;
	sregs.idt.limit = 0;
	sregs.cr0 = CR0_ET | CR0_PE;
	if (!entry->pvh) {
		sregs.cr0 |= CR0_PG;
		sregs.cr3 = entry->page_tables.value;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	code = kvm_ioctl(fd, KVM_SET_SREGS, (unsigned long)&sregs);
	if (code >= 0)
		code = kvm_ioctl(fd, KVM_SET_REGS, (unsigned long)&regs);
	if (code < 0)
		goto fail;
	/* Linux compares them, and takes the default of the first one where they differ. */
	code = 0;
	for (unsigned int i = 0; !code && i < vm->n_vcpus; i++)
		code = set_mtrr(&vm->vcpus[i], err);
	return code;
fail:
	return cxlvm_error_set(err, code, "KVM does not take the entry state: %s", strerror(-code));
}

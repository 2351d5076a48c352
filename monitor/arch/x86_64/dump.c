/* SPDX-License-Identifier: BSD-3-Clause */
/* dump.c - registers, code and stack of the vCPU, for a report */
#include <inttypes.h>
#include <string.h>

#include "arch.h"
#include "kvm.h"
#include "vm.h"
#include "x86.h"

#define STACK_WORDS     128
#define STACK_WORDS_RAW 16
#define CODE_BEFORE     32
#define CODE_BYTES      64

/* Kernel text and modules of Linux: the top 2 GiB. */
#define KERNEL_TEXT     0xffffffff80000000ull
#define KERNEL_TEXT_END 0xffffffffff000000ull

#define CR0_PAGING    0x80000000ull
#define CR4_LA57      0x1000ull
#define EFER_LONG     0x400ull
#define ENTRY_PRESENT 0x001ull
#define ENTRY_LARGE   0x080ull
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define LEVEL_BITS    9
#define PAGE_BITS     12

/*
 * Walk the guest's page tables by hand: KVM_TRANSLATE walks them as the kernel does and refuses
 * pages of user space under SMAP, and a guest that hangs may be there.
 */
static bool translate(const struct vm *vm, const struct kvm_sregs *s, uint64_t address,
		      struct cxlvm_gpa *physical)
{
	uint64_t table = s->cr3 & ENTRY_ADDRESS;

	if (!(s->cr0 & CR0_PAGING) || !(s->efer & EFER_LONG)) {
		physical->value = address;
		return true;
	}
	for (int level = s->cr4 & CR4_LA57 ? 4 : 3; level >= 0; level--) {
		unsigned int shift = PAGE_BITS + LEVEL_BITS * (unsigned int)level;
		uint64_t index = address >> shift & ((1u << LEVEL_BITS) - 1);
		const uint64_t *entry =
			ram_pointer(&vm->ram, (struct cxlvm_gpa){ table + 8 * index }, 8);
		uint64_t page = ((uint64_t)1 << shift) - 1;

		if (!entry || !(*entry & ENTRY_PRESENT))
			return false;
		table = *entry & ENTRY_ADDRESS;
		if (level == 0 || (level < 3 && *entry & ENTRY_LARGE)) {
			physical->value = (table & ~page) | (address & page);
			return true;
		}
	}
	return false;
}

/* Length bytes at a virtual address of the guest, within one 8-byte word. */
static bool read_guest(const struct vm *vm, const struct kvm_sregs *s, uint64_t address, void *to,
		       size_t length)
{
	struct cxlvm_gpa physical;
	const void *from;

	if (!translate(vm, s, address, &physical))
		return false;
	from = ram_pointer(&vm->ram, physical, length);
	if (from)
		memcpy(to, from, length);
	return from;
}

static void dump_code(const struct vm *vm, const struct kvm_sregs *s, uint64_t rip, FILE *to)
{
	fputs("code:", to);
	for (uint64_t at = rip - CODE_BEFORE; at != rip - CODE_BEFORE + CODE_BYTES; at++) {
		uint8_t byte;

		if (read_guest(vm, s, at, &byte, 1))
			fprintf(to, at == rip ? " <%02x>" : " %02x", byte);
		else
			fputs(at == rip ? " <?>" : " ?", to);
	}
	fputc('\n', to);
}

/*
 * Words that may be return addresses of the kernel: the rest is noise without symbols. Without
 * any, the guest was in user space: then the first words as they are.
 */
static void dump_stack(const struct vm *vm, const struct kvm_sregs *s, uint64_t rsp, FILE *to)
{
	unsigned int found = 0;
	uint64_t word;

	for (unsigned int i = 0; i < STACK_WORDS; i++) {
		if (!read_guest(vm, s, rsp + 8 * i, &word, 8) || word < KERNEL_TEXT ||
		    word >= KERNEL_TEXT_END)
			continue;
		fprintf(to, "stack: +0x%03x 0x%016" PRIx64 "\n", 8 * i, word);
		found++;
	}
	for (unsigned int i = 0; !found && i < STACK_WORDS_RAW; i++)
		if (read_guest(vm, s, rsp + 8 * i, &word, 8))
			fprintf(to, "stack: +0x%03x 0x%016" PRIx64 "\n", 8 * i, word);
}

void arch_dump(const struct vcpu *vcpu, FILE *to)
{
	const struct vm *vm = vcpu->vm;
	struct kvm_mp_state state;
	struct kvm_regs r;
	struct kvm_sregs s;

	if (kvm_ioctl(vcpu->fd, KVM_GET_MP_STATE, (unsigned long)&state) >= 0 &&
	    state.mp_state == KVM_MP_STATE_UNINITIALIZED) {
		fprintf(to, "registers: virtual CPU %u was not started\n", vcpu->id);
		return;
	}
	if (kvm_ioctl(vcpu->fd, KVM_GET_REGS, (unsigned long)&r) < 0 ||
	    kvm_ioctl(vcpu->fd, KVM_GET_SREGS, (unsigned long)&s) < 0) {
		fputs("registers: not available\n", to);
		return;
	}
	fprintf(to,
		"registers: virtual CPU %u, last exit reason %u\n"
		"registers: rip 0x%llx rsp 0x%llx rflags 0x%llx\n"
		"registers: rax 0x%llx rbx 0x%llx rcx 0x%llx rdx 0x%llx\n"
		"registers: rsi 0x%llx rdi 0x%llx rbp 0x%llx r8 0x%llx\n"
		"registers: r9 0x%llx r10 0x%llx r11 0x%llx r12 0x%llx\n"
		"registers: r13 0x%llx r14 0x%llx r15 0x%llx\n"
		"registers: cr0 0x%llx cr2 0x%llx cr3 0x%llx cr4 0x%llx efer 0x%llx\n",
		vcpu->id, vcpu->last_exit, r.rip, r.rsp, r.rflags, r.rax, r.rbx, r.rcx, r.rdx,
		r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15, s.cr0,
		s.cr2, s.cr3, s.cr4, s.efer);
	dump_code(vm, &s, r.rip, to);
	dump_stack(vm, &s, r.rsp, to);
}

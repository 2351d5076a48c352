/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Entries of the guest with the tests: by the 64-bit boot protocol (RSI is boot_params), by PVH
 * (32 bits, EBX is the start info), the other CPUs, and interrupts.
 */
#include "load.h"

#define CR4_PAE    0x20
#define EFER       0xc0000080
#define EFER_LME   0x100
#define CR0_ON     0x80000011
#define CODE64     0x10
#define DATA       0x18
#define DATA_USER  0x23
#define CODE_USER  0x2b
#define FLAGS_USER 0x2
#define STACK_SIZE 0x4000
#define LAPIC_ID   0xfee00020
#define PVH_GIB    8

	.section .head, "ax"
	.code32
	.globl	entry32
entry32:
	/* PVH: flat segments, no paging. Then the first of memory one to one, as the other entry finds it. */
	cli
	mov	$pvh_stack_end, %esp
	mov	%ebx, %esi
	mov	$pvh_tables, %edi
	mov	$((0x2000 + 0x1000 * PVH_GIB) / 4), %ecx
	xor	%eax, %eax
	rep stosl
	movl	$(pvh_tables + 0x1003), pvh_tables
	/* so many tables of 2 MiB pages below the third level */
	mov	$PVH_GIB, %ecx
	mov	$(pvh_tables + 0x1000), %edi
	mov	$(pvh_tables + 0x2003), %eax
1:
	mov	%eax, (%edi)
	add	$0x1000, %eax
	add	$8, %edi
	dec	%ecx
	jnz	1b
	mov	$(512 * PVH_GIB), %ecx
	mov	$(pvh_tables + 0x2000), %edi
	mov	$0x83, %eax
	xor	%edx, %edx
2:
	mov	%eax, (%edi)
	mov	%edx, 4(%edi)
	add	$0x200000, %eax
	adc	$0, %edx
	add	$8, %edi
	dec	%ecx
	jnz	2b
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$pvh_tables, %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	$CR0_ON, %eax
	mov	%eax, %cr0
	lgdt	gdt_pointer
	ljmp	$CODE64, $pvh64

	.org	ENTRY_AT
	.code64
	.globl	entry64
entry64:
	cli
	mov	$0, %edi
	jmp	begin
pvh64:
	mov	$1, %edi
begin:
	lgdt	gdt_pointer
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%edi, %r12d
	mov	%rsi, %r13
	mov	$bss_start, %rdi
	mov	$bss_end, %rcx
	sub	%rdi, %rcx
	xor	%eax, %eax
	cmp	$1, %r12d
	je	1f			/* its page tables are in there, and RAM is new */
	rep stosb
1:
	mov	$stacks, %rsp
	add	$STACK_SIZE, %rsp
	push	$CODE64
	push	$2f
	lretq
2:
	mov	%r12d, %edi
	mov	%r13, %rsi
	movabs	$guest_main, %rax
	call	*%rax
	ud2

/* The other CPUs start here, copied to a page below 1 MiB. */
	.code16
	.globl	trampoline
	.globl	trampoline_end
trampoline:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	trampoline_gdt - trampoline
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	trampoline_cr3 - trampoline, %eax
	mov	%eax, %cr3
	mov	$EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	$CR0_ON, %eax
	mov	%eax, %cr0
	ljmpl	$CODE64, $ap64
	.balign	8
trampoline_gdt:
	.word	6 * 8 - 1
	.long	gdt
	.balign	8
	.globl	trampoline_cr3
trampoline_cr3:
	.quad	0
trampoline_end:

	.code64
ap64:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$LAPIC_ID, %rbx
	mov	(%rbx), %edi
	shr	$24, %edi
	mov	%edi, %eax
	inc	%eax
	imul	$STACK_SIZE, %eax, %eax
	mov	$stacks, %rsp
	add	%rax, %rsp
	movabs	$ap_main, %rax
	call	*%rax
	ud2

/* void enter_user(void): return to the caller in ring 3, with the same stack. */
	.globl	enter_user
enter_user:
	mov	%rsp, %rax
	push	$DATA_USER
	push	%rax
	push	$FLAGS_USER
	push	$CODE_USER
	movabs	$1f, %rcx
	push	%rcx
	iretq
1:
	ret

/* Interrupts 0x40 to 0x4f: count, acknowledge. Everything below 0x20: report. */
	.altmacro
	.macro	stub	n
vector_\n:
	push	%rax
	push	%rbx
	mov	$interrupts + 4 * \n, %rbx
	lock incl (%rbx)
	jmp	acknowledge
	.endm
acknowledge:
	mov	$0xfee000b0, %rbx
	movl	$0, (%rbx)
	pop	%rbx
	pop	%rax
	iretq
	.set	i, 0
	.rept	16
	stub	%i
	.set	i, i + 1
	.endr
	.globl	exception
exception:
	mov	(%rsp), %rdi
	mov	8(%rsp), %rsi
	movabs	$guest_exception, %rax
	call	*%rax
	ud2
	.globl	vectors
	.balign	8
vectors:
	.quad	vector_0, vector_1, vector_2, vector_3, vector_4, vector_5, vector_6, vector_7
	.quad	vector_8, vector_9, vector_10, vector_11, vector_12, vector_13, vector_14, vector_15

	.section .data
	.balign	16
gdt:
	.quad	0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
	.quad	0x00cff3000000ffff, 0x00affb000000ffff
gdt_pointer:
	.word	6 * 8 - 1
	.quad	gdt

/* How a loader of ELF files finds the 32-bit entry (XEN_ELFNOTE_PHYS32_ENTRY). */
	.section .note.Xen, "a", @note
	.balign	4
	.long	4, 4, 18
	.asciz	"Xen"
	.long	entry32

	.section .bss
	.balign	4096
	.globl	pvh_tables
pvh_tables:
	.skip	0x2000 + 0x1000 * PVH_GIB
pvh_stack:
	.skip	0x100
pvh_stack_end:
	.balign	16
stacks:
	.skip	16 * STACK_SIZE

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot.h - what the two kinds of kernel files share: an open kernel, where its parts go
 *
 * Files stay open: each system reset reads them again, straight into guest RAM. What can be
 * checked without a machine is checked when they are opened, before anything else is made.
 */
#ifndef MONITOR_ARCH_X86_64_BOOT_H
#define MONITOR_ARCH_X86_64_BOOT_H

#include <asm/bootparam.h>
#include <stdbool.h>
#include <stdint.h>

#include "ram.h"

struct vm;

struct file {
	const char *path;
	int fd; /* -1: none */
	uint64_t size;
};

/* A part of the kernel file that goes to RAM; behind it zeros up to size. */
struct boot_segment {
	uint64_t offset; /* in the file */
	uint64_t stored;
	uint64_t base;
	uint64_t size;
};

#define BOOT_SEGMENTS_MAX 16

struct boot {
	struct file kernel;
	struct file initrd;
	const char *cmdline;
	uint64_t cmdline_max;
	struct boot_segment segments[BOOT_SEGMENTS_MAX];
	unsigned int n_segments;
	uint64_t entry;   /* address of the first instruction */
	uint64_t run_end; /* behind the last byte that it uses before it knows about RAM */
	uint64_t initrd_max;

	bool pvh; /* an ELF file, entered by PVH; else a bzImage, of which the rest is */
	struct setup_header header;
	size_t header_size; /* bytes of it that the kernel has */
};

/* All size bytes at offset, or an error. */
int boot_read(const struct file *file, uint64_t offset, void *to, uint64_t size,
	      struct cxlvm_error *err);

/* bzimage.c, elf.c: read the head of the kernel and fill in all from cmdline_max on. */
int bzimage_open(struct boot *boot, struct cxlvm_error *err);
int elf_open(struct boot *boot, struct cxlvm_error *err);
/* Does the file begin like an ELF file? */
bool elf_recognize(const struct boot *boot);

/* What the kernel is told, at LAYOUT_BOOT_PARAMS. */
void bzimage_tell(const struct vm *vm, const struct boot *boot, uint64_t initrd);
void elf_tell(const struct vm *vm, const struct boot *boot, uint64_t initrd);

/* The memory map, in the order of addresses; types are those of e820. */
struct boot_range {
	uint64_t base;
	uint64_t size;
	uint32_t type;
};

#define BOOT_RANGES_MAX (5 + RAM_BLOCKS_MAX)
unsigned int boot_memory_map(const struct vm *vm, struct boot_range *ranges);

#endif

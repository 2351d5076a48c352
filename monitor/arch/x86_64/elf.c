/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * elf.c - an ELF kernel (vmlinux) by the PVH entry: a note in the file names a 32-bit entry, and a
 * structure tells the rest (Documentation: Xen's public/arch-x86/hvm/start_info.h)
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "layout.h"
#include "vm.h"

#define HEADERS_MAX   64u
#define NOTES_MAX     KIB(64)
#define NOTE_OWNER    "Xen"
#define NOTE_ENTRY    18u /* XEN_ELFNOTE_PHYS32_ENTRY */
#define INITRD_MAX    0xffffffffull
#define CMDLINE_MAX   2047u /* what Linux takes; PVH does not say */
#define START_MAGIC   0x336ec578u
#define START_VERSION 1u

struct start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t n_modules;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t memory_map;
	uint32_t n_ranges;
	uint32_t reserved;
};

struct start_module {
	uint64_t base;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct start_range {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

_Static_assert(sizeof(struct start_info) == 56, "version 1 of the start info");
_Static_assert(sizeof(struct start_module) == 32, "module list entry");
_Static_assert(sizeof(struct start_range) == 24, "memory map entry");

bool elf_recognize(const struct boot *boot)
{
	struct cxlvm_error ignored = CXLVM_ERROR_INIT;
	char magic[SELFMAG];

	return boot->kernel.size >= sizeof(Elf64_Ehdr) &&
	       !boot_read(&boot->kernel, 0, magic, sizeof(magic), &ignored) &&
	       !memcmp(magic, ELFMAG, SELFMAG);
}

static int not_a_kernel(const struct boot *boot, struct cxlvm_error *err, const char *why)
{
	cxlvm_error_set(err, -ENOEXEC, "'%s' is not a 64-bit ELF kernel with a PVH entry: %s",
			boot->kernel.path, why);
	cxlvm_error_hint(err, "use a vmlinux that was built with CONFIG_PVH, or a bzImage");
	return -ENOEXEC;
}

/* Do size bytes at offset lie in the file? */
static bool in_file(const struct boot *boot, uint64_t offset, uint64_t size)
{
	return offset <= boot->kernel.size && size <= boot->kernel.size - offset;
}

static int add_segment(struct boot *boot, const Elf64_Phdr *header, struct cxlvm_error *err)
{
	uint64_t end;

	if (!header->p_memsz)
		return 0;
	if (boot->n_segments == BOOT_SEGMENTS_MAX)
		return not_a_kernel(boot, err, "it has more than 16 segments");
	if (header->p_filesz > header->p_memsz ||
	    !in_file(boot, header->p_offset, header->p_filesz) ||
	    __builtin_add_overflow(header->p_paddr, header->p_memsz, &end))
		return not_a_kernel(boot, err, "a segment is not in the file: it is truncated");
	boot->segments[boot->n_segments++] = (struct boot_segment){
		.offset = header->p_offset,
		.stored = header->p_filesz,
		.base = header->p_paddr,
		.size = header->p_memsz,
	};
	if (end > boot->run_end)
		boot->run_end = end;
	return 0;
}

/* Each note: sizes of owner and content, type; then both, padded to 4 bytes. */
static void find_entry(struct boot *boot, const uint8_t *notes, uint64_t size)
{
	uint64_t at = 0;

	while (size - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t owner = at + sizeof(note);
		uint64_t content, next;

		memcpy(&note, notes + at, sizeof(note));
		content = owner + align_up(note.n_namesz, 4);
		next = content + align_up(note.n_descsz, 4);
		/* None of the sums wraps: sizes have 32 bits. */
		if (next > size)
			return;
		if (note.n_type == NOTE_ENTRY && note.n_namesz == sizeof(NOTE_OWNER) &&
		    !memcmp(notes + owner, NOTE_OWNER, sizeof(NOTE_OWNER)) && note.n_descsz >= 4)
			boot->entry = load_le(notes + content, note.n_descsz >= 8 ? 8 : 4);
		at = next;
	}
}

static int read_notes(struct boot *boot, const Elf64_Phdr *header, struct cxlvm_error *err)
{
	static uint8_t notes[NOTES_MAX];

	/* Others may be larger; the entry's is not. */
	if (header->p_filesz > sizeof(notes))
		return 0;
	if (!in_file(boot, header->p_offset, header->p_filesz))
		return not_a_kernel(boot, err, "its notes are not in the file: it is truncated");
	if (boot_read(&boot->kernel, header->p_offset, notes, header->p_filesz, err))
		return err->code;
	find_entry(boot, notes, header->p_filesz);
	return 0;
}

int elf_open(struct boot *boot, struct cxlvm_error *err)
{
	Elf64_Ehdr elf;
	Elf64_Phdr headers[HEADERS_MAX];
	int code = boot_read(&boot->kernel, 0, &elf, sizeof(elf), err);

	if (code)
		return code;
	if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_ident[EI_DATA] != ELFDATA2LSB ||
	    elf.e_machine != EM_X86_64)
		return not_a_kernel(boot, err, "it is for another machine");
	if (elf.e_phentsize != sizeof(headers[0]) || !elf.e_phnum || elf.e_phnum > HEADERS_MAX ||
	    !in_file(boot, elf.e_phoff, elf.e_phnum * sizeof(headers[0])))
		return not_a_kernel(boot, err, "it has no program headers, or too many");
	code = boot_read(&boot->kernel, elf.e_phoff, headers, elf.e_phnum * sizeof(headers[0]),
			 err);
	for (unsigned int i = 0; !code && i < elf.e_phnum; i++) {
		if (headers[i].p_type == PT_LOAD)
			code = add_segment(boot, &headers[i], err);
		else if (headers[i].p_type == PT_NOTE)
			code = read_notes(boot, &headers[i], err);
	}
	if (code)
		return code;
	if (!boot->entry || boot->entry > UINT32_MAX)
		return not_a_kernel(boot, err, "no note names a 32-bit entry");
	boot->pvh = true;
	boot->cmdline_max = CMDLINE_MAX;
	boot->initrd_max = INITRD_MAX;
	return 0;
}

void elf_tell(const struct vm *vm, const struct boot *boot, uint64_t initrd)
{
	struct told {
		struct start_info info;
		struct start_module module;
		struct start_range ranges[BOOT_RANGES_MAX];
	} *told = ram_pointer(&vm->ram, (struct cxlvm_gpa){ LAYOUT_BOOT_PARAMS }, sizeof(*told));
	struct boot_range ranges[BOOT_RANGES_MAX];
	unsigned int n = boot_memory_map(vm, ranges);

	memset(told, 0, sizeof(*told));
	told->info = (struct start_info){
		.magic = START_MAGIC,
		.version = START_VERSION,
		.cmdline = LAYOUT_CMDLINE,
		.rsdp = vm->tables.rsdp.value,
		.memory_map = LAYOUT_BOOT_PARAMS + offsetof(struct told, ranges),
		.n_ranges = n,
	};
	if (boot->initrd.fd >= 0) {
		told->info.n_modules = 1;
		told->info.modules = LAYOUT_BOOT_PARAMS + offsetof(struct told, module);
		told->module.base = initrd;
		told->module.size = boot->initrd.size;
	}
	for (unsigned int i = 0; i < n; i++)
		told->ranges[i] = (struct start_range){
			.base = ranges[i].base,
			.size = ranges[i].size,
			.type = ranges[i].type,
		};
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* boot.c - kernel, initrd, command line and tables into RAM */
#include <asm/e820.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "boot.h"
#include "layout.h"
#include "pci/ecam.h"
#include "vm.h"
#include "x86.h"

#define PAGE         KIB(4)
#define INITRD_ALIGN 16u

static int open_file(struct file *file, const char *what, const char *path, struct cxlvm_error *err)
{
	struct stat st;
	int code;

	file->path = path;
	/* Whatever the path names, nobody waits for it: a named pipe that has no writer. */
	file->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file->fd < 0 || fstat(file->fd, &st)) {
		code = -errno;
		cxlvm_error_set(err, code, "%s '%s': %s", what, path, strerror(-code));
		cxlvm_error_hint(err, "check the path of --%s", what);
		return code;
	}
	if (!S_ISREG(st.st_mode)) {
		cxlvm_error_set(err, -EINVAL, "%s '%s' is not a regular file", what, path);
		cxlvm_error_hint(err, "check the path of --%s", what);
		return -EINVAL;
	}
	file->size = (uint64_t)st.st_size;
	return 0;
}

int boot_read(const struct file *file, uint64_t offset, void *to, uint64_t size,
	      struct cxlvm_error *err)
{
	uint64_t done = 0;

	while (done < size) {
		ssize_t n =
			pread(file->fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));

		if (n > 0)
			done += (uint64_t)n;
		else if (n == 0)
			return cxlvm_error_set(err, -EIO,
					       "'%s' ended after %llu of %llu bytes: it has become "
					       "shorter",
					       file->path, (unsigned long long)(offset + done),
					       (unsigned long long)(offset + size));
		else if (errno != EINTR)
			return cxlvm_error_set(err, -errno, "cannot read '%s': %s", file->path,
					       strerror(errno));
	}
	return 0;
}

/* Low RAM has to hold everything that the kernel uses at first. */
static int check_room(struct boot *boot, const struct ram *ram, struct cxlvm_error *err)
{
	uint64_t low = ram->blocks[0].size;
	bool fits = boot->run_end <= low;

	for (unsigned int i = 0; i < boot->n_segments; i++)
		fits &= boot->segments[i].base >= LAYOUT_KERNEL && boot->segments[i].base <= low;
	if (!fits) {
		cxlvm_error_set(err, -ENOMEM,
				"kernel '%s' is too large: it needs memory up to 0x%llx, with %llu "
				"MiB it ends at 0x%llx",
				boot->kernel.path, (unsigned long long)boot->run_end,
				(unsigned long long)(ram->size >> 20), (unsigned long long)low);
		cxlvm_error_hint(err, "give it more --memory, at least %lluM",
				 (unsigned long long)(align_up(boot->run_end, MIB(64)) >> 20));
		return -ENOMEM;
	}
	if (boot->initrd_max > low)
		boot->initrd_max = low;
	return 0;
}

static int check_cmdline(const struct boot *boot, struct cxlvm_error *err)
{
	uint64_t max = boot->cmdline_max;
	size_t length = strlen(boot->cmdline);

	if (max > LAYOUT_CMDLINE_MAX - 1)
		max = LAYOUT_CMDLINE_MAX - 1;
	if (length <= max)
		return 0;
	cxlvm_error_set(err, -E2BIG, "--append has %zu characters, this kernel takes %llu", length,
			(unsigned long long)max);
	cxlvm_error_hint(err, "shorten the kernel's command line");
	return -E2BIG;
}

/*
 * Page tables go below 640 KiB, into a large page that is touched anyway. A CPU without pages of
 * 1 GiB needs 4 KiB of tables for each GiB: what does not fit there goes to the top of low RAM.
 */
static uint64_t place_tables(const struct ram *ram, uint64_t size)
{
	if (size <= LAYOUT_PAGING_END - LAYOUT_PAGING)
		return LAYOUT_PAGING;
	return size < ram->blocks[0].size ? ram->blocks[0].size - size : 0;
}

/* At the top of low RAM, below end. */
static int place_initrd(const struct boot *boot, const struct ram *ram, uint64_t end,
			uint64_t *initrd, struct cxlvm_error *err)
{
	uint64_t size = boot->initrd.fd >= 0 ? boot->initrd.size : 0;
	uint64_t start = align_up(boot->run_end, INITRD_ALIGN);
	uint64_t room;

	if (end > boot->initrd_max)
		end = boot->initrd_max;
	room = end > start ? end - start : 0;
	if (size > room) {
		cxlvm_error_set(
			err, -ENOMEM,
			"initrd '%s' of %llu bytes does not fit: between kernel (to 0x%llx) "
			"and 0x%llx are %llu bytes",
			boot->initrd.path, (unsigned long long)size, (unsigned long long)start,
			(unsigned long long)end, (unsigned long long)room);
		cxlvm_error_hint(err, "give the guest more --memory than %llu MiB",
				 (unsigned long long)(ram->size >> 20));
		return -ENOMEM;
	}
	*initrd = align_down(end - size, PAGE);
	if (size && *initrd < start)
		*initrd = start;
	return 0;
}

int boot_open(const struct vm_config *config, const struct ram *ram, struct boot **out,
	      struct cxlvm_error *err)
{
	struct boot *boot = calloc(1, sizeof(*boot));
	uint64_t initrd;
	int code;

	if (!boot)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the kernel's description");
	boot->kernel.fd = -1;
	boot->initrd.fd = -1;
	boot->cmdline = config->append ? config->append : VM_DEFAULT_APPEND;
	code = open_file(&boot->kernel, "kernel", config->kernel, err);
	if (!code)
		code = elf_recognize(boot) ? elf_open(boot, err) : bzimage_open(boot, err);
	if (!code)
		code = check_room(boot, ram, err);
	if (!code)
		code = check_cmdline(boot, err);
	if (!code && config->initrd)
		code = open_file(&boot->initrd, "initrd", config->initrd, err);
	if (!code && config->initrd)
		code = place_initrd(boot, ram, ram->blocks[0].size, &initrd, err);
	if (code) {
		boot_close(boot);
		return code;
	}
	*out = boot;
	return 0;
}

void boot_close(struct boot *boot)
{
	if (!boot)
		return;
	if (boot->kernel.fd >= 0)
		close(boot->kernel.fd);
	if (boot->initrd.fd >= 0)
		close(boot->initrd.fd);
	free(boot);
}

unsigned int boot_memory_map(const struct vm *vm, struct boot_range *ranges)
{
	const struct ram *ram = &vm->ram;
	unsigned int n = 0;

	ranges[n++] = (struct boot_range){ 0, LAYOUT_RAM_640K, E820_RAM };
	ranges[n++] = (struct boot_range){ LAYOUT_RAM_640K, LAYOUT_KERNEL - LAYOUT_RAM_640K,
					   E820_RESERVED };
	ranges[n++] =
		(struct boot_range){ LAYOUT_KERNEL, ram->blocks[0].size - LAYOUT_KERNEL, E820_RAM };
	/* CXL windows are holes: Linux takes them from the CEDT. */
	ranges[n++] =
		(struct boot_range){ LAYOUT_ECAM_BASE, ecam_size(vm->n_bridges), E820_RESERVED };
	for (unsigned int i = 1; i < ram->n_blocks; i++)
		ranges[n++] = (struct boot_range){ ram->blocks[i].base.value, ram->blocks[i].size,
						   E820_RAM };
	return n;
}

static void *at(const struct vm *vm, uint64_t base, uint64_t size)
{
	return ram_pointer(&vm->ram, (struct cxlvm_gpa){ base }, size);
}

#define CHUNK KIB(64)

/* From a file into RAM; there is room. */
static int load(const struct vm *vm, const struct file *file, uint64_t offset, uint64_t base,
		uint64_t size, struct cxlvm_error *err)
{
	uint8_t chunk[CHUNK];

	if (vm->ram.fd < 0)
		return boot_read(file, offset, at(vm, base, size), size, err);
	for (uint64_t done = 0; done < size;) {
		uint64_t n = size - done < CHUNK ? size - done : CHUNK;
		int code = boot_read(file, offset + done, chunk, n, err);

		if (code)
			return code;
		code = ram_write(&vm->ram, (struct cxlvm_gpa){ base + done }, chunk, n);
		if (code)
			return cxlvm_error_set(err, code, "cannot write '%s' to guest memory: %s",
					       file->path, strerror(-code));
		done += n;
	}
	return 0;
}

static int load_segment(const struct vm *vm, const struct boot *boot,
			const struct boot_segment *segment, struct cxlvm_error *err)
{
	uint8_t *to = at(vm, segment->base, segment->size);
	int code = load(vm, &boot->kernel, segment->offset, segment->base, segment->stored, err);

	if (!code)
		memset(to + segment->stored, 0, segment->size - segment->stored);
	return code;
}

int boot_load(const struct vm *vm, const struct boot *boot, bool huge_pages_1g, struct entry *entry,
	      struct cxlvm_error *err)
{
	uint64_t tables_size = paging_size(vm, huge_pages_1g);
	uint64_t tables = place_tables(&vm->ram, tables_size);
	uint64_t initrd;
	int code;

	if (tables < boot->run_end && tables != LAYOUT_PAGING)
		return cxlvm_error_set(err, -ENOMEM,
				       "%llu bytes of page tables do not fit behind the kernel: "
				       "it needs memory up to 0x%llx of 0x%llx",
				       (unsigned long long)tables_size,
				       (unsigned long long)boot->run_end,
				       (unsigned long long)vm->ram.blocks[0].size);
	code = place_initrd(boot, &vm->ram,
			    tables == LAYOUT_PAGING ? vm->ram.blocks[0].size : tables, &initrd,
			    err);
	for (unsigned int i = 0; !code && i < boot->n_segments; i++)
		code = load_segment(vm, boot, &boot->segments[i], err);
	if (!code && boot->initrd.fd >= 0)
		code = load(vm, &boot->initrd, 0, initrd, boot->initrd.size, err);
	if (code)
		return code;

	memcpy(at(vm, LAYOUT_CMDLINE, LAYOUT_CMDLINE_MAX), boot->cmdline,
	       strlen(boot->cmdline) + 1);
	memcpy(at(vm, LAYOUT_TABLES_BASE, LAYOUT_TABLES_SIZE), vm->tables.data, vm->tables.size);
	if (boot->pvh)
		elf_tell(vm, boot, initrd);
	else
		bzimage_tell(vm, boot, initrd);
	entry->page_tables.value = tables;
	paging_build(vm, huge_pages_1g, at(vm, tables, tables_size), entry->page_tables);
	entry->address.value = boot->entry;
	entry->pvh = boot->pvh;
	return 0;
}

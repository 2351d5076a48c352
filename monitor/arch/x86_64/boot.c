/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * boot.c - a bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst)
 *
 * Files stay open: each system reset reads them again, straight into guest RAM. What can be
 * checked without a machine is checked in boot_open, before anything else is made.
 */
#include <asm/bootparam.h>
#include <asm/e820.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "layout.h"
#include "pci/ecam.h"
#include "vm.h"
#include "x86.h"

#define SECTOR              512u
#define PARAGRAPH           16u
#define SETUP_SECTS_DEFAULT 4u
#define BOOT_FLAG           0xaa55u
#define HEADER_MAGIC        0x53726448u /* "HdrS" */
#define PROTOCOL_MIN        0x020cu     /* the first with xloadflags: Linux 3.8 */
#define ENTRY_64            0x200u
#define LOADER_UNKNOWN      0xffu
#define PAGE                KIB(4)

#define HEADER_AT offsetof(struct boot_params, hdr)

struct file {
	const char *path;
	int fd;
	uint64_t size;
};

struct boot {
	struct file kernel;
	struct file initrd; /* fd -1: none */
	const char *cmdline;
	struct setup_header header;
	size_t header_size;  /* bytes of it that the kernel has */
	uint64_t payload_at; /* in the file */
	uint64_t payload_size;
	uint64_t load;    /* where it goes */
	uint64_t run_end; /* behind the last byte that it uses before it knows about RAM */
	uint64_t initrd_max;
};

static int open_file(struct file *file, const char *what, const char *path, struct cxlvm_error *err)
{
	struct stat st;
	int code;

	file->path = path;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
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

static int read_file(const struct file *file, uint64_t offset, void *to, uint64_t size,
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

static int not_a_kernel(const struct boot *boot, struct cxlvm_error *err, const char *why)
{
	cxlvm_error_set(err, -ENOEXEC, "'%s' is not a 64-bit Linux bzImage: %s", boot->kernel.path,
			why);
	cxlvm_error_hint(err, "use the kernel's arch/x86/boot/bzImage, or /boot/vmlinuz-* of a "
			      "distribution");
	return -ENOEXEC;
}

/* The header, as far as this kernel has one; the rest stays 0. */
static int read_header(struct boot *boot, struct cxlvm_error *err)
{
	struct setup_header *h = &boot->header;
	const uint64_t least = HEADER_AT + offsetof(struct setup_header, cmdline_size);
	uint8_t jump_length;
	char why[96];
	int code;

	if (boot->kernel.size < least) {
		snprintf(why, sizeof(why), "%llu bytes, its header alone has %llu",
			 (unsigned long long)boot->kernel.size, (unsigned long long)least);
		return not_a_kernel(boot, err, why);
	}
	code = read_file(&boot->kernel, HEADER_AT, h,
			 sizeof(*h) < boot->kernel.size - HEADER_AT ? sizeof(*h)
								    : boot->kernel.size - HEADER_AT,
			 err);
	if (code)
		return code;
	if (h->boot_flag != BOOT_FLAG || h->header != HEADER_MAGIC) {
		snprintf(why, sizeof(why), "0x%08x at offset 0x202, should be 0x%08x (\"HdrS\")",
			 h->header, HEADER_MAGIC);
		return not_a_kernel(boot, err, why);
	}
	if (h->version < PROTOCOL_MIN) {
		snprintf(why, sizeof(why), "boot protocol 0x%04x, needed is 0x%04x", h->version,
			 PROTOCOL_MIN);
		return not_a_kernel(boot, err, why);
	}
	if (!(h->xloadflags & XLF_KERNEL_64) || !(h->loadflags & LOADED_HIGH))
		return not_a_kernel(boot, err, "it has no 64-bit entry");

	/* The jump over the header tells where it ends: 0x202 and the byte at 0x201. */
	jump_length = (uint8_t)(h->jump >> 8);
	boot->header_size = (size_t)0x202 + jump_length - HEADER_AT;
	if (boot->header_size > sizeof(*h))
		boot->header_size = sizeof(*h);
	memset((uint8_t *)h + boot->header_size, 0, sizeof(*h) - boot->header_size);
	return 0;
}

/* Where it goes and how much it needs. */
static int plan_kernel(struct boot *boot, const struct ram *ram, struct cxlvm_error *err)
{
	const struct setup_header *h = &boot->header;
	unsigned int setup = h->setup_sects ? h->setup_sects : SETUP_SECTS_DEFAULT;
	uint64_t low = ram->blocks[0].size;
	uint64_t file_end;
	uint64_t runs_at;

	boot->payload_at = (uint64_t)(setup + 1) * SECTOR;
	boot->payload_size = (uint64_t)h->syssize * PARAGRAPH;
	file_end = boot->payload_at + boot->payload_size;
	if (boot->payload_size <= ENTRY_64)
		return not_a_kernel(boot, err, "its header announces no code");
	if (boot->kernel.size < file_end) {
		cxlvm_error_set(err, -ENOEXEC,
				"kernel '%s' is truncated: %llu bytes, its header announces %llu",
				boot->kernel.path, (unsigned long long)boot->kernel.size,
				(unsigned long long)file_end);
		cxlvm_error_hint(err, "copy or download it again");
		return -ENOEXEC;
	}

	/* A relocatable one moves itself to its preferred address, or stays above it. */
	boot->load = h->relocatable_kernel || !h->pref_address ? LAYOUT_KERNEL : h->pref_address;
	runs_at = boot->load;
	if (h->relocatable_kernel && h->kernel_alignment &&
	    !(h->kernel_alignment & (h->kernel_alignment - 1)))
		runs_at = align_up(runs_at, h->kernel_alignment);
	if (h->relocatable_kernel && h->pref_address > runs_at)
		runs_at = h->pref_address;
	boot->run_end = boot->load + boot->payload_size;
	if (runs_at + h->init_size > boot->run_end)
		boot->run_end = runs_at + h->init_size;
	if (boot->load < LAYOUT_KERNEL || boot->load > low || runs_at > low ||
	    boot->run_end > low) {
		cxlvm_error_set(err, -ENOMEM,
				"kernel '%s' is too large: it needs memory up to 0x%llx, with %llu "
				"MiB it ends at 0x%llx",
				boot->kernel.path, (unsigned long long)boot->run_end,
				(unsigned long long)(ram->size >> 20), (unsigned long long)low);
		cxlvm_error_hint(err, "give it more --memory, at least %lluM",
				 (unsigned long long)(align_up(boot->run_end, MIB(64)) >> 20));
		return -ENOMEM;
	}
	boot->initrd_max = h->initrd_addr_max ? (uint64_t)h->initrd_addr_max + 1 : 0x38000000;
	if (boot->initrd_max > low)
		boot->initrd_max = low;
	return 0;
}

static int check_cmdline(const struct boot *boot, struct cxlvm_error *err)
{
	uint64_t max = boot->header.cmdline_size ? boot->header.cmdline_size : 255;
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
	uint64_t start = align_up(boot->run_end, PARAGRAPH);
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
		code = read_header(boot, err);
	if (!code)
		code = plan_kernel(boot, ram, err);
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

static void add_e820(struct boot_params *params, uint64_t base, uint64_t size, uint32_t type)
{
	params->e820_table[params->e820_entries++] = (struct boot_e820_entry){
		.addr = base,
		.size = size,
		.type = type,
	};
}

static void fill_params(const struct vm *vm, const struct boot *boot, uint64_t initrd,
			struct boot_params *params)
{
	const struct ram *ram = &vm->ram;

	memset(params, 0, sizeof(*params));
	memcpy(&params->hdr, &boot->header, boot->header_size);
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.code32_start = (uint32_t)boot->load;
	params->hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	if (boot->initrd.fd >= 0) {
		params->hdr.ramdisk_image = (uint32_t)initrd;
		params->hdr.ramdisk_size = (uint32_t)boot->initrd.size;
	}
	params->acpi_rsdp_addr = vm->tables.rsdp.value;

	add_e820(params, 0, LAYOUT_RAM_640K, E820_RAM);
	add_e820(params, LAYOUT_RAM_640K, LAYOUT_KERNEL - LAYOUT_RAM_640K, E820_RESERVED);
	add_e820(params, LAYOUT_KERNEL, ram->blocks[0].size - LAYOUT_KERNEL, E820_RAM);
	/* CXL windows are holes: Linux takes them from the CEDT. */
	add_e820(params, LAYOUT_ECAM_BASE, ecam_size(vm->n_bridges), E820_RESERVED);
	for (unsigned int i = 1; i < ram->n_blocks; i++)
		add_e820(params, ram->blocks[i].base.value, ram->blocks[i].size, E820_RAM);
}

static void *at(const struct vm *vm, uint64_t base, uint64_t size)
{
	return ram_pointer(&vm->ram, (struct cxlvm_gpa){ base }, size);
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
	if (!code)
		code = read_file(&boot->kernel, boot->payload_at,
				 at(vm, boot->load, boot->payload_size), boot->payload_size, err);
	if (!code && boot->initrd.fd >= 0)
		code = read_file(&boot->initrd, 0, at(vm, initrd, boot->initrd.size),
				 boot->initrd.size, err);
	if (code)
		return code;

	memcpy(at(vm, LAYOUT_CMDLINE, LAYOUT_CMDLINE_MAX), boot->cmdline,
	       strlen(boot->cmdline) + 1);
	memcpy(at(vm, LAYOUT_TABLES_BASE, LAYOUT_TABLES_SIZE), vm->tables.data, vm->tables.size);
	fill_params(vm, boot, initrd, at(vm, LAYOUT_BOOT_PARAMS, sizeof(struct boot_params)));
	entry->page_tables.value = tables;
	paging_build(vm, huge_pages_1g, at(vm, tables, tables_size), entry->page_tables);
	entry->address.value = boot->load + ENTRY_64;
	return 0;
}

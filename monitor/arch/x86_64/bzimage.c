/* SPDX-License-Identifier: BSD-3-Clause */
/* bzimage.c - a bzImage by the 64-bit boot protocol (Documentation/arch/x86/boot.rst) */
#include <asm/bootparam.h>
#include <asm/e820.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "boot.h"
#include "layout.h"
#include "vm.h"

#define SECTOR              512u
#define PARAGRAPH           16u
#define SETUP_SECTS_DEFAULT 4u
#define BOOT_FLAG           0xaa55u
#define HEADER_MAGIC        0x53726448u /* "HdrS" */
#define PROTOCOL_MIN        0x020cu     /* the first with xloadflags: Linux 3.8 */
#define ENTRY_64            0x200u
#define LOADER_UNKNOWN      0xffu

#define HEADER_AT offsetof(struct boot_params, hdr)

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
	code = boot_read(&boot->kernel, HEADER_AT, h,
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
static int plan_kernel(struct boot *boot, struct cxlvm_error *err)
{
	const struct setup_header *h = &boot->header;
	struct boot_segment *payload = &boot->segments[0];
	unsigned int setup = h->setup_sects ? h->setup_sects : SETUP_SECTS_DEFAULT;
	uint64_t file_end;
	uint64_t run_end;
	uint64_t runs_at;

	payload->offset = (uint64_t)(setup + 1) * SECTOR;
	payload->stored = (uint64_t)h->syssize * PARAGRAPH;
	file_end = payload->offset + payload->stored;
	if (payload->stored <= ENTRY_64)
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
	payload->base = h->relocatable_kernel || !h->pref_address ? LAYOUT_KERNEL : h->pref_address;
	runs_at = payload->base;
	if (h->relocatable_kernel && h->kernel_alignment &&
	    !(h->kernel_alignment & (h->kernel_alignment - 1)))
		runs_at = align_up(runs_at, h->kernel_alignment);
	if (h->relocatable_kernel && h->pref_address > runs_at)
		runs_at = h->pref_address;
	payload->size = payload->stored;
	/* What wraps fits nowhere. */
	if (__builtin_add_overflow(payload->base, payload->stored, &boot->run_end) ||
	    __builtin_add_overflow(runs_at, h->init_size, &run_end))
		run_end = UINT64_MAX;
	if (run_end > boot->run_end)
		boot->run_end = run_end;
	boot->n_segments = 1;
	boot->entry = payload->base + ENTRY_64;
	boot->cmdline_max = h->cmdline_size ? h->cmdline_size : 255;
	boot->initrd_max = h->initrd_addr_max ? (uint64_t)h->initrd_addr_max + 1 : 0x38000000;
	return 0;
}

int bzimage_open(struct boot *boot, struct cxlvm_error *err)
{
	int code = read_header(boot, err);

	return code ? code : plan_kernel(boot, err);
}

void bzimage_tell(const struct vm *vm, const struct boot *boot, uint64_t initrd)
{
	struct boot_params *params =
		ram_pointer(&vm->ram, (struct cxlvm_gpa){ LAYOUT_BOOT_PARAMS }, sizeof(*params));
	struct boot_range ranges[BOOT_RANGES_MAX];
	unsigned int n = boot_memory_map(vm, ranges);

	memset(params, 0, sizeof(*params));
	memcpy(&params->hdr, &boot->header, boot->header_size);
	params->hdr.type_of_loader = LOADER_UNKNOWN;
	params->hdr.code32_start = (uint32_t)boot->segments[0].base;
	params->hdr.cmd_line_ptr = LAYOUT_CMDLINE;
	if (boot->initrd.fd >= 0) {
		params->hdr.ramdisk_image = (uint32_t)initrd;
		params->hdr.ramdisk_size = (uint32_t)boot->initrd.size;
	}
	params->acpi_rsdp_addr = vm->tables.rsdp.value;
	for (unsigned int i = 0; i < n; i++)
		params->e820_table[params->e820_entries++] = (struct boot_e820_entry){
			.addr = ranges[i].base,
			.size = ranges[i].size,
			.type = ranges[i].type,
		};
}

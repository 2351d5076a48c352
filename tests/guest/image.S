/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The head of a bzImage (Linux x86 boot protocol) in front of a payload guest, which is a flat file
 * (PAYLOAD) that goes to LOAD_ADDRESS: 0x200 bytes that are never used, then the 64-bit entry.
 *
 * Assembled as one flat section; guests are made by payload.sh.
 */
#include "load.h"

#define SETUP_SECTORS 1
#define SETUP_SIZE    ((SETUP_SECTORS + 1) * 512)

	.text
	.code64
	.globl	_start
_start:
	.org	0x1f1
	.byte	SETUP_SECTORS
	.word	0				/* root_flags */
	.long	(end - kernel) / 16		/* syssize */
	.word	0				/* ram_size */
	.word	0xffff				/* vid_mode */
	.word	0				/* root_dev */
	.word	0xaa55				/* boot_flag */
	.byte	0xeb, header_end - . - 2	/* jump: its offset gives the end of the header */
	.ascii	"HdrS"
	.word	0x020f				/* version */
	.long	0				/* realmode_swtch */
	.word	0				/* start_sys_seg */
	.word	0				/* kernel_version */
	.byte	0				/* type_of_loader */
	.byte	1				/* loadflags: loaded high */
	.word	0				/* setup_move_size */
	.long	LOAD_ADDRESS			/* code32_start */
	.long	0, 0				/* ramdisk_image, ramdisk_size */
	.long	0				/* bootsect_kludge */
	.word	0				/* heap_end_ptr */
	.byte	0, 0				/* ext_loader_ver, ext_loader_type */
	.long	0				/* cmd_line_ptr */
	.long	0x7fffffff			/* initrd_addr_max */
	.long	0x100000			/* kernel_alignment */
	.byte	1				/* relocatable_kernel */
	.byte	20				/* min_alignment: 1 MiB */
	.word	1				/* xloadflags: has a 64-bit entry */
	.long	2047				/* cmdline_size */
	.long	0				/* hardware_subarch */
	.quad	0				/* hardware_subarch_data */
	.long	0, 0				/* payload_offset, payload_length */
	.quad	0				/* setup_data */
	.quad	LOAD_ADDRESS			/* pref_address */
	.long	LOAD_SIZE			/* init_size */
	.long	0				/* handover_offset */
	.long	0				/* kernel_info_offset */
header_end:

	.org	SETUP_SIZE
kernel:
	.incbin	PAYLOAD
	.balign	16
end:

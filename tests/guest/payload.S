/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The smallest guest: its first store goes to the base of the CXL window, and then it ends the
 * machine through the debug-exit port, which a monitor with test switches has: eight bytes of
 * device memory become "PAYLOAD!", and nothing else.
 *
 * The window base is patched in by payload.sh, at BASE_AT: behind ten bytes of the first
 * instruction and two of the second.
 */
#include "load.h"

#define DEBUG_EXIT  0xf4
#define STORED      0x2144414f4c594150 /* "PAYLOAD!" */
#define PLACEHOLDER 0x1122334455667788

	.text
	.code64
	.globl	_start
_start:
	/* the 32-bit entry: never used */
	hlt
	jmp	_start

	.org	ENTRY_AT
entry64:
	movabs	$STORED, %rax
	movabs	%rax, PLACEHOLDER
	out	%al, $DEBUG_EXIT
1:
	hlt
	jmp	1b

/* SPDX-License-Identifier: BSD-3-Clause */
/* check_links.c - all links, and how one says what it found */
#include <stdarg.h>
#include <stdio.h>

#include "check.h"

/* In the order in which they are needed: what mends one may mend those behind it. */
const struct check_link check_links[CHECK_LINKS] = {
	{ "cpu", check_cpu_link },
	{ "kvm", check_kvm },
	{ "iommu", check_iommu },
	{ "vfio", check_vfio },
	{ "device", check_device },
	{ "kernel", check_kernel },
	{ "binding", check_binding },
	{ "group", check_group },
	{ "access", check_access },
	{ "decoder", check_decoder },
	{ "size", check_size },
	{ "reset", check_reset },
	{ "generation", check_generation },
	{ "mmap", check_mmap },
	{ "memlock", check_memlock },
	{ "address-width", check_address_width },
	{ "huge-pages", check_huge_pages },
	{ "memory-type", check_memory_type },
};

void check_say(struct check_result *result, enum check_state state, const char *format, ...)
{
	va_list arguments;

	result->state = state;
	va_start(arguments, format);
	vsnprintf(result->message, sizeof(result->message), format, arguments);
	va_end(arguments);
	fs_printable(result->message);
}

void check_hint(struct check_result *result, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(result->hint, sizeof(result->hint), format, arguments);
	va_end(arguments);
	fs_printable(result->hint);
}

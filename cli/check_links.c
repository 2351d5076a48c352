/* SPDX-License-Identifier: BSD-3-Clause */
/* check_links.c - all links, and how one says what it found */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

const char *check_user(const struct check *check, char user[static 32])
{
	if (!fs_line(check->fs, "/proc/self/status", "Uid:", user, 32))
		snprintf(user, 32, "$(id -u)");
	user[strcspn(user, " ")] = '\0';
	return user;
}

void check_hint_file(const struct check *check, struct check_result *result, const char *path,
		     const struct fs_status *file)
{
	char user[32];

	check_user(check, user);
	if ((file->mode & 0060) == 0060 && strcmp(file->group, "root"))
		check_hint(result, "as root: usermod -aG %s $(id -un %s), then log in again",
			   file->group, user);
	else
		check_hint(result, "as root: chown %s %s, or give the file a group that you are in",
			   user, path);
}

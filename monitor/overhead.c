/* SPDX-License-Identifier: BSD-3-Clause */
/* overhead.c - memory of the host's kernel that a guest costs besides its own */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overhead.h"
#include "util.h"

#define BYTES_PER_BYTE 512 /* 8 for each page of 4 KiB */

static bool says_yes(const char *path)
{
	FILE *file = fopen(path, "re");
	int first = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return first == 'Y' || first == '1';
}

static bool has_two_dimensional_paging(void)
{
	return says_yes("/sys/module/kvm_amd/parameters/npt") ||
	       says_yes("/sys/module/kvm_intel/parameters/ept");
}

/* What the kernel could give without swapping, in bytes; false if it does not say. */
static bool available(uint64_t *bytes)
{
	static const char name[] = "MemAvailable:";
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file))
		found = !strncmp(line, name, strlen(name));
	if (file)
		fclose(file);
	if (found)
		*bytes = strtoull(line + strlen(name), NULL, 10) << 10;
	return found;
}

int overhead_check(uint64_t size, struct cxlvm_error *err)
{
	uint64_t needed = size / BYTES_PER_BYTE, there;

	if (has_two_dimensional_paging() || !available(&there) || needed <= there)
		return 0;
	cxlvm_error_set(
		err, -ENOMEM,
		"KVM without two-dimensional paging keeps %llu MiB about %llu MiB of guest and "
		"device memory, and this machine has %llu MiB available",
		(unsigned long long)(align_up(needed, MIB(1)) >> 20),
		(unsigned long long)(size >> 20), (unsigned long long)(there >> 20));
	cxlvm_error_hint(err,
			 "use less device memory, or load kvm_amd with npt=1 or kvm_intel with "
			 "ept=1 where the processor can do it");
	return -ENOMEM;
}

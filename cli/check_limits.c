/* SPDX-License-Identifier: BSD-3-Clause */
/* check_limits.c - links that are about amounts: locked memory, addresses, huge pages, caching */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cxlvm/window.h>

#include "check.h"
#include "emit.h"
#include "list.h"

#define CAP_IPC_LOCK_BIT 14
#define GIB              ((uint64_t)1 << 30)
#define FOUR_GIB         (4 * GIB)

static bool may_lock_all(struct fs *fs)
{
	char text[32];

	return fs_line(fs, "/proc/self/status", "CapEff:", text, sizeof(text)) &&
	       strtoull(text, NULL, 16) >> CAP_IPC_LOCK_BIT & 1;
}

/* "unlimited" or bytes; the rest of the text moves on. */
static uint64_t take_limit(char **text)
{
	if (!strncmp(*text, "unlimited", 9)) {
		*text += 9;
		return UINT64_MAX;
	}
	return strtoull(*text, text, 10);
}

/* Root sets the limit of the shell, or of the user: in limits.conf a number is ":UID". */
static void hard_hint(const struct check *check, struct check_result *result, uint64_t kib)
{
	char shell[32], user[32];

	/* A captured machine has no shell: in one, $$ is its number. */
	if (!fs_line(check->fs, "/proc/self/status", "PPid:", shell, sizeof(shell)))
		snprintf(shell, sizeof(shell), "$$");
	check_hint(result,
		   "as root: prlimit --memlock=%" PRIu64 " --pid %s raises that of this shell; "
		   "for good: echo ':%s - memlock %" PRIu64 "' >>/etc/security/limits.conf and log "
		   "in again, or LimitMEMLOCK= of a service",
		   check->memory_size, shell, check_user(check, user), kib);
}

void check_memlock(const struct check *check, struct check_result *result)
{
	char text[128], *at = text, limit[EMIT_SIZE_MAX], need[EMIT_SIZE_MAX];
	uint64_t soft, hard, kib = (check->memory_size >> 10) + !!(check->memory_size % 1024);

	emit_size(check->memory_size, need);
	if (may_lock_all(check->fs)) {
		check_say(result, CHECK_OK, "%s of guest memory may be locked: no limit for root",
			  need);
		return;
	}
	if (!fs_line(check->fs, "/proc/self/limits", "Max locked memory", text, sizeof(text))) {
		check_say(result, CHECK_UNKNOWN, "the limit of locked memory cannot be read");
		return;
	}
	soft = take_limit(&at);
	at += strspn(at, " ");
	hard = take_limit(&at);
	if (soft >= check->memory_size) {
		check_say(result, CHECK_OK, "%s of guest memory may be locked, the limit is %s",
			  need, soft == UINT64_MAX ? "unlimited" : emit_size(soft, limit));
		return;
	}
	check_say(result, CHECK_BROKEN,
		  "locked memory: %" PRIu64 " KiB are needed for DMA, the limit is %" PRIu64 " KiB",
		  kib, soft >> 10);
	if (hard >= check->memory_size)
		check_hint(result, "ulimit -l %" PRIu64 " in the shell that starts it", kib);
	else
		hard_hint(check, result, kib);
}

/* Address width of the first IOMMU that tells it; 0: none does. */
static unsigned int iommu_bits(struct fs *fs)
{
	struct fs_names units;
	unsigned int bits = 0;

	if (fs_names(fs, "/sys/class/iommu", &units))
		return 0;
	for (size_t i = 0; i < units.count && !bits; i++) {
		char path[FS_PATH_MAX], text[32];

		/* MGAW, bits 21:16 of the capability register, is the width minus 1. */
		if (!fs_text(fs,
			     fs_path(path, "/sys/class/iommu/%s/intel-iommu/cap", units.names[i]),
			     text, sizeof(text)) &&
		    isxdigit((unsigned char)text[0]))
			bits = (unsigned int)(strtoull(text, NULL, 16) >> 16 & 0x3f) + 1;
	}
	fs_names_free(&units);
	return bits;
}

static unsigned int cpu_bits(struct fs *fs)
{
	char text[64];
	unsigned long bits = 0;

	if (fs_line(fs, "/proc/cpuinfo", "address sizes", text, sizeof(text)))
		bits = strtoul(text, NULL, 10);
	return bits < 32 || bits > 52 ? 0 : (unsigned int)bits;
}

/* What the IOMMU does not translate for the device: no guest memory may be there. */
static void add_reserved(const struct check *check, struct cxlvm_machine *machine)
{
	char path[FS_PATH_MAX], text[4096], *line, *save = NULL;
	ssize_t n = fs_read(
		check->fs,
		fs_path(path, "/sys/kernel/iommu_groups/%d/reserved_regions", check->device->group),
		text, sizeof(text) - 1);

	text[n < 0 ? 0 : n] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		uint64_t first = strtoull(line, &line, 16), last = strtoull(line, &line, 16);

		/* One below 4 GiB is in nobody's way here, and one that cannot be is left out. */
		if (last > first && last >= FOUR_GIB && last - first < UINT64_MAX)
			(void)cxlvm_machine_add_range(machine, "reserved region of the IOMMU",
						      (struct cxlvm_gpa){ first }, last - first + 1,
						      NULL);
	}
}

/* Where device memory could be, as cxlvm run places it: above RAM. */
static int place(const struct check *check, unsigned int bits, uint64_t memory, uint64_t size)
{
	const struct cxlvm_machine_config config = {
		.size = sizeof(config),
		.phys_bits = bits,
		.place_from = { FOUR_GIB + memory },
	};
	struct cxlvm_machine *machine;
	struct cxlvm_gpa base;
	int ret = cxlvm_machine_create(&config, &machine, NULL);

	if (ret)
		return ret;
	if (check->device && check->device->group >= 0)
		add_reserved(check, machine);
	ret = cxlvm_machine_freeze(machine, NULL);
	if (!ret)
		ret = cxlvm_machine_place_range(machine, "device memory", size, GIB, &base, NULL);
	cxlvm_machine_destroy(machine);
	return ret;
}

void check_address_width(const struct check *check, struct check_result *result)
{
	unsigned int cpu = cpu_bits(check->fs), iommu = iommu_bits(check->fs), bits = cpu;
	uint64_t size = check->device ? host_range_size(check->device) : 0;
	struct host_decoder decoder;
	char text[EMIT_SIZE_MAX], memory[EMIT_SIZE_MAX], units[16];

	if (!cpu) {
		check_say(result, CHECK_UNKNOWN, "the CPU's address width cannot be read");
		return;
	}
	if (check->device && list_decoder(check->host, check->device, &decoder) != LIST_UNKNOWN &&
	    decoder.committed)
		size = decoder.size;
	if (!size && check->opened)
		size = check->opened->memory_size;
	size = size ? size : CXLVM_HDM_GRANULE;
	emit_size(check->memory_size, memory);
	if (iommu >= 32 && iommu < bits)
		bits = iommu;
	if (check->memory_size > UINT64_MAX / 2 || place(check, bits, check->memory_size, size)) {
		snprintf(units, sizeof(units), iommu ? "%u" : "unknown", iommu);
		check_say(result, CHECK_BROKEN,
			  "%u address bits (CPU %u, IOMMU %s) have no room for %s of device memory "
			  "above %s of guest memory",
			  bits, cpu, units, emit_size(size, text), memory);
		if (place(check, bits, 0, size))
			check_hint(result,
				   "this machine cannot show all of that memory to a guest; "
				   "if the firmware set-up has a wider address mode of the "
				   "IOMMU, turn it on");
		else
			check_hint(result, "give the guest less memory: --memory");
	} else {
		check_say(result, CHECK_OK,
			  "%u address bits%s: %s of device memory fit above %s of "
			  "guest memory",
			  bits, iommu ? "" : " of the CPU (those of the IOMMU are not known)",
			  emit_size(size, text), memory);
	}
}

/* Guest memory is a memfd: of its pages the switch for shared memory decides, not that of others. */
void check_huge_pages(const struct check *check, struct check_result *result)
{
	static const char *const on[] = { "[always]", "[madvise]" };
	const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
	char text[96] = "";
	bool any = false;

	fs_text(check->fs, path, text, sizeof(text));
	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]); i++)
		any = any || strstr(text, on[i]);
	if (any) {
		check_say(result, CHECK_OK, "huge pages: %s", text);
	} else if (text[0]) {
		check_say(result, CHECK_WARNING,
			  "huge pages are off (%s): guest memory is mapped for DMA "
			  "page by page, which is slow",
			  text);
		check_hint(result, "as root: echo madvise >%s", path);
	} else {
		check_say(result, CHECK_UNKNOWN, "this kernel shows no huge pages: there is no %s",
			  path);
	}
}

void check_memory_type(const struct check *check, struct check_result *result)
{
	if (check->device && !check->device->cxl.device_dvsec && host_config_seen(check->device)) {
		check_say(result, CHECK_OK, "a plain PCI device has no memory that is cached");
	} else if (check->cpu == CHECK_CPU_INTEL) {
		check_say(result, CHECK_WARNING,
			  "on Intel CPUs, kernels up to now map device memory without struct page "
			  "uncached for guests: slow, and not coherent with the device");
		check_hint(result, "use a host with AMD CPUs or arm64 with FWB, until KVM changes");
	} else if (check->cpu == CHECK_CPU_AMD) {
		check_say(result, CHECK_OK, "KVM maps device memory cached on AMD CPUs");
	} else {
		check_say(
			result, CHECK_UNKNOWN,
			"on arm64 the CPU needs FWB for cached device memory, on others nothing is "
			"known");
	}
}

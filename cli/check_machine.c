/* SPDX-License-Identifier: BSD-3-Clause */
/* check_machine.c - links that are the machine's: CPU, KVM, IOMMU, VFIO, kernel */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "list.h"

#define FLAGS_MAX 8192

/* The oldest kernel that anybody has put a CXL interface into: NVIDIA's 6.17. */
#define KERNEL_MAJOR 6
#define KERNEL_MINOR 17

enum check_cpu check_find_cpu(struct fs *fs)
{
	char text[64];

	if (fs_line(fs, "/proc/cpuinfo", "vendor_id", text, sizeof(text))) {
		if (!strcmp(text, "GenuineIntel"))
			return CHECK_CPU_INTEL;
		if (!strcmp(text, "AuthenticAMD") || !strcmp(text, "HygonGenuine"))
			return CHECK_CPU_AMD;
	}
	if (fs_line(fs, "/proc/cpuinfo", "CPU implementer", text, sizeof(text)))
		return CHECK_CPU_ARM;
	return CHECK_CPU_OTHER;
}

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	while (*text) {
		size_t n = strcspn(text, " ");

		if (n == len && !strncmp(text, word, n))
			return true;
		text += n + (text[n] == ' ');
	}
	return false;
}

void check_cpu_link(const struct check *check, struct check_result *result)
{
	char *flags = calloc(1, FLAGS_MAX);
	bool kvm = fs_exists(check->fs, "/dev/kvm"), seen;

	seen = flags && fs_line(check->fs, "/proc/cpuinfo", "flags", flags, FLAGS_MAX);
	if (seen && has_word(flags, "vmx"))
		check_say(result, CHECK_OK, "the CPU has virtualization (vmx)");
	else if (seen && has_word(flags, "svm"))
		check_say(result, CHECK_OK, "the CPU has virtualization (svm)");
	else if (kvm)
		check_say(result, CHECK_OK, "the kernel offers KVM on this CPU");
	else if (check->cpu == CHECK_CPU_ARM) {
		check_say(result, CHECK_BROKEN,
			  "the kernel does not offer KVM: it was not started in EL2");
		check_hint(result, "start the kernel in EL2: a setting of firmware or boot loader, "
				   "in a virtual machine one of its host");
	} else if (seen) {
		check_say(result, CHECK_BROKEN,
			  "the CPU shows no virtualization (neither vmx nor svm)");
		check_hint(result, "turn it on in the firmware set-up (Intel VT-x, AMD SVM); in a "
				   "virtual machine its host has to offer nested virtualization");
	} else {
		check_say(result, CHECK_UNKNOWN, "/proc/cpuinfo shows no flags");
	}
	free(flags);
}

void check_kvm(const struct check *check, struct check_result *result)
{
	static const char *const modules[] = {
		[CHECK_CPU_OTHER] = "kvm",
		[CHECK_CPU_INTEL] = "kvm_intel",
		[CHECK_CPU_AMD] = "kvm_amd",
		[CHECK_CPU_ARM] = "kvm",
	};
	struct fs_status kvm = fs_status(check->fs, "/dev/kvm");
	char user[32];

	if (kvm.type == FS_NONE) {
		check_say(result, CHECK_BROKEN, "there is no /dev/kvm");
		check_hint(result, "as root: modprobe %s", modules[check->cpu]);
	} else if (!kvm.readable || !kvm.writable) {
		check_say(result, CHECK_BROKEN,
			  "no permission to use /dev/kvm, which is of %s:%s, mode %04o", kvm.owner,
			  kvm.group, kvm.mode);
		if ((kvm.mode & 0060) == 0060 && strcmp(kvm.group, "root"))
			check_hint_file(check, result, "/dev/kvm", &kvm);
		else
			check_hint(result,
				   "as root: chgrp kvm /dev/kvm; chmod 660 /dev/kvm; usermod -aG "
				   "kvm $(id -un %s), then log in again",
				   check_user(check, user));
	} else {
		check_say(result, CHECK_OK, "/dev/kvm can be used");
	}
}

static void iommu_hint(const struct check *check, struct check_result *result)
{
	char cmdline[4096] = "";

	fs_text(check->fs, "/proc/cmdline", cmdline, sizeof(cmdline));
	if (check->cpu == CHECK_CPU_INTEL && !strstr(cmdline, "intel_iommu=on"))
		check_hint(result, "add intel_iommu=on to the kernel's command line, and turn VT-d "
				   "on in the firmware set-up");
	else if (check->cpu == CHECK_CPU_INTEL)
		check_hint(result, "turn VT-d on in the firmware set-up: intel_iommu=on is there");
	else if (check->cpu == CHECK_CPU_AMD && strstr(cmdline, "amd_iommu=off"))
		check_hint(result, "take amd_iommu=off from the kernel's command line");
	else if (check->cpu == CHECK_CPU_AMD)
		check_hint(result, "turn the IOMMU (AMD-Vi) on in the firmware set-up");
	else
		check_hint(result, "turn the IOMMU (SMMU) on in the firmware set-up; the kernel's "
				   "log says what it found: dmesg | grep -i -e iommu -e smmu");
}

void check_iommu(const struct check *check, struct check_result *result)
{
	struct fs_names groups, units;
	bool known = !fs_names(check->fs, "/sys/kernel/iommu_groups", &groups);

	if (!known || !groups.count) {
		check_say(result, CHECK_BROKEN,
			  "this machine has no IOMMU in use, so that no device can be given away");
		iommu_hint(check, result);
	} else {
		bool any = !fs_names(check->fs, "/sys/class/iommu", &units) && units.count;

		check_say(result, CHECK_OK, "IOMMU%s%.64s, %zu groups", any ? " " : "",
			  any ? units.names[0] : "", groups.count);
		fs_names_free(&units);
	}
	if (known)
		fs_names_free(&groups);
}

void check_vfio(const struct check *check, struct check_result *result)
{
	bool group = fs_exists(check->fs, "/dev/vfio/vfio");
	bool iommufd = fs_exists(check->fs, "/dev/iommu");

	if (!fs_exists(check->fs, "/sys/bus/pci/drivers/vfio-pci") &&
	    !(check->device && check->device->vfio)) {
		check_say(result, CHECK_BROKEN, "the driver vfio-pci is not loaded");
		check_hint(result, "as root: modprobe vfio-pci");
	} else if (!group && !iommufd) {
		check_say(result, CHECK_BROKEN, "there is neither /dev/vfio/vfio nor /dev/iommu");
		check_hint(result, "as root: modprobe vfio");
	} else if (!iommufd && !fs_exists(check->fs, "/sys/module/vfio_iommu_type1")) {
		check_say(result, CHECK_BROKEN,
			  "the module vfio_iommu_type1 is not loaded, and there is no /dev/iommu");
		check_hint(result, "as root: modprobe vfio_iommu_type1");
	} else {
		check_say(result, CHECK_OK, "vfio-pci, by%s%s%s", group ? " groups" : "",
			  group && iommufd ? " and" : "", iommufd ? " iommufd" : "");
	}
}

/* Older than any kernel with a CXL interface; "" is not. */
static bool is_old(const char *release)
{
	char *end;
	unsigned long major = strtoul(release, &end, 10);
	unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;

	return isdigit((unsigned char)release[0]) &&
	       (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR));
}

void check_kernel(const struct check *check, struct check_result *result)
{
	const struct list_interface interface = list_interface(check->fs);

	if (check->device && !check->device->cxl.device_dvsec && host_config_seen(check->device)) {
		check_say(result, CHECK_OK, "kernel %.60s; a plain PCI device needs no more",
			  check->host->kernel);
		return;
	}
	if (check->opened && check->opened->cxl) {
		check_say(result, CHECK_OK, "kernel %.60s with a CXL interface in VFIO",
			  check->host->kernel);
		return;
	}
	if (interface.off) {
		check_say(result, CHECK_BROKEN, "vfio-pci was loaded with disable_cxl");
		check_hint(
			result,
			"as root: modprobe -r vfio-pci; modprobe vfio-pci disable_cxl=0; and take "
			"it from /etc/modprobe.d");
	} else if (interface.first && interface.first == interface.last) {
		check_say(result, CHECK_OK, "kernel %.60s with the CXL interface of generation %u",
			  check->host->kernel, interface.first);
	} else if (interface.first) {
		check_say(result, CHECK_OK,
			  "kernel %.60s with the CXL interface of generation %u to %u (vfio_cxl)",
			  check->host->kernel, interface.first, interface.last);
	} else if (is_old(check->host->kernel)) {
		check_say(result, CHECK_BROKEN,
			  "kernel %.60s has no CXL interface in VFIO: a guest would find a plain "
			  "PCI device",
			  check->host->kernel);
		check_hint(result, "boot a kernel with the series 'vfio/pci: Add CXL Type-2 device "
				   "passthrough support', 6.17 of NVIDIA for example");
	} else {
		check_say(result, CHECK_UNKNOWN,
			  "whether VFIO of kernel %.60s has a CXL interface shows only when the "
			  "device is opened",
			  check->host->kernel);
	}
}

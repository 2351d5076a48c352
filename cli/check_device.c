/* SPDX-License-Identifier: BSD-3-Clause */
/* check_device.c - links that are the device's: type, driver, group, decoder, reset */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cxlvm/kernel.h>
#include <cxlvm/vfio.h>

#include "check.h"
#include "emit.h"
#include "list.h"

#define PROCESSES_MAX  65536u
#define OPEN_FILES_MAX 4096u

/* False, with a result, when there is no device or it is no CXL device. */
static bool is_cxl(const struct check *check, struct check_result *result)
{
	if (check->device &&
	    (check->device->cxl.device_dvsec || (check->opened && check->opened->cxl)))
		return true;
	if (!check->device)
		check_say(result, CHECK_UNKNOWN, "there is no device to look at");
	else if (host_config_seen(check->device))
		check_say(result, CHECK_OK, "a plain PCI device has none");
	else
		check_say(result, CHECK_UNKNOWN,
			  check->device->pci ? "config space behind 64 bytes is for root only"
					     : "only an opened device tells");
	return false;
}

void check_device(const struct check *check, struct check_result *result)
{
	const struct host_device *device = check->device;
	static const char *const types[] = { "CXL device", "CXL Type-1 device", "CXL Type-2 device",
					     "CXL Type-3 device" };
	unsigned int type;

	if (!device && check->wanted) {
		check_say(result, CHECK_BROKEN, "there is no %s %.200s",
			  check->wanted[0] == '/' ? "device" : "PCI device", check->wanted);
		check_hint(result, "lspci -D lists what there is");
	} else if (!device) {
		check_say(result, CHECK_BROKEN,
			  "there is no CXL Type-2 device, and none bound to VFIO, among %zu PCI "
			  "functions",
			  check->host->n_functions);
		check_hint(result, "name a device: cxlvm check 0000:17:00.0 (lspci lists them)");
	} else if (!device->pci && check->opened && check->opened->cxl) {
		check_say(result, CHECK_OK, "%s is a CXL device, and no PCI function",
			  device->address);
	} else if (!device->pci) {
		check_say(result, CHECK_UNKNOWN,
			  "%s is no PCI function; whether it is a CXL device only an opened device "
			  "tells",
			  device->address);
	} else if (!device->cxl.device_dvsec && !host_config_seen(device)) {
		check_say(
			result, CHECK_UNKNOWN,
			"%s is a PCI function [%04x:%04x]; whether a CXL device only root can see",
			device->address, device->vendor, device->device);
		check_hint(result, "run cxlvm check as root");
	} else {
		type = host_type(device);
		check_say(result, device->cxl.device_dvsec && type != 2 ? CHECK_BROKEN : CHECK_OK,
			  "%s is a %s [%04x:%04x]", device->address,
			  device->cxl.device_dvsec ? types[type] : "plain PCI device",
			  device->vendor, device->device);
		if (result->state == CHECK_BROKEN)
			check_hint(result,
				   "only Type-2 devices are passed through as CXL devices; "
				   "as a plain PCI device: cxlvm run --device "
				   "vfio:%s,cxl=off",
				   device->address);
	}
}

/* The commands that give a function to vfio-pci: those of the transport (vfio/kernel). */
static void binding_hint(const struct check *check, struct check_result *result,
			 const char *address, bool bound)
{
	bool loaded = fs_exists(check->fs, "/sys/bus/pci/drivers/vfio-pci");

	check_hint(result,
		   "as root: %scd /sys/bus/pci/devices/%s && echo vfio-pci >driver_override && "
		   "%s%s%secho %s >/sys/bus/pci/drivers_probe",
		   loaded ? "" : "modprobe vfio-pci; ", address, bound ? "echo " : "",
		   bound ? address : "", bound ? " >driver/unbind; " : "", address);
}

void check_binding(const struct check *check, struct check_result *result)
{
	const struct host_device *device = check->device;

	if (!device) {
		check_say(result, CHECK_UNKNOWN, "there is no device to look at");
	} else if (device->vfio) {
		check_say(result, CHECK_OK, "%s is bound to %s", device->address, device->driver);
	} else if (device->driver[0]) {
		check_say(result, CHECK_BROKEN, "%s is bound to driver %s, not to one of VFIO",
			  device->address, device->driver);
		binding_hint(check, result, device->address, true);
	} else {
		check_say(result, CHECK_BROKEN, "%s is bound to no driver, and needs one of VFIO",
			  device->address);
		binding_hint(check, result, device->address, false);
	}
}

/* A driver that lets its device be in a group that a user owns. */
static bool is_harmless(const struct host_device *member)
{
	return member->vfio || !member->driver[0] || !strcmp(member->driver, "pcieport") ||
	       !strcmp(member->driver, "pci-stub");
}

/* "ADDRESS (DRIVER)"; those that do not fit are counted. */
struct members {
	char text[320];
	unsigned int left_out;
};

static void add_member(struct members *members, const char *address, const char *driver)
{
	size_t used = strlen(members->text);
	size_t room = sizeof(members->text) - used;

	if (room > 64)
		snprintf(members->text + used, room, "%s%.15s (%.32s)", used ? ", " : "", address,
			 driver[0] ? driver : "no driver");
	else
		members->left_out++;
}

/* Those that are harmless or not. The first that is not comes back. */
static const struct host_device *add_members(const struct check *check,
					     const struct fs_names *names, bool harmless,
					     struct members *members)
{
	const struct host_device *first = NULL;

	for (size_t i = 0; i < names->count; i++) {
		const struct host_device *member = host_find(check->host, names->names[i]);

		/* The device itself is what the link binding is about. */
		if ((!member || member == check->device || is_harmless(member)) != harmless)
			continue;
		add_member(members, names->names[i], member ? member->driver : "no PCI function");
		if (!harmless && !first)
			first = member;
	}
	return first;
}

void check_group(const struct check *check, struct check_result *result)
{
	const struct host_device *device = check->device;
	const struct host_device *foreign;
	struct members members = { .left_out = 0 };
	char path[FS_PATH_MAX], more[32] = "";
	struct fs_names names;

	if (!device) {
		check_say(result, CHECK_UNKNOWN, "there is no device to look at");
		return;
	}
	if (device->group < 0) {
		check_say(result, CHECK_BROKEN, "%s is in no IOMMU group: no IOMMU is above it",
			  device->address);
		check_hint(result,
			   "use a slot behind an IOMMU; dmesg | grep -i iommu says which are");
		return;
	}
	if (fs_names(check->fs, fs_path(path, "/sys/kernel/iommu_groups/%d/devices", device->group),
		     &names)) {
		check_say(result, CHECK_UNKNOWN, "group %d: its members cannot be read",
			  device->group);
		return;
	}
	/* Those in the way first. */
	foreign = add_members(check, &names, false, &members);
	add_members(check, &names, true, &members);
	fs_names_free(&names);
	if (members.left_out)
		snprintf(more, sizeof(more), " and %u more", members.left_out);
	if (foreign) {
		check_say(result, CHECK_BROKEN,
			  "IOMMU group %d of %s is not viable, other drivers have members of it: "
			  "%s%s",
			  device->group, device->address, members.text, more);
		binding_hint(check, result, foreign->address, true);
	} else {
		check_say(result, CHECK_OK, "IOMMU group %d: %s%s", device->group, members.text,
			  more);
	}
}

/*
 * Who has one of these files open: "process 12 (name)", or "". False: there are processes whose files
 * cannot be seen.
 */
static bool find_holder(struct fs *fs, const char *const files[2], char *holder, size_t size)
{
	struct fs_names processes, open_files;
	char path[FS_PATH_MAX], target[FS_PATH_MAX], comm[32];
	bool all_seen = true;

	holder[0] = '\0';
	if (fs_names(fs, "/proc", &processes))
		return true;
	for (size_t i = 0; i < processes.count && i < PROCESSES_MAX && !holder[0]; i++) {
		const char *pid = processes.names[i];
		bool found = false;
		int ret;

		if (!isdigit((unsigned char)pid[0]))
			continue;
		ret = fs_names(fs, fs_path(path, "/proc/%s/fd", pid), &open_files);
		all_seen = all_seen && ret != -EACCES && ret != -EPERM;
		if (ret)
			continue;
		for (size_t n = 0; n < open_files.count && n < OPEN_FILES_MAX && !found; n++) {
			fs_path(path, "/proc/%s/fd/%s", pid, open_files.names[n]);
			found = fs->ops->link(fs, path, target, sizeof(target)) > 0 &&
				(!strcmp(target, files[0]) || !strcmp(target, files[1]));
		}
		fs_names_free(&open_files);
		if (!found)
			continue;
		fs_text(fs, fs_path(path, "/proc/%s/comm", pid), comm, sizeof(comm));
		snprintf(holder, size, "process %.16s (%s)", pid, comm[0] ? comm : "?");
	}
	fs_names_free(&processes);
	return all_seen;
}

/* A file that run would open, and cannot. */
static void say_file(const struct check *check, struct check_result *result, const char *path,
		     const struct fs_status *file, const char *module)
{
	const struct host_device *device = check->device;

	if (file->type == FS_NONE) {
		check_say(result, CHECK_BROKEN, "%s: there is no %s", device->address, path);
		check_hint(result,
			   "as root: modprobe %s; in a container the file has to be handed in",
			   module);
		return;
	}
	check_say(result, CHECK_BROKEN,
		  "%s: no permission to open %s (IOMMU group %d), which is of %s:%s, mode %04o",
		  device->address, path, device->group, file->owner, file->group, file->mode);
	check_hint_file(check, result, path, file);
}

/* The same files, by the same choice, as the library opens. */
void check_access(const struct check *check, struct check_result *result)
{
	const struct host_device *device = check->device;
	char group[FS_PATH_MAX] = "", cdev[FS_PATH_MAX] = "", holder[96];
	const char *const paths[CXLVM_KERNEL_FILES] = {
		[CXLVM_KERNEL_FILE_IOMMU] = "/dev/iommu",
		[CXLVM_KERNEL_FILE_DEVICE] = cdev,
		[CXLVM_KERNEL_FILE_CONTAINER] = "/dev/vfio/vfio",
		[CXLVM_KERNEL_FILE_GROUP] = group,
	};
	enum cxlvm_kernel_file_state states[CXLVM_KERNEL_FILES];
	struct fs_status files[CXLVM_KERNEL_FILES];
	enum cxlvm_kernel_file broken;
	bool iommufd, seen;

	if (!device || !device->vfio) {
		check_say(result, CHECK_UNKNOWN,
			  device ? "its file in /dev/vfio comes when it is bound"
				 : "there is no device to look at");
		return;
	}
	if (device->group >= 0)
		fs_path(group, "/dev/vfio/%d", device->group);
	if (device->cdev[0])
		fs_path(cdev, "/dev/vfio/devices/%s", device->cdev);
	for (unsigned int i = 0; i < CXLVM_KERNEL_FILES; i++) {
		files[i] = fs_status(check->fs, paths[i]);
		states[i] = files[i].type == FS_NONE                 ? CXLVM_KERNEL_FILE_ABSENT
			    : files[i].readable && files[i].writable ? CXLVM_KERNEL_FILE_USABLE
								     : CXLVM_KERNEL_FILE_REFUSED;
	}
	iommufd = cxlvm_kernel_choose(states, &broken);
	if (broken < CXLVM_KERNEL_FILES) {
		say_file(check, result, paths[broken], &files[broken],
			 broken == CXLVM_KERNEL_FILE_IOMMU ? "iommufd" : "vfio-pci");
		return;
	}
	seen = find_holder(check->fs, (const char *const[]){ group, cdev }, holder, sizeof(holder));
	if (holder[0]) {
		check_say(result, CHECK_BROKEN, "%s (IOMMU group %d) is in use by %s",
			  device->address, device->group, holder);
		check_hint(result, "end that process, or wait for its end; as root, fuser -v "
				   "/dev/vfio/* /dev/vfio/devices/* shows who has what");
		return;
	}
	check_say(result, seen ? CHECK_OK : CHECK_UNKNOWN, "%s and %s can be used%s",
		  paths[iommufd ? CXLVM_KERNEL_FILE_DEVICE : CXLVM_KERNEL_FILE_GROUP],
		  paths[iommufd ? CXLVM_KERNEL_FILE_IOMMU : CXLVM_KERNEL_FILE_CONTAINER],
		  seen ? ""
		       : "; whether a process of another user has the device only root can "
			 "see");
	if (!seen)
		check_hint(result, "as root: fuser -v /dev/vfio/* /dev/vfio/devices/*");
}

/* Say an error of the library. */
static void say_error(struct check_result *result, const struct cxlvm_error *err)
{
	check_say(result, CHECK_BROKEN, "%s", err->message);
	check_hint(result, "%s", err->hint[0] ? err->hint : "the kernel's log may say more: dmesg");
}

/* By the library's list: what it refuses when it opens the device, where that can be seen. */
static bool decoder_is_refused(const struct host_device *device, const struct host_decoder *decoder,
			       struct check_result *result)
{
	const struct cxlvm_decoder_facts facts = {
		.size = sizeof(facts),
		.count_code = device->decoder_count_code,
		.other = device->other_committed,
		.committed = decoder->committed,
		.error = decoder->error,
		.host_only = decoder->has_target_type && decoder->host_only,
		.back_invalidate = decoder->back_invalidate,
		/* 0 without a code: the CXL core does not say. */
		.interleave_ways = decoder->interleave_ways || decoder->ways_code
					   ? decoder->interleave_ways
					   : 1,
		.ways_code = decoder->ways_code,
		.skip = decoder->skip,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (cxlvm_decoder_check(&facts, &err))
		say_error(result, &err);
	return err.code;
}

void check_decoder(const struct check *check, struct check_result *result)
{
	const struct host_device *device = check->device;
	struct host_decoder decoder;
	char size[EMIT_SIZE_MAX];

	if (!is_cxl(check, result))
		return;
	if (list_decoder(check->host, device, &decoder) == LIST_UNKNOWN && check->opened &&
	    check->opened->cxl) {
		check_say(result, CHECK_OK, "decoder 0 is committed: the kernel says so");
		return;
	}
	if (list_decoder(check->host, device, &decoder) == LIST_UNKNOWN) {
		check_say(result, CHECK_UNKNOWN, "decoder 0 could not be seen: %s",
			  device->registers_why);
		if (device->asleep)
			check_hint(result,
				   "as root: echo on >/sys/bus/pci/devices/%s/power/control wakes "
				   "it, echo auto lets it sleep again",
				   device->address);
		return;
	}
	if (decoder_is_refused(device, &decoder, result))
		return;
	if (!device->cxl.mem_enable) {
		check_say(result, CHECK_BROKEN,
			  "decoder 0 is committed, but Mem_Enable of the CXL DVSEC is 0");
		check_hint(result, "a driver or a reset has turned the memory off: boot again "
				   "without that driver");
	} else {
		check_say(result, CHECK_OK, "decoder 0 is committed%s over 0x%" PRIx64 ", %s",
			  decoder.locked ? " and locked" : "", decoder.base.value,
			  emit_size(decoder.size, size));
	}
}

void check_size(const struct check *check, struct check_result *result)
{
	struct host_decoder decoder;
	char size[EMIT_SIZE_MAX], range[EMIT_SIZE_MAX];
	uint64_t said;

	if (!is_cxl(check, result))
		return;
	if (list_decoder(check->host, check->device, &decoder) == LIST_UNKNOWN && check->opened &&
	    check->opened->cxl) {
		check_say(result, CHECK_OK, "%s of device memory",
			  emit_size(check->opened->memory_size, size));
		return;
	}
	if (list_decoder(check->host, check->device, &decoder) == LIST_UNKNOWN ||
	    !decoder.committed) {
		check_say(result, CHECK_UNKNOWN, "the size is that of decoder 0, once committed");
		return;
	}
	said = host_range_size(check->device);
	if (!decoder.size || decoder.size % CXLVM_HDM_GRANULE) {
		check_say(result, CHECK_BROKEN, "decoder 0 has %s, not a multiple of 256 MiB",
			  emit_size(decoder.size, size));
		check_hint(result, "a firmware that commits this is broken: look for an update");
	} else if (said && said != decoder.size) {
		check_say(result, CHECK_WARNING, "decoder 0 has %s, the CXL DVSEC says %s",
			  emit_size(decoder.size, size), emit_size(said, range));
		check_hint(result, "the decoder's size is what a guest gets");
	} else {
		check_say(result, CHECK_OK, "%s of device memory", emit_size(decoder.size, size));
	}
}

void check_reset(const struct check *check, struct check_result *result)
{
	const struct host_device *device = check->device;
	char path[FS_PATH_MAX], methods[96] = "";
	int ret;

	if (!device) {
		check_say(result, CHECK_UNKNOWN, "there is no device to look at");
		return;
	}
	if (!device->pci) {
		check_say(result, check->opened ? CHECK_OK : CHECK_UNKNOWN,
			  check->opened ? "no PCI function: its driver's matter"
					: "only an opened device tells");
		return;
	}
	ret = fs_text(check->fs,
		      fs_path(path, "/sys/bus/pci/devices/%s/reset_method", device->address),
		      methods, sizeof(methods));
	if (!ret && methods[0]) {
		check_say(result, CHECK_OK, "the kernel can reset it: %s", methods);
		return;
	}
	if (device->cxl.flr) {
		check_say(result, CHECK_OK, "it has function level reset");
		return;
	}
	check_say(result, CHECK_BROKEN, "the kernel knows no way to reset %s alone",
		  device->address);
	check_hint(result,
		   "between two guests its content would stay: a newer kernel or firmware "
		   "of the device may know a reset; cat %s",
		   path);
}

void check_generation(const struct check *check, struct check_result *result)
{
	const struct check_opened *opened = check->device ? check->opened : NULL;
	char text[64];

	if (opened && opened->open_error.code) {
		say_error(result, &opened->open_error);
	} else if (opened && opened->interface_error.code) {
		say_error(result, &opened->interface_error);
	} else if (opened && opened->cxl) {
		check_say(result, CHECK_OK, "the kernel's CXL interface is of generation %u",
			  opened->generation);
	} else if (opened && check->device->cxl.device_dvsec) {
		check_say(result, CHECK_BROKEN,
			  "the kernel offers it as a plain PCI device, without the CXL flag");
		check_hint(result,
			   "the kernel has no CXL interface in VFIO, its module vfio-cxl is "
			   "missing, or it refused the device when it was bound: dmesg | "
			   "grep -i -e vfio -e cxl");
	} else if (opened) {
		check_say(result, CHECK_OK, "a plain device has none");
	} else if (is_cxl(check, result)) {
		check_say(result, CHECK_UNKNOWN,
			  "%s: only an opened device tells, and to open it resets it",
			  list_generation(check->host, check->device, text)[0] ? text
									       : "not bound");
		check_hint(result, "if nobody needs what is in it: cxlvm check --open");
	}
}

void check_mmap(const struct check *check, struct check_result *result)
{
	const struct check_opened *opened = check->device ? check->opened : NULL;

	if (opened && opened->mmap_error.code)
		say_error(result, &opened->mmap_error);
	else if (opened && opened->cxl && !opened->interface_error.code)
		check_say(result, CHECK_OK, "the kernel lets device memory be mapped");
	else if (is_cxl(check, result))
		check_say(result, CHECK_UNKNOWN,
			  "whether the kernel lets device memory be mapped, only an opened device "
			  "tells");
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Why a device cannot be opened, in one sentence, and the commands that help. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfio/kernel/place.h"

/* Bind a PCI device, as root. The words fit into a hint. */
static void hint_bind(const struct roots *roots, const char *name, bool unbind,
		      struct cxlvm_error *err)
{
	char path[PATH_MAX];
	bool loaded =
		path_make(path, "%s/bus/pci/drivers/vfio-pci", roots->sys) && !access(path, F_OK);

	cxlvm_error_hint(err,
			 "as root: %scd /sys/bus/pci/devices/%s && echo vfio-pci >driver_override "
			 "&& %s%s%secho %s >/sys/bus/pci/drivers_probe",
			 loaded ? "" : "modprobe vfio-pci; ", name, unbind ? "echo " : "",
			 unbind ? name : "", unbind ? " >driver/unbind; " : "", name);
}

int refuse_unbound(const struct roots *roots, const struct place *place, struct cxlvm_error *err)
{
	if (place->driver[0])
		cxlvm_error_set(err, -ENXIO, "%s is bound to driver %s, not to one of VFIO",
				place->name, place->driver);
	else
		cxlvm_error_set(err, -ENXIO, "%s is bound to no driver, and needs one of VFIO",
				place->name);
	if (place->pci)
		hint_bind(roots, place->name, place->driver[0], err);
	else
		cxlvm_error_hint(err, "load the module whose driver offers it to VFIO");
	return -ENXIO;
}

static bool is_empty(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	bool empty = true;

	if (!dir)
		return true;
	while (empty && (entry = readdir(dir)))
		empty = entry->d_name[0] == '.';
	closedir(dir);
	return empty;
}

int refuse_no_iommu(const struct roots *roots, const struct place *place, struct cxlvm_error *err)
{
	char path[PATH_MAX];

	if (path_make(path, "%s/kernel/iommu_groups", roots->sys) && !is_empty(path)) {
		cxlvm_error_set(err, -ENXIO, "%s is in no IOMMU group: no IOMMU is above it",
				place->name);
		cxlvm_error_hint(err, "use a slot behind an IOMMU; dmesg | grep -i iommu says "
				      "which are");
		return -ENXIO;
	}
	cxlvm_error_set(err, -ENXIO,
			"%s: this machine has no IOMMU in use, so that no device can "
			"be given away",
			place->name);
	cxlvm_error_hint(err, "turn on VT-d or AMD-Vi in the firmware's setup, and on Intel boot "
			      "with intel_iommu=on; dmesg | grep -i -e dmar -e iommu");
	return -ENXIO;
}

/* Does this driver of a member let VFIO have the group? */
static bool is_harmless(const char *driver)
{
	return !driver[0] || strstr(driver, "vfio") || !strcmp(driver, "pcieport") ||
	       !strcmp(driver, "pci-stub");
}

struct members {
	char text[160];
	size_t n;
	unsigned int left_out;
	char first[PLACE_NAME_MAX]; /* that another driver has */
};

static void add_member(struct members *members, const char *name, const char *driver)
{
	size_t room = sizeof(members->text) - members->n;
	int n = snprintf(members->text + members->n, room, "%s%s (%s)", members->n ? ", " : "",
			 name, driver[0] ? driver : "no driver");

	if (n > 0 && (size_t)n < room) {
		members->n += (size_t)n;
	} else {
		members->text[members->n] = 0;
		members->left_out++;
	}
}

static void list_members(const char *folder, bool harmless, struct members *members)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX], driver[PLACE_NAME_MAX] = "";

		if (entry->d_name[0] == '.' ||
		    !path_make(path, "%s/%s/driver", folder, entry->d_name))
			continue;
		(void)link_name(path, driver, sizeof(driver));
		if (is_harmless(driver) != harmless)
			continue;
		if (!harmless && !members->first[0] &&
		    strlen(entry->d_name) < sizeof(members->first))
			memcpy(members->first, entry->d_name, strlen(entry->d_name) + 1);
		add_member(members, entry->d_name, driver);
	}
	if (dir)
		closedir(dir);
}

int refuse_not_viable(const struct roots *roots, const struct place *place, struct cxlvm_error *err)
{
	struct members members = { .n = 0 };
	char folder[PATH_MAX], more[32] = "";

	if (path_make(folder, "%s/kernel/iommu_groups/%u/devices", roots->sys, place->group)) {
		/* Those in the way first. */
		list_members(folder, false, &members);
		list_members(folder, true, &members);
	}
	if (members.left_out)
		snprintf(more, sizeof(more), " and %u more", members.left_out);
	cxlvm_error_set(err, -EPERM,
			"IOMMU group %u of %s is not viable, other drivers have members of it: "
			"%s%s",
			place->group, place->name, members.text, more);
	if (members.first[0])
		hint_bind(roots, members.first, true, err);
	return -EPERM;
}

/* Does this process have file open? */
static bool has_open(const struct roots *roots, const char *pid, const char *file)
{
	char folder[PATH_MAX], path[PATH_MAX], target[PATH_MAX];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	if (!path_make(folder, "%s/%s/fd", roots->proc, pid))
		return false;
	dir = opendir(folder);
	while (dir && !found && (entry = readdir(dir))) {
		ssize_t n = -1;

		if (path_make(path, "%s/%s", folder, entry->d_name))
			n = readlink(path, target, sizeof(target) - 1);
		if (n <= 0)
			continue;
		target[n] = 0;
		found = !strcmp(target, file);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The number of this process; "" without a /proc. */
static void find_self(const struct roots *roots, char *pid, size_t size)
{
	char path[PATH_MAX];
	ssize_t n = -1;

	if (path_make(path, "%s/self", roots->proc))
		n = readlink(path, pid, size - 1);
	pid[n > 0 ? n : 0] = 0;
}

/*
 * Who has it: "process 12 (name)". Of processes of others nothing may be visible. This one has the
 * character device open as well: it is the bind that is refused.
 */
static void find_holder(const struct roots *roots, const struct place *place, char *text,
			size_t size)
{
	DIR *dir = opendir(roots->proc);
	const struct dirent *entry;
	char self[32];

	find_self(roots, self, sizeof(self));
	snprintf(text, size, "another process");
	while (dir && (entry = readdir(dir))) {
		char path[PATH_MAX], name[32] = "?";
		FILE *file;

		if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
		    !strcmp(entry->d_name, self) ||
		    (!has_open(roots, entry->d_name, place->group_file) &&
		     !has_open(roots, entry->d_name, place->device_file)))
			continue;
		file = path_make(path, "%s/%s/comm", roots->proc, entry->d_name) ? fopen(path, "re")
										 : NULL;
		if (file && fgets(name, sizeof(name), file))
			name[strcspn(name, "\n")] = 0;
		if (file)
			fclose(file);
		snprintf(text, size, "process %.16s (%s)", entry->d_name, name);
		break;
	}
	if (dir)
		closedir(dir);
}

int refuse_busy(const struct roots *roots, const struct place *place, struct cxlvm_error *err)
{
	char holder[80];

	find_holder(roots, place, holder, sizeof(holder));
	if (place->has_group)
		cxlvm_error_set(err, -EBUSY, "%s (IOMMU group %u) is in use by %s", place->name,
				place->group, holder);
	else
		cxlvm_error_set(err, -EBUSY, "%s is in use by %s", place->name, holder);
	cxlvm_error_hint(err, "end that process, or wait for its end; as root, fuser -v "
			      "/dev/vfio/* /dev/vfio/devices/* shows who has what");
	return -EBUSY;
}

/*
 * Of a user or group in /etc/passwd or /etc/group; its number where that does not have it: other
 * databases may want a network.
 */
static void find_name(const char *database, unsigned int id, char name[PLACE_NAME_MAX])
{
	FILE *file = fopen(database, "re");
	char *line = NULL;
	size_t room = 0;

	snprintf(name, PLACE_NAME_MAX, "%u", id);
	while (file && getline(&line, &room, file) > 0) {
		size_t n = strcspn(line, ":");
		const char *number = line[n] ? strchr(line + n + 1, ':') : NULL;

		if (!number || n >= PLACE_NAME_MAX || number[1] < '0' || number[1] > '9' ||
		    strtoul(number + 1, NULL, 10) != id)
			continue;
		memcpy(name, line, n);
		name[n] = 0;
		break;
	}
	free(line);
	if (file)
		fclose(file);
}

/* No permission: whose file it is, and what gives the right. */
static int refuse_permission(const struct place *place, const char *file, struct cxlvm_error *err)
{
	char user[PLACE_NAME_MAX], group[PLACE_NAME_MAX];
	struct stat st;

	if (stat(file, &st)) {
		cxlvm_error_set(err, -EACCES, "%s: no permission to open %.64s (IOMMU group %u)",
				place->name, file, place->group);
		cxlvm_error_hint(err, "as root: chown %u %.96s", (unsigned int)geteuid(), file);
		return -EACCES;
	}
	find_name("/etc/passwd", (unsigned int)st.st_uid, user);
	find_name("/etc/group", (unsigned int)st.st_gid, group);
	cxlvm_error_set(err, -EACCES,
			"%s: no permission to open %.64s (IOMMU group %u), which is of %s:%s, mode "
			"%04o",
			place->name, file, place->group, user, group,
			(unsigned int)(st.st_mode & 07777));
	if (st.st_gid && (st.st_mode & 0060) == 0060)
		cxlvm_error_hint(err, "as root: usermod -aG %s $(id -un %u), then log in again",
				 group, (unsigned int)geteuid());
	else
		cxlvm_error_hint(err,
				 "as root: chown %u %.96s, or give the file a group that you "
				 "are in",
				 (unsigned int)geteuid(), file);
	return -EACCES;
}

int refuse_file(const struct roots *roots, const struct place *place, const char *file, int code,
		struct cxlvm_error *err)
{
	switch (code) {
	case -EBUSY:
		return refuse_busy(roots, place, err);
	case -EACCES:
	case -EPERM:
		return refuse_permission(place, file, err);
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		cxlvm_error_set(err, -ENOENT, "%s: there is no %.128s", place->name, file);
		cxlvm_error_hint(err,
				 "as root: modprobe %s; in a container the file has to be "
				 "handed in",
				 strcmp(file, place->iommufd_file) ? "vfio-pci" : "iommufd");
		return -ENOENT;
	default:
		return cxlvm_error_set(err, code, "%s: opening %.128s: %s", place->name, file,
				       strerror(-code));
	}
}

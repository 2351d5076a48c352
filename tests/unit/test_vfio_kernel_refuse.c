/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices of the kernel's VFIO that cannot be opened: one message each, and the command that helps. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"
#include "vfio_mock.h"

static struct cxlvm_kernel *kernel;

static void begin(void)
{
	mock_init(false);
	kernel = mock_kernel();
}

/* Refused with this code, message and hint; nothing stays. */
static void refuse(const char *device, int code, const char *message, const char *hint)
{
	const struct cxlvm_kernel_device_config config = { .size = sizeof(config),
							   .device = device };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport transport;

	assert_int_equal(cxlvm_kernel_open(kernel, &config, &transport, &err), code);
	assert_int_equal(err.code, code);
	assert_string_equal(err.message, message);
	assert_string_equal(err.hint, hint);
}

static void end(void)
{
	cxlvm_kernel_destroy(kernel);
	mock_finish();
}

static void no_such_device(void **state)
{
	char text[sizeof(mock.sys) + 64];

	(void)state;
	begin();
	refuse("0000:99:00.0", -ENODEV, "there is no PCI device 0000:99:00.0",
	       "lspci -D lists what there is");
	refuse("99:00.0", -ENODEV, "there is no PCI device 0000:99:00.0",
	       "lspci -D lists what there is");
	snprintf(text, sizeof(text), "there is no folder of a device %s/devices/platform/lab.0",
		 mock.sys);
	refuse("/sys/devices/platform/lab.0", -ENODEV, text,
	       "the folders of devices are below /sys/devices");
	end();
}

static void not_an_address(void **state)
{
	static const char *const wrong[] = { "",
					     "nvme0",
					     "17",
					     "17:00",
					     "17:00.8",
					     "17:20.0",
					     "0000:17:00.0x",
					     "zz:00.0",
					     "1234567890:17:00.0",
					     "017:00.0",
					     "17:00.",
					     ":17:00.0",
					     " 17:00.0",
					     "17:0.0x" };

	(void)state;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char text[128];

		snprintf(text, sizeof(text), "'%s' is neither a PCI address nor a folder in /sys",
			 wrong[i]);
		refuse(wrong[i], -EINVAL, text, "write it as lspci -D does: 0000:17:00.0");
	}
	end();
}

static void not_bound_names_the_driver_and_the_commands(void **state)
{
	(void)state;
	begin();
	mock_function("0000:18:00.0", "nvme", "14", NULL);
	mock_function("0000:18:01.0", NULL, "15", NULL);
	refuse("0000:18:00.0", -ENXIO, "0000:18:00.0 is bound to driver nvme, not to one of VFIO",
	       "as root: cd /sys/bus/pci/devices/0000:18:00.0 && echo vfio-pci >driver_override && "
	       "echo 0000:18:00.0 >driver/unbind; "
	       "echo 0000:18:00.0 >/sys/bus/pci/drivers_probe");
	/* Without the module its driver has to come first. */
	mock_remove("sys/bus/pci/drivers/vfio-pci");
	refuse("0000:18:01.0", -ENXIO, "0000:18:01.0 is bound to no driver, and needs one of VFIO",
	       "as root: modprobe vfio-pci; cd /sys/bus/pci/devices/0000:18:01.0 && "
	       "echo vfio-pci >driver_override && echo 0000:18:01.0 >/sys/bus/pci/drivers_probe");
	mock_folder("sys/devices/platform/lab.0");
	mock_folder("sys/bus/platform");
	mock_link("sys/devices/platform/lab.0/subsystem", "../../../bus/platform");
	refuse("/sys/devices/platform/lab.0/", -ENXIO,
	       "lab.0 is bound to no driver, and needs one of VFIO",
	       "load the module whose driver offers it to VFIO");
	mock_expect("");
	end();
}

static void no_iommu(void **state)
{
	(void)state;
	begin();
	mock_function("0000:18:00.0", "vfio-pci", NULL, "vfio9");
	refuse("0000:18:00.0", -ENXIO, "0000:18:00.0 is in no IOMMU group: no IOMMU is above it",
	       "use a slot behind an IOMMU; dmesg | grep -i iommu says which are");
	mock_remove("sys/kernel/iommu_groups");
	refuse("0000:18:00.0", -ENXIO,
	       "0000:18:00.0: this machine has no IOMMU in use, so that no device can be given "
	       "away",
	       "turn on VT-d or AMD-Vi in the firmware's setup, and on Intel boot with "
	       "intel_iommu=on; dmesg | grep -i -e dmar -e iommu");
	/* A driver that works is not to be unbound for nothing. */
	mock_function("0000:18:01.0", "nvme", NULL, NULL);
	refuse("0000:18:01.0", -ENXIO,
	       "0000:18:01.0: this machine has no IOMMU in use, so that no device can be given "
	       "away",
	       "turn on VT-d or AMD-Vi in the firmware's setup, and on Intel boot with "
	       "intel_iommu=on; dmesg | grep -i -e dmar -e iommu");
	end();
}

/* A path of sysfs is taken without its links. */
static void a_path_leads_to_the_device(void **state)
{
	static const char *const paths[] = {
		"/sys/bus/pci/devices/" MOCK_DEVICE,
		"/sys/bus/pci/devices/" MOCK_DEVICE "//",
		"/sys/class/vfio-dev/vfio3/device",
		"/sys/class/net/eth0/device/../" MOCK_DEVICE,
		"/sys/class/net/eth0/../../../bus/pci/devices/" MOCK_DEVICE "/vfio-dev/..",
	};
	struct cxlvm_transport transport;

	(void)state;
	begin();
	mock_link("sys/class/vfio-dev/vfio3/device", "../../../bus/pci/devices/" MOCK_DEVICE);
	mock_folder("sys/class/net/eth0");
	mock_link("sys/class/net/eth0/device", "../../../bus/pci/devices/" MOCK_DEVICE);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct cxlvm_kernel_device_config config = { .size = sizeof(config),
								   .device = paths[i] };
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		assert_int_equal(cxlvm_kernel_open(kernel, &config, &transport, &err), 0);
		/* By its name, which another error shows. */
		refuse(MOCK_DEVICE, -EBUSY, "0000:17:00.0 is in use by this process already",
		       "name each device once");
		transport.transport->close(transport.device);
	}
	end();
}

static void a_path_of_something_else(void **state)
{
	char message[256], hint[256];

	(void)state;
	begin();
	refuse("/etc", -EINVAL, "/etc is not the folder of a device",
	       "that of a PCI device is /sys/bus/pci/devices/0000:17:00.0; lspci -D lists them");
	snprintf(message, sizeof(message), "%s/kernel is not the folder of a device", mock.sys);
	refuse("/sys/kernel", -EINVAL, message,
	       "that of a PCI device is /sys/bus/pci/devices/0000:17:00.0; lspci -D lists them");
	/* Of a class: the device that has it is said. */
	mock_folder("sys/class/net");
	mock_link("sys/bus/pci/devices/" MOCK_DEVICE "/net/eth0/subsystem",
		  "../../../../../../class/net");
	mock_link("sys/bus/pci/devices/" MOCK_DEVICE "/net/eth0/device", "../../../" MOCK_DEVICE);
	mock_link("sys/class/net/eth0", "../../bus/pci/devices/" MOCK_DEVICE "/net/eth0");
	snprintf(message, sizeof(message),
		 "%s/bus/pci/devices/" MOCK_DEVICE "/net/eth0 is not the folder of a device",
		 mock.sys);
	snprintf(hint, sizeof(hint), "it belongs to one: %s/bus/pci/devices/" MOCK_DEVICE,
		 mock.sys);
	refuse("/sys/class/net/eth0", -EINVAL, message, hint);
	/* A file of VFIO: which device it is of. */
	mock_link("sys/class/vfio-dev/vfio3/device", "../../../bus/pci/devices/" MOCK_DEVICE);
	refuse("/dev/vfio/devices/vfio3", -EINVAL,
	       "/dev/vfio/devices/vfio3 is a file of VFIO, not a device",
	       "name the device, which is 0000:17:00.0, or open the file and give its descriptor: "
	       "fd=N");
	refuse("/dev/vfio/12", -EINVAL, "/dev/vfio/12 is a file of VFIO, not a device",
	       "name the device: ls /sys/kernel/iommu_groups/12/devices shows which are in the "
	       "group");
	refuse("/dev/vfio/vfio", -EINVAL, "/dev/vfio/vfio is a file of VFIO, not a device",
	       "name the device: ls -l /sys/class/vfio-dev/*/device shows which have a file");
	mock_expect("");
	end();
}

#define ABSENT  CXLVM_KERNEL_FILE_ABSENT
#define REFUSED CXLVM_KERNEL_FILE_REFUSED
#define USABLE  CXLVM_KERNEL_FILE_USABLE

/* Which way, and what is in its way. */
static void the_way_to_a_device(void **state)
{
	static const struct {
		enum cxlvm_kernel_file_state iommu, device, container, group;
		bool iommufd;
		enum cxlvm_kernel_file broken;
	} rows[] = {
		{ USABLE, USABLE, USABLE, USABLE, true, CXLVM_KERNEL_FILES },
		{ USABLE, USABLE, ABSENT, ABSENT, true, CXLVM_KERNEL_FILES },
		{ ABSENT, USABLE, USABLE, USABLE, false, CXLVM_KERNEL_FILES },
		{ USABLE, ABSENT, USABLE, USABLE, false, CXLVM_KERNEL_FILES },
		{ REFUSED, USABLE, USABLE, USABLE, false, CXLVM_KERNEL_FILES },
		{ USABLE, REFUSED, USABLE, USABLE, false, CXLVM_KERNEL_FILES },
		/* The group has not what it needs either. */
		{ REFUSED, USABLE, ABSENT, ABSENT, true, CXLVM_KERNEL_FILE_IOMMU },
		{ USABLE, REFUSED, ABSENT, ABSENT, true, CXLVM_KERNEL_FILE_DEVICE },
		{ REFUSED, REFUSED, ABSENT, ABSENT, true, CXLVM_KERNEL_FILE_IOMMU },
		{ ABSENT, USABLE, ABSENT, ABSENT, true, CXLVM_KERNEL_FILE_IOMMU },
		{ USABLE, REFUSED, USABLE, REFUSED, true, CXLVM_KERNEL_FILE_DEVICE },
		{ REFUSED, USABLE, REFUSED, USABLE, true, CXLVM_KERNEL_FILE_IOMMU },
		{ ABSENT, USABLE, USABLE, REFUSED, false, CXLVM_KERNEL_FILE_GROUP },
		{ ABSENT, USABLE, REFUSED, USABLE, false, CXLVM_KERNEL_FILE_CONTAINER },
		{ ABSENT, ABSENT, ABSENT, USABLE, false, CXLVM_KERNEL_FILE_CONTAINER },
		{ USABLE, ABSENT, USABLE, REFUSED, false, CXLVM_KERNEL_FILE_GROUP },
		{ USABLE, ABSENT, ABSENT, ABSENT, false, CXLVM_KERNEL_FILE_CONTAINER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const enum cxlvm_kernel_file_state files[CXLVM_KERNEL_FILES] = {
			[CXLVM_KERNEL_FILE_IOMMU] = rows[i].iommu,
			[CXLVM_KERNEL_FILE_DEVICE] = rows[i].device,
			[CXLVM_KERNEL_FILE_CONTAINER] = rows[i].container,
			[CXLVM_KERNEL_FILE_GROUP] = rows[i].group,
		};
		enum cxlvm_kernel_file broken;

		assert_int_equal(cxlvm_kernel_choose(files, &broken), rows[i].iommufd);
		assert_int_equal(broken, rows[i].broken);
	}
}

static void group_not_viable_lists_its_members(void **state)
{
	(void)state;
	begin();
	mock_remove("sys/bus/pci/devices/" MOCK_SIBLING "/driver");
	mock_link("sys/bus/pci/devices/" MOCK_SIBLING "/driver",
		  "../../../../bus/pci/drivers/snd_hda_intel");
	mock.not_viable = true;
	refuse(MOCK_DEVICE, -EPERM,
	       "IOMMU group 12 of 0000:17:00.0 is not viable, other drivers have members of it: "
	       "0000:17:00.1 (snd_hda_intel), 0000:17:00.0 (vfio-pci)",
	       "as root: cd /sys/bus/pci/devices/0000:17:00.1 && echo vfio-pci >driver_override && "
	       "echo 0000:17:00.1 >driver/unbind; "
	       "echo 0000:17:00.1 >/sys/bus/pci/drivers_probe");
	end();
}

/* Call n of the opening fails. */
static void fail_call(unsigned int n, int code)
{
	mock.calls = 0;
	mock.fail_at = n;
	mock.fail_errno = code;
}

/* Call n is refused: of file, with the way to the right. */
static void refuse_permission(unsigned int n, const char *file, const char *cure)
{
	char message[512], hint[512], path[128], user[32], group[32];
	const struct passwd *passwd;
	const struct group *entry;
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", mock.dev, file);
	assert_int_equal(stat(path, &st), 0);
	passwd = getpwuid(st.st_uid);
	entry = getgrgid(st.st_gid);
	snprintf(user, sizeof(user), "%u", (unsigned int)st.st_uid);
	if (passwd)
		snprintf(user, sizeof(user), "%s", passwd->pw_name);
	snprintf(group, sizeof(group), "%u", (unsigned int)st.st_gid);
	if (entry)
		snprintf(group, sizeof(group), "%s", entry->gr_name);
	snprintf(message, sizeof(message),
		 "0000:17:00.0: no permission to open %s (IOMMU group 12), which is of %s:%s, mode "
		 "%04o",
		 path, user, group, (unsigned int)(st.st_mode & 07777));
	if (cure)
		snprintf(hint, sizeof(hint), cure, group, (unsigned int)geteuid());
	else
		snprintf(hint, sizeof(hint),
			 "as root: chown %u %s, or give the file a group that you are in",
			 (unsigned int)geteuid(), path);
	fail_call(n, EACCES);
	refuse(MOCK_DEVICE, -EACCES, message, hint);
}

static void no_permission_names_file_and_owner(void **state)
{
	char path[128];

	(void)state;
	begin();
	refuse_permission(1, "vfio/vfio", NULL);
	snprintf(path, sizeof(path), "%s/vfio/12", mock.dev);
	assert_int_equal(chmod(path, 0600), 0);
	refuse_permission(2, "vfio/12", NULL);
	if (!chown(path, (uid_t)-1, 1)) {
		assert_int_equal(chmod(path, 0660), 0);
		refuse_permission(2, "vfio/12",
				  "as root: usermod -aG %s $(id -un %u), then log in again");
	}
	end();
}

/* Without the right to the files of iommufd, and without groups, they are named. */
static void no_permission_by_iommufd(void **state)
{
	(void)state;
	mock_init(true);
	kernel = mock_kernel();
	mock_remove("dev/vfio/vfio");
	mock_remove("dev/vfio/" MOCK_GROUP);
	mock.refused = "/iommu";
	refuse_permission(0, "iommu", NULL);
	mock.refused = "/vfio/devices/vfio3";
	refuse_permission(0, "vfio/devices/vfio3", NULL);
	end();
	/* With a group that is usable it is opened by that. */
	mock_init(true);
	kernel = mock_kernel();
	mock.refused = "/vfio/devices/vfio3";
	refuse_permission(2, "vfio/" MOCK_GROUP, NULL);
	end();
	mock_init(true);
	kernel = mock_kernel();
	mock_remove("dev/iommu");
	mock_remove("dev/vfio/vfio");
	mock_remove("dev/vfio/" MOCK_GROUP);
	{
		char message[256];

		snprintf(message, sizeof(message), "0000:17:00.0: there is no %s/iommu", mock.dev);
		refuse(MOCK_DEVICE, -ENOENT, message,
		       "as root: modprobe iommufd; in a container the file has to be handed in");
	}
	end();
}

static void vfio_is_not_loaded(void **state)
{
	char message[256];

	(void)state;
	begin();
	mock_remove("dev/vfio/vfio");
	snprintf(message, sizeof(message), "0000:17:00.0: there is no %s/vfio/vfio", mock.dev);
	refuse(MOCK_DEVICE, -ENOENT, message,
	       "as root: modprobe vfio-pci; in a container the file has to be handed in");
	mock_file("dev/vfio/vfio", "");
	mock.no_type1 = true;
	refuse(MOCK_DEVICE, -ENOENT, "0000:17:00.0: VFIO has no type1 IOMMU driver",
	       "as root: modprobe vfio_iommu_type1");
	end();
}

#define BUSY_HINT                                                               \
	"end that process, or wait for its end; as root, fuser -v /dev/vfio/* " \
	"/dev/vfio/devices/* shows who has what"

static void another_process_has_it(void **state)
{
	char target[128];

	(void)state;
	begin();
	fail_call(2, EBUSY);
	refuse(MOCK_DEVICE, -EBUSY, "0000:17:00.0 (IOMMU group 12) is in use by another process",
	       BUSY_HINT);
	mock_folder("proc/self/fd");
	mock_link("proc/77/fd/3", "/dev/null");
	mock_file("proc/77/comm", "bystander\n");
	snprintf(target, sizeof(target), "%s/vfio/12", mock.dev);
	mock_link("proc/1234/fd/9", target);
	mock_file("proc/1234/comm", "qemu-system-x86\n");
	fail_call(2, EBUSY);
	refuse(MOCK_DEVICE, -EBUSY,
	       "0000:17:00.0 (IOMMU group 12) is in use by process 1234 (qemu-system-x86)",
	       BUSY_HINT);
	end();
}

static void another_process_has_the_character_device(void **state)
{
	char target[128];

	(void)state;
	mock_init(true);
	kernel = mock_kernel();
	snprintf(target, sizeof(target), "%s/vfio/devices/vfio3", mock.dev);
	mock_link("proc/55/fd/4", target);
	/* open gives the file to more than one; to be bound is for one. */
	fail_call(4, EINVAL);
	refuse(MOCK_DEVICE, -EBUSY, "0000:17:00.0 (IOMMU group 12) is in use by process 55 (?)",
	       BUSY_HINT);
	end();
}

/* Nothing of the others is visible, and this process has opened the file itself. */
static void another_process_cannot_be_seen(void **state)
{
	char target[128];

	(void)state;
	mock_init(true);
	kernel = mock_kernel();
	snprintf(target, sizeof(target), "%s/vfio/devices/vfio3", mock.dev);
	mock_link("proc/self", "70");
	mock_link("proc/70/fd/5", target);
	mock_file("proc/70/comm", "cxlvm\n");
	fail_call(4, EINVAL);
	refuse(MOCK_DEVICE, -EBUSY, "0000:17:00.0 (IOMMU group 12) is in use by another process",
	       BUSY_HINT);
	end();
}

static void named_twice(void **state)
{
	const struct cxlvm_kernel_device_config config = { .size = sizeof(config),
							   .device = MOCK_DEVICE };
	struct cxlvm_transport transport;

	(void)state;
	begin();
	assert_int_equal(cxlvm_kernel_open(kernel, &config, &transport, NULL), 0);
	refuse("17:00.0", -EBUSY, "0000:17:00.0 is in use by this process already",
	       "name each device once");
	transport.transport->close(transport.device);
	end();
}

static void interrupts_are_not_remapped(void **state)
{
	(void)state;
	begin();
	/* Of the container, 8th call. */
	fail_call(8, EPERM);
	refuse(MOCK_DEVICE, -EPERM,
	       "0000:17:00.0: the IOMMU does not take group 12: Operation not permitted",
	       "this machine remaps no interrupts; if its guests are trusted: modprobe "
	       "vfio_iommu_type1 allow_unsafe_interrupts=1");
	end();
}

static void a_descriptor_of_something_else(void **state)
{
	const struct cxlvm_kernel_device_config config = { .size = sizeof(config),
							   .has_fd = true,
							   .fd = 0 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport transport;

	(void)state;
	begin();
	assert_int_equal(cxlvm_kernel_open(kernel, &config, &transport, &err), -EINVAL);
	assert_string_equal(err.message,
			    "descriptor 0 is not the character device of a VFIO device");
	assert_true(err.hint[0]);
	end();
}

/* What only the kernel knows: where to look, and what looks at everything. */
static void calls_that_fail_say_where_to_look(void **state)
{
	static const char *const messages[] = {
		"0000:17:00.0: VFIO does not open it: Input/output error",
		"0000:17:00.0: device info: Input/output error",
		"0000:17:00.0: info of region 0: Input/output error",
	};

	(void)state;
	begin();
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		mock.calls = 0;
		mock.fired = false;
		/* After all that opens group and container. */
		mock.fail_at = 10 + (unsigned int)i;
		mock.fail_errno = EIO;
		refuse("0000:17:00.0", -EIO, messages[i],
		       "dmesg | grep -e vfio -e iommu -e 0000:17:00.0 on the host says why; cxlvm "
		       "check 0000:17:00.0 looks at all that the device needs");
		assert_true(mock.fired);
	}
	mock.fail_at = 0;
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_such_device),
		cmocka_unit_test(not_an_address),
		cmocka_unit_test(not_bound_names_the_driver_and_the_commands),
		cmocka_unit_test(no_iommu),
		cmocka_unit_test(group_not_viable_lists_its_members),
		cmocka_unit_test(no_permission_names_file_and_owner),
		cmocka_unit_test(no_permission_by_iommufd),
		cmocka_unit_test(the_way_to_a_device),
		cmocka_unit_test(a_path_leads_to_the_device),
		cmocka_unit_test(a_path_of_something_else),
		cmocka_unit_test(vfio_is_not_loaded),
		cmocka_unit_test(another_process_has_it),
		cmocka_unit_test(another_process_has_the_character_device),
		cmocka_unit_test(another_process_cannot_be_seen),
		cmocka_unit_test(named_twice),
		cmocka_unit_test(interrupts_are_not_remapped),
		cmocka_unit_test(a_descriptor_of_something_else),
		cmocka_unit_test(calls_that_fail_say_where_to_look),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

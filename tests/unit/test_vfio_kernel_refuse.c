/* SPDX-License-Identifier: BSD-3-Clause */
/* Devices of the kernel's VFIO that cannot be opened: one message each, and the command that helps. */
#include <errno.h>
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
	end();
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

static void no_permission_names_file_and_owner(void **state)
{
	char message[256], hint[192];
	mode_t mask = umask(0);

	(void)state;
	umask(mask);
	begin();
	fail_call(2, EACCES);
	snprintf(message, sizeof(message),
		 "0000:17:00.0: no permission to open %s/vfio/12 (IOMMU group 12), which is of "
		 "user %u, group %u, mode 0%o",
		 mock.dev, (unsigned int)getuid(), (unsigned int)getgid(),
		 (unsigned int)(0666 & ~mask));
	snprintf(hint, sizeof(hint),
		 "as root: chown %u %s/vfio/12, or give the file a group that you are in",
		 (unsigned int)getuid(), mock.dev);
	refuse(MOCK_DEVICE, -EACCES, message, hint);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_such_device),
		cmocka_unit_test(not_an_address),
		cmocka_unit_test(not_bound_names_the_driver_and_the_commands),
		cmocka_unit_test(no_iommu),
		cmocka_unit_test(group_not_viable_lists_its_members),
		cmocka_unit_test(no_permission_names_file_and_owner),
		cmocka_unit_test(vfio_is_not_loaded),
		cmocka_unit_test(another_process_has_it),
		cmocka_unit_test(another_process_has_the_character_device),
		cmocka_unit_test(named_twice),
		cmocka_unit_test(interrupts_are_not_remapped),
		cmocka_unit_test(a_descriptor_of_something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

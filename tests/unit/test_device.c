/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device of the monitor: how it ends, and the thread that watches it. The transport is played by
 * the test; of the endpoint there is only what the linker's --wrap puts in its place.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The doubles have a vm.h too. */
#include "../../monitor/host.h"
#include "../../monitor/vm.h"
#include "device.h"
#include "test.h"

static struct {
	struct vm_config config;
	struct vm vm;
	struct device device;
	struct pci_host_bridge bridge;
	char journal[256]; /* what the device was asked for */
	int always;        /* eventfd that is always readable */
	atomic_uint served, looked;
	struct cxlvm_kernel_config kernel; /* that the monitor gave */
	bool slow;                         /* what is mapped as the device is opened takes long */
} rig;

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep);
bool __wrap_cxlvm_endpoint_is_plain(const struct cxlvm_endpoint *ep);
int __wrap_cxlvm_kernel_create(const struct cxlvm_kernel_config *config,
			       struct cxlvm_kernel **kernel, struct cxlvm_error *err);
int __wrap_cxlvm_kernel_open(struct cxlvm_kernel *kernel,
			     const struct cxlvm_kernel_device_config *config,
			     struct cxlvm_transport *out, struct cxlvm_error *err);
int __wrap_cxlvm_kernel_group(const struct cxlvm_kernel_device_config *config, unsigned int *group,
			      struct cxlvm_error *err);
/* NOLINTEND(bugprone-reserved-identifier) */

int __wrap_cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep)
{
	(void)ep;
	rig.looked++;
	return 0;
}

bool __wrap_cxlvm_endpoint_is_plain(const struct cxlvm_endpoint *ep)
{
	(void)ep;
	return false;
}

int __wrap_cxlvm_kernel_create(const struct cxlvm_kernel_config *config,
			       struct cxlvm_kernel **kernel, struct cxlvm_error *err)
{
	(void)err;
	rig.kernel = *config;
	*kernel = (struct cxlvm_kernel *)&rig;
	return 0;
}

/* A first map, of so many bytes that it takes a while: when the library tells is another test's. */
int __wrap_cxlvm_kernel_open(struct cxlvm_kernel *kernel,
			     const struct cxlvm_kernel_device_config *config,
			     struct cxlvm_transport *out, struct cxlvm_error *err)
{
	(void)out;
	(void)err;
	assert_ptr_equal(kernel, &rig);
	assert_string_equal(config->device, "0000:17:00.0");
	if (!rig.slow)
		return 0;
	rig.kernel.progress(rig.kernel.host, 0x40000000, rig.kernel.dma_size / 2);
	rig.kernel.progress(rig.kernel.host, rig.kernel.dma_size / 2, rig.kernel.dma_size / 2);
	return 0;
}

/* Buses 17 and 18 are groups of their own, 99 is not there; a descriptor is of a function on bus 18. */
int __wrap_cxlvm_kernel_group(const struct cxlvm_kernel_device_config *config, unsigned int *group,
			      struct cxlvm_error *err)
{
	const char *name = config->device ? config->device : "0000:18:00.7";

	assert_null(err);
	assert_int_equal(!config->device, config->has_fd);
	if (config->has_fd)
		assert_int_equal(config->fd, 7);
	if (!strncmp(name, "0000:99", 7))
		return -ENODEV;
	*group = !strncmp(name, "0000:18", 7) ? 18 : 17;
	return 0;
}

static void note(const char *call)
{
	size_t n = strlen(rig.journal);

	snprintf(rig.journal + n, sizeof(rig.journal) - n, "%s\n", call);
}

static int write_region(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *bytes = buf;

	(void)device;
	assert_int_equal(region, CXLVM_REGION_CONFIG);
	assert_int_equal(offset, PCI_COMMAND);
	assert_int_equal(len, 2);
	assert_int_equal(bytes[1], 0);
	note(bytes[0] == PCI_COMMAND_MEMORY ? "no bus master" : "another command");
	return 0;
}

static int dma_unmap(void *device, struct cxlvm_iova base, uint64_t size)
{
	(void)device;
	assert_int_equal(base.value, 0x1000);
	assert_int_equal(size, 0x2000);
	note("unmap RAM");
	return 0;
}

static void close_device(void *device)
{
	(void)device;
	note("close");
}

static int poll_fd(void *device)
{
	(void)device;
	return rig.always;
}

static int service(void *device)
{
	(void)device;
	rig.served++;
	usleep(1000);
	return 0;
}

static void polled(void *device, bool on)
{
	(void)device;
	note(on ? "polled" : "not polled");
}

static const struct cxlvm_device_ops device_ops = {
	.size = sizeof(device_ops),
	.write = write_region,
};

static const struct cxlvm_transport_ops transport_ops = {
	.size = sizeof(transport_ops),
	.dma_unmap = dma_unmap,
	.close = close_device,
	.poll_fd = poll_fd,
	.service = service,
	.polled = polled,
};

/* As after device_realize, without an endpoint. */
static struct device *plug(void)
{
	memset(&rig, 0, sizeof(rig));
	rig.vm.config = &rig.config;
	rig.vm.devices = &rig.device;
	rig.vm.n_devices = 1;
	rig.vm.ram.n_blocks = 1;
	rig.vm.ram.blocks[0].base.value = 0x1000;
	rig.vm.ram.blocks[0].size = 0x2000;
	rig.device.vm = &rig.vm;
	rig.device.bridge = &rig.bridge;
	rig.device.opened = true;
	rig.device.real = true;
	rig.device.n_ram_mapped = 1;
	rig.device.transport.ops = &device_ops;
	rig.device.transport.transport = &transport_ops;
	for (unsigned int i = 0; i < VFIO_NOTICES; i++)
		rig.device.notices[i] = -1;
	pthread_mutex_init(&rig.device.lock, NULL);
	return &rig.device;
}

static void p8_dma_ends_before_memory_is_unmapped(void **state)
{
	struct device *device = plug();

	(void)state;
	device_finish(device);
	assert_string_equal(rig.journal, "no bus master\nunmap RAM\nclose\n");
	/* a plan leaves the device as it was */
	device = plug();
	rig.config.plan = true;
	device->n_ram_mapped = 0;
	device_finish(device);
	assert_string_equal(rig.journal, "close\n");
}

static void devices_of_zeros_can_be_finished(void **state)
{
	struct device device = { 0 };

	(void)state;
	device_finish(&device);
}

/* One thread is for all devices: what one of them asks for must not keep it from the others. */
static void taken_memory_is_looked_for_beside_a_busy_server(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct device *device = plug();

	(void)state;
	rig.always = eventfd(1, EFD_CLOEXEC);
	assert_true(rig.always >= 0);
	assert_int_equal(watch_start(&rig.vm, &err), 0);
	for (unsigned int i = 0; i < 1000 && !rig.looked; i++)
		usleep(20000);
	watch_stop(&rig.vm);
	assert_string_equal(rig.journal, "polled\nnot polled\n");
	assert_true(rig.served > 0);
	assert_true(rig.looked > 0);
	close(rig.always);
	device_finish(device);
}

/* Lines of text that have this. */
static unsigned int lines_with(const char *text, const char *part)
{
	unsigned int n = 0;

	for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
		n++;
	return n;
}

/* As fast as a guest can cause them: bounded, and how many were left out. */
static void p8_notices_of_the_kernel_do_not_flood_the_log(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct device *device = plug();
	struct events *events = &rig.vm.events;
	struct event_limit *limit = &device->event_limits[DEVICE_EVENT_ERROR];
	char text[EVENTS_KEPT + 1], wanted[64];
	uint64_t one = 1, left_out;

	(void)state;
	assert_int_equal(events_init(events, NULL, &err), 0);
	events_listen(events, true);
	for (unsigned int i = 0; i < VFIO_NOTICES; i++)
		device->notices[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned int i = 0; i < 300; i++) {
		/* the host asks once, when all that may be said of errors was said */
		if (i == 200) {
			assert_int_equal(
				write(device->notices[VFIO_NOTICE_REQUEST], &one, sizeof(one)),
				sizeof(one));
			vfio_notice(device, VFIO_NOTICE_REQUEST);
		}
		assert_int_equal(write(device->notices[VFIO_NOTICE_ERROR], &one, sizeof(one)),
				 sizeof(one));
		vfio_notice(device, VFIO_NOTICE_ERROR);
	}
	text[events_take(events, text)] = 0;
	/* The burst, and one for each second that it took. */
	assert_in_range(lines_with(text, "\"device-error\""), 10, 100);
	assert_int_equal(lines_with(text, "\"device-requested\""), 1);
	assert_int_equal(rig.looked, 300);
	left_out = limit->left_out;
	assert_true(left_out > 0);
	/* a second later */
	limit->ns -= 1000000000;
	host_tell(device, DEVICE_EVENT_ERROR, -EIO, "again");
	text[events_take(events, text)] = 0;
	snprintf(wanted, sizeof(wanted), "%" PRIu64 " events device-error left out", left_out);
	assert_non_null(strstr(text, wanted));
	assert_non_null(strstr(text, "again"));
	for (unsigned int i = 0; i < VFIO_NOTICES; i++) {
		close(device->notices[i]);
		device->notices[i] = -1;
	}
	events_finish(events);
	device_finish(device);
}

/* One line for each time that the library tells, on standard error, in MiB. */
static void long_dma_maps_show_how_far_they_are(void **state)
{
	static const char wanted[] = "mapping guest memory for DMA: 1024 of 3072 MiB\n"
				     "mapping guest memory for DMA: 3072 of 3072 MiB\n";
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct device *device = plug();
	FILE *file = tmpfile();
	char text[256] = "";
	int before;

	(void)state;
	assert_non_null(file);
	rig.slow = true;
	rig.vm.ram.size = 0xc0000000;
	rig.config.n_devices = 3;
	rig.config.devices[0].vfio = "0000:17:00.0";
	rig.config.devices[1].socket = "socket";
	rig.config.devices[2].vfio = "0000:18:00.0";
	fflush(stderr);
	before = dup(STDERR_FILENO);
	assert_true(before >= 0);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	assert_int_equal(vfio_open(device, &rig.config.devices[0], &err), 0);
	fflush(stderr);
	assert_true(dup2(before, STDERR_FILENO) >= 0);
	close(before);
	rewind(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_string_equal(text, wanted);
	/* Each group of the kernel's devices gets all of RAM, a device of a server not. */
	assert_true(rig.kernel.dma_size == 2 * rig.vm.ram.size);
	rig.vm.vfio.kernel = NULL;
	device_finish(device);
}

/* What the machine is told that it is going to map, with these devices: in times of all its RAM. */
static uint64_t times_of_ram(const char *const names[], unsigned int n)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(&rig, 0, sizeof(rig));
	rig.vm.config = &rig.config;
	rig.vm.ram.size = 0xc0000000;
	rig.device.vm = &rig.vm;
	rig.config.n_devices = n;
	for (unsigned int i = 0; i < n; i++) {
		struct device_config *device = &rig.config.devices[i];

		device->vfio = names[i];
		device->has_vfio_fd = !strcmp(names[i], "fd=7");
		device->vfio_fd = 7;
	}
	assert_int_equal(vfio_open(&rig.device, &rig.config.devices[0], &err), 0);
	assert_int_equal(rig.kernel.dma_size % rig.vm.ram.size, 0);
	return rig.kernel.dma_size / rig.vm.ram.size;
}

/* Functions of one IOMMU group share an I/O address space, in which RAM is pinned once. */
static void dma_ram_is_counted_once_for_each_group(void **state)
{
	static const char *const one[] = { "0000:17:00.0", "0000:17:00.1", "0000:17:00.2" };
	static const char *const two[] = { "0000:17:00.0", "0000:18:00.0", "0000:17:00.1", "fd=7" };
	/* Of who is not there nothing is known. */
	static const char *const unknown[] = { "0000:17:00.0", "0000:99:00.0", "0000:99:00.1",
					       "0000:17:00.1" };

	(void)state;
	assert_int_equal(times_of_ram(one, 1), 1);
	assert_int_equal(times_of_ram(one, ARRAY_SIZE(one)), 1);
	assert_int_equal(times_of_ram(two, ARRAY_SIZE(two)), 2);
	assert_int_equal(times_of_ram(unknown, ARRAY_SIZE(unknown)), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p8_dma_ends_before_memory_is_unmapped),
		cmocka_unit_test(dma_ram_is_counted_once_for_each_group),
		cmocka_unit_test(devices_of_zeros_can_be_finished),
		cmocka_unit_test(long_dma_maps_show_how_far_they_are),
		cmocka_unit_test(p8_notices_of_the_kernel_do_not_flood_the_log),
		cmocka_unit_test(taken_memory_is_looked_for_beside_a_busy_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

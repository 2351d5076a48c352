/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device of the monitor: how it ends, and the thread that watches it. The transport is played by
 * the test; of the endpoint there is only what the linker's --wrap puts in its place.
 */
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The doubles have a vm.h too. */
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
} rig;

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_cxlvm_endpoint_recheck(struct cxlvm_endpoint *ep);
bool __wrap_cxlvm_endpoint_is_plain(const struct cxlvm_endpoint *ep);
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

/* Both kinds of notice, as fast as a guest can cause them: bounded, and how many were left out. */
static void p8_notices_of_the_kernel_do_not_flood_the_log(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct device *device = plug();
	struct events *events = &rig.vm.events;
	char text[EVENTS_KEPT + 1];
	unsigned int lines = 0;
	uint64_t one = 1;

	(void)state;
	assert_int_equal(events_init(events, NULL, &err), 0);
	events_listen(events, true);
	for (unsigned int i = 0; i < 300; i++) {
		enum vfio_notice notice = i % 2 ? VFIO_NOTICE_ERROR : VFIO_NOTICE_REQUEST;

		if (device->notices[notice] < 0)
			device->notices[notice] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_int_equal(write(device->notices[notice], &one, sizeof(one)), sizeof(one));
		vfio_notice(device, notice);
	}
	text[events_take(events, text)] = 0;
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		lines++;
	/* The burst, and one for each second that it took. */
	assert_in_range(lines, 10, 100);
	assert_non_null(strstr(text, "device-requested"));
	assert_non_null(strstr(text, "device-error"));
	assert_int_equal(rig.looked, 150);
	assert_true(device->events_left_out > 0);
	for (unsigned int i = 0; i < VFIO_NOTICES; i++) {
		close(device->notices[i]);
		device->notices[i] = -1;
	}
	events_finish(events);
	device_finish(device);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p8_dma_ends_before_memory_is_unmapped),
		cmocka_unit_test(devices_of_zeros_can_be_finished),
		cmocka_unit_test(p8_notices_of_the_kernel_do_not_flood_the_log),
		cmocka_unit_test(taken_memory_is_looked_for_beside_a_busy_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

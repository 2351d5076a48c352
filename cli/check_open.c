/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_open.c - what only an opened device tells: opens it, lets the library read all about it, and
 * closes it again. Nothing is mapped and nothing programmed, but opening is a reset.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cxlvm/cxlvm.h>

#include "capture.h"
#include "check.h"
#include "replay.h"

#define BRIDGE_UID 1
#define FOUR_GIB   ((uint64_t)4 << 30)
#define PHYS_BITS  52

/* A host of which nothing is asked: no endpoint gets further than realize. */
static int refuse_areas(void *host, const struct cxlvm_memory_area *areas, size_t n,
			struct cxlvm_error *err)
{
	(void)host;
	(void)areas;
	(void)n;
	return cxlvm_error_set(err, -EOPNOTSUPP, "nothing is mapped by a check");
}

static void no_areas(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	(void)host;
	(void)areas;
	(void)n;
}

static int no_bridge(void *host, uint32_t uid, const struct cxlvm_bridge_decoder *decoder)
{
	(void)host;
	(void)uid;
	(void)decoder;
	return -EOPNOTSUPP;
}

static int no_reset(void *host, enum cxlvm_reset_kind kind)
{
	(void)host;
	(void)kind;
	return -EOPNOTSUPP;
}

static uint64_t now_ns(void *host)
{
	struct timespec now;

	(void)host;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_ms(void *host, unsigned int milliseconds)
{
	const struct timespec wait = { milliseconds / 1000, milliseconds % 1000 * 1000000L };

	(void)host;
	nanosleep(&wait, NULL);
}

static const struct cxlvm_host_ops host_ops = {
	.size = sizeof(host_ops),
	.prepare = refuse_areas,
	.release = no_areas,
	.enable = no_areas,
	.disable = no_areas,
	.bridge_decoder = no_bridge,
	.device_reset = no_reset,
	.now_ns = now_ns,
	.sleep_ms = sleep_ms,
};

/* Make an endpoint of the device, take from it what is wanted, and end it. */
static int realize(const struct check *check, const struct cxlvm_transport *transport,
		   bool allow_slow, struct check_opened *opened, struct cxlvm_error *err)
{
	const struct cxlvm_machine_config machine_config = {
		.size = sizeof(machine_config),
		.phys_bits = PHYS_BITS,
		.place_from = { FOUR_GIB },
	};
	const struct cxlvm_endpoint_config config = {
		.size = sizeof(config),
		.name = check->device->address,
		.bridge_uid = BRIDGE_UID,
		.page_size = (uint64_t)sysconf(_SC_PAGESIZE),
		.allow_slow = allow_slow,
	};
	struct cxlvm_endpoint *endpoint = NULL;
	struct cxlvm_machine *machine = NULL;
	int ret = cxlvm_machine_create(&machine_config, &machine, err);

	if (!ret)
		ret = cxlvm_machine_add_bridge(machine, "host bridge", BRIDGE_UID, NULL, err);
	if (!ret)
		ret = cxlvm_endpoint_realize(machine, &config, transport->ops, transport->device,
					     &host_ops, NULL, &endpoint, err);
	if (!ret) {
		opened->cxl = !cxlvm_endpoint_is_plain(endpoint);
		opened->generation = cxlvm_endpoint_generation(endpoint);
		opened->memory_size = cxlvm_endpoint_memory_size(endpoint);
		cxlvm_endpoint_unrealize(endpoint);
		cxlvm_endpoint_free(endpoint);
	}
	cxlvm_machine_destroy(machine);
	return ret;
}

/* What the transport calls it: a PCI function by its address, another device by its folder. */
static const char *name_of(const struct check *check, char folder[static FS_PATH_MAX])
{
	char path[FS_PATH_MAX];

	if (check->device->pci ||
	    fs_resolve(check->fs,
		       fs_path(path, "/sys/class/vfio-dev/%s/device", check->device->cdev), folder))
		return check->device->address;
	return folder;
}

/* Without mapping first, so that both can be told apart. */
static void look(const struct check *check, const struct cxlvm_transport *transport,
		 struct check_opened *opened)
{
	if (!realize(check, transport, true, opened, &opened->interface_error) && opened->cxl)
		realize(check, transport, false, opened, &opened->mmap_error);
}

static void look_at_captured(const struct check *check, struct check_opened *opened)
{
	struct replay replay = { .fs = check->fs };
	const struct cxlvm_transport transport = { .device = &replay, .ops = &replay_ops };

	snprintf(replay.name, sizeof(replay.name), "%s", check->device->address);
	if (replay_exists(check->fs, replay.name)) {
		look(check, &transport, opened);
		return;
	}
	cxlvm_error_set(&opened->open_error, -ENOENT,
			"the captured machine holds no answers of an opened %s",
			check->device->address);
	cxlvm_error_hint(&opened->open_error,
			 "there: cxlvm check --open --capture FILE %s, which resets it",
			 check->device->address);
}

static void look_at_device(const struct check *check, const char *record_to,
			   struct check_opened *opened)
{
	const struct cxlvm_kernel_config kernel_config = { .size = sizeof(kernel_config) };
	char folder[FS_PATH_MAX];
	const struct cxlvm_kernel_device_config config = {
		.size = sizeof(config),
		.device = name_of(check, folder),
	};
	struct cxlvm_transport transport;
	struct cxlvm_kernel *kernel = NULL;

	if (!cxlvm_kernel_create(&kernel_config, &kernel, &opened->open_error) &&
	    !cxlvm_kernel_open(kernel, &config, &transport, &opened->open_error)) {
		look(check, &transport, opened);
		if (record_to)
			capture_write(check->fs, record_to, check->device, &transport,
				      &opened->record_error);
		transport.transport->close(transport.device);
	}
	cxlvm_kernel_destroy(kernel);
}

void check_open(const struct check *check, const char *record_to, struct check_opened *opened)
{
	memset(opened, 0, sizeof(*opened));
	if (check->replayed)
		look_at_captured(check, opened);
	else
		look_at_device(check, record_to, opened);
}

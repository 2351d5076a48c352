/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel transport costs over the kernel: the same work by cxlvm and by bare system calls, on
 * one device of the host's VFIO, in turn. The device is opened anew for each pass, as a group has one
 * user. Needs the group and a type1 container (CONFIG_VFIO_GROUP).
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cxlvm/cxlvm.h>

#include "bench.h"
#include "host.h"

#define MIB(n)   ((uint64_t)(n) << 20)
#define GIB(n)   ((uint64_t)(n) << 30)
#define RAM_SIZE MIB(256)
#define RAM_IOVA 0
#define READS    2000u
#define TRIES    100

struct context {
	const char *name; /* as cxlvm_kernel_open takes it */
	char vfio_name[64];
	char group_file[64];
	void *ram;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "bench: %s: %s\n", what, why);
	exit(1);
}

static double us(uint64_t since)
{
	return (double)(bench_now() - since) / 1e3;
}

/* The bare side. */
struct bare {
	int container, group, device;
	uint64_t config_offset;
};

static struct bare bare_open(const struct context *c)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	struct vfio_region_info region = { .argsz = sizeof(region),
					   .index = VFIO_PCI_CONFIG_REGION_INDEX };
	struct bare b = { .container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC),
			  .group = open(c->group_file, O_RDWR | O_CLOEXEC) };

	if (b.container < 0 || b.group < 0 || ioctl(b.group, VFIO_GROUP_GET_STATUS, &status) ||
	    ioctl(b.group, VFIO_GROUP_SET_CONTAINER, &b.container) ||
	    ioctl(b.container, VFIO_SET_IOMMU, (void *)VFIO_TYPE1v2_IOMMU))
		die(c->group_file, strerror(errno));
	b.device = ioctl(b.group, VFIO_GROUP_GET_DEVICE_FD, c->vfio_name);
	if (b.device < 0 || ioctl(b.device, VFIO_DEVICE_GET_REGION_INFO, &region))
		die(c->vfio_name, strerror(errno));
	b.config_offset = region.offset;
	return b;
}

static void bare_close(const struct bare *b)
{
	close(b->device);
	close(b->group);
	close(b->container);
}

/* The library's side, with a host that keeps memory from everybody but the device. */
struct ours {
	struct cxlvm_kernel *kernel;
	struct cxlvm_transport transport;
	struct cxlvm_machine *machine;
	struct cxlvm_endpoint *endpoint;
};

static int dma_map(void *host, const struct cxlvm_memory_area *areas, size_t n,
		   struct cxlvm_error *err)
{
	const struct ours *o = host;

	if (!o->transport.transport->memory_map)
		return 0;
	return o->transport.transport->memory_map(o->transport.device, areas, n, err);
}

static void dma_unmap(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	const struct ours *o = host;

	if (o->transport.transport->memory_unmap)
		o->transport.transport->memory_unmap(o->transport.device, areas, n);
}

static int reset_real(const struct ours *o)
{
	int code = -EAGAIN;

	for (int i = 0; i < TRIES && code == -EAGAIN; i++)
		code = o->transport.transport->reset(o->transport.device);
	return code;
}

static int device_reset(void *host, enum cxlvm_reset_kind kind)
{
	(void)kind;
	return reset_real(host);
}

static void sleep_ms(void *host, unsigned int milliseconds)
{
	const struct timespec time = { .tv_sec = milliseconds / 1000,
				       .tv_nsec = (long)(milliseconds % 1000) * 1000000 };

	(void)host;
	nanosleep(&time, NULL);
}

static const struct cxlvm_host_ops host_ops = {
	.size = sizeof(host_ops),
	HOST_MAPS_NOTHING,
	.dma_map = dma_map,
	.dma_unmap = dma_unmap,
	.device_reset = device_reset,
	.sleep_ms = sleep_ms,
};

static void ours_open(const struct context *c, struct ours *o)
{
	const struct cxlvm_kernel_config config = { .size = sizeof(config) };
	const struct cxlvm_kernel_device_config device = { .size = sizeof(device),
							   .device = c->name };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(o, 0, sizeof(*o));
	if (cxlvm_kernel_create(&config, &o->kernel, &err) ||
	    cxlvm_kernel_open(o->kernel, &device, &o->transport, &err)) {
		fprintf(stderr, "bench: %s\n  hint: %s\n", err.message, err.hint);
		exit(1);
	}
}

static void ours_open_sim(struct ours *o)
{
	const struct cxlvm_sim_config config = { .size = sizeof(config), .memory_size = MIB(256) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(o, 0, sizeof(*o));
	if (cxlvm_sim_open(&config, &o->transport, &err))
		die("sim", err.message);
}

static void ours_close(struct ours *o)
{
	cxlvm_endpoint_free(o->endpoint);
	cxlvm_machine_destroy(o->machine);
	o->transport.transport->close(o->transport.device);
	cxlvm_kernel_destroy(o->kernel);
}

static int reset(struct ours *o, struct cxlvm_error *err)
{
	int code = cxlvm_endpoint_reset_prepare(o->endpoint, CXLVM_RESET_SYSTEM, err);

	if (!code)
		code = cxlvm_endpoint_reset_done(o->endpoint, CXLVM_RESET_SYSTEM, reset_real(o),
						 err);
	return code;
}

/* From an open device to memory that a guest could use. */
static void ours_start(struct ours *o)
{
	const struct cxlvm_machine_config config = {
		.size = sizeof(config),
		.phys_bits = 40,
		.place_from.value = GIB(4),
	};
	const struct cxlvm_endpoint_config endpoint = {
		.size = sizeof(endpoint),
		.name = "bench",
		.bridge_uid = 1,
		.page_size = (uint64_t)sysconf(_SC_PAGESIZE),
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int code = cxlvm_machine_create(&config, &o->machine, &err);

	if (!code)
		code = cxlvm_machine_add_bridge(o->machine, "bridge", 1, NULL, &err);
	if (!code)
		code = cxlvm_endpoint_realize(o->machine, &endpoint, o->transport.ops,
					      o->transport.device, &host_ops, o, &o->endpoint,
					      &err);
	if (!code)
		code = cxlvm_machine_freeze(o->machine, &err);
	if (!code)
		code = cxlvm_endpoint_machine_done(o->endpoint, &err);
	if (!code)
		code = reset(o, &err);
	if (code)
		die("start", err.message);
}

/* The cases. */

static double gib_per_s(uint64_t since)
{
	return (double)RAM_SIZE / (double)GIB(1) / ((double)(bench_now() - since) / 1e9);
}

static double map_bare(void *context, unsigned int argument)
{
	const struct context *c = context;
	struct bare b = bare_open(c);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)c->ram,
		.iova = RAM_IOVA,
		.size = RAM_SIZE,
	};
	uint64_t since = bench_now();
	double result;

	(void)argument;
	if (ioctl(b.container, VFIO_IOMMU_MAP_DMA, &map))
		die("VFIO_IOMMU_MAP_DMA", strerror(errno));
	result = gib_per_s(since);
	bare_close(&b);
	return result;
}

static double map_ours(void *context, unsigned int argument)
{
	const struct context *c = context;
	const struct cxlvm_dma_range range = {
		.base.value = RAM_IOVA,
		.size = RAM_SIZE,
		.address = c->ram,
		.fd = -1,
		.writable = true,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct ours o;
	uint64_t since;
	double result;

	(void)argument;
	ours_open(c, &o);
	since = bench_now();
	if (o.transport.transport->dma_map(o.transport.device, &range, &err))
		die("dma_map", err.message);
	result = gib_per_s(since);
	ours_close(&o);
	return result;
}

static double read_bare(void *context, unsigned int argument)
{
	struct bare b = bare_open(context);
	uint64_t since = bench_now();
	double result;

	(void)argument;
	for (unsigned int i = 0; i < READS; i++) {
		uint32_t value;

		if (pread(b.device, &value, 4, (off_t)b.config_offset) != 4)
			die("pread", strerror(errno));
		bench_use(value);
	}
	result = us(since) * 1e3 / READS;
	bare_close(&b);
	return result;
}

static double read_ours(void *context, unsigned int argument)
{
	struct ours o;
	uint64_t since;
	double result;

	(void)argument;
	ours_open(context, &o);
	since = bench_now();
	for (unsigned int i = 0; i < READS; i++) {
		uint32_t value;

		if (o.transport.ops->read(o.transport.device, CXLVM_REGION_CONFIG, 0, &value, 4))
			die("read", "failed");
		bench_use(value);
	}
	result = us(since) * 1e3 / READS;
	ours_close(&o);
	return result;
}

static double reset_bare(void *context, unsigned int argument)
{
	struct bare b = bare_open(context);
	uint64_t since = bench_now();
	double result;

	(void)argument;
	if (ioctl(b.device, VFIO_DEVICE_RESET))
		die("VFIO_DEVICE_RESET", strerror(errno));
	result = us(since);
	bare_close(&b);
	return result;
}

static double reset_ours(void *context, unsigned int argument)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct ours o;
	uint64_t since;
	double result;

	(void)argument;
	ours_open(context, &o);
	ours_start(&o);
	since = bench_now();
	if (reset(&o, &err))
		die("reset", err.message);
	result = us(since);
	ours_close(&o);
	return result;
}

static double start_sim(void *context, unsigned int argument)
{
	uint64_t since = bench_now();
	struct ours o;
	double result;

	(void)context;
	(void)argument;
	ours_open_sim(&o);
	ours_start(&o);
	result = us(since);
	ours_close(&o);
	return result;
}

static double start_ours(void *context, unsigned int argument)
{
	uint64_t since = bench_now();
	struct ours o;
	double result;

	(void)argument;
	ours_open(context, &o);
	ours_start(&o);
	result = us(since);
	ours_close(&o);
	return result;
}

static struct bench_case cases[] = {
	{ .name = "DMA map 256 MiB, bare", .unit = "GiB/s", .run = map_bare },
	{ .name = "DMA map 256 MiB", .unit = "GiB/s", .run = map_ours },
	{ .name = "register read, bare", .unit = "ns", .run = read_bare },
	{ .name = "register read", .unit = "ns", .run = read_ours },
	{ .name = "reset, bare", .unit = "us", .run = reset_bare },
	{ .name = "reset to usable", .unit = "us", .run = reset_ours },
	{ .name = "open to usable, sim", .unit = "us", .run = start_sim },
	{ .name = "open to usable", .unit = "us", .run = start_ours },
};

static const struct bench_ratio ratios[] = {
	{ .name = "DMA map over the bare ioctl",
	  .over = "DMA map 256 MiB",
	  .under = "DMA map 256 MiB, bare",
	  .factor = 1 },
	{ .name = "register read over bare pread",
	  .over = "register read",
	  .under = "register read, bare",
	  .factor = 1 },
	{ .name = "reset to usable over the bare ioctl",
	  .over = "reset to usable",
	  .under = "reset, bare",
	  .factor = 1 },
	{ .name = "open to usable over sim",
	  .over = "open to usable",
	  .under = "open to usable, sim",
	  .factor = 1 },
};

/* The folder of the device says its name and group. */
static void find_device(struct context *c)
{
	char path[512], target[512];
	ssize_t n;

	snprintf(path, sizeof(path), c->name[0] == '/' ? "%s" : "/sys/bus/pci/devices/%s", c->name);
	snprintf(c->vfio_name, sizeof(c->vfio_name), "%.63s", basename(path));
	snprintf(path, sizeof(path),
		 c->name[0] == '/' ? "%s/iommu_group" : "/sys/bus/pci/devices/%s/iommu_group",
		 c->name);
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		die(path, strerror(errno));
	target[n] = 0;
	snprintf(c->group_file, sizeof(c->group_file), "/dev/vfio/%.32s", basename(target));
}

int main(int argc, char **argv)
{
	struct context c = { .name = argc > 1 ? argv[1] : NULL };
	struct bench bench = {
		.name = "vfio",
		.cases = cases,
		.n_cases = sizeof(cases) / sizeof(cases[0]),
		.ratios = ratios,
		.n_ratios = sizeof(ratios) / sizeof(ratios[0]),
		.context = &c,
		.notes =
			"one device, opened anew for each pass; bare: the same system calls without "
			"cxlvm\nusable: device memory programmed, mapped for DMA, and ready for a "
			"guest",
	};

	if (!c.name || c.name[0] == '-') {
		fputs("bench: which device?\n  hint: bench_vfio DEVICE [--json]; a device that is "
		      "bound to vfio-pci, 0000:17:00.0, with its group to itself\n",
		      stderr);
		return 2;
	}
	find_device(&c);
	c.ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (c.ram == MAP_FAILED)
		die("256 MiB of memory", strerror(errno));
	return bench_main(&bench, argc - 1, argv + 1);
}

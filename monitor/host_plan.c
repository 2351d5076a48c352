/* SPDX-License-Identifier: BSD-3-Clause */
/* host_plan.c - a host that maps nothing and remembers what it was asked for */
#include "device.h"
#include "host.h"

static int plan_prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
			struct cxlvm_error *err)
{
	(void)host;
	(void)areas;
	(void)n;
	(void)err;
	return 0;
}

static void plan_release(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	(void)host;
	(void)areas;
	(void)n;
}

static void plan_enable(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct device *device = host;

	(void)areas;
	(void)n;
	device->mapped = true;
}

static void plan_disable(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct device *device = host;

	(void)areas;
	(void)n;
	device->mapped = false;
}

const struct cxlvm_host_ops host_plan_ops = {
	.size = sizeof(host_plan_ops),
	.prepare = plan_prepare,
	.release = plan_release,
	.enable = plan_enable,
	.disable = plan_disable,
	HOST_OPS_SHARED,
};

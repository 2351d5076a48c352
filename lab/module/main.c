// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* Parameters, and the module as a whole. */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/string.h>

#include "lab.h"

#define DEVICES_MAX 16

unsigned int lab_n_devices = 1;
module_param_named(devices, lab_n_devices, uint, 0444);
MODULE_PARM_DESC(devices, "platform devices, 0 to 16 (default 1)");

static char *generation[DEVICES_MAX] = { "5" };
static int n_generations = 1;
module_param_array(generation, charp, &n_generations, 0444);
MODULE_PARM_DESC(generation,
		 "generation of the kernel interface of each device: 2, 2n, 3, 4, 5 or 6; "
		 "the last one for those that follow (default 5)");

static char *size = "256M";
module_param(size, charp, 0444);
MODULE_PARM_DESC(size, "device memory of each, a multiple of 256M (default 256M)");

static char *memory_at;
module_param(memory_at, charp, 0444);
MODULE_PARM_DESC(memory_at,
		 "physical address, a multiple of 256M, of a range that the kernel does not "
		 "use (memmap=): device memory of all devices, one behind the other "
		 "(default: pages of the kernel)");

static char *quirks = "";
module_param(quirks, charp, 0444);
MODULE_PARM_DESC(quirks, "quirks of each device's kernel, separated by commas (default none)");

static uint quirk_times = 3;
module_param(quirk_times, uint, 0444);
MODULE_PARM_DESC(quirk_times, "how often reset-again and decoder-late (default 3)");

/* Text of a number with a suffix of memory sizes. */
static int parse_size(const char *text, u64 *value)
{
	char *end;

	*value = memparse(text, &end);
	return *end || end == text ? -EINVAL : 0;
}

static int parse_generation(const char *text, unsigned int *value)
{
	if (!strcmp(text, "2n")) {
		*value = SHAPE_GENERATION_2N;
		return 0;
	}
	return kstrtouint(text, 10, value) ?: *value < 2 || *value > 6 ? -EINVAL : 0;
}

int lab_settings_of(unsigned int device, struct lab_settings *settings)
{
	unsigned int last = n_generations ? n_generations - 1 : 0;
	const char *wanted = generation[min(device, last)];
	u64 at = 0;

	*settings = (struct lab_settings){
		.serial = device + 1,
		.quirks.times = quirk_times,
	};
	if (parse_generation(wanted, &settings->generation)) {
		pr_err(LAB_NAME ": generation=%s: there are 2, 2n, 3, 4, 5 and 6\n", wanted);
		return -EINVAL;
	}
	if (parse_size(size, &settings->size) || !settings->size ||
	    !is_aligned(settings->size, CXLVM_HDM_GRANULE) || settings->size > (u64)1 << 40) {
		pr_err(LAB_NAME ": size=%s is no multiple of 256M up to 1T\n", size);
		return -EINVAL;
	}
	if (memory_at &&
	    (parse_size(memory_at, &at) || !at || !is_aligned(at, CXLVM_HDM_GRANULE))) {
		pr_err(LAB_NAME ": memory_at=%s is no multiple of 256M\n", memory_at);
		return -EINVAL;
	}
	if (at)
		settings->memory_at = at + device * settings->size;
	if (lab_quirks_parse(quirks, &settings->quirks)) {
		pr_err(LAB_NAME ": quirks=%s: unknown, or two that exclude each other\n", quirks);
		return -EINVAL;
	}
	return 0;
}

static int __init lab_init(void)
{
	int ret;

	if (lab_n_devices > DEVICES_MAX) {
		pr_err(LAB_NAME ": devices=%u: %u are the most\n", lab_n_devices, DEVICES_MAX);
		return -EINVAL;
	}
	ret = lab_debug_init();
	if (ret)
		return ret;
	ret = lab_platform_init();
	if (ret)
		goto no_platform;
	ret = lab_pci_init();
	if (ret)
		goto no_pci;
	return 0;
no_pci:
	lab_platform_finish();
no_platform:
	lab_debug_finish();
	return ret;
}

static void __exit lab_exit(void)
{
	lab_pci_finish();
	lab_platform_finish();
	lab_debug_finish();
}

module_init(lab_init);
module_exit(lab_exit);
MODULE_DESCRIPTION("CXL Type-2 software device behind VFIO, for tests");
MODULE_LICENSE("Dual BSD/GPL");

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_text.c - a plan for people: the guest physical map, devices, windows and decoders as tables
 *
 * Unlike JSON this is no interface: it may change with every version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pci/hdm.h"
#include "plan.h"
#include "plan_text.h"
#include "vm.h"

#define NESTING_MAX 8

/* "256 MiB": the largest unit that divides size. */
static const char *size_text(uint64_t size, char text[static 32])
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (size && !(size % 1024) && unit < 4) {
		size /= 1024;
		unit++;
	}
	snprintf(text, 32, "%" PRIu64 " %s", size, units[unit]);
	return text;
}

/* First and last address, as wide as the address width of the guest needs. */
static void print_range(const struct vm *vm, uint64_t base, uint64_t size)
{
	int digits = (int)(vm->phys_bits + 3) / 4;
	char text[32];

	printf("0x%0*" PRIx64 "-0x%0*" PRIx64 " %9s", digits, base, digits, base + (size - 1),
	       size_text(size, text));
}

static void print_map_range(const struct vm *vm, const struct plan_range *range,
			    unsigned int nesting)
{
	printf("  ");
	print_range(vm, range->base.value, range->size);
	printf("  %*s%s", (int)nesting * 2, "", range->type);
	if (range->index >= 0)
		printf(" %s%d", strcmp(range->type, "pci-window") ? "" : "of host bridge ",
		       range->index);
	if (range->name[0])
		printf(" '%s'", range->name);
	if (range->owner[0])
		printf(" of %s", range->owner);
	putchar('\n');
}

/* A range that lies within another one follows it, and is indented. */
static int print_map(struct vm *vm, struct cxlvm_error *err)
{
	uint64_t last[NESTING_MAX];
	struct plan_range *ranges;
	unsigned int nesting = 0;
	size_t n;
	int code = plan_ranges(vm, &ranges, &n, err);

	if (code)
		return code;
	puts("guest physical map");
	for (size_t i = 0; i < n; i++) {
		while (nesting && ranges[i].base.value > last[nesting - 1])
			nesting--;
		print_map_range(vm, &ranges[i], nesting);
		if (nesting < NESTING_MAX)
			last[nesting++] = ranges[i].base.value + (ranges[i].size - 1);
	}
	free(ranges);
	return 0;
}

static void print_devices(const struct vm *vm)
{
	puts("\ndevices");
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		const struct device *device = &vm->devices[i];
		const char *reason = cxlvm_endpoint_unusable_reason(device->endpoint);
		bool mapped = cxlvm_endpoint_memory_mapped(device->endpoint) && device->mapped;
		char text[32];

		if (cxlvm_endpoint_is_plain(device->endpoint)) {
			printf("  %-8s 0000:%02x:00.0  host bridge %-3u  plain PCI\n", device->name,
			       device->bridge->port.assigned.secondary, device->bridge->uid);
			continue;
		}
		printf("  %-8s 0000:%02x:00.0  host bridge %-3u %9s  generation %u  %s, %s%s\n",
		       device->name, device->bridge->port.assigned.secondary, device->bridge->uid,
		       size_text(cxlvm_endpoint_memory_size(device->endpoint), text),
		       cxlvm_endpoint_generation(device->endpoint),
		       cxlvm_endpoint_is_committed(device->endpoint) ? "committed"
								     : "not committed",
		       mapped ? "mapped" : "not mapped",
		       vm->config->devices[i].decoder == CXLVM_DECODER_GUEST
			       ? ": the guest programs the decoders"
			       : "");
		if (reason[0])
			printf("           %s\n", reason);
	}
}

static void print_windows(const struct vm *vm)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} restrictions[] = {
		{ CXLVM_WINDOW_DEVICE_COHERENT, "device coherent" },
		{ CXLVM_WINDOW_HOST_COHERENT, "host-only coherent" },
		{ CXLVM_WINDOW_VOLATILE, "volatile" },
		{ CXLVM_WINDOW_PERSISTENT, "persistent" },
		{ CXLVM_WINDOW_FIXED, "fixed" },
		{ CXLVM_WINDOW_BI, "back-invalidate" },
	};
	const struct cxlvm_window *window;

	puts("\nwindows");
	for (unsigned int i = 0; (window = cxlvm_machine_window(vm->machine, i)); i++) {
		const char *comma = "", *name = plan_window_name(vm, window);

		printf("  decoder0.%-3u ", i);
		if (window->has_base)
			print_range(vm, window->base.value, window->size);
		printf("  %-8s to host bridge", window->owner);
		for (unsigned int t = 0; t < window->n_targets; t++)
			printf(" %" PRIu32, window->targets[t]);
		printf("  ");
		for (size_t r = 0; r < sizeof(restrictions) / sizeof(restrictions[0]); r++) {
			if (!(window->restrictions & restrictions[r].bit))
				continue;
			printf("%s%s", comma, restrictions[r].name);
			comma = ", ";
		}
		if (name[0])
			printf("  named '%s'", name);
		putchar('\n');
	}
}

static void print_decoder(const struct vm *vm, unsigned int port, uint64_t base, uint64_t size,
			  uint32_t control)
{
	printf("  decoder%u.0%*s ", port, port < 10 ? 2 : 1, "");
	if (size && control & HDM_CONTROL_COMMITTED)
		print_range(vm, base, size);
	else
		printf("no range");
	printf("  %s%s%s, %s", control & HDM_CONTROL_COMMITTED ? "committed" : "not committed",
	       control & HDM_CONTROL_LOCK ? ", locked" : "",
	       control & HDM_CONTROL_ERROR ? ", error" : "",
	       control & HDM_CONTROL_HOST_ONLY ? "expander" : "accelerator");
}

/* Numbered as Linux does it most likely: root, host bridges, endpoints. */
static int print_decoders(struct vm *vm, struct cxlvm_error *err)
{
	unsigned int port = 1 + vm->n_devices;

	puts("\ndecoders");
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct cxlvm_bridge_decoder decoder;

		cxlvm_bridge_get(vm->bridges[i].cxl, &decoder);
		print_decoder(vm, 1 + i, decoder.base.value, decoder.size, decoder.control);
		printf("  of host bridge %u, to port %u\n", vm->bridges[i].uid, decoder.port);
	}
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct hdm_decoder decoder;
		int code;

		if (cxlvm_endpoint_is_plain(vm->devices[i].endpoint))
			continue;
		code = hdm_read(&vm->devices[i], &decoder, err);
		if (code)
			return code;
		print_decoder(vm, port++, decoder.base, decoder.size, decoder.control);
		printf("  of %s\n", vm->devices[i].name);
	}
	return 0;
}

int plan_text_print(struct vm *vm, struct cxlvm_error *err)
{
	char text[32];
	int code;

	printf("address width %u bits, memory %s, %u CXL device%s\n\n", vm->phys_bits,
	       size_text(vm->ram.size, text), vm->n_devices, vm->n_devices == 1 ? "" : "s");
	code = print_map(vm, err);
	if (code || !vm->n_devices)
		return code;
	print_devices(vm);
	print_windows(vm);
	return print_decoders(vm, err);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* plan.c - the guest physical map of a machine, as a list */
#include <errno.h>
#include <stdlib.h>

#include "layout.h"
#include "pci/ecam.h"
#include "plan.h"
#include "vm.h"

struct list {
	struct plan_range *ranges; /* NULL: only count */
	size_t n;
	size_t room; /* of ranges: the guest may open a BAR between counting and adding */
};

static void add(struct list *list, const char *type, struct cxlvm_gpa base, uint64_t size,
		const char *owner, int index)
{
	if (!size || (list->ranges && list->n == list->room))
		return;
	if (list->ranges)
		list->ranges[list->n] = (struct plan_range){
			.base = base,
			.size = size,
			.type = type,
			.owner = owner ? owner : "",
			.name = "",
			.index = index,
		};
	list->n++;
}

static void add_platform(struct list *list, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->ram.n_blocks; i++)
		add(list, "ram", vm->ram.blocks[i].base, vm->ram.blocks[i].size, NULL, -1);
	add(list, "acpi-tables", (struct cxlvm_gpa){ LAYOUT_TABLES_BASE }, LAYOUT_TABLES_SIZE, NULL,
	    -1);
	add(list, "ecam", (struct cxlvm_gpa){ LAYOUT_ECAM_BASE }, ecam_size(vm->n_bridges), NULL,
	    -1);
	add(list, "ioapic", (struct cxlvm_gpa){ LAYOUT_IOAPIC }, KIB(4), NULL, -1);
	add(list, "lapic", (struct cxlvm_gpa){ LAYOUT_LAPIC }, KIB(4), NULL, -1);
}

static void add_bridges(struct list *list, const struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n_bridges; i++) {
		const struct pci_host_bridge *bridge = &vm->bridges[i];
		const struct cxlvm_bridge_place *place = cxlvm_machine_bridge(vm->machine, i);
		int uid = (int)bridge->uid;

		add(list, "pci-window", bridge->mmio32, bridge->mmio32_size, NULL, uid);
		add(list, "pci-window", bridge->mmio64, bridge->mmio64_size, NULL, uid);
		if (bridge->cxl)
			add(list, "root-port-bar", bridge->port.assigned.bar,
			    CXLVM_COMPONENT_BLOCK_SIZE, NULL, 0);
		if (place && place->has_base)
			add(list, "host-bridge", place->base, CXLVM_COMPONENT_BLOCK_SIZE, NULL,
			    (int)place->uid);
	}
}

/* What the guest finds now: memory that is mapped, BARs where it has put them. */
static int add_device(struct list *list, struct device *device, struct cxlvm_error *err)
{
	size_t n = cxlvm_endpoint_memory_areas(device->endpoint, NULL, 0);
	struct cxlvm_memory_area *areas = calloc(n ? n : 1, sizeof(*areas));

	if (!areas)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the plan");
	cxlvm_endpoint_memory_areas(device->endpoint, areas, n);
	for (size_t a = 0; device->mapped && a < n; a++)
		add(list, "device-memory", areas[a].guest, areas[a].size, device->name, -1);
	free(areas);
	for (unsigned int b = 0; device->pci.memory_space && b < PCI_BARS; b++)
		add(list, "bar", (struct cxlvm_gpa){ device->pci.bars[b].guest },
		    device->pci.bars[b].size, device->name, (int)b);
	return 0;
}

static int add_devices(struct list *list, struct vm *vm, struct cxlvm_error *err)
{
	int code = 0;

	for (unsigned int i = 0; !code && i < vm->n_devices; i++) {
		pthread_mutex_lock(&vm->devices[i].lock);
		code = add_device(list, &vm->devices[i], err);
		pthread_mutex_unlock(&vm->devices[i].lock);
	}
	return code;
}

const char *plan_window_name(const struct vm *vm, const struct cxlvm_window *window)
{
	for (unsigned int i = 0; i < vm->n_devices; i++)
		if (vm->devices[i].window == window && vm->config->devices[i].window)
			return window->name;
	return "";
}

static void add_windows(struct list *list, const struct vm *vm)
{
	const struct cxlvm_window *window;

	for (unsigned int i = 0; (window = cxlvm_machine_window(vm->machine, i)); i++) {
		size_t before = list->n;

		if (!window->has_base)
			continue;
		add(list, "cxl-window", window->base, window->size, window->owner, -1);
		if (list->ranges && list->n > before)
			list->ranges[before].name = plan_window_name(vm, window);
	}
}

static int fill(struct list *list, struct vm *vm, struct cxlvm_error *err)
{
	add_platform(list, vm);
	add_bridges(list, vm);
	add_windows(list, vm);
	return add_devices(list, vm, err);
}

static int compare(const void *one, const void *other)
{
	const struct plan_range *a = one;
	const struct plan_range *b = other;

	if (a->base.value != b->base.value)
		return a->base.value < b->base.value ? -1 : 1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return 0;
}

int plan_ranges(struct vm *vm, struct plan_range **ranges, size_t *n, struct cxlvm_error *err)
{
	struct list list = { 0 };
	int code = fill(&list, vm, err);

	if (code)
		return code;
	list.ranges = calloc(list.n, sizeof(*list.ranges));
	if (!list.ranges)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the plan");
	list.room = list.n;
	list.n = 0;
	code = fill(&list, vm, err);
	if (code) {
		free(list.ranges);
		return code;
	}
	qsort(list.ranges, list.n, sizeof(*list.ranges), compare);
	*ranges = list.ranges;
	*n = list.n;
	return 0;
}

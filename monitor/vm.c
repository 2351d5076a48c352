/* SPDX-License-Identifier: BSD-3-Clause */
/* vm.c - the virtual machine, up to the first guest instruction */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "host.h"
#include "layout.h"
#include "memory_error.h"
#include "overhead.h"
#include "pci/ecam.h"
#include "vm.h"

#define PHYS_BITS_MIN 32
#define PHYS_BITS_MAX 52

static int find_phys_bits(struct vm *vm, struct cxlvm_error *err)
{
	struct cxlvm_error ignored = CXLVM_ERROR_INIT;
	unsigned int wanted = vm->config->phys_bits;
	unsigned int bits;
	int code;

	/* A plan needs no KVM, but where there is one it plans for it. */
	code = kvm_open(&vm->kvm, vm->config->plan ? &ignored : err);
	if (code && !vm->config->plan)
		return code;
	if (vm->config->plan && wanted) {
		vm->phys_bits = wanted;
		return 0;
	}
	code = arch_cpu_open(code ? NULL : &vm->kvm, &vm->cpu, err);
	if (code)
		return code;
	bits = arch_cpu_phys_bits(vm->cpu);
	if (wanted > bits) {
		cxlvm_error_set(err, -ERANGE,
				"--phys-bits %u is more than the %u bits that KVM offers here",
				wanted, bits);
		cxlvm_error_hint(err, "leave out --phys-bits, or use at most %u", bits);
		return -ERANGE;
	}
	vm->phys_bits = wanted ? wanted : bits;
	return 0;
}

static int lay_out_ram(struct vm *vm, struct cxlvm_error *err)
{
	uint64_t size = vm->config->memory;
	const struct ram_block *last;
	uint64_t end;

	if (size < LAYOUT_RAM_MIN) {
		cxlvm_error_set(err, -EINVAL,
				"--memory of %llu bytes is below the minimum of %llu (%lluM)",
				(unsigned long long)size, (unsigned long long)LAYOUT_RAM_MIN,
				(unsigned long long)(LAYOUT_RAM_MIN >> 20));
		cxlvm_error_hint(err,
				 "sizes are bytes without K, M, G or T behind them; a Linux guest "
				 "is comfortable with --memory 512M");
		return -EINVAL;
	}
	if (!is_aligned(size, MIB(2))) {
		cxlvm_error_set(err, -EINVAL, "--memory of %llu bytes is not a multiple of 2 MiB",
				(unsigned long long)size);
		cxlvm_error_hint(err, "use %lluM",
				 (unsigned long long)(align_down(size, MIB(2)) >> 20));
		return -EINVAL;
	}
	/* Both sums are safe: no size comes near 64 bits. */
	if (size < (uint64_t)1 << PHYS_BITS_MAX) {
		ram_layout(&vm->ram, size);
		last = &vm->ram.blocks[vm->ram.n_blocks - 1];
		end = last->base.value + last->size;
		if (end <= (uint64_t)1 << vm->phys_bits)
			return 0;
	}
	cxlvm_error_set(
		err, -ERANGE,
		"--memory of %llu MiB does not fit below 0x%llx, the end of %u address bits",
		(unsigned long long)(size >> 20),
		(unsigned long long)((uint64_t)1 << vm->phys_bits), vm->phys_bits);
	cxlvm_error_hint(err, "choose a smaller --memory");
	return -ERANGE;
}

/* RAM slots come first, see arch_create. */
static int create_ram(struct vm *vm, struct cxlvm_error *err)
{
	bool shared = false;
	int code;

	for (unsigned int i = 0; i < vm->config->n_devices; i++)
		shared = shared || vm->config->devices[i].socket;
	code = ram_map(&vm->ram, shared, err);
	if (code)
		return code;
	for (unsigned int i = 0; i < vm->ram.n_blocks; i++) {
		const struct ram_block *block = &vm->ram.blocks[i];
		int slot = kvm_slot_alloc(&vm->kvm, err);

		if (slot < 0)
			return slot;
		code = kvm_slot_set(&vm->kvm, (unsigned int)slot, block->base, block->size,
				    block->address);
		if (code)
			return cxlvm_error_set(err, code,
					       "KVM does not take RAM at 0x%llx, size 0x%llx: %s",
					       (unsigned long long)block->base.value,
					       (unsigned long long)block->size, strerror(-code));
	}
	return 0;
}

static int create_machine(struct vm *vm, struct cxlvm_error *err)
{
	static const char *const ram_names[RAM_BLOCKS_MAX] = { "RAM below 4 GiB",
							       "RAM above 4 GiB" };
	const struct ram_block *last = &vm->ram.blocks[vm->ram.n_blocks - 1];
	uint64_t end = last->base.value + last->size;
	struct cxlvm_machine_config config = {
		.size = sizeof(config),
		.phys_bits = vm->phys_bits,
		.place_from.value = end > GIB(4) ? end : GIB(4),
	};
	int code = cxlvm_machine_create(&config, &vm->machine, err);

	for (unsigned int i = 0; !code && i < vm->ram.n_blocks; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): at most RAM_BLOCKS_MAX */
		code = cxlvm_machine_add_range(vm->machine, ram_names[i], vm->ram.blocks[i].base,
					       vm->ram.blocks[i].size, err);
	if (!code)
		code = cxlvm_machine_add_range(vm->machine, "PCI memory below 4 GiB",
					       (struct cxlvm_gpa){ LAYOUT_HOLE_BASE },
					       LAYOUT_HOLE_SIZE, err);
	if (!code && vm->config->trace &&
	    cxlvm_machine_trace(vm->machine, vm->config->trace, true) == 0)
		code = cxlvm_error_set(err, -EINVAL, "no trace point matches '%s'",
				       vm->config->trace);
	return code;
}

/* Ranges besides those of devices: ECAM; host-bridge block, root port and window of each. */
#define MAP_RANGES_COMMON     1
#define MAP_RANGES_PER_BRIDGE 3
/* BARs and spans. What realize finds is checked against it. */
#define MAP_RANGES_PER_DEVICE (PCI_BARS + 18)

static int create_vcpus(struct vm *vm, struct cxlvm_error *err)
{
	unsigned int n = vm->config->cpus ? vm->config->cpus : 1;
	int most = vm->config->plan ? 0 : kvm_check(&vm->kvm, KVM_CAP_MAX_VCPUS);

	if (most > 0 && n > (unsigned int)most) {
		cxlvm_error_set(err, -ERANGE, "--cpus %u is more than the %d that KVM offers", n,
				most);
		cxlvm_error_hint(err, "use at most %d", most);
		return -ERANGE;
	}
	vm->vcpus = calloc(n, sizeof(*vm->vcpus));
	if (!vm->vcpus)
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u virtual CPUs", n);
	vm->n_vcpus = n;
	for (unsigned int i = 0; i < n; i++) {
		vm->vcpus[i].vm = vm;
		vm->vcpus[i].id = i;
		vm->vcpus[i].fd = -1;
	}
	return 0;
}

static int create_bridges(struct vm *vm, struct cxlvm_error *err)
{
	unsigned int n = vm->config->n_devices;
	unsigned int per_bridge = MAP_RANGES_PER_BRIDGE + MAP_RANGES_PER_DEVICE;
	int code;

	code = map_init(&vm->map, MAP_RANGES_COMMON + n * per_bridge, vm->n_vcpus, err);
	if (code)
		return code;
	vm->n_bridges = n ? n : 1;
	vm->bridges = calloc(vm->n_bridges, sizeof(*vm->bridges));
	vm->devices = calloc(vm->n_bridges, sizeof(*vm->devices));
	if (!vm->bridges || !vm->devices)
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u host bridges", n);
	for (unsigned int i = 0; i < vm->n_bridges; i++) {
		struct pci_host_bridge *bridge = &vm->bridges[i];
		char name[32];

		code = host_bridge_init(bridge, i, err);
		if (code)
			return code;
		if (!n)
			break;
		snprintf(name, sizeof(name), "host bridge %u", bridge->uid);
		code = host_bridge_make_cxl(bridge, vm->config->devices[i].decoder, &vm->map, err);
		if (!code)
			code = cxlvm_machine_add_bridge(vm->machine, name, bridge->uid, NULL, err);
		if (code)
			return code;
	}
	return 0;
}

static int realize_devices(struct vm *vm, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < vm->config->n_devices; i++) {
		const struct device_config *config = &vm->config->devices[i];
		struct device *device = &vm->devices[i];
		int code;

		device->vm = vm;
		snprintf(device->name, sizeof(device->name), "%s%u",
			 config->vfio     ? "vfio"
			 : config->socket ? "user"
					  : "sim",
			 i);
		vm->n_devices = i + 1;
		code = device_realize(device, config, &vm->bridges[i], err);
		if (code && config->vfio)
			cxlvm_error_hint(err,
					 "cxlvm check %s looks at all that the device needs; dmesg "
					 "of the host says what its kernel found",
					 config->has_vfio_fd ? "" : config->vfio);
		if (code)
			return code;
		if (endpoint_map_ranges(device) > MAP_RANGES_PER_DEVICE)
			return cxlvm_error_set(err, -ENOSPC,
					       "%s: %u ranges to trap, at most %u are possible",
					       device->name, endpoint_map_ranges(device),
					       (unsigned int)MAP_RANGES_PER_DEVICE);
	}
	return 0;
}

/* What a slot costs is not given back by whoever is killed for it: asked before the first is made. */
static int check_overhead(const struct vm *vm, struct cxlvm_error *err)
{
	uint64_t size = vm->ram.size;

	for (unsigned int i = 0; i < vm->n_devices; i++)
		size += cxlvm_endpoint_memory_size(vm->devices[i].endpoint);
	return vm->config->plan ? 0 : overhead_check(size, err);
}

/* The whole window is dark where no memory slot is (MAP-3). */
static int attach_windows(struct vm *vm, struct cxlvm_error *err)
{
	const struct cxlvm_window *window;

	for (unsigned int i = 0; (window = cxlvm_machine_window(vm->machine, i)); i++) {
		struct map_range range = {
			.base = window->base,
			.size = window->size,
			.priority = MAP_PRIORITY_WINDOW,
			.enabled = window->has_base,
			.ops = &memory_error_window_ops,
		};

		for (unsigned int d = 0; d < vm->n_devices; d++) {
			if (vm->bridges[d].uid != window->targets[0])
				continue;
			vm->devices[d].window = window;
			range.opaque = &vm->devices[d];
		}
		if (!map_add(&vm->map, &range))
			return cxlvm_error_set(err, -ENOSPC, "too many trapped ranges");
	}
	return 0;
}

static int place(struct vm *vm, struct cxlvm_error *err)
{
	int code = cxlvm_machine_freeze(vm->machine, err);

	for (unsigned int i = 0; !code && i < vm->n_devices; i++)
		code = cxlvm_endpoint_machine_done(vm->devices[i].endpoint, err);
	for (unsigned int i = 0; !code && i < vm->n_devices; i++)
		code = firmware_assign(&vm->bridges[i], vm->machine, err);
	if (!code)
		code = ecam_attach(vm, err);
	for (unsigned int i = 0; !code && i < vm->n_devices; i++) {
		code = host_bridge_attach(&vm->bridges[i], vm->machine, &vm->map, err);
		if (!code)
			code = endpoint_attach(&vm->devices[i], &vm->map, err);
	}
	if (!code)
		code = attach_windows(vm, err);
	return code;
}

/*
 * A signal while the machine is made ends it when that is done, so that no socket and no file is left.
 * Pinning guest memory for a device of the host may take minutes: until then a signal ends the process
 * as it does everywhere.
 */
static bool may_defer_signals(const struct vm_config *config)
{
	for (unsigned int i = 0; i < config->n_devices; i++)
		if (config->devices[i].vfio || config->devices[i].has_vfio_fd)
			return false;
	return !config->plan;
}

static int build(struct vm *vm, struct cxlvm_error *err)
{
	bool run = !vm->config->plan;
	struct cpu_request request;
	int code = cpus_init(&vm->cpus, err);

	if (!code && may_defer_signals(vm->config))
		code = stop_init(&vm->stop, err);
	if (!code)
		code = events_init(&vm->events, run ? vm->config->events : NULL, err);
	if (!code)
		code = find_phys_bits(vm, err);
	if (!code)
		code = lay_out_ram(vm, err);
	if (!code && vm->config->kernel)
		code = boot_open(vm->config, &vm->ram, &vm->boot, err);
	if (!code && run && vm->config->control)
		code = control_open(&vm->control, vm, vm->config->control, err);
	if (!code && run)
		code = kvm_create_vm(&vm->kvm, err);
	if (!code && run)
		code = create_ram(vm, err);
	if (!code)
		code = create_vcpus(vm, err);
	if (!code)
		code = create_machine(vm, err);
	if (!code)
		code = create_bridges(vm, err);
	if (!code)
		code = realize_devices(vm, err);
	if (!code)
		code = check_overhead(vm, err);
	if (!code)
		code = place(vm, err);
	if (!code)
		code = acpi_tables_build(vm, &vm->tables, err);
	if (!code)
		code = vm_system_reset(vm, err);
	if (!code && cpus_take_request(vm, &request)) {
		cxlvm_error_set(err, request.err.code, "%s", request.err.message);
		code = request.err.code;
	}
	if (!code && run)
		code = watch_start(vm, err);
	return code;
}

int vm_create(const struct vm_config *config, struct vm **out, struct cxlvm_error *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int code;

	if (!vm)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the machine");
	vm->config = config;
	vm->kvm = (struct kvm)KVM_INIT;
	vm->ram.fd = -1;
	vm->vfio = (struct vfio)VFIO_INIT;
	msi_init(&vm->msi, &vm->kvm);
	code = build(vm, err);
	if (code) {
		vm_destroy(vm);
		return code;
	}
	*out = vm;
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	cpus_stop(vm);
	if (vm->has_console)
		console_finish(&vm->console);
	watch_stop(vm);
	arch_destroy(vm->arch);
	memory_error_unwatch();
	for (unsigned int i = 0; i < vm->n_vcpus; i++)
		vcpu_close(&vm->vcpus[i]);
	free(vm->vcpus);
	for (unsigned int i = vm->n_devices; i-- > 0;)
		device_finish(&vm->devices[i]);
	vfio_finish(vm);
	for (unsigned int i = vm->bridges ? vm->n_bridges : 0; i-- > 0;)
		host_bridge_finish(&vm->bridges[i]);
	cxlvm_machine_destroy(vm->machine);
	acpi_tables_finish(&vm->tables);
	map_finish(&vm->map);
	msi_finish(&vm->msi);
	free(vm->devices);
	free(vm->bridges);
	boot_close(vm->boot);
	kvm_finish(&vm->kvm);
	arch_cpu_close(vm->cpu);
	ram_unmap(&vm->ram);
	control_close(&vm->control);
	events_finish(&vm->events);
	cpus_finish(&vm->cpus);
	stop_finish(&vm->stop);
	free(vm);
}

static int program_devices(struct vm *vm, const int *results, struct cxlvm_error *err)
{
	int first = 0;

#ifdef CXLVM_TEST_SWITCHES
	if (vm->config->break_no_program)
		return 0;
#endif
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];
		int code;

		pthread_mutex_lock(&device->lock);
		code = cxlvm_endpoint_reset_done(device->endpoint, CXLVM_RESET_SYSTEM, results[i],
						 err);
		pthread_mutex_unlock(&device->lock);
		if (code && !first)
			first = code;
	}
	return first;
}

int vm_system_reset(struct vm *vm, struct cxlvm_error *err)
{
	int results[CXLVM_WINDOWS_MAX] = { 0 };

	/* A device that fails is dark; the machine is reset all the same. */
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];

		pthread_mutex_lock(&device->lock);
		results[i] =
			cxlvm_endpoint_reset_prepare(device->endpoint, CXLVM_RESET_SYSTEM, err);
		pthread_mutex_unlock(&device->lock);
	}
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];

		endpoint_quiesce(device);
		if (!results[i])
			results[i] = device_reset_real(device);
		/* The library makes an error of it where it matters. */
		if (results[i] && cxlvm_endpoint_is_plain(device->endpoint))
			device_warn(device, results[i],
				    "the device was not reset, and may hold what it held before");
	}
	for (unsigned int i = 0; i < vm->n_bridges; i++)
		host_bridge_reset(&vm->bridges[i]);
	return program_devices(vm, results, err);
}

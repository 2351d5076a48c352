/* SPDX-License-Identifier: BSD-3-Clause */
/* memory_error.c - memory of the host that broke under the guest */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "console.h"
#include "memory_error.h"
#include "vm.h"

/* A signal handler has no argument. */
static struct vm *_Atomic watched;
static _Atomic uintptr_t broken; /* address in this process; 0: none */

static bool is_ours(const struct vm *vm, const void *address)
{
	const uint8_t *ram = vm->ram.mapping;

	if (ram && (const uint8_t *)address >= ram && (const uint8_t *)address < ram + vm->ram.size)
		return true;
	for (unsigned int i = 0; i < vm->n_devices; i++)
		if (vm->devices[i].endpoint &&
		    cxlvm_endpoint_host_owns_address(vm->devices[i].endpoint, address))
			return true;
	return false;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	const struct vm *vm = atomic_load(&watched);

	(void)context;
	/* Action required or optional: a memory error. All else is a mistake of our own. */
	if (vm && (info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO) &&
	    is_ours(vm, info->si_addr)) {
		/* Optional: nobody has touched it yet, and whoever does gets the other one. */
		if (info->si_code == BUS_MCEERR_AR)
			atomic_store(&broken, (uintptr_t)info->si_addr);
		return;
	}
	console_restore_terminal();
	signal(number, SIG_DFL);
	raise(number);
}

int memory_error_watch(struct vm *vm, struct cxlvm_error *err)
{
	struct sigaction action = { .sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO };

	atomic_store(&broken, 0);
	atomic_store(&watched, vm);
	if (sigaction(SIGBUS, &action, NULL))
		return cxlvm_error_set(err, -errno, "cannot handle SIGBUS: %s", strerror(errno));
	return 0;
}

void memory_error_unwatch(void)
{
	signal(SIGBUS, SIG_DFL);
	atomic_store(&watched, NULL);
}

/* Where the guest sees it, if it is device memory. */
static bool find_in_device(struct device *device, uintptr_t address, struct cxlvm_gpa *guest)
{
	size_t n = cxlvm_endpoint_memory_areas(device->endpoint, NULL, 0);
	struct cxlvm_memory_area *areas = calloc(n ? n : 1, sizeof(*areas));
	bool found = false;

	if (!areas)
		return false;
	cxlvm_endpoint_memory_areas(device->endpoint, areas, n);
	for (size_t i = 0; i < n; i++) {
		uintptr_t first = (uintptr_t)areas[i].address;

		if (address < first || address - first >= areas[i].size)
			continue;
		guest->value = areas[i].guest.value + (address - first);
		found = true;
	}
	free(areas);
	return found;
}

bool memory_error_pending(struct vm *vm, struct cxlvm_error *err)
{
	uintptr_t address = atomic_exchange(&broken, 0);
	struct cxlvm_gpa guest;

	if (!address)
		return false;
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];
		bool found;

		pthread_mutex_lock(&device->lock);
		found = find_in_device(device, address, &guest);
		pthread_mutex_unlock(&device->lock);
		if (!found)
			continue;
		cxlvm_error_set(err, -EHWPOISON,
				"memory error in the memory of %s, at guest address 0x%llx",
				device->name, (unsigned long long)guest.value);
		return true;
	}
	for (unsigned int i = 0; i < vm->ram.n_blocks; i++) {
		const struct ram_block *block = &vm->ram.blocks[i];
		uintptr_t first = (uintptr_t)block->address;

		if (address < first || address - first >= block->size)
			continue;
		guest.value = block->base.value + (address - first);
		cxlvm_error_set(err, -EHWPOISON,
				"memory error in guest RAM, at guest address 0x%llx",
				(unsigned long long)guest.value);
		return true;
	}
	/* The device has unmapped it meanwhile. */
	return false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* memory_error.c - memory of the host that broke under the guest */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "console.h"
#include "memory_error.h"
#include "vm.h"

/* A signal handler has no argument. */
static struct vm *_Atomic watched;
static _Atomic uintptr_t broken; /* address in this process; 0: none */
_Thread_local volatile sig_atomic_t memory_error_in_guest;

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
	/* Optional: nobody has touched it yet, and whoever does gets the other one. */
	if (vm && info->si_code == BUS_MCEERR_AO && is_ours(vm, info->si_addr))
		return;
	/* Required: KVM is about to leave the guest. An access of our own would only be repeated. */
	if (vm && info->si_code == BUS_MCEERR_AR && memory_error_in_guest &&
	    is_ours(vm, info->si_addr)) {
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

bool memory_error_pending(struct vm *vm, struct cxlvm_error *err)
{
	uintptr_t address = atomic_exchange(&broken, 0);
	struct cxlvm_gpa guest;

	if (!address)
		return false;
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];
		int found;

		pthread_mutex_lock(&device->lock);
		found = cxlvm_endpoint_memory_error(device->endpoint, (const void *)address,
						    &guest);
		pthread_mutex_unlock(&device->lock);
		if (found)
			return false;
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
		cxlvm_error_hint(err, "look at the host's kernel log for the memory that broke, "
				      "then start the machine again");
		return true;
	}
	/* The device has unmapped it meanwhile. */
	return false;
}

static void look_at_memory(struct device *device, uint64_t offset)
{
	uint64_t address;

	if (!device || !device->mapped)
		return;
	address = device->window->base.value + offset;
	if (address < device->mapped_first || address > device->mapped_last)
		return;
	pthread_mutex_lock(&device->lock);
	(void)cxlvm_endpoint_recheck(device->endpoint);
	pthread_mutex_unlock(&device->lock);
}

static uint64_t window_read(void *opaque, uint64_t offset, unsigned int length)
{
	look_at_memory(opaque, offset);
	return all_ones(length);
}

static void window_write(void *opaque, uint64_t offset, unsigned int length, uint64_t value)
{
	(void)length;
	(void)value;
	look_at_memory(opaque, offset);
}

const struct map_ops memory_error_window_ops = {
	.read = window_read,
	.write = window_write,
};

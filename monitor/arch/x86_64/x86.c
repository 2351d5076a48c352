/* SPDX-License-Identifier: BSD-3-Clause */
/* x86.c - the x86-64 machine under KVM: interrupt controllers, vCPUs, their exits */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "kvm.h"
#include "layout.h"
#include "vm.h"
#include "x86.h"

#define LEAF_EXTENDED_FEATURES 0x80000001u
#define EXTENDED_EDX_1G_PAGES  (1u << 26)

/* May be called by the console's thread: KVM serializes. */
static void uart_irq(void *opaque, bool level)
{
	const struct arch *arch = opaque;
	struct kvm_irq_level line = { .irq = LAYOUT_UART_IRQ, .level = level };

	(void)kvm_ioctl(arch->vm->kvm.vm_fd, KVM_IRQ_LINE, (unsigned long)&line);
}

#define PIC_PINS    8u
#define IOAPIC_PINS 24u

/* As KVM has them before anybody says otherwise: GSI n is IOAPIC pin n, and below 16 a PIC's. */
unsigned int arch_fixed_routes(struct kvm_irq_routing_entry *entries, unsigned int *free_gsi)
{
	unsigned int n = 0;

	for (unsigned int gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		entries[n++] = (struct kvm_irq_routing_entry){
			.gsi = gsi,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = KVM_IRQCHIP_IOAPIC, .pin = gsi },
		};
		if (gsi < 2 * PIC_PINS)
			entries[n++] = (struct kvm_irq_routing_entry){
				.gsi = gsi,
				.type = KVM_IRQ_ROUTING_IRQCHIP,
				.u.irqchip = { .irqchip = gsi < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER
									 : KVM_IRQCHIP_PIC_SLAVE,
					       .pin = gsi % PIC_PINS },
			};
	}
	*free_gsi = IOAPIC_PINS;
	return n;
}

static int create_chips(const struct kvm *kvm, struct cxlvm_error *err)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int code = kvm_ioctl(kvm->vm_fd, KVM_SET_TSS_ADDR, LAYOUT_TSS);

	if (code >= 0)
		code = kvm_ioctl(kvm->vm_fd, KVM_CREATE_IRQCHIP, 0);
	if (code >= 0)
		code = kvm_ioctl(kvm->vm_fd, KVM_CREATE_PIT2, (unsigned long)&pit);
	if (code < 0)
		return cxlvm_error_set(err, code,
				       "KVM: cannot create the interrupt controllers: %s",
				       strerror(-code));
	return 0;
}

static int create_vcpu(struct arch *arch, struct vcpu *vcpu, struct cxlvm_error *err)
{
	const struct kvm_cpuid_entry2 *leaf;
	struct vm *vm = arch->vm;
	union cpuid cpuid = vm->cpu->cpuid;
	int code;

	code = vcpu_open(vcpu, &vm->kvm, err);
	if (code)
		return code;
	vcpu->reader = &vm->map.readers[vcpu->id];
	cpuid_fix(&cpuid, &vm->kvm, vcpu->id, vm->n_vcpus, vm->phys_bits);
	leaf = cpuid_find(&cpuid, LEAF_EXTENDED_FEATURES);
	arch->huge_pages_1g = leaf && leaf->edx & EXTENDED_EDX_1G_PAGES;
	code = kvm_ioctl(vcpu->fd, KVM_SET_CPUID2, (unsigned long)&cpuid);
	if (code < 0)
		return cxlvm_error_set(err, code,
				       "KVM does not take the CPUID of virtual CPU %u: %s",
				       vcpu->id, strerror(-code));
	return 0;
}

/* vCPUs exist. */
static void create_serial(struct arch *arch)
{
	struct vm *vm = arch->vm;
	struct port_queue queue;

	port_queue_init(&queue, &vm->kvm, &vm->vcpus[0], LAYOUT_PORT_UART);
	serial_init(&arch->serial, &vm->console, &queue, uart_irq, arch);
	arch->has_serial = true;
}

int arch_create(struct vm *vm, struct arch **out, struct cxlvm_error *err)
{
	struct arch *arch = calloc(1, sizeof(*arch));
	struct console_device device = { .input = serial_receive, .look = serial_look };
	int code;

	if (!arch)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the machine");
	arch->vm = vm;
	pthread_mutex_init(&arch->lock, NULL);
	code = create_chips(&vm->kvm, err);
	if (!code)
		code = msi_start(&vm->msi, err);
	for (unsigned int i = 0; !code && i < vm->n_vcpus; i++)
		code = create_vcpu(arch, &vm->vcpus[i], err);
	if (!code) {
		create_serial(arch);
		code = snapshot_save(vm, &arch->snapshot, err);
	}
	device.opaque = &arch->serial;
	if (!code)
		code = console_start(&vm->console, &device, err);
	if (code) {
		arch_destroy(arch);
		return code;
	}
	*out = arch;
	return 0;
}

void arch_destroy(struct arch *arch)
{
	if (!arch)
		return;
	if (arch->has_serial)
		serial_finish(&arch->serial);
	snapshot_free(arch->snapshot);
	pthread_mutex_destroy(&arch->lock);
	free(arch);
}

int arch_reset(struct arch *arch, struct cxlvm_error *err)
{
	struct vm *vm = arch->vm;
	struct entry entry;
	int code = 0;

	/* The serial port starts in its reset state: what was typed by now is for the guest. */
	if (arch->started) {
		code = snapshot_restore(vm, arch->snapshot, err);
		serial_reset(&arch->serial);
	}
	arch->started = true;
	ports_reset(arch);
	if (!code)
		code = boot_load(vm, vm->boot, arch->huge_pages_1g, &entry, err);
	if (!code)
		code = state_set_entry(vm, &entry, err);
	return code;
}

void arch_settle(struct arch *arch)
{
	serial_flush(&arch->serial);
}

static enum vcpu_exit port_access(struct arch *arch, struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	enum vcpu_exit exit = VCPU_CONTINUE;

	/* A string instruction brings several accesses to the same port. */
	for (uint32_t i = 0; i < run->io.count && exit == VCPU_CONTINUE; i++)
		exit = ports_access(arch, run->io.port, data + (size_t)i * run->io.size,
				    run->io.size, run->io.direction == KVM_EXIT_IO_OUT);
	return exit;
}

enum vcpu_exit arch_exit(struct vcpu *vcpu, struct cxlvm_error *err)
{
	struct arch *arch = vcpu->vm->arch;
	struct kvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return port_access(arch, run);
	case KVM_EXIT_SHUTDOWN:
		return VCPU_CRASH;
	case KVM_EXIT_FAIL_ENTRY:
		cxlvm_error_set(err, -EIO, "the CPU refuses to enter the guest (reason 0x%llx)",
				run->fail_entry.hardware_entry_failure_reason);
		return VCPU_ERROR;
	case KVM_EXIT_INTERNAL_ERROR:
		cxlvm_error_set(err, -EIO, "KVM cannot go on with the guest (internal error %u)",
				run->internal.suberror);
		return VCPU_ERROR;
	default:
		cxlvm_error_set(err, -EIO, "KVM leaves the guest for an unknown reason (%u)",
				run->exit_reason);
		return VCPU_ERROR;
	}
}

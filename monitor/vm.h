/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vm.h - the virtual machine: everything that run and plan build alike
 *
 * vm_create takes the machine from its options to the moment before the first guest instruction:
 * devices opened and realized, addresses placed, tables built, first system reset done. With
 * config->plan it does all of that on a host that maps nothing, so that a plan cannot differ from
 * a run.
 */
#ifndef MONITOR_VM_H
#define MONITOR_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cxlvm/cxlvm.h>

#include "acpi/tables.h"
#include "console.h"
#include "control.h"
#include "cpus.h"
#include "device.h"
#include "events.h"
#include "kvm.h"
#include "map.h"
#include "msi.h"
#include "pci/host_bridge.h"
#include "ram.h"
#include "stop.h"
#include "util.h"
#include "vcpu.h"
#include "vfio.h"
#include "watch.h"

struct arch;
struct arch_cpu;
struct boot;

struct vm_config {
	const char *kernel; /* NULL only for a plan */
	const char *initrd; /* NULL: none */
	const char *append; /* NULL: VM_DEFAULT_APPEND */
	uint64_t memory;
	struct device_config devices[CXLVM_WINDOWS_MAX];
	unsigned int n_devices;
	unsigned int cpus;       /* 1 to VM_CPUS_MAX; 0: one */
	unsigned int phys_bits;  /* 0: that of KVM, else of the CPU */
	const char *trace;       /* pattern, NULL: none */
	unsigned int time_limit; /* seconds, 0: none */
	const char *control;     /* path of the control socket, NULL: none */
	const char *events;      /* file for events, NULL: none */
	bool numa;               /* each window is a proximity domain of its own */
	bool no_reboot;          /* a reset that the guest asks for ends the run */
	bool plan;
#ifdef CXLVM_TEST_SWITCHES
	bool break_hb_decoder; /* the host bridge's decoder stays as reset leaves it */
	bool break_no_program; /* a system reset does not end in reset_done */
#endif
};

#define VM_DEFAULT_APPEND "console=ttyS0"
#define VM_DEFAULT_MEMORY MIB(512)
/* Identifiers of local APICs have 8 bits, and the last one means all of them. */
#define VM_CPUS_MAX       255

struct vm {
	const struct vm_config *config;
	struct arch_cpu *cpu;
	unsigned int phys_bits;
	struct kvm kvm;
	struct ram ram;
	struct map map;
	struct msi msi;
	struct vfio vfio;
	struct cxlvm_machine *machine;
	struct pci_host_bridge *bridges;
	unsigned int n_bridges;
	struct device *devices;
	unsigned int n_devices; /* n_bridges too, unless there are none */
	struct acpi_tables tables;
	struct boot *boot;

	struct vcpu *vcpus;
	unsigned int n_vcpus;

	/* Of a run alone. */
	struct stop stop;
	struct events events;
	struct control control;
	uint64_t n_resets; /* of the machine, the first one not included */
	struct cpus cpus;
	struct console console;
	bool has_console;
	struct arch *arch;
	struct watch watch;
};

/* How a run ended. */
enum vm_end_kind {
	VM_END_NOT_STARTED, /* the error says why */
	VM_END_POWER_OFF,   /* by the guest */
	VM_END_REBOOT,      /* by the guest, and it is not to */
	VM_END_CONTROL,     /* by the control socket */
	VM_END_SIGNAL,      /* from outside */
	VM_END_USER,        /* Ctrl-A x */
	VM_END_FAILED,      /* crash, error of KVM, time limit: the error says it */
};

struct vm_end {
	enum vm_end_kind kind;
	int signal;        /* of VM_END_SIGNAL */
	unsigned int vcpu; /* of VM_END_FAILED: where it happened */
};

/* config must outlive the machine. On failure nothing is left behind. */
int vm_create(const struct vm_config *config, struct vm **vm, struct cxlvm_error *err);
/* NULL is allowed. */
void vm_destroy(struct vm *vm);

/*
 * System reset of devices and bridges, the first one included: reset everything, then program
 * everything (PRG-1), because the reset of a bridge would wipe what was mirrored into it. The
 * error is that of the first device that failed; the others are programmed all the same.
 */
int vm_system_reset(struct vm *vm, struct cxlvm_error *err);

/*
 * Start the guest and stay until the run ends. Negative errno when it could not be started or did
 * not end well, with err set, which must not be NULL.
 */
int vm_run(struct vm *vm, struct vm_end *end, struct cxlvm_error *err);

/* After VM_END_FAILED: registers, code and stack of the vCPUs, and the console's last lines. */
void vm_report(struct vm *vm, const struct vm_end *end, FILE *to);

#endif

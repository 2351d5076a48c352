/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshot.c - reset of vCPUs and interrupt controllers: KVM has no call for it, so their state is
 * read before the first guest instruction and written back at each reset
 *
 * The kvm-clock registers are part of it: left alone, the host goes on writing the time into a
 * page of the guest's former life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kvm.h"
#include "util.h"
#include "vm.h"
#include "x86.h"

#define MSRS_MAX 1024
#define CHIPS    3 /* two PICs, one IOAPIC */

union msrs {
	struct kvm_msrs list;
	uint8_t room[sizeof(struct kvm_msrs) + MSRS_MAX * sizeof(struct kvm_msr_entry)];
};

union msr_indices {
	struct kvm_msr_list list;
	uint8_t room[sizeof(struct kvm_msr_list) + MSRS_MAX * sizeof(uint32_t)];
};

struct cpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_lapic_state lapic;
	uint8_t xsave[sizeof(struct kvm_xsave)]; /* its end is a flexible array */
	struct kvm_xcrs xcrs;
	struct kvm_vcpu_events events;
	struct kvm_debugregs debugregs;
	struct kvm_mp_state mp_state;
	uint32_t n_msrs;
	struct kvm_msr_entry *msrs;
};

struct snapshot {
	struct kvm_irqchip chips[CHIPS];
	struct kvm_pit_state2 pit;
	unsigned int n_cpus;
	struct cpu_state cpus[];
};

/* Order matters on the way back: MSRs (APIC base) before LAPIC, XCRs before XSAVE. */
#define STATE(name, GET, SET, member)                              \
	{                                                          \
		name, GET, SET, offsetof(struct cpu_state, member) \
	}
static const struct {
	const char *name;
	unsigned long get, set;
	size_t offset;
} before_msrs[] = {
	STATE("registers", KVM_GET_REGS, KVM_SET_REGS, regs),
	STATE("system registers", KVM_GET_SREGS, KVM_SET_SREGS, sregs),
}, after_msrs[] = {
	STATE("local APIC", KVM_GET_LAPIC, KVM_SET_LAPIC, lapic),
	STATE("XCRs", KVM_GET_XCRS, KVM_SET_XCRS, xcrs),
	STATE("XSAVE area", KVM_GET_XSAVE, KVM_SET_XSAVE, xsave),
	STATE("events", KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, events),
	STATE("debug registers", KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, debugregs),
	STATE("run state", KVM_GET_MP_STATE, KVM_SET_MP_STATE, mp_state),
};
#undef STATE

static int move(int fd, unsigned long request, const void *data, const char *name, bool save,
		struct cxlvm_error *err)
{
	int code = kvm_ioctl(fd, request, (unsigned long)data);

	if (code < 0)
		return cxlvm_error_set(err, code, "KVM does not %s the %s: %s",
				       save ? "give" : "take", name, strerror(-code));
	return 0;
}

/* KVM takes fewer than 256 at a time. */
#define MSRS_AT_ONCE 128u

/*
 * One call stops at the first register that KVM refuses and returns how many it did: leave that
 * one out and go on behind it.
 */
static uint32_t move_msrs(int fd, unsigned long request, struct kvm_msr_entry *entries, uint32_t n,
			  union msrs *buffer)
{
	uint32_t kept = 0;

	for (uint32_t done = 0; done < n;) {
		uint32_t asked = n - done < MSRS_AT_ONCE ? n - done : MSRS_AT_ONCE;
		int moved;

		buffer->list.nmsrs = asked;
		memcpy(buffer->list.entries, entries + done, asked * sizeof(*entries));
		moved = kvm_ioctl(fd, request, (unsigned long)buffer);
		if (moved < 0)
			moved = 0;
		memcpy(entries + kept, buffer->list.entries, (uint32_t)moved * sizeof(*entries));
		kept += (uint32_t)moved;
		done += (uint32_t)moved < asked ? (uint32_t)moved + 1 : asked;
	}
	return kept;
}

/* Variable ranges, and the fixed ones below 1 MiB (Intel SDM volume 4, table 2-2). */
static const struct {
	uint32_t first, last;
} mtrrs[] = { { 0x200, 0x20f }, { 0x250, 0x250 }, { 0x258, 0x259 }, { 0x268, 0x26f } };

static int list_msrs(const struct kvm *kvm, union msrs *buffer, uint32_t *n,
		     struct cxlvm_error *err)
{
	union msr_indices all;
	int code;

	all.list.nmsrs = MSRS_MAX;
	code = kvm_ioctl(kvm->fd, KVM_GET_MSR_INDEX_LIST, (unsigned long)&all);
	if (code < 0)
		return cxlvm_error_set(err, code, "KVM does not list its MSRs: %s",
				       strerror(-code));
	*n = all.list.nmsrs;
	for (uint32_t i = 0; i < *n; i++)
		buffer->list.entries[i] = (struct kvm_msr_entry){ .index = all.list.indices[i] };
	/* KVM does not list MTRRs: what a guest set must not outlive it (MAP-7). */
	for (size_t i = 0; i < ARRAY_SIZE(mtrrs) && *n < MSRS_MAX; i++)
		for (uint32_t msr = mtrrs[i].first; msr <= mtrrs[i].last && *n < MSRS_MAX; msr++)
			buffer->list.entries[(*n)++] = (struct kvm_msr_entry){ .index = msr };
	return 0;
}

static int save_cpu(const struct vcpu *vcpu, struct cpu_state *state, struct cxlvm_error *err)
{
	union msrs *buffer = malloc(sizeof(*buffer));
	uint32_t n = 0;
	int code;

	if (!buffer)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the state of a virtual CPU");
	code = list_msrs(&vcpu->vm->kvm, buffer, &n, err);
	if (code)
		goto out;
	state->msrs = calloc(n ? n : 1, sizeof(*state->msrs));
	if (!state->msrs) {
		code = cxlvm_error_set(err, -ENOMEM, "no memory for the state of a virtual CPU");
		goto out;
	}
	memcpy(state->msrs, buffer->list.entries, n * sizeof(*state->msrs));
	state->n_msrs = move_msrs(vcpu->fd, KVM_GET_MSRS, state->msrs, n, buffer);

	for (size_t i = 0; !code && i < ARRAY_SIZE(before_msrs); i++)
		code = move(vcpu->fd, before_msrs[i].get, (char *)state + before_msrs[i].offset,
			    before_msrs[i].name, true, err);
	for (size_t i = 0; !code && i < ARRAY_SIZE(after_msrs); i++)
		code = move(vcpu->fd, after_msrs[i].get, (char *)state + after_msrs[i].offset,
			    after_msrs[i].name, true, err);
out:
	free(buffer);
	return code;
}

static int restore_cpu(const struct vcpu *vcpu, const struct cpu_state *state,
		       struct cxlvm_error *err)
{
	union msrs *buffer = malloc(sizeof(*buffer));
	struct kvm_msr_entry *entries = calloc(state->n_msrs, sizeof(*entries));
	int code = 0;

	if (!buffer || !entries) {
		code = cxlvm_error_set(err, -ENOMEM, "no memory for the state of a virtual CPU");
		goto out;
	}
	for (size_t i = 0; !code && i < ARRAY_SIZE(before_msrs); i++)
		code = move(vcpu->fd, before_msrs[i].set,
			    (const char *)state + before_msrs[i].offset, before_msrs[i].name, false,
			    err);
	if (code)
		goto out;
	/* A few can be read and not written; they have not changed then. */
	memcpy(entries, state->msrs, state->n_msrs * sizeof(*entries));
	(void)move_msrs(vcpu->fd, KVM_SET_MSRS, entries, state->n_msrs, buffer);
	for (size_t i = 0; !code && i < ARRAY_SIZE(after_msrs); i++)
		code = move(vcpu->fd, after_msrs[i].set, (const char *)state + after_msrs[i].offset,
			    after_msrs[i].name, false, err);
out:
	free(entries);
	free(buffer);
	return code;
}

int snapshot_save(const struct vm *vm, struct snapshot **out, struct cxlvm_error *err)
{
	struct snapshot *snapshot =
		calloc(1, sizeof(*snapshot) + vm->n_vcpus * sizeof(snapshot->cpus[0]));
	int code = 0;

	if (!snapshot)
		return cxlvm_error_set(err, -ENOMEM, "no memory for the state of the machine");
	snapshot->n_cpus = vm->n_vcpus;
	for (unsigned int i = 0; !code && i < vm->n_vcpus; i++)
		code = save_cpu(&vm->vcpus[i], &snapshot->cpus[i], err);
	for (uint32_t i = 0; !code && i < CHIPS; i++) {
		snapshot->chips[i].chip_id = i;
		code = move(vm->kvm.vm_fd, KVM_GET_IRQCHIP, &snapshot->chips[i],
			    "interrupt controllers", true, err);
	}
	if (!code)
		code = move(vm->kvm.vm_fd, KVM_GET_PIT2, &snapshot->pit, "timer", true, err);
	if (code) {
		snapshot_free(snapshot);
		return code;
	}
	*out = snapshot;
	return 0;
}

int snapshot_restore(const struct vm *vm, const struct snapshot *snapshot, struct cxlvm_error *err)
{
	int code = 0;

	for (unsigned int i = 0; !code && i < snapshot->n_cpus; i++)
		code = restore_cpu(&vm->vcpus[i], &snapshot->cpus[i], err);
	for (uint32_t i = 0; !code && i < CHIPS; i++)
		code = move(vm->kvm.vm_fd, KVM_SET_IRQCHIP, &snapshot->chips[i],
			    "interrupt controllers", false, err);
	if (!code)
		code = move(vm->kvm.vm_fd, KVM_SET_PIT2, &snapshot->pit, "timer", false, err);
	return code;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (unsigned int i = 0; i < snapshot->n_cpus; i++)
		free(snapshot->cpus[i].msrs);
	free(snapshot);
}

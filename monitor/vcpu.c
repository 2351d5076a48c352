/* SPDX-License-Identifier: BSD-3-Clause */
/* vcpu.c - one virtual CPU */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch.h"
#include "memory_error.h"
#include "vcpu.h"
#include "vm.h"

int vcpu_open(struct vcpu *vcpu, const struct kvm *kvm, struct cxlvm_error *err)
{
	int size = kvm_ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	vcpu->fd = size < 0 ? size : kvm_ioctl(kvm->vm_fd, KVM_CREATE_VCPU, vcpu->id);
	if (vcpu->fd < 0) {
		int code = vcpu->fd;

		vcpu->fd = -1;
		return cxlvm_error_set(err, code, "KVM: cannot create virtual CPU %u: %s", vcpu->id,
				       strerror(-code));
	}
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED) {
		int code = -errno;

		vcpu_close(vcpu);
		return cxlvm_error_set(err, code, "KVM: cannot map virtual CPU %u: %s", vcpu->id,
				       strerror(-code));
	}
	vcpu->run = run;
	vcpu->run_size = (size_t)size;
	return 0;
}

void vcpu_close(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	vcpu->run = NULL;
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	vcpu->fd = -1;
}

/* Of Linux 6.11, which older headers do not have. */
#define PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, struct pre_fault)

struct pre_fault {
	uint64_t guest, size, flags, padding[5];
};

#ifdef KVM_PRE_FAULT_MEMORY
_Static_assert(PRE_FAULT_MEMORY == KVM_PRE_FAULT_MEMORY, "the system's own number");
#endif

bool vcpu_sees_fault(const struct vcpu *vcpu, struct cxlvm_gpa guest)
{
	struct pre_fault page = {
		.guest = guest.value,
		.size = (uint64_t)sysconf(_SC_PAGESIZE),
	};

	return kvm_ioctl(vcpu->fd, PRE_FAULT_MEMORY, (unsigned long)&page) == -EFAULT;
}

static void memory_access(const struct vcpu *vcpu)
{
	const struct map *map = &vcpu->vm->map;
	struct kvm_run *run = vcpu->run;
	unsigned int length = run->mmio.len;
	uint64_t address = run->mmio.phys_addr;

	if (run->mmio.is_write)
		map_write(map, vcpu->reader, address, length, load_le(run->mmio.data, length));
	else
		store_le(run->mmio.data, length, map_read(map, vcpu->reader, address, length));
}

enum vcpu_exit vcpu_enter(struct vcpu *vcpu, struct cxlvm_error *err)
{
	int result;

	memory_error_in_guest = 1;
	result = ioctl(vcpu->fd, KVM_RUN, 0);
	memory_error_in_guest = 0;
	if (result < 0) {
		int code = -errno;

		/* EAGAIN: a CPU that waited for its start has been started. */
		if (code == -EINTR || code == -EAGAIN)
			return VCPU_INTERRUPTED;
		if (code == -EFAULT)
			return VCPU_FAULT;
		cxlvm_error_set(err, code, "KVM cannot go on with virtual CPU %u: %s", vcpu->id,
				strerror(-code));
		return VCPU_ERROR;
	}
	vcpu->last_exit = vcpu->run->exit_reason;
	switch (vcpu->last_exit) {
	case KVM_EXIT_MMIO:
		memory_access(vcpu);
		return VCPU_CONTINUE;
	case KVM_EXIT_INTR:
		return VCPU_INTERRUPTED;
	default:
		return arch_exit(vcpu, err);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* vcpu.c - one virtual CPU */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arch.h"
#include "vcpu.h"
#include "vm.h"

int vcpu_open(struct vcpu *vcpu, const struct kvm *kvm, unsigned int id, struct cxlvm_error *err)
{
	int size = kvm_ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	vcpu->fd = size < 0 ? size : kvm_ioctl(kvm->vm_fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0) {
		int code = vcpu->fd;

		vcpu->fd = -1;
		return cxlvm_error_set(err, code, "KVM: cannot create a virtual CPU: %s",
				       strerror(-code));
	}
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED) {
		int code = -errno;

		vcpu_close(vcpu);
		return cxlvm_error_set(err, code, "KVM: cannot map the virtual CPU: %s",
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

static void memory_access(struct vm *vm, struct kvm_run *run)
{
	unsigned int length = run->mmio.len;
	uint64_t address = run->mmio.phys_addr;

	if (run->mmio.is_write)
		map_write(&vm->map, address, length, load_le(run->mmio.data, length));
	else
		store_le(run->mmio.data, length, map_read(&vm->map, address, length));
}

enum vcpu_exit vcpu_enter(struct vm *vm, struct cxlvm_error *err)
{
	struct kvm_run *run = vm->vcpu.run;

	if (ioctl(vm->vcpu.fd, KVM_RUN, 0) < 0) {
		int code = -errno;

		if (code == -EINTR || code == -EAGAIN)
			return VCPU_INTERRUPTED;
		if (code == -EFAULT)
			return VCPU_FAULT;
		cxlvm_error_set(err, code, "KVM cannot go on with the guest: %s", strerror(-code));
		return VCPU_ERROR;
	}
	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		memory_access(vm, run);
		return VCPU_CONTINUE;
	case KVM_EXIT_INTR:
		return VCPU_INTERRUPTED;
	default:
		return arch_exit(vm->arch, err);
	}
}

void vcpu_complete(struct vcpu *vcpu)
{
	vcpu->run->immediate_exit = 1;
	/* Returns EINTR before the guest runs. */
	(void)ioctl(vcpu->fd, KVM_RUN, 0);
	vcpu->run->immediate_exit = 0;
}

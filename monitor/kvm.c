/* SPDX-License-Identifier: BSD-3-Clause */
/* kvm.c - the KVM virtual machine and its memory slots */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm.h"
#include "util.h"

#define KVM_PATH "/dev/kvm"

int kvm_ioctl(int fd, unsigned long request, unsigned long argument)
{
	int result;

	do {
		result = ioctl(fd, request, argument);
	} while (result < 0 && errno == EINTR);
	return result < 0 ? -errno : result;
}

int kvm_check(const struct kvm *kvm, unsigned int capability)
{
	int result =
		kvm_ioctl(kvm->vm_fd >= 0 ? kvm->vm_fd : kvm->fd, KVM_CHECK_EXTENSION, capability);

	return result < 0 ? 0 : result;
}

static int check_offers(const struct kvm *kvm, struct cxlvm_error *err)
{
	static const struct {
		unsigned int capability;
		const char *name;
	} needed[] = {
		{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
		{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
		{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	};
	int version = kvm_ioctl(kvm->fd, KVM_GET_API_VERSION, 0);

	if (version < 0) {
		cxlvm_error_set(err, version, KVM_PATH " does not answer as KVM: %s",
				strerror(-version));
		cxlvm_error_hint(err,
				 "load the module kvm_amd or kvm_intel, and look what " KVM_PATH
				 " is: ls -l " KVM_PATH);
		return version;
	}
	if (version != KVM_API_VERSION)
		return cxlvm_error_set(err, -EOPNOTSUPP, KVM_PATH ": API version %d, needed is %d",
				       version, KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (kvm_check(kvm, needed[i].capability) > 0)
			continue;
		cxlvm_error_set(err, -EOPNOTSUPP, KVM_PATH ": %s is missing", needed[i].name);
		cxlvm_error_hint(err, "use a newer kernel");
		return -EOPNOTSUPP;
	}
	return 0;
}

/* The group of the file helps only where it has the right, and is not root's. */
static void hint_permission(struct cxlvm_error *err)
{
	const struct group *group = NULL;
	struct stat file;

	if (!stat(KVM_PATH, &file) && (file.st_mode & 0060) == 0060 && file.st_gid)
		group = getgrgid(file.st_gid);
	cxlvm_error_hint(err, "as root: %susermod -aG %s $(id -un %u), then log in again",
			 group ? "" : "chgrp kvm " KVM_PATH "; chmod 660 " KVM_PATH "; ",
			 group ? group->gr_name : "kvm", (unsigned int)geteuid());
}

int kvm_open(struct kvm *kvm, struct cxlvm_error *err)
{
	int code;

	*kvm = (struct kvm)KVM_INIT;
	kvm->fd = open(KVM_PATH, O_RDWR | O_CLOEXEC);
	if (kvm->fd < 0) {
		code = -errno;
		cxlvm_error_set(err, code, "cannot open " KVM_PATH ": %s", strerror(errno));
		if (code == -EACCES || code == -EPERM)
			hint_permission(err);
		else
			cxlvm_error_hint(err, "enable virtualization in the firmware and load "
					      "kvm_intel or kvm_amd; 'cxlvm plan' works without");
		return code;
	}
	code = check_offers(kvm, err);
	if (code) {
		kvm_finish(kvm);
		return code;
	}
	return 0;
}

int kvm_create_vm(struct kvm *kvm, struct cxlvm_error *err)
{
	int slots;
	int fd = kvm_ioctl(kvm->fd, KVM_CREATE_VM, 0);

	if (fd < 0) {
		cxlvm_error_set(err, fd, KVM_PATH ": cannot create a virtual machine: %s",
				strerror(-fd));
		if (fd == -EBUSY)
			cxlvm_error_hint(err, "another hypervisor uses the processor; stop it");
		return fd;
	}
	kvm->vm_fd = fd;
	slots = kvm_check(kvm, KVM_CAP_NR_MEMSLOTS);
	if (slots <= 0)
		slots = 32; /* what every KVM has */
	kvm->n_slots = slots < KVM_SLOTS_MAX ? (unsigned int)slots : KVM_SLOTS_MAX;
	return 0;
}

void kvm_finish(struct kvm *kvm)
{
	if (kvm->vm_fd >= 0)
		close(kvm->vm_fd);
	if (kvm->fd >= 0)
		close(kvm->fd);
	*kvm = (struct kvm)KVM_INIT;
}

int kvm_slot_alloc(struct kvm *kvm, struct cxlvm_error *err)
{
	for (unsigned int slot = 0; slot < kvm->n_slots; slot++)
		if (!atomic_exchange(&kvm->slot_used[slot], true))
			return (int)slot;
	cxlvm_error_set(err, -ENOSPC, "all %u memory slots of KVM are in use", kvm->n_slots);
	cxlvm_error_hint(err, "use fewer devices: each takes a slot for each piece of its memory");
	return -ENOSPC;
}

void kvm_slot_free(struct kvm *kvm, unsigned int slot)
{
	kvm->slot_used[slot] = false;
}

int kvm_slot_set(const struct kvm *kvm, unsigned int slot, struct cxlvm_gpa base, uint64_t size,
		 void *address)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = base.value,
		.memory_size = size,
		.userspace_addr = (uintptr_t)address,
	};
	int result = kvm_ioctl(kvm->vm_fd, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region);

	return result < 0 ? result : 0;
}

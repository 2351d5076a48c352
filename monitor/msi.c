/* SPDX-License-Identifier: BSD-3-Clause */
/* msi.c - message-signalled interrupts */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "kvm.h"
#include "msi.h"

void msi_init(struct msi *msi, const struct kvm *kvm)
{
	memset(msi, 0, sizeof(*msi));
	pthread_mutex_init(&msi->lock, NULL);
	msi->kvm = kvm;
}

void msi_finish(struct msi *msi)
{
	if (msi->kvm)
		pthread_mutex_destroy(&msi->lock);
	free(msi->routing);
	memset(msi, 0, sizeof(*msi));
}

int msi_reserve(struct msi *msi, unsigned int n, struct cxlvm_error *err)
{
	unsigned int first = msi->n_vectors;
	int routes = kvm_check(msi->kvm, KVM_CAP_IRQ_ROUTING);

	if (kvm_check(msi->kvm, KVM_CAP_IRQFD) <= 0 || routes <= (int)ARCH_FIXED_ROUTES)
		goto missing;
	if (n > (unsigned int)routes - ARCH_FIXED_ROUTES - first) {
		cxlvm_error_set(err, -ENOSPC,
				"%u interrupt vectors more than %u are too many for KVM, which has "
				"%u",
				n, first, (unsigned int)routes - ARCH_FIXED_ROUTES);
		cxlvm_error_hint(err, "use fewer devices");
		return -ENOSPC;
	}
	msi->n_vectors += n;
	return (int)first;
missing:
	cxlvm_error_set(err, -EOPNOTSUPP,
			"KVM offers no interrupts by eventfd (KVM_CAP_IRQFD, KVM_CAP_IRQ_ROUTING)");
	cxlvm_error_hint(err, "use a newer kernel");
	return -EOPNOTSUPP;
}

int msi_start(struct msi *msi, struct cxlvm_error *err)
{
	unsigned int most = ARCH_FIXED_ROUTES + msi->n_vectors;

	msi->routing = calloc(1, sizeof(*msi->routing) + most * sizeof(msi->routing->entries[0]));
	if (!msi->routing)
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u interrupt routes", most);
	msi->n_fixed = arch_fixed_routes(msi->routing->entries, &msi->first_gsi);
	msi->routing->nr = msi->n_fixed + msi->n_vectors;
	/* Nothing is attached to a route before it gets its message. */
	for (unsigned int i = 0; i < msi->n_vectors; i++) {
		struct kvm_irq_routing_entry *entry = &msi->routing->entries[msi->n_fixed + i];

		entry->gsi = msi->first_gsi + i;
		entry->type = KVM_IRQ_ROUTING_MSI;
	}
	return 0;
}

static int set_irqfd(const struct msi *msi, unsigned int vector, int eventfd, uint32_t flags)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)eventfd,
		.gsi = msi->first_gsi + vector,
		.flags = flags,
	};
	int code = kvm_ioctl(msi->kvm->vm_fd, KVM_IRQFD, (unsigned long)&irqfd);

	return code < 0 ? code : 0;
}

int msi_attach(struct msi *msi, unsigned int vector, const struct msi_message *message, int eventfd)
{
	struct kvm_irq_routing_entry *entry, before;
	int code = 0;

	pthread_mutex_lock(&msi->lock);
	entry = &msi->routing->entries[msi->n_fixed + vector];
	before = *entry;
	if (entry->u.msi.address_lo != (uint32_t)message->address ||
	    entry->u.msi.address_hi != (uint32_t)(message->address >> 32) ||
	    entry->u.msi.data != message->data) {
		entry->u.msi.address_lo = (uint32_t)message->address;
		entry->u.msi.address_hi = (uint32_t)(message->address >> 32);
		entry->u.msi.data = message->data;
		code = kvm_ioctl(msi->kvm->vm_fd, KVM_SET_GSI_ROUTING, (unsigned long)msi->routing);
		/* Our table is what KVM has: the next attempt asks again. */
		if (code < 0)
			*entry = before;
	}
	pthread_mutex_unlock(&msi->lock);
	return code < 0 ? code : set_irqfd(msi, vector, eventfd, 0);
}

void msi_detach(struct msi *msi, unsigned int vector, int eventfd)
{
	/* Fails only for what is not attached. */
	(void)set_irqfd(msi, vector, eventfd, KVM_IRQFD_FLAG_DEASSIGN);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msi.h - message-signalled interrupts: from a device's eventfd to the guest without an exit
 *
 * Each vector of each device has a GSI of its own. KVM is told which message that is (a route) and
 * which eventfd raises it (an irqfd). What is signalled while a vector has no irqfd stays in its
 * eventfd, which is how a masked vector is pending, and KVM looks there when it is attached again.
 */
#ifndef MONITOR_MSI_H
#define MONITOR_MSI_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

struct kvm;
struct kvm_irq_routing;

struct msi_message {
	uint64_t address;
	uint32_t data;
};

struct msi {
	pthread_mutex_t lock; /* routing */
	const struct kvm *kvm;
	unsigned int n_vectors; /* reserved so far */
	unsigned int n_fixed;   /* routes of the interrupt controllers' own pins */
	unsigned int first_gsi;
	struct kvm_irq_routing *routing;
};

/* Vectors can be reserved from here on. Ended with msi_finish, which takes one of zeros too. */
void msi_init(struct msi *msi, const struct kvm *kvm);
void msi_finish(struct msi *msi);

/* n vectors more: the number of the first, or -ENOSPC. Before msi_start. */
int msi_reserve(struct msi *msi, unsigned int n, struct cxlvm_error *err);

/* The interrupt controllers are there: -errno. */
int msi_start(struct msi *msi, struct cxlvm_error *err);

/*
 * Deliver message to the guest whenever eventfd is signalled. Detach takes that away: when it is
 * back, nothing is on its way any more. 0 or negative errno.
 */
int msi_attach(struct msi *msi, unsigned int vector, const struct msi_message *message,
	       int eventfd);
void msi_detach(struct msi *msi, unsigned int vector, int eventfd);

#endif

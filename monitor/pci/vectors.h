/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vectors.h - message-signalled interrupts of a passed-through function, from the device's eventfd to
 * the guest: what MSI and MSI-X have in common
 *
 * The device signals one eventfd for each vector. A vector that may be sent is attached to KVM
 * (msi.h); one that is held back is not, and what its eventfd holds is its pending bit.
 *
 * Vectors of the host are not without number, and few guests use all that a device has. Where the
 * kernel can connect one at a time (no VFIO_IRQ_INFO_NORESIZE), each is when the guest first lets it
 * send; until then the device itself holds it back. Else all are when the guest enables them, or as many as the
 * host has to spare.
 */
#ifndef MONITOR_PCI_VECTORS_H
#define MONITOR_PCI_VECTORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/base.h>

#include "../msi.h"

struct device;

struct vector {
	int eventfd;
	struct msi_message message; /* that KVM has while attached */
	atomic_bool attached;
	atomic_bool connected; /* the device signals eventfd */
};

struct vectors {
	uint32_t index; /* VFIO's number of this kind of interrupt */
	unsigned int n;
	int first;         /* number of the first vector (msi.h) */
	bool on_use;       /* connected one at a time */
	unsigned int n_on; /* while enabled: so many of them, else 0 */
	struct vector *each;
};

/* n vectors of interrupt type index, and their eventfds. Ended with vectors_finish. */
int vectors_init(struct device *device, struct vectors *vectors, uint32_t index, unsigned int n,
		 struct cxlvm_error *err);
/* Also for vectors of zeros. */
void vectors_finish(struct device *device, struct vectors *vectors);

/* The lock of the device is held from here on. */

/* The guest turns the first n on, or all off: then nothing is attached, connected or pending. */
void vectors_enable(struct device *device, struct vectors *vectors, unsigned int n);
void vectors_disable(struct device *device, struct vectors *vectors);
/* The device was reset without the guest's asking: it gets its eventfds again. */
void vectors_renew(struct device *device, struct vectors *vectors);

/* From now on vector i sends this message; NULL: it is held back. */
void vectors_send(struct device *device, struct vectors *vectors, unsigned int i,
		  const struct msi_message *message);

/* Has vector i a message that is held back here? Any thread, without the lock. */
bool vectors_is_pending(const struct vectors *vectors, unsigned int i);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interrupts of the device as a client sees them: eventfds, which are the client's, so that the server
 * must never wait for one. The kernel's asynchronous I/O signals an eventfd without blocking,
 * whatever its owner does to it, and takes nothing but an eventfd.
 */
#ifndef CXLVM_VFIO_USER_IRQS_H
#define CXLVM_VFIO_USER_IRQS_H

#include <cxlvm/base.h>

#include "device/msix.h"
#include "vfio_user/message.h"

#define VU_IRQ_INDICES     5u
#define VU_IRQ_VECTORS_MAX SWDEV_MSIX_VECTORS

struct vu_irqs {
	unsigned long context;                            /* of asynchronous I/O */
	int source;                                       /* file whose reads end at once */
	int eventfds[VU_IRQ_INDICES][VU_IRQ_VECTORS_MAX]; /* -1: none */
	bool masked[SWDEV_MSIX_VECTORS];                  /* of MSI-X, by the client */
};

int vu_irqs_init(struct vu_irqs *irqs, struct cxlvm_error *err);
void vu_irqs_finish(struct vu_irqs *irqs);

/* Vectors of an index; 0 for one that the device does not use. */
unsigned int vu_irqs_count(uint32_t index);

/* DEVICE_SET_IRQS. Takes the descriptors of the message that it keeps. 0 or a negative errno. */
int vu_irqs_set(struct vu_irqs *irqs, struct vu_message *message);

/* Drop all eventfds and masks: a client left. */
void vu_irqs_clear(struct vu_irqs *irqs);

/* Signal the eventfd of a vector; false when it has none. */
bool vu_irqs_signal(struct vu_irqs *irqs, uint32_t index, unsigned int vector);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port_queue.h - bytes written to one port that KVM keeps, so that the guest is not left for each
 *
 * While it keeps them, KVM puts writes of one byte to the port into a ring in memory that all
 * vCPUs of a VM share, and nobody is told (KVM_CAP_COALESCED_PIO, Documentation/virt/kvm/api.rst).
 * A write that finds the ring full, and any other access, is an exit as ever: who handles one takes
 * what is in the ring first, so the guest's order is kept. Kernels before 6.12 find the ring full
 * earlier than it is.
 */
#ifndef MONITOR_PORT_QUEUE_H
#define MONITOR_PORT_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm;
struct kvm_coalesced_mmio_ring;
struct vcpu;

struct port_queue {
	struct kvm_coalesced_mmio_ring *ring; /* NULL: nothing is ever kept */
	uint32_t n_entries;
	uint32_t first; /* oldest entry: what is in the ring is for KVM to read */
	uint16_t port;
	int vm_fd;
};

/*
 * The queue of a port; without a ring if this KVM cannot do it. vcpu is any vCPU of the VM, and has
 * to be closed later than the last use. Nothing is kept before port_queue_start.
 */
void port_queue_init(struct port_queue *queue, const struct kvm *kvm, const struct vcpu *vcpu,
		     uint16_t port);
/* The same with a ring in so many bytes of memory. */
void port_queue_init_ring(struct port_queue *queue, void *ring, size_t size, uint16_t port);

/*
 * Keep bytes from here on, or no more: stop waits until no vCPU is in the middle of it, which takes
 * milliseconds. Negative errno: nothing is kept.
 */
int port_queue_start(const struct port_queue *queue);
void port_queue_stop(const struct port_queue *queue);

/* How many bytes there are, and the oldest of them: one thread at a time. */
unsigned int port_queue_count(const struct port_queue *queue);
bool port_queue_take(struct port_queue *queue, uint8_t *byte);

#endif

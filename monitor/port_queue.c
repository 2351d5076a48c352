/* SPDX-License-Identifier: BSD-3-Clause */
/* port_queue.c - bytes written to one port that KVM keeps */
#include <linux/kvm.h>
#include <string.h>
#include <unistd.h>

#include "kvm.h"
#include "port_queue.h"
#include "vcpu.h"

void port_queue_init_ring(struct port_queue *queue, void *ring, size_t size, uint16_t port)
{
	*queue = (struct port_queue){ .ring = ring, .port = port, .vm_fd = -1 };
	queue->n_entries =
		(uint32_t)((size - sizeof(*queue->ring)) / sizeof(queue->ring->coalesced_mmio[0]));
	queue->first = __atomic_load_n(&queue->ring->first, __ATOMIC_RELAXED);
	if (queue->first >= queue->n_entries)
		queue->ring = NULL;
}

void port_queue_init(struct port_queue *queue, const struct kvm *kvm, const struct vcpu *vcpu,
		     uint16_t port)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	/* The page of the ring in what a vCPU has mapped. */
	int at = kvm_check(kvm, KVM_CAP_COALESCED_MMIO);

	*queue = (struct port_queue){ .ring = NULL, .vm_fd = -1 };
	if (kvm_check(kvm, KVM_CAP_COALESCED_PIO) <= 0 || at <= 0 ||
	    vcpu->run_size / page <= (size_t)at)
		return;
	port_queue_init_ring(queue, (uint8_t *)vcpu->run + (size_t)at * page, page, port);
	queue->vm_fd = kvm->vm_fd;
}

static int tell(const struct port_queue *queue, unsigned long request)
{
	struct kvm_coalesced_mmio_zone zone = { .addr = queue->port, .size = 1, .pio = 1 };

	return kvm_ioctl(queue->vm_fd, request, (unsigned long)&zone);
}

int port_queue_start(const struct port_queue *queue)
{
	return tell(queue, KVM_REGISTER_COALESCED_MMIO);
}

void port_queue_stop(const struct port_queue *queue)
{
	(void)tell(queue, KVM_UNREGISTER_COALESCED_MMIO);
}

unsigned int port_queue_count(const struct port_queue *queue)
{
	uint32_t last;

	if (!queue->ring)
		return 0;
	last = __atomic_load_n(&queue->ring->last, __ATOMIC_ACQUIRE);
	/* An index that is none: there is nothing that we could believe. */
	if (last >= queue->n_entries)
		return 0;
	return (last + queue->n_entries - queue->first) % queue->n_entries;
}

bool port_queue_take(struct port_queue *queue, uint8_t *byte)
{
	while (port_queue_count(queue)) {
		struct kvm_coalesced_mmio entry = queue->ring->coalesced_mmio[queue->first];

		queue->first = (queue->first + 1) % queue->n_entries;
		/* KVM may write to this entry from here on. */
		__atomic_store_n(&queue->ring->first, queue->first, __ATOMIC_RELEASE);
		if (entry.pio != 1 || entry.phys_addr != queue->port || entry.len != 1)
			continue;
		*byte = entry.data[0];
		return true;
	}
	return false;
}

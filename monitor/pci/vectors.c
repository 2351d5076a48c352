/* SPDX-License-Identifier: BSD-3-Clause */
/* vectors.c - message-signalled interrupts, from the device's eventfd to the guest */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "device.h"
#include "vectors.h"
#include "vm.h"

static bool is_resizable(struct device *device, uint32_t index)
{
	const struct cxlvm_transport *transport = &device->transport;
	uint32_t flags, count;
	int code;

	/* Who does not say takes all at once. */
	if (!transport->transport->irq_info)
		return false;
	code = transport->transport->irq_info(transport->device, index, &flags, &count);
	if (!code)
		return !(flags & CXLVM_IRQ_NORESIZE);
	device_warn(device, code,
		    "the kernel does not say how interrupts are connected: all at once");
	return false;
}

int vectors_init(struct device *device, struct vectors *vectors, uint32_t index, unsigned int n,
		 struct cxlvm_error *err)
{
	vectors->index = index;
	vectors->each = calloc(n, sizeof(*vectors->each));
	if (!vectors->each) {
		cxlvm_error_set(err, -ENOMEM, "%s: no memory for %u interrupt vectors",
				device->name, n);
		cxlvm_error_hint(err, "free memory of this machine");
		return -ENOMEM;
	}
	vectors->n = n;
	for (unsigned int i = 0; i < n; i++)
		vectors->each[i].eventfd = -1;
	/* A plan has no interrupts. */
	if (device->vm->config->plan)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		int code;

		vectors->each[i].eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (vectors->each[i].eventfd >= 0)
			continue;
		code = -errno;
		cxlvm_error_set(err, code, "%s: no eventfd for interrupt vector %u of %u: %s",
				device->name, i, n, strerror(-code));
		cxlvm_error_hint(err, "ulimit -n %u in the shell that starts it", 2 * n + 1024);
		return code;
	}
	vectors->on_use = is_resizable(device, index);
	vectors->first = msi_reserve(&device->vm->msi, n, err);
	return vectors->first < 0 ? vectors->first : 0;
}

void vectors_finish(struct device *device, struct vectors *vectors)
{
	if (vectors->n_on)
		vectors_disable(device, vectors);
	for (unsigned int i = 0; i < vectors->n; i++)
		if (vectors->each[i].eventfd >= 0)
			close(vectors->each[i].eventfd);
	free(vectors->each);
	memset(vectors, 0, sizeof(*vectors));
}

static int set_irqs(struct device *device, const struct vectors *vectors, unsigned int start,
		    unsigned int n, const int *eventfds)
{
	const struct cxlvm_transport *transport = &device->transport;

	return transport->transport->irq_set(transport->device, vectors->index, start, n, eventfds);
}

static void connect_one(struct device *device, struct vectors *vectors, unsigned int i)
{
	struct vector *vector = &vectors->each[i];
	int code = set_irqs(device, vectors, i, 1, &vector->eventfd);
	char text[96];

	vector->connected = !code;
	if (!code)
		return;
	snprintf(text, sizeof(text), "the host does not connect interrupt vector %u of %u", i,
		 vectors->n);
	device_warn(device, code, text);
}

/* All at once, or as many as the host has: half of them, and so on. */
static void connect_all(struct device *device, struct vectors *vectors)
{
	unsigned int n = vectors->n_on;
	int *eventfds = calloc(n, sizeof(*eventfds));
	int code = -ENOMEM;
	char text[96];

	if (eventfds) {
		for (unsigned int i = 0; i < n; i++)
			eventfds[i] = vectors->each[i].eventfd;
		code = set_irqs(device, vectors, 0, n, eventfds);
		while (code == -ENOSPC && n > 1) {
			n /= 2;
			code = set_irqs(device, vectors, 0, n, eventfds);
		}
		free(eventfds);
	}
	for (unsigned int i = 0; !code && i < n; i++)
		vectors->each[i].connected = true;
	if (!code && n == vectors->n_on)
		return;
	snprintf(text, sizeof(text), "the host connects %u of %u interrupt vectors", code ? 0 : n,
		 vectors->n_on);
	device_warn(device, code ? code : -ENOSPC, text);
}

static void turn_on(struct device *device, struct vectors *vectors)
{
	static const int none = -1;
	int code;

	if (!vectors->on_use) {
		connect_all(device, vectors);
		return;
	}
	/* No vector yet, but the device is to see that they are on, and holds back what it has. */
	code = set_irqs(device, vectors, 0, 1, &none);
	if (code)
		device_warn(device, code, "the device does not take its interrupts");
	for (unsigned int i = 0; i < vectors->n_on; i++)
		if (vectors->each[i].attached)
			connect_one(device, vectors, i);
}

static void turn_off(struct device *device, struct vectors *vectors)
{
	const struct cxlvm_transport *transport = &device->transport;

	if (transport->transport->irq_disable)
		(void)transport->transport->irq_disable(transport->device, vectors->index);
	for (unsigned int i = 0; i < vectors->n; i++) {
		struct vector *vector = &vectors->each[i];
		uint64_t count;

		vector->connected = false;
		if (read(vector->eventfd, &count, sizeof(count)) < 0) {
			/* Nothing was pending. */
		}
	}
}

void vectors_enable(struct device *device, struct vectors *vectors, unsigned int n)
{
	if (vectors->n_on)
		return;
	vectors->n_on = n;
	turn_on(device, vectors);
}

void vectors_disable(struct device *device, struct vectors *vectors)
{
	for (unsigned int i = 0; i < vectors->n; i++)
		vectors_send(device, vectors, i, NULL);
	if (vectors->n_on)
		turn_off(device, vectors);
	vectors->n_on = 0;
}

void vectors_renew(struct device *device, struct vectors *vectors)
{
	if (!vectors->n_on)
		return;
	turn_off(device, vectors);
	turn_on(device, vectors);
}

static bool is_same(const struct msi_message *a, const struct msi_message *b)
{
	return a->address == b->address && a->data == b->data;
}

/* What KVM does not take stays pending, and is tried again when the guest writes to the vector. */
static bool attach(struct device *device, const struct vectors *vectors, unsigned int i,
		   const struct msi_message *message)
{
	int code = msi_attach(&device->vm->msi, (unsigned int)vectors->first + i, message,
			      vectors->each[i].eventfd);
	char text[96];

	if (!code)
		return true;
	snprintf(text, sizeof(text), "KVM does not deliver interrupt vector %u of %u", i,
		 vectors->n);
	device_warn(device, code, text);
	return false;
}

void vectors_send(struct device *device, struct vectors *vectors, unsigned int i,
		  const struct msi_message *message)
{
	struct vector *vector = &vectors->each[i];
	unsigned int number = (unsigned int)vectors->first + i;

	if (vector->attached && (!message || !is_same(message, &vector->message))) {
		msi_detach(&device->vm->msi, number, vector->eventfd);
		vector->attached = false;
	}
	if (!message)
		return;
	if (!vector->attached) {
		if (!attach(device, vectors, i, message))
			return;
		vector->message = *message;
		vector->attached = true;
	}
	if (vectors->on_use && !vector->connected)
		connect_one(device, vectors, i);
}

bool vectors_is_pending(const struct vectors *vectors, unsigned int i)
{
	struct pollfd pending = { .fd = vectors->each[i].eventfd, .events = POLLIN };

	return !vectors->each[i].attached && poll(&pending, 1, 0) == 1;
}

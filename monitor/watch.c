/* SPDX-License-Identifier: BSD-3-Clause */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "vm.h"

/* The descriptor to poll for a device, -1 for one that has none: poll leaves it out. */
static int device_fd(const struct device *device)
{
	const struct cxlvm_transport *transport = &device->transport;

	return transport->transport->poll_fd ? transport->transport->poll_fd(transport->device)
					     : -1;
}

static void serve(struct device *device)
{
	if (device->transport.transport->service(device->transport.device) != -ENODEV)
		return;
	/* Gone: the guest reads ones from now on, and the event says why (VU-6). */
	pthread_mutex_lock(&device->lock);
	(void)cxlvm_endpoint_recheck(device->endpoint);
	pthread_mutex_unlock(&device->lock);
}

/* How often a device of the host is asked for memory that it took away. */
#define LOOK_MS 1000

static bool is_real_memory(const struct device *device)
{
	return device->real && !cxlvm_endpoint_is_plain(device->endpoint);
}

static bool has_real_memory(const struct vm *vm)
{
	bool found = false;

	for (unsigned int i = 0; i < vm->n_devices; i++)
		found = found || is_real_memory(&vm->devices[i]);
	return found;
}

/* Nobody tells when it is back. Of memory that is there nothing is asked. */
static void look_for_memory(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		struct device *device = &vm->devices[i];

		if (!is_real_memory(device) || device->mapped)
			continue;
		pthread_mutex_lock(&device->lock);
		(void)cxlvm_endpoint_recheck(device->endpoint);
		pthread_mutex_unlock(&device->lock);
	}
}

/* Of each device: that of its transport, then its notices. */
#define FDS_PER_DEVICE (1 + VFIO_NOTICES)

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void *watch_thread(void *argument)
{
	struct vm *vm = argument;
	struct pollfd fds[CXLVM_WINDOWS_MAX * FDS_PER_DEVICE + 1];
	unsigned int n = vm->n_devices * FDS_PER_DEVICE;
	bool looks = has_real_memory(vm);
	uint64_t next = now_ms() + LOOK_MS;

	for (unsigned int i = 0; i < vm->n_devices; i++) {
		const struct device *device = &vm->devices[i];
		struct pollfd *own = fds + (size_t)i * FDS_PER_DEVICE;

		own[0] = (struct pollfd){ .fd = device_fd(device), .events = POLLIN };
		for (unsigned int k = 0; k < VFIO_NOTICES; k++)
			own[1 + k] = (struct pollfd){ .fd = device->notices[k], .events = POLLIN };
	}
	fds[n] = (struct pollfd){ .fd = vm->watch.stop_fd, .events = POLLIN };
	for (;;) {
		uint64_t now = now_ms();
		int ready = poll(fds, n + 1, !looks ? -1 : now < next ? (int)(next - now) : 0);

		if (ready < 0)
			continue;
		if (fds[n].revents)
			return NULL;
		/* Also where another device has a server that never rests. */
		if (looks && now_ms() >= next) {
			look_for_memory(vm);
			next = now_ms() + LOOK_MS;
		}
		for (unsigned int i = 0; i < n; i++) {
			struct device *device = &vm->devices[i / FDS_PER_DEVICE];
			unsigned int k = i % FDS_PER_DEVICE;

			if (fds[i].revents && k == 0)
				serve(device);
			else if (fds[i].revents)
				vfio_notice(device, (enum vfio_notice)(k - 1));
		}
	}
}

/* Is there anything to wait for? */
static bool is_watched(const struct device *device)
{
	bool watched = device_fd(device) >= 0 || is_real_memory(device);

	for (unsigned int k = 0; k < VFIO_NOTICES; k++)
		watched = watched || device->notices[k] >= 0;
	return watched;
}

/* From now on there is a thread that serves them, or not any more. */
static void tell_devices(struct vm *vm, bool on)
{
	for (unsigned int i = 0; i < vm->n_devices; i++) {
		const struct cxlvm_transport *transport = &vm->devices[i].transport;

		if (transport->transport->polled)
			transport->transport->polled(transport->device, on);
	}
}

int watch_start(struct vm *vm, struct cxlvm_error *err)
{
	bool any = false;
	sigset_t all, before;
	int code;

	for (unsigned int i = 0; i < vm->n_devices; i++)
		any = any || is_watched(&vm->devices[i]);
	if (!any)
		return 0;
	vm->watch.stop_fd = eventfd(0, EFD_CLOEXEC);
	if (vm->watch.stop_fd < 0)
		return cxlvm_error_set(err, -errno, "eventfd: %s", strerror(errno));
	/* Signals are for the thread that runs the machine (stop.h). */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&vm->watch.thread, NULL, watch_thread, vm);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code) {
		close(vm->watch.stop_fd);
		return cxlvm_error_set(err, -code, "no thread for devices: %s", strerror(code));
	}
	vm->watch.running = true;
	tell_devices(vm, true);
	return 0;
}

void watch_stop(struct vm *vm)
{
	uint64_t one = 1;

	if (!vm->watch.running)
		return;
	tell_devices(vm, false);
	/* Fails only if it was written to before. */
	(void)!write(vm->watch.stop_fd, &one, sizeof(one));
	pthread_join(vm->watch.thread, NULL);
	close(vm->watch.stop_fd);
	vm->watch.running = false;
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
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

static void *watch_thread(void *argument)
{
	struct vm *vm = argument;
	struct pollfd fds[CXLVM_WINDOWS_MAX + 1];

	for (unsigned int i = 0; i < vm->n_devices; i++)
		fds[i] = (struct pollfd){ .fd = device_fd(&vm->devices[i]), .events = POLLIN };
	fds[vm->n_devices] = (struct pollfd){ .fd = vm->watch.stop_fd, .events = POLLIN };
	for (;;) {
		if (poll(fds, vm->n_devices + 1, -1) < 0)
			continue;
		if (fds[vm->n_devices].revents)
			return NULL;
		for (unsigned int i = 0; i < vm->n_devices; i++)
			if (fds[i].revents)
				serve(&vm->devices[i]);
	}
}

int watch_start(struct vm *vm, struct cxlvm_error *err)
{
	bool any = false;
	sigset_t all, before;
	int code;

	for (unsigned int i = 0; i < vm->n_devices; i++)
		any = any || device_fd(&vm->devices[i]) >= 0;
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
	return 0;
}

void watch_stop(struct vm *vm)
{
	uint64_t one = 1;

	if (!vm->watch.running)
		return;
	/* Fails only if it was written to before. */
	(void)!write(vm->watch.stop_fd, &one, sizeof(one));
	pthread_join(vm->watch.thread, NULL);
	close(vm->watch.stop_fd);
	vm->watch.running = false;
}

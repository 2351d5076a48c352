/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/irqs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/math.h"

static void reset_all(struct vu_irqs *irqs)
{
	for (unsigned int i = 0; i < VU_IRQ_INDICES; i++)
		for (unsigned int v = 0; v < VU_IRQ_VECTORS_MAX; v++)
			irqs->eventfds[i][v] = -1;
	memset(irqs->masked, 0, sizeof(irqs->masked));
}

int vu_irqs_init(struct vu_irqs *irqs, struct cxlvm_error *err)
{
	aio_context_t context = 0;

	reset_all(irqs);
	irqs->source = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (irqs->source < 0)
		return cxlvm_error_set(err, -errno, "/dev/null: %s", strerror(errno));
	if (syscall(SYS_io_setup, 1, &context)) {
		int ret = cxlvm_error_set(err, -errno, "asynchronous I/O (io_setup): %s",
					  strerror(errno));

		cxlvm_error_hint(err, "a kernel with CONFIG_AIO is needed; see also "
				      "/proc/sys/fs/aio-max-nr");
		close(irqs->source);
		return ret;
	}
	irqs->context = context;
	return 0;
}

void vu_irqs_finish(struct vu_irqs *irqs)
{
	vu_irqs_clear(irqs);
	syscall(SYS_io_destroy, irqs->context);
	close(irqs->source);
}

unsigned int vu_irqs_count(uint32_t index)
{
	switch (index) {
	case VU_IRQ_INDEX_MSIX:
		return SWDEV_MSIX_VECTORS;
	case VU_IRQ_INDEX_ERR:
	case VU_IRQ_INDEX_REQ:
		return 1;
	default:
		return 0;
	}
}

static void disconnect(struct vu_irqs *irqs, uint32_t index, unsigned int vector)
{
	if (irqs->eventfds[index][vector] >= 0)
		close(irqs->eventfds[index][vector]);
	irqs->eventfds[index][vector] = -1;
}

void vu_irqs_clear(struct vu_irqs *irqs)
{
	for (unsigned int i = 0; i < VU_IRQ_INDICES; i++)
		for (unsigned int v = 0; v < VU_IRQ_VECTORS_MAX; v++)
			disconnect(irqs, i, v);
	reset_all(irqs);
}

/*
 * A read of nothing that is done when it is submitted, and tells the eventfd so. With flags that do
 * not exist it is refused, but not before the descriptor was found to be an eventfd.
 */
static int submit(struct vu_irqs *irqs, int fd, uint32_t flags)
{
	struct iocb read_nothing = {
		.aio_fildes = (uint32_t)irqs->source,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_rw_flags = (int)flags,
		.aio_flags = IOCB_FLAG_RESFD,
		.aio_resfd = (uint32_t)fd,
	};
	struct iocb *list = &read_nothing;
	struct io_event event;

	if (syscall(SYS_io_submit, irqs->context, 1, &list) != 1)
		return -errno;
	syscall(SYS_io_getevents, irqs->context, 0, 1, &event, NULL);
	return 0;
}

static bool is_eventfd(struct vu_irqs *irqs, int fd)
{
	return submit(irqs, fd, UINT32_MAX) == -EOPNOTSUPP;
}

bool vu_irqs_signal(struct vu_irqs *irqs, uint32_t index, unsigned int vector)
{
	int fd = irqs->eventfds[index][vector];

	return fd >= 0 && !submit(irqs, fd, 0);
}

struct change {
	uint32_t index, start, count;
	uint32_t data, action;
	const uint8_t *bools;
};

/* Is vector number i of the change chosen? */
static bool is_chosen(const struct change *change, uint32_t i)
{
	return change->data == VU_IRQ_DATA_NONE || change->bools[i];
}

static int check(struct vu_irqs *irqs, const struct vu_message *message, struct change *change)
{
	uint32_t flags = get_le32(message->payload + VU_SET_IRQS_FLAGS);
	uint32_t extra = message->payload_size - VU_SET_IRQS_BYTES;
	uint32_t argsz = get_le32(message->payload + VU_SET_IRQS_ARGSZ);

	change->index = get_le32(message->payload + VU_SET_IRQS_INDEX);
	change->start = get_le32(message->payload + VU_SET_IRQS_START);
	change->count = get_le32(message->payload + VU_SET_IRQS_COUNT);
	change->data = flags & (VU_IRQ_DATA_NONE | VU_IRQ_DATA_BOOL | VU_IRQ_DATA_EVENTFD);
	change->action =
		flags & (VU_IRQ_ACTION_MASK | VU_IRQ_ACTION_UNMASK | VU_IRQ_ACTION_TRIGGER);
	change->bools = message->payload + VU_SET_IRQS_BYTES;
	if (argsz < VU_SET_IRQS_BYTES || change->index >= VU_IRQ_INDICES ||
	    flags != (change->data | change->action) || !is_power_of_two(change->data) ||
	    !is_power_of_two(change->action) ||
	    !range_fits(change->start, change->count, vu_irqs_count(change->index)))
		return -EINVAL;
	if (extra != (change->data == VU_IRQ_DATA_BOOL ? change->count : 0))
		return -EINVAL;
	if (change->action != VU_IRQ_ACTION_TRIGGER && change->index != VU_IRQ_INDEX_MSIX)
		return -ENOTSUP;
	if (change->data != VU_IRQ_DATA_EVENTFD)
		return message->n_fds ? -EINVAL : 0;
	if (change->action != VU_IRQ_ACTION_TRIGGER || !change->count ||
	    (message->n_fds && message->n_fds != change->count))
		return -EINVAL;
	for (unsigned int i = 0; i < message->n_fds; i++)
		if (!is_eventfd(irqs, message->fds[i]))
			return -EINVAL;
	return 0;
}

static void connect_vectors(struct vu_irqs *irqs, const struct change *change,
			    struct vu_message *message)
{
	for (uint32_t i = 0; i < change->count; i++) {
		disconnect(irqs, change->index, change->start + i);
		if (message->n_fds)
			irqs->eventfds[change->index][change->start + i] =
				vu_message_take_fd(message, i);
	}
}

int vu_irqs_set(struct vu_irqs *irqs, struct vu_message *message)
{
	struct change change;
	int ret = check(irqs, message, &change);

	if (ret)
		return ret;
	if (change.data == VU_IRQ_DATA_EVENTFD) {
		connect_vectors(irqs, &change, message);
		return 0;
	}
	/* Nothing to be triggered: the whole index is switched off. */
	if (change.action == VU_IRQ_ACTION_TRIGGER && !change.count) {
		for (unsigned int v = 0; v < vu_irqs_count(change.index); v++)
			disconnect(irqs, change.index, v);
		return 0;
	}
	for (uint32_t i = 0; i < change.count; i++) {
		if (!is_chosen(&change, i))
			continue;
		if (change.action == VU_IRQ_ACTION_TRIGGER)
			vu_irqs_signal(irqs, change.index, change.start + i);
		else
			irqs->masked[change.start + i] = change.action == VU_IRQ_ACTION_MASK;
	}
	return 0;
}

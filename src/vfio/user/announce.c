/* SPDX-License-Identifier: BSD-3-Clause */
/* What a server is told about its client: memory for DMA, and eventfds for interrupts. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/math.h"
#include "vfio/user/user.h"

static int send_map(struct connection *conn, const struct cxlvm_dma_range *range)
{
	uint8_t request[VU_MAP_BYTES] = { 0 };
	bool with_fd = range->fd >= 0 && conn->server.max_msg_fds;
	struct call call = {
		.command = VU_DMA_MAP,
		.head = request,
		.head_size = sizeof(request),
		.fds = &range->fd,
		.n_fds = with_fd,
	};

	put_le32(request + VU_MAP_ARGSZ, sizeof(request));
	put_le32(request + VU_MAP_FLAGS,
		 VU_MAP_FLAG_READ | (range->writable ? VU_MAP_FLAG_WRITE : 0));
	put_le64(request + VU_MAP_OFFSET, with_fd ? range->offset : 0);
	put_le64(request + VU_MAP_ADDRESS, range->base.value);
	put_le64(request + VU_MAP_LENGTH, range->size);
	return connection_call(conn, &call);
}

static int send_unmap(struct connection *conn, const struct cxlvm_dma_range *range)
{
	uint8_t request[VU_UNMAP_BYTES] = { 0 }, answer[VU_UNMAP_BYTES];
	struct call call = {
		.command = VU_DMA_UNMAP,
		.head = request,
		.head_size = sizeof(request),
		.reply = answer,
		.reply_size = sizeof(answer),
	};

	put_le32(request + VU_UNMAP_ARGSZ, sizeof(request));
	put_le64(request + VU_UNMAP_ADDRESS, range->base.value);
	put_le64(request + VU_UNMAP_LENGTH, range->size);
	return connection_call(conn, &call);
}

static int check_range(const struct user *user, const struct cxlvm_dma_range *range,
		       struct cxlvm_error *err)
{
	uint64_t sizes = user->conn.server.pgsizes, least = sizes & -sizes;

	if (is_aligned(range->base.value | range->size | (range->fd >= 0 ? range->offset : 0),
		       least))
		return 0;
	return cxlvm_error_set(err, -EINVAL,
			       "DMA range 0x%" PRIx64 "+0x%" PRIx64
			       " is not aligned to the server's pages of 0x%" PRIx64,
			       range->base.value, range->size, least);
}

static int map_range(struct user *user, const struct cxlvm_dma_range *range,
		     struct cxlvm_error *err)
{
	uint64_t limit = user->conn.server.max_dma_maps;
	int ret = check_range(user, range, err);

	if (!ret)
		ret = ranges_add(&user->ranges, range,
				 (unsigned int)(limit < RANGES_MAX ? limit : RANGES_MAX), err);
	if (ret)
		return ret;
	ret = send_map(&user->conn, range);
	if (!ret)
		ret = user_watch(user);
	if (!ret)
		return 0;
	ranges_remove(&user->ranges, ranges_find(&user->ranges, range->base, range->size));
	return cxlvm_error_set(err, ret, "DMA range 0x%" PRIx64 "+0x%" PRIx64 ": %s",
			       range->base.value, range->size,
			       user->conn.lost ? user->conn.why.message : strerror(-ret));
}

int user_dma_map(void *device, const struct cxlvm_dma_range *range, struct cxlvm_error *err)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return cxlvm_error_set(err, ret, "vfio-user server at %s is gone", user->path);
	return user_leave(user, map_range(user, range, err));
}

int user_dma_unmap(void *device, struct cxlvm_iova base, uint64_t size)
{
	struct user *user = device;
	struct cxlvm_dma_range *range;
	int ret;

	/* Also without a server: the next one is not to hear of the range. */
	pthread_mutex_lock(&user->mutex);
	range = ranges_find(&user->ranges, base, size);
	if (range && !user->conn.lost) {
		ret = send_unmap(&user->conn, range);
		/* A server that does not let go must not go on, whatever it says. */
		if (ret)
			connection_give_up(&user->conn, ret,
					   "the server does not let go of memory");
	}
	if (range)
		ranges_remove(&user->ranges, range);
	if (range && !user->conn.lost)
		(void)user_watch(user);
	return user_leave(user, range ? 0 : -ENOENT);
}

/* One message: count vectors from start get these descriptors, or lose theirs (n_fds 0). */
static int send_irqs(struct connection *conn, uint32_t flags, uint32_t index, uint32_t start,
		     uint32_t count, const int *fds, unsigned int n_fds)
{
	uint8_t request[VU_SET_IRQS_BYTES];
	struct call call = {
		.command = VU_DEVICE_SET_IRQS,
		.head = request,
		.head_size = sizeof(request),
		.fds = fds,
		.n_fds = n_fds,
	};

	put_le32(request + VU_SET_IRQS_ARGSZ, sizeof(request));
	put_le32(request + VU_SET_IRQS_FLAGS, flags | VU_IRQ_ACTION_TRIGGER);
	put_le32(request + VU_SET_IRQS_INDEX, index);
	put_le32(request + VU_SET_IRQS_START, start);
	put_le32(request + VU_SET_IRQS_COUNT, count);
	return connection_call(conn, &call);
}

/*
 * Descriptors with holes: a message holds either descriptors or none, and no more of them than the
 * server takes.
 */
static int send_runs(struct connection *conn, uint32_t index, uint32_t start, uint32_t count,
		     const int *fds)
{
	uint64_t most = conn->server.max_msg_fds;
	int ret = 0;

	if (!most)
		return -EOPNOTSUPP;
	if (most > VU_FDS_MAX)
		most = VU_FDS_MAX;
	for (uint32_t i = 0; !ret && i < count;) {
		bool some = fds[i] >= 0;
		uint32_t n = 1;

		while (i + n < count && (fds[i + n] >= 0) == some && (!some || n < most))
			n++;
		ret = send_irqs(conn, VU_IRQ_DATA_EVENTFD, index, start + i, n, fds + i,
				some ? n : 0);
		i += n;
	}
	return ret;
}

/* Put descriptors into our table; those that were there are closed. */
static void keep_eventfds(struct user *user, uint32_t index, uint32_t start, uint32_t count,
			  const int *fds)
{
	for (uint32_t i = 0; i < count; i++) {
		int *kept = &user->eventfds[index][start + i];

		if (*kept >= 0)
			close(*kept);
		*kept = fds ? fds[i] : -1;
	}
}

static void close_fds(const int *fds, uint32_t n)
{
	while (n--)
		if (fds[n] >= 0)
			close(fds[n]);
}

static int set_irqs(struct user *user, uint32_t index, uint32_t start, uint32_t count,
		    const int *eventfds)
{
	int fds[INVENTORY_VECTORS], ret = 0;

	if (index >= INVENTORY_IRQ_TYPES || !count ||
	    !range_fits(start, count, user->inventory.vectors[index]))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		fds[i] = eventfds[i] < 0 ? -1 : fcntl(eventfds[i], F_DUPFD_CLOEXEC, 0);
		if (eventfds[i] < 0 || fds[i] >= 0)
			continue;
		ret = -errno;
		close_fds(fds, i);
		return ret;
	}
	ret = send_runs(&user->conn, index, start, count, fds);
	if (!ret) {
		keep_eventfds(user, index, start, count, fds);
		return 0;
	}
	/* As before: a run may have been accepted. */
	close_fds(fds, count);
	if (!user->conn.lost &&
	    send_runs(&user->conn, index, start, count, user->eventfds[index] + start))
		connection_give_up(&user->conn, -EIO, "the server has vectors half connected");
	return ret;
}

int user_irq_set(void *device, uint32_t index, uint32_t start, uint32_t count, const int *eventfds)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return ret;
	return user_leave(user, set_irqs(user, index, start, count, eventfds));
}

int user_irq_disable(void *device, uint32_t index)
{
	struct user *user = device;
	int ret = 0;

	/* Also without a server: the next one is not to hear of them. */
	pthread_mutex_lock(&user->mutex);
	if (index >= INVENTORY_IRQ_TYPES || !user->inventory.vectors[index])
		ret = -EINVAL;
	if (!ret && !user->conn.lost)
		ret = send_irqs(&user->conn, VU_IRQ_DATA_NONE, index, 0, 0, NULL, 0);
	if (!ret || ret == -ENODEV)
		keep_eventfds(user, index, 0, user->inventory.vectors[index], NULL);
	return user_leave(user, ret == -ENODEV ? 0 : ret);
}

static int announce_ranges(struct user *user, struct connection *conn, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < user->ranges.n; i++) {
		const struct cxlvm_dma_range *range = &user->ranges.list[i];
		int ret = send_map(conn, range);

		if (ret)
			return cxlvm_error_set(err, ret,
					       "DMA range 0x%" PRIx64 "+0x%" PRIx64 ": %s",
					       range->base.value, range->size,
					       conn->lost ? conn->why.message : strerror(-ret));
	}
	return 0;
}

static bool any_eventfd(const int *fds, uint32_t n)
{
	while (n--)
		if (fds[n] >= 0)
			return true;
	return false;
}

int user_announce(struct user *user, struct connection *conn, struct cxlvm_error *err)
{
	int ret = announce_ranges(user, conn, err);

	for (uint32_t type = 0; !ret && type < INVENTORY_IRQ_TYPES; type++) {
		uint32_t n = user->inventory.vectors[type];

		if (!any_eventfd(user->eventfds[type], n))
			continue;
		ret = send_runs(conn, type, 0, n, user->eventfds[type]);
		if (ret)
			cxlvm_error_set(err, ret, "interrupt type %u: %s", type,
					conn->lost ? conn->why.message : strerror(-ret));
	}
	return ret;
}

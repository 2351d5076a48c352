/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user transport: opening, device operations, closing. */
#include "vfio/user/user.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/math.h"
#include "base/sized.h"
#include "kernel_shape/uapi.h"
#include "vfio/map_file.h"
#include "vfio/user/access.h"

#define TIMEOUT_MS_DEFAULT 5000u
#define TIMEOUT_MS_MAX     600000u

/*
 * How often service looks after the server. An epoll that has the socket would tell of its end at
 * once, and would make each of its answers more expensive; so does a time limit of the socket's.
 * At least twice in the time that a message may take.
 */
#define LOOK_NS 500000000u

int user_enter(struct user *user)
{
	if (__atomic_load_n(&user->lost, __ATOMIC_ACQUIRE))
		return -ENODEV;
	pthread_mutex_lock(&user->mutex);
	if (!__atomic_load_n(&user->lost, __ATOMIC_RELAXED))
		return 0;
	pthread_mutex_unlock(&user->mutex);
	return -ENODEV;
}

/* Make poll_fd readable after that time and then again and again; 0: never. It cannot fail. */
static void set_timer(struct user *user, long first_ns)
{
	const struct itimerspec when = {
		.it_value.tv_nsec = first_ns,
		.it_interval.tv_nsec = first_ns ? user->look_ns : 0,
	};

	(void)timerfd_settime(user->timer_fd, 0, &when, NULL);
}

static void note_loss(struct user *user)
{
	if (!user->conn.lost || user->lost)
		return;
	__atomic_store_n(&user->lost, true, __ATOMIC_RELEASE);
	set_timer(user, 1);
}

int user_leave(struct user *user, int ret)
{
	note_loss(user);
	pthread_mutex_unlock(&user->mutex);
	return ret;
}

static int user_info(void *device, void *buf, size_t len, size_t *needed)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return ret;
	return user_leave(user, inventory_info(&user->inventory, buf, len, needed));
}

static int user_region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return ret;
	return user_leave(user, inventory_region_info(&user->inventory, index, buf, len, needed));
}

/* Is [offset, offset + len) inside the region? */
static bool inside(const struct user *user, uint32_t region, uint64_t offset, uint64_t len)
{
	return region < user->inventory.n_regions &&
	       range_fits(offset, len, user->inventory.regions[region].size);
}

static int user_read(void *device, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return ret;
	ret = -EINVAL;
	if (inside(user, region, offset, len))
		ret = access_read(&user->conn, region, offset, buf, len);
	return user_leave(user, ret);
}

static int user_write(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return ret;
	ret = -EINVAL;
	if (inside(user, region, offset, len))
		ret = access_write(&user->conn, region, offset, buf, len);
	return user_leave(user, ret);
}

/* Room to remember one map more, before it is made. */
static int reserve_map(struct user *user)
{
	unsigned int room = user->maps_room ? 2 * user->maps_room : 8;
	struct user_map *maps;

	if (user->n_maps < user->maps_room)
		return 0;
	maps = realloc(user->maps, room * sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	user->maps = maps;
	user->maps_room = room;
	return 0;
}

static int map_region(struct user *user, const struct cxlvm_map_request *request, void **address)
{
	const struct region *region;
	int ret;

	if (!inside(user, request->region, request->offset, request->size))
		return -EINVAL;
	region = &user->inventory.regions[request->region];
	if (region->fd < 0)
		return -ENODEV;
	/* Again: it may have got shorter since it was opened. */
	if (!inventory_file_covers(region, request->offset, request->size))
		return -EIO;
	ret = reserve_map(user);
	if (ret)
		return ret;
	ret = map_file(request, region->fd, region->offset + request->offset, user->page_size,
		       address);
	if (ret)
		return ret;
	user->maps[user->n_maps++] = (struct user_map){
		.address = *address,
		.size = request->size,
		.region = request->region,
		.offset = request->offset,
	};
	return 0;
}

static int user_map(void *device, const struct cxlvm_map_request *request, void **address)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return ret;
	return user_leave(user, map_region(user, request, address));
}

static void user_unmap(void *device, void *address, uint64_t size)
{
	struct user *user = device;

	pthread_mutex_lock(&user->mutex);
	for (unsigned int i = 0; i < user->n_maps; i++) {
		if (user->maps[i].address != address)
			continue;
		user->maps[i] = user->maps[--user->n_maps];
		munmap(address, size);
		break;
	}
	pthread_mutex_unlock(&user->mutex);
}

/* A file that got shorter: what is behind its end is gone, and a server that does that lost. */
static void check_files(struct user *user)
{
	for (unsigned int i = 0; i < user->n_maps; i++) {
		const struct user_map *map = &user->maps[i];
		const struct region *region = &user->inventory.regions[map->region];

		if (inventory_file_covers(region, map->offset, map->size))
			continue;
		connection_give_up(&user->conn, -EIO,
				   "the server cut the file of the device memory short");
	}
}

/* Lost is known here; the rest is for the decoder to tell. */
static int user_usable(void *device)
{
	struct user *user = device;
	int ret = user_enter(user);

	if (ret)
		return 0;
	(void)connection_service(&user->conn);
	check_files(user);
	return user_leave(user, user->conn.lost ? 0 : -ENOSYS);
}

static void user_why_unusable(void *device, struct cxlvm_error *err)
{
	struct user *user = device;
	const struct cxlvm_error *why = &user->conn.why;

	pthread_mutex_lock(&user->mutex);
	if (user->conn.lost) {
		cxlvm_error_set(err, why->code, "vfio-user server at %s: %s", user->path,
				why->message);
		cxlvm_error_hint(err, "%s",
				 why->hint[0] ? why->hint
					      : "start the server again, then reset the machine");
	}
	pthread_mutex_unlock(&user->mutex);
}

static const struct cxlvm_device_ops user_ops = {
	.size = sizeof(user_ops),
	.info = user_info,
	.region_info = user_region_info,
	.read = user_read,
	.write = user_write,
	.map = user_map,
	.unmap = user_unmap,
	.usable = user_usable,
	.why_unusable = user_why_unusable,
};

/* Only requests have to wake who polls: they come where the server cannot reach memory by itself. */
int user_watch(struct user *user)
{
	struct epoll_event event = { .events = EPOLLIN };

	if (!user->ranges.n_without_fd) {
		user_unwatch(user);
		return 0;
	}
	if (user->watched)
		return 0;
	if (epoll_ctl(user->epoll_fd, EPOLL_CTL_ADD, user->conn.fd, &event))
		return -errno;
	user->watched = true;
	return 0;
}

void user_unwatch(struct user *user)
{
	/* Taking out what is in it cannot fail. */
	if (user->watched)
		(void)epoll_ctl(user->epoll_fd, EPOLL_CTL_DEL, user->conn.fd, NULL);
	user->watched = false;
}

void user_found(struct user *user)
{
	__atomic_store_n(&user->lost, false, __ATOMIC_RELEASE);
	connection_limit(&user->conn, !user->polled);
	set_timer(user, user->look_ns);
}

static int user_poll_fd(void *device)
{
	const struct user *user = device;

	return user->epoll_fd;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Somebody is in a call. Does it take too long? */
static void look_at_call(struct user *user)
{
	uint64_t now = now_ms();
	uint32_t wait;

	pthread_mutex_lock(&user->look_mutex);
	wait = __atomic_load_n(&user->conn.waits, __ATOMIC_RELAXED);
	if (wait != user->wait) {
		user->wait = wait;
		user->wait_since = now;
	} else if (wait & 1 && now - user->wait_since >= user->timeout_ms) {
		connection_end_wait(&user->conn, wait);
	}
	pthread_mutex_unlock(&user->look_mutex);
}

/* Who is in a call answers requests as well, so there is nothing to wait for. */
static int user_service(void *device)
{
	struct user *user = device;
	uint64_t times;
	int ret;

	/* Until the next time; nothing there is all right. */
	(void)!read(user->timer_fd, &times, sizeof(times));
	if (pthread_mutex_trylock(&user->mutex)) {
		look_at_call(user);
		return 0;
	}
	ret = connection_service(&user->conn);
	note_loss(user);
	if (ret) {
		/* Said once: whoever polls is not to be woken for it again. */
		set_timer(user, 0);
		user_unwatch(user);
	}
	return user_leave(user, ret);
}

static void user_polled(void *device, bool on)
{
	struct user *user = device;

	pthread_mutex_lock(&user->mutex);
	user->polled = on;
	connection_limit(&user->conn, !on);
	pthread_mutex_unlock(&user->mutex);
}

static void close_eventfds(struct user *user)
{
	for (unsigned int type = 0; type < INVENTORY_IRQ_TYPES; type++) {
		for (uint32_t i = 0; user->eventfds[type] && i < user->inventory.vectors[type]; i++)
			if (user->eventfds[type][i] >= 0)
				close(user->eventfds[type][i]);
		free(user->eventfds[type]);
	}
}

static void user_close(void *device)
{
	struct user *user = device;

	for (unsigned int i = 0; i < user->n_maps; i++)
		munmap(user->maps[i].address, user->maps[i].size);
	connection_close(&user->conn);
	close_eventfds(user);
	inventory_finish(&user->inventory);
	ranges_finish(&user->ranges);
	if (user->timer_fd >= 0)
		close(user->timer_fd);
	if (user->epoll_fd >= 0)
		close(user->epoll_fd);
	pthread_mutex_destroy(&user->mutex);
	pthread_mutex_destroy(&user->look_mutex);
	free(user->maps);
	free(user);
}

static const struct cxlvm_transport_ops user_transport = {
	.size = sizeof(user_transport),
	.reset = user_reset,
	.irq_set = user_irq_set,
	.irq_disable = user_irq_disable,
	.close = user_close,
	.dma_map = user_dma_map,
	.dma_unmap = user_dma_unmap,
	.poll_fd = user_poll_fd,
	.service = user_service,
	.polled = user_polled,
};

static int make_eventfds(struct user *user, struct cxlvm_error *err)
{
	for (unsigned int type = 0; type < INVENTORY_IRQ_TYPES; type++) {
		uint32_t n = user->inventory.vectors[type];

		user->eventfds[type] = malloc((n ? n : 1) * sizeof(int));
		if (!user->eventfds[type])
			return cxlvm_error_set(err, -ENOMEM, "no memory for %u vectors", n);
		for (uint32_t i = 0; i < n; i++)
			user->eventfds[type][i] = -1;
	}
	return 0;
}

/* What poll_fd is. */
static int make_poll_fd(struct user *user, struct cxlvm_error *err)
{
	struct epoll_event event = { .events = EPOLLIN };

	user->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (user->epoll_fd >= 0)
		user->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (user->timer_fd < 0 || epoll_ctl(user->epoll_fd, EPOLL_CTL_ADD, user->timer_fd, &event))
		return cxlvm_error_set(err, -errno, "descriptor to poll: %s", strerror(errno));
	return 0;
}

static int check_config(const struct cxlvm_user_config *config, struct cxlvm_error *err)
{
	size_t room = sizeof(((struct user *)0)->path), length;

	if (!config->path)
		return cxlvm_error_set(err, -EINVAL,
				       "vfio-user configuration without the path of a socket");
	length = strlen(config->path);
	if (!length || length >= room) {
		cxlvm_error_set(err, -EINVAL, "socket path of %zu bytes, not within 1 and %zu",
				length, room - 1);
		cxlvm_error_hint(err, "use a shorter path, or change to its folder and name it "
				      "from there");
		return -EINVAL;
	}
	if (config->timeout_ms > TIMEOUT_MS_MAX)
		return cxlvm_error_set(err, -EINVAL, "timeout of %u ms, more than %u",
				       config->timeout_ms, TIMEOUT_MS_MAX);
	return 0;
}

/* Connection and inventory; after a failure neither. */
static int connect_first(struct user *user, struct cxlvm_error *err)
{
	struct cxlvm_error local = CXLVM_ERROR_INIT;
	int ret = connection_open(&user->conn, user->path, user->timeout_ms, &user->ranges, &local);

	if (!ret) {
		ret = inventory_read(&user->inventory, &user->conn, user->page_size, &local);
		if (ret)
			connection_close(&user->conn);
	}
	if (!ret) {
		connection_ready(&user->conn);
		return 0;
	}
	cxlvm_error_set(err, local.code, "vfio-user server at %s: %s", user->path, local.message);
	if (local.hint[0])
		cxlvm_error_hint(err, "%s", local.hint);
	return local.code;
}

int cxlvm_user_open(const struct cxlvm_user_config *given, struct cxlvm_transport *out,
		    struct cxlvm_error *err)
{
	struct cxlvm_user_config taken, *config = &taken;
	struct user *user;
	int ret = sized_config_take(config, sizeof(*config),
				    SIZE_WITH(struct cxlvm_user_config, path), given, "vfio-user",
				    err);

	if (!ret)
		ret = check_config(config, err);
	if (ret)
		return ret;
	user = calloc(1, sizeof(*user));
	if (!user)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a vfio-user device");
	memcpy(user->path, config->path, strlen(config->path));
	user->timeout_ms = config->timeout_ms ? config->timeout_ms : TIMEOUT_MS_DEFAULT;
	user->look_ns = user->timeout_ms < LOOK_NS / 500000 ? user->timeout_ms * 500000 : LOOK_NS;
	user->page_size = config->page_size ? config->page_size : (uint64_t)sysconf(_SC_PAGESIZE);
	user->conn.fd = user->epoll_fd = user->timer_fd = -1;
	pthread_mutex_init(&user->mutex, NULL);
	pthread_mutex_init(&user->look_mutex, NULL);
	ret = make_poll_fd(user, err);
	if (!ret)
		ret = connect_first(user, err);
	if (!ret)
		ret = make_eventfds(user, err);
	if (ret) {
		user_close(user);
		return ret;
	}
	user_found(user);
	*out = (struct cxlvm_transport){
		.device = user,
		.ops = &user_ops,
		.transport = &user_transport,
	};
	return 0;
}

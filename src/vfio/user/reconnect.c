/* SPDX-License-Identifier: BSD-3-Clause */
/* Reset of the device, and the way back after its server was lost (VU-6). */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "kernel_shape/uapi.h"
#include "vfio/map_file.h"
#include "vfio/user/user.h"

static int send_reset(struct connection *conn)
{
	struct call call = { .command = VU_DEVICE_RESET };

	return connection_call(conn, &call);
}

/* Each map comes to lie on the new server's memory, at its old address. */
static int map_again(struct user *user, const struct inventory *inventory, struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < user->n_maps; i++) {
		const struct user_map *map = &user->maps[i];
		const struct region *region = &inventory->regions[map->region];
		int ret = -EIO;

		if (inventory_file_covers(region, map->offset, map->size))
			ret = map_file_again(map->address, map->size, region->fd,
					     region->offset + map->offset);
		if (ret)
			return cxlvm_error_set(err, ret,
					       "region %u: 0x%" PRIx64 " bytes at 0x%" PRIx64
					       " cannot be mapped again: %s",
					       map->region, map->size, map->offset, strerror(-ret));
	}
	return 0;
}

/* The new connection, as far as it can go wrong. */
static int prepare(struct user *user, struct connection *conn, struct inventory *inventory,
		   struct cxlvm_error *err)
{
	int ret = inventory_read(inventory, conn, user->page_size, err);

	if (ret)
		return ret;
	ret = inventory_compare(&user->inventory, inventory, err);
	if (!ret)
		ret = user_announce(user, conn, err);
	if (!ret && inventory->flags & UAPI_INFO_FLAG_RESET) {
		ret = send_reset(conn);
		if (ret)
			cxlvm_error_set(err, ret, "reset: %s",
					conn->lost ? conn->why.message : strerror(-ret));
	}
	if (!ret)
		ret = map_again(user, inventory, err);
	if (ret)
		inventory_finish(inventory);
	return ret;
}

/* All or nothing, but for the reason why the device is lost. */
static int reconnect(struct user *user)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct connection conn;
	struct inventory inventory;
	int ret;

	/* Who polls the end of the old one would be kept busy while the mutex is held here. */
	user_unwatch(user);
	ret = connection_open(&conn, user->path, user->timeout_ms, &user->ranges, &err);
	if (!ret) {
		ret = prepare(user, &conn, &inventory, &err);
		if (ret)
			connection_close(&conn);
	}
	if (ret) {
		user->conn.why = err;
		return err.code;
	}
	connection_ready(&conn);
	pthread_mutex_lock(&user->look_mutex);
	connection_close(&user->conn);
	user->conn = conn;
	/* Waits are counted anew. */
	user->wait = 0;
	pthread_mutex_unlock(&user->look_mutex);
	inventory_finish(&user->inventory);
	user->inventory = inventory;
	user_found(user);
	return user_watch(user);
}

int user_reset(void *device)
{
	struct user *user = device;
	int ret = -ENOTTY;

	pthread_mutex_lock(&user->mutex);
	if (!user->conn.lost && user->inventory.flags & UAPI_INFO_FLAG_RESET)
		ret = send_reset(&user->conn);
	if (user->conn.lost)
		ret = reconnect(user);
	return user_leave(user, ret);
}

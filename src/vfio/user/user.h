/* SPDX-License-Identifier: BSD-3-Clause */
/* A device behind a vfio-user server, for the files of this transport. */
#ifndef CXLVM_VFIO_USER_USER_H
#define CXLVM_VFIO_USER_USER_H

#include <pthread.h>
#include <sys/un.h>

#include "vfio/user/inventory.h"

/* A part of a region that was mapped and not unmapped. */
struct user_map {
	void *address;
	uint64_t size;
	uint32_t region;
	uint64_t offset;
};

struct user {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	unsigned int timeout_ms;
	uint64_t page_size;
	int epoll_fd; /* has the socket in it while there is one */

	pthread_mutex_t mutex; /* all below; lost is also read without it */
	bool lost;
	struct connection conn;
	struct inventory inventory;
	struct ranges ranges;
	int *eventfds[INVENTORY_IRQ_TYPES]; /* one per vector, duplicates; -1: none */
	struct user_map *maps;
	unsigned int n_maps, maps_room;
};

/*
 * Take the mutex for a call that needs the server. 0, or -ENODEV with the mutex not taken: known
 * to be lost, also while another thread is connecting again. leave returns ret, and notes whether
 * the connection was lost meanwhile.
 */
int user_enter(struct user *user);
int user_leave(struct user *user, int ret);

/* With the mutex held. Which events of the socket make poll_fd readable. */
int user_watch(struct user *user, int op);

/* announce.c: transport operations, and what a new connection has to be told. */
int user_dma_map(void *device, const struct cxlvm_dma_range *range, struct cxlvm_error *err);
int user_dma_unmap(void *device, struct cxlvm_iova base, uint64_t size);
int user_irq_set(void *device, uint32_t index, uint32_t start, uint32_t count, const int *eventfds);
int user_irq_disable(void *device, uint32_t index);
int user_announce(struct user *user, struct connection *conn, struct cxlvm_error *err);

/* reconnect.c */
int user_reset(void *device);

#endif

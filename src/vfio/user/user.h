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
	uint32_t look_ns; /* how often poll_fd is readable for service to look after the server */
	uint64_t page_size;
	int epoll_fd; /* has the timer in it, and the socket while the server may ask for memory */
	int timer_fd; /* when to look whether the server is still there */

	pthread_mutex_t mutex; /* all below; lost is also read without it */
	bool lost;
	bool watched; /* epoll has the socket */
	bool polled;  /* no call has a time limit of its own */
	struct connection conn;
	struct inventory inventory;
	struct ranges ranges;
	int *eventfds[INVENTORY_IRQ_TYPES]; /* one per vector, duplicates; -1: none */
	struct user_map *maps;
	unsigned int n_maps, maps_room;

	/* For service during a call. Taken inside of the other: conn has another socket. */
	pthread_mutex_t look_mutex;
	uint32_t wait;       /* the one that was seen last */
	uint64_t wait_since; /* it was seen first, ms */
};

/*
 * Take the mutex for a call that needs the server. 0, or -ENODEV with the mutex not taken: known
 * to be lost, also while another thread is connecting again. leave returns ret; a connection that
 * was lost meanwhile makes poll_fd readable.
 */
int user_enter(struct user *user);
int user_leave(struct user *user, int ret);

/*
 * With the mutex held: whether what the server sends makes poll_fd readable, as memory and
 * connection now are. 0 or negative errno. unwatch: nothing does any more.
 */
int user_watch(struct user *user);
void user_unwatch(struct user *user);

/* With the mutex held: there is a new connection, look after it. */
void user_found(struct user *user);

/* announce.c: transport operations, and what a new connection has to be told. */
int user_dma_map(void *device, const struct cxlvm_dma_range *range, struct cxlvm_error *err);
int user_dma_unmap(void *device, struct cxlvm_iova base, uint64_t size);
int user_irq_set(void *device, uint32_t index, uint32_t start, uint32_t count, const int *eventfds);
int user_irq_disable(void *device, uint32_t index);
int user_announce(struct user *user, struct connection *conn, struct cxlvm_error *err);

/* reconnect.c */
int user_reset(void *device);

#endif

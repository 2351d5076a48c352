/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One connection to a vfio-user server: version, messages with their answers, requests of the
 * server in between, and the end. Used by one thread at a time.
 */
#ifndef CXLVM_VFIO_USER_CONNECTION_H
#define CXLVM_VFIO_USER_CONNECTION_H

#include "vfio/user/ranges.h"
#include "vfio_user/stream.h"
#include "vfio_user/version.h"

/*
 * Data of one message, in either direction. Larger accesses are cut; the server is told that we
 * take no more.
 */
#define CONNECTION_DATA_MAX 65536u

struct connection {
	int fd; /* -1: none */
	struct vu_stream stream;
	struct vu_capabilities server;
	const struct ranges *ranges; /* what the server may reach by messages */
	unsigned int timeout_ms;
	uint64_t handshake_end; /* while it is being made: everything has to be done by then */
	uint16_t id;            /* of the last request */
	uint32_t waits;         /* in a receive for an answer: odd; atomic */
	bool overdue;           /* that one was ended; atomic */
	bool refuses_fds;       /* the kernel does not let the server send any */
	bool no_fds;            /* nor are any left that it sent before */
	bool lost;
	struct cxlvm_error why; /* it was lost */
};

/* A message and where its answer goes. */
struct call {
	uint16_t command;
	const void *head; /* the request: fixed part, then data */
	size_t head_size;
	const void *data;
	size_t data_size;
	const int *fds; /* stay the caller's */
	unsigned int n_fds;

	void *reply; /* fixed part of the answer, all of it must come */
	size_t reply_size;
	void *reply_data; /* what comes behind it, as far as there is room */
	size_t reply_room;

	size_t got; /* out: bytes behind the fixed part, also those without room */
	int fd;     /* out: the only descriptor that came, -1 for none; the caller closes it */
};

/*
 * Connect to path and agree on the version; handshake_end stays set until connection_ready. After
 * a failure nothing is left.
 */
int connection_open(struct connection *conn, const char *path, unsigned int timeout_ms,
		    const struct ranges *ranges, struct cxlvm_error *err);
/* Version, device and regions are known: no descriptor belongs to what follows. */
void connection_ready(struct connection *conn);
void connection_close(struct connection *conn);

/* Whether a wait for an answer ends by itself, or somebody looks after it who calls end_wait. */
void connection_limit(struct connection *conn, bool limited);
/* From another thread: give up a server that lets this wait (an odd conn->waits). */
void connection_end_wait(struct connection *conn, uint32_t wait);

/*
 * Send and wait. 0; the server's error; -EPROTO for an answer whose size does not fit, behind which
 * the connection goes on; -ENODEV when the connection is lost, now or before (conn->why).
 */
int connection_call(struct connection *conn, struct call *call);

/* Never to be used again: code and message say why. The first reason stays. Returns -ENODEV. */
int connection_give_up(struct connection *conn, int code, const char *what);

/* Answer what the server asked, without waiting for anything else. 0 or -ENODEV. */
int connection_service(struct connection *conn);

#endif

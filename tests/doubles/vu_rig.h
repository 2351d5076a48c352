/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A vfio-user server and a client made of raw bytes, in one thread: the server is stepped while the
 * client waits. All numbers are typed from the protocol.
 */
#ifndef TESTS_VU_RIG_H
#define TESTS_VU_RIG_H

#include <cxlvm/server.h>

#include "test.h"

#define RIG_MEMORY_SIZE ((uint64_t)256 << 20)

enum {
	RIG_VERSION = 1,
	RIG_DMA_MAP,
	RIG_DMA_UNMAP,
	RIG_GET_INFO,
	RIG_GET_REGION_INFO,
	RIG_GET_REGION_IO_FDS,
	RIG_GET_IRQ_INFO,
	RIG_SET_IRQS,
	RIG_REGION_READ,
	RIG_REGION_WRITE,
	RIG_DMA_READ,
	RIG_DMA_WRITE,
	RIG_RESET,
};

struct rig {
	char folder[32], path[64];
	struct cxlvm_server *server;
	unsigned int open_before;
	int wait; /* what the last step returned */
	int fd;   /* of the client that has the device */
	uint16_t id;
	/* What the server told. */
	unsigned int came, left, refused;
	char text[256];    /* of the last event */
	char refusal[256]; /* of the last refusal */
	/* The last answer. */
	uint8_t head[16];
	uint8_t reply[(1 << 20) + 64];
	uint32_t reply_size; /* without header */
	int reply_fds[16];
	unsigned int n_reply_fds;
};

/* A server without a client; finish checks that no descriptor is left. */
void rig_init(struct rig *rig);
/* The same, with the memory as BAR 4. */
void rig_init_exposed(struct rig *rig, bool exposed);
/* Another server in its place, with its memory in this file. */
void rig_restart(struct rig *rig, const char *memory_file);
void rig_finish(struct rig *rig);

/*
 * Step the server if it asked for it: its descriptor is readable, or the last step said so. A server
 * that waits for the wrong thing stands still here, as it would for real. false: it did not.
 */
bool rig_step(struct rig *rig);
/* Step the server until it has nothing to do. */
void rig_settle(struct rig *rig);

/* Connect, without a word; the socket. */
int rig_connect(struct rig *rig);
/* Connect as rig->fd and agree on version 0.0, with this JSON, or "" for none. */
void rig_agree(struct rig *rig, const char *json);
/* A rig with a client that agreed. */
void rig_start(struct rig *rig);
/* The client leaves. */
void rig_leave(struct rig *rig);

/* Put a header in front; size is the payload's. Returns the bytes. */
size_t rig_message(struct rig *rig, uint8_t *to, uint16_t command, uint32_t flags,
		   const void *payload, uint32_t size);
void rig_send(int fd, const void *bytes, size_t size, const int *fds, unsigned int n_fds);

/* Receive one message at fd into head and reply, stepping the server; false: there is none. */
bool rig_receive(struct rig *rig, int fd);
/* Is the connection closed by the server (now, after it was stepped)? */
bool rig_is_closed(struct rig *rig, int fd);
void rig_close_reply_fds(struct rig *rig);

/* A command and its answer, which must be one: 0 or the errno in it. */
int rig_call_fds(struct rig *rig, uint16_t command, const void *payload, uint32_t size,
		 const int *fds, unsigned int n_fds);
int rig_call(struct rig *rig, uint16_t command, const void *payload, uint32_t size);

/* Region accesses of 1 to 8 bytes: must succeed. */
uint64_t rig_read(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count);
void rig_write(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count, uint64_t value);
/* The same as calls: 0 or errno. */
int rig_try_read(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count);
int rig_try_write(struct rig *rig, uint32_t region, uint64_t offset, uint32_t count,
		  const void *data, uint32_t size);

/* DMA_MAP, DMA_UNMAP, SET_IRQS with these fields: 0 or errno. fd -1: none. */
int rig_map(struct rig *rig, uint32_t flags, uint64_t offset, uint64_t iova, uint64_t size, int fd);
int rig_unmap(struct rig *rig, uint32_t flags, uint64_t iova, uint64_t size);
int rig_set_irqs(struct rig *rig, uint32_t flags, uint32_t index, uint32_t start, uint32_t count,
		 const int *fds, unsigned int n_fds);

void rig_put(uint8_t *p, unsigned int bytes, uint64_t value);
uint64_t rig_get(const uint8_t *p, unsigned int bytes);
unsigned int rig_open_files(void);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of a vfio-user server, for the files that it consists of:
 *
 *	server.c       its life; what a step is
 *	listen.c       the socket that clients come to
 *	client.c       one client: its sockets, receiving, answering
 *	commands.c     what each command does
 *	accelerator.c  the device: registers, copy engine, memory, faults
 *	expose.c       its memory as a BAR
 *	dma.c          memory of the client
 *	irqs.c         eventfds of the client
 *	memory.c       memory in files
 *	output.c       what the client has not taken yet
 */
#ifndef CXLVM_VFIO_USER_SERVER_H
#define CXLVM_VFIO_USER_SERVER_H

#include <cxlvm/server.h>

#include "kernel_shape/shape.h"
#include "vfio_user/dma.h"
#include "vfio_user/irqs.h"
#include "vfio_user/memory.h"
#include "vfio_user/output.h"
#include "vfio_user/stream.h"
#include "vfio_user/version.h"

/* The largest count of a data message: the protocol's default, so it is not announced. */
#define SERVER_DATA_MAX   ((uint32_t)1 << 20)
#define SERVER_LIMIT      (SERVER_DATA_MAX + VU_DATA_OVERHEAD)
/* Bytes of the longest answer without data. */
#define SERVER_REPLY_MAX  512u
/* Time for which one wait inside of a receive follows another. */
#define SERVER_LINGER_MS  10u
/* So long a client has the device without a word about its version. */
#define SERVER_VERSION_MS 5000u

struct vu_channel {
	int fd; /* -1: none */
	struct vu_stream stream;
	struct vu_output output;
	uint32_t waits_for; /* what epoll was told, or is to be told */
	bool unwatched;     /* epoll does not know it: linger waits for it alone */
};

struct vu_client {
	struct vu_channel main;
	struct vu_channel twin; /* for commands of the server, if the client asked for it */
	bool agreed;            /* on a version */
	uint64_t deadline;      /* for that, of server_now */
	const char
		*leaving; /* why it is dropped as soon as the last answer is sent; NULL: it stays */
	uint64_t spent;   /* on its messages in this step */
	bool more;        /* of them are left for the next step */
	struct vu_capabilities caps;
};

struct vu_poison {
	uint64_t dpa, size;
};

struct cxlvm_server {
	struct cxlvm_server_config config;
	struct cxlvm_listener *listener;
	int epoll;
	int lock;        /* of the memory file, -1: none; clients have other descriptions of it */
	char *made_file; /* the memory file that was made here, while it may be removed again */
	struct vu_memory memory;
	struct vu_client client;
	struct vu_dma dma;
	struct vu_irqs irqs;
	struct swdev dev;
	struct swdev_bus bus;
	struct kernel_shape shape;
	uint32_t bars[PCI_BARS - 2]; /* registers of BARs 2 to 5, with the memory as one */
	struct cxlvm_server_stats stats;
	bool memory_not_ready;
	unsigned int failing_resets;
	unsigned int n_poison;
	struct vu_poison poison[CXLVM_SERVER_POISON_MAX];
};

/* A command being answered. */
struct vu_request {
	struct vu_message *message;
	uint8_t *reply; /* room for the payload of the answer */
	uint32_t reply_size;
	int reply_fd; /* to be closed when it is sent; -1: none */
};

/* server.c */
uint64_t server_now(void); /* milliseconds of the monotonic clock */
void server_event(struct cxlvm_server *server, enum cxlvm_server_event event, const char *format,
		  ...) CXLVM_PRINTF(3, 4);

/* client.c */
void vu_client_init(struct vu_client *client);
static inline bool vu_client_is_there(const struct vu_client *client)
{
	return client->main.fd >= 0;
}
/* A socket that was accepted, which belongs to the client afterwards; 0 or negative errno. */
int vu_client_open(struct cxlvm_server *server, int fd);
/*
 * One receive and what came with it; with wait, something comes or a signal. True when something
 * came.
 */
bool vu_client_step(struct cxlvm_server *server, bool wait);
/* Epoll does not wait for the main socket, and does again: its caller waits in vu_client_step. */
void vu_client_unwatch(struct cxlvm_server *server);
void vu_client_watch(struct cxlvm_server *server);
/* Milliseconds for which a client may still keep from agreeing on a version, who does not is dropped;
 * -1: nobody is waited for. */
int vu_client_patience(struct cxlvm_server *server);
/* Drop it, and all that it left, with a reason for the event. */
void vu_client_drop(struct cxlvm_server *server, const char *reason);
/* A twin socket: the end that the client gets, or a negative errno. */
int vu_client_add_twin(struct cxlvm_server *server);
/* Send the access to the client's memory that waits for it; stays waiting when there is no room. */
void vu_client_send_dma(struct cxlvm_server *server);

/* commands.c: fill in the answer. 0 or a negative errno. */
int vu_command_version(struct cxlvm_server *server, struct vu_request *request);
int vu_command_execute(struct cxlvm_server *server, struct vu_request *request);

/* accelerator.c */
int vu_accelerator_init(struct cxlvm_server *server, struct cxlvm_error *err);
/* As after power on, apart from the contents of the memory. */
void vu_accelerator_power_on(struct cxlvm_server *server);
void vu_accelerator_reset(struct cxlvm_server *server);
/* MSI-X of the device as the client wants it, after a change. */
void vu_accelerator_connect(struct cxlvm_server *server);
/* Memory_Active as the owner wants it, after a change or what may have been a reset. */
void vu_accelerator_show_ready(struct cxlvm_server *server);
/* Do a part of the copy engine's work. The answer of cxlvm_server_step. */
int vu_accelerator_step(struct cxlvm_server *server);
/* Region info as the protocol has it: at most len bytes; *needed: all of it. */
int vu_accelerator_region_info(struct cxlvm_server *server, uint32_t index, uint8_t *buf,
			       size_t len, size_t *needed);
/* A region of which memory is part can be mapped through the memory's descriptor. */
bool vu_accelerator_is_memory(const struct cxlvm_server *server, uint32_t index);
int vu_accelerator_read(struct cxlvm_server *server, uint32_t region, uint64_t offset, void *buf,
			uint32_t len);
int vu_accelerator_write(struct cxlvm_server *server, uint32_t region, uint64_t offset,
			 const void *buf, uint32_t len);

/* expose.c: used with expose_memory_bar only. */
void vu_expose_reset(struct cxlvm_server *server);
/* Bytes of config space that were read, as the client sees them; bytes that it writes. */
void vu_expose_config_read(const struct cxlvm_server *server, uint64_t offset, uint8_t *buf,
			   uint32_t len);
void vu_expose_config_write(struct cxlvm_server *server, uint64_t offset, const uint8_t *buf,
			    uint32_t len);
/* The region of the device that is behind a region of the client. */
uint32_t vu_expose_region(uint32_t region);

#endif

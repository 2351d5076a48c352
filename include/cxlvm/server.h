/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/server.h - the software CXL Type-2 device as a vfio-user server
 *
 * A server offers one device on a UNIX socket: PCI config space with the CXL DVSECs, component
 * registers, a copy engine with MSI-X, and CXL memory in a file that clients map. Any vfio-user
 * client can use the PCI part; the CXL memory and the kernel's register region are regions 9 and
 * above, found by their type capability, in the shape that kernels of generation 5 give them.
 *
 * Clients come one after another, and each finds the device as after power on, apart from the
 * contents of its memory, which stay as on a real device. A second one at the same time is
 * refused, and one that does not agree on a version within 5 s is dropped. No client can end the
 * server, make it grow or make it wait: all it owns is bounded, and nothing here blocks (but for
 * cxlvm_server_linger, which says so). One thing is not in its hands: closing a descriptor that came
 * from a client may wait for who serves that file, where the client has one of a FUSE or network file
 * system that hangs. It is asked nothing else, and used for nothing.
 *
 * A process that has a limit on the size of files (RLIMIT_FSIZE) should ignore SIGXFSZ: a memory file
 * above it is -EFBIG then.
 *
 * A server belongs to one thread. It has no thread of its own and no global state; its owner waits
 * for the file descriptor and calls cxlvm_server_step:
 *
 *	for (;;) {
 *		struct pollfd pfd = { .fd = cxlvm_server_fd(server), .events = POLLIN };
 *		int ms = cxlvm_server_step(server);
 *
 *		if (ms)
 *			poll(&pfd, 1, ms);
 *	}
 *
 * Source: the vfio-user protocol, version 0; contract: VU-3, VU-4.
 */
#ifndef CXLVM_SERVER_H
#define CXLVM_SERVER_H

#include <cxlvm/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A UNIX socket that listens: made with permissions 0600; what a dead process left at path is
 * replaced, anything else that exists there is refused. Errors: -ENAMETOOLONG, -EINVAL (empty path,
 * no socket), -EADDRINUSE when somebody is listening there, -EBUSY when another process keeps the
 * folder locked (flock) for a second, and what the system calls gave. destroy removes the file if it
 * is still the one that was made; takes NULL.
 */
struct cxlvm_listener;

CXLVM_PUBLIC int cxlvm_listener_create(const char *path, struct cxlvm_listener **out,
				       struct cxlvm_error *err);
CXLVM_PUBLIC void cxlvm_listener_destroy(struct cxlvm_listener *listener);

/* Readable when somebody waits to be accepted. The listener's. */
CXLVM_PUBLIC int cxlvm_listener_fd(const struct cxlvm_listener *listener);

/* The socket of who waits, not blocking, the caller's; -EAGAIN: nobody. */
CXLVM_PUBLIC int cxlvm_listener_accept(const struct cxlvm_listener *listener);

struct cxlvm_server;

/* What a server tells its owner. */
enum cxlvm_server_event {
	CXLVM_SERVER_CLIENT_CAME,    /* it agreed on a version */
	CXLVM_SERVER_CLIENT_LEFT,    /* or was dropped; the text says why */
	CXLVM_SERVER_CLIENT_REFUSED, /* the device is in use, or the version is another */
	CXLVM_SERVER_DEVICE_RESET,
	CXLVM_SERVER_MEMORY_MENDED, /* the memory file was cut by somebody, and has its size again */
};

/* A message that was received or sent, for a trace. */
struct cxlvm_server_message {
	bool sent;
	bool reply;
	uint16_t id;
	uint16_t command;
	const char *name;         /* of the command; NULL when it is none */
	uint32_t size;            /* bytes, with header */
	int error;                /* 0 or positive errno, of a reply */
	unsigned int descriptors; /* that came or went with it */
};

struct cxlvm_server_config {
	size_t size;             /* sizeof(struct cxlvm_server_config) */
	const char *socket_path; /* where to listen, as cxlvm_listener_create does */
	uint64_t memory_size;    /* bytes of CXL memory, multiple of 256 MiB, not 0 */
	/*
	 * File that holds the memory: made if missing (and then removed when the server cannot be
	 * created); must be at least memory_size long. All its blocks are allocated here, as a
	 * client that maps a file on a full file system would be killed later. A client can cut it:
	 * before the next one gets the device it is given its size and blocks back
	 * (CXLVM_SERVER_MEMORY_MENDED). Locked (flock) while the server lives: -EBUSY when another
	 * process has done so. NULL: memory of its own, which clients cannot shrink.
	 */
	const char *memory_file;
	uint64_t serial; /* PCI device serial number */
	/*
	 * The memory is BAR 4 as well, for clients that cannot route a CXL fixed memory window;
	 * MSI-X is in BAR 3 then. memory_size must be a power of two.
	 */
	bool expose_memory_bar;
	/*
	 * Optional. Called from within cxlvm_server_step, on its thread; texts are valid during the
	 * call and hold what a client sent only as numbers.
	 */
	void *owner;
	void (*event)(void *owner, enum cxlvm_server_event event, const char *text);
	void (*trace)(void *owner, const struct cxlvm_server_message *message);
};

/*
 * Create a server that listens. Errors: those of cxlvm_listener_create, -EINVAL (configuration,
 * memory file that is too small), -ENOSPC, -ENOMEM and what the system calls gave. destroy drops
 * the client and removes the socket; takes NULL.
 */
CXLVM_PUBLIC int cxlvm_server_create(const struct cxlvm_server_config *config,
				     struct cxlvm_server **out, struct cxlvm_error *err);
CXLVM_PUBLIC void cxlvm_server_destroy(struct cxlvm_server *server);

/* Readable when a step has something to do. The server's; only for poll and the like. */
CXLVM_PUBLIC int cxlvm_server_fd(const struct cxlvm_server *server);

/*
 * Do a bounded part of what there is to do: accept, messages of one receive, a part of the copy
 * engine's work. Returns when it wants to be called again even if the descriptor is not readable:
 * 0 at once, more: milliseconds, -1: never.
 */
CXLVM_PUBLIC int cxlvm_server_step(struct cxlvm_server *server);

/*
 * The same for an owner that has a thread for the server: goes on for 10 ms while messages of the
 * client follow each other, waiting for each inside of the receive. That saves the wait for the
 * descriptor, more than a quarter of what a register access costs. To be called when the descriptor is
 * readable. Returns as a step does.
 *
 * A receive ends with a message, with the client, or with a signal of the thread, and with nothing
 * else: a time limit of the socket's would cost each message as much as a twentieth of its way. So the
 * owner has a timer running meanwhile (setitimer or timer_create), with a handler that was installed
 * without SA_RESTART and a period that is as long as what else it serves may wait. It has to fire more
 * than once: a signal just before the wait is missed.
 */
CXLVM_PUBLIC int cxlvm_server_linger(struct cxlvm_server *server);

/* Counters since the start of the server, and its state. */
struct cxlvm_server_stats {
	uint64_t clients;  /* that agreed on a version */
	uint64_t refused;  /* clients that did not get the device */
	uint64_t messages; /* received */
	uint64_t errors;   /* messages answered with an error */
	uint64_t resets;
	uint64_t interrupts;            /* signalled */
	uint64_t dma_read, dma_written; /* bytes, by the copy engine */
	uint64_t dma_failed;            /* accesses */
	uint64_t dma_messages;          /* sent for memory that came without a descriptor */
	bool connected;                 /* a client has the device */
	unsigned int dma_ranges;        /* that it has mapped now */
	unsigned int poisoned;          /* ranges */
};

/* Copy them, as size bytes (sizeof(*stats) as the caller knows it). */
CXLVM_PUBLIC void cxlvm_server_get_stats(const struct cxlvm_server *server,
					 struct cxlvm_server_stats *stats, size_t size);

#define CXLVM_SERVER_POISON_MAX 64 /* ranges */

/*
 * Faults for testing the error handling of clients and drivers. They last until taken back, over
 * clients and resets.
 *
 * poison: reads of a range of device memory by message or by the copy engine fail, until the range
 * is taken away or written; size 0 takes all away. What a client has mapped it reads on: poison is
 * for memory behind a bus. -EINVAL when it is not inside device memory or wraps, -ENOSPC;
 * -ENOENT when the range that is taken away is none that was poisoned.
 *
 * memory_ready false: the CXL Device DVSEC says that memory is not active, and accesses to it by
 * message or by the copy engine fail.
 *
 * fail_resets: that many reset messages are answered with EIO and do nothing.
 */
CXLVM_PUBLIC int cxlvm_server_poison(struct cxlvm_server *server, struct cxlvm_dpa dpa,
				     uint64_t size, bool on);
CXLVM_PUBLIC void cxlvm_server_memory_ready(struct cxlvm_server *server, bool ready);
CXLVM_PUBLIC void cxlvm_server_fail_resets(struct cxlvm_server *server, unsigned int count);

#ifdef __cplusplus
}
#endif

#endif

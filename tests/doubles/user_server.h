/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scripted vfio-user server on a thread of its own: behind it is a sim of generation 5, in front
 * of it a protocol typed by hand from the reference, and rules that make it nasty. It reads each
 * message exactly, so that what it sees is what was sent.
 */
#ifndef TESTS_USER_SERVER_H
#define TESTS_USER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cxlvm/vfio.h>

/* Commands. */
enum {
	US_VERSION = 1,
	US_DMA_MAP = 2,
	US_DMA_UNMAP = 3,
	US_GET_INFO = 4,
	US_REGION_INFO = 5,
	US_IRQ_INFO = 7,
	US_SET_IRQS = 8,
	US_READ = 9,
	US_WRITE = 10,
	US_DMA_READ = 11,
	US_DMA_WRITE = 12,
	US_RESET = 13,
};

enum us_action {
	US_ERROR = 1, /* a: errno */
	US_SILENT,    /* no answer, stay connected */
	US_CLOSE,     /* no answer, close */
	US_SIZE,      /* a: bytes more (or less) of payload, header says so */
	US_HEADER,    /* a: offset in the header, b: bytes, c: value */
	US_PAYLOAD,   /* a: offset in the payload, b: bytes, c: value */
	US_CUT,       /* a: bytes of the answer that go out before the end */
	US_BYTEWISE,  /* every byte in a send of its own; a: microseconds between them */
	US_FDS,       /* a: number of descriptors more, of an empty file */
	US_FD,        /* a: descriptor to send instead; -1 none */
	US_ASK,       /* bytes, a of them, go out first; and wait for b replies of the client,
		       * c milliseconds before each is read */
	US_DELAY,     /* a: milliseconds */
};

/*
 * Applies to the nth message (from 1; 0: each one) of a command (0: any) since the rule was made.
 */
struct us_rule {
	unsigned int command;
	unsigned int nth;
	enum us_action action;
	int64_t a, b;
	uint64_t c;
	const uint8_t *bytes;
	unsigned int count; /* messages of this command so far */
};

#define US_RULES_MAX  16
#define US_SEEN_MAX   4096
#define US_SEEN_BYTES 96
#define US_VECTORS    4

/* A message that came. */
struct us_message {
	uint16_t id, command;
	uint32_t size, flags, error;
	uint8_t payload[US_SEEN_BYTES];
	unsigned int n_fds;
	int fd; /* the first, ours until the end; -1 */
};

struct user_server {
	char path[64];
	uint64_t memory_size;
	uint32_t vectors;         /* of MSI-X */
	const char *version_json; /* NULL: none */
	uint16_t version_minor;
	bool keep_cxl_flag; /* in device info: else it is left out, as stock clients want it */

	struct cxlvm_transport sim;
	int memory_fd;
	int listen_fd, wake[2];
	pthread_t thread;
	bool running;

	pthread_mutex_t mutex; /* all below */
	pthread_cond_t changed;
	int client;
	unsigned int connections;
	struct us_rule rules[US_RULES_MAX];
	unsigned int n_rules;
	struct us_message seen[US_SEEN_MAX];
	unsigned int n_seen;
	int eventfds[US_VECTORS];
};

/* Defaults: 256 MiB, 4 vectors, a path below the temporary folder. Not running. */
void user_server_init(struct user_server *server);
/* With memory, device and listening socket anew. */
void user_server_start(struct user_server *server);
/* As if killed: sockets closed, thread gone, path left behind. */
void user_server_kill(struct user_server *server);
/* Killed, and nothing left. */
void user_server_finish(struct user_server *server);

void user_server_rule(struct user_server *server, const struct us_rule *rule);
void user_server_no_rules(struct user_server *server);

/* Send bytes to the client now. */
void user_server_push(struct user_server *server, const void *bytes, size_t n);
/* Wait for n replies of the client in all; the last one. */
struct us_message user_server_reply(struct user_server *server, unsigned int n);
/* Fire a vector: is an eventfd connected to it? */
bool user_server_trigger(struct user_server *server, unsigned int vector);
/* Start the log anew: it is bounded. */
void user_server_forget(struct user_server *server);
/* Commands of this kind (0: any) so far, and the nth of them (from 0). */
unsigned int user_server_count(struct user_server *server, unsigned int command);
struct us_message user_server_seen(struct user_server *server, unsigned int command,
				   unsigned int nth);

#endif

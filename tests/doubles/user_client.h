/* SPDX-License-Identifier: BSD-3-Clause */
/* A scripted server and the client under test, for the programs that test the vfio-user transport. */
#ifndef TESTS_USER_CLIENT_H
#define TESTS_USER_CLIENT_H

#include "test.h"
#include "user_server.h"

/* Short, so that a server that says nothing costs little; a slow machine is slow below it. */
#define CLIENT_TIMEOUT_MS 400

struct client {
	struct user_server server;
	struct cxlvm_transport transport;
	bool opened;
	int fds; /* open before there was a client */
};

/* cmocka's setup and teardown: *state is the struct client, its server runs. */
int client_setup(void **state);
int client_teardown(void **state);

int client_open(struct client *client, struct cxlvm_error *err);
/* Fails the test unless it opens. */
void client_open_well(struct client *client);
void client_close(struct client *client);
/* Nothing is left of a client in this process, as soon as the server has noticed. */
void client_assert_nothing_left(struct client *client);

/* The nth message of a command (0: any) meets action. */
void client_rule(struct client *client, unsigned int command, unsigned int nth,
		 enum us_action action, int64_t a, int64_t b, uint64_t c);

int client_read(struct client *client, uint32_t region, uint64_t offset, void *buf, size_t len);
/* Vendor and device id, as the sim has them: does a read come through? */
bool client_works(struct client *client);
bool client_is_lost(struct client *client);

/* Region index of the device memory, by its type. */
uint32_t client_memory_region(struct client *client);

/*
 * Which question for region info of a connection, counted from 1, gets the complete answer for this
 * region. Of a client that was open before.
 */
unsigned int client_question_of(struct client *client, uint32_t index);

int open_fds(void);

#endif

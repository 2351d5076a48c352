/* SPDX-License-Identifier: BSD-3-Clause */
#include "user_client.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "fake.h"

int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

int client_setup(void **state)
{
	struct client *client = calloc(1, sizeof(*client));

	assert_non_null(client);
	user_server_init(&client->server);
	user_server_start(&client->server);
	client->fds = open_fds();
	*state = client;
	return 0;
}

int client_teardown(void **state)
{
	struct client *client = *state;

	client_close(client);
	user_server_finish(&client->server);
	free(client);
	return 0;
}

int client_open(struct client *client, struct cxlvm_error *err)
{
	struct cxlvm_user_config config = {
		.size = sizeof(config),
		.path = client->server.path,
		.timeout_ms = CLIENT_TIMEOUT_MS,
	};
	int ret;

	assert_false(client->opened);
	ret = cxlvm_user_open(&config, &client->transport, err);
	client->opened = !ret;
	return ret;
}

void client_open_well(struct client *client)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	if (client_open(client, &err))
		fail_msg("%s", err.message);
}

void client_close(struct client *client)
{
	if (client->opened)
		client->transport.transport->close(client->transport.device);
	client->opened = false;
}

void client_assert_nothing_left(struct client *client)
{
	int n;

	assert_false(client->opened);
	for (unsigned int i = 0; i < 2000; i++) {
		n = open_fds();
		if (n == client->fds)
			return;
		usleep(1000);
	}
	assert_int_equal(n, client->fds);
}

void client_rule(struct client *client, unsigned int command, unsigned int nth,
		 enum us_action action, int64_t a, int64_t b, uint64_t c)
{
	user_server_rule(
		&client->server,
		&(struct us_rule){
			.command = command, .nth = nth, .action = action, .a = a, .b = b, .c = c });
}

int client_read(struct client *client, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	return client->transport.ops->read(client->transport.device, region, offset, buf, len);
}

bool client_works(struct client *client)
{
	uint8_t here[4] = { 0 }, there[4] = { 1 };

	if (client_read(client, 7, 0, here, 4))
		return false;
	client->server.sim.ops->read(client->server.sim.device, 7, 0, there, 4);
	return !memcmp(here, there, 4);
}

bool client_is_lost(struct client *client)
{
	uint8_t byte;

	return client_read(client, 7, 0, &byte, 1) == -ENODEV &&
	       !client->transport.ops->usable(client->transport.device);
}

uint32_t client_memory_region(struct client *client)
{
	for (uint32_t index = 9; index < 32; index++) {
		uint8_t bytes[256] = { 0 };
		size_t needed = 0;

		if (client->transport.ops->region_info(client->transport.device, index, bytes,
						       sizeof(bytes), &needed))
			break;
		for (uint64_t at = fake_get(bytes + 12, 4); at; at = fake_get(bytes + at + 4, 4))
			if (fake_get(bytes + at, 2) == 2 &&
			    fake_get(bytes + at + 8, 8) == 0x180001e98)
				return index;
	}
	fail_msg("no device memory");
	return 0;
}

unsigned int client_question_of(struct client *client, uint32_t index)
{
	unsigned int last = 0;

	for (unsigned int i = 0; i < user_server_count(&client->server, US_REGION_INFO); i++)
		if (fake_get(user_server_seen(&client->server, US_REGION_INFO, i).payload + 8, 4) ==
		    index)
			last = i + 1;
	return last;
}

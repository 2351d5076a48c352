/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client whose host has a thread for poll_fd and service: the end of a server is noticed without
 * a call, and calls end that have no time limit of their own.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "user_client.h"

struct host {
	struct client *client;
	atomic_bool stop;
	unsigned int woken;
	int said; /* by service, last */
	pthread_t thread;
};

static const struct cxlvm_transport_ops *ops(struct client *client)
{
	return client->transport.transport;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_readable(struct client *client, int ms)
{
	struct pollfd poll_fd = { .fd = ops(client)->poll_fd(client->transport.device),
				  .events = POLLIN };

	return poll(&poll_fd, 1, ms) == 1;
}

static void *serve(void *opaque)
{
	struct host *host = opaque;

	while (!host->stop) {
		if (!is_readable(host->client, 10))
			continue;
		host->woken++;
		host->said = ops(host->client)->service(host->client->transport.device);
	}
	return NULL;
}

static void start_polling(struct host *host, struct client *client)
{
	*host = (struct host){ .client = client };
	assert_int_equal(pthread_create(&host->thread, NULL, serve, host), 0);
	ops(client)->polled(client->transport.device, true);
}

static void stop_polling(struct host *host)
{
	ops(host->client)->polled(host->client->transport.device, false);
	host->stop = true;
	pthread_join(host->thread, NULL);
}

/* How long a read takes that the server does not answer. */
static uint64_t silent_read(struct client *client)
{
	uint64_t start = now_ms();
	uint8_t bytes[4];

	client_rule(client, US_READ, 1, US_SILENT, 0, 0, 0);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	user_server_no_rules(&client->server);
	assert_true(client_is_lost(client));
	return now_ms() - start;
}

/* Nobody makes a call; who only polls is told, once, and not kept busy before or after. */
static void vu6_the_end_of_a_server_is_noticed_without_a_call(void **state)
{
	struct client *client = *state;
	unsigned int idle = 0;
	uint64_t start;

	client_open_well(client);
	start = now_ms();
	while (now_ms() - start < 1000)
		if (is_readable(client, 100)) {
			idle++;
			assert_int_equal(ops(client)->service(client->transport.device), 0);
		}
	assert_in_range(idle, 1, 10);
	user_server_kill(&client->server);
	start = now_ms();
	while (is_readable(client, 5000) &&
	       ops(client)->service(client->transport.device) != -ENODEV)
		;
	/* Half a second, on a machine that has nothing else to do. */
	assert_true(now_ms() - start < 5000);
	assert_true(client_is_lost(client));
	assert_false(is_readable(client, 700));
}

/* What a call noticed is told at once. */
static void vu6_a_loss_in_a_call_is_told_at_once(void **state)
{
	struct client *client = *state;
	uint8_t bytes[4];

	client_open_well(client);
	/* the last look was just now */
	assert_true(is_readable(client, 5000));
	assert_int_equal(ops(client)->service(client->transport.device), 0);
	client_rule(client, US_READ, 1, US_CLOSE, 0, 0, 0);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	assert_true(is_readable(client, 100));
	assert_int_equal(ops(client)->service(client->transport.device), -ENODEV);
	assert_false(is_readable(client, 0));
}

/* service ends a call that has no limit, and neither a slow one nor the calls of a new connection. */
static void client6_a_polled_call_is_ended_by_service(void **state)
{
	struct client *client = *state;
	struct cxlvm_error why = CXLVM_ERROR_INIT;
	struct host host;

	client_open_well(client);
	start_polling(&host, client);
	for (unsigned int i = 0; i < 6; i++) {
		client_rule(client, US_READ, 1, US_DELAY, CLIENT_TIMEOUT_MS / 4, 0, 0);
		assert_true(client_works(client));
		user_server_no_rules(&client->server);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_in_range(silent_read(client), CLIENT_TIMEOUT_MS - 10,
				10 * CLIENT_TIMEOUT_MS);
		client->transport.ops->why_unusable(client->transport.device, &why);
		assert_int_equal(why.code, -ETIMEDOUT);
		assert_non_null(strstr(why.message, "does not answer"));
		assert_int_equal(ops(client)->reset(client->transport.device), 0);
		assert_true(client_works(client));
	}
	stop_polling(&host);
	assert_true(host.woken < 1000);
	/* and by itself when nobody polls any more */
	assert_in_range(silent_read(client), CLIENT_TIMEOUT_MS - 10, 10 * CLIENT_TIMEOUT_MS);
}

/* Without service a polled call would go on: the limit is not the socket's. */
static void client6_a_polled_call_has_no_limit_of_its_own(void **state)
{
	struct client *client = *state;

	client_open_well(client);
	ops(client)->polled(client->transport.device, true);
	client_rule(client, US_READ, 1, US_DELAY, 2 * CLIENT_TIMEOUT_MS, 0, 0);
	assert_true(client_works(client));
}

static void polled_devices_can_be_lost(void **state)
{
	struct client *client = *state;

	client_open_well(client);
	(void)silent_read(client);
	ops(client)->polled(client->transport.device, true);
	ops(client)->polled(client->transport.device, false);
	assert_true(client_is_lost(client));
}

#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(vu6_the_end_of_a_server_is_noticed_without_a_call),
		CLIENT_TEST(vu6_a_loss_in_a_call_is_told_at_once),
		CLIENT_TEST(client6_a_polled_call_is_ended_by_service),
		CLIENT_TEST(client6_a_polled_call_has_no_limit_of_its_own),
		CLIENT_TEST(polled_devices_can_be_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

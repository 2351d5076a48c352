/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The vfio-user transport against a scripted server: version, framing, what is believed of the
 * device's shape. The numbers in the tests' names are those of the protocol notes' client list.
 */
#include <cxlvm/vfio.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "user_client.h"

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Opening fails with this error, a message and nothing left; then it works without the rules. */
static void assert_refused(struct client *client, int code, const char *says)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int ret = client_open(client, &err);

	if (ret != code || err.code != code)
		fail_msg("%d (%s), not %d", ret, err.message, code);
	if (!strstr(err.message, says) || !strstr(err.message, client->server.path))
		fail_msg("'%s' does not say '%s'", err.message, says);
	user_server_no_rules(&client->server);
	client_assert_nothing_left(client);
	client_open_well(client);
	assert_true(client_works(client));
	client_close(client);
}

/* What is configured wrong is refused before anything is sent. */
static void client_bad_configuration_is_refused(void **state)
{
	struct client *client = *state;
	struct cxlvm_transport transport;
	char path[200];
	struct cxlvm_user_config config = { .size = sizeof(config), .path = path };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	memset(path, 'x', sizeof(path) - 1);
	path[199] = '\0';
	assert_int_equal(cxlvm_user_open(&config, &transport, &err), -EINVAL);
	assert_non_null(strstr(err.message, "199"));
	assert_non_null(strstr(err.message, "107"));
	assert_true(err.hint[0]);
	path[0] = '\0';
	assert_int_equal(cxlvm_user_open(&config, &transport, NULL), -EINVAL);
	config.path = NULL;
	assert_int_equal(cxlvm_user_open(&config, &transport, NULL), -EINVAL);
	config.path = client->server.path;
	config.timeout_ms = 600001;
	assert_int_equal(cxlvm_user_open(&config, &transport, NULL), -EINVAL);
	config.timeout_ms = 0;
	config.size = 8;
	assert_int_equal(cxlvm_user_open(&config, &transport, NULL), -EINVAL);
	assert_int_equal(client->server.connections, 0);
}

static void client_no_server_is_named_with_a_hint(void **state)
{
	struct client *client = *state;
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	user_server_kill(&client->server);
	assert_int_equal(client_open(client, &err), -ECONNREFUSED);
	assert_non_null(strstr(err.message, client->server.path));
	assert_non_null(strstr(err.hint, "cxlvm device --socket"));
	unlink(client->server.path);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(client_open(client, &err), -ENOENT);
	assert_non_null(strstr(err.message, client->server.path));
}

/* The bytes of the first message, typed from the reference. */
static void client1_proposes_version_0(void **state)
{
	struct client *client = *state;
	struct us_message message;

	client_open_well(client);
	message = user_server_seen(&client->server, US_VERSION, 0);
	assert_int_equal(message.flags, 0);
	assert_int_equal(message.error, 0);
	assert_int_equal(message.n_fds, 0);
	assert_int_equal(fake_get(message.payload, 2), 0);
	assert_true(message.size <= 214);
	assert_int_equal(message.payload[message.size - 17], 0);
	assert_non_null(strstr((char *)message.payload + 4, "\"max_data_xfer_size\":65536"));
}

static void client1_other_versions_are_refused(void **state)
{
	struct client *client = *state;

	struct cxlvm_error err = CXLVM_ERROR_INIT;

	client_rule(client, US_VERSION, 0, US_PAYLOAD, 0, 2, 1);
	assert_int_equal(client_open(client, &err), -EPROTONOSUPPORT);
	assert_non_null(strstr(err.message, "version 1.0 of the protocol, not 0.0"));
	assert_non_null(strstr(err.hint, "use a server of version 0.x"));
	assert_refused(client, -EPROTONOSUPPORT, "version 1.0");
	client_rule(client, US_VERSION, 0, US_PAYLOAD, 2, 2, 1);
	assert_refused(client, -EPROTONOSUPPORT, "version 0.1");
	client_rule(client, US_VERSION, 0, US_ERROR, EINVAL, 0, 0);
	assert_refused(client, -EINVAL, "on version 0.0: the server refuses it");
	client_rule(client, US_VERSION, 0, US_ERROR, EINVAL, 0, 0);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(client_open(client, &err), -EINVAL);
	assert_non_null(strstr(err.hint, "use a server of version 0.x"));
}

/* What to do, for each way in which the first message can end. */
static void client1_each_refusal_has_its_hint(void **state)
{
	static const struct {
		enum us_action action;
		int64_t a, b;
		uint64_t c;
		const char *hint;
	} cases[] = {
		{ US_CLOSE, 0, 0, 0, "another client" },
		{ US_SILENT, 0, 0, 0, "another client" },
		{ US_ERROR, EINVAL, 0, 0, "version 0" },
		{ US_PAYLOAD, 0, 2, 1, "version 0" },
		{ US_HEADER, 4, 4, 7, "socket of a vfio-user server" },
	};
	struct client *client = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		user_server_no_rules(&client->server);
		client_rule(client, US_VERSION, 0, cases[i].action, cases[i].a, cases[i].b,
			    cases[i].c);
		assert_true(client_open(client, &err) < 0);
		if (!strstr(err.hint, cases[i].hint))
			fail_msg("case %zu: '%s' does not say '%s'", i, err.hint, cases[i].hint);
	}
}

/* Capabilities that cannot be, and text that is none. */
static void client1_bad_version_text_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{",
		"[]",
		"{\"capabilities\":{\"max_data_xfer_size\":0}}",
		"{\"capabilities\":{\"pgsizes\":0}}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
		"{\"capabilities\":{\"max_msg_fds\":99999999999999999999999}}",
		"{\"capabilities\":{\"twin_socket\":{\"supported\":true,\"fd_index\":0}}}",
		"{\"capabilities\":{}}x",
	};
	struct client *client = *state;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		client->server.version_json = texts[i];
		if (client_open(client, &err) != -EPROTO)
			fail_msg("'%s' was taken", texts[i]);
		assert_true(err.message[0]);
		client_assert_nothing_left(client);
	}
}

/* Without text each limit is the protocol's default: one descriptor in a message. */
static void client1_no_text_means_defaults(void **state)
{
	struct client *client = *state;
	int fds[3];

	client->server.version_json = NULL;
	client_open_well(client);
	for (unsigned int i = 0; i < 3; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(
		client->transport.transport->irq_set(client->transport.device, 2, 0, 3, fds), 0);
	assert_int_equal(user_server_count(&client->server, US_SET_IRQS), 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(user_server_seen(&client->server, US_SET_IRQS, i).n_fds, 1);
		close(fds[i]);
	}
}

/* Longer or shorter than it should be, but framed: this answer is dropped, the next is good. */
static void client2_replies_of_a_wrong_length_keep_the_framing(void **state)
{
	static const int64_t more[] = { -16, -17 + 16, -4, 1, 100, 60000 };
	struct client *client = *state;
	uint8_t bytes[4];

	client_open_well(client);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		user_server_no_rules(&client->server);
		client_rule(client, US_READ, 1, US_SIZE, more[i], 0, 0);
		memset(bytes, 0xee, sizeof(bytes));
		assert_true(client_read(client, 7, 0, bytes, 4) < 0);
		assert_true(client_works(client));
	}
	/* larger than any message may be: nothing behind it can be found */
	client_rule(client, US_READ, 1, US_SIZE, 70000, 0, 0);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	assert_true(client_is_lost(client));
}

static void client3_replies_are_matched(void **state)
{
	static const struct {
		int64_t at, bytes;
		uint64_t value;
	} bad[] = {
		{ 0, 2, 0xfffe },
		{ 2, 2, 10 },
		{ 2, 2, 0 },
		{ 2, 2, 77 },
	};
	struct client *client = *state;
	uint8_t byte;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		user_server_no_rules(&client->server);
		client_open_well(client);
		client_rule(client, US_READ, 1, US_HEADER, bad[i].at, bad[i].bytes, bad[i].value);
		assert_int_equal(client_read(client, 7, 0, &byte, 1), -ENODEV);
		assert_true(client_is_lost(client));
		client_close(client);
	}
}

static void client3_unsolicited_replies_end_the_connection(void **state)
{
	static const uint8_t reply[16] = { 5, 0, 9, 0, 16, 0, 0, 0, 1 };
	struct client *client = *state;
	int ret = 0;

	client_open_well(client);
	user_server_push(&client->server, reply, sizeof(reply));
	for (unsigned int i = 0; i < 1000 && !ret; i++) {
		ret = client->transport.transport->service(client->transport.device);
		usleep(1000);
	}
	assert_int_equal(ret, -ENODEV);
	assert_true(client_is_lost(client));
}

static bool old_kernel;

/* Of the C library: the kernel before 6.16. */
int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
	if (old_kernel && level == SOL_SOCKET && option == 83) {
		errno = ENOPROTOOPT;
		return -1;
	}
	return (int)syscall(SYS_setsockopt, fd, level, option, value, size);
}

/* Where the kernel can, it lets a server send none once the device is open: it is lost with them. */
static void client3_descriptors_are_refused_by_the_kernel(void **state)
{
	struct client *client = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1, ret, before;
	bool can = !setsockopt(fd, SOL_SOCKET, 83, &one, sizeof(one));
	uint8_t byte;

	close(fd);
	client_open_well(client);
	before = open_fds();
	client_rule(client, US_READ, 1, US_FDS, 1, 0, 0);
	ret = client_read(client, 7, 0, &byte, 1);
	assert_int_equal(ret, can ? -ENODEV : -EPROTO);
	assert_in_range(open_fds(), before - 1, before);
	if (!can)
		print_message("the kernel cannot\n");
}

/* Descriptors where none belong are closed, however many. */
static void client3_unexpected_descriptors_are_closed(void **state)
{
	static const int64_t numbers[] = { 1, 2, 8, 16, 17, 40, 253 };
	struct client *client = *state;
	uint8_t byte;
	int before;

	old_kernel = true;
	client_open_well(client);
	assert_true(client_works(client));
	before = open_fds();
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		user_server_no_rules(&client->server);
		client_rule(client, US_READ, 1, US_FDS, numbers[i], 0, 0);
		assert_int_equal(client_read(client, 7, 0, &byte, 1), -EPROTO);
		assert_true(client_works(client));
		assert_int_equal(open_fds(), before);
	}
	client_close(client);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		client_rule(client, US_VERSION, 1, US_FDS, numbers[i], 0, 0);
		assert_refused(client, -EPROTO, "version");
	}
	client_rule(client, US_REGION_INFO, 1, US_FDS, 2, 0, 0);
	assert_refused(client, -EPROTO, "region 0");
	old_kernel = false;
}

/* Sizes that no header may have, and types that are none: nothing can follow. */
static void client_hostile_headers_end_the_connection(void **state)
{
	static const uint64_t sizes[] = { 0, 8, 15, 1u << 31, UINT32_MAX };
	struct client *client = *state;
	uint8_t byte;

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes) + 14; i++) {
		bool type = i >= ARRAY_SIZE(sizes);

		user_server_no_rules(&client->server);
		client_open_well(client);
		client_rule(client, US_READ, 1, US_HEADER, type ? 8 : 4, 4,
			    type ? i - ARRAY_SIZE(sizes) + 2 : sizes[i]);
		assert_int_equal(client_read(client, 7, 0, &byte, 1), -ENODEV);
		assert_true(client_is_lost(client));
		client_close(client);
		client_assert_nothing_left(client);
	}
}

/* A header alone where more belongs: an answer that is too short. Undefined flags: ignored. */
static void client_odd_headers_are_tolerated(void **state)
{
	struct client *client = *state;
	uint8_t bytes[4];

	client_open_well(client);
	client_rule(client, US_READ, 1, US_HEADER, 8, 4, 0xffffffc1);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), 0);
	client_rule(client, US_READ, 1, US_ERROR, 0, 0, 0);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -EIO);
	user_server_no_rules(&client->server);
	client_rule(client, US_READ, 1, US_ERROR, 0x80000000, 0, 0);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -EIO);
	user_server_no_rules(&client->server);
	client_rule(client, US_READ, 1, US_ERROR, EPERM, 0, 0);
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -EPERM);
	assert_true(client_works(client));
}

/* An answer about another place is none. */
static void client_answers_repeat_the_question(void **state)
{
	static const int64_t fields[][2] = { { 0, 8 }, { 8, 4 }, { 12, 4 } };
	struct client *client = *state;
	uint8_t bytes[4];

	client_open_well(client);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		user_server_no_rules(&client->server);
		client_rule(client, US_READ, 1, US_PAYLOAD, fields[i][0], fields[i][1], 0x12);
		client_rule(client, US_WRITE, 1, US_PAYLOAD, fields[i][0], fields[i][1], 0x12);
		assert_int_equal(client_read(client, 7, 0, bytes, 4), -EIO);
		assert_int_equal(
			client->transport.ops->write(client->transport.device, 7, 0x3c, bytes, 1),
			-EIO);
		assert_true(client_works(client));
	}
}

/* Each number of the device info and of the first regions that cannot be (VU-5). */
static void client4_bad_numbers_are_refused(void **state)
{
	static const struct {
		unsigned int command, nth;
		int64_t at, bytes;
		uint64_t value;
		const char *says;
	} bad[] = {
		{ US_GET_INFO, 1, 8, 4, 7, "7 regions" },
		{ US_GET_INFO, 1, 8, 4, 101, "101 regions" },
		{ US_GET_INFO, 1, 8, 4, UINT32_MAX, "regions" },
		{ US_GET_INFO, 1, 12, 4, 51, "51 interrupt types" },
		{ US_GET_INFO, 1, 4, 4, 1, "not those of a PCI device" },
		/* the first question for region 0 is answered with the size that is needed */
		{ US_REGION_INFO, 1, 0, 4, 31, "region 0" },
		{ US_REGION_INFO, 1, 0, 4, 5000, "5000" },
		{ US_REGION_INFO, 1, 0, 4, UINT32_MAX, "region 0" },
		{ US_REGION_INFO, 2, 0, 4, 2000, "region 0" },
		{ US_REGION_INFO, 2, 8, 4, 3, "region 3" },
		{ US_REGION_INFO, 2, 16, 8, 0x10001, "power of two" },
		{ US_REGION_INFO, 2, 16, 8, 1ull << 63, "power of two" },
		{ US_REGION_INFO, 2, 12, 4, 4000, "capability" },
		{ US_REGION_INFO, 2, 12, 4, 31, "capability" },
		{ US_REGION_INFO, 2, 36, 4, 32, "capability" },
		{ US_IRQ_INFO, 3, 12, 4, 2049, "2049" },
		{ US_IRQ_INFO, 3, 8, 4, 1, "type 1" },
	};
	struct client *client = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		client_rule(client, bad[i].command, bad[i].nth, US_PAYLOAD, bad[i].at, bad[i].bytes,
			    bad[i].value);
		assert_refused(client, -EPROTO, bad[i].says);
	}
}

static void client4_answers_of_a_wrong_size_are_refused(void **state)
{
	static const unsigned int commands[] = { US_GET_INFO, US_REGION_INFO, US_IRQ_INFO,
						 US_READ };
	struct client *client = *state;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		client_rule(client, commands[i], 1, US_SIZE, -1, 0, 0);
		assert_refused(client, commands[i] == US_READ ? -EIO : -EPROTO, "");
		client_rule(client, commands[i], 1, US_SIZE, 8, 0, 0);
		assert_refused(client, commands[i] == US_READ ? -EIO : -EPROTO, "");
	}
}

static void client4_config_space_has_256_or_4096_bytes(void **state)
{
	static const uint64_t sizes[] = { 0, 64, 255, 8192, 1ull << 40 };
	struct client *client = *state;
	unsigned int nth;

	client_open_well(client);
	client_close(client);
	nth = client_question_of(client, 7);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		client_rule(client, US_REGION_INFO, nth, US_PAYLOAD, 16, 8, sizes[i]);
		assert_refused(client, -EPROTO, "configuration space");
	}
}

/* The file behind the memory: too short, no file, not for writing. */
static void client5_the_file_must_cover_the_region(void **state)
{
	struct client *client = *state;
	int shorter = memfd_create("short", MFD_CLOEXEC);
	int pair[2], directory = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	const struct linger forever = { 1, 100000 };
	struct linger now = forever;
	socklen_t size = sizeof(now);
	unsigned int nth;

	client_open_well(client);
	client_close(client);
	nth = client_question_of(client, 10);
	assert_int_equal(ftruncate(shorter, FAKE_MEMORY_SIZE - 1), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	client->fds += 4;
	client_rule(client, US_REGION_INFO, nth, US_FD, shorter, 0, 0);
	assert_refused(client, -EPROTO, "file");
	client_rule(client, US_REGION_INFO, nth, US_FD, directory, 0, 0);
	assert_refused(client, -EPROTO, "not a regular file");
	client_rule(client, US_REGION_INFO, nth, US_FD, pair[0], 0, 0);
	assert_refused(client, -EPROTO, "not a regular file");
	/* an offset into the file that leads behind its end, and around */
	client_rule(client, US_REGION_INFO, nth, US_PAYLOAD, 24, 8, 4096);
	assert_refused(client, -EPROTO, "file");
	client_rule(client, US_REGION_INFO, nth, US_PAYLOAD, 24, 8, 0ull - 4096);
	assert_refused(client, -EPROTO, "file");
	client_rule(client, US_REGION_INFO, nth, US_PAYLOAD, 16, 8, 0x7ffffffffffff001);
	assert_refused(client, -EPROTO, "region 10");
	/* its close must not wait for data that nobody takes: that it would is switched off */
	assert_int_equal(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &forever, sizeof(forever)), 0);
	client_rule(client, US_REGION_INFO, nth, US_FD, pair[0], 0, 0);
	assert_refused(client, -EPROTO, "not a regular file");
	assert_int_equal(getsockopt(pair[0], SOL_SOCKET, SO_LINGER, &now, &size), 0);
	assert_int_equal(now.l_onoff, 0);
	close(shorter);
	close(directory);
	close(pair[0]);
	close(pair[1]);
}

static int map_memory(struct client *client, uint64_t offset, uint64_t size, void **address)
{
	struct cxlvm_map_request request = {
		.region = client_memory_region(client),
		.offset = offset,
		.size = size,
		.guest = { 0x140000000 + offset },
		.alignment = 2 << 20,
	};

	return client->transport.ops->map(client->transport.device, &request, address);
}

/* The server can no longer cut it short; and it is shared, congruent, all of it there. */
static void client5_vu4_memory_is_mapped_and_sealed(void **state)
{
	struct client *client = *state;
	char text[8] = { 0 };
	void *address;

	client_open_well(client);
	assert_int_equal(fcntl(client->server.memory_fd, F_GET_SEALS) & F_SEAL_SHRINK,
			 F_SEAL_SHRINK);
	assert_int_equal(ftruncate(client->server.memory_fd, 4096), -1);
	assert_int_equal(map_memory(client, 0x100000, 0x300000, &address), 0);
	assert_int_equal((uintptr_t)address & 0x1fffff, 0x100000);
	memcpy((char *)address + 0x2ffff8, "theend!", 8);
	assert_int_equal(pread(client->server.memory_fd, text, 8, 0x3ffff8), 8);
	assert_string_equal(text, "theend!");
	client->transport.ops->unmap(client->transport.device, address, 0x300000);
	/* outside, nothing, a region without a file, no region */
	assert_int_equal(map_memory(client, 0, FAKE_MEMORY_SIZE + 4096, &address), -EINVAL);
	assert_int_equal(map_memory(client, FAKE_MEMORY_SIZE, 4096, &address), -EINVAL);
	assert_int_equal(map_memory(client, 0, 0, &address), -EINVAL);
	assert_int_equal(map_memory(client, 0, 0xfff, &address), -EINVAL);
}

/* A file that cannot be sealed and gets shorter: known at the next question, nothing is touched. */
static void client5_a_file_cut_short_makes_the_device_unusable(void **state)
{
	struct client *client = *state;
	char path[] = "/tmp/cxlvm-user-file-XXXXXX";
	int fd = mkstemp(path);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	void *address;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, FAKE_MEMORY_SIZE), 0);
	client_open_well(client);
	client_close(client);
	client_rule(client, US_REGION_INFO, client_question_of(client, 10), US_FD, fd, 0, 0);
	client_open_well(client);
	assert_int_equal(map_memory(client, 0, 0x200000, &address), 0);
	assert_true(client->transport.ops->usable(client->transport.device) < 0);
	if (!ftruncate(fd, 0x1ff000)) {
		assert_int_equal(client->transport.ops->usable(client->transport.device), 0);
		client->transport.ops->why_unusable(client->transport.device, &err);
		assert_non_null(strstr(err.message, "short"));
		assert_true(client_is_lost(client));
	}
	close(fd);
}

/* Mapping needs a descriptor: without one, messages only, and the flag says so. */
static void vu5_mmap_without_a_descriptor_is_not_believed(void **state)
{
	struct client *client = *state;
	uint8_t info[32];
	size_t needed;
	void *address;

	client_open_well(client);
	client_close(client);
	client_rule(client, US_REGION_INFO, client_question_of(client, 10), US_FD, -1, 0, 0);
	client_open_well(client);
	assert_int_equal(
		client->transport.ops->region_info(client->transport.device, 10, info, 32, &needed),
		0);
	assert_int_equal(fake_get(info + 4, 4) & 4, 0);
	assert_int_equal(map_memory(client, 0, 4096, &address), -ENODEV);
}

/* Flag bit 9 is the server's or, where it leaves that out, follows from the typed region. */
static void vu1_a_typed_region_makes_it_a_cxl_device(void **state)
{
	struct client *client = *state;

	for (unsigned int i = 0; i < 2; i++) {
		uint8_t info[16];
		size_t needed = 0;

		client->server.keep_cxl_flag = i;
		client_open_well(client);
		assert_int_equal(
			client->transport.ops->info(client->transport.device, info, 16, &needed),
			0);
		assert_int_equal(needed, 16);
		assert_int_equal(fake_get(info + 4, 4) & 0x200, 0x200);
		client_close(client);
	}
}

/* One message, then the connection is given up and never used again. */
static void client6_a_timeout_ends_the_connection(void **state)
{
	struct client *client = *state;
	uint8_t bytes[4];
	unsigned int reads;
	uint64_t start;

	client_open_well(client);
	reads = user_server_count(&client->server, US_READ);
	client_rule(client, US_READ, 1, US_SILENT, 0, 0, 0);
	start = now_ms();
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	assert_in_range(now_ms() - start, CLIENT_TIMEOUT_MS - 10, 10 * CLIENT_TIMEOUT_MS);
	start = now_ms();
	for (unsigned int i = 0; i < 1000; i++)
		assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	assert_true(now_ms() - start < CLIENT_TIMEOUT_MS);
	assert_int_equal(user_server_count(&client->server, US_READ), reads + 1);
	assert_true(client_is_lost(client));
}

/* Bytes that keep coming, and requests that keep coming, are no answer: bounded all the same. */
static void client6_a_trickle_is_bounded(void **state)
{
	static const uint8_t read4[32] = { 1, 0, 11, 0, 32 };
	static uint8_t flood[32 * 2000];
	struct client *client = *state;
	uint8_t bytes[4];
	uint64_t start;

	client_open_well(client);
	client_rule(client, US_READ, 1, US_BYTEWISE, 100000, 0, 0);
	start = now_ms();
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	assert_true(now_ms() - start < 10 * CLIENT_TIMEOUT_MS);
	assert_true(client_is_lost(client));
	client_close(client);
	user_server_no_rules(&client->server);

	client_open_well(client);
	for (unsigned int i = 0; i < 2000; i++)
		memcpy(flood + 32 * i, read4, 32);
	/* each is answered; and after them nothing */
	user_server_rule(&client->server, &(struct us_rule){ .command = US_READ,
							     .nth = 1,
							     .action = US_ASK,
							     .a = sizeof(flood),
							     .b = 2000,
							     .bytes = flood });
	client_rule(client, US_READ, 1, US_SILENT, 0, 0, 0);
	start = now_ms();
	assert_int_equal(client_read(client, 7, 0, bytes, 4), -ENODEV);
	assert_true(now_ms() - start < 20 * CLIENT_TIMEOUT_MS);
}

/* A whole handshake is bounded, not only each message of it. */
static void client6_a_slow_handshake_is_bounded(void **state)
{
	struct client *client = *state;
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint64_t start = now_ms();

	client_rule(client, 0, 0, US_DELAY, CLIENT_TIMEOUT_MS / 2, 0, 0);
	assert_int_equal(client_open(client, &err), -ETIMEDOUT);
	assert_true(now_ms() - start < 10 * CLIENT_TIMEOUT_MS);
	assert_true(err.message[0]);
	client_assert_nothing_left(client);
}

/* However the stream is cut: every byte of every answer of opening in a send of its own. */
static void client_stream_in_single_bytes(void **state)
{
	struct client *client = *state;

	client_rule(client, 0, 0, US_BYTEWISE, 0, 0, 0);
	client_open_well(client);
	assert_true(client_works(client));
}

/* The end after any byte of an answer, for each command of opening. */
static void client_stream_ends_after_any_byte(void **state)
{
	static const struct {
		unsigned int command, nth;
		int64_t size;
	} answers[] = {
		{ US_VERSION, 1, 16 + 4 + 60 }, { US_GET_INFO, 1, 32 }, { US_REGION_INFO, 1, 48 },
		{ US_REGION_INFO, 2, 96 },      { US_IRQ_INFO, 1, 32 }, { US_READ, 1, 36 },
	};
	struct client *client = *state;

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		for (int64_t cut = 0; cut < answers[i].size; cut++) {
			struct cxlvm_error err = CXLVM_ERROR_INIT;

			client_rule(client, answers[i].command, answers[i].nth, US_CUT, cut, 0, 0);
			if (!client_open(client, &err))
				fail_msg("command %u, cut after %d bytes", answers[i].command,
					 (int)cut);
			assert_int_equal(err.code, -ENODEV);
			assert_non_null(strstr(err.message, "closed"));
			user_server_no_rules(&client->server);
			client_assert_nothing_left(client);
		}
	}
	client_open_well(client);
}

/* Each message of opening fails once, in each way. */
static void client_each_message_of_opening_fails(void **state)
{
	static const enum us_action actions[] = { US_ERROR, US_CLOSE, US_FDS, US_SIZE };
	struct client *client = *state;
	unsigned int n;

	client_open_well(client);
	client_close(client);
	n = user_server_count(&client->server, 0);
	assert_true(n > 20);
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		for (unsigned int nth = 1; nth <= n; nth++) {
			struct cxlvm_error err = CXLVM_ERROR_INIT;

			user_server_no_rules(&client->server);
			client_rule(client, 0, nth, actions[i], 17, 0, 0);
			if (!client_open(client, &err))
				fail_msg("message %u, action %d: it opened", nth, actions[i]);
			assert_true(err.code < 0);
			assert_non_null(strstr(err.message, client->server.path));
			client_assert_nothing_left(client);
		}
	}
	user_server_no_rules(&client->server);
	client_open_well(client);
}

#define CLIENT_TEST(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENT_TEST(client_bad_configuration_is_refused),
		CLIENT_TEST(client_no_server_is_named_with_a_hint),
		CLIENT_TEST(client1_proposes_version_0),
		CLIENT_TEST(client1_other_versions_are_refused),
		CLIENT_TEST(client1_each_refusal_has_its_hint),
		CLIENT_TEST(client1_bad_version_text_is_refused),
		CLIENT_TEST(client1_no_text_means_defaults),
		CLIENT_TEST(client2_replies_of_a_wrong_length_keep_the_framing),
		CLIENT_TEST(client3_replies_are_matched),
		CLIENT_TEST(client3_unsolicited_replies_end_the_connection),
		CLIENT_TEST(client3_unexpected_descriptors_are_closed),
		CLIENT_TEST(client3_descriptors_are_refused_by_the_kernel),
		CLIENT_TEST(client_hostile_headers_end_the_connection),
		CLIENT_TEST(client_odd_headers_are_tolerated),
		CLIENT_TEST(client_answers_repeat_the_question),
		CLIENT_TEST(client4_bad_numbers_are_refused),
		CLIENT_TEST(client4_answers_of_a_wrong_size_are_refused),
		CLIENT_TEST(client4_config_space_has_256_or_4096_bytes),
		CLIENT_TEST(client5_the_file_must_cover_the_region),
		CLIENT_TEST(client5_vu4_memory_is_mapped_and_sealed),
		CLIENT_TEST(client5_a_file_cut_short_makes_the_device_unusable),
		CLIENT_TEST(vu5_mmap_without_a_descriptor_is_not_believed),
		CLIENT_TEST(vu1_a_typed_region_makes_it_a_cxl_device),
		CLIENT_TEST(client6_a_timeout_ends_the_connection),
		CLIENT_TEST(client6_a_trickle_is_bounded),
		CLIENT_TEST(client6_a_slow_handshake_is_bounded),
		CLIENT_TEST(client_stream_in_single_bytes),
		CLIENT_TEST(client_stream_ends_after_any_byte),
		CLIENT_TEST(client_each_message_of_opening_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

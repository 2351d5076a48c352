/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The codec of the vfio-user protocol: headers, sizes, the buffered receiver. All bytes are typed
 * from the protocol, and everything is received through a real socket.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "vfio_user/stream.h"

#define LIMIT 1024u

/* REGION_READ, id 0x0102: region 7, offset 0x34, count 4. */
static const uint8_t region_read[] = {
	0x02, 0x01, 0x09, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x34, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x07, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00,
};

/* DMA_MAP, id 3, readable and writable, offset 0, address 0x100000, size 0x200000. */
static const uint8_t dma_map[] = {
	0x03, 0x00, 0x02, 0x00, 0x30, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x00,
};

/* DEVICE_RESET, id 0xffff, no reply wanted. */
static const uint8_t device_reset[] = {
	0xff, 0xff, 0x0d, 0x00, 0x10, 0x00, 0x00, 0x00,
	0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

/* The reply to id 0x0102: EINVAL. */
static const uint8_t error_reply[] = {
	0x02, 0x01, 0x09, 0x00, 0x10, 0x00, 0x00, 0x00,
	0x21, 0x00, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00,
};

struct peer {
	int sender, receiver;
	struct vu_stream stream;
	unsigned int open_before;
};

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void peer_init(struct peer *peer)
{
	int pair[2];

	peer->open_before = open_files();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	peer->sender = pair[0];
	peer->receiver = pair[1];
	assert_int_equal(vu_stream_init(&peer->stream, peer->receiver, LIMIT), 0);
}

/* Ends it all, and no descriptor may be left. */
static void peer_finish(struct peer *peer)
{
	vu_stream_finish(&peer->stream);
	close(peer->sender);
	close(peer->receiver);
	assert_int_equal(open_files(), peer->open_before);
}

/* Raw: not by the code under test. */
static void send_with_fds(int fd, const void *bytes, size_t size, unsigned int n)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)bytes, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int sent[253];

	for (unsigned int i = 0; i < n; i++) {
		sent[i] = eventfd(i, EFD_CLOEXEC);
		assert_true(sent[i] >= 0);
	}
	if (n) {
		struct cmsghdr *cmsg;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		assert_non_null(cmsg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cmsg), sent, n * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &msg, 0), (ssize_t)size);
	for (unsigned int i = 0; i < n; i++)
		close(sent[i]);
}

static void send_bytes(struct peer *peer, const void *bytes, size_t size)
{
	send_with_fds(peer->sender, bytes, size, 0);
}

/* The next message must be there and be these bytes with this many descriptors. */
static void expect(struct peer *peer, const uint8_t *bytes, size_t size, unsigned int n_fds)
{
	struct vu_message message;
	uint8_t head[VU_HEADER_BYTES];

	assert_int_equal(vu_stream_next(&peer->stream, &message), 1);
	vu_header_encode(head, &message.header);
	assert_memory_equal(head, bytes, sizeof(head));
	assert_int_equal(message.payload_size, size - sizeof(head));
	assert_memory_equal(message.payload, bytes + sizeof(head), size - sizeof(head));
	assert_int_equal(message.n_fds, n_fds);
	for (unsigned int i = 0; i < n_fds; i++) {
		uint64_t value = 0;

		if (i)
			assert_int_equal(read(message.fds[i], &value, sizeof(value)),
					 sizeof(value));
		assert_int_equal(value, i);
		assert_true(fcntl(message.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	vu_message_close_fds(&message);
}

static void expect_none(struct peer *peer)
{
	struct vu_message message;

	assert_int_equal(vu_stream_next(&peer->stream, &message), 0);
}

static void header_golden_bytes(void **state)
{
	struct vu_header header;
	uint8_t bytes[VU_HEADER_BYTES];

	(void)state;
	vu_header_decode(&header, error_reply);
	assert_int_equal(header.id, 0x102);
	assert_int_equal(header.command, VU_REGION_READ);
	assert_int_equal(header.size, 16);
	assert_int_equal(vu_header_type(&header), VU_TYPE_REPLY);
	assert_true(header.flags & VU_FLAG_ERROR);
	assert_int_equal(header.error, EINVAL);
	vu_header_encode(bytes, &header);
	assert_memory_equal(bytes, error_reply, sizeof(bytes));

	vu_header_decode(&header, device_reset);
	assert_int_equal(header.command, VU_DEVICE_RESET);
	assert_true(header.flags & VU_FLAG_NO_REPLY);
}

static void framing_errors_end_the_stream(void **state)
{
	static const uint32_t sizes[] = { 0, 8, 15, LIMIT + 1, 0x80000000, 0xffffffff };
	struct peer peer;
	uint8_t bytes[16];
	struct vu_message message;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		memcpy(bytes, device_reset, sizeof(bytes));
		for (unsigned int b = 0; b < 4; b++)
			bytes[4 + b] = (uint8_t)(sizes[i] >> 8 * b);
		peer_init(&peer);
		send_bytes(&peer, bytes, sizeof(bytes));
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(bytes));
		assert_int_equal(vu_stream_next(&peer.stream, &message), -EPROTO);
		peer_finish(&peer);
	}
	for (uint8_t type = 0; type < 16; type++) {
		memcpy(bytes, device_reset, sizeof(bytes));
		bytes[8] = (uint8_t)(0x10 | type);
		peer_init(&peer);
		send_bytes(&peer, bytes, sizeof(bytes));
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(bytes));
		assert_int_equal(vu_stream_next(&peer.stream, &message), type < 2 ? 1 : -EPROTO);
		peer_finish(&peer);
	}
}

static void the_largest_message_passes(void **state)
{
	static uint8_t bytes[LIMIT] = { 1, 0, 10, 0, LIMIT & 0xff, LIMIT >> 8 };
	struct peer peer;

	(void)state;
	peer_init(&peer);
	send_bytes(&peer, bytes, LIMIT);
	send_bytes(&peer, bytes, LIMIT);
	assert_int_equal(vu_stream_receive(&peer.stream), 2 * LIMIT);
	expect(&peer, bytes, LIMIT, 0);
	expect(&peer, bytes, LIMIT, 0);
	expect_none(&peer);
	peer_finish(&peer);
}

/* Payload sizes of request and reply as the protocol has them; more: data may follow. */
static void each_command_has_its_sizes(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t request;
		bool request_more;
		uint32_t reply;
		bool reply_more;
		bool request_fds, reply_fds;
	} rows[] = {
		{ 1, 4, true, 4, true, false, true },
		{ 2, 32, false, 0, false, true, false },
		{ 3, 24, false, 24, false, false, false },
		{ 4, 16, false, 16, false, false, false },
		{ 5, 32, false, 32, true, false, true },
		{ 6, 16, false, 16, true, false, true },
		{ 7, 16, false, 16, false, false, false },
		{ 8, 20, true, 0, false, true, false },
		{ 9, 16, false, 16, true, false, false },
		{ 10, 16, true, 16, false, false, false },
		{ 11, 16, false, 16, true, false, false },
		{ 12, 16, true, 16, false, false, false },
		{ 13, 0, false, 0, false, false, false },
	};
	static const uint16_t unknown[] = { 0, 14, 15, 16, 17, 18, 19, 0xffff };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		bool reply = i % 2;
		uint32_t size = reply ? rows[i / 2].reply : rows[i / 2].request;
		bool more = reply ? rows[i / 2].reply_more : rows[i / 2].request_more;
		bool fds = reply ? rows[i / 2].reply_fds : rows[i / 2].request_fds;
		struct vu_message message = {
			.header = { .command = rows[i / 2].command, .flags = reply },
		};

		message.payload_size = size;
		assert_int_equal(vu_message_check(&message), 0);
		message.payload_size = size + 1;
		assert_int_equal(vu_message_check(&message), more ? 0 : -EINVAL);
		if (size) {
			message.payload_size = size - 1;
			assert_int_equal(vu_message_check(&message), -EINVAL);
			message.payload_size = 0;
			assert_int_equal(vu_message_check(&message), -EINVAL);
		}
		message.payload_size = size;
		message.n_fds = 1;
		assert_int_equal(vu_message_check(&message), fds ? 0 : -EINVAL);
		message.n_fds = 0;
		message.fds_lost = true;
		assert_int_equal(vu_message_check(&message), -EINVAL);
		message.fds_lost = false;
		/* An error reply is a bare header, whatever the command; the bit means nothing else. */
		message.header.flags |= VU_FLAG_ERROR;
		message.payload_size = 0;
		assert_int_equal(vu_message_check(&message), reply || !size ? 0 : -EINVAL);
		message.payload_size = size;
		assert_int_equal(vu_message_check(&message), reply && size ? -EINVAL : 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct vu_message message = { .header.command = unknown[i] };

		assert_int_equal(vu_message_check(&message), -ENOTSUP);
	}
}

/* What all tests of cuts send: four messages, descriptors with the second. */
#define MESSAGES_SIZE \
	(sizeof(region_read) + sizeof(dma_map) + sizeof(device_reset) + sizeof(error_reply))

static void expect_messages(struct peer *peer, unsigned int n_fds)
{
	expect(peer, region_read, sizeof(region_read), 0);
	expect(peer, dma_map, sizeof(dma_map), n_fds);
	expect(peer, device_reset, sizeof(device_reset), 0);
	expect(peer, error_reply, sizeof(error_reply), 0);
	expect_none(peer);
}

static void many_messages_come_with_one_receive(void **state)
{
	struct peer peer;

	(void)state;
	peer_init(&peer);
	for (unsigned int i = 0; i < 100; i++)
		send_bytes(&peer, region_read, sizeof(region_read));
	assert_int_equal(vu_stream_receive(&peer.stream), 100 * sizeof(region_read));
	for (unsigned int i = 0; i < 100; i++)
		expect(&peer, region_read, sizeof(region_read), 0);
	expect_none(&peer);
	assert_int_equal(vu_stream_receive(&peer.stream), -EAGAIN);
	peer_finish(&peer);
}

/* The sender's cut, in one piece and at each byte, with what came before read or not. */
static void stream_cut_at_any_byte(void **state)
{
	uint8_t all[MESSAGES_SIZE];
	size_t size = 0;

	(void)state;
	memcpy(all + size, region_read, sizeof(region_read));
	size += sizeof(region_read);
	memcpy(all + size, dma_map, sizeof(dma_map));
	size += sizeof(dma_map);
	memcpy(all + size, device_reset, sizeof(device_reset));
	size += sizeof(device_reset);
	memcpy(all + size, error_reply, sizeof(error_reply));
	for (size_t cut = 1; cut < sizeof(all); cut++) {
		struct vu_message message;
		struct peer peer;
		size_t at = 0;

		peer_init(&peer);
		send_bytes(&peer, all, cut);
		assert_int_equal(vu_stream_receive(&peer.stream), cut);
		while (vu_stream_next(&peer.stream, &message) == 1) {
			assert_memory_equal(message.payload, all + at + 16, message.payload_size);
			at += message.header.size;
		}
		assert_true(at <= cut);
		send_bytes(&peer, all + cut, sizeof(all) - cut);
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(all) - cut);
		while (vu_stream_next(&peer.stream, &message) == 1) {
			assert_memory_equal(message.payload, all + at + 16, message.payload_size);
			at += message.header.size;
		}
		assert_int_equal(at, sizeof(all));
		peer_finish(&peer);
	}
}

static void one_byte_at_a_time(void **state)
{
	struct peer peer;

	(void)state;
	peer_init(&peer);
	for (size_t i = 0; i < sizeof(dma_map); i++) {
		expect_none(&peer);
		/* Descriptors go with the first byte of their message. */
		send_with_fds(peer.sender, dma_map + i, 1, i ? 0 : 3);
		assert_int_equal(vu_stream_receive(&peer.stream), 1);
	}
	expect(&peer, dma_map, sizeof(dma_map), 3);
	peer_finish(&peer);
}

/* Sent one by one, read at once or after each: the kernel decides what a chunk is. */
static void descriptors_belong_to_the_last_message_begun(void **state)
{
	(void)state;
	for (unsigned int often = 0; often < 2; often++) {
		struct peer peer;

		peer_init(&peer);
		send_bytes(&peer, region_read, sizeof(region_read));
		send_with_fds(peer.sender, dma_map, sizeof(dma_map), 2);
		send_bytes(&peer, device_reset, sizeof(device_reset));
		send_bytes(&peer, error_reply, sizeof(error_reply));
		assert_int_equal(vu_stream_receive(&peer.stream),
				 sizeof(region_read) + sizeof(dma_map));
		if (often) {
			expect(&peer, region_read, sizeof(region_read), 0);
			expect(&peer, dma_map, sizeof(dma_map), 2);
		}
		assert_int_equal(vu_stream_receive(&peer.stream),
				 sizeof(device_reset) + sizeof(error_reply));
		if (!often) {
			expect_messages(&peer, 2);
		} else {
			expect(&peer, device_reset, sizeof(device_reset), 0);
			expect(&peer, error_reply, sizeof(error_reply), 0);
		}
		peer_finish(&peer);
	}
}

/* The end of one message with descriptors and the next one with others, in one chunk. */
static void two_messages_with_descriptors_cut_at_any_byte(void **state)
{
	(void)state;
	for (size_t cut = 1; cut < sizeof(dma_map); cut++) {
		struct peer peer;

		peer_init(&peer);
		send_with_fds(peer.sender, dma_map, cut, 2);
		assert_int_equal(vu_stream_receive(&peer.stream), cut);
		expect_none(&peer);
		send_bytes(&peer, dma_map + cut, sizeof(dma_map) - cut);
		send_with_fds(peer.sender, dma_map, cut, 5);
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(dma_map));
		expect(&peer, dma_map, sizeof(dma_map), 2);
		expect_none(&peer);
		send_bytes(&peer, dma_map + cut, sizeof(dma_map) - cut);
		/* And a third, which is never finished. */
		send_with_fds(peer.sender, dma_map, cut, 1);
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(dma_map));
		expect(&peer, dma_map, sizeof(dma_map), 5);
		peer_finish(&peer);
	}
}

static void descriptors_in_the_middle_of_a_message_are_its_own(void **state)
{
	struct vu_message message;
	struct peer peer;

	(void)state;
	peer_init(&peer);
	send_with_fds(peer.sender, dma_map, 10, 1);
	assert_int_equal(vu_stream_receive(&peer.stream), 10);
	send_with_fds(peer.sender, dma_map + 10, 10, 1);
	assert_int_equal(vu_stream_receive(&peer.stream), 10);
	send_with_fds(peer.sender, dma_map + 20, sizeof(dma_map) - 20, 1);
	assert_int_equal(vu_stream_receive(&peer.stream), sizeof(dma_map) - 20);
	assert_int_equal(vu_stream_next(&peer.stream, &message), 1);
	assert_int_equal(message.n_fds, 3);
	vu_message_close_fds(&message);
	/* And no further: those of one message are bounded. */
	for (size_t i = 0; i < sizeof(dma_map); i++) {
		send_with_fds(peer.sender, dma_map + i, 1, 1);
		assert_int_equal(vu_stream_receive(&peer.stream), 1);
	}
	assert_int_equal(vu_stream_next(&peer.stream, &message), 1);
	assert_int_equal(message.n_fds, VU_FDS_MAX);
	assert_true(message.fds_lost);
	assert_int_equal(vu_message_check(&message), -EINVAL);
	vu_message_close_fds(&message);
	peer_finish(&peer);
}

static void too_many_descriptors_are_closed_and_told(void **state)
{
	static const unsigned int counts[] = { 1, 8, 16, 17, 253 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		struct vu_message message;
		struct peer peer;

		peer_init(&peer);
		send_with_fds(peer.sender, dma_map, sizeof(dma_map), counts[i]);
		send_bytes(&peer, region_read, sizeof(region_read));
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(dma_map));
		assert_int_equal(vu_stream_next(&peer.stream, &message), 1);
		assert_int_equal(message.n_fds, counts[i] < 16 ? counts[i] : 16);
		assert_int_equal(message.fds_lost, counts[i] > 16);
		assert_int_equal(vu_message_check(&message), counts[i] > 16 ? -EINVAL : 0);
		vu_message_close_fds(&message);
		assert_int_equal(vu_stream_receive(&peer.stream), sizeof(region_read));
		expect(&peer, region_read, sizeof(region_read), 0);
		peer_finish(&peer);
	}
}

static void descriptors_nobody_took_are_closed(void **state)
{
	struct vu_message message;
	struct peer peer;
	int fd;

	(void)state;
	peer_init(&peer);
	/* Of an unfinished message, by vu_stream_finish. */
	send_with_fds(peer.sender, dma_map, 20, 4);
	assert_int_equal(vu_stream_receive(&peer.stream), 20);
	expect_none(&peer);
	peer_finish(&peer);

	peer_init(&peer);
	send_with_fds(peer.sender, dma_map, sizeof(dma_map), 4);
	assert_int_equal(vu_stream_receive(&peer.stream), sizeof(dma_map));
	assert_int_equal(vu_stream_next(&peer.stream, &message), 1);
	fd = vu_message_take_fd(&message, 2);
	vu_message_close_fds(&message);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	peer_finish(&peer);
}

static void the_end_of_the_stream_is_told(void **state)
{
	struct peer peer;

	(void)state;
	peer_init(&peer);
	assert_int_equal(vu_stream_receive(&peer.stream), -EAGAIN);
	send_bytes(&peer, region_read, 5);
	shutdown(peer.sender, SHUT_WR);
	assert_int_equal(vu_stream_receive(&peer.stream), 5);
	assert_int_equal(vu_stream_receive(&peer.stream), 0);
	expect_none(&peer);
	peer_finish(&peer);
}

static void send_is_one_message_with_its_descriptors(void **state)
{
	int fds[] = { eventfd(0, 0), eventfd(1, 0) };
	static uint8_t block[1 << 20];
	struct peer peer;
	ssize_t n;

	(void)state;
	peer_init(&peer);
	peer.open_before -= 2;
	assert_int_equal(vu_stream_send(peer.sender, dma_map, 16, dma_map + 16, 32, fds, 2), 48);
	assert_int_equal(vu_stream_receive(&peer.stream), 48);
	expect(&peer, dma_map, sizeof(dma_map), 2);
	close(fds[0]);
	close(fds[1]);
	/* A peer that does not read: first not all, then nothing. */
	n = vu_stream_send(peer.sender, block, 16, block, sizeof(block), NULL, 0);
	assert_true(n > 0 && (size_t)n < sizeof(block));
	while (n > 0)
		n = vu_stream_send(peer.sender, block, 1, NULL, 0, NULL, 0);
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(vu_stream_send(peer.sender, block, 16, NULL, 0, fds, 17), -EINVAL);
	/* A peer that is gone: an errno, no signal. */
	close(peer.receiver);
	assert_int_equal(vu_stream_send(peer.sender, block, 16, NULL, 0, NULL, 0), -EPIPE);
	peer.receiver = dup(peer.sender);
	peer_finish(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_golden_bytes),
		cmocka_unit_test(framing_errors_end_the_stream),
		cmocka_unit_test(the_largest_message_passes),
		cmocka_unit_test(each_command_has_its_sizes),
		cmocka_unit_test(many_messages_come_with_one_receive),
		cmocka_unit_test(stream_cut_at_any_byte),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(descriptors_belong_to_the_last_message_begun),
		cmocka_unit_test(two_messages_with_descriptors_cut_at_any_byte),
		cmocka_unit_test(descriptors_in_the_middle_of_a_message_are_its_own),
		cmocka_unit_test(too_many_descriptors_are_closed_and_told),
		cmocka_unit_test(descriptors_nobody_took_are_closed),
		cmocka_unit_test(the_end_of_the_stream_is_told),
		cmocka_unit_test(send_is_one_message_with_its_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* The vfio-user server: framing, version, information, accesses, clients coming and going. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vu_rig.h"

static struct rig rig;

static void send_raw(uint16_t command, uint32_t size, uint32_t flags)
{
	uint8_t head[16] = { 1 };

	rig_put(head + 2, 2, command);
	rig_put(head + 4, 4, size);
	rig_put(head + 8, 4, flags);
	rig_send(rig.fd, head, sizeof(head), NULL, 0);
}

static void vu_server1_survives_a_stream_cut_at_any_byte(void **state)
{
	uint8_t bytes[128];
	uint8_t read[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 4 }, info[16] = { 16 };
	size_t n;

	(void)state;
	rig_start(&rig);
	n = rig_message(&rig, bytes, RIG_REGION_READ, 0, read, sizeof(read));
	n += rig_message(&rig, bytes + n, RIG_GET_INFO, 0, info, sizeof(info));
	n += rig_message(&rig, bytes + n, RIG_REGION_READ, 0, read, sizeof(read));
	for (size_t cut = 1; cut < n; cut++) {
		rig_send(rig.fd, bytes, cut, NULL, 0);
		rig_settle(&rig);
		rig_send(rig.fd, bytes + cut, n - cut, NULL, 0);
		for (unsigned int i = 0; i < 3; i++) {
			assert_true(rig_receive(&rig, rig.fd));
			assert_int_equal(rig_get(rig.head + 8, 4), 1);
			assert_int_equal(rig.reply_size, i == 1 ? 16 : 20);
		}
	}
	/* A byte at a time. */
	for (size_t i = 0; i < n; i++) {
		rig_send(rig.fd, bytes + i, 1, NULL, 0);
		rig_settle(&rig);
	}
	for (unsigned int i = 0; i < 3; i++)
		assert_true(rig_receive(&rig, rig.fd));
	rig_finish(&rig);
}

static void vu_server2_closes_on_framing_errors(void **state)
{
	static const uint32_t sizes[] = { 0, 8, 15, (1 << 20) + 33, 1u << 31, UINT32_MAX };

	(void)state;
	rig_init(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(sizes) + 14; i++) {
		bool size = i < ARRAY_SIZE(sizes);

		rig_agree(&rig, "");
		send_raw(RIG_RESET, size ? sizes[i] : 16,
			 size ? 0 : (uint32_t)(i - ARRAY_SIZE(sizes) + 2));
		assert_true(rig_is_closed(&rig, rig.fd));
		rig_leave(&rig);
	}
	/* And goes on with the next client. */
	rig_agree(&rig, "");
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_finish(&rig);
}

static void vu_server3_answers_content_errors_with_a_bare_header(void **state)
{
	static const struct {
		uint16_t command;
		uint32_t size;
	} bad[] = {
		{ RIG_DMA_MAP, 31 },     { RIG_DMA_MAP, 33 },      { RIG_DMA_UNMAP, 23 },
		{ RIG_GET_INFO, 15 },    { RIG_GET_INFO, 17 },     { RIG_GET_REGION_INFO, 31 },
		{ RIG_GET_IRQ_INFO, 0 }, { RIG_SET_IRQS, 19 },     { RIG_REGION_READ, 15 },
		{ RIG_REGION_READ, 17 }, { RIG_REGION_WRITE, 15 }, { RIG_RESET, 1 },
		{ RIG_DMA_READ, 16 },    { RIG_VERSION, 4 },       { RIG_VERSION, 3 },
	};
	uint8_t payload[64] = { 0 };
	int fds[3];

	(void)state;
	rig_start(&rig);
	for (unsigned int i = 0; i < 3; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(rig_call(&rig, bad[i].command, payload, bad[i].size), EINVAL);
	/* Descriptors where none belong are closed: rig_finish counts. */
	assert_int_equal(rig_call_fds(&rig, RIG_RESET, NULL, 0, fds, 1), EINVAL);
	assert_int_equal(rig_call_fds(&rig, RIG_DMA_UNMAP, payload, 24, fds, 3), EINVAL);
	assert_int_equal(rig_call_fds(&rig, RIG_DMA_MAP, payload, 32, fds, 2), EINVAL);
	/* Still usable. */
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	for (unsigned int i = 0; i < 3; i++)
		close(fds[i]);
	rig_finish(&rig);
}

static void vu_server17_refuses_unknown_commands_and_goes_on(void **state)
{
	static const uint16_t commands[] = { 0, 14, 15, 16, 17, 18, 19, 0x7fff, 0xffff };
	uint8_t payload[1024] = { 0 };

	(void)state;
	rig_start(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		assert_int_equal(rig_call(&rig, commands[i], payload, 0), ENOTSUP);
		assert_int_equal(rig_call(&rig, commands[i], payload, sizeof(payload)), ENOTSUP);
	}
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_finish(&rig);
}

static void vu_server4_honours_no_reply(void **state)
{
	uint8_t bytes[128], payload[24] = { 0 };
	size_t n;

	(void)state;
	rig_start(&rig);
	/* A write, one that fails, an unknown command: none is answered. */
	rig_put(payload, 8, 0x3c);
	rig_put(payload + 8, 4, 7);
	rig_put(payload + 12, 4, 1);
	payload[16] = 0x5a;
	n = rig_message(&rig, bytes, RIG_REGION_WRITE, 0x10, payload, 17);
	rig_put(payload + 8, 4, 99);
	n += rig_message(&rig, bytes + n, RIG_REGION_WRITE, 0x10, payload, 17);
	n += rig_message(&rig, bytes + n, 77, 0x10, NULL, 0);
	rig_send(rig.fd, bytes, n, NULL, 0);
	/* The next answer is the next command's, and the write was done. */
	assert_int_equal(rig_read(&rig, 7, 0x3c, 1), 0x5a);
	/* Other flag bits of a command, error included, mean nothing. */
	n = rig_message(&rig, bytes, RIG_RESET, 0xffffffe0, NULL, 0);
	rig_send(rig.fd, bytes, n, NULL, 0);
	assert_true(rig_receive(&rig, rig.fd));
	assert_int_equal(rig_get(rig.head + 8, 4), 1);
	rig_leave(&rig);
	/* VERSION is answered, whatever it wants: without its answer nobody knows what was agreed on. */
	rig.fd = rig_connect(&rig);
	n = rig_message(&rig, bytes, RIG_VERSION, 0x10, "\0\0\0\0", 4);
	rig_send(rig.fd, bytes, n, NULL, 0);
	assert_true(rig_receive(&rig, rig.fd));
	assert_int_equal(rig_get(rig.head + 8, 4), 1);
	assert_memory_equal(rig.reply, "\0\0\0\0", 4);
	rig_finish(&rig);
}

/* Device Serial Number capability: header 3, version 1, then the number, low half first. */
static void vu_server_serial_number_is_read_back(void **state)
{
	(void)state;
	rig_start(&rig);
	assert_int_equal(rig_read(&rig, 7, 0x100, 4) & 0xfffff, 0x10003);
	assert_int_equal(rig_read(&rig, 7, 0x104, 8), 0x1122334455667788);
	rig_finish(&rig);
}

static void vu_server5_wants_version_first_and_once(void **state)
{
	uint8_t bytes[64], info[16] = { 16 };
	size_t n;

	(void)state;
	rig_init(&rig);
	for (uint16_t command = 0; command < 20; command++) {
		if (command == RIG_VERSION)
			continue;
		rig.fd = rig_connect(&rig);
		n = rig_message(&rig, bytes, command, 0, info, sizeof(info));
		rig_send(rig.fd, bytes, n, NULL, 0);
		assert_true(rig_receive(&rig, rig.fd));
		assert_int_equal(rig_get(rig.head + 8, 4), 0x21);
		assert_true(rig_is_closed(&rig, rig.fd));
		rig_leave(&rig);
	}
	assert_int_equal(rig.came, 0);
	/* A reply first is no better. */
	rig.fd = rig_connect(&rig);
	n = rig_message(&rig, bytes, RIG_DMA_READ, 1, info, sizeof(info));
	rig_send(rig.fd, bytes, n, NULL, 0);
	assert_true(rig_is_closed(&rig, rig.fd));
	rig_leave(&rig);

	rig_agree(&rig, "");
	assert_int_equal(rig_call(&rig, RIG_VERSION, "\0\0\0\0", 4), EINVAL);
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_finish(&rig);
}

static void vu_server5_version_reply_fits_a_qemu_client(void **state)
{
	(void)state;
	rig_init(&rig);
	rig_agree(&rig, "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,"
			"\"pgsizes\":4096,\"max_dma_maps\":65535,\"write_multiple\":true}}");
	assert_in_range(rig.reply_size, 5, 214 - 16);
	assert_memory_equal(rig.reply, "\0\0\0\0", 4);
	assert_int_equal(rig.reply[rig.reply_size - 1], 0);
	/* Nothing that a QEMU client warns of, and no descriptor. */
	assert_string_equal((char *)rig.reply + 4,
			    "{\"capabilities\":{\"max_msg_fds\":16,\"max_dma_maps\":512}}");
	assert_int_equal(rig.n_reply_fds, 0);
	rig_finish(&rig);
}

static void vu_server5_refuses_other_versions_with_a_reason(void **state)
{
	uint8_t bytes[64];
	size_t n;

	(void)state;
	rig_init(&rig);
	rig.fd = rig_connect(&rig);
	n = rig_message(&rig, bytes, RIG_VERSION, 0, "\1\0\3\0", 4);
	rig_send(rig.fd, bytes, n, NULL, 0);
	assert_true(rig_receive(&rig, rig.fd));
	assert_int_equal(rig_get(rig.head + 12, 4), EINVAL);
	assert_true(rig_is_closed(&rig, rig.fd));
	assert_int_equal(rig.refused, 1);
	/* both versions, and what to do */
	assert_non_null(strstr(rig.refusal, "1.3"));
	assert_non_null(strstr(rig.refusal, "0.0"));
	assert_non_null(strstr(rig.refusal, "use a client of major version 0"));
	rig_leave(&rig);
	/* A later minor version is answered with ours. */
	rig.fd = rig_connect(&rig);
	assert_int_equal(rig_call(&rig, RIG_VERSION, "\0\0\7\0", 4), 0);
	assert_memory_equal(rig.reply, "\0\0\0\0", 4);
	rig_finish(&rig);
}

static void vu_server6_refuses_bad_json_and_closes(void **state)
{
	static const char *const texts[] = {
		"{",
		"[]",
		"{\"capabilities\":7}",
		"{\"capabilities\":{\"max_msg_fds\":-1}}",
	};
	static uint8_t bytes[(1 << 20) + 32], payload[1 << 20];

	(void)state;
	rig_init(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(texts) + 2; i++) {
		uint32_t size;
		size_t n;

		memset(payload, 0, 4);
		if (i < ARRAY_SIZE(texts)) {
			size = 5 + (uint32_t)strlen(texts[i]);
			memcpy(payload + 4, texts[i], size - 4);
		} else {
			/* 10000 brackets; 1 MiB of space. */
			size = i == ARRAY_SIZE(texts) ? 10000 : sizeof(payload);
			memset(payload + 4, i == ARRAY_SIZE(texts) ? '[' : ' ', size - 5);
			payload[size - 1] = 0;
		}
		rig.fd = rig_connect(&rig);
		n = rig_message(&rig, bytes, RIG_VERSION, 0, payload, size);
		for (size_t sent = 0; sent < n; sent += 65536) {
			rig_send(rig.fd, bytes + sent, n - sent < 65536 ? n - sent : 65536, NULL,
				 0);
			rig_settle(&rig);
		}
		assert_true(rig_receive(&rig, rig.fd));
		assert_int_equal(rig_get(rig.head + 12, 4), EINVAL);
		assert_true(rig_is_closed(&rig, rig.fd));
		rig_leave(&rig);
	}
	assert_int_equal(rig.came, 0);
	rig_finish(&rig);
}

static void vu_server7_device_info_is_16_bytes(void **state)
{
	uint8_t info[16] = { 0 };

	(void)state;
	rig_start(&rig);
	for (uint32_t argsz = 0; argsz < 64; argsz++) {
		rig_put(info, 4, argsz);
		assert_int_equal(rig_call(&rig, RIG_GET_INFO, info, 16), argsz < 16 ? EINVAL : 0);
		if (argsz < 16)
			continue;
		assert_int_equal(rig.reply_size, 16);
		assert_int_equal(rig_get(rig.reply, 4), 16);
		/* reset, PCI, CXL; regions; interrupt indices */
		assert_int_equal(rig_get(rig.reply + 4, 4), 0x203);
		assert_int_equal(rig_get(rig.reply + 8, 4), 11);
		assert_int_equal(rig_get(rig.reply + 12, 4), 5);
	}
	rig_finish(&rig);
}

static int region_info(uint32_t index, uint32_t argsz)
{
	uint8_t info[32] = { 0 };

	rig_put(info, 4, argsz);
	rig_put(info + 8, 4, index);
	return rig_call(&rig, RIG_GET_REGION_INFO, info, sizeof(info));
}

static void vu3_server7_regions_are_what_they_must_be(void **state)
{
	static const struct {
		uint32_t flags; /* 1 read, 2 write, 4 mmap, 8 capabilities */
		uint64_t size;
	} regions[] = {
		{ 3, 0x20000 },
		{ 0, 0 },
		{ 3, 0x1000 },
		{ 0, 0 },
		{ 3, 0x2000 },
		{ 0, 0 },
		{ 0, 0 },
		{ 3, 0x1000 },
		{ 0, 0 },
		{ 0xb, 0x30 },
		{ 0xf, RIG_MEMORY_SIZE },
	};

	(void)state;
	rig_start(&rig);
	for (uint32_t i = 0; i < ARRAY_SIZE(regions); i++) {
		assert_int_equal(region_info(i, 512), 0);
		assert_int_equal(rig_get(rig.reply, 4), rig.reply_size);
		assert_int_equal(rig_get(rig.reply + 4, 4), regions[i].flags);
		assert_int_equal(rig_get(rig.reply + 8, 4), i);
		assert_int_equal(rig_get(rig.reply + 16, 8), regions[i].size);
		assert_int_equal(rig_get(rig.reply + 24, 8), 0);
		assert_int_equal(rig.n_reply_fds, i == 10);
		/* QEMU ends itself at a BAR that is no power of two. */
		assert_false(i < 6 && regions[i].size & (regions[i].size - 1));
		if (!(regions[i].flags & 8)) {
			assert_int_equal(rig.reply_size, 32);
			assert_int_equal(rig_get(rig.reply + 12, 4), 0);
			continue;
		}
		/* The type capability is first: vendor type of CXL, subtype. */
		assert_int_equal(rig_get(rig.reply + 12, 4), 32);
		assert_int_equal(rig_get(rig.reply + 32, 4), 0x00010002);
		assert_int_equal(rig_get(rig.reply + 40, 4), 0x80001e98);
		assert_int_equal(rig_get(rig.reply + 44, 4), i == 10 ? 1 : 2);
	}
	assert_int_equal(region_info(11, 512), EINVAL);
	assert_int_equal(region_info(UINT32_MAX, 512), EINVAL);
	rig_finish(&rig);
}

static void vu_server8_region_info_in_two_passes(void **state)
{
	struct stat st;

	(void)state;
	rig_start(&rig);
	for (uint32_t argsz = 0; argsz < 32; argsz++)
		assert_int_equal(region_info(10, argsz), EINVAL);
	for (uint32_t argsz = 32; argsz < 48; argsz++) {
		/* Too small for the whole answer: no capability, no descriptor, the size needed. */
		assert_int_equal(region_info(10, argsz), 0);
		assert_int_equal(rig.reply_size, 32);
		assert_int_equal(rig_get(rig.reply, 4), 48);
		assert_int_equal(rig_get(rig.reply + 4, 4), 7);
		assert_int_equal(rig_get(rig.reply + 12, 4), 0);
		assert_int_equal(rig.n_reply_fds, 0);
	}
	assert_int_equal(region_info(10, 48), 0);
	assert_int_equal(rig.reply_size, 48);
	assert_int_equal(rig.n_reply_fds, 1);
	/* The file covers the region and can get no shorter. */
	assert_int_equal(fstat(rig.reply_fds[0], &st), 0);
	assert_true((uint64_t)st.st_size >= RIG_MEMORY_SIZE);
	assert_true(fcntl(rig.reply_fds[0], F_GET_SEALS) & F_SEAL_SHRINK);
	assert_int_equal(ftruncate(rig.reply_fds[0], 4096), -1);
	rig_finish(&rig);
}

static void vu_server8_descriptor_goes_with_its_own_answer(void **state)
{
	uint8_t bytes[256], info[16] = { 16 }, region[32] = { 48, [8] = 10 };
	size_t n;

	(void)state;
	rig_start(&rig);
	/* All of them are answered in one go. */
	n = rig_message(&rig, bytes, RIG_GET_INFO, 0, info, sizeof(info));
	n += rig_message(&rig, bytes + n, RIG_GET_REGION_INFO, 0, region, sizeof(region));
	n += rig_message(&rig, bytes + n, RIG_GET_REGION_INFO, 0, region, sizeof(region));
	n += rig_message(&rig, bytes + n, RIG_GET_INFO, 0, info, sizeof(info));
	rig_send(rig.fd, bytes, n, NULL, 0);
	rig_settle(&rig);
	for (unsigned int i = 0; i < 4; i++) {
		assert_true(rig_receive(&rig, rig.fd));
		assert_int_equal(rig.n_reply_fds, i == 1 || i == 2);
	}
	rig_finish(&rig);
}

static void vu_server_region_io_fds_are_none(void **state)
{
	uint8_t request[16] = { 16 };

	(void)state;
	rig_start(&rig);
	for (uint8_t index = 0; index < 13; index++) {
		request[8] = index;
		assert_int_equal(rig_call(&rig, RIG_GET_REGION_IO_FDS, request, 16),
				 index < 11 ? 0 : EINVAL);
		if (index < 11)
			assert_int_equal(rig_get(rig.reply + 12, 4), 0);
	}
	/* argsz, flags, count */
	request[8] = 0;
	for (unsigned int at = 0; at < 16; at += 4) {
		if (at == 8)
			continue;
		request[at] ^= at ? 1 : 31;
		assert_int_equal(rig_call(&rig, RIG_GET_REGION_IO_FDS, request, 16), EINVAL);
		request[at] ^= at ? 1 : 31;
	}
	rig_put(request, 4, UINT32_MAX);
	assert_int_equal(rig_call(&rig, RIG_GET_REGION_IO_FDS, request, 16), 0);
	assert_int_equal(rig_get(rig.reply, 4), 16);
	rig_finish(&rig);
}

static void vu_server_irq_info(void **state)
{
	static const uint32_t counts[] = { 0, 0, 4, 1, 1 };
	uint8_t info[16] = { 0 };

	(void)state;
	rig_start(&rig);
	for (uint32_t i = 0; i < 7; i++) {
		rig_put(info, 4, 16);
		rig_put(info + 8, 4, i);
		assert_int_equal(rig_call(&rig, RIG_GET_IRQ_INFO, info, 16), i < 5 ? 0 : EINVAL);
		if (i < 5)
			assert_int_equal(rig_get(rig.reply + 12, 4), counts[i]);
		rig_put(info, 4, 15);
		assert_int_equal(rig_call(&rig, RIG_GET_IRQ_INFO, info, 16), EINVAL);
	}
	rig_finish(&rig);
}

static void vu_server9_checks_each_access(void **state)
{
	static const uint64_t sizes[] = { 0x20000, 0,      0x1000, 0,    0x2000,         0,
					  0,       0x1000, 0,      0x30, RIG_MEMORY_SIZE };
	uint8_t data[16] = { 0 };

	(void)state;
	rig_start(&rig);
	for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t size = sizes[i];

		assert_int_equal(rig_try_read(&rig, i, size, 4), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, size - 3, 4), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, UINT64_MAX, 4), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, UINT64_MAX - 3, 4), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, 0, 0), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, 0, (1 << 20) + 1), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, 0, UINT32_MAX), EINVAL);
		assert_int_equal(rig_try_read(&rig, i, 4, UINT32_MAX - 3), EINVAL);
		assert_int_equal(rig_try_write(&rig, i, size, 4, data, 4), EINVAL);
		assert_int_equal(rig_try_write(&rig, i, UINT64_MAX - 3, 4, data, 4), EINVAL);
		/* count and data differ */
		assert_int_equal(rig_try_write(&rig, i, 0, 4, data, 3), EINVAL);
		assert_int_equal(rig_try_write(&rig, i, 0, 4, data, 5), EINVAL);
		assert_int_equal(rig_try_write(&rig, i, 0, UINT32_MAX, data, 4), EINVAL);
		assert_int_equal(rig_try_write(&rig, i, 0, 0, data, 0), EINVAL);
		if (size)
			assert_int_equal(rig_try_read(&rig, i, size - 4, 4), 0);
	}
	assert_int_equal(rig_try_read(&rig, 11, 0, 4), EINVAL);
	rig_finish(&rig);
}

static void vu_server9_config_space_in_any_width(void **state)
{
	uint8_t config[4096];

	(void)state;
	rig_start(&rig);
	assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
	memcpy(config, rig.reply + 16, 4096);
	assert_int_equal(rig_get(config, 4), 0xc0021234);
	for (uint32_t width = 1; width <= 64; width++)
		for (uint32_t at = 0; at < 256; at += 37) {
			assert_int_equal(rig_try_read(&rig, 7, at, width), 0);
			assert_memory_equal(rig.reply + 16, config + at, width);
		}
	/* Sizing of BAR 0: 64 bits, 128 KiB. */
	rig_write(&rig, 7, 0x10, 4, UINT32_MAX);
	rig_write(&rig, 7, 0x14, 4, UINT32_MAX);
	assert_int_equal(rig_read(&rig, 7, 0x10, 8) & ~0xfull, 0xfffffffffffe0000);
	assert_int_equal(rig_read(&rig, 7, 0x10, 4) & 7, 4);
	rig_finish(&rig);
}

/* Largest messages, both ways, through device memory. */
static void vu4_server_device_memory_by_message(void **state)
{
	static uint8_t data[1 << 20];
	uint8_t *map;

	(void)state;
	rig_start(&rig);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(rig_try_write(&rig, 10, RIG_MEMORY_SIZE - sizeof(data), sizeof(data), data,
				       sizeof(data)),
			 0);
	assert_int_equal(rig_try_read(&rig, 10, RIG_MEMORY_SIZE - sizeof(data), sizeof(data)), 0);
	assert_memory_equal(rig.reply + 16, data, sizeof(data));
	/* The same memory as the mapping's. */
	assert_int_equal(region_info(10, 48), 0);
	map = mmap(NULL, RIG_MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, rig.reply_fds[0], 0);
	assert_true(map != MAP_FAILED);
	assert_memory_equal(map + RIG_MEMORY_SIZE - sizeof(data), data, sizeof(data));
	map[5] = 0x77;
	assert_int_equal(rig_read(&rig, 10, 5, 1), 0x77);
	/* As in the kernel's interface: not while Memory Space is off. */
	rig_write(&rig, 7, 4, 2, 0);
	assert_int_equal(rig_try_read(&rig, 10, 0, 4), EIO);
	rig_write(&rig, 7, 4, 2, 2);
	assert_int_equal(rig_try_read(&rig, 10, 0, 4), 0);
	munmap(map, RIG_MEMORY_SIZE);
	rig_finish(&rig);
}

static void vu_server14_reset_and_flr_do_the_same(void **state)
{
	uint8_t before[4096], after[4096];

	(void)state;
	rig_start(&rig);
	assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
	memcpy(before, rig.reply + 16, 4096);
	for (unsigned int flr = 0; flr < 2; flr++) {
		/* A register of the copy engine, and one of the PCI Express capability. */
		rig_write(&rig, 2, 0x20, 4, 0x1234);
		rig_write(&rig, 7, 0x48, 2, 0x2810);
		assert_int_equal(rig_read(&rig, 2, 0x20, 4), 0x1234);
		if (flr)
			rig_write(&rig, 7, 0x48, 2, 0x8000);
		else
			assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
		assert_int_equal(rig_read(&rig, 2, 0x20, 4), 0);
		assert_int_equal(rig_try_read(&rig, 7, 0, 4096), 0);
		memcpy(after, rig.reply + 16, 4096);
		assert_memory_equal(after, before, 4096);
	}
	rig_finish(&rig);
}

/* A peer that sends and never reads: it is not listened to any more, and costs nothing. */
static void vu_server_does_not_grow_for_who_never_reads(void **state)
{
	uint8_t bytes[32], read[16] = { 0 };
	struct cxlvm_server_stats stats;
	uint64_t before;
	size_t n, sent = 0;

	(void)state;
	rig_start(&rig);
	rig_put(read + 8, 4, 10);
	rig_put(read + 12, 4, 1 << 20);
	n = rig_message(&rig, bytes, RIG_REGION_READ, 0, read, sizeof(read));
	while (send(rig.fd, bytes, n, MSG_DONTWAIT) == (ssize_t)n && sent < 100000) {
		rig_settle(&rig);
		sent++;
	}
	/* rig_settle also says that it does not spin. */
	cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
	before = stats.messages;
	assert_in_range(before, 2, 8);
	rig_settle(&rig);
	cxlvm_server_get_stats(rig.server, &stats, sizeof(stats));
	assert_int_equal(stats.messages, before);
	/* When it reads at last, everything is there, whole and in order. */
	for (size_t i = 0; i < sent; i++) {
		assert_true(rig_receive(&rig, rig.fd));
		assert_int_equal(rig.reply_size, 16 + (1 << 20));
	}
	assert_int_equal(rig_call(&rig, RIG_RESET, NULL, 0), 0);
	rig_finish(&rig);
}

static void vu_server_does_not_spin_for_who_closes_half(void **state)
{
	uint8_t bytes[32], read[16] = { 0 };
	size_t n;

	(void)state;
	rig_init(&rig);
	rig_agree(&rig, "{\"capabilities\":{\"twin_socket\":{\"supported\":true}}}");
	assert_int_equal(rig.n_reply_fds, 1);
	/* Answers wait for the client, and its end of the twin is gone. */
	rig_put(read + 8, 4, 10);
	rig_put(read + 12, 4, 1 << 20);
	n = rig_message(&rig, bytes, RIG_REGION_READ, 0, read, sizeof(read));
	for (unsigned int i = 0; i < 10; i++)
		rig_send(rig.fd, bytes, n, NULL, 0);
	rig_settle(&rig);
	rig_close_reply_fds(&rig);
	rig_settle(&rig);
	assert_int_equal(rig.left, 1);
	rig_finish(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vu_server1_survives_a_stream_cut_at_any_byte),
		cmocka_unit_test(vu_server2_closes_on_framing_errors),
		cmocka_unit_test(vu_server3_answers_content_errors_with_a_bare_header),
		cmocka_unit_test(vu_server17_refuses_unknown_commands_and_goes_on),
		cmocka_unit_test(vu_server4_honours_no_reply),
		cmocka_unit_test(vu_server_serial_number_is_read_back),
		cmocka_unit_test(vu_server5_wants_version_first_and_once),
		cmocka_unit_test(vu_server5_version_reply_fits_a_qemu_client),
		cmocka_unit_test(vu_server5_refuses_other_versions_with_a_reason),
		cmocka_unit_test(vu_server6_refuses_bad_json_and_closes),
		cmocka_unit_test(vu_server7_device_info_is_16_bytes),
		cmocka_unit_test(vu3_server7_regions_are_what_they_must_be),
		cmocka_unit_test(vu_server8_region_info_in_two_passes),
		cmocka_unit_test(vu_server8_descriptor_goes_with_its_own_answer),
		cmocka_unit_test(vu_server_region_io_fds_are_none),
		cmocka_unit_test(vu_server_irq_info),
		cmocka_unit_test(vu_server9_checks_each_access),
		cmocka_unit_test(vu_server9_config_space_in_any_width),
		cmocka_unit_test(vu4_server_device_memory_by_message),
		cmocka_unit_test(vu_server14_reset_and_flr_do_the_same),
		cmocka_unit_test(vu_server_does_not_grow_for_who_never_reads),
		cmocka_unit_test(vu_server_does_not_spin_for_who_closes_half),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

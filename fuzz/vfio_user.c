/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Target: both ends of a vfio-user socket. A hostile client, with descriptors, at our server: only
 * whole messages come back, and the client leaves nothing. Answers of a hostile server, at our
 * client: nothing but errors comes of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cxlvm/server.h>

#include "fuzz.h"
#include "user_server.h"
#include "vfio_user/stream.h"

#define MEMORY_SIZE ((uint64_t)256 << 20)
#define RAM         0x10000u

/* As much as the server ever says at once. */
#define ANSWER_MAX ((1u << 20) + 1024)

/* Milliseconds: an input with silence in it should not take long. */
#define TIMEOUT_MS 20u

/* Made with the first input, and ended with the process. */
static struct {
	struct cxlvm_server *server;
	char path[64];
	unsigned int left;
	struct user_server nasty;
	uint8_t *ram;
	int ram_fd;
} all;

static void on_event(void *owner, enum cxlvm_server_event event, const char *text)
{
	(void)owner;
	FUZZ_CHECK(strlen(text) < CXLVM_ERROR_MESSAGE_MAX);
	all.left += event == CXLVM_SERVER_CLIENT_LEFT;
}

static void end_all(void)
{
	cxlvm_server_destroy(all.server);
	user_server_finish(&all.nasty);
}

static void start_all(void)
{
	struct cxlvm_server_config config = {
		.size = sizeof(config),
		.socket_path = all.path,
		.memory_size = MEMORY_SIZE,
		.event = on_event,
	};

	if (all.server)
		return;
	snprintf(all.path, sizeof(all.path), "/tmp/cxlvm-fuzz-%d", getpid());
	FUZZ_CHECK(!cxlvm_server_create(&config, &all.server, NULL));
	user_server_init(&all.nasty);
	user_server_start(&all.nasty);
	all.ram_fd = memfd_create("ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FUZZ_CHECK(all.ram_fd >= 0 && !ftruncate(all.ram_fd, RAM));
	all.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, all.ram_fd, 0);
	FUZZ_CHECK(all.ram != MAP_FAILED);
	atexit(end_all);
}

/* A descriptor of one of the kinds that a client could send. */
static int make_fd(unsigned int kind)
{
	int fd;

	switch (kind % 6) {
	case 0:
	case 1:
		fd = memfd_create("client", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		if (ftruncate(fd, RAM) || (kind % 6 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)))
			abort();
		return fd;
	case 2:
		return eventfd(UINT32_MAX, EFD_CLOEXEC);
	case 3:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 4:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	default:
		return memfd_create("empty", MFD_CLOEXEC);
	}
}

static int connect_client(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, all.path, sizeof(all.path));
	FUZZ_CHECK(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

/* Whole messages, of sizes that can be, and what a server may say. */
static void take_answers(struct vu_stream *stream)
{
	struct vu_message message;
	int ret;

	while (vu_stream_receive(stream) > 0) {
		while ((ret = vu_stream_next(stream, &message)) > 0) {
			bool reply = vu_header_type(&message.header) == VU_TYPE_REPLY;
			uint16_t command = message.header.command;

			FUZZ_CHECK(reply || command == VU_DMA_READ || command == VU_DMA_WRITE);
			FUZZ_CHECK(message.n_fds <= 1);
			if (!(message.header.flags & VU_FLAG_ERROR))
				FUZZ_CHECK(!vu_message_check(&message));
			vu_message_close_fds(&message);
		}
		FUZZ_CHECK(!ret);
	}
}

static void step(unsigned int times)
{
	while (times-- && !cxlvm_server_step(all.server))
		;
}

/* Messages that a client could well send, so that an input has to change bytes only. */
static const struct {
	uint16_t command;
	uint8_t size;
	uint8_t payload[40];
} messages[] = {
	{ VU_DMA_MAP, 32, { [0] = 32, [4] = 3, [25] = 0x10 } },
	{ VU_DMA_UNMAP, 24, { [0] = 24, [17] = 0x10 } },
	{ VU_DEVICE_GET_INFO, 16, { [0] = 16 } },
	{ VU_DEVICE_GET_REGION_INFO, 32, { [1] = 2, [8] = 10 } },
	{ VU_DEVICE_GET_REGION_IO_FDS, 16, { [0] = 16 } },
	{ VU_DEVICE_GET_IRQ_INFO, 16, { [0] = 16, [8] = 2 } },
	{ VU_DEVICE_SET_IRQS, 20, { [0] = 20, [4] = 0x24, [8] = 2, [16] = 1 } },
	{ VU_DEVICE_SET_IRQS, 20, { [0] = 20, [4] = 0x21, [8] = 2, [16] = 1 } },
	{ VU_REGION_READ, 16, { [8] = 10, [12] = 8 } },
	{ VU_REGION_WRITE, 24, { [8] = 10, [12] = 8, [16] = 0xaa } },
	/* Memory Space and Bus Master; bytes to copy; the doorbell of the copy engine. */
	{ VU_REGION_WRITE, 20, { [0] = 4, [8] = 7, [12] = 4, [16] = 6 } },
	{ VU_REGION_WRITE, 20, { [0] = 0x20, [8] = 2, [12] = 4, [16] = 64 } },
	{ VU_REGION_WRITE, 20, { [0] = 0x24, [8] = 2, [12] = 4, [16] = 1 } },
	{ VU_DEVICE_RESET, 0, { 0 } },
	{ VU_DMA_READ, 16, { [8] = 64 } },
};

/* One of them, with some bytes changed; all of the bytes. */
static unsigned int make_message(struct fuzz_input *input, unsigned int what, uint8_t *bytes,
				 uint16_t *id)
{
	unsigned int i = fuzz_u8(input) % (sizeof(messages) / sizeof(messages[0]));
	struct vu_header header = {
		.id = ++*id,
		.command = messages[i].command,
		.size = VU_HEADER_BYTES + messages[i].size,
		.flags = what & 8 ? VU_TYPE_REPLY : VU_TYPE_COMMAND,
	};

	memcpy(bytes + VU_HEADER_BYTES, messages[i].payload, messages[i].size);
	/* The answer to DMA_READ carries what was asked for, and has the id of the question. */
	if (what & 8) {
		header.id = fuzz_u8(input);
		header.size += 64;
	}
	vu_header_encode(bytes, &header);
	for (unsigned int n = what >> 1 & 3; n; n--) {
		unsigned int at = fuzz_u8(input) % header.size;

		bytes[at] = fuzz_u8(input);
	}
	return header.size;
}

/* A message, or bytes of the input as they are, with descriptors. */
static void send_some(int fd, struct fuzz_input *input, uint16_t *id)
{
	unsigned int what = fuzz_u8(input), n_fds = what >> 4 & 3, size;
	uint8_t bytes[VU_HEADER_BYTES + 256] = { 0 };
	int fds[3];

	if (what & 1)
		size = make_message(input, what, bytes, id);
	else
		size = (unsigned int)fuzz_bytes(input, bytes, fuzz_u8(input));
	for (unsigned int i = 0; i < n_fds; i++)
		fds[i] = make_fd(fuzz_u8(input));
	if (size)
		(void)vu_stream_send(fd, bytes, size, NULL, 0, fds, n_fds);
	for (unsigned int i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* Far more than are ever open here. */
#define FDS_MAX 128

static unsigned int count_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < FDS_MAX; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* The other server may still be at what the input before left in its socket. */
static bool fds_are_back(unsigned int before)
{
	for (unsigned int i = 0; i < 1000; i++) {
		if (count_fds() <= before)
			return true;
		user_server_forget(&all.nasty);
		usleep(1000);
	}
	return false;
}

static void run_client(struct fuzz_input *input, bool agrees)
{
	static const uint8_t version[] = {
		0,   0,   0,   0,   '{', '"', 'c', 'a', 'p', 'a', 'b', 'i', 'l',
		'i', 't', 'i', 'e', 's', '"', ':', '{', '"', 'm', 'a', 'x', '_',
		'm', 's', 'g', '_', 'f', 'd', 's', '"', ':', '8', '}', '}', 0,
	};
	struct vu_header header = {
		.command = VU_VERSION,
		.size = VU_HEADER_BYTES + sizeof(version),
	};
	uint8_t head[VU_HEADER_BYTES];
	struct cxlvm_server_stats stats;
	struct vu_stream stream;
	unsigned int before = count_fds();
	int fd = connect_client();
	uint16_t id = 0;

	FUZZ_CHECK(!vu_stream_init(&stream, fd, ANSWER_MAX));
	if (agrees) {
		vu_header_encode(head, &header);
		(void)vu_stream_send(fd, head, sizeof(head), version, sizeof(version), NULL, 0);
	}
	/* Accepted, then heard. */
	step(1);
	step(1);
	all.left = 0;
	while (input->left && !all.left) {
		send_some(fd, input, &id);
		step(64);
		if (fuzz_u8(input) & 3)
			take_answers(&stream);
	}
	take_answers(&stream);
	vu_stream_finish(&stream);
	close(fd);
	for (unsigned int i = 0; !all.left; i++) {
		/* Much was said that it has to answer first. */
		FUZZ_CHECK(i < 10000);
		step(1);
	}
	cxlvm_server_get_stats(all.server, &stats, sizeof(stats));
	FUZZ_CHECK(!stats.connected && !stats.dma_ranges);
	FUZZ_CHECK(fds_are_back(before));
}

/* What is wrong with some answer of the server. */
static void add_rule(struct fuzz_input *input, uint8_t *bytes, size_t room)
{
	static const enum us_action actions[] = {
		US_PAYLOAD, US_PAYLOAD, US_PAYLOAD, US_HEADER, US_HEADER, US_SIZE,
		US_CUT,     US_FDS,     US_ASK,     US_ERROR,  US_FD,     US_BYTEWISE,
	};
	struct us_rule rule = {
		.command = fuzz_u8(input) % 14,
		.nth = fuzz_u8(input) % 64,
		.action = actions[fuzz_u8(input) % 12],
	};
	unsigned int place = fuzz_u16(input);

	switch (rule.action) {
	case US_PAYLOAD:
		rule.a = place % 512;
		rule.b = 1 + (place >> 9) % 8;
		rule.c = fuzz_u64(input);
		break;
	case US_HEADER:
		rule.a = place % 16;
		rule.b = 1 + (place >> 4) % 4;
		rule.c = fuzz_u32(input);
		break;
	case US_SIZE:
		rule.a = place % 8192;
		break;
	case US_CUT:
		rule.a = place % 64;
		break;
	case US_FDS:
		rule.a = place % 20;
		break;
	case US_ASK:
		rule.a = (int64_t)fuzz_bytes(input, bytes, place % room);
		rule.bytes = bytes;
		break;
	case US_ERROR:
		rule.a = place;
		break;
	case US_FD:
		rule.a = -1;
		break;
	default:
		break;
	}
	user_server_rule(&all.nasty, &rule);
}

/* One thing that a monitor does with a device. */
static void use(struct cxlvm_transport *user, struct fuzz_input *input)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	unsigned int what = fuzz_u8(input), region = fuzz_u8(input) % 12, offset = fuzz_u16(input);
	struct cxlvm_dma_range range = {
		.size = RAM,
		.fd = what & 0x80 ? all.ram_fd : -1,
		.address = all.ram,
		.writable = what & 0x40,
	};
	struct cxlvm_map_request request = {
		.region = region,
		.size = 2u << 20,
		.guest = { 0x140000000 },
		.alignment = 2u << 20,
	};
	uint8_t bytes[256] = { 0 };
	size_t needed = 0;
	void *memory;

	switch (what % 10) {
	case 0:
		(void)user->ops->read(user->device, region, offset, bytes, 1 + what / 2);
		break;
	case 1:
		(void)user->ops->write(user->device, region, offset, bytes, 1 + what / 2);
		break;
	case 2:
		if (!user->ops->map(user->device, &request, &memory))
			user->ops->unmap(user->device, memory, request.size);
		break;
	case 3:
		(void)user->transport->irq_set(user->device, 2, 0, 1, &all.ram_fd);
		(void)user->transport->irq_disable(user->device, 2);
		break;
	case 4:
		(void)user->transport->dma_map(user->device, &range, &err);
		break;
	case 5:
		(void)user->transport->dma_unmap(user->device, range.base, range.size);
		break;
	case 6:
		(void)user->transport->reset(user->device);
		break;
	case 7:
		(void)user->transport->service(user->device);
		break;
	case 8:
		(void)user->ops->usable(user->device);
		user->ops->why_unusable(user->device, &err);
		break;
	default:
		(void)user->ops->region_info(user->device, region, bytes, sizeof(bytes), &needed);
		(void)user->ops->info(user->device, bytes, sizeof(bytes), &needed);
		break;
	}
}

static void run_server(struct fuzz_input *input, unsigned int rules)
{
	struct cxlvm_user_config config = {
		.size = sizeof(config),
		.path = all.nasty.path,
		.timeout_ms = TIMEOUT_MS,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport user;
	static uint8_t asked[3][128];
	int ret;

	user_server_no_rules(&all.nasty);
	user_server_forget(&all.nasty);
	for (unsigned int i = 0; i < rules; i++)
		add_rule(input, asked[i], sizeof(asked[i]));
	ret = cxlvm_user_open(&config, &user, &err);
	FUZZ_CHECK(ret == err.code && !!ret == !!err.message[0]);
	if (ret)
		return;
	for (unsigned int i = 0; input->left && i < 64; i++)
		use(&user, input);
	user.transport->close(user.device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	unsigned int choice = fuzz_u8(&input);

	start_all();
	if (choice & 1)
		run_server(&input, choice >> 2 & 3);
	else
		run_client(&input, choice & 2);
	return 0;
}

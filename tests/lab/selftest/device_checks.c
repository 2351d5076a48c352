// SPDX-License-Identifier: BSD-3-Clause
/* What only the lab's device can show: its copy engine, interrupts, switches and counters. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_shape/uapi.h"
#include "selftest.h"

#define PAGE       4096u
#define IOVA       0x100000u
#define ENGINE_BAR 2u
#define VECTOR     3u

/* docs/device.md */
#define ENGINE_DIRECTION   0x08u
#define ENGINE_INTERRUPT   0x100u
#define ENGINE_VECTOR      0x0cu
#define ENGINE_SOURCE      0x10u
#define ENGINE_DESTINATION 0x18u
#define ENGINE_LENGTH      0x20u
#define ENGINE_DOORBELL    0x24u
#define ENGINE_STATUS      0x28u
#define STATUS_BUSY        0x1u
#define STATUS_DONE        0x2u
#define STATUS_DMA_FAILED  0x704u

static struct region engine_of(const struct session *session)
{
	/* BARs have no capabilities here: the packing of offsets is that of the other regions. */
	return (struct region){ .index = ENGINE_BAR,
				.size = PAGE,
				.offset = session->bar.offset +
					  ((uint64_t)(ENGINE_BAR - session->bar.index) << 40) };
}

/* A copy; the vector's eventfd tells its end. The status, 0 when it did not end in 10 s. */
static uint32_t copy(const struct session *session, uint32_t direction, uint32_t source,
		     uint32_t destination, int eventfd)
{
	struct region engine = engine_of(session);
	struct pollfd wait = { .fd = eventfd, .events = POLLIN };
	uint64_t count;

	write_number(session, &engine, ENGINE_DIRECTION, 4, direction | ENGINE_INTERRUPT);
	write_number(session, &engine, ENGINE_VECTOR, 4, VECTOR);
	write_number(session, &engine, ENGINE_SOURCE, 4, source);
	write_number(session, &engine, ENGINE_DESTINATION, 4, destination);
	write_number(session, &engine, ENGINE_LENGTH, 4, 2 * PAGE);
	write_number(session, &engine, ENGINE_DOORBELL, 4, 1);
	if (poll(&wait, 1, 10000) != 1 || read(eventfd, &count, 8) != 8)
		return 0;
	return read_number(session, &engine, ENGINE_STATUS, 4);
}

static void check_dma(struct session *session, int eventfd)
{
	uint8_t *ram =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t seen[2 * PAGE];
	uint32_t status;
	int ret;

	if (ram == MAP_FAILED)
		bail_out("no memory");
	for (size_t i = 0; i < 2 * PAGE; i++)
		ram[i] = (uint8_t)(i * 7 + (i >> 8));
	ret = space_map(session, ram, IOVA, 4 * PAGE);
	if (ret)
		bail_out("DMA map: %s", strerror(ret));
	write_number(session, &session->config, PCI_COMMAND_AT, 2, COMMAND_SPACE | COMMAND_MASTER);
	status = copy(session, 0, IOVA, 0x3000, eventfd);
	debug_memory(session, 0x3000, seen, sizeof(seen), false);
	result(status == STATUS_DONE && !memcmp(seen, ram, sizeof(seen)),
	       "the device copies from guest memory, and its interrupt arrives", "status 0x%x",
	       status);
	status = copy(session, 1, 0x3000, IOVA + 2 * PAGE, eventfd);
	result(status == STATUS_DONE && !memcmp(ram, ram + 2 * PAGE, 2 * PAGE),
	       "the device copies to guest memory", "status 0x%x", status);
	(void)space_unmap(session, IOVA, 4 * PAGE);
	status = copy(session, 0, IOVA, 0x3000, eventfd);
	result(status == STATUS_DMA_FAILED, "after the unmap it cannot", "status 0x%x", status);
	munmap(ram, 4 * PAGE);
}

static int set_irqs(const struct session *session, uint32_t index, uint32_t start, uint32_t count,
		    int fd)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} ask = {
		.set = { .argsz = sizeof(ask),
			 .flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			 .index = index,
			 .start = start,
			 .count = count },
		.fd = fd,
	};

	memcpy(ask.set.data, &fd, sizeof(fd));
	return ioctl(session->device, VFIO_DEVICE_SET_IRQS, &ask) ? errno : 0;
}

static int set_irq(const struct session *session, uint32_t index, uint32_t start, int fd)
{
	return set_irqs(session, index, start, 1, fd);
}

static bool arrived(int eventfd)
{
	struct pollfd wait = { .fd = eventfd, .events = POLLIN };
	uint64_t count;

	return poll(&wait, 1, 0) == 1 && read(eventfd, &count, 8) == 8;
}

static void check_notices(struct session *session, int fd)
{
	bool error, request;

	set_irq(session, VFIO_PCI_ERR_IRQ_INDEX, 0, fd);
	result(set_irqs(session, VFIO_PCI_ERR_IRQ_INDEX, 0, 0, fd) == EINVAL,
	       "an eventfd for no interrupt is refused", "no");
	debug_write(session, "notify", "error");
	error = arrived(fd);
	set_irq(session, VFIO_PCI_ERR_IRQ_INDEX, 0, -1);
	set_irq(session, VFIO_PCI_REQ_IRQ_INDEX, 0, fd);
	debug_write(session, "notify", "error");
	request = !arrived(fd);
	debug_write(session, "notify", "request");
	request = request && arrived(fd);
	result(error && request, "notices of errors and requests arrive", "%d %d", error, request);
}

static void check_revoke(struct session *session)
{
	uint8_t *memory = region_map(session, &session->memory, 0, PAGE, NULL);
	bool gone;

	if (!memory) {
		skip("memory is revoked and restored", "this kernel does not map device memory");
		return;
	}
	memory[9] = 0x42;
	debug_write(session, "revoke", "1");
	gone = is_unreachable(memory + 9);
	debug_write(session, "restore", "1");
	result(gone && !is_unreachable(memory + 9) && memory[9] == 0x42,
	       "memory is revoked and restored", "%sgone", gone ? "" : "not ");
	munmap(memory, PAGE);
}

static int reset(const struct session *session)
{
	return ioctl(session->device, VFIO_DEVICE_RESET) ? errno : 0;
}

static void check_failures(struct session *session)
{
	int first, second, third;

	debug_write(session, "fail", "reset 2 11 1");
	first = reset(session);
	second = reset(session);
	third = reset(session);
	result(!first && second == EAGAIN && !third, "the call that was asked to fails", "%d %d %d",
	       first, second, third);
	debug_write(session, "quirks", "reset-again");
	debug_write(session, "quirk_times", "2");
	first = reset(session);
	second = reset(session);
	third = reset(session);
	debug_write(session, "quirks", "");
	result(first == EAGAIN && second == EAGAIN && !third, "a reset can be put off twice",
	       "%d %d %d", first, second, third);
}

static void check_short(struct session *session)
{
	uint32_t value;
	int first, second;

	debug_write(session, "short_reads", "2");
	first = region_read(session, &session->config, 0, &value, 4);
	debug_write(session, "short_reads", "0");
	second = region_read(session, &session->config, 0, &value, 4);
	result(first == -1 && !second, "a read can be cut short", "%d %d", first, second);
}

/* The answers about a region as they come, at most 512 bytes. */
static void raw_info(const struct session *session, uint32_t index, uint32_t argsz,
		     uint32_t *answer)
{
	memset(answer, 0, 512);
	answer[0] = argsz;
	answer[2] = index;
	if (ioctl(session->device, VFIO_DEVICE_GET_REGION_INFO, answer))
		bail_out("region info: %s", strerror(errno));
}

static void check_hostile(struct session *session)
{
	uint32_t bar[128], memory[128], at;

	debug_write(session, "quirks", "chain-loops");
	raw_info(session, session->memory.index, 512, memory);
	debug_write(session, "quirks", "");
	at = memory[3] / 4;
	result(at == 8 && memory[at + 1] == 32, "a chain of capabilities can loop",
	       "first at %u, next at %u", memory[3], memory[9]);
	debug_write(session, "hostile", "overlap");
	raw_info(session, session->bar.index, 512, bar);
	debug_write(session, "hostile", "huge");
	raw_info(session, session->memory.index, 512, memory);
	debug_write(session, "hostile", "none");
	result(session->bar.n_areas < 2 || !memcmp(bar + 12, bar + 16, 16), "areas can overlap",
	       "%x %x", bar[12], bar[16]);
	result(memory[4] == 0 && memory[5] == 0x80000000u, "a size can lie", "%x %x", memory[5],
	       memory[4]);
	/* Nothing of what was hostile is left; and room for less than all is no error. */
	raw_info(session, session->memory.index, 40, memory);
	result(memory[0] > 40 && !memory[3] && !memory[8], "a short answer says what it needs",
	       "%u, chain at %u", memory[0], memory[3]);
}

void check_device(struct session *session)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), ret;
	long opens, closes;

	ret = set_irq(session, VFIO_PCI_MSIX_IRQ_INDEX, VECTOR, fd);
	if (fd < 0 || ret)
		bail_out("interrupt: %s", strerror(ret));
	result(set_irq(session, VFIO_PCI_MSIX_IRQ_INDEX, 2048, fd) == EINVAL,
	       "an interrupt that there is not is refused", "no");
	if (session->is_function) {
		skip("copy engine, notices and short reads", "they are the software device's");
	} else {
		check_dma(session, fd);
		check_notices(session, fd);
		check_short(session);
	}
	check_revoke(session);
	check_failures(session);
	check_hostile(session);
	close(fd);
	opens = debug_counter(session, "open");
	closes = debug_counter(session, "close");
	session_close_device(session);
	session_open_device(session);
	opens = debug_counter(session, "open") - opens;
	closes = debug_counter(session, "close") - closes;
	result(opens == 1 && closes == 1, "an open and a close are counted", "%ld and %ld", opens,
	       closes);
}

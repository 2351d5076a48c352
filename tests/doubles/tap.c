/* SPDX-License-Identifier: BSD-3-Clause */
#include "tap.h"

#include <errno.h>
#include <sys/stat.h>

#include "test.h"

#define HOST_PAGE 4096u

static struct tap *tap_enter(void *opaque, enum call call)
{
	struct tap *tap = opaque;

	if (tap->closed)
		fail_msg("device call %s: %s", call_name(call), tap->closed);
	tap->calls++;
	return tap;
}

static int tap_leave(struct tap *tap, struct journal_entry *entry, const void *data, size_t len)
{
	if (data)
		memcpy(entry->data, data, len < sizeof(entry->data) ? len : sizeof(entry->data));
	entry->device = tap->index;
	journal_add(tap->journal, entry);
	return entry->result;
}

/* A failing device may have written some of the answer. */
static void scribble(void *buf, size_t len)
{
	memset(buf, 0xa5, (len + 1) / 2);
}

/*
 * The host owns the answer and takes it back after the call (qemu-adapter.md 7, point 15): what is
 * kept of it by address is garbage from then on. Not allocated, as allocations of the doubles would
 * count; one for all taps, as nothing is lent while something is lent.
 */
static uint8_t lent[1u << 16];

static uint8_t *answer_lend(const void *buf, size_t len)
{
	assert_true(len <= sizeof(lent));
	return memcpy(lent, buf, len);
}

static void answer_take_back(uint8_t *answer, void *buf, size_t len)
{
	memcpy(buf, answer, len);
	memset(answer, 0xa5, len);
}

static int tap_info(void *opaque, void *buf, size_t len, size_t *needed)
{
	struct tap *tap = tap_enter(opaque, CALL_INFO);
	struct journal_entry entry = { .call = CALL_INFO, .length = len };
	uint8_t *answer;

	if (faults_due(tap->faults, CALL_INFO)) {
		scribble(buf, len);
		entry.result = tap->faults->error;
		return tap_leave(tap, &entry, NULL, 0);
	}
	answer = answer_lend(buf, len);
	entry.result = tap->inner->info(tap->device, answer, len, needed);
	answer_take_back(answer, buf, len);
	return tap_leave(tap, &entry, NULL, 0);
}

static int tap_region_info(void *opaque, uint32_t index, void *buf, size_t len, size_t *needed)
{
	struct tap *tap = tap_enter(opaque, CALL_REGION_INFO);
	struct journal_entry entry = { .call = CALL_REGION_INFO, .region = index, .length = len };
	uint8_t *answer;

	if (faults_due(tap->faults, CALL_REGION_INFO)) {
		scribble(buf, len);
		entry.result = tap->faults->error;
		return tap_leave(tap, &entry, NULL, 0);
	}
	answer = answer_lend(buf, len);
	entry.result = tap->inner->region_info(tap->device, index, answer, len, needed);
	answer_take_back(answer, buf, len);
	return tap_leave(tap, &entry, NULL, 0);
}

static int tap_read(void *opaque, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	struct tap *tap = tap_enter(opaque, CALL_READ);
	struct journal_entry entry = {
		.call = CALL_READ, .region = region, .offset = offset, .length = len
	};

	assert_true(len > 0);
	if (faults_due(tap->faults, CALL_READ)) {
		scribble(buf, len);
		entry.result = tap->faults->error;
		return tap_leave(tap, &entry, NULL, 0);
	}
	entry.result = tap->inner->read(tap->device, region, offset, buf, len);
	return tap_leave(tap, &entry, buf, len);
}

static int tap_write(void *opaque, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	struct tap *tap = tap_enter(opaque, CALL_WRITE);
	struct journal_entry entry = {
		.call = CALL_WRITE, .region = region, .offset = offset, .length = len
	};
	bool due = faults_due(tap->faults, CALL_WRITE);

	assert_true(len > 0);
	if (due)
		entry.result = tap->faults->error;
	if (!due || tap->faults->when == FAULT_AFTER) {
		int ret = tap->inner->write(tap->device, region, offset, buf, len);

		entry.result = due ? entry.result : ret;
	}
	return tap_leave(tap, &entry, buf, len);
}

static int tap_map(void *opaque, const struct cxlvm_map_request *request, void **address)
{
	struct tap *tap = tap_enter(opaque, CALL_MAP);
	struct journal_entry entry = { .call = CALL_MAP,
				       .region = request->region,
				       .offset = request->offset,
				       .length = request->size };

	assert_true(request->size && request->size % HOST_PAGE == 0);
	assert_int_equal(request->offset % HOST_PAGE, 0);
	assert_int_equal(request->guest.value % HOST_PAGE, 0);
	assert_true(request->alignment >= HOST_PAGE);
	assert_int_equal(request->alignment & (request->alignment - 1), 0);
	if (faults_due(tap->faults, CALL_MAP)) {
		entry.result = tap->faults->error;
		return tap_leave(tap, &entry, NULL, 0);
	}
	entry.result = tap->inner->map(tap->device, request, address);
	if (!entry.result) {
		assert_true(tap->n_maps < TAP_MAPS_MAX);
		tap->maps[tap->n_maps++] = (struct tap_map){
			.address = *address,
			.size = request->size,
			.offset = request->offset,
			.region = request->region,
		};
	}
	return tap_leave(tap, &entry, NULL, 0);
}

static void tap_unmap(void *opaque, void *address, uint64_t size)
{
	struct tap *tap = opaque; /* legal in free, so tap->closed does not apply */
	struct journal_entry entry = { .call = CALL_UNMAP, .length = size };

	for (unsigned int i = 0; i < tap->n_maps; i++) {
		if (tap->maps[i].address != address)
			continue;
		if (tap->maps[i].size != size)
			fail_msg("unmap of 0x%llx bytes, mapped 0x%llx", (unsigned long long)size,
				 (unsigned long long)tap->maps[i].size);
		tap->maps[i] = tap->maps[--tap->n_maps];
		tap->inner->unmap(tap->device, address, size);
		tap_leave(tap, &entry, NULL, 0);
		return;
	}
	fail_msg("unmap of %p, which is not mapped", address);
}

static void remember_dma_buf(struct tap *tap, int fd)
{
	unsigned int at = 0;
	struct stat st;

	/* a number comes again when it was closed */
	while (at < tap->n_dma_bufs && tap->dma_bufs[at].fd != fd)
		at++;
	assert_true(at < TAP_MAPS_MAX);
	assert_int_equal(fstat(fd, &st), 0);
	tap->dma_bufs[at] = (struct tap_dma_buf){ .fd = fd, .inode = st.st_ino };
	if (at == tap->n_dma_bufs)
		tap->n_dma_bufs++;
}

static int tap_dma_buf(void *opaque, uint32_t region, uint64_t offset, uint64_t size)
{
	struct tap *tap = tap_enter(opaque, CALL_DMA_BUF);
	struct journal_entry entry = {
		.call = CALL_DMA_BUF, .region = region, .offset = offset, .length = size
	};

	if (faults_due(tap->faults, CALL_DMA_BUF))
		entry.result = tap->faults->error;
	else
		entry.result = tap->inner->dma_buf(tap->device, region, offset, size);
	if (entry.result >= 0)
		remember_dma_buf(tap, entry.result);
	return tap_leave(tap, &entry, NULL, 0);
}

static int tap_usable(void *opaque)
{
	struct tap *tap = tap_enter(opaque, CALL_USABLE);
	struct journal_entry entry = { .call = CALL_USABLE };

	if (faults_due(tap->faults, CALL_USABLE))
		entry.result = tap->faults->error;
	else
		entry.result = tap->inner->usable(tap->device);
	return tap_leave(tap, &entry, NULL, 0);
}

/* Asks nothing of the device: not counted, and it does not fail. */
static void tap_why_unusable(void *opaque, struct cxlvm_error *err)
{
	struct tap *tap = opaque;

	tap->inner->why_unusable(tap->device, err);
}

void tap_init(struct tap *tap, const struct cxlvm_device_ops *inner, void *device,
	      struct journal *journal, struct faults *faults, unsigned int index)
{
	memset(tap, 0, sizeof(*tap));
	tap->inner = inner;
	tap->device = device;
	tap->journal = journal;
	tap->faults = faults;
	tap->index = index;
	tap->ops = (struct cxlvm_device_ops){
		.size = sizeof(tap->ops),
		.info = tap_info,
		.region_info = tap_region_info,
		.read = tap_read,
		.write = tap_write,
		.map = tap_map,
		.unmap = tap_unmap,
		.dma_buf = inner->dma_buf ? tap_dma_buf : NULL,
		.usable = inner->usable ? tap_usable : NULL,
		.why_unusable = inner->why_unusable ? tap_why_unusable : NULL,
	};
}

unsigned int tap_open_dma_bufs(const struct tap *tap)
{
	unsigned int open = 0;

	for (unsigned int i = 0; i < tap->n_dma_bufs; i++) {
		struct stat st;

		if (!fstat(tap->dma_bufs[i].fd, &st) && st.st_ino == tap->dma_bufs[i].inode)
			open++;
	}
	return open;
}

const struct tap_map *tap_find_map(const struct tap *tap, const void *address, uint64_t size)
{
	const uint8_t *p = address;

	for (unsigned int i = 0; i < tap->n_maps; i++) {
		const struct tap_map *map = &tap->maps[i];

		if (p >= map->address && p < map->address + map->size &&
		    size <= (uint64_t)(map->address + map->size - p))
			return map;
	}
	return NULL;
}

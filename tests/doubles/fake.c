/* SPDX-License-Identifier: BSD-3-Clause */
#include "fake.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "test.h"

#define HOST_PAGE 4096u

/* Bits of HDM decoder control (linux-cxl-guest.md, section 5). */
#define CONTROL_LOCK      0x100u
#define CONTROL_COMMITTED 0x400u

uint64_t fake_get(const uint8_t *bytes, unsigned int length)
{
	uint64_t value = 0;

	assert_true(length <= sizeof(value));
	memcpy(&value, bytes, length);
	return le64toh(value);
}

void fake_put(uint8_t *bytes, unsigned int length, uint64_t value)
{
	for (unsigned int i = 0; i < length; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

static unsigned int digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

size_t fake_hex(uint8_t *bytes, size_t max, const char *hex)
{
	size_t n = 0;

	for (; *hex; hex++) {
		if (*hex == ' ')
			continue;
		assert_true(n < max && hex[1]);
		bytes[n++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
		hex++;
	}
	return n;
}

uint32_t fake_hardware(const struct fake *fake, unsigned int hdm_offset)
{
	return (uint32_t)fake_get(fake->block + 0x1100 + hdm_offset, 4);
}

void fake_set_hardware(struct fake *fake, unsigned int hdm_offset, uint32_t value)
{
	fake_put(fake->block + 0x1100 + hdm_offset, 4, value);
}

uint32_t fake_kernel(const struct fake *fake, unsigned int hdm_offset)
{
	return (uint32_t)fake_get(fake->shadow + 0x100 + hdm_offset, 4);
}

void fake_set_kernel(struct fake *fake, unsigned int hdm_offset, uint32_t value)
{
	fake_put(fake->shadow + 0x100 + hdm_offset, 4, value);
}

static unsigned int decoders(const struct fake *fake)
{
	static const unsigned int counts[16] = { 1,  2,  4,  6,  8,  10, 12, 14,
						 16, 20, 24, 28, 32, 0,  0,  0 };

	return counts[fake_hardware(fake, 0) & 0xf];
}

void fake_sample(struct fake *fake)
{
	memcpy(fake->shadow, fake->block + 0x1000, sizeof(fake->shadow));
	/* only generation 2 frees what firmware locked */
	for (unsigned int i = 0; i < decoders(fake) && fake->generation == 2; i++) {
		unsigned int at = 0x10 + 0x20 * i;
		uint32_t control = fake_hardware(fake, at + 0x10);

		if ((control & (CONTROL_LOCK | CONTROL_COMMITTED)) !=
		    (CONTROL_LOCK | CONTROL_COMMITTED))
			continue;
		fake_set_kernel(fake, at + 0x10, control & ~CONTROL_LOCK);
		fake_set_kernel(fake, at, 0);
		fake_set_kernel(fake, at + 4, 0);
	}
}

static uint64_t region_size(const struct fake *fake, uint32_t region)
{
	return region < FAKE_REGIONS_MAX ? fake_get(fake->regions[region].bytes + 16, 8) : 0;
}

static int answer_copy(struct fake *fake, const struct fake_answer *answer, unsigned int cap_field,
		       size_t minimum, void *buf, size_t len, size_t *needed)
{
	uint8_t bytes[sizeof(answer->bytes)];
	size_t wanted = answer->needed ? answer->needed : answer->len;

	if (answer->error)
		return answer->error;
	if (len < minimum)
		return -EINVAL;
	if (fake->needed_grows)
		wanted = len + 8;
	memcpy(bytes, answer->bytes, sizeof(bytes));
	/* Too small a buffer: CAPS stays set, no chain, argsz raised. */
	if (len < wanted) {
		memset(bytes + cap_field, 0, 4);
		fake_put(bytes, 4, wanted);
	}
	if (len > answer->len)
		len = answer->len;
	memcpy(buf, bytes, len);
	*needed = wanted;
	return 0;
}

static int fake_info(void *device, void *buf, size_t len, size_t *needed)
{
	struct fake *fake = device;

	return answer_copy(fake, &fake->info, 16, 16, buf, len, needed);
}

static int fake_region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	struct fake *fake = device;
	uint64_t regions = fake_get(fake->info.bytes + 8, 4);

	/* 8 is VGA, which this device does not have. */
	if (index == 8 || index >= regions || index >= FAKE_REGIONS_MAX)
		return -EINVAL;
	return answer_copy(fake, &fake->regions[index], 12, 32, buf, len, needed);
}

static bool memory_space(const struct fake *fake)
{
	return fake->config[4] & 2;
}

static int registers_check(const struct fake *fake, uint64_t offset, size_t len)
{
	uint64_t size = region_size(fake, fake->registers_region);

	if (fake->generation == 2)
		return len != 4 || offset % 4 || offset >= size ? -EINVAL : 0;
	if (offset % 4 || len % 4 || offset >= size)
		return -EINVAL;
	if (len <= size - offset)
		return 0;
	return fake->generation < 5 ? -EINVAL : -EIO; /* clamped by the kernel: short */
}

/* Generation 3: of the whole block only the CM area up to the end of the HDM block shows. */
static void block_read(const struct fake *fake, uint64_t offset, uint8_t *buf, size_t len)
{
	for (size_t i = 0; i < len; i++, offset++)
		buf[i] = offset >= 0x1000 && offset < 0x1130 ? fake->shadow[offset - 0x1000] : 0;
}

static int registers_read(struct fake *fake, uint64_t offset, void *buf, size_t len)
{
	int ret = registers_check(fake, offset, len);

	if (ret)
		return ret;
	if (fake->generation == 6 && !memory_space(fake))
		return -EIO;
	if (fake->generation == 2)
		memcpy(buf, fake->shadow + offset, len);
	else if (fake->generation == 3)
		block_read(fake, offset, buf, len);
	else if (fake->generation == 4)
		memcpy(buf, fake->shadow + 0x100 + offset, len);
	else if (memory_space(fake))
		memcpy(buf, fake->block + 0x1100 + offset, len);
	else
		memset(buf, 0xff, len);
	return 0;
}

/* One dword; the kernels of 5 and 6 take every write and forget it. */
static void shadow_write(struct fake *fake, uint64_t offset, uint32_t value)
{
	uint64_t hdm_at = fake->generation == 2 ? 0x100 : fake->generation == 3 ? 0x1100 : 0;
	unsigned int hdm = (unsigned int)(offset - hdm_at);

	if (offset < hdm_at || (fake->drops_at && hdm == fake->drops_at))
		return;
	if (fake->generation == 2)
		fake_write_2(fake, hdm, value);
	else if (fake->generation == 3)
		fake_write_3(fake, hdm, value);
	else if (fake->generation == 4)
		fake_write_4(fake, hdm, value);
}

static int registers_write(struct fake *fake, uint64_t offset, const void *buf, size_t len)
{
	int ret = registers_check(fake, offset, len);

	for (size_t i = 0; i < len && !ret && !fake->drops_writes; i += 4)
		shadow_write(fake, offset + i, (uint32_t)fake_get((const uint8_t *)buf + i, 4));
	return ret;
}

/* Generations 3 and 4 refuse accesses through the BAR to what the register region serves. */
static bool bar_refused(const struct fake *fake, uint64_t offset, size_t len)
{
	uint64_t first = fake->generation == 3 ? 0x10000 : 0x11100;
	uint64_t end = fake->generation == 3 ? 0x20000 : 0x11130;

	return (fake->generation == 3 || fake->generation == 4) && offset < end &&
	       offset + len > first;
}

static int bar_read(struct fake *fake, uint64_t offset, uint8_t *buf, size_t len)
{
	if (bar_refused(fake, offset, len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		uint64_t at = offset + i;
		uint64_t block = at - FAKE_BLOCK_OFFSET;

		buf[i] = 0;
		if (!memory_space(fake))
			buf[i] = 0xff;
		else if (at >= FAKE_BLOCK_OFFSET && block < sizeof(fake->block))
			buf[i] = fake->generation != 2 && block >= 0x1100 && block < 0x1130
					 ? 0xff
					 : fake->block[block];
	}
	return 0;
}

static int bar_write(struct fake *fake, uint64_t offset, const uint8_t *buf, size_t len)
{
	if (bar_refused(fake, offset, len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		uint64_t block = offset + i - FAKE_BLOCK_OFFSET;

		if (offset + i < FAKE_BLOCK_OFFSET || block >= sizeof(fake->block))
			continue;
		/* the capability array is read-only, and so is the decoder */
		if ((block < 0x1000 || block >= 0x1080) && (block < 0x1100 || block >= 0x1130))
			fake->block[block] = buf[i];
	}
	return 0;
}

static int fake_read(void *device, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	struct fake *fake = device;
	uint64_t size;

	if (region == fake->registers_region)
		return registers_read(fake, offset, buf, len);
	size = region_size(fake, region);
	if (region == fake->memory_region)
		fail_msg("P6: device memory was read");
	if (offset >= size || len > size - offset)
		return -EINVAL;
	if (region == CXLVM_REGION_CONFIG) {
		memcpy(buf, fake->config + offset, len);
		if (offset == FAKE_DVSEC + 0x1c && fake->media_waits) {
			fake->media_waits--;
			*(uint8_t *)buf &= (uint8_t)~2;
		}
	} else if (region == FAKE_BAR)
		return bar_read(fake, offset, buf, len);
	else
		memset(buf, 0, len);
	return 0;
}

/* Command register, DVSEC control and control 2: the rest of config space stays. */
static bool config_writable(uint64_t offset)
{
	return offset == 4 || offset == 5 || offset == FAKE_DVSEC + 0x0c ||
	       offset == FAKE_DVSEC + 0x0d || offset == FAKE_DVSEC + 0x10 ||
	       offset == FAKE_DVSEC + 0x11;
}

/* Initiate bits of CXL Control 2 clear themselves; status 2 says that it is done. */
static void initiate(struct fake *fake)
{
	uint8_t *control2 = &fake->config[FAKE_DVSEC + 0x10];
	uint8_t *status2 = &fake->config[FAKE_DVSEC + 0x12];

	if (*control2 & 2 && !fake->never_writes_back)
		*status2 |= 1;
	if (*control2 & 4) {
		fake->cxl_resets++;
		*status2 |= fake->cxl_reset_fails ? 4 : 2;
	}
	*control2 &= (uint8_t)~6;
}

static int fake_write(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	struct fake *fake = device;
	const uint8_t *bytes = buf;
	uint64_t size = region_size(fake, region);

	if (region == fake->registers_region)
		return registers_write(fake, offset, buf, len);
	if (region == fake->memory_region)
		fail_msg("P6: device memory was written");
	if (offset >= size || len > size - offset)
		return -EINVAL;
	if (region == CXLVM_REGION_CONFIG) {
		for (size_t i = 0; i < len; i++)
			if (config_writable(offset + i))
				fake->config[offset + i] = bytes[i];
		initiate(fake);
	} else if (region == FAKE_BAR) {
		return bar_write(fake, offset, bytes, len);
	}
	return 0;
}

/* Inaccessible memory, so that a touch is a crash (P6), at an address congruent to guest. */
static int fake_map(void *device, const struct cxlvm_map_request *request, void **address)
{
	struct fake *fake = device;
	uint64_t size = region_size(fake, request->region);
	uint64_t total = request->size + request->alignment;
	uint64_t start, at;
	uint8_t *p;

	if (request->region != fake->memory_region || request->offset >= size ||
	    request->size > size - request->offset ||
	    !(fake->regions[request->region].bytes[4] & 4))
		return -EINVAL;
	p = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	start = (uint64_t)(uintptr_t)p;
	at = start + ((request->guest.value - start) & (request->alignment - 1));
	if (at > start)
		munmap(p, at - start);
	if (at + request->size < start + total)
		munmap(p + (at - start) + request->size, start + total - at - request->size);
	fake->n_live++;
	*address = p + (at - start);
	return 0;
}

static void fake_unmap(void *device, void *address, uint64_t size)
{
	struct fake *fake = device;

	assert_true(fake->n_live > 0);
	fake->n_live--;
	assert_int_equal(munmap(address, size), 0);
}

/* Any descriptor will do, as nobody looks inside. */
static int fake_dma_buf(void *device, uint32_t region, uint64_t offset, uint64_t size)
{
	struct fake *fake = device;
	uint64_t memory = region_size(fake, region);
	int fd;

	if (fake->dma_buf_error)
		return fake->dma_buf_error;
	if (region != fake->memory_region || offset >= memory || size > memory - offset)
		return -EINVAL;
	fd = memfd_create("fake dma-buf", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

struct fake *fake_open(unsigned int generation)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	assert_non_null(fake);
	fake->generation = generation == FAKE_2N ? 2 : generation;
	fake->kernel = generation;
	fake->keeps_shadow = generation == FAKE_2N || generation == 3;
	fake->usable = 1;
	fake->dma_buf_error = fake->generation < 5 ? -ENOTTY : 0;
	fake->ops = (struct cxlvm_device_ops){
		.size = sizeof(fake->ops),
		.info = fake_info,
		.region_info = fake_region_info,
		.read = fake_read,
		.write = fake_write,
		.map = fake_map,
		.unmap = fake_unmap,
		.dma_buf = fake_dma_buf,
	};
	fake_fill_bytes(fake);
	fake_sample(fake);
	return fake;
}

void fake_add_capabilities(struct fake *fake)
{
	fake_put(fake->config + 0x06, 2, 0x10);
	fake_put(fake->config + 0x34, 1, FAKE_PCIE);
	fake_put(fake->config + FAKE_PCIE, 4, 0x00020010 | FAKE_PM << 8);
	fake_put(fake->config + FAKE_PCIE + 4, 4, 0x10000000); /* function-level reset */
	fake_put(fake->config + FAKE_PM, 4, 0x00030001);
}

void fake_close(struct fake *fake)
{
	assert_int_equal(fake->n_live, 0);
	free(fake);
}

int fake_reset(struct fake *fake)
{
	fake->config[FAKE_DVSEC + 0x12] = 0;
	fake->resets++;
	if (fake->loses_decoder) {
		fake_set_hardware(fake, 0x20, 0);
		fake_set_hardware(fake, 0x10, 0);
		fake_set_hardware(fake, 0x14, 0);
	}
	if (fake->restores_decoder) {
		fake_set_hardware(fake, 0x20, 0x700);
		fake_set_hardware(fake, 0x10, FAKE_HOST_BASE & 0xffffffff);
		fake_set_hardware(fake, 0x14, FAKE_HOST_BASE >> 32);
	}
	if (fake->keeps_base) {
		uint32_t low = fake_kernel(fake, 0x10), high = fake_kernel(fake, 0x14);

		fake_sample(fake);
		fake_set_kernel(fake, 0x10, low);
		fake_set_kernel(fake, 0x14, high);
	} else if (!fake->keeps_shadow) {
		fake_sample(fake);
	}
	return 0;
}

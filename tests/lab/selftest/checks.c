// SPDX-License-Identifier: BSD-3-Clause
/* Discovery, device memory and the register region. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_shape/uapi.h"
#include "selftest.h"

#define PAGE  4096u
#define MIB_2 ((size_t)2 << 20)

static uint64_t decoder_size(const struct session *session)
{
	return (uint64_t)hdm_read(session, HDM_SIZE_HIGH) << 32 |
	       (hdm_read(session, HDM_SIZE_LOW) & 0xf0000000u);
}

/* A dword of the component block: by the BAR as a guest does, or where that is refused by the region. */
static uint32_t block_read(const struct session *session, uint64_t block, uint32_t at)
{
	if (of_generation(session, "3"))
		return read_number(session, &session->regs, at, 4);
	return read_number(session, &session->bar, block + at, 4);
}

/* Where the block is in the BAR, and the decoder, by a walk as a guest's driver makes it. */
static bool walk(const struct session *session, uint32_t *bar, uint64_t *hdm)
{
	unsigned int locator = find_dvsec(session, DVSEC_LOCATOR);
	uint32_t low, high, n;
	uint64_t block;

	if (!locator)
		return false;
	low = read_number(session, &session->config, locator + 0x0c, 4);
	high = read_number(session, &session->config, locator + 0x10, 4);
	if ((low >> 8 & 0xff) != 1)
		return false;
	*bar = low & 7;
	block = (uint64_t)high << 32 | (low & 0xffff0000u);
	n = block_read(session, block, CM_IN_BLOCK) >> 24;
	for (uint32_t i = 1; i <= n; i++) {
		uint32_t entry = block_read(session, block, CM_IN_BLOCK + 4 * i);

		if ((entry & 0xffff) == CM_ID_HDM) {
			*hdm = block + CM_IN_BLOCK + (entry >> 20);
			return true;
		}
	}
	return false;
}

static void check_areas(struct session *session)
{
	const struct region *bar = &session->bar;
	uint64_t size = 0;
	void *address;
	uint32_t bad = 0;

	result(bar->flags & UAPI_REGION_FLAG_MMAP && bar->has_sparse &&
		       (bar->n_areas || session->generation == 6),
	       "the component BAR has a sparse map", "flags 0x%x, %u areas", bar->flags,
	       bar->n_areas);
	for (uint32_t i = 0; i < bar->n_areas; i++) {
		address = region_map(session, bar, bar->areas[i].offset, bar->areas[i].size, NULL);
		if (!address) {
			bad++;
			continue;
		}
		size += bar->areas[i].size;
		bad += is_unreachable(address);
		munmap(address, bar->areas[i].size);
	}
	result(!bad && size < bar->size, "each area of it can be mapped and read",
	       "%u of %u areas cannot; all are %" PRIu64 " bytes", bad, bar->n_areas, size);
	result(!region_map(session, bar, 0, bar->size, NULL) && errno == EINVAL,
	       "the whole component BAR cannot be mapped", "errno %d", errno);
}

void check_discovery(struct session *session)
{
	uint32_t bar = 0, cap = of_generation(session, "2n") ? UAPI_CXL2_SIZE : UAPI_CXL3_SIZE;
	const struct region *regs = &session->regs, *memory = &session->memory;
	uint64_t hdm = 0;

	result(session->flags & UAPI_INFO_FLAG_CXL && session->flags & UAPI_INFO_FLAG_PCI &&
		       session->cap_size == (of_generation(session, "456") ? 0 : cap),
	       "the device says CXL, with the capability of its generation",
	       "flags 0x%x, capability of %u bytes", session->flags, session->cap_size);
	result(regs->index != memory->index && regs->index >= UAPI_REGION_INDEX_DYNAMIC &&
		       memory->index >= UAPI_REGION_INDEX_DYNAMIC,
	       "registers and memory are two regions behind the fixed ones", "%u and %u",
	       regs->index, memory->index);
	result(regs->has_geometry == of_generation(session, "456") && regs->geometry_bar < 6,
	       "the geometry capability is there where the generation has one", "%d, BAR %u",
	       regs->has_geometry, regs->geometry_bar);
	check_areas(session);
	(void)walk(session, &bar, &hdm);
	result(bar == session->bar.index && hdm, "a guest's walk finds the decoder",
	       "BAR %u, offset 0x%" PRIx64, bar, hdm);
	if (of_generation(session, "456"))
		result(hdm == regs->geometry_offset, "it lands where the geometry says",
		       "0x%" PRIx64 " against 0x%" PRIx64, hdm, regs->geometry_offset);
	result(!region_map(session, &session->bar, hdm & ~(uint64_t)(PAGE - 1), PAGE, NULL) &&
		       errno == EINVAL,
	       "the decoder's page cannot be mapped", "errno %d", errno);
	/* REG-3: generations 2 and 2n may have more memory than their decoder shows. */
	result(decoder_size(session) == memory->size ||
		       (of_generation(session, "2n") && decoder_size(session) &&
			decoder_size(session) < memory->size),
	       of_generation(session, "2n") ? "device memory is at least as large as decoder 0"
					    : "device memory is as large as decoder 0",
	       "%" PRIu64 " against %" PRIu64, memory->size, decoder_size(session));
}

static void check_huge(struct session *session)
{
	const char *name = "a fault maps 2 MiB at once";
	uint8_t *room, *at;
	long before = session->debug ? debug_counter(session, "huge-fault") : 0;
	long faults = session->debug ? debug_counter(session, "fault") : 0;

	room = mmap(NULL, 2 * MIB_2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED)
		bail_out("no room for a mapping: %s", strerror(errno));
	at = (uint8_t *)(((uintptr_t)room + MIB_2 - 1) & ~(MIB_2 - 1));
	if (!region_map(session, &session->memory, MIB_2, MIB_2, at)) {
		result(false, name, "mapping: %s", strerror(errno));
		return;
	}
	for (size_t i = 0; i < MIB_2; i += PAGE)
		at[i] = 0x5a;
	if (session->debug)
		result(debug_counter(session, "huge-fault") == before + 1 &&
			       debug_counter(session, "fault") == faults + 1,
		       name, "%ld faults, %ld of them huge",
		       debug_counter(session, "fault") - faults,
		       debug_counter(session, "huge-fault") - before);
	else
		result(at[MIB_2 - PAGE] == 0x5a, "2 MiB at an aligned address can be used", "%u",
		       at[MIB_2 - PAGE]);
	munmap(room, 2 * MIB_2);
}

#define REACH_IOVA ((uint64_t)1 << 32)

/* Generation 6: one that is made without Memory Space is good with it. */
static void check_early_dma_buf(struct session *session)
{
	int fd = -1, early, without = 0, with = 0;

	set_space(session, false);
	early = device_dma_buf(session, session->memory.index, 2 * MIB_2, &fd);
	if (!early)
		without = space_map_dma_buf(session, fd, REACH_IOVA, 2 * MIB_2);
	set_space(session, true);
	if (!early)
		with = space_map_dma_buf(session, fd, REACH_IOVA, 2 * MIB_2);
	result(!early && !with && !space_unmap(session, REACH_IOVA, 2 * MIB_2),
	       "a dma-buf that was made without Memory Space is mapped with it",
	       "made: %s; mapped: %s", strerror(early), strerror(with));
	result(early || without, "and is not before", "it is");
	if (fd >= 0)
		close(fd);
}

/* Generations 5 and 6: as dma-buf, which an iommufd takes; a reset ends it, a new one is as good. */
static void check_dma_buf(struct session *session)
{
	const char *name = "memory as dma-buf is mapped for the device's own accesses";
	int fd, other = -1, ret = device_dma_buf(session, session->memory.index, 2 * MIB_2, &fd);

	if (!session->memory_is_bar) {
		skip(name, "memory that is no BAR has no dma-buf");
		return;
	}
	if (!ret)
		ret = space_map_dma_buf(session, fd, REACH_IOVA, 2 * MIB_2);
	result(!ret, name, "%s", strerror(ret));
	if (ret)
		return;
	ret = ioctl(session->device, VFIO_DEVICE_RESET) ? errno : 0;
	result(!ret && !space_unmap(session, REACH_IOVA, 2 * MIB_2),
	       "it can be unmapped after a reset", "reset: %s", strerror(ret));
	close(fd);
	ret = device_dma_buf(session, session->memory.index, 2 * MIB_2, &fd);
	if (!ret)
		ret = space_map_dma_buf(session, fd, REACH_IOVA, 2 * MIB_2);
	result(!ret && !space_unmap(session, REACH_IOVA, 2 * MIB_2),
	       "after it a new dma-buf is mapped", "%s", strerror(ret));
	close(fd);
	if (of_generation(session, "6"))
		check_early_dma_buf(session);
	ret = device_dma_buf(session, session->regs.index, 4096, &other);
	result(ret == EINVAL, "the register region has no dma-buf", "%s", strerror(ret));
}

/* The device reaches device memory that is mapped at an I/O virtual address. */
static void check_reach(struct session *session, uint8_t *address)
{
	int ret;

	if (of_generation(session, "56") && session->wants_iommufd)
		check_dma_buf(session);
	else if (of_generation(session, "56"))
		skip("memory as dma-buf is mapped for the device's own accesses",
		     "needs iommufd: ./dev lab kernel");
	if (!of_generation(session, "4"))
		return;
	ret = space_map(session, address, REACH_IOVA, PAGE);
	if (session->wants_iommufd && session->is_function) {
		/* DMA-8: it has no pages that could be pinned. */
		result(ret == EFAULT, "an iommufd refuses mapped memory by its address", "%s",
		       strerror(ret));
		return;
	}
	if (!ret)
		ret = space_unmap(session, REACH_IOVA, PAGE);
	result(!ret, "mapped memory is mapped for the device's own accesses, by its address", "%s",
	       strerror(ret));
}

void check_memory(struct session *session)
{
	const struct region *memory = &session->memory;
	const char *name = "what is written to mapped memory is read from it";
	uint8_t *address, seen[8] = { 0 }, wanted[8] = "made it";

	result(memory->flags & UAPI_REGION_FLAG_READ && memory->flags & UAPI_REGION_FLAG_WRITE,
	       "memory can be read and written", "flags 0x%x", memory->flags);
	if (!(memory->flags & UAPI_REGION_FLAG_MMAP)) {
		skip(name, "this kernel does not map device memory");
		return;
	}
	address = region_map(session, memory, 0, memory->size, NULL);
	if (!address) {
		result(false, name, "mapping: %s", strerror(errno));
		return;
	}
	memcpy(address + memory->size - 8, wanted, 8);
	memcpy(address, wanted, 8);
	result(!memcmp(address + memory->size - 8, wanted, 8) && !memcmp(address, wanted, 8), name,
	       "something else");
	if (session->debug) {
		debug_memory(session, memory->size - 8, seen, 8, false);
		result(!memcmp(seen, wanted, 8), "the device sees the same at the same place",
		       "something else");
	}
	result(!region_map(session, memory, memory->size - PAGE, 2 * PAGE, NULL) && errno == EINVAL,
	       "a mapping over the end of memory is refused", "errno %d", errno);
	check_reach(session, address);
	munmap(address, memory->size);
	if (of_generation(session, "456"))
		check_huge(session);
}

static void check_refused(struct session *session, uint64_t at, size_t len, const char *name)
{
	uint32_t value[4];
	int ret = region_read(session, &session->regs, at, value, len);

	result(ret == EINVAL, name, "errno %d", ret);
}

/* Several dwords in one call, if the generation takes that. */
static void check_many(struct session *session)
{
	uint32_t many[4] = { 0 }, one[4];
	int ret;

	if (of_generation(session, "2n")) {
		check_refused(session, 0, 8, "two dwords in one call are refused");
		return;
	}
	for (unsigned int i = 0; i < 4; i++)
		one[i] = read_number(session, &session->regs, session->hdm + 0x10 + 4 * i, 4);
	ret = region_read(session, &session->regs, session->hdm + 0x10, many, sizeof(many));
	result(!ret && !memcmp(many, one, sizeof(one)), "several dwords read as each of them does",
	       "errno %d, %08x against %08x", ret, many[0], one[0]);
}

/* Nothing that is written changes anything, and nothing complains. From which register on. */
static void check_absorbed(struct session *session, uint32_t first, const char *name)
{
	uint32_t before[HDM_CONTROL / 4 + 1] = { 0 }, after[HDM_CONTROL / 4 + 1] = { 0 };
	size_t bytes = HDM_CONTROL + 4 - first;
	int ret = 0;

	for (uint32_t at = first; at <= HDM_CONTROL; at += 4)
		before[at / 4] = hdm_read(session, at);
	for (uint32_t at = first; at <= HDM_CONTROL; at += 4) {
		uint32_t value = ~before[at / 4];
		int one = region_write(session, &session->regs, session->hdm + at, &value, 4);

		ret = ret ? ret : one;
	}
	for (uint32_t at = first; at <= HDM_CONTROL; at += 4)
		after[at / 4] = hdm_read(session, at);
	result(!ret && !memcmp(&before[first / 4], &after[first / 4], bytes), name,
	       "errno %d, control 0x%x, was 0x%x", ret, after[HDM_CONTROL / 4],
	       before[HDM_CONTROL / 4]);
}

/* The guest address is written, the decoder locked, then nothing changes but by the lock. */
static void check_commit_2(struct session *session)
{
	uint32_t control = hdm_read(session, HDM_CONTROL);

	result(control & HDM_COMMITTED && !(control & HDM_LOCK) &&
		       !hdm_read(session, HDM_BASE_LOW) && !hdm_read(session, HDM_BASE_HIGH),
	       "the decoder is committed and unlocked, its base is 0", "control 0x%x, base %x %x",
	       control, hdm_read(session, HDM_BASE_HIGH), hdm_read(session, HDM_BASE_LOW));
	hdm_write(session, HDM_BASE_HIGH, 0x12);
	hdm_write(session, HDM_BASE_LOW, 0x3fffffff);
	result(hdm_read(session, HDM_BASE_LOW) == 0x30000000 &&
		       hdm_read(session, HDM_BASE_HIGH) == 0x12,
	       "its base takes the guest's address", "%x %x", hdm_read(session, HDM_BASE_HIGH),
	       hdm_read(session, HDM_BASE_LOW));
	hdm_write(session, HDM_CONTROL, control | HDM_LOCK | HDM_COMMIT);
	hdm_write(session, HDM_BASE_HIGH, 0x99);
	hdm_write(session, HDM_CONTROL, HDM_LOCK);
	control = hdm_read(session, HDM_CONTROL);
	result(control & HDM_COMMITTED && control & HDM_LOCK &&
		       hdm_read(session, HDM_BASE_HIGH) == 0x12,
	       "locked, it keeps base and commit", "control 0x%x, base high %x", control,
	       hdm_read(session, HDM_BASE_HIGH));
	hdm_write(session, HDM_CONTROL, 0);
	result(!(hdm_read(session, HDM_CONTROL) & HDM_LOCK) &&
		       hdm_read(session, HDM_CONTROL) & HDM_COMMITTED,
	       "the lock alone is taken away by a write without it", "control 0x%x",
	       hdm_read(session, HDM_CONTROL));
	hdm_write(session, HDM_CONTROL, 0);
	result(!(hdm_read(session, HDM_CONTROL) & HDM_COMMITTED), "then it can be decommitted",
	       "control 0x%x", hdm_read(session, HDM_CONTROL));
	hdm_write(session, HDM_CONTROL, HDM_COMMIT);
	result(hdm_read(session, HDM_CONTROL) & HDM_COMMITTED, "and a commit is granted at once",
	       "control 0x%x", hdm_read(session, HDM_CONTROL));
}

static void check_commit_3(struct session *session)
{
	uint32_t control = hdm_read(session, HDM_CONTROL), base = hdm_read(session, HDM_BASE_HIGH);

	hdm_write(session, HDM_BASE_HIGH, 0x12);
	result(control & HDM_COMMITTED && hdm_read(session, HDM_BASE_HIGH) == base,
	       "committed, the decoder keeps its base", "control 0x%x, base high %x", control,
	       hdm_read(session, HDM_BASE_HIGH));
	hdm_write(session, HDM_CONTROL, 0);
	hdm_write(session, HDM_BASE_HIGH, 0x12);
	hdm_write(session, HDM_BASE_LOW, 0x30000000);
	result(!(hdm_read(session, HDM_CONTROL) & (HDM_COMMITTED | HDM_LOCK)) &&
		       hdm_read(session, HDM_BASE_HIGH) == 0x12,
	       "decommitted, it takes the guest's address", "control 0x%x, base high %x",
	       hdm_read(session, HDM_CONTROL), hdm_read(session, HDM_BASE_HIGH));
	hdm_write(session, HDM_CONTROL, HDM_LOCK | HDM_COMMIT);
	control = hdm_read(session, HDM_CONTROL);
	result(control & HDM_COMMITTED && control & HDM_LOCK, "commit is granted at once",
	       "control 0x%x", control);
}

/* Frozen as firmware leaves it; where firmware did not lock it, base and size after a decommit. */
static void check_commit_4(struct session *session)
{
	const char *name = "unlocked, the decoder keeps its base while it is committed";
	uint32_t base, size, control;

	check_absorbed(session, HDM_BASE_LOW, "committed and locked, the decoder is frozen");
	if (!session->debug) {
		skip(name, "only the lab's firmware leaves a decoder unlocked");
		return;
	}
	debug_write(session, "locked", "0");
	/* It is sampled at each open. */
	session_close_device(session);
	session_open_device(session);
	base = hdm_read(session, HDM_BASE_HIGH);
	size = hdm_read(session, HDM_SIZE_HIGH);
	control = hdm_read(session, HDM_CONTROL);
	hdm_write(session, HDM_BASE_HIGH, ~base);
	hdm_write(session, HDM_SIZE_HIGH, ~size);
	result((control & (HDM_COMMITTED | HDM_LOCK)) == HDM_COMMITTED &&
		       hdm_read(session, HDM_BASE_HIGH) == base &&
		       hdm_read(session, HDM_SIZE_HIGH) == size,
	       name, "control 0x%x, base high %x, was %x", control,
	       hdm_read(session, HDM_BASE_HIGH), base);
	hdm_write(session, HDM_CONTROL, 0);
	control = hdm_read(session, HDM_CONTROL);
	hdm_write(session, HDM_BASE_HIGH, 0x12);
	hdm_write(session, HDM_BASE_LOW, 0x3fffffff);
	result(!(control & HDM_COMMITTED) && hdm_read(session, HDM_BASE_HIGH) == 0x12 &&
		       hdm_read(session, HDM_BASE_LOW) == 0x30000000,
	       "decommitted, it takes the guest's address", "control 0x%x, base %x %x", control,
	       hdm_read(session, HDM_BASE_HIGH), hdm_read(session, HDM_BASE_LOW));
	hdm_write(session, HDM_CONTROL, HDM_LOCK | HDM_COMMIT);
	control = hdm_read(session, HDM_CONTROL);
	hdm_write(session, HDM_CONTROL, 0);
	hdm_write(session, HDM_BASE_HIGH, 0x99);
	result(control & HDM_COMMITTED && control & HDM_LOCK &&
		       hdm_read(session, HDM_CONTROL) == control &&
		       hdm_read(session, HDM_BASE_HIGH) == 0x12,
	       "commit is granted at once, and with the lock it is frozen",
	       "control 0x%x, then 0x%x, base high %x", control, hdm_read(session, HDM_CONTROL),
	       hdm_read(session, HDM_BASE_HIGH));
	debug_write(session, "locked", "1");
	session_close_device(session);
	session_open_device(session);
	result(hdm_read(session, HDM_BASE_HIGH) == base, "the next user has the host's address",
	       "%x, was %x", hdm_read(session, HDM_BASE_HIGH), base);
}

void check_registers(struct session *session)
{
	const struct region *regs = &session->regs;
	uint32_t control = hdm_read(session, HDM_CONTROL);

	result(!(regs->flags & UAPI_REGION_FLAG_MMAP) &&
		       !region_map(session, regs, 0, PAGE, NULL) && errno == EINVAL,
	       "the register region cannot be mapped", "flags 0x%x, errno %d", regs->flags, errno);
	check_refused(session, 2, 4, "a read at no dword is refused");
	check_refused(session, 0, 2, "a read of two bytes is refused");
	check_refused(session, regs->size, 4, "a read behind the end is refused");
	check_many(session);
	if (of_generation(session, "2n3"))
		result((read_number(session, regs, of_generation(session, "3") ? CM_IN_BLOCK : 0,
				    4) &
			0xffff) == 1,
		       "the array of capabilities has id 1", "no");
	result(control & HDM_COMMITTED, "decoder 0 is committed", "control 0x%x", control);
	if (of_generation(session, "2n"))
		check_commit_2(session);
	else if (of_generation(session, "3"))
		check_commit_3(session);
	else if (of_generation(session, "4"))
		check_commit_4(session);
	else
		check_absorbed(session, HDM_GLOBAL, "writes are taken and change nothing");
}

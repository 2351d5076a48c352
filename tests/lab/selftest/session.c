// SPDX-License-Identifier: BSD-3-Clause
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_shape/uapi.h"
#include "selftest.h"

static uint32_t dword(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint64_t qword(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

bool of_generation(const struct session *session, const char *list)
{
	char name = session->generation == GENERATION_2N ? 'n' : (char)('0' + session->generation);

	return strchr(list, name);
}

/* Ask for info, with room for what the first answer says is needed. Frees nothing on failure. */
static uint8_t *ask(const struct session *session, unsigned long command, uint32_t fixed,
		    uint32_t index, uint32_t *size)
{
	uint8_t *answer = calloc(1, 4096);

	if (!answer)
		bail_out("no memory");
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t argsz = i ? dword(answer) : fixed;

		if (argsz < fixed || argsz > 4096)
			bail_out("info %u wants %u bytes", index, argsz);
		memset(answer, 0, 4096);
		memcpy(answer, &argsz, 4);
		if (command == VFIO_DEVICE_GET_REGION_INFO)
			memcpy(answer + UAPI_REGION_INDEX, &index, 4);
		if (ioctl(session->device, command, answer))
			bail_out("info %u: %s", index, strerror(errno));
		*size = argsz;
	}
	return answer;
}

static void parse_region_cap(struct region *region, const uint8_t *answer, uint32_t at,
			     uint32_t size)
{
	const uint8_t *cap = answer + at;
	uint32_t id = dword(cap) & 0xffff;

	if (id == UAPI_REGION_CAP_TYPE && at + UAPI_TYPE_SIZE <= size) {
		region->type = dword(cap + UAPI_TYPE_TYPE);
		region->subtype = dword(cap + UAPI_TYPE_SUBTYPE);
	} else if (id == UAPI_REGION_CAP_SPARSE && at + UAPI_SPARSE_AREAS <= size) {
		region->has_sparse = true;
		region->n_areas = dword(cap + UAPI_SPARSE_COUNT);
		if (region->n_areas > 8 ||
		    at + UAPI_SPARSE_AREAS + region->n_areas * UAPI_SPARSE_AREA > size)
			bail_out("%u areas in %u bytes", region->n_areas, size);
		for (uint32_t i = 0; i < region->n_areas; i++) {
			cap = answer + at + UAPI_SPARSE_AREAS + i * UAPI_SPARSE_AREA;
			region->areas[i].offset = qword(cap);
			region->areas[i].size = qword(cap + 8);
		}
	} else if (id > 5 && at + UAPI_GEOMETRY_SIZE <= size) {
		region->has_geometry = true;
		region->geometry_bar = dword(cap + UAPI_GEOMETRY_BAR);
		region->geometry_offset = qword(cap + UAPI_GEOMETRY_OFFSET);
	}
}

static void get_region(const struct session *session, uint32_t index, struct region *region)
{
	uint32_t size, at;
	uint8_t *answer = ask(session, VFIO_DEVICE_GET_REGION_INFO, UAPI_REGION_SIZE, index, &size);

	*region = (struct region){
		.index = index,
		.flags = dword(answer + UAPI_REGION_FLAGS),
		.size = qword(answer + UAPI_REGION_BYTES),
		.offset = qword(answer + UAPI_REGION_OFFSET),
	};
	at = region->flags & UAPI_REGION_FLAG_CAPS ? dword(answer + UAPI_REGION_CAP_OFFSET) : 0;
	for (unsigned int i = 0; at && i < 16; i++) {
		if (at < UAPI_REGION_SIZE || at + UAPI_CAP_HEADER > size)
			bail_out("region %u: capability at %u of %u bytes", index, at, size);
		parse_region_cap(region, answer, at, size);
		at = dword(answer + at + UAPI_CAP_NEXT);
	}
	free(answer);
}

static void get_info(struct session *session)
{
	uint32_t size, at;
	uint8_t *answer = ask(session, VFIO_DEVICE_GET_INFO, UAPI_INFO_SIZE, 0, &size);

	session->flags = dword(answer + UAPI_INFO_FLAGS);
	session->n_regions = dword(answer + UAPI_INFO_NUM_REGIONS);
	session->n_irqs = dword(answer + UAPI_INFO_NUM_IRQS);
	session->cap_size = 0;
	at = session->flags & UAPI_INFO_FLAG_CAPS ? dword(answer + UAPI_INFO_CAP_OFFSET) : 0;
	for (unsigned int i = 0; at && i < 16; i++) {
		uint32_t next;

		if (at < UAPI_INFO_SIZE || at + UAPI_CAP_HEADER > size)
			bail_out("device: capability at %u of %u bytes", at, size);
		next = dword(answer + at + UAPI_CAP_NEXT);
		if ((dword(answer + at) & 0xffff) == UAPI_DEVICE_CAP_CXL) {
			session->cap_size = (next > at ? next : size) - at;
			if (session->cap_size > sizeof(session->cap))
				bail_out("device: a capability of %u bytes", session->cap_size);
			memcpy(session->cap, answer + at, session->cap_size);
		}
		at = next;
	}
	free(answer);
}

/* The HDM decoder capability in the register region: by the CM array, where that is shown. */
static uint32_t find_hdm(const struct session *session)
{
	uint32_t cm = of_generation(session, "3") ? CM_IN_BLOCK : 0, n;

	if (of_generation(session, "456"))
		return 0;
	n = read_number(session, &session->regs, cm, 4) >> 24;
	for (uint32_t i = 1; i <= n; i++) {
		uint32_t entry = read_number(session, &session->regs, cm + 4 * i, 4);

		if ((entry & 0xffff) == CM_ID_HDM)
			return cm + (entry >> 20);
	}
	bail_out("no HDM decoder among %u capabilities", n);
}

/* Only a PCI function has it in sysfs. */
static bool has_config_space(const char *path)
{
	char file[PATH_MAX];

	snprintf(file, sizeof(file), "%s/config", path);
	return !access(file, F_OK);
}

void session_open_device(struct session *session)
{
	struct region engine;

	session->device = space_open_device(session);
	get_info(session);
	session->regs = session->memory = (struct region){ 0 };
	for (uint32_t i = UAPI_REGION_INDEX_DYNAMIC; i < session->n_regions; i++) {
		struct region region;

		get_region(session, i, &region);
		if (region.type != (of_generation(session, "4") ? UAPI_TYPE_CXL_4 : UAPI_TYPE_CXL))
			continue;
		if (region.subtype == UAPI_SUBTYPE_CXL_MEMORY)
			session->memory = region;
		else if (region.subtype == UAPI_SUBTYPE_CXL_REGS)
			session->regs = region;
	}
	if (!session->regs.size || !session->memory.size)
		bail_out("%s: %u regions, none of them are CXL memory and registers", session->path,
			 session->n_regions);
	get_region(session, UAPI_REGION_INDEX_CONFIG, &session->config);
	get_region(session, 2, &engine);
	session->is_function = has_config_space(session->path);
	session->memory_is_bar = !engine.size;
	session->dvsec = find_dvsec(session, DVSEC_DEVICE);
	session->hdm = find_hdm(session);
	/* Which BAR it is: told in three ways. */
	if (session->regs.has_geometry)
		get_region(session, session->regs.geometry_bar, &session->bar);
	else
		get_region(session,
			   session->cap_size == UAPI_CXL3_SIZE ? dword(session->cap + UAPI_CXL3_BAR)
							       : session->cap[UAPI_CXL2_BAR],
			   &session->bar);
}

void session_close_device(struct session *session)
{
	close(session->device);
	session->device = -1;
}

void session_open(struct session *session)
{
	space_open(session);
	session_open_device(session);
}

int region_read(const struct session *session, const struct region *region, uint64_t at, void *buf,
		size_t len)
{
	ssize_t n = pread(session->device, buf, len, (off_t)(region->offset + at));

	if (n < 0)
		return errno;
	return (size_t)n == len ? 0 : -1;
}

int region_write(const struct session *session, const struct region *region, uint64_t at,
		 const void *buf, size_t len)
{
	ssize_t n = pwrite(session->device, buf, len, (off_t)(region->offset + at));

	if (n < 0)
		return errno;
	return (size_t)n == len ? 0 : -1;
}

uint32_t read_number(const struct session *session, const struct region *region, uint64_t at,
		     unsigned int len)
{
	uint32_t value = 0;
	int ret = region_read(session, region, at, &value, len);

	if (ret)
		bail_out("region %u: read of %u bytes at 0x%" PRIx64 ": %s", region->index, len, at,
			 ret > 0 ? strerror(ret) : "cut short");
	return value;
}

void write_number(const struct session *session, const struct region *region, uint64_t at,
		  unsigned int len, uint32_t value)
{
	int ret = region_write(session, region, at, &value, len);

	if (ret)
		bail_out("region %u: write of %u bytes at 0x%" PRIx64 ": %s", region->index, len,
			 at, ret > 0 ? strerror(ret) : "cut short");
}

void *region_map(const struct session *session, const struct region *region, uint64_t at,
		 uint64_t len, void *where)
{
	void *address =
		mmap(where, len, PROT_READ | PROT_WRITE, MAP_SHARED | (where ? MAP_FIXED : 0),
		     session->device, (off_t)(region->offset + at));

	return address == MAP_FAILED ? NULL : address;
}

uint32_t hdm_read(const struct session *session, uint32_t at)
{
	return read_number(session, &session->regs, session->hdm + at, 4);
}

void hdm_write(const struct session *session, uint32_t at, uint32_t value)
{
	write_number(session, &session->regs, session->hdm + at, 4, value);
}

unsigned int find_dvsec(const struct session *session, unsigned int id)
{
	uint32_t at = 0x100;

	for (unsigned int i = 0; at && i < 64; i++) {
		uint32_t header = read_number(session, &session->config, at, 4);

		if ((header & 0xffff) == 0x23 &&
		    (read_number(session, &session->config, at + 4, 4) & 0xffff) ==
			    DVSEC_CXL_VENDOR &&
		    read_number(session, &session->config, at + 8, 2) == id)
			return at;
		at = header >> 20;
	}
	return 0;
}

void set_space(const struct session *session, bool on)
{
	uint32_t command = read_number(session, &session->config, PCI_COMMAND_AT, 2);

	write_number(session, &session->config, PCI_COMMAND_AT, 2,
		     on ? command | COMMAND_SPACE : command & ~COMMAND_SPACE);
}

static sigjmp_buf landing;

static void land(int number)
{
	(void)number;
	siglongjmp(landing, 1);
}

bool is_unreachable(const volatile uint8_t *address)
{
	struct sigaction action = { .sa_handler = land }, before;
	bool bad = true;

	sigaction(SIGBUS, &action, &before);
	if (!sigsetjmp(landing, 1)) {
		(void)*address;
		bad = false;
	}
	sigaction(SIGBUS, &before, NULL);
	return bad;
}

static int open_debug(const struct session *session, const char *file, int flags)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", session->debug, file);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		bail_out("%s: %s", path, strerror(errno));
	return fd;
}

void debug_write(const struct session *session, const char *file, const char *text)
{
	int fd = open_debug(session, file, O_WRONLY);

	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		bail_out("%s: '%s': %s", file, text, strerror(errno));
	close(fd);
}

void debug_memory(const struct session *session, uint64_t at, void *buf, size_t len, bool write)
{
	int fd = open_debug(session, "memory", write ? O_WRONLY : O_RDONLY);
	ssize_t n = write ? pwrite(fd, buf, len, (off_t)at) : pread(fd, buf, len, (off_t)at);

	if (n != (ssize_t)len)
		bail_out("device's view of its memory at 0x%" PRIx64 ": %s", at, strerror(errno));
	close(fd);
}

long debug_counter(const struct session *session, const char *name)
{
	int fd = open_debug(session, "counters", O_RDONLY);
	char text[2048] = { 0 }, *line = text, *end;
	size_t length = strlen(name);

	if (read(fd, text, sizeof(text) - 1) < 0)
		bail_out("counters: %s", strerror(errno));
	close(fd);
	while ((end = strchr(line, '\n'))) {
		if (!strncmp(line, name, length) && line[length] == ' ')
			return strtol(line + length, NULL, 10);
		line = end + 1;
	}
	bail_out("there is no counter %s", name);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/user/inventory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "regs/pci.h"
#include "vfio/answer.h"
#include "vfio/user/access.h"

/* The largest BAR, and the largest file offset that mmap takes. */
#define BAR_SIZE_MAX    ((uint64_t)1 << 46)
#define REGION_SIZE_MAX ((uint64_t)INT64_MAX)

#define CONFIG_SIZE_SMALL 256u

int inventory_info(void *device, void *buf, size_t len, size_t *needed)
{
	const struct inventory *inventory = device;

	*needed = VU_INFO_BYTES;
	memcpy(buf, inventory->info, len < VU_INFO_BYTES ? len : VU_INFO_BYTES);
	return 0;
}

int inventory_region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	const struct inventory *inventory = device;
	const struct region *region;
	uint8_t fixed[UAPI_REGION_SIZE];

	if (index >= inventory->n_regions)
		return -EINVAL;
	region = &inventory->regions[index];
	*needed = region->info_size;
	if (len >= region->info_size) {
		memcpy(buf, region->info, region->info_size);
		return 0;
	}
	/* As a kernel does it: the fixed part, and no chain. */
	memcpy(fixed, region->info, sizeof(fixed));
	put_le32(fixed + UAPI_REGION_FLAGS, region->flags & ~UAPI_REGION_FLAG_CAPS);
	put_le32(fixed + UAPI_REGION_CAP_OFFSET, 0);
	memcpy(buf, fixed, len < sizeof(fixed) ? len : sizeof(fixed));
	return 0;
}

bool inventory_file_covers(const struct region *region, uint64_t offset, uint64_t size)
{
	struct stat st;
	uint64_t start;

	return !fstat(region->fd, &st) && !__builtin_add_overflow(region->offset, offset, &start) &&
	       range_fits(start, size, (uint64_t)st.st_size);
}

static int refused(struct connection *conn, int code, const char *what, struct cxlvm_error *err)
{
	if (conn->lost)
		return cxlvm_error_set(err, conn->why.code, "%s: %s", what, conn->why.message);
	return cxlvm_error_set(err, code, "%s: the server answers: %s", what, strerror(-code));
}

static int read_info(struct inventory *inventory, struct connection *conn, struct cxlvm_error *err)
{
	uint8_t request[VU_INFO_BYTES] = { 0 };
	struct call call = {
		.command = VU_DEVICE_GET_INFO,
		.head = request,
		.head_size = sizeof(request),
		.reply = inventory->info,
		.reply_size = sizeof(inventory->info),
	};
	int ret;

	put_le32(request + UAPI_INFO_ARGSZ, sizeof(request));
	ret = connection_call(conn, &call);
	if (ret)
		return refused(conn, ret, "device info", err);
	inventory->flags = get_le32(inventory->info + UAPI_INFO_FLAGS);
	inventory->n_regions = get_le32(inventory->info + UAPI_INFO_NUM_REGIONS);
	inventory->n_irqs = get_le32(inventory->info + UAPI_INFO_NUM_IRQS);
	if (!(inventory->flags & UAPI_INFO_FLAG_PCI))
		return cxlvm_error_set(err, -EPROTO,
				       "device info: flags 0x%x are not those of a PCI device "
				       "(bit 1)",
				       inventory->flags);
	if (inventory->n_regions <= CXLVM_REGION_CONFIG ||
	    inventory->n_regions > INVENTORY_REGIONS_MAX || inventory->n_irqs > INVENTORY_IRQS_MAX)
		return cxlvm_error_set(err, -EPROTO,
				       "device info: %u regions and %u interrupt types, not within "
				       "%u to %u and 0 to %u",
				       inventory->n_regions, inventory->n_irqs,
				       CXLVM_REGION_CONFIG + 1, INVENTORY_REGIONS_MAX,
				       INVENTORY_IRQS_MAX);
	/* No chain fits in 16 bytes. */
	inventory->flags &= ~UAPI_INFO_FLAG_CAPS;
	put_le32(inventory->info + UAPI_INFO_FLAGS, inventory->flags);
	put_le32(inventory->info + UAPI_INFO_ARGSZ, VU_INFO_BYTES);
	inventory->regions = calloc(inventory->n_regions, sizeof(*inventory->regions));
	if (!inventory->regions)
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u regions",
				       inventory->n_regions);
	for (unsigned int i = 0; i < inventory->n_regions; i++)
		inventory->regions[i].fd = -1;
	return 0;
}

/* One question for a region, with room for argsz bytes. */
static int ask_region(struct connection *conn, uint32_t index, uint8_t *answer, uint32_t argsz,
		      struct call *call)
{
	uint8_t request[UAPI_REGION_SIZE] = { 0 };

	put_le32(request + UAPI_REGION_ARGSZ, argsz);
	put_le32(request + UAPI_REGION_INDEX, index);
	*call = (struct call){
		.command = VU_DEVICE_GET_REGION_INFO,
		.head = request,
		.head_size = sizeof(request),
		.reply = answer,
		.reply_size = UAPI_REGION_SIZE,
		.reply_data = answer + UAPI_REGION_SIZE,
		.reply_room = argsz - UAPI_REGION_SIZE,
	};
	return connection_call(conn, call);
}

/* Once with the fixed part, once with the size that the first answer named. */
static int fetch_region(struct region *region, struct connection *conn, uint32_t index,
			struct cxlvm_error *err)
{
	uint8_t answer[ANSWER_BYTES_MAX];
	uint32_t argsz, wanted = UAPI_REGION_SIZE;
	struct call call;
	char what[32];
	int ret;

	snprintf(what, sizeof(what), "info of region %u", index);
	for (unsigned int pass = 0; pass < 2; pass++) {
		argsz = wanted;
		/* The descriptor comes with the complete answer. */
		if (region->fd >= 0)
			vu_fd_close(region->fd);
		ret = ask_region(conn, index, answer, argsz, &call);
		region->fd = call.fd;
		if (ret)
			return refused(conn, ret, what, err);
		wanted = get_le32(answer + UAPI_REGION_ARGSZ);
		if (call.got != argsz - UAPI_REGION_SIZE || wanted < argsz ||
		    wanted > sizeof(answer) || get_le32(answer + UAPI_REGION_INDEX) != index)
			return cxlvm_error_set(err, -EPROTO,
					       "%s: %zu bytes about region %u, %u asked for and %u "
					       "needed (at most %zu)",
					       what, call.got + UAPI_REGION_SIZE,
					       get_le32(answer + UAPI_REGION_INDEX), argsz, wanted,
					       sizeof(answer));
		if (wanted == argsz)
			break;
	}
	if (wanted != argsz)
		return cxlvm_error_set(err, -EPROTO, "%s: %u bytes needed, and %u when these came",
				       what, argsz, wanted);
	region->info = malloc(argsz);
	if (!region->info)
		return cxlvm_error_set(err, -ENOMEM, "%s: no memory", what);
	memcpy(region->info, answer, argsz);
	region->info_size = argsz;
	region->flags = get_le32(answer + UAPI_REGION_FLAGS);
	region->size = get_le64(answer + UAPI_REGION_BYTES);
	region->offset = get_le64(answer + UAPI_REGION_OFFSET);
	return 0;
}

static int check_size(const struct region *region, uint32_t index, struct cxlvm_error *err)
{
	if (index < PCI_BARS && region->size &&
	    (!is_power_of_two(region->size) || region->size > BAR_SIZE_MAX))
		return cxlvm_error_set(err, -EPROTO,
				       "BAR %u of 0x%" PRIx64
				       " bytes: not a power of two up to 0x%" PRIx64,
				       index, region->size, BAR_SIZE_MAX);
	if (index == CXLVM_REGION_CONFIG && region->size != CONFIG_SIZE_SMALL &&
	    region->size != PCI_CONFIG_SIZE)
		return cxlvm_error_set(err, -EPROTO,
				       "configuration space of 0x%" PRIx64
				       " bytes, neither %u nor %u",
				       region->size, CONFIG_SIZE_SMALL, PCI_CONFIG_SIZE);
	if (region->size > REGION_SIZE_MAX)
		return cxlvm_error_set(err, -EPROTO, "region %u of 0x%" PRIx64 " bytes", index,
				       region->size);
	return 0;
}

static int check_area(const struct region *region, uint32_t index, uint64_t offset, uint64_t size,
		      uint64_t page_size, struct cxlvm_error *err)
{
	if (!size || !range_fits(offset, size, region->size) ||
	    !is_aligned(offset | size, page_size))
		return cxlvm_error_set(err, -EPROTO,
				       "region %u: mappable area 0x%" PRIx64 "+0x%" PRIx64
				       " is empty, outside the region of 0x%" PRIx64
				       " or not aligned to pages of 0x%" PRIx64,
				       index, offset, size, region->size, page_size);
	if (inventory_file_covers(region, offset, size))
		return 0;
	cxlvm_error_set(err, -EPROTO,
			"region %u: the file of mappable area 0x%" PRIx64 "+0x%" PRIx64
			" ends before it (area begins at 0x%" PRIx64 " in the file)",
			index, offset, size, region->offset + offset);
	cxlvm_error_hint(err,
			 "an access behind the end of a file ends this process: the server has "
			 "to make the file larger");
	return -EPROTO;
}

/*
 * A file that gets shorter takes memory away under the guest. Sealed where that is possible; the
 * owner of the file may forbid it, or it may be none in memory.
 */
static int check_file(const struct region *region, uint32_t index, struct cxlvm_error *err)
{
	struct stat st;

	if (fstat(region->fd, &st))
		return cxlvm_error_set(err, -errno, "file of region %u: %s", index,
				       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return cxlvm_error_set(err, -EPROTO,
				       "file of region %u is not a regular file (mode 0%o)", index,
				       st.st_mode);
	(void)fcntl(region->fd, F_ADD_SEALS, F_SEAL_SHRINK);
	return 0;
}

/*
 * Servers leave the CXL bit of the device's flags out where stock clients do not know it; the
 * region says it as well (VU-1).
 */
static bool is_cxl_memory(const struct answer *answer, uint32_t index)
{
	const struct capability *type = answer_find(answer, UAPI_REGION_CAP_TYPE);

	return index >= CXLVM_REGION_DYNAMIC && type && type->room >= UAPI_TYPE_SIZE &&
	       answer_u32(answer, type->offset + UAPI_TYPE_TYPE) == UAPI_TYPE_CXL &&
	       answer_u32(answer, type->offset + UAPI_TYPE_SUBTYPE) == UAPI_SUBTYPE_CXL_MEMORY;
}

/* Everything that may be mapped lies in the file. */
static int check_map(struct inventory *inventory, uint32_t index, uint64_t page_size,
		     struct cxlvm_error *err)
{
	static const struct cxlvm_device_ops ops = {
		.size = sizeof(ops),
		.info = inventory_info,
		.region_info = inventory_region_info,
	};
	struct region *region = &inventory->regions[index];
	const struct capability *sparse;
	struct answer answer;
	uint32_t n;
	int ret = answer_region_info(&ops, inventory, index, &answer, err);

	if (ret)
		return ret;
	if (is_cxl_memory(&answer, index))
		inventory->flags |= UAPI_INFO_FLAG_CXL;
	/* A descriptor that is not for mapping, or memory without one: by messages only. */
	if (region->fd < 0 || !(region->flags & UAPI_REGION_FLAG_MMAP)) {
		if (region->fd >= 0)
			vu_fd_close(region->fd);
		region->fd = -1;
		region->flags &= ~UAPI_REGION_FLAG_MMAP;
		put_le32(region->info + UAPI_REGION_FLAGS, region->flags);
		return 0;
	}
	ret = check_file(region, index, err);
	if (ret)
		return ret;
	sparse = answer_find(&answer, UAPI_REGION_CAP_SPARSE);
	if (!sparse)
		return check_area(region, index, 0, region->size, page_size, err);
	ret = answer_sparse_count(&answer, sparse, index, &n, err);
	for (uint32_t i = 0; !ret && i < n; i++) {
		uint32_t at = sparse->offset + UAPI_SPARSE_AREAS + i * UAPI_SPARSE_AREA;

		ret = check_area(region, index, answer_u64(&answer, at),
				 answer_u64(&answer, at + 8), page_size, err);
	}
	return ret;
}

static int read_irqs(struct inventory *inventory, struct connection *conn, struct cxlvm_error *err)
{
	for (uint32_t i = 0; i < inventory->n_irqs && i < INVENTORY_IRQ_TYPES; i++) {
		uint8_t request[UAPI_IRQ_SIZE] = { 0 }, answer[UAPI_IRQ_SIZE];
		struct call call = {
			.command = VU_DEVICE_GET_IRQ_INFO,
			.head = request,
			.head_size = sizeof(request),
			.reply = answer,
			.reply_size = sizeof(answer),
		};
		int ret;

		put_le32(request + UAPI_IRQ_ARGSZ, sizeof(request));
		put_le32(request + UAPI_IRQ_INDEX, i);
		ret = connection_call(conn, &call);
		if (ret)
			return refused(conn, ret, "interrupt info", err);
		inventory->vectors[i] = get_le32(answer + UAPI_IRQ_COUNT);
		if (get_le32(answer + UAPI_IRQ_INDEX) != i ||
		    inventory->vectors[i] > INVENTORY_VECTORS)
			return cxlvm_error_set(
				err, -EPROTO,
				"interrupt type %u: answer for type %u, %u vectors of "
				"at most %u",
				i, get_le32(answer + UAPI_IRQ_INDEX), inventory->vectors[i],
				INVENTORY_VECTORS);
		if (!(get_le32(answer + UAPI_IRQ_FLAGS) & UAPI_IRQ_FLAG_EVENTFD))
			inventory->vectors[i] = 0;
	}
	return 0;
}

/* The parts of the header that no guest and no reset changes. */
static int read_identity(struct inventory *inventory, struct connection *conn,
			 struct cxlvm_error *err)
{
	static const enum pci_header_row rows[] = { PCI_VENDOR, PCI_REVISION,
						    PCI_SUBSYSTEM_VENDOR };

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int ret = access_read(conn, CXLVM_REGION_CONFIG,
				      pci_header_table.rows[rows[i]].offset,
				      inventory->identity + 4 * i, 4);

		if (ret)
			return refused(conn, ret, "configuration space", err);
	}
	return 0;
}

int inventory_read(struct inventory *inventory, struct connection *conn, uint64_t page_size,
		   struct cxlvm_error *err)
{
	int ret;

	memset(inventory, 0, sizeof(*inventory));
	ret = read_info(inventory, conn, err);
	for (uint32_t i = 0; !ret && i < inventory->n_regions; i++) {
		struct region *region = &inventory->regions[i];

		ret = fetch_region(region, conn, i, err);
		if (!ret)
			ret = check_size(region, i, err);
		if (!ret)
			ret = check_map(inventory, i, page_size, err);
	}
	put_le32(inventory->info + UAPI_INFO_FLAGS, inventory->flags);
	if (!ret)
		ret = read_irqs(inventory, conn, err);
	if (!ret)
		ret = read_identity(inventory, conn, err);
	if (ret)
		inventory_finish(inventory);
	return ret;
}

void inventory_finish(struct inventory *inventory)
{
	for (unsigned int i = 0; inventory->regions && i < inventory->n_regions; i++) {
		free(inventory->regions[i].info);
		if (inventory->regions[i].fd >= 0)
			vu_fd_close(inventory->regions[i].fd);
	}
	free(inventory->regions);
	memset(inventory, 0, sizeof(*inventory));
}

/* All but where the region lies in its file, which is the server's business. */
static bool same_region(const struct region *a, const struct region *b)
{
	return a->info_size == b->info_size && !memcmp(a->info, b->info, UAPI_REGION_OFFSET) &&
	       !memcmp(a->info + UAPI_REGION_SIZE, b->info + UAPI_REGION_SIZE,
		       a->info_size - UAPI_REGION_SIZE);
}

int inventory_compare(const struct inventory *a, const struct inventory *b, struct cxlvm_error *err)
{
	int ret = -ESTALE;

	if (memcmp(a->identity, b->identity, sizeof(a->identity)))
		cxlvm_error_set(err, ret, "another device (ids 0x%08x, they were 0x%08x)",
				get_le32(b->identity), get_le32(a->identity));
	else if (memcmp(a->info, b->info, sizeof(a->info)))
		cxlvm_error_set(err, ret,
				"flags 0x%x, %u regions and %u interrupt types, they were 0x%x, %u "
				"and %u",
				b->flags, b->n_regions, b->n_irqs, a->flags, a->n_regions,
				a->n_irqs);
	else if (memcmp(a->vectors, b->vectors, sizeof(a->vectors)))
		cxlvm_error_set(err, ret, "other numbers of interrupt vectors");
	else
		ret = 0;
	for (unsigned int i = 0; !ret && i < a->n_regions; i++) {
		const struct region *was = &a->regions[i], *is = &b->regions[i];

		if (same_region(was, is))
			continue;
		ret = cxlvm_error_set(err, -ESTALE,
				      "region %u has 0x%" PRIx64
				      " bytes and flags 0x%x, it had 0x%" PRIx64 " and 0x%x",
				      i, is->size, is->flags, was->size, was->flags);
	}
	if (ret)
		cxlvm_error_hint(err, "start the server as it was, or this machine anew");
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Which regions there are: device info, typed regions, mappable areas, BAR sizes. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "regs/pci.h"
#include "vfio/reader.h"

/* Region type of generation 4, which is recognized in order to say so. */
#define TYPE_CXL_GENERATION4 4u

static int note_region(struct reader *reader, uint32_t index, const struct answer *answer,
		       struct cxlvm_error *err)
{
	const struct capability *type = answer_find(answer, UAPI_REGION_CAP_TYPE);
	struct typed_region *region;
	uint32_t t, subtype;

	if (!type)
		return 0;
	if (type->room < UAPI_TYPE_SIZE)
		return cxlvm_error_set(err, -EPROTO,
				       "region %u: type capability of %u bytes, %u needed", index,
				       type->room, UAPI_TYPE_SIZE);
	t = answer_u32(answer, type->offset + UAPI_TYPE_TYPE);
	subtype = answer_u32(answer, type->offset + UAPI_TYPE_SUBTYPE);
	if (t != UAPI_TYPE_CXL && t != TYPE_CXL_GENERATION4)
		return 0;
	if (subtype == UAPI_SUBTYPE_CXL_MEMORY)
		region = &reader->scan.memory;
	else if (subtype == UAPI_SUBTYPE_CXL_REGS)
		region = &reader->scan.regs;
	else
		return 0;
	if (region->present)
		return cxlvm_error_set(err, -EPROTO,
				       "regions %u and %u both have type 0x%x subtype %u",
				       region->index, index, t, subtype);
	region->present = true;
	region->index = index;
	region->type = t;
	region->flags = answer_u32(answer, UAPI_REGION_FLAGS);
	region->size = answer_u64(answer, UAPI_REGION_BYTES);
	for (unsigned int i = 0; i < answer->n_caps; i++) {
		const struct capability *cap = &answer->caps[i];

		if (cap->id < UAPI_REGION_CAP_CXL_REGS || cap->room < UAPI_GEOMETRY_SIZE)
			continue;
		region->has_geometry = true;
		region->geometry_bar = answer_u32(answer, cap->offset + UAPI_GEOMETRY_BAR);
		region->geometry_offset = answer_u64(answer, cap->offset + UAPI_GEOMETRY_OFFSET);
	}
	return 0;
}

int reader_scan(struct reader *reader, struct cxlvm_error *err)
{
	struct device_scan *scan = &reader->scan;
	const struct capability *cxl;
	struct answer answer;
	int ret;

	memset(scan, 0, sizeof(*scan));
	ret = answer_device_info(reader->ops, reader->device, &answer, err);
	if (ret)
		return ret;
	scan->flags = answer_u32(&answer, UAPI_INFO_FLAGS);
	scan->num_regions = answer_u32(&answer, UAPI_INFO_NUM_REGIONS);
	if (!(scan->flags & UAPI_INFO_FLAG_CXL)) {
		cxlvm_error_set(err, -ENODEV,
				"not a CXL device (device info flags 0x%x, bit 9 is "
				"clear)",
				scan->flags);
		cxlvm_error_hint(err, "use it as a plain PCI device, or a kernel with VFIO CXL");
		return -ENODEV;
	}
	if (scan->num_regions > REGIONS_MAX)
		return cxlvm_error_set(err, -EPROTO, "%u regions, more than %u", scan->num_regions,
				       REGIONS_MAX);
	cxl = answer_find(&answer, UAPI_DEVICE_CAP_CXL);
	if (cxl) {
		size_t n = cxl->room < sizeof(scan->cxl) ? cxl->room : sizeof(scan->cxl);

		scan->has_cxl_capability = true;
		scan->cxl_room = cxl->room;
		memcpy(scan->cxl, answer.bytes + cxl->offset, n);
	}
	for (uint32_t i = UAPI_REGION_INDEX_DYNAMIC; i < scan->num_regions; i++) {
		ret = answer_region_info(reader->ops, reader->device, i, &answer, err);
		if (!ret)
			ret = note_region(reader, i, &answer, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* Insert an area in order; -EPROTO when it overlaps a neighbour (REG-5). */
static int add_area(struct vfio_description *desc, uint64_t offset, uint64_t size,
		    struct cxlvm_error *err)
{
	unsigned int at = 0;

	for (unsigned int i = 0; i < desc->n_areas; i++)
		if (ranges_overlap(desc->areas[i].offset, desc->areas[i].size, offset, size))
			return cxlvm_error_set(
				err, -EPROTO,
				"memory region: mappable areas 0x%" PRIx64 "+0x%" PRIx64
				" and 0x%" PRIx64 "+0x%" PRIx64 " overlap",
				desc->areas[i].offset, desc->areas[i].size, offset, size);
	if (desc->n_areas == AREAS_MAX)
		return cxlvm_error_set(err, -EOPNOTSUPP,
				       "memory region: more than %u mappable areas", AREAS_MAX);
	while (at < desc->n_areas && desc->areas[at].offset < offset)
		at++;
	memmove(&desc->areas[at + 1], &desc->areas[at],
		(desc->n_areas - at) * sizeof(desc->areas[0]));
	desc->areas[at] = (struct vfio_area){ .offset = offset, .size = size };
	desc->n_areas++;
	return 0;
}

static int read_sparse(const struct reader *reader, const struct answer *answer,
		       const struct capability *cap, struct vfio_description *desc,
		       struct cxlvm_error *err)
{
	uint32_t n;

	if (cap->room < UAPI_SPARSE_AREAS)
		return cxlvm_error_set(err, -EPROTO,
				       "memory region: sparse capability of %u bytes, %u needed",
				       cap->room, UAPI_SPARSE_AREAS);
	n = answer_u32(answer, cap->offset + UAPI_SPARSE_COUNT);
	if (n > (cap->room - UAPI_SPARSE_AREAS) / UAPI_SPARSE_AREA)
		return cxlvm_error_set(err, -EPROTO,
				       "memory region: %u mappable areas do not fit in %u bytes", n,
				       cap->room);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = cap->offset + UAPI_SPARSE_AREAS + i * UAPI_SPARSE_AREA;
		uint64_t offset = answer_u64(answer, at), size = answer_u64(answer, at + 8);
		int ret;

		if (!size || !range_fits(offset, size, desc->region_size) ||
		    !is_aligned(offset | size, reader->page_size))
			return cxlvm_error_set(err, -EPROTO,
					       "memory region: mappable area 0x%" PRIx64
					       "+0x%" PRIx64
					       " is empty, outside the region of 0x%" PRIx64
					       " or not aligned to host pages of 0x%" PRIx64,
					       offset, size, desc->region_size, reader->page_size);
		ret = add_area(desc, offset, size, err);
		if (ret)
			return ret;
	}
	return 0;
}

/* The areas, cut at memory_size, have to cover all of it. */
static int check_cover(struct vfio_description *desc, struct cxlvm_error *err)
{
	uint64_t covered = 0;

	for (unsigned int i = 0; i < desc->n_areas; i++) {
		struct vfio_area *area = &desc->areas[i];

		if (area->offset >= desc->memory_size) {
			desc->n_areas = i;
			break;
		}
		if (area->offset != covered)
			break;
		if (area->size > desc->memory_size - area->offset)
			area->size = desc->memory_size - area->offset;
		covered += area->size;
	}
	if (covered == desc->memory_size)
		return 0;
	cxlvm_error_set(err, -EOPNOTSUPP,
			"memory region: mappable areas end or leave a hole at 0x%" PRIx64
			" of 0x%" PRIx64,
			covered, desc->memory_size);
	cxlvm_error_hint(err, "this kernel does not let user space map the device memory");
	return -EOPNOTSUPP;
}

int reader_memory_areas(const struct reader *reader, struct vfio_description *desc,
			struct cxlvm_error *err)
{
	uint32_t need = UAPI_REGION_FLAG_READ | UAPI_REGION_FLAG_WRITE | UAPI_REGION_FLAG_MMAP;
	const struct capability *sparse;
	struct answer answer;
	int ret;

	if ((reader->scan.memory.flags & need) != need) {
		cxlvm_error_set(err, -EOPNOTSUPP,
				"memory region %u has flags 0x%x: read, write and mmap (0x%x) are "
				"needed",
				reader->scan.memory.index, reader->scan.memory.flags, need);
		cxlvm_error_hint(err, "this kernel does not let user space map the device memory");
		return -EOPNOTSUPP;
	}
	ret = answer_region_info(reader->ops, reader->device, desc->memory_region, &answer, err);
	if (ret)
		return ret;
	desc->n_areas = 0;
	sparse = answer_find(&answer, UAPI_REGION_CAP_SPARSE);
	ret = sparse ? read_sparse(reader, &answer, sparse, desc, err)
		     : add_area(desc, 0, desc->region_size, err);
	return ret ? ret : check_cover(desc, err);
}

int reader_component_bar(const struct reader *reader, uint32_t bar, uint64_t offset,
			 uint64_t length, uint64_t *bar_size, struct cxlvm_error *err)
{
	struct answer answer;
	uint32_t address;
	int ret;

	if (bar >= PCI_BARS)
		return cxlvm_error_set(err, -EPROTO,
				       "component registers in BAR %u, which is not one of 0 to 5",
				       bar);
	ret = reader_dword(reader, CXLVM_REGION_CONFIG,
			   pci_bar_table.rows[PCI_BAR_IO].offset + 4 * (uint64_t)bar, &address,
			   err);
	if (ret)
		return ret;
	if (address & 1u << pci_bar_table.rows[PCI_BAR_IO].lsb)
		return cxlvm_error_set(
			err, -EPROTO, "component registers in BAR %u, which is an I/O BAR (0x%08x)",
			bar, address);
	ret = answer_region_info(reader->ops, reader->device, bar, &answer, err);
	if (ret)
		return ret;
	*bar_size = answer_u64(&answer, UAPI_REGION_BYTES);
	if (!range_fits(offset, length, *bar_size))
		return cxlvm_error_set(err, -EPROTO,
				       "component registers at 0x%" PRIx64 "+0x%" PRIx64
				       " are outside BAR %u of 0x%" PRIx64,
				       offset, length, bar, *bar_size);
	return 0;
}

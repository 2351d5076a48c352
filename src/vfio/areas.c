/* SPDX-License-Identifier: BSD-3-Clause */
/* What may be mapped: all of the device memory, nothing of the component registers. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "regs/pci.h"
#include "vfio/reader.h"

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
	uint32_t n = 0;
	int ret = answer_sparse_count(answer, cap, desc->memory_region, &n, err);

	if (ret)
		return ret;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = cap->offset + UAPI_SPARSE_AREAS + i * UAPI_SPARSE_AREA;
		uint64_t offset = answer_u64(answer, at), size = answer_u64(answer, at + 8);

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
	uint32_t access = UAPI_REGION_FLAG_READ | UAPI_REGION_FLAG_WRITE;
	uint32_t need = access | UAPI_REGION_FLAG_MMAP;
	const struct capability *sparse;
	struct answer answer;
	int ret;

	desc->n_areas = 0;
	if (reader->allow_slow && (reader->scan.memory.flags & need) == access)
		return 0;
	if ((reader->scan.memory.flags & need) != need) {
		cxlvm_error_set(err, -EOPNOTSUPP,
				"memory region %u has flags 0x%x: read, write and mmap (0x%x) are "
				"needed",
				reader->scan.memory.index, reader->scan.memory.flags, need);
		cxlvm_error_hint(err, "this kernel does not let user space map the device memory; "
				      "to debug it without memory: allow-slow=on");
		return -EOPNOTSUPP;
	}
	ret = answer_region_info(reader->ops, reader->device, desc->memory_region, &answer, err);
	if (ret)
		return ret;
	sparse = answer_find(&answer, UAPI_REGION_CAP_SPARSE);
	ret = sparse ? read_sparse(reader, &answer, sparse, desc, err)
		     : add_area(desc, 0, desc->region_size, err);
	return ret ? ret : check_cover(desc, err);
}

/*
 * The pages of what the register region serves must not be mappable through the BAR (OVL-3): they
 * are trapped as a whole. The list may have any number of areas, none included, in any order.
 */
static int check_hole(const struct answer *answer, uint32_t bar, uint64_t offset, uint64_t length,
		      struct cxlvm_error *err)
{
	uint64_t bar_size = answer_u64(answer, UAPI_REGION_BYTES);
	const struct capability *sparse = answer_find(answer, UAPI_REGION_CAP_SPARSE);
	uint32_t n = 0;
	int ret;

	if (!(answer_u32(answer, UAPI_REGION_FLAGS) & UAPI_REGION_FLAG_MMAP))
		return 0;
	if (!sparse)
		return cxlvm_error_set(err, -EPROTO,
				       "BAR %u can be mapped as a whole, component registers at "
				       "0x%" PRIx64 "+0x%" PRIx64 " included",
				       bar, offset, length);
	ret = answer_sparse_count(answer, sparse, bar, &n, err);
	for (uint32_t i = 0; i < n && !ret; i++) {
		uint32_t at = sparse->offset + UAPI_SPARSE_AREAS + i * UAPI_SPARSE_AREA;
		uint64_t area = answer_u64(answer, at), size = answer_u64(answer, at + 8);

		if (!size || !range_fits(area, size, bar_size) ||
		    ranges_overlap(area, size, offset, length))
			ret = cxlvm_error_set(err, -EPROTO,
					      "BAR %u: mappable area 0x%" PRIx64 "+0x%" PRIx64
					      " is empty, outside or over the pages of the "
					      "component registers at 0x%" PRIx64 "+0x%" PRIx64,
					      bar, area, size, offset, length);
	}
	return ret;
}

int reader_component_bar(const struct reader *reader, uint32_t bar, uint64_t offset,
			 uint64_t length, uint64_t *bar_size, struct cxlvm_error *err)
{
	struct answer answer;
	uint64_t first, end;
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
	first = align_down(offset, reader->page_size);
	end = align_down(offset + length + (reader->page_size - 1), reader->page_size);
	return check_hole(&answer, bar, first, end - first, err);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Which regions there are: device info, typed regions, and what decides the generation. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio/reader.h"

static int note_region(struct reader *reader, uint32_t index, const struct answer *answer,
		       struct cxlvm_error *err)
{
	const struct capability *type = answer_find(answer, UAPI_REGION_CAP_TYPE);
	struct device_scan *scan = &reader->scan;
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
	if (scan->n_types < SEEN_MAX)
		scan->types[scan->n_types++] = (struct region_type){ index, t, subtype };
	if (t != UAPI_TYPE_CXL && t != UAPI_TYPE_CXL_4)
		return 0;
	if (subtype == UAPI_SUBTYPE_CXL_MEMORY)
		region = &scan->memory;
	else if (subtype == UAPI_SUBTYPE_CXL_REGS)
		region = &scan->regs;
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
		/* The id is not certain: the expected one wins, else the first. */
		if (region->has_geometry && cap->id != UAPI_REGION_CAP_CXL_REGS)
			continue;
		region->has_geometry = true;
		region->geometry_bar = answer_u32(answer, cap->offset + UAPI_GEOMETRY_BAR);
		region->geometry_offset = answer_u64(answer, cap->offset + UAPI_GEOMETRY_OFFSET);
	}
	return 0;
}

int vfio_is_cxl(const struct cxlvm_device_ops *ops, void *device, bool *cxl,
		struct cxlvm_error *err)
{
	uint8_t fixed[UAPI_INFO_SIZE] = { 0 };
	size_t needed = 0;
	int ret = ops->info(device, fixed, sizeof(fixed), &needed);

	*cxl = get_le32(fixed + UAPI_INFO_FLAGS) & UAPI_INFO_FLAG_CXL;
	if (ret)
		return cxlvm_error_set(err, ret, "device info: %s", strerror(-ret));
	if (needed < UAPI_INFO_CAP_OFFSET)
		return cxlvm_error_set(err, -EPROTO,
				       "device info: answer of %zu bytes, %u at least", needed,
				       UAPI_INFO_CAP_OFFSET);
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
		cxlvm_error_hint(err, "use it as a plain PCI device (cxl=off), or a kernel with "
				      "VFIO CXL");
		return -ENODEV;
	}
	if (scan->num_regions > REGIONS_MAX)
		return cxlvm_error_set(err, -EPROTO, "%u regions, more than %u", scan->num_regions,
				       REGIONS_MAX);
	for (unsigned int i = 0; i < answer.n_caps && i < SEEN_MAX; i++)
		scan->capabilities[scan->n_capabilities++] = answer.caps[i].id;
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

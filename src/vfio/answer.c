/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/answer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"

uint32_t answer_u32(const struct answer *answer, uint32_t offset)
{
	return get_le32(answer->bytes + offset);
}

uint64_t answer_u64(const struct answer *answer, uint32_t offset)
{
	return get_le64(answer->bytes + offset);
}

const struct capability *answer_find(const struct answer *answer, uint16_t id)
{
	for (unsigned int i = 0; i < answer->n_caps; i++)
		if (answer->caps[i].id == id)
			return &answer->caps[i];
	return NULL;
}

static int walk(struct answer *answer, const char *what, uint32_t fixed, uint32_t first,
		struct cxlvm_error *err)
{
	uint32_t at = first, before = fixed - 1;

	answer->n_caps = 0;
	while (at) {
		struct capability *cap = &answer->caps[answer->n_caps];

		if (answer->n_caps == CAPABILITIES_MAX)
			return cxlvm_error_set(err, -EPROTO, "%s: more than %u capabilities", what,
					       CAPABILITIES_MAX);
		if (at <= before)
			return cxlvm_error_set(
				err, -EPROTO, "%s: capability chain goes back from offset %u to %u",
				what, before, at);
		if (!range_fits(at, UAPI_CAP_HEADER, answer->size))
			return cxlvm_error_set(err, -EPROTO,
					       "%s: capability at offset %u is outside the answer "
					       "of %u bytes",
					       what, at, answer->size);
		cap->id = get_le16(answer->bytes + at + UAPI_CAP_ID);
		cap->version = get_le16(answer->bytes + at + UAPI_CAP_VERSION);
		cap->offset = at;
		answer->n_caps++;
		before = at;
		at = answer_u32(answer, at + UAPI_CAP_NEXT);
	}
	for (unsigned int i = 0; i < answer->n_caps; i++) {
		uint32_t end = i + 1 < answer->n_caps ? answer->caps[i + 1].offset : answer->size;

		answer->caps[i].room = end - answer->caps[i].offset;
	}
	return 0;
}

/* Both answers have their flags at the same place. */
_Static_assert(UAPI_INFO_FLAGS == UAPI_REGION_FLAGS, "flags word");

struct question {
	const struct cxlvm_device_ops *ops;
	void *device;
	bool region;
	uint32_t index;
};

static int ask(const struct question *q, struct answer *answer, size_t len, size_t *needed)
{
	memset(answer->bytes, 0, sizeof(answer->bytes));
	if (q->region)
		return q->ops->region_info(q->device, q->index, answer->bytes, len, needed);
	return q->ops->info(q->device, answer->bytes, len, needed);
}

static int fetch(const struct question *q, struct answer *answer, struct cxlvm_error *err)
{
	uint32_t fixed = q->region ? UAPI_REGION_SIZE : UAPI_INFO_SIZE;
	uint32_t minimum = q->region ? UAPI_REGION_SIZE : UAPI_INFO_CAP_OFFSET;
	uint32_t flag = q->region ? UAPI_REGION_FLAG_CAPS : UAPI_INFO_FLAG_CAPS;
	uint32_t cap_at = q->region ? UAPI_REGION_CAP_OFFSET : UAPI_INFO_CAP_OFFSET;
	size_t needed = 0, len = fixed;
	char what[32];
	int ret;

	if (q->region)
		snprintf(what, sizeof(what), "info of region %u", q->index);
	else
		snprintf(what, sizeof(what), "device info");

	/* Once with the fixed part, once with the size that the first answer named. */
	ret = ask(q, answer, len, &needed);
	if (!ret && needed > len && needed <= sizeof(answer->bytes)) {
		len = needed;
		ret = ask(q, answer, len, &needed);
	}
	if (ret)
		return cxlvm_error_set(err, ret, "%s: %s", what, strerror(-ret));
	if (needed < minimum || needed > len)
		return cxlvm_error_set(err, -EPROTO,
				       "%s: answer of %zu bytes, not within %u and %zu", what,
				       needed, minimum, len);
	answer->size = (uint32_t)needed;
	answer->n_caps = 0;
	if (!(answer_u32(answer, UAPI_INFO_FLAGS) & flag))
		return 0;
	return walk(answer, what, fixed < answer->size ? fixed : answer->size,
		    answer_u32(answer, cap_at), err);
}

int answer_device_info(const struct cxlvm_device_ops *ops, void *device, struct answer *answer,
		       struct cxlvm_error *err)
{
	struct question q = { .ops = ops, .device = device };

	return fetch(&q, answer, err);
}

int answer_region_info(const struct cxlvm_device_ops *ops, void *device, uint32_t index,
		       struct answer *answer, struct cxlvm_error *err)
{
	struct question q = { .ops = ops, .device = device, .region = true, .index = index };

	return fetch(&q, answer, err);
}

int answer_sparse_count(const struct answer *answer, const struct capability *cap, uint32_t region,
			uint32_t *n, struct cxlvm_error *err)
{
	if (cap->room < UAPI_SPARSE_AREAS)
		return cxlvm_error_set(err, -EPROTO,
				       "region %u: sparse capability of %u bytes, %u needed",
				       region, cap->room, UAPI_SPARSE_AREAS);
	*n = answer_u32(answer, cap->offset + UAPI_SPARSE_COUNT);
	if (*n > (cap->room - UAPI_SPARSE_AREAS) / UAPI_SPARSE_AREA)
		return cxlvm_error_set(err, -EPROTO,
				       "region %u: %u mappable areas do not fit in %u bytes",
				       region, *n, cap->room);
	return 0;
}

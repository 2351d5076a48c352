/* SPDX-License-Identifier: BSD-3-Clause */
/* Answers of the VFIO interface as untrusted bytes. */
#ifndef CXLVM_VFIO_ANSWER_H
#define CXLVM_VFIO_ANSWER_H

#include <cxlvm/vfio.h>

#define ANSWER_BYTES_MAX 4096
#define CAPABILITIES_MAX 32
#define REGIONS_MAX      256

/* One capability: where it is and how far the bytes go that may belong to it. */
struct capability {
	uint16_t id;
	uint16_t version;
	uint32_t offset;
	uint32_t room;
};

struct answer {
	uint8_t bytes[ANSWER_BYTES_MAX];
	uint32_t size;
	unsigned int n_caps;
	struct capability caps[CAPABILITIES_MAX];
};

/*
 * Ask for device info, or the info of one region, growing as told, and walk its capability chain:
 * every header inside the answer, strictly increasing offsets, a bounded number of steps (DET).
 * -EPROTO says what was wrong.
 */
int answer_device_info(const struct cxlvm_device_ops *ops, void *device, struct answer *answer,
		       struct cxlvm_error *err);
int answer_region_info(const struct cxlvm_device_ops *ops, void *device, uint32_t index,
		       struct answer *answer, struct cxlvm_error *err);

/* The first capability with this id, or NULL. */
const struct capability *answer_find(const struct answer *answer, uint16_t id);

/* How many areas the sparse capability cap of a region really has room for: *n, or -EPROTO. */
int answer_sparse_count(const struct answer *answer, const struct capability *cap, uint32_t region,
			uint32_t *n, struct cxlvm_error *err);

/* Fields; the caller has checked that they are inside. */
uint32_t answer_u32(const struct answer *answer, uint32_t offset);
uint64_t answer_u64(const struct answer *answer, uint32_t offset);

#endif

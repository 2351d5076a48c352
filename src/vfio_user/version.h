/* SPDX-License-Identifier: BSD-3-Clause */
/* The payload of VERSION, request and reply. */
#ifndef CXLVM_VFIO_USER_VERSION_H
#define CXLVM_VFIO_USER_VERSION_H

#include <cxlvm/base.h>

#include "vfio_user/protocol.h"

/* Longest payload that is looked at; the largest seen in the field has some 300 bytes. */
#define VU_VERSION_MAX 4096u

/*
 * Longest payload that is sent: a QEMU 11 client takes the reply into a buffer as large as its own
 * request, 214 bytes with the header.
 */
#define VU_VERSION_SEND_MAX 198u

/* The capabilities of a peer; what it did not say has the protocol's default. */
struct vu_capabilities {
	uint64_t max_msg_fds;        /* descriptors that it can receive in one message */
	uint64_t max_data_xfer_size; /* bytes, the largest count of a data message */
	uint64_t pgsizes;            /* bit mask of page sizes for DMA */
	uint64_t max_dma_maps;
	bool write_multiple;
	bool twin_socket;       /* supported; in a reply: here it is */
	bool has_twin_fd_index; /* reply only */
	uint64_t twin_fd_index; /* among the descriptors of the reply */
};

struct vu_version {
	uint16_t major, minor;
	struct vu_capabilities caps;
};

void vu_capabilities_default(struct vu_capabilities *caps);

/*
 * Read a payload, which is hostile: at most VU_VERSION_MAX bytes, an object with its NUL at the end
 * and nowhere else, or no text at all. Unknown members are skipped; one that is known must have its
 * type and be no less than 0 and no more than 64 bits wide, the last of several counts. 0 or -EINVAL.
 */
int vu_version_decode(struct vu_version *version, const uint8_t *payload, size_t size);

/*
 * Write a payload: members that differ from the default, without white space. Returns its size, or
 * -EMSGSIZE when that is above VU_VERSION_SEND_MAX.
 */
int vu_version_encode(uint8_t payload[VU_VERSION_SEND_MAX], const struct vu_version *version);

#endif

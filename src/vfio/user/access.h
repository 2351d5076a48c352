/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and writes of regions by messages. */
#ifndef CXLVM_VFIO_USER_ACCESS_H
#define CXLVM_VFIO_USER_ACCESS_H

#include "vfio/user/connection.h"

/*
 * Exactly len bytes, in as many messages as the server's limit wants. 0, -EIO for an answer that is
 * not the one to the question, -EPROTO, -ENODEV, or the server's error.
 */
int access_read(struct connection *conn, uint32_t region, uint64_t offset, void *buf, size_t len);
int access_write(struct connection *conn, uint32_t region, uint64_t offset, const void *buf,
		 size_t len);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* capture.h - what writes a captured machine */
#ifndef CLI_CAPTURE_H
#define CLI_CAPTURE_H

#include <cxlvm/vfio.h>

#include "host.h"

struct capture;

/*
 * Write what list and check look at to path, without serial numbers, which is replaced; of opened,
 * if it is not NULL, also what it answers. Negative errno; then there is no file.
 */
int capture_write(struct fs *fs, const char *path, const struct host_device *device,
		  const struct cxlvm_transport *opened, struct cxlvm_error *err);

/* Add a file that was not there before: n bytes at offset first of size. */
void capture_bytes(struct capture *capture, const char *path, const void *bytes, size_t n,
		   uint64_t first, uint64_t size);

/*
 * record.c: all that an opened device answers without being changed, below /vfio/NAME of the machine.
 * What it does not answer is left out. replay.h gives the answers again.
 */
void record(struct capture *capture, const char *name, const struct cxlvm_transport *opened);

#endif

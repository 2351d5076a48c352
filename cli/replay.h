/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.h - an opened device of a captured machine: device operations that answer as it did when it
 * was captured
 *
 * It takes no writes and has no memory. Files below /vfio/NAME: info and region0 to regionN hold the
 * bytes of VFIO device and region info, regionN.data what is known of a region's content.
 */
#ifndef CLI_REPLAY_H
#define CLI_REPLAY_H

#include <cxlvm/vfio.h>

#include "fs.h"

#define REPLAY_INFO_MAX    4096u
#define REPLAY_REGIONS_MAX 64u

struct replay {
	struct fs *fs;
	char name[32];
};

extern const struct cxlvm_device_ops replay_ops; /* device is a struct replay */

/* Whether answers of the device called name are there. */
bool replay_exists(struct fs *fs, const char *name);

#endif

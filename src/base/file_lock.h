/* SPDX-License-Identifier: BSD-3-Clause */
/* file_lock.h - one owner for the file of a device's memory */
#ifndef BASE_FILE_LOCK_H
#define BASE_FILE_LOCK_H

#include <cxlvm/base.h>

/*
 * Lock a regular file, open for writing, for as long as this open file description lives. 0, -EBUSY
 * when another one has it (the message names the process, where /proc shows it), or negative errno.
 * Whoever does not ask for the lock is not kept out: tests and tools look into the file meanwhile.
 */
int file_lock(int fd, const char *path, struct cxlvm_error *err);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory in a file that somebody else may hold too: device memory, and guest RAM that a client
 * named. A file that can become shorter is read and written by system calls, which fail where
 * touching a mapping would end the process; one that is sealed against it is mapped. A file of huge
 * pages is mapped, as it cannot be written, and the kernel copies: a page that it has not is an
 * error as well.
 */
#ifndef CXLVM_VFIO_USER_MEMORY_H
#define CXLVM_VFIO_USER_MEMORY_H

#include <cxlvm/base.h>

struct vu_memory {
	int fd;
	uint64_t offset; /* of the first byte in the file */
	uint64_t size;
	uint8_t *map; /* the first byte; NULL: not mapped */
	bool huge;    /* pages that may be missing: not to be touched here */
	void *mapping;
	size_t mapping_size;
};

/*
 * Use size bytes of a file. fd belongs to memory afterwards, after a failure too: -EINVAL when it is
 * no regular file, is shorter, or is not open for what is wanted; or what a call gave.
 */
int vu_memory_attach(struct vu_memory *memory, int fd, uint64_t offset, uint64_t size,
		     bool writable);
void vu_memory_detach(struct vu_memory *memory);

/* All of len bytes at an offset that lies inside (the caller checks), or a negative errno. */
int vu_memory_read(const struct vu_memory *memory, uint64_t at, void *buf, size_t len);
int vu_memory_write(const struct vu_memory *memory, uint64_t at, const void *buf, size_t len);

/* All of it reads 0 afterwards, and is as allocated as before. 0 or a negative errno. */
int vu_memory_clear(const struct vu_memory *memory);

/*
 * A file for device memory: path made if missing, and then *made is true; NULL: memory of its own,
 * sealed. All of it is allocated when it has a path. The descriptor or a negative errno.
 */
int vu_memory_file(const char *path, uint64_t size, bool *made, struct cxlvm_error *err);

#endif

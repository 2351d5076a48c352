/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory in a file that somebody else may hold too: device memory, and guest RAM that a client
 * named. It is mapped, as flags that others set on the file (O_APPEND) mean nothing to a mapping. In
 * a file that can become shorter, and in one of huge pages, which the host may not have, the kernel
 * copies: it fails where touching the mapping would end the process.
 */
#ifndef CXLVM_VFIO_USER_MEMORY_H
#define CXLVM_VFIO_USER_MEMORY_H

#include <cxlvm/base.h>

struct vu_memory {
	int fd;
	uint64_t offset; /* of the first byte in the file */
	uint64_t size;
	uint8_t *map;   /* the first byte */
	bool touchable; /* no page of it can be missing */
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

/*
 * Asked before that of what a client sent, as a file system that a client serves itself may never
 * answer. 1: a file of memory (memfd, tmpfs, huge pages); 0: another regular file, not to be
 * used; -EINVAL: none.
 */
int vu_memory_kind(int fd);

/*
 * A descriptor of the file for a client, which closes it: with an open file description of its own,
 * so that no flag or lock on it is ours. Or a negative errno.
 */
int vu_memory_share(const struct vu_memory *memory);

/*
 * As long and as allocated as it was, if somebody cut it since: zeros are where it was cut off, and
 * *mended is true. 0 or a negative errno.
 */
int vu_memory_mend(const struct vu_memory *memory, bool *mended);

/* All of len bytes at an offset that lies inside (the caller checks), or a negative errno. */
int vu_memory_read(const struct vu_memory *memory, uint64_t at, void *buf, size_t len);
int vu_memory_write(const struct vu_memory *memory, uint64_t at, const void *buf, size_t len);

/* All of it reads 0 afterwards, and is as allocated as before. 0 or a negative errno. */
int vu_memory_clear(const struct vu_memory *memory);

/*
 * A file for device memory: path made if missing, and then *made is true; NULL: memory of its own,
 * sealed. All of it is allocated when it has a path, and *lock is a descriptor that keeps others
 * from using it as well (-EBUSY), until it is closed. The descriptor or a negative errno.
 */
int vu_memory_file(const char *path, uint64_t size, bool *made, int *lock, struct cxlvm_error *err);

#endif

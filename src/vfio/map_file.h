/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping a part of a file where second-level page tables can use large pages (MAP-2). */
#ifndef CXLVM_VFIO_MAP_FILE_H
#define CXLVM_VFIO_MAP_FILE_H

#include <cxlvm/vfio.h>

/*
 * Map request->size bytes of fd from file_offset, shared, readable and writable, at an address
 * that is congruent to request->guest modulo request->alignment. The numbers are checked by the
 * caller against region and file; -EINVAL when size, alignment and page_size contradict each
 * other, else what mmap said. The memory is not part of core dumps or of child processes.
 */
int map_file(const struct cxlvm_map_request *request, int fd, uint64_t file_offset,
	     uint64_t page_size, void **address);

/*
 * Put another file where map_file has put one. 0, or what mmap said: then nothing answers there
 * any more, but the addresses stay taken.
 */
int map_file_again(void *address, uint64_t size, int fd, uint64_t file_offset);

#endif

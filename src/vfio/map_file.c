/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/map_file.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/math.h"

/* Hints; huge pages also depend on the system's setting. */
static void advise(void *address, uint64_t size)
{
	(void)madvise(address, size, MADV_HUGEPAGE);
	(void)madvise(address, size, MADV_DONTDUMP);
	(void)madvise(address, size, MADV_DONTFORK);
}

/*
 * Reserve more address space than needed, put the mapping where it is congruent to the guest
 * address, and give the rest back.
 */
int map_file(const struct cxlvm_map_request *request, int fd, uint64_t file_offset,
	     uint64_t page_size, void **address)
{
	uint64_t align = request->alignment, size = request->size, at;
	char *space, *want;

	if (!size || !is_power_of_two(align) || align < page_size ||
	    !is_aligned(request->offset | file_offset | size, page_size) ||
	    size > UINT64_MAX - align)
		return -EINVAL;
	space = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		     0);
	if (space == MAP_FAILED)
		return -errno;
	at = (request->guest.value - (uintptr_t)space) & (align - 1);
	want = space + at;
	if (mmap(want, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd,
		 (off_t)file_offset) == MAP_FAILED) {
		int ret = -errno;

		munmap(space, size + align);
		return ret;
	}
	if (at)
		munmap(space, at);
	if (align - at)
		munmap(want + size, align - at);
	advise(want, size);
	*address = want;
	return 0;
}

int map_file_again(void *address, uint64_t size, int fd, uint64_t file_offset)
{
	int flags = MAP_NORESERVE | MAP_FIXED, ret;

	if (mmap(address, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, fd,
		 (off_t)file_offset) != MAP_FAILED) {
		advise(address, size);
		return 0;
	}
	ret = -errno;
	/* The old mapping may be gone: nothing else must come to lie at this address. */
	(void)mmap(address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
	return ret;
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* ram.c - guest RAM */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout.h"
#include "ram.h"
#include "util.h"

void ram_layout(struct ram *ram, uint64_t size)
{
	uint64_t low = size < LAYOUT_RAM_LOW_MAX ? size : LAYOUT_RAM_LOW_MAX;

	memset(ram, 0, sizeof(*ram));
	ram->fd = -1;
	ram->size = size;
	ram->blocks[0].base.value = 0;
	ram->blocks[0].size = low;
	ram->n_blocks = 1;
	if (size > low) {
		ram->blocks[1].base.value = LAYOUT_RAM_HIGH_BASE;
		ram->blocks[1].size = size - low;
		ram->n_blocks = 2;
	}
}

/* A file that nobody can make shorter: whoever has it maps it too. */
static int create_file(uint64_t size)
{
	int fd = memfd_create("guest-ram", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int code;

	if (fd < 0)
		return -errno;
	if (!ftruncate(fd, (off_t)size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	code = -errno;
	close(fd);
	return code;
}

/*
 * KVM uses a large page only where guest and user addresses agree modulo its size, and says
 * nothing where they do not. Both blocks start at multiples of 1 GiB and lie one after the other,
 * so aligning the mapping is enough.
 */
static void *map_aligned(int fd, uint64_t size, uint64_t align)
{
	uint8_t *reserved = mmap(NULL, size + align, PROT_NONE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	uint8_t *start;

	if (reserved == MAP_FAILED)
		return NULL;
	start = (uint8_t *)(uintptr_t)align_up((uintptr_t)reserved, align);
	if (start != reserved)
		munmap(reserved, (size_t)(start - reserved));
	munmap(start + size, (size_t)(reserved + align - start));
	if (mmap(start, size, PROT_READ | PROT_WRITE,
		 (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED | MAP_NORESERVE,
		 fd, 0) == MAP_FAILED) {
		munmap(start, size);
		return NULL;
	}
	/* Advice only: it needs the kernel to be told madvise or always (cxlvm check), for files by shmem_enabled. */
	(void)madvise(start, size, MADV_HUGEPAGE);
	return start;
}

int ram_map(struct ram *ram, bool shared, struct cxlvm_error *err)
{
	uint64_t offset = 0;
	int code;

	if (shared) {
		ram->fd = create_file(ram->size);
		if (ram->fd < 0) {
			code = ram->fd;
			goto fail;
		}
	}
	ram->mapping = map_aligned(ram->fd, ram->size, ram->size >= GIB(1) ? GIB(1) : MIB(2));
	if (!ram->mapping) {
		code = -errno;
		goto fail;
	}
	for (unsigned int i = 0; i < ram->n_blocks; i++) {
		ram->blocks[i].offset = offset;
		ram->blocks[i].address = (uint8_t *)ram->mapping + offset;
		offset += ram->blocks[i].size;
	}
	return 0;
fail:
	ram_unmap(ram);
	cxlvm_error_set(err, code, "cannot map %llu bytes of guest memory: %s",
			(unsigned long long)ram->size, strerror(-code));
	cxlvm_error_hint(err, "choose a smaller --memory");
	return code;
}

void ram_unmap(struct ram *ram)
{
	if (ram->mapping)
		munmap(ram->mapping, ram->size);
	if (ram->fd >= 0)
		close(ram->fd);
	ram->mapping = NULL;
	ram->fd = -1;
	for (unsigned int i = 0; i < ram->n_blocks; i++)
		ram->blocks[i].address = NULL;
}

static const struct ram_block *find_block(const struct ram *ram, struct cxlvm_gpa base,
					  uint64_t size)
{
	for (unsigned int i = 0; i < ram->n_blocks; i++) {
		const struct ram_block *block = &ram->blocks[i];
		uint64_t offset = base.value - block->base.value;

		if (base.value >= block->base.value && offset <= block->size &&
		    size <= block->size - offset && block->address)
			return block;
	}
	return NULL;
}

int ram_write(const struct ram *ram, struct cxlvm_gpa base, const void *bytes, size_t size)
{
	const struct ram_block *block = find_block(ram, base, size);
	size_t done = 0;

	if (!block)
		return -EFAULT;
	while (done < size) {
		uint64_t offset = block->offset + (base.value - block->base.value) + done;
		ssize_t n =
			pwrite(ram->fd, (const uint8_t *)bytes + done, size - done, (off_t)offset);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

void *ram_pointer(const struct ram *ram, struct cxlvm_gpa base, uint64_t size)
{
	const struct ram_block *block = find_block(ram, base, size);

	return block ? (uint8_t *)block->address + (base.value - block->base.value) : NULL;
}

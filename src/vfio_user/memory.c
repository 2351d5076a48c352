/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_user/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file_lock.h"
#include "base/math.h"
#include "vfio_user/message.h"

static bool cannot_shrink(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);

	return seals >= 0 && seals & F_SEAL_SHRINK;
}

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

static int check_file(int fd, uint64_t offset, uint64_t size, bool writable)
{
	int mode = fcntl(fd, F_GETFL);
	struct stat st;

	if (mode < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || !size || !range_fits(offset, size, (uint64_t)st.st_size))
		return -EINVAL;
	if (mode & O_PATH || (mode & O_ACCMODE) == O_WRONLY ||
	    (writable && (mode & O_ACCMODE) != O_RDWR))
		return -EINVAL;
	return 0;
}

/* The size of its pages if they are huge ones, else 0. */
static uint64_t huge_page_size(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) || fs.f_type != HUGETLBFS_MAGIC || fs.f_bsize <= 0 ||
	    !is_power_of_two((uint64_t)fs.f_bsize))
		return 0;
	return (uint64_t)fs.f_bsize;
}

/* Whole pages, or it can neither be mapped nor unmapped. */
static int map_memory(struct vu_memory *memory, int protection, uint64_t page)
{
	uint64_t ahead = memory->offset % page, size = ahead + memory->size;
	void *mapping;

	if (__builtin_add_overflow(size, (page - size % page) % page, &size))
		return -EINVAL;
	mapping = mmap(NULL, size, protection, MAP_SHARED | MAP_NORESERVE, memory->fd,
		       (off_t)(memory->offset - ahead));
	if (mapping == MAP_FAILED)
		return -errno;
	(void)madvise(mapping, size, MADV_DONTDUMP);
	memory->mapping = mapping;
	memory->mapping_size = size;
	memory->map = (uint8_t *)mapping + ahead;
	return 0;
}

int vu_memory_attach(struct vu_memory *memory, int fd, uint64_t offset, uint64_t size,
		     bool writable)
{
	int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	int ret = check_file(fd, offset, size, writable);
	uint64_t huge;

	*memory = (struct vu_memory){ .fd = fd, .offset = offset, .size = size };
	if (!ret) {
		huge = huge_page_size(fd);
		memory->touchable = !huge && cannot_shrink(fd);
		ret = map_memory(memory, protection, huge ? huge : page_size());
	}
	if (ret)
		vu_memory_detach(memory);
	return ret;
}

int vu_memory_kind(int fd)
{
	struct statx st;

	/* Both are answered without the file system that it may be in. */
	if (fcntl(fd, F_GET_SEALS) >= 0)
		return 1;
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st))
		return -errno;
	return S_ISREG(st.stx_mode) ? 0 : -EINVAL;
}

void vu_memory_detach(struct vu_memory *memory)
{
	if (memory->mapping)
		munmap(memory->mapping, memory->mapping_size);
	if (memory->fd >= 0)
		vu_fd_close(memory->fd);
	memory->mapping = memory->map = NULL;
	memory->fd = -1;
}

/* As the kernel copies between processes: what cannot be reached is an error, and no signal. */
static int transfer(const struct vu_memory *memory, uint64_t at, void *in, const void *out,
		    size_t len)
{
	for (size_t done = 0; done < len;) {
		struct iovec there = { memory->map + at + done, len - done };
		struct iovec here = { in ? (char *)in + done : (char *)(uintptr_t)out + done,
				      len - done };
		ssize_t n = in ? process_vm_readv(getpid(), &here, 1, &there, 1, 0)
			       : process_vm_writev(getpid(), &here, 1, &there, 1, 0);

		if (n <= 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

int vu_memory_read(const struct vu_memory *memory, uint64_t at, void *buf, size_t len)
{
	if (!memory->touchable)
		return transfer(memory, at, buf, NULL, len);
	memcpy(buf, memory->map + at, len);
	return 0;
}

int vu_memory_write(const struct vu_memory *memory, uint64_t at, const void *buf, size_t len)
{
	if (!memory->touchable)
		return transfer(memory, at, NULL, buf, len);
	memcpy(memory->map + at, buf, len);
	return 0;
}

int vu_memory_clear(const struct vu_memory *memory)
{
	off_t offset = (off_t)memory->offset, size = (off_t)memory->size;

	if (!fallocate(memory->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, size))
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	if (fallocate(memory->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size))
		return -errno;
	/* Sealed memory is this process's own: allocated when used. */
	if (memory->touchable)
		return 0;
	return fallocate(memory->fd, 0, offset, size) ? -errno : 0;
}

/* The same file, opened once more. */
static int share(int fd)
{
	char path[sizeof("/proc/self/fd/") + 3 * sizeof(fd)];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDWR | O_CLOEXEC);
	return other < 0 ? -errno : other;
}

int vu_memory_share(const struct vu_memory *memory)
{
	return share(memory->fd);
}

int vu_memory_mend(const struct vu_memory *memory, bool *mended)
{
	off_t size = (off_t)(memory->offset + memory->size);
	struct stat st;

	*mended = false;
	if (fstat(memory->fd, &st))
		return -errno;
	if (st.st_size >= size && (memory->touchable || st.st_blocks >= size / 512))
		return 0;
	*mended = st.st_size < size;
	if (*mended && ftruncate(memory->fd, size))
		return -errno;
	return !fallocate(memory->fd, 0, 0, size) || errno == EOPNOTSUPP ? 0 : -errno;
}

static void hint_room(struct cxlvm_error *err, int code)
{
	cxlvm_error_hint(err, code == -EFBIG
				      ? "raise the limit on the size of files (ulimit -f), or "
					"ask for a smaller size"
				      : "make room there, name a file elsewhere, or ask for a "
					"smaller size");
}

static int own_memory(uint64_t size, struct cxlvm_error *err)
{
	int fd = memfd_create("cxl-device-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int ret;

	if (fd >= 0 && !ftruncate(fd, (off_t)size) &&
	    !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		return fd;
	ret = cxlvm_error_set(err, -errno, "device memory of %" PRIu64 " bytes: %s", size,
			      strerror(errno));
	if (ret == -EFBIG)
		hint_room(err, ret);
	if (fd >= 0)
		close(fd);
	return ret;
}

static int check_memory_file(int fd, const char *path, uint64_t size, bool made,
			     struct cxlvm_error *err)
{
	struct stat st;
	int ret;

	if (fstat(fd, &st))
		return cxlvm_error_set(err, -errno, "memory file %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode)) {
		cxlvm_error_set(err, -EINVAL, "memory file %s is not a regular file", path);
		cxlvm_error_hint(err, "name a regular file, or leave the option out");
		return -EINVAL;
	}
	if (!made && (uint64_t)st.st_size < size) {
		cxlvm_error_set(err, -EINVAL,
				"memory file %s has %jd bytes, the device memory %" PRIu64, path,
				(intmax_t)st.st_size, size);
		cxlvm_error_hint(err, "remove the file, so that it is made, or ask for a smaller "
				      "size");
		return -EINVAL;
	}
	if (made && ftruncate(fd, (off_t)size))
		goto no_room;
	/* Where blocks cannot be allocated beforehand, they may be missing later. */
	if (!fallocate(fd, 0, 0, (off_t)size) || errno == EOPNOTSUPP)
		return 0;
no_room:
	ret = cxlvm_error_set(err, -errno, "memory file %s: no room for %" PRIu64 " bytes: %s",
			      path, size, strerror(errno));
	hint_room(err, ret);
	return ret;
}

int vu_memory_file(const char *path, uint64_t size, bool *made, int *lock, struct cxlvm_error *err)
{
	int first, fd, ret;

	*made = false;
	if (!path)
		return own_memory(size, err);
	first = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (first >= 0)
		*made = true;
	else if (errno == EEXIST)
		first = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (first < 0) {
		ret = cxlvm_error_set(err, -errno, "memory file %s: %s", path, strerror(errno));
		cxlvm_error_hint(err, "name a file that can be made or written, in a folder that "
				      "exists");
		return ret;
	}
	ret = file_lock(first, path, err);
	/* Not to be removed: it is the other's. */
	if (ret)
		goto close;
	ret = check_memory_file(first, path, size, *made, err);
	if (ret)
		goto remove;
	/* Whoever gets a descriptor of the second description cannot unlock the first. */
	fd = share(first);
	if (fd >= 0) {
		*lock = first;
		return fd;
	}
	ret = cxlvm_error_set(err, fd, "memory file %s: /proc/self/fd/%d: %s", path, first,
			      strerror(-fd));
remove:
	if (*made)
		unlink(path);
close:
	*made = false;
	close(first);
	return ret;
}

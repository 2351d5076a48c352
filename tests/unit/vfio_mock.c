/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio_mock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "test.h"

#define FDS_MAX  256
#define MAPS_MAX 64

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_faccessat(int folder, const char *path, int mode, int flags);
int __wrap_faccessat(int folder, const char *path, int mode, int flags);
int __wrap_ioctl(int fd, unsigned long request, ...);
void *__real_mmap64(void *address, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t size, int prot, int flags, int fd, off_t offset);
ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t size, off_t offset);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_close(int fd);
int __wrap_close(int fd);
/* NOLINTEND(bugprone-reserved-identifier) */

enum kind { KIND_NONE, KIND_CONTAINER, KIND_GROUP, KIND_DEVICE, KIND_IOMMUFD };

static const char *const kind_names[] = {
	[KIND_CONTAINER] = "container",
	[KIND_GROUP] = "group",
	[KIND_DEVICE] = "device",
	[KIND_IOMMUFD] = "iommufd",
};

struct mock mock;
static bool armed;
static enum kind kinds[FDS_MAX];
static uint32_t attached_to[FDS_MAX]; /* of a device: the I/O address space */
static uint64_t maps[MAPS_MAX][2];
static unsigned int fds_before;

static void note(const char *format, ...) CXLVM_PRINTF(1, 2);

static void note(const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(mock.journal + mock.n_journal, sizeof(mock.journal) - mock.n_journal, format,
		      arguments);
	va_end(arguments);
	if (n > 0 && mock.n_journal + (size_t)n < sizeof(mock.journal))
		mock.n_journal += (size_t)n;
}

/* One call: is it the one that fails? */
static bool due(void)
{
	if (!mock.fail_at || ++mock.calls != mock.fail_at)
		return false;
	mock.fired = true;
	errno = mock.fail_errno;
	return true;
}

static enum kind kind_of(int fd)
{
	return armed && fd >= 0 && fd < FDS_MAX ? kinds[fd] : KIND_NONE;
}

static enum kind kind_of_path(const char *path)
{
	if (strstr(path, "/vfio/devices/"))
		return KIND_DEVICE;
	if (strstr(path, "/vfio/vfio"))
		return KIND_CONTAINER;
	if (strstr(path, "/vfio/"))
		return KIND_GROUP;
	return strstr(path, "/iommu") ? KIND_IOMMUFD : KIND_NONE;
}

static bool is_refused(const char *path)
{
	return armed && mock.refused && !strncmp(path, mock.dev, strlen(mock.dev)) &&
	       !strcmp(path + strlen(mock.dev), mock.refused);
}

int __wrap_faccessat(int folder, const char *path, int mode, int flags)
{
	if (!is_refused(path))
		return __real_faccessat(folder, path, mode, flags);
	errno = EACCES;
	return -1;
}

int __wrap_open64(const char *path, int flags, ...)
{
	int fd;

	if (!armed || strncmp(path, mock.dev, strlen(mock.dev)))
		return __real_open64(path, flags, 0600);
	note("open %s\n", path + strlen(mock.dev));
	if (due())
		return -1;
	if (is_refused(path)) {
		errno = EACCES;
		return -1;
	}
	fd = __real_open64(path, flags, 0600);
	if (fd >= 0)
		kinds[fd] = kind_of_path(path);
	return fd;
}

int __wrap_close(int fd)
{
	if (kind_of(fd) == KIND_DEVICE) {
		/* A device leaves its space and its iommufd. */
		mock.n_bound -= mock.n_bound > 0;
		mock.n_attached -= attached_to[fd] != 0;
		attached_to[fd] = 0;
	}
	if (kind_of(fd) != KIND_NONE) {
		note("close %s\n", kind_names[kinds[fd]]);
		if (kinds[fd] == KIND_CONTAINER && mock.few_bytes)
			mock.n_maps = 0;
		kinds[fd] = KIND_NONE;
	}
	return __real_close(fd);
}

static int refused(int code)
{
	errno = code;
	return -1;
}

/* A request that is as long as it says. */
static void assert_size(const uint8_t *request, uint32_t size)
{
	assert_int_equal(get_le32(request), size);
}

static int map(uint64_t base, uint64_t size, const char *how, uint64_t from)
{
	note(" 0x%" PRIx64 "+0x%" PRIx64 "%s\n", base, size, how);
	mock.now_ns += mock.ns_per_map;
	if (mock.map_error && base >= mock.map_error_from)
		return refused(mock.map_error);
	assert_true(from != 0);
	for (int i = 0; i < mock.n_maps; i++)
		assert_false(ranges_overlap(maps[i][0], maps[i][1], base, size));
	assert_in_range(mock.n_maps, 0, MAPS_MAX - 1);
	maps[mock.n_maps][0] = base;
	maps[mock.n_maps++][1] = size;
	return 0;
}

/* Every piece inside, none cut. */
static uint64_t unmap(uint64_t base, uint64_t size)
{
	uint64_t gone = 0;

	note(" 0x%" PRIx64 "+0x%" PRIx64 "\n", base, size);
	for (int i = mock.n_maps; i-- > 0;) {
		if (!ranges_overlap(maps[i][0], maps[i][1], base, size))
			continue;
		assert_true(maps[i][0] >= base && maps[i][0] + maps[i][1] <= base + size);
		gone += maps[i][1];
		maps[i][0] = maps[mock.n_maps - 1][0];
		maps[i][1] = maps[--mock.n_maps][1];
	}
	return mock.few_bytes ? gone / 2 : gone;
}

static int container_ioctl(unsigned int number, uint8_t *p)
{
	uint8_t answer[UAPI_TYPE1_SIZE + UAPI_IOVA_RANGES + sizeof(mock.iova)] = { 0 };
	uint32_t size;

	switch (number) {
	case UAPI_GET_API_VERSION:
		note(" version\n");
		return 0;
	case UAPI_CHECK_EXTENSION:
		note(" extension %d\n", (int)(uintptr_t)p);
		return !mock.no_type1;
	case UAPI_SET_IOMMU:
		note(" iommu %d\n", (int)(uintptr_t)p);
		return 0;
	case UAPI_IOMMU_GET_INFO:
		note(" info\n");
		size = UAPI_TYPE1_SIZE + UAPI_IOVA_RANGES + mock.n_iova * UAPI_IOVA_RANGE;
		assert_in_range(get_le32(p), size, 65536);
		put_le32(answer, size);
		if (mock.n_iova) {
			uint8_t *cap = answer + UAPI_TYPE1_SIZE;

			put_le32(answer + UAPI_TYPE1_FLAGS, 3);
			put_le32(answer + UAPI_TYPE1_CAP_OFFSET, UAPI_TYPE1_SIZE);
			put_le16(cap, 1);
			put_le32(cap + UAPI_IOVA_COUNT, mock.n_iova);
			for (uint32_t i = 0; i < mock.n_iova; i++) {
				put_le64(cap + UAPI_IOVA_RANGES + (size_t)16 * i, mock.iova[i][0]);
				put_le64(cap + UAPI_IOVA_RANGES + (size_t)16 * i + 8,
					 mock.iova[i][1]);
			}
		}
		memcpy(p, answer, size);
		return 0;
	case UAPI_IOMMU_MAP_DMA:
		note(" map");
		assert_size(p, 32);
		return map(get_le64(p + 16), get_le64(p + 24),
			   get_le32(p + 4) == 3 ? "" : " read-only", get_le64(p + 8));
	case UAPI_IOMMU_UNMAP_DMA:
		note(" unmap");
		assert_size(p, 24);
		put_le64(p + 16, unmap(get_le64(p + 8), get_le64(p + 16)));
		return 0;
	default:
		return refused(ENOTTY);
	}
}

static int group_ioctl(unsigned int number, void *p)
{
	int fd;

	switch (number) {
	case UAPI_GROUP_GET_STATUS:
		note(" status\n");
		assert_size(p, 8);
		put_le32((uint8_t *)p + 4, mock.not_viable ? 0 : 1);
		return 0;
	case UAPI_GROUP_SET_CONTAINER:
		note(" set container\n");
		assert_int_equal(kind_of(*(const int *)p), KIND_CONTAINER);
		return 0;
	case UAPI_GROUP_GET_DEVICE_FD:
		note(" device %s\n", (const char *)p);
		fd = memfd_create("device", MFD_CLOEXEC);
		assert_in_range(fd, 0, FDS_MAX - 1);
		kinds[fd] = KIND_DEVICE;
		return fd;
	default:
		return refused(ENOTTY);
	}
}

/* Region 0 is a BAR, 7 the configuration space; one page of the file each. */
static int region_info(uint8_t *p)
{
	uint32_t index = get_le32(p + UAPI_REGION_INDEX);

	note(" region %u\n", index);
	if (index >= MOCK_REGIONS)
		return refused(EINVAL);
	/* Of the last one kernels say that there is none. */
	if (index == UAPI_REGION_INDEX_VGA)
		return refused(EINVAL);
	put_le32(p + UAPI_REGION_FLAGS, index == 0 ? 7 : 3);
	put_le64(p + UAPI_REGION_BYTES, index == 0 ? MOCK_BAR0_SIZE : index == 7 ? 4096 : 0);
	put_le64(p + UAPI_REGION_OFFSET, (uint64_t)index << 40);
	put_le32(p, UAPI_REGION_SIZE);
	return 0;
}

static int device_ioctl(int device, unsigned int number, uint8_t *p)
{
	int fd;

	switch (number) {
	case UAPI_DEVICE_GET_INFO:
		note(" info\n");
		put_le32(p + UAPI_INFO_FLAGS, 3);
		put_le32(p + UAPI_INFO_NUM_REGIONS, MOCK_REGIONS);
		put_le32(p + UAPI_INFO_NUM_IRQS, 5);
		put_le32(p, UAPI_INFO_SIZE);
		return 0;
	case UAPI_DEVICE_GET_REGION:
		return region_info(p);
	case UAPI_DEVICE_GET_IRQ:
		note(" irq info %u\n", get_le32(p + 8));
		assert_size(p, 16);
		put_le32(p + 4, 0x9);
		put_le32(p + 12, 65);
		return 0;
	case UAPI_DEVICE_SET_IRQS:
		note(" irqs flags 0x%x index %u start %u count %u", get_le32(p + 4),
		     get_le32(p + 8), get_le32(p + 12), get_le32(p + 16));
		assert_size(p, 20 + (get_le32(p + 4) & 4 ? 4 * get_le32(p + 16) : 0));
		for (uint32_t i = 0; i < get_le32(p + 16); i++)
			note(" %d", (int)get_le32(p + 20 + (size_t)4 * i) < 0 ? -1 : 1);
		note("\n");
		return mock.irq_answer;
	case UAPI_DEVICE_RESET:
		note(" reset\n");
		return mock.reset_again-- > 0 ? refused(EAGAIN) : 0;
	case UAPI_DEVICE_FEATURE:
		note(" feature 0x%x region %u 0x%" PRIx64 "+0x%" PRIx64 "\n", get_le32(p + 4),
		     get_le32(p + 8), get_le64(p + 24), get_le64(p + 32));
		assert_size(p, 40);
		if (mock.feature_error)
			return refused(mock.feature_error);
		fd = memfd_create("dma-buf", MFD_CLOEXEC);
		return fd;
	case UAPI_DEVICE_BIND_IOMMUFD:
		note(" bind\n");
		assert_size(p, 16);
		assert_int_equal(kind_of((int)get_le32(p + 8)), KIND_IOMMUFD);
		mock.n_bound++;
		return 0;
	case UAPI_DEVICE_ATTACH_IOMMUFD:
		note(" attach %u\n", get_le32(p + 8));
		assert_size(p, 12);
		mock.n_attached++;
		attached_to[device] = get_le32(p + 8);
		return 0;
	case UAPI_DEVICE_DETACH_IOMMUFD:
		note(" detach\n");
		assert_size(p, 8);
		mock.n_attached -= attached_to[device] != 0;
		attached_to[device] = 0;
		return 0;
	default:
		return refused(ENOTTY);
	}
}

static int iommufd_ioctl(unsigned int number, uint8_t *p)
{
	uint8_t *ranges;

	switch (number) {
	case UAPI_IOMMUFD_IOAS_ALLOC:
		note(" alloc\n");
		assert_size(p, 12);
		put_le32(p + 8, 40u + (uint32_t)++mock.n_ioas);
		return 0;
	case UAPI_IOMMUFD_DESTROY:
		note(" destroy %u\n", get_le32(p + 4));
		assert_size(p, 8);
		/* Not while a device is in it. */
		for (int i = 0; i < FDS_MAX; i++)
			if (attached_to[i] == get_le32(p + 4))
				return refused(EBUSY);
		mock.n_ioas--;
		return 0;
	case UAPI_IOMMUFD_IOVA_RANGES:
		note(" iova\n");
		assert_size(p, 32);
		assert_in_range(get_le32(p + 8), mock.n_iova, 1000);
		ranges = (uint8_t *)(uintptr_t)get_le64(p + 16);
		put_le32(p + 8, mock.n_iova);
		for (uint32_t i = 0; i < mock.n_iova; i++) {
			put_le64(ranges + (size_t)16 * i, mock.iova[i][0]);
			put_le64(ranges + (size_t)16 * i + 8, mock.iova[i][1]);
		}
		return 0;
	case UAPI_IOMMUFD_MAP:
		note(" map %u", get_le32(p + 8));
		assert_size(p, 40);
		return map(get_le64(p + 32), get_le64(p + 24),
			   get_le32(p + 4) == 7 ? "" : " read-only", get_le64(p + 16));
	case UAPI_IOMMUFD_MAP_FILE:
		note(" map file %u", get_le32(p + 8));
		assert_size(p, 40);
		assert_int_equal(get_le64(p + 16), 0);
		assert_int_equal(get_le32(p + 4), 7);
		return map(get_le64(p + 32), get_le64(p + 24), "", get_le32(p + 12));
	case UAPI_IOMMUFD_UNMAP:
		note(" unmap %u", get_le32(p + 4));
		assert_size(p, 24);
		put_le64(p + 16, unmap(get_le64(p + 8), get_le64(p + 16)));
		return 0;
	default:
		return refused(ENOTTY);
	}
}

/* Undoing does not fail, and is not counted. */
static bool undoes(enum kind kind, unsigned int number)
{
	return (kind == KIND_CONTAINER && number == UAPI_IOMMU_UNMAP_DMA) ||
	       (kind == KIND_IOMMUFD &&
		(number == UAPI_IOMMUFD_UNMAP || number == UAPI_IOMMUFD_DESTROY)) ||
	       (kind == KIND_DEVICE && number == UAPI_DEVICE_DETACH_IOMMUFD);
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned int number = request & 0xff;
	enum kind kind = kind_of(fd);
	va_list arguments;
	void *p;

	va_start(arguments, request);
	p = va_arg(arguments, void *);
	va_end(arguments);
	assert_int_not_equal(kind, KIND_NONE);
	assert_int_equal(request, _IO(';', number));
	note("%s", kind_names[kind]);
	if (!undoes(kind, number) && due()) {
		note(" fails\n");
		return -1;
	}
	switch (kind) {
	case KIND_CONTAINER:
		return container_ioctl(number, p);
	case KIND_GROUP:
		return group_ioctl(number, p);
	case KIND_DEVICE:
		return device_ioctl(fd, number, p);
	default:
		return iommufd_ioctl(number, p);
	}
}

void *__wrap_mmap64(void *address, size_t size, int prot, int flags, int fd, off_t offset)
{
	if (armed && kind_of(fd) == KIND_DEVICE) {
		note("mmap 0x%" PRIx64 "+0x%zx\n", (uint64_t)offset, size);
		assert_true(flags & MAP_SHARED && flags & MAP_FIXED);
		if (due())
			return MAP_FAILED;
	}
	return __real_mmap64(address, size, prot, flags, fd, offset);
}

ssize_t __wrap_pread64(int fd, void *buf, size_t size, off_t offset)
{
	assert_int_equal(kind_of(fd), KIND_DEVICE);
	note("read 0x%" PRIx64 "+0x%zx\n", (uint64_t)offset, size);
	if (due())
		return -1;
	memset(buf, 0x5a, size);
	/* One byte short, where the test wants that: the rest is asked for again. */
	return (ssize_t)(mock.few_bytes && size > 1 ? size - 1 : size);
}

ssize_t __wrap_pwrite64(int fd, const void *buf, size_t size, off_t offset)
{
	(void)buf;
	assert_int_equal(kind_of(fd), KIND_DEVICE);
	note("write 0x%" PRIx64 "+0x%zx\n", (uint64_t)offset, size);
	if (due())
		return -1;
	return (ssize_t)(mock.few_bytes && size > 1 ? size - 1 : size);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!armed)
		return __real_clock_gettime(clock, now);
	now->tv_sec = (time_t)(mock.now_ns / 1000000000u);
	now->tv_nsec = (long)(mock.now_ns % 1000000000u);
	return 0;
}

static void absolute(char to[256], const char *path)
{
	assert_in_range(snprintf(to, 256, "%s/%s", mock.root, path), 1, 255);
}

/* The folders above path. */
static void make_above(const char *path)
{
	char text[256];

	absolute(text, path);
	for (char *slash = strchr(text + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)mkdir(text, 0700);
		*slash = '/';
	}
}

void mock_folder(const char *path)
{
	char text[256];

	make_above(path);
	absolute(text, path);
	(void)mkdir(text, 0700);
}

void mock_file(const char *path, const char *text)
{
	char name[256];
	FILE *file;

	make_above(path);
	absolute(name, path);
	file = fopen(name, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

void mock_link(const char *path, const char *target)
{
	char text[256];

	make_above(path);
	absolute(text, path);
	assert_int_equal(symlink(target, text), 0);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *level)
{
	(void)st;
	(void)kind;
	(void)level;
	return remove(path);
}

/* Also a folder with all in it; links are not followed. */
void mock_remove(const char *path)
{
	char text[256];

	absolute(text, path);
	(void)nftw(text, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

void mock_function(const char *name, const char *driver, const char *group, const char *node)
{
	char path[128], target[128];

	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", name);
	mock_folder(path);
	snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/subsystem", name);
	mock_link(path, "../../../../bus/pci");
	if (driver) {
		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/driver", name);
		snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
		mock_link(path, target);
	}
	if (group) {
		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/iommu_group", name);
		snprintf(target, sizeof(target), "../../../../kernel/iommu_groups/%s", group);
		mock_link(path, target);
		snprintf(path, sizeof(path), "sys/kernel/iommu_groups/%s/devices/%s", group, name);
		snprintf(target, sizeof(target), "../../../../bus/pci/devices/%s", name);
		mock_link(path, target);
	}
	if (node) {
		snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/vfio-dev/%s", name, node);
		mock_folder(path);
		snprintf(path, sizeof(path), "dev/vfio/devices/%s", node);
		mock_file(path, "");
	}
}

static unsigned int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void start(bool iommufd, const char *root)
{
	memset(&mock, 0, sizeof(mock));
	memset(kinds, 0, sizeof(kinds));
	memset(attached_to, 0, sizeof(attached_to));
	mock.iommufd = iommufd;
	memcpy(mock.root, root, strlen(root) + 1);
	snprintf(mock.sys, sizeof(mock.sys), "%s/sys", mock.root);
	snprintf(mock.dev, sizeof(mock.dev), "%s/dev", mock.root);
	snprintf(mock.proc, sizeof(mock.proc), "%s/proc", mock.root);
	mock.roots = (struct roots){ .sys = mock.sys, .dev = mock.dev, .proc = mock.proc };
	mock.n_iova = 2;
	mock.iova[0][1] = 0xfedfffff;
	mock.iova[1][0] = 0xfef00000;
	mock.iova[1][1] = 0xffffffffffff;
	fds_before = open_files();
	armed = true;
}

void mock_init(bool iommufd)
{
	char root[] = "/tmp/cxlvm-vfio-XXXXXX";

	assert_non_null(mkdtemp(root));
	start(iommufd, root);
	armed = false;
	mock_folder("sys/bus/pci/drivers/vfio-pci");
	mock_folder("sys/kernel/iommu_groups");
	mock_folder("proc");
	mock_file("dev/vfio/vfio", "");
	mock_file("dev/vfio/" MOCK_GROUP, "");
	if (iommufd)
		mock_file("dev/iommu", "");
	mock_function(MOCK_DEVICE, "vfio-pci", MOCK_GROUP, "vfio3");
	mock_function(MOCK_SIBLING, "vfio-pci", MOCK_GROUP, "vfio4");
	armed = true;
}

static void assert_clean(void)
{
	armed = false;
	assert_int_equal(mock.n_maps, 0);
	assert_int_equal(mock.n_ioas, 0);
	assert_int_equal(mock.n_attached, 0);
	assert_int_equal(mock.n_bound, 0);
	assert_int_equal(mock.n_told, 0);
	assert_int_equal(open_files(), fds_before);
}

void mock_finish(void)
{
	assert_clean();
	mock_remove(".");
	rmdir(mock.root);
}

void mock_again(void)
{
	char root[sizeof(mock.root)];

	assert_clean();
	memcpy(root, mock.root, sizeof(root));
	start(mock.iommufd, root);
}

void mock_expect(const char *calls)
{
	assert_string_equal(mock.journal, calls);
	mock.n_journal = 0;
	mock.journal[0] = 0;
}

static int file_add(void *host, int fd, struct cxlvm_error *err)
{
	(void)host;
	assert_true(kind_of(fd) == KIND_GROUP || kind_of(fd) == KIND_DEVICE);
	note("told %s\n", kind_names[kind_of(fd)]);
	if (due())
		return cxlvm_error_set(err, -errno, "the hypervisor has no room");
	mock.n_told++;
	return 0;
}

static void file_del(void *host, int fd)
{
	(void)host;
	note("untold %s\n", kind_names[kind_of(fd)]);
	mock.n_told--;
}

static void progress(void *host, uint64_t done, uint64_t total)
{
	(void)host;
	note("progress 0x%" PRIx64 " of 0x%" PRIx64 "\n", done, total);
}

struct cxlvm_kernel *mock_kernel(void)
{
	const struct cxlvm_kernel_config config = {
		.size = sizeof(config),
		.page_size = MOCK_PAGE,
		.file_add = file_add,
		.file_del = file_del,
		.progress = progress,
	};
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_kernel *kernel = NULL;

	assert_int_equal(kernel_create_at(&mock.roots, &config, &kernel, &err), 0);
	return kernel;
}

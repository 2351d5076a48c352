/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel transport against a kernel of our own (vfio_mock.h): which calls it makes, in which
 * order, for both interfaces of the kernel, and what is left when any of them fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "test.h"
#include "vfio_mock.h"

#define GIB(n) ((uint64_t)(n) << 30)

static struct cxlvm_kernel *kernel;
static struct cxlvm_transport transport;

static int open_named(const char *name, struct cxlvm_transport *out, struct cxlvm_error *err)
{
	const struct cxlvm_kernel_device_config config = { .size = sizeof(config), .device = name };

	return cxlvm_kernel_open(kernel, &config, out, err);
}

static void begin(bool iommufd)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	mock_init(iommufd);
	kernel = mock_kernel();
	if (open_named(MOCK_DEVICE, &transport, &err))
		fail_msg("%s", err.message);
}

static void forget_calls(void)
{
	mock.n_journal = 0;
	mock.journal[0] = 0;
}

static void end(void)
{
	transport.transport->close(transport.device);
	cxlvm_kernel_destroy(kernel);
	mock_finish();
}

static char ram[2 * MOCK_PAGE];

static struct cxlvm_dma_range range_at(uint64_t base, uint64_t size)
{
	/* The memory is not touched: only addresses are told. */
	return (struct cxlvm_dma_range){
		.base.value = base,
		.size = size,
		.address = ram,
		.fd = -1,
		.writable = true,
	};
}

static int map_ram(const struct cxlvm_transport *to, uint64_t base, uint64_t size,
		   struct cxlvm_error *err)
{
	struct cxlvm_dma_range range = range_at(base, size);

	return to->transport->dma_map(to->device, &range, err);
}

static int unmap_ram(const struct cxlvm_transport *to, uint64_t base, uint64_t size)
{
	return to->transport->dma_unmap(to->device, (struct cxlvm_iova){ base }, size);
}

#define REGIONS                                                                \
	"device region 0\ndevice region 1\ndevice region 2\ndevice region 3\n" \
	"device region 4\ndevice region 5\ndevice region 6\ndevice region 7\n" \
	"device region 8\n"

static void opens_group_and_container(void **state)
{
	(void)state;
	begin(false);
	mock_expect("open /vfio/vfio\n"
		    "open /vfio/12\n"
		    "container version\n"
		    "group status\n"
		    "told group\n"
		    "container extension 3\n"
		    "group set container\n"
		    "container iommu 3\n"
		    "container info\n"
		    "group device 0000:17:00.0\n"
		    "device info\n" REGIONS);
	transport.transport->close(transport.device);
	mock_expect("close device\n"
		    "untold group\n"
		    "close group\n"
		    "close container\n");
	cxlvm_kernel_destroy(kernel);
	mock_finish();
}

static void opens_character_device_and_iommufd(void **state)
{
	(void)state;
	begin(true);
	mock_expect("open /iommu\n"
		    "open /vfio/devices/vfio3\n"
		    "told device\n"
		    "device bind\n"
		    "iommufd alloc\n"
		    "device attach 41\n"
		    "iommufd iova\n"
		    "device info\n" REGIONS);
	transport.transport->close(transport.device);
	mock_expect("untold device\n"
		    "close device\n"
		    "iommufd destroy 41\n");
	cxlvm_kernel_destroy(kernel);
	mock_expect("close iommufd\n");
	mock_finish();
}

/* Of /dev/null: what a descriptor is, is told by its numbers. */
static void opens_a_descriptor_of_a_launcher(void **state)
{
	struct cxlvm_kernel_device_config config = { .size = sizeof(config), .has_fd = true };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	char path[128];

	(void)state;
	mock_init(true);
	kernel = mock_kernel();
	mock_link("sys/dev/char/1:3", "../../bus/pci/devices/" MOCK_DEVICE "/vfio-dev/vfio3");
	mock_link("dev/vfio/devices/given", "/dev/null");
	snprintf(path, sizeof(path), "%s/vfio/devices/given", mock.dev);
	config.fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_equal(fcntl(config.fd, F_SETFD, 0), 0);
	forget_calls();
	/* A failure leaves it to the caller. */
	for (unsigned int n = 1;; n++) {
		mock.calls = 0;
		mock.fired = false;
		mock.fail_at = n;
		mock.fail_errno = EIO;
		err = (struct cxlvm_error)CXLVM_ERROR_INIT;
		if (!cxlvm_kernel_open(kernel, &config, &transport, &err))
			break;
		assert_true(mock.fired);
		assert_int_not_equal(err.code, 0);
		assert_int_equal(mock.n_ioas, 0);
		assert_int_equal(mock.n_told, 0);
		assert_int_not_equal(fcntl(config.fd, F_GETFD), -1);
		mock.n_bound = 0;
	}
	mock.fail_at = 0;
	/* Processes that are started do not inherit it any more. */
	assert_int_equal(fcntl(config.fd, F_GETFD), FD_CLOEXEC);
	end();
}

static void functions_of_a_group_share_one_address_space(bool iommufd)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport sibling;

	begin(iommufd);
	assert_int_equal(open_named(MOCK_SIBLING, &sibling, &err), 0);
	assert_int_equal(map_ram(&transport, 0, 0x100000, &err), 0);
	forget_calls();
	/* Counted; the same once more is an error. */
	assert_int_equal(map_ram(&sibling, 0, 0x100000, &err), 0);
	mock_expect("");
	assert_int_equal(map_ram(&sibling, 0, 0x100000, &err), -EEXIST);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(map_ram(&sibling, 0x80000, 0x100000, &err), -EEXIST);
	assert_non_null(strstr(err.message, "0x80000+0x100000"));
	assert_non_null(strstr(err.message, "0x0+0x100000"));
	assert_int_equal(unmap_ram(&transport, 0, 0x100000), 0);
	mock_expect("");
	assert_int_equal(mock.n_maps, 1);
	assert_int_equal(unmap_ram(&transport, 0, 0x100000), -ENOENT);
	/* What is left goes with the last one. */
	sibling.transport->close(sibling.device);
	assert_int_equal(mock.n_maps, 0);
	end();
}

static void dma3_functions_of_a_group_share_their_space_type1(void **state)
{
	(void)state;
	functions_of_a_group_share_one_address_space(false);
}

static void dma3_functions_of_a_group_share_their_space_iommufd(void **state)
{
	(void)state;
	functions_of_a_group_share_one_address_space(true);
}

static void dma3_groups_do_not_share(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport other;

	(void)state;
	begin(true);
	mock_function("0000:18:00.0", "vfio-pci", "13", "vfio5");
	mock_file("dev/vfio/13", "");
	assert_int_equal(open_named("18:00.0", &other, &err), 0);
	forget_calls();
	assert_int_equal(map_ram(&transport, 0, 0x2000, &err), 0);
	mock_expect("iommufd map 41 0x0+0x2000\n");
	other.transport->close(other.device);
	end();
}

static void dma_maps_end_at_the_largest_pages(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	begin(false);
	forget_calls();
	mock.ns_per_map = 700000000;
	assert_int_equal(map_ram(&transport, GIB(4) + 0x200000, GIB(3), &err), 0);
	mock_expect("container map 0x100200000+0x3fe00000\n"
		    "container map 0x140000000+0x40000000\n"
		    "progress 0x7fe00000 of 0xc0000000\n"
		    "container map 0x180000000+0x40000000\n"
		    "container map 0x1c0000000+0x200000\n"
		    "progress 0xc0000000 of 0xc0000000\n");
	assert_int_equal(unmap_ram(&transport, GIB(4) + 0x200000, GIB(3)), 0);
	mock_expect("container unmap 0x100200000+0xc0000000\n");
	/* Whatever fails in between, nothing stays. */
	mock.map_error = EINVAL;
	mock.map_error_from = GIB(6);
	assert_int_equal(map_ram(&transport, GIB(4) + 0x200000, GIB(3), &err), -EINVAL);
	assert_int_equal(mock.n_maps, 0);
	end();
}

static void win3_holes_are_refused_with_the_numbers(void **state)
{
	struct cxlvm_iova_range ranges[2] = { 0 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	begin(false);
	assert_int_equal(transport.transport->iova_ranges(transport.device, ranges, 2), 2);
	assert_int_equal(ranges[0].last.value, 0xfedfffff);
	assert_int_equal(ranges[1].first.value, 0xfef00000);
	forget_calls();
	assert_int_equal(map_ram(&transport, 0xfe000000, 0x4000000, &err), -ERANGE);
	assert_non_null(strstr(err.message, "0xfe000000-0x101ffffff"));
	assert_non_null(strstr(err.message, "0xfee00000-0xfeefffff"));
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(map_ram(&transport, 0xffffffff0000, 0x20000, &err), -ERANGE);
	assert_non_null(strstr(err.message, "0x1000000000000-0x100000000ffff"));
	assert_int_equal(map_ram(&transport, UINT64_MAX - 0xfff, 0x2000, &err), -EINVAL);
	assert_int_equal(map_ram(&transport, 0x1000, 0, &err), -EINVAL);
	mock_expect("");
	end();
}

static void memlock_too_low_names_what_is_needed(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct rlimit before, low;

	(void)state;
	begin(false);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	low = before;
	low.rlim_cur = 0x10000;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	assert_int_equal(map_ram(&transport, 0, 0x8000, &err), 0);
	mock.map_error = ENOMEM;
	assert_int_equal(map_ram(&transport, 0x100000, 0x100000, &err), -ENOMEM);
	assert_string_equal(err.message,
			    "locked memory: 1056 KiB are needed for DMA, the limit is 64 KiB");
	assert_non_null(strstr(err.hint, "ulimit -l 2080"));
	/* Enough is allowed: it is something else. */
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
	end();
}

/* The kernel counts memory once for each address space: so does the message. */
static void memlock_counts_all_address_spaces(bool iommufd)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct rlimit before, low;
	struct cxlvm_transport other;

	begin(iommufd);
	mock_function("0000:18:00.0", "vfio-pci", "13", "vfio5");
	mock_file("dev/vfio/13", "");
	assert_int_equal(open_named("18:00.0", &other, &err), 0);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &before), 0);
	low = before;
	low.rlim_cur = 0x10000;
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	assert_int_equal(map_ram(&transport, 0, 0x200000, &err), 0);
	mock.map_error = ENOMEM;
	assert_int_equal(map_ram(&other, 0, 0x200000, &err), -ENOMEM);
	assert_string_equal(err.message,
			    "locked memory: 4096 KiB are needed for DMA, the limit is 64 KiB");
	/* What has been unmapped since is not counted. */
	assert_int_equal(unmap_ram(&transport, 0, 0x200000), 0);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(map_ram(&other, 0, 0x200000, &err), -ENOMEM);
	assert_non_null(strstr(err.message, ": 2048 KiB"));
	/* The host has said how much it is going to be. */
	kernel->config.dma_size = 0x1000000;
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(map_ram(&other, 0, 0x200000, &err), -ENOMEM);
	assert_non_null(strstr(err.message, ": 16384 KiB"));
	assert_non_null(strstr(err.hint, "ulimit -l 17408"));
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &before), 0);
	other.transport->close(other.device);
	end();
}

static void memlock_counts_all_containers(void **state)
{
	(void)state;
	memlock_counts_all_address_spaces(false);
}

static void memlock_counts_all_spaces_of_iommufd(void **state)
{
	(void)state;
	memlock_counts_all_address_spaces(true);
}

/* Each device that comes may take usable addresses away, also where something is mapped. */
static void win3_ranges_shrink_when_a_device_joins(void **state)
{
	struct cxlvm_iova_range ranges[2] = { 0 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport sibling;

	(void)state;
	begin(true);
	assert_int_equal(map_ram(&transport, GIB(1), GIB(1), &err), 0);
	mock.iova[0][1] = 0x7fefffff;
	mock.iova[1][0] = 0x80000000;
	assert_int_equal(open_named(MOCK_SIBLING, &sibling, &err), -ERANGE);
	assert_non_null(strstr(err.message, "0x40000000-0x7fffffff, which are mapped, contain "
					    "0x7ff00000-0x7fffffff"));
	assert_non_null(strstr(err.hint, "iommu_groups/12/reserved_regions"));
	/* Nothing is taken away by the refusal. */
	assert_int_equal(mock.n_attached, 1);
	assert_int_equal(transport.transport->iova_ranges(transport.device, ranges, 2), 2);
	assert_int_equal(ranges[0].last.value, 0xfedfffff);
	assert_int_equal(unmap_ram(&transport, GIB(1), GIB(1)), 0);
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(open_named(MOCK_SIBLING, &sibling, &err), 0);
	assert_int_equal(transport.transport->iova_ranges(transport.device, ranges, 2), 2);
	assert_int_equal(ranges[0].last.value, 0x7fefffff);
	assert_int_equal(ranges[1].first.value, 0x80000000);
	assert_int_equal(map_ram(&transport, GIB(1), GIB(1), &err), -ERANGE);
	sibling.transport->close(sibling.device);
	end();
}

static struct cxlvm_memory_area area_at(uint64_t guest, int dma_buf)
{
	return (struct cxlvm_memory_area){
		.size = MOCK_PAGE,
		.guest.value = guest,
		.address = ram,
		.dma_buf = dma_buf,
	};
}

static void dma2_dma4_device_memory_by_address_on_type1(void **state)
{
	struct cxlvm_memory_area areas[2] = { area_at(GIB(8), -1), area_at(GIB(9), -1) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	begin(false);
	forget_calls();
	/* It could not take one. */
	assert_int_equal(transport.ops->dma_buf(transport.device, 9, 0, MOCK_PAGE), -ENOTTY);
	mock_expect("");
	assert_int_equal(transport.transport->memory_map(transport.device, areas, 2, &err), 0);
	mock_expect("container map 0x200000000+0x1000\n"
		    "container map 0x240000000+0x1000\n");
	transport.transport->memory_unmap(transport.device, areas, 2);
	mock_expect("container unmap 0x240000000+0x1000\n"
		    "container unmap 0x200000000+0x1000\n");
	/* Both or none; the kernel's word is passed on for DMA-8. */
	mock.map_error = EFAULT;
	mock.map_error_from = GIB(9);
	assert_int_equal(transport.transport->memory_map(transport.device, areas, 2, &err),
			 -EFAULT);
	assert_non_null(strstr(err.message, "0x240000000+0x1000"));
	assert_int_equal(mock.n_maps, 0);
	end();
}

static void dma1_dma6_device_memory_as_dma_buf_on_iommufd(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_memory_area area;
	int fd;

	(void)state;
	begin(true);
	forget_calls();
	fd = transport.ops->dma_buf(transport.device, 9, 0x2000, MOCK_PAGE);
	assert_true(fd >= 0);
	mock_expect("device feature 0x1000b region 9 0x2000+0x1000\n");
	area = area_at(GIB(8), fd);
	assert_int_equal(transport.transport->memory_map(transport.device, &area, 1, &err), 0);
	mock_expect("iommufd map file 41 0x200000000+0x1000\n");
	assert_int_equal(transport.transport->memory_map(transport.device, &area, 1, &err),
			 -EEXIST);
	transport.transport->memory_unmap(transport.device, &area, 1);
	mock_expect("iommufd unmap 41 0x200000000+0x1000\n");
	close(fd);
	/* A kernel without the feature, or without it for this region. */
	mock.feature_error = ENOTTY;
	assert_int_equal(transport.ops->dma_buf(transport.device, 9, 0, MOCK_PAGE), -ENOTTY);
	mock.feature_error = EINVAL;
	assert_int_equal(transport.ops->dma_buf(transport.device, 9, 0, MOCK_PAGE), -ENOTTY);
	mock.feature_error = ENODEV;
	assert_int_equal(transport.ops->dma_buf(transport.device, 9, 0, MOCK_PAGE), -ENOTTY);
	mock.feature_error = EIO;
	assert_int_equal(transport.ops->dma_buf(transport.device, 9, 0, MOCK_PAGE), -EIO);
	end();
}

static void dma4_what_is_not_let_go_is_not_mapped_again(void **state)
{
	struct cxlvm_memory_area area = area_at(GIB(8), -1);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	begin(false);
	assert_int_equal(transport.transport->memory_map(transport.device, &area, 1, &err), 0);
	mock.few_bytes = true;
	transport.transport->memory_unmap(transport.device, &area, 1);
	assert_int_equal(transport.transport->memory_map(transport.device, &area, 1, &err),
			 -EEXIST);
	end();
}

static void reads_and_writes_are_exact(void **state)
{
	const struct cxlvm_device_ops *ops;
	uint8_t bytes[8] = { 0 };

	(void)state;
	begin(false);
	ops = transport.ops;
	forget_calls();
	assert_int_equal(ops->read(transport.device, 7, 0x10, bytes, 4), 0);
	assert_int_equal(bytes[3], 0x5a);
	assert_int_equal(ops->write(transport.device, 0, 0xfffc, bytes, 4), 0);
	mock_expect("read 0x70000000010+0x4\nwrite 0xfffc+0x4\n");
	/* A short transfer goes on where it ended. */
	mock.few_bytes = true;
	assert_int_equal(ops->read(transport.device, 7, 0x10, bytes, 3), 0);
	assert_int_equal(ops->write(transport.device, 7, 0x10, bytes, 2), 0);
	mock_expect("read 0x70000000010+0x3\nread 0x70000000012+0x1\n"
		    "write 0x70000000010+0x2\nwrite 0x70000000011+0x1\n");
	/* The rest is refused, as if it were a request of its own: short. The whole: why. */
	mock.fail_errno = EINVAL;
	for (unsigned int n = 1; n <= 2; n++) {
		mock.calls = 0;
		mock.fail_at = n;
		assert_int_equal(ops->read(transport.device, 7, 0x10, bytes, 4),
				 n == 1 ? -EINVAL : -EIO);
		mock.calls = 0;
		assert_int_equal(ops->write(transport.device, 7, 0x10, bytes, 4),
				 n == 1 ? -EINVAL : -EIO);
	}
	mock.fail_at = 0;
	forget_calls();
	mock.few_bytes = false;
	/* Outside, and of a region that is not there. */
	assert_int_equal(ops->read(transport.device, 0, 0xfffd, bytes, 4), -EINVAL);
	assert_int_equal(ops->write(transport.device, 1, 0, bytes, 1), -EINVAL);
	assert_int_equal(ops->read(transport.device, 9, 0, bytes, 1), -EINVAL);
	assert_int_equal(ops->read(transport.device, 0, UINT64_MAX, bytes, 4), -EINVAL);
	mock_expect("");
	end();
}

static void map1_map2_maps_are_congruent(void **state)
{
	struct cxlvm_map_request request = {
		.region = 0,
		.offset = 0x4000,
		.size = 0x2000,
		.guest.value = 0x240003000,
		.alignment = 0x200000,
	};
	void *address = NULL;

	(void)state;
	begin(false);
	forget_calls();
	assert_int_equal(transport.ops->map(transport.device, &request, &address), 0);
	mock_expect("mmap 0x4000+0x2000\n");
	assert_int_equal((uintptr_t)address % 0x200000, 0x3000);
	transport.ops->unmap(transport.device, address, 0x2000);
	mock.fail_at = 1;
	mock.fail_errno = EINVAL;
	assert_int_equal(transport.ops->map(transport.device, &request, &address), -EINVAL);
	mock.fail_at = 0;
	request.offset = 0xf000;
	assert_int_equal(transport.ops->map(transport.device, &request, &address), -EINVAL);
	end();
}

static void reset_and_interrupts(void **state)
{
	const struct cxlvm_transport_ops *ops;
	uint32_t flags, count;
	int fds[3];

	(void)state;
	begin(false);
	ops = transport.transport;
	forget_calls();
	mock.reset_again = 1;
	assert_int_equal(ops->reset(transport.device), -EAGAIN);
	assert_int_equal(ops->reset(transport.device), 0);
	fds[0] = 0;
	fds[1] = -1;
	fds[2] = 0;
	assert_int_equal(ops->irq_set(transport.device, CXLVM_IRQ_MSIX, 4, 3, fds), 0);
	assert_int_equal(ops->irq_disable(transport.device, CXLVM_IRQ_MSIX), 0);
	mock_expect("device reset\ndevice reset\n"
		    "device irqs flags 0x24 index 2 start 4 count 3 1 -1 1\n"
		    "device irqs flags 0x21 index 2 start 0 count 0\n");
	assert_int_equal(ops->irq_info(transport.device, CXLVM_IRQ_MSI, &flags, &count), 0);
	assert_true(flags & CXLVM_IRQ_NORESIZE);
	assert_int_equal(count, 65);
	mock_expect("device irq info 1\n");
	/* The host has fewer. */
	mock.irq_answer = 2;
	assert_int_equal(ops->irq_set(transport.device, CXLVM_IRQ_MSIX, 0, 3, fds), -ENOSPC);
	assert_int_equal(ops->irq_set(transport.device, CXLVM_IRQ_MSIX, 0, 0, fds), -EINVAL);
	assert_int_equal(ops->irq_set(transport.device, CXLVM_IRQ_MSIX, 0, UINT32_MAX, fds),
			 -EINVAL);
	end();
}

static void infos_are_the_kernels_bytes(void **state)
{
	uint8_t bytes[64] = { 0 };
	size_t needed = 0;

	(void)state;
	begin(false);
	forget_calls();
	assert_int_equal(transport.ops->info(transport.device, bytes, 12, &needed), 0);
	assert_int_equal(needed, 24);
	assert_int_equal(bytes[8], MOCK_REGIONS);
	assert_int_equal(bytes[12], 0);
	assert_int_equal(transport.ops->region_info(transport.device, 0, bytes, 64, &needed), 0);
	assert_int_equal(bytes[16 + 2], 1);
	assert_int_equal(transport.ops->region_info(transport.device, 77, bytes, 64, &needed),
			 -EINVAL);
	mock_expect("device info\ndevice region 0\ndevice region 77\n");
	end();
}

/* One life: 0 or the first error. Whatever fails, what was made is unmade. */
static int live(void)
{
	struct cxlvm_memory_area area = area_at(GIB(8), -1);
	struct cxlvm_map_request request = { .size = 0x1000, .alignment = 0x1000 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_transport sibling = { 0 };
	int code, fds[1] = { -1 };
	void *address;

	kernel = mock_kernel();
	code = open_named(MOCK_DEVICE, &transport, &err);
	if (code) {
		assert_int_equal(err.code, code);
		assert_true(err.message[0] && err.hint[0]);
		cxlvm_kernel_destroy(kernel);
		return code;
	}
	code = open_named(MOCK_SIBLING, &sibling, &err);
	if (!code)
		code = map_ram(&transport, 0, GIB(2), &err);
	if (!code)
		code = map_ram(&sibling, 0, GIB(2), &err);
	if (!code)
		code = transport.ops->map(transport.device, &request, &address);
	if (!code)
		transport.ops->unmap(transport.device, address, 0x1000);
	if (!code)
		code = transport.ops->read(transport.device, 7, 0, &(uint32_t){ 0 }, 4);
	if (!code)
		code = transport.ops->write(transport.device, 7, 0, &(uint32_t){ 0 }, 4);
	if (!code)
		code = transport.transport->reset(transport.device);
	if (!code && mock.iommufd) {
		area.dma_buf = transport.ops->dma_buf(transport.device, 9, 0, MOCK_PAGE);
		code = area.dma_buf < 0 ? area.dma_buf : 0;
	}
	if (!code) {
		code = transport.transport->memory_map(transport.device, &area, 1, &err);
		if (!code)
			transport.transport->memory_unmap(transport.device, &area, 1);
		if (area.dma_buf >= 0)
			close(area.dma_buf);
	}
	if (!code)
		code = transport.transport->irq_set(transport.device, CXLVM_IRQ_MSIX, 0, 1, fds);
	if (!code)
		code = transport.transport->irq_info(transport.device, CXLVM_IRQ_MSIX,
						     &(uint32_t){ 0 }, &(uint32_t){ 0 });
	if (!code)
		code = transport.transport->irq_disable(transport.device, CXLVM_IRQ_MSIX);
	/* Every error that says something says what to do, too. */
	assert_int_equal(!err.message[0], !err.hint[0]);
	if (sibling.transport)
		sibling.transport->close(sibling.device);
	transport.transport->close(transport.device);
	cxlvm_kernel_destroy(kernel);
	return code;
}

static void fail_each(bool iommufd, unsigned int at_least)
{
	unsigned int n;

	mock_init(iommufd);
	for (n = 1;; n++) {
		int code;

		mock.fail_at = n;
		mock.fail_errno = n % 2 ? EIO : ENOMEM;
		code = live();
		if (!mock.fired)
			break;
		assert_int_not_equal(code, 0);
		mock_again();
	}
	mock_finish();
	assert_in_range(n, at_least, 1000);
}

static void p4_life1_each_call_of_type1_fails_in_turn(void **state)
{
	(void)state;
	fail_each(false, 35);
}

static void p4_life1_each_call_of_iommufd_fails_in_turn(void **state)
{
	(void)state;
	fail_each(true, 35);
}

static void lies_of_the_kernel_are_refused(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	mock_init(false);
	kernel = mock_kernel();
	mock.iova[1][0] = 0x1000;
	assert_int_equal(open_named(MOCK_DEVICE, &transport, &err), -EPROTO);
	assert_non_null(strstr(err.message, "0x1000-0xffffffffffff"));
	assert_non_null(strstr(err.hint, "fault of the kernel"));
	mock.iova[1][0] = mock.iova[1][1] + 1;
	assert_int_equal(open_named(MOCK_DEVICE, &transport, NULL), -EPROTO);
	/* None is no limit: an old kernel. */
	mock.n_iova = 0;
	assert_int_equal(open_named(MOCK_DEVICE, &transport, NULL), 0);
	assert_int_equal(transport.transport->iova_ranges(transport.device, NULL, 0), 0);
	end();
}

/* Whoever counts address spaces before anything is open asks for groups. */
static void groups_are_told_without_opening(void **state)
{
	struct cxlvm_kernel_device_config config = { .size = sizeof(config) };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	unsigned int group = 99;
	char path[128];

	(void)state;
	mock_init(true);
	mock_function("0000:18:00.0", "vfio-pci", "13", "vfio5");
	mock_function("0000:19:00.0", "vfio-pci", NULL, "vfio6");
	config.device = MOCK_DEVICE;
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, &err), 0);
	assert_int_equal(group, 12);
	group = 99;
	config.device = MOCK_SIBLING;
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, &err), 0);
	assert_int_equal(group, 12);
	config.device = "18:00.0";
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, &err), 0);
	assert_int_equal(group, 13);
	config.device = "19:00.0";
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, &err), -ENXIO);
	assert_non_null(strstr(err.message, "0000:19:00.0"));
	config.device = "20:00.0";
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, NULL), -ENODEV);
	/* A launcher's descriptor stays the launcher's. */
	mock_link("sys/dev/char/1:3", "../../bus/pci/devices/" MOCK_SIBLING "/vfio-dev/vfio4");
	mock_link("dev/vfio/devices/given", "/dev/null");
	snprintf(path, sizeof(path), "%s/vfio/devices/given", mock.dev);
	config.fd = open(path, O_RDWR | O_CLOEXEC);
	forget_calls();
	config.has_fd = true;
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, NULL), -EINVAL);
	config.device = NULL;
	assert_int_equal(kernel_group_at(&mock.roots, &config, &group, NULL), 0);
	assert_int_equal(group, 12);
	mock_expect("");
	assert_int_not_equal(fcntl(config.fd, F_GETFD), -1);
	assert_int_equal(close(config.fd), 0);
	mock_finish();
}

static void configurations_are_checked(void **state)
{
	struct cxlvm_kernel_config config = { .size = sizeof(config) };
	struct cxlvm_kernel_device_config device = { .size = sizeof(device) };
	struct cxlvm_kernel *none = NULL;

	(void)state;
	mock_init(false);
	kernel = mock_kernel();
	config.page_size = 3;
	assert_int_equal(kernel_create_at(&mock.roots, &config, &none, NULL), -EINVAL);
	config.size = 1;
	assert_int_equal(kernel_create_at(&mock.roots, &config, &none, NULL), -EINVAL);
	assert_int_equal(cxlvm_kernel_open(kernel, &device, &transport, NULL), -EINVAL);
	device.device = MOCK_DEVICE;
	device.has_fd = true;
	assert_int_equal(cxlvm_kernel_open(kernel, &device, &transport, NULL), -EINVAL);
	cxlvm_kernel_destroy(kernel);
	cxlvm_kernel_destroy(NULL);
	mock_expect("");
	mock_finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_group_and_container),
		cmocka_unit_test(opens_character_device_and_iommufd),
		cmocka_unit_test(opens_a_descriptor_of_a_launcher),
		cmocka_unit_test(dma3_functions_of_a_group_share_their_space_type1),
		cmocka_unit_test(dma3_functions_of_a_group_share_their_space_iommufd),
		cmocka_unit_test(dma3_groups_do_not_share),
		cmocka_unit_test(dma_maps_end_at_the_largest_pages),
		cmocka_unit_test(win3_holes_are_refused_with_the_numbers),
		cmocka_unit_test(memlock_too_low_names_what_is_needed),
		cmocka_unit_test(memlock_counts_all_containers),
		cmocka_unit_test(memlock_counts_all_spaces_of_iommufd),
		cmocka_unit_test(win3_ranges_shrink_when_a_device_joins),
		cmocka_unit_test(dma2_dma4_device_memory_by_address_on_type1),
		cmocka_unit_test(dma1_dma6_device_memory_as_dma_buf_on_iommufd),
		cmocka_unit_test(dma4_what_is_not_let_go_is_not_mapped_again),
		cmocka_unit_test(reads_and_writes_are_exact),
		cmocka_unit_test(map1_map2_maps_are_congruent),
		cmocka_unit_test(reset_and_interrupts),
		cmocka_unit_test(infos_are_the_kernels_bytes),
		cmocka_unit_test(p4_life1_each_call_of_type1_fails_in_turn),
		cmocka_unit_test(p4_life1_each_call_of_iommufd_fails_in_turn),
		cmocka_unit_test(lies_of_the_kernel_are_refused),
		cmocka_unit_test(groups_are_told_without_opening),
		cmocka_unit_test(configurations_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

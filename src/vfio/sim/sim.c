/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sim transport: software device and kernel shape in this process, with the device memory in a
 * file or in anonymous shared memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cxlvm/vfio.h>

#include "base/file_lock.h"
#include "base/math.h"
#include "base/sized.h"
#include "vfio/map_file.h"
#include "vfio/sim/sim.h"

/*
 * Where the firmware of the imaginary host committed the decoder. It is visible in the raw
 * registers of generations 3 to 6, as a real one is, and must never reach a guest (P2).
 */
#define SIM_HOST_BASE ((uint64_t)0x6a7 << 32)

_Static_assert(CXLVM_SIM_GENERATION_2N == SHAPE_GENERATION_2N, "one number for generation 2n");

static int sim_info(void *device, void *buf, size_t len, size_t *needed)
{
	struct sim *sim = device;

	return kernel_shape_info(&sim->shape, buf, len, needed);
}

static int sim_region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed)
{
	struct sim *sim = device;

	return kernel_shape_region_info(&sim->shape, index, buf, len, needed);
}

int sim_memory_transfer(struct sim *sim, uint64_t offset, void *in, const void *out, size_t len)
{
	while (len) {
		ssize_t n = in ? pread(sim->fd, in, len, (off_t)offset)
			       : pwrite(sim->fd, out, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		offset += (uint64_t)n;
		len -= (size_t)n;
		if (in)
			in = (char *)in + n;
		else
			out = (const char *)out + n;
	}
	return 0;
}

/* Device memory through read and write: the whole range or an error. */
static int memory_access(struct sim *sim, uint64_t offset, void *in, const void *out, size_t len)
{
	size_t wanted = len;
	int cut = kernel_shape_memory_access(&sim->shape, offset, &len), ret;

	if (cut)
		return cut;
	ret = sim_memory_transfer(sim, offset, in, out, len);
	/* What the kernel would cut short is still written. */
	return !ret && len < wanted ? -EIO : ret;
}

static int sim_read(void *device, uint32_t region, uint64_t offset, void *buf, size_t len)
{
	struct sim *sim = device;

	if (region == SHAPE_REGION_MEMORY)
		return memory_access(sim, offset, buf, NULL, len);
	return kernel_shape_read(&sim->shape, region, offset, buf, len);
}

static int sim_write(void *device, uint32_t region, uint64_t offset, const void *buf, size_t len)
{
	struct sim *sim = device;
	int ret;

	if (region == SHAPE_REGION_MEMORY)
		return memory_access(sim, offset, NULL, buf, len);
	ret = kernel_shape_write(&sim->shape, region, offset, buf, len);
	/* A command of the copy engine is carried out before the write of its doorbell returns. */
	while (swdev_engine_step(&sim->dev, ENGINE_LENGTH_LIMIT))
		;
	return ret;
}

static int sim_map(void *device, const struct cxlvm_map_request *request, void **address)
{
	struct sim *sim = device;
	int ret;

	if (request->region != SHAPE_REGION_MEMORY ||
	    !kernel_shape_may_map(&sim->shape, request->region, request->offset, request->size))
		return -EINVAL;
	ret = map_file(request, sim->fd, request->offset, sim->page_size, address);
	if (ret)
		return ret;
	free(sim->made_file);
	sim->made_file = NULL;
	sim->was_empty = false;
	return 0;
}

static void sim_unmap(void *device, void *address, uint64_t size)
{
	(void)device;
	munmap(address, size);
}

/*
 * A descriptor of the memory's file stands in for the dma-buf: it begins where the memory does.
 */
static int sim_dma_buf(void *device, uint32_t region, uint64_t offset, uint64_t size)
{
	struct sim *sim = device;
	int fd;

	if (!sim->exports_dma_buf)
		return -ENOTTY;
	if (region != SHAPE_REGION_MEMORY || offset || !size || size > sim->memory_size)
		return -EINVAL;
	fd = fcntl(sim->fd, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Whoever else has the file may have cut it short. Its size then, else negative. */
static int64_t short_file(const struct sim *sim)
{
	struct stat st;

	if (fstat(sim->fd, &st) || (uint64_t)st.st_size >= sim->memory_size)
		return -1;
	return st.st_size;
}

static int sim_usable(void *device)
{
	struct sim *sim = device;

	kernel_shape_look(&sim->shape);
	return short_file(sim) < 0 && kernel_shape_memory_usable(&sim->shape);
}

static void sim_why_unusable(void *device, struct cxlvm_error *err)
{
	const struct sim *sim = device;
	int64_t size = short_file(sim);

	if (size < 0)
		return;
	cxlvm_error_set(err, -EIO,
			"the file of the device memory was cut short: %" PRId64
			" bytes instead of %" PRIu64,
			size, sim->memory_size);
	cxlvm_error_hint(err, "give the file its size again, then reset the device");
}

static const struct cxlvm_device_ops sim_ops = {
	.size = sizeof(sim_ops),
	.info = sim_info,
	.region_info = sim_region_info,
	.read = sim_read,
	.write = sim_write,
	.map = sim_map,
	.unmap = sim_unmap,
	.dma_buf = sim_dma_buf,
	.usable = sim_usable,
	.why_unusable = sim_why_unusable,
};

static int sim_reset(void *device)
{
	struct sim *sim = device;

	return kernel_shape_device_reset(&sim->shape);
}

static void sim_close(void *device)
{
	struct sim *sim = device;

	/* Never mapped: the machine did not start. What was there is as it was. */
	if (sim->made_file)
		unlink(sim->made_file);
	else if (sim->was_empty && ftruncate(sim->fd, 0)) {
		/* It keeps its size, all zeros. */
	}
	free(sim->made_file);
	sim_bus_finish(sim);
	close(sim->fd);
	free(sim);
}

static const struct cxlvm_transport_ops sim_transport = {
	.size = sizeof(sim_transport),
	.reset = sim_reset,
	.irq_set = sim_irq_set,
	.irq_disable = sim_irq_disable,
	.close = sim_close,
	.dma_map = sim_dma_map,
	.dma_unmap = sim_dma_unmap,
};

/* A new file and an empty one get the size; one with content has it, or is not this device's. */
static int size_file(int fd, const char *path, uint64_t is, uint64_t size, struct cxlvm_error *err)
{
	int ret;

	if (is == size)
		return 0;
	if (is) {
		cxlvm_error_set(err, -EINVAL,
				"memory file %s has %" PRIu64
				" bytes, the device's memory has %" PRIu64,
				path, is, size);
		cxlvm_error_hint(err,
				 "name an empty or a new file, or give this one the size: "
				 "truncate -s %" PRIu64 " %s",
				 size, path);
		return -EINVAL;
	}
	/* Fails without having changed the size. */
	if (!ftruncate(fd, (off_t)size))
		return 0;
	ret = -errno;
	cxlvm_error_set(err, ret, "memory file %s: cannot grow to %" PRIu64 " bytes: %s", path,
			size, strerror(-ret));
	cxlvm_error_hint(err, "name a file in a file system with room for it (df, ulimit -f)");
	return ret;
}

static int open_file(const char *path, uint64_t size, struct sim *sim, struct cxlvm_error *err)
{
	bool made = true;
	struct stat st = { 0 };
	int fd, ret;

	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST) {
		made = false;
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0) {
		ret = cxlvm_error_set(err, -errno, "memory file %s: %s", path, strerror(errno));
		cxlvm_error_hint(err, "name a file that can be made or written, in a folder that "
				      "exists");
		return ret;
	}
	if (made)
		sim->made_file = strdup(path);
	if ((made && !sim->made_file) || fstat(fd, &st)) {
		ret = cxlvm_error_set(err, -errno, "memory file %s: %s", path, strerror(errno));
		goto fail;
	}
	if (!S_ISREG(st.st_mode)) {
		ret = cxlvm_error_set(err, -EINVAL, "memory file %s is not a regular file", path);
		cxlvm_error_hint(err, "name a regular file, or leave the option out");
		goto fail;
	}
	ret = file_lock(fd, path, err);
	if (!ret)
		ret = size_file(fd, path, (uint64_t)st.st_size, size, err);
	if (ret)
		goto fail;
	sim->was_empty = !st.st_size;
	sim->fd = fd;
	return 0;
fail:
	if (made)
		unlink(path);
	free(sim->made_file);
	close(fd);
	return ret;
}

static int open_memory(const struct cxlvm_sim_config *config, struct sim *sim,
		       struct cxlvm_error *err)
{
	if (config->memory_file)
		return open_file(config->memory_file, config->memory_size, sim, err);
	sim->fd = memfd_create("cxl-device-memory", MFD_CLOEXEC);
	if (sim->fd < 0)
		return cxlvm_error_set(err, -errno, "device memory: %s", strerror(errno));
	if (ftruncate(sim->fd, (off_t)config->memory_size)) {
		int ret = cxlvm_error_set(err, -errno, "device memory of %" PRIu64 " bytes: %s",
					  config->memory_size, strerror(errno));

		if (ret == -EFBIG)
			cxlvm_error_hint(err,
					 "raise the limit on the size of files (ulimit -f), or "
					 "ask for a smaller size");
		close(sim->fd);
		return ret;
	}
	return 0;
}

static int check_config(const struct cxlvm_sim_config *config, unsigned int generation,
			struct cxlvm_error *err)
{
	uint64_t size = config->memory_size;

	if ((generation < 2 || generation > 6) && generation != CXLVM_SIM_GENERATION_2N) {
		cxlvm_error_set(err, -EINVAL, "sim: generation %u is not known", generation);
		cxlvm_error_hint(err, "generations are 2 to 6, and %u for 2n",
				 CXLVM_SIM_GENERATION_2N);
		return -EINVAL;
	}
	if (!size || !is_aligned(size, CXLVM_HDM_GRANULE) || size > UINT64_MAX / 4) {
		cxlvm_error_set(err, -EINVAL,
				"sim: size of %" PRIu64
				" bytes is not a non-zero multiple of 256 MiB (%" PRIu64 ")",
				size, CXLVM_HDM_GRANULE);
		if (size < CXLVM_HDM_GRANULE)
			cxlvm_error_hint(err, "the smallest is 256M");
		else
			cxlvm_error_hint(err, "the nearest are %" PRIu64 "M and %" PRIu64 "M",
					 size / CXLVM_HDM_GRANULE * 256,
					 size / CXLVM_HDM_GRANULE * 256 + 256);
		return -EINVAL;
	}
	return 0;
}

static int open_sim(const struct cxlvm_sim_config *config, struct cxlvm_transport *out,
		    struct cxlvm_error *err)
{
	unsigned int generation = config->generation ? config->generation : 5;
	struct swdev_config settings = {
		.memory_size = config->memory_size,
		.serial = config->serial,
		.base = { SIM_HOST_BASE },
	};
	struct shape_quirks quirks;
	struct sim *sim;
	int ret;

	ret = check_config(config, generation, err);
	if (!ret)
		ret = sim_quirks(config, &quirks, err);
	if (ret)
		return ret;
	sim = calloc(1, sizeof(*sim));
	if (!sim)
		return cxlvm_error_set(err, -ENOMEM, "no memory for a sim device");
	sim->memory_size = config->memory_size;
	sim->exports_dma_buf = generation == 5 || generation == 6;
	sim->page_size = config->page_size ? config->page_size : (uint64_t)sysconf(_SC_PAGESIZE);
	sim_bus_init(sim);
	settings.bus = &sim->bus;
	ret = swdev_init(&sim->dev, &settings);
	if (!ret)
		ret = kernel_shape_init(&sim->shape, &sim->dev, generation, sim->page_size);
	if (!ret) {
		kernel_shape_set_quirks(&sim->shape, &quirks);
		kernel_shape_open(&sim->shape);
	}
	if (ret)
		cxlvm_error_set(err, ret, "sim: size %" PRIu64 ", generation %u: %s",
				config->memory_size, generation, strerror(-ret));
	else
		ret = open_memory(config, sim, err);
	if (ret) {
		free(sim);
		return ret;
	}
	*out = (struct cxlvm_transport){
		.device = sim,
		.ops = &sim_ops,
		.transport = &sim_transport,
	};
	return 0;
}

int cxlvm_sim_open(const struct cxlvm_sim_config *config, struct cxlvm_transport *out,
		   struct cxlvm_error *err)
{
	struct cxlvm_sim_config whole;
	int ret = sized_config_take(&whole, sizeof(whole),
				    SIZE_WITH(struct cxlvm_sim_config, memory_size), config, "sim",
				    err);

	return ret ? ret : open_sim(&whole, out, err);
}

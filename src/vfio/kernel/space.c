/* SPDX-License-Identifier: BSD-3-Clause */
#include "vfio/kernel/space.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/math.h"
#include "kernel_shape/uapi.h"

/*
 * Large memory is mapped in pieces that end at multiples of the largest page an IOMMU has and that
 * memory can be made of, so that no piece keeps the kernel from using one. A piece takes the kernel
 * less than a second, and between two a host can be told how far it is.
 */
#define PIECE_SIZE ((uint64_t)1 << 30)

#define SECOND_NS 1000000000u

static void forget(struct space *space, struct space_range *range)
{
	atomic_fetch_sub(space->mapped, range->size);
	*range = space->ranges[--space->n_ranges];
}

void space_init(struct space *space, const struct space_ops *ops,
		const struct cxlvm_kernel_config *config, _Atomic uint64_t *mapped,
		unsigned int group)
{
	space->ops = ops;
	space->config = config;
	space->mapped = mapped;
	space->group = group;
	pthread_mutex_init(&space->mutex, NULL);
}

void space_finish(struct space *space)
{
	/* What the kernel did not let go went with its part. */
	while (space->n_ranges)
		forget(space, &space->ranges[space->n_ranges - 1]);
	pthread_mutex_destroy(&space->mutex);
	free(space->iova);
	free(space->ranges);
}

int space_add_user(struct space *space)
{
	for (int user = 0; user < SPACE_USERS_MAX; user++) {
		if (space->users >> user & 1)
			continue;
		space->users |= (uint64_t)1 << user;
		return user;
	}
	return -ENOSPC;
}

/* What is not usable in [base, last]: the first such addresses. False when all of it is usable. */
static bool find_hole(const struct cxlvm_iova_range *iova, size_t n, uint64_t base, uint64_t last,
		      struct cxlvm_iova_range *hole)
{
	uint64_t from = base;

	if (!n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct cxlvm_iova_range *range = &iova[i];

		if (range->last.value < from)
			continue;
		if (range->first.value > from) {
			hole->first.value = from;
			hole->last.value =
				range->first.value <= last ? range->first.value - 1 : last;
			return true;
		}
		if (range->last.value >= last)
			return false;
		from = range->last.value + 1;
	}
	hole->first.value = from;
	hole->last.value = last;
	return true;
}

/* Each behind the one before. */
static int read_ranges(struct cxlvm_iova_range *iova, const uint8_t *ranges, uint32_t n,
		       struct cxlvm_error *err)
{
	uint64_t after = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t first = get_le64(ranges + (size_t)i * UAPI_IOVA_RANGE);
		uint64_t last = get_le64(ranges + (size_t)i * UAPI_IOVA_RANGE + 8);

		if (first > last || (i && first <= after)) {
			cxlvm_error_set(err, -EPROTO,
					"I/O address range %u of the kernel, 0x%" PRIx64
					"-0x%" PRIx64 ", is empty or not behind the one before, "
					"which ends at 0x%" PRIx64,
					i, first, last, after);
			cxlvm_error_hint(err, "this is a fault of the kernel: use another one");
			return -EPROTO;
		}
		after = last;
		iova[i] = (struct cxlvm_iova_range){ { first }, { last } };
	}
	return 0;
}

static int check_iova(const struct space *space, const struct cxlvm_iova_range *iova, size_t n,
		      uint64_t base, uint64_t size, const char *what, struct cxlvm_error *err)
{
	struct cxlvm_iova_range hole;

	if (!find_hole(iova, n, base, base + (size - 1), &hole))
		return 0;
	cxlvm_error_set(err, -ERANGE,
			"I/O addresses 0x%" PRIx64 "-0x%" PRIx64 "%s contain 0x%" PRIx64
			"-0x%" PRIx64 ", which the IOMMU of group %u cannot map",
			base, base + (size - 1), what, hole.first.value, hole.last.value,
			space->group);
	cxlvm_error_hint(err,
			 "place guest memory outside; "
			 "/sys/kernel/iommu_groups/%u/reserved_regions has what is reserved",
			 space->group);
	return -ERANGE;
}

/* What is mapped has to be usable still. */
static int check_mapped(const struct space *space, const struct cxlvm_iova_range *iova, size_t n,
			struct cxlvm_error *err)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < space->n_ranges; i++)
		ret = check_iova(space, iova, n, space->ranges[i].base.value, space->ranges[i].size,
				 ", which are mapped,", err);
	return ret;
}

int space_take_iova(struct space *space, const uint8_t *ranges, uint32_t n, struct cxlvm_error *err)
{
	struct cxlvm_iova_range *iova = calloc(n ? n : 1, sizeof(*iova)), *old;
	int ret;

	if (!iova) {
		cxlvm_error_set(err, -ENOMEM, "no memory for %u I/O address ranges", n);
		cxlvm_error_hint(err, "free some memory of this machine");
		return -ENOMEM;
	}
	ret = read_ranges(iova, ranges, n, err);
	pthread_mutex_lock(&space->mutex);
	if (!ret)
		ret = check_mapped(space, iova, n, err);
	old = ret ? iova : space->iova;
	if (!ret) {
		space->iova = iova;
		space->n_iova = n;
	}
	pthread_mutex_unlock(&space->mutex);
	free(old);
	return ret;
}

size_t space_iova_ranges(struct space *space, struct cxlvm_iova_range *ranges, size_t n)
{
	size_t all;

	pthread_mutex_lock(&space->mutex);
	all = space->n_iova;
	for (size_t i = 0; i < n && i < all; i++)
		ranges[i] = space->iova[i];
	pthread_mutex_unlock(&space->mutex);
	return all;
}

static int check_range(const struct space *space, struct cxlvm_iova base, uint64_t size,
		       struct cxlvm_error *err)
{
	if (!range_is_valid(base.value, size)) {
		cxlvm_error_set(err, -EINVAL,
				"I/O addresses 0x%" PRIx64 "+0x%" PRIx64 " are none or wrap around",
				base.value, size);
		cxlvm_error_hint(err, "give a size that is not 0 and ends below 2^64");
		return -EINVAL;
	}
	return check_iova(space, space->iova, space->n_iova, base.value, size, "", err);
}

static struct space_range *find_range(struct space *space, struct cxlvm_iova base, uint64_t size)
{
	for (unsigned int i = 0; i < space->n_ranges; i++)
		if (space->ranges[i].base.value == base.value && space->ranges[i].size == size)
			return &space->ranges[i];
	return NULL;
}

static int check_free(const struct space *space, struct cxlvm_iova base, uint64_t size,
		      struct cxlvm_error *err)
{
	for (unsigned int i = 0; i < space->n_ranges; i++) {
		const struct space_range *range = &space->ranges[i];

		if (ranges_overlap(range->base.value, range->size, base.value, size))
			return cxlvm_error_set(err, -EEXIST,
					       "I/O addresses 0x%" PRIx64 "+0x%" PRIx64
					       " overlap 0x%" PRIx64 "+0x%" PRIx64
					       ", which are mapped",
					       base.value, size, range->base.value, range->size);
	}
	return 0;
}

/* Room to remember n ranges more, before they are made. */
static int reserve(struct space *space, size_t n, struct cxlvm_error *err)
{
	struct space_range *ranges;
	unsigned int room;

	if (n > SPACE_RANGES_MAX - space->n_ranges)
		return cxlvm_error_set(err, -ENOSPC, "more than %u DMA ranges", SPACE_RANGES_MAX);
	if (n <= space->room - space->n_ranges)
		return 0;
	room = 2 * (space->n_ranges + (unsigned int)n);
	ranges = realloc(space->ranges, room * sizeof(*ranges));
	if (!ranges)
		return cxlvm_error_set(err, -ENOMEM, "no memory for %u DMA ranges", room);
	space->ranges = ranges;
	space->room = room;
	return 0;
}

static void remember(struct space *space, struct cxlvm_iova base, uint64_t size,
		     const void *address, bool writable, unsigned int user)
{
	space->ranges[space->n_ranges++] = (struct space_range){
		.base = base,
		.size = size,
		.address = address,
		.writable = writable,
		.users = (uint64_t)1 << user,
	};
	atomic_fetch_add(space->mapped, size);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/*
 * The kernel counts locked memory, and refuses with ENOMEM what is above the limit. It counts memory
 * anew for each address space that has it.
 */
static void explain_memlock(const struct space *space, uint64_t size, struct cxlvm_error *err)
{
	uint64_t needed = atomic_load(space->mapped) + size;
	struct rlimit limit;

	if (needed < space->config->dma_size)
		needed = space->config->dma_size;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur >= needed)
		return;
	cxlvm_error_set(err, -ENOMEM,
			"locked memory: %" PRIu64 " KiB are needed for DMA, the limit is %" PRIu64
			" KiB",
			needed >> 10, (uint64_t)limit.rlim_cur >> 10);
	cxlvm_error_hint(err,
			 "ulimit -l %" PRIu64 " in the shell that starts it (hard limits are "
			 "root's: /etc/security/limits.conf, or LimitMEMLOCK= of a service)",
			 (needed >> 10) + 1024);
}

static int map_pieces(struct space *space, const struct cxlvm_dma_range *range,
		      struct cxlvm_error *err)
{
	const struct cxlvm_kernel_config *config = space->config;
	uint64_t told = now_ns();
	bool slow = false;

	for (uint64_t done = 0, piece; done < range->size; done += piece) {
		struct cxlvm_iova base = { range->base.value + done };
		int ret;

		piece = PIECE_SIZE - (base.value & (PIECE_SIZE - 1));
		if (piece > range->size - done)
			piece = range->size - done;
		ret = space->ops->map(space, base, (const char *)range->address + done, piece,
				      range->writable);
		if (ret) {
			/* What is mapped can be unmapped. */
			if (done)
				(void)space->ops->unmap(space, range->base, done);
			if (ret == -ENOMEM)
				explain_memlock(space, range->size, err);
			return cxlvm_error_set(err, ret,
					       "mapping 0x%" PRIx64 "+0x%" PRIx64
					       " for DMA of IOMMU group %u: %s",
					       base.value, piece, space->group, strerror(-ret));
		}
		if (config->progress && now_ns() - told >= SECOND_NS) {
			slow = true;
			told = now_ns();
			config->progress(config->host, done + piece, range->size);
		} else if (slow && piece == range->size - done) {
			config->progress(config->host, range->size, range->size);
		}
	}
	return 0;
}

static int dma_map(struct space *space, unsigned int user, const struct cxlvm_dma_range *range,
		   struct cxlvm_error *err)
{
	struct space_range *same = find_range(space, range->base, range->size);
	int ret;

	/* Another function of the group has it already. */
	if (same && same->address == range->address && same->writable == range->writable &&
	    !(same->users >> user & 1)) {
		same->users |= (uint64_t)1 << user;
		return 0;
	}
	ret = check_range(space, range->base, range->size, err);
	if (!ret)
		ret = check_free(space, range->base, range->size, err);
	if (!ret)
		ret = reserve(space, 1, err);
	if (!ret)
		ret = map_pieces(space, range, err);
	if (!ret)
		remember(space, range->base, range->size, range->address, range->writable, user);
	return ret;
}

/* Where no error of its own says what to do. */
static void hint_map(int ret, struct cxlvm_error *err)
{
	if (ret == -EEXIST)
		cxlvm_error_hint(err, "unmap what is there first: see cxlvm/vfio.h");
	else if (ret == -ENOSPC)
		cxlvm_error_hint(err, "map memory in fewer, larger ranges");
	else
		cxlvm_error_hint(err, "dmesg | grep -e vfio -e iommu on the host says why");
}

int space_dma_map(struct space *space, unsigned int user, const struct cxlvm_dma_range *range,
		  struct cxlvm_error *err)
{
	int ret;

	pthread_mutex_lock(&space->mutex);
	ret = dma_map(space, user, range, err);
	pthread_mutex_unlock(&space->mutex);
	hint_map(ret, err);
	return ret;
}

static int dma_unmap(struct space *space, unsigned int user, struct cxlvm_iova base, uint64_t size)
{
	struct space_range *range = find_range(space, base, size);
	uint64_t bit = (uint64_t)1 << user;
	int ret;

	if (!range || !(range->users & bit))
		return -ENOENT;
	if (range->users != bit) {
		range->users &= ~bit;
		return 0;
	}
	ret = space->ops->unmap(space, base, size);
	if (!ret)
		forget(space, range);
	return ret;
}

int space_dma_unmap(struct space *space, unsigned int user, struct cxlvm_iova base, uint64_t size)
{
	int ret;

	pthread_mutex_lock(&space->mutex);
	ret = dma_unmap(space, user, base, size);
	pthread_mutex_unlock(&space->mutex);
	return ret;
}

static int map_area(struct space *space, unsigned int user, const struct cxlvm_memory_area *area,
		    struct cxlvm_error *err)
{
	struct cxlvm_iova base = { area->guest.value };
	bool dma_buf = area->dma_buf >= 0;
	int ret = check_range(space, base, area->size, err);

	if (!ret)
		ret = check_free(space, base, area->size, err);
	if (ret)
		return ret;
	if (!dma_buf)
		ret = space->ops->map(space, base, area->address, area->size, true);
	else if (space->ops->map_dma_buf)
		ret = space->ops->map_dma_buf(space, base, area->dma_buf, area->size);
	else
		ret = -EOPNOTSUPP;
	if (ret)
		return cxlvm_error_set(err, ret,
				       "mapping device memory at 0x%" PRIx64 "+0x%" PRIx64
				       " for DMA of IOMMU group %u %s: %s",
				       base.value, area->size, space->group,
				       dma_buf ? "as dma-buf" : "by address", strerror(-ret));
	remember(space, base, area->size, area->address, true, user);
	return 0;
}

int space_memory_map(struct space *space, unsigned int user, const struct cxlvm_memory_area *areas,
		     size_t n, struct cxlvm_error *err)
{
	size_t done = 0;
	int ret;

	pthread_mutex_lock(&space->mutex);
	ret = reserve(space, n, err);
	while (!ret && done < n) {
		ret = map_area(space, user, &areas[done], err);
		done += !ret;
	}
	while (ret && done--)
		(void)dma_unmap(space, user, (struct cxlvm_iova){ areas[done].guest.value },
				areas[done].size);
	pthread_mutex_unlock(&space->mutex);
	hint_map(ret, err);
	return ret;
}

/* One that the kernel does not let go stays noted, so that the next map of it fails. */
void space_memory_unmap(struct space *space, unsigned int user,
			const struct cxlvm_memory_area *areas, size_t n)
{
	pthread_mutex_lock(&space->mutex);
	while (n--)
		(void)dma_unmap(space, user, (struct cxlvm_iova){ areas[n].guest.value },
				areas[n].size);
	pthread_mutex_unlock(&space->mutex);
}

void space_remove_user(struct space *space, unsigned int user)
{
	uint64_t bit = (uint64_t)1 << user;

	pthread_mutex_lock(&space->mutex);
	for (unsigned int i = space->n_ranges; i-- > 0;) {
		const struct space_range *range = &space->ranges[i];

		if (range->users & bit)
			(void)dma_unmap(space, user, range->base, range->size);
	}
	space->users &= ~bit;
	pthread_mutex_unlock(&space->mutex);
}

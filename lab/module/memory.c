// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* Memory of the device. It is given back when the device goes, so a mapping never outlives it. */
#include <linux/bitmap.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/ioport.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "lab.h"

static u64 n_chunks(const struct lab_memory *memory)
{
	return memory->size / LAB_CHUNK;
}

static int take_range(struct lab_memory *memory, phys_addr_t at)
{
	/* Of memory that this kernel uses there would be a mapping as well. */
	if (region_intersects(at, memory->size, IORESOURCE_SYSTEM_RAM, IORES_DESC_NONE) !=
	    REGION_DISJOINT)
		return -EBUSY;
	memory->range_at = at;
	/* This also records the memory type: user mappings of the range become write-back. */
	memory->range = memremap(at, memory->size, MEMREMAP_WB);
	if (!memory->range)
		return -ENOMEM;
	/* Whatever was there before. */
	bitmap_fill(memory->used, n_chunks(memory));
	lab_memory_clear(memory);
	return 0;
}

int lab_memory_init(struct lab_memory *memory, const struct lab_settings *settings)
{
	mutex_init(&memory->lock);
	memory->size = settings->size;
	memory->used = bitmap_zalloc(n_chunks(memory), GFP_KERNEL);
	if (!memory->used)
		return -ENOMEM;
	if (settings->mapped) {
		memory->range = settings->mapped;
		memory->range_at = settings->memory_at;
		memory->borrowed = true;
		/* Whatever was there before; a BAR takes too long for that. */
		if (!settings->memory_is_bar)
			bitmap_fill(memory->used, n_chunks(memory));
		return 0;
	}
	if (settings->memory_at)
		return take_range(memory, settings->memory_at);
	memory->chunks = kvcalloc(n_chunks(memory), sizeof(*memory->chunks), GFP_KERNEL);
	return memory->chunks ? 0 : -ENOMEM;
}

void lab_memory_finish(struct lab_memory *memory)
{
	if (memory->range && !memory->borrowed)
		memunmap(memory->range);
	for (u64 i = 0; memory->chunks && i < n_chunks(memory); i++)
		if (memory->chunks[i])
			__free_pages(memory->chunks[i], LAB_CHUNK_ORDER);
	kvfree(memory->chunks);
	bitmap_free(memory->used);
	memory->used = NULL;
	memory->chunks = NULL;
	memory->range = NULL;
}

static struct page *chunk_of(struct lab_memory *memory, u64 offset)
{
	return smp_load_acquire(&memory->chunks[offset / LAB_CHUNK]);
}

static struct page *make_chunk(struct lab_memory *memory, u64 offset)
{
	struct page *chunk;

	mutex_lock(&memory->lock);
	chunk = memory->chunks[offset / LAB_CHUNK];
	if (!chunk) {
		chunk = alloc_pages(GFP_KERNEL | __GFP_ZERO | __GFP_COMP | __GFP_NOWARN,
				    LAB_CHUNK_ORDER);
		/* Whoever sees it sees zeros. */
		smp_store_release(&memory->chunks[offset / LAB_CHUNK], chunk);
	}
	mutex_unlock(&memory->lock);
	return chunk;
}

int lab_memory_frame(struct lab_memory *memory, u64 offset, unsigned long *pfn)
{
	struct page *chunk;

	if (offset >= memory->size)
		return -EINVAL;
	if (memory->range) {
		*pfn = PHYS_PFN(memory->range_at + offset);
		return 0;
	}
	chunk = chunk_of(memory, offset) ?: make_chunk(memory, offset);
	if (!chunk)
		return -ENOMEM;
	*pfn = page_to_pfn(chunk) + (offset % LAB_CHUNK) / PAGE_SIZE;
	return 0;
}

void lab_memory_used(struct lab_memory *memory, u64 offset)
{
	set_bit(offset / LAB_CHUNK, memory->used);
}

/* The longest piece of [offset, offset + len) that is in one page, or is copied at once. */
static size_t piece(const struct lab_memory *memory, u64 offset, size_t len)
{
	size_t most = memory->borrowed ? 512 : PAGE_SIZE;

	return min_t(u64, len, most - offset % most);
}

/* Where the bytes are; NULL: nobody has touched them, they read 0. */
static void *peek(struct lab_memory *memory, u64 offset)
{
	struct page *chunk;

	if (memory->range)
		return memory->range + offset;
	chunk = chunk_of(memory, offset);
	return chunk ? page_address(chunk) + offset % LAB_CHUNK : NULL;
}

/* The same, made when they are not there. */
static void *grab(struct lab_memory *memory, u64 offset)
{
	unsigned long pfn;

	return lab_memory_frame(memory, offset, &pfn) ? NULL : peek(memory, offset);
}

/*
 * A hardware's memory may take long for each access, so there are as few as possible: its own loop, as
 * memcpy and the like may go byte by byte. One side is in a page; both are aligned, or it is slower.
 */
static void copy(const struct lab_memory *memory, void *to, const void *from, size_t n)
{
	size_t words = 0;

	if (memory->borrowed && !((unsigned long)to % 8) && !((unsigned long)from % 8))
		for (; words < n / 8; words++)
			WRITE_ONCE(((u64 *)to)[words], READ_ONCE(((const u64 *)from)[words]));
	memcpy(to + 8 * words, from + 8 * words, n - 8 * words);
}

static void zero(const struct lab_memory *memory, void *to, size_t n)
{
	size_t words = 0;

	if (memory->borrowed)
		for (; words < n / 8; words++)
			WRITE_ONCE(((u64 *)to)[words], 0);
	memset(to + 8 * words, 0, n - 8 * words);
}

/* From memory to the user, by way of the kernel when that means fewer accesses. What was left. */
static size_t give(const struct lab_memory *memory, char __user *to, const void *from, size_t n)
{
	u64 words[64];

	if (!from)
		return clear_user(to, n);
	if (!memory->borrowed)
		return copy_to_user(to, from, n);
	copy(memory, words, from, n);
	return copy_to_user(to, words, n);
}

static size_t take(const struct lab_memory *memory, void *to, const char __user *from, size_t n)
{
	u64 words[64];
	size_t left;

	if (!memory->borrowed)
		return copy_from_user(to, from, n);
	left = copy_from_user(words, from, n);
	copy(memory, to, words, n - left);
	return left;
}

int lab_memory_read(struct lab_memory *memory, u64 offset, void *buf, size_t len)
{
	if (!range_fits(offset, len, memory->size))
		return -EINVAL;
	while (len) {
		size_t n = piece(memory, offset, len);
		const void *from = peek(memory, offset);

		if (from)
			copy(memory, buf, from, n);
		else
			memset(buf, 0, n);
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int lab_memory_write(struct lab_memory *memory, u64 offset, const void *buf, size_t len)
{
	if (!range_fits(offset, len, memory->size))
		return -EINVAL;
	while (len) {
		size_t n = piece(memory, offset, len);
		void *to = grab(memory, offset);

		if (!to)
			return -ENOMEM;
		copy(memory, to, buf, n);
		lab_memory_used(memory, offset);
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

ssize_t lab_memory_to_user(struct lab_memory *memory, u64 offset, char __user *buf, size_t len)
{
	size_t done = 0;

	if (!range_fits(offset, len, memory->size))
		return -EINVAL;
	while (done < len) {
		size_t n = piece(memory, offset + done, len - done);
		const void *from = peek(memory, offset + done);

		if (give(memory, buf + done, from, n))
			return done ?: -EFAULT;
		done += n;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

ssize_t lab_memory_from_user(struct lab_memory *memory, u64 offset, const char __user *buf,
			     size_t len)
{
	size_t done = 0;

	if (!range_fits(offset, len, memory->size))
		return -EINVAL;
	while (done < len) {
		size_t n = piece(memory, offset + done, len - done);
		void *to = grab(memory, offset + done);
		unsigned long left;

		if (!to)
			return done ?: -ENOMEM;
		left = take(memory, to, buf + done, n);
		lab_memory_used(memory, offset + done);
		if (left)
			return done ?: -EFAULT;
		done += n;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

void lab_memory_clear(struct lab_memory *memory)
{
	for (u64 at = 0; at < memory->size; at += LAB_CHUNK) {
		void *bytes = peek(memory, at);

		if (!bytes || !test_and_clear_bit(at / LAB_CHUNK, memory->used))
			continue;
		zero(memory, bytes, LAB_CHUNK);
		cond_resched();
	}
}

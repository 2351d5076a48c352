/* SPDX-License-Identifier: BSD-3-Clause */
/* paging.c - the page tables at a kernel's entry */
#include <string.h>

#include "util.h"
#include "vm.h"
#include "x86.h"

#define ENTRIES  512u
#define PRESENT  0x1u
#define WRITABLE 0x2u
#define LARGE    0x80u

#define PAGE_SIZE_2M  MIB(2)
#define PAGE_SIZE_1G  GIB(1)
#define PAGE_SIZE_TOP GIB(512) /* covered by one entry of the top level */

/* Four levels have 48 bits, and the upper half is for addresses that begin with ones. */
#define ADDRESS_END ((uint64_t)1 << 47)

/*
 * Made twice by the same code: once to count pages (tables NULL), once to fill them. pages[0] is
 * the top level; the others are handed out in the order of the addresses.
 */
struct builder {
	uint64_t *tables;
	uint64_t base;
	uint64_t n_pages;
	bool huge_pages_1g;
	uint64_t done; /* everything below this address is mapped already, or not wanted */
	uint64_t level3, level2; /* page in use, 0: none; and what it covers */
	uint64_t level3_covers, level2_covers;
};

static void set(struct builder *b, uint64_t page, uint64_t index, uint64_t entry)
{
	if (b->tables)
		b->tables[page * ENTRIES + index] = entry;
}

/* The page for address on the level below parent, a new one where the last does not cover it. */
static uint64_t table_for(struct builder *b, uint64_t parent, uint64_t *page, uint64_t *covers,
			  uint64_t address, uint64_t span)
{
	if (*page && *covers == address / span)
		return *page;
	*page = b->n_pages++;
	*covers = address / span;
	set(b, parent, address / span % ENTRIES, (b->base + *page * KIB(4)) | PRESENT | WRITABLE);
	return *page;
}

static void map_page(struct builder *b, uint64_t address, uint64_t size)
{
	uint64_t level3 = table_for(b, 0, &b->level3, &b->level3_covers, address, PAGE_SIZE_TOP);
	uint64_t level2;

	if (size == PAGE_SIZE_1G) {
		set(b, level3, address / PAGE_SIZE_1G % ENTRIES,
		    address | PRESENT | WRITABLE | LARGE);
		return;
	}
	level2 = table_for(b, level3, &b->level2, &b->level2_covers, address, PAGE_SIZE_1G);
	set(b, level2, address / PAGE_SIZE_2M % ENTRIES, address | PRESENT | WRITABLE | LARGE);
}

/* Ranges come in ascending order; what they share is mapped once. */
static void map_range(struct builder *b, uint64_t base, uint64_t size)
{
	uint64_t page = b->huge_pages_1g ? PAGE_SIZE_1G : PAGE_SIZE_2M;
	uint64_t end = align_up(base + size, page);
	uint64_t address = align_down(base, page);

	if (end > ADDRESS_END)
		end = ADDRESS_END;
	if (address < b->done)
		address = b->done;
	for (; address < end; address += page)
		map_page(b, address, page);
	if (end > b->done)
		b->done = end;
}

static void map_all(struct builder *b, const struct vm *vm)
{
	const struct cxlvm_bridge_place *bridge;
	const struct cxlvm_window *window;
	uint64_t next = 0;

	b->n_pages = 1; /* the top level */
	map_range(b, 0, GIB(4));
	for (unsigned int i = 0; i < vm->ram.n_blocks; i++)
		map_range(b, vm->ram.blocks[i].base.value, vm->ram.blocks[i].size);

	/* Bridges and windows are few and in any order: take the lowest next, again and again. */
	for (;;) {
		uint64_t base = UINT64_MAX;
		uint64_t size = 0;

		for (unsigned int i = 0; (bridge = cxlvm_machine_bridge(vm->machine, i)); i++) {
			if (bridge->has_base && bridge->base.value >= next &&
			    bridge->base.value < base) {
				base = bridge->base.value;
				size = CXLVM_COMPONENT_BLOCK_SIZE;
			}
		}
		for (unsigned int i = 0; (window = cxlvm_machine_window(vm->machine, i)); i++) {
			if (window->has_base && window->base.value >= next &&
			    window->base.value < base) {
				base = window->base.value;
				size = window->size;
			}
		}
		if (!size)
			return;
		map_range(b, base, size);
		next = base + size;
	}
}

uint64_t paging_size(const struct vm *vm, bool huge_pages_1g)
{
	struct builder b = { .huge_pages_1g = huge_pages_1g };

	map_all(&b, vm);
	return b.n_pages * KIB(4);
}

void paging_build(const struct vm *vm, bool huge_pages_1g, void *tables, struct cxlvm_gpa base)
{
	struct builder b = {
		.tables = tables,
		.base = base.value,
		.huge_pages_1g = huge_pages_1g,
	};

	memset(tables, 0, paging_size(vm, huge_pages_1g));
	map_all(&b, vm);
}

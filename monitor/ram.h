/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ram.h - guest RAM: one mapping, in one or two pieces for the guest
 *
 * A file in memory where a device in another process has to map it too, else memory of this process
 * alone: that gets large pages from any kernel as it comes, files only where the administrator has
 * said so (shmem_enabled), and it is filled in less than half the time.
 */
#ifndef MONITOR_RAM_H
#define MONITOR_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cxlvm/base.h>

#define RAM_BLOCKS_MAX 2

struct ram_block {
	struct cxlvm_gpa base;
	uint64_t size;
	uint64_t offset; /* in the mapping and the file */
	void *address;   /* NULL when nothing is mapped (plan) */
};

struct ram {
	uint64_t size;
	unsigned int n_blocks;
	struct ram_block blocks[RAM_BLOCKS_MAX];
	void *mapping;
	int fd; /* of the file, -1: none */
};

/* Split size into blocks where the platform has RAM. Maps nothing. */
void ram_layout(struct ram *ram, uint64_t size);

/*
 * Map what ram_layout decided, shared: from a file. -ENOMEM or what the kernel said. Ended with
 * ram_unmap.
 */
int ram_map(struct ram *ram, bool shared, struct cxlvm_error *err);
void ram_unmap(struct ram *ram);

/*
 * Write bytes to RAM that has a file, all of it mapped, through the file: that takes two thirds of the
 * time of a copy to pages that are not there yet, which would be cleared and mapped one by one. 0 or
 * what the kernel said.
 */
int ram_write(const struct ram *ram, struct cxlvm_gpa base, const void *bytes, size_t size);

/* The bytes at base, NULL unless all of them are mapped RAM. */
void *ram_pointer(const struct ram *ram, struct cxlvm_gpa base, uint64_t size);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel with VFIO, in front of the kernel: open, ioctl, mmap, pread and pwrite of the library
 * are wrapped (the linker's --wrap), noted, answered, and made to fail. sysfs, /dev and /proc are
 * folders with real files.
 */
#ifndef TESTS_VFIO_MOCK_H
#define TESTS_VFIO_MOCK_H

#include "vfio/kernel/kernel.h"

#define MOCK_PAGE      4096u
#define MOCK_REGIONS   9u
#define MOCK_GROUP     "12"
#define MOCK_DEVICE    "0000:17:00.0"
#define MOCK_SIBLING   "0000:17:00.1"
#define MOCK_BAR0_SIZE 0x10000u

struct mock {
	char root[64];
	struct roots roots;
	char sys[80], dev[80], proc[80];
	bool iommufd;

	/* What the kernel answers. */
	bool not_viable, no_type1, few_bytes;
	const char *refused; /* a file below dev that nobody may open; NULL: none */
	uint32_t n_iova;
	uint64_t iova[4][2];
	int feature_error; /* of the dma-buf feature; 0: it has it */
	int map_error;     /* of map by address at or above map_error_from */
	uint64_t map_error_from;
	int reset_again; /* so often EAGAIN */
	int irq_answer;
	uint64_t ns_per_map; /* the clock goes on that much */

	/* What it has. */
	int n_maps, n_ioas, n_attached, n_bound, n_told;
	uint64_t now_ns;

	/* The calls since mock_expect, one a line. */
	char journal[8192];
	size_t n_journal;

	/* The n-th call fails, with this errno; 0: none. */
	unsigned int calls, fail_at;
	int fail_errno;
	bool fired;
};

extern struct mock mock;

/* A machine with two functions in one group, both bound to vfio-pci. iommufd: with that too. */
void mock_init(bool iommufd);
/* Everything is closed, unmapped and gone: asserted. The machine goes too. */
void mock_finish(void);
/* The same, but the machine stays, as if nothing had happened on it. */
void mock_again(void);

/* The calls since the last time were these; they are forgotten. */
void mock_expect(const char *calls);

/* Below a root: "sys/..." and so on. The folders above are made. */
void mock_folder(const char *path);
void mock_file(const char *path, const char *text);
void mock_link(const char *path, const char *target);
void mock_remove(const char *path);

/* A PCI function: driver NULL for none, group NULL for none, node NULL for none. */
void mock_function(const char *name, const char *driver, const char *group, const char *node);

/* A struct cxlvm_kernel in this machine, and its functions. */
struct cxlvm_kernel *mock_kernel(void);

#endif

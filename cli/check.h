/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - the links of the chain that passthrough hangs on
 *
 * Each link is a function that looks at one thing and says how it is. It may look at whatever it
 * likes; that an earlier link is broken is no reason not to look.
 */
#ifndef CLI_CHECK_H
#define CLI_CHECK_H

#include "host.h"

#define CHECK_TEXT_MAX 640

enum check_state {
	CHECK_OK,
	CHECK_WARNING, /* works, but not as well as it might */
	CHECK_UNKNOWN, /* could not be seen */
	CHECK_BROKEN,
};

struct check_result {
	enum check_state state;
	char message[CHECK_TEXT_MAX];
	char hint[CHECK_TEXT_MAX]; /* what to do; "" when there is nothing to be done */
};

enum check_cpu {
	CHECK_CPU_OTHER,
	CHECK_CPU_INTEL,
	CHECK_CPU_AMD,
	CHECK_CPU_ARM,
};

/* What an opened device told; each error's code is 0 when there is none. */
struct check_opened {
	struct cxlvm_error open_error;      /* it could not be opened */
	struct cxlvm_error interface_error; /* the library does not take it */
	struct cxlvm_error mmap_error;      /* nor without mapping its memory */
	struct cxlvm_error record_error;    /* what it answered could not be written */
	bool cxl;                           /* the kernel offers it as a CXL device */
	unsigned int generation;
	uint64_t memory_size;
};

struct check {
	struct fs *fs;
	struct host *host;
	const char *wanted;         /* the device as it was named; NULL: find one */
	struct host_device *device; /* NULL: there is none */
	uint64_t memory_size;       /* of the guest */
	enum check_cpu cpu;
	bool replayed;                     /* it is a captured one */
	const struct check_opened *opened; /* NULL: it was not to be opened */
};

struct check_link {
	const char *name;
	void (*look)(const struct check *check, struct check_result *result);
};

#define CHECK_LINKS 18u
extern const struct check_link check_links[CHECK_LINKS];

/* Set state and message; with CHECK_BROKEN a hint has to follow. */
void check_say(struct check_result *result, enum check_state state, const char *format, ...)
	CXLVM_PRINTF(3, 4);
void check_hint(struct check_result *result, const char *format, ...) CXLVM_PRINTF(2, 3);
/* Number of the user who asks, into user. */
const char *check_user(const struct check *check, char user[static 32]);
/* A file that may not be opened: what gives the right. */
void check_hint_file(const struct check *check, struct check_result *result, const char *path,
		     const struct fs_status *file);

/* check_machine.c */
enum check_cpu check_find_cpu(struct fs *fs);
void check_cpu_link(const struct check *check, struct check_result *result);
void check_kvm(const struct check *check, struct check_result *result);
void check_iommu(const struct check *check, struct check_result *result);
void check_vfio(const struct check *check, struct check_result *result);
void check_kernel(const struct check *check, struct check_result *result);

/* check_device.c */
void check_device(const struct check *check, struct check_result *result);
void check_binding(const struct check *check, struct check_result *result);
void check_group(const struct check *check, struct check_result *result);
void check_access(const struct check *check, struct check_result *result);
void check_decoder(const struct check *check, struct check_result *result);
void check_size(const struct check *check, struct check_result *result);
void check_reset(const struct check *check, struct check_result *result);
void check_generation(const struct check *check, struct check_result *result);
void check_mmap(const struct check *check, struct check_result *result);

/*
 * check_open.c: open and close the device, or take the answers that a captured machine has of it.
 * record: NULL, or a file for a capture of this machine with what the device answers.
 */
void check_open(const struct check *check, const char *record, struct check_opened *opened);

/* check_limits.c */
void check_memlock(const struct check *check, struct check_result *result);
void check_address_width(const struct check *check, struct check_result *result);
void check_huge_pages(const struct check *check, struct check_result *result);
void check_memory_type(const struct check *check, struct check_result *result);

#endif

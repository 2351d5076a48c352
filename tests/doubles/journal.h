/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal of all calls that cross the two seams, device and host in one list so that their
 * order can be asserted, and the fault plan: the n-th call that can fail does.
 */
#ifndef TESTS_JOURNAL_H
#define TESTS_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum call {
	/* device */
	CALL_INFO,
	CALL_REGION_INFO,
	CALL_READ,
	CALL_WRITE,
	CALL_MAP,
	CALL_UNMAP,
	CALL_DMA_BUF,
	CALL_USABLE,
	/* host */
	CALL_PREPARE,
	CALL_RELEASE,
	CALL_ENABLE,
	CALL_DISABLE,
	CALL_DMA_MAP,
	CALL_DMA_UNMAP,
	CALL_DMA_STATE,
	CALL_BRIDGE,
	CALL_DEVICE_RESET,
	CALL_SLEEP,
	CALL_EVENT,
	CALL_TRACE,
	CALL_COUNT
};

struct journal_entry {
	enum call call;
	unsigned int device; /* index in the virtual machine */
	uint32_t region;     /* of the device; event kind; trace id */
	uint64_t offset;     /* in the region; guest address of the first area */
	uint64_t length;     /* bytes; number of areas */
	uint8_t data[16];    /* the first bytes that were transferred */
	int result;
};

#define JOURNAL_MAX 65536

struct journal {
	size_t n; /* entries since the last clear; more than JOURNAL_MAX fails the test */
	struct journal_entry *entries;
};

const char *call_name(enum call call);

void journal_init(struct journal *journal);
void journal_free(struct journal *journal);
void journal_clear(struct journal *journal);
void journal_add(struct journal *journal, const struct journal_entry *entry);
/* How many calls of this kind since the last clear. */
size_t journal_count(const struct journal *journal, enum call call);
/* Index of the first such call at or after from, or -1. */
long journal_find(const struct journal *journal, enum call call, size_t from);

/* When a call that is to fail has its effect. */
enum fault_when {
	FAULT_BEFORE, /* never: nothing reached the other side */
	FAULT_AFTER,  /* it has: the answer was lost */
};

struct faults {
	bool armed;           /* count, and fail */
	unsigned int calls;   /* calls that can fail, counted while armed */
	unsigned int fail_at; /* 0: never; n: the n-th */
	bool persistent;      /* the n-th and all after it */
	enum fault_when when;
	bool one_call; /* only calls of one kind count */
	enum call only;
	int error;         /* negative errno to fail with */
	bool fired;        /* at least one call failed */
	enum call hit;     /* the first one that did */
	unsigned int hits; /* how many did */
};

/* Arm: call number fail_at from now on fails with error. */
void faults_arm(struct faults *faults, unsigned int fail_at, enum fault_when when, int error);
/* Arm: every call of one kind fails with error. */
void faults_arm_call(struct faults *faults, enum call call, int error);
void faults_disarm(struct faults *faults);
/* Count one call; true when it has to fail. */
bool faults_due(struct faults *faults, enum call call);

#endif

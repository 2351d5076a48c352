/* SPDX-License-Identifier: BSD-3-Clause */
#include "journal.h"

#include <stdlib.h>

#include "test.h"

static const char *const call_names[CALL_COUNT] = {
	[CALL_INFO] = "info",
	[CALL_REGION_INFO] = "region_info",
	[CALL_READ] = "read",
	[CALL_WRITE] = "write",
	[CALL_MAP] = "map",
	[CALL_UNMAP] = "unmap",
	[CALL_DMA_BUF] = "dma_buf",
	[CALL_USABLE] = "usable",
	[CALL_PREPARE] = "prepare",
	[CALL_RELEASE] = "release",
	[CALL_ENABLE] = "enable",
	[CALL_DISABLE] = "disable",
	[CALL_DMA_MAP] = "dma_map",
	[CALL_DMA_UNMAP] = "dma_unmap",
	[CALL_DMA_STATE] = "dma_state",
	[CALL_BRIDGE] = "bridge_decoder",
	[CALL_DEVICE_RESET] = "device_reset",
	[CALL_SLEEP] = "sleep",
	[CALL_EVENT] = "event",
	[CALL_TRACE] = "trace",
};

const char *call_name(enum call call)
{
	return (unsigned int)call < CALL_COUNT ? call_names[call] : "?";
}

/* The entries of the last journal that ended: to get and give back so much takes longer than a test. */
static struct journal_entry *spare;

void journal_init(struct journal *journal)
{
	journal->n = 0;
	journal->entries = spare;
	spare = NULL;
	if (!journal->entries)
		journal->entries = malloc(JOURNAL_MAX * sizeof(journal->entries[0]));
	assert_non_null(journal->entries);
}

void journal_free(struct journal *journal)
{
	free(spare);
	spare = journal->entries;
	journal->entries = NULL;
}

void journal_clear(struct journal *journal)
{
	journal->n = 0;
}

void journal_add(struct journal *journal, const struct journal_entry *entry)
{
	assert_true(journal->n < JOURNAL_MAX);
	journal->entries[journal->n++] = *entry;
}

size_t journal_count(const struct journal *journal, enum call call)
{
	size_t count = 0;

	for (size_t i = 0; i < journal->n; i++)
		count += journal->entries[i].call == call;
	return count;
}

long journal_find(const struct journal *journal, enum call call, size_t from)
{
	for (size_t i = from; i < journal->n; i++)
		if (journal->entries[i].call == call)
			return (long)i;
	return -1;
}

void faults_arm(struct faults *faults, unsigned int fail_at, enum fault_when when, int error)
{
	*faults = (struct faults){
		.armed = true,
		.fail_at = fail_at,
		.when = when,
		.error = error,
	};
}

void faults_arm_call(struct faults *faults, enum call call, int error)
{
	faults_arm(faults, 1, FAULT_BEFORE, error);
	faults->persistent = true;
	faults->one_call = true;
	faults->only = call;
}

void faults_disarm(struct faults *faults)
{
	faults->armed = false;
}

bool faults_due(struct faults *faults, enum call call)
{
	bool due;

	if (!faults->armed || (faults->one_call && call != faults->only))
		return false;
	faults->calls++;
	if (!faults->fail_at)
		return false;
	due = faults->persistent ? faults->calls >= faults->fail_at
				 : faults->calls == faults->fail_at;
	if (!due)
		return false;
	if (!faults->fired)
		faults->hit = call;
	faults->fired = true;
	faults->hits++;
	return true;
}

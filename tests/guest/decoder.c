/* SPDX-License-Identifier: BSD-3-Clause */
/* decoder.c - decoder policy guest: both decoders programmed from the inside */
#include "decoder.h"

#include "guest.h"
#include "resets.h"

#define GRANULE 0x10000000ull
#define TARGETS 0x24u /* of a host bridge */
#define ERROR   (1u << 11)
#define ONES    (~0ull)

static void range(u64 hdm, u64 base, u64 size)
{
	write32(hdm + HDM_BASE, (u32)base);
	write32(hdm + HDM_BASE + 4, (u32)(base >> 32));
	write64(hdm + HDM_SIZE, size);
}

static u32 commit(u64 hdm, u64 base, u64 size, u32 lock)
{
	range(hdm, base, size);
	write32(hdm + HDM_CONTROL, HDM_COMMIT | lock);
	return read32(hdm + HDM_CONTROL);
}

static u32 decommit(u64 hdm)
{
	write32(hdm + HDM_CONTROL, 0);
	return read32(hdm + HDM_CONTROL);
}

static void check_answers(u64 base, u64 word)
{
	u64 end = base + GRANULE - 8;

	write64(base, word);
	write64(end, ~word);
	check_equal("memory answers", word, read64(base));
	check_equal("memory answers at its end", ~word, read64(end));
}

/* The port's number is that of its link capabilities. */
static void commit_both(const struct device *d, u64 base)
{
	check_equal("endpoint committed", HDM_COMMIT | HDM_COMMITTED,
		    commit(d->hdm, base, GRANULE, 0));
	write32(d->bridge_hdm + TARGETS, read32(d->port + d->port_pcie + 0x0c) >> 24);
	check_equal("host bridge committed", HDM_COMMIT | HDM_COMMITTED,
		    commit(d->bridge_hdm, base, GRANULE, 0));
}

static void check_uncommitted(const struct device *d)
{
	check_equal("the endpoint is not committed", 0, read32(d->hdm + HDM_CONTROL));
	check_equal("its size is preset", d->window_size, read64(d->hdm + HDM_SIZE));
	check_equal("its base is not", 0, read64(d->hdm + HDM_BASE));
	check_equal("memory is dark", ONES, read64(d->window));
}

static void test_commits(const struct device *d)
{
	u64 high = d->window + d->window_size - GRANULE;

	check_uncommitted(d);
	check_equal("the host bridge is not committed", 0, read32(d->bridge_hdm + HDM_CONTROL));
	check_equal("a base outside the window", HDM_COMMIT | ERROR,
		    commit(d->hdm, d->window - GRANULE, GRANULE, 0));
	check_equal("more than there is", HDM_COMMIT | ERROR,
		    commit(d->hdm, d->window, d->window_size + GRANULE, 0));
	check_equal("the error goes", 0, decommit(d->hdm));
	commit(d->hdm, high, GRANULE, 0);
	check_equal("not without the host bridge", ONES, read64(high));
	commit_both(d, high);
	check_answers(high, 0x1122334455667788ull);
	check_equal("outside the decoder it is dark", ONES, read64(d->window));
	check_equal("the host bridge goes", 0, decommit(d->bridge_hdm));
	check_equal("and the memory", ONES, read64(high));
	commit_both(d, high);
	check_equal("it is back with what was there", 0x1122334455667788ull, read64(high));
	/* a new base for both */
	check_equal("the endpoint goes", 0, decommit(d->hdm));
	check_equal("and the memory", ONES, read64(high));
	decommit(d->bridge_hdm);
	commit_both(d, d->window);
	check_equal("the memory has moved", 0x1122334455667788ull, read64(d->window));
	check_equal("and is not where it was", ONES, read64(high));
}

void test_decoder(void)
{
	struct device *d = &devices[0];

	test_commits(d);
	/* A reset of the function keeps the decoder, one of the bus does not. */
	flr(d);
	check_equal("still committed", HDM_COMMIT | HDM_COMMITTED, read32(d->hdm + HDM_CONTROL));
	check_answers(d->window, 0x8877665544332211ull);
	bus_reset(d);
	check_uncommitted(d);
	check_equal("with the lock", HDM_LOCK | HDM_COMMIT | HDM_COMMITTED,
		    commit(d->hdm, d->window, GRANULE, HDM_LOCK));
	check_answers(d->window, 0x0102030405060708ull);
	check_equal("the lock holds", HDM_LOCK | HDM_COMMIT | HDM_COMMITTED, decommit(d->hdm));
	check_answers(d->window, 0x0807060504030201ull);
}

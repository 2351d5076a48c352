/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passes.c - passes over all of the first device's memory, as told through the second device's
 *
 * Nothing here exits but what is asked for: orders and answers are words of the second device's memory,
 * whose file passes.sh writes and reads, and interrupts are off. An order is a letter in the first
 * byte, which becomes 0 when it is done:
 *
 *   f  fill: the pattern of the word "seed" into each word
 *   m  compare each word, then store the next seed's pattern there
 *   r  the same work on RAM, one page over and over; the device memory stays what it is
 *   t  as m, and one register of the device is read half-way
 *   p  no pass, but 1000 reads of a port
 *   c  no pass, but 1000 CPUIDs
 *   s  no pass, but 1000 reads of a model-specific register
 *   e  end
 *
 * The word after the order's is the number of words that were compared, the next that of those that differed.
 */
#include "passes.h"

#include "../../lab/pattern.h"
#include "guest.h"

#define PAGE       4096u
#define ANSWER     8u
#define ANSWER_BAD 16u
#define TIMES      1000
#define PORT       0x80
#define APIC_BASE  0x1b /* KVM lets no guest read it by itself */

/* All that a pass needs, and what came of it. */
static struct {
	u64 start, size;
	u64 wrap; /* where the addresses begin anew: size, or a page */
	u64 trap; /* a register to read half-way, or 0 */
	u64 seed;
	u64 words, bad;
} pass;

static u64 ram[PAGE / 8] __attribute__((aligned(PAGE)));

static void fill(u64 start, u64 size, u64 seed)
{
	for (u64 at = 0; at < size; at += 8)
		write64(start + at, pattern_word(seed, at / 8));
}

static void renew(void)
{
	for (u64 at = 0; at < pass.size; at += 8) {
		u64 place = at & (pass.wrap - 1);
		u64 seed = pass.seed + at / pass.wrap;

		pass.bad += read64(pass.start + place) != pattern_word(seed, place / 8);
		write64(pass.start + place, pattern_word(seed + 1, place / 8));
		pass.words++;
		if (pass.trap && at == pass.size / 2)
			read32(pass.trap);
	}
}

static void cpuid(void)
{
	u32 a = 0, b, c = 0, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
}

static void rdmsr(void)
{
	u32 low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(APIC_BASE));
}

static void obey(u8 order)
{
	const struct device *d = &devices[0];
	static u64 seed;

	pass.start = d->window;
	pass.size = pass.wrap = d->window_size;
	pass.trap = pass.words = pass.bad = 0;
	switch (order) {
	case 'f':
		seed = parameter("seed");
		fill(pass.start, pass.size, seed);
		break;
	case 't':
		pass.trap = d->hdm + HDM_CONTROL;
		/* fallthrough */
	case 'm':
		pass.seed = seed++;
		renew();
		break;
	case 'r':
		pass.start = (u64)ram;
		pass.wrap = PAGE;
		pass.seed = 0;
		fill(pass.start, PAGE, 0);
		renew();
		break;
	case 'p':
		for (unsigned int i = 0; i < TIMES; i++)
			in8(PORT);
		break;
	case 'c':
		for (unsigned int i = 0; i < TIMES; i++)
			cpuid();
		break;
	case 's':
		for (unsigned int i = 0; i < TIMES; i++)
			rdmsr();
		break;
	}
}

static void serve(void)
{
	u64 box = devices[1].window;
	u8 order;

	do {
		do
			order = read8(box);
		while (!order);
		obey(order);
		write64(box + ANSWER, pass.words);
		write64(box + ANSWER_BAD, pass.bad);
		write8(box, 0);
	} while (order != 'e');
}

void test_passes(void)
{
	check_equal("devices", 2, n_devices);
	say("guest: waiting");
	run_fast(serve);
}

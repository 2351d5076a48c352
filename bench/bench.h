/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - measurements that can be compared: passes of all cases interleaved, so that what
 * disturbs the machine disturbs all of them; median and spread; ratios of two cases taken pass by
 * pass. Prints a table or JSON. Nothing here passes or fails: times are no tests.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BENCH_PASSES 9

struct bench_case {
	const char *name;
	const char *unit; /* "ns", "us", "calls": what run returns */
	/* One pass: some milliseconds of work, the result in unit. */
	double (*run)(void *context, unsigned int argument);
	unsigned int argument;
	/* At most this, in unit; 0: no target. */
	double at_most;
	double passes[BENCH_PASSES]; /* filled by bench_run */
};

/* Case a over case b, each pass. */
struct bench_ratio {
	const char *name;
	const char *over, *under; /* names of cases */
	double factor;            /* the quotient is multiplied with it */
	double at_least, at_most; /* 0: no target */
};

struct bench {
	const char *name;
	struct bench_case *cases;
	size_t n_cases;
	const struct bench_ratio *ratios;
	size_t n_ratios;
	void *context; /* of all cases */
	/* Lines on what is measured and how, for people. */
	const char *notes;
};

/* Monotonic time in nanoseconds. */
uint64_t bench_now(void);

/* Keep the compiler from leaving out what computed value. */
static inline void bench_use(uint64_t value)
{
	__asm__ volatile("" : : "r"(value) : "memory");
}

/* Run the calling thread on one processor, counted from 0 among those allowed; false: it is not there. */
bool bench_pin(unsigned int cpu);

/* All passes of all cases. */
void bench_run(struct bench *bench);
void bench_print(const struct bench *bench, bool json);

/* "BENCH [--json]": everything a program's main has to do; returns the exit status. */
int bench_main(struct bench *bench, int argc, char **argv);

#endif

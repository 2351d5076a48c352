/* SPDX-License-Identifier: BSD-3-Clause */
#include "bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool bench_pin(unsigned int cpu)
{
	cpu_set_t allowed, one;

	CPU_ZERO(&one);
	if (sched_getaffinity(getpid(), sizeof(allowed), &allowed))
		return false;
	for (unsigned int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &allowed) && !cpu--) {
			CPU_SET(i, &one);
			return !sched_setaffinity(0, sizeof(one), &one);
		}
	return false;
}

void bench_run(struct bench *bench)
{
	/* once for caches and page tables */
	for (size_t i = 0; i < bench->n_cases; i++)
		bench->cases[i].run(bench->context, bench->cases[i].argument);
	for (unsigned int pass = 0; pass < BENCH_PASSES; pass++)
		for (size_t i = 0; i < bench->n_cases; i++) {
			struct bench_case *c = &bench->cases[i];

			c->passes[pass] = c->run(bench->context, c->argument);
		}
}

struct summary {
	double median, min, max;
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct summary summarize(const double *passes)
{
	double sorted[BENCH_PASSES];

	memcpy(sorted, passes, sizeof(sorted));
	qsort(sorted, BENCH_PASSES, sizeof(sorted[0]), compare);
	return (struct summary){ sorted[BENCH_PASSES / 2], sorted[0], sorted[BENCH_PASSES - 1] };
}

static const struct bench_case *find(const struct bench *bench, const char *name)
{
	for (size_t i = 0; i < bench->n_cases; i++)
		if (!strcmp(bench->cases[i].name, name))
			return &bench->cases[i];
	fprintf(stderr, "bench: no case %s\n", name);
	abort();
}

static struct summary summarize_ratio(const struct bench *bench, const struct bench_ratio *ratio)
{
	const struct bench_case *over = find(bench, ratio->over);
	const struct bench_case *under = find(bench, ratio->under);
	double passes[BENCH_PASSES];

	for (unsigned int i = 0; i < BENCH_PASSES; i++)
		passes[i] = ratio->factor * over->passes[i] / under->passes[i];
	return summarize(passes);
}

/* Against the targets: "", or what they are and whether the median keeps them. */
static const char *judge(double value, double at_least, double at_most)
{
	if (at_least == 0 && at_most == 0)
		return "";
	return (at_least != 0 && value < at_least) || (at_most != 0 && value > at_most) ? "missed"
											: "met";
}

static void print_row(const char *name, const struct summary *s, const char *unit, double at_least,
		      double at_most)
{
	printf("%-52s %10.2f %-5s %9.2f .. %-9.2f", name, s->median, unit, s->min, s->max);
	if (at_least != 0)
		printf(" at least %g: %s", at_least, judge(s->median, at_least, at_most));
	if (at_most != 0)
		printf(" at most %g: %s", at_most, judge(s->median, at_least, at_most));
	printf("\n");
}

static void print_object(const char *name, const struct summary *s, const char *unit,
			 double at_least, double at_most, bool last)
{
	printf("    {\"name\": \"%s\", \"unit\": \"%s\", \"median\": %.4g, \"min\": %.4g, "
	       "\"max\": %.4g",
	       name, unit, s->median, s->min, s->max);
	if (at_least != 0)
		printf(", \"at_least\": %g", at_least);
	if (at_most != 0)
		printf(", \"at_most\": %g", at_most);
	if (at_least != 0 || at_most != 0)
		printf(", \"target\": \"%s\"", judge(s->median, at_least, at_most));
	printf("}%s\n", last ? "" : ",");
}

static void print_json(const struct bench *bench)
{
	printf("{\n  \"bench\": \"%s\",\n  \"processors\": %ld,\n  \"passes\": %d,\n  \"results\": [\n",
	       bench->name, sysconf(_SC_NPROCESSORS_ONLN), BENCH_PASSES);
	for (size_t i = 0; i < bench->n_cases; i++) {
		const struct bench_case *c = &bench->cases[i];
		struct summary s = summarize(c->passes);

		print_object(c->name, &s, c->unit, 0, c->at_most, i + 1 == bench->n_cases);
	}
	printf("  ],\n  \"ratios\": [\n");
	for (size_t i = 0; i < bench->n_ratios; i++) {
		const struct bench_ratio *r = &bench->ratios[i];
		struct summary s = summarize_ratio(bench, r);

		print_object(r->name, &s, "", r->at_least, r->at_most, i + 1 == bench->n_ratios);
	}
	printf("  ]\n}\n");
}

static void print_table(const struct bench *bench)
{
	printf("%s: median of %d interleaved passes, smallest and largest; %ld processors\n",
	       bench->name, BENCH_PASSES, sysconf(_SC_NPROCESSORS_ONLN));
	for (size_t i = 0; i < bench->n_cases; i++) {
		const struct bench_case *c = &bench->cases[i];
		struct summary s = summarize(c->passes);

		print_row(c->name, &s, c->unit, 0, c->at_most);
	}
	printf("ratios, pass by pass\n");
	for (size_t i = 0; i < bench->n_ratios; i++) {
		const struct bench_ratio *r = &bench->ratios[i];
		struct summary s = summarize_ratio(bench, r);

		print_row(r->name, &s, "", r->at_least, r->at_most);
	}
	printf("%s", bench->notes);
}

void bench_print(const struct bench *bench, bool json)
{
	if (json)
		print_json(bench);
	else
		print_table(bench);
}

int bench_main(struct bench *bench, int argc, char **argv)
{
	bool json = argc == 2 && !strcmp(argv[1], "--json");

	if (argc != 1 && !json) {
		fprintf(stderr, "usage: %s [--json]\n", argv[0]);
		return 2;
	}
	bench_run(bench);
	bench_print(bench, json);
	return 0;
}

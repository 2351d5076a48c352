/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ./dev bench engine: what the engine adds on a guest's path, at a reset, and at start. Register
 * accesses go through the monitor's table of trapped ranges, as those of a guest do after the exit:
 * an endpoint has one span, or two with an excluded range in the page of its decoder, so 64 spans
 * are those of 32 devices. Devices are software devices in this process: the time of their calls is
 * in the transactions, that of a kernel is not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "fleet.h"
#include "scene.h"

#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

#define ACCESSES 200000u

struct context {
	struct scene spans1, spans8, spans64;
	volatile uint64_t word;
};

static struct scene *scene_of(struct context *context, unsigned int spans)
{
	return spans == 1 ? &context->spans1 : spans == 8 ? &context->spans8 : &context->spans64;
}

static double read_1(void *context, unsigned int spans)
{
	return scene_run(scene_of(context, spans), ACCESS_READ, 1);
}

static double read_2(void *context, unsigned int spans)
{
	return scene_run(scene_of(context, spans), ACCESS_READ, 2);
}

static double write_1(void *context, unsigned int spans)
{
	return scene_run(scene_of(context, spans), ACCESS_WRITE, 1);
}

static double write_2(void *context, unsigned int spans)
{
	return scene_run(scene_of(context, spans), ACCESS_WRITE, 2);
}

static double lookup(void *context, unsigned int spans)
{
	return scene_run(scene_of(context, spans), ACCESS_LOOKUP, 1);
}

/* The baseline: an indirect call and a load from memory. */
static __attribute__((noinline)) uint64_t load(volatile uint64_t *word)
{
	return *word;
}

static double baseline(void *opaque, unsigned int argument)
{
	uint64_t (*volatile call)(volatile uint64_t * word) = load;
	struct context *context = opaque;
	uint64_t begin = bench_now();

	(void)argument;
	for (unsigned int i = 0; i < ACCESSES; i++)
		bench_use(call(&context->word));
	return (double)(bench_now() - begin) / ACCESSES;
}

/* One system reset of n devices, less the reset of the devices: in us; or how many device calls. */
struct transaction {
	unsigned int n, generation;
	uint64_t memory;
	bool count;
};

#define RESETS 20u

static double run_transaction(const struct transaction *t)
{
	static struct fleet fleet;
	uint64_t spent = 0, calls = 0;

	fleet_open(&fleet, t->n, t->generation, t->memory);
	fleet_plan(&fleet, false);
	fleet_done(&fleet);
	for (unsigned int i = 0; i < t->n; i++)
		fleet.devices[i].calls = 0;
	for (unsigned int i = 0; i < RESETS; i++) {
		uint64_t begin = bench_now();

		fleet_prepare(&fleet);
		spent += bench_now() - begin;
		fleet_reset_devices(&fleet);
		begin = bench_now();
		fleet_done(&fleet);
		spent += bench_now() - begin;
	}
	for (unsigned int i = 0; i < t->n; i++)
		calls += fleet.devices[i].calls;
	fleet_unplan(&fleet);
	fleet_close(&fleet);
	return t->count ? (double)calls / RESETS : (double)spent / RESETS / 1000;
}

static double transaction(void *context, unsigned int generation)
{
	(void)context;
	return run_transaction(
		&(struct transaction){ .n = 1, .generation = generation, .memory = MIB(256) });
}

static double transaction_calls(void *context, unsigned int generation)
{
	(void)context;
	return run_transaction(&(struct transaction){
		.n = 1, .generation = generation, .memory = MIB(256), .count = true });
}

static double transaction_devices(void *context, unsigned int n)
{
	(void)context;
	return run_transaction(
		&(struct transaction){ .n = n, .generation = 5, .memory = MIB(256) });
}

static double transaction_memory(void *context, unsigned int gib)
{
	(void)context;
	return run_transaction(
		&(struct transaction){ .n = 1, .generation = 5, .memory = GIB(gib) });
}

#define PLANS 5u

static double plan(void *context, unsigned int n)
{
	static struct fleet fleet;
	uint64_t spent = 0;

	(void)context;
	for (unsigned int i = 0; i < PLANS; i++) {
		uint64_t begin;

		fleet_open(&fleet, n, 5, MIB(256));
		begin = bench_now();
		fleet_plan(&fleet, false);
		spent += bench_now() - begin;
		fleet_unplan(&fleet);
		fleet_close(&fleet);
	}
	return (double)spent / PLANS / 1000;
}

/* clang-format off */
static struct bench_case cases[] = {
	{ .name = "indirect call and load (baseline)", .unit = "ns", .run = baseline },
	{ .name = "look-up, 1 span", .unit = "ns", .run = lookup, .argument = 1 },
	{ .name = "look-up, 64 spans", .unit = "ns", .run = lookup, .argument = 64, .at_most = 50 },
	{ .name = "register read, 1 span", .unit = "ns", .run = read_1, .argument = 1 },
	{ .name = "register read, 8 spans", .unit = "ns", .run = read_1, .argument = 8 },
	{ .name = "register read, 64 spans", .unit = "ns", .run = read_1, .argument = 64 },
	{ .name = "register read, 1 span, each of 2 threads", .unit = "ns", .run = read_2, .argument = 1 },
	{ .name = "register read, 8 spans, each of 2 threads", .unit = "ns", .run = read_2, .argument = 8 },
	{ .name = "register read, 64 spans, each of 2 threads", .unit = "ns", .run = read_2, .argument = 64 },
	{ .name = "register write, 1 span", .unit = "ns", .run = write_1, .argument = 1 },
	{ .name = "register write, 8 spans", .unit = "ns", .run = write_1, .argument = 8 },
	{ .name = "register write, 64 spans", .unit = "ns", .run = write_1, .argument = 64 },
	{ .name = "register write, 1 span, each of 2 threads", .unit = "ns", .run = write_2, .argument = 1 },
	{ .name = "register write, 8 spans, each of 2 threads", .unit = "ns", .run = write_2, .argument = 8 },
	{ .name = "register write, 64 spans, each of 2 threads", .unit = "ns", .run = write_2, .argument = 64 },
	{ .name = "transaction, generation 2", .unit = "us", .run = transaction, .argument = 2, .at_most = 100 },
	{ .name = "transaction, generation 2n", .unit = "us", .run = transaction, .argument = CXLVM_SIM_GENERATION_2N, .at_most = 100 },
	{ .name = "transaction, generation 3", .unit = "us", .run = transaction, .argument = 3, .at_most = 100 },
	{ .name = "transaction, generation 4", .unit = "us", .run = transaction, .argument = 4, .at_most = 100 },
	{ .name = "transaction, generation 5", .unit = "us", .run = transaction, .argument = 5, .at_most = 100 },
	{ .name = "transaction, generation 6", .unit = "us", .run = transaction, .argument = 6, .at_most = 100 },
	{ .name = "device calls, generation 2", .unit = "calls", .run = transaction_calls, .argument = 2 },
	{ .name = "device calls, generation 2n", .unit = "calls", .run = transaction_calls, .argument = CXLVM_SIM_GENERATION_2N },
	{ .name = "device calls, generation 3", .unit = "calls", .run = transaction_calls, .argument = 3 },
	{ .name = "device calls, generation 4", .unit = "calls", .run = transaction_calls, .argument = 4 },
	{ .name = "device calls, generation 5", .unit = "calls", .run = transaction_calls, .argument = 5 },
	{ .name = "device calls, generation 6", .unit = "calls", .run = transaction_calls, .argument = 6 },
	{ .name = "transaction, 1 device", .unit = "us", .run = transaction_devices, .argument = 1 },
	{ .name = "transaction, 8 devices", .unit = "us", .run = transaction_devices, .argument = 8 },
	{ .name = "transaction, 32 devices", .unit = "us", .run = transaction_devices, .argument = 32 },
	{ .name = "transaction, 1 GiB", .unit = "us", .run = transaction_memory, .argument = 1 },
	{ .name = "transaction, 512 GiB", .unit = "us", .run = transaction_memory, .argument = 512 },
	{ .name = "planning, 1 device", .unit = "us", .run = plan, .argument = 1 },
	{ .name = "planning, 8 devices", .unit = "us", .run = plan, .argument = 8 },
	{ .name = "planning, 32 devices", .unit = "us", .run = plan, .argument = 32 },
};

static const struct bench_ratio ratios[] = {
	{ "register read, 64 spans, over the baseline", "register read, 64 spans", "indirect call and load (baseline)", 1, 0, 0 },
	{ "2 readers over 1, 1 span", "register read, 1 span", "register read, 1 span, each of 2 threads", 2, 1.8, 0 },
	{ "2 readers over 1, 64 spans", "register read, 64 spans", "register read, 64 spans, each of 2 threads", 2, 1.8, 0 },
	{ "2 writers over 1, 64 spans", "register write, 64 spans", "register write, 64 spans, each of 2 threads", 2, 0, 0 },
	{ "transaction: each of 32 devices over 1", "transaction, 32 devices", "transaction, 1 device", 1.0 / 32, 0, 1.25 },
	{ "transaction: 512 GiB over 1 GiB", "transaction, 512 GiB", "transaction, 1 GiB", 1, 0, 1.25 },
	{ "planning: each of 32 devices over 1", "planning, 32 devices", "planning, 1 device", 1.0 / 32, 0, 0 },
};
/* clang-format on */

int main(int argc, char **argv)
{
	static struct context context;
	struct bench bench = {
		.name = "engine",
		.cases = cases,
		.n_cases = sizeof(cases) / sizeof(cases[0]),
		.ratios = ratios,
		.n_ratios = sizeof(ratios) / sizeof(ratios[0]),
		.context = &context,
		.notes =
			"A register access is one of a guest after its exit: the monitor's table of "
			"trapped ranges, then the library.\n"
			"Writes take the device's lock, as the host has to. 64 spans are those of 32 "
			"devices with 2 each.\n"
			"Transactions are those of a system reset, prepare and done; the software "
			"device's calls are in them.\n",
	};
	int status;

	scene_open(&context.spans1, 1, false);
	scene_open(&context.spans8, 8, false);
	scene_open(&context.spans64, 32, true);
	status = bench_main(&bench, argc, argv);
	scene_close(&context.spans64);
	scene_close(&context.spans8);
	scene_close(&context.spans1);
	return status;
}

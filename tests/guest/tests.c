/* SPDX-License-Identifier: BSD-3-Clause */
/* tests.c - what the payload guest tests: the names of the tests, and those of registers and memory */
#include "../../lab/pattern.h"
#include "decoder.h"
#include "engine.h"
#include "guest.h"
#include "loads.h"
#include "passes.h"
#include "resets.h"
#include "serial.h"

/* RAS, Uncorrectable Error Mask: the first register of the guest's that takes writes. */
#define CM_ARRAY 0x1000u
#define RAS_ID   2u
#define RAS_MASK 0x04u

/* In a component block. */
static u64 find_ras(u64 block)
{
	u64 array = block + CM_ARRAY;
	u32 n = read32(array) >> 24;

	for (u32 i = 1; i <= n; i++)
		if ((read32(array + 4 * i) & 0xffff) == RAS_ID)
			return array + (read32(array + 4 * i) >> 20);
	return 0;
}

static void check_unlocked(u64 block, const char *what)
{
	u64 mask = find_ras(block) + RAS_MASK;
	u32 before = read32(mask);

	say("%s", what);
	check_equal("the mask is not 0", 1, before != 0);
	write32(mask, 0);
	check_equal("an unlocked register takes what is written", 0, read32(mask));
	write32(mask, before);
	check_equal("and again", before, read32(mask));
}

void check_decoder(const struct device *d, u64 hdm, const char *what)
{
	u64 base = (u64)read32(hdm + HDM_BASE + 4) << 32 | read32(hdm + HDM_BASE);
	u64 size = (u64)read32(hdm + HDM_SIZE + 4) << 32 | read32(hdm + HDM_SIZE);

	say("%s", what);
	check_equal("decoder base is the window's", d->window, base);
	check_equal("decoder size", d->window_size, size);
	check_equal("decoder committed and locked", HDM_LOCK | HDM_COMMIT | HDM_COMMITTED,
		    read32(hdm + HDM_CONTROL) & (HDM_LOCK | HDM_COMMIT | HDM_COMMITTED));
	check_equal("global enable", 2, read32(hdm + HDM_GLOBAL) & 2);
}

static void write_all_over(u64 hdm)
{
	for (u32 at = 0; at < 0x30; at += 4) {
		write32(hdm + at, ~read32(hdm + at));
		write32(hdm + at, 0);
		write8(hdm + at, 0xff);
		write16(hdm + at + 1, 0xffff);
	}
	for (u32 at = 0; at < 0x30; at += 8)
		write64(hdm + at, 0x5a5a5a5a5a5a5a5aull);
}

static void test_registers(void)
{
	for (unsigned int i = 0; i < n_devices; i++) {
		const struct device *d = &devices[i];

		check_decoder(d, d->hdm, "endpoint");
		check_decoder(d, d->bridge_hdm, "host bridge");
		write_all_over(d->hdm);
		write_all_over(d->bridge_hdm);
		check_decoder(d, d->hdm, "endpoint, after writes");
		check_decoder(d, d->bridge_hdm, "host bridge, after writes");
		/* Kernels of generations 2 and 3 keep all of the device's block to themselves. */
		if (parameter("ras"))
			check_unlocked(d->bars[0] + 0x10000, "endpoint");
		check_unlocked(read32(d->port + 0x10) & ~0xfu, "root port");
	}
	check_equal("devices", parameter("devices"), n_devices);
}

/* One word in each stride bytes; 8: all of them, which takes a CPU that is not emulated. */
static void fill(void)
{
	u64 stride = parameter("stride");

	for (unsigned int i = 0; i < n_devices; i++) {
		u64 seed = parameter("seed") + i;

		for (u64 at = 0; at < devices[i].window_size; at += stride)
			write64(devices[i].window + at, pattern_word(seed, at / 8));
	}
}

static volatile u64 n_bad;

static void verify(void)
{
	u64 stride = parameter("stride");

	for (unsigned int i = 0; i < n_devices; i++) {
		u64 seed = parameter("seed") + i, bad = 0;

		for (u64 at = 0; at < devices[i].window_size; at += stride)
			bad += read64(devices[i].window + at) != pattern_word(seed, at / 8);
		n_bad += bad;
	}
}

static void test_memory(void)
{
	run_fast(fill);
	run_fast(verify);
	check_equal("words that differ", 0, n_bad);
}

#define DVSEC_CONTROL    0x0cu
#define DVSEC_MEM_ENABLE 0x4u

static void test_memory_enable(void)
{
	const struct device *d = &devices[0];
	u16 control = read16(d->config + d->dvsec + DVSEC_CONTROL);

	write64(d->window, 0x1234567890abcdefull);
	check_equal("memory answers", 0x1234567890abcdefull, read64(d->window));
	check_equal("memory enable is on", DVSEC_MEM_ENABLE, control & DVSEC_MEM_ENABLE);
	for (unsigned int i = 0; i < 3; i++) {
		write16(d->config + d->dvsec + DVSEC_CONTROL, control & ~DVSEC_MEM_ENABLE);
		check_equal("off: ones", ~0ull, read64(d->window));
		check_equal("off: ones at the end", ~0ull, read64(d->window + d->window_size - 8));
		write64(d->window, 0);
		write16(d->config + d->dvsec + DVSEC_CONTROL, control);
		check_equal("on again: what was there", 0x1234567890abcdefull, read64(d->window));
	}
	check_decoder(d, d->hdm, "the decoder is as it was");
}

/* The overlay is where its BAR is. */
static void test_bar(void)
{
	struct device *d = &devices[0];
	u64 old = d->hdm;
	u64 new_bar = d->bars[0] + 0x400000;

	write32(d->config + 0x10, (u32)new_bar);
	check_equal("nobody answers at the old place", ~0u, read32(old + HDM_CONTROL));
	check_equal("the decoder is at the new one", HDM_COMMITTED,
		    read32(new_bar + (old - d->bars[0]) + HDM_CONTROL) & HDM_COMMITTED);
	write16(d->config + 4, (u16)(d->command & ~2u));
	check_equal("memory space off: nobody", ~0u,
		    read32(new_bar + (old - d->bars[0]) + HDM_CONTROL));
	write64(d->window, 0x55aa);
	check_equal("device memory does not care", 0x55aa, read64(d->window));
	restore_device(d);
	check_decoder(d, old, "back");
	/* Over the window: the window stays what it is. */
	write32(d->config + 0x10, (u32)d->window);
	write32(d->config + 0x14, (u32)(d->window >> 32));
	check_equal("a BAR over the window", 0x55aa, read64(d->window));
	restore_device(d);
	check_equal("and gone again", 0x55aa, read64(d->window));
	check_decoder(d, old, "back again");
}

static volatile u32 ran;

static void count_me(void)
{
	__atomic_fetch_add(&ran, 1, __ATOMIC_SEQ_CST);
}

static void test_cpus(void)
{
	check_equal("CPUs in the MADT", parameter("cpus"), n_cpus);
	for (unsigned int i = 1; i < n_cpus && i < CPUS_MAX; i++) {
		start_cpu(i, count_me);
		join_cpu(i);
	}
	check_equal("CPUs that ran", n_cpus - 1, ran);
}

/* Each window in a domain of its own, all else in domain 0. */
static void test_numa(void)
{
	u64 srat = find_table(0x54415253);
	u64 ram = 0, cpus = 0, windows = 0;

	check_equal("there is an SRAT", 1, srat != 0);
	for (u32 at = 48; srat && at + 2 <= read32(srat + 4); at += read8(srat + at + 1)) {
		u64 entry = srat + at;
		u64 base = read64(entry + 8);

		if (read8(entry) == 0) {
			cpus += read8(entry + 2) == 0 && read32(entry + 4) & 1;
		} else if (read8(entry) == 1 && read32(entry + 2) == 0) {
			ram += read64(entry + 16);
		} else {
			u32 i = read32(entry + 2) - 1;

			check_equal("the window of the domain", devices[i].window, base);
			check_equal("its size", devices[i].window_size, read64(entry + 16));
			check_equal("enabled, hot-pluggable", 3, read32(entry + 28));
			windows++;
		}
	}
	check_equal("CPUs in domain 0", n_cpus, cpus);
	check_equal("RAM in domain 0", parameter("memory"), ram);
	check_equal("windows", n_devices, windows);
}

/* A word at the end of each piece of RAM. */
static void test_ram(void)
{
	u64 size = parameter("memory");
	u64 low = size < 0xc0000000 ? size : 0xc0000000;

	write64(low - 8, 0x1234);
	check_equal("low RAM to its end", 0x1234, read64(low - 8));
	if (size > low) {
		u64 end = (4ull << 30) + size - low;

		write64(4ull << 30, 0x5678);
		write64(end - 8, 0x9abc);
		check_equal("high RAM from its start", 0x5678, read64(4ull << 30));
		check_equal("high RAM to its end", 0x9abc, read64(end - 8));
		check_equal("windows are above it", 1, !n_devices || devices[0].window >= end);
	}
}

static void cpuid(u32 leaf, u32 index, u32 *out)
{
	__asm__ volatile("cpuid"
			 : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
			 : "a"(leaf), "c"(index));
}

/* A guest that could virtualize would end the run when it is reset in the middle of it. */
static void test_cpuid(void)
{
	u32 out[4];

	cpuid(1, 0, out);
	check_equal("no VMX", 0, out[2] >> 5 & 1);
	check_equal("a hypervisor is there", 1, out[2] >> 31);
	cpuid(0x80000001, 0, out);
	check_equal("no SVM", 0, out[2] >> 2 & 1);
	cpuid(0xb, 1, out);
	check_equal("CPUs in the package", n_cpus, out[1]);
	cpuid(0x80000008, 0, out);
	check_equal("address width", parameter("bits"), out[0] & 0xff);
}

/* Nothing but a word: for tests of the monitor around it. */
static void test_hello(void)
{
}

static void test_triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) nothing = { 0, 0 };

	__asm__ volatile("lidt %0" ::"m"(nothing));
	write64(0x7fffffff0000, 0);
}

/* Instructions in configuration space: KVM can fetch none from where there is no memory. */
static void test_no_code(void)
{
	((void (*)(void))devices[0].config)();
}

/* Until it is stopped from outside. */
static void test_forever(void)
{
	say("guest: waiting");
	for (;;)
		pause();
}

static void test_halt(void)
{
	say("guest: waiting");
	for (;;)
		__asm__ volatile("hlt");
}

/* KVM may keep what is said for some milliseconds; an access to another register brings it out. */
static void say_now(const char *words)
{
	say("%s", words);
	in8(0x3ff);
}

/* For ./dev bench monitor, which measures from outside between the two words. */
static void test_register_reads(void)
{
	u64 at = devices[0].hdm + HDM_CONTROL;
	u64 count = parameter("count");

	say_now("guest: begin");
	for (u64 i = 0; i < count; i++)
		read32(at);
	say_now("guest: end");
}

static void test_empty_exits(void)
{
	u64 count = parameter("count");

	say_now("guest: begin");
	for (u64 i = 0; i < count; i++)
		in8(0x80);
	say_now("guest: end");
}

static volatile u64 sum;

static volatile u64 load_times = 1;

static void load_all(void)
{
	const struct device *d = &devices[0];

	for (u64 i = load_times; i; i--)
		sum = load_all_words(d->window, d->window + d->window_size);
}

/* All passes in one go: between two of them is nothing that would be emulated. */
static void test_loads(void)
{
	run_fast(load_all);
	load_times = parameter("count");
	say_now("guest: begin");
	run_fast(load_all);
	say_now("guest: end");
}

/* What comes in goes out, until a q. */
static void test_echo(void)
{
	u8 c;

	say("guest: waiting");
	do {
		while (!(in8(0x3fd) & 1))
			pause();
		c = in8(0x3f8);
		say("got: %x", (u64)c);
	} while (c != 'q');
}

const struct test tests[] = {
	{ "registers", test_registers },
	{ "memory", test_memory },
	{ "memory-enable", test_memory_enable },
	{ "bar", test_bar },
	{ "cpus", test_cpus },
	{ "cpuid", test_cpuid },
	{ "numa", test_numa },
	{ "ram", test_ram },
	{ "engine", test_engine },
	{ "engine-errors", test_engine_errors },
	{ "copies", test_copies },
	{ "masks", test_masks },
	{ "reset-msix", test_reset_msix },
	{ "reset-port", test_reset_port },
	{ "storm-flr", test_storm_flr },
	{ "storm-bus", test_storm_bus },
	{ "storm-cxl", test_storm_cxl },
	{ "storm-system", test_storm_system },
	{ "hammer", test_hammer },
	{ "memory-lost", test_memory_lost },
	{ "memory-lost-reset", test_memory_lost_reset },
	{ "bus-masked", test_bus_masked },
	{ "decoder", test_decoder },
	{ "hello", test_hello },
	{ "triple-fault", test_triple_fault },
	{ "no-code", test_no_code },
	{ "forever", test_forever },
	{ "halt", test_halt },
	{ "register-reads", test_register_reads },
	{ "empty-exits", test_empty_exits },
	{ "loads", test_loads },
	{ "passes", test_passes },
	{ "echo", test_echo },
	{ "noise", test_noise },
	{ "serial", test_serial },
	{ "serial-fifo", test_serial_fifo },
	{ "serial-turns", test_serial_turns },
	{ "last-words", test_last_words },
	{ NULL, NULL },
};

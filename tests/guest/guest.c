/* SPDX-License-Identifier: BSD-3-Clause */
/* guest.c - serial port, results, command line, other CPUs, interrupts */
#include <stdarg.h>

#include "guest.h"

#define SERIAL      0x3f8u
#define PM1_CONTROL 0x604u
#define SOFT_OFF    (5u << 10 | 1u << 13)
#define RESET_PORT  0xcf9u
#define LAPIC       0xfee00000u
#define LAPIC_SVR   (LAPIC + 0xf0)
#define LAPIC_ICR   (LAPIC + 0x300)
#define TRAMPOLINE  0x8000u

u64 find_machine(bool pvh, u64 info);

volatile u32 interrupts[16];
static unsigned int failed;
static const char *cmdline;
volatile u32 cpus_started;
static void (*volatile cpu_work[CPUS_MAX])(void);
static volatile bool cpu_busy[CPUS_MAX], cpu_up[CPUS_MAX];

static void put(char c)
{
	out8(SERIAL, (u8)c);
}

static void put_hex(u64 value)
{
	bool begun = false;

	put('0');
	put('x');
	for (int shift = 60; shift >= 0; shift -= 4) {
		unsigned int digit = value >> shift & 15;

		begun |= digit || !shift;
		if (begun)
			put("0123456789abcdef"[digit]);
	}
}

void say(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	for (; *format; format++) {
		if (*format != '%') {
			put(*format);
			continue;
		}
		format++;
		if (*format == 's') {
			for (const char *s = va_arg(arguments, const char *); *s; s++)
				put(*s);
		} else {
			put_hex(va_arg(arguments, u64));
		}
	}
	va_end(arguments);
	put('\n');
}

void check_equal(const char *what, u64 wanted, u64 found)
{
	if (wanted == found) {
		say("good: %s", what);
		return;
	}
	failed++;
	say("bad: %s: wanted %x, found %x", what, wanted, found);
}

void *copy(void *to, const void *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)to)[i] = ((const u8 *)from)[i];
	return to;
}

void *set(void *to, int byte, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile u8 *)to)[i] = (u8)byte;
	return to;
}

/* What follows "name=" as a word of the command line. */
static const char *word(const char *name)
{
	for (const char *at = cmdline; *at; at++) {
		const char *n = name;
		const char *p = at;

		if (at != cmdline && at[-1] != ' ')
			continue;
		while (*n && *p == *n) {
			n++;
			p++;
		}
		if (!*n && *p == '=')
			return p + 1;
	}
	return NULL;
}

u64 parameter(const char *name)
{
	const char *p = word(name);
	u64 value = 0;

	if (!p)
		return 0;
	if (p[0] == '0' && p[1] == 'x')
		p += 2;
	for (;; p++) {
		if (*p >= '0' && *p <= '9')
			value = value << 4 | (u64)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			value = value << 4 | (u64)(*p - 'a' + 10);
		else
			return value;
	}
}

bool is_named(const char *test)
{
	const char *p = word("test");

	while (p && *test && *p == *test) {
		p++;
		test++;
	}
	return p && !*test && (!*p || *p == ' ');
}

void power_off(void)
{
	say("%s", failed ? "guest: failed" : "guest: passed");
	out16(PM1_CONTROL, SOFT_OFF);
	for (;;)
		__asm__ volatile("hlt");
}

void machine_reset(void)
{
	out8(RESET_PORT, 6);
	for (;;)
		__asm__ volatile("hlt");
}

void guest_exception(u64 first, u64 second)
{
	say("bad: exception: stack %x %x", first, second);
	failed++;
	power_off();
}

/* Interrupt gates: all to the reporter, but for ours. */
static struct {
	u64 low, high;
} idt[256];

extern const u64 vectors[16];
extern const u8 exception[], trampoline[], trampoline_end[], trampoline_cr3[];

static void set_gate(unsigned int n, u64 handler)
{
	idt[n].low = (handler & 0xffff) | 0x10u << 16 | (u64)0x8e00 << 32 |
		     (handler >> 16 & 0xffff) << 48;
	idt[n].high = handler >> 32;
}

static void load_idt(void)
{
	struct {
		u16 limit;
		u64 base;
	} __attribute__((packed)) pointer = { sizeof(idt) - 1, (u64)idt };

	__asm__ volatile("lidt %0" ::"m"(pointer));
	write32(LAPIC_SVR, 0x1ff);
}

void interrupts_on(void)
{
	__asm__ volatile("sti");
}

void interrupts_off(void)
{
	__asm__ volatile("cli");
}

void check_interrupt(const char *what, unsigned int n, u32 count)
{
	u64 patience = parameter("patience") ? parameter("patience") : 2000000;

	for (u64 i = 0; i < patience && interrupts[n] != count; i++)
		pause();
	check_equal(what, count, interrupts[n]);
}

void ap_main(unsigned int id)
{
	load_idt();
	__atomic_fetch_add(&cpus_started, 1, __ATOMIC_SEQ_CST);
	cpu_up[id] = true;
	for (;;) {
		if (cpu_work[id]) {
			cpu_work[id]();
			cpu_work[id] = NULL;
			cpu_busy[id] = false;
		}
		pause();
	}
}

static void boot_cpu(unsigned int id)
{
	u64 cr3;

	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	copy((void *)(u64)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	write64(TRAMPOLINE + (u64)(trampoline_cr3 - trampoline), cr3);
	write32(LAPIC_ICR + 0x10, id << 24);
	write32(LAPIC_ICR, 0x4500); /* INIT */
	for (unsigned int i = 0; i < 1000; i++)
		pause();
	write32(LAPIC_ICR + 0x10, id << 24);
	write32(LAPIC_ICR, 0x4600 | TRAMPOLINE >> 12); /* start-up */
	while (!cpu_up[id])
		pause();
}

#define ENTRY_PRESENT 0x1u
#define ENTRY_USER    0x4u
#define ENTRY_LARGE   0x80u
#define ENTRY_ADDRESS 0xffffffffff000ull

/* All of a table and of the tables below it. */
static void allow_user(u64 table, unsigned int level)
{
	for (u64 at = table; at < table + 4096; at += 8) {
		u64 entry = read64(at);

		if (!(entry & ENTRY_PRESENT))
			continue;
		write64(at, entry | ENTRY_USER);
		if (level > 1 && !(entry & ENTRY_LARGE))
			allow_user(entry & ENTRY_ADDRESS, level - 1);
	}
}

void enter_user(void);

static bool is_user(void)
{
	u16 cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return cs & 3;
}

void be_user(void)
{
	u64 cr3;

	if (is_user() || !parameter("user"))
		return;
	__asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
	allow_user(cr3 & ENTRY_ADDRESS, 4);
	__asm__ volatile("mov %0, %%cr3" ::"r"(cr3) : "memory");
	enter_user();
}

void start_cpu(unsigned int id, void (*work)(void))
{
	if (!cpu_up[id])
		boot_cpu(id);
	cpu_busy[id] = true;
	cpu_work[id] = work;
}

void join_cpu(unsigned int id)
{
	while (cpu_busy[id])
		pause();
}

static void (*volatile fast_work)(void);
static volatile bool fast_done;

static void work_as_user(void)
{
	be_user();
	fast_work();
	fast_done = true;
	/* Wake CPU 0, as vector 15 of ours. */
	write32(LAPIC_ICR + 0x10, 0);
	write32(LAPIC_ICR, 0x4000 | (VECTOR_BASE + 15));
}

void run_fast(void (*work)(void))
{
	if (!parameter("user")) {
		work();
		return;
	}
	fast_work = work;
	fast_done = false;
	start_cpu(1, work_as_user);
	/* Asleep, so that the work has the processor to itself; sti takes effect after hlt. */
	while (!fast_done)
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	join_cpu(1);
}

void guest_main(u32 pvh, u64 info)
{
	cmdline = (const char *)find_machine(pvh, info);
	for (unsigned int i = 0; i < 256; i++)
		set_gate(i, (u64)exception);
	for (unsigned int i = 0; i < 16; i++)
		set_gate(VECTOR_BASE + i, vectors[i]);
	load_idt();
	for (const struct test *test = tests; test->name; test++) {
		if (!is_named(test->name))
			continue;
		test->run();
		power_off();
	}
	say("bad: no such test: %s", cmdline);
	failed++;
	power_off();
}

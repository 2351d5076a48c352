/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guest.h - what the tests in the payload guest are made of
 *
 * The guest has no operating system: it runs with the page tables, in which everything is mapped
 * one to one, that it was started with. It finds the machine as any guest does: boot_params, ACPI,
 * configuration space. It speaks on the serial port, a line per check, and powers off.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPUS_MAX    16
#define DEVICES_MAX 32
#define VECTOR_BASE 0x40u

typedef uint64_t u64;
typedef uint32_t u32;
typedef uint16_t u16;
typedef uint8_t u8;

/* Names as in asm-generic/io.h: exactly one access of that width. */
static inline u32 read32(u64 at)
{
	return *(volatile u32 *)at;
}

static inline u64 read64(u64 at)
{
	return *(volatile u64 *)at;
}

static inline u8 read8(u64 at)
{
	return *(volatile u8 *)at;
}

static inline u16 read16(u64 at)
{
	return *(volatile u16 *)at;
}

static inline void write32(u64 at, u32 value)
{
	*(volatile u32 *)at = value;
}

static inline void write64(u64 at, u64 value)
{
	*(volatile u64 *)at = value;
}

static inline void write16(u64 at, u16 value)
{
	*(volatile u16 *)at = value;
}

static inline void write8(u64 at, u8 value)
{
	*(volatile u8 *)at = value;
}

static inline void out8(u16 port, u8 value)
{
	__asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static inline u8 in8(u16 port)
{
	u8 value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void out16(u16 port, u16 value)
{
	__asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port));
}

static inline void pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline u64 rdtsc(void)
{
	u32 low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (u64)high << 32 | low;
}

/* A CXL device with the bridge, port and window above it. */
struct device {
	u64 config;       /* address of its configuration space */
	u64 port;         /* and of its root port's */
	u64 bridge_block; /* component registers of the host bridge */
	u64 window, window_size;
	u64 bars[6];
	u64 hdm;        /* HDM decoder capability in BAR 0 */
	u64 bridge_hdm; /* the same of the host bridge */
	u32 dvsec;      /* CXL Device DVSEC */
	u32 pcie;       /* PCI Express capability */
	u32 msix;       /* 0: none */
	u32 port_pcie;  /* PCI Express capability of the root port */
	u32 port_dvsec; /* CXL Port Extensions DVSEC of the root port */
	u32 command;    /* to be put back after a reset */
	u32 bar_registers[6];
};

extern struct device devices[DEVICES_MAX];
extern unsigned int n_devices;
extern unsigned int n_cpus; /* as the MADT lists them */
extern volatile u32 interrupts[16];

/* Of the HDM decoder capability. */
#define HDM_GLOBAL  0x04u
#define HDM_BASE    0x10u
#define HDM_SIZE    0x18u
#define HDM_CONTROL 0x20u

#define HDM_LOCK      (1u << 8)
#define HDM_COMMIT    (1u << 9)
#define HDM_COMMITTED (1u << 10)

/* Text to the serial port: %x, %u, %s only; %x takes 64 bits. */
void say(const char *format, ...);
/* One line of result; the run fails if any does. */
void check_equal(const char *what, u64 wanted, u64 found);

/* The word "NAME=..." of the command line as a number, or 0. */
u64 parameter(const char *name);
bool is_named(const char *test);

__attribute__((noreturn)) void power_off(void);
__attribute__((noreturn)) void machine_reset(void);
void *copy(void *to, const void *from, size_t n);
void *set(void *to, int byte, size_t n);

/* An ACPI table, 0 if there is none. */
u64 find_table(u32 signature);

/* Read BARs and capabilities of a device anew. */
void find_device(struct device *device);
/* What a reset took: BARs and command register. */
void restore_device(const struct device *device);

/* Is the HDM decoder capability at hdm as the device's has to be? what goes before the lines. */
void check_decoder(const struct device *device, u64 hdm, const char *what);

/* Run work on another CPU, once; wait until it has ended. */
void start_cpu(unsigned int id, void (*work)(void));
void join_cpu(unsigned int id);
/*
 * From here on this CPU, not the first, runs in ring 3 if the word "user" is there: a software KVM
 * emulates what runs in ring 0, and only this is as fast as the processor. There are no ports,
 * interrupts or faults for it.
 */
void be_user(void);
/* Run work on CPU 1 with be_user if the word "user" is there, else here; wait until it has ended. */
void run_fast(void (*work)(void));
extern volatile u32 cpus_started;

/* Interrupts on, vectors VECTOR_BASE to +15 counted in interrupts[]. */
void interrupts_on(void);
void interrupts_off(void);
/* A check that interrupts[n] becomes count within some time, or so many turns: patience=HEX. */
void check_interrupt(const char *what, unsigned int n, u32 count);

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test tests[];

#endif

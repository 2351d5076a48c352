/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c - tests with the copy engine and its interrupts */
#include "engine.h"
#include "guest.h"

#define DIRECTION   0x08u
#define INTERRUPT   (1u << 8)
#define VECTOR      0x0cu
#define SOURCE      0x10u
#define DESTINATION 0x18u
#define LENGTH      0x20u
#define DOORBELL    0x24u
#define STATUS      0x28u
#define BYTES       0x2cu

#define TO_DEVICE   0u
#define FROM_DEVICE 1u

#define STATUS_BUSY 0x1u
#define STATUS_DONE 0x2u
#define ERROR(code) (0x4u | (code) << 8)

#define BUS_MASTER  4u
#define MSIX_ENABLE 0x8000u
#define MSIX_MASK   0x4000u
#define ENTRY       16u

#define BUFFER       0x5000000ull /* in RAM, above the guest itself */
#define BUFFER_BACK  0x5800000ull
#define COPY_LENGTH  0x3000u
#define DEVICE_PLACE 0x123000ull

#define LONG_COPY 0x2000000u

static void bus_master(struct device *d)
{
	d->command |= BUS_MASTER;
	write16(d->config + 4, (u16)d->command);
}

/* Start one copy; the status when it is over. */
static u32 engine_copy(const struct device *d, u32 direction, u64 from, u64 to, u32 length)
{
	u64 e = d->bars[2];

	write32(e + DIRECTION, direction);
	write64(e + SOURCE, from);
	write64(e + DESTINATION, to);
	write32(e + LENGTH, length);
	write32(e + DOORBELL, 1);
	while (read32(e + STATUS) & STATUS_BUSY)
		pause();
	return read32(e + STATUS);
}

u64 msix_table(const struct device *d)
{
	u32 table = read32(d->config + d->msix + 4);

	return d->bars[table & 7] + (table & ~7u);
}

static u64 pending(const struct device *d)
{
	u32 pba = read32(d->config + d->msix + 8);

	return read64(d->bars[pba & 7] + (pba & ~7u));
}

static void set_vector(const struct device *d, unsigned int n, bool masked)
{
	u64 entry = msix_table(d) + n * ENTRY;

	write32(entry, 0xfee00000);
	write32(entry + 4, 0);
	write32(entry + 8, VECTOR_BASE + n);
	write32(entry + 12, masked);
}

static void msix_control(const struct device *d, u16 bits)
{
	u16 control = read16(d->config + d->msix + 2);

	write16(d->config + d->msix + 2, (u16)((control & 0x3fff) | bits));
	check_equal("MSI-X control reads back", bits,
		    read16(d->config + d->msix + 2) & (MSIX_ENABLE | MSIX_MASK));
}

void test_engine(void)
{
	for (unsigned int n = 0; n < n_devices; n++) {
		struct device *d = &devices[n];
		u64 bad = 0;

		bus_master(d);
		interrupts_on();
		set_vector(d, 1, false);
		set_vector(d, 2, false);
		msix_control(d, MSIX_ENABLE);
		for (u64 at = 0; at < COPY_LENGTH; at += 8) {
			write64(BUFFER + at, (parameter("seed") + n) * 0x9e3779b97f4a7c15ull + at);
			write64(BUFFER_BACK + at, 0);
		}
		interrupts[1] = interrupts[2] = 0;
		write32(d->bars[2] + VECTOR, 1);
		check_equal(
			"copied to the device", STATUS_DONE,
			engine_copy(d, TO_DEVICE | INTERRUPT, BUFFER, DEVICE_PLACE, COPY_LENGTH));
		check_interrupt("its interrupt came", 1, 1);
		for (u64 at = 0; at < COPY_LENGTH; at += 8)
			bad += read64(d->window + DEVICE_PLACE + at) != read64(BUFFER + at);
		check_equal("words that differ in the device", 0, bad);
		write32(d->bars[2] + VECTOR, 2);
		check_equal("copied back", STATUS_DONE,
			    engine_copy(d, FROM_DEVICE | INTERRUPT, DEVICE_PLACE, BUFFER_BACK,
					COPY_LENGTH));
		check_interrupt("the other interrupt came", 2, 1);
		for (u64 at = 0; at < COPY_LENGTH; at += 8)
			bad += read64(BUFFER_BACK + at) != read64(BUFFER + at);
		check_equal("words that differ in RAM", 0, bad);
		check_equal("no interrupt twice", 1, interrupts[1]);
		check_equal("nothing pending", 0, pending(d));
		msix_control(d, 0);
		interrupts_off();
	}
}

/* Wrong commands end with their error, and nothing else happens. */
void test_engine_errors(void)
{
	struct device *d = &devices[0];

	write64(BUFFER, 0x1111);
	write64(d->window, 0x2222);
	check_equal("no bus master", ERROR(6), engine_copy(d, TO_DEVICE, BUFFER, 0, 8));
	bus_master(d);
	check_equal("length 0", ERROR(2), engine_copy(d, TO_DEVICE, BUFFER, 0, 0));
	check_equal("beyond the device's memory", ERROR(3),
		    engine_copy(d, TO_DEVICE, BUFFER, d->window_size - 4, 8));
	check_equal("guest address that wraps", ERROR(4),
		    engine_copy(d, TO_DEVICE, ~0ull - 3, 0, 8));
	check_equal("no RAM there", ERROR(7), engine_copy(d, TO_DEVICE, 1ull << 40, 0, 8));
	check_equal("RAM ends within", ERROR(7),
		    engine_copy(d, TO_DEVICE, parameter("memory") - 4, 0x1000, 8));
	check_equal("what came before has arrived, and is told", 4, read32(d->bars[2] + BYTES));
	check_equal("no such direction", ERROR(1), engine_copy(d, 3, BUFFER, 0, 8));
	check_equal("RAM is untouched", 0x1111, read64(BUFFER));
	check_equal("device memory is untouched", 0x2222, read64(d->window));
}

/*
 * Until it is stopped from outside: long copies to the start of the device's memory, without a pause. The
 * first and the last word are the number of the copy, so that a copy on its way is seen from there.
 */
void test_copies(void)
{
	struct device *d = &devices[0];

	bus_master(d);
	say("guest: waiting");
	for (u64 n = 1;; n++) {
		write64(BUFFER, n);
		write64(BUFFER + LONG_COPY - 8, n);
		check_equal("copied", STATUS_DONE, engine_copy(d, TO_DEVICE, BUFFER, 0, LONG_COPY));
	}
}

static void provoke(const struct device *d, const char *what)
{
	check_equal(what, STATUS_DONE,
		    engine_copy(d, TO_DEVICE | INTERRUPT, BUFFER, DEVICE_PLACE, 8));
}

void test_masks(void)
{
	struct device *d = &devices[0];
	u64 table = msix_table(d);

	check_equal("vectors are masked at reset", 1, read32(table + 12));
	bus_master(d);
	interrupts_on();
	write32(d->bars[2] + VECTOR, 0);
	set_vector(d, 0, true);
	check_equal("the entry reads back", 0xfee00000, read32(table));
	check_equal("its data too", VECTOR_BASE, read32(table + 8));
	provoke(d, "with MSI-X off");
	check_equal("off: nothing pending", 0, pending(d));

	msix_control(d, MSIX_ENABLE);
	provoke(d, "with the vector masked");
	provoke(d, "twice");
	check_equal("masked: pending", 1, pending(d));
	check_equal("masked: no interrupt", 0, interrupts[0]);
	write32(table + 12, 0);
	check_interrupt("unmasked: it comes", 0, 1);
	check_equal("nothing is pending any more", 0, pending(d));

	msix_control(d, MSIX_ENABLE | MSIX_MASK);
	provoke(d, "with the function masked");
	check_equal("function masked: pending", 1, pending(d));
	check_equal("function masked: no interrupt", 1, interrupts[0]);
	msix_control(d, MSIX_ENABLE);
	check_interrupt("function unmasked: it comes", 0, 2);

	/* A message that changes while it may be sent. */
	write32(table + 8, VECTOR_BASE + 3);
	provoke(d, "with another message");
	check_interrupt("the new message comes", 3, 1);
	check_equal("and not the old one", 2, interrupts[0]);

	write32(table + 12, 1);
	provoke(d, "masked again");
	check_equal("pending", 1, pending(d));
	msix_control(d, 0);
	msix_control(d, MSIX_ENABLE);
	check_equal("switching MSI-X off forgets it", 0, pending(d));
	write8(table + 12, 0);
	check_equal("a byte is not written", 1, read32(table + 12));
	interrupts_off();
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* resets.c - resets of every kind while other CPUs store to device memory */
#include "resets.h"
#include "engine.h"
#include "guest.h"

#define DEVCTL      0x08u /* in the PCI Express capability */
#define DEVCTL_FLR  0x8000u
#define CAPABILITY  0x0au /* in the CXL Device DVSEC */
#define CXL_RESET   0x80u
#define CONTROL2    0x10u
#define INITIATE    0x4u
#define STATUS2     0x12u
#define COMPLETE    0x2u
#define RESET_ERROR 0x4u

#define BRIDGE_CONTROL 0x3eu
#define BUS_RESET      0x40u
#define PORT_CONTROL   0x0cu /* in the Port Extensions DVSEC */
#define UNMASK_SBR     0x1u

#define ROUNDS 5u

/* Survives a reset of the machine: RAM far above the guest. */
#define BOOT_COUNT 0x6000000ull

static volatile bool storm;
static volatile u64 stores[CPUS_MAX];

static void hammer(unsigned int cpu)
{
	const struct device *d = &devices[0];
	u64 place = d->window + (u64)cpu * 0x10000;

	be_user();
	while (storm) {
		write64(place + (stores[cpu] * 8 & 0xffff), stores[cpu]);
		stores[cpu]++;
	}
}

static void hammer1(void)
{
	hammer(1);
}

static void hammer2(void)
{
	hammer(2);
}

static void begin_storm(void)
{
	storm = true;
	start_cpu(1, hammer1);
	start_cpu(2, hammer2);
}

/* Until both have stored some more. */
static void let_it_rage(void)
{
	for (unsigned int cpu = 1; cpu <= 2; cpu++) {
		u64 enough = stores[cpu] + 100;

		while (stores[cpu] < enough)
			pause();
	}
}

static void end_storm(void)
{
	storm = false;
	join_cpu(1);
	join_cpu(2);
}

static void works(const struct device *d)
{
	check_decoder(d, d->hdm, "endpoint after the reset");
	check_decoder(d, d->bridge_hdm, "host bridge after the reset");
	write64(d->window + 0x100000, 0xfeedbeef);
	write64(d->window + d->window_size - 8, 0xabcdef);
	check_equal("memory answers", 0xfeedbeef, read64(d->window + 0x100000));
	check_equal("memory answers at its end", 0xabcdef, read64(d->window + d->window_size - 8));
}

void flr(struct device *d)
{
	write16(d->config + d->pcie + DEVCTL, DEVCTL_FLR);
	check_equal("BAR 0 is at its reset value", 0, read32(d->config + 0x10) & ~0xfu);
	check_equal("memory space is off", 0, read16(d->config + 4) & 2);
	restore_device(d);
}

void bus_reset(struct device *d)
{
	u16 control = read16(d->port + BRIDGE_CONTROL);

	write16(d->port + d->port_dvsec + PORT_CONTROL, UNMASK_SBR);
	write16(d->port + BRIDGE_CONTROL, control | BUS_RESET);
	check_equal("in reset nobody answers", ~0u, read32(d->config));
	check_equal("memory neither", ~0ull, read64(d->window + 0x100000));
	write16(d->port + BRIDGE_CONTROL, control);
	check_equal("the device is back", 0xc0021234, read32(d->config));
	check_equal("BAR 0 is at its reset value", 0, read32(d->config + 0x10) & ~0xfu);
	restore_device(d);
}

static void cxl_reset(struct device *d)
{
	u16 status;

	write16(d->config + d->dvsec + CONTROL2, INITIATE);
	do {
		status = read16(d->config + d->dvsec + STATUS2);
	} while (!(status & (COMPLETE | RESET_ERROR)));
	check_equal("CXL reset is complete, without error", COMPLETE,
		    status & (COMPLETE | RESET_ERROR));
	restore_device(d);
}

#define MSIX_ENABLE 0x8000u
#define MSIX_BITS   0xc000u

/* What the guest has made of MSI-X does not survive. */
static void reset_with_msix(struct device *d, void (*reset)(struct device *d), const char *what)
{
	u64 at = d->config + d->msix + 2;

	say(what);
	write16(at, (u16)(read16(at) | MSIX_ENABLE));
	write32(msix_table(d), 0xfee00000);
	write32(msix_table(d) + 8, VECTOR_BASE);
	write32(msix_table(d) + 12, 0);
	check_equal("MSI-X is on", MSIX_ENABLE, read16(at) & MSIX_BITS);
	check_equal("vector 0 is not masked", 0, read32(msix_table(d) + 12));
	reset(d);
	check_equal("MSI-X is off", 0, read16(at) & MSIX_BITS);
	check_equal("vector 0 has no address", 0, read32(msix_table(d)));
	check_equal("and no data", 0, read32(msix_table(d) + 8));
	check_equal("it is masked", 1, read32(msix_table(d) + 12));
}

void test_reset_msix(void)
{
	reset_with_msix(&devices[0], flr, "function-level reset");
	reset_with_msix(&devices[0], bus_reset, "bus reset");
}

/* Nor does what it has made of the port, when the machine is reset. */
void test_reset_port(void)
{
	const struct device *d = &devices[0];
	u64 at = d->port + d->port_dvsec + PORT_CONTROL;

	check_equal("port control at its reset value", 0, read16(at));
	if (read64(BOOT_COUNT))
		return;
	write16(at, UNMASK_SBR);
	check_equal("and written", UNMASK_SBR, read16(at));
	write64(BOOT_COUNT, 1);
	machine_reset();
}

static void storm_of(void (*reset)(struct device *d))
{
	struct device *d = &devices[0];

	begin_storm();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		let_it_rage();
		reset(d);
		works(d);
	}
	let_it_rage();
	end_storm();
	works(d);
}

void test_storm_flr(void)
{
	storm_of(flr);
}

void test_storm_bus(void)
{
	storm_of(bus_reset);
}

void test_storm_cxl(void)
{
	const struct device *d = &devices[0];

	if (!(read16(d->config + d->dvsec + CAPABILITY) & CXL_RESET)) {
		say("guest: no CXL reset");
		return;
	}
	storm_of(cxl_reset);
}

void test_storm_system(void)
{
	u64 boots = read64(BOOT_COUNT);

	works(&devices[0]);
	if (boots == ROUNDS)
		return;
	write64(BOOT_COUNT, boots + 1);
	begin_storm();
	let_it_rage();
	machine_reset();
}

/* For ever: what is reset meanwhile is reset from outside. */
void test_hammer(void)
{
	begin_storm();
	let_it_rage();
	say("guest: waiting");
	for (;;)
		let_it_rage();
}

static volatile bool lost;

static void hammer_when_lost(void)
{
	const struct device *d = &devices[0];

	be_user();
	while (read64(d->window + d->window_size - 8) != ~0ull)
		pause();
	lost = true;
	hammer(1);
}

/*
 * Somebody takes the memory away while one CPU loads and one stores: ones from then on. What took it
 * away has ended before a byte comes in; the CPUs go on.
 */
static void until_it_can_return(const struct device *d)
{
	u64 last = d->window + d->window_size - 8;

	write64(last, 0x1234);
	storm = true;
	start_cpu(1, hammer_when_lost);
	start_cpu(2, hammer2);
	while (!stores[2])
		pause();
	say("guest: waiting");
	while (!lost)
		pause();
	check_equal("ones at the start", ~0ull, read64(d->window + 0x1000));
	write64(last, 0x5678);
	check_equal("what is written vanishes", ~0ull, read64(last));
	let_it_rage();
	check_decoder(d, d->hdm, "the decoder is as it was");
	say("guest: lost");
	while (!(in8(0x3fd) & 1))
		pause();
}

void test_memory_lost(void)
{
	struct device *d = &devices[0];

	until_it_can_return(d);
	flr(d);
	works(d);
	let_it_rage();
	end_storm();
	works(d);
}

/* The same, and it comes back by a reset of the machine. */
void test_memory_lost_reset(void)
{
	u64 boots = read64(BOOT_COUNT);

	works(&devices[0]);
	if (boots)
		return;
	write64(BOOT_COUNT, 1);
	until_it_can_return(&devices[0]);
	let_it_rage();
	machine_reset();
}

/* As a port with a CXL link is after reset: it does not pass a bus reset on. */
void test_bus_masked(void)
{
	const struct device *d = &devices[0];
	u16 control = read16(d->port + BRIDGE_CONTROL);

	write16(d->port + BRIDGE_CONTROL, control | BUS_RESET);
	check_equal("the bit stays", BUS_RESET, read16(d->port + BRIDGE_CONTROL) & BUS_RESET);
	check_equal("the device answers", 0xc0021234, read32(d->config));
	write16(d->port + BRIDGE_CONTROL, control);
	works(d);
}

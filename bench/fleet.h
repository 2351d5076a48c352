/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fleet.h - n software devices in one machine, and a host that maps nothing: what the engine costs
 * without a guest and without a kernel
 */
#ifndef BENCH_FLEET_H
#define BENCH_FLEET_H

#include <cxlvm/cxlvm.h>

#define FLEET_MAX CXLVM_WINDOWS_MAX

struct fleet_device {
	struct cxlvm_transport transport;
	struct cxlvm_device_ops ops; /* counting, in front of the transport */
	struct cxlvm_endpoint *endpoint;
	uint64_t calls; /* of the device */
	uint32_t bar;   /* of the HDM decoder capability */
	uint64_t hdm;   /* its offset there */
};

struct fleet {
	struct cxlvm_machine *machine;
	unsigned int n;
	struct fleet_device devices[FLEET_MAX];
};

/* Open n sim devices of a generation (as cxlvm_sim_config), each with memory bytes. */
void fleet_open(struct fleet *fleet, unsigned int n, unsigned int generation, uint64_t memory);
/*
 * Machine, bridges, realize, freeze, machine done, CEDT and AML of the bridges. split: each device
 * has an excluded range in the page of its decoder, so that its registers are two spans.
 */
void fleet_plan(struct fleet *fleet, bool split);
/* Prepare and finish one system reset of all devices. */
void fleet_prepare(struct fleet *fleet);
void fleet_reset_devices(struct fleet *fleet);
void fleet_done(struct fleet *fleet);
/* The other way: unplan ends what plan made, close what open made. */
void fleet_unplan(struct fleet *fleet);
void fleet_close(struct fleet *fleet);

#endif

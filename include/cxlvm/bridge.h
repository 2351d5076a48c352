/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/bridge.h - CXL host bridge and CXL root port as the guest finds them
 *
 * For hosts without a model of their own: the component register block of a host bridge, with one
 * HDM decoder, and the CXL part (DVSECs, component block) of a root port. PCI header, windows and bus
 * numbers stay the host's.
 *
 * The host bridge's decoder 0 has to be committed over exactly the range of the endpoint's, with
 * the root port's number as its target; without it Linux does not assemble a region.
 *
 * Reads may run at any time on any thread; everything else is serialized by the host.
 */
#ifndef CXLVM_BRIDGE_H
#define CXLVM_BRIDGE_H

#include <cxlvm/base.h>
#include <cxlvm/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxlvm_bridge;

struct cxlvm_bridge_config {
	size_t size; /* sizeof(struct cxlvm_bridge_config) */
	/* Locked: only cxlvm_bridge_publish changes decoder 0. Guest: the guest programs it. */
	enum cxlvm_decoder_policy decoder;
	/*
	 * Policy guest, else not called: from now on decoder 0 decodes this (size 0: nothing). Called
	 * within cxlvm_bridge_write and cxlvm_bridge_reset: after a commit, but before a decommit can
	 * be read, so that the memory is gone first (contract 3.3). Pass it on to the endpoint below:
	 * cxlvm_endpoint_bridge_changed, under that endpoint's lock.
	 */
	void (*changed)(void *host, const struct cxlvm_bridge_decoder *decoder);
	void *host; /* first argument of changed */
};

/*
 * Make a host bridge in its reset state (nothing committed). config is copied; NULL: policy locked.
 * -EINVAL (config; changed missing with policy guest), -ENOMEM. Ended with destroy.
 */
CXLVM_PUBLIC int cxlvm_bridge_create(const struct cxlvm_bridge_config *config,
				     struct cxlvm_bridge **bridge, struct cxlvm_error *err);
CXLVM_PUBLIC void cxlvm_bridge_destroy(struct cxlvm_bridge *bridge);

/*
 * System reset: registers to their reset values, nothing committed. Before reset_done of any
 * endpoint below.
 */
CXLVM_PUBLIC void cxlvm_bridge_reset(struct cxlvm_bridge *bridge);

/*
 * Show the range and port of *decoder in decoder 0, committed and locked, with global enable set,
 * read-only for the guest until the next call. Of control only the target range type counts: a
 * decoder that is shown here is always committed. size (bytes) 0 takes it away.
 * -EINVAL when base or size is no multiple of 256 MiB or the range wraps, -EPERM with policy guest.
 */
CXLVM_PUBLIC int cxlvm_bridge_publish(struct cxlvm_bridge *bridge,
				      const struct cxlvm_bridge_decoder *decoder);

/* What decoder 0 shows now; size is 0 when it is not committed. */
CXLVM_PUBLIC void cxlvm_bridge_get(const struct cxlvm_bridge *bridge,
				   struct cxlvm_bridge_decoder *decoder);

/*
 * Guest access to the component block (64 KiB at the CHBS base): offset from its start, length 1
 * to 8 bytes at any alignment, value as a number. Access rules as for endpoints (contract 3.2).
 * With policy guest decoder 0 behaves as in contract 3.3; a commit fails, with the error bit, when
 * the decoder interleaves or its range wraps around. Whether the range is any endpoint's is not
 * checked here: the endpoint compares.
 */
CXLVM_PUBLIC uint64_t cxlvm_bridge_read(const struct cxlvm_bridge *bridge, uint64_t offset,
					unsigned int length);
CXLVM_PUBLIC void cxlvm_bridge_write(struct cxlvm_bridge *bridge, uint64_t offset,
				     unsigned int length, uint64_t value);

struct cxlvm_root_port;

struct cxlvm_root_port_config {
	size_t size;          /* sizeof(struct cxlvm_root_port_config) */
	unsigned int bar;     /* 0 to 5: the BAR with the component block, at offset 0 of it */
	uint16_t first_dvsec; /* where the DVSECs begin; 0 means 0x100 */
	uint16_t next;        /* next pointer of the last one: the host's own, 0 for none */
};

/*
 * Make the CXL part of a root port: DVSECs 3, 4, 7 and 8, one after the other (0x6c bytes), and a
 * component block with RAS. -EINVAL (BAR, or DVSECs outside extended config space), -ENOMEM.
 */
CXLVM_PUBLIC int cxlvm_root_port_create(const struct cxlvm_root_port_config *config,
					struct cxlvm_root_port **port, struct cxlvm_error *err);
CXLVM_PUBLIC void cxlvm_root_port_destroy(struct cxlvm_root_port *port);
CXLVM_PUBLIC void cxlvm_root_port_reset(struct cxlvm_root_port *port);

/*
 * Guest access to extended config space of the root port: offset from first_dvsec to 0xfff, length
 * 1, 2 or 4, naturally aligned. Offsets without a register read 0.
 */
CXLVM_PUBLIC uint32_t cxlvm_root_port_config_read(const struct cxlvm_root_port *port,
						  uint32_t offset, unsigned int length);
CXLVM_PUBLIC void cxlvm_root_port_config_write(struct cxlvm_root_port *port, uint32_t offset,
					       unsigned int length, uint32_t value);

/* Guest access to its component block, a 64 KiB BAR; rules as cxlvm_bridge_read and _write. */
CXLVM_PUBLIC uint64_t cxlvm_root_port_read(const struct cxlvm_root_port *port, uint64_t offset,
					   unsigned int length);
CXLVM_PUBLIC void cxlvm_root_port_write(struct cxlvm_root_port *port, uint64_t offset,
					unsigned int length, uint64_t value);

#ifdef __cplusplus
}
#endif

#endif

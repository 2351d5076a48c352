/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/passthrough.h - the life of one CXL Type-2 device in a virtual machine
 *
 * Verbs, in the order a host calls them:
 *
 *   realize        read and check everything, reserve (or match and claim) a window
 *   (freeze)       cxlvm_machine_freeze, where cxlvm places windows
 *   machine_done   repeat the checks, take the claim
 *   reset_prepare  before each reset: no vCPU reaches device memory afterwards
 *   reset_done     after each reset, the first system reset included: ask the device, program,
 *                  publish, map - all or nothing
 *   unrealize      dark: reads answer ones, no device call after it
 *   free           after the last reader
 *
 * Threads. The host serializes all calls for one endpoint (its per-device lock; the library has
 * none), except those marked "any time": they are lock-free, allocate nothing and may run on any
 * thread until free.
 *
 * One rule holds between any two verbs: the memory is mapped exactly when decoder 0 is committed,
 * global decoder enable and DVSEC Mem_Enable are set and the device is usable; it is then at the
 * base and with the size that the decoder shows (P3). A verb that fails leaves everything as it
 * found it, except decoder 0's error bit, the reason kept for "unusable" and the event (P4).
 *
 * With decoder policy guest there is one condition more: decoder 0 of the host bridge is committed
 * over the same range, with the root port as target (cxlvm_endpoint_bridge_changed). The guest
 * programs decoder 0 with ordinary register writes, in which everything happens: reg_write of a
 * commit checks the range (contract 3.3), asks the device, has the memory prepared and mapped for
 * DMA, and either sets committed or changes nothing and sets the error bit, with the reason in an
 * event; of a decommit, it takes all of that away first.
 */
#ifndef CXLVM_PASSTHROUGH_H
#define CXLVM_PASSTHROUGH_H

#include <cxlvm/base.h>
#include <cxlvm/host.h>
#include <cxlvm/vfio.h>
#include <cxlvm/window.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxlvm_endpoint;

/* A part of a BAR that the host serves itself (MSI-X table, PBA): cut out of what is trapped. */
struct cxlvm_bar_range {
	uint32_t bar;
	uint64_t offset;
	uint64_t size;
};

/* How a device is used (contract 1). Values are ABI. */
enum cxlvm_cxl_mode {
	CXLVM_CXL_AUTO = 0, /* as the kernel says: CXL flag of device info */
	CXLVM_CXL_ON = 1,   /* as a CXL device, or it is refused */
	CXLVM_CXL_OFF = 2,  /* as a plain PCI device, in which the guest finds no CXL device */
};

struct cxlvm_endpoint_config {
	size_t size;         /* sizeof(struct cxlvm_endpoint_config) */
	const char *name;    /* for messages, traces, claims; copied; at most 63 bytes */
	uint32_t bridge_uid; /* _UID of the CXL host bridge above the device */
	uint8_t port;        /* number of the root port directly above the device */
	uint64_t page_size;  /* of the host, a power of two from 4 KiB to 64 KiB */
	/*
	 * Where cxlvm places windows: put this device's window there. Where the host placed them:
	 * the decoder's base, which must lie in the matched window. Multiple of 256 MiB, not 0.
	 */
	bool has_window_base;
	struct cxlvm_gpa window_base;
	/*
	 * Usable I/O addresses, at most 32 ranges; n_iova 0 means no limit. Copied. A window that
	 * cxlvm places goes where they are; all others are checked (WIN-3).
	 */
	const struct cxlvm_iova_range *iova;
	size_t n_iova;
	/* Copied. (OVL-4) */
	const struct cxlvm_bar_range *exclude;
	size_t n_exclude; /* at most 4 */
	/* The machine runs already: a device in CXL mode is refused (contract 11). */
	bool hotplug;
	/*
	 * That of the host bridge above has to be the same. With policy guest window_base only
	 * moves a window that cxlvm places.
	 */
	enum cxlvm_decoder_policy decoder;
	/* Values not known are -EINVAL. */
	enum cxlvm_cxl_mode mode;
	/*
	 * Name of the window, at most 63 bytes; copied; NULL or "": by topology. Where the host
	 * placed windows: use this one, which must target the host bridge all the same. Where
	 * cxlvm places them: what the one made for this device is called.
	 */
	const char *window;
	/*
	 * Device memory must be in the I/O address space of the device: unless the host says so
	 * (dma_map, and dma_state after it enabled the map), programming fails. Otherwise that is a failure only
	 * while the device has ATS enabled, and one warning for the rest (DMA-2).
	 */
	bool require_dma;
	/*
	 * Accept device memory that the kernel does not let user space map (REG-4), for debugging:
	 * decoder 0 is never committed, the window stays dark.
	 */
	bool allow_slow;
};

/*
 * Take a device. Reads info and regions through ops, decides the generation of the kernel
 * interface, checks everything that can be checked, and reserves a window - or, on a machine
 * whose windows the host has placed and frozen, matches and claims one. Nothing is programmed and
 * nothing is mapped.
 *
 * A device that is no CXL device (CXL flag clear and mode auto) or is not to be one (mode off)
 * becomes a plain endpoint (cxlvm_endpoint_is_plain): it needs no host bridge and no window, may be
 * added to a running machine, traps nothing, and every verb succeeds without a call. Its config
 * filter passes everything on, save that with mode off the CXL Device DVSEC and the Register
 * Locator entries of the component block are hidden (DET-4). A clear flag in mode auto costs one
 * call for device info (DET-1).
 *
 * ops, device, host_ops and host stay the caller's and must outlive the endpoint. On success
 * *endpoint belongs to the caller. On failure nothing is left behind. Errors: -EINVAL, -E2BIG (config),
 * -ENODEV (mode on: not a CXL device), -EOPNOTSUPP (a shape that is not supported), -EPROTO (what the
 * device says contradicts itself), -ENXIO (decoder not committed by firmware), -ENOENT, -ERANGE,
 * -EEXIST, -ENOSPC (window), -ENOMEM, and whatever the device returned.
 */
CXLVM_PUBLIC int cxlvm_endpoint_realize(struct cxlvm_machine *machine,
					const struct cxlvm_endpoint_config *config,
					const struct cxlvm_device_ops *ops, void *device,
					const struct cxlvm_host_ops *host_ops, void *host,
					struct cxlvm_endpoint **endpoint, struct cxlvm_error *err);

/*
 * The machine is complete. Repeats the checks of placement with final values and takes the claim
 * on the window. No device access. May be repeated, and may be called right after realize when
 * the machine is frozen. -EAGAIN before freeze; -EEXIST when another device has the window;
 * -ERANGE when the window is outside the usable I/O addresses.
 */
CXLVM_PUBLIC int cxlvm_endpoint_machine_done(struct cxlvm_endpoint *endpoint,
					     struct cxlvm_error *err);

/*
 * A reset of the real device is about to happen. Disables the map and removes it from the I/O
 * address space; for every kind but function and low power, the virtual registers go to their
 * reset values, and with decoder policy guest the map is released as well.
 * Idempotent; may nest and repeat, the strongest kind is remembered. Kind function and low power
 * leave registers alone. On generation 2 a cache-capable device is asked to write back and
 * invalidate its caches, as its kernel does not. -EINVAL for an unknown kind, -ENODEV after
 * unrealize, -EBUSY from within a host operation of reset_done (a mistake of the host: nothing
 * changes).
 */
CXLVM_PUBLIC int cxlvm_endpoint_reset_prepare(struct cxlvm_endpoint *endpoint,
					      enum cxlvm_reset_kind kind, struct cxlvm_error *err);

/* Value for result of reset_done: the host does not know how the reset ended. */
#define CXLVM_RESET_RESULT_UNKNOWN 1

/*
 * The reset is over (for kind system: of all devices and bridges). Runs the programming
 * transaction: ask the device whether the real decoder is committed and unchanged, write the
 * kernel's decoder where the generation has one, map for DMA, publish decoder 0 of endpoint and
 * host bridge and enable the map. With decoder policy guest nothing is published: a decoder that the
 * guest had committed and that the reset kept is mapped again, with the same steps. result is 0, a negative errno or CXLVM_RESET_RESULT_UNKNOWN; a
 * result of 0 is not believed. Within a stronger reset that is still being prepared it does
 * nothing. Legal without reset_prepare. On failure decoder 0 shows the error bit, nothing is
 * mapped, and the reason is also an event. Errors: -EAGAIN (before machine_done), -EINVAL, -ENODEV,
 * -EBUSY as above, -ENXIO (real decoder not committed), -EPROTO (size changed, read-back differs),
 * what the device or the host returned. A call without reset_prepare prepares first, and that is
 * not undone.
 *
 * After -EAGAIN the device is reset again, five times at most; a decoder that is not committed yet
 * is waited for, two seconds at most; after a hot reset that lost it, the device is reset once
 * more. A known failure of the reset (negative result) fails: the memory may hold what its last
 * user stored.
 */
CXLVM_PUBLIC int cxlvm_endpoint_reset_done(struct cxlvm_endpoint *endpoint,
					   enum cxlvm_reset_kind kind, int result,
					   struct cxlvm_error *err);

/*
 * Decoder policy guest: what decoder 0 of the host bridge above shows now. size 0, or control
 * without the committed bit: it is not committed. The map of device memory follows (and is gone, if
 * it has to be, when this returns), so a host calls it after every commit, before a decommit has its
 * effect, and when the bridge was reset. A host that uses cxlvm/bridge.h calls it in the function
 * "changed" of struct cxlvm_bridge_config. Until the first call, and after reset_prepare of kinds
 * system and wakeup, the bridge is taken as not committed. Serialized with the verbs; does nothing
 * with policy locked and after unrealize.
 */
CXLVM_PUBLIC void cxlvm_endpoint_bridge_changed(struct cxlvm_endpoint *endpoint,
						const struct cxlvm_bridge_decoder *decoder);

/*
 * A vCPU faulted on a mapped address without saying which (KVM: EFAULT, exit reason 0). Puts the real
 * Memory Space bit back on if somebody has switched it off, and asks the device whether its memory is
 * usable; if not, disables the map. When the bit was off, the memory is taken away and mapped anew. 1
 * if a map was disabled (enter the guest again), 0 if not. Called later, when a memory that was taken
 * away this way is usable again, it maps it again; so a host may also call it from a timer.
 */
CXLVM_PUBLIC int cxlvm_endpoint_recheck(struct cxlvm_endpoint *endpoint);

/*
 * Is address inside the mapping of this device's memory in this process? Reads only, any time,
 * async-signal-safe: for a SIGBUS handler (MAP-6).
 */
CXLVM_PUBLIC bool cxlvm_endpoint_host_owns_address(const struct cxlvm_endpoint *endpoint,
						   const void *address);

/*
 * The memory behind address in this process is broken: the kernel says so to a vCPU's thread, which
 * found it for the guest, with SIGBUS, BUS_MCEERR_AR (MAP-6). If it is this device's memory, the map is
 * disabled, and the guest reads ones until the device is reset; the event names the guest address.
 * For a host that cannot hand the guest a machine check of its own. With guest NULL no address is
 * known, nor a cause: a KVM_RUN that keeps failing with EFAULT while the device says that its memory is
 * usable; any address of the mapping says which memory it is, and the event says no more than that it
 * cannot be reached. Serialized with the verbs; not for the signal handler itself. 1 and *guest if it
 * is this device's memory, 0 if not.
 */
CXLVM_PUBLIC int cxlvm_endpoint_memory_error(struct cxlvm_endpoint *endpoint, const void *address,
					     struct cxlvm_gpa *guest);

/*
 * Take the device away from the guest: disable the map, remove it from the I/O address space,
 * release the claim. From here on register reads answer ones, writes vanish and no device call is
 * made, except for register reads that are under way. The real Memory Space bit stays as it is.
 * NULL is allowed; idempotent.
 */
CXLVM_PUBLIC void cxlvm_endpoint_unrealize(struct cxlvm_endpoint *endpoint);

/*
 * End of life, after the host's last reader is gone: host operation release, device operation
 * unmap, memory. Calls unrealize first if that was not done. NULL is allowed.
 */
CXLVM_PUBLIC void cxlvm_endpoint_free(struct cxlvm_endpoint *endpoint);

/*
 * Spans of BARs that the host must trap and hand to reg_read and reg_write: whole host pages,
 * less the excluded ranges. Fixed from realize on. Returns the number of spans and copies at most
 * n of them to spans. Any time.
 */
CXLVM_PUBLIC size_t cxlvm_endpoint_spans(const struct cxlvm_endpoint *endpoint,
					 struct cxlvm_bar_range *spans, size_t n);

/*
 * Guest access to a trapped span: bar and offset are those of the first byte, length is 1 to 8
 * bytes at any alignment; the value is a number (registers are little endian). What is not
 * allowed reads all ones, and such writes are dropped and counted (contract 3.2). reg_read: any
 * time. reg_write: serialized with the verbs.
 */
CXLVM_PUBLIC uint64_t cxlvm_endpoint_reg_read(struct cxlvm_endpoint *endpoint, uint32_t bar,
					      uint64_t offset, unsigned int length);
CXLVM_PUBLIC void cxlvm_endpoint_reg_write(struct cxlvm_endpoint *endpoint, uint32_t bar,
					   uint64_t offset, unsigned int length, uint64_t value);

/*
 * Guest reads length (1, 2 or 4) bytes of config space at offset; value is what the host merged
 * from the device and its own model. Returns what the guest may see. Any time.
 */
CXLVM_PUBLIC uint32_t cxlvm_endpoint_config_read(const struct cxlvm_endpoint *endpoint,
						 uint32_t offset, unsigned int length,
						 uint32_t value);

/*
 * Guest writes config space. begin comes before anything reaches the device: *device_value is what
 * to write there instead of value, and *kind is the reset that this write is (CXLVM_RESET_NONE
 * for most), for which begin has called reset_prepare already; returns false when nothing may be
 * written to the device. end comes after it and carries out what the write means for the virtual
 * device, reset_done included: function-level reset, CXL reset (really, or with the error bit in
 * CXL Status 2: RST-3), power state. One begin, one end.
 */
CXLVM_PUBLIC bool cxlvm_endpoint_config_write_begin(struct cxlvm_endpoint *endpoint,
						    uint32_t offset, unsigned int length,
						    uint32_t value, uint32_t *device_value,
						    enum cxlvm_reset_kind *kind);
CXLVM_PUBLIC void cxlvm_endpoint_config_write_end(struct cxlvm_endpoint *endpoint);

/*
 * Pieces of device memory with their addresses in this process, mapped or not: the number, and at
 * most n of them copied. None before the first successful reset_done; with decoder policy guest,
 * none while decoder 0 is not committed. Serialized with the verbs.
 */
CXLVM_PUBLIC size_t cxlvm_endpoint_memory_areas(const struct cxlvm_endpoint *endpoint,
						struct cxlvm_memory_area *areas, size_t n);

/* Getters, any time. */
CXLVM_PUBLIC const char *cxlvm_endpoint_name(const struct cxlvm_endpoint *endpoint);
/* In plain PCI mode: nothing of CXL is presented. Constant from realize on. */
CXLVM_PUBLIC bool cxlvm_endpoint_is_plain(const struct cxlvm_endpoint *endpoint);
/* 2 to 6: which generation of the kernel interface the device speaks; 0: plain. */
CXLVM_PUBLIC unsigned int cxlvm_endpoint_generation(const struct cxlvm_endpoint *endpoint);
/* Did firmware (of the host) commit the real decoder? Always true after realize, unless plain. */
CXLVM_PUBLIC bool cxlvm_endpoint_firmware_committed(const struct cxlvm_endpoint *endpoint);
/* Bytes of device memory. Decoder 0 presents all of them; with policy guest, at most these. */
CXLVM_PUBLIC uint64_t cxlvm_endpoint_memory_size(const struct cxlvm_endpoint *endpoint);
/* Is decoder 0, as the guest sees it, committed? */
CXLVM_PUBLIC bool cxlvm_endpoint_is_committed(const struct cxlvm_endpoint *endpoint);
/* Does device memory answer the guest? */
CXLVM_PUBLIC bool cxlvm_endpoint_memory_mapped(const struct cxlvm_endpoint *endpoint);
/*
 * Where device memory goes: the base of the window in the frozen map, or the base inside it that
 * the configuration names. With decoder policy guest it goes where decoder 0 says, in the window
 * that begins here. false before machine_done (own placement) or realize (placed windows),
 * and after unrealize.
 */
CXLVM_PUBLIC bool cxlvm_endpoint_window_base(const struct cxlvm_endpoint *endpoint,
					     struct cxlvm_gpa *base);
/*
 * The restrictions (CXLVM_WINDOW_*) that this device wants of its window, for hosts that make the
 * CFMWS themselves: fixed only with a locked decoder (ACPI-3).
 */
CXLVM_PUBLIC uint16_t cxlvm_endpoint_restrictions(const struct cxlvm_endpoint *endpoint);
/* Why device memory is not usable: "" when it is. The text is the endpoint's; not any time. */
CXLVM_PUBLIC const char *cxlvm_endpoint_unusable_reason(const struct cxlvm_endpoint *endpoint);

/*
 * Everything of an endpoint that a guest can see and change, without pointers: can be compared
 * and saved. One decoder today (CXLVM_DECODERS). Registers are numbers, a dword each.
 */
#define CXLVM_DECODERS 1

struct cxlvm_endpoint_state {
	uint32_t hdm[4 + 8 * CXLVM_DECODERS]; /* the HDM decoder capability structure */
	uint16_t dvsec_control;               /* CXL Device DVSEC: CXL Control */
	uint16_t dvsec_lock;                  /* CXL Device DVSEC: CXL Lock */
	uint16_t dvsec_control2;              /* CXL Control 2; bit 1: write-back was asked for */
	uint16_t dvsec_status2;               /* CXL Device DVSEC: CXL Status 2, reset bits only */
	uint8_t usable;                       /* real decoder committed when last asked */
	uint8_t mapped;                       /* the map is enabled */
};

/* Copy the state, as size bytes (sizeof(*state) as the caller knows it). Serialized with the verbs. */
CXLVM_PUBLIC void cxlvm_endpoint_get_state(const struct cxlvm_endpoint *endpoint,
					   struct cxlvm_endpoint_state *state, size_t size);

/* Counters of the endpoint since realize; size as for the state; any time. */
struct cxlvm_endpoint_counters {
	uint64_t writes;        /* of trapped registers */
	uint64_t bad_accesses;  /* of a size or at an offset that is not allowed */
	uint64_t device_errors; /* accesses that the device refused */
	uint64_t programmed; /* successful programming transactions, commits of a guest included */
	uint64_t program_failures;
	uint64_t warnings_left_out; /* events of kind warning, over the rate limit */
};

CXLVM_PUBLIC void cxlvm_endpoint_get_counters(const struct cxlvm_endpoint *endpoint,
					      struct cxlvm_endpoint_counters *counters,
					      size_t size);

#ifdef __cplusplus
}
#endif

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/window.h - the machine: CXL fixed memory windows, host bridges and the ranges around them
 *
 * A machine holds what the guest physical address space looks like where CXL is concerned. It is
 * used in one of two orders:
 *
 *  - cxlvm places the windows: add ranges and host bridges, realize endpoints (each reserves its
 *    window), freeze (bases exist from here on), machine done (each endpoint takes its claim);
 *  - the host has placed them (QEMU): add placed host bridges and windows, freeze, then realize
 *    endpoints, which match and claim their window at once.
 *
 * After freeze nothing changes any more: tables, registers and maps all read the same stored
 * values (P5). The machine belongs to the host and outlives all its endpoints. All calls for one
 * machine are made by one thread at a time; realize, machine_done, unrealize and free of its
 * endpoints count as such calls.
 *
 * Contract: sections 4 and 5, WIN-1 to WIN-6.
 */
#ifndef CXLVM_WINDOW_H
#define CXLVM_WINDOW_H

#include <cxlvm/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cxlvm_machine;

#define CXLVM_NAME_MAX    64 /* of devices, windows, bridges and ranges, with the final 0 */
#define CXLVM_WINDOWS_MAX 32 /* windows (and so devices) of one machine */
#define CXLVM_BRIDGES_MAX 32
#define CXLVM_RANGES_MAX  64
#define CXLVM_TARGETS_MAX 8 /* interleave targets that a placed window may name */

/* Window restrictions, the bits of a CFMWS entry (CXL 3.1, 9.18.1.3). */
#define CXLVM_WINDOW_DEVICE_COHERENT (1u << 0)
#define CXLVM_WINDOW_HOST_COHERENT   (1u << 1)
#define CXLVM_WINDOW_VOLATILE        (1u << 2)
#define CXLVM_WINDOW_PERSISTENT      (1u << 3)
#define CXLVM_WINDOW_FIXED           (1u << 4)
#define CXLVM_WINDOW_BI              (1u << 5)

/* Those of a Type-2 device (ACPI-2); with a locked decoder the window is fixed, too (ACPI-3). */
#define CXLVM_WINDOW_TYPE2_GUEST (CXLVM_WINDOW_DEVICE_COHERENT | CXLVM_WINDOW_VOLATILE)
#define CXLVM_WINDOW_TYPE2       (CXLVM_WINDOW_TYPE2_GUEST | CXLVM_WINDOW_FIXED)

struct cxlvm_machine_config {
	size_t size;                 /* sizeof(struct cxlvm_machine_config) */
	unsigned int phys_bits;      /* guest physical address width in bits, 32 to 52 */
	struct cxlvm_gpa place_from; /* automatic placement starts here (above RAM, 4 GiB) */
};

/* A fixed memory window as stored: what CEDT, registers and maps are made from. */
struct cxlvm_window {
	char name[CXLVM_NAME_MAX];
	bool has_base; /* false until freeze; base is meaningless then (WIN-5) */
	struct cxlvm_gpa base;
	uint64_t size;
	uint16_t restrictions; /* CXLVM_WINDOW_* */
	uint16_t qtg_id;
	unsigned int n_targets;
	uint32_t targets[CXLVM_TARGETS_MAX]; /* _UID of host bridges */
	char owner[CXLVM_NAME_MAX];          /* device that claims it; "" when free */
};

/* A CXL host bridge: its _UID and its component register block (64 KiB). */
struct cxlvm_bridge_place {
	char name[CXLVM_NAME_MAX];
	uint32_t uid;
	bool has_base;
	struct cxlvm_gpa base;
};

/*
 * Make a machine. -EINVAL for an address width out of range or place_from beyond it, -ENOMEM.
 * The caller owns *machine and ends it with cxlvm_machine_destroy, after the last endpoint.
 */
CXLVM_PUBLIC int cxlvm_machine_create(const struct cxlvm_machine_config *config,
				      struct cxlvm_machine **machine, struct cxlvm_error *err);

/* NULL is allowed. */
CXLVM_PUBLIC void cxlvm_machine_destroy(struct cxlvm_machine *machine);

/*
 * Say that a range is in use (RAM, a fixed device, a PCI window): no window or host-bridge block
 * may overlap it (WIN-2). name is copied. -EINVAL (size 0, wraps), -EEXIST (overlaps another
 * one: the message names both and their numbers), -ENOSPC (too many), -EBUSY (after freeze).
 */
CXLVM_PUBLIC int cxlvm_machine_add_range(struct cxlvm_machine *machine, const char *name,
					 struct cxlvm_gpa base, uint64_t size,
					 struct cxlvm_error *err);

/*
 * Add a CXL host bridge with integer _UID uid (a host that builds its own tables may use any number
 * of its own). base NULL: freeze places its block. *base not 0: the host has placed the block there,
 * a multiple of 64 KiB. *base 0: the host keeps the block to itself, it is in no table of ours.
 * After freeze only the last is possible, for hosts that create bridges later. -EEXIST for a uid
 * in use or a block that overlaps something, -EINVAL, -ENOSPC, -EBUSY as above.
 */
CXLVM_PUBLIC int cxlvm_machine_add_bridge(struct cxlvm_machine *machine, const char *name,
					  uint32_t uid, const struct cxlvm_gpa *base,
					  struct cxlvm_error *err);

/*
 * Add a window that the host has placed; one without an address is refused (WIN-4). base and size are
 * multiples of 256 MiB, base is not 0,
 * targets are uids of bridges, which may be added later. window->has_base is true; owner is
 * ignored. Errors as add_range, -ERANGE beyond the address width.
 */
CXLVM_PUBLIC int cxlvm_machine_add_window(struct cxlvm_machine *machine,
					  const struct cxlvm_window *window,
					  struct cxlvm_error *err);

/*
 * Place all host-bridge blocks, then all reserved windows, from place_from upwards, in the order of
 * cxlvm_machine_window. Each window is aligned to the largest power of two that divides its size
 * where there is room for that, and at least to 1 GiB (WIN-1), and lies within the I/O addresses that
 * its device can use (WIN-3); windows with an explicit base go there. All or nothing: on failure
 * nothing is placed. Errors: -ERANGE (no room below the address width, with both numbers), -EEXIST (an explicit base overlaps something), -EALREADY (frozen before).
 */
CXLVM_PUBLIC int cxlvm_machine_freeze(struct cxlvm_machine *machine, struct cxlvm_error *err);

CXLVM_PUBLIC bool cxlvm_machine_is_frozen(const struct cxlvm_machine *machine);

/*
 * After freeze: find room for one more range of size bytes aligned to align (power of two) above
 * everything placed so far and record it as in use; for the 64-bit PCI window of a host. *base is
 * set. -ERANGE when the address width ends before.
 */
CXLVM_PUBLIC int cxlvm_machine_place_range(struct cxlvm_machine *machine, const char *name,
					   uint64_t size, uint64_t align, struct cxlvm_gpa *base,
					   struct cxlvm_error *err);

/* Address width in bits, as given. */
CXLVM_PUBLIC unsigned int cxlvm_machine_phys_bits(const struct cxlvm_machine *machine);

/*
 * Windows and bridges by index, in the order they were added or reserved; NULL past the end. What
 * is returned stays the machine's and is valid until it is destroyed; a window's content may
 * change until freeze, its owner with each claim and release.
 */
CXLVM_PUBLIC const struct cxlvm_window *cxlvm_machine_window(const struct cxlvm_machine *machine,
							     unsigned int index);
CXLVM_PUBLIC const struct cxlvm_bridge_place *
cxlvm_machine_bridge(const struct cxlvm_machine *machine, unsigned int index);

/*
 * Switch trace points of all endpoints of this machine on or off by name; pattern is a shell
 * pattern ("*", "cxl_locked_hdm", "cxl_reset_*"). Returns how many names matched. Off costs one
 * untaken branch. See cxlvm/host.h for what is traced.
 */
CXLVM_PUBLIC unsigned int cxlvm_machine_trace(struct cxlvm_machine *machine, const char *pattern,
					      bool on);

#ifdef __cplusplus
}
#endif

#endif

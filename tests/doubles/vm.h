/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A virtual machine around the library: board, devices (each behind a tap) and recorders, driven
 * in the order of one personality. Every verb is called through the functions below, which assert
 * around it what must always hold:
 *
 *   - a verb that fails fills the error object and leaves a full snapshot as it was (DESIGN rule
 *     4), except the decoder's error bit, the reason, events and counters;
 *   - memory is enabled exactly when the state says so, at the base and with the size that the
 *     registers show (P3), and mapped for DMA (own);
 *   - machine_done makes no device call, unrealize is followed by none.
 *
 * With decoder policy guest the host bridges are of cxlvm/bridge.h (own) or the host's own model
 * (qemu); vm_guest.c plays the guest that programs both decoders.
 *
 * Layout: RAM 512 MiB at 0, host-bridge blocks (own; uid 12 + i) from 0x100000000, one window per
 * device from 0x140000000, 1 GiB apart; those of qemu are twice as large as the memory.
 */
#ifndef TESTS_VM_H
#define TESTS_VM_H

#include <cxlvm/cxlvm.h>

#include "fake.h"
#include "recorder.h"

#define VM_DEVICES_MAX CXLVM_WINDOWS_MAX
#define VM_UID(i)      (12u + (uint32_t)(i))
#define VM_PORT(i)     ((uint8_t)(3 + (i)))
#define VM_RAM_SIZE    0x20000000ull
#define VM_BLOCK(i)    (0x100000000ull + (uint64_t)(i)*0x10000)
#define VM_WINDOW(i)   (0x140000000ull + (uint64_t)(i)*0x40000000)

/* The device below: a fake or a sim. */
struct test_device {
	const struct cxlvm_device_ops *ops;
	void *device;
	int (*reset)(void *device);
	void (*close)(struct test_device *device);
	struct fake *fake; /* NULL for sim */
	struct cxlvm_transport transport;
};

typedef void (*device_factory)(struct test_device *device, unsigned int index);

/* The kernels: name and number of each, and the generation that realize can see. */
#define VM_KERNELS(K) \
	K(2, 2, 2)    \
	K(2N, 0x2e, 2) K(3, 3, 3) K(4, 4, 4) K(5, 5, 5) K(6, 6, 5)

#define VM_FACTORIES(k, number, seen)                                       \
	void open_fake_##k(struct test_device *device, unsigned int index); \
	void open_sim_##k(struct test_device *device, unsigned int index);
VM_KERNELS(VM_FACTORIES)
void open_sim_of(struct test_device *device, unsigned int index, unsigned int kernel,
		 uint64_t size);

struct variant {
	const char *name;
	enum personality personality;
	device_factory open;
	unsigned int generation; /* 2, 3, 4, 5: what realize reports */
	unsigned int kernel;     /* 2, 0x2e (2n), 3, 4, 5, 6: what answers */
	bool sim;
};

struct vm_device {
	struct test_device below;
	struct tap tap;
	struct recorder recorder;
	struct cxlvm_endpoint *endpoint;
	struct cxlvm_endpoint_config config; /* a test may change it before vm_start */
	char name[16];
	bool done;      /* machine done succeeded */
	bool dark;      /* unrealized */
	uint32_t bar;   /* HDM block, as found by walking from the spans */
	uint64_t hdm;   /* offset in the BAR */
	uint32_t dvsec; /* CXL Device DVSEC in config space */
};

struct vm {
	const struct variant *variant;
	enum cxlvm_decoder_policy decoder;
	struct board board;
	struct cxlvm_machine *machine;
	uint64_t window_memory; /* bytes of device memory that windows are made for */
	bool bare;              /* as in vm_options */
	bool only_faults;       /* no verb fails but by an armed fault; else the test fails */
	bool lenient;           /* several faults at once: rule 4 does not promise the snapshot */
	unsigned int n;
	struct vm_device devices[]; /* as many as it was created with */
};

struct vm_options {
	unsigned int phys_bits;
	uint64_t place_from;
	bool bare; /* no RAM, bridges, windows: the test adds its own */
	enum cxlvm_decoder_policy decoder;
	uint64_t sim_memory; /* bytes of a sim, at most 512 MiB; 0: as a fake has it */
};

/* n devices, machine with RAM, bridges and (qemu) placed windows; nothing realized or frozen. */
struct vm *vm_create(const struct variant *variant, unsigned int n);
struct vm *vm_create_options(const struct variant *variant, unsigned int n,
			     const struct vm_options *options);

/*
 * All verbs up to the end of the first system reset, in the personality's order. Goes on where an
 * earlier call failed. First error is returned.
 */
int vm_start(struct vm *vm, struct cxlvm_error *err);

/* Ways in which a system reset may come (qemu-adapter.md, section 7, point 4 and 5). */
enum vm_reset_way {
	VM_RESET_PLAIN = 0,
	VM_RESET_NO_PREPARE = 1,       /* done without prepare (resume) */
	VM_RESET_NO_DEVICE_RESET = 2,  /* prepare without a reset in between */
	VM_RESET_MEMORY_SPACE_OFF = 4, /* the host turned the real Memory Space bit off */
};

/*
 * qemu: hot reset of all devices (prepare, raw reset), then the own reset of each in hold, with
 * Memory Space turned off and BARs cleared through the filter of guest writes; bridges after them;
 * done once, in exit.
 */
int vm_system_reset(struct vm *vm, struct cxlvm_error *err);
int vm_system_reset_way(struct vm *vm, unsigned int ways, struct cxlvm_error *err);

/*
 * Bus reset by the root port, or slot power: the same calls as in a system reset, no bridge is
 * touched, and only the host object tells the kind (point 6).
 */
int vm_bus_reset(struct vm *vm, unsigned int i, struct cxlvm_error *err);
/*
 * Function reset: a config write that always succeeds; whether the device was reset is another
 * matter (point 7). The capability is at FAKE_PCIE, as in the sim.
 */
void vm_function_reset(struct vm *vm, unsigned int i, bool happens);

/* Unrealize, one late read, free, destroy; asserts that nothing is left. NULL is allowed. */
void vm_stop(struct vm *vm);

/* Single verbs, with the assertions described above. */
int vm_realize(struct vm *vm, unsigned int i, struct cxlvm_error *err);
int vm_freeze(struct vm *vm, struct cxlvm_error *err);
int vm_machine_done(struct vm *vm, unsigned int i, struct cxlvm_error *err);
int vm_reset_prepare(struct vm *vm, unsigned int i, enum cxlvm_reset_kind kind,
		     struct cxlvm_error *err);
int vm_reset_done(struct vm *vm, unsigned int i, enum cxlvm_reset_kind kind, int result,
		  struct cxlvm_error *err);
int vm_recheck(struct vm *vm, unsigned int i);
int vm_memory_error(struct vm *vm, unsigned int i, const void *address, struct cxlvm_gpa *guest);
void vm_unrealize(struct vm *vm, unsigned int i);
void vm_free(struct vm *vm, unsigned int i);
void vm_write(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length, uint64_t value);
uint64_t vm_read(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length);
/* A register of the HDM block: offset from its start. */
uint32_t vm_hdm(struct vm *vm, unsigned int i, unsigned int offset);
/*
 * vm_access.c: an access of 1 to 8 bytes at any alignment as it comes from a guest: split at the
 * ends of the spans (point 14), what is outside of them reads the real BAR and is not written.
 */
uint64_t vm_guest_read(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length);
void vm_guest_write(struct vm *vm, unsigned int i, uint64_t offset, unsigned int length,
		    uint64_t value);
/* Guest access to config space, as a host does it: device merged, filtered by the library. */
uint32_t vm_config_read(struct vm *vm, unsigned int i, uint32_t offset, unsigned int length);
enum cxlvm_reset_kind vm_config_write(struct vm *vm, unsigned int i, uint32_t offset,
				      unsigned int length, uint32_t value);

/*
 * vm_guest.c: what a guest does with decoder policy guest. Offsets are those of the HDM decoder
 * capability; each write of a register is one verb.
 */
struct vm *vm_create_guest(const struct variant *variant, unsigned int n);
void vm_hdm_write(struct vm *vm, unsigned int i, unsigned int offset, uint32_t value);
uint32_t vm_bridge(struct vm *vm, unsigned int i, unsigned int offset);
void vm_bridge_write(struct vm *vm, unsigned int i, unsigned int offset, uint32_t value);
/* Base, size, then commit (and lock, with control 0x100): what control reads then. */
uint32_t vm_commit(struct vm *vm, unsigned int i, uint64_t base, uint64_t size, uint32_t control);
uint32_t vm_bridge_commit(struct vm *vm, unsigned int i, uint64_t base, uint64_t size);
/* Both decoders show this range, and the memory is there. */
void vm_check_mapped(struct vm *vm, unsigned int i, uint64_t base, uint64_t size);
/* Bytes of the window of device i: what the guest may use. */
uint64_t vm_window_size(struct vm *vm, unsigned int i);

/* Between the files of the virtual machine: around each verb. */
struct vm_snapshot;
void verb_begin(struct vm *vm, enum verb verb, struct vm_snapshot *before);
int verb_end(struct vm *vm, const struct vm_snapshot *before, int ret,
	     const struct cxlvm_error *err);
void vm_guest_bridge(struct vm *vm, unsigned int i);

/* vm_snapshot.c: everything that rule 4 speaks of. */
#define VM_CONFIG_DWORDS   (0x200 / 4)
#define VM_REGISTER_DWORDS (0x140 / 4) /* from the CM area on */
struct vm_snapshot_device {
	bool exists;
	bool guest; /* decoder policy */
	bool committed, mapped, has_base;
	struct cxlvm_gpa base;
	struct cxlvm_endpoint_state state;
	size_t n_areas;
	bool prepared, enabled, dma_mapped;
	unsigned int n_maps;
	uint32_t kernel[3]; /* generation 2: base low, base high, control */
	uint32_t command;   /* fake: the real PCI command register */
	/* what a guest reads: config space but DVSEC range 1, registers but the HDM block */
	uint32_t config[VM_CONFIG_DWORDS];
	uint32_t registers[VM_REGISTER_DWORDS];
};

struct vm_snapshot {
	unsigned int n; /* devices, and bridges */
	struct vm_snapshot_device devices[VM_DEVICES_MAX];
	struct cxlvm_bridge_decoder bridges[BOARD_BRIDGES_MAX];
	bool frozen;
	unsigned int n_windows;
	struct cxlvm_window windows[VM_DEVICES_MAX + 2];
};

void vm_snapshot(struct vm *vm, struct vm_snapshot *snapshot);
/* exact: also error bit and usable; without, the exceptions of rule 4 are left out. */
void vm_snapshot_assert_equal(const struct vm_snapshot *a, const struct vm_snapshot *b, bool exact);
/* P3 and its neighbours, now. */
void vm_check(struct vm *vm);
/* After a good system reset: everything published at the window base; gen 2 kernel too. */
void vm_check_running(struct vm *vm);

/* Does the message contain this number, in hexadecimal or decimal, bare or in MiB or GiB? */
bool message_has(const struct cxlvm_error *err, uint64_t number);
void assert_message_has(const struct cxlvm_error *err, uint64_t number);
void assert_message_says(const struct cxlvm_error *err, const char *text);

/* Tests that run with both personalities and all devices. */
#define VM_VARIANT_IDS(k, number, seen) OWN_FAKE_##k, QEMU_FAKE_##k, OWN_SIM_##k, QEMU_SIM_##k,
enum { VM_KERNELS(VM_VARIANT_IDS) VARIANTS };
extern const struct variant variants[VARIANTS];

#define TEST_ON(f, v, text)                                             \
	{                                                               \
#f text, f, NULL, NULL, (void *)(uintptr_t)&variants[v] \
	}
#define TEST_FAKE_ON(f, k)                             \
	TEST_ON(f, OWN_FAKE_##k, "[own,fake " #k "]"), \
		TEST_ON(f, QEMU_FAKE_##k, "[qemu,fake " #k "]")
#define TEST_SIM_ON(f, k) \
	TEST_ON(f, OWN_SIM_##k, "[own,sim " #k "]"), TEST_ON(f, QEMU_SIM_##k, "[qemu,sim " #k "]")
#define TEST_FAKE_2(f) TEST_FAKE_ON(f, 2)
#define TEST_FAKE_5(f) TEST_FAKE_ON(f, 5)
/* The kernels whose register region follows the device through a reset: all but 2n and 3. */
#define TEST_FAKE_TELLS(f) \
	TEST_FAKE_ON(f, 2), TEST_FAKE_ON(f, 4), TEST_FAKE_ON(f, 5), TEST_FAKE_ON(f, 6)
#define TEST_FAKE(f) TEST_FAKE_TELLS(f), TEST_FAKE_ON(f, 2N), TEST_FAKE_ON(f, 3)
#define TEST_SIM(f)                                                                  \
	TEST_SIM_ON(f, 2), TEST_SIM_ON(f, 2N), TEST_SIM_ON(f, 3), TEST_SIM_ON(f, 4), \
		TEST_SIM_ON(f, 5), TEST_SIM_ON(f, 6)
#define TEST_ALL(f) TEST_FAKE(f), TEST_SIM(f)

#endif

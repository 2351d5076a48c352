/* SPDX-License-Identifier: BSD-3-Clause */
/* The endpoint, for the files of this room. */
#ifndef CXLVM_PASSTHROUGH_ENDPOINT_H
#define CXLVM_PASSTHROUGH_ENDPOINT_H

#include <cxlvm/passthrough.h>

#include "base/trace.h"
#include "vfio/description.h"
#include "window/machine.h"

#define IOVA_RANGES_MAX 32
#define EXCLUDES_MAX    4
#define SPANS_MAX       (EXCLUDES_MAX + 1)

struct cxlvm_endpoint {
	/* Given at realize, constant. The tables are copies: shorter ones end in NULL. */
	struct cxlvm_machine *machine;
	struct cxlvm_device_ops ops;
	void *device;
	struct cxlvm_host_ops host_ops;
	void *host;
	char name[CXLVM_NAME_MAX];
	uint32_t bridge_uid;
	uint8_t port;
	enum cxlvm_decoder_policy decoder;
	uint64_t page_size;
	bool has_window_base;
	struct cxlvm_gpa window_base;
	size_t n_iova;
	struct cxlvm_iova_range iova[IOVA_RANGES_MAX];
	size_t n_exclude;
	struct cxlvm_bar_range exclude[EXCLUDES_MAX];
	char window_name[CXLVM_NAME_MAX]; /* "": by topology */
	bool require_dma;
	bool allow_slow;

	/* Found at realize, constant. */
	bool plain;                /* a PCI device: no CXL, and all below but hidden is unused */
	struct vfio_hidden hidden; /* plain: what of config space the guest does not find */
	struct vfio_description desc;
	uint16_t real_lock; /* CONFIG_LOCK as the device has it */
	uint16_t pcie;      /* PCI Express capability, 0: none */
	uint16_t pm;        /* Power Management capability, 0: none */
	bool flr_capable;
	size_t n_spans;
	struct cxlvm_bar_range spans[SPANS_MAX];

	/* What the guest sees; dwords and flags are read without a lock. */
	struct cxlvm_endpoint_state state;
	bool dark; /* unrealized */

	/* Changed by the verbs. */
	struct window_hold hold;
	uint64_t base;        /* of decoder 0, 0 until the window is claimed; read without a lock */
	uint64_t kernel_base; /* what the kernel's decoder was programmed with last, 0: never */
	bool machine_done;
	enum cxlvm_reset_kind pending; /* strongest kind prepared and not done */
	bool programming; /* in the transaction: a reset verb now is the host's mistake */
	bool was_programmed;
	bool revoked; /* usable before, found unusable by recheck */
	char unusable[CXLVM_ERROR_MESSAGE_MAX];
	uint64_t prepared_ns; /* when the reset that is pending began */

	/* Policy guest: decoder 0 of the host bridge, as the host last said. */
	struct cxlvm_bridge_decoder bridge;

	/*
	 * The map: n_areas is published last and read by a signal handler. It stays once it was
	 * made; with policy guest it is there while decoder 0 is committed.
	 */
	size_t n_areas;
	struct cxlvm_memory_area areas[AREAS_MAX];
	bool dma_mapped;
	bool dma_warned; /* that it is not, or not known to be */

	/* A config write between begin and end. */
	uint32_t write_offset;
	unsigned int write_length;
	uint32_t write_value;
	uint32_t write_device_value; /* what the device was to get */
	enum cxlvm_reset_kind write_kind;

	struct cxlvm_endpoint_counters counters;

	/* Warnings: how many of the burst are used up, and since when (report.c). */
	bool warned;
	unsigned int warnings;
	uint64_t warned_ns;
	/* Accesses that a warning has told of. */
	uint64_t reported_bad;
	uint64_t reported_refused;
	uint64_t reported_ns;
};

/* Reset values of what the guest sees; with the locked policy, before it is programmed. */
void endpoint_state_reset(struct cxlvm_endpoint *ep);

/* The window as asked for, and the base of decoder 0 once the window has one. */
struct window_request endpoint_window_request(const struct cxlvm_endpoint *ep);
struct cxlvm_gpa endpoint_base(const struct cxlvm_endpoint *ep);

/* Where config space has what starts a reset or takes power away. */
int endpoint_find_capabilities(struct cxlvm_endpoint *ep, struct cxlvm_error *err);

/*
 * Can a CXL reset asked for by the guest be carried out? By the kernel when it sees the config
 * write (generations 2 and 4), or by the host's device_reset (5); generation 3 has neither.
 */
bool endpoint_kernel_does_cxl_reset(const struct cxlvm_endpoint *ep);
bool endpoint_can_cxl_reset(const struct cxlvm_endpoint *ep);

/* Ask the device to write back and invalidate its caches, and wait for it (generation 2). */
void endpoint_write_back(struct cxlvm_endpoint *ep);

/* One 16-bit register of the CXL Device DVSEC of the real device. */
int endpoint_dvsec_read16(struct cxlvm_endpoint *ep, uint32_t offset, uint16_t *value);
int endpoint_dvsec_write16(struct cxlvm_endpoint *ep, uint32_t offset, uint16_t value);

/* Is [base, base + size) inside one usable I/O address range? (WIN-3) */
int endpoint_check_iova(const struct cxlvm_endpoint *ep, struct cxlvm_gpa base, uint64_t size,
			struct cxlvm_error *err);

/* Which parts of the BAR are trapped (OVL-1 to OVL-4). */
int endpoint_build_spans(struct cxlvm_endpoint *ep, struct cxlvm_error *err);

/*
 * The real Memory Space bit: on while the device is usable. *was tells what it was, so that it can
 * be put back.
 */
int endpoint_memory_space_on(struct cxlvm_endpoint *ep, bool *was, struct cxlvm_error *err);
void endpoint_memory_space_restore(struct cxlvm_endpoint *ep, bool was);

/* Bring the map in line with P3: enabled exactly when the registers and the device say so. */
void endpoint_map_update(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason);
/* The same for registers that change next: decoder 0 becomes committed, or it goes away. */
void endpoint_map_ahead(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason);
void endpoint_map_off(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason);
/* If it is enabled: did the host do it, for the CPU and for DMA? */
int endpoint_map_check(struct cxlvm_endpoint *ep, struct cxlvm_error *err);
/* Not usable: disabled. */
void endpoint_map_disable(struct cxlvm_endpoint *ep, enum cxlvm_map_reason reason);
/* The area that address in this process is in, or NULL; async-signal-safe. */
const struct cxlvm_memory_area *endpoint_map_area(const struct cxlvm_endpoint *ep,
						  const void *address);
/*
 * Map every area of the first size bytes into this process, for base, and have the host prepare
 * them; or nothing.
 */
int endpoint_map_create(struct cxlvm_endpoint *ep, struct cxlvm_gpa base, uint64_t size,
			struct cxlvm_error *err);
void endpoint_map_destroy(struct cxlvm_endpoint *ep);
/* Bytes of all areas of the map, of which there is one at least. */
uint64_t endpoint_areas_size(const struct cxlvm_endpoint *ep);

/*
 * Device memory in the I/O address space, as dma-buf where the device exports it: all areas or
 * none, before the map is enabled. 0 also when the host maps it together with the CPU's map, or
 * when it cannot and the device is able to live without (DMA-2).
 */
int endpoint_dma_map(struct cxlvm_endpoint *ep, struct cxlvm_error *err);
/* The map is enabled: is the memory there? An error only where the device needs it. */
int endpoint_dma_check(struct cxlvm_endpoint *ep, struct cxlvm_error *err);
/* Take away what was mapped; the map is disabled (DMA-4, DMA-5). */
void endpoint_dma_withdraw(struct cxlvm_endpoint *ep);

/* Plain PCI: what of CXL the guest does not find, and the filters of config space (DET-4). */
int endpoint_hide(struct cxlvm_endpoint *ep, struct cxlvm_error *err);
uint32_t endpoint_hidden_read(const struct cxlvm_endpoint *ep, uint32_t offset, unsigned int length,
			      uint32_t value);
bool endpoint_is_hidden(const struct cxlvm_endpoint *ep, uint32_t offset, unsigned int length);

/*
 * The programming transaction (contract 6.3): after a reset, and when the guest commits. The
 * second leaves the error bit to the caller.
 */
int endpoint_program(struct cxlvm_endpoint *ep, enum cxlvm_reset_kind kind,
		     struct cxlvm_error *err);
int endpoint_program_commit(struct cxlvm_endpoint *ep, struct cxlvm_error *err);

/* Policy guest: may what the registers hold be committed (contract 3.3)? Changes nothing. */
int endpoint_check_commit(const struct cxlvm_endpoint *ep, struct cxlvm_error *err);
/* Does the host bridge's decoder lead to what the endpoint's shows? Policy locked: always. */
bool endpoint_bridge_agrees(const struct cxlvm_endpoint *ep);
/* The guest writes the dword at offset at of the HDM decoder capability. */
void endpoint_decoder_write(struct cxlvm_endpoint *ep, uint32_t at, uint32_t value);

/*
 * Generation 2: the kernel's decoder. program writes base and lock unless they are there;
 * on failure the values read before are back, or the device is marked unusable.
 */
struct kernel_decoder {
	uint32_t control;
	uint32_t base_low;
	uint32_t base_high;
	uint64_t programmed; /* by us, as kernel_base of the endpoint */
	bool written;        /* anything was */
};
int kernel_decoder_program(struct cxlvm_endpoint *ep, struct cxlvm_gpa base,
			   struct kernel_decoder *before, struct cxlvm_error *err);
void kernel_decoder_restore(struct cxlvm_endpoint *ep, const struct kernel_decoder *before);

/*
 * The error of a device that cannot be used: what happened, and why if the device can tell; code,
 * unless the device has a better one. Returns the code of the error.
 */
int endpoint_unusable(struct cxlvm_endpoint *ep, int code, const char *what,
		      struct cxlvm_error *err);

/* Warnings are dropped and counted when there are too many (P8). */
/* Of a verb that fails: the device in the message, and a hint where nobody had one. */
void endpoint_complete_error(const struct cxlvm_endpoint *ep, struct cxlvm_error *err);

void endpoint_event(struct cxlvm_endpoint *ep, enum cxlvm_event_kind kind, int code,
		    const char *text);
/*
 * One warning, at most one a second, with the number of accesses by the guest that could not be
 * carried out since the last one. Not from a read: those have no call to the host, and are told of
 * by the next serialized call.
 */
void endpoint_report_accesses(struct cxlvm_endpoint *ep);
void endpoint_trace(struct cxlvm_endpoint *ep, enum cxlvm_trace_id id, const uint64_t *args,
		    unsigned int n_args);

/* Arguments are evaluated only when the trace point is on. */
#define TRACE(ep, id, ...)                                                              \
	do {                                                                            \
		if (trace_is_on(&(ep)->machine->trace, CXLVM_TRACE_##id) ||             \
		    trace_is_probed(CXLVM_TRACE_##id)) {                                \
			const uint64_t trace_args[] = { 0, ##__VA_ARGS__ };             \
			endpoint_trace(ep, CXLVM_TRACE_##id, trace_args + 1,            \
				       sizeof(trace_args) / sizeof(trace_args[0]) - 1); \
		}                                                                       \
	} while (0)

static inline void count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static inline bool flag_is_set(const uint8_t *flag)
{
	return __atomic_load_n(flag, __ATOMIC_RELAXED);
}

static inline void flag_set(uint8_t *flag, bool value)
{
	__atomic_store_n(flag, value, __ATOMIC_RELAXED);
}

static inline uint64_t elapsed_ms(const struct cxlvm_endpoint *ep, uint64_t since_ns)
{
	return (ep->host_ops.now_ns(ep->host) - since_ns) / 1000000;
}

static inline bool is_dark(const struct cxlvm_endpoint *ep)
{
	return __atomic_load_n(&ep->dark, __ATOMIC_ACQUIRE);
}

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cxlvm/host.h - what the engine asks of the virtual machine monitor around it
 *
 * The other seam of the library. A host fills in struct cxlvm_host_ops and passes it to
 * cxlvm_endpoint_realize. The library calls it only from within a call that the host serializes
 * (cxlvm/passthrough.h: the verbs, reg_write, config_write_begin and _end), on the caller's thread,
 * holding no lock. From within any of these calls the host may call what is marked "any time"
 * there, but nothing else.
 */
#ifndef CXLVM_HOST_H
#define CXLVM_HOST_H

#include <cxlvm/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Who asked for a reset. The host derives the kind; the order of the values is that of strength,
 * with room between them. Values are ABI.
 */
enum cxlvm_reset_kind {
	CXLVM_RESET_NONE = 0,
	CXLVM_RESET_LOW_POWER = 10, /* no reset: D3hot, and back to D0 */
	CXLVM_RESET_FUNCTION = 20,  /* function-level reset, a config write */
	CXLVM_RESET_CXL = 30,       /* Initiate CXL Reset in the CXL Device DVSEC */
	CXLVM_RESET_HOT = 40,       /* hot reset made by the host */
	CXLVM_RESET_BUS = 50,       /* secondary bus reset, slot power */
	CXLVM_RESET_WAKEUP = 60,    /* resume from suspend of the whole machine */
	CXLVM_RESET_SYSTEM = 70,    /* reset of the whole machine, the first one included */
};

/*
 * One piece of device memory that is mapped, or to be mapped, into the guest. Areas of one
 * device are sorted by address and do not overlap.
 */
struct cxlvm_memory_area {
	struct cxlvm_dpa offset; /* in the device memory */
	uint64_t size;           /* bytes, multiple of the host page size */
	struct cxlvm_gpa guest;  /* guest physical address of the first byte */
	void *address;           /* of the first byte in this process; never accessed (P6) */
	/*
	 * Descriptor of the area as dma-buf, which the library closes; -1: there is none, map it by
	 * address. Set during dma_map and until the next dma_unmap only (DMA-1, DMA-6).
	 */
	int dma_buf;
};

/* The host bridge's HDM decoder 0 as the guest has to find it. */
struct cxlvm_bridge_decoder {
	struct cxlvm_gpa base;
	uint64_t size;           /* 0: not committed, all registers at their reset values */
	uint8_t port;            /* root port number: byte 0 of the target list */
	uint32_t control;        /* HDM Decoder 0 Control */
	uint32_t global_control; /* HDM Decoder Global Control */
};

enum cxlvm_dma_state {
	CXLVM_DMA_UNKNOWN,
	CXLVM_DMA_NOT_MAPPED,
	CXLVM_DMA_MAPPED,
};

/* Things that management wants to hear about. Values are ABI. */
enum cxlvm_event_kind {
	CXLVM_EVENT_MEMORY_AVAILABLE = 1, /* device memory is mapped again after an interruption */
	CXLVM_EVENT_MEMORY_UNAVAILABLE = 2, /* code, text: why */
	CXLVM_EVENT_RESET_FAILED = 3,       /* code, text */
	CXLVM_EVENT_CONTENT_LOST = 4,       /* it may be: reset, low power, memory gone and back */
	/*
	 * text: worth a line in a log, nothing is lost. At most CXLVM_WARNINGS_BURST of a device
	 * at once and one a second after that; the others are counted (P8).
	 */
	CXLVM_EVENT_WARNING = 5,
};

#define CXLVM_WARNINGS_BURST 10

struct cxlvm_event {
	enum cxlvm_event_kind kind;
	const char *device; /* name of the endpoint; valid during the call */
	int code;           /* 0 or negative errno */
	const char *text;   /* one line, may be empty; valid during the call */
};

/* Why a map was enabled or disabled, in traces. Values are ABI. */
enum cxlvm_map_reason {
	CXLVM_MAP_RESET = 1,     /* a reset begins, or is over */
	CXLVM_MAP_REGISTERS = 2, /* the guest wrote a register that decides about it */
	CXLVM_MAP_USABLE = 3,    /* the device took its memory away, or gave it back */
	CXLVM_MAP_UNREALIZE = 4, /* the device goes away */
	CXLVM_MAP_UNDONE = 5,    /* programming failed after it was enabled */
};

/*
 * Trace points. Ids, names, and the number and order of arguments are ABI: a host maps each id to
 * a static trace point of its own. Addresses are guest physical, never host physical.
 * "error" and "result" are positive errno numbers, 0 for success; "result" is that of the verb.
 * "reason" is an enum cxlvm_map_reason. Where the library was built with probes, each is a USDT
 * probe cxlvm:NAME as well (docs/tracing.md).
 *   T(ID, name, arguments: names in order)
 */
#define CXLVM_TRACE_LIST(T)                                                                        \
	T(DETECTED, cxl_detected, "generation", "flags", NULL, NULL, NULL)                         \
	T(REGIONS, cxl_regions, "memory_region", "memory_size", "register_region", "areas", NULL)  \
	T(SETUP_PARAMS, cxl_setup_params, "bar", "hdm_offset", "hdm_size", "memory_size", NULL)    \
	T(BAR_SUBREGION, cxl_bar_subregion, "bar", "offset", "size", NULL, NULL)                   \
	T(WINDOW_RESERVED, cxl_window_reserved, "size", NULL, NULL, NULL, NULL)                    \
	T(WINDOW_CLAIMED, cxl_window_claimed, "base", "size", NULL, NULL, NULL)                    \
	T(WINDOW_RELEASED, cxl_window_released, NULL, NULL, NULL, NULL, NULL)                      \
	T(LOCKED_HDM, cxl_locked_hdm, "base", "base_low", "base_high", "control", NULL)            \
	T(LOCK_FOUND, cxl_lock_found, "control", NULL, NULL, NULL, NULL)                           \
	T(PROGRAM_FAILED, cxl_program_failed, "step", "error", NULL, NULL, NULL)                   \
	T(MAP_ENABLE, cxl_map_enable, "base", "size", "reason", NULL, NULL)                        \
	T(MAP_DISABLE, cxl_map_disable, "base", "size", "reason", NULL, NULL)                      \
	T(RESET_PREPARE, cxl_reset_prepare, "kind", NULL, NULL, NULL, NULL)                        \
	T(RESET_DONE, cxl_reset_done, "kind", "result", "duration_ns", NULL, NULL)                 \
	T(PUT_DEVICE, cxl_put_device, NULL, NULL, NULL, NULL, NULL)                                \
	T(GUEST_COMMIT, cxl_guest_commit, "base", "size", "control", "error", NULL)                \
	T(GUEST_DECOMMIT, cxl_guest_decommit, "base", "size", NULL, NULL, NULL)                    \
	T(BRIDGE_CHANGED, cxl_bridge_changed, "base", "size", "port", "control", "global_control") \
	T(VERIFY_MISMATCH, cxl_verify_mismatch, "base", "control", NULL, NULL, NULL)               \
	T(DMA_MAP, cxl_dma_map, "base", "size", "areas", "dma_bufs", NULL)                         \
	T(DMA_UNMAP, cxl_dma_unmap, "base", "size", NULL, NULL, NULL)                              \
	T(COUNTERS, cxl_counters, "writes", "bad_accesses", "device_errors", "programmed",         \
	  "program_failures")

/* clang-format off */
enum cxlvm_trace_id {
#define CXLVM_TRACE_ENUM(id, name, ...) CXLVM_TRACE_##id,
	CXLVM_TRACE_LIST(CXLVM_TRACE_ENUM)
#undef CXLVM_TRACE_ENUM
	CXLVM_TRACE_COUNT
};
/* clang-format on */

#define CXLVM_TRACE_ARGS_MAX 5

/* One trace point reached. Every id also carries the name of the device, as its first argument. */
struct cxlvm_trace {
	enum cxlvm_trace_id id;
	const char *device; /* valid during the call */
	unsigned int n_args;
	uint64_t args[CXLVM_TRACE_ARGS_MAX];
};

/* Name of a trace point, "?" for an unknown id. Static storage. */
CXLVM_PUBLIC const char *cxlvm_trace_name(enum cxlvm_trace_id id);

/* Name of argument n (from 0) of a trace point, NULL past the last. Static storage. */
CXLVM_PUBLIC const char *cxlvm_trace_arg_name(enum cxlvm_trace_id id, unsigned int n);

struct cxlvm_host_ops {
	/* sizeof(struct cxlvm_host_ops) as the host compiled it. */
	size_t size;

	/*
	 * Get ready to map device memory (check free slots, allocate), without the guest seeing
	 * anything. areas stay valid and unchanged until release. 0 or negative errno, with err
	 * set. Called once per map, before the first enable. With decoder policy guest each
	 * commit of the guest makes a map, and each decommit ends it.
	 */
	int (*prepare)(void *host, const struct cxlvm_memory_area *areas, size_t n,
		       struct cxlvm_error *err);

	/* Undo prepare. The map is disabled. After unrealize it is called from free only. */
	void (*release)(void *host, const struct cxlvm_memory_area *areas, size_t n);

	/*
	 * Let the guest reach all n areas, or none of them any more: one change of the map each.
	 * What enable could not do it says in enabled. When disable returns no vCPU reaches the memory. Never called within a map
	 * change of the host. Above the areas' windows the host keeps all ones (dark memory). A
	 * host without dma_map maps (and unmaps) for DMA here as well: on enable before the CPU.
	 */
	void (*enable)(void *host, const struct cxlvm_memory_area *areas, size_t n);
	void (*disable)(void *host, const struct cxlvm_memory_area *areas, size_t n);

	/*
	 * Optional, both or none: put the areas into the I/O address space of the device at
	 * their guest addresses. dma_map: 0 or negative errno, all or nothing.
	 */
	int (*dma_map)(void *host, const struct cxlvm_memory_area *areas, size_t n,
		       struct cxlvm_error *err);
	void (*dma_unmap)(void *host, const struct cxlvm_memory_area *areas, size_t n);

	/*
	 * Optional: is an enabled map in the I/O address space? Absent means as dma_map said, and
	 * unknown without dma_map.
	 */
	enum cxlvm_dma_state (*dma_state)(void *host);

	/*
	 * Make decoder 0 of the host bridge show exactly *decoder and refuse guest writes to it,
	 * until the next call or the next reset of the bridge. Called only within reset_done of
	 * kinds system and wakeup, after the host has reset the bridge; with size 0 when
	 * programming failed. A host that uses cxlvm/bridge.h calls cxlvm_bridge_publish here. 0
	 * or negative errno; on failure the bridge is unchanged. Not called, and optional, with
	 * decoder policy guest.
	 */
	int (*bridge_decoder)(void *host, uint32_t bridge_uid,
			      const struct cxlvm_bridge_decoder *decoder);

	/*
	 * Reset the real device now: raw, synchronous, calls no verb. 0, -EAGAIN or another
	 * negative errno. Called when a guest asks for a CXL reset that the kernel would only
	 * pretend, and again after -EAGAIN.
	 */
	int (*device_reset)(void *host, enum cxlvm_reset_kind kind);

	/* Monotonic time in nanoseconds, and the only way the library ever sleeps. */
	uint64_t (*now_ns)(void *host);
	void (*sleep_ms)(void *host, unsigned int milliseconds);

	/* Optional both. */
	void (*event)(void *host, const struct cxlvm_event *event);
	void (*trace)(void *host, const struct cxlvm_trace *trace);

	/*
	 * Optional: did the last enable let the guest reach the areas? 0, or negative errno with
	 * err set, and then the guest reaches none of them; disable follows all the same. Asked
	 * after each enable. A failure is that of the reset or of the commit; after a write of
	 * another register it is an event, and the memory stays away until the next reset.
	 * Absent: enable cannot fail.
	 */
	int (*enabled)(void *host, struct cxlvm_error *err);
};

#ifdef __cplusplus
}
#endif

#endif

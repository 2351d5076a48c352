/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The recorder: a host that maps nothing, but knows at any time what it would have mapped, and
 * asserts the rules of host.h by itself. Two personalities:
 *
 *   own   like our monitor: DMA operations of its own, DMA state known
 *   qemu  as qemu-adapter.md section 7: DMA follows the memory map (points 8), k areas in one
 *         commit, calls back into reads and getters from within its operations (10), the bridge's
 *         hold phase wipes registers and masks (3)
 *
 * vm.h drives it.
 */
#ifndef TESTS_RECORDER_H
#define TESTS_RECORDER_H

#include <cxlvm/bridge.h>
#include <cxlvm/passthrough.h>

#include "journal.h"
#include "tap.h"

enum personality { PERSONALITY_OWN, PERSONALITY_QEMU };

enum verb {
	VERB_NONE,
	VERB_REALIZE,
	VERB_FREEZE,
	VERB_MACHINE_DONE,
	VERB_RESET_PREPARE,
	VERB_RESET_DONE,
	VERB_RECHECK,
	VERB_UNREALIZE,
	VERB_FREE,
	VERB_REG_WRITE,
	VERB_CONFIG_WRITE,
	VERB_BRIDGE, /* the guest or a reset changes the host bridge's decoder */
};

enum phase { PHASE_RUN, PHASE_ENTER, PHASE_HOLD, PHASE_EXIT };

#define BOARD_BRIDGES_MAX   4
#define RECORDER_AREAS_MAX  8 /* free memory slots: more areas in one map abort the test */
#define RECORDER_EVENTS_MAX 64
#define RECORDER_TRACES_MAX 512

/* The host's model of a CXL host bridge: decoder 0, and whether guest writes are masked off. */
struct bridge_model {
	uint32_t uid;
	struct cxlvm_bridge_decoder decoder; /* all zero: reset values */
	bool masked;
	unsigned int published; /* calls so far */
	/* policy guest; decoder is then what the endpoint was told last */
	struct cxlvm_bridge *cxl; /* own: the library's bridge */
	uint32_t hdm[12];         /* qemu: its registers */
	void (*changed)(void *host, const struct cxlvm_bridge_decoder *decoder);
	void *host;
};

/* What all devices of a machine share. */
struct board {
	enum personality personality;
	struct journal journal;
	struct faults faults;
	enum verb verb;
	enum phase phase;
	enum cxlvm_reset_kind kind; /* of the reset verb that runs */
	int depth;                  /* open memory-map transactions */
	uint64_t now_ns;
	uint64_t slept_ms; /* since the verb began */
	unsigned int n_bridges;
	struct bridge_model bridges[BOARD_BRIDGES_MAX];
};

struct recorded_event {
	enum cxlvm_event_kind kind;
	int code;
	char text[256];
};

struct recorder {
	struct cxlvm_host_ops ops;
	struct board *board;
	struct tap *tap;
	struct cxlvm_endpoint *endpoint; /* NULL until realize returned, and after free */
	const char *name;
	unsigned int index;
	uint64_t page_size;
	/* for calls back: where the endpoint's HDM block is; offset 0: not known yet */
	uint32_t hdm_bar;
	uint64_t hdm_offset;
	bool calling_back;
	bool unrealized;
	/* model */
	bool prepared, enabled, dma_mapped;
	const struct cxlvm_memory_area *areas; /* the library's */
	struct cxlvm_memory_area copy[RECORDER_AREAS_MAX];
	size_t n_areas;
	/* what it was told */
	unsigned int n_events;
	struct recorded_event events[RECORDER_EVENTS_MAX];
	unsigned int n_traces;
	struct cxlvm_trace traces[RECORDER_TRACES_MAX];
	/* called in enable before anything happens, for a test's own checks; may be NULL */
	void (*on_enable)(struct recorder *recorder);
	void (*on_disable)(struct recorder *recorder);
	int (*reset)(void *device); /* of the real device, for device_reset */
	void *reset_device;
};

void recorder_init(struct recorder *recorder, struct board *board, unsigned int index,
		   struct tap *tap, const char *name);

struct bridge_model *board_bridge(struct board *board, uint32_t uid);
/* Policy guest: the guest writes a dword of the bridge's HDM decoder capability. */
void bridge_model_write(struct bridge_model *bridge, unsigned int offset, uint32_t value);
uint32_t bridge_model_read(const struct bridge_model *bridge, unsigned int offset);
/* The bridge's own reset: registers and masks to their reset values. */
void board_reset_bridges(struct board *board);

/* Calls from the host into what may be called at any time (point 10). */
void recorder_call_back(struct recorder *recorder);

/* The last event of a kind, or NULL. */
const struct recorded_event *recorder_event(const struct recorder *recorder,
					    enum cxlvm_event_kind kind);
/* How often a trace point was reached; *last is the last one, if not NULL. */
unsigned int recorder_trace_count(const struct recorder *recorder, enum cxlvm_trace_id id,
				  const struct cxlvm_trace **last);

#endif

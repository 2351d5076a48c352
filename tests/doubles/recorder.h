/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The recorder: a host that maps nothing, but knows at any time what it would have mapped, and
 * asserts the rules of host.h by itself. Two personalities:
 *
 *   own   like our monitor: DMA operations of its own, DMA state known
 *   qemu  as qemu-adapter.md section 7. Of its 17 points these are here, each named where it is
 *         kept: bridge wiped in hold (3), one commit for all areas and silent DMA (8), no disable
 *         in a transaction (9), calls back from everywhere (10), one lock and bounded sleep (11),
 *         dark window (12), bridge that takes guest writes (13). Windows before devices (1), order
 *         of notifiers (2), passes, nesting and derived kinds of resets (4 to 7) are in vm.c and
 *         vm_order.c, split accesses (14) in vm_access.c, answers freed after the call (15) in
 *         tap.c. Signals (16) and hot-plug (17) are tests of test_qemu.c.
 *
 * vm.h drives it.
 */
#ifndef TESTS_RECORDER_H
#define TESTS_RECORDER_H

#include <cxlvm/bridge.h>
#include <cxlvm/passthrough.h>
#include <cxlvm/window.h>
#include <pthread.h>

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

#define BOARD_BRIDGES_MAX   CXLVM_WINDOWS_MAX
#define RECORDER_AREAS_MAX  8
#define BOARD_SLEEP_MAX_MS  10000
#define RECORDER_EVENTS_MAX 64
#define RECORDER_TRACES_MAX 512

/* The host's model of a CXL host bridge: decoder 0, and whether guest writes are masked off. */
struct bridge_model {
	uint32_t uid;
	struct cxlvm_bridge_decoder decoder; /* all zero: reset values */
	bool masked;
	bool no_hdm;            /* the option that gives it an HDM capability was not set */
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
	bool host_in_reset;         /* the expander's host object: only in a system reset (F9) */
	pthread_mutex_t lock;       /* held during each verb (point 11) */
	int depth;                  /* open memory-map transactions */
	uint64_t now_ns;
	uint64_t slept_ms; /* since the verb began */
	unsigned int n_bridges;
	struct bridge_model bridges[BOARD_BRIDGES_MAX];
	/* a test that breaks a rule itself, to see that it is noticed */
	bool provoked;
	unsigned int broken;
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
	unsigned int calls_back[CALL_COUNT]; /* from within each operation */
	bool unrealized;
	/* model */
	size_t slots;   /* free memory slots: prepare refuses more areas, enable with more aborts */
	bool dma_fails; /* qemu: nobody is told (F15) */
	bool prepared, enabled, dma_mapped;
	bool may_lack_dma;       /* a test lets the map for DMA fail, and the engine go on */
	unsigned int n_dma_bufs; /* areas that came with a descriptor in the last dma_map */
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

/* A rule was broken: ends the test, or counts where the test provoked it. */
void board_broken(struct board *board, const char *format, ...) CXLVM_PRINTF(2, 3);

struct bridge_model *board_bridge(struct board *board, uint32_t uid);
/* Policy guest: the guest writes a dword of the bridge's HDM decoder capability. */
void bridge_model_write(struct bridge_model *bridge, unsigned int offset, uint32_t value);
uint32_t bridge_model_read(const struct bridge_model *bridge, unsigned int offset);
/* The bridge's own reset: registers and masks to their reset values. */
void board_reset_bridges(struct board *board);
/* Locked: a guest writes the decoder all the same, which is taken unless masked (F19, point 13). */
void bridge_guest_write(struct bridge_model *bridge, uint64_t base, uint64_t size,
			uint32_t control);

/*
 * What a guest reads at an address of the window: 'm' device memory, '1' ones of the dark region,
 * '0' the host's own region below it. window is the one the endpoint has claimed (NULL: none).
 */
char recorder_memory_at(const struct recorder *recorder, const struct cxlvm_window *window,
			uint64_t address);

/* Calls from a host operation into what may be called at any time (point 10). */
void recorder_call_back(struct recorder *recorder, enum call from);

/* The last event of a kind, or NULL. */
const struct recorded_event *recorder_event(const struct recorder *recorder,
					    enum cxlvm_event_kind kind);
/* How often a trace point was reached; *last is the last one, if not NULL. */
unsigned int recorder_trace_count(const struct recorder *recorder, enum cxlvm_trace_id id,
				  const struct cxlvm_trace **last);

#endif

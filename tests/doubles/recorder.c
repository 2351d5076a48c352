/* SPDX-License-Identifier: BSD-3-Clause */
#include "recorder.h"

#include <errno.h>

#include "test.h"

void board_broken(struct board *board, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (!board->provoked)
		fail_msg("%s", text);
	board->broken++;
}

static struct recorder *enter(void *host, enum call call)
{
	struct recorder *recorder = host;
	struct board *board = recorder->board;

	if (board->verb == VERB_NONE)
		board_broken(board, "host call %s outside of any verb", call_name(call));
	if (recorder->calling_back) /* point 10 */
		board_broken(board, "host call %s from a read or a getter", call_name(call));
	if (board->depth) /* point 9: a disable would come true later only */
		board_broken(board, "host call %s in an open map transaction", call_name(call));
	/* point 2: the board links its windows in a notifier that runs after ours */
	if (board->verb == VERB_MACHINE_DONE && call != CALL_EVENT && call != CALL_TRACE)
		board_broken(board, "host call %s from machine done", call_name(call));
	return recorder;
}

static void leave(struct recorder *recorder, enum call call, uint32_t region, uint64_t offset,
		  uint64_t length, int result)
{
	struct journal_entry entry = { .call = call,
				       .device = recorder->index,
				       .region = region,
				       .offset = offset,
				       .length = length,
				       .result = result };

	journal_add(&recorder->board->journal, &entry);
}

static void check_areas(const struct recorder *recorder, const struct cxlvm_memory_area *areas,
			size_t n)
{
	assert_true(n > 0);
	assert_true(n <= RECORDER_AREAS_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct cxlvm_memory_area *area = &areas[i];
		const struct tap_map *map = tap_find_map(recorder->tap, area->address, area->size);

		assert_true(area->size > 0);
		assert_int_equal(area->size % recorder->page_size, 0);
		assert_int_equal(area->offset.value % recorder->page_size, 0);
		assert_int_equal(area->guest.value % recorder->page_size, 0);
		assert_int_equal((uintptr_t)area->address % recorder->page_size, 0);
		if (!map)
			fail_msg("area %zu is not in a mapping of the device", i);
		/* the byte that the guest sees is the one that the offset names */
		assert_int_equal(map->offset + (uint64_t)((uint8_t *)area->address - map->address),
				 area->offset.value);
		/* guest and device addresses go together, by one base */
		assert_int_equal(area->guest.value - areas[0].guest.value,
				 area->offset.value - areas[0].offset.value);
		if (i)
			assert_true(area[-1].guest.value + area[-1].size <= area->guest.value);
	}
}

/* The areas that were prepared, unchanged. */
static void check_same(const struct recorder *recorder, const struct cxlvm_memory_area *areas,
		       size_t n)
{
	assert_true(recorder->prepared);
	assert_int_equal(n, recorder->n_areas);
	assert_ptr_equal(areas, recorder->areas);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(areas[i].offset.value, recorder->copy[i].offset.value);
		assert_int_equal(areas[i].size, recorder->copy[i].size);
		assert_int_equal(areas[i].guest.value, recorder->copy[i].guest.value);
		assert_ptr_equal(areas[i].address, recorder->copy[i].address);
	}
}

/* A longjmp out of a failing assert must not leave a test's transaction open: none is. */
static int host_prepare(void *host, const struct cxlvm_memory_area *areas, size_t n,
			struct cxlvm_error *err)
{
	struct recorder *recorder = enter(host, CALL_PREPARE);
	int ret = 0;

	assert_false(recorder->prepared);
	check_areas(recorder, areas, n);
	if (faults_due(&recorder->board->faults, CALL_PREPARE)) {
		ret = cxlvm_error_set(err, recorder->board->faults.error,
				      "no free slot (injected)");
	} else if (n > recorder->slots) {
		ret = cxlvm_error_set(err, -ENOSPC, "%zu areas, %zu free memory slots", n,
				      recorder->slots);
	} else {
		recorder->prepared = true;
		recorder->areas = areas;
		recorder->n_areas = n;
		memcpy(recorder->copy, areas, n * sizeof(areas[0]));
	}
	leave(recorder, CALL_PREPARE, 0, areas[0].guest.value, n, ret);
	return ret;
}

static void host_release(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct recorder *recorder = enter(host, CALL_RELEASE);

	check_same(recorder, areas, n);
	assert_false(recorder->enabled);
	assert_false(recorder->dma_mapped);
	if (recorder->board->verb == VERB_UNREALIZE)
		fail_msg("release in unrealize: a late reader may still be there");
	recorder->prepared = false;
	leave(recorder, CALL_RELEASE, 0, areas[0].guest.value, n, 0);
}

static void host_enable(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct recorder *recorder = enter(host, CALL_ENABLE);
	struct board *board = recorder->board;

	check_same(recorder, areas, n);
	assert_false(recorder->enabled);
	assert_false(recorder->unrealized);
	assert_true(board->verb == VERB_RESET_DONE || board->verb == VERB_CONFIG_WRITE ||
		    board->verb == VERB_REG_WRITE || board->verb == VERB_RECHECK ||
		    board->verb == VERB_BRIDGE);
	if (n > recorder->slots)
		board_broken(board, "%zu areas, %zu slots: QEMU aborts here", n, recorder->slots);
	if (board->phase == PHASE_HOLD)
		board_broken(board, "memory enabled while the machine is held in reset");
	if (recorder->on_enable)
		recorder->on_enable(recorder);
	if (board->personality == PERSONALITY_OWN) {
		/* DMA-5, and dma3_dma4_w32_dma_never_skips_by_ownership */
		if (recorder->ops.dma_map && !recorder->dma_mapped && !recorder->may_lack_dma)
			fail_msg("memory enabled before it was mapped for DMA");
		recorder->enabled = true;
	} else {
		/* Point 8. One commit: DMA, then CPU (F13); a failure of DMA is nobody's news. */
		board->depth++;
		recorder->dma_mapped = !recorder->dma_fails;
		recorder->enabled = true;
		recorder_call_back(recorder, CALL_ENABLE);
		board->depth--;
	}
	leave(recorder, CALL_ENABLE, 0, areas[0].guest.value, n, 0);
	recorder_call_back(recorder, CALL_ENABLE);
}

static void host_disable(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct recorder *recorder = enter(host, CALL_DISABLE);
	struct board *board = recorder->board;

	check_same(recorder, areas, n);
	assert_true(recorder->enabled);
	if (recorder->on_disable)
		recorder->on_disable(recorder);
	if (board->personality == PERSONALITY_OWN) {
		recorder->enabled = false;
	} else {
		/* DMA goes before CPU here, the reverse of DMA-5 (F13); unmapped or not. */
		board->depth++;
		recorder->dma_mapped = false;
		recorder->enabled = false;
		recorder_call_back(recorder, CALL_DISABLE);
		board->depth--;
	}
	leave(recorder, CALL_DISABLE, 0, areas[0].guest.value, n, 0);
	recorder_call_back(recorder, CALL_DISABLE);
}

static int host_dma_map(void *host, const struct cxlvm_memory_area *areas, size_t n,
			struct cxlvm_error *err)
{
	struct recorder *recorder = enter(host, CALL_DMA_MAP);
	int ret = 0;

	check_same(recorder, areas, n);
	assert_false(recorder->dma_mapped);
	assert_false(recorder->enabled);
	recorder->n_dma_bufs = 0;
	for (size_t i = 0; i < n; i++)
		if (areas[i].dma_buf >= 0)
			recorder->n_dma_bufs++;
	/* all areas or none, and every descriptor that was exported is passed on */
	assert_true(!recorder->n_dma_bufs || recorder->n_dma_bufs == n);
	assert_int_equal(tap_open_dma_bufs(recorder->tap), recorder->n_dma_bufs);
	if (faults_due(&recorder->board->faults, CALL_DMA_MAP))
		ret = cxlvm_error_set(err, recorder->board->faults.error, "no DMA map (injected)");
	else
		recorder->dma_mapped = true;
	leave(recorder, CALL_DMA_MAP, 0, areas[0].guest.value, n, ret);
	return ret;
}

static void host_dma_unmap(void *host, const struct cxlvm_memory_area *areas, size_t n)
{
	struct recorder *recorder = enter(host, CALL_DMA_UNMAP);

	check_same(recorder, areas, n);
	assert_true(recorder->dma_mapped);
	assert_false(recorder->enabled); /* DMA-5 */
	/* still what was mapped (DMA-4) */
	assert_int_equal(tap_open_dma_bufs(recorder->tap), recorder->n_dma_bufs);
	recorder->dma_mapped = false;
	leave(recorder, CALL_DMA_UNMAP, 0, areas[0].guest.value, n, 0);
}

static enum cxlvm_dma_state host_dma_state(void *host)
{
	struct recorder *recorder = enter(host, CALL_DMA_STATE);

	leave(recorder, CALL_DMA_STATE, 0, 0, 0, 0);
	if (recorder->board->personality == PERSONALITY_QEMU)
		return CXLVM_DMA_UNKNOWN;
	return recorder->dma_mapped ? CXLVM_DMA_MAPPED : CXLVM_DMA_NOT_MAPPED;
}

static int host_bridge_decoder(void *host, uint32_t uid, const struct cxlvm_bridge_decoder *decoder)
{
	struct recorder *recorder = enter(host, CALL_BRIDGE);
	struct board *board = recorder->board;
	struct bridge_model *bridge = board_bridge(board, uid);
	int ret = 0;

	if (board->verb != VERB_RESET_DONE ||
	    (board->kind != CXLVM_RESET_SYSTEM && board->kind != CXLVM_RESET_WAKEUP))
		board_broken(board, "bridge decoder set outside of the end of a system reset");
	if (board->phase == PHASE_HOLD) /* point 3 */
		board_broken(board, "bridge decoder set in hold: the bridge's own reset wipes it");
	if (!bridge)
		fail_msg("no host bridge with _UID %u", uid);
	assert_int_equal(decoder->base.value % CXLVM_HDM_GRANULE, 0);
	assert_int_equal(decoder->size % CXLVM_HDM_GRANULE, 0);
	if (faults_due(&board->faults, CALL_BRIDGE)) {
		ret = board->faults.error;
	} else if (bridge->no_hdm) {
		ret = -EOPNOTSUPP;
	} else if (decoder->size) {
		bridge->decoder = *decoder;
		bridge->masked = true;
		bridge->published++;
	} else {
		memset(&bridge->decoder, 0, sizeof(bridge->decoder));
		bridge->masked = false;
	}
	leave(recorder, CALL_BRIDGE, uid, decoder->base.value, decoder->size, ret);
	recorder_call_back(recorder, CALL_BRIDGE);
	return ret;
}

static int host_device_reset(void *host, enum cxlvm_reset_kind kind)
{
	struct recorder *recorder = enter(host, CALL_DEVICE_RESET);
	int ret;

	assert_false(recorder->enabled);
	assert_false(recorder->unrealized);
	ret = faults_due(&recorder->board->faults, CALL_DEVICE_RESET)
		      ? recorder->board->faults.error
		      : recorder->reset(recorder->reset_device);
	leave(recorder, CALL_DEVICE_RESET, (uint32_t)kind, 0, 0, ret);
	return ret;
}

static uint64_t host_now_ns(void *host)
{
	struct recorder *recorder = host;

	return recorder->board->now_ns += 1000;
}

static void host_sleep_ms(void *host, unsigned int milliseconds)
{
	struct recorder *recorder = enter(host, CALL_SLEEP);
	struct board *board = recorder->board;

	board->now_ns += (uint64_t)milliseconds * 1000000;
	board->slept_ms += milliseconds;
	if (board->slept_ms > BOARD_SLEEP_MAX_MS)
		board_broken(board, "slept more than 10 s in one verb");
	leave(recorder, CALL_SLEEP, 0, 0, milliseconds, 0);
}

static void host_event(void *host, const struct cxlvm_event *event)
{
	struct recorder *recorder = enter(host, CALL_EVENT);

	assert_string_equal(event->device, recorder->name);
	assert_non_null(event->text);
	assert_null(strchr(event->text, '\n'));
	assert_true(event->code <= 0);
	if (recorder->n_events < RECORDER_EVENTS_MAX) {
		struct recorded_event *record = &recorder->events[recorder->n_events++];

		record->kind = event->kind;
		record->code = event->code;
		snprintf(record->text, sizeof(record->text), "%s", event->text);
	}
	leave(recorder, CALL_EVENT, (uint32_t)event->kind, 0, 0, event->code);
	recorder_call_back(recorder, CALL_EVENT);
}

static void host_trace(void *host, const struct cxlvm_trace *trace)
{
	struct recorder *recorder = enter(host, CALL_TRACE);

	assert_true((unsigned int)trace->id < CXLVM_TRACE_COUNT);
	assert_string_equal(trace->device, recorder->name);
	assert_true(trace->n_args <= CXLVM_TRACE_ARGS_MAX);
	for (unsigned int i = 0; i < CXLVM_TRACE_ARGS_MAX; i++)
		if (!cxlvm_trace_arg_name(trace->id, i) != (i >= trace->n_args))
			fail_msg("%s has %u arguments", cxlvm_trace_name(trace->id), trace->n_args);
	if (recorder->n_traces < RECORDER_TRACES_MAX)
		recorder->traces[recorder->n_traces++] = *trace;
	leave(recorder, CALL_TRACE, (uint32_t)trace->id, 0, trace->n_args, 0);
	recorder_call_back(recorder, CALL_TRACE);
}

void recorder_init(struct recorder *recorder, struct board *board, unsigned int index,
		   struct tap *tap, const char *name)
{
	bool own = board->personality == PERSONALITY_OWN;

	memset(recorder, 0, sizeof(*recorder));
	recorder->board = board;
	recorder->index = index;
	recorder->tap = tap;
	recorder->name = name;
	recorder->page_size = 4096;
	recorder->slots = RECORDER_AREAS_MAX;
	recorder->ops = (struct cxlvm_host_ops){
		.size = sizeof(recorder->ops),
		.prepare = host_prepare,
		.release = host_release,
		.enable = host_enable,
		.disable = host_disable,
		.dma_map = own ? host_dma_map : NULL,
		.dma_unmap = own ? host_dma_unmap : NULL,
		.dma_state = host_dma_state,
		.bridge_decoder = host_bridge_decoder,
		.device_reset = host_device_reset,
		.now_ns = host_now_ns,
		.sleep_ms = host_sleep_ms,
		.event = host_event,
		.trace = host_trace,
	};
}

struct bridge_model *board_bridge(struct board *board, uint32_t uid)
{
	for (unsigned int i = 0; i < board->n_bridges; i++)
		if (board->bridges[i].uid == uid)
			return &board->bridges[i];
	return NULL;
}

/* The host's own model accepts anything (F19); its adapter tells the library before it is stored. */
static void model_write(struct bridge_model *bridge, unsigned int offset, uint32_t value)
{
	uint32_t hdm[ARRAY_SIZE(bridge->hdm)];
	struct cxlvm_bridge_decoder shown;

	assert_true(offset / 4 < ARRAY_SIZE(hdm));
	memcpy(hdm, bridge->hdm, sizeof(hdm));
	hdm[offset / 4] = value;
	if (offset == 0x20)
		hdm[8] = (value & ~0xc00u) | (value & 0x200 ? 0x400 : 0);
	shown = (struct cxlvm_bridge_decoder){
		.base = { (uint64_t)hdm[5] << 32 | (hdm[4] & 0xf0000000) },
		.size = (uint64_t)hdm[7] << 32 | (hdm[6] & 0xf0000000),
		.port = (uint8_t)hdm[9],
		.control = hdm[8],
		.global_control = hdm[1],
	};
	bridge->changed(bridge->host, &shown);
	memcpy(bridge->hdm, hdm, sizeof(hdm));
}

void bridge_model_write(struct bridge_model *bridge, unsigned int offset, uint32_t value)
{
	if (bridge->cxl)
		cxlvm_bridge_write(bridge->cxl, 0x1100 + offset, 4, value);
	else
		model_write(bridge, offset, value);
}

uint32_t bridge_model_read(const struct bridge_model *bridge, unsigned int offset)
{
	if (bridge->cxl)
		return (uint32_t)cxlvm_bridge_read(bridge->cxl, 0x1100 + offset, 4);
	return bridge->hdm[offset / 4];
}

void board_reset_bridges(struct board *board)
{
	enum verb verb = board->verb;

	for (unsigned int i = 0; i < board->n_bridges; i++) {
		struct bridge_model *bridge = &board->bridges[i];

		/* the library's tells the endpoint; in qemu nobody does (F4) */
		board->verb = VERB_BRIDGE;
		if (bridge->cxl)
			cxlvm_bridge_reset(bridge->cxl);
		board->verb = verb;
		memset(bridge->hdm, 0, sizeof(bridge->hdm));
		bridge->hdm[1] = 2;
		memset(&bridge->decoder, 0, sizeof(bridge->decoder));
		bridge->masked = false;
	}
}

void bridge_guest_write(struct bridge_model *bridge, uint64_t base, uint64_t size, uint32_t control)
{
	if (bridge->masked || bridge->no_hdm)
		return;
	bridge->decoder.base.value = base;
	bridge->decoder.size = size;
	bridge->decoder.control = control;
}

char recorder_memory_at(const struct recorder *recorder, const struct cxlvm_window *window,
			uint64_t address)
{
	for (size_t i = 0; recorder->enabled && i < recorder->n_areas; i++)
		if (address - recorder->areas[i].guest.value < recorder->areas[i].size)
			return 'm';
	/* Point 12: what the adapter puts over the window that its endpoint has. */
	if (window && !strcmp(window->owner, recorder->name) &&
	    address - window->base.value < window->size)
		return '1';
	return '0';
}

void recorder_call_back(struct recorder *recorder, enum call from)
{
	struct cxlvm_endpoint *endpoint = recorder->endpoint;
	struct cxlvm_endpoint_counters counters;
	unsigned long calls = recorder->tap->calls;
	struct cxlvm_gpa base;
	uint64_t low, both;

	if (recorder->board->personality != PERSONALITY_QEMU || !endpoint || recorder->calling_back)
		return;
	recorder->calling_back = true;
	recorder->calls_back[from]++;
	assert_string_equal(cxlvm_endpoint_name(endpoint), recorder->name);
	cxlvm_endpoint_generation(endpoint);
	assert_true(cxlvm_endpoint_firmware_committed(endpoint));
	assert_true(cxlvm_endpoint_memory_size(endpoint) > 0);
	cxlvm_endpoint_is_committed(endpoint);
	cxlvm_endpoint_memory_mapped(endpoint);
	cxlvm_endpoint_window_base(endpoint, &base);
	cxlvm_endpoint_get_counters(endpoint, &counters, sizeof(counters));
	cxlvm_endpoint_spans(endpoint, NULL, 0);
	cxlvm_endpoint_restrictions(endpoint);
	cxlvm_endpoint_config_read(endpoint, 0, 4, 0);
	assert_false(cxlvm_endpoint_host_owns_address(endpoint, recorder));
	if (recorder->hdm_offset) {
		low = cxlvm_endpoint_reg_read(endpoint, recorder->hdm_bar,
					      recorder->hdm_offset + 0x20, 4);
		both = cxlvm_endpoint_reg_read(endpoint, recorder->hdm_bar,
					       recorder->hdm_offset + 0x10, 8);
		if (recorder->unrealized) {
			assert_int_equal(low, 0xffffffff);
			assert_true(both == UINT64_MAX);
		}
	}
	/* P1: the HDM block is answered from the library's state */
	assert_int_equal(recorder->tap->calls, calls);
	recorder->calling_back = false;
}

const struct recorded_event *recorder_event(const struct recorder *recorder,
					    enum cxlvm_event_kind kind)
{
	const struct recorded_event *found = NULL;

	for (unsigned int i = 0; i < recorder->n_events; i++)
		if (recorder->events[i].kind == kind)
			found = &recorder->events[i];
	return found;
}

unsigned int recorder_trace_count(const struct recorder *recorder, enum cxlvm_trace_id id,
				  const struct cxlvm_trace **last)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < recorder->n_traces; i++) {
		if (recorder->traces[i].id != id)
			continue;
		count++;
		if (last)
			*last = &recorder->traces[i];
	}
	return count;
}

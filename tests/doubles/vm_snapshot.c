/* SPDX-License-Identifier: BSD-3-Clause */
/* What must be equal before and after a failing verb, and what must hold after each of them. */
#include "vm.h"

#include <inttypes.h>

#include "test.h"

/*
 * Read as a guest does, and leave no trace of it: neither counted as calls that can fail nor in the
 * journal. Left out is what the state has: the HDM block, and DVSEC range 1 that follows it.
 */
static void read_as_guest(struct vm *vm, unsigned int i, struct vm_snapshot_device *copy)
{
	struct vm_device *device = &vm->devices[i];
	struct test_device *below = &device->below;
	bool armed = vm->board.faults.armed;
	size_t journal = vm->board.journal.n;
	const char *closed = device->tap.closed;
	unsigned long calls = device->tap.calls;
	uint64_t cm = device->hdm & ~0xfffull;

	vm->board.faults.armed = false;
	device->tap.closed = device->dark ? closed : NULL;
	for (uint32_t n = 0; n < VM_CONFIG_DWORDS; n++) {
		uint8_t bytes[4];

		if (4 * n >= device->dvsec + 0x18 && 4 * n < device->dvsec + 0x28)
			continue;
		assert_int_equal(below->ops->read(below->device, 7, 4 * n, bytes, 4), 0);
		copy->config[n] = cxlvm_endpoint_config_read(device->endpoint, 4 * n, 4,
							     (uint32_t)fake_get(bytes, 4));
	}
	for (uint32_t n = 0; n < VM_REGISTER_DWORDS; n++)
		if (cm + 4 * n < device->hdm || cm + 4 * n >= device->hdm + 0x30)
			copy->registers[n] = (uint32_t)cxlvm_endpoint_reg_read(
				device->endpoint, device->bar, cm + 4 * n, 4);
	device->tap.calls = calls;
	device->tap.closed = closed;
	vm->board.journal.n = journal;
	vm->board.faults.armed = armed;
}

void vm_snapshot(struct vm *vm, struct vm_snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	snapshot->n = vm->n > vm->board.n_bridges ? vm->n : vm->board.n_bridges;
	for (unsigned int i = 0; i < vm->n; i++) {
		struct vm_device *device = &vm->devices[i];
		struct vm_snapshot_device *copy = &snapshot->devices[i];

		copy->prepared = device->recorder.prepared;
		copy->enabled = device->recorder.enabled;
		copy->dma_mapped = device->recorder.dma_mapped;
		copy->n_maps = device->tap.n_maps;
		if (device->below.fake)
			copy->command = (uint32_t)fake_get(device->below.fake->config + 4, 2);
		if (device->below.fake && device->below.fake->generation == 2) {
			copy->kernel[0] = fake_kernel(device->below.fake, 0x10);
			copy->kernel[1] = fake_kernel(device->below.fake, 0x14);
			copy->kernel[2] = fake_kernel(device->below.fake, 0x20);
		}
		if (!device->endpoint)
			continue;
		copy->exists = true;
		copy->guest = vm->decoder == CXLVM_DECODER_GUEST;
		copy->committed = cxlvm_endpoint_is_committed(device->endpoint);
		copy->mapped = cxlvm_endpoint_memory_mapped(device->endpoint);
		copy->has_base = cxlvm_endpoint_window_base(device->endpoint, &copy->base);
		if (!copy->has_base)
			copy->base.value = 0;
		cxlvm_endpoint_get_state(device->endpoint, &copy->state, sizeof(copy->state));
		copy->n_areas = cxlvm_endpoint_memory_areas(device->endpoint, NULL, 0);
		/* a peer behind a socket is asked for nothing that no verb asks for */
		if (device->hdm && (device->below.fake || device->below.transport.device))
			read_as_guest(vm, i, copy);
	}
	for (unsigned int i = 0; i < vm->board.n_bridges; i++)
		snapshot->bridges[i] = vm->board.bridges[i].decoder;
	snapshot->frozen = cxlvm_machine_is_frozen(vm->machine);
	for (unsigned int i = 0; i < ARRAY_SIZE(snapshot->windows); i++) {
		const struct cxlvm_window *window = cxlvm_machine_window(vm->machine, i);

		if (!window)
			break;
		snapshot->windows[snapshot->n_windows] = *window;
		if (!window->has_base)
			snapshot->windows[snapshot->n_windows].base.value = 0;
		snapshot->n_windows++;
	}
}

static void assert_same_device(const struct vm_snapshot_device *a,
			       const struct vm_snapshot_device *b, bool exact)
{
	struct cxlvm_endpoint_state x = a->state, y = b->state;
	/* a decoder that a function-level reset kept committed fails closed (contract 6.3, P3) */
	bool failed_closed = !exact && a->committed && y.hdm[8] == 0x800;
	/* and with policy guest the map that was made for it goes along */
	bool map_goes = failed_closed && a->guest;

	assert_int_equal(a->exists, b->exists);
	if (!failed_closed)
		assert_int_equal(a->committed, b->committed);
	assert_int_equal(a->mapped, b->mapped);
	assert_int_equal(a->has_base, b->has_base);
	assert_int_equal(a->base.value, b->base.value);
	assert_int_equal(map_goes ? 0 : a->n_areas, b->n_areas);
	assert_int_equal(map_goes ? false : a->prepared, b->prepared);
	assert_int_equal(a->enabled, b->enabled);
	assert_int_equal(a->dma_mapped, b->dma_mapped);
	assert_int_equal(map_goes ? 0 : a->n_maps, b->n_maps);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(a->kernel[i], b->kernel[i]);
	assert_int_equal(a->command, b->command);
	if (!exact) {
		/* decoder 0's error bit; the reason for "unusable" */
		x.hdm[8] &= ~0x800u;
		y.hdm[8] &= ~0x800u;
		x.usable = y.usable = 0;
	}
	for (unsigned int i = 4; failed_closed && i < ARRAY_SIZE(x.hdm); i++) {
		/* the size is preset again */
		assert_int_equal(map_goes && (i == 6 || i == 7) ? 0 : y.hdm[i], 0);
		x.hdm[i] = y.hdm[i];
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(x.hdm); i++)
		if (x.hdm[i] != y.hdm[i])
			fail_msg("HDM + 0x%02x: 0x%08" PRIx32 " became 0x%08" PRIx32, 4 * i,
				 x.hdm[i], y.hdm[i]);
	for (unsigned int i = 0; i < VM_CONFIG_DWORDS; i++)
		if (a->config[i] != b->config[i])
			fail_msg("config space 0x%03x: 0x%08" PRIx32 " became 0x%08" PRIx32, 4 * i,
				 a->config[i], b->config[i]);
	for (unsigned int i = 0; i < VM_REGISTER_DWORDS; i++)
		if (a->registers[i] != b->registers[i])
			fail_msg("CM area + 0x%03x: 0x%08" PRIx32 " became 0x%08" PRIx32, 4 * i,
				 a->registers[i], b->registers[i]);
	assert_int_equal(x.dvsec_control, y.dvsec_control);
	assert_int_equal(x.dvsec_lock, y.dvsec_lock);
	assert_int_equal(x.dvsec_control2, y.dvsec_control2);
	assert_int_equal(x.dvsec_status2, y.dvsec_status2);
	assert_int_equal(x.usable, y.usable);
	assert_int_equal(x.mapped, y.mapped);
}

void vm_snapshot_assert_equal(const struct vm_snapshot *a, const struct vm_snapshot *b, bool exact)
{
	assert_int_equal(a->n, b->n);
	for (unsigned int i = 0; i < a->n; i++)
		assert_same_device(&a->devices[i], &b->devices[i], exact);
	for (unsigned int i = 0; i < a->n; i++) {
		assert_int_equal(a->bridges[i].base.value, b->bridges[i].base.value);
		assert_int_equal(a->bridges[i].size, b->bridges[i].size);
		assert_int_equal(a->bridges[i].port, b->bridges[i].port);
		assert_int_equal(a->bridges[i].control, b->bridges[i].control);
		assert_int_equal(a->bridges[i].global_control, b->bridges[i].global_control);
	}
	assert_int_equal(a->frozen, b->frozen);
	assert_int_equal(a->n_windows, b->n_windows);
	for (unsigned int i = 0; i < a->n_windows; i++) {
		const struct cxlvm_window *x = &a->windows[i], *y = &b->windows[i];

		assert_string_equal(x->name, y->name);
		assert_string_equal(x->owner, y->owner);
		assert_int_equal(x->has_base, y->has_base);
		assert_int_equal(x->base.value, y->base.value);
		assert_int_equal(x->size, y->size);
		assert_int_equal(x->restrictions, y->restrictions);
		assert_int_equal(x->n_targets, y->n_targets);
		assert_int_equal(x->targets[0], y->targets[0]);
	}
}

static uint64_t pair(const struct cxlvm_endpoint_state *state, unsigned int index)
{
	return (uint64_t)state->hdm[index + 1] << 32 | state->hdm[index];
}

/* Policy guest: by what the guest did to the bridge, not by what the library makes of it. */
static bool bridge_leads_there(struct vm *vm, unsigned int i,
			       const struct cxlvm_endpoint_state *state)
{
	const struct cxlvm_bridge_decoder *bridge = &board_bridge(&vm->board, VM_UID(i))->decoder;

	if (vm->decoder == CXLVM_DECODER_LOCKED)
		return true;
	return bridge->size && bridge->control & 0x400 && bridge->global_control & 2 &&
	       bridge->base.value == pair(state, 4) && bridge->size == pair(state, 6) &&
	       bridge->port == vm->devices[i].config.port;
}

static void check_device(struct vm *vm, unsigned int i)
{
	struct vm_device *device = &vm->devices[i];
	const struct recorder *recorder = &device->recorder;
	struct cxlvm_endpoint_state state;
	uint64_t bytes = 0;

	cxlvm_endpoint_get_state(device->endpoint, &state, sizeof(state));
	assert_int_equal(cxlvm_endpoint_memory_mapped(device->endpoint), recorder->enabled);
	assert_int_equal(state.mapped, recorder->enabled);
	/* a descriptor lives as long as the map it was exported for (DMA-6) */
	if (!recorder->dma_mapped)
		assert_int_equal(tap_open_dma_bufs(&device->tap), 0);
	assert_int_equal(cxlvm_endpoint_is_committed(device->endpoint), state.hdm[8] >> 10 & 1);
	/* P3: mapped exactly when committed, globally enabled, memory enabled, usable */
	assert_int_equal(recorder->enabled, (state.hdm[8] & 0x400) && (state.hdm[1] & 2) &&
						    (state.dvsec_control & 4) && state.usable &&
						    bridge_leads_there(vm, i, &state));
	if (!recorder->enabled)
		return;
	assert_string_equal(cxlvm_endpoint_unusable_reason(device->endpoint), "");
	assert_int_equal(recorder->areas[0].guest.value, pair(&state, 4));
	assert_int_equal(recorder->areas[0].offset.value, 0);
	for (size_t a = 0; a < recorder->n_areas; a++)
		bytes += recorder->areas[a].size;
	assert_int_equal(bytes, pair(&state, 6));
	/* DMA-3, DMA-5 */
	assert_true(recorder->dma_mapped || recorder->dma_fails || recorder->may_lack_dma);
}

void vm_check(struct vm *vm)
{
	for (unsigned int i = 0; i < vm->n; i++)
		if (vm->devices[i].endpoint && !vm->devices[i].dark)
			check_device(vm, i);
}

void vm_check_running(struct vm *vm)
{
	vm_check(vm);
	for (unsigned int i = 0; i < vm->n; i++) {
		struct vm_device *device = &vm->devices[i];
		const struct bridge_model *bridge = board_bridge(&vm->board, VM_UID(i));
		struct cxlvm_gpa base = { 0 };
		uint64_t size = cxlvm_endpoint_memory_size(device->endpoint);

		assert_true(cxlvm_endpoint_window_base(device->endpoint, &base));
		assert_true(cxlvm_endpoint_is_committed(device->endpoint));
		assert_true(device->recorder.enabled);
		assert_int_equal(vm_hdm(vm, i, 0x04) & 2, 2);
		assert_int_equal(vm_hdm(vm, i, 0x10), base.value & 0xffffffff);
		assert_int_equal(vm_hdm(vm, i, 0x14), base.value >> 32);
		assert_int_equal(vm_hdm(vm, i, 0x18), size & 0xffffffff);
		assert_int_equal(vm_hdm(vm, i, 0x1c), size >> 32);
		assert_int_equal(vm_hdm(vm, i, 0x20), 0x700);
		assert_int_equal(vm_hdm(vm, i, 0x24), 0);
		/* linux-cxl-guest.md 6.1: the bridge's decoder is exactly the endpoint's */
		assert_true(bridge->masked);
		assert_int_equal(bridge->decoder.base.value, base.value);
		assert_int_equal(bridge->decoder.size, size);
		assert_int_equal(bridge->decoder.port, device->config.port);
		assert_int_equal(bridge->decoder.control, 0x700);
		assert_int_equal(bridge->decoder.global_control & 2, 2);
		if (device->below.fake && device->below.fake->generation == 2) {
			assert_int_equal(fake_kernel(device->below.fake, 0x10),
					 base.value & 0xffffffff);
			assert_int_equal(fake_kernel(device->below.fake, 0x14), base.value >> 32);
			assert_int_equal(fake_kernel(device->below.fake, 0x20), 0x700);
		}
	}
}

static bool says(const char *text, const char *format, uint64_t number)
{
	char digits[40];
	const char *at = text;
	size_t len = (size_t)snprintf(digits, sizeof(digits), format, number);

	while ((at = strstr(at, digits))) {
		char next = at[len];
		char last = at == text ? ' ' : at[-1];
		bool alnum = (next >= '0' && next <= '9') || (next >= 'a' && next <= 'f');

		if (!alnum && !(last >= '0' && last <= '9') && last != 'x')
			return true;
		at++;
	}
	return false;
}

bool message_has(const struct cxlvm_error *err, uint64_t number)
{
	char both[CXLVM_ERROR_MESSAGE_MAX + CXLVM_ERROR_HINT_MAX + 1];

	snprintf(both, sizeof(both), "%s %s", err->message, err->hint);
	if (says(both, "0x%" PRIx64, number) || says(both, "%" PRIu64, number) ||
	    says(both, "0x%04" PRIx64, number) || says(both, "0x%08" PRIx64, number))
		return true;
	if (number && !(number & 0x3fffffff) && says(both, "%" PRIu64 " GiB", number >> 30))
		return true;
	return number && !(number & 0xfffff) && says(both, "%" PRIu64 " MiB", number >> 20);
}

void assert_message_has(const struct cxlvm_error *err, uint64_t number)
{
	if (!message_has(err, number))
		fail_msg("0x%" PRIx64 " is not in: %s (%s)", number, err->message, err->hint);
}

void assert_message_says(const struct cxlvm_error *err, const char *text)
{
	if (!strstr(err->message, text))
		fail_msg("\"%s\" is not in: %s", text, err->message);
}

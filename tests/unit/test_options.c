/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of realize: mode auto, on and off, the window by name, memory that cannot be mapped. */
#include <errno.h>

#include "test.h"
#include "vm.h"

static const enum cxlvm_cxl_mode modes[] = { CXLVM_CXL_AUTO, CXLVM_CXL_ON, CXLVM_CXL_OFF };

static struct vm *frozen_if_placed(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	return vm;
}

/* What a plain endpoint does for its host: nothing. */
static void expect_plain(struct vm *vm)
{
	struct vm_device *device = &vm->devices[0];
	struct cxlvm_gpa base;

	assert_true(cxlvm_endpoint_is_plain(device->endpoint));
	assert_int_equal(cxlvm_endpoint_generation(device->endpoint), 0);
	assert_int_equal(cxlvm_endpoint_spans(device->endpoint, NULL, 0), 0);
	assert_int_equal(cxlvm_endpoint_memory_areas(device->endpoint, NULL, 0), 0);
	assert_int_equal(cxlvm_endpoint_memory_size(device->endpoint), 0);
	assert_int_equal(cxlvm_endpoint_restrictions(device->endpoint), 0);
	assert_false(cxlvm_endpoint_is_committed(device->endpoint));
	assert_false(cxlvm_endpoint_firmware_committed(device->endpoint));
	assert_false(cxlvm_endpoint_window_base(device->endpoint, &base));
	assert_string_equal(cxlvm_endpoint_unusable_reason(device->endpoint), "");
}

/* Every verb, in the order of a life: no call crosses a seam. */
static void live_plain(struct vm *vm)
{
	static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_SYSTEM, CXLVM_RESET_FUNCTION,
						       CXLVM_RESET_BUS, CXLVM_RESET_WAKEUP };
	struct journal *journal = &vm->board.journal;

	cxlvm_machine_trace(vm->machine, "*", true);
	journal_clear(journal);
	assert_int_equal(vm_machine_done(vm, 0, NULL), 0);
	vm->board.phase = PHASE_EXIT;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(vm_reset_prepare(vm, 0, kinds[i], NULL), 0);
		assert_int_equal(vm_reset_done(vm, 0, kinds[i], 0, NULL), 0);
	}
	vm->board.phase = PHASE_RUN;
	assert_int_equal(vm_recheck(vm, 0), 0);
	expect_plain(vm);
	vm_unrealize(vm, 0);
	assert_int_equal(journal->n, 0);
}

/* DET-1: one question, and from then on as if the library were not there. */
static void det1_flag_clear_is_a_plain_device(void **state)
{
	static const enum cxlvm_cxl_mode plain[] = { CXLVM_CXL_AUTO, CXLVM_CXL_OFF };

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		/* no host bridge, no window, a machine that runs: nothing of it matters */
		struct vm *vm = vm_create_options(*state, 1, &(struct vm_options){ .bare = true });
		struct vm_device *device = &vm->devices[0];
		enum cxlvm_reset_kind kind;
		uint32_t device_value;

		fake_put(device->below.fake->info.bytes + 4, 4, 0x83);
		device->config.mode = plain[i];
		device->config.hotplug = true;
		cxlvm_machine_trace(vm->machine, "*", true);
		assert_int_equal(vm_realize(vm, 0, NULL), 0);
		assert_int_equal(vm->board.journal.n, 1);
		assert_int_equal(vm->board.journal.entries[0].call, CALL_INFO);
		for (uint32_t at = 0; at < 4096; at += 4)
			assert_int_equal(cxlvm_endpoint_config_read(device->endpoint, at, 4, ~at),
					 ~at);
		/* the host's affair: Memory Space, resets, power */
		for (uint32_t at = 4; at < 4096; at += 2) {
			assert_true(cxlvm_endpoint_config_write_begin(
				device->endpoint, at, 2, 0xa5f0, &device_value, &kind));
			assert_int_equal(device_value, 0xa5f0);
			assert_int_equal(kind, CXLVM_RESET_NONE);
			cxlvm_endpoint_config_write_end(device->endpoint);
		}
		live_plain(vm);
		vm_stop(vm);
	}
}

/* One config space as a guest walks it: a line for each extended capability that means something. */
struct walked {
	unsigned int n;
	struct {
		uint32_t at, id, dvsec;
	} caps[32];
};

static void walk(struct vm *vm, bool filtered, struct walked *walked)
{
	struct test_device *below = &vm->devices[0].below;

	walked->n = 0;
	for (uint32_t at = 0x100, steps = 0; at && steps < 64; steps++) {
		uint8_t bytes[12];
		uint32_t dwords[3] = { 0 };

		assert_int_equal(below->ops->read(below->device, 7, at, bytes, 12), 0);
		for (unsigned int i = 0; i < 3; i++)
			dwords[i] = filtered ? vm_config_read(vm, 0, at + 4 * i, 4)
					     : (uint32_t)fake_get(bytes + 4 * i, 4);
		if (dwords[0] & 0xffff) {
			assert_true(walked->n < ARRAY_SIZE(walked->caps));
			walked->caps[walked->n].at = at;
			walked->caps[walked->n].id = dwords[0] & 0xffff;
			walked->caps[walked->n++].dvsec =
				(dwords[1] & 0xffff) == 0x1e98 ? dwords[2] & 0xffff : 0xffff;
		}
		at = dwords[0] >> 20;
	}
}

/* Register Locator: block identifiers of its entries, as a guest reads them. */
static unsigned int component_entries(struct vm *vm, uint32_t locator, bool filtered)
{
	struct test_device *below = &vm->devices[0].below;
	uint8_t bytes[4];
	uint32_t length;
	unsigned int n = 0;

	assert_int_equal(below->ops->read(below->device, 7, locator + 4, bytes, 4), 0);
	length = (uint32_t)fake_get(bytes, 4) >> 20;
	for (uint32_t at = locator + 0xc; at + 8 <= locator + length; at += 8) {
		assert_int_equal(below->ops->read(below->device, 7, at, bytes, 4), 0);
		if (filtered && bytes[1] == 1)
			assert_int_equal(vm_config_read(vm, 0, at, 4), 0);
		if (filtered)
			fake_put(bytes, 4, vm_config_read(vm, 0, at, 4));
		if (bytes[1] == 1)
			n++;
	}
	return n;
}

static void det4_off_hides_what_leads_to_the_registers(void **state)
{
	struct vm *vm = vm_create_options(*state, 1, &(struct vm_options){ .bare = true });
	struct walked raw, seen;
	unsigned int at = 0;

	vm->devices[0].config.mode = CXLVM_CXL_OFF;
	vm->devices[0].config.hotplug = true;
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	expect_plain(vm);
	walk(vm, false, &raw);
	walk(vm, true, &seen);
	/* the same capabilities, without the CXL Device DVSEC */
	assert_true(raw.n > 2);
	assert_int_equal(seen.n, raw.n - 1);
	for (unsigned int i = 0; i < raw.n; i++) {
		if (raw.caps[i].dvsec == 0) {
			/* its bytes are gone, but for the link; by any width */
			assert_int_equal(vm_config_read(vm, 0, raw.caps[i].at, 2), 0);
			assert_int_equal(vm_config_read(vm, 0, raw.caps[i].at + 2, 1) & 0xf, 0);
			for (uint32_t b = 4; b < 0x3c; b++)
				assert_int_equal(vm_config_read(vm, 0, raw.caps[i].at + b, 1), 0);
			continue;
		}
		assert_int_equal(seen.caps[at].at, raw.caps[i].at);
		assert_int_equal(seen.caps[at].id, raw.caps[i].id);
		assert_int_equal(seen.caps[at++].dvsec, raw.caps[i].dvsec);
		if (raw.caps[i].dvsec == 8) {
			assert_int_equal(component_entries(vm, raw.caps[i].at, false), 1);
			assert_int_equal(component_entries(vm, raw.caps[i].at, true), 0);
		}
	}
	/* the byte before and the byte behind are the device's */
	assert_int_equal(cxlvm_endpoint_config_read(vm->devices[0].endpoint, raw.caps[0].at - 4, 4,
						    0x12345678),
			 0x12345678);
	live_plain(vm);
	vm_stop(vm);
}

/* Writes to what is hidden do not reach the device; all others do, unchanged. */
static void det4_writes_to_hidden_registers_are_dropped(void **state)
{
	struct vm *vm = frozen_if_placed(state);
	struct vm_device *device = &vm->devices[0];
	enum cxlvm_reset_kind kind;
	uint32_t value;

	device->config.mode = CXLVM_CXL_OFF;
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	for (uint32_t at = 0; at < 0x1000; at += 4) {
		bool hidden =
			(at >= FAKE_DVSEC && at < FAKE_DVSEC + 0x3c) || at == 0x174 || at == 0x178;

		assert_int_equal(cxlvm_endpoint_config_write_begin(device->endpoint, at, 4, 0x7,
								   &value, &kind),
				 !hidden);
		assert_int_equal(value, 7);
		assert_int_equal(kind, CXLVM_RESET_NONE);
		cxlvm_endpoint_config_write_end(device->endpoint);
		assert_int_equal(cxlvm_endpoint_config_read(device->endpoint, at, 4, 0xffffffff),
				 !hidden            ? 0xffffffff
				 : at == FAKE_DVSEC ? 0xfff00000
						    : 0);
	}
	vm_stop(vm);
}

/* A chain that no walk ends: nothing can be said to be hidden. */
static void det4_endless_capabilities_are_refused(void **state)
{
	struct vm *vm = frozen_if_placed(state);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.mode = CXLVM_CXL_OFF;
	/* no Register Locator, and the last capability leads back */
	fake_put(vm->devices[0].below.fake->config + 0x168, 2, 0x3f);
	fake_put(vm->devices[0].below.fake->config + 0x182, 2, 0x1401);
	assert_int_equal(vm_realize(vm, 0, &err), -EPROTO);
	assert_message_says(&err, "loop");
	vm_stop(vm);
}

/* Rows three and four of the table: what auto and on refuse, off makes a plain device of. */
static void det2_det3_w27_broken_devices_are_plain_only_when_off(void **state)
{
	for (unsigned int which = 0; which < 2; which++) {
		for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
			struct vm *vm = frozen_if_placed(state);
			struct fake *fake = vm->devices[0].below.fake;
			struct cxlvm_error err = CXLVM_ERROR_INIT;
			int ret;

			vm->devices[0].config.mode = modes[i];
			if (which) {
				fake_set_hardware(fake, 0x20, 0x300);
				fake_sample(fake);
			} else {
				/* neither region has a type that is known */
				fake_put(fake->regions[fake->memory_region].bytes + 0x28, 4,
					 0x7777);
				fake_put(fake->regions[fake->registers_region].bytes + 0x28, 4,
					 0x8888);
			}
			ret = vm_realize(vm, 0, &err);
			if (modes[i] == CXLVM_CXL_OFF) {
				assert_int_equal(ret, 0);
				expect_plain(vm);
			} else if (which) {
				assert_int_equal(ret, -ENXIO);
			} else {
				/* flags, types of regions */
				assert_int_equal(ret, -EOPNOTSUPP);
				assert_message_has(&err, fake_get(fake->info.bytes + 4, 4));
				assert_message_says(&err, "0x7777");
				assert_message_says(&err, "0x8888");
				assert_message_says(&err, "no memory region");
			}
			assert_int_equal(vm->devices[0].recorder.n_events, 0);
			vm_stop(vm);
		}
	}
}

/* A CXL device, as a CXL device, by both modes; a running machine takes none. */
static void det_auto_and_on_take_a_cxl_device(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct vm *vm = vm_create(*state, 1);
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		vm->devices[0].config.mode = modes[i];
		assert_int_equal(vm_start(vm, NULL), 0);
		assert_false(cxlvm_endpoint_is_plain(vm->devices[0].endpoint));
		vm_check_running(vm);
		vm_stop(vm);

		vm = frozen_if_placed(state);
		vm->devices[0].config.mode = modes[i];
		vm->devices[0].config.hotplug = true;
		assert_int_equal(vm_realize(vm, 0, &err), -EOPNOTSUPP);
		vm_stop(vm);
	}
}

static void bad_options_are_refused(void **state)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct vm *vm = frozen_if_placed(state);
	char name[80];

	vm->devices[0].config.mode = (enum cxlvm_cxl_mode)3;
	assert_int_equal(vm_realize(vm, 0, &err), -EINVAL);
	assert_message_has(&err, 3);
	vm->devices[0].config.mode = CXLVM_CXL_AUTO;
	memset(name, 'w', sizeof(name));
	name[64] = '\0';
	vm->devices[0].config.window = name;
	err = (struct cxlvm_error)CXLVM_ERROR_INIT;
	assert_int_equal(vm_realize(vm, 0, &err), -EINVAL);
	assert_message_has(&err, 64);
	assert_message_has(&err, 63);
	assert_int_equal(vm->board.journal.n, 0);
	vm_stop(vm);
}

/* Where the host placed windows, a name decides between two that topology cannot tell apart. */
static void window_by_name_among_placed_ones(void **state)
{
	static const struct {
		const char *name;
		int ret;
	} cases[] = { { "first", 0 },      { "second", 0 },     { "other", -EINVAL },
		      { "none", -ENOENT }, { "wide", -EINVAL }, { "small", -ERANGE },
		      { NULL, -EINVAL },   { "", -EINVAL } };
	static const struct {
		const char *name;
		uint64_t size;
		uint32_t targets[2];
		unsigned int n_targets;
	} windows[] = { { "first", 0x10000000, { 12 }, 1 },
			{ "second", 0x20000000, { 12 }, 1 },
			{ "other", 0x10000000, { 13 }, 1 },
			{ "wide", 0x10000000, { 12, 13 }, 2 },
			{ "small", 0x10000000, { 12 }, 1 } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = vm_create_options(*state, 1, &(struct vm_options){ .bare = true });
		struct cxlvm_gpa blocks[] = { { VM_BLOCK(0) }, { VM_BLOCK(1) } };
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		struct cxlvm_gpa base = { 0 };
		int ret;

		for (size_t w = 0; w < ARRAY_SIZE(windows); w++) {
			struct cxlvm_window window = {
				.has_base = true,
				.base = { VM_WINDOW(w) },
				.size = windows[w].size,
				.restrictions = 0x0f,
				.n_targets = windows[w].n_targets,
				.targets = { windows[w].targets[0], windows[w].targets[1] },
			};

			snprintf(window.name, sizeof(window.name), "%s", windows[w].name);
			assert_int_equal(cxlvm_machine_add_window(vm->machine, &window, NULL), 0);
		}
		assert_int_equal(cxlvm_machine_add_bridge(vm->machine, "a", 12, &blocks[0], NULL),
				 0);
		assert_int_equal(cxlvm_machine_add_bridge(vm->machine, "b", 13, &blocks[1], NULL),
				 0);
		assert_int_equal(vm_freeze(vm, NULL), 0);
		vm->devices[0].config.window = cases[i].name;
		/* a base past the end of the small one */
		vm->devices[0].config.has_window_base = cases[i].ret == -ERANGE;
		vm->devices[0].config.window_base.value = VM_WINDOW(4) + 0x10000000;
		ret = vm_realize(vm, 0, &err);
		if (ret != cases[i].ret)
			fail_msg("window %s: %d (%s)", cases[i].name, ret, err.message);
		if (!ret) {
			assert_true(cxlvm_endpoint_window_base(vm->devices[0].endpoint, &base));
			assert_int_equal(base.value, VM_WINDOW(i));
			assert_string_equal(
				cxlvm_machine_window(vm->machine, (unsigned int)i)->owner,
				"accel0");
		} else if (cases[i].name && cases[i].name[0]) {
			assert_message_says(&err, cases[i].name);
			assert_message_says(&err, "accel0");
		}
		vm_stop(vm);
	}
}

/* Where cxlvm places windows, the name is the one that it gets; two cannot have one. */
static void window_by_name_of_our_own(void **state)
{
	struct vm *vm = vm_create(*state, 2);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	vm->devices[0].config.window = "fast";
	vm->devices[1].config.window = "fast";
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 0)->name, "fast");
	assert_int_equal(vm_realize(vm, 1, &err), -EEXIST);
	assert_message_says(&err, "fast");
	assert_message_has(&err, 12);
	assert_null(cxlvm_machine_window(vm->machine, 1));
	vm->devices[1].config.window = "slow";
	assert_int_equal(vm_realize(vm, 1, NULL), 0);
	assert_string_equal(cxlvm_machine_window(vm->machine, 1)->name, "slow");
	vm_stop(vm);
}

static void without_mmap(struct vm *vm)
{
	struct fake *fake = vm->devices[0].below.fake;

	fake_put(fake->regions[fake->memory_region].bytes + 4, 4, 0xb);
}

/* REG-4: refused unless asked for, and the hint says why. */
static void reg4_w26_memory_without_mmap_is_refused(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct vm *vm = frozen_if_placed(state);
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		without_mmap(vm);
		vm->devices[0].config.mode = modes[i];
		assert_int_equal(vm_realize(vm, 0, &err), -EOPNOTSUPP);
		assert_message_has(&err, 0xb);
		assert_non_null(strstr(err.hint, "does not let user space map"));
		vm_stop(vm);
	}
}

static void expect_no_memory(struct vm *vm)
{
	struct vm_device *device = &vm->devices[0];
	const struct bridge_model *bridge = board_bridge(&vm->board, VM_UID(0));

	assert_false(cxlvm_endpoint_is_committed(device->endpoint));
	assert_false(cxlvm_endpoint_memory_mapped(device->endpoint));
	assert_int_equal(vm_hdm(vm, 0, 0x20) & 0xf00, 0); /* no error either: nothing was tried */
	assert_int_equal(bridge->decoder.size, 0);
	assert_non_null(strstr(cxlvm_endpoint_unusable_reason(device->endpoint), "no memory"));
	/* the range of the DVSEC is not there for a guest that falls back to it */
	assert_int_equal(vm_config_read(vm, 0, device->dvsec + 0x1c, 4) & 3, 0);
}

/* REG-4, option allow-slow: taken, with memory that nobody reaches, and never in silence. */
static void reg4_w26_allow_slow_has_no_memory(void **state)
{
	static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_FUNCTION, CXLVM_RESET_HOT,
						       CXLVM_RESET_BUS };
	struct vm *vm = vm_create(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;

	without_mmap(vm);
	vm->devices[0].config.allow_slow = true;
	assert_int_equal(vm_start(vm, NULL), 0);
	expect_no_memory(vm);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		assert_int_equal(vm_reset_prepare(vm, 0, kinds[i], NULL), 0);
		assert_int_equal(vm_reset_done(vm, 0, kinds[i], 0, NULL), 0);
		expect_no_memory(vm);
	}
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	expect_no_memory(vm);
	/* the guest cannot turn on what is not there */
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 2);
	vm_config_write(vm, 0, vm->devices[0].dvsec + 0xc, 2, 6);
	expect_no_memory(vm);
	assert_int_equal(journal_count(&vm->board.journal, CALL_MAP), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_PREPARE), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_ENABLE), 0);
	assert_int_equal(journal_count(&vm->board.journal, CALL_DMA_MAP), 0);
	assert_int_equal(recorder->n_events, 1);
	assert_int_equal(recorder->events[0].kind, CXLVM_EVENT_WARNING);
	assert_non_null(strstr(recorder->events[0].text, "no memory"));
	vm_stop(vm);
}

/* Decoder policy guest: what cannot be mapped cannot be committed either. */
static void reg4_allow_slow_refuses_a_guest_commit(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);
	struct recorder *recorder = &vm->devices[0].recorder;

	without_mmap(vm);
	vm->devices[0].config.allow_slow = true;
	assert_int_equal(vm_start(vm, NULL), 0);
	expect_no_memory(vm);
	vm_bridge_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE);
	assert_int_equal(vm_commit(vm, 0, VM_WINDOW(0), FAKE_MEMORY_SIZE, 0), 0xa00);
	assert_false(recorder->enabled);
	assert_int_equal(journal_count(&vm->board.journal, CALL_PREPARE), 0);
	assert_non_null(strstr(recorder->events[recorder->n_events - 1].text, "no memory"));
	vm_stop(vm);
}

/* With memory that can be mapped the option changes nothing. */
static void allow_slow_is_not_needed_for_good_memory(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	vm->devices[0].config.allow_slow = true;
	assert_int_equal(vm_start(vm, NULL), 0);
	vm_check_running(vm);
	vm_stop(vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FAKE(det1_flag_clear_is_a_plain_device),
		TEST_ALL(det4_off_hides_what_leads_to_the_registers),
		TEST_FAKE_5(det4_writes_to_hidden_registers_are_dropped),
		TEST_FAKE_5(det4_endless_capabilities_are_refused),
		TEST_FAKE(det2_det3_w27_broken_devices_are_plain_only_when_off),
		TEST_ALL(det_auto_and_on_take_a_cxl_device),
		TEST_FAKE_5(bad_options_are_refused),
		TEST_ON(window_by_name_among_placed_ones, QEMU_FAKE_5, "[qemu,fake 5]"),
		TEST_ON(window_by_name_of_our_own, OWN_FAKE_5, "[own,fake 5]"),
		TEST_FAKE(reg4_w26_memory_without_mmap_is_refused),
		TEST_FAKE(reg4_w26_allow_slow_has_no_memory),
		TEST_FAKE(reg4_allow_slow_refuses_a_guest_commit),
		TEST_ALL(allow_slow_is_not_needed_for_good_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

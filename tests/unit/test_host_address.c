/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No host physical address reaches the guest (P2). The devices have one in the real decoder, in
 * range 1 of the CXL Device DVSEC and in the header log of RAS; everything that a guest can read is
 * searched for it, at every size and alignment: config space, trapped registers, host bridge and
 * root port, tables, and the texts and numbers that a host may pass on. The same search of the bare
 * device finds it.
 */
#include <errno.h>
#include <inttypes.h>

#include "test.h"
#include "vm.h"

#define SIM_HOST_BASE 0x000006a700000000ull
#define FAULT_OFFSET  0x0badf0c0ull /* of the address in the header log, as the sim has it */
#define RAS_LOG       0x1098u       /* in the block: RAS at CM + 0x80, its header log at + 0x18 */

/* The numbers that give the address away, whole and in the pieces that registers have. */
#define FORMS 9
struct marker {
	uint64_t base, fault;
	struct {
		uint64_t value;
		unsigned int bytes; /* 0: would be found anywhere */
	} forms[FORMS];
};

static struct marker marker_of(const struct vm *vm)
{
	uint64_t base = vm->variant->sim ? SIM_HOST_BASE : FAKE_HOST_BASE;
	uint64_t fault = base + FAULT_OFFSET;
	bool low = base & 0xffffffff; /* the sim's low half is 0 */

	return (struct marker){ base,
				fault,
				{
					{ base, 8 },
					{ fault, 8 },
					{ base >> 32, 4 },
					{ base & 0xffffffff, low ? 4 : 0 },
					{ fault & 0xffffffff, 4 },
					{ base >> 28, 4 },
					{ base >> 16, 4 },
					{ base >> 12, low ? 8 : 0 },
					{ fault >> 12, 8 },
				} };
}

/* At any byte: a guest may read at any alignment. */
static unsigned int marks(const struct marker *marker, const uint8_t *bytes, size_t n)
{
	unsigned int found = 0;
	uint64_t window = 0; /* the eight bytes from i on, as a number; 0 behind the end */

	for (size_t i = 0; i < 8 && i < n; i++)
		window |= (uint64_t)bytes[i] << (8 * i);
	for (size_t i = 0; i < n; i++) {
		/* most bytes are no register, or read as none */
		bool empty = !window || window == UINT64_MAX;

		for (unsigned int f = 0; !empty && f < FORMS; f++) {
			unsigned int length = marker->forms[f].bytes;
			uint64_t value = marker->forms[f].value ^ window;

			found += length && i + length <= n &&
				 !(length == 8 ? value : (uint32_t)value);
		}
		window = window >> 8 | (uint64_t)(i + 8 < n ? bytes[i + 8] : 0) << 56;
	}
	return found;
}

static bool is_mark(const struct marker *marker, uint64_t number)
{
	for (unsigned int f = 0; f < FORMS; f++)
		if (marker->forms[f].bytes && number == marker->forms[f].value)
			return true;
	return number >> 28 == marker->base >> 28;
}

static unsigned int marks_in_text(const struct marker *marker, const char *text)
{
	unsigned int found = 0;
	char digits[32];

	for (unsigned int f = 0; f < FORMS; f++) {
		if (!marker->forms[f].bytes)
			continue;
		snprintf(digits, sizeof(digits), "%" PRIx64, marker->forms[f].value);
		/* the shortest would be in other numbers */
		if (strlen(digits) > 3)
			found += strstr(text, digits) != NULL;
		snprintf(digits, sizeof(digits), "0x%" PRIx64, marker->forms[f].value);
		found += strstr(text, digits) != NULL;
		snprintf(digits, sizeof(digits), "%" PRIu64, marker->forms[f].value);
		if (strlen(digits) > 4)
			found += strstr(text, digits) != NULL;
	}
	return found;
}

/* How config space and component BAR are read: as a guest does, or past the library. */
struct eyes {
	uint32_t (*config)(struct vm *vm, uint32_t offset, unsigned int length);
	uint64_t (*bar)(struct vm *vm, uint64_t offset, unsigned int length);
};

static uint32_t guest_config(struct vm *vm, uint32_t offset, unsigned int length)
{
	return vm_config_read(vm, 0, offset, length);
}

static uint64_t guest_bar(struct vm *vm, uint64_t offset, unsigned int length)
{
	return vm_read(vm, 0, offset, length);
}

static const struct eyes guest = { guest_config, guest_bar };

static uint32_t bare_config(struct vm *vm, uint32_t offset, unsigned int length)
{
	struct test_device *below = &vm->devices[0].below;
	uint8_t bytes[4] = { 0 };

	assert_int_equal(below->ops->read(below->device, 7, offset, bytes, length), 0);
	return (uint32_t)fake_get(bytes, length);
}

/* What the register region serves from there, the rest from the BAR; whole dwords. */
static uint64_t bare_bar(struct vm *vm, uint64_t offset, unsigned int length)
{
	struct test_device *below = &vm->devices[0].below;
	uint32_t region = below->fake ? below->fake->registers_region : 9;
	unsigned int generation = vm->variant->generation;
	uint64_t first = vm->devices[0].hdm - (generation == 2   ? 0x100
					       : generation == 3 ? 0x1100
								 : 0);
	uint64_t at = offset & ~3ull;
	uint8_t bytes[8] = { 0 };

	if (length > 4 || offset + length > at + 4)
		return UINT64_MAX;
	if (at < first || below->ops->read(below->device, region, at - first, bytes, 4))
		if (below->ops->read(below->device, vm->devices[0].bar, at, bytes, 4))
			return UINT64_MAX;
	return fake_get(bytes, 4) >> (8 * (offset & 3));
}

static const struct eyes bare = { bare_config, bare_bar };

static unsigned int marks_in_config(struct vm *vm, const struct eyes *eyes)
{
	static const unsigned int lengths[] = { 1, 2, 4 };
	const struct marker marker = marker_of(vm);
	unsigned int found = 0;
	uint8_t bytes[4096];

	for (size_t l = 0; l < ARRAY_SIZE(lengths); l++)
		/* from each byte: what a guest can put together of such reads */
		for (unsigned int first = 0; first < lengths[l]; first++) {
			memset(bytes, 0, sizeof(bytes));
			for (uint32_t at = first; at + lengths[l] <= sizeof(bytes);
			     at += lengths[l])
				fake_put(bytes + at, lengths[l], eyes->config(vm, at, lengths[l]));
			found += marks(&marker, bytes, sizeof(bytes));
		}
	return found;
}

static unsigned int marks_in_bar(struct vm *vm, const struct eyes *eyes)
{
	static uint8_t bytes[0x10000 + 8];
	const struct marker marker = marker_of(vm);
	struct cxlvm_bar_range spans[4];
	size_t n = cxlvm_endpoint_spans(vm->devices[0].endpoint, spans, 4);
	unsigned int found = 0;

	assert_true(n >= 1 && n <= 4);
	for (size_t s = 0; s < n; s++) {
		for (unsigned int length = 1; length <= 8; length++) {
			/* a width that registers do not have never gives a byte: one pass is enough */
			unsigned int passes = length & (length - 1) ? 1 : length;

			for (unsigned int first = 0; first < passes; first++) {
				memset(bytes, 0, sizeof(bytes));
				for (uint64_t at = first; at + length <= spans[s].size;
				     at += length) {
					uint64_t value =
						eyes->bar(vm, spans[s].offset + at, length);

					fake_put(bytes + at, length, value);
					/* each forwarded read is in the journal */
					if (vm->board.journal.n > JOURNAL_MAX / 2)
						journal_clear(&vm->board.journal);
				}
				found += marks(&marker, bytes, spans[s].size);
			}
		}
	}
	return found;
}

/* The host bridge as it is published now, and a root port beside it. */
static unsigned int marks_in_ports(struct vm *vm)
{
	static uint8_t bytes[0x10000];
	const struct cxlvm_root_port_config config = { .size = sizeof(config), .bar = 0 };
	const struct marker marker = marker_of(vm);
	struct cxlvm_bridge_config bridge_config = { .size = sizeof(bridge_config) };
	struct cxlvm_root_port *port = NULL;
	struct cxlvm_bridge *bridge = NULL;
	unsigned int found;

	assert_int_equal(cxlvm_bridge_create(&bridge_config, &bridge, NULL), 0);
	assert_int_equal(cxlvm_root_port_create(&config, &port, NULL), 0);
	assert_int_equal(cxlvm_bridge_publish(bridge, &vm->board.bridges[0].decoder), 0);
	for (uint32_t at = 0; at < sizeof(bytes); at += 8)
		fake_put(bytes + at, 8, cxlvm_bridge_read(bridge, at, 8));
	found = marks(&marker, bytes, sizeof(bytes));
	for (uint32_t at = 0; at < sizeof(bytes); at += 8)
		fake_put(bytes + at, 8, cxlvm_root_port_read(port, at, 8));
	found += marks(&marker, bytes, sizeof(bytes));
	for (uint32_t at = 0x100; at < 4096; at += 4)
		fake_put(bytes + at, 4, cxlvm_root_port_config_read(port, at, 4));
	found += marks(&marker, bytes + 0x100, 4096 - 0x100);
	cxlvm_root_port_destroy(port);
	cxlvm_bridge_destroy(bridge);
	return found;
}

static unsigned int marks_in_tables(struct vm *vm)
{
	const struct cxlvm_acpi_bridge bridge = { .cxl = true, .name = "CXL0", .uid = VM_UID(0) };
	const struct marker marker = marker_of(vm);
	struct cxlvm_aml aml;
	uint8_t bytes[4096];
	size_t needed = 0;
	unsigned int found = 0;

	/* a host that keeps its bridges to itself (qemu) makes its own */
	if (!cxlvm_cedt_build(vm->machine, NULL, bytes, sizeof(bytes), &needed, NULL))
		found += marks(&marker, bytes, needed);
	cxlvm_aml_init(&aml, bytes, sizeof(bytes));
	cxlvm_acpi_cxl_root(&aml);
	assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, NULL), 0);
	assert_false(aml.overflow);
	return found + marks(&marker, bytes, aml.pos);
}

/* What the library told the host: it may end in a log or a console that the guest's owner sees. */
static unsigned int marks_in_reports(struct vm *vm)
{
	const struct recorder *recorder = &vm->devices[0].recorder;
	const struct marker marker = marker_of(vm);
	struct cxlvm_endpoint_state state;
	unsigned int found = 0;

	for (unsigned int t = 0; t < recorder->n_traces; t++)
		for (unsigned int a = 0; a < recorder->traces[t].n_args; a++)
			found += is_mark(&marker, recorder->traces[t].args[a]);
	for (unsigned int e = 0; e < recorder->n_events; e++)
		found += marks_in_text(&marker, recorder->events[e].text);
	found += marks_in_text(&marker, cxlvm_endpoint_unusable_reason(vm->devices[0].endpoint));
	cxlvm_endpoint_get_state(vm->devices[0].endpoint, &state, sizeof(state));
	return found + marks(&marker, (const uint8_t *)&state, sizeof(state));
}

static void search(struct vm *vm, const char *when)
{
	unsigned int config = marks_in_config(vm, &guest), bar = marks_in_bar(vm, &guest);
	unsigned int ports = marks_in_ports(vm), tables = marks_in_tables(vm);
	unsigned int reports = marks_in_reports(vm);

	if (config + bar + ports + tables + reports)
		fail_msg("%s: host address in config space %u, registers %u, ports %u, tables %u, "
			 "reports %u times",
			 when, config, bar, ports, tables, reports);
	journal_clear(&vm->board.journal);
	vm->devices[0].recorder.n_events = 0;
	vm->devices[0].recorder.n_traces = 0;
}

static void search_error(const struct vm *vm, const struct cxlvm_error *err)
{
	const struct marker marker = marker_of(vm);

	if (marks_in_text(&marker, err->message) + marks_in_text(&marker, err->hint))
		fail_msg("host address in: %s (%s)", err->message, err->hint);
}

/* The header log of a used device, first and last dwords. */
static void plant(struct vm *vm)
{
	struct fake *fake = vm->devices[0].below.fake;

	if (!fake)
		return;
	fake_put(fake->block + RAS_LOG, 8, FAKE_HOST_BASE + FAULT_OFFSET);
	fake_put(fake->block + RAS_LOG + 0x38, 8, FAKE_HOST_BASE + FAULT_OFFSET);
	fake_add_capabilities(fake);
	fake_sample(fake);
}

static const enum cxlvm_reset_kind kinds[] = { CXLVM_RESET_LOW_POWER, CXLVM_RESET_FUNCTION,
					       CXLVM_RESET_CXL,       CXLVM_RESET_HOT,
					       CXLVM_RESET_BUS,       CXLVM_RESET_WAKEUP,
					       CXLVM_RESET_SYSTEM };

static void bridges_follow(struct vm *vm, enum cxlvm_reset_kind kind)
{
	if (kind >= CXLVM_RESET_WAKEUP)
		board_reset_bridges(&vm->board);
}

/* Before, in the middle of and after each kind of reset, and with each call of it failing. */
static void search_resets(struct vm *vm)
{
	struct test_device *below = &vm->devices[0].below;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		bool more = true;

		assert_int_equal(vm_reset_prepare(vm, 0, kinds[k], NULL), 0);
		search(vm, "between prepare and done");
		below->reset(below->device);
		bridges_follow(vm, kinds[k]);
		assert_int_equal(vm_reset_done(vm, 0, kinds[k], 0, NULL), 0);
		search(vm, "after a reset");
		for (unsigned int n = 1; more; n++) {
			struct cxlvm_error err = CXLVM_ERROR_INIT;

			assert_int_equal(vm_reset_prepare(vm, 0, kinds[k], NULL), 0);
			below->reset(below->device);
			bridges_follow(vm, kinds[k]);
			faults_arm(&vm->board.faults, n, FAULT_AFTER, -EIO);
			vm_reset_done(vm, 0, kinds[k], 0, &err);
			faults_disarm(&vm->board.faults);
			more = vm->board.faults.fired;
			search_error(vm, &err);
			/* the whole search once per step of the transaction is enough */
			if (more && k == ARRAY_SIZE(kinds) - 1)
				search(vm, "after a failed reset");
		}
	}
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	search(vm, "after a system reset");
}

/* Device and kernel say what they should not: the messages compare numbers. */
static void search_lies(struct vm *vm)
{
	static const struct {
		unsigned int offset;
		uint32_t value;
	} lies[] = { { 0x20, 0x300 },      { 0x20, 0xf00 },      { 0x18, 0x20000000 },
		     { 0x1c, 0x00000001 }, { 0x24, 0x10000000 }, { 0x20, 0x1700 } };
	struct fake *fake = vm->devices[0].below.fake;

	for (size_t i = 0; fake && i < ARRAY_SIZE(lies) + 1; i++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;

		if (i < ARRAY_SIZE(lies))
			fake_set_hardware(fake, lies[i].offset, lies[i].value);
		else
			fake->drops_writes = true;
		fake_sample(fake);
		vm_system_reset(vm, &err);
		search_error(vm, &err);
		search(vm, "after a device that lies");
		fake->drops_writes = false;
		fake_fill_bytes(fake);
		plant(vm);
		assert_int_equal(vm_system_reset(vm, NULL), 0);
	}
}

static void search_life(struct vm *vm)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	cxlvm_machine_trace(vm->machine, "*", true);
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	if (vm_realize(vm, 0, &err))
		fail_msg("realize: %s", err.message);
	search(vm, "after realize");
	assert_int_equal(vm_start(vm, NULL), 0);
	search(vm, "after the start");
	search_resets(vm);
	search_lies(vm);
	vm_unrealize(vm, 0);
	search(vm, "after unrealize");
	vm_stop(vm);
}

static void p2_w15_no_host_address_in_anything_a_guest_reads(void **state)
{
	struct vm *vm = vm_create(*state, 1);

	plant(vm);
	search_life(vm);
}

/* Firmware committed the decoder and did not lock it: kernel 2 then shows the host's base. */
static void p2_w16_unlocked_decoder_shows_no_host_address(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct fake *fake = vm->devices[0].below.fake;

	plant(vm);
	fake_set_hardware(fake, 0x20, 0x600);
	fake_sample(fake);
	if (fake->generation == 2)
		assert_int_equal(fake_kernel(fake, 0x14), FAKE_HOST_BASE >> 32);
	search_life(vm);
}

/* The guest programs the decoder itself, takes it back, and fails to. */
static void p2_policy_guest_shows_no_host_address(void **state)
{
	struct vm *vm = vm_create_guest(*state, 1);
	uint64_t base;

	plant(vm);
	cxlvm_machine_trace(vm->machine, "*", true);
	assert_int_equal(vm_start(vm, NULL), 0);
	search(vm, "after the start");
	base = cxlvm_machine_window(vm->machine, 0)->base.value;
	vm_bridge_commit(vm, 0, base, FAKE_MEMORY_SIZE);
	assert_int_equal(vm_commit(vm, 0, base, FAKE_MEMORY_SIZE, 0) & 0xc00, 0x400);
	search(vm, "after the guest's commit");
	vm_hdm_write(vm, 0, 0x20, 0);
	search(vm, "after the guest took it back");
	faults_arm(&vm->board.faults, 5, FAULT_BEFORE, -EIO);
	assert_int_equal(vm_commit(vm, 0, base, FAKE_MEMORY_SIZE, 0) & 0xc00, 0x800);
	faults_disarm(&vm->board.faults);
	search(vm, "after a commit that failed");
	assert_int_equal(vm_reset_prepare(vm, 0, CXLVM_RESET_BUS, NULL), 0);
	search(vm, "between prepare and done");
	assert_int_equal(vm_reset_done(vm, 0, CXLVM_RESET_BUS, 0, NULL), 0);
	search(vm, "after a bus reset");
	assert_int_equal(vm_system_reset(vm, NULL), 0);
	search(vm, "after a system reset");
	vm_stop(vm);
}

/* Positive control: past the library the same search finds it in each of the three places. */
static void p2_control_the_bare_device_shows_it(void **state)
{
	struct vm *vm = vm_create(*state, 1);
	struct marker marker = marker_of(vm);
	unsigned int all, without_log;

	plant(vm);
	/* before Linux or we have asked generation 2 for anything */
	if (vm->variant->personality == PERSONALITY_QEMU)
		assert_int_equal(vm_freeze(vm, NULL), 0);
	assert_int_equal(vm_realize(vm, 0, NULL), 0);
	assert_true(marks_in_config(vm, &bare) >= 3);
	all = marks_in_bar(vm, &bare);
	/* without the log: what the decoder shows, and generation 2 zeroes */
	for (unsigned int f = 0; f < FORMS; f++)
		if (marker.forms[f].value == marker.fault)
			marker.forms[f].bytes = 0;
	if (vm->devices[0].below.fake) {
		memset(vm->devices[0].below.fake->block + RAS_LOG, 0, 0x40);
		memset(vm->devices[0].below.fake->shadow + (RAS_LOG - 0x1000), 0, 0x40);
		without_log = marks_in_bar(vm, &bare);
		assert_true(all > without_log);
		assert_int_equal(without_log > 0, vm->variant->generation > 2);
	}
	assert_true(all >= 3);
	assert_true(marks_in_text(&marker, "read back 0x5eedc0000000 from 0x6a700000000") > 0);
	assert_true(is_mark(&marker, marker.base + 0x1000));
	assert_true(is_mark(&marker, marker.base >> 32));
	vm_stop(vm);
}

/* With sanitizers the search takes long: one generation of each kind. */
#ifdef __SANITIZE_ADDRESS__
#define EACH(f) TEST_FAKE_2(f), TEST_FAKE_ON(f, 3), TEST_FAKE_5(f), TEST_SIM_ON(f, 5)
#else
#define EACH(f) TEST_ALL(f)
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(p2_w15_no_host_address_in_anything_a_guest_reads),
		TEST_FAKE_2(p2_w16_unlocked_decoder_shows_no_host_address),
		TEST_FAKE_ON(p2_w16_unlocked_decoder_shows_no_host_address, 2N),
		TEST_FAKE_ON(p2_w16_unlocked_decoder_shows_no_host_address, 4),
		TEST_FAKE_ON(p2_w16_unlocked_decoder_shows_no_host_address, 5),
		EACH(p2_policy_guest_shows_no_host_address),
		TEST_ALL(p2_control_the_bare_device_shows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

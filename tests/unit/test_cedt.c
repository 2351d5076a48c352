/* SPDX-License-Identifier: BSD-3-Clause */
/* CEDT against bytes typed from linux-cxl-guest.md 3.4; a few bytes of AML. */
#include <cxlvm/cxlvm.h>

#include <errno.h>

#include "fake.h"
#include "test.h"
#include "vm.h"

/* The worked example from byte 36: UID 12, block 0x2_4000_0000, window 0x2_5000_0000, 0x15. */
static const char example[] = "00 00 20 00 0c 00 00 00 01 00 00 00"
			      "00 00 00 00 00 00 00 40 02 00 00 00 00 00 01 00"
			      "00 00 00 00 01 00 28 00 00 00 00 00 00 00 00 50"
			      "02 00 00 00 00 00 00 10 00 00 00 00 00 00 00 00"
			      "00 00 00 00 15 00 00 00 0c 00 00 00";

static struct cxlvm_machine *machine_of_the_example(bool freeze)
{
	struct cxlvm_machine_config config = { .size = sizeof(config),
					       .phys_bits = 40,
					       .place_from = { 0x240000000 } };
	struct cxlvm_window window = { .name = "w",
				       .has_base = true,
				       .base = { 0x250000000 },
				       .size = 0x10000000,
				       .restrictions = 0x15,
				       .n_targets = 1,
				       .targets = { 12 } };
	struct cxlvm_gpa block = { 0x240000000 };
	struct cxlvm_machine *machine = NULL;

	assert_int_equal(cxlvm_machine_create(&config, &machine, NULL), 0);
	assert_int_equal(cxlvm_machine_add_bridge(machine, "b", 12, &block, NULL), 0);
	assert_int_equal(cxlvm_machine_add_window(machine, &window, NULL), 0);
	if (freeze)
		assert_int_equal(cxlvm_machine_freeze(machine, NULL), 0);
	return machine;
}

static void check_sum(const uint8_t *table, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	assert_int_equal(sum, 0);
}

static void check_example(const struct cxlvm_machine *machine)
{
	const struct cxlvm_acpi_ids ids = { .oem_id = "BOCHS ",
					    .oem_table_id = { 'B', 'X', 'P', 'C', ' ', ' ', ' ',
							      ' ' },
					    .creator_id = { 'B', 'X', 'P', 'C' },
					    .oem_revision = 9,
					    .creator_revision = 0x11223344 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint8_t want[128], table[128];
	size_t needed = 0;

	assert_int_equal(cxlvm_cedt_build(machine, &ids, table, sizeof(table), &needed, &err), 0);
	assert_int_equal(needed, 0x6c);
	assert_int_equal(fake_hex(want, sizeof(want), example), 0x6c - 36);
	assert_memory_equal(table + 36, want, 0x6c - 36);
	/* signature, length, revision; then ids and revisions as given */
	fake_hex(want, sizeof(want), "43 45 44 54 6c 00 00 00 01");
	assert_memory_equal(table, want, 9);
	fake_hex(want, sizeof(want),
		 "42 4f 43 48 53 20 42 58 50 43 20 20 20 20 09 00 00 00 42 58 50 43 44 33 22 11");
	assert_memory_equal(table + 10, want, 26);
	check_sum(table, 0x6c);
}

static void cedt_equals_the_worked_example(void **state)
{
	struct cxlvm_machine *machine = machine_of_the_example(true);

	(void)state;
	check_example(machine);
	cxlvm_machine_destroy(machine);
}

/* The same bytes when cxlvm places block and window itself (window-base). */
static void acpi4_cedt_equals_the_worked_example_when_placed_by_cxlvm(void **state)
{
	struct vm_options options = { .place_from = 0x240000000 };
	struct vm *vm = vm_create_options(&variants[OWN_FAKE_5], 1, &options);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	vm->devices[0].config.has_window_base = true;
	vm->devices[0].config.window_base.value = 0x250000000;
	assert_int_equal(vm_start(vm, &err), 0);
	check_example(vm->machine);
	vm_stop(vm);
}

static void cedt_says_how_much_room_it_needs(void **state)
{
	struct cxlvm_machine *machine = machine_of_the_example(true);
	uint8_t table[128];

	(void)state;
	for (size_t len = 0; len < 0x6c; len++) {
		struct cxlvm_error err = CXLVM_ERROR_INIT;
		size_t needed = 0;

		memset(table, 0x77, sizeof(table));
		assert_int_equal(
			cxlvm_cedt_build(machine, NULL, len ? table : NULL, len, &needed, &err),
			-ENOSPC);
		assert_int_equal(needed, 0x6c);
		for (size_t i = len; i < sizeof(table); i++)
			assert_int_equal(table[i], 0x77);
	}
	cxlvm_machine_destroy(machine);
}

static void cedt_without_ids_has_a_right_checksum(void **state)
{
	struct cxlvm_machine *machine = machine_of_the_example(true);
	uint8_t table[0x6c];
	size_t needed = 0;

	(void)state;
	assert_int_equal(cxlvm_cedt_build(machine, NULL, table, sizeof(table), &needed, NULL), 0);
	check_sum(table, sizeof(table));
	cxlvm_machine_destroy(machine);
}

static void acpi1_no_table_before_freeze(void **state)
{
	struct cxlvm_machine *machine = machine_of_the_example(false);
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	uint8_t table[128];
	size_t needed = 0;

	(void)state;
	assert_int_equal(cxlvm_cedt_build(machine, NULL, table, sizeof(table), &needed, &err),
			 -EAGAIN);
	assert_int_equal(err.code, -EAGAIN);
	cxlvm_machine_destroy(machine);
}

/* ACPI-2, ACPI-3, ACPI-6: restrictions 0x15, UIDs agree; two devices. */
static void acpi2_acpi3_tables_of_two_devices(void **state)
{
	struct vm *vm = vm_create(&variants[OWN_FAKE_2], 2);
	uint8_t table[256];
	size_t needed = 0;

	(void)state;
	assert_int_equal(vm_start(vm, NULL), 0);
	assert_int_equal(cxlvm_cedt_build(vm->machine, NULL, table, sizeof(table), &needed, NULL),
			 0);
	assert_int_equal(needed, 36 + 2 * 32 + 2 * 40);
	for (unsigned int i = 0; i < 2; i++) {
		const uint8_t *chbs = table + 36 + 32 * i;
		const uint8_t *cfmws = table + 36 + 64 + 40 * i;

		assert_int_equal(fake_get(chbs, 4), 0x00200000);
		assert_int_equal(fake_get(chbs + 4, 4), VM_UID(i));
		assert_int_equal(fake_get(chbs + 16, 8), VM_BLOCK(i));
		assert_int_equal(fake_get(cfmws, 4), 0x00280001);
		assert_int_equal(fake_get(cfmws + 8, 8), VM_WINDOW(i));
		assert_int_equal(fake_get(cfmws + 16, 8), FAKE_MEMORY_SIZE);
		assert_int_equal(fake_get(cfmws + 32, 2), 0x15);
		assert_int_equal(fake_get(cfmws + 36, 4), VM_UID(i));
	}
	vm_stop(vm);
}

static void aml_measures_and_never_writes_past_the_end(void **state)
{
	const struct cxlvm_acpi_bridge bridge = { .cxl = true,
						  .name = "CXL0",
						  .uid = 12,
						  .bus_first = 16,
						  .bus_last = 23,
						  .has_domain = true,
						  .domain = 3,
						  .mmio32 = { 0xc0000000 },
						  .mmio32_size = 0x1000000,
						  .mmio64 = { 0x4000000000 },
						  .mmio64_size = 0x100000000 };
	struct cxlvm_aml aml;
	uint8_t buf[4096];
	size_t whole;

	(void)state;
	cxlvm_aml_init(&aml, NULL, 0);
	assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, NULL), 0);
	whole = aml.pos;
	assert_true(whole > 100 && whole < sizeof(buf));
	for (size_t len = 0; len <= whole; len++) {
		memset(buf, 0x77, sizeof(buf));
		cxlvm_aml_init(&aml, buf, len);
		assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, NULL), 0);
		assert_int_equal(aml.pos, whole);
		assert_int_equal(aml.overflow, len < whole);
		for (size_t i = len; i < sizeof(buf); i++)
			assert_int_equal(buf[i], 0x77);
	}
	/* Device object: 5b 82, package of the rest, name; PNP0A03 as EISA id in it */
	assert_int_equal(buf[0], 0x5b);
	assert_int_equal(buf[1], 0x82);
	assert_non_null(memmem(buf, whole, "ACPI0016", 9));
	assert_non_null(memmem(buf, whole, "\x0c\x41\xd0\x0a\x03", 5));
	assert_non_null(memmem(buf, whole, "\x08_UID\x0a\x0c", 7));
	assert_non_null(memmem(buf, whole, "\x08_PXM\x0a\x03", 7));
}

static void aml_bridge_refuses_windows_on_the_wrong_side(void **state)
{
	struct cxlvm_acpi_bridge bridge = { .cxl = true,
					    .name = "CXL0",
					    .bus_last = 7,
					    .mmio32 = { 0x100000000 },
					    .mmio32_size = 0x1000000 };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct cxlvm_aml aml;
	uint8_t buf[2048];

	(void)state;
	cxlvm_aml_init(&aml, buf, sizeof(buf));
	assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, &err), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	bridge.mmio32_size = 0;
	bridge.mmio64.value = 0xf0000000;
	bridge.mmio64_size = 0x1000000;
	assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, NULL), -EINVAL);
	bridge.mmio64_size = 0;
	memcpy(bridge.name, "cx", 3);
	assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, NULL), -EINVAL);
	assert_int_equal(aml.pos, 0);
}

static void aml_root_object_is_acpi0017(void **state)
{
	struct cxlvm_aml aml;
	uint8_t buf[256];

	(void)state;
	cxlvm_aml_init(&aml, buf, sizeof(buf));
	cxlvm_acpi_cxl_root(&aml);
	assert_false(aml.overflow);
	assert_memory_equal(buf, "\x5b\x82", 2);
	/* one package that ends where the bytes end (length below 64: one byte) */
	assert_int_equal(buf[2], aml.pos - 2);
	assert_non_null(memmem(buf, aml.pos,
			       "\x08_HID\x0d"
			       "ACPI0017",
			       15));
}

/* A package length of two bytes: 4 low bits in the first, 8 in the second. */
static void aml_package_lengths_grow(void **state)
{
	struct cxlvm_aml_package package;
	struct cxlvm_aml aml;
	uint8_t buf[512];

	(void)state;
	cxlvm_aml_init(&aml, buf, sizeof(buf));
	package = cxlvm_aml_scope(&aml, "\\_SB");
	for (unsigned int i = 0; i < 20; i++)
		cxlvm_aml_name_integer(&aml, "ABCD", 0x12345678);
	cxlvm_aml_end(&aml, package);
	/* ScopeOp, length, \_SB_, 20 times Name (5) DWord (5) */
	assert_int_equal(buf[0], 0x10);
	assert_int_equal(buf[1] >> 6, 1);
	assert_int_equal((buf[1] & 0xf) | buf[2] << 4, 2 + 5 + 200);
	assert_memory_equal(buf + 3,
			    "\\_SB_\x08"
			    "ABCD\x0c\x78\x56\x34\x12",
			    15);
	assert_int_equal(aml.pos, 1 + 2 + 5 + 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cedt_equals_the_worked_example),
		cmocka_unit_test(acpi4_cedt_equals_the_worked_example_when_placed_by_cxlvm),
		cmocka_unit_test(cedt_says_how_much_room_it_needs),
		cmocka_unit_test(cedt_without_ids_has_a_right_checksum),
		cmocka_unit_test(acpi1_no_table_before_freeze),
		cmocka_unit_test(acpi2_acpi3_tables_of_two_devices),
		cmocka_unit_test(aml_measures_and_never_writes_past_the_end),
		cmocka_unit_test(aml_bridge_refuses_windows_on_the_wrong_side),
		cmocka_unit_test(aml_root_object_is_acpi0017),
		cmocka_unit_test(aml_package_lengths_grow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables - write the ACPI tables that the library makes for COUNT devices: cedt.aml, and dsdt.aml
 * with their host bridges. A helper of tables.sh.
 *
 *   tables FOLDER COUNT
 */
#include <stdlib.h>

#include "test.h"
#include "vm.h"

static uint8_t table[65536];
static const char *folder;
static unsigned int count;

static void save(const char *name, size_t len)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(table, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

static void save_cedt(struct vm *vm)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	size_t len = 0;

	if (cxlvm_cedt_build(vm->machine, NULL, table, sizeof(table), &len, &err))
		fail_msg("%s", err.message);
	save("cedt.aml", len);
}

/* The header is this program's: the library makes the objects only. */
static void save_dsdt(void)
{
	struct cxlvm_aml_package scope;
	struct cxlvm_aml aml;
	uint8_t sum = 0;
	size_t len;

	memset(table, 0, 36);
	memcpy(table, "DSDT", 4);
	memcpy(table + 10, "CXLVM TABLES  ", 14);
	memcpy(table + 28, "TEST", 4);
	table[8] = 2;
	cxlvm_aml_init(&aml, table + 36, sizeof(table) - 36);
	scope = cxlvm_aml_scope(&aml, "\\_SB");
	for (unsigned int i = 0; i < count; i++) {
		struct cxlvm_acpi_bridge bridge = {
			.cxl = true,
			.uid = VM_UID(i),
			.bus_first = (uint8_t)(8 * i),
			.bus_last = (uint8_t)(8 * i + 7),
			.mmio32 = { 0xc0000000u + 0x100000u * i },
			.mmio32_size = 0x100000,
			.mmio64 = { 0x4000000000ull + 0x40000000ull * i },
			.mmio64_size = 0x40000000,
		};

		snprintf(bridge.name, sizeof(bridge.name), "CX%02X", i & 0xff);
		assert_int_equal(cxlvm_acpi_bridge(&aml, &bridge, NULL), 0);
	}
	cxlvm_acpi_cxl_root(&aml);
	cxlvm_aml_end(&aml, scope);
	assert_false(aml.overflow);
	len = 36 + aml.pos;
	fake_put(table + 4, 4, len);
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
	save("dsdt.aml", len);
}

static void tables_of_all_devices(void **state)
{
	struct vm *vm = vm_create(&variants[OWN_SIM_5], count);
	struct cxlvm_error err = CXLVM_ERROR_INIT;

	(void)state;
	if (vm_start(vm, &err))
		fail_msg("%s", err.message);
	save_cedt(vm);
	save_dsdt();
	vm_stop(vm);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(tables_of_all_devices) };

	if (argc != 3)
		return 2;
	folder = argv[1];
	count = (unsigned int)strtoul(argv[2], NULL, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

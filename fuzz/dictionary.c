/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dictionary - prints a dictionary for libFuzzer from the rows of the register tables: positions,
 * reset values and the bits of each field, and what interfaces and tables are recognized by
 */
#include <stdio.h>

#include "kernel_shape/uapi.h"
#include "regs/cedt.h"
#include "regs/component.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

static void word(uint64_t value, unsigned int length)
{
	putchar('"');
	for (unsigned int i = 0; i < length; i++, value >>= 8)
		printf("\\x%02x", (unsigned int)(value & 0xff));
	printf("\"\n");
}

static void table(const struct reg_table *t)
{
	for (unsigned int i = 0; i < t->n_rows; i++) {
		const struct reg_row *row = &t->rows[i];

		word(row->offset, 2);
		word((uint64_t)reg_mask(row), 4);
		if (row->reset)
			word((uint64_t)row->reset << row->lsb, 4);
	}
}

int main(void)
{
	static const uint32_t numbers[] = {
		CXLVM_HDM_GRANULE,
		UAPI_INFO_FLAG_CAPS,
		UAPI_REGION_FLAG_CAPS,
		UAPI_REGION_CAP_SPARSE,
		UAPI_REGION_FLAG_READ,
		UAPI_REGION_FLAG_WRITE,
		UAPI_REGION_FLAG_MMAP,
		0x10000,
		0x1e98,
		DVSEC_ID_REGISTER_LOCATOR,
	};

	table(&cm_array_table);
	table(&cm_entry_table);
	table(&ras_table);
	table(&hdm_table);
	table(&dvsec_device_table);
	table(&dvsec_locator_table);
	table(&pci_header_table);
	table(&pcie_table);
	table(&pm_table);
	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		word(numbers[i], 4);
	puts("\"CEDT\"");
	return 0;
}

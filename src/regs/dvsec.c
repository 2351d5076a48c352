/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "regs/dvsec.h"

/* clang-format off */
static const struct reg_row header_rows[] = { DVSEC_HEADER_LIST(REG_ROW) };
static const struct reg_row device_rows[] = { DVSEC_DEVICE_LIST(REG_ROW) };
static const struct reg_row port_rows[] = { DVSEC_PORT_LIST(REG_ROW) };
static const struct reg_row gpf_port_rows[] = { DVSEC_GPF_PORT_LIST(REG_ROW) };
static const struct reg_row gpf_device_rows[] = { DVSEC_GPF_DEVICE_LIST(REG_ROW) };
static const struct reg_row flex_bus_rows[] = { DVSEC_FLEX_BUS_LIST(REG_ROW) };
static const struct reg_row locator_rows[] = { DVSEC_LOCATOR_LIST(REG_ROW) };

const struct reg_table dvsec_header_table = {
	"DVSEC header", header_rows, DVSEC_HEADER_ROWS, 0x0a };
const struct reg_table dvsec_device_table = {
	"CXL Device DVSEC", device_rows, DVSEC_DEVICE_ROWS, DVSEC_DEVICE_SIZE };
const struct reg_table dvsec_port_table = {
	"CXL Port Extensions DVSEC", port_rows, DVSEC_PORT_ROWS, DVSEC_PORT_SIZE };
const struct reg_table dvsec_gpf_port_table = {
	"CXL GPF Port DVSEC", gpf_port_rows, DVSEC_GPF_PORT_ROWS, DVSEC_GPF_SIZE };
const struct reg_table dvsec_gpf_device_table = {
	"CXL GPF Device DVSEC", gpf_device_rows, DVSEC_GPF_DEVICE_ROWS, DVSEC_GPF_SIZE };
const struct reg_table dvsec_flex_bus_table = {
	"CXL Flex Bus Port DVSEC", flex_bus_rows, DVSEC_FLEX_BUS_ROWS, DVSEC_FLEX_BUS_SIZE };
const struct reg_table dvsec_locator_table = {
	"CXL Register Locator DVSEC", locator_rows, DVSEC_LOCATOR_ROWS, DVSEC_LOCATOR_SIZE(1) };
/* clang-format on */

#define DVSEC_SIZE_MAX 0x40u

void dvsec_list_reset(const struct dvsec *list, uint32_t *config)
{
	for (const struct dvsec *d = list; d->table; d++) {
		uint32_t image[DVSEC_SIZE_MAX / 4];

		/* Complete first, then stored dword by dword. */
		regs_reset(d->table, image, 0);
		for (unsigned int i = 0; i < DVSEC_HEADER_ROWS; i++)
			reg_set(image, 0, &header_rows[i], header_rows[i].reset);
		reg_set(image, 0, &header_rows[DVSEC_CAP_NEXT], d[1].table ? d[1].base : d->next);
		reg_set(image, 0, &header_rows[DVSEC_REVISION], d->revision);
		reg_set(image, 0, &header_rows[DVSEC_LENGTH], d->table->size);
		reg_set(image, 0, &header_rows[DVSEC_ID], d->id);
		for (uint32_t at = 0; at < d->table->size; at += 4)
			reg_store(&config[(d->base + at) / 4], image[at / 4]);
	}
}

void dvsec_list_write(const struct dvsec *list, uint32_t *config, uint32_t offset,
		      unsigned int length, uint32_t value)
{
	for (const struct dvsec *d = list; d->table; d++)
		regs_write(d->table, config, d->base, offset, length, value);
}

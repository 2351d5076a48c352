/* SPDX-License-Identifier: BSD-3-Clause */
/* CEDT (CXL 3.1, 9.18.1) of a frozen machine. */
#include <cxlvm/acpi.h>

#include <errno.h>
#include <string.h>

#include "base/math.h"
#include "regs/cedt.h"

static const struct cxlvm_acpi_ids default_ids = {
	.oem_id = "CXLVM ",
	.oem_table_id = "CXLVM   ",
	.creator_id = "CXLV",
	.oem_revision = 1,
	.creator_revision = 1,
};

struct table {
	uint8_t *buf;
	size_t len;
	size_t pos; /* grows past len when the buffer is too small */
};

static uint8_t *append(struct table *table, size_t size)
{
	uint8_t *p = NULL;

	if (table->buf && range_fits(table->pos, size, table->len)) {
		p = table->buf + table->pos;
		memset(p, 0, size);
	}
	table->pos += size;
	return p;
}

static void set(uint8_t *p, const struct reg_table *table, unsigned int row, uint64_t value)
{
	put_le(p + table->rows[row].offset, table->rows[row].width, value);
}

static void add_chbs(struct table *table, const struct cxlvm_bridge_place *bridge)
{
	uint8_t *p = append(table, CHBS_SIZE);

	if (!p)
		return;
	set(p, &cedt_record_table, CEDT_TYPE, CEDT_TYPE_CHBS);
	set(p, &cedt_record_table, CEDT_LENGTH, CHBS_SIZE);
	set(p, &chbs_table, CHBS_UID, bridge->uid);
	set(p, &chbs_table, CHBS_VERSION, CHBS_VERSION_COMPONENT);
	set(p, &chbs_table, CHBS_BASE, bridge->base.value);
	set(p, &chbs_table, CHBS_LENGTH, CXLVM_COMPONENT_BLOCK_SIZE);
}

/* Ways, arithmetic and granularity stay 0: no interleave. */
static void add_cfmws(struct table *table, const struct cxlvm_window *window)
{
	uint32_t size = CFMWS_SIZE + 4 * window->n_targets;
	uint8_t *p = append(table, size);

	if (!p)
		return;
	set(p, &cedt_record_table, CEDT_TYPE, CEDT_TYPE_CFMWS);
	set(p, &cedt_record_table, CEDT_LENGTH, size);
	set(p, &cfmws_table, CFMWS_BASE, window->base.value);
	set(p, &cfmws_table, CFMWS_WINDOW_SIZE, window->size);
	set(p, &cfmws_table, CFMWS_RESTRICTIONS, window->restrictions);
	set(p, &cfmws_table, CFMWS_QTG, window->qtg_id);
	for (unsigned int i = 0; i < window->n_targets; i++)
		set(p + CFMWS_SIZE + 4 * i, &cfmws_target_table, CFMWS_TARGET, window->targets[i]);
}

static void finish_header(struct table *table, const struct cxlvm_acpi_ids *ids)
{
	const struct reg_row *row = acpi_header_table.rows;
	uint8_t *p = table->buf, sum = 0;

	memcpy(p + row[ACPI_SIGNATURE].offset, "CEDT", 4);
	set(p, &acpi_header_table, ACPI_LENGTH, table->pos);
	set(p, &acpi_header_table, ACPI_REVISION, row[ACPI_REVISION].reset);
	memcpy(p + row[ACPI_OEM_ID].offset, ids->oem_id, sizeof(ids->oem_id));
	memcpy(p + row[ACPI_OEM_TABLE_ID].offset, ids->oem_table_id, sizeof(ids->oem_table_id));
	set(p, &acpi_header_table, ACPI_OEM_REVISION, ids->oem_revision);
	memcpy(p + row[ACPI_CREATOR_ID].offset, ids->creator_id, sizeof(ids->creator_id));
	set(p, &acpi_header_table, ACPI_CREATOR_REVISION, ids->creator_revision);
	for (size_t i = 0; i < table->pos; i++)
		sum = (uint8_t)(sum + p[i]);
	set(p, &acpi_header_table, ACPI_CHECKSUM, (uint8_t)-sum);
}

/* A CFMWS names only host bridges that a CHBS describes (ACPI-6). */
static int check_targets(const struct cxlvm_machine *machine, const struct cxlvm_window *window,
			 struct cxlvm_error *err)
{
	for (unsigned int t = 0; t < window->n_targets; t++) {
		const struct cxlvm_bridge_place *bridge;
		unsigned int i = 0;

		while ((bridge = cxlvm_machine_bridge(machine, i)) &&
		       (bridge->uid != window->targets[t] || !bridge->has_base))
			i++;
		if (!bridge)
			return cxlvm_error_set(
				err, -ENOENT,
				"window %s: target %u is none of the %u host bridges "
				"with a component block",
				window->name, window->targets[t], i);
	}
	return 0;
}

int cxlvm_cedt_build(const struct cxlvm_machine *machine, const struct cxlvm_acpi_ids *ids,
		     void *buf, size_t len, size_t *needed, struct cxlvm_error *err)
{
	struct table table = { .buf = buf, .len = len };
	const struct cxlvm_bridge_place *bridge;
	const struct cxlvm_window *window;
	int ret;

	if (!cxlvm_machine_is_frozen(machine))
		return cxlvm_error_set(err, -EAGAIN, "CEDT: the memory map is not final yet");
	append(&table, ACPI_HEADER_SIZE);
	for (unsigned int i = 0; (bridge = cxlvm_machine_bridge(machine, i)); i++)
		if (bridge->has_base)
			add_chbs(&table, bridge);
	for (unsigned int i = 0; (window = cxlvm_machine_window(machine, i)); i++) {
		ret = check_targets(machine, window, err);
		if (ret)
			return ret;
		if (window->has_base)
			add_cfmws(&table, window);
	}
	*needed = table.pos;
	if (!buf || table.pos > len)
		return cxlvm_error_set(err, -ENOSPC, "CEDT needs %zu bytes, %zu given", table.pos,
				       len);
	finish_header(&table, ids ? ids : &default_ids);
	return 0;
}

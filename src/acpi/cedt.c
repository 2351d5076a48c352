/* SPDX-License-Identifier: BSD-3-Clause */
/* CEDT (CXL 3.1, 9.18.1) of a frozen machine. */
#include <cxlvm/acpi.h>

#include <errno.h>
#include <string.h>

#include "base/math.h"

#define HEADER_SIZE 36u
#define CHBS_SIZE   32u
#define CFMWS_FIXED 36u

#define CHBS_TYPE    0u
#define CHBS_VERSION 1u /* component registers at base, not an RCRB */
#define CFMWS_TYPE   1u

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

static void add_chbs(struct table *table, const struct cxlvm_bridge_place *bridge)
{
	uint8_t *p = append(table, CHBS_SIZE);

	if (!p)
		return;
	p[0] = CHBS_TYPE;
	put_le16(p + 2, CHBS_SIZE);
	put_le32(p + 4, bridge->uid);
	put_le32(p + 8, CHBS_VERSION);
	put_le64(p + 16, bridge->base.value);
	put_le64(p + 24, CXLVM_COMPONENT_BLOCK_SIZE);
}

/* Ways, arithmetic and granularity stay 0: no interleave. */
static void add_cfmws(struct table *table, const struct cxlvm_window *window)
{
	uint32_t size = CFMWS_FIXED + 4 * window->n_targets;
	uint8_t *p = append(table, size);

	if (!p)
		return;
	p[0] = CFMWS_TYPE;
	put_le16(p + 2, (uint16_t)size);
	put_le64(p + 8, window->base.value);
	put_le64(p + 16, window->size);
	put_le16(p + 32, window->restrictions);
	put_le16(p + 34, window->qtg_id);
	for (unsigned int i = 0; i < window->n_targets; i++)
		put_le32(p + CFMWS_FIXED + 4 * i, window->targets[i]);
}

static void finish_header(struct table *table, const struct cxlvm_acpi_ids *ids)
{
	uint8_t *p = table->buf, sum = 0;

	memcpy(p, "CEDT", 4);
	put_le32(p + 4, (uint32_t)table->pos);
	p[8] = 1;
	memcpy(p + 10, ids->oem_id, sizeof(ids->oem_id));
	memcpy(p + 16, ids->oem_table_id, sizeof(ids->oem_table_id));
	put_le32(p + 24, ids->oem_revision);
	memcpy(p + 28, ids->creator_id, sizeof(ids->creator_id));
	put_le32(p + 32, ids->creator_revision);
	for (size_t i = 0; i < table->pos; i++)
		sum = (uint8_t)(sum + p[i]);
	p[9] = (uint8_t)-sum;
}

int cxlvm_cedt_build(const struct cxlvm_machine *machine, const struct cxlvm_acpi_ids *ids,
		     void *buf, size_t len, size_t *needed, struct cxlvm_error *err)
{
	struct table table = { .buf = buf, .len = len };
	const struct cxlvm_bridge_place *bridge;
	const struct cxlvm_window *window;

	if (!cxlvm_machine_is_frozen(machine))
		return cxlvm_error_set(err, -EAGAIN, "CEDT: the memory map is not final yet");
	append(&table, HEADER_SIZE);
	for (unsigned int i = 0; (bridge = cxlvm_machine_bridge(machine, i)); i++)
		add_chbs(&table, bridge);
	for (unsigned int i = 0; (window = cxlvm_machine_window(machine, i)); i++)
		if (window->has_base)
			add_cfmws(&table, window);
	*needed = table.pos;
	if (!buf || table.pos > len)
		return cxlvm_error_set(err, -ENOSPC, "CEDT needs %zu bytes, %zu given", table.pos,
				       len);
	finish_header(&table, ids ? ids : &default_ids);
	return 0;
}

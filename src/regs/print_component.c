/* SPDX-License-Identifier: BSD-3-Clause */
/* A component block: capability array, RAS, HDM decoders. */
#include "regs/print.h"

#include <stdio.h>
#include <string.h>

#include "regs/component.h"

#define HDM_COUNT_INVALID "decoder count code %u has no meaning; one decoder is printed"

/* Where the CM area begins and ends in the image, and what the array leaves of it. */
struct area {
	uint32_t begin;
	uint32_t end;
	uint32_t first; /* first byte behind the array, from begin */
};

/*
 * Of the capabilities that are decoded, the ones seen: an array may name each one once, so that
 * 255 entries do not make 255 times the output.
 */
struct seen {
	bool ras;
	bool hdm;
};

/* Does an entry point behind the array and so that size bytes are inside the CM area? */
static bool pointer_ok(struct print *p, const struct area *area, uint32_t entry, uint32_t size,
		       const char *name)
{
	uint32_t pointer = (uint32_t)print_get(p, entry, &cm_entry_table.rows[CM_ENTRY_POINTER]);

	if (pointer < area->first)
		print_problem(p, entry, "the %s is at 0x%x of the CM area, inside the array", name,
			      pointer);
	else if (!range_fits(pointer, size, CM_SIZE))
		print_problem(p, entry,
			      "the %s at 0x%x of the CM area has 0x%x bytes, the area has 0x%x",
			      name, pointer, size, CM_SIZE);
	else
		return true;
	return false;
}

static uint64_t hdm_field(const struct print *p, uint32_t base, enum hdm_row row)
{
	return print_get(p, base, &hdm_table.rows[row]);
}

static void append(char *text, const char *format, const char *word)
{
	size_t len = strlen(text);

	snprintf(text + len, PRINT_TEXT_MAX - len, format, word);
}

/* The range and the state in one line; base is that of hdm_table moved to this decoder. */
static void summarize_decoder(const struct print *p, uint32_t base, char *text)
{
	uint64_t first = hdm_field(p, base, HDM_BASE_HIGH) << 32 | hdm_field(p, base, HDM_BASE_LOW)
									   << 28;
	uint64_t size = hdm_field(p, base, HDM_SIZE_HIGH) << 32 | hdm_field(p, base, HDM_SIZE_LOW)
									  << 28;
	char size_text[PRINT_TEXT_MAX];

	print_size(size, size_text);
	if (!size)
		snprintf(text, PRINT_TEXT_MAX, "0x%llx, size 0", (unsigned long long)first);
	else if (range_is_valid(first, size))
		snprintf(text, PRINT_TEXT_MAX, "0x%llx to 0x%llx, %.32s", (unsigned long long)first,
			 (unsigned long long)(first + (size - 1)), size_text);
	else
		snprintf(text, PRINT_TEXT_MAX, "0x%llx, %.32s, wraps around",
			 (unsigned long long)first, size_text);
	append(text, ", %s", hdm_field(p, base, HDM_CTL_COMMITTED) ? "committed" : "not committed");
	if (hdm_field(p, base, HDM_CTL_LOCK))
		append(text, ", %s", "locked");
	if (hdm_field(p, base, HDM_CTL_ERROR))
		append(text, ", %s", "error");
	append(text, ", %s",
	       hdm_field(p, base, HDM_CTL_HOST_ONLY) ? "host-only coherent" : "device coherent");
}

static void print_decoder(struct print *p, uint32_t hdm, unsigned int n)
{
	const struct print_rows rows = { &hdm_table, hdm + HDM_STRIDE * n, HDM_HEADER,
					 HDM_HEADER + HDM_STRIDE };
	uint32_t at = rows.base + HDM_HEADER;
	char summary[PRINT_TEXT_MAX];
	const struct cxlvm_structure structure = {
		.name = "CXL HDM decoder",
		.specification = SPEC_CXL,
		.summary = summary,
		.index = (int)n,
		.offset = at,
		.size = HDM_STRIDE,
	};

	if (range_fits(at, HDM_STRIDE, p->len))
		summarize_decoder(p, rows.base, summary);
	else
		snprintf(summary, sizeof(summary), "incomplete");
	print_begin(p, &structure);
	print_fields(p, &rows);
	print_other_bits(p, at, at + HDM_STRIDE, &rows, 1);
	print_end(p);
}

static void print_hdm(struct print *p, const struct area *area, uint32_t at)
{
	const struct print_rows rows = { &hdm_table, at, 0, HDM_HEADER };
	uint32_t code = (uint32_t)hdm_field(p, at, HDM_CAP_COUNT);
	unsigned int count = hdm_decoder_count(code), room;
	struct cxlvm_structure structure = {
		.name = hdm_table.name,
		.specification = SPEC_CXL,
		.index = -1,
		.offset = at,
	};

	if (!print_fits(p, at, HDM_HEADER, hdm_table.name))
		return;
	if (!count) {
		print_problem(p, at, HDM_COUNT_INVALID, code);
		count = 1;
	}
	room = (area->end - at - HDM_HEADER) / HDM_STRIDE;
	if (count > room) {
		print_problem(p, at, "%u decoders, but the CM area has room for %u", count, room);
		count = room;
	}
	structure.size = HDM_HEADER + HDM_STRIDE * count;
	print_begin(p, &structure);
	print_fields(p, &rows);
	print_other_bits(p, at, at + HDM_HEADER, &rows, 1);
	for (unsigned int n = 0; n < count && at + HDM_HEADER + HDM_STRIDE * n < p->len; n++)
		print_decoder(p, at, n);
	print_end(p);
	print_fits(p, at, structure.size, structure.name);
}

static bool first_time(struct print *p, bool *seen, uint32_t entry, const char *name)
{
	if (*seen)
		print_problem(p, entry, "a second %s; only the first one is printed", name);
	if (*seen)
		return false;
	*seen = true;
	return true;
}

static void print_capability(struct print *p, const struct area *area, uint32_t entry,
			     struct seen *seen)
{
	uint64_t id = print_get(p, entry, &cm_entry_table.rows[CM_ENTRY_ID]);
	uint32_t at =
		area->begin + (uint32_t)print_get(p, entry, &cm_entry_table.rows[CM_ENTRY_POINTER]);

	if (id == CM_ID_RAS && first_time(p, &seen->ras, entry, ras_table.name)) {
		if (pointer_ok(p, area, entry, RAS_SIZE, ras_table.name))
			print_table(p, &ras_table, at, SPEC_CXL);
	} else if (id == CM_ID_HDM && first_time(p, &seen->hdm, entry, hdm_table.name)) {
		if (pointer_ok(p, area, entry, HDM_HEADER + HDM_STRIDE, hdm_table.name))
			print_hdm(p, area, at);
	}
}

/* Returns how many entries lie inside the image. */
static unsigned int print_array(struct print *p, const struct area *area)
{
	const struct print_rows header = { &cm_array_table, area->begin, 0, cm_array_table.size };
	unsigned int n =
		(unsigned int)print_get(p, area->begin, &cm_array_table.rows[CM_ARRAY_SIZE]);
	struct cxlvm_structure structure = {
		.name = "CXL capability array",
		.specification = SPEC_CXL,
		.index = -1,
		.offset = area->begin,
		.size = 4 + 4 * n,
	};
	unsigned int i;

	print_begin(p, &structure);
	print_fields(p, &header);
	structure.name = cm_entry_table.name;
	structure.size = cm_entry_table.size;
	for (i = 0; i < n; i++) {
		const struct print_rows rows = { &cm_entry_table, area->begin + 4 + 4 * i, 0,
						 cm_entry_table.size };

		if (!range_fits(rows.base, rows.to, p->len))
			break;
		structure.index = (int)i + 1;
		structure.offset = rows.base;
		print_begin(p, &structure);
		print_fields(p, &rows);
		print_end(p);
	}
	print_end(p);
	if (i < n)
		print_problem(p, p->len, "the array has %u entries, but the image ends after %u", n,
			      i);
	return i;
}

/* Where the CM area is: at 0x1000 of a block, or the image begins with it. */
static uint32_t find_area(const struct print *p)
{
	const struct reg_row *id = &cm_array_table.rows[CM_ARRAY_ID];

	if (p->len <= CM_SIZE)
		return 0;
	return print_get(p, CM_OFFSET, id) != CM_ID_ARRAY && print_get(p, 0, id) == CM_ID_ARRAY
		       ? 0
		       : CM_OFFSET;
}

void print_component(struct print *p)
{
	uint32_t begin = find_area(p);
	struct area area = { begin, begin + CM_SIZE, 0 };
	struct seen seen = { false, false };
	unsigned int n;
	uint64_t id;

	if (!print_fits(p, area.begin, cm_array_table.size, cm_array_table.name))
		return;
	id = print_get(p, area.begin, &cm_array_table.rows[CM_ARRAY_ID]);
	if (id != CM_ID_ARRAY) {
		print_problem(p, area.begin,
			      "no capability array: the id is 0x%llx, that of an array is 0x%x",
			      (unsigned long long)id, CM_ID_ARRAY);
		return;
	}
	n = print_array(p, &area);
	area.first = 4 + 4 * n;
	for (unsigned int i = 0; i < n; i++)
		print_capability(p, &area, area.begin + 4 + 4 * i, &seen);
	if (p->len < area.end)
		print_problem(p, p->len, "the image ends here, the CM area goes to 0x%x", area.end);
}

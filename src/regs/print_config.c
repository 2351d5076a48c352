/* SPDX-License-Identifier: BSD-3-Clause */
/* PCI config space: header, BARs, both lists of capabilities, the CXL DVSECs. */
#include "regs/print.h"

#include <stdio.h>

#include "regs/dvsec.h"
#include "regs/pci.h"

#define PCI_CONVENTIONAL_SIZE 0x100u
#define PCI_CAPABILITY_FIRST  0x40u
#define PCI_CAP_ID_PCIE       0x10u
#define ID_NONE               UINT16_MAX

struct known_dvsec {
	uint16_t id;
	const struct reg_table *table;
};

static const struct known_dvsec known_dvsecs[] = {
	{ DVSEC_ID_DEVICE, &dvsec_device_table },
	{ DVSEC_ID_PORT_EXTENSIONS, &dvsec_port_table },
	{ DVSEC_ID_GPF_PORT, &dvsec_gpf_port_table },
	{ DVSEC_ID_GPF_DEVICE, &dvsec_gpf_device_table },
	{ DVSEC_ID_FLEX_BUS, &dvsec_flex_bus_table },
	{ DVSEC_ID_REGISTER_LOCATOR, &dvsec_locator_table },
};

#define N_KNOWN (sizeof(known_dvsecs) / sizeof(known_dvsecs[0]))

/* One bit per dword of config space: where a capability of a list has been seen. */
struct visited {
	uint32_t dwords[PCI_CONFIG_DWORDS / 32];
};

static bool visit(struct visited *visited, uint32_t at)
{
	uint32_t *word = &visited->dwords[at / 4 / 32], bit = (uint32_t)1 << (at / 4 % 32);

	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

static uint64_t header_get(const struct print *p, enum pci_header_row row)
{
	return print_get(p, 0, &pci_header_table.rows[row]);
}

static bool is_bridge(const struct print *p)
{
	return (header_get(p, PCI_HEADER_TYPE) & PCI_HEADER_TYPE_MASK) == PCI_HEADER_TYPE_BRIDGE;
}

/* Both types of header have the first 16 bytes and the last 12 in common. */
static void print_header(struct print *p)
{
	const uint32_t bars = pci_bar_table.rows[PCI_BAR_LOW].offset;
	const uint32_t last = pci_header_table.rows[PCI_CAP_POINTER].offset;
	const struct print_rows rows[] = {
		{ &pci_header_table, 0, 0, bars },
		is_bridge(p)
			? (struct print_rows){ &pci_bridge_table, 0, bars + 8, last }
			: (struct print_rows){ &pci_header_table, 0, bars + 4 * PCI_BARS, last },
		{ &pci_header_table, 0, last, pci_header_table.size },
	};
	const struct cxlvm_structure structure = {
		.name = is_bridge(p) ? pci_bridge_table.name : pci_header_table.name,
		.specification = is_bridge(p) ? SPEC_BRIDGE : SPEC_PCI,
		.index = -1,
		.size = pci_header_table.size,
	};

	print_begin(p, &structure);
	for (unsigned int i = 0; i < 3; i++) {
		print_fields(p, &rows[i]);
		print_other_bits(p, rows[i].from, rows[i].to, &rows[i], 1);
	}
	print_end(p);
	print_fits(p, 0, pci_header_table.size, structure.name);
}

static void print_bars(struct print *p)
{
	const struct reg_row *row = pci_bar_table.rows;
	unsigned int n = is_bridge(p) ? PCI_BRIDGE_BARS : PCI_BARS;
	bool wide;

	for (unsigned int i = 0; i < n; i += wide ? 2 : 1) {
		uint32_t at = row[PCI_BAR_LOW].offset + 4 * i;
		struct print_rows rows = { &pci_bar_table, 4 * i, row[PCI_BAR_LOW].offset, 0 };
		struct cxlvm_structure structure = {
			.name = pci_bar_table.name,
			.specification = SPEC_PCI,
			.index = (int)i,
			.offset = at,
		};

		wide = !print_get(p, 4 * i, &row[PCI_BAR_IO]) &&
		       print_get(p, 4 * i, &row[PCI_BAR_TYPE]) == row[PCI_BAR_TYPE].reset &&
		       i + 1 < n;
		if (!range_fits(at, 4, p->len) || !get_le32(p->image + at))
			continue;
		structure.size = wide ? 8 : 4;
		rows.to = rows.from + structure.size;
		print_begin(p, &structure);
		print_fields(p, &rows);
		print_end(p);
	}
}

/* What is known of any capability: size bytes of its header. */
static void print_capability_header(struct print *p, const struct reg_table *table, uint32_t at,
				    uint32_t size, const char *name, const char *specification)
{
	const struct print_rows rows = { table, at, 0, size };
	const struct cxlvm_structure structure = {
		.name = name,
		.specification = specification,
		.index = -1,
		.offset = at,
		.size = size,
	};

	print_begin(p, &structure);
	print_fields(p, &rows);
	print_end(p);
}

static void print_conventional(struct print *p)
{
	struct visited visited = { { 0 } };
	uint32_t at = (uint32_t)header_get(p, PCI_CAP_POINTER) & ~3u;

	if (!header_get(p, PCI_CAP_LIST))
		return;
	while (at) {
		const struct reg_row *row = pci_capability_table.rows;

		if (at < PCI_CAPABILITY_FIRST) {
			print_problem(p, at, "a capability at 0x%x, inside the header", at);
			return;
		}
		if (!visit(&visited, at)) {
			print_problem(p, at, "the list of capabilities comes back to 0x%x", at);
			return;
		}
		if (!print_fits(p, at, pci_capability_table.size, pci_capability_table.name))
			return;
		if (print_get(p, at, &row[PCI_CAPABILITY_ID]) == PCI_CAP_ID_PCIE)
			print_table(p, &pcie_table, at, SPEC_PCIE);
		else if (print_get(p, at, &row[PCI_CAPABILITY_ID]) == PCI_CAP_MSIX)
			print_table(p, &msix_table, at, SPEC_PCIE);
		else
			print_capability_header(p, &pci_capability_table, at,
						pci_capability_table.size,
						pci_capability_table.name, SPEC_PCI);
		at = (uint32_t)print_get(p, at, &row[PCI_CAPABILITY_NEXT]) & ~3u;
	}
}

/* Entries of a Register Locator; the table has the rows of the first one. */
static void print_locator(struct print *p, uint32_t base, uint32_t size)
{
	unsigned int n = size < DVSEC_LOCATOR_ENTRY ? 0 : (size - DVSEC_LOCATOR_ENTRY) / 8;

	for (unsigned int i = 0; i < n; i++) {
		const struct print_rows rows = { &dvsec_locator_table, base + 8 * i,
						 DVSEC_LOCATOR_ENTRY, DVSEC_LOCATOR_SIZE(1) };
		const struct reg_row *row = dvsec_locator_table.rows;
		uint32_t at = base + DVSEC_LOCATOR_ENTRY + 8 * i;
		char summary[PRINT_TEXT_MAX];
		const struct cxlvm_structure structure = {
			.name = "Register Locator entry",
			.specification = SPEC_CXL,
			.summary = summary,
			.index = (int)i,
			.offset = at,
			.size = 8,
		};

		if (!range_fits(at, 8, p->len))
			break;
		print_meaning(&row[LOCATOR_BLOCK_ID],
			      print_get(p, rows.base, &row[LOCATOR_BLOCK_ID]), summary);
		if (print_get(p, rows.base, &row[LOCATOR_BLOCK_ID])) {
			char block[PRINT_TEXT_MAX];

			snprintf(block, sizeof(block), "%s", summary);
			snprintf(summary, sizeof(summary), "%.64s at BAR %u offset 0x%llx", block,
				 (unsigned int)print_get(p, rows.base, &row[LOCATOR_BAR]),
				 (unsigned long long)(print_get(p, rows.base,
								&row[LOCATOR_OFFSET_HIGH])
							      << 32 |
						      print_get(p, rows.base,
								&row[LOCATOR_OFFSET_LOW])
							      << 16));
		}
		print_begin(p, &structure);
		print_fields(p, &rows);
		print_other_bits(p, at, at + 8, &rows, 1);
		print_end(p);
	}
}

/* Header and registers of a CXL DVSEC of size bytes, as it says itself. */
static void print_cxl_dvsec(struct print *p, const struct reg_table *table, uint32_t base,
			    uint32_t size)
{
	uint32_t to = size < table->size ? size : table->size;
	struct print_rows rows[] = {
		{ &dvsec_header_table, base, 0, dvsec_header_table.size },
		{ table, base, dvsec_header_table.size, to },
	};
	const struct cxlvm_structure structure = {
		.name = table->name,
		.specification = SPEC_CXL,
		.index = -1,
		.offset = base,
		.size = size,
	};
	bool locator = table == &dvsec_locator_table;

	if (locator) /* entries are structures of their own */
		rows[1].to = to < DVSEC_LOCATOR_ENTRY ? to : DVSEC_LOCATOR_ENTRY;
	print_begin(p, &structure);
	print_fields(p, &rows[0]);
	print_fields(p, &rows[1]);
	print_other_bits(p, base, base + (locator ? rows[1].to : size), rows, 2);
	if (locator)
		print_locator(p, base, size);
	print_end(p);
	print_fits(p, base, size, table->name);
}

static void print_dvsec(struct print *p, uint32_t at, uint32_t *seen)
{
	const struct reg_row *row = dvsec_header_table.rows;
	uint32_t size = (uint32_t)print_get(p, at, &row[DVSEC_LENGTH]);
	uint64_t id = print_get(p, at, &row[DVSEC_ID]);

	if (!print_fits(p, at, dvsec_header_table.size, dvsec_header_table.name))
		return;
	for (unsigned int i = 0; i < N_KNOWN; i++) {
		if (known_dvsecs[i].id != id ||
		    print_get(p, at, &row[DVSEC_VENDOR]) != CXL_VENDOR_ID)
			continue;
		if (size < dvsec_header_table.size || at + size > PCI_CONFIG_SIZE)
			print_problem(p, at, "the %s at 0x%x says that it has 0x%x bytes",
				      known_dvsecs[i].table->name, at, size);
		else if (*seen & 1u << i)
			print_problem(p, at, "a second %s; only the first one is printed",
				      known_dvsecs[i].table->name);
		else
			print_cxl_dvsec(p, known_dvsecs[i].table, at, size);
		*seen |= 1u << i;
		return;
	}
	print_capability_header(p, &dvsec_header_table, at, dvsec_header_table.size, "other DVSEC",
				SPEC_CXL);
}

static void print_extended(struct print *p)
{
	const struct reg_row *row = dvsec_header_table.rows;
	struct visited visited = { { 0 } };
	uint32_t at = PCI_EXTENDED, seen = 0;

	/* None at all: a header of zeros. */
	if (range_fits(at, 4, p->len) && !get_le32(p->image + at))
		return;
	while (at) {
		uint64_t id;

		if (at < PCI_EXTENDED) {
			print_problem(p, at, "an extended capability at 0x%x, below 0x%x", at,
				      PCI_EXTENDED);
			return;
		}
		if (!visit(&visited, at)) {
			print_problem(p, at, "the list of extended capabilities comes back to 0x%x",
				      at);
			return;
		}
		if (!print_fits(p, at, 4, "extended capability"))
			return;
		id = print_get(p, at, &row[DVSEC_CAP_ID]);
		if (id == ID_NONE) {
			print_problem(p, at, "an extended capability reads all ones");
			return;
		}
		if (id == PCI_EXT_CAP_DVSEC)
			print_dvsec(p, at, &seen);
		else if (id == PCI_EXT_CAP_DSN)
			print_table(p, &dsn_table, at, SPEC_PCIE);
		else
			print_capability_header(p, &dvsec_header_table, at, 4,
						"extended capability", SPEC_PCIE);
		at = (uint32_t)print_get(p, at, &row[DVSEC_CAP_NEXT]) & ~3u;
	}
}

void print_config(struct print *p)
{
	if (p->len > PCI_CONFIG_SIZE) {
		print_problem(p, PCI_CONFIG_SIZE, "0x%x bytes; config space has at most 0x%x",
			      p->len, PCI_CONFIG_SIZE);
		p->len = PCI_CONFIG_SIZE;
	}
	if (!print_fits(p, 0, 4, pci_header_table.name))
		return;
	if (header_get(p, PCI_VENDOR) == ID_NONE) {
		print_problem(p, 0, "vendor id 0xffff: no device answered");
		return;
	}
	print_header(p);
	print_bars(p);
	if (p->len < pci_header_table.size)
		return;
	print_conventional(p);
	if (p->len > PCI_CONVENTIONAL_SIZE)
		print_extended(p);
	if (p->len != PCI_CONVENTIONAL_SIZE && p->len != PCI_CONFIG_SIZE)
		print_problem(p, p->len, "the image ends here, config space has 0x%x or 0x%x bytes",
			      PCI_CONVENTIONAL_SIZE, PCI_CONFIG_SIZE);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* What values mean, where the specifications have names for them. */
#include "regs/print.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "regs/cedt.h"
#include "regs/component.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

#define GRANULARITY_CODE_MAX 6u

/* A list of names ends with NULL. */
struct value_name {
	uint64_t value;
	const char *name;
};

/* How to put a value into words: exactly one of these. */
struct meaning {
	const struct reg_table *table;
	unsigned int row;
	const struct value_name *names; /* one of them, else "unknown" */
	const char *const *flags;       /* names of bits 0 to 31, NULL: unknown */
	void (*text)(uint64_t value, char *text);
};

unsigned int print_granularity(uint64_t code)
{
	return code <= GRANULARITY_CODE_MAX ? 256u << code : 0;
}

void print_size(uint64_t size, char *text)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (size && !(size % 1024) && unit < 4) {
		size /= 1024;
		unit++;
	}
	snprintf(text, PRINT_TEXT_MAX, "%llu %s", (unsigned long long)size, units[unit]);
}

static void text_granularity(uint64_t value, char *text)
{
	if (print_granularity(value))
		snprintf(text, PRINT_TEXT_MAX, "%u bytes", print_granularity(value));
	else
		snprintf(text, PRINT_TEXT_MAX, "reserved");
}

static void text_ways(uint64_t value, char *text)
{
	unsigned int ways = hdm_ways(value);

	if (ways)
		snprintf(text, PRINT_TEXT_MAX, "%u way%s", ways, ways == 1 ? "" : "s");
	else
		snprintf(text, PRINT_TEXT_MAX, "reserved");
}

static void text_decoder_count(uint64_t value, char *text)
{
	unsigned int n = hdm_decoder_count((uint32_t)value);

	if (n)
		snprintf(text, PRINT_TEXT_MAX, "%u decoder%s", n, n == 1 ? "" : "s");
	else
		snprintf(text, PRINT_TEXT_MAX, "reserved");
}

static void text_first_error(uint64_t value, char *text)
{
	snprintf(text, PRINT_TEXT_MAX, "first error pointer %u%s%s", (unsigned int)value & 0x3f,
		 value & 1u << 9 ? ", multiple header recording capable" : "",
		 value & 1u << 13 ? ", poison enabled" : "");
}

static void text_bar(uint64_t value, char *text)
{
	snprintf(text, PRINT_TEXT_MAX, value < PCI_BARS ? "BAR %u" : "reserved",
		 (unsigned int)value);
}

static void text_width(uint64_t value, char *text)
{
	snprintf(text, PRINT_TEXT_MAX, "x%u", (unsigned int)value);
}

static void text_bytes(uint64_t value, char *text)
{
	print_size(value, text);
}

/* The characters of an identification, first one lowest; what is not printable becomes a dot. */
static void text_characters(uint64_t value, char *text)
{
	size_t n = 0;

	text[n++] = '"';
	for (unsigned int i = 0; i < 8 && value >> (8 * i); i++) {
		unsigned char c = (unsigned char)(value >> (8 * i));

		text[n++] = c >= 0x20 && c < 0x7f ? (char)c : '.';
	}
	text[n++] = '"';
	text[n] = 0;
}

/* clang-format off */
static const struct value_name capability_names[] = {
	{ 0, "null" }, { CM_ID_ARRAY, "capability array" }, { CM_ID_RAS, "RAS" },
	{ 3, "security" }, { 4, "link" }, { CM_ID_HDM, "HDM decoder" },
	{ 6, "extended security" }, { 7, "IDE" }, { 8, "snoop filter" },
	{ 9, "timeout and isolation" }, { 10, "cachemem extended registers" },
	{ 11, "BI route table" }, { 12, "BI decoder" }, { 13, "cache ID route table" },
	{ 14, "cache ID decoder" }, { 15, "extended HDM decoder" }, { 16, "extended metadata" },
	{ 0, NULL } };
static const struct value_name coherency_names[] = {
	{ 0, "not reported" }, { 1, "device coherent" }, { 2, "host-only coherent" },
	{ 3, "both" }, { 0, NULL } };
static const struct value_name target_type_names[] = {
	{ 0, "device coherent" }, { 1, "host-only coherent" }, { 0, NULL } };
static const struct value_name vendor_names[] = {
	{ CXL_VENDOR_ID, "CXL" }, { 0, NULL } };
static const struct value_name dvsec_names[] = {
	{ DVSEC_ID_DEVICE, "CXL Device" }, { 2, "Non-CXL Function Map" },
	{ DVSEC_ID_PORT_EXTENSIONS, "Port Extensions" }, { DVSEC_ID_GPF_PORT, "GPF Port" },
	{ DVSEC_ID_GPF_DEVICE, "GPF Device" }, { DVSEC_ID_FLEX_BUS, "Flex Bus Port" },
	{ DVSEC_ID_REGISTER_LOCATOR, "Register Locator" }, { 9, "MLD" }, { 0, NULL } };
static const struct value_name media_names[] = {
	{ 0, "volatile" }, { 1, "non-volatile" }, { 2, "see CDAT" }, { 7, "not memory" },
	{ 0, NULL } };
static const struct value_name class_names[] = {
	{ 0, "memory" }, { 1, "storage" }, { 2, "see CDAT" }, { 0, NULL } };
static const struct value_name interleave_names[] = {
	{ 0, "none" }, { 1, "256 bytes" }, { 2, "4 KiB" }, { 3, "512 bytes" }, { 4, "1 KiB" },
	{ 5, "2 KiB" }, { 6, "8 KiB" }, { 7, "16 KiB" }, { 0, NULL } };
static const struct value_name active_timeout_names[] = {
	{ 0, "1 s" }, { 1, "4 s" }, { 2, "16 s" }, { 3, "64 s" }, { 4, "256 s" }, { 0, NULL } };
static const struct value_name reset_timeout_names[] = {
	{ 0, "10 ms" }, { 1, "100 ms" }, { 2, "1 s" }, { 3, "10 s" }, { 4, "100 s" },
	{ 0, NULL } };
static const struct value_name cache_unit_names[] = {
	{ 0, "not reported" }, { 1, "64 KiB" }, { 2, "1 MiB" }, { 0, NULL } };
static const struct value_name scale_names[] = {
	{ 0, "1 us" }, { 1, "10 us" }, { 2, "100 us" }, { 3, "1 ms" }, { 4, "10 ms" },
	{ 5, "100 ms" }, { 6, "1 s" }, { 7, "10 s" }, { 0, NULL } };
static const struct value_name block_names[] = {
	{ 0, "empty" }, { LOCATOR_BLOCK_COMPONENT, "component registers" },
	{ 2, "BAR virtualization" }, { 3, "memory device registers" }, { 4, "CPMU registers" },
	{ 0xff, "designated vendor specific" }, { 0, NULL } };
static const struct value_name extended_names[] = {
	{ 0, "null" }, { 0x01, "AER" }, { PCI_EXT_CAP_DSN, "Device Serial Number" },
	{ 0x0b, "vendor specific" }, { 0x0d, "ACS" }, { 0x0e, "ARI" }, { 0x0f, "ATS" },
	{ 0x10, "SR-IOV" }, { 0x13, "PRI" }, { 0x15, "resizable BAR" }, { 0x18, "LTR" },
	{ 0x19, "secondary PCI Express" }, { 0x1b, "PASID" }, { 0x1d, "DPC" },
	{ 0x1e, "L1 PM substates" }, { 0x1f, "PTM" }, { PCI_EXT_CAP_DVSEC, "DVSEC" },
	{ 0x25, "data link feature" }, { 0x26, "16 GT/s" }, { 0x27, "lane margining" },
	{ 0x2a, "32 GT/s" }, { 0x2e, "DOE" }, { 0x30, "IDE" }, { 0x31, "64 GT/s" }, { 0, NULL } };
static const struct value_name conventional_names[] = {
	{ 0x01, "power management" }, { 0x05, "MSI" }, { 0x09, "vendor specific" },
	{ 0x0d, "bridge subsystem id" }, { 0x10, "PCI Express" }, { 0x11, "MSI-X" },
	{ 0x13, "advanced features" }, { 0x14, "enhanced allocation" }, { 0, NULL } };
static const struct value_name header_type_names[] = {
	{ 0x00, "endpoint" }, { 0x01, "bridge" }, { 0x80, "endpoint, multi-function" },
	{ 0x81, "bridge, multi-function" }, { 0, NULL } };
static const struct value_name bar_type_names[] = {
	{ 0, "32-bit" }, { 2, "64-bit" }, { 0, NULL } };
static const struct value_name port_type_names[] = {
	{ 0, "endpoint" }, { 1, "legacy endpoint" }, { 4, "root port" },
	{ 5, "upstream switch port" }, { 6, "downstream switch port" },
	{ 7, "PCIe to PCI bridge" }, { 8, "PCI to PCIe bridge" },
	{ 9, "root complex integrated endpoint" }, { 10, "root complex event collector" },
	{ 0, NULL } };
static const struct value_name speed_names[] = {
	{ 1, "2.5 GT/s" }, { 2, "5 GT/s" }, { 3, "8 GT/s" }, { 4, "16 GT/s" }, { 5, "32 GT/s" },
	{ 6, "64 GT/s" }, { 0, NULL } };
static const struct value_name payload_names[] = {
	{ 0, "128 bytes" }, { 1, "256 bytes" }, { 2, "512 bytes" }, { 3, "1 KiB" },
	{ 4, "2 KiB" }, { 5, "4 KiB" }, { 0, NULL } };
static const struct value_name record_names[] = {
	{ CEDT_TYPE_CHBS, "CHBS" }, { CEDT_TYPE_CFMWS, "CFMWS" }, { 2, "CXIMS" }, { 3, "RDPAS" },
	{ 4, "CSDS" }, { 0, NULL } };
static const struct value_name chbs_version_names[] = {
	{ 0, "restricted host, RCRB" }, { CHBS_VERSION_COMPONENT, "component registers" },
	{ 0, NULL } };
static const struct value_name arithmetic_names[] = {
	{ 0, "modulo" }, { 1, "modulo with XOR" }, { 0, NULL } };

static const char *const ras_ue_flags[32] = {
	[0] = "cache data parity", [1] = "cache address parity", [2] = "cache BE parity",
	[3] = "cache data ECC", [4] = "mem data parity", [5] = "mem address parity",
	[6] = "mem BE parity", [7] = "mem data ECC", [8] = "reinit threshold",
	[9] = "reserved encoding", [10] = "poison received", [11] = "receiver overflow",
	[14] = "internal error", [15] = "IDE transmit", [16] = "IDE receive" };
static const char *const ras_ce_flags[32] = {
	[0] = "cache data ECC", [1] = "mem data ECC", [2] = "CRC threshold",
	[3] = "retry threshold", [4] = "cache poison received", [5] = "mem poison received",
	[6] = "physical layer" };
static const char *const flex_bus_flags[32] = {
	[0] = "cache", [1] = "io", [2] = "mem", [5] = "68-byte flit and VH", [6] = "MLD" };
static const char *const restriction_flags[32] = {
	[0] = "device coherent", [1] = "host-only coherent", [2] = "volatile", [3] = "persistent",
	[4] = "fixed", [5] = "back-invalidate" };

#define NAMES(table, row, list) { &(table), row, list, NULL, NULL }
#define FLAGS(table, row, list) { &(table), row, NULL, list, NULL }
#define TEXT(table, row, function) { &(table), row, NULL, NULL, function }

static const struct meaning meanings[] = {
	NAMES(cm_array_table, CM_ARRAY_ID, capability_names),
	NAMES(cm_entry_table, CM_ENTRY_ID, capability_names),
	FLAGS(ras_table, RAS_UE_STATUS, ras_ue_flags),
	FLAGS(ras_table, RAS_UE_MASK, ras_ue_flags),
	FLAGS(ras_table, RAS_UE_SEVERITY, ras_ue_flags),
	FLAGS(ras_table, RAS_CE_STATUS, ras_ce_flags),
	FLAGS(ras_table, RAS_CE_MASK, ras_ce_flags),
	TEXT(ras_table, RAS_CAP_CONTROL, text_first_error),
	TEXT(hdm_table, HDM_CAP_COUNT, text_decoder_count),
	NAMES(hdm_table, HDM_CAP_COHERENCY, coherency_names),
	TEXT(hdm_table, HDM_CTL_GRANULARITY, text_granularity),
	TEXT(hdm_table, HDM_CTL_WAYS, text_ways),
	NAMES(hdm_table, HDM_CTL_HOST_ONLY, target_type_names),
	NAMES(dvsec_header_table, DVSEC_CAP_ID, extended_names),
	NAMES(dvsec_header_table, DVSEC_VENDOR, vendor_names),
	NAMES(dvsec_header_table, DVSEC_ID, dvsec_names),
	NAMES(dvsec_device_table, CXLDEV_RESET_TIMEOUT, reset_timeout_names),
	NAMES(dvsec_device_table, CXLDEV_CACHE_UNIT, cache_unit_names),
	NAMES(dvsec_device_table, CXLDEV_RANGE1_MEDIA, media_names),
	NAMES(dvsec_device_table, CXLDEV_RANGE1_CLASS, class_names),
	NAMES(dvsec_device_table, CXLDEV_RANGE1_INTERLEAVE, interleave_names),
	NAMES(dvsec_device_table, CXLDEV_RANGE1_TIMEOUT, active_timeout_names),
	NAMES(dvsec_gpf_port_table, GPFPORT_PHASE1_SCALE, scale_names),
	NAMES(dvsec_gpf_port_table, GPFPORT_PHASE2_SCALE, scale_names),
	NAMES(dvsec_gpf_device_table, GPFDEV_PHASE2_SCALE, scale_names),
	FLAGS(dvsec_flex_bus_table, FLEXBUS_CAPABILITY, flex_bus_flags),
	FLAGS(dvsec_flex_bus_table, FLEXBUS_CONTROL, flex_bus_flags),
	FLAGS(dvsec_flex_bus_table, FLEXBUS_STATUS, flex_bus_flags),
	TEXT(dvsec_locator_table, LOCATOR_BAR, text_bar),
	NAMES(dvsec_locator_table, LOCATOR_BLOCK_ID, block_names),
	NAMES(pci_header_table, PCI_HEADER_TYPE, header_type_names),
	NAMES(pci_bar_table, PCI_BAR_TYPE, bar_type_names),
	NAMES(pcie_table, PCIE_CAP_ID, conventional_names),
	NAMES(pcie_table, PCIE_TYPE, port_type_names),
	NAMES(pcie_table, PCIE_MAX_PAYLOAD, payload_names),
	NAMES(pcie_table, PCIE_LINK_SPEED_MAX, speed_names),
	TEXT(pcie_table, PCIE_LINK_WIDTH_MAX, text_width),
	NAMES(pcie_table, PCIE_LINK_SPEED, speed_names),
	TEXT(pcie_table, PCIE_LINK_WIDTH, text_width),
	NAMES(pcie_table, PCIE_LINK_SPEED_TARGET, speed_names),
	NAMES(msix_table, MSIX_CAP_ID, conventional_names),
	NAMES(pci_capability_table, PCI_CAPABILITY_ID, conventional_names),
	NAMES(dsn_table, DSN_CAP_ID, extended_names),
	TEXT(acpi_header_table, ACPI_SIGNATURE, text_characters),
	TEXT(acpi_header_table, ACPI_OEM_ID, text_characters),
	TEXT(acpi_header_table, ACPI_OEM_TABLE_ID, text_characters),
	TEXT(acpi_header_table, ACPI_CREATOR_ID, text_characters),
	NAMES(cedt_record_table, CEDT_TYPE, record_names),
	NAMES(chbs_table, CHBS_VERSION, chbs_version_names),
	TEXT(chbs_table, CHBS_LENGTH, text_bytes),
	TEXT(cfmws_table, CFMWS_WINDOW_SIZE, text_bytes),
	TEXT(cfmws_table, CFMWS_WAYS, text_ways),
	NAMES(cfmws_table, CFMWS_ARITHMETIC, arithmetic_names),
	TEXT(cfmws_table, CFMWS_GRANULARITY, text_granularity),
	FLAGS(cfmws_table, CFMWS_RESTRICTIONS, restriction_flags),
};
/* clang-format on */

static void name_text(const struct value_name *names, uint64_t value, char *text)
{
	while (names->name && names->value != value)
		names++;
	snprintf(text, PRINT_TEXT_MAX, "%s", names->name ? names->name : "unknown");
}

/* Bits without a name are given by number; what does not fit ends with dots. */
static void flags_text(const char *const *flags, uint64_t value, char *text)
{
	size_t len = 0;

	for (unsigned int bit = 0; bit < 32; bit++) {
		char word[40];

		if (!(value >> bit & 1))
			continue;
		if (flags[bit])
			snprintf(word, sizeof(word), "%s%s", len ? ", " : "", flags[bit]);
		else
			snprintf(word, sizeof(word), "%sbit %u", len ? ", " : "", bit);
		if (len + strlen(word) + sizeof(", ...") > PRINT_TEXT_MAX) {
			snprintf(text + len, PRINT_TEXT_MAX - len, ", ...");
			return;
		}
		len += (size_t)snprintf(text + len, PRINT_TEXT_MAX - len, "%s", word);
	}
}

void print_meaning(const struct reg_row *row, uint64_t value, char *text)
{
	text[0] = 0;
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		const struct meaning *meaning = &meanings[i];

		if (row != &meaning->table->rows[meaning->row])
			continue;
		if (meaning->names)
			name_text(meaning->names, value, text);
		else if (meaning->flags)
			flags_text(meaning->flags, value, text);
		else
			meaning->text(value, text);
		return;
	}
}

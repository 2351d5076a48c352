/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "regs/pci.h"

/* clang-format off */
static const struct reg_row header_rows[] = { PCI_HEADER_LIST(REG_ROW) };
static const struct reg_row bridge_rows[] = { PCI_BRIDGE_LIST(REG_ROW) };
static const struct reg_row bar_rows[] = { PCI_BAR_LIST(REG_ROW) };
static const struct reg_row capability_rows[] = { PCI_CAPABILITY_LIST(REG_ROW) };
static const struct reg_row pcie_rows[] = { PCIE_LIST(REG_ROW) };
static const struct reg_row pm_rows[] = { PM_LIST(REG_ROW) };
static const struct reg_row msix_rows[] = { MSIX_LIST(REG_ROW) };
static const struct reg_row msix_entry_rows[] = { MSIX_ENTRY_LIST(REG_ROW) };
static const struct reg_row dsn_rows[] = { DSN_LIST(REG_ROW) };
static const struct reg_row ats_rows[] = { ATS_LIST(REG_ROW) };

const struct reg_table pci_header_table = {
	"PCI header", header_rows, PCI_HEADER_ROWS, 0x40 };
const struct reg_table pci_bridge_table = {
	"PCI bridge header", bridge_rows, PCI_BRIDGE_ROWS, 0x40 };
const struct reg_table pci_bar_table = {
	"PCI base address", bar_rows, PCI_BAR_ROWS, 0x18 };
const struct reg_table pci_capability_table = {
	"PCI capability", capability_rows, PCI_CAPABILITY_ROWS, 2 };
const struct reg_table pcie_table = {
	"PCI Express capability", pcie_rows, PCIE_ROWS, PCIE_SIZE };
const struct reg_table pm_table = {
	"PCI Power Management", pm_rows, PM_ROWS, PM_SIZE };
const struct reg_table msix_table = {
	"MSI-X capability", msix_rows, MSIX_ROWS, MSIX_SIZE };
const struct reg_table msix_entry_table = {
	"MSI-X table entry", msix_entry_rows, MSIX_ENTRY_ROWS, MSIX_ENTRY_SIZE };
const struct reg_table dsn_table = {
	"Device Serial Number", dsn_rows, DSN_ROWS, DSN_SIZE };
const struct reg_table ats_table = {
	"Address Translation Services", ats_rows, ATS_ROWS, ATS_SIZE };
/* clang-format on */

/* SPDX-License-Identifier: BSD-3-Clause */
/* AML of a host bridge and of the CXL root object. */
#include <cxlvm/acpi.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "acpi/aml_ops.h"
#include "base/math.h"

/* UUIDs as they stand in a buffer: the first three groups little endian. */
static const uint8_t osc_pci[16] = { /* 33DB4D5B-1FF7-401C-9657-7441C03DD766 */
				     0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
				     0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66
};
static const uint8_t osc_cxl[16] = { /* 68F2D50B-C469-4D8A-BD3D-941A103FD3FC */
				     0x0b, 0xd5, 0xf2, 0x68, 0x69, 0xc4, 0x8a, 0x4d,
				     0xbd, 0x3d, 0x94, 0x1a, 0x10, 0x3f, 0xd3, 0xfc
};
static const uint8_t dsm_pci[16] = { /* E5C937D0-3553-4D7A-9117-EA4D19C3434D */
				     0xd0, 0x37, 0xc9, 0xe5, 0x53, 0x35, 0x7a, 0x4d,
				     0x91, 0x17, 0xea, 0x4d, 0x19, 0xc3, 0x43, 0x4d
};

#define OSC_PCI_CONTROL    0x1c /* PME, AER, PCI Express capability structure */
#define OSC_CXL_CONTROL    0x01 /* CXL memory error reporting */
#define OSC_UNKNOWN_UUID   0x04
#define OSC_CONTROL_MASKED 0x10

#define DSM_PRESERVE_CONFIG 5

static void arg_equals_buffer(struct cxlvm_aml *aml, unsigned int arg, const uint8_t uuid[16])
{
	aml_byte(aml, AML_LEQUAL_OP);
	aml_byte(aml, (uint8_t)(AML_ARG0 + arg));
	aml_buffer(aml, uuid, 16);
}

static void dword_field(struct cxlvm_aml *aml, unsigned int offset, const char *name)
{
	aml_byte(aml, AML_DWORD_FIELD_OP);
	aml_byte(aml, AML_ARG0 + 3);
	aml_integer(aml, offset);
	aml_name(aml, name);
}

/* name = name op value */
static void change_field(struct cxlvm_aml *aml, uint8_t op, const char *name, uint64_t value)
{
	aml_byte(aml, op);
	aml_name(aml, name);
	aml_integer(aml, value);
	aml_name(aml, name);
}

static void return_arg3(struct cxlvm_aml *aml)
{
	aml_byte(aml, AML_RETURN_OP);
	aml_byte(aml, AML_ARG0 + 3);
}

/*
 * If (UUID is CXL's) { mask dword 4 } Else { If (UUID is not PCI's) { say so } }: Linux asks with
 * CXL's first and wants 20 bytes back, which are those it sent.
 */
static void osc_uuids(struct cxlvm_aml *aml, bool cxl)
{
	struct cxlvm_aml_package cxl_branch, other, unknown;

	if (cxl) {
		cxl_branch = aml_if(aml);
		arg_equals_buffer(aml, 0, osc_cxl);
		dword_field(aml, 16, "CDW5");
		change_field(aml, AML_AND_OP, "CDW5", OSC_CXL_CONTROL);
		cxlvm_aml_end(aml, cxl_branch);
		other = aml_else(aml);
	}
	unknown = aml_if(aml);
	aml_byte(aml, AML_LNOT_OP);
	arg_equals_buffer(aml, 0, osc_pci);
	change_field(aml, AML_OR_OP, "CDW1", OSC_UNKNOWN_UUID);
	return_arg3(aml);
	cxlvm_aml_end(aml, unknown);
	if (cxl)
		cxlvm_aml_end(aml, other);
}

static void osc(struct cxlvm_aml *aml, bool cxl)
{
	struct cxlvm_aml_package method = cxlvm_aml_method(aml, "_OSC", 4), masked;

	dword_field(aml, 0, "CDW1");
	dword_field(aml, 8, "CDW3");
	osc_uuids(aml, cxl);

	/* Local0 = CDW3 & what is granted; say so if that is less. */
	aml_byte(aml, AML_AND_OP);
	aml_name(aml, "CDW3");
	aml_integer(aml, OSC_PCI_CONTROL);
	aml_byte(aml, AML_LOCAL0);
	masked = aml_if(aml);
	aml_byte(aml, AML_LNOT_OP);
	aml_byte(aml, AML_LEQUAL_OP);
	aml_byte(aml, AML_LOCAL0);
	aml_name(aml, "CDW3");
	change_field(aml, AML_OR_OP, "CDW1", OSC_CONTROL_MASKED);
	cxlvm_aml_end(aml, masked);
	aml_byte(aml, AML_STORE_OP);
	aml_byte(aml, AML_LOCAL0);
	aml_name(aml, "CDW3");
	return_arg3(aml);
	cxlvm_aml_end(aml, method);
}

/* If (function is n) { Return ... } */
static struct cxlvm_aml_package if_function(struct cxlvm_aml *aml, unsigned int n)
{
	struct cxlvm_aml_package package = aml_if(aml);

	aml_byte(aml, AML_LEQUAL_OP);
	aml_byte(aml, AML_ARG0 + 2);
	aml_integer(aml, n);
	aml_byte(aml, AML_RETURN_OP);
	return package;
}

/* Function 5 returning 0: the operating system keeps the resources it finds (ACPI-5). */
static void dsm(struct cxlvm_aml *aml)
{
	static const uint8_t functions = 1 | 1 << DSM_PRESERVE_CONFIG, none = 0;
	struct cxlvm_aml_package method, uuid, function;

	method = cxlvm_aml_method(aml, "_DSM", 4);
	uuid = aml_if(aml);
	arg_equals_buffer(aml, 0, dsm_pci);
	function = if_function(aml, 0);
	aml_buffer(aml, &functions, 1);
	cxlvm_aml_end(aml, function);
	function = if_function(aml, DSM_PRESERVE_CONFIG);
	aml_integer(aml, 0);
	cxlvm_aml_end(aml, function);
	cxlvm_aml_end(aml, uuid);
	aml_byte(aml, AML_RETURN_OP);
	aml_buffer(aml, &none, 1);
	cxlvm_aml_end(aml, method);
}

static int check(const struct cxlvm_acpi_bridge *bridge, struct cxlvm_error *err)
{
	if (strlen(bridge->name) != 4 || bridge->bus_last < bridge->bus_first)
		return cxlvm_error_set(err, -EINVAL,
				       "host bridge \"%s\" with buses %u to %u: a name of four "
				       "characters and rising numbers are needed",
				       bridge->name, bridge->bus_first, bridge->bus_last);
	if (bridge->mmio32_size && (!range_is_valid(bridge->mmio32.value, bridge->mmio32_size) ||
				    bridge->mmio32.value + (bridge->mmio32_size - 1) > UINT32_MAX))
		return cxlvm_error_set(err, -EINVAL,
				       "host bridge %s: window 0x%" PRIx64 "+0x%" PRIx64
				       " is not below 4 GiB",
				       bridge->name, bridge->mmio32.value, bridge->mmio32_size);
	if (bridge->mmio64_size && (!range_is_valid(bridge->mmio64.value, bridge->mmio64_size) ||
				    bridge->mmio64.value <= UINT32_MAX))
		return cxlvm_error_set(err, -EINVAL,
				       "host bridge %s: window 0x%" PRIx64 "+0x%" PRIx64
				       " is not above 4 GiB",
				       bridge->name, bridge->mmio64.value, bridge->mmio64_size);
	return 0;
}

int cxlvm_acpi_bridge(struct cxlvm_aml *aml, const struct cxlvm_acpi_bridge *bridge,
		      struct cxlvm_error *err)
{
	static const char *const pci_ids[] = { "PNP0A08", "PNP0A03" };
	struct cxlvm_aml_package device;
	struct cxlvm_aml_resources res;
	int ret = check(bridge, err);

	if (ret)
		return ret;
	device = cxlvm_aml_device(aml, bridge->name);
	if (bridge->cxl) {
		/* Without PNP0A03 in _CID Linux does not scan the bus at all. */
		cxlvm_aml_name_string(aml, "_HID", "ACPI0016");
		cxlvm_aml_name_eisaids(aml, "_CID", pci_ids, 2);
	} else {
		cxlvm_aml_name_eisaid(aml, "_HID", pci_ids[0]);
		cxlvm_aml_name_eisaid(aml, "_CID", pci_ids[1]);
	}
	cxlvm_aml_name_integer(aml, "_UID", bridge->uid);
	cxlvm_aml_name_integer(aml, "_SEG", bridge->segment);
	cxlvm_aml_name_integer(aml, "_BBN", bridge->bus_first);
	if (bridge->has_domain)
		cxlvm_aml_name_integer(aml, "_PXM", bridge->domain);
	res = cxlvm_aml_resources_begin(aml);
	cxlvm_aml_bus_numbers(aml, bridge->bus_first, bridge->bus_last);
	if (bridge->mmio32_size)
		cxlvm_aml_memory_window(aml, bridge->mmio32, bridge->mmio32_size, false);
	if (bridge->mmio64_size)
		cxlvm_aml_memory_window(aml, bridge->mmio64, bridge->mmio64_size, true);
	cxlvm_aml_resources_end(aml, res);
	osc(aml, bridge->cxl);
	dsm(aml);
	cxlvm_aml_end(aml, device);
	return 0;
}

void cxlvm_acpi_cxl_root(struct cxlvm_aml *aml)
{
	struct cxlvm_aml_package device = cxlvm_aml_device(aml, "CXLR");

	cxlvm_aml_name_string(aml, "_HID", "ACPI0017");
	cxlvm_aml_end(aml, device);
}

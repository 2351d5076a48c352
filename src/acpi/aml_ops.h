/* SPDX-License-Identifier: BSD-3-Clause */
/* AML opcodes (ACPI 6.5, 20.3) and resource descriptor tags (6.4); the writer's inner calls. */
#ifndef CXLVM_ACPI_AML_OPS_H
#define CXLVM_ACPI_AML_OPS_H

#include <cxlvm/acpi.h>

#define AML_NAME_OP          0x08
#define AML_BYTE_PREFIX      0x0a
#define AML_WORD_PREFIX      0x0b
#define AML_DWORD_PREFIX     0x0c
#define AML_STRING_PREFIX    0x0d
#define AML_QWORD_PREFIX     0x0e
#define AML_SCOPE_OP         0x10
#define AML_BUFFER_OP        0x11
#define AML_PACKAGE_OP       0x12
#define AML_METHOD_OP        0x14
#define AML_DUAL_NAME_PREFIX 0x2e
#define AML_EXT_OP           0x5b
#define AML_LOCAL0           0x60
#define AML_ARG0             0x68
#define AML_STORE_OP         0x70
#define AML_AND_OP           0x7b
#define AML_OR_OP            0x7d
#define AML_DEVICE_OP        0x82 /* after AML_EXT_OP */
#define AML_DWORD_FIELD_OP   0x8a
#define AML_LNOT_OP          0x92
#define AML_LEQUAL_OP        0x93
#define AML_IF_OP            0xa0
#define AML_ELSE_OP          0xa1
#define AML_RETURN_OP        0xa4

#define AML_METHOD_ARGS       0x07
#define AML_METHOD_SERIALIZED 0x08

#define RES_IRQ                 0x22
#define RES_IO_PORTS            0x47
#define RES_END_TAG             0x79
#define RES_MEMORY32_FIXED      0x86
#define RES_DWORD_SPACE         0x87
#define RES_WORD_SPACE          0x88
#define RES_QWORD_SPACE         0x8a
#define RES_TYPE_MEMORY         0
#define RES_TYPE_BUS            2
#define RES_PRODUCER_FIXED      0x0c /* producer, positive decode, both ends fixed */
#define RES_MEMORY_WRITABLE     0x01
#define RES_MEMORY_PREFETCHABLE 0x06
#define RES_IO_DECODE16         0x01

void aml_byte(struct cxlvm_aml *aml, uint8_t byte);
void aml_bytes(struct cxlvm_aml *aml, const void *bytes, size_t n);
void aml_name(struct cxlvm_aml *aml, const char *name);
void aml_integer(struct cxlvm_aml *aml, uint64_t value);
void aml_buffer(struct cxlvm_aml *aml, const void *bytes, size_t n);
struct cxlvm_aml_package aml_if(struct cxlvm_aml *aml);
struct cxlvm_aml_package aml_else(struct cxlvm_aml *aml);

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/* For the files of this room. */
#ifndef CXLVM_KERNEL_SHAPE_PRIVATE_H
#define CXLVM_KERNEL_SHAPE_PRIVATE_H

#include "kernel_shape/shape.h"

#define HDM_BYTES    (4 * DECODER_DWORDS)
/* The HDM decoder capability in the component block, and in the BAR. */
#define HDM_IN_BLOCK (CM_OFFSET + SWDEV_HDM_OFFSET)
#define HDM_IN_BAR   (SWDEV_BLOCK_OFFSET + HDM_IN_BLOCK)

/* shape.c: the row of a generation, NULL for none. */
const struct shape_facts *shape_facts_of(unsigned int generation);

/* shadow.c: the rules for writes to the kernel's decoder, by generation. */
void shadow_write_2(uint32_t *hdm, uint32_t at, uint32_t value);
void shadow_write_3(uint32_t *hdm, uint32_t at, uint32_t value);
void shadow_write_4(uint32_t *hdm, uint32_t at, uint32_t value);
/* Of quirks: all writes are dropped; all are kept. */
void shadow_write_none(uint32_t *hdm, uint32_t at, uint32_t value);
void shadow_write_all(uint32_t *hdm, uint32_t at, uint32_t value);
/* Fill the kernel's decoder from the real one. */
void shadow_sample(struct kernel_shape *shape);

/* registers.c, config.c: regions of their own. */
int shape_registers_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf,
			 size_t len);
int shape_registers_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf,
			  size_t len);
int shape_config_read(const struct kernel_shape *shape, uint64_t offset, uint8_t *buf, size_t len);
int shape_config_write(struct kernel_shape *shape, uint64_t offset, const uint8_t *buf, size_t len);
void shape_dvsec_sample(struct kernel_shape *shape);
void shape_dvsec_reset(struct kernel_shape *shape);

/* irq.c: after a reset of the device, MSI-X is put back as it was. */
void shape_irq_restore(struct kernel_shape *shape);

/* quirks.c: before a reset, whose error it may be; after one; and what a dword is said to be. */
int quirks_before_reset(struct kernel_shape *shape);
void quirks_after_reset(struct kernel_shape *shape);
uint32_t quirks_register(const struct kernel_shape *shape, uint32_t at, uint32_t value);

/* The longest naturally aligned piece, of at most 4 bytes, that an access of len bytes begins with. */
unsigned int shape_access_piece(uint64_t offset, size_t len);

#endif

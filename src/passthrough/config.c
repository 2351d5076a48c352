/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config space filters: CXL Control and CXL Lock of the CXL Device DVSEC are ours, its range 1
 * shows the guest's addresses (CHK-7), and the real Memory Space bit stays on.
 */
#include <errno.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

#define CONTROL_OFFSET  (dvsec_device_table.rows[CXLDEV_MEM_ENABLE].offset)
#define CONTROL2_OFFSET (dvsec_device_table.rows[CXLDEV_DISABLE_CACHING].offset)
#define LOCK_OFFSET     (dvsec_device_table.rows[CXLDEV_CONFIG_LOCK].offset)

/* Bits of CXL Control 2 that start something: write-back and invalidate, CXL reset. */
#define CONTROL2_INITIATE 0x06u

/*
 * Lay what is virtual over an image of the DVSEC: the device's own dwords are in it already where
 * the access needs them.
 */
static void overlay(const struct cxlvm_endpoint *ep, uint32_t *image)
{
	const struct reg_row *row = dvsec_device_table.rows;
	bool committed = decoder_is_committed(ep->state.hdm);
	uint64_t base = committed ? decoder_base(ep->state.hdm) : 0;
	uint64_t size = ep->desc.memory_size;
	uint16_t control = __atomic_load_n(&ep->state.dvsec_control, __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < DVSEC_DEVICE_ROWS; i++)
		if (row[i].offset == CONTROL_OFFSET)
			reg_set(image, 0, &row[i], (uint32_t)control >> row[i].lsb);
	reg_set(image, 0, &row[CXLDEV_CONFIG_LOCK],
		__atomic_load_n(&ep->state.dvsec_lock, __ATOMIC_RELAXED));
	/* One decoder, one range. */
	reg_set(image, 0, &row[CXLDEV_HDM_COUNT], 1);
	for (unsigned int i = CXLDEV_RANGE2_SIZE_HIGH; i <= CXLDEV_RANGE2_BASE_LOW; i++)
		reg_set(image, 0, &row[i], 0);
	reg_set(image, 0, &row[CXLDEV_RANGE1_SIZE_HIGH], (uint32_t)(size >> 32));
	reg_set(image, 0, &row[CXLDEV_RANGE1_SIZE_LOW], (uint32_t)size >> 28);
	reg_set(image, 0, &row[CXLDEV_RANGE1_VALID], committed);
	reg_set(image, 0, &row[CXLDEV_RANGE1_ACTIVE], committed);
	reg_set(image, 0, &row[CXLDEV_RANGE1_BASE_HIGH], (uint32_t)(base >> 32));
	reg_set(image, 0, &row[CXLDEV_RANGE1_BASE_LOW], (uint32_t)base >> 28);
}

static bool touches(uint32_t offset, unsigned int length, uint32_t at, unsigned int size)
{
	return ranges_overlap(offset, length, at, size);
}

static bool length_ok(uint32_t offset, unsigned int length)
{
	return (length == 1 || length == 2 || length == 4) &&
	       range_fits(offset, length, PCI_CONFIG_SIZE);
}

uint32_t cxlvm_endpoint_config_read(const struct cxlvm_endpoint *ep, uint32_t offset,
				    unsigned int length, uint32_t value)
{
	uint32_t image[DVSEC_DEVICE_SIZE / 4] = { 0 };
	uint32_t dvsec = ep->desc.dvsec, result = 0;

	if (!length_ok(offset, length) || is_dark(ep))
		return (uint32_t)all_ones(length < 4 ? length : 4);
	if (!touches(offset, length, dvsec, DVSEC_DEVICE_SIZE))
		return value;
	/* The bytes the host merged, then ours on top, then the bytes that were asked for. */
	for (unsigned int i = 0; i < length; i++) {
		uint32_t at = offset + i - dvsec;

		if (offset + i >= dvsec && at < DVSEC_DEVICE_SIZE)
			image[at / 4] |= (value >> (8 * i) & 0xff) << (8 * (at & 3));
	}
	overlay(ep, image);
	for (unsigned int i = 0; i < length; i++) {
		uint32_t at = offset + i - dvsec, byte = value >> (8 * i) & 0xff;

		if (offset + i >= dvsec && at < DVSEC_DEVICE_SIZE)
			byte = image[at / 4] >> (8 * (at & 3)) & 0xff;
		result |= byte << (8 * i);
	}
	return result;
}

/* Set or clear bits of a 16-bit register, where the write covers them. */
static uint32_t force(uint32_t value, uint32_t offset, unsigned int length, uint32_t at,
		      uint16_t mask, bool set)
{
	for (unsigned int i = 0; i < length; i++) {
		uint32_t byte = offset + i - at, bits;

		if (offset + i < at || byte > 1)
			continue;
		bits = (uint32_t)(mask >> (8 * byte) & 0xff) << (8 * i);
		value = set ? value | bits : value & ~bits;
	}
	return value;
}

bool cxlvm_endpoint_config_write_begin(struct cxlvm_endpoint *ep, uint32_t offset,
				       unsigned int length, uint32_t value, uint32_t *device_value,
				       enum cxlvm_reset_kind *kind)
{
	const struct reg_row *mem_enable = &dvsec_device_table.rows[CXLDEV_MEM_ENABLE];
	const struct reg_row *memory_space = &pci_header_table.rows[PCI_MEMORY_SPACE];
	uint32_t dvsec = ep->desc.dvsec;

	*kind = CXLVM_RESET_NONE;
	*device_value = value;
	ep->write_length = 0;
	if (!length_ok(offset, length) || is_dark(ep))
		return false;
	ep->write_offset = offset;
	ep->write_length = length;
	ep->write_value = value;

	value = force(value, offset, length, memory_space->offset,
		      (uint16_t)(1u << memory_space->lsb), true);
	value = force(value, offset, length, dvsec + CONTROL_OFFSET,
		      (uint16_t)(1u << mem_enable->lsb), true);
	value = force(value, offset, length, dvsec + LOCK_OFFSET, UINT16_MAX, false);
	/* CXL reset on request of the guest comes with the other reset kinds (RST-3). */
	value = force(value, offset, length, dvsec + CONTROL2_OFFSET, CONTROL2_INITIATE, false);
	*device_value = value;
	return true;
}

void cxlvm_endpoint_config_write_end(struct cxlvm_endpoint *ep)
{
	uint32_t dvsec = ep->desc.dvsec, image[DVSEC_DEVICE_SIZE / 4] = { 0 };
	uint32_t offset = ep->write_offset;
	unsigned int length = ep->write_length;
	uint16_t lock;

	ep->write_length = 0;
	if (!length || is_dark(ep) || !touches(offset, length, dvsec, DVSEC_DEVICE_SIZE))
		return;
	overlay(ep, image);
	lock = (uint16_t)regs_read(image, LOCK_OFFSET, 2);
	/* Byte by byte: a locked control next to a writable register stays as it is. */
	for (unsigned int i = 0; i < length; i++) {
		uint32_t at = offset + i - dvsec;

		if (offset + i < dvsec || at >= DVSEC_DEVICE_SIZE)
			continue;
		if (lock && at >= CONTROL_OFFSET && at < CONTROL_OFFSET + 2u)
			continue;
		regs_write(&dvsec_device_table, image, 0, at, 1, ep->write_value >> (8 * i) & 0xff);
	}
	__atomic_store_n(&ep->state.dvsec_control, (uint16_t)regs_read(image, CONTROL_OFFSET, 2),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&ep->state.dvsec_lock, (uint16_t)regs_read(image, LOCK_OFFSET, 2),
			 __ATOMIC_RELAXED);
	endpoint_map_update(ep);
}

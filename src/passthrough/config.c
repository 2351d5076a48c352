/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config space filters. Of the CXL Device DVSEC, control, lock and the reset bits of status 2 are
 * ours, and range 1 shows the guest's addresses (CHK-7). The real Memory Space bit stays on. A
 * write that starts a reset is bracketed: prepared before it, done after it.
 */
#include <errno.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"
#include "regs/dvsec.h"
#include "regs/pci.h"

#define ROW(id)         (&dvsec_device_table.rows[id])
#define CONTROL_OFFSET  CXLDEV_MEM_ENABLE_AT
#define CONTROL2_OFFSET CXLDEV_INITIATE_RESET_AT
#define STATUS2_OFFSET  CXLDEV_RESET_COMPLETE_AT
#define LOCK_OFFSET     CXLDEV_CONFIG_LOCK_AT

/* How long the kernel may take with a CXL reset that the guest's write started. */
#define CXL_RESET_TIMEOUT_MS 2000
#define CXL_RESET_PAUSE_MS   10

static uint16_t row_bits(const struct reg_row *row)
{
	return (uint16_t)(((1u << row->bits) - 1) << row->lsb);
}

/* The register of 16 bits at offset, which is a multiple of 4: 0, and its neighbour as it was. */
static void clear_word(uint32_t *image, uint32_t offset)
{
	reg_store(&image[offset / 4], reg_load(&image[offset / 4]) & 0xffff0000);
}

/* Lay what is virtual over an image of the DVSEC that holds what the host merged. */
static void overlay(const struct cxlvm_endpoint *ep, uint32_t *image)
{
	const struct reg_row *row = dvsec_device_table.rows;
	bool committed = decoder_is_committed(ep->state.hdm);
	uint64_t base = committed ? decoder_base(ep->state.hdm) : 0;
	uint64_t size = ep->desc.memory_size;
	uint16_t control = __atomic_load_n(&ep->state.dvsec_control, __ATOMIC_RELAXED);
	uint16_t control2 = __atomic_load_n(&ep->state.dvsec_control2, __ATOMIC_RELAXED);
	uint16_t status2 = __atomic_load_n(&ep->state.dvsec_status2, __ATOMIC_RELAXED);

	/* Reserved bits too: kernels keep over resets what was written to them (RST-1). */
	clear_word(image, CONTROL_OFFSET);
	clear_word(image, CONTROL2_OFFSET);
	clear_word(image, LOCK_OFFSET);
	for (unsigned int i = 0; i < DVSEC_DEVICE_ROWS; i++)
		if (row[i].offset == CONTROL_OFFSET)
			reg_set(image, 0, &row[i], (uint32_t)control >> row[i].lsb);
	reg_set(image, 0, &row[CXLDEV_CONFIG_LOCK],
		__atomic_load_n(&ep->state.dvsec_lock, __ATOMIC_RELAXED));
	reg_set(image, 0, &row[CXLDEV_DISABLE_CACHING],
		(uint32_t)control2 >> row[CXLDEV_DISABLE_CACHING].lsb);
	reg_set(image, 0, &row[CXLDEV_MEM_CLEAR_ENABLE],
		(uint32_t)control2 >> row[CXLDEV_MEM_CLEAR_ENABLE].lsb);
	if (!(control2 & row_bits(&row[CXLDEV_INITIATE_WB])))
		reg_set(image, 0, &row[CXLDEV_CACHE_INVALID], 0);
	reg_set(image, 0, &row[CXLDEV_RESET_COMPLETE],
		(uint32_t)status2 >> row[CXLDEV_RESET_COMPLETE].lsb);
	reg_set(image, 0, &row[CXLDEV_RESET_ERROR],
		(uint32_t)status2 >> row[CXLDEV_RESET_ERROR].lsb);
	if (!endpoint_can_cxl_reset(ep))
		reg_set(image, 0, &row[CXLDEV_RESET_CAPABLE], 0);
	/* One decoder, one range. */
	reg_set(image, 0, &row[CXLDEV_HDM_COUNT], 1);
	for (unsigned int i = CXLDEV_RANGE2_SIZE_HIGH; i <= CXLDEV_RANGE2_BASE_LOW; i++)
		reg_set(image, 0, &row[i], 0);
	reg_set(image, 0, &row[CXLDEV_RANGE1_SIZE_HIGH], (uint32_t)(size >> 32));
	reg_set(image, 0, &row[CXLDEV_RANGE1_SIZE_LOW], (uint32_t)size >> 28);
	/*
	 * Of a decoder that firmware commits these tell whether it is; else the device knows, if
	 * there is memory at all.
	 */
	if (ep->decoder == CXLVM_DECODER_LOCKED || !ep->desc.n_areas) {
		reg_set(image, 0, &row[CXLDEV_RANGE1_VALID], committed);
		reg_set(image, 0, &row[CXLDEV_RANGE1_ACTIVE], committed);
	}
	reg_set(image, 0, &row[CXLDEV_RANGE1_BASE_HIGH], (uint32_t)(base >> 32));
	/* The whole dword: what the device has in the reserved bits is no business of the guest's. */
	reg_store(&image[row[CXLDEV_RANGE1_BASE_LOW].offset / 4], (uint32_t)base);
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
	if (ep->plain)
		return endpoint_hidden_read(ep, offset, length, value);
	if (!ranges_overlap(offset, length, dvsec, DVSEC_DEVICE_SIZE))
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

/* A guest write on its way to the device. */
struct config_write {
	uint32_t offset;
	unsigned int length;
	uint32_t value;
};

/* Replace the bits of mask in the 16-bit register at at, where the write covers them. */
static void replace(struct config_write *w, uint32_t at, uint16_t mask, uint16_t bits)
{
	for (unsigned int i = 0; i < w->length; i++) {
		uint32_t byte = w->offset + i - at;

		if (w->offset + i < at || byte > 1)
			continue;
		w->value &= ~((uint32_t)(mask >> (8 * byte) & 0xff) << (8 * i));
		w->value |= (uint32_t)(bits & mask) >> (8 * byte) << (8 * i) & (uint32_t)0xff
										       << (8 * i);
	}
}

/* The bits of mask that the write sets in the register at at. */
static uint16_t written(const struct config_write *w, uint32_t at, uint16_t mask)
{
	uint16_t value = 0;

	for (unsigned int i = 0; i < w->length; i++)
		if (w->offset + i >= at && w->offset + i - at < 2)
			value |= (uint16_t)((w->value >> (8 * i) & 0xff)
					    << (8 * (w->offset + i - at)));
	return value & mask;
}

static bool covers(const struct config_write *w, uint32_t at)
{
	return ranges_overlap(w->offset, w->length, at, 1);
}

/* Which reset a write is; the strongest if it is several. */
static enum cxlvm_reset_kind reset_of(const struct cxlvm_endpoint *ep, const struct config_write *w)
{
	const struct reg_row *flr = &pcie_table.rows[PCIE_INITIATE_FLR];
	const struct reg_row *power = &pm_table.rows[PM_POWER_STATE];

	if (written(w, ep->desc.dvsec + CONTROL2_OFFSET, row_bits(ROW(CXLDEV_INITIATE_RESET))))
		return CXLVM_RESET_CXL;
	if (ep->flr_capable && written(w, ep->pcie + (uint32_t)flr->offset, row_bits(flr)))
		return CXLVM_RESET_FUNCTION;
	if (ep->pm && covers(w, ep->pm + (uint32_t)power->offset) &&
	    (written(w, ep->pm + (uint32_t)power->offset, row_bits(power)) ||
	     ep->pending == CXLVM_RESET_LOW_POWER))
		return CXLVM_RESET_LOW_POWER;
	return CXLVM_RESET_NONE;
}

bool cxlvm_endpoint_config_write_begin(struct cxlvm_endpoint *ep, uint32_t offset,
				       unsigned int length, uint32_t value, uint32_t *device_value,
				       enum cxlvm_reset_kind *kind)
{
	const struct reg_row *space = &pci_header_table.rows[PCI_MEMORY_SPACE];
	struct config_write w = { offset, length, value };
	uint32_t dvsec = ep->desc.dvsec;

	*kind = CXLVM_RESET_NONE;
	*device_value = value;
	ep->write_length = 0;
	if (!length_ok(offset, length) || is_dark(ep))
		return false;
	if (ep->plain)
		return !endpoint_is_hidden(ep, offset, length);
	ep->write_offset = offset;
	ep->write_length = length;
	ep->write_value = value;
	*kind = ep->write_kind = reset_of(ep, &w);
	if (*kind != CXLVM_RESET_NONE)
		(void)cxlvm_endpoint_reset_prepare(ep, *kind, NULL); /* the kind is known */
	/* What an earlier reset left in status 2 must not be taken for this one. */
	if (*kind == CXLVM_RESET_CXL && endpoint_kernel_does_cxl_reset(ep))
		(void)endpoint_dvsec_write16(ep, STATUS2_OFFSET,
					     row_bits(ROW(CXLDEV_RESET_COMPLETE)) |
						     row_bits(ROW(CXLDEV_RESET_ERROR)));

	replace(&w, space->offset, row_bits(space), UINT16_MAX);
	/* A locked control reads as ours, so the device gets nothing else. */
	if (__atomic_load_n(&ep->state.dvsec_lock, __ATOMIC_RELAXED))
		replace(&w, dvsec + CONTROL_OFFSET, UINT16_MAX, ep->state.dvsec_control);
	replace(&w, dvsec + CONTROL_OFFSET, row_bits(ROW(CXLDEV_MEM_ENABLE)), UINT16_MAX);
	replace(&w, dvsec + LOCK_OFFSET, UINT16_MAX, 0);
	/* A kernel that would only pretend is not asked. */
	if (!endpoint_kernel_does_cxl_reset(ep))
		replace(&w, dvsec + CONTROL2_OFFSET, row_bits(ROW(CXLDEV_INITIATE_RESET)), 0);
	*device_value = ep->write_device_value = w.value;
	return true;
}

/* The guest's write, by the rules of the rows, on our registers. */
static void write_virtual(struct cxlvm_endpoint *ep, const struct config_write *w)
{
	uint32_t dvsec = ep->desc.dvsec, image[DVSEC_DEVICE_SIZE / 4] = { 0 };
	uint16_t asked = row_bits(ROW(CXLDEV_INITIATE_WB));
	uint16_t lock;

	overlay(ep, image);
	lock = (uint16_t)regs_read(image, LOCK_OFFSET, 2);
	/* Byte by byte: a locked control next to a writable register stays as it is. */
	for (unsigned int i = 0; i < w->length; i++) {
		uint32_t at = w->offset + i - dvsec;

		if (w->offset + i < dvsec || at >= DVSEC_DEVICE_SIZE)
			continue;
		if (lock && at >= CONTROL_OFFSET && at < CONTROL_OFFSET + 2u)
			continue;
		regs_write(&dvsec_device_table, image, 0, at, 1, w->value >> (8 * i) & 0xff);
	}
	__atomic_store_n(&ep->state.dvsec_control, (uint16_t)regs_read(image, CONTROL_OFFSET, 2),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&ep->state.dvsec_lock, (uint16_t)regs_read(image, LOCK_OFFSET, 2),
			 __ATOMIC_RELAXED);
	/* Initiate bits read 0; that the caches were asked for stays known until a reset. */
	__atomic_store_n(&ep->state.dvsec_control2,
			 (uint16_t)(regs_read(image, CONTROL2_OFFSET, 2) |
				    (ep->state.dvsec_control2 & asked) |
				    written(w, dvsec + CONTROL2_OFFSET, asked)),
			 __ATOMIC_RELAXED);
	endpoint_map_update(ep, CXLVM_MAP_REGISTERS);
}

/* The kernel resets on the config write: wait until it says how that ended. */
static int await_kernel_reset(struct cxlvm_endpoint *ep)
{
	uint64_t since = ep->host_ops.now_ns(ep->host);

	for (;;) {
		uint16_t status;
		int ret = endpoint_dvsec_read16(ep, STATUS2_OFFSET, &status);

		if (ret)
			return ret;
		if (status & row_bits(ROW(CXLDEV_RESET_ERROR)))
			return -EIO;
		if (status & row_bits(ROW(CXLDEV_RESET_COMPLETE)))
			return 0;
		if (elapsed_ms(ep, since) >= CXL_RESET_TIMEOUT_MS)
			return -ETIMEDOUT;
		ep->host_ops.sleep_ms(ep->host, CXL_RESET_PAUSE_MS);
	}
}

/* RST-3: a guest that asked for a CXL reset gets one, or the error bit. */
static void finish_cxl_reset(struct cxlvm_endpoint *ep)
{
	enum dvsec_device_row outcome = CXLDEV_RESET_COMPLETE;
	int result = -EOPNOTSUPP;

	if (endpoint_kernel_does_cxl_reset(ep))
		result = await_kernel_reset(ep);
	else if (endpoint_can_cxl_reset(ep))
		result = ep->host_ops.device_reset(ep->host, CXLVM_RESET_CXL);
	if (cxlvm_endpoint_reset_done(ep, CXLVM_RESET_CXL, result, NULL))
		outcome = CXLDEV_RESET_ERROR;
	__atomic_store_n(&ep->state.dvsec_status2, row_bits(ROW(outcome)), __ATOMIC_RELAXED);
}

/*
 * Generation 3 takes only the first of two 16-bit registers that one write covers: the second is
 * written again, alone (contract 12).
 */
static void write_second_register(struct cxlvm_endpoint *ep, const struct config_write *w)
{
	uint32_t at = w->offset + 2 - ep->desc.dvsec;

	if (ep->desc.generation != 3 || w->length != 4 || w->offset < ep->desc.dvsec)
		return;
	for (unsigned int i = 0; i < DVSEC_DEVICE_ROWS; i++) {
		if (ROW(i)->offset != at || ROW(i)->width != 2)
			continue;
		/* A device that refuses a write loses it. */
		(void)endpoint_dvsec_write16(ep, at, (uint16_t)(ep->write_device_value >> 16));
		return;
	}
}

void cxlvm_endpoint_config_write_end(struct cxlvm_endpoint *ep)
{
	struct config_write w = { ep->write_offset, ep->write_length, ep->write_value };
	const struct reg_row *power = &pm_table.rows[PM_POWER_STATE];

	ep->write_length = 0;
	if (!w.length || is_dark(ep))
		return;
	if (ranges_overlap(w.offset, w.length, ep->desc.dvsec, DVSEC_DEVICE_SIZE)) {
		write_second_register(ep, &w);
		write_virtual(ep, &w);
	}
	switch (ep->write_kind) {
	case CXLVM_RESET_CXL:
		finish_cxl_reset(ep);
		break;
	case CXLVM_RESET_FUNCTION:
		/* The kernel did it and does not say how it went. */
		(void)cxlvm_endpoint_reset_done(ep, CXLVM_RESET_FUNCTION,
						CXLVM_RESET_RESULT_UNKNOWN, NULL);
		break;
	case CXLVM_RESET_LOW_POWER:
		/* Back in D0: verify and map again (PRG-3). Otherwise dark until then. */
		if (!written(&w, ep->pm + (uint32_t)power->offset, row_bits(power)))
			(void)cxlvm_endpoint_reset_done(ep, CXLVM_RESET_LOW_POWER,
							CXLVM_RESET_RESULT_UNKNOWN, NULL);
		break;
	default:
		break;
	}
}

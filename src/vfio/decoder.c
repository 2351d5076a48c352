/* SPDX-License-Identifier: BSD-3-Clause */
/* The real HDM decoder: found through the capability array, checked, and asked again later. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "regs/dvsec.h"
#include "vfio/reader.h"

/* A capability at pointer, behind the array of n entries and inside limit bytes; only one of it. */
static int note(uint32_t *found, const char *what, uint32_t pointer, uint32_t n, uint64_t size,
		uint64_t limit, struct cxlvm_error *err)
{
	if (*found)
		return cxlvm_error_set(err, -EPROTO, "two %s capabilities, at 0x%x and 0x%x", what,
				       *found, pointer);
	if (pointer <= 4 * n || !is_aligned(pointer, 4) || !range_fits(pointer, size, limit))
		return cxlvm_error_set(err, -EPROTO,
				       "%s capability at 0x%x is outside the 0x%" PRIx64
				       " bytes of registers",
				       what, pointer, limit);
	*found = pointer;
	return 0;
}

int reader_find_capabilities(const struct reader *reader, uint32_t region, uint64_t offset,
			     uint64_t limit, struct cm_places *places, struct cxlvm_error *err)
{
	const struct reg_row *array = cm_array_table.rows, *entry = cm_entry_table.rows;
	uint32_t value, n;
	int ret;

	if (limit < 4)
		return cxlvm_error_set(err, -EPROTO,
				       "component registers of 0x%" PRIx64 " bytes are too short",
				       limit);
	ret = reader_dword(reader, region, offset, &value, err);
	if (ret)
		return ret;
	if (reg_get(&value, 0, &array[CM_ARRAY_ID]) != CM_ID_ARRAY)
		return cxlvm_error_set(err, -EPROTO,
				       "CXL capability header 0x%08x has id %u, not %u", value,
				       reg_get(&value, 0, &array[CM_ARRAY_ID]), CM_ID_ARRAY);
	n = reg_get(&value, 0, &array[CM_ARRAY_SIZE]);
	*places = (struct cm_places){ .hdm = 0 };
	for (uint32_t i = 1; i <= n; i++) {
		uint32_t pointer;

		if (!range_fits(4 * i, 4, limit))
			return cxlvm_error_set(err, -EPROTO,
					       "capability array of %u entries does not fit in "
					       "0x%" PRIx64 " bytes",
					       n, limit);
		ret = reader_dword(reader, region, offset + 4 * i, &value, err);
		if (ret)
			return ret;
		pointer = reg_get(&value, 0, &entry[CM_ENTRY_POINTER]);
		switch (reg_get(&value, 0, &entry[CM_ENTRY_ID])) {
		case CM_ID_HDM:
			ret = note(&places->hdm, "HDM decoder", pointer, n, 4 * DECODER_DWORDS,
				   limit, err);
			break;
		case CM_ID_RAS:
			ret = note(&places->ras, "RAS", pointer, n, RAS_SIZE, CM_SIZE, err);
			break;
		default:
			break;
		}
		if (ret)
			return ret;
	}
	if (!places->hdm)
		return cxlvm_error_set(err, -EPROTO,
				       "no HDM decoder capability among %u capabilities", n);
	return 0;
}

void reader_place(const struct cm_places *places, uint64_t cm, struct vfio_description *desc)
{
	uint32_t log = ras_table.rows[RAS_HEADER_LOG_0].offset;

	desc->hdm_offset = cm + places->hdm;
	if (!places->ras)
		return;
	desc->log_offset = cm + places->ras + log;
	desc->log_size = RAS_SIZE - log;
}

static int read_decoder(const struct reader *reader, const struct vfio_description *desc,
			uint32_t *hdm, struct cxlvm_error *err)
{
	for (uint32_t i = 0; i < DECODER_DWORDS; i++) {
		int ret;

		/* Reserved dwords need no access. */
		hdm[i] = 0;
		if ((i >= 2 && i < HDM_HEADER / 4) || i == DECODER_DWORDS - 1)
			continue;
		ret = reader_dword(reader, desc->regs_region, desc->regs_hdm + 4 * i, &hdm[i], err);
		if (ret)
			return ret;
	}
	return 0;
}

/* What the registers tell: those of decoder 0; zeros are what was not read. */
static struct cxlvm_decoder_facts facts_of(const uint32_t *hdm)
{
	uint32_t ways = hdm_get(hdm, 0, 0, HDM_CTL_WAYS);

	return (struct cxlvm_decoder_facts){
		.size = sizeof(struct cxlvm_decoder_facts),
		.count_code = hdm_get(hdm, 0, 0, HDM_CAP_COUNT),
		.committed = decoder_is_committed(hdm),
		.error = hdm_get(hdm, 0, 0, HDM_CTL_ERROR),
		.host_only = hdm_get(hdm, 0, 0, HDM_CTL_HOST_ONLY),
		.back_invalidate = hdm_get(hdm, 0, 0, HDM_CTL_BI),
		.has_control = true,
		.control = decoder_control(hdm),
		.interleave_ways = hdm_ways(ways),
		.ways_code = ways,
		.skip = (uint64_t)hdm_get(hdm, 0, 0, HDM_TARGET_HIGH) << 32 |
			hdm_get(hdm, 0, 0, HDM_TARGET_LOW),
	};
}

/*
 * REG-8: more than one decoder is presented as one if all others are uncommitted. *other is the first that is
 * not. A number without meaning is left to cxlvm_decoder_check.
 */
static int read_others(const struct reader *reader, struct vfio_description *desc,
		       uint32_t capability, unsigned int *other, struct cxlvm_error *err)
{
	unsigned int n = hdm_decoder_count(hdm_get(&capability, 0, 0, HDM_CAP_COUNT));

	desc->hdm_size = HDM_HEADER + (uint64_t)HDM_STRIDE * n;
	for (unsigned int i = 1; i < n && !*other; i++) {
		uint32_t hdm[DECODER_DWORDS] = { 0 };
		uint64_t at = hdm_table.rows[HDM_CTL_COMMIT].offset + (uint64_t)HDM_STRIDE * i;
		int ret;

		if (!range_fits(desc->regs_hdm + at, 4, desc->regs_size))
			return cxlvm_error_set(err, -EPROTO,
					       "%u HDM decoders do not fit in a register region of "
					       "0x%" PRIx64 " bytes",
					       n, desc->regs_size);
		ret = reader_dword(reader, desc->regs_region, desc->regs_hdm + at,
				   &hdm[hdm_table.rows[HDM_CTL_COMMIT].offset / 4], err);
		if (ret)
			return ret;
		if (decoder_is_committed(hdm))
			*other = i;
	}
	return 0;
}

/* What of the real capability register the guest sees; the decoder count becomes one. */
static uint32_t presented_capability(uint32_t capability)
{
	uint32_t presented = 0;

	hdm_set(&presented, 0, 0, HDM_CAP_NXM, hdm_get(&capability, 0, 0, HDM_CAP_NXM));
	hdm_set(&presented, 0, 0, HDM_CAP_COHERENCY, hdm_get(&capability, 0, 0, HDM_CAP_COHERENCY));
	return presented;
}

/* Range 1 of the CXL Device DVSEC: Memory_Active, where Memory_Info_Valid says that it counts. */
static int read_media(const struct reader *reader, const struct vfio_description *desc,
		      bool *active, struct cxlvm_error *err)
{
	const struct reg_row *row = &dvsec_device_table.rows[CXLDEV_RANGE1_ACTIVE];
	const struct reg_row *valid = &dvsec_device_table.rows[CXLDEV_RANGE1_VALID];
	uint32_t range;
	int ret = reader_dword(reader, CXLVM_REGION_CONFIG, desc->dvsec + row->offset, &range, err);

	*active = !ret && range >> row->lsb & range >> valid->lsb & 1;
	return ret;
}

/*
 * Is the media ready again after a reset (contract 10.3)? Not asked of a device that never said
 * so: Linux does not look at it for Type 2, and a copy of the kernel's may be from too early.
 */
static int check_media(const struct reader *reader, const struct vfio_description *desc,
		       struct cxlvm_error *err)
{
	bool active;
	int ret = desc->media_told ? read_media(reader, desc, &active, err) : 0;

	if (ret || !desc->media_told || active)
		return ret;
	cxlvm_error_set(err, -ENXIO, "the media of the device memory is not active");
	cxlvm_error_hint(err,
			 "Memory_Active in range 1 of the CXL Device DVSEC is 0: give the device "
			 "time and reset it again; if that does not help, the host");
	return -ENXIO;
}

int reader_decoder(const struct reader *reader, struct vfio_description *desc,
		   struct cxlvm_error *err)
{
	struct cxlvm_decoder_facts facts;
	uint32_t hdm[DECODER_DWORDS];
	int ret;

	if (!range_fits(desc->regs_hdm, 4 * DECODER_DWORDS, desc->regs_size))
		return cxlvm_error_set(err, -EPROTO,
				       "register region of 0x%" PRIx64
				       " bytes is too short for a decoder at 0x%" PRIx64,
				       desc->regs_size, desc->regs_hdm);
	ret = read_decoder(reader, desc, hdm, err);
	if (ret)
		return ret;
	facts = facts_of(hdm);
	ret = read_others(reader, desc, hdm[0], &facts.other, err);
	if (!ret)
		ret = cxlvm_decoder_check(&facts, err);
	if (ret)
		return ret;
	ret = read_media(reader, desc, &desc->media_told, err);
	if (ret)
		return ret;
	desc->hdm_capability = presented_capability(hdm[0]);
	desc->memory_size = decoder_size(hdm);
	/* REG-3: generations 2 and 3 may have a region that is larger than the decoder. */
	if (!desc->memory_size || desc->memory_size > desc->region_size ||
	    (desc->generation >= 4 && desc->memory_size != desc->region_size)) {
		cxlvm_error_set(err, -EPROTO,
				"the real decoder covers 0x%" PRIx64
				" bytes, the memory region 0x%" PRIx64,
				desc->memory_size, desc->region_size);
		cxlvm_error_hint(err, "both have to be the same (with generations 2 and 3 the "
				      "decoder may be smaller): reset the device, or use another "
				      "version of the kernel");
		return -EPROTO;
	}
	return 0;
}

int vfio_decoder_check(const struct cxlvm_device_ops *ops, void *device,
		       const struct vfio_description *desc, struct cxlvm_error *err)
{
	static const enum hdm_row wanted[] = {
		HDM_CTL_COMMIT, HDM_SIZE_LOW, HDM_SIZE_HIGH, HDM_TARGET_LOW, HDM_TARGET_HIGH,
	};
	struct reader reader = { .ops = ops, .device = device };
	struct cxlvm_decoder_facts facts;
	uint32_t hdm[DECODER_DWORDS] = { 0 };
	int ret;

	for (unsigned int i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		uint16_t offset = hdm_table.rows[wanted[i]].offset;

		ret = reader_dword(&reader, desc->regs_region, desc->regs_hdm + offset,
				   &hdm[offset / 4], err);
		if (ret)
			return ret;
	}
	facts = facts_of(hdm);
	ret = cxlvm_decoder_check(&facts, err);
	if (!ret && decoder_size(hdm) != desc->memory_size) {
		ret = cxlvm_error_set(err, -EPROTO,
				      "the real decoder covers 0x%" PRIx64
				      " bytes now, it was 0x%" PRIx64,
				      decoder_size(hdm), desc->memory_size);
		cxlvm_error_hint(err, "the window was made for what it was: start the virtual "
				      "machine anew");
	}
	return ret ? ret : check_media(&reader, desc, err);
}

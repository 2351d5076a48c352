/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The overlay over the component BAR: the HDM decoder capability from our state, the rest of what
 * the register region serves from there, everything else on the trapped pages from the BAR
 * (contract 3).
 */
#include <errno.h>
#include <inttypes.h>

#include "base/math.h"
#include "decoder/decoder.h"
#include "passthrough/endpoint.h"

#define HDM_BYTES (4 * DECODER_DWORDS)

/* Cut [offset, offset + size) out of the last span. */
static int cut(struct cxlvm_endpoint *ep, uint64_t offset, uint64_t size)
{
	struct cxlvm_bar_range *last = &ep->spans[ep->n_spans - 1];
	uint64_t end = last->offset + last->size, cut_end = offset + size;

	if (!ranges_overlap(last->offset, last->size, offset, size))
		return 0;
	last->size = offset > last->offset ? offset - last->offset : 0;
	if (!last->size)
		ep->n_spans--;
	if (cut_end < end)
		ep->spans[ep->n_spans++] =
			(struct cxlvm_bar_range){ ep->desc.bar, cut_end, end - cut_end };
	return ep->n_spans ? 0 : -EINVAL;
}

int endpoint_build_spans(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	const struct vfio_description *desc = &ep->desc;
	uint64_t start = align_down(desc->served, ep->page_size);
	uint64_t end =
		align_down(desc->served + desc->served_size + ep->page_size - 1, ep->page_size);
	const struct cxlvm_bar_range *ex[EXCLUDES_MAX];
	size_t n = 0;

	if (end > desc->bar_size)
		end = desc->bar_size;
	ep->spans[0] = (struct cxlvm_bar_range){ desc->bar, start, end - start };
	ep->n_spans = 1;
	/* In ascending order, so that only the last span is ever cut. */
	for (size_t i = 0; i < ep->n_exclude; i++) {
		size_t at = n;

		if (ep->exclude[i].bar != desc->bar)
			continue;
		if (!range_fits(ep->exclude[i].offset, ep->exclude[i].size, desc->bar_size))
			return cxlvm_error_set(err, -EINVAL,
					       "excluded range 0x%" PRIx64 "+0x%" PRIx64
					       " is outside BAR %u of 0x%" PRIx64,
					       ep->exclude[i].offset, ep->exclude[i].size,
					       desc->bar, desc->bar_size);
		if (ranges_overlap(ep->exclude[i].offset, ep->exclude[i].size, desc->hdm_offset,
				   desc->hdm_size))
			return cxlvm_error_set(err, -EOPNOTSUPP,
					       "the MSI-X range 0x%" PRIx64 "+0x%" PRIx64
					       " of BAR %u overlaps the HDM decoder capability at "
					       "0x%" PRIx64,
					       ep->exclude[i].offset, ep->exclude[i].size,
					       desc->bar, desc->hdm_offset);
		for (; at && ex[at - 1]->offset > ep->exclude[i].offset; at--)
			ex[at] = ex[at - 1];
		ex[at] = &ep->exclude[i];
		n++;
	}
	for (size_t i = 0; i < n; i++)
		if (cut(ep, ex[i]->offset, ex[i]->size))
			return cxlvm_error_set(err, -EINVAL,
					       "nothing of the HDM decoder capability's page is "
					       "left to trap");
	return 0;
}

size_t cxlvm_endpoint_spans(const struct cxlvm_endpoint *ep, struct cxlvm_bar_range *spans,
			    size_t n)
{
	for (size_t i = 0; i < n && i < ep->n_spans; i++)
		spans[i] = ep->spans[i];
	return ep->n_spans;
}

static bool in_span(const struct cxlvm_endpoint *ep, uint32_t bar, uint64_t offset,
		    unsigned int length)
{
	for (size_t i = 0; i < ep->n_spans; i++) {
		const struct cxlvm_bar_range *span = &ep->spans[i];

		if (bar == span->bar && offset >= span->offset &&
		    range_fits(offset - span->offset, length, span->size))
			return true;
	}
	return false;
}

static bool inside(uint64_t offset, unsigned int length, uint64_t base, uint64_t size)
{
	return offset >= base && range_fits(offset - base, length, size);
}

/*
 * What reads 0 and takes no writes: decoders beyond the only one that is presented, and the header
 * log of the RAS capability, where the device puts addresses of the host (P2).
 */
static bool is_hidden(const struct vfio_description *desc, uint64_t offset)
{
	return inside(offset, 4, desc->hdm_offset, desc->hdm_size) ||
	       inside(offset, 4, desc->log_offset, desc->log_size);
}

/* One aligned dword, from whoever answers for it. */
static uint32_t read_dword(struct cxlvm_endpoint *ep, uint64_t offset)
{
	const struct vfio_description *desc = &ep->desc;
	uint8_t bytes[4];
	int ret;

	if (inside(offset, 4, desc->hdm_offset, HDM_BYTES))
		return reg_load(&ep->state.hdm[(offset - desc->hdm_offset) / 4]);
	if (is_hidden(desc, offset))
		return 0;
	if (inside(offset, 4, desc->served, desc->served_size))
		ret = ep->ops.read(ep->device, desc->regs_region, offset - desc->served, bytes, 4);
	else
		ret = ep->ops.read(ep->device, desc->bar, offset, bytes, 4);
	if (ret) {
		count(&ep->counters.device_errors);
		return UINT32_MAX;
	}
	return get_le32(bytes);
}

static void write_dword(struct cxlvm_endpoint *ep, uint64_t offset, uint32_t value)
{
	const struct vfio_description *desc = &ep->desc;
	uint8_t bytes[4];
	int ret;

	if (inside(offset, 4, desc->hdm_offset, HDM_BYTES)) {
		endpoint_decoder_write(ep, (uint32_t)(offset - desc->hdm_offset), value);
		return;
	}
	if (is_hidden(desc, offset))
		return;
	put_le32(bytes, value);
	if (inside(offset, 4, desc->served, desc->served_size))
		ret = ep->ops.write(ep->device, desc->regs_region, offset - desc->served, bytes, 4);
	else
		ret = ep->ops.write(ep->device, desc->bar, offset, bytes, 4);
	if (ret)
		count(&ep->counters.device_errors);
}

uint64_t cxlvm_endpoint_reg_read(struct cxlvm_endpoint *ep, uint32_t bar, uint64_t offset,
				 unsigned int length)
{
	uint64_t value;

	if (is_dark(ep))
		return all_ones(length);
	if (!in_span(ep, bar, offset, length) || !regs_read_allowed(offset, length, UINT64_MAX)) {
		count(&ep->counters.bad_accesses);
		return all_ones(length);
	}
	value = read_dword(ep, offset & ~3ull);
	if (length == 8)
		return value | (uint64_t)read_dword(ep, offset + 4) << 32;
	return value >> (8 * (offset & 3)) & all_ones(length);
}

void cxlvm_endpoint_reg_write(struct cxlvm_endpoint *ep, uint32_t bar, uint64_t offset,
			      unsigned int length, uint64_t value)
{
	if (is_dark(ep))
		return;
	count(&ep->counters.writes);
	if (!in_span(ep, bar, offset, length) || !regs_write_allowed(offset, length, UINT64_MAX)) {
		count(&ep->counters.bad_accesses);
	} else {
		write_dword(ep, offset, (uint32_t)value);
		if (length == 8)
			write_dword(ep, offset + 4, (uint32_t)(value >> 32));
	}
	endpoint_report_accesses(ep);
}

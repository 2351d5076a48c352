/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A CXL device that is to be a plain PCI device: its guest must not find what leads into the
 * component registers, which the kernel keeps out of reach (DET-4).
 */
#include "base/math.h"
#include "passthrough/endpoint.h"

int endpoint_hide(struct cxlvm_endpoint *ep, struct cxlvm_error *err)
{
	return vfio_find_hidden(&ep->ops, ep->device, &ep->hidden, err);
}

bool endpoint_is_hidden(const struct cxlvm_endpoint *ep, uint32_t offset, unsigned int length)
{
	for (unsigned int i = 0; i < ep->hidden.n; i++)
		if (ranges_overlap(offset, length, ep->hidden.ranges[i].offset,
				   ep->hidden.ranges[i].length))
			return true;
	return false;
}

uint32_t endpoint_hidden_read(const struct cxlvm_endpoint *ep, uint32_t offset, unsigned int length,
			      uint32_t value)
{
	for (unsigned int i = 0; i < ep->hidden.n; i++) {
		const struct vfio_hidden_range *range = &ep->hidden.ranges[i];

		for (unsigned int byte = 0; byte < length; byte++) {
			uint32_t at = offset + byte - range->offset;
			uint32_t keep = at < 4 ? range->keep >> (8 * at) & 0xff : 0;

			if (offset + byte >= range->offset && at < range->length)
				value &= ~((0xffu & ~keep) << (8 * byte));
		}
	}
	return value;
}

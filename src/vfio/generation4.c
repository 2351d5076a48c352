/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generation 4: as 5, but with a region type of its own, which decided already. The register region
 * is a copy that the kernel samples when the device is opened and after each reset, with the host's
 * address in it; committed and locked, it takes no writes, and it never gets any. Reads and writes
 * of device memory fail, and so do those of the decoder through the BAR: neither is ever tried.
 */
#include "vfio/reader.h"

int read_generation4(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err)
{
	return reader_geometry(reader, desc, err);
}

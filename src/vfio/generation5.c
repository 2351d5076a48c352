/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Generations 5 and 6, which nothing tells apart: no device capability; the register region is the
 * HDM decoder capability, live, with the host's address in it, and takes no writes. So that both
 * work, it is read with Memory Space on only: off, 5 answers ones and 6 an I/O error.
 */
#include "vfio/reader.h"

int read_generation5(const struct reader *reader, struct vfio_description *desc,
		     struct cxlvm_error *err)
{
	return reader_geometry(reader, desc, err);
}

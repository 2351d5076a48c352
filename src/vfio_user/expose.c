/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Device memory as a BAR, for clients that cannot route a CXL fixed memory window. The device itself
 * is as ever; what the client sees of its BARs is another arrangement, which has room for a 64-bit
 * BAR more: MSI-X moves from BAR 4 to BAR 3, and that and BAR 2 are 32 bits wide.
 */
#include "base/math.h"
#include "kernel_shape/uapi.h"
#include "vfio_user/server.h"

#define MSIX_BAR   3u
#define MEMORY_BAR 4u

/* Registers of the BARs from 2 on, in config space. */
#define FIRST_BAR 2u
#define FIRST     (0x10u + 4 * FIRST_BAR)
#define END       (0x10u + 4 * PCI_BARS)

/* Low bits of a BAR (PCIe 6.0, 7.5.1.2.1). */
#define TYPE_64           0x4u
#define TYPE_PREFETCHABLE 0x8u

/* The bits of BAR register i that do not take writes stay what they are. */
static uint32_t fixed(const struct cxlvm_server *server, unsigned int i, uint32_t value)
{
	uint64_t size = server->config.memory_size;

	switch (i) {
	case SWDEV_ENGINE_BAR:
		return value & ~(SWDEV_ENGINE_BAR_SIZE - 1);
	case MSIX_BAR:
		return value & ~(SWDEV_MSIX_BAR_SIZE - 1);
	case MEMORY_BAR:
		return (value & (uint32_t) ~(size - 1)) | TYPE_64 | TYPE_PREFETCHABLE;
	default:
		return value & (uint32_t)(~(size - 1) >> 32);
	}
}

void vu_expose_reset(struct cxlvm_server *server)
{
	for (unsigned int i = FIRST_BAR; i < PCI_BARS; i++)
		server->bars[i - FIRST_BAR] = fixed(server, i, 0);
}

static bool is_in(uint64_t at, uint64_t first, uint64_t end)
{
	return at >= first && at < end;
}

void vu_expose_config_read(const struct cxlvm_server *server, uint64_t offset, uint8_t *buf,
			   uint32_t len)
{
	/* Which BAR: in the dwords of table and PBA. */
	uint64_t table = SWDEV_MSIX + msix_table.rows[MSIX_TABLE_BIR].offset;
	uint64_t pba = SWDEV_MSIX + msix_table.rows[MSIX_PBA_BIR].offset;

	for (uint64_t at = offset; at < offset + len; at++, buf++) {
		if (is_in(at, FIRST, END))
			*buf = (uint8_t)(server->bars[(at - FIRST) / 4] >> 8 * (at % 4));
		else if (at == table || at == pba)
			*buf = (uint8_t)((*buf & ~0x7u) | MSIX_BAR);
	}
}

void vu_expose_config_write(struct cxlvm_server *server, uint64_t offset, const uint8_t *buf,
			    uint32_t len)
{
	for (uint64_t at = offset; at < offset + len; at++, buf++) {
		uint32_t *bar, shift = 8 * (at % 4);

		if (!is_in(at, FIRST, END))
			continue;
		bar = &server->bars[(at - FIRST) / 4];
		*bar = (*bar & ~((uint32_t)0xff << shift)) | (uint32_t)*buf << shift;
	}
	for (unsigned int i = FIRST_BAR; i < PCI_BARS; i++)
		server->bars[i - FIRST_BAR] = fixed(server, i, server->bars[i - FIRST_BAR]);
}

uint32_t vu_expose_region(uint32_t region)
{
	switch (region) {
	case MSIX_BAR:
		return SWDEV_MSIX_BAR;
	case MEMORY_BAR:
		return SHAPE_REGION_MEMORY;
	default:
		return region;
	}
}

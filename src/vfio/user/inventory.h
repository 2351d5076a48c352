/* SPDX-License-Identifier: BSD-3-Clause */
/* What a server says about its device, read once, checked, and kept. */
#ifndef CXLVM_VFIO_USER_INVENTORY_H
#define CXLVM_VFIO_USER_INVENTORY_H

#include "vfio/user/connection.h"

/* As stock clients have them; a server with more is refused. */
#define INVENTORY_REGIONS_MAX 100u
#define INVENTORY_IRQS_MAX    50u
/* INTx, MSI, MSI-X, error, request: what there is beyond belongs to no PCI device. */
#define INVENTORY_IRQ_TYPES   5u
#define INVENTORY_VECTORS     2048u

struct region {
	uint8_t *info; /* region info as the engine gets it */
	uint32_t info_size;
	uint32_t flags;
	uint64_t size;
	uint64_t offset; /* in the file */
	int fd;          /* of the file, -1: cannot be mapped */
};

struct inventory {
	uint8_t info[VU_INFO_BYTES]; /* device info as the engine gets it */
	uint32_t flags;
	unsigned int n_regions;
	struct region *regions;
	unsigned int n_irqs;
	uint32_t vectors[INVENTORY_IRQ_TYPES]; /* of each interrupt type */
	uint8_t identity[12]; /* vendor, device; class; subsystem - from config space */
};

/*
 * Read everything. Each size is checked before it is believed (VU-5): -EPROTO says what was wrong,
 * else what the connection said. After a failure nothing is left. Calls nobody else.
 */
int inventory_read(struct inventory *inventory, struct connection *conn, uint64_t page_size,
		   struct cxlvm_error *err);
void inventory_finish(struct inventory *inventory);

/* Is b the same device in the same shape as a? -ESTALE says what differs. */
int inventory_compare(const struct inventory *a, const struct inventory *b,
		      struct cxlvm_error *err);

/* Device operations info and region_info; device is the inventory. */
int inventory_info(void *device, void *buf, size_t len, size_t *needed);
int inventory_region_info(void *device, uint32_t index, void *buf, size_t len, size_t *needed);

/* Does the file of a region, as it is now, have size bytes at offset of the region? */
bool inventory_file_covers(const struct region *region, uint64_t offset, uint64_t size);

#endif

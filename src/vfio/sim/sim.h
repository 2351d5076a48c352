/* SPDX-License-Identifier: BSD-3-Clause */
/* The sim transport, for its own files. */
#ifndef CXLVM_VFIO_SIM_SIM_H
#define CXLVM_VFIO_SIM_SIM_H

#include <cxlvm/vfio.h>

#include "kernel_shape/shape.h"

/* Ranges of host memory that can be mapped for DMA at the same time. */
#define SIM_DMA_RANGES 64u

struct sim_dma_range {
	uint64_t base, size;
	uint8_t *address;
	bool writable;
};

struct sim {
	int fd;
	/* A memory file that was made for nothing is removed again: until the first map. */
	char *made_file;
	bool was_empty; /* and is emptied again, until then */
	uint64_t memory_size;
	uint64_t page_size;
	bool exports_dma_buf; /* generations 5 and 6 */
	struct swdev dev;
	struct kernel_shape shape;
	struct swdev_bus bus;
	struct sim_dma_range dma[SIM_DMA_RANGES];
	unsigned int n_dma;
	int eventfds[SWDEV_MSIX_VECTORS]; /* own descriptors; -1: none */
};

/* sim/bus.c: what the device reaches. */
void sim_bus_init(struct sim *sim);
void sim_bus_finish(struct sim *sim);

/* The transport operations of these names. */
int sim_irq_set(void *device, uint32_t index, uint32_t start, uint32_t count, const int *eventfds);
int sim_irq_disable(void *device, uint32_t index);
int sim_dma_map(void *device, const struct cxlvm_dma_range *range, struct cxlvm_error *err);
int sim_dma_unmap(void *device, struct cxlvm_iova base, uint64_t size);

/* sim/quirks.c: what the configuration asks for. -EINVAL for what is unknown or contradicts itself. */
int sim_quirks(const struct cxlvm_sim_config *config, struct shape_quirks *out,
	       struct cxlvm_error *err);

/* Read (out NULL) or write (in NULL) device memory: all of len bytes or a negative errno. */
int sim_memory_transfer(struct sim *sim, uint64_t offset, void *in, const void *out, size_t len);

#endif

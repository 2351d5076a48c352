/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * What the software device reaches outside itself: its owner gives these operations. They are
 * called from within swdev_engine_step, swdev_config_write, swdev_bar_write and swdev_reset, on
 * the caller's thread. An operation that is NULL fails, or does nothing where it cannot fail.
 */
#ifndef CXLVM_DEVICE_BUS_H
#define CXLVM_DEVICE_BUS_H

#include <cxlvm/base.h>

struct swdev_bus {
	void *owner;

	/*
	 * Memory of the host, at an I/O virtual address: all of len bytes or a negative errno. One
	 * access is 4 KiB at most and never crosses a multiple of 4 KiB. -EAGAIN: not yet; the
	 * step ends there, and the next one begins with the same access.
	 */
	int (*dma_read)(void *owner, uint64_t iova, void *buf, size_t len);
	int (*dma_write)(void *owner, uint64_t iova, const void *buf, size_t len);

	/* Device memory, at a device physical address inside it: the same. */
	int (*memory_read)(void *owner, uint64_t dpa, void *buf, size_t len);
	int (*memory_write)(void *owner, uint64_t dpa, const void *buf, size_t len);

	/* All of device memory reads 0 from now on, or a negative errno. */
	int (*memory_clear)(void *owner);

	/* The MSI-X message of a vector leaves the device. */
	void (*interrupt)(void *owner, unsigned int vector);
};

#endif

/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * The copy engine of the software device, behind BAR 2: copies between guest memory and device
 * memory. Freestanding: no clock, no allocation, nothing of its own runs. The owner of the device
 * calls swdev_engine_step until no work is left; a write to the doorbell only begins a command.
 *
 * A command is the contents of the parameter registers at the moment of the doorbell; what is
 * written to them later belongs to the next one. It is checked as a whole before the first byte
 * moves. It ends with status done, or with status error, an error code and the bytes that were
 * copied before; a failed access is never skipped.
 */
#ifndef CXLVM_DEVICE_ENGINE_H
#define CXLVM_DEVICE_ENGINE_H

#include "device/bus.h"
#include "regs/regs.h"

#define SWDEV_ENGINE_BAR      2u
#define SWDEV_ENGINE_BAR_SIZE 0x1000u

#define ENGINE_VERSION_1    1u
#define ENGINE_LENGTH_LIMIT 0x4000000u /* bytes of one command */
#define ENGINE_PIECE        0x1000u    /* bytes of one access */

/* Sections are those of docs/device.md. */
#define ENGINE_SIZE 0x40u
#define ENGINE_LIST(R)                                                                         \
	R(ENGINE_VERSION, 0x00, 4, 0, 16, REG_RO, ENGINE_VERSION_1, "version", "engine")       \
	R(ENGINE_LIMIT, 0x04, 4, 0, 32, REG_RO, ENGINE_LENGTH_LIMIT, "length limit", "engine") \
	R(ENGINE_DIRECTION, 0x08, 4, 0, 2, REG_RW, 0, "direction", "command")                  \
	R(ENGINE_INTERRUPT, 0x08, 4, 8, 1, REG_RW, 0, "interrupt enable", "command")           \
	R(ENGINE_VECTOR, 0x0c, 4, 0, 16, REG_RW, 0, "interrupt vector", "command")             \
	R(ENGINE_SOURCE_LOW, 0x10, 4, 0, 32, REG_RW, 0, "source low", "command")               \
	R(ENGINE_SOURCE_HIGH, 0x14, 4, 0, 32, REG_RW, 0, "source high", "command")             \
	R(ENGINE_DESTINATION_LOW, 0x18, 4, 0, 32, REG_RW, 0, "destination low", "command")     \
	R(ENGINE_DESTINATION_HIGH, 0x1c, 4, 0, 32, REG_RW, 0, "destination high", "command")   \
	R(ENGINE_LENGTH, 0x20, 4, 0, 32, REG_RW, 0, "length", "command")                       \
	R(ENGINE_DOORBELL, 0x24, 4, 0, 1, REG_RO, 0, "doorbell", "command")                    \
	R(ENGINE_BUSY, 0x28, 4, 0, 1, REG_RO, 0, "busy", "result")                             \
	R(ENGINE_DONE, 0x28, 4, 1, 1, REG_RO, 0, "done", "result")                             \
	R(ENGINE_FAILED, 0x28, 4, 2, 1, REG_RO, 0, "error", "result")                          \
	R(ENGINE_ERROR, 0x28, 4, 8, 8, REG_RO, 0, "error code", "result")                      \
	R(ENGINE_BYTES, 0x2c, 4, 0, 32, REG_RO, 0, "bytes copied", "result")                   \
	R(ENGINE_COMPLETIONS, 0x30, 4, 0, 32, REG_RO, 0, "completion count", "result")         \
	R(ENGINE_REFUSED, 0x34, 4, 0, 32, REG_RO, 0, "doorbells refused while busy", "result")

/* clang-format off */
enum engine_row { ENGINE_LIST(REG_ID) ENGINE_ROWS };
/* clang-format on */

extern const struct reg_table engine_table;

enum engine_direction {
	ENGINE_TO_DEVICE,   /* source: I/O virtual address; destination: device memory */
	ENGINE_FROM_DEVICE, /* the other way */
	ENGINE_IN_DEVICE,   /* both in device memory, without overlap */
};

enum engine_error {
	ENGINE_OK,
	ENGINE_BAD_COMMAND,        /* direction or interrupt vector that does not exist */
	ENGINE_BAD_LENGTH,         /* 0, or above the limit */
	ENGINE_BAD_DEVICE_ADDRESS, /* not all inside device memory */
	ENGINE_BAD_HOST_ADDRESS,   /* wraps */
	ENGINE_OVERLAP,            /* source and destination share a byte */
	ENGINE_NO_BUS_MASTER,      /* Bus Master Enable is off */
	ENGINE_DMA_FAILED,         /* the host refused an access */
	ENGINE_MEMORY_FAILED,      /* device memory refused an access */
	ENGINE_AGAIN = 0x100,      /* never shown: an access is not done yet */
};

struct swdev_engine {
	uint32_t regs[ENGINE_SIZE / 4];
	/* The command under way, as the doorbell found it, and how far it is. */
	uint64_t source, destination;
	uint32_t left;
	uint32_t asked; /* bytes of an access that is not done yet; 0: none */
	uint32_t vector;
	uint8_t direction; /* enum engine_direction */
	bool interrupt;
	uint8_t piece[ENGINE_PIECE];
};

struct swdev;

/* What is under way ends without a word; all registers as after power on. */
void engine_reset(struct swdev *dev);

/* BAR 2, as swdev_bar_read and swdev_bar_write. */
uint64_t engine_read(const struct swdev *dev, uint32_t offset, unsigned int length);
void engine_write(struct swdev *dev, uint32_t offset, unsigned int length, uint64_t value);

/* Is a command under way? */
bool swdev_engine_busy(const struct swdev *dev);

/*
 * Copy at most budget bytes of the command under way, and end it when that was the rest: its
 * status is stored before its interrupt leaves. True when work is left. At budget 0 nothing moves.
 * An access that the bus has not done yet (-EAGAIN) ends the step; the next one begins with it.
 */
bool swdev_engine_step(struct swdev *dev, uint32_t budget);

#endif

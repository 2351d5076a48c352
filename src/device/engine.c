/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#include "device/engine.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#else
#include <errno.h>
#endif

#include "base/math.h"
#include "device/device.h"

/* clang-format off */
static const struct reg_row engine_rows[] = { ENGINE_LIST(REG_ROW) };

const struct reg_table engine_table = {
	"copy engine", engine_rows, ENGINE_ROWS, ENGINE_SIZE };
/* clang-format on */

static uint32_t get(const struct swdev *dev, enum engine_row row)
{
	return reg_get(dev->engine.regs, 0, &engine_rows[row]);
}

static void set(struct swdev *dev, enum engine_row row, uint32_t value)
{
	reg_set(dev->engine.regs, 0, &engine_rows[row], value);
}

static uint64_t get_address(const struct swdev *dev, enum engine_row low, enum engine_row high)
{
	return (uint64_t)get(dev, high) << 32 | get(dev, low);
}

/* One store: who reads done finds the bytes and the count that belong to it. */
static void set_status(struct swdev *dev, bool busy, enum engine_error error)
{
	uint32_t image[ENGINE_SIZE / 4] = { 0 };
	uint32_t at = engine_rows[ENGINE_BUSY].offset / 4;

	reg_set(image, 0, &engine_rows[ENGINE_BUSY], busy);
	reg_set(image, 0, &engine_rows[ENGINE_DONE], !busy && !error);
	reg_set(image, 0, &engine_rows[ENGINE_FAILED], error != ENGINE_OK);
	reg_set(image, 0, &engine_rows[ENGINE_ERROR], error);
	__atomic_store_n(&dev->engine.regs[at], image[at], __ATOMIC_RELEASE);
}

void engine_reset(struct swdev *dev)
{
	regs_reset(&engine_table, dev->engine.regs, 0);
	dev->engine.left = dev->engine.asked = 0;
}

bool swdev_engine_busy(const struct swdev *dev)
{
	return get(dev, ENGINE_BUSY);
}

static void finish(struct swdev *dev, enum engine_error error)
{
	set(dev, ENGINE_COMPLETIONS, get(dev, ENGINE_COMPLETIONS) + 1);
	set_status(dev, false, error);
	if (dev->engine.interrupt)
		msix_raise(dev, dev->engine.vector);
}

static bool in_memory(const struct swdev *dev, uint64_t dpa)
{
	return range_fits(dpa, dev->engine.left, dev->settings.memory_size);
}

static enum engine_error check(const struct swdev *dev)
{
	const struct swdev_engine *engine = &dev->engine;
	bool host_source = engine->direction == ENGINE_TO_DEVICE;
	bool host_destination = engine->direction == ENGINE_FROM_DEVICE;

	if (engine->direction > ENGINE_IN_DEVICE || engine->vector >= SWDEV_MSIX_VECTORS)
		return ENGINE_BAD_COMMAND;
	if (!engine->left || engine->left > ENGINE_LENGTH_LIMIT)
		return ENGINE_BAD_LENGTH;
	if ((!host_source && !in_memory(dev, engine->source)) ||
	    (!host_destination && !in_memory(dev, engine->destination)))
		return ENGINE_BAD_DEVICE_ADDRESS;
	if ((host_source && !range_is_valid(engine->source, engine->left)) ||
	    (host_destination && !range_is_valid(engine->destination, engine->left)))
		return ENGINE_BAD_HOST_ADDRESS;
	if (engine->direction == ENGINE_IN_DEVICE &&
	    ranges_overlap(engine->source, engine->left, engine->destination, engine->left))
		return ENGINE_OVERLAP;
	return ENGINE_OK;
}

static void ring(struct swdev *dev)
{
	struct swdev_engine *engine = &dev->engine;
	enum engine_error error;

	if (swdev_engine_busy(dev)) {
		set(dev, ENGINE_REFUSED, get(dev, ENGINE_REFUSED) + 1);
		return;
	}
	engine->source = get_address(dev, ENGINE_SOURCE_LOW, ENGINE_SOURCE_HIGH);
	engine->destination = get_address(dev, ENGINE_DESTINATION_LOW, ENGINE_DESTINATION_HIGH);
	engine->left = get(dev, ENGINE_LENGTH);
	engine->vector = get(dev, ENGINE_VECTOR);
	engine->direction = (uint8_t)get(dev, ENGINE_DIRECTION);
	set(dev, ENGINE_BYTES, 0);
	error = check(dev);
	/* There is no interrupt for a vector that does not exist. */
	engine->interrupt = get(dev, ENGINE_INTERRUPT) && engine->vector < SWDEV_MSIX_VECTORS;
	if (error)
		finish(dev, error);
	else
		set_status(dev, true, ENGINE_OK);
}

/* Bytes of the next access: one that stays inside 4 KiB on both sides. */
static uint32_t next_piece(const struct swdev_engine *engine, uint32_t budget)
{
	uint32_t bytes = engine->left < budget ? engine->left : budget;
	uint32_t source = ENGINE_PIECE - (uint32_t)(engine->source % ENGINE_PIECE);
	uint32_t destination = ENGINE_PIECE - (uint32_t)(engine->destination % ENGINE_PIECE);

	if (engine->asked)
		return engine->asked;
	if (bytes > source)
		bytes = source;
	return bytes > destination ? destination : bytes;
}

static enum engine_error judge(int ret, enum engine_error failed)
{
	if (!ret)
		return ENGINE_OK;
	return ret == -EAGAIN ? ENGINE_AGAIN : failed;
}

static enum engine_error fetch(struct swdev *dev, uint32_t bytes)
{
	const struct swdev_bus *bus = dev->settings.bus;
	struct swdev_engine *engine = &dev->engine;

	if (engine->direction != ENGINE_TO_DEVICE)
		return bus && bus->memory_read ? judge(bus->memory_read(bus->owner, engine->source,
									engine->piece, bytes),
						       ENGINE_MEMORY_FAILED)
					       : ENGINE_MEMORY_FAILED;
	if (!swdev_bus_master(dev))
		return ENGINE_NO_BUS_MASTER;
	return bus && bus->dma_read
		       ? judge(bus->dma_read(bus->owner, engine->source, engine->piece, bytes),
			       ENGINE_DMA_FAILED)
		       : ENGINE_DMA_FAILED;
}

static enum engine_error store(struct swdev *dev, uint32_t bytes)
{
	const struct swdev_bus *bus = dev->settings.bus;
	struct swdev_engine *engine = &dev->engine;

	if (engine->direction != ENGINE_FROM_DEVICE)
		return bus && bus->memory_write
			       ? judge(bus->memory_write(bus->owner, engine->destination,
							 engine->piece, bytes),
				       ENGINE_MEMORY_FAILED)
			       : ENGINE_MEMORY_FAILED;
	if (!swdev_bus_master(dev))
		return ENGINE_NO_BUS_MASTER;
	return bus && bus->dma_write ? judge(bus->dma_write(bus->owner, engine->destination,
							    engine->piece, bytes),
					     ENGINE_DMA_FAILED)
				     : ENGINE_DMA_FAILED;
}

bool swdev_engine_step(struct swdev *dev, uint32_t budget)
{
	struct swdev_engine *engine = &dev->engine;

	while (budget && swdev_engine_busy(dev)) {
		uint32_t bytes = next_piece(engine, budget);
		enum engine_error error = fetch(dev, bytes);

		if (!error)
			error = store(dev, bytes);
		engine->asked = error == ENGINE_AGAIN ? bytes : 0;
		if (error == ENGINE_AGAIN)
			break;
		if (error) {
			finish(dev, error);
			break;
		}
		engine->source += bytes;
		engine->destination += bytes;
		engine->left -= bytes;
		budget -= bytes;
		set(dev, ENGINE_BYTES, get(dev, ENGINE_BYTES) + bytes);
		if (!engine->left)
			finish(dev, ENGINE_OK);
	}
	return swdev_engine_busy(dev);
}

uint64_t engine_read(const struct swdev *dev, uint32_t offset, unsigned int length)
{
	if (!range_fits(offset, length, ENGINE_SIZE))
		return 0;
	return regs_read(dev->engine.regs, offset, length);
}

void engine_write(struct swdev *dev, uint32_t offset, unsigned int length, uint64_t value)
{
	if (!range_fits(offset, length, ENGINE_SIZE))
		return;
	regs_write(&engine_table, dev->engine.regs, 0, offset, length, value);
	if (regs_write_sets(&engine_rows[ENGINE_DOORBELL], 0, offset, length, value))
		ring(dev);
}

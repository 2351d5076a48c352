/* SPDX-License-Identifier: BSD-3-Clause */
/* host_config.c - what config space, component registers and CEDT say, by the library's tables */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cxlvm/regs.h>

#include "host.h"

#define DEPTH_MAX 8

/* A field of an image that is wanted: where its value goes. */
struct wanted {
	const char *structure, *field;
	size_t at; /* of a uint64_t */
};

struct reader {
	const struct wanted *wanted;
	size_t n_wanted;
	uint8_t *into;
	unsigned int depth;
	char names[DEPTH_MAX][64];
	/* A structure begins or ends: index as in cxlvm_structure. */
	void (*begin)(struct reader *reader, const struct cxlvm_structure *structure);
	void (*end)(struct reader *reader, const char *name);
	void *owner;
};

static void on_begin(void *context, const struct cxlvm_structure *structure)
{
	struct reader *reader = context;

	if (reader->depth < DEPTH_MAX)
		strncpy(reader->names[reader->depth], structure->name, 63);
	reader->depth++;
	if (reader->begin)
		reader->begin(reader, structure);
}

static void on_field(void *context, const struct cxlvm_field *field)
{
	struct reader *reader = context;

	if (!reader->depth || reader->depth > DEPTH_MAX)
		return;
	for (size_t i = 0; i < reader->n_wanted; i++) {
		const struct wanted *wanted = &reader->wanted[i];

		if (!strcmp(wanted->field, field->name) &&
		    !strcmp(wanted->structure, reader->names[reader->depth - 1]))
			memcpy(reader->into + wanted->at, &field->value, sizeof(field->value));
	}
}

static void on_end(void *context)
{
	struct reader *reader = context;

	reader->depth--;
	if (reader->end && reader->depth < DEPTH_MAX)
		reader->end(reader, reader->names[reader->depth]);
}

static void read_image(struct reader *reader, const void *image, size_t size,
		       enum cxlvm_image_kind kind)
{
	static const struct cxlvm_visitor visitor = {
		.size = sizeof(visitor),
		.begin = on_begin,
		.field = on_field,
		.end = on_end,
	};

	/* What is broken in it is left out: cxlvm decode tells of it. */
	(void)cxlvm_image_visit(image, size, kind, &visitor, reader, NULL);
}

/* Config space */

#define LOCATOR_COMPONENT 1

struct config_facts {
	struct host_cxl cxl;
	uint64_t bir, id, low, high; /* of the Register Locator entry being read */
};

#define CONFIG(member) offsetof(struct config_facts, member)

static const struct wanted config_wanted[] = {
	{ "PCI header", "vendor id", CONFIG(cxl.vendor) },
	{ "PCI header", "class code", CONFIG(cxl.class_code) },
	{ "PCI header", "memory space", CONFIG(cxl.command_memory) },
	{ "PCI Express capability", "function level reset capable", CONFIG(cxl.flr) },
	{ "CXL Device DVSEC", "Cache_Capable", CONFIG(cxl.cache) },
	{ "CXL Device DVSEC", "Mem_Capable", CONFIG(cxl.mem) },
	{ "CXL Device DVSEC", "HDM_Count", CONFIG(cxl.hdm_count) },
	{ "CXL Device DVSEC", "Mem_Enable", CONFIG(cxl.mem_enable) },
	{ "CXL Device DVSEC", "CXL_Reset_Capable", CONFIG(cxl.cxl_reset) },
	{ "CXL Device DVSEC", "range 1 size high", CONFIG(cxl.range_size_high) },
	{ "CXL Device DVSEC", "range 1 size low", CONFIG(cxl.range_size_low) },
	{ "CXL Device DVSEC", "Memory_Info_Valid", CONFIG(cxl.range_valid) },
	{ "CXL Device DVSEC", "Memory_Active", CONFIG(cxl.range_active) },
	{ "Register Locator entry", "register BIR", CONFIG(bir) },
	{ "Register Locator entry", "block identifier", CONFIG(id) },
	{ "Register Locator entry", "block offset low", CONFIG(low) },
	{ "Register Locator entry", "block offset high", CONFIG(high) },
};

static void config_begin(struct reader *reader, const struct cxlvm_structure *structure)
{
	struct config_facts *facts = reader->owner;

	if (!strcmp(structure->name, "CXL Device DVSEC"))
		facts->cxl.device_dvsec = 1;
	else if (!strcmp(structure->name, "Device Serial Number"))
		facts->cxl.serial_at = structure->offset + 4;
}

static void config_end(struct reader *reader, const char *name)
{
	struct config_facts *facts = reader->owner;

	if (strcmp(name, "Register Locator entry") || facts->id != LOCATOR_COMPONENT ||
	    facts->cxl.locator)
		return;
	facts->cxl.locator = 1;
	facts->cxl.component_bar = facts->bir;
	facts->cxl.component_offset = facts->high << 32 | facts->low << 16;
}

void host_read_config(const uint8_t *config, size_t size, struct host_cxl *cxl)
{
	struct config_facts facts = { .id = 0 };
	struct reader reader = {
		.wanted = config_wanted,
		.n_wanted = sizeof(config_wanted) / sizeof(config_wanted[0]),
		.into = (uint8_t *)&facts,
		.begin = config_begin,
		.end = config_end,
		.owner = &facts,
	};

	read_image(&reader, config, size, CXLVM_IMAGE_CONFIG);
	*cxl = facts.cxl;
}

/* Component registers */

#define CM_OFFSET ((uint64_t)0x1000) /* of the CM area in the component block */
#define CM_SIZE   ((size_t)0x1000)

struct decoder_facts {
	uint64_t base_low, base_high, size_low, size_high;
	uint64_t ways, lock, committed, error, host_only, bi, skip_low, skip_high;
	uint64_t count_code;
	struct host_device *device;
};

#define DECODER(member) offsetof(struct decoder_facts, member)

static const struct wanted decoder_wanted[] = {
	{ "CXL HDM decoder capability", "decoder count", DECODER(count_code) },
	{ "CXL HDM decoder", "base low", DECODER(base_low) },
	{ "CXL HDM decoder", "base high", DECODER(base_high) },
	{ "CXL HDM decoder", "size low", DECODER(size_low) },
	{ "CXL HDM decoder", "size high", DECODER(size_high) },
	{ "CXL HDM decoder", "interleave ways", DECODER(ways) },
	{ "CXL HDM decoder", "lock on commit", DECODER(lock) },
	{ "CXL HDM decoder", "committed", DECODER(committed) },
	{ "CXL HDM decoder", "error not committed", DECODER(error) },
	{ "CXL HDM decoder", "target range type", DECODER(host_only) },
	{ "CXL HDM decoder", "BI", DECODER(bi) },
	{ "CXL HDM decoder", "target list or DPA skip low", DECODER(skip_low) },
	{ "CXL HDM decoder", "target list or DPA skip high", DECODER(skip_high) },
};

/* CXL 3.1, 8.2.4.20.7: interleave ways of a decoder; 0: the code is reserved. */
static uint64_t interleave_ways(uint64_t code)
{
	static const uint8_t ways[] = { 1, 2, 4, 8, 16, 0, 0, 0, 3, 6, 12 };

	return code < sizeof(ways) ? ways[code] : 0;
}

static void decoder_end(struct reader *reader, const char *name)
{
	const struct decoder_facts *facts = reader->owner;
	struct host_device *device = facts->device;

	if (strcmp(name, "CXL HDM decoder"))
		return;
	device->n_committed += facts->committed != 0;
	if (facts->committed && device->n_decoders && !device->other_committed)
		device->other_committed = device->n_decoders;
	device->decoder_count_code = (unsigned int)facts->count_code;
	if (device->n_decoders++)
		return;
	device->decoder = (struct host_decoder){
		.has_range = true,
		.base = { facts->base_high << 32 | facts->base_low << 28 },
		.size = facts->size_high << 32 | facts->size_low << 28,
		.committed = facts->committed,
		.locked = facts->lock,
		.error = facts->error,
		.host_only = facts->host_only,
		.back_invalidate = facts->bi,
		.skip = facts->skip_high << 32 | facts->skip_low,
		.ways_code = (unsigned int)facts->ways,
		.interleave_ways = interleave_ways(facts->ways),
		.has_target_type = true,
		.has_locked = true,
	};
	memcpy(device->decoder.device, device->address, sizeof(device->address));
}

static void why(struct host_device *device, const char *text)
{
	snprintf(device->registers_why, sizeof(device->registers_why), "%s", text);
}

/*
 * A read of device registers is answered while the function is powered and decodes its memory. It
 * changes nothing: registers that a read would change are not in the CM area.
 */
static bool registers_answer(struct fs *fs, struct host_device *device)
{
	const struct host_bar *bar;
	char path[FS_PATH_MAX], state[16];

	if (!device->cxl.locator) {
		why(device, !host_config_seen(device)
				    ? "config space behind 64 bytes is for root only"
				    : "no Register Locator names a component register block");
		return false;
	}
	bar = device->cxl.component_bar < HOST_BARS ? &device->bars[device->cxl.component_bar]
						    : NULL;
	if (!bar || bar->last <= bar->first ||
	    device->cxl.component_offset > bar->last - bar->first ||
	    bar->last - bar->first - device->cxl.component_offset <
		    CXLVM_COMPONENT_BLOCK_SIZE - 1) {
		why(device, "the component register block lies in no BAR that has an address");
		return false;
	}
	if (!device->cxl.command_memory) {
		why(device, "Memory Space of the function is off");
		return false;
	}
	fs_path(path, "/sys/bus/pci/devices/%s/power_state", device->address);
	if (!fs_text(fs, path, state, sizeof(state)) && strcmp(state, "D0")) {
		snprintf(device->registers_why, sizeof(device->registers_why),
			 "the function sleeps (%s)", state);
		device->asleep = true;
		return false;
	}
	return true;
}

void host_scan_registers(struct fs *fs, struct host_device *device)
{
	struct decoder_facts facts = { .device = device };
	struct reader reader = {
		.wanted = decoder_wanted,
		.n_wanted = sizeof(decoder_wanted) / sizeof(decoder_wanted[0]),
		.into = (uint8_t *)&facts,
		.end = decoder_end,
		.owner = &facts,
	};
	char path[FS_PATH_MAX], real[FS_PATH_MAX];
	uint8_t image[CM_SIZE];
	int ret;

	if (!registers_answer(fs, device))
		return;
	fs_path(path, "/sys/bus/pci/devices/%s/resource%u", device->address,
		(unsigned int)device->cxl.component_bar);
	ret = fs_resolve(fs, path, real);
	if (!ret)
		ret = fs->ops->registers(fs, real, device->cxl.component_offset + CM_OFFSET, image,
					 sizeof(image));
	if (ret) {
		snprintf(device->registers_why, sizeof(device->registers_why),
			 "its resource%u cannot be read: %s",
			 (unsigned int)device->cxl.component_bar, strerror(-ret));
		return;
	}
	read_image(&reader, image, sizeof(image), CXLVM_IMAGE_COMPONENT);
	if (!device->n_decoders)
		why(device, "its component registers hold no HDM decoder");
}

/* CEDT */

struct window_facts {
	uint64_t base, size, restrictions, target;
	struct host *host;
	struct host_window window;
};

#define WINDOW(member) offsetof(struct window_facts, member)

static const struct wanted window_wanted[] = {
	{ "CFMWS", "window base", WINDOW(base) },
	{ "CFMWS", "window size", WINDOW(size) },
	{ "CFMWS", "restrictions", WINDOW(restrictions) },
	{ "CFMWS target", "target", WINDOW(target) },
};

static void window_begin(struct reader *reader, const struct cxlvm_structure *structure)
{
	struct window_facts *facts = reader->owner;

	if (!strcmp(structure->name, "CFMWS"))
		facts->window.n_targets = 0;
}

static void window_end(struct reader *reader, const char *name)
{
	struct window_facts *facts = reader->owner;
	struct host_window *window = &facts->window;

	if (!strcmp(name, "CFMWS target") && window->n_targets < 16)
		window->targets[window->n_targets++] = (uint32_t)facts->target;
	if (strcmp(name, "CFMWS") || facts->host->n_windows == HOST_WINDOWS_MAX)
		return;
	window->base.value = facts->base;
	window->size = facts->size;
	window->restrictions = facts->restrictions;
	facts->host->windows[facts->host->n_windows++] = *window;
}

void host_read_cedt(struct host *host, const uint8_t *table, size_t size)
{
	struct window_facts facts = { .host = host };
	struct reader reader = {
		.wanted = window_wanted,
		.n_wanted = sizeof(window_wanted) / sizeof(window_wanted[0]),
		.into = (uint8_t *)&facts,
		.begin = window_begin,
		.end = window_end,
		.owner = &facts,
	};

	read_image(&reader, table, size, CXLVM_IMAGE_CEDT);
}

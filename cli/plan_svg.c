/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plan_svg.c - a plan as a picture: the guest physical map from the lowest address down, and beside
 * each CXL window the way of an access to it, through host bridge and root port to the device
 *
 * Blocks are not to scale: a map that is has nothing in it but RAM. All numbers are those of
 * plan_ranges and of the decoders as the guest reads them.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pci/hdm.h"
#include "plan.h"
#include "plan_svg.h"
#include "vm.h"

#define MARGIN       32
#define MAP_WIDTH    520
#define HEAD_HEIGHT  84
#define ROW_HEIGHT   22
#define BLOCK_PAD    7
#define BLOCK_GAP    6
#define HOLE_HEIGHT  24
#define SIZES_WIDTH  84 /* of the column of sizes, with its margins */
#define LETTER_WIDTH 9  /* of a wide letter */
#define BOX_WIDTH    224
#define BOX_HEIGHT   88
#define BOX_GAP      56
#define BOXES        3
#define PATH_X       (MARGIN + MAP_WIDTH + BOX_GAP)
#define PATH_WIDTH   (BOXES * BOX_WIDTH + (BOXES - 1) * BOX_GAP)

struct picture {
	FILE *to;
	const struct vm *vm;
	int y;              /* where the next block of the map begins */
	unsigned int paths; /* drawn so far */
};

/* Fill and line of a block, by type; of two devices the windows differ. */
struct colours {
	const char *fill, *line;
};

static const struct colours window_colours[] = {
	{ "#dcefe6", "#1b8a5a" }, { "#dfe9fb", "#2f6bd0" }, { "#f6e3f3", "#a1418f" },
	{ "#fdebd3", "#c26a00" }, { "#dff2f6", "#127e93" }, { "#f9dfdf", "#bf3b3b" },
};

static struct colours colours_of(const char *type, int window)
{
	static const struct {
		const char *type;
		struct colours colours;
	} types[] = {
		{ "ram", { "#eceff3", "#5b6675" } },
		{ "pci-window", { "#f7f3e6", "#9a8546" } },
		{ "host-bridge", { "#ece7f7", "#6b55b3" } },
	};

	if (window >= 0)
		return window_colours[(size_t)window %
				      (sizeof(window_colours) / sizeof(window_colours[0]))];
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].type, type))
			return types[i].colours;
	return (struct colours){ "#f5f5f5", "#8a8a8a" };
}

/* "256 MiB": the largest unit that divides size. */
static const char *size_text(uint64_t size, char text[static 32])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (size && !(size % 1024) && unit < 4) {
		size /= 1024;
		unit++;
	}
	snprintf(text, 32, "%" PRIu64 " %s", size, units[unit]);
	return text;
}

static void put_escaped(FILE *to, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		default:
			fputc((unsigned char)*text < ' ' ? ' ' : *text, to);
		}
	}
}

/* One line of text; class is one of those in the head of the picture. */
__attribute__((format(printf, 5, 6))) static void
put_text(struct picture *picture, int x, int y, const char *class, const char *format, ...)
{
	char text[160];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	fprintf(picture->to, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
	put_escaped(picture->to, text);
	fputs("</text>\n", picture->to);
}

static void put_rectangle(struct picture *picture, int x, int y, int width, int height,
			  struct colours colours)
{
	fprintf(picture->to,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"7\" fill=\"%s\" "
		"stroke=\"%s\" stroke-width=\"1.4\"/>\n",
		x, y, width, height, colours.fill, colours.line);
}

static void put_arrow(struct picture *picture, int x, int y, int length, const char *colour)
{
	fprintf(picture->to,
		"<path d=\"M%d %d h%d\" stroke=\"%s\" stroke-width=\"2.4\" fill=\"none\"/>\n"
		"<path d=\"M%d %d l-10 -6 v12 z\" fill=\"%s\"/>\n",
		x, y, length - 8, colour, x + length, y, colour);
}

static void put_head(struct picture *picture, int height)
{
	const struct vm *vm = picture->vm;
	int width = 2 * MARGIN + MAP_WIDTH + (vm->n_devices ? BOX_GAP + PATH_WIDTH : 0);
	char text[32];

	fprintf(picture->to,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\">\n<style>\n"
		"text { font-family: 'DejaVu Sans', 'Helvetica', sans-serif; font-size: 13px; "
		"fill: #1f2630 }\n"
		".title { font-size: 22px; font-weight: bold }\n"
		".soft { fill: #6a7480 }\n"
		".strong { font-weight: bold }\n"
		".address { font-family: 'DejaVu Sans Mono', monospace; font-size: 12px }\n"
		".size { text-anchor: end; fill: #48515c }\n"
		"</style>\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
		width, height, width, height);
	put_text(picture, MARGIN, MARGIN + 16, "title", "Guest physical map");
	put_text(picture, MARGIN, MARGIN + 40, "soft",
		 "%u address bits, %s of RAM, %u device%s; blocks are not to scale", vm->phys_bits,
		 size_text(vm->ram.size, text), vm->n_devices, vm->n_devices == 1 ? "" : "s");
}

/* The device that a window belongs to, NULL when it has none. */
static struct device *owner_of(struct vm *vm, const struct plan_range *range)
{
	for (unsigned int i = 0; i < vm->n_devices; i++)
		if (!strcmp(vm->devices[i].name, range->owner) &&
		    !cxlvm_endpoint_is_plain(vm->devices[i].endpoint))
			return &vm->devices[i];
	return NULL;
}

static void put_decoder(struct picture *picture, int x, int y, uint64_t base, uint64_t size,
			uint32_t control, const char *more)
{
	char text[32];

	if (control & HDM_CONTROL_COMMITTED)
		put_text(picture, x, y, "address", "0x%" PRIx64 " + %s", base,
			 size_text(size, text));
	else
		put_text(picture, x, y, "address", "no range");
	put_text(picture, x, y + 20, "soft", "%s%s%s%s",
		 control & HDM_CONTROL_COMMITTED ? "committed" : "not committed",
		 control & HDM_CONTROL_LOCK ? ", locked" : "",
		 control & HDM_CONTROL_ERROR ? ", error" : "", more);
}

static void put_path_title(struct picture *picture, int y)
{
	put_text(picture, PATH_X, y, "title", "Path of an access");
	put_text(picture, PATH_X, y + 24, "soft",
		 "from the window through the HDM decoders of host bridge and endpoint");
}

/* Three boxes beside the window, with what the guest reads there. */
static int put_path(struct picture *picture, struct device *device, int middle,
		    struct colours colours, struct cxlvm_error *err)
{
	static const struct colours paper = { "#ffffff", "#5b6675" };
	const struct pci_host_bridge *bridge = device->bridge;
	bool mapped = cxlvm_endpoint_memory_mapped(device->endpoint) && device->mapped;
	struct cxlvm_bridge_decoder published;
	struct hdm_decoder decoder;
	int top = middle - BOX_HEIGHT / 2;
	int code = hdm_read(device, &decoder, err);
	int x = PATH_X;

	if (code)
		return code;
	cxlvm_bridge_get(bridge->cxl, &published);
	put_arrow(picture, MARGIN + MAP_WIDTH, middle, BOX_GAP, colours.line);
	put_rectangle(picture, x, top, BOX_WIDTH, BOX_HEIGHT, paper);
	put_text(picture, x + 12, top + 24, "strong", "host bridge %u, decoder 0", bridge->uid);
	put_decoder(picture, x + 12, top + 48, published.base.value, published.size,
		    published.control, "");
	x += BOX_WIDTH;
	put_arrow(picture, x, middle, BOX_GAP, colours.line);
	x += BOX_GAP;
	put_rectangle(picture, x, top, BOX_WIDTH, BOX_HEIGHT, paper);
	put_text(picture, x + 12, top + 24, "strong", "root port, number %u", bridge->port.number);
	if (bridge->port.assigned.secondary == bridge->port.assigned.subordinate)
		put_text(picture, x + 12, top + 48, "soft", "bus %02x",
			 bridge->port.assigned.secondary);
	else
		put_text(picture, x + 12, top + 48, "soft", "buses %02x to %02x",
			 bridge->port.assigned.secondary, bridge->port.assigned.subordinate);
	x += BOX_WIDTH;
	put_arrow(picture, x, middle, BOX_GAP, colours.line);
	x += BOX_GAP;
	put_rectangle(picture, x, top, BOX_WIDTH, BOX_HEIGHT, colours);
	put_text(picture, x + 12, top + 24, "strong", "%s, 0000:%02x:00.0", device->name,
		 bridge->port.assigned.secondary);
	put_decoder(picture, x + 12, top + 48, decoder.base, decoder.size, decoder.control,
		    mapped ? ", mapped" : ", not mapped");
	return 0;
}

/* "pci-window" as people write it: "PCI window". */
static void write_type(char *label, size_t size, const char *type)
{
	static const char *const abbreviations[] = { "acpi",   "bar",   "cxl", "ecam",
						     "ioapic", "lapic", "pci", "ram" };
	char *c = label;

	snprintf(label, size, "%s", type);
	while (*c) {
		size_t length = strcspn(c, "-");
		bool short_form = false;

		for (size_t i = 0; i < sizeof(abbreviations) / sizeof(abbreviations[0]); i++)
			short_form |= strlen(abbreviations[i]) == length &&
				      !strncmp(c, abbreviations[i], length);
		for (size_t i = 0; short_form && i < length; i++)
			c[i] = (char)toupper((unsigned char)c[i]);
		c += length;
		if (*c)
			*c++ = ' ';
	}
}

/* Characters of UTF-8. */
static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* A label before the size of a range: one that is too long for that is drawn narrower. */
static void put_label(struct picture *picture, int x, int y, const char *class, const char *label)
{
	int room = MARGIN + MAP_WIDTH - SIZES_WIDTH - x;

	fprintf(picture->to, "<text x=\"%d\" y=\"%d\" class=\"%s\"", x, y, class);
	if (characters(label) > (size_t)room / LETTER_WIDTH)
		fprintf(picture->to, " textLength=\"%d\" lengthAdjust=\"spacingAndGlyphs\"", room);
	fputc('>', picture->to);
	put_escaped(picture->to, label);
	fputs("</text>\n", picture->to);
}

static void put_row(struct picture *picture, const struct plan_range *range, int y, int indent,
		    bool strong)
{
	char label[2 * CXLVM_NAME_MAX + 96], size[32];
	size_t length;

	write_type(label, sizeof(label), range->type);
	length = strlen(label);
	if (range->index >= 0)
		snprintf(label + length, sizeof(label) - length, "%s %d",
			 strcmp(range->type, "pci-window") ? "" : " of host bridge", range->index);
	length = strlen(label);
	if (range->name[0])
		snprintf(label + length, sizeof(label) - length, " '%s'", range->name);
	length = strlen(label);
	if (range->owner[0])
		snprintf(label + length, sizeof(label) - length, " of %s", range->owner);
	put_text(picture, MARGIN + 12, y, "address", "0x%0*" PRIx64,
		 (int)(picture->vm->phys_bits + 3) / 4, range->base.value);
	put_label(picture, MARGIN + 160 + indent, y, strong ? "strong" : "", label);
	put_text(picture, MARGIN + MAP_WIDTH - 12, y, "size", "%s", size_text(range->size, size));
}

static uint64_t last_of(const struct plan_range *range)
{
	return range->base.value + (range->size - 1);
}

/* How many ranges lie within the first, which is one of them. */
static size_t count_within(const struct plan_range *ranges, size_t n)
{
	size_t within = 1;

	while (within < n && ranges[within].base.value <= last_of(&ranges[0]))
		within++;
	return within;
}

static int block_height(const struct plan_range *ranges, size_t within)
{
	int height = 2 * BLOCK_PAD + (int)within * ROW_HEIGHT;

	return !strcmp(ranges[0].type, "cxl-window") && height < BOX_HEIGHT ? BOX_HEIGHT : height;
}

/* A range and all within it. window counts the windows so far. */
static int put_block(struct picture *picture, struct vm *vm, const struct plan_range *ranges,
		     size_t within, int *window, struct cxlvm_error *err)
{
	bool is_window = !strcmp(ranges[0].type, "cxl-window");
	struct device *device = is_window ? owner_of(vm, &ranges[0]) : NULL;
	struct colours colours = colours_of(ranges[0].type, is_window ? (*window)++ : -1);
	int height = block_height(ranges, within);
	int y = picture->y + (height - (int)within * ROW_HEIGHT) / 2 + 16;
	int code = 0;

	put_rectangle(picture, MARGIN, picture->y, MAP_WIDTH, height, colours);
	for (size_t i = 0; i < within; i++, y += ROW_HEIGHT)
		put_row(picture, &ranges[i], y, i ? 16 : 0, !i);
	if (device && !picture->paths++)
		put_path_title(picture, picture->y + (height - BOX_HEIGHT) / 2 - 44);
	if (device)
		code = put_path(picture, device, picture->y + height / 2, colours, err);
	picture->y += height + BLOCK_GAP;
	return code;
}

/* Is there nothing between range i and the one before? */
static bool is_behind_hole(const struct plan_range *ranges, size_t i)
{
	uint64_t last = 0;

	for (size_t before = 0; before < i; before++)
		if (last_of(&ranges[before]) > last)
			last = last_of(&ranges[before]);
	return i && last < ranges[i].base.value - 1;
}

static void put_hole(struct picture *picture)
{
	fprintf(picture->to,
		"<path d=\"M%d %d v%d\" stroke=\"#9aa3ad\" stroke-width=\"2\" "
		"stroke-dasharray=\"2 5\"/>\n",
		MARGIN + 72, picture->y - BLOCK_GAP + 3, HOLE_HEIGHT - 4);
	picture->y += HOLE_HEIGHT - BLOCK_GAP;
}

static int put_map(struct picture *picture, struct vm *vm, const struct plan_range *ranges,
		   size_t n, struct cxlvm_error *err)
{
	int window = 0, code = 0;

	for (size_t i = 0, within; !code && i < n; i += within) {
		within = count_within(ranges + i, n - i);
		if (is_behind_hole(ranges, i))
			put_hole(picture);
		code = put_block(picture, vm, ranges + i, within, &window, err);
	}
	return code;
}

static int map_height(const struct plan_range *ranges, size_t n)
{
	int height = 0;

	for (size_t i = 0, within; i < n; i += within) {
		within = count_within(ranges + i, n - i);
		height += block_height(ranges + i, within) + BLOCK_GAP;
		if (is_behind_hole(ranges, i))
			height += HOLE_HEIGHT - BLOCK_GAP;
	}
	return height;
}

static int put_picture(struct picture *picture, struct vm *vm, struct cxlvm_error *err)
{
	struct plan_range *ranges;
	size_t n;
	int code = plan_ranges(vm, &ranges, &n, err);

	if (code)
		return code;
	picture->y = MARGIN + HEAD_HEIGHT;
	put_head(picture, picture->y + map_height(ranges, n) + MARGIN);
	code = put_map(picture, vm, ranges, n, err);
	fputs("</svg>\n", picture->to);
	free(ranges);
	return code;
}

static int refuse(const char *path, struct cxlvm_error *err)
{
	int code = cxlvm_error_set(err, -errno, "--svg %s: %s", path, strerror(errno));

	cxlvm_error_hint(err, "name a file in a folder that can be written, with room on its disk");
	return code;
}

/* Is it a file whose loss matters to nobody else? A terminal or a device stays. */
static bool is_ours(FILE *file)
{
	struct stat status;

	return !fstat(fileno(file), &status) && S_ISREG(status.st_mode);
}

int plan_svg_write(struct vm *vm, const char *path, struct cxlvm_error *err)
{
	struct picture picture = { .vm = vm, .to = fopen(path, "we") };
	bool ours;
	int code;

	if (!picture.to)
		return refuse(path, err);
	ours = is_ours(picture.to);
	code = put_picture(&picture, vm, err);
	errno = EIO;
	if (ferror(picture.to) && !code)
		code = refuse(path, err);
	if (fclose(picture.to) && !code)
		code = refuse(path, err);
	if (code && ours)
		unlink(path);
	return code;
}

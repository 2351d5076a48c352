/* SPDX-License-Identifier: BSD-3-Clause */
/* device_options.c - the keys of --device: one table for parsing, messages and help */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "device_options.h"

/* The most that a process can have. */
#define DESCRIPTOR_MAX 1048575

/* Of the kernel's interface, in whose form a sim device answers. */
static bool parse_generation(const char *value, struct device_config *device)
{
	if (!strcmp(value, "2n"))
		device->generation = CXLVM_SIM_GENERATION_2N;
	else if (value[0] >= '2' && value[0] <= '6' && !value[1])
		device->generation = (unsigned int)(value[0] - '0');
	else
		return false;
	return true;
}

static bool parse_memory_size(const char *value, struct device_config *device)
{
	return parse_size(value, &device->size);
}

static bool parse_cxl(const char *value, struct device_config *device)
{
	if (!strcmp(value, "auto"))
		device->mode = CXLVM_CXL_AUTO;
	else if (!strcmp(value, "on"))
		device->mode = CXLVM_CXL_ON;
	else if (!strcmp(value, "off"))
		device->mode = CXLVM_CXL_OFF;
	else
		return false;
	return true;
}

static bool parse_decoder(const char *value, struct device_config *device)
{
	if (!strcmp(value, "locked"))
		device->decoder = CXLVM_DECODER_LOCKED;
	else if (!strcmp(value, "guest"))
		device->decoder = CXLVM_DECODER_GUEST;
	else
		return false;
	return true;
}

/* It goes into JSON and into a picture, which take no other bytes. */
static bool parse_window(const char *value, struct device_config *device)
{
	device->window = value;
	for (const char *c = value; *c; c++)
		if (*c < ' ' || *c > '~')
			return false;
	return value[0] && strlen(value) < CXLVM_NAME_MAX;
}

static bool parse_window_base(const char *value, struct device_config *device)
{
	device->has_window_base = true;
	return parse_size(value, &device->window_base.value);
}

/* One word for no, one for yes. */
static bool parse_either(const char *value, const char *no, const char *yes, bool *on)
{
	*on = !strcmp(value, yes);
	return *on || !strcmp(value, no);
}

static bool parse_require_dma(const char *value, struct device_config *device)
{
	return parse_either(value, "auto", "on", &device->require_dma);
}

static bool parse_allow_slow(const char *value, struct device_config *device)
{
	return parse_either(value, "off", "on", &device->allow_slow);
}

static bool parse_memory_file(const char *value, struct device_config *device)
{
	device->memory_file = value;
	return value[0];
}

static bool parse_quirk(const char *value, struct device_config *device)
{
	for (unsigned int i = 0; cxlvm_sim_quirk_name(i); i++) {
		if (strcmp(value, cxlvm_sim_quirk_name(i)))
			continue;
		device->quirks |= (uint64_t)1 << i;
		return true;
	}
	return false;
}

/* All names: the library has the list. */
static const char *quirk_names(void)
{
	static char names[512];
	size_t n = 0;

	for (unsigned int i = 0; cxlvm_sim_quirk_name(i) && n < sizeof(names); i++)
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", i ? ", " : "one of ",
				      cxlvm_sim_quirk_name(i));
	return names;
}

static const struct device_key {
	const char *name;
	const char *values; /* what is accepted; NULL: quirks */
	const char *help;
	bool (*parse)(const char *value, struct device_config *device);
	bool sim; /* says what a sim is; a server says that itself */
} keys[] = {
	{ "size", "SIZE, a multiple of 256 MiB such as 256M", "device memory; needed",
	  parse_memory_size, true },
	{ "generation", "2, 2n, 3, 4, 5 or 6", "of the kernel's VFIO interface; default 5",
	  parse_generation, true },
	{ "cxl", "auto, on or off", "whether the guest finds a CXL device; default auto", parse_cxl,
	  false },
	{ "decoder", "locked or guest", "who programs the decoders; default locked", parse_decoder,
	  false },
	{ "window", "NAME, at most 63 bytes of printable ASCII",
	  "what the device's window is called", parse_window, false },
	{ "window-base", "ADDRESS, a multiple of 256 MiB such as 0x250000000",
	  "where its window is", parse_window_base, false },
	{ "cxl-fmws-base", "ADDRESS, a multiple of 256 MiB such as 0x250000000",
	  "the same as window-base", parse_window_base, false },
	{ "require-dma", "auto or on", "fail where device memory is not mapped for DMA",
	  parse_require_dma, false },
	{ "allow-slow", "off or on", "take memory that cannot be mapped, without using it",
	  parse_allow_slow, false },
	{ "memory-file", "the path of a file", "which holds the device memory", parse_memory_file,
	  true },
	{ "quirk", NULL, "what its kernel does differently or wrong, for tests; repeatable",
	  parse_quirk, true },
};

static const char *values_of(const struct device_key *key)
{
	return key->values ? key->values : quirk_names();
}

static bool parse_key(struct parser *parser, struct device_config *device, const char *name,
		      const char *value)
{
	char known[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		size_t n = strlen(known);

		if ((device->socket || device->vfio) && keys[i].sim)
			continue;
		if (!strcmp(keys[i].name, name)) {
			if (keys[i].parse(value, device))
				return true;
			return parse_refuse(parser,
					    "--device: %s '%s' is not accepted\n"
					    "  hint: %s is %s",
					    name, value, name, values_of(&keys[i]));
		}
		snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", keys[i].name);
	}
	return parse_refuse(parser, "--device: unknown key '%s'\n  hint: keys are %s", name, known);
}

/* A PCI address, a folder in sysfs, or fd=N. */
static bool parse_vfio(struct parser *parser, struct device_config *device)
{
	unsigned int fd;

	if (!device->vfio[0])
		return parse_refuse(parser,
				    "--device: vfio: names no device\n"
				    "  hint: --device vfio:0000:17:00.0, as lspci -D writes "
				    "it");
	if (strncmp(device->vfio, "fd=", 3))
		return true;
	if (!parse_number(device->vfio + 3, 0, DESCRIPTOR_MAX, &fd))
		return parse_refuse(parser,
				    "--device: '%s' is not a descriptor\n  hint: fd=N, of "
				    "/dev/vfio/devices/vfioN, opened before cxlvm was started",
				    device->vfio);
	/* Now, before files of ours have numbers. */
	if (fcntl((int)fd, F_GETFD) < 0)
		return parse_refuse(parser,
				    "--device: descriptor %u is not open\n"
				    "  hint: open it for this command: cxlvm %s ... "
				    "%u<>/dev/vfio/devices/vfio0",
				    fd, parser->command, fd);
	device->has_vfio_fd = true;
	device->vfio_fd = (int)fd;
	return true;
}

bool device_options_parse(struct parser *parser, const char *value)
{
	struct vm_config *config = &parser->options->config;
	struct device_config *device = &config->devices[config->n_devices];
	char *rest;
	char *word;

	if (config->n_devices == CXLVM_WINDOWS_MAX)
		return parse_refuse(parser,
				    "more than %d devices\n  hint: each needs a window of its own",
				    CXLVM_WINDOWS_MAX);
	rest = strdup(value);
	if (!rest)
		return parse_refuse(parser, "no memory");
	parser->options->device_texts[config->n_devices++] = rest;

	word = strsep(&rest, ",");
	if (!strncmp(word, "user:", 5))
		device->socket = word + 5;
	else if (!strncmp(word, "vfio:", 5))
		device->vfio = word + 5;
	else if (strcmp(word, "sim"))
		return parse_refuse(parser,
				    "--device: unknown kind '%s'\n  hint: kinds are sim: "
				    "--device sim,size=256M, user: --device user:SOCKET, and vfio: "
				    "--device vfio:0000:17:00.0",
				    word);
	if (device->vfio && !parse_vfio(parser, device))
		return false;
	if (device->socket && !device->socket[0])
		return parse_refuse(parser, "--device: user: names no socket\n"
					    "  hint: --device user:SOCKET, as in cxlvm device "
					    "--socket SOCKET");
	while ((word = strsep(&rest, ","))) {
		char *text = strchr(word, '=');

		if (!text)
			return parse_refuse(parser,
					    "--device: '%s' has no value\n  hint: write %s=VALUE",
					    word, word[0] ? word : "KEY");
		*text++ = 0;
		if (!parse_key(parser, device, word, text))
			return false;
	}
	if (!device->socket && !device->vfio && !device->size)
		return parse_refuse(
			parser, "--device %s needs a size\n  hint: --device sim,size=256M", value);
	return true;
}

void device_options_help(FILE *to)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		fprintf(to, "          %s: %s\n              %s%s\n", keys[i].name,
			values_of(&keys[i]), keys[i].help, keys[i].sim ? " (sim only)" : "");
}

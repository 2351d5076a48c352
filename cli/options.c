/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c - the options of run and plan */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define PHYS_BITS_MIN  32
#define PHYS_BITS_MAX  52
#define TIME_LIMIT_MAX 1000000

struct parser {
	const char *command;
	struct options *options;
};

struct option {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
	bool run, plan;
	bool (*parse)(struct parser *parser, const char *value);
};

static bool refuse(const struct parser *parser, const char *format, ...) CXLVM_PRINTF(2, 3);

static bool refuse(const struct parser *parser, const char *format, ...)
{
	va_list arguments;

	fprintf(stderr, "cxlvm %s: ", parser->command);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return false;
}

/* A number, decimal or 0x..., with one of K, M, G, T behind it (powers of 1024), or without. */
static bool parse_size(const char *text, uint64_t *value)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, &end, strncmp(text, "0x", 2) ? 10 : 16);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, toupper((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		shift = 10 * (unsigned int)(suffix - suffixes + 1);
	}
	if (*value > UINT64_MAX >> shift)
		return false;
	*value <<= shift;
	return true;
}

static bool parse_number(const char *text, uint64_t least, uint64_t most, unsigned int *value)
{
	uint64_t number;

	if (!parse_size(text, &number) || number < least || number > most)
		return false;
	*value = (unsigned int)number;
	return true;
}

static bool parse_kernel(struct parser *parser, const char *value)
{
	parser->options->config.kernel = value;
	return true;
}

static bool parse_initrd(struct parser *parser, const char *value)
{
	parser->options->config.initrd = value;
	return true;
}

static bool parse_append(struct parser *parser, const char *value)
{
	parser->options->config.append = value;
	return true;
}

static bool parse_memory(struct parser *parser, const char *value)
{
	if (parse_size(value, &parser->options->config.memory))
		return true;
	return refuse(parser, "--memory '%s' is not a size\n  hint: for example --memory 512M",
		      value);
}

/* Of the kernel's interface, in whose form a sim device answers. */
static bool parse_generation(const char *value, unsigned int *generation)
{
	if (!strcmp(value, "2n"))
		*generation = CXLVM_SIM_GENERATION_2N;
	else if (value[0] >= '2' && value[0] <= '6' && !value[1])
		*generation = (unsigned int)(value[0] - '0');
	else
		return false;
	return true;
}

static bool parse_decoder(const char *value, enum cxlvm_decoder_policy *decoder)
{
	if (!strcmp(value, "locked"))
		*decoder = CXLVM_DECODER_LOCKED;
	else if (!strcmp(value, "guest"))
		*decoder = CXLVM_DECODER_GUEST;
	else
		return false;
	return true;
}

static bool parse_device_key(struct parser *parser, struct device_config *device, const char *key,
			     const char *value)
{
	if (!strcmp(key, "size")) {
		if (!parse_size(value, &device->size))
			return refuse(parser,
				      "--device: size '%s' is not a size\n"
				      "  hint: a multiple of 256 MiB, for example size=256M",
				      value);
	} else if (!strcmp(key, "generation")) {
		if (!parse_generation(value, &device->generation))
			return refuse(parser,
				      "--device: generation '%s' is not known\n"
				      "  hint: generations are 2, 2n, 3, 4, 5 and 6",
				      value);
	} else if (!strcmp(key, "window-base") || !strcmp(key, "cxl-fmws-base")) {
		if (!parse_size(value, &device->window_base.value))
			return refuse(parser,
				      "--device: %s '%s' is not an address\n"
				      "  hint: a multiple of 256 MiB, for example %s=0x250000000",
				      key, value, key);
		device->has_window_base = true;
	} else if (!strcmp(key, "decoder")) {
		if (!parse_decoder(value, &device->decoder))
			return refuse(parser,
				      "--device: decoder '%s' is not known\n"
				      "  hint: policies are locked and guest",
				      value);
	} else if (!strcmp(key, "memory-file")) {
		if (!value[0])
			return refuse(parser, "--device: memory-file is empty\n"
					      "  hint: give the path of a file");
		device->memory_file = value;
	} else {
		return refuse(parser,
			      "--device: unknown key '%s'\n  hint: keys are size, generation, "
			      "window-base (or cxl-fmws-base), decoder, memory-file",
			      key);
	}
	return true;
}

static bool parse_device(struct parser *parser, const char *value)
{
	struct vm_config *config = &parser->options->config;
	struct device_config *device = &config->devices[config->n_devices];
	char *rest;
	char *word;

	if (config->n_devices == CXLVM_WINDOWS_MAX)
		return refuse(parser, "more than %d devices", CXLVM_WINDOWS_MAX);
	rest = strdup(value);
	if (!rest)
		return refuse(parser, "no memory");
	parser->options->device_texts[config->n_devices++] = rest;

	word = strsep(&rest, ",");
	if (strcmp(word, "sim"))
		return refuse(parser,
			      "--device: unknown kind '%s'\n  hint: kinds are sim: "
			      "--device sim,size=256M",
			      word);
	while ((word = strsep(&rest, ","))) {
		char *text = strchr(word, '=');

		if (!text)
			return refuse(parser, "--device: '%s' has no value\n  hint: write %s=VALUE",
				      word, word[0] ? word : "KEY");
		*text++ = 0;
		if (!parse_device_key(parser, device, word, text))
			return false;
	}
	if (!device->size)
		return refuse(parser, "--device %s needs a size\n  hint: --device sim,size=256M",
			      value);
	return true;
}

static bool parse_phys_bits(struct parser *parser, const char *value)
{
	if (parse_number(value, PHYS_BITS_MIN, PHYS_BITS_MAX, &parser->options->config.phys_bits))
		return true;
	return refuse(parser, "--phys-bits '%s' is not a number of address bits\n  hint: %d to %d",
		      value, PHYS_BITS_MIN, PHYS_BITS_MAX);
}

static bool parse_trace(struct parser *parser, const char *value)
{
	for (unsigned int i = 0; i < CXLVM_TRACE_COUNT; i++) {
		if (!fnmatch(value, cxlvm_trace_name((enum cxlvm_trace_id)i), 0)) {
			parser->options->config.trace = value;
			return true;
		}
	}
	refuse(parser, "--trace: no trace point matches '%s'", value);
	fputs("  hint: trace points are", stderr);
	for (unsigned int i = 0; i < CXLVM_TRACE_COUNT; i++)
		fprintf(stderr, "%s %s", i ? "," : "", cxlvm_trace_name((enum cxlvm_trace_id)i));
	fputc('\n', stderr);
	return false;
}

static bool parse_time_limit(struct parser *parser, const char *value)
{
	if (parse_number(value, 1, TIME_LIMIT_MAX, &parser->options->config.time_limit))
		return true;
	return refuse(parser, "--time-limit '%s' is not a number of seconds\n  hint: 1 to %d",
		      value, TIME_LIMIT_MAX);
}

static bool parse_json(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->json = true;
	return true;
}

static bool parse_help(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->help = true;
	return true;
}

#ifdef CXLVM_TEST_SWITCHES
static bool parse_break(struct parser *parser, const char *value)
{
	if (!strcmp(value, "hb-decoder"))
		parser->options->config.break_hb_decoder = true;
	else if (!strcmp(value, "no-program"))
		parser->options->config.break_no_program = true;
	else
		return refuse(parser, "--break '%s' is not known\n  hint: hb-decoder or no-program",
			      value);
	return true;
}
#endif

static const struct option options_table[] = {
	{ "kernel", "FILE", "Linux bzImage", true, true, parse_kernel },
	{ "initrd", "FILE", "initial RAM disk", true, true, parse_initrd },
	{ "append", "STRING", "kernel command line, instead of " VM_DEFAULT_APPEND, true, true,
	  parse_append },
	{ "memory", "SIZE", "guest RAM, default 512M", true, true, parse_memory },
	{ "device", "sim,size=SIZE[,KEY=VALUE...]",
	  "a software CXL device; keys: generation (2, 2n, 3 to 6), window-base, decoder (locked, "
	  "guest), memory-file; repeatable",
	  true, true, parse_device },
	{ "phys-bits", "N", "guest address width, instead of KVM's", true, true, parse_phys_bits },
	{ "trace", "PATTERN", "print trace points whose name matches", true, true, parse_trace },
	{ "time-limit", "SECONDS", "dump registers and end after that time", true, true,
	  parse_time_limit },
#ifdef CXLVM_TEST_SWITCHES
	{ "break", "hb-decoder|no-program", "leave out a step, to test the tests", true, true,
	  parse_break },
#endif
	{ "json", NULL, "print JSON instead of text", false, true, parse_json },
	{ "help", NULL, "print this", true, true, parse_help },
};

static bool applies(const struct option *option, bool plan)
{
	return plan ? option->plan : option->run;
}

static bool unknown_option(const struct parser *parser, bool plan, const char *text)
{
	refuse(parser, text[0] == '-' ? "unknown option '%s'" : "unexpected argument '%s'", text);
	fputs("  hint: options are", stderr);
	for (size_t i = 0, n = 0; i < ARRAY_SIZE(options_table); i++) {
		if (applies(&options_table[i], plan))
			fprintf(stderr, "%s --%s", n++ ? "," : "", options_table[i].name);
	}
	fputc('\n', stderr);
	return false;
}

/* Both "--name value" and "--name=value". */
static const struct option *find_option(const char *text, bool plan, const char **value)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);

	*value = equals ? equals + 1 : NULL;
	if (length < 3 || strncmp(text, "--", 2))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(options_table); i++) {
		const struct option *option = &options_table[i];

		if (applies(option, plan) && strlen(option->name) == length - 2 &&
		    !strncmp(option->name, text + 2, length - 2))
			return option;
	}
	return NULL;
}

bool options_parse(struct options *options, bool plan, int argc, char **argv)
{
	struct parser parser = { .command = argv[0], .options = options };

	memset(options, 0, sizeof(*options));
	options->config.memory = VM_DEFAULT_MEMORY;
	options->config.plan = plan;
	for (int i = 1; i < argc; i++) {
		const char *value;
		const struct option *option = find_option(argv[i], plan, &value);

		if (!option)
			return unknown_option(&parser, plan, argv[i]);
		if (!option->argument && value)
			return refuse(&parser, "--%s takes no value", option->name);
		if (option->argument && !value) {
			if (++i == argc)
				return refuse(&parser, "--%s needs a value\n  hint: --%s %s",
					      option->name, option->name, option->argument);
			value = argv[i];
		}
		if (!option->parse(&parser, value))
			return false;
	}
	if (options->help)
		return true;
	if (options->config.initrd && !options->config.kernel)
		return refuse(&parser, "--initrd without --kernel\n  hint: add --kernel FILE");
	if (!plan && !options->config.kernel)
		return refuse(&parser,
			      "--kernel is missing\n  hint: --kernel FILE, a Linux bzImage");
	return true;
}

void options_finish(struct options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(options->device_texts); i++)
		free(options->device_texts[i]);
	memset(options, 0, sizeof(*options));
}

void options_help(FILE *to, bool plan)
{
	for (size_t i = 0; i < ARRAY_SIZE(options_table); i++) {
		const struct option *option = &options_table[i];

		if (applies(option, plan))
			fprintf(to, "  --%s%s%s\n        %s\n", option->name,
				option->argument ? " " : "",
				option->argument ? option->argument : "", option->help);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c - the options of run and plan */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "device_options.h"
#include "parse.h"

#define PHYS_BITS_MIN  32
#define PHYS_BITS_MAX  52
#define TIME_LIMIT_MAX 1000000

struct option {
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
	bool run, plan;
	bool (*parse)(struct parser *parser, const char *value);
};

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
	return parse_refuse(
		parser, "--memory '%s' is not a size\n  hint: for example --memory 512M", value);
}

static bool parse_phys_bits(struct parser *parser, const char *value)
{
	if (parse_number(value, PHYS_BITS_MIN, PHYS_BITS_MAX, &parser->options->config.phys_bits))
		return true;
	return parse_refuse(parser,
			    "--phys-bits '%s' is not a number of address bits\n  hint: %d to %d",
			    value, PHYS_BITS_MIN, PHYS_BITS_MAX);
}

static bool parse_cpus(struct parser *parser, const char *value)
{
	if (parse_number(value, 1, VM_CPUS_MAX, &parser->options->config.cpus))
		return true;
	return parse_refuse(parser, "--cpus '%s' is not a number of virtual CPUs\n  hint: 1 to %d",
			    value, VM_CPUS_MAX);
}

static bool parse_numa(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->config.numa = true;
	return true;
}

static bool parse_control(struct parser *parser, const char *value)
{
	parser->options->config.control = value;
	return value[0] ||
	       parse_refuse(parser, "--control is empty\n  hint: give the path of a socket");
}

static bool parse_events(struct parser *parser, const char *value)
{
	parser->options->config.events = value;
	return value[0] ||
	       parse_refuse(parser, "--events is empty\n  hint: give the path of a file");
}

static bool parse_no_reboot(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->config.no_reboot = true;
	return true;
}

static bool parse_trace(struct parser *parser, const char *value)
{
	for (unsigned int i = 0; i < CXLVM_TRACE_COUNT; i++) {
		if (!fnmatch(value, cxlvm_trace_name((enum cxlvm_trace_id)i), 0)) {
			parser->options->config.trace = value;
			return true;
		}
	}
	parse_refuse(parser, "--trace: no trace point matches '%s'", value);
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
	return parse_refuse(parser, "--time-limit '%s' is not a number of seconds\n  hint: 1 to %d",
			    value, TIME_LIMIT_MAX);
}

static bool parse_json(struct parser *parser, const char *value)
{
	(void)value;
	parser->options->json = true;
	return true;
}

static bool parse_svg(struct parser *parser, const char *value)
{
	parser->options->svg = value;
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
		return parse_refuse(parser,
				    "--break '%s' is not known\n  hint: hb-decoder or no-program",
				    value);
	return true;
}
#endif

static const struct option options_table[] = {
	{ "kernel", "FILE", "Linux bzImage, or vmlinux with a PVH entry", true, true,
	  parse_kernel },
	{ "initrd", "FILE", "initial RAM disk", true, true, parse_initrd },
	{ "append", "STRING", "kernel command line, instead of " VM_DEFAULT_APPEND, true, true,
	  parse_append },
	{ "memory", "SIZE", "guest RAM, default 512M", true, true, parse_memory },
	{ "cpus", "N", "virtual CPUs, default 1", true, true, parse_cpus },
	{ "device",
	  "sim,size=SIZE[,KEY=VALUE...] | user:SOCKET[,KEY=VALUE...] | vfio:DEVICE[,KEY=VALUE...]",
	  "a software CXL device in this process, one of a vfio-user server, or a PCI device of this "
	  "host (its address, its folder in /sys, or fd=N); repeatable; keys:",
	  true, true, device_options_parse },
	{ "phys-bits", "N", "guest address width, instead of KVM's", true, true, parse_phys_bits },
	{ "trace", "PATTERN", "print trace points whose name matches", true, true, parse_trace },
	{ "numa", NULL, "give each CXL window a NUMA node of its own", true, true, parse_numa },
	{ "control", "SOCKET", "listen there for commands (cxlvm ctl)", true, true, parse_control },
	{ "events", "FILE", "append what happens, as lines of JSON", true, true, parse_events },
	{ "no-reboot", NULL, "end the run when the guest resets itself", true, true,
	  parse_no_reboot },
	{ "time-limit", "SECONDS", "dump registers and end after that time", true, true,
	  parse_time_limit },
#ifdef CXLVM_TEST_SWITCHES
	{ "break", "hb-decoder|no-program", "leave out a step, to test the tests", true, true,
	  parse_break },
#endif
	{ "json", NULL, "print JSON instead of text", false, true, parse_json },
	{ "svg", "FILE", "draw a picture as well", false, true, parse_svg },
	{ "help", NULL, "print this", true, true, parse_help },
};

static bool applies(const struct option *option, bool plan)
{
	return plan ? option->plan : option->run;
}

static bool unknown_option(const struct parser *parser, bool plan, const char *text)
{
	parse_refuse(parser, text[0] == '-' ? "unknown option '%s'" : "unexpected argument '%s'",
		     text);
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
			return parse_refuse(&parser, "--%s takes no value", option->name);
		if (option->argument && !value) {
			if (++i == argc)
				return parse_refuse(&parser, "--%s needs a value\n  hint: --%s %s",
						    option->name, option->name, option->argument);
			value = argv[i];
		}
		if (!option->parse(&parser, value))
			return false;
	}
	if (options->help)
		return true;
	if (options->config.initrd && !options->config.kernel)
		return parse_refuse(&parser,
				    "--initrd without --kernel\n  hint: add --kernel FILE");
	if (!plan && !options->config.kernel)
		return parse_refuse(&parser,
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
		if (applies(option, plan) && option->parse == device_options_parse)
			device_options_help(to);
	}
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* options.h - the options of run and plan, which describe a machine */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "vm.h"

struct options {
	struct vm_config config;
	bool json;       /* plan only */
	const char *svg; /* plan only; NULL: no picture */
	bool help;
	char *device_texts[CXLVM_WINDOWS_MAX]; /* what config.devices points into */
};

/*
 * argv[0] is the command. false: it is not understood, and a message has been printed. Either
 * way the options are ended with options_finish.
 */
bool options_parse(struct options *options, bool plan, int argc, char **argv);
void options_finish(struct options *options);

/* The options of run or plan, one a line. */
void options_help(FILE *to, bool plan);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* device_options.h - the keys of --device */
#ifndef CLI_DEVICE_OPTIONS_H
#define CLI_DEVICE_OPTIONS_H

#include <stdio.h>

#include "parse.h"

/* One more device: KIND,KEY=VALUE... false: a message has been printed. */
bool device_options_parse(struct parser *parser, const char *value);

/* The keys, one a line. */
void device_options_help(FILE *to);

#endif

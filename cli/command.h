/* SPDX-License-Identifier: BSD-3-Clause */
/* command.h - what the commands of cxlvm share */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <stdio.h>

#include <cxlvm/base.h>

/* Exit status of the program. */
#define STATUS_OK     0
#define STATUS_FAILED 1   /* what was asked for cannot work, or did not */
#define STATUS_USAGE  2   /* it was not understood */
#define STATUS_SIGNAL 128 /* and the number of the signal that stopped a run */

struct command {
	const char *name;
	const char *summary;
	/* argv[0] is the command's name. Returns the exit status. */
	int (*run)(int argc, char **argv);
	void (*help)(FILE *to);
};

extern const struct command command_run;
extern const struct command command_ctl;
extern const struct command command_plan;
extern const struct command command_decode;
extern const struct command command_device;
extern const struct command command_list;
extern const struct command command_check;

/* "cxlvm COMMAND: MESSAGE" and, if there is one, "  hint: HINT" to standard error. */
void print_error(const char *command, const struct cxlvm_error *err);

#endif

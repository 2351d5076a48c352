/* SPDX-License-Identifier: BSD-3-Clause */
/* list.c - cxlvm list: the CXL devices of a machine, and those that are bound to VFIO */
#include <stdio.h>
#include <string.h>

#include "capture.h"
#include "command.h"
#include "emit.h"
#include "list.h"

struct request {
	const char *capture;
	const char *where; /* NULL: this machine */
	bool json;
	bool numeric;
	bool help;
};

static void help(FILE *to)
{
	fputs("usage: cxlvm list [--json] [--numeric] [--sysfs PATH] [--capture FILE]\n\n"
	      "List the CXL devices and those that are bound to VFIO, with what is known of them\n"
	      "without opening one.\n\n"
	      "  --json          print JSON instead of a table\n"
	      "  --numeric       print numbers of vendors and devices, not their names\n"
	      "  --sysfs PATH    look at a captured machine, or at a folder that holds the folders\n"
	      "                  sys, proc and dev, instead of this machine\n"
	      "  --capture FILE  write what list and check look at to FILE instead, without serial\n"
	      "                  numbers\n"
	      "  --help          this text\n",
	      to);
}

static bool refuse(const char *what, const char *text)
{
	fprintf(stderr, "cxlvm list: %s '%s'\n  hint: cxlvm help list\n", what, text);
	return false;
}

static bool parse(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *text = argv[i], **value = NULL;
		size_t len = strcspn(text, "=");

		if (!strcmp(text, "--json"))
			request->json = true;
		else if (!strcmp(text, "--numeric"))
			request->numeric = true;
		else if (!strcmp(text, "--help"))
			request->help = true;
		else if (len == 7 && !strncmp(text, "--sysfs", len))
			value = &request->where;
		else if (len == 9 && !strncmp(text, "--capture", len))
			value = &request->capture;
		else
			return refuse(text[0] == '-' ? "unknown option" : "unexpected argument",
				      text);
		if (!value)
			continue;
		*value = text[len] ? text + len + 1 : argv[++i];
		if (!*value || !**value)
			return refuse("a value is missing behind", text);
	}
	if (request->capture && request->json)
		return refuse("--capture writes a file of its own kind, not", "--json");
	return true;
}

static int list(const struct request *request, struct fs *fs, struct cxlvm_error *err)
{
	struct host *host;
	int ret;

	if (request->capture)
		return capture_write(fs, request->capture, NULL, NULL, err);
	ret = host_scan(fs, !request->numeric, &host, err);
	if (ret)
		return ret;
	(request->json ? list_json : list_text)(host);
	host_free(host);
	return 0;
}

static int run(int argc, char **argv)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct request request = { .json = false };
	struct fs *fs = NULL;
	int ret;

	if (!parse(&request, argc, argv))
		return STATUS_USAGE;
	if (request.help) {
		help(stdout);
		return STATUS_OK;
	}
	ret = fs_open(request.where, &fs, &err);
	if (!ret)
		ret = list(&request, fs, &err);
	fs_close(fs);
	if (ret) {
		print_error("list", &err);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

const struct command command_list = {
	.name = "list",
	.summary = "list CXL devices and those bound to VFIO",
	.run = run,
	.help = help,
};

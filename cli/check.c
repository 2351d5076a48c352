/* SPDX-License-Identifier: BSD-3-Clause */
/* check.c - cxlvm check: all that passthrough needs, link by link */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "check.h"
#include "command.h"
#include "emit.h"
#include "layout.h"
#include "list.h"
#include "parse.h"

#define FORMAT_VERSION 1
#define MEMORY_DEFAULT ((uint64_t)4 << 30)

struct request {
	const char *device;
	const char *where; /* NULL: this machine */
	const char *capture;
	uint64_t memory_size;
	bool json;
	bool all;
	bool open;
	bool help;
};

static const char *const state_names[] = {
	[CHECK_OK] = "ok",
	[CHECK_WARNING] = "warning",
	[CHECK_UNKNOWN] = "unknown",
	[CHECK_BROKEN] = "broken",
};

static void help(FILE *to)
{
	fputs("usage: cxlvm check [--memory SIZE] [--all] [--open [--capture FILE]] [--json]\n"
	      "                   [--sysfs PATH] [DEVICE]\n\n"
	      "Look at all that passing a device to a virtual machine needs, and print the first\n"
	      "thing that is missing with the command that mends it. DEVICE is the address of a PCI\n"
	      "function; without it the only CXL Type-2 device, else the only one bound to VFIO.\n\n"
	      "  --memory SIZE  of the guest; default 4G\n"
	      "  --all          go on behind the first thing that is missing\n"
	      "  --open         open the device, which RESETS it, to see what only that tells\n"
	      "  --capture FILE with --open: write the machine and what the device answers to FILE\n"
	      "  --json         print everything as JSON\n"
	      "  --sysfs PATH   look at a captured machine, or at a folder that holds the folders\n"
	      "                 sys, proc and dev, instead of this machine\n"
	      "  --help         this text\n\n"
	      "Exit status: 0 ready as far as can be seen, 1 not ready, 2 wrong use.\n",
	      to);
}

/* Somebody named a device that is not there: nothing else is as important. */
static bool is_wrong_name(const struct check *check)
{
	return check->wanted && !check->device;
}

/* The first link that is broken; CHECK_LINKS: none is. */
static size_t first_broken(const struct check *check, const struct check_result *results)
{
	size_t i = 0;

	while (is_wrong_name(check) && i < CHECK_LINKS && check_links[i].look != check_device)
		i++;
	while (i < CHECK_LINKS && results[i].state != CHECK_BROKEN)
		i++;
	return i;
}

static void print_link(const char *name, const struct check_result *result)
{
	printf("%-8s %-14s %s\n",
	       result->state == CHECK_BROKEN ? "BROKEN" : state_names[result->state], name,
	       result->message);
	if (result->hint[0])
		printf("%23s %s: %s\n", "", result->state == CHECK_BROKEN ? "mend it" : "hint",
		       result->hint);
}

static void print_text(const struct check *check, bool all, const struct check_result *results)
{
	size_t broken = first_broken(check, results), unknown = 0;

	for (size_t i = is_wrong_name(check) && !all ? broken : 0; i < CHECK_LINKS; i++) {
		if (i > broken && !all)
			break;
		print_link(check_links[i].name, &results[i]);
		unknown += results[i].state == CHECK_UNKNOWN;
	}
	putchar('\n');
	if (broken < CHECK_LINKS) {
		printf("not ready: %s\n", check_links[broken].name);
		if (!all && broken + 1 < CHECK_LINKS)
			puts("what comes after it: cxlvm check --all");
		return;
	}
	printf("ready%s: %s\n", unknown ? " as far as can be seen" : "", check->device->address);
	if (!unknown)
		return;
	printf("not seen:");
	for (size_t i = 0; i < CHECK_LINKS; i++) {
		if (results[i].state == CHECK_UNKNOWN)
			printf(" %s", check_links[i].name);
	}
	putchar('\n');
}

static void print_json(const struct check *check, const struct check_result *results)
{
	struct json_object *document = json_object_new_object(), *array = json_object_new_array();
	size_t broken = first_broken(check, results);
	bool complete = true;

	for (size_t i = 0; i < CHECK_LINKS; i++) {
		struct json_object *link = json_object_new_object();

		emit_string(link, "link", check_links[i].name);
		emit_string(link, "state", state_names[results[i].state]);
		emit_string(link, "message", results[i].message);
		emit_string(link, "hint", results[i].hint);
		json_object_array_add(array, link);
		complete = complete && results[i].state != CHECK_UNKNOWN;
	}
	emit_u64(document, "version", FORMAT_VERSION);
	emit_bool(document, "ready", broken == CHECK_LINKS);
	emit_bool(document, "complete", complete);
	if (check->device)
		emit_string(document, "host", check->device->address);
	emit_u64(document, "memory_size", check->memory_size);
	if (broken < CHECK_LINKS)
		emit_string(document, "first_broken", check_links[broken].name);
	json_object_object_add(document, "links", array);
	emit_document(document);
}

/*
 * The only device that is wanted (matches): false when there are several, with a message. NULL when
 * there is none.
 */
static bool find_only(struct check *check, bool (*matches)(const struct host_device *device),
		      const char *what)
{
	for (size_t i = 0; check->host->devices && i < check->host->n_devices; i++) {
		struct host_device *device = &check->host->devices[i];

		if (!matches(device))
			continue;
		if (check->device) {
			fprintf(stderr,
				"cxlvm check: which device? %s and %s are both %s\n"
				"  hint: cxlvm check %s\n",
				check->device->address, device->address, what,
				check->device->address);
			return false;
		}
		check->device = device;
	}
	return true;
}

static bool is_type2(const struct host_device *device)
{
	return host_type(device) == 2;
}

static bool is_vfio(const struct host_device *device)
{
	return device->vfio;
}

/* [DOMAIN:]BUS:SLOT.FUNCTION; the domain is 0 without. */
static bool parse_address(const char *text, char address[static 32])
{
	const char *colon = strchr(text, ':');
	unsigned long parts[4] = { 0 };

	if (text[strspn(text, "0123456789abcdefABCDEF:.")])
		return false;
	for (unsigned int i = colon && strchr(colon + 1, ':') ? 0 : 1; i < 4; i++) {
		char *end;

		parts[i] = strtoul(text, &end, 16);
		if (end == text || end - text > (i ? 2 : 8) || *end != "::."[i])
			return false;
		text = end + 1;
	}
	snprintf(address, 32, "%04lx:%02lx:%02lx.%lx", parts[0], parts[1], parts[2], parts[3]);
	return parts[2] < 32 && parts[3] < 8;
}

/* The device whose folder a path leads to. False: it leads to something else. */
static bool find_folder(struct check *check)
{
	char folder[FS_PATH_MAX];

	if (fs_resolve(check->fs, check->wanted, folder))
		return true;
	check->device = host_find(check->host, strrchr(folder, '/') + 1);
	return check->device || !fs_exists(check->fs, folder);
}

/*
 * What run takes behind vfio:, and the names that list shows. False, with a message, when it cannot be
 * a device.
 */
static bool find_device(struct check *check, char address[static 32])
{
	const char *named = check->wanted;

	if (!named)
		return find_only(check, is_type2, "CXL Type-2 devices") &&
		       (check->device || find_only(check, is_vfio, "bound to VFIO"));
	if (!strncmp(named, "vfio:", 5))
		check->wanted += 5;
	if (check->wanted[0] == '/') {
		if (find_folder(check))
			return true;
	} else {
		check->device = host_find(check->host, check->wanted);
		if (check->device)
			return true;
		if (parse_address(check->wanted, address)) {
			check->wanted = address;
			check->device = host_find(check->host, address);
			return true;
		}
	}
	fprintf(stderr,
		"cxlvm check: '%s' names no device\n"
		"  hint: its address as lspci -D writes it (0000:17:00.0), its folder "
		"(/sys/bus/pci/devices/0000:17:00.0), or a name that cxlvm list shows; no descriptor, no "
		"other kinds of devices, and none of the keys of cxlvm run --device\n",
		named);
	return false;
}

/* A capture that was asked for, of a device that was not opened: the rest of it, and that it is so. */
static void capture_rest(const struct request *request, const struct check *check,
			 struct cxlvm_error *err)
{
	if (capture_write(check->fs, request->capture, NULL, NULL, err))
		return;
	fprintf(stderr,
		"cxlvm check: %s holds the machine without answers of a device: %s\n"
		"  hint: mend what is broken below and take it again\n",
		request->capture, check->device ? "it could not be opened" : "there is none");
}

static int check_host(const struct request *request, struct fs *fs, struct host *host)
{
	struct check check = {
		.fs = fs,
		.host = host,
		.wanted = request->device,
		.memory_size = request->memory_size,
		.cpu = check_find_cpu(fs),
		.replayed = request->where,
	};
	struct check_opened opened = { .cxl = false };
	struct check_result *results;
	char address[32];
	int status;

	if (!find_device(&check, address))
		return STATUS_USAGE;
	if (request->open && check.device) {
		check_open(&check, request->capture, &opened);
		check.opened = &opened;
	}
	if (request->capture && (!check.device || opened.open_error.code))
		capture_rest(request, &check, &opened.record_error);
	if (opened.record_error.code)
		print_error("check", &opened.record_error);
	results = calloc(CHECK_LINKS, sizeof(*results));
	if (!results) {
		fputs("cxlvm check: no memory for the results\n", stderr);
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < CHECK_LINKS; i++)
		check_links[i].look(&check, &results[i]);
	if (request->json)
		print_json(&check, results);
	else
		print_text(&check, request->all, results);
	status = first_broken(&check, results) == CHECK_LINKS ? STATUS_OK : STATUS_FAILED;
	if (opened.record_error.code)
		status = STATUS_FAILED;
	free(results);
	return status;
}

static bool refuse(const char *what, const char *text, const char *hint)
{
	fprintf(stderr, "cxlvm check: %s '%s'\n  hint: %s\n", what, text, hint);
	return false;
}

static bool parse_value(struct request *request, const char *name, size_t len, const char *value)
{
	if (!value || !*value)
		return refuse("a value is missing behind", name, "cxlvm help check");
	if (len == 7 || len == 9) {
		*(len == 7 ? &request->where : &request->capture) = value;
		return true;
	}
	if (!parse_size(value, &request->memory_size))
		return refuse("--memory is not a size:", value, "for example --memory 16G");
	if (request->memory_size < LAYOUT_RAM_MIN)
		return refuse("--memory is less than a guest of cxlvm run has (64M):", value,
			      "sizes are bytes without K, M, G or T behind them: for example 16G");
	return true;
}

static bool parse(struct request *request, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *text = argv[i];
		size_t len = strcspn(text, "=");

		if (!strcmp(text, "--json")) {
			request->json = true;
		} else if (!strcmp(text, "--all")) {
			request->all = true;
		} else if (!strcmp(text, "--open")) {
			request->open = true;
		} else if (!strcmp(text, "--help")) {
			request->help = true;
		} else if ((len == 7 && !strncmp(text, "--sysfs", len)) ||
			   (len == 9 && !strncmp(text, "--capture", len)) ||
			   (len == 8 && !strncmp(text, "--memory", len))) {
			const char *value = text[len] ? text + len + 1 : argv[++i];

			if (!parse_value(request, text, len, value))
				return false;
		} else if (text[0] == '-') {
			return refuse("unknown option", text, "cxlvm help check");
		} else if (request->device) {
			return refuse("unexpected argument", text, "one DEVICE at a time");
		} else {
			request->device = text;
		}
	}
	if (request->capture && (!request->open || request->where))
		return refuse(
			"nothing is opened for", "--capture",
			"cxlvm check --open --capture FILE, without --sysfs; without opening a "
			"device: cxlvm list --capture FILE");
	return true;
}

static int run(int argc, char **argv)
{
	struct request request = { .memory_size = MEMORY_DEFAULT };
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct host *host = NULL;
	struct fs *fs = NULL;
	int status = STATUS_FAILED;

	if (!parse(&request, argc, argv))
		return STATUS_USAGE;
	if (request.help) {
		help(stdout);
		return STATUS_OK;
	}
	if (fs_open(request.where, &fs, &err) || host_scan(fs, false, &host, &err))
		print_error("check", &err);
	else
		status = check_host(&request, fs, host);
	host_free(host);
	fs_close(fs);
	return status;
}

const struct command command_check = {
	.name = "check",
	.summary = "find what is missing to pass a device through",
	.run = run,
	.help = help,
};

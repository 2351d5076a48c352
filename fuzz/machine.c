/* SPDX-License-Identifier: BSD-3-Clause */
/* Target: captured machines, with all that list and check look at in them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"
#include "check.h"
#include "fuzz.h"
#include "list.h"
#include "replay.h"

#define DEVICES_LOOKED_AT 3

static void check_text(const char *text)
{
	for (; *text; text++)
		FUZZ_CHECK(*text >= ' ' && *text <= '~');
}

static void look(struct fs *fs, struct host *host, struct host_device *device)
{
	struct check check = {
		.fs = fs,
		.host = host,
		.device = device,
		.memory_size = (uint64_t)4 << 30,
		.cpu = check_find_cpu(fs),
		.replayed = true,
	};
	struct check_opened opened;

	if (device && replay_exists(fs, device->address)) {
		check_open(&check, NULL, &opened);
		check.opened = &opened;
	}
	for (unsigned int i = 0; i < CHECK_LINKS; i++) {
		struct check_result result = { .state = CHECK_OK };

		check_links[i].look(&check, &result);
		FUZZ_CHECK(result.message[0]);
		FUZZ_CHECK(result.state != CHECK_BROKEN || result.hint[0]);
		check_text(result.message);
		check_text(result.hint);
	}
}

/* What was captured of it can be read again. */
static void capture(struct fs *fs)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	int fd = memfd_create("capture", MFD_CLOEXEC);
	struct fs *again;
	char path[64];

	FUZZ_CHECK(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	FUZZ_CHECK(!capture_write(fs, path, NULL, NULL, &err));
	FUZZ_CHECK(!fs_open_tree(path, &again, &err));
	fs_close(again);
	close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cxlvm_error err = CXLVM_ERROR_INIT;
	struct host *host;
	struct fs *fs;
	int ret = fs_parse_tree((const char *)data, size, "input", &fs, &err);

	FUZZ_CHECK(ret == err.code);
	if (ret)
		return 0;
	if (!host_scan(fs, false, &host, &err)) {
		list_text(host);
		list_json(host);
		look(fs, host, NULL);
		for (size_t i = 0; i < host->n_devices && i < DEVICES_LOOKED_AT; i++)
			look(fs, host, &host->devices[i]);
		host_free(host);
	}
	capture(fs);
	fs_close(fs);
	return 0;
}

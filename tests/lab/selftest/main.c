// SPDX-License-Identifier: BSD-3-Clause
/*
 *   selftest [--iommufd] SYSFS-PATH GENERATION [DEBUGFS-FOLDER [NAME]]
 *
 * Makes all checks of the kernel's selftests that this generation has, on one device that nobody else
 * uses: by its group, or with --iommufd by its character device. With the folder of the lab's device in debugfs it also looks from the device's side. The
 * names of its tests begin with NAME. Speaks TAP.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selftest.h"

int main(int argc, char **argv)
{
	struct session session = { .device = -1 };
	char about[32];

	if (argc > 1 && !strcmp(argv[1], "--iommufd")) {
		session.wants_iommufd = true;
		argv++;
		argc--;
	}
	if (argc < 3 || argc > 5) {
		fprintf(stderr,
			"usage: selftest [--iommufd] SYSFS-PATH GENERATION [DEBUGFS-FOLDER [NAME]]\n");
		return 2;
	}
	session.path = argv[1];
	session.generation =
		strcmp(argv[2], "2n") ? (unsigned int)strtoul(argv[2], NULL, 10) : GENERATION_2N;
	session.debug = argc > 3 ? argv[3] : NULL;
	snprintf(about, sizeof(about), "generation %.8s", argv[2]);
	tests_are_about(argc > 4 ? argv[4] : about);
	session_open(&session);
	check_discovery(&session);
	check_memory(&session);
	check_registers(&session);
	check_config(&session);
	check_power(&session);
	if (session.debug)
		check_device(&session);
	check_torture(&session);
	return finish();
}

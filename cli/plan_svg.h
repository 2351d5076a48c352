/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_svg.h - a plan as a picture */
#ifndef CLI_PLAN_SVG_H
#define CLI_PLAN_SVG_H

#include <cxlvm/base.h>

struct vm;

/*
 * Write the picture to a file, which is replaced; when that fails there is none. -ENOMEM, -ENODEV, or
 * what the file system says.
 */
int plan_svg_write(struct vm *vm, const char *path, struct cxlvm_error *err);

#endif

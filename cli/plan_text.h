/* SPDX-License-Identifier: BSD-3-Clause */
/* plan_text.h - a plan for people */
#ifndef CLI_PLAN_TEXT_H
#define CLI_PLAN_TEXT_H

#include <cxlvm/base.h>

struct vm;

/* Print to standard output; whoever calls flushes it and checks. -ENOMEM, -ENODEV. */
int plan_text_print(struct vm *vm, struct cxlvm_error *err);

#endif

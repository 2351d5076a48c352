/* SPDX-License-Identifier: BSD-3-Clause */
/* cmocka with everything that it wants to be included before it. */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What fail_msg ends in: it leaves the test, which the header of cmocka does not say. */
void _fail(const char *const file, const int line) __attribute__((noreturn));

#ifdef CXLVM_ANALYZE
/* For ./dev analyze: what follows an assertion runs only if it held. */
#undef assert_true
#undef assert_non_null
#define assert_true(c)     ((c) ? (void)0 : _fail(__FILE__, __LINE__))
#define assert_non_null(c) assert_true((c) != NULL)
#endif

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif

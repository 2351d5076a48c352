/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Structures that begin with their size, between a caller and a library of different versions: the
 * rules of cxlvm/base.h, for all of them.
 */
#ifndef CXLVM_BASE_SIZED_H
#define CXLVM_BASE_SIZED_H

#include <cxlvm/base.h>

/* Bytes of a structure up to and with a member. */
#define SIZE_WITH(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

/*
 * Take over a configuration, to->size included: what the caller does not know is 0. -EINVAL below
 * first bytes, which every caller has; -E2BIG when the caller asks for what this library does not
 * know. what names it in the message.
 */
int sized_config_take(void *to, size_t known, size_t first, const void *from, const char *what,
		      struct cxlvm_error *err);

/* Take over a table of functions: those that the caller does not know are absent. */
void sized_table_take(void *to, size_t known, const void *from);

/* Give size bytes to the caller: what this library does not know is 0. */
void sized_give(void *to, size_t size, const void *from, size_t known);

#endif

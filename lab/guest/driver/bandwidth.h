/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
#ifndef CXLVM_T2_BANDWIDTH_H
#define CXLVM_T2_BANDWIDTH_H

#include <linux/sizes.h>
#include <linux/types.h>

#define T2_BANDWIDTH_BYTES SZ_16M

struct seq_file;

/**
 * t2_bandwidth_show() - compare loads from device memory with loads from guest RAM
 * @file: where the result goes, see region.c
 * @memory: device memory, at least T2_BANDWIDTH_BYTES of it
 *
 * Return: 0, -ENOMEM, or -EINTR after a signal.
 */
int t2_bandwidth_show(struct seq_file *file, const u64 *memory);

#endif

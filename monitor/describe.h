/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * describe.h - the machine as JSON, for cxlvm plan and the control socket: one shape for both
 *
 * The shapes are described in cxlvm-plan(1) and docs/control.md. Each result belongs to the caller.
 * Takes the devices' locks; the machine may run.
 */
#ifndef MONITOR_DESCRIBE_H
#define MONITOR_DESCRIBE_H

#include <cxlvm/base.h>

struct json_object;
struct vm;

struct json_object *describe_windows(const struct vm *vm);
struct json_object *describe_hosts(const struct vm *vm);
struct json_object *describe_devices(struct vm *vm);
/* Root, host-bridge and endpoint decoders as a guest finds them. */
struct json_object *describe_decoders(struct vm *vm, struct cxlvm_error *err);
struct json_object *describe_map(struct vm *vm, struct cxlvm_error *err);
/* Decoder registers and counters of each device. */
struct json_object *describe_registers(struct vm *vm);

#endif

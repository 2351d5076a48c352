/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the control socket of cxlvm device: statistics and faults
 *
 * One JSON object a line, each answered with one. The commands are described in cxlvm-device(1). One
 * connection at a time; the next one waits until it ends.
 */
#ifndef CLI_CONTROL_H
#define CLI_CONTROL_H

#include <cxlvm/server.h>

struct control;

/* Listen at path; what is asked for is done with server, which has to be set before any step. */
int control_create(const char *path, struct control **out, struct cxlvm_error *err);
void control_set_server(struct control *control, struct cxlvm_server *server);
void control_destroy(struct control *control);

/* What to wait for, readable: the connection, else the socket that listens. */
int control_fd(const struct control *control);

/* It is readable: answer whole lines, or take the next connection. Never blocks. */
void control_step(struct control *control);

#endif

/* SPDX-License-Identifier: BSD-3-Clause */
/* cxlvm/cxlvm.h - all of libcxlvm */
#ifndef CXLVM_CXLVM_H
#define CXLVM_CXLVM_H

#include <cxlvm/acpi.h>
#include <cxlvm/base.h>
#include <cxlvm/bridge.h>
#include <cxlvm/host.h>
#include <cxlvm/kernel.h>
#include <cxlvm/passthrough.h>
#include <cxlvm/regs.h>
#include <cxlvm/server.h>
#include <cxlvm/vfio.h>
#include <cxlvm/window.h>

#endif

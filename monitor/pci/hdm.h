/* SPDX-License-Identifier: BSD-3-Clause */
/* hdm.h - a device's HDM decoder 0, found and read the way the guest does it */
#ifndef MONITOR_PCI_HDM_H
#define MONITOR_PCI_HDM_H

#include <stdint.h>

#include <cxlvm/base.h>

struct device;

struct hdm_decoder {
	uint32_t bar; /* where the HDM decoder capability is */
	uint64_t offset;
	uint64_t base;
	uint64_t size;
	uint32_t control;
	uint32_t global_control;
};

/* HDM Decoder Control (CXL 3.1, 8.2.4.20.7). */
#define HDM_CONTROL_LOCK      (1u << 8)
#define HDM_CONTROL_COMMITTED (1u << 10)
#define HDM_CONTROL_ERROR     (1u << 11)
#define HDM_CONTROL_HOST_ONLY (1u << 12)

/* -ENODEV when config space or component block do not lead there. */
int hdm_read(struct device *device, struct hdm_decoder *decoder, struct cxlvm_error *err);

#endif

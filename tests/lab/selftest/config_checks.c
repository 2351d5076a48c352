// SPDX-License-Identifier: BSD-3-Clause
/* Config space, resets, power, and what a close puts back. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel_shape/uapi.h"
#include "selftest.h"

#define FEATURE_SET           (1u << 17)
#define FEATURE_LOW_POWER     3u
#define FEATURE_LOW_POWER_OFF 5u
#define PAGE                  4096u

static uint32_t dvsec_read(const struct session *session, unsigned int at)
{
	return read_number(session, &session->config, session->dvsec + at, 2);
}

static void dvsec_write(const struct session *session, unsigned int at, uint32_t value)
{
	write_number(session, &session->config, session->dvsec + at, 2, value);
}

static void check_dvsec(struct session *session)
{
	uint32_t capability = dvsec_read(session, DVSEC_CAPABILITY_AT), control, other;

	if (!result(session->dvsec, "there is a CXL Device DVSEC", "no"))
		return;
	dvsec_write(session, DVSEC_CAPABILITY_AT, ~capability & 0xffff);
	result(dvsec_read(session, DVSEC_CAPABILITY_AT) == capability,
	       "its capability cannot be written", "0x%x, was 0x%x",
	       dvsec_read(session, DVSEC_CAPABILITY_AT), capability);
	/* Clean eviction: a bit without consequences. */
	control = dvsec_read(session, DVSEC_CONTROL_AT);
	other = control ^ 0x800;
	dvsec_write(session, DVSEC_CONTROL_AT, other);
	result(dvsec_read(session, DVSEC_CONTROL_AT) == other, "its control can be written",
	       "0x%x, not 0x%x", dvsec_read(session, DVSEC_CONTROL_AT), other);
	if (!of_generation(session, "2n3"))
		return;
	/* Read as a byte, too: what a careless guest does. */
	dvsec_write(session, DVSEC_LOCK_AT, 1);
	dvsec_write(session, DVSEC_LOCK_AT, 0);
	result(dvsec_read(session, DVSEC_LOCK_AT) == 1 &&
		       read_number(session, &session->config, session->dvsec + DVSEC_LOCK_AT, 1) ==
			       1,
	       "the lock stays once it is set", "0x%x", dvsec_read(session, DVSEC_LOCK_AT));
	dvsec_write(session, DVSEC_CONTROL_AT, control);
	result(dvsec_read(session, DVSEC_CONTROL_AT) == other, "locked, control stays as it was",
	       "0x%x, not 0x%x", dvsec_read(session, DVSEC_CONTROL_AT), other);
}

static void check_guest_reset(struct session *session)
{
	uint32_t status;

	/* Generation 3 has no reset behind the bit; 2 hands it to the device. */
	if (of_generation(session, "3"))
		return;
	dvsec_write(session, DVSEC_CONTROL2_AT, CONTROL2_RESET);
	status = dvsec_read(session, DVSEC_STATUS2_AT);
	result(status & STATUS2_COMPLETE && !(status & STATUS2_ERROR) &&
		       (of_generation(session, "2") ||
			!(dvsec_read(session, DVSEC_CONTROL2_AT) & CONTROL2_RESET)),
	       "a guest's CXL reset completes", "status 0x%x, control 0x%x", status,
	       dvsec_read(session, DVSEC_CONTROL2_AT));
}

/* A read through the BAR that begins before the decoder and ends in it. */
static void check_split(struct session *session)
{
	uint64_t hdm = session->regs.geometry_offset;
	uint8_t around[16], before[8];
	static const uint8_t ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };
	int ret;

	if (!of_generation(session, "456"))
		return;
	ret = region_read(session, &session->bar, hdm - 8, around, sizeof(around));
	if (of_generation(session, "4")) {
		result(ret == EINVAL, "a read of the BAR into the decoder is refused", "errno %d",
		       ret);
		ret = region_read(session, &session->bar, hdm - 8, before, sizeof(before));
		result(!ret, "a read that ends before it is not", "errno %d", ret);
		return;
	}
	ret = ret ? ret : region_read(session, &session->bar, hdm - 8, before, sizeof(before));
	result(!ret && !memcmp(around, before, 8) && !memcmp(around + 8, ones, 8),
	       "a read of the BAR into the decoder gives ones there", "errno %d, %02x", ret,
	       around[8]);
}

static void check_space(struct session *session)
{
	volatile uint8_t *memory;
	uint32_t value = 0;
	int ret;

	memory = session->memory.flags & UAPI_REGION_FLAG_MMAP
			 ? region_map(session, &session->memory, 0, PAGE, NULL)
			 : NULL;
	if (!memory) {
		skip("Memory Space off and on", "this kernel does not map device memory");
		return;
	}
	*memory = 0x77;
	set_space(session, false);
	ret = region_read(session, &session->regs, session->hdm + HDM_CONTROL, &value, 4);
	if (session->memory_is_bar || of_generation(session, "45"))
		result(is_unreachable(memory), "without Memory Space memory cannot be reached",
		       "it can");
	else
		result(!is_unreachable(memory), "without Memory Space memory is still reached",
		       "it is not");
	if (of_generation(session, "6"))
		result(ret == EIO, "registers cannot be read then", "errno %d", ret);
	else if (of_generation(session, "5"))
		result(!ret && value == UINT32_MAX, "registers read ones then", "errno %d, 0x%x",
		       ret, value);
	else
		result(!ret && value != UINT32_MAX, "registers are read then", "errno %d, 0x%x",
		       ret, value);
	set_space(session, true);
	result(!is_unreachable(memory) && *memory == 0x77,
	       "with Memory Space again memory is there, as it was", "it is not");
	munmap((void *)memory, PAGE);
}

static void check_reset(struct session *session)
{
	uint32_t base = hdm_read(session, HDM_BASE_HIGH), control;
	uint8_t *memory = session->memory.flags & UAPI_REGION_FLAG_MMAP
				  ? region_map(session, &session->memory, 0, PAGE, NULL)
				  : NULL;

	if (memory)
		memory[5] = 0x99;
	result(session->flags & UAPI_INFO_FLAG_RESET && !ioctl(session->device, VFIO_DEVICE_RESET),
	       "the device can be reset", "flags 0x%x: %s", session->flags, strerror(errno));
	control = hdm_read(session, HDM_CONTROL);
	result(control & HDM_COMMITTED, "its decoder is committed afterwards", "control 0x%x",
	       control);
	if (of_generation(session, "456"))
		result(hdm_read(session, HDM_BASE_HIGH) == base, "with the same base", "%x, was %x",
		       hdm_read(session, HDM_BASE_HIGH), base);
	if (of_generation(session, "2"))
		result(!hdm_read(session, HDM_BASE_HIGH), "with base 0 again", "%x",
		       hdm_read(session, HDM_BASE_HIGH));
	if (!memory)
		return;
	if (of_generation(session, "56"))
		result(!is_unreachable(memory) && !memory[5],
		       "its memory is 0, by the mapping from before", "0x%x", memory[5]);
	else
		result(!is_unreachable(memory) && memory[5] == 0x99,
		       "its memory is as it was, by the mapping from before", "0x%x", memory[5]);
	munmap(memory, PAGE);
}

void check_config(struct session *session)
{
	check_dvsec(session);
	check_split(session);
	check_space(session);
	check_guest_reset(session);
	check_reset(session);
}

static int low_power(const struct session *session, uint32_t feature)
{
	uint32_t ask[2] = { sizeof(ask), FEATURE_SET | feature };

	return ioctl(session->device, VFIO_DEVICE_FEATURE, ask) ? errno : 0;
}

/* By the power management capability, which only a function has. */
static void check_d3hot(struct session *session)
{
	const char *name = "D3hot and back keeps the decoder";
	uint32_t at = read_number(session, &session->config, 0x34, 1), status;
	volatile uint8_t *memory;
	bool gone;

	for (unsigned int i = 0; at && i < 48; i++) {
		if (read_number(session, &session->config, at, 1) == 1)
			break;
		at = read_number(session, &session->config, at + 1, 1);
	}
	memory = at ? region_map(session, &session->memory, 0, PAGE, NULL) : NULL;
	if (!memory) {
		skip(name, at ? "this kernel does not map device memory"
			      : "the function has no PCI power management");
		return;
	}
	*memory = 0x66;
	status = read_number(session, &session->config, at + 4, 2);
	write_number(session, &session->config, at + 4, 2, status | 3);
	gone = is_unreachable(memory);
	write_number(session, &session->config, at + 4, 2, status & ~3u);
	set_space(session, true);
	result(gone && !is_unreachable(memory) && *memory == 0x66 &&
		       hdm_read(session, HDM_CONTROL) & HDM_COMMITTED,
	       name, "%sgone, control 0x%x", gone ? "" : "not ", hdm_read(session, HDM_CONTROL));
	munmap((void *)memory, PAGE);
}

void check_power(struct session *session)
{
	volatile uint8_t *memory;
	int ret;

	if (!of_generation(session, "6"))
		return;
	memory = region_map(session, &session->memory, 0, PAGE, NULL);
	if (!memory) {
		skip("low power", "this kernel does not map device memory");
	} else {
		*memory = 0x31;
		ret = low_power(session, FEATURE_LOW_POWER);
		result(!ret && is_unreachable(memory), "in low power memory cannot be reached",
		       "errno %d", ret);
		ret = low_power(session, FEATURE_LOW_POWER_OFF);
		result(!ret && !is_unreachable(memory) && *memory == 0x31 &&
			       hdm_read(session, HDM_CONTROL) & HDM_COMMITTED,
		       "out of it memory is as it was, and the decoder is committed", "errno %d",
		       ret);
		munmap((void *)memory, PAGE);
	}
	check_d3hot(session);
	set_space(session, false);
	write_number(session, &session->config, 0x10, 4, 0xabcd0000);
	session_close_device(session);
	session_open_device(session);
	result(read_number(session, &session->config, PCI_COMMAND_AT, 2) & COMMAND_SPACE &&
		       read_number(session, &session->config, 0x10, 4) != 0xabcd0004,
	       "a close puts config space back as it was before the open", "command 0x%x, BAR 0x%x",
	       read_number(session, &session->config, PCI_COMMAND_AT, 2),
	       read_number(session, &session->config, 0x10, 4));
}

/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a write does to the decoder that the kernel keeps (vfio-cxl-uapi.md 4.2, 5, 6), row by row.
 */
#include "fake.h"

#include "test.h"

#define CONTROL_LOCK      0x100u
#define CONTROL_COMMIT    0x200u
#define CONTROL_COMMITTED 0x400u
#define CONTROL_ERROR     0x800u

static unsigned int decoders(const struct fake *fake)
{
	static const unsigned int counts[16] = { 1,  2,  4,  6,  8,  10, 12, 14,
						 16, 20, 24, 28, 32, 0,  0,  0 };

	return counts[fake_hardware(fake, 0) & 0xf];
}

static void write_decoder_2(struct fake *fake, unsigned int at, unsigned int reg, uint32_t value)
{
	uint32_t control = fake_kernel(fake, at + 0x10);
	uint32_t mask = 0x13ff | (fake->cache_capable ? 0x2000u : 0);

	switch (reg) {
	case 0x00:
	case 0x08:
		if (!(control & CONTROL_LOCK))
			fake_set_kernel(fake, at + reg, value & 0xf0000000);
		break;
	case 0x04:
	case 0x0c:
		if (!(control & CONTROL_LOCK))
			fake_set_kernel(fake, at + reg, value);
		break;
	case 0x10:
		if (control & CONTROL_LOCK) {
			if (!(value & CONTROL_LOCK))
				fake_set_kernel(fake, at + 0x10, control & ~CONTROL_LOCK);
			break;
		}
		value &= mask;
		if (value & CONTROL_COMMIT)
			value |= CONTROL_COMMITTED;
		fake_set_kernel(fake, at + 0x10, value);
		break;
	default:
		break;
	}
}

void fake_write_2(struct fake *fake, unsigned int hdm, uint32_t value)
{
	if (hdm == 4)
		fake_set_kernel(fake, 4, value & (fake_hardware(fake, 0) & 0x400 ? 3u : 2u));
	else if (hdm >= 0x10 && (hdm - 0x10) / 0x20 < decoders(fake))
		write_decoder_2(fake, 0x10 + (hdm - 0x10) / 0x20 * 0x20, (hdm - 0x10) % 0x20,
				value);
}

void fake_write_3(struct fake *fake, unsigned int hdm, uint32_t value)
{
	uint32_t control = fake_kernel(fake, 0x20);

	if (hdm == 0 || hdm == 8 || hdm == 0xc || hdm >= 0x30)
		return;
	if (hdm >= 0x10 && hdm < 0x20 && control & (CONTROL_LOCK | CONTROL_COMMITTED))
		return;
	if (hdm == 0x20 && control & CONTROL_COMMITTED) {
		if (!(value & CONTROL_COMMIT))
			control &= ~(CONTROL_COMMIT | CONTROL_COMMITTED | CONTROL_LOCK);
		value = control;
	} else if (hdm == 0x20) {
		value &= ~(CONTROL_COMMITTED | CONTROL_ERROR);
		if (value & CONTROL_COMMIT)
			value |= CONTROL_COMMITTED;
	}
	fake_set_kernel(fake, hdm, value);
}

void fake_write_4(struct fake *fake, unsigned int hdm, uint32_t value)
{
	uint32_t control = fake_kernel(fake, 0x20);
	bool committed = control & CONTROL_COMMITTED;

	if (hdm == 4) {
		fake_set_kernel(fake, 4, value & 3);
	} else if (hdm == 0x20) {
		if (committed && control & CONTROL_LOCK)
			return;
		value &= 0x33ff;
		if (value & CONTROL_COMMIT)
			value |= CONTROL_COMMITTED;
		fake_set_kernel(fake, 0x20, value);
	} else if (hdm >= 0x10 && hdm < 0x2c && !committed) {
		/* base and size low: 256 MiB granularity */
		if (hdm == 0x10 || hdm == 0x18)
			value &= 0xf0000000;
		fake_set_kernel(fake, hdm, value);
	}
}

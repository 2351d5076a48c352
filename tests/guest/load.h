/* SPDX-License-Identifier: BSD-3-Clause */
/* load.h - where a payload guest is in RAM, and what it may use behind its start */
#define LOAD_ADDRESS 0x100000
#define LOAD_SIZE    0x100000
#define ENTRY_AT     0x200

/* SPDX-License-Identifier: BSD-3-Clause */
/* serial.h - tests of the serial port */
#ifndef GUEST_SERIAL_H
#define GUEST_SERIAL_H

void test_serial(void);
void test_serial_fifo(void);
void test_serial_turns(void);
void test_last_words(void);
void test_noise(void);

#endif

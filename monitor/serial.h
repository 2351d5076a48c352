/* SPDX-License-Identifier: BSD-3-Clause */
/* serial.h - a 16550A serial port between the guest and the console */
#ifndef MONITOR_SERIAL_H
#define MONITOR_SERIAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console.h"

#define SERIAL_FIFO_SIZE 16
#define SERIAL_REGISTERS 8

struct serial {
	pthread_mutex_t lock; /* vCPU and console thread */
	uint8_t interrupt_enable;
	uint8_t line_control;
	uint8_t modem_control;
	uint8_t scratch;
	uint8_t fifo_control;
	uint8_t divisor[2];
	uint8_t fifo[SERIAL_FIFO_SIZE];
	unsigned int fifo_first;
	unsigned int fifo_count;
	bool overrun;
	bool transmit_empty; /* the interrupt for it has not been taken yet */
	bool line;           /* level of the interrupt */
	bool starved;        /* the console has more input than the FIFO could take */

	struct console *console;
	void (*set_irq)(void *opaque, bool level);
	void *opaque;
};

void serial_init(struct serial *serial, struct console *console,
		 void (*set_irq)(void *opaque, bool level), void *opaque);
void serial_finish(struct serial *serial);

/* Registers to their reset values; input that the guest has not read is lost. */
void serial_reset(struct serial *serial);

/* Guest access to register 0 to 7. */
uint8_t serial_read(struct serial *serial, unsigned int reg);
void serial_write(struct serial *serial, unsigned int reg, uint8_t value);

/* Bytes for the guest: the console's input function. */
size_t serial_receive(void *serial, const uint8_t *bytes, size_t n);

#endif

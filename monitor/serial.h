/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * serial.h - a 16550A serial port between the guest and the console
 *
 * While the guest writes, KVM keeps what it sends (port_queue.h): a kernel's log would cost one exit
 * for each character. What is kept is taken before any access that could tell the difference, before
 * a vCPU pauses, and otherwise by the console's thread, which looks after each SERIAL_LOOK_MS
 * until nothing has come for SERIAL_LINGER_MS; then every write is an exit again, and nobody has to
 * look. An interrupt for an empty transmitter is so at most SERIAL_LOOK_FAST_MS late, about as long as
 * a real one needs for a full FIFO at 115200 baud.
 */
#ifndef MONITOR_SERIAL_H
#define MONITOR_SERIAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console.h"
#include "port_queue.h"

#define SERIAL_FIFO_SIZE 16
#define SERIAL_REGISTERS 8

#define SERIAL_LOOK_MS      20
#define SERIAL_LOOK_FAST_MS 2
#define SERIAL_LINGER_MS    1000

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

	struct port_queue queue;
	atomic_bool writing; /* the guest has begun to write: the queue is to be used */
	bool kept;           /* KVM keeps bytes: console thread only */
	uint64_t last_ms;    /* when there were any: console thread only */

	struct console *console;
	void (*set_irq)(void *opaque, bool level);
	void *opaque;
};

/* queue is that of the transmit register, copied. */
void serial_init(struct serial *serial, struct console *console, const struct port_queue *queue,
		 void (*set_irq)(void *opaque, bool level), void *opaque);
void serial_finish(struct serial *serial);

/*
 * Registers to their reset values; input that the guest has not read is lost. No vCPU runs, and
 * serial_flush came before.
 */
void serial_reset(struct serial *serial);

/* Guest access to register 0 to 7. */
uint8_t serial_read(struct serial *serial, unsigned int reg);
void serial_write(struct serial *serial, unsigned int reg, uint8_t value);

/* All that the guest has written by now goes to the console: thread of a vCPU. */
void serial_flush(struct serial *serial);

/* Functions of the console's thread (struct console_device). */
size_t serial_receive(void *serial, const uint8_t *bytes, size_t n);
int serial_look(void *serial);

#endif

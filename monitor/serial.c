/* SPDX-License-Identifier: BSD-3-Clause */
/* serial.c - a 16550A serial port */
#include <linux/serial_reg.h>
#include <string.h>
#include <time.h>

#include "serial.h"

/*
 * A guest that has read that the transmitter is empty may send a FIFO at once, in one instruction
 * even, of which KVM drops what finds the ring full. Well below the 85 where older kernels find it so.
 */
#define QUEUE_HIGH 64u

static bool fifo_enabled(const struct serial *serial)
{
	return serial->fifo_control & UART_FCR_ENABLE_FIFO;
}

static unsigned int fifo_room(const struct serial *serial)
{
	unsigned int size = fifo_enabled(serial) ? SERIAL_FIFO_SIZE : 1;

	return serial->fifo_count < size ? size - serial->fifo_count : 0;
}

/* The pending interrupt of the highest priority, as the identification register shows it. */
static uint8_t interrupt_id(const struct serial *serial)
{
	if ((serial->interrupt_enable & UART_IER_RLSI) && serial->overrun)
		return UART_IIR_RLSI;
	if ((serial->interrupt_enable & UART_IER_RDI) && serial->fifo_count)
		return UART_IIR_RDI;
	if ((serial->interrupt_enable & UART_IER_THRI) && serial->transmit_empty)
		return UART_IIR_THRI;
	return UART_IIR_NO_INT;
}

static void update_irq(struct serial *serial)
{
	bool line = interrupt_id(serial) != UART_IIR_NO_INT;

	if (line != serial->line) {
		serial->line = line;
		serial->set_irq(serial->opaque, line);
	}
}

static void reset_registers(struct serial *serial)
{
	serial->interrupt_enable = 0;
	serial->line_control = 0;
	serial->modem_control = 0;
	serial->scratch = 0;
	serial->fifo_control = 0;
	memset(serial->divisor, 0, sizeof(serial->divisor));
	serial->fifo_first = 0;
	serial->fifo_count = 0;
	serial->overrun = false;
	serial->transmit_empty = false;
}

void serial_init(struct serial *serial, struct console *console, const struct port_queue *queue,
		 void (*set_irq)(void *opaque, bool level), void *opaque)
{
	memset(serial, 0, sizeof(*serial));
	pthread_mutex_init(&serial->lock, NULL);
	serial->console = console;
	serial->queue = *queue;
	serial->set_irq = set_irq;
	serial->opaque = opaque;
	reset_registers(serial);
}

void serial_finish(struct serial *serial)
{
	pthread_mutex_destroy(&serial->lock);
}

void serial_reset(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	reset_registers(serial);
	update_irq(serial);
	serial->starved = false;
	pthread_mutex_unlock(&serial->lock);
	console_room(serial->console);
}

static void push(struct serial *serial, uint8_t byte)
{
	unsigned int at = (serial->fifo_first + serial->fifo_count) % SERIAL_FIFO_SIZE;

	serial->fifo[at] = byte;
	serial->fifo_count++;
}

size_t serial_receive(void *opaque, const uint8_t *bytes, size_t n)
{
	struct serial *serial = opaque;
	size_t done = 0;

	/* The vCPU may be in here, waiting for output to drain: the keyboard must not wait too. */
	if (pthread_mutex_trylock(&serial->lock))
		return 0;
	/* In loopback the line is cut; what comes in waits. */
	if (!(serial->modem_control & UART_MCR_LOOP)) {
		while (done < n && fifo_room(serial))
			push(serial, bytes[done++]);
	}
	serial->starved = done < n;
	update_irq(serial);
	pthread_mutex_unlock(&serial->lock);
	return done;
}

static uint8_t pop(struct serial *serial)
{
	uint8_t byte;

	if (serial->fifo_count == 0)
		return 0;
	byte = serial->fifo[serial->fifo_first];
	serial->fifo_first = (serial->fifo_first + 1) % SERIAL_FIFO_SIZE;
	serial->fifo_count--;
	return byte;
}

/* wait: for a slow reader of the console. */
static void transmit(struct serial *serial, uint8_t byte, bool wait)
{
	if (serial->modem_control & UART_MCR_LOOP) {
		if (fifo_room(serial))
			push(serial, byte);
		else
			serial->overrun = true;
	} else {
		console_put(serial->console, byte, wait);
	}
	/*
	 * The byte is gone at once. An interrupt that was pending ends with the write, and the
	 * next one is a new edge: ISA interrupts are edge triggered.
	 */
	serial->transmit_empty = false;
	update_irq(serial);
	serial->transmit_empty = true;
}

static void write_data(struct serial *serial, uint8_t value, bool wait)
{
	if (serial->line_control & UART_LCR_DLAB)
		serial->divisor[0] = value;
	else
		transmit(serial, value, wait);
}

/*
 * What KVM has kept, before anything that comes later; without wait, as much as the console takes at
 * once. No more than a full ring, as another vCPU may go on writing. How many bytes.
 */
static unsigned int take_queued(struct serial *serial, bool wait)
{
	unsigned int n = 0;
	uint8_t byte;

	while (n < serial->queue.n_entries && (wait || console_has_room(serial->console)) &&
	       port_queue_take(&serial->queue, &byte)) {
		write_data(serial, byte, wait);
		n++;
	}
	if (n)
		update_irq(serial);
	return n;
}

void serial_flush(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	take_queued(serial, true);
	pthread_mutex_unlock(&serial->lock);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int serial_look(void *opaque)
{
	struct serial *serial = opaque;
	unsigned int n, left;
	bool fast;

	if (!serial->queue.ring)
		return -1;
	if (!serial->kept && atomic_load(&serial->writing)) {
		/* Not possible: each write stays an exit. */
		if (port_queue_start(&serial->queue))
			return -1;
		serial->kept = true;
		serial->last_ms = now_ms();
	}
	/*
	 * A vCPU has it, which may wait for the reader of the output: then this thread must not. Nor may
	 * it stop looking, as not each access of a vCPU takes what was kept.
	 */
	if (pthread_mutex_trylock(&serial->lock))
		return SERIAL_LOOK_MS;
	n = take_queued(serial, false);
	left = port_queue_count(&serial->queue);
	fast = serial->interrupt_enable & UART_IER_THRI;
	pthread_mutex_unlock(&serial->lock);

	if (n || left)
		serial->last_ms = now_ms();
	else if (serial->kept && now_ms() - serial->last_ms >= SERIAL_LINGER_MS) {
		port_queue_stop(&serial->queue);
		serial->kept = false;
		atomic_store(&serial->writing, false);
		/* Once more, for what came since the look. */
		return 0;
	}
	if (!serial->kept && !left)
		return -1;
	return fast ? SERIAL_LOOK_FAST_MS : SERIAL_LOOK_MS;
}

/* The next writes need not be exits. */
static void begin_writing(struct serial *serial)
{
	if (!serial->queue.ring || atomic_load(&serial->writing))
		return;
	atomic_store(&serial->writing, true);
	console_room(serial->console);
}

static uint8_t modem_status(const struct serial *serial)
{
	uint8_t control = serial->modem_control;
	uint8_t status = 0;

	if (!(control & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	if (control & UART_MCR_OUT2)
		status |= UART_MSR_DCD;
	if (control & UART_MCR_OUT1)
		status |= UART_MSR_RI;
	if (control & UART_MCR_DTR)
		status |= UART_MSR_DSR;
	if (control & UART_MCR_RTS)
		status |= UART_MSR_CTS;
	return status;
}

uint8_t serial_read(struct serial *serial, unsigned int reg)
{
	bool divisor;
	bool room = false;
	uint8_t value = 0xff;

	pthread_mutex_lock(&serial->lock);
	/* Nothing that is kept changes the line's status, and this is read for each character. */
	if (reg != UART_LSR || serial->modem_control & UART_MCR_LOOP ||
	    port_queue_count(&serial->queue) > QUEUE_HIGH)
		take_queued(serial, true);
	divisor = serial->line_control & UART_LCR_DLAB;
	switch (reg) {
	case UART_RX:
		if (divisor) {
			value = serial->divisor[0];
			break;
		}
		value = pop(serial);
		/* Wake the console once for a whole FIFO, not for each byte. */
		room = serial->starved && serial->fifo_count == 0;
		break;
	case UART_IER:
		value = divisor ? serial->divisor[1] : serial->interrupt_enable;
		break;
	case UART_IIR:
		value = interrupt_id(serial);
		if (value == UART_IIR_THRI)
			serial->transmit_empty = false;
		if (fifo_enabled(serial))
			value |= 0xc0;
		break;
	case UART_LCR:
		value = serial->line_control;
		break;
	case UART_MCR:
		value = serial->modem_control;
		break;
	case UART_LSR:
		value = UART_LSR_THRE | UART_LSR_TEMT;
		if (serial->fifo_count)
			value |= UART_LSR_DR;
		if (serial->overrun)
			value |= UART_LSR_OE;
		serial->overrun = false;
		break;
	case UART_MSR:
		value = modem_status(serial);
		break;
	case UART_SCR:
		value = serial->scratch;
		break;
	}
	update_irq(serial);
	if (room)
		serial->starved = false;
	pthread_mutex_unlock(&serial->lock);
	if (room)
		console_room(serial->console);
	return value;
}

void serial_write(struct serial *serial, unsigned int reg, uint8_t value)
{
	bool divisor;
	bool room = false;

	pthread_mutex_lock(&serial->lock);
	take_queued(serial, true);
	divisor = serial->line_control & UART_LCR_DLAB;
	switch (reg) {
	case UART_TX:
		write_data(serial, value, true);
		begin_writing(serial);
		break;
	case UART_IER:
		if (divisor) {
			serial->divisor[1] = value;
			break;
		}
		/* Enabling it with an empty transmitter asks at once. */
		if ((value & UART_IER_THRI) && !(serial->interrupt_enable & UART_IER_THRI))
			serial->transmit_empty = true;
		serial->interrupt_enable = value & 0x0f;
		break;
	case UART_FCR:
		if ((value ^ serial->fifo_control) & UART_FCR_ENABLE_FIFO ||
		    value & UART_FCR_CLEAR_RCVR) {
			serial->fifo_first = 0;
			serial->fifo_count = 0;
		}
		serial->fifo_control = value & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK);
		room = serial->starved;
		break;
	case UART_LCR:
		serial->line_control = value;
		break;
	case UART_MCR:
		serial->modem_control = value & 0x1f;
		room = serial->starved;
		break;
	case UART_SCR:
		serial->scratch = value;
		break;
	}
	update_irq(serial);
	if (room)
		serial->starved = false;
	pthread_mutex_unlock(&serial->lock);
	if (room)
		console_room(serial->console);
}

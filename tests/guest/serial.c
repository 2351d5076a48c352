/* SPDX-License-Identifier: BSD-3-Clause */
/* serial.c - the serial port as a guest uses it that does not look after each byte */
#include "serial.h"
#include "guest.h"

#define DATA    0x3f8u /* and the low byte of the divisor */
#define IER     0x3f9u
#define FCR     0x3fau
#define LCR     0x3fbu
#define MCR     0x3fcu
#define LSR     0x3fdu
#define SCRATCH 0x3ffu

#define IER_EMPTY 0x02u
#define LCR_DLAB  0x80u
#define LCR_8N1   0x03u
#define MCR_OUT2  0x08u
#define MCR_LOOP  0x10u
#define LSR_DATA  0x01u
#define LSR_EMPTY 0x60u
#define FIFO      16u

#define IOAPIC     0xfec00000u
#define IOAPIC_DAT 0xfec00010u
#define IRQ        4u
#define PIC_MASK   0x21u
#define VECTOR     8u /* of ours */

/* Enough that KVM keeps what is sent from here on. */
static void begin(void)
{
	for (unsigned int i = 0; i < 50; i++)
		say("filler");
}

static void put(const char *text)
{
	while (*text)
		out8(DATA, (u8)*text++);
}

static void check_divisor(void)
{
	put("before");
	out8(LCR, LCR_DLAB | LCR_8N1);
	out8(DATA, 'D');
	out8(IER, 0);
	out8(LCR, LCR_8N1);
	put(" after\n");
	out8(LCR, LCR_DLAB | LCR_8N1);
	u8 divisor = in8(DATA);
	out8(LCR, LCR_8N1);
	check_equal("the divisor is what was written", 'D', divisor);
}

static void check_loopback(void)
{
	u8 status, byte;

	put("out");
	out8(MCR, MCR_LOOP);
	out8(DATA, 'L');
	status = in8(LSR);
	byte = in8(DATA);
	out8(MCR, MCR_OUT2);
	put(" again\n");
	check_equal("loopback: the line status", LSR_EMPTY | LSR_DATA, status);
	check_equal("loopback: the byte", 'L', byte);
}

/* Nothing is said between: that would be more bytes. */
static bool comes(u32 count)
{
	for (unsigned int i = 0; i < 20000000 && interrupts[VECTOR] < count; i++)
		pause();
	return interrupts[VECTOR] >= count;
}

static void check_transmit_interrupt(void)
{
	bool first, others = true;

	interrupts[VECTOR] = 0;
	/* Not by the old controller, too. */
	out8(PIC_MASK, 0xff);
	write32(IOAPIC, 0x10 + 2 * IRQ + 1);
	write32(IOAPIC_DAT, 0);
	write32(IOAPIC, 0x10 + 2 * IRQ);
	write32(IOAPIC_DAT, VECTOR_BASE + VECTOR);
	interrupts_on();
	out8(IER, IER_EMPTY);
	first = comes(1);
	/* One byte after the other, each when the one before is told to be gone. */
	for (u32 i = 0; i < 10; i++) {
		out8(DATA, (u8)('0' + i));
		others &= comes(2 + i);
	}
	out8(IER, 0);
	interrupts_off();
	put("\n");
	check_equal("an interrupt as it is enabled", 1, first);
	check_equal("an interrupt for each byte", 1, others);
}

void test_serial(void)
{
	begin();
	check_divisor();
	check_loopback();
	check_transmit_interrupt();
}

/* A FIFO in one instruction, when the line status has promised room for it. */
void test_serial_fifo(void)
{
	static const char digits[] = "0123456789abcde";

	begin();
	for (u64 i = 0; i < parameter("lines"); i++) {
		const char *from = digits;
		char line[FIFO];
		u64 n = FIFO;

		while (!(in8(LSR) & LSR_EMPTY))
			pause();
		copy(line, from, FIFO - 1);
		line[FIFO - 1] = '\n';
		from = line;
		__asm__ volatile("cld; rep outsb" : "+S"(from), "+c"(n) : "d"(DATA) : "memory");
	}
}

/* Lines of its own number, and of the other CPUs, which all wait for their turn. */
static volatile u32 turn;

static void take_turns(void)
{
	u32 id = read32(0xfee00020) >> 24;

	for (u32 i = 0; i < 300; i++) {
		while (turn % n_cpus != id)
			pause();
		out8(DATA, (u8)('a' + id));
		if (i % 7 == 0)
			out8(SCRATCH, (u8)i);
		turn = turn + 1;
	}
}

void test_serial_turns(void)
{
	begin();
	for (unsigned int i = 1; i < n_cpus; i++)
		start_cpu(i, take_turns);
	take_turns();
	for (unsigned int i = 1; i < n_cpus; i++)
		join_cpu(i);
	put("\n");
}

/* Its last words are no line, and nothing comes after them. */
void test_last_words(void)
{
	begin();
	put("last words");
	if (parameter("crash")) {
		static const struct {
			u16 limit;
			u64 base;
		} __attribute__((packed)) none = { 0, 0 };

		__asm__ volatile("lidt %0; ud2" ::"m"(none));
	}
	if (parameter("reset"))
		machine_reset();
	if (parameter("off"))
		power_off();
	for (;;)
		pause();
}

void test_noise(void)
{
	for (u64 i = 0; i < parameter("lines"); i++)
		say("line: %x ......................................................", i);
}

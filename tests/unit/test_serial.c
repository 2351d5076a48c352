/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The serial port with a KVM that keeps what the guest sends: order, and when it is looked for. KVM,
 * console and clock are played by the test (the linker's --wrap).
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "../../monitor/kvm.h"
#include "../../monitor/serial.h"
#include "../../monitor/vcpu.h"
#include "test.h"

#define PORT 0x3f8u
#define PAGE 4096u
#define ROOM 169u /* (4096 - 8) / 24 entries, less the one that keeps full and empty apart */

static struct {
	struct serial serial;
	struct console console;

	/* The console. */
	char said[4096];
	size_t n_said;
	size_t room; /* so many bytes more are taken without waiting */
	unsigned int n_waited, n_woken;

	/* KVM. */
	bool kept;
	unsigned int n_changes;
	int refused; /* errno of what it does not want to keep */
	int page_at, cap_pio;
	bool line;
	unsigned int n_edges;

	uint64_t ms;

	union {
		struct kvm_coalesced_mmio_ring ring;
		uint8_t page[PAGE];
	} shared;
} rig;

/* Names that the linker gives: NOLINTBEGIN(bugprone-reserved-identifier) */
int __wrap_kvm_ioctl(int fd, unsigned long request, unsigned long argument);
int __wrap_kvm_check(const struct kvm *kvm, unsigned int capability);
void __wrap_console_put(struct console *console, uint8_t byte, bool wait);
bool __wrap_console_has_room(struct console *console);
void __wrap_console_room(struct console *console);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_kvm_ioctl(int fd, unsigned long request, unsigned long argument)
{
	const struct kvm_coalesced_mmio_zone *zone = (const void *)argument;

	(void)fd;
	assert_true(request == KVM_REGISTER_COALESCED_MMIO ||
		    request == KVM_UNREGISTER_COALESCED_MMIO);
	assert_int_equal(zone->addr, PORT);
	assert_int_equal(zone->size, 1);
	assert_int_equal(zone->pio, 1);
	if (rig.refused)
		return -rig.refused;
	rig.kept = request == KVM_REGISTER_COALESCED_MMIO;
	rig.n_changes++;
	return 0;
}

int __wrap_kvm_check(const struct kvm *kvm, unsigned int capability)
{
	(void)kvm;
	if (capability == KVM_CAP_COALESCED_PIO)
		return rig.cap_pio;
	assert_int_equal(capability, KVM_CAP_COALESCED_MMIO);
	return rig.page_at;
}

void __wrap_console_put(struct console *console, uint8_t byte, bool wait)
{
	assert_ptr_equal(console, &rig.console);
	assert_true(rig.n_said < sizeof(rig.said) - 1);
	if (rig.room)
		rig.room--;
	else
		rig.n_waited++;
	assert_true(wait || !rig.n_waited);
	rig.said[rig.n_said++] = (char)byte;
}

bool __wrap_console_has_room(struct console *console)
{
	(void)console;
	return rig.room > 0;
}

void __wrap_console_room(struct console *console)
{
	(void)console;
	rig.n_woken++;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	if (!rig.ms)
		return __real_clock_gettime(clock, time);
	*time = (struct timespec){ .tv_sec = (time_t)(rig.ms / 1000),
				   .tv_nsec = (long)(rig.ms % 1000) * 1000000 };
	return 0;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void set_irq(void *opaque, bool level)
{
	assert_ptr_equal(opaque, &rig);
	assert_true(level != rig.line);
	rig.line = level;
	rig.n_edges += level;
}

static void begin_with(const struct port_queue *queue)
{
	serial_init(&rig.serial, &rig.console, queue, set_irq, &rig);
}

static int setup(void **state)
{
	struct port_queue queue;

	(void)state;
	memset(&rig, 0, sizeof(rig));
	rig.room = SIZE_MAX;
	rig.ms = 1000000;
	port_queue_init_ring(&queue, rig.shared.page, PAGE, PORT);
	begin_with(&queue);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	rig.ms = 0;
	serial_finish(&rig.serial);
	return 0;
}

/* As KVM does it (api.rst, "coalesced"): false when the ring is full, which makes it an exit. */
static bool keep_entry(const struct kvm_coalesced_mmio *entry)
{
	uint32_t last = rig.shared.ring.last;

	if ((last + 1) % (ROOM + 1) == rig.shared.ring.first)
		return false;
	rig.shared.ring.coalesced_mmio[last] = *entry;
	rig.shared.ring.last = (last + 1) % (ROOM + 1);
	return true;
}

static bool keep(uint8_t byte)
{
	struct kvm_coalesced_mmio entry = {
		.phys_addr = PORT, .len = 1, .pio = 1, .data = { byte }
	};

	return keep_entry(&entry);
}

static void keep_all(const char *text)
{
	while (*text)
		assert_true(keep((uint8_t)*text++));
}

static void want_said(const char *text)
{
	rig.said[rig.n_said] = 0;
	assert_string_equal(rig.said, text);
}

/* The guest's first byte, and the look that it leads to. */
static void begin(void)
{
	serial_write(&rig.serial, UART_TX, '>');
	assert_int_equal(rig.n_woken, 1);
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	assert_true(rig.kept);
}

static void kept_bytes_come_before_any_later_access(void **state)
{
	static const unsigned int read[] = { UART_RX,  UART_IER, UART_IIR, UART_LCR,
					     UART_MCR, UART_MSR, UART_SCR };
	static const unsigned int written[] = { UART_TX, UART_FCR, UART_MCR, UART_SCR, UART_IER };
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++) {
		keep_all("ab");
		serial_read(&rig.serial, read[i]);
		n += 2;
		assert_int_equal(rig.n_said, n);
	}
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		keep_all("ab");
		serial_write(&rig.serial, written[i], 0);
		n += written[i] == UART_TX ? 3 : 2;
		assert_int_equal(rig.n_said, n);
	}
	rig.n_said = 0;
	keep_all("one ");
	serial_write(&rig.serial, UART_TX, '2');
	keep_all(" three");
	serial_flush(&rig.serial);
	want_said("one 2 three");
}

static void line_status_leaves_them_while_there_is_room(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		assert_true(keep('.'));
		assert_int_equal(serial_read(&rig.serial, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
		assert_int_equal(rig.n_said, 0);
	}
	/* The next FIFO is promised room, in older kernels too: they find 85 entries full. */
	assert_true(keep('.'));
	serial_read(&rig.serial, UART_LSR);
	assert_int_equal(rig.n_said, 65);
}

static void a_full_ring_loses_nothing_and_goes_round(void **state)
{
	char wanted[3 * (ROOM + 1) + 1];
	size_t n = 0;

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < ROOM; i++) {
			wanted[n] = (char)('a' + n % 26);
			assert_true(keep((uint8_t)wanted[n++]));
		}
		wanted[n] = '!';
		assert_false(keep('!'));
		serial_write(&rig.serial, UART_TX, (uint8_t)wanted[n++]);
	}
	wanted[n] = 0;
	want_said(wanted);
}

static void divisor_latch_is_no_output(void **state)
{
	(void)state;
	keep_all("x");
	serial_write(&rig.serial, UART_LCR, UART_LCR_DLAB);
	want_said("x");
	assert_true(keep(0x0c));
	assert_int_equal(serial_read(&rig.serial, UART_DLL), 0x0c);
	assert_true(keep(0x01));
	serial_write(&rig.serial, UART_LCR, UART_LCR_WLEN8);
	keep_all("y");
	serial_write(&rig.serial, UART_LCR, UART_LCR_DLAB);
	assert_int_equal(serial_read(&rig.serial, UART_DLL), 0x01);
	want_said("xy");
}

static void loopback_shows_in_the_line_status_at_once(void **state)
{
	(void)state;
	keep_all("o");
	serial_write(&rig.serial, UART_MCR, UART_MCR_LOOP);
	keep_all("l");
	assert_true(serial_read(&rig.serial, UART_LSR) & UART_LSR_DR);
	assert_int_equal(serial_read(&rig.serial, UART_RX), 'l');
	keep_all("m");
	serial_write(&rig.serial, UART_MCR, 0);
	assert_int_equal(serial_read(&rig.serial, UART_RX), 'm');
	want_said("o");
}

static void transmit_interrupt_comes_again_for_kept_bytes(void **state)
{
	(void)state;
	begin();
	serial_write(&rig.serial, UART_IER, UART_IER_THRI);
	assert_int_equal(rig.n_edges, 1);
	assert_int_equal(serial_read(&rig.serial, UART_IIR), UART_IIR_THRI);
	assert_false(rig.line);
	keep_all("a");
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_FAST_MS);
	want_said(">a");
	assert_true(rig.line);
	/* Not taken by the guest, and it goes on: a new edge. */
	keep_all("bc");
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_FAST_MS);
	assert_int_equal(rig.n_edges, 3);
	serial_write(&rig.serial, UART_IER, 0);
	assert_false(rig.line);
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
}

static void nobody_looks_at_a_guest_that_is_silent(void **state)
{
	(void)state;
	assert_int_equal(serial_look(&rig.serial), -1);
	serial_read(&rig.serial, UART_LSR);
	serial_write(&rig.serial, UART_IER, 0);
	assert_int_equal(rig.n_woken, 0);
	assert_int_equal(rig.n_changes, 0);
	begin();

	keep_all("last");
	rig.ms += SERIAL_LINGER_MS;
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	want_said(">last");
	rig.ms += SERIAL_LINGER_MS - 1;
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	assert_true(rig.kept);
	rig.ms++;
	/* What came before KVM was told is not forgotten. */
	assert_int_equal(serial_look(&rig.serial), 0);
	assert_false(rig.kept);
	keep_all("!");
	assert_int_equal(serial_look(&rig.serial), -1);
	want_said(">last!");

	serial_write(&rig.serial, UART_TX, '>');
	assert_int_equal(rig.n_woken, 2);
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	assert_true(rig.kept);
	serial_write(&rig.serial, UART_TX, '>');
	assert_int_equal(rig.n_woken, 2);
}

static void a_slow_reader_does_not_hold_who_looks(void **state)
{
	(void)state;
	begin();
	rig.room = 2;
	keep_all("abcd");
	rig.ms += SERIAL_LINGER_MS;
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	want_said(">ab");
	rig.ms += SERIAL_LINGER_MS;
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	assert_true(rig.kept);
	want_said(">ab");
	/* A vCPU waits. */
	serial_flush(&rig.serial);
	want_said(">abcd");
	assert_int_equal(rig.n_waited, 2);
}

static void who_looks_does_not_wait_for_a_vcpu(void **state)
{
	(void)state;
	begin();
	pthread_mutex_lock(&rig.serial.lock);
	keep_all("a");
	rig.ms += SERIAL_LINGER_MS;
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	want_said(">");
	pthread_mutex_unlock(&rig.serial.lock);
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	want_said(">a");

	/* Nor does it forget what came before KVM was told. */
	rig.ms += SERIAL_LINGER_MS;
	assert_int_equal(serial_look(&rig.serial), 0);
	assert_false(rig.kept);
	keep_all("b");
	pthread_mutex_lock(&rig.serial.lock);
	assert_int_equal(serial_look(&rig.serial), SERIAL_LOOK_MS);
	pthread_mutex_unlock(&rig.serial.lock);
	assert_int_equal(serial_look(&rig.serial), -1);
	want_said(">ab");
}

static void what_kvm_did_not_promise_is_left_out(void **state)
{
	static const struct kvm_coalesced_mmio others[] = {
		{ .phys_addr = PORT, .len = 1, .pio = 0, .data = "m" },
		{ .phys_addr = PORT + 1, .len = 1, .pio = 1, .data = "p" },
		{ .phys_addr = PORT, .len = 2, .pio = 1, .data = "l" },
		{ .phys_addr = PORT, .len = 0, .pio = 1, .data = "0" },
	};
	struct port_queue queue;

	(void)state;
	keep_all("a");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_true(keep_entry(&others[i]));
	keep_all("b");
	serial_flush(&rig.serial);
	want_said("ab");
	/* No entry has these numbers. */
	rig.shared.ring.last = ROOM + 1;
	serial_flush(&rig.serial);
	rig.shared.ring.last = UINT32_MAX;
	serial_flush(&rig.serial);
	want_said("ab");
	rig.shared.ring.first = ROOM + 1;
	port_queue_init_ring(&queue, rig.shared.page, PAGE, PORT);
	assert_null(queue.ring);
	assert_int_equal(port_queue_count(&queue), 0);
}

static void without_the_capability_each_write_is_an_exit(void **state)
{
	static const struct {
		int pio, page_at;
		size_t size;
	} kinds[] = {
		{ 0, 2, 3 * PAGE }, { 1, 0, 3 * PAGE }, { 1, -1, 3 * PAGE }, { 1, 2, 2 * PAGE }
	};
	struct kvm kvm = KVM_INIT;
	struct port_queue queue;
	static uint8_t pages[3 * PAGE];
	struct vcpu vcpu = { .run = (struct kvm_run *)(void *)pages };

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		rig.cap_pio = kinds[i].pio;
		rig.page_at = kinds[i].page_at;
		vcpu.run_size = kinds[i].size;
		port_queue_init(&queue, &kvm, &vcpu, PORT);
		assert_null(queue.ring);
	}
	begin_with(&queue);
	serial_write(&rig.serial, UART_TX, 'x');
	want_said("x");
	assert_int_equal(rig.n_woken, 0);
	assert_int_equal(serial_look(&rig.serial), -1);
	assert_int_equal(rig.n_changes, 0);

	vcpu.run_size = sizeof(pages);
	rig.page_at = 2;
	port_queue_init(&queue, &kvm, &vcpu, PORT);
	assert_ptr_equal(queue.ring, pages + (size_t)2 * PAGE);
}

static void a_kvm_that_refuses_to_keep_is_asked_once(void **state)
{
	(void)state;
	rig.refused = ENOSPC;
	serial_write(&rig.serial, UART_TX, 'x');
	assert_int_equal(serial_look(&rig.serial), -1);
	serial_write(&rig.serial, UART_TX, 'y');
	assert_int_equal(rig.n_woken, 1);
	want_said("xy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(kept_bytes_come_before_any_later_access),
		T(line_status_leaves_them_while_there_is_room),
		T(a_full_ring_loses_nothing_and_goes_round),
		T(divisor_latch_is_no_output),
		T(loopback_shows_in_the_line_status_at_once),
		T(transmit_interrupt_comes_again_for_kept_bytes),
		T(nobody_looks_at_a_guest_that_is_silent),
		T(a_slow_reader_does_not_hold_who_looks),
		T(who_looks_does_not_wait_for_a_vcpu),
		T(what_kvm_did_not_promise_is_left_out),
		T(without_the_capability_each_write_is_an_exit),
		T(a_kvm_that_refuses_to_keep_is_asked_once),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

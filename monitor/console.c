/* SPDX-License-Identifier: BSD-3-Clause */
/* console.c - standard input and output as the other end of the guest's serial port */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "console.h"
#include "stop.h"
#include "util.h"

#define ESCAPE_KEY 1 /* Ctrl-A */
#define TICK_MS    20
#define RETURN_MS  200 /* how often we look whether the terminal is ours again */

/* For the handler of fatal signals, which has no argument. */
static struct termios saved_terminal;
static volatile sig_atomic_t terminal_is_raw;

void console_restore_terminal(void)
{
	if (terminal_is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal);
}

static void on_fatal(int signal)
{
	console_restore_terminal();
	/* SA_RESETHAND: the second one kills. */
	raise(signal);
}

static void terminal_restore(void)
{
	/* A signal must not leave the terminal raw, nor a job that is in the background now. */
	if (terminal_is_raw) {
		signal(SIGTTOU, SIG_IGN);
		while (tcsetattr(STDIN_FILENO, TCSANOW, &saved_terminal) && errno == EINTR)
			;
	}
	terminal_is_raw = 0;
}

static void terminal_make_raw(void)
{
	static const int fatal[] = { SIGSEGV, SIGILL, SIGFPE, SIGABRT, SIGSYS };
	struct sigaction action = { .sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND };
	struct termios raw;

	/* Not ours to change when another job has the terminal. */
	if (!isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) != getpgrp() ||
	    tcgetattr(STDIN_FILENO, &saved_terminal))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		sigaction(fatal[i], &action, NULL);
	raw = saved_terminal;
	cfmakeraw(&raw);
	raw.c_oflag |= OPOST | ONLCR; /* our own messages go to the same terminal */
	terminal_is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw))
		terminal_is_raw = 0;
}

/*
 * A pipe or terminal whose reader is slow must not hold a thread in write(), where neither a
 * signal nor the time limit would end it: write through a description of our own that does not
 * block. Whoever else has standard output keeps theirs as it is.
 */
static int open_output(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) || !(S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)))
		return -1;
	return open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/*
 * Write what there is. With wait, until it is gone or the run ends, and then the rest is
 * dropped; without, as much as goes at once.
 */
static void write_out(struct console *console, bool wait)
{
	size_t done = 0;

	while (done < console->n_output && !console->output_failed) {
		int fd = console->output_fd >= 0 ? console->output_fd : STDOUT_FILENO;
		ssize_t n = write(fd, console->output + done, console->n_output - done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n < 0 && errno == EAGAIN) {
			struct pollfd out = { .fd = fd, .events = POLLOUT };

			if (!wait || atomic_load(&console->abandoned))
				break;
			(void)poll(&out, 1, TICK_MS);
		} else if (n < 0 && errno != EINTR) {
			/* The reader is gone: the guest goes on without one. */
			console->output_failed = true;
		} else if (atomic_load(&console->abandoned)) {
			break;
		}
	}
	console->n_output -= done;
	memmove(console->output, console->output + done, console->n_output);
	if (wait || console->output_failed)
		console->n_output = 0;
}

static void wake(struct console *console)
{
	uint64_t one = 1;

	if (write(console->wake, &one, sizeof(one)) < 0) {
		/* Only full counters refuse, and then the thread is about to wake anyway. */
	}
}

bool console_has_room(struct console *console)
{
	bool room;

	pthread_mutex_lock(&console->lock);
	room = console->n_output < CONSOLE_OUTPUT_MAX;
	pthread_mutex_unlock(&console->lock);
	return room;
}

void console_put(struct console *console, uint8_t byte, bool wait)
{
	pthread_mutex_lock(&console->lock);
	if (console->n_output == CONSOLE_OUTPUT_MAX)
		write_out(console, true);
	console->recent[console->n_total++ % CONSOLE_RECENT_MAX] = (char)byte;
	console->output[console->n_output++] = (char)byte;
	if (byte == '\n' || console->n_output == CONSOLE_OUTPUT_MAX)
		write_out(console, wait);
	if (console->n_output && console->running && !atomic_exchange(&console->ticking, true))
		wake(console);
	pthread_mutex_unlock(&console->lock);
}

void console_flush(struct console *console)
{
	pthread_mutex_lock(&console->lock);
	write_out(console, true);
	pthread_mutex_unlock(&console->lock);
}

/* For the console's thread, which never waits for output: it has the keyboard to look at. */
static void flush_now(struct console *console)
{
	if (pthread_mutex_trylock(&console->lock)) {
		atomic_store(&console->ticking, true);
		return;
	}
	write_out(console, false);
	if (console->n_output)
		atomic_store(&console->ticking, true);
	pthread_mutex_unlock(&console->lock);
}

void console_abandon(struct console *console)
{
	atomic_store(&console->abandoned, true);
}

void console_room(struct console *console)
{
	wake(console);
}

/*
 * Take typed bytes into the buffer, less the escape sequences. They are looked for here and not
 * where the guest takes bytes: the way out must work when the guest reads nothing.
 */
static void take_in(struct console *console, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = bytes[i];

		if (console->raw && !console->escape && byte == ESCAPE_KEY) {
			console->escape = true;
			continue;
		}
		if (console->escape && (byte == 'x' || byte == 'X'))
			stop_request(console->stop);
		else if (console->n_input < CONSOLE_INPUT_MAX)
			console->pending[console->n_input++] = byte;
		console->escape = false;
	}
}

/* False at the end of input. */
static bool read_input(struct console *console)
{
	uint8_t bytes[CONSOLE_INPUT_MAX];
	size_t room = CONSOLE_INPUT_MAX - console->n_input;
	/* A terminal is read even without room: what is typed then is lost, but not Ctrl-A x. */
	ssize_t n = read(STDIN_FILENO, bytes, console->raw ? sizeof(bytes) : room);

	if (n > 0)
		take_in(console, bytes, (size_t)n);
	/* A terminal that another job has now: EIO, as signals are not for this thread. */
	console->background = n < 0 && errno == EIO && isatty(STDIN_FILENO);
	return n > 0 || console->background || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

/* In the background nothing is read; back from there the keys are the guest's again. */
static bool in_background(struct console *console)
{
	if (!console->background || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return console->background;
	console->background = false;
	if (!console->raw)
		terminal_make_raw();
	console->raw = terminal_is_raw;
	return false;
}

/*
 * Reads no more than the guest can take, so that a slow guest slows the writer down. End of
 * input is harmless: the guest just gets no more.
 */
static void *console_thread(void *argument)
{
	struct console *console = argument;
	const struct console_device *device = &console->device;
	bool input_open = true;
	int look = -1; /* ms */

	while (!atomic_load(&console->ending)) {
		bool background = in_background(console);
		bool want = input_open && !background &&
			    (console->raw || console->n_input < CONSOLE_INPUT_MAX);
		struct pollfd fds[2] = {
			{ .fd = console->wake, .events = POLLIN },
			{ .fd = want ? STDIN_FILENO : -1, .events = POLLIN },
		};
		int pause = atomic_load(&console->ticking) ? TICK_MS : background ? RETURN_MS : -1;
		int ready = poll(fds, 2, look >= 0 && (pause < 0 || look < pause) ? look : pause);
		uint64_t count;

		if (ready < 0 && errno != EINTR)
			break;
		if (ready == 0) {
			/*
			 * A pause. Stop looking before the look: a byte that comes later finds
			 * ticking false and wakes the thread again.
			 */
			atomic_store(&console->ticking, false);
			flush_now(console);
		}
		if (fds[0].revents && read(console->wake, &count, sizeof(count)) < 0)
			continue;
		if (fds[1].revents)
			input_open = read_input(console);
		if (console->n_input) {
			size_t taken =
				device->input(device->opaque, console->pending, console->n_input);

			console->n_input -= taken;
			memmove(console->pending, console->pending + taken, console->n_input);
			/* The receiver may have been busy: look again soon. */
			if (!taken)
				atomic_store(&console->ticking, true);
		}
		look = device->look(device->opaque);
	}
	return NULL;
}

int console_init(struct console *console, struct stop *stop, struct cxlvm_error *err)
{
	memset(console, 0, sizeof(*console));
	console->stop = stop;
	pthread_mutex_init(&console->lock, NULL);
	console->output_fd = open_output();
	console->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (console->wake < 0)
		return cxlvm_error_set(err, -errno, "no eventfd for the console: %s",
				       strerror(errno));
	return 0;
}

int console_start(struct console *console, const struct console_device *device,
		  struct cxlvm_error *err)
{
	sigset_t all, before;
	int code;

	console->device = *device;
	terminal_make_raw();
	console->raw = terminal_is_raw;
	/* Signals are for the thread that runs the machine (stop.h). */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	code = pthread_create(&console->thread, NULL, console_thread, console);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code) {
		terminal_restore();
		return cxlvm_error_set(err, -code, "no thread for the console: %s", strerror(code));
	}
	console->running = true;
	return 0;
}

void console_finish(struct console *console)
{
	if (console->running) {
		atomic_store(&console->ending, true);
		wake(console);
		pthread_join(console->thread, NULL);
		console->running = false;
	}
	console_flush(console);
	terminal_restore();
	if (console->output_fd >= 0)
		close(console->output_fd);
	if (console->wake >= 0)
		close(console->wake);
	console->output_fd = console->wake = -1;
	pthread_mutex_destroy(&console->lock);
}

void console_print_recent(struct console *console, FILE *to)
{
	uint64_t n = console->n_total < CONSOLE_RECENT_MAX ? console->n_total : CONSOLE_RECENT_MAX;
	bool line_start = n == console->n_total; /* else the first line is not whole */

	for (uint64_t i = console->n_total - n; i < console->n_total; i++) {
		char c = console->recent[i % CONSOLE_RECENT_MAX];

		if (line_start && c != '\n' && c != '\r')
			fputs("console: ", to);
		if (c == '\n' || (c >= ' ' && c <= '~') || c == '\t')
			fputc(c, to);
		line_start = c == '\n' || (line_start && c == '\r');
	}
	if (n && !line_start)
		fputc('\n', to);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* events.c - what happens to the machine and its devices */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "events.h"

/* A reader that is slow, or none at a named pipe, must not hold the machine. */
static bool open_file(struct events *events)
{
	int flags = O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;

	events->file = open(events->path, flags | O_CREAT | O_EXCL, 0600);
	events->made = events->file >= 0;
	if (events->file < 0 && errno == EEXIST)
		events->file = open(events->path, flags);
	return events->file >= 0;
}

int events_init(struct events *events, const char *path, struct cxlvm_error *err)
{
	int code;

	pthread_mutex_init(&events->lock, NULL);
	events->running = true;
	events->file = -1;
	events->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (events->wake < 0)
		return cxlvm_error_set(err, -errno, "no eventfd for events: %s", strerror(errno));
	if (!path)
		return 0;
	events->path = path;
	if (open_file(events))
		return 0;
	code = -errno;
	cxlvm_error_set(err, code, "events file '%s': %s", path, strerror(-code));
	if (code == -ENXIO)
		cxlvm_error_hint(err, "start the reader of the named pipe first");
	else
		cxlvm_error_hint(err, "name a file that can be made or written, in a folder that "
				      "exists");
	return code;
}

void events_keep_file(struct events *events)
{
	events->made = false;
}

void events_finish(struct events *events)
{
	if (!events->running)
		return;
	if (events->file >= 0)
		close(events->file);
	if (events->made)
		unlink(events->path);
	if (events->wake >= 0)
		close(events->wake);
	pthread_mutex_destroy(&events->lock);
	events->running = false;
}

struct line {
	char text[EVENTS_LINE_MAX];
	size_t n;
};

static void append(struct line *line, const char *format, ...) CXLVM_PRINTF(2, 3);

/* What does not fit is cut; the callers' texts are shorter. */
static void append(struct line *line, const char *format, ...)
{
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(line->text + line->n, sizeof(line->text) - line->n, format, arguments);
	va_end(arguments);
	if (n > 0)
		line->n += (size_t)n;
	if (line->n >= sizeof(line->text))
		line->n = sizeof(line->text) - 1;
}

/* ,"key":"text" with everything escaped that JSON wants to be (RFC 8259, 7). */
static void append_string(struct line *line, const char *key, const char *text)
{
	append(line, ",\"%s\":\"", key);
	for (const char *c = text; *c && line->n < sizeof(line->text) - 16; c++) {
		if (*c == '"' || *c == '\\')
			append(line, "\\%c", *c);
		else if ((unsigned char)*c < ' ')
			append(line, "\\u%04x", (unsigned int)*c);
		else
			append(line, "%c", *c);
	}
	append(line, "\"");
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The lock is held. Standard error may be a pipe that nobody reads: that must not hold the machine. */
static bool people_listen(struct events *events)
{
	struct pollfd people = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (events->untold && poll(&people, 1, 0) == 1) {
		fprintf(stderr, "event: %" PRIu64 " are missing here: nobody took them\n",
			events->untold);
		events->untold = 0;
	}
	/* What can be written to at all has room for a line. */
	if (poll(&people, 1, 0) == 1)
		return true;
	events->untold++;
	return false;
}

/* The lock is held. */
static void tell_people(struct events *events, const char *kind, const char *device, int code,
			const char *text)
{
	char line[EVENTS_LINE_MAX];
	int n = snprintf(line, sizeof(line), "event: %s%s%s%s%s%s%s\n", kind,
			 device[0] ? " device=" : "", device, code ? " error=" : "",
			 code ? strerror(-code) : "", text[0] ? " " : "", text);

	/* One call, so that lines of two threads do not mix. */
	if (n > 0 && people_listen(events))
		fputs(line, stderr);
}

/* The lock is held. */
static void keep(struct events *events, const char *text, size_t n)
{
	uint64_t one = 1;

	if (!events->listened)
		return;
	if (n > sizeof(events->kept) - events->n_kept) {
		events->lost++;
		return;
	}
	memcpy(events->kept + events->n_kept, text, n);
	events->n_kept += n;
	if (write(events->wake, &one, sizeof(one)) < 0) {
		/* It is awake. */
	}
}

/* The disk is full, or the reader of a pipe slow or gone: standard error has the event. */
static void write_file(struct events *events, const struct line *line)
{
	ssize_t n = events->file >= 0 ? write(events->file, line->text, line->n) : 0;

	if (events->file < 0 || n == (ssize_t)line->n || events->file_failed)
		return;
	events->file_failed = true;
	fprintf(stderr, "warning: events file '%s' does not take all events: %s\n", events->path,
		n < 0 ? strerror(errno) : "a line was cut");
}

void events_add(struct events *events, const char *kind, const char *device, int code,
		const char *text)
{
	struct line line = { .n = 0 };

	pthread_mutex_lock(&events->lock);
	tell_people(events, kind, device, code, text);
	append(&line, "{\"event\":\"%s\",\"time_ms\":%" PRIu64, kind, now_ms());
	if (device[0])
		append_string(&line, "device", device);
	if (code) {
		append(&line, ",\"errno\":%d", -code);
		append_string(&line, "error", strerror(-code));
	}
	if (text[0])
		append_string(&line, "text", text);
	if (events->lost)
		append(&line, ",\"lost\":%" PRIu64, events->lost);
	append(&line, "}\n");
	write_file(events, &line);
	events->lost = 0;
	keep(events, line.text, line.n);
	pthread_mutex_unlock(&events->lock);
}

void events_listen(struct events *events, bool listened)
{
	pthread_mutex_lock(&events->lock);
	events->listened = listened;
	if (!listened)
		events->n_kept = 0;
	pthread_mutex_unlock(&events->lock);
}

size_t events_take(struct events *events, char *to)
{
	uint64_t count;
	size_t n;

	pthread_mutex_lock(&events->lock);
	if (read(events->wake, &count, sizeof(count)) < 0) {
		/* Nothing new. */
	}
	n = events->n_kept;
	memcpy(to, events->kept, n);
	events->n_kept = 0;
	pthread_mutex_unlock(&events->lock);
	return n;
}

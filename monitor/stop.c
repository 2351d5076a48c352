/* SPDX-License-Identifier: BSD-3-Clause */
/* stop.c - what ends a run from outside */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "stop.h"
#include "util.h"

int stop_init(struct stop *stop, struct cxlvm_error *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		/* nohup, and shells that start a job in the background, ignore for us. */
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	/* A reader of the console that went away shows as an error of write. */
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, &stop->before);
	stop->running = true;
	stop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	stop->clock = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	stop->user = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop->signals < 0 || stop->clock < 0 || stop->user < 0)
		return cxlvm_error_set(err, -errno, "cannot wait for signals: %s", strerror(errno));
	return 0;
}

void stop_finish(struct stop *stop)
{
	if (!stop->running)
		return;
	/* What came last must not end the process in another way than what came first. */
	(void)stop_pending(stop, NULL);
	if (stop->signals >= 0)
		close(stop->signals);
	if (stop->clock >= 0)
		close(stop->clock);
	if (stop->user >= 0)
		close(stop->user);
	pthread_sigmask(SIG_SETMASK, &stop->before, NULL);
	stop->running = false;
}

int stop_start_clock(struct stop *stop, unsigned int seconds, struct cxlvm_error *err)
{
	struct itimerspec timer = { .it_value.tv_sec = (time_t)seconds };

	if (timerfd_settime(stop->clock, 0, &timer, NULL))
		return cxlvm_error_set(err, -errno, "cannot start the clock: %s", strerror(errno));
	return 0;
}

void stop_request(struct stop *stop)
{
	uint64_t one = 1;

	if (write(stop->user, &one, sizeof(one)) < 0) {
		/* Asked often enough already. */
	}
}

enum stop_reason stop_pending(struct stop *stop, int *number)
{
	struct signalfd_siginfo info;
	enum stop_reason reason = STOP_NONE;
	uint64_t count;

	while (read(stop->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (reason == STOP_NONE && number)
			*number = (int)info.ssi_signo;
		reason = STOP_SIGNAL;
	}
	if (reason == STOP_NONE && read(stop->user, &count, sizeof(count)) > 0)
		reason = STOP_USER;
	if (reason == STOP_NONE && read(stop->clock, &count, sizeof(count)) > 0)
		reason = STOP_TIME_LIMIT;
	return reason;
}

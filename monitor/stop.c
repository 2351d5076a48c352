/* SPDX-License-Identifier: BSD-3-Clause */
/* stop.c - what ends a run from outside */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>

#include "stop.h"
#include "util.h"

/* A signal handler has no other way to reach its vCPU. */
static volatile sig_atomic_t pending;
static volatile sig_atomic_t number;
static volatile uint8_t *volatile watched;
static pthread_t thread;

static void on_signal(int signal)
{
	if (pending == STOP_NONE) {
		number = signal;
		if (signal == SIGALRM)
			pending = STOP_TIME_LIMIT;
		else if (signal == SIGUSR1)
			pending = STOP_USER;
		else
			pending = STOP_SIGNAL;
	}
	if (watched)
		*watched = 1;
}

int stop_init(struct cxlvm_error *err)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1 };
	/* No SA_RESTART: a console nobody reads from must not keep the thread in write(). */
	struct sigaction action = { .sa_handler = on_signal };

	thread = pthread_self();
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&action.sa_mask, signals[i]);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction old;

		/* nohup, and shells that start a job in the background, ignore for us. */
		if (signals[i] != SIGALRM && signals[i] != SIGUSR1 &&
		    !sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		if (sigaction(signals[i], &action, NULL))
			return cxlvm_error_set(err, -errno, "cannot handle signal %d: %s",
					       signals[i], strerror(errno));
	}
	/* Whoever started us may have blocked them. */
	pthread_sigmask(SIG_UNBLOCK, &action.sa_mask, NULL);
	/* A reader of the console that went away shows as an error of write. */
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

void stop_watch(volatile uint8_t *immediate_exit)
{
	watched = immediate_exit;
	/* A signal may have come before. */
	if (immediate_exit && pending != STOP_NONE)
		*immediate_exit = 1;
}

int stop_start_clock(unsigned int seconds, struct cxlvm_error *err)
{
	struct itimerval timer = { .it_value.tv_sec = (time_t)seconds };

	if (setitimer(ITIMER_REAL, &timer, NULL))
		return cxlvm_error_set(err, -errno, "cannot start the clock: %s", strerror(errno));
	return 0;
}

void stop_request(void)
{
	pthread_kill(thread, SIGUSR1);
}

enum stop_reason stop_pending(void)
{
	return (enum stop_reason)pending;
}

int stop_signal(void)
{
	return (int)number;
}

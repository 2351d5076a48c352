// SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only
/* Calls that fail when somebody asked for it. */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>

#include "lab.h"

#define NAME_OF(id, name)  [LAB_CALL_##id] = (name),
#define EVENT_OF(id, name) [LAB_##id] = (name),

static const char *const names[LAB_N_COUNTS] = { LAB_CALLS(NAME_OF) LAB_EVENTS(EVENT_OF) };

const char *lab_count_name(unsigned int what)
{
	return names[what];
}

static void wait_to_be_killed(void)
{
	while (!fatal_signal_pending(current))
		schedule_timeout_killable(HZ);
}

int lab_call(struct lab_device *lab, enum lab_call call)
{
	struct lab_failure *failure = &lab->failures[call];
	unsigned long flags;
	int ret = 0;

	lab_count(lab, call);
	spin_lock_irqsave(&lab->failures_lock, flags);
	if (failure->times) {
		if (failure->calls) {
			failure->calls--;
		} else {
			failure->times--;
			ret = -failure->error;
		}
	}
	spin_unlock_irqrestore(&lab->failures_lock, flags);
	if (ret == -EINTR)
		wait_to_be_killed();
	if (ret)
		lab_count(lab, LAB_INJECTED);
	return ret;
}

/* The next word as a number from 1 to most; without a word what is there stays. */
static int next_number(char **text, u32 *number, u32 most)
{
	char *word = strsep(text, " ");

	if (!word)
		return 0;
	return kstrtou32(word, 0, number) || !*number || *number > most ? -EINVAL : 0;
}

int lab_failure_set(struct lab_device *lab, char *text)
{
	char *name = strsep(&text, " ");
	u32 nth = 0, error = 0, times = 1;
	unsigned long flags;
	int call = match_string(names, LAB_N_CALLS, name);

	if (call < 0 || next_number(&text, &nth, U32_MAX) ||
	    next_number(&text, &error, MAX_ERRNO) || next_number(&text, &times, U32_MAX) || text ||
	    !nth || !error)
		return -EINVAL;
	spin_lock_irqsave(&lab->failures_lock, flags);
	lab->failures[call] = (struct lab_failure){
		.calls = nth - 1,
		.times = times,
		.error = error,
	};
	spin_unlock_irqrestore(&lab->failures_lock, flags);
	return 0;
}

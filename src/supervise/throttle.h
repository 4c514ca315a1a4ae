/*
 * throttle.h - a share of one CPU for all processes of a sandbox together, without cgroups.
 *
 * Time goes in periods. A period's budget is the share of its length. Once the sandbox has used that, whoever
 * of its threads runs is held until the share is right again; then a new period begins. What is not used is
 * not kept.
 *
 * A thread is held by tracing it (PTRACE_SEIZE, PTRACE_INTERRUPT) and let go by ending that. Other than with
 * SIGSTOP, no parent is told, so shells keep their jobs, and who was stopped stays stopped. Threads that
 * sleep are left alone: their calls are not interrupted. Because there can be only one tracer, the seccomp
 * program refuses ptrace() to a command with such a limit. Where tracing is not possible (a container that
 * forbids it, a program that nobody may read) SIGSTOP and SIGCONT have to do.
 *
 * All of it happens in the main thread: a tracer is a thread.
 */
#ifndef SL_SUPERVISE_THROTTLE_H
#define SL_SUPERVISE_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervise/behalf.h"

struct sl_throttle_held {
	pid_t tid;
	bool by_signal; /* tid is the process; SIGCONT lets it go on */
	bool released;	/* to be let go as soon as it has stopped */
	int signal;	/* it was about to get this one when it stopped */
};

struct sl_throttle_use {
	pid_t pid;
	double cpu_s;
};

struct sl_throttle {
	double share; /* CPUs; 0: no limit */
	const struct sl_behalf *who;
	int cpus; /* how many can run at once */

	double begun_s, next_s; /* CLOCK_MONOTONIC: the period's begin, the next thing to do */
	double used_s;		/* CPU time in this period */
	bool holding;

	struct sl_throttle_use *uses; /* at the last look, by pid */
	size_t use_count, use_cap;
	double total_s; /* of all at the last look, and of those that were waited for */
	struct sl_throttle_held *held;
	size_t held_count, held_cap;
};

void sl_throttle_init(struct sl_throttle *t, int64_t percent, const struct sl_behalf *who);
void sl_throttle_release(struct sl_throttle *t);

/* Measure, hold, let go, if it is time. */
void sl_throttle_tick(struct sl_throttle *t, double now_s);

/* Let go of all, to kill or stop them. */
void sl_throttle_let_go(struct sl_throttle *t);

/* A thread's news from wait4: are they of our holding it, and of no concern to anybody else? */
bool sl_throttle_has_stopped(struct sl_throttle *t, pid_t tid, int status);

#endif

/*
 * run.h - the state of one run, shared by its set-up (sandbox.c) and its loop (loop.c).
 */
#ifndef SL_SUPERVISE_RUN_H
#define SL_SUPERVISE_RUN_H

#include "net/net.h"
#include "supervise/child.h"
#include "supervise/control.h"
#include "supervise/domain.h"
#include "supervise/killer.h"
#include "supervise/limit-group.h"
#include "supervise/limits.h"
#include "supervise/notify.h"
#include "supervise/progress.h"
#include "supervise/sandbox.h"
#include "supervise/signals.h"
#include "supervise/throttle.h"

/* Only forwards. The loop ends when no process of the sandbox is left, whatever the phase. */
enum sl_phase {
	SL_PHASE_RUNNING,   /* the command runs, without a deadline but the user's */
	SL_PHASE_LINGERING, /* it has ended; what it left may end by itself until the deadline */
	SL_PHASE_ENDING,    /* SIGTERM was sent to all; SIGKILL follows at the deadline */
	SL_PHASE_KILLED,    /* SIGKILL was sent to all */
};

struct sl_run {
	const struct sl_command *command;
	const struct sl_sandbox_options *options;
	struct sl_outcome *outcome;
	struct sl_error *err;

	char name[65]; /* of the registry */
	enum sl_domain_kind domain;
	struct sl_signals signals;
	struct sl_killer killer;
	struct sl_child child;
	struct sl_notifier notifier;
	struct sl_net net; /* the notifier's */
	struct sl_control control;
	struct sl_progress progress;
	struct sl_limit_group group;
	struct sl_limits_watch limits;
	struct sl_throttle throttle;

	enum sl_phase phase;
	double started_s;  /* CLOCK_MONOTONIC */
	double started_cpu_s; /* CPU time of earlier children */
	double deadline_s; /* of the phase; 0: none */
	bool command_ended, command_stopped;
	bool wake_armed; /* a timer of our own will continue us at the time limit */
	int wait_status; /* of the command */
	bool timed_out;
	bool over_limit; /* ended because of a limit, before the command ended by itself */
	bool killer_dismissed; /* nothing is left that it could kill */
	bool look_again;       /* children may have news that could not be taken */
	bool watch_listener;   /* no notifier yet: start it when the first notification comes */
};

/* Make the killer with the directories of this run. 0 or -errno with err (may be NULL) set. */
int sl_run_killer(struct sl_run *run, struct sl_error *err);

/* Wait, forward, reap, end: until no process of the sandbox is left. A failure of our own is put into the
 * error and ends the sandbox. */
void sl_run_loop(struct sl_run *run);

#endif

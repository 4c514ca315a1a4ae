/*
 * notify.h - the notifier: the thread that receives the notifications of the sandbox, routes and answers
 * them.
 */
#ifndef SL_SUPERVISE_NOTIFY_H
#define SL_SUPERVISE_NOTIFY_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/substitute.h"
#include "kernel/usage.h"
#include "observe/observe.h"
#include "supervise/behalf.h"
#include "supervise/child.h"
#include "supervise/disk.h"
#include "supervise/forks.h"
#include "supervise/limits.h"
#include "supervise/memory.h"

struct sl_notifier {
	/* Set by the caller before sl_notifier_start. */
	struct sl_behalf behalf;      /* policy NULL: learning, everything is continued */
	struct sl_observer *observer; /* or NULL */
	struct sl_child *child;	      /* gives the listener */
	bool measure;		      /* learn: keep what processes use at the most */
	struct sl_forks forks;	      /* with the limit of processes, if there is one */
	struct sl_segment_makers makers;
	struct sl_limits_watch ends;   /* run, with a limit of memory: looked at before a process ends */
	struct seccomp_notif *ending;  /* processes that may not end now, because the limit is reached */
	size_t ending_len, ending_cap;
	unsigned int passed_over; /* notifications that went before those that wait */
	struct sl_usage_peak peak; /* of a single process, at its execs and its end */
	struct sl_disk disk;	      /* run: its limit, if there is one */
	struct sl_view_calls *view;   /* the command's changes go there; or NULL */

	struct sl_substitute_host substitute; /* for handlers that make a caller do another call */
	struct seccomp_notif *deferred;	      /* came meanwhile, still without an answer; in order */
	size_t deferred_len, deferred_cap;

	uint64_t calls; /* notifications so far, for the progress line; read with relaxed order */
	bool stop;
	bool running;
	struct sigaction saved_wake;
	pthread_t thread;
};

/* Before anything else: whoever waits for children needs substitute.lock. */
void sl_notifier_init(struct sl_notifier *n);
void sl_notifier_release(struct sl_notifier *n);

/* Start the thread. With the listener not there yet it waits for it, and tells the observer the command's
 * pid. All signals must be blocked in the caller. 0 or -errno with err set. */
int sl_notifier_start(struct sl_notifier *n, struct sl_error *err);

/* End the thread after every process with the filter is gone. */
void sl_notifier_stop(struct sl_notifier *n);

#endif

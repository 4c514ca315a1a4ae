/*
 * forks.h - the limit of processes: which of the sandbox's forks may go on.
 *
 * fork, vfork, and clone for a process are notified while there is a limit (threads are not: the program sees
 * CLONE_THREAD in a register). Each is continued or fails with EAGAIN. Nothing behind a pointer is looked at:
 * that a process is made is all that counts, and the number in the registers says so.
 *
 * What is alive is counted when it matters. `bound` is never below the number of living processes: what the
 * last look at /proc found, and one more for each fork since. Only when it reaches the limit is there another
 * look. So a fork costs its notification, and eighty children one after the other a look or two.
 *
 * A fork that was continued is not over yet: the process may not be there when we look. Such forks count as
 * processes until it is known that they are over: their thread calls fork again, or sleeps in another call,
 * or is gone; or as many new processes are there as forks were continued. If nothing but forks that may be
 * under way stands against another one, that one waits for a little.
 *
 * A zombie is nobody who is alive. Still its parent cannot keep as many as it likes: see ZOMBIES_MAX.
 */
#ifndef SL_SUPERVISE_FORKS_H
#define SL_SUPERVISE_FORKS_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "supervise/behalf.h"

/* A process of the sandbox at a look; its start time tells it from another with its number. */
struct sl_fork_seen {
	pid_t pid;
	uint64_t started;
};

struct sl_fork_waiting {
	struct seccomp_notif n;
	double until_s; /* CLOCK_MONOTONIC */
};

struct sl_forks {
	int64_t limit; /* of living processes; 0: none, nothing is refused */

	struct sl_fork_seen *seen; /* at the last look, by pid */
	size_t seen_count, seen_cap;
	pid_t *under_way; /* threads whose fork may not be over */
	size_t under_way_count, under_way_cap;
	struct sl_fork_waiting *waiting; /* in the order in which they came */
	size_t waiting_count, waiting_cap;
	uint64_t continued; /* since the last look, and those that may have been under way then */
	int64_t bound;	    /* at least so many live, or will by forks that were continued */
	int64_t zombies;    /* at the last look */
	int64_t peak;	    /* the most that were there at a look, zombies included; for learn */
};

void sl_forks_release(struct sl_forks *f);

/* Decide on a notified fork: continue it, refuse it, or let it wait. who->root_pid is the first process. */
void sl_forks_notify(struct sl_forks *f, const struct sl_behalf *who, int listener,
		     const struct seccomp_notif *n);

/* Decide on those that wait, as far as it can be done now. */
void sl_forks_retry(struct sl_forks *f, const struct sl_behalf *who, int listener);

/* Count a notified fork that is continued in any case: *f has no limit. Keeps peak. */
void sl_forks_count(struct sl_forks *f, const struct sl_behalf *who);

#endif

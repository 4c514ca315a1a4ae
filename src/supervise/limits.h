/*
 * limits.h - the limits of a sandbox while it runs, and what it used, for learn.
 *
 * - processes: forks are notified and counted (forks.h).
 * - memory: RLIMIT_DATA for each process, set before its execve; for all together a cgroup where one can be had
 *   (limit-group.h), else a measurement from time to time (memory.h).
 * - open_files: RLIMIT_NOFILE.
 * - cpu_cores: the affinity, set before the execve; sched_setaffinity is done on behalf (process.c).
 * - cpu: a share of one CPU; who used more waits, in a cgroup or as throttle.h makes it.
 *
 * Root could raise its own resource limits: it loses CAP_SYS_RESOURCE where there are any.
 */
#ifndef SL_SUPERVISE_LIMITS_H
#define SL_SUPERVISE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "supervise/memory.h"
#include "supervise/sandbox.h"

struct sl_limits_watch {
	bool enabled;	      /* there is something to measure */
	bool learn;	      /* nothing is refused, the peaks are kept */
	int64_t memory_bytes; /* the limit; INT64_MAX while learning */
	struct sl_memory_meter meter;
	double next_s, last_s; /* CLOCK_MONOTONIC: of the next look, of the last one */
	int64_t peak_bytes;
	bool over;
	char text[160]; /* what limit was reached by whom, in one escaped line */
};

/* Before the command is made. memory_bytes: below 1 there is no limit to be watched. */
void sl_limits_init(struct sl_limits_watch *w, int64_t memory_bytes, const char *tmp_dir, const struct sl_behalf *who,
		    const struct sl_segment_makers *makers, bool learn);
void sl_limits_release(struct sl_limits_watch *w);

/* May a process end? Not while all together are over the limit: its memory would be gone before anybody had seen it. Looks
 * only where the limit could have been reached since the last look of this watch. */
bool sl_limits_may_end(struct sl_limits_watch *w);

/* Look if it is time. True once: the limit of memory was reached, and w->text says by whom. */
bool sl_limits_tick(struct sl_limits_watch *w, double now_s);

/* RLIMIT_DATA counts stacks of threads whole (eight MiB each with glibc), touched or not, so that a program with some threads
 * would reach a small limit before it has used any of it. So a process has the limit of memory as its own at first, and
 * for each stack that it maps as many bytes more, up to this many. Whoever lies about what is a stack gets no more than that
 * without a look, and everything that is touched is counted in any case. */
#define SL_LIMITS_STACKS_BYTES (512LL << 20)

/* Let the process map a stack of so many bytes. */
void sl_limits_make_room(pid_t pid, uint64_t bytes);

/* The name of a process as the kernel has it, "?" where it has none any more. */
void sl_limits_name_of(pid_t pid, char *name, size_t size);

/* Which limit was reached by whom, in one escaped line. */
void sl_limits_say(int64_t memory_bytes, const char *name, pid_t pid, char *ret, size_t size);

#endif

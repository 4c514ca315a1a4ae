/*
 * limit-group.h - limits that the kernel holds for all processes together, where we may have a cgroup (kernel/cgroup.h).
 *
 * Memory and CPU time alone. The kernel's limit of processes counts threads, of which a program has as many as it likes, so
 * processes are counted at their forks in any case (forks.h).
 *
 * Who is in the group must not be able to leave it, nor to change its limits: both are writes below the place where the tree
 * is mounted. Where the profile grants any there, or above, there is no group, and all is measured.
 */
#ifndef SL_SUPERVISE_LIMIT_GROUP_H
#define SL_SUPERVISE_LIMIT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "kernel/cgroup.h"
#include "policy/policy.h"
#include "supervise/sandbox.h"

struct sl_limit_group {
	struct sl_cgroup cgroup;
	pid_t peeked, largest; /* a child that has ended; the largest of those that were killed */
	int64_t largest_kib;
	char peeked_name[32], largest_name[32];
};

#define SL_LIMIT_GROUP_INIT ((struct sl_limit_group){.cgroup = {.procs_fd = -EBADF}})

/* Has the command limits that a group could hold? */
bool sl_limit_group_wanted(const struct sl_command *command, const struct sl_policy *policy);

/* Make a group for the limits of the command, if it can be had: before the killer is made, which removes it if we cannot. */
void sl_limit_group_open(struct sl_limit_group *g, const struct sl_command *command, const struct sl_policy *policy);

/* Remove the group, after the last process in it was waited for. Where we went into a leaf for it the killer is there too: then
 * all is gone only when this is called once more after the killer's end. */
void sl_limit_group_end(struct sl_limit_group *g);

static inline bool sl_limit_group_is_open(const struct sl_limit_group *g)
{
	return g->cgroup.dir[0];
}

/* Does the group hold the limits of this controller (SL_CGROUP_*)? */
static inline bool sl_limit_group_holds(const struct sl_limit_group *g, unsigned int controller)
{
	return g->cgroup.controllers & controller;
}

/* Before children are waited for: one that has ended, whose name is kept, or -1. */
pid_t sl_limit_group_peek(struct sl_limit_group *g);

/* A child was waited for. */
void sl_limit_group_reaped(struct sl_limit_group *g, pid_t pid, int status, const struct rusage *usage);

/* Did the kernel end the group for want of memory? Then which limit was reached by whom, in one escaped line. */
bool sl_limit_group_over(const struct sl_limit_group *g, int64_t memory_bytes, char *ret, size_t size);

#endif

/*
 * child.h - making the command's process and what happens in it up to execve.
 *
 * The process is made as vfork does it: it shares memory and descriptors with the tool, whose calling thread
 * waits until the execve. So nothing is copied, errors come back as plain memory, and the listener that the
 * kernel installs for the command's seccomp program is at once a descriptor of the tool. The price: the child
 * writes nothing but its own stack and the fields marked so below.
 */
#ifndef SL_SUPERVISE_CHILD_H
#define SL_SUPERVISE_CHILD_H

#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "policy/filter.h"
#include "supervise/sandbox.h"

enum sl_child_step {
	SL_CHILD_STARTED, /* no error: the command runs */
	SL_CHILD_CWD,
	SL_CHILD_GROUP,
	SL_CHILD_LIMITS,
	SL_CHILD_PERSONALITY,
	SL_CHILD_AFFINITY,
	SL_CHILD_CAPABILITIES,
	SL_CHILD_DOMAIN,
	SL_CHILD_FILTER,
	SL_CHILD_EXEC,
};

struct sl_child {
	/* Set by the caller. */
	const struct sl_command *command;
	const struct sl_filter *filter;
	bool listener; /* load the filter with a listener */
	bool limit_data; /* RLIMIT_DATA for the command's limit of memory */
	int group_fd;		     /* cgroup.procs of the command's cgroup, or -EBADF */
	int ruleset_fd;		     /* the command's domain, or -EBADF */
	const uint64_t *caller_mask; /* blocked signals, the kernel's 64 bits */
	const struct sigaction *caller_sigchld;

	/* Set by sl_child_prepare. */
	cpu_set_t *cpus;
	size_t cpus_size;
	char **shell_argv; /* /bin/sh FILE ARG…, for a script without #! */

	/* Written by the kernel and the child; read by any thread. */
	pid_t pid;	 /* the kernel, before the child runs */
	int listener_fd; /* the child, once its filter is loaded: a descriptor of ours; -EBADF before */
	int step, error; /* where and why it failed, or 0 */
};

/* Allocate what starting needs. Once a run, before the killer is made: a page that is written while the
 * killer shares it is copied. Returns 0, or -EINVAL with err set. */
int sl_child_prepare(struct sl_child *c, struct sl_error *err);
void sl_child_release(struct sl_child *c);

/* Make the process and wait until it has executed the command or failed. Returns 0, step and error telling
 * which; or -errno with err set where there is no process. With a listener, somebody must be ready to answer
 * for the execve. */
int sl_child_start(struct sl_child *c, struct sl_error *err);

/* Wait until listener_fd is known, for a thread beside the one in sl_child_start. */
void sl_child_await_listener(struct sl_child *c, const bool *stop);

/* What failed, as the start of a message: "cannot enter the directory /x". */
int sl_child_error(const struct sl_child *c, struct sl_error *err);

#endif

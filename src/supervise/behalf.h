/*
 * behalf.h - what the supervisor does for a confined process that Landlock and the seccomp program alone cannot
 * grant: changing attributes of what the profile lets it write, acting on processes of its own sandbox, opening its
 * own /proc/self. Everything else that is notified is refused.
 *
 * Each handler copies its arguments once, checks that the caller still waits, decides on the copy, does the operation
 * on a descriptor of its own with the caller's identity, and answers. Any error while deciding refuses. Nothing here
 * is ever continued whose outcome the caller could still change, but for calls whose arguments are all registers.
 */
#ifndef SL_SUPERVISE_BEHALF_H
#define SL_SUPERVISE_BEHALF_H

#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

#include "policy/policy.h"

struct sl_net;

struct sl_behalf {
	struct sl_net *net; /* does socket calls; NULL: they are refused */
	const struct sl_policy *policy;
	pid_t tool_pid, killer_pid; /* in the outer domain, but no part of the sandbox */
	pid_t root_pid;		    /* the command's process */
	bool signal_scope;	    /* the kernel's signal scope tells who is inside; else parent links do */
	const cpu_set_t *cpus;	    /* the CPUs that the command is bound to, or NULL */
	size_t cpus_size;	    /* in bytes */
};

/* Answer one notification of a confined process. Never leaves it without an answer. Called from the notifier thread
 * alone. */
void sl_behalf_notify(const struct sl_behalf *b, int listener, const struct seccomp_notif *n);

/* Does /proc number processes as we do? */
bool sl_behalf_proc_is_ours(void);

/* Is the process inside the sandbox: neither an outsider nor the tool or its killer? With the signal scope this is
 * kill(pid, 0), which the kernel refuses across the domain's border, root or not. */
bool sl_behalf_is_inside(const struct sl_behalf *b, pid_t pid);

/* The handlers, one file each; the call's row tells what it is. */
struct sl_call;
void sl_behalf_attribute(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
			 const struct sl_call *call);
/* prctl(PR_SET_DUMPABLE, 0) of a caller whose memory we could then read no more, and so serve no call of it:
 * every agent of keys does that. It is not done, but answered with success; what it is mostly for holds all the same:
 * the caller leaves no core (RLIMIT_CORE). True where the notification was that call, and is answered. */
bool sl_behalf_dumpable(int listener, const struct seccomp_notif *n);

void sl_behalf_process(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
		       const struct sl_call *call);
void sl_behalf_open_self(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
			 const struct sl_call *call);
/* False where it is to be continued, not answered yet (supervise/beside.h). */
bool sl_behalf_beside(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
		      const struct sl_call *call);

#endif

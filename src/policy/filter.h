/*
 * filter.h - the seccomp program: from the call table and a plan to classic BPF.
 */
#ifndef SL_POLICY_FILTER_H
#define SL_POLICY_FILTER_H

#include <linux/filter.h>

#include "base/error.h"
#include "policy/calls.h"
#include "policy/net-plan.h"
#include "policy/policy.h"

struct sl_filter_plan {
	bool listener;	     /* a supervisor will answer; without one, what would be notified is refused */
	bool attributes;     /* run: notify the attribute calls and those that act on another process */
	bool open_self;	     /* run: notify opens that could widen to /proc/self (by access mode where visible) */
	bool open_self_write; /* … also writing ones */
	bool beside;	     /* run: notify opens, and calls that change names: something granted is denied in part */
	bool observe;	     /* learn, --explain: notify every call whose op the observer records */
	bool view;	     /* also those calls that a view of the file system has to answer */
	bool keep_dumpable;  /* notify prctl(PR_SET_DUMPABLE, 0): see sl_behalf_dumpable() */
	bool allow_sysv_ipc;
	bool count_calls;    /* learn: notify every call that is not of "@base" and would be allowed, too */
	const struct sl_call_set *listed; /* the only calls that are possible, or NULL: all */
	bool limit_disk;      /* run: notify what can make a file larger */
	bool limit_processes; /* run: notify what makes a process */
	bool limit_cpu;	     /* run: no ptrace: whoever uses too much is held by tracing it */
	bool limit_cpus;     /* run: notify every sched_setaffinity */
	bool memory_held;    /* run: a cgroup holds the limit of memory: no end of a process has to be seen */
	uint64_t limit_memory; /* run: no shared anonymous mapping of more bytes; 0: no limit */
	bool measure;	     /* learn: notify what makes a process, and its end */
	bool explain;	     /* --explain: notify what would be refused of sockets, so that it can be said */
	struct sl_net_plan net;
	const struct sl_strv *extra_deny; /* call names; may be NULL */
};

struct sl_filter {
	struct sock_filter *insns;
	unsigned short len;
};

/* Build the program: architecture check, x32 and unknown numbers refused with ENOSYS, a binary tree over the
 * numbers, argument checks at the leaves. Returns 0, or -EINVAL with err for an unknown name in extra_deny. */
int sl_filter_build(const struct sl_filter_plan *plan, struct sl_filter *ret, struct sl_error *err);
void sl_filter_release(struct sl_filter *f);

/* Run the program over one call without a kernel: returns the SECCOMP_RET_* value. For tests and --explain.
 * arch is an AUDIT_ARCH_* value. */
uint32_t sl_filter_simulate(const struct sl_filter *f, uint32_t arch, int nr, const uint64_t args[6]);

#endif

/*
 * sandbox.h - one run of a command under a policy or under observation, from the first fork to its status.
 *
 * Processes: the tool T (the caller's child, supervisor, subreaper, parent of the command), the command C, and the
 * killer K. T first enters a Landlock domain of its own that only scopes signals; C is made from T and enters a
 * second, nested one with the policy. K is made from T, is in the outer domain, and waits for T's end: then one
 * kill(-1, SIGKILL) from inside the domain ends exactly the sandbox, atomically, and K removes the private
 * temporary directory. C can neither signal nor trace T or K: their domain is an ancestor of its own.
 *
 * Threads of T: the main one waits for signals, children, timers and the control socket; the notifier receives,
 * routes and answers notifications, and may block on nothing but the next one.
 */
#ifndef SL_SUPERVISE_SANDBOX_H
#define SL_SUPERVISE_SANDBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "observe/observe.h"
#include "policy/policy.h"

/* What the command is and how its process is set up. Strings are borrowed. */
struct sl_command {
	const char *file;    /* the path to execute: already looked up in PATH */
	char *const *argv;
	char *const *envp;
	const char *cwd;     /* or NULL */
	bool stdout_to_stderr;
	bool no_coredump, no_huge_pages, no_randomize_memory;
	int64_t open_files;  /* RLIMIT_NOFILE, or SL_INT_UNSET */
	int64_t memory_bytes, processes, cpu_percent, disk_bytes; /* limits; below 1: none */
	const struct sl_list *cpu_cores; /* decimal text; may be NULL or empty */
};

struct sl_view;

struct sl_sandbox_options {
	const char *name;	/* --name, or NULL: made from the command and the process id */
	const char *mode;	/* "run" or "learn": shown by ps */
	const char *profile;	/* shown by ps and inspect, or NULL */
	const struct sl_policy *policy; /* NULL while learning */
	int ruleset_fd;		/* -EBADF while learning */
	struct sl_observer *observer;	/* learn and --explain, or NULL */
	const struct sl_strv *extra_deny;
	bool count_calls;	/* learn: the observer is to see every system call that is not of "@base" */
	bool allow_sysv_ipc;
	uint64_t disabled;	/* SL_PROTECT_* bits */
	bool no_network;	/* learn: refuse every destination (always so with a policy) */
	double timeout_s;	/* 0: none */
	int status_fd;		/* JSON lines of start and end are written here; -EBADF: none */
	const char *tmp_dir;	/* private temporary directory to remove at the end, or NULL */
	const char *upper;	/* learn: every change goes to this directory; run: every change in policy->view. It is removed
				 * at the end. NULL: there is no view */
	struct sl_view **view;	/* with upper: where a view that a run before has left is taken from, or NULL */
	bool keep_view;		/* leave it there for the next run, and upper as it is: both are the caller's then */
	bool measure;		/* learn: what is used at the most, for outcome.peaks */
	bool progress;		/* learn: a progress line on the terminal after a second */
};

enum sl_outcome_kind {
	SL_OUTCOME_EXITED,   /* code: the command's status */
	SL_OUTCOME_SIGNALED, /* code: the signal */
	SL_OUTCOME_TIMEOUT,
	SL_OUTCOME_NOT_STARTED, /* code: errno of execve; error set */
	SL_OUTCOME_FAILED,   /* sandlock itself failed; error set */
};

/* The most that a command used of each at a time, and of CPU time in all, which is always known. Zero: not measured. */
struct sl_peaks {
	int64_t memory_bytes, processes, descriptors;
	double cpu_s;
};

struct sl_outcome {
	enum sl_outcome_kind kind;
	int code;
	bool interrupted;    /* a terminating signal was sent to the tool itself */
	size_t killed;	     /* processes that were still running at the end and were ended */
	int64_t max_rss_kib;
	double elapsed_s;
	char limit[160];     /* which limit ended the sandbox, and by whom it was reached, in one line; empty: none did */
	struct sl_peaks peaks; /* learn */
};

/* Run the command to its end. Always fills *ret; err holds the reason for NOT_STARTED and FAILED. */
void sl_sandbox_run(const struct sl_command *command, const struct sl_sandbox_options *options,
		    struct sl_outcome *ret, struct sl_error *err);

/* The exit status of the contract for an outcome: the code, 128+N, 124, 125, 126, 127. */
int sl_outcome_status(const struct sl_outcome *o);

/* Make the private temporary directory under $TMPDIR (else /tmp), mode 0700: its canonical path, malloc'd. guard: who
 * watches over it (guard.h), or NULL. */
struct sl_guard;
int sl_tmp_dir_make(struct sl_guard *guard, char **ret_path, struct sl_error *err);
/* Remove a tree without following symbolic links or leaving its file system; missing is fine. */
int sl_tree_remove(const char *path);

#endif

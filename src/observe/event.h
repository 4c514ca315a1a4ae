/*
 * event.h - one notified call while it is being looked at, and the inside of the observer.
 *
 * A handler resolves and checks as the kernel is about to, and collects steps: what the profile would have to hold
 * (uses), and what the call changes about names (made, gone, refer). It returns the outcome that it predicts, 0 or
 * -errno. Only then, and only for an outcome of 0, the steps are put into the fact store, or, for --explain, to the
 * policy. So nothing of a call that fails half-way through its checks is left behind.
 */
#ifndef SL_OBSERVE_EVENT_H
#define SL_OBSERVE_EVENT_H

#include <limits.h>
#include <sys/stat.h>

#include "kernel/resolve.h"
#include "kernel/tracee-memory.h"
#include "kernel/tracee.h"
#include "observe/cache.h"
#include "observe/facts.h"
#include "observe/network.h"
#include "observe/observe.h"
#include "policy/calls.h"

#define SL_STEPS_MAX	   24
#define SL_EVENT_ARENA	   (16 * PATH_MAX)
#define SL_PENDING_MAX	   64
#define SL_SAID_SLOTS	   4096
#define SL_IDENTITY_SLOTS  256

/* A handler's result for a call that leaves nothing and needs no line in the trace: seen before, or no file. */
#define SL_NOTHING 1

enum sl_step_kind {
	SL_STEP_USE,   /* rights (SL_RIGHT_*) on path */
	SL_STEP_MADE,  /* path is the run's own from now on */
	SL_STEP_GONE,  /* path was removed */
	SL_STEP_REFER, /* a name went from directory path to directory path2; rights are SL_REFER_* */
	SL_STEP_NOTE,  /* path is the text of a note; is_dir: the profile is partial */
};

struct sl_step {
	enum sl_step_kind kind;
	uint32_t rights;
	bool is_dir;
	const char *path, *path2; /* in the event's arena */
};

struct sl_event {
	struct sl_observer *o;
	const struct seccomp_notif *n;
	const struct sl_call *call;
	enum sl_op op;
	int listener;
	pid_t tid;
	bool differs;		  /* the caller's identity is not ours: caller holds it */
	bool lenient;		  /* a view decides whether it may be done: what it allows leaves the steps */
	bool held;		  /* an open of a moment ago */
	bool fifo;		  /* an open of a FIFO */
	bool tmp_used;		  /* something in the private temporary directory is used */
	bool removes_names;	  /* success changes what a path that was seen before means */
	int answer;		  /* 0, or the error that the call is to be answered with instead of being continued */
	bool failure_needs_rights; /* ENOEXEC: the steps count although the call fails */
	bool has_raw[2];
	struct sl_cache_key cache_key; /* to be held once the steps are; all zero: not */
	size_t step_count, arena_used;
	struct sl_step steps[SL_STEPS_MAX];
	struct sl_creds caller;
	char raw[2][PATH_MAX];	  /* the path arguments, copied once */
	char named[PATH_MAX];	  /* scratch of sl_event_use() */
	char arena[SL_EVENT_ARENA];
};

/* A process whose exec was continued: its next call shows what the kernel mapped. */
struct sl_pending_exec {
	pid_t pid;
	uint64_t stack; /* of the image that called exec */
};

struct sl_observer {
	struct sl_observer_options options;
	char *tmp_dir;
	struct sl_facts *facts;
	struct sl_net_facts *net;
	struct sl_call_set calls; /* that were seen, with options.calls */
	struct sl_cache cache;
	struct sl_memory_cache memory;
	uint32_t now_ms; /* when the notification came */
	struct sl_creds own; /* of the thread that looks */
	bool own_known;
	bool setid_seen;     /* identities may differ from ours from now on */
	struct {
		pid_t tid;
		uint32_t time_ms;
	} same_identity[SL_IDENTITY_SLOTS]; /* threads that were found to be like us */
	struct sl_pending_exec pending[SL_PENDING_MAX];
	size_t pending_count;
	uint64_t said[SL_SAID_SLOTS]; /* explain: hashes of denials that were said */
	struct sl_observer_view view; /* resolve NULL: none */
	bool looking;		      /* event was looked at and is not settled; outcome is what was predicted */
	int predicted;
	struct sl_event event;
};

/* Collecting (event.c). Paths are canonical; they are copied. */
void sl_event_use(struct sl_event *e, uint32_t rights, const char *path, bool is_dir);
void sl_event_made(struct sl_event *e, const char *path);
void sl_event_gone(struct sl_event *e, const char *path);
void sl_event_refer(struct sl_event *e, const char *src_dir, const char *dst_dir, unsigned int flags);
/* A move or link from one directory to another: -EXDEV where it goes into the private temporary directory. At run that
 * has all rights, more than any other place, so REFER refuses it there; programs copy instead, and what they need for
 * that is only seen if it happens. The call is answered with the error. Else 0. */
int sl_event_into_tmp(struct sl_event *e, const char *src_dir, const char *dst_dir);
void sl_event_note(struct sl_event *e, bool partial, const char *text);

/* Copy path argument 0 or 1 of the call into e->raw, once. 0 or -errno. */
int sl_event_read_path(struct sl_event *e, int which);

/* Directory descriptor argument that belongs to path 0 or 1; AT_FDCWD where the call has none. */
int sl_event_dirfd(const struct sl_event *e, int which);

/* Resolve path argument 0 or 1, or the descriptor where the call has no path, as the caller. SL_RESOLVE_* flags.
 * 0 or the -errno that the kernel is about to give. */
int sl_event_resolve(struct sl_event *e, int which, int flags, struct sl_resolved *ret);

/* Resolve any path as the caller: sl_resolve_with(), with its identity where that is not ours. */
int sl_event_resolve_path(struct sl_event *e, int dirfd, const char *path, const struct sl_resolve_opts *opts,
			  struct sl_resolved *ret);
/* The object behind a descriptor of the caller. */
int sl_event_resolve_fd(struct sl_event *e, int fd, struct sl_resolved *ret);
/* sl_event_resolve_path() from the working directory, with SL_RESOLVE_* flags alone. */
int sl_event_resolve_plain(struct sl_event *e, const char *path, int flags, struct sl_resolved *ret);

/* Put the steps into the fact store (event.c). */
void sl_event_commit(struct sl_event *e);

/* Put the steps to the policy and say what it refuses (explain.c). Returns whether all of it is allowed. */
bool sl_event_explain(struct sl_event *e);

/* Say that a call is not in [syscalls] allow (explain.c). */
void sl_explain_unlisted(struct sl_observer *o, const struct seccomp_notif *n);

/* Was this denial said already? From any thread (explain.c). */
bool sl_explain_said(struct sl_observer *o, const char *text);

/* One JSON line (trace.c). */
void sl_event_trace(const struct sl_event *e, int outcome);

/* The last component of the caller's program, escaped, in a static buffer (trace.c). */
const char *sl_event_program(const struct sl_event *e);

/* What the profile calls the object at this canonical path (paths.c): path itself, or text in e->named, or NULL where
 * it has no entry of its own (anonymous, in the private temporary directory, another process's). *is_dir is set where
 * the entry is a directory although the object is none. Adds notes. */
const char *sl_event_name(struct sl_event *e, const char *path, bool *is_dir);

/* Is the path in the private temporary directory? */
bool sl_event_in_tmp(const struct sl_event *e, const char *path);

/* The caller's identity (permission.c): find out whether it differs from ours. */
void sl_event_identify(struct sl_event *e);
void sl_event_setid(struct sl_event *e);
/* A process runs another program: exec takes capabilities away from a root whose bounding set is smaller. */
void sl_observer_new_image(struct sl_observer *o, pid_t pid);

/* Would the kernel allow it to the caller? All return 0 or -errno (permission.c). */
int sl_may_access(struct sl_event *e, int fd, int mode); /* R_OK | W_OK | X_OK */
int sl_may_own(struct sl_event *e, const struct stat *st); /* owner, or CAP_FOWNER */
bool sl_may_capable(const struct sl_event *e, int capability);
bool sl_may_in_group(const struct sl_event *e, gid_t gid);
uid_t sl_may_fsuid(const struct sl_event *e);
int sl_may_create(struct sl_event *e, const struct sl_resolved *at);
int sl_may_remove(struct sl_event *e, const struct sl_resolved *at, const struct stat *st);

/* The system's settings /proc/sys/fs/protected_*, read once; the usual 1 where they cannot be read. */
enum sl_protected { SL_PROTECTED_HARDLINKS, SL_PROTECTED_REGULAR, SL_PROTECTED_FIFOS, SL_PROTECTED_COUNT };
int sl_protection_level(enum sl_protected which);

/* -ENOTEMPTY for a directory that holds something, 0 for an empty one or one that we cannot look into. */
int sl_directory_empty(int fd);

/* The identity of a mount for telling two apart, and whether the object is the root of one. 0 or -errno. */
int sl_mount_of(int fd, uint64_t *ret_id, bool *ret_is_root);

/* Handlers: the outcome (0, -errno) or SL_NOTHING. */
int sl_observe_open(struct sl_event *e);      /* access.c: open, openat, openat2, creat */
int sl_observe_truncate(struct sl_event *e);  /* access.c */
int sl_observe_make(struct sl_event *e);      /* mutate.c: mkdir, mknod, symlink */
int sl_observe_link(struct sl_event *e);      /* mutate.c */
int sl_observe_remove(struct sl_event *e);    /* mutate.c: unlink, rmdir */
int sl_observe_rename(struct sl_event *e);    /* rename.c */
int sl_observe_attribute(struct sl_event *e); /* attribute.c */
int sl_observe_ioctl(struct sl_event *e);     /* attribute.c: device ioctl */
int sl_observe_bind(struct sl_event *e);      /* socket.c */
int sl_observe_ipc(struct sl_event *e);	      /* socket.c */
int sl_observe_exec(struct sl_event *e);      /* exec.c */

/* After an exec: what the kernel mapped becomes facts, whatever was predicted (exec.c). */
void sl_exec_verify(struct sl_observer *o, pid_t pid);

#endif

/*
 * view-calls.h - the copy-on-write view behind the calls of a command: what a notified call means on the
 * view, who performs it, and what comes back.
 *
 * Each call of an op that has a handler (the table in view-calls.c) is either continued or performed here. It
 * is continued where the real tree has the answer and the call only reads, or where what it changes is meant
 * to stay real (terminals and character devices, the private temporary directory). Landlock withholds every
 * other writing right from the command, so whatever a thread writes over a path meanwhile, a continued call
 * changes nothing. Everything else is done on the view, on one copy of the arguments, and the result, the
 * descriptor or the structure is handed back. Any error while deciding is the call's error.
 *
 * All of it runs in the notifier thread.
 */
#ifndef SL_SUPERVISE_VIEW_CALLS_H
#define SL_SUPERVISE_VIEW_CALLS_H

#include <limits.h>
#include <linux/seccomp.h>

#include "kernel/resolve.h"
#include "kernel/substitute.h"
#include "kernel/tracee.h"
#include "observe/observe.h"
#include "policy/calls.h"
#include "supervise/behalf.h"
#include "view/handle.h"
#include "view/view.h"
#include "view/walk.h"

#define SL_VIEW_PROGRAMS 128
#define SL_VIEW_SHELF	 "run" /* beside the objects: links by which programs are executed */
#define SL_VIEW_STOOD	 16
#define SL_VIEW_AGE_MS	 100 /* how long directories of the lower are remembered: others may change them */

/* A directory that is being listed from the view. */
struct sl_view_listing {
	struct sl_view_file *file;
	pid_t tid; /* who began, with which descriptor */
	int fd;
	uint64_t pos;	 /* where the descriptor's own offset cannot be set, */
	uint64_t offset; /* which then was this */
	uint64_t stamp;	 /* of the last use */
};

/* Files whose contents were copied up while somebody had the lower's open (view-readers.c). */
#define SL_VIEW_OUTDATED 64
#define SL_VIEW_LOOKED	 512
struct sl_view_readers {
	struct sl_vnode *outdated[SL_VIEW_OUTDATED]; /* used; a ring */
	uint64_t count;				     /* ever in the ring */
	struct {
		pid_t tid;
		uint64_t count;
	} looked[SL_VIEW_LOOKED]; /* by number: which of them the thread's descriptors were compared with */
};

/* One view behind one command. */
struct sl_view_calls {
	struct sl_view *view;
	struct sl_view **keep; /* where the view goes at the end; NULL: it ends too */
	struct sl_view_file *root;
	char *upper; /* canonical path */
	struct stat upper_parent;     /* its listing does not show the upper */
	char *tmp_dir;		      /* canonical, or NULL: what is below it stays real */
	struct sl_observer *observer; /* or NULL */
	const struct sl_behalf *behalf;
	const struct sl_policy *policy; /* run: what the command may do; NULL while learning */
	bool one_identity;		/* its processes cannot become anybody else than we are */
	struct sl_substitute_host *substitute; /* the notifier's */
	struct sl_view_creds own;	       /* of this thread, for callers like us */
	struct sl_creds *own_creds;
	/* Directories of the upper that callers stand in or have open: kept, so that from one that was removed ".." still
	 * leads out. */
	struct sl_vnode *stood[SL_VIEW_STOOD];
	size_t next_stood;
	/* What is kept of umasks (view-umask.c). */
	struct sl_view_umasks {
		struct sl_view_umask {
			pid_t tid;
			mode_t mask;
			uint32_t ms;
		} slots[64];
		pid_t changing[16]; /* have been told to make a umask(2), and have made no other call since */
		size_t changing_len;
		bool lost; /* there was one more */
	} umasks;
	bool met_references; /* a descriptor was asked for with O_PATH: none of the upper has been before */
	uint32_t now_ms;
	uint32_t looked_ms; /* since when the view has remembered directories of the lower */
	/* Files without a name that a link call may still give one, and the directories being listed. */
	struct sl_view_unnamed {
		struct sl_view_file *file;
		char *path;	 /* "/dir/#7": where it was made */
		uint32_t rights; /* of the profile, there */
	} * unnamed;
	size_t unnamed_len;
	/* Opens of FIFOs that wait for their peer (view-fifo.c). */
	struct sl_view_waiting {
		uint64_t id;
		struct sl_view_file *file;
		int fd;	  /* a reader's end; -EBADF: a writer */
		int real; /* a reader's end of the lower's FIFO, or -EBADF */
		int flags;
		uint32_t cloexec;
		bool ready; /* its peer was there */
		pid_t tid;
		unsigned int looks, signals; /* how often it was looked at, and had a signal pending at last */
	} * waiting;
	size_t waiting_len;
	struct sl_view_listing *listings;
	size_t listing_count;
	uint64_t stamp;
	/* Programs that were executed by a real path that is not theirs: what /proc/PID/exe says, and what it should. */
	struct sl_view_program {
		pid_t pid;
		char *real, *name;
	} programs[SL_VIEW_PROGRAMS];
	size_t next_program;
	struct sl_view_call *call; /* the one at hand */
	struct sl_vnode *copied;   /* by it, used; NULL */
	struct sl_view_readers readers;
};

/* What a handler returns besides a value or an -errno: the call is continued; the descriptor reply_fd is the
 * result; the handler has answered itself, and the call succeeded (subst: the process runs on). */
#define SL_VIEW_CONTINUE (-6000)
#define SL_VIEW_SEND_FD	 (-6001)
#define SL_VIEW_ANSWERED (-6002)

/* Where a path or a descriptor of the caller leads. */
enum sl_place_kind {
	SL_PLACE_VIEW, /* walk: an object of the view, or (with PARENT or CREATE) a free name in a directory
			*/
	SL_PLACE_PROC, /* an entry of procfs: text, an absolute path that means it to the caller */
	SL_PLACE_OPEN, /* what only an open descriptor leads to: a pipe, a socket, a file without a name. text
			* is the /proc/PID/fd/N or its like, to be opened as the caller */
};
struct sl_place {
	enum sl_place_kind kind;
	struct sl_vwalk walk;
	bool moved;   /* the caller's own look-up would not arrive there */
	bool changed; /* the object is not what the lower has: contents, attributes or links */
	bool via_fd;  /* a magic link of the caller's own descriptor was followed to it: fd */
	int fd;
	char text[PATH_MAX];
};
#define SL_PLACE_INIT ((struct sl_place){.fd = -EBADF})
void sl_place_release(struct sl_place *p);

/* What was looked for: at AT_FDCWD or a descriptor, with SL_VWALK_* and RESOLVE_*. */
struct sl_view_sought {
	int at, flags;
	uint64_t resolve;
	const char *path;
};
struct sl_view_memo {
	struct sl_view_sought what; /* but for the path */
	char path[PATH_MAX];
	struct sl_place place;
	int result;
};

/* One call. */
struct sl_view_call {
	struct sl_view_calls *v;
	int listener;
	const struct seccomp_notif *n;
	const struct sl_call *row;
	enum sl_op op;
	pid_t tid;
	bool has_path[2];
	char path[2][PATH_MAX]; /* the path arguments, copied once */
	struct sl_creds creds;	/* of a caller that is not like us: other */
	bool other;
	struct sl_view_creds view_creds;
	struct sl_view_ctx ctx; /* set up by sl_view_call_ctx() */
	bool identified;	/* view_creds are of creds already */
	bool ctx_ready;
	struct sl_view_trail trail;
	int reply_fd;		/* with SL_VIEW_SEND_FD; closed by the router */
	uint32_t reply_cloexec; /* O_CLOEXEC or 0 */
	int open_flags;		/* of the open calls: O_*, mode, RESOLVE_* */
	mode_t open_mode;
	uint64_t open_resolve;
	bool changes;	       /* the call is one that changes something, or opens for that */
	bool looking;	       /* the observer looks: what it finds is kept for the handler */
	size_t memo_len;
	struct sl_view_memo memos[4];
	bool existing_changed; /* something that was there differs now: no remembered open holds any more */
};

/* What a place of kind VIEW is part of. */
enum sl_area {
	SL_AREA_VIEW,	/* goes through the view */
	SL_AREA_REAL,	/* stays real: below the private temporary directory; of a run, outside of the view's directory */
	SL_AREA_PSEUDO, /* sysfs, control groups and their like: readable only */
};
enum sl_area sl_place_area(const struct sl_view_calls *v, const struct sl_place *p);

/* Is it a character device that is the real one? */
bool sl_place_is_device(const struct sl_place *p);

/* ---- set-up (view-setup.c) ---- */

/* May a command use this character device while learning? Those that keep nothing. */
bool sl_view_device_is_safe(dev_t rdev);

/* Make the upper directory, in the directory storage or (NULL) where doc/architecture.md says: its canonical path,
 * malloc'd. */
struct sl_guard;
int sl_view_upper_make(const char *storage, struct sl_guard *guard, char **ret_path, struct sl_error *err);

/* The places where uppers are made, canonical, storage (or NULL) among them. */
void sl_view_upper_places(const char *storage, struct sl_strv *ret);

/* What names of uppers begin with. */
#define SL_VIEW_UPPER "sandlock-view-"

/* The Landlock ruleset of a command on a view: everything readable and executable, nothing writable but
 * character devices, terminals and tmp_dir (or NULL). A descriptor, or -errno with err set. */
int sl_view_ruleset(const char *tmp_dir, uint64_t disabled, struct sl_error *err);

/* A view of the whole tree with the upper at that path: the given one, of an earlier run with that upper,
 * which becomes theirs, or a new one (NULL). The other strings are copied; observer and behalf stay the
 * caller's. 0 or -errno with err set. */
int sl_view_calls_new(const char *upper, const char *tmp_dir, struct sl_view *view,
		      struct sl_observer *observer, const struct sl_behalf *behalf, struct sl_view_calls **ret,
		      struct sl_error *err);
/* The type (S_IFMT) of what the view has at a canonical path, without following a link there. -errno. */
int sl_view_calls_type(void *view_calls, const char *path, mode_t *ret);
void sl_view_calls_free(struct sl_view_calls *v); /* NULL is accepted. Removes what is in the upper */

/* What the ruleset of a policy with a view needs besides: executing what the supervisor puts on the shelf, using the
 * devices of the view's directory that keep nothing, as far as the policy grants them. 0 or -errno with err set. */
int sl_view_rules(const struct sl_view_calls *v, int ruleset_fd, uint64_t disabled, struct sl_error *err);

/* The directory beside the objects that is in the way of what is executed, made where it is not there: its path, malloc'd.
 * NULL with errno. */
char *sl_view_shelf(const struct sl_view_calls *v);

/* ---- the router (view-calls.c) ---- */

/* Answer one notification. While learning it never leaves it without an answer. Under a policy it returns false for
 * what is not the view's to answer: that goes the way of a run without a view. */
bool sl_view_calls_notify(struct sl_view_calls *v, int listener, const struct seccomp_notif *n);

/* Has the view no change at all? */
static inline bool sl_view_is_untouched(const struct sl_view_calls *v)
{
	return !sl_view_is_changed(v->view);
}

/* For a call that is not answered here: who asks, and the context. 0 or -errno. */
int sl_view_call_start(struct sl_view_call *c, struct sl_view_calls *v, int listener,
		       const struct seccomp_notif *n);

/* What the path of an AF_UNIX address leads to: struct sl_net's find_local; arg is a struct sl_view_calls. 0;
 * -EAGAIN where the caller's own look-up finds the same; -errno. */
int sl_view_find_socket(void *arg, int listener, const struct seccomp_notif *n, const char *path,
			struct sl_resolved *ret);

/* Path argument 0 or 1 into c->path, once. 0 or -errno. */
int sl_view_call_path(struct sl_view_call *c, int which);

/* The context of the caller: root, identity, umask (read only where with_umask). 0 or -errno. */
int sl_view_call_ctx(struct sl_view_call *c, bool with_umask);

/* The caller's identity where it is not ours, else NULL. After sl_view_call_ctx(). */
const struct sl_creds *sl_view_other_caller(const struct sl_view_call *c);

/* The flags argument of a call; 0 where it has none. */
static inline unsigned int sl_view_flags_arg(const struct sl_view_call *c)
{
	return c->row->flags_arg == SL_NO_ARG ? 0 : (unsigned int)c->n->data.args[c->row->flags_arg];
}

/* Before the view is changed or asked: the context without a trail, and proof that the caller still waits. 0
 * or -errno. */
int sl_view_call_begin(struct sl_view_call *c, bool with_umask);

/* Tell the observer the outcome: once, before the call is answered. The router does it for what a handler
 * returns; a handler that answers itself calls it with SL_VIEW_ANSWERED or its -errno before. */
void sl_view_call_settle(struct sl_view_call *c, int r);

/* Must the call be performed on the view (or refused) rather than continued, when it only reads? */
static inline bool sl_place_differs(const struct sl_place *p)
{
	return p->moved || p->changed;
}

/* ---- what the profile grants (view-policy.c) ---- */

/* May the caller use the rights (SL_RIGHT_*) on the object of a place, which is one of the view? 0 or -EACCES; always 0
 * while learning, as the others. */
int sl_view_may(const struct sl_view_call *c, const struct sl_place *p, uint32_t rights);

/* The same of the directory in which the place's name is, about that name. */
int sl_view_may_name(const struct sl_view_call *c, const struct sl_place *p, uint32_t rights);

/* A name may be moved, another linked: both looked up. Also -EXDEV, where rights would be gained. */
int sl_view_may_rename(const struct sl_view_call *c, const struct sl_place *from, const struct sl_place *to,
		       bool exchange);
int sl_view_may_link(const struct sl_view_call *c, const struct sl_place *from, const struct sl_place *to);

/* The rights on what is in a directory and has no rule of its own. */
uint32_t sl_view_rights_in(const struct sl_view_calls *v, const struct sl_vnode *dir);

/* The call is about something that stays real, but its caller would not find it: make it call with the real path.
 * Landlock judges. second: of a call with two paths, else NULL. As a handler. */
int sl_view_call_there(const struct sl_view_call *c, const struct sl_place *first, const struct sl_place *second);

/* Is it to be done so? Not while learning. */
static inline bool sl_view_is_there(const struct sl_view_calls *v, const struct sl_place *p)
{
	return v->policy && p->moved &&
	       (p->kind == SL_PLACE_PROC || (p->kind == SL_PLACE_VIEW && sl_place_area(v, p) == SL_AREA_REAL));
}

/* ---- where things are (view-place.c) ---- */

/* Where a path of the caller leads. at: AT_FDCWD or a descriptor of the caller. walk_flags: SL_VWALK_*.
 * resolve: RESOLVE_* of openat2. With SL_VWALK_EMPTY, "" is the descriptor itself. 0 or -errno; on failure
 * the place holds nothing, but moved says whether the caller's own look-up could have another answer. */
int sl_view_locate(struct sl_view_call *c, int at, const char *path, int walk_flags, uint64_t resolve,
		   struct sl_place *ret);

/* The same for path argument 0 or 1 and its directory argument. */
int sl_view_locate_arg(struct sl_view_call *c, int which, int walk_flags, struct sl_place *ret);

/* What is behind a descriptor of the caller, or its working directory (AT_FDCWD). */
int sl_view_locate_fd(struct sl_view_call *c, int fd, struct sl_place *ret);

/* A canonical path of the real tree to the node that stands for it: paths in the upper are those of its
 * objects. Used by the caller. -ENOENT where the view has it no more or it is none of the view's. */
int sl_view_map(struct sl_view_calls *v, const char *real, struct sl_vnode **ret);

/* The path that the view has for a node, in buf. dir and name: where it was met, or NULL. 0 or -ENOENT. */
int sl_view_name(struct sl_vnode *n, const struct sl_vnode *dir, const char *name, char buf[PATH_MAX]);

/* What a link of procfs says, text being a place's of kind PROC: its text for the caller in buf, or SL_VIEW_CONTINUE
 * where the caller's own call says it (view-links.c). */
int sl_view_translate_link(struct sl_view_call *c, const char *text, char buf[PATH_MAX]);

/* A process runs the program name, whose real path is real: for what its /proc/PID/exe says. */
void sl_view_runs(struct sl_view_calls *v, pid_t pid, const char *real, const char *name);
void sl_view_programs_release(struct sl_view_calls *v);

/* The observer's way to resolve: sl_resolve_with() on the view. *ret_native: the caller's own call arrives at
 * the object too. */
int sl_view_observe_resolve(void *arg, int dirfd, const char *path, const struct sl_resolve_opts *opts,
			    struct sl_resolved *ret, bool *ret_native);

/* Is what the lower has at this path not of the view, but changed by the command itself? arg: the struct sl_view_calls. */
bool sl_view_stays_real(const char *lower, void *arg);

/* Has this been found for the call already? The place, used once more, and the result of looking for it. */
bool sl_view_recall(struct sl_view_call *c, const struct sl_view_sought *what, struct sl_place *ret, int *ret_result);
void sl_view_memorize(struct sl_view_call *c, const struct sl_view_sought *what, const struct sl_place *p, int result);
void sl_view_forget_memos(struct sl_view_call *c);

/* A call of a thread was notified; changes: a umask(2) that will be continued. */
void sl_view_umask_call(struct sl_view_umasks *u, pid_t tid, bool changes);
/* The umask of a thread that waits. -errno. */
int sl_view_umask_of(struct sl_view_umasks *u, pid_t tid, uint32_t now_ms, mode_t *ret);

/* Let go of the directories that are kept. */
void sl_view_forget_stood(struct sl_view_calls *v);

/* Would the kernel, told to continue the call, do what the view has? */
bool sl_place_is_native(const struct sl_view_call *c, const struct sl_place *p);

/* After a walk with SL_VWALK_PARENT that ended at a name: look the name itself up. -ENOENT where it is free.
 */
int sl_view_look_up_last(struct sl_view_call *c, struct sl_place *p);

/* ---- calls that only the caller itself can make (view-exec.c, view-chdir.c) ---- */

/* A caller could not be made to do another call: ptrace is forbidden here. Returns the error for its call. */
int sl_view_untraceable(struct sl_view_calls *v);

/* ---- who reads from before the first write (view-readers.c) ---- */

void sl_view_readers_init(struct sl_view_calls *v);
void sl_view_readers_release(struct sl_view_calls *v);

/* The contents of v->copied, if any, are the upper's from here on: released. */
void sl_view_readers_note(struct sl_view_calls *v);

/* The caller of the call at hand, which is not answered yet, gets descriptors of the upper in place of those of
 * the lower's files that are outdated. */
void sl_view_readers_update(struct sl_view_call *c);

/* ---- FIFOs (view-fifo.c) ---- */

/* Open the FIFO of a place. As a handler. */
int sl_view_open_fifo(struct sl_view_call *c, const struct sl_place *p);

/* While waiting_len is not 0: now and then, and never while a call is looked at. */
void sl_view_fifo_retry(struct sl_view_calls *v, int listener);
void sl_view_fifo_release(struct sl_view_calls *v);

/* ---- handlers, by family ---- */
typedef int sl_view_handler(struct sl_view_call *c);
sl_view_handler sl_view_do_open; /* view-open.c */
sl_view_handler sl_view_do_truncate;
sl_view_handler sl_view_do_mkdir; /* view-names.c */
sl_view_handler sl_view_do_mknod;
sl_view_handler sl_view_do_symlink;
sl_view_handler sl_view_do_link;
sl_view_handler sl_view_do_unlink;
sl_view_handler sl_view_do_rename;
sl_view_handler sl_view_do_stat; /* view-stat.c */
sl_view_handler sl_view_do_access;
sl_view_handler sl_view_do_readlink;
sl_view_handler sl_view_do_statfs;
sl_view_handler sl_view_do_getcwd; /* view-dir.c */
sl_view_handler sl_view_do_getdents;
sl_view_handler sl_view_do_watch;     /* view-watch.c */
sl_view_handler sl_view_do_exec;      /* view-exec.c */
sl_view_handler sl_view_do_chdir;     /* view-chdir.c */
sl_view_handler sl_view_do_attribute; /* view-attr.c */
sl_view_handler sl_view_do_getxattr;
sl_view_handler sl_view_do_bind; /* view-socket.c */

/* An `at` for the view's calls out of a node, on the stack. */
static inline struct sl_view_file sl_view_at(struct sl_vnode *dir)
{
	return (struct sl_view_file){.node = dir, .fd = -EBADF};
}

/* What is left of a path after the walk with SL_VWALK_PARENT, for a call relative to its directory. buf holds
 * NAME_MAX + 3 bytes. */
const char *sl_view_last(const struct sl_vwalk *w, char *buf);

#endif

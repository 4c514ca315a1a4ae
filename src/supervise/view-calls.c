/*
 * view-calls.c - the router of a command on a view: one row an op in handlers[], one way for every call.
 *
 * The observer looks first, on the view (sl_view_resolve()), and keeps what it found; the handler decides and
 * performs; the observer is told the outcome; the call is answered. An op without a handler only reads or is
 * withheld by Landlock, and is continued; but what Landlock does not govern is refused.
 */
#include "supervise/view-calls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>

#include "kernel/seccomp.h"
#include "observe/cache.h"

static sl_view_handler *const handlers[] = {
    [SL_OP_OPEN] = sl_view_do_open,
    [SL_OP_OPENAT2] = sl_view_do_open,
    [SL_OP_CREAT] = sl_view_do_open,
    [SL_OP_TRUNCATE] = sl_view_do_truncate,
    [SL_OP_MKDIR] = sl_view_do_mkdir,
    [SL_OP_MKNOD] = sl_view_do_mknod,
    [SL_OP_SYMLINK] = sl_view_do_symlink,
    [SL_OP_LINK] = sl_view_do_link,
    [SL_OP_UNLINK] = sl_view_do_unlink,
    [SL_OP_RMDIR] = sl_view_do_unlink,
    [SL_OP_RENAME] = sl_view_do_rename,
    [SL_OP_STAT] = sl_view_do_stat,
    [SL_OP_ACCESS] = sl_view_do_access,
    [SL_OP_READLINK] = sl_view_do_readlink,
    [SL_OP_STATFS] = sl_view_do_statfs,
    [SL_OP_GETCWD] = sl_view_do_getcwd,
    [SL_OP_GETDENTS] = sl_view_do_getdents,
    [SL_OP_CHMOD] = sl_view_do_attribute,
    [SL_OP_CHOWN] = sl_view_do_attribute,
    [SL_OP_UTIMES] = sl_view_do_attribute,
    [SL_OP_SETXATTR] = sl_view_do_attribute,
    [SL_OP_REMOVEXATTR] = sl_view_do_attribute,
    [SL_OP_INODE_FLAGS] = sl_view_do_attribute,
    [SL_OP_GETXATTR] = sl_view_do_getxattr,
    [SL_OP_LISTXATTR] = sl_view_do_getxattr,
    [SL_OP_WATCH] = sl_view_do_watch,
    [SL_OP_BIND] = sl_view_do_bind,
    [SL_OP_EXEC] = sl_view_do_exec,
    [SL_OP_CHDIR] = sl_view_do_chdir,
};

#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)
#define OPEN_WRITES (O_CREAT | O_TRUNC | TMPFILE_BIT)
#define LARGEFILE   0100000 /* of the kernel; the libc's is 0 */
/* Of openat2(2), which takes nothing else. */
#define OPEN_KNOWN                                                                                           \
	((uint64_t)(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |     \
		    O_DSYNC | O_ASYNC | O_DIRECT | LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME |        \
		    O_CLOEXEC | O_PATH | O_TMPFILE))
#define RESOLVE_KNOWN                                                                                        \
	((uint64_t)(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH |        \
		    RESOLVE_IN_ROOT | RESOLVE_CACHED))
#define HOW_MAX	    4096 /* a page, as in the kernel */

/* ---- arguments ---- */

int sl_view_call_path(struct sl_view_call *c, int which)
{
	int arg = which ? c->row->path2_arg : c->row->path_arg;
	ssize_t n;

	if (c->has_path[which])
		return 0;
	if (arg == SL_NO_ARG)
		return -EINVAL;
	n = sl_tracee_read_string(c->tid, c->n->data.args[arg], c->path[which], sizeof(c->path[which]));
	if (n < 0)
		return (int)n;
	c->has_path[which] = true;
	return 0;
}

/* What build_open_flags() of the kernel's fs/open.c says of the members. */
static int check_how(uint64_t flags, uint64_t mode, uint64_t resolve)
{
	bool creates = flags & (O_CREAT | TMPFILE_BIT);

	if (flags & ~OPEN_KNOWN || resolve & ~RESOLVE_KNOWN ||
	    (resolve & RESOLVE_BENEATH && resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (creates ? mode > 07777 : mode != 0)
		return -EINVAL;
	if (flags & O_PATH && flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC))
		return -EINVAL;
	return resolve & RESOLVE_CACHED && (creates || flags & O_TRUNC) ? -EAGAIN : 0;
}

/* openat2's structure, as copy_struct_from_user() takes it. */
static int read_how(struct sl_view_call *c)
{
	uint64_t how[HOW_MAX / sizeof(uint64_t)] = {0};
	size_t size = c->n->data.args[3];
	int r;

	if (size < sizeof(struct open_how))
		return -EINVAL;
	if (size > sizeof(how))
		return -E2BIG;
	r = sl_tracee_read(c->tid, c->n->data.args[2], how, size);
	if (r < 0)
		return r;
	for (size_t i = sizeof(struct open_how) / sizeof(how[0]); i < SL_ARRAY_LEN(how); i++)
		if (how[i])
			return -E2BIG;
	r = check_how(how[0], how[1], how[2]);
	if (r < 0)
		return r;
	c->open_flags = (int)how[0];
	c->open_mode = (mode_t)how[1];
	c->open_resolve = how[2];
	return 0;
}

static int read_open(struct sl_view_call *c)
{
	const struct sl_call *row = c->row;
	int r = 0;

	if (c->op == SL_OP_OPENAT2) {
		r = read_how(c);
	} else if (c->op == SL_OP_CREAT) {
		c->open_flags = O_CREAT | O_WRONLY | O_TRUNC;
		c->open_mode = (mode_t)c->n->data.args[row->mode_arg];
	} else {
		c->open_flags = (int)c->n->data.args[row->flags_arg];
		c->open_mode = (mode_t)c->n->data.args[row->mode_arg];
	}
	c->v->met_references |= c->open_flags & O_PATH;
	c->changes = !(c->open_flags & O_PATH) &&
		     ((c->open_flags & O_ACCMODE) != O_RDONLY || c->open_flags & OPEN_WRITES);
	return r;
}

/* What the call is, as far as its registers and its open_how say. 0, or the -errno of the call. */
static int classify(struct sl_view_call *c)
{
	if (c->op == SL_OP_OPEN || c->op == SL_OP_OPENAT2 || c->op == SL_OP_CREAT)
		return read_open(c);
	c->changes = sl_op_changes_names(c->op) || sl_op_is_attribute(c->op) || c->op == SL_OP_BIND;
	return 0;
}

const struct sl_creds *sl_view_other_caller(const struct sl_view_call *c)
{
	if (c->v->observer)
		return sl_observer_caller(c->v->observer);
	return c->other ? &c->creds : NULL;
}

static bool same_identity(const struct sl_creds *a, const struct sl_creds *b)
{
	return a->uid == b->uid && a->euid == b->euid && a->fsuid == b->fsuid && a->gid == b->gid && a->egid == b->egid &&
	       a->fsgid == b->fsgid && a->cap_effective == b->cap_effective && a->group_count == b->group_count &&
	       memcmp(a->groups, b->groups, (size_t)a->group_count * sizeof(a->groups[0])) == 0;
}

/* Who asks is who c->creds says. */
static void use_identity(struct sl_view_call *c)
{
	c->view_creds = (struct sl_view_creds){
	    .uid = c->creds.fsuid,
	    .gid = c->creds.fsgid,
	    .groups = c->creds.groups,
	    .groups_len = (size_t)c->creds.group_count,
	    .caps = c->creds.cap_effective,
	};
	c->identified = true;
}

static int read_identity(struct sl_view_call *c)
{
	const struct sl_creds *other = c->v->observer ? sl_observer_caller(c->v->observer) : NULL;
	int r;

	if (c->identified)
		return 0;
	if (!c->v->observer && !c->v->one_identity) {
		r = sl_tracee_creds(c->tid, &c->creds);
		if (r < 0)
			return r == -ESRCH ? r : -EACCES;
		c->other = !same_identity(&c->creds, c->v->own_creds);
	} else if (other) {
		c->creds = *other;
		c->other = true;
	}
	if (c->other)
		use_identity(c);
	else
		c->view_creds = c->v->own;
	return 0;
}

int sl_view_call_ctx(struct sl_view_call *c, bool with_umask)
{
	int r;

	if (!c->ctx_ready) {
		r = read_identity(c);
		if (r < 0)
			return r;
		c->ctx = (struct sl_view_ctx){
		    .view = c->v->view,
		    .root = c->v->root,
		    .cwd = c->v->root,
		    .creds = &c->view_creds,
		    .umask = 022,
		    .trail = &c->trail,
		};
		c->ctx_ready = true;
	}
	if (!with_umask)
		return 0;
	r = sl_view_umask_of(&c->v->umasks, c->tid, c->v->now_ms, &c->ctx.umask);
	return r < 0 && r != -ESRCH ? -EACCES : r;
}

int sl_view_call_begin(struct sl_view_call *c, bool with_umask)
{
	int r = sl_view_call_ctx(c, with_umask);

	c->ctx.trail = NULL;
	if (r < 0)
		return r;
	return sl_notif_valid(c->listener, c->n->id) ? 0 : -ESRCH;
}

/* ---- the way of a call ---- */

static int perform(struct sl_view_call *c)
{
	sl_view_handler *handler = (size_t)c->op < SL_ARRAY_LEN(handlers) ? handlers[c->op] : NULL;

	if (handler && (!sl_view_is_untouched(c->v) || c->changes || c->op == SL_OP_GETDENTS ||
			(c->v->observer && sl_observer_met_fifo(c->v->observer))))
		return handler(c);
	/* What changes something and is not governed by Landlock may never be continued; under a policy it is not. */
	return !c->v->policy && sl_op_is_attribute(c->op) ? -EPERM : SL_VIEW_CONTINUE;
}

static void answer(struct sl_view_call *c, int r)
{
	uint64_t id = c->n->id;
	int sent;

	switch (r) {
	case SL_VIEW_ANSWERED:
		break;
	case SL_VIEW_CONTINUE:
		sl_notif_continue(c->listener, id);
		break;
	case SL_VIEW_SEND_FD:
		sent = sl_notif_send_fd(c->listener, id, c->reply_fd, c->reply_cloexec);
		if (sent < 0)
			sl_notif_error(c->listener, id, -sent);
		break;
	default:
		if (r < 0)
			sl_notif_error(c->listener, id, -r);
		else
			sl_notif_return(c->listener, id, r);
		break;
	}
	c->reply_fd = sl_close(c->reply_fd);
}

void sl_view_call_settle(struct sl_view_call *c, int r)
{
	bool done = r == SL_VIEW_SEND_FD || r == SL_VIEW_ANSWERED;

	if (c->v->observer)
		sl_observer_settle(c->v->observer, done ? 0 : r, r == SL_VIEW_CONTINUE, c->existing_changed);
}

/* Returns the handler's result for a call that is no remembered one. */
static int look_and_perform(struct sl_view_call *c)
{
	struct sl_observer *o = c->v->observer;
	int r = classify(c), seen;

	if (r < 0)
		return r;
	c->looking = true;
	seen = o ? sl_observer_look(o, c->listener, c->n) : 0;
	c->looking = false;
	if (seen == SL_OBSERVER_SEEN && !c->changes)
		return SL_VIEW_CONTINUE;
	return seen < 0 ? seen : perform(c);
}

int sl_view_call_start(struct sl_view_call *c, struct sl_view_calls *v, int listener,
		       const struct seccomp_notif *n)
{
	int r;

	memset(c, 0, sizeof(*c));
	c->v = v;
	c->listener = listener;
	c->n = n;
	c->row = sl_call_by_nr(n->data.nr);
	c->tid = (pid_t)n->pid;
	c->reply_fd = -EBADF;
	r = sl_tracee_creds(c->tid, &c->creds);
	if (r < 0)
		return r == -ESRCH ? r : -EACCES;
	use_identity(c);
	c->other = true;
	return sl_view_call_ctx(c, false);
}

/* What the view has no part in. */
static bool is_foreign(const struct sl_view_calls *v, const struct sl_call *row, const struct seccomp_notif *n)
{
	enum sl_op op = row ? sl_call_op(row, (const uint64_t *)n->data.args) : SL_OP_NONE;

	return v->policy && ((size_t)op >= SL_ARRAY_LEN(handlers) || !handlers[op]);
}

bool sl_view_calls_notify(struct sl_view_calls *v, int listener, const struct seccomp_notif *n)
{
	static struct sl_view_call call; /* too large for a stack; there is one at a time */
	struct sl_view_call *c = &call;
	int r = SL_VIEW_CONTINUE; /* what has no row the seccomp program had allowed, had nobody wanted to see
				     it */

	c->v = v;
	c->listener = listener;
	c->n = n;
	c->row = sl_call_by_nr(n->data.nr);
	c->tid = (pid_t)n->pid;
	sl_view_umask_call(&v->umasks, c->tid, c->row && c->row->op == SL_OP_UMASK);
	if (is_foreign(v, c->row, n))
		return false;
	c->has_path[0] = c->has_path[1] = c->ctx_ready = c->identified = c->other = c->changes =
	    c->existing_changed = false;
	c->reply_fd = -EBADF;
	c->reply_cloexec = 0;
	v->call = c;
	v->now_ms = sl_cache_now_ms();
	if (v->now_ms - v->looked_ms >= SL_VIEW_AGE_MS) {
		sl_view_forget(v->view);
		v->looked_ms = v->now_ms;
	}
	if (!sl_behalf_proc_is_ours()) {
		r = -EPERM;
	} else if (!c->row) {
		if (v->observer)
			sl_observer_look(v->observer, listener, n);
	} else {
		c->op = sl_call_op(c->row, (const uint64_t *)n->data.args);
		sl_view_readers_update(c);
		r = look_and_perform(c);
		sl_view_readers_note(v);
		if (r != SL_VIEW_ANSWERED)
			sl_view_readers_update(c);
	}
	/* What was read of the caller was the caller's only if it still waits. */
	sl_view_call_settle(c, r);
	sl_view_forget_memos(c);
	v->call = NULL;
	if (v->policy && r == SL_VIEW_CONTINUE) {
		if (c->changes) /* for real, perhaps: the next call is to see it */
			v->looked_ms = v->now_ms - SL_VIEW_AGE_MS;
		return false;
	}
	answer(c, r);
	return true;
}

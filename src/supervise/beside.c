/*
 * beside.c - see beside.h: the way of a call, and what the handlers share.
 */
#include "supervise/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "kernel/seccomp.h"

enum sl_beside_verdict sl_beside_decide(const struct sl_policy *p, const char *path, uint32_t rights)
{
	struct sl_beside beside;

	if (sl_policy_denied(p, path) || (rights & ~SL_RIGHTS_READING && sl_policy_is_viewed(p, path)))
		return SL_BESIDE_REFUSED;
	sl_policy_beside(p, path, &beside);
	if ((beside.granted & rights) != rights)
		return SL_BESIDE_REFUSED;
	return (beside.native & rights) == rights ? SL_BESIDE_NATIVE : SL_BESIDE_OURS;
}

bool sl_beside_denies_object(const struct sl_policy *p, int fd)
{
	struct sl_object_id id;

	return sl_object_id_of_fd(fd, &id) < 0 || sl_deny_object(&p->deny, &id);
}

static bool may_follow(pid_t tgid, void *arg)
{
	return sl_behalf_is_inside(arg, tgid);
}

int sl_beside_resolve(const struct sl_beside_call *c, int dirfd, const char *path, int flags,
		      uint64_t resolve, struct sl_resolved *ret)
{
	const struct sl_resolve_opts opts = {
	    .flags = flags | SL_RESOLVE_VERIFY,
	    .creds = c->act ? &c->creds : NULL,
	    .resolve = resolve,
	    .may_follow = may_follow,
	    .arg = (void *)(uintptr_t)c->behalf,
	};
	int r = sl_resolve_with((pid_t)c->notif->pid, dirfd, path, &opts, ret);

	/* A name that cannot be told is nobody's error but ours; -EPERM means that we could not look. */
	if (r == -ESTALE || r == -EPERM || (r < 0 && !c->act))
		return SL_NOT_OURS;
	return r;
}

int sl_beside_assume(const struct sl_beside_call *c, struct sl_beside_identity *ret)
{
	if (sl_identity_assume(&c->creds, &ret->saved) < 0)
		return -EACCES;
	ret->umask = umask(c->creds.umask);
	return 0;
}

void sl_beside_restore(struct sl_beside_identity *i)
{
	int error = errno;

	umask(i->umask);
	sl_identity_restore(i->saved);
	errno = error;
}

/* Copy the strings behind the pointers. False where there is nothing to be done about the call. */
static bool copy(struct sl_beside_call *c)
{
	const struct seccomp_notif *n = c->notif;
	const int args[] = {c->call->path_arg, c->call->path2_arg};
	pid_t tid = (pid_t)n->pid;

	switch (c->call->op) {
	case SL_OP_OPEN:
	case SL_OP_OPENAT2:
	case SL_OP_CREAT:
		return sl_opening_copy(&c->open, n, c->call);
	case SL_OP_SYMLINK:
		if (sl_tracee_read_string(tid, n->data.args[0], c->target, sizeof(c->target)) <= 0)
			return false;
		break;
	default:
		break;
	}
	for (size_t i = 0; i < SL_ARRAY_LEN(args); i++) {
		c->path[i][0] = '\0';
		if (args[i] != SL_NO_ARG &&
		    sl_tracee_read_string(tid, n->data.args[args[i]], c->path[i], sizeof(c->path[i])) < 0)
			return false;
	}
	return true;
}

static int handle(struct sl_beside_call *c)
{
	switch (c->call->op) {
	case SL_OP_OPEN:
	case SL_OP_OPENAT2:
	case SL_OP_CREAT:
		return sl_beside_open(c);
	case SL_OP_MKDIR:
	case SL_OP_MKNOD:
	case SL_OP_SYMLINK:
		return sl_beside_make(c);
	case SL_OP_UNLINK:
	case SL_OP_RMDIR:
		return sl_beside_remove(c);
	case SL_OP_RENAME:
		return sl_beside_rename(c);
	case SL_OP_LINK:
		return sl_beside_link(c);
	case SL_OP_TRUNCATE:
		return sl_beside_truncate(c);
	default:
		return SL_NOT_OURS;
	}
}

static void answer(const struct sl_beside_call *c, int r)
{
	uint64_t id = c->notif->id;
	bool opens = c->call->op == SL_OP_OPEN || c->call->op == SL_OP_OPENAT2 || c->call->op == SL_OP_CREAT;

	if (r >= 0 && opens) {
		SL_CLOSE int fd = r;

		r = sl_notif_send_fd(c->listener, id, fd, (uint32_t)(c->open.flags & O_CLOEXEC));
		if (r == 0)
			return;
	}
	if (r < 0)
		sl_notif_error(c->listener, id, -r);
	else
		sl_notif_return(c->listener, id, 0);
}

bool sl_behalf_beside(const struct sl_behalf *b, int listener, const struct seccomp_notif *n,
		      const struct sl_call *call)
{
	static struct sl_beside_call c; /* too large for a stack; there is one at a time */
	int r;

	if (!b->policy->deny.way_count)
		return false;
	c.behalf = b;
	c.notif = n;
	c.call = call;
	c.listener = listener;
	c.act = c.answered = false;
	if (!copy(&c) || handle(&c) == SL_NOT_OURS || sl_tracee_creds((pid_t)n->pid, &c.creds) < 0)
		return false;
	c.act = true;
	r = handle(&c);
	if (r == SL_NOT_OURS)
		return false;
	if (!c.answered)
		answer(&c, r);
	return true;
}

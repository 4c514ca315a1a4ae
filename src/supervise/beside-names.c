/*
 * beside-names.c - making, removing, renaming and linking names beside something denied, and truncating by
 * name.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/macros.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "supervise/beside.h"

#define RENAME_KNOWN (RENAME_NOREPLACE | RENAME_EXCHANGE)

/* Rights that mean something on what is no directory. */
#define FILE_RIGHTS (SL_RIGHT_READ | SL_RIGHT_EXEC | SL_RIGHT_WRITE | SL_RIGHT_IOCTL)

static int dirfd_of(const struct sl_beside_call *c, int which)
{
	int arg = which ? c->call->dir2_arg : c->call->dir_arg;

	return arg == SL_NO_ARG ? AT_FDCWD : (int)c->notif->data.args[arg];
}

static uint64_t flags_of(const struct sl_beside_call *c)
{
	return c->call->flags_arg == SL_NO_ARG ? 0 : (uint32_t)c->notif->data.args[c->call->flags_arg];
}

/* A name that is made, removed or renamed: SL_NOT_OURS where the path has none. */
static int find_name(const struct sl_beside_call *c, int which, struct sl_resolved *ret)
{
	int r = sl_beside_resolve(c, dirfd_of(c, which), c->path[which],
				  SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, 0, ret);

	return r < 0 ? r : ret->name[0] ? 0 : SL_NOT_OURS;
}

/* The rights on the directory of a name. */
static enum sl_beside_verdict on_directory(const struct sl_beside_call *c, const struct sl_resolved *r,
					   uint32_t rights)
{
	SL_FREE char *directory = sl_path_dirname(r->path);

	return sl_beside_decide(c->behalf->policy, directory, rights);
}

/* Before something is done: does the caller still wait, and can its identity be had? 0 or -EACCES. */
static int begin(const struct sl_beside_call *c, struct sl_beside_identity *as)
{
	return sl_notif_valid(c->listener, c->notif->id) ? sl_beside_assume(c, as) : -EACCES;
}

static int finish(struct sl_beside_identity *as, long r)
{
	int result = r < 0 ? -errno : 0;

	sl_beside_restore(as);
	return result;
}

static long make_name(const struct sl_beside_call *c, const struct sl_resolved *r, mode_t mode)
{
	switch (c->call->op) {
	case SL_OP_MKDIR:
		return mkdirat(r->parent_fd, r->name, mode & 07777);
	case SL_OP_SYMLINK:
		return symlinkat(c->target, r->parent_fd, r->name);
	default:
		return mknodat(r->parent_fd, r->name, mode, 0);
	}
}

int sl_beside_make(struct sl_beside_call *c)
{
	const struct sl_policy *p = c->behalf->policy;
	int which = c->call->op == SL_OP_SYMLINK ? 1 : 0;
	mode_t mode = which ? 0 : (mode_t)c->notif->data.args[c->call->mode_arg];
	mode_t type = mode & S_IFMT;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved name = SL_RESOLVED_INIT;
	struct sl_beside_identity as;
	int r;

	if (c->call->op == SL_OP_MKNOD && type && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
		return SL_NOT_OURS;
	r = find_name(c, which, &name);
	if (r < 0)
		return r;
	/* A directory may be made on the way to a denied name that is not there; anything else there could
	 * lead around. */
	if (name.fd >= 0 || sl_policy_denied(p, name.path) ||
	    (c->call->op != SL_OP_MKDIR && (name.trailing_slash || sl_policy_holds_name(p, name.path))) ||
	    on_directory(c, &name, SL_RIGHT_CREATE) != SL_BESIDE_OURS)
		return SL_NOT_OURS;
	if (!c->act)
		return 0;
	r = begin(c, &as);
	return r < 0 ? r : finish(&as, make_name(c, &name, mode));
}

int sl_beside_remove(struct sl_beside_call *c)
{
	const struct sl_policy *p = c->behalf->policy;
	bool directory = c->call->op == SL_OP_RMDIR || flags_of(c) == AT_REMOVEDIR;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved name = SL_RESOLVED_INIT;
	struct sl_beside_identity as;
	int r;

	if (!directory && flags_of(c))
		return SL_NOT_OURS;
	r = find_name(c, 0, &name);
	if (r < 0)
		return r;
	if (name.fd < 0 || (name.trailing_slash && !directory) || sl_policy_holds_name(p, name.path) ||
	    sl_beside_denies_object(p, name.fd) || on_directory(c, &name, SL_RIGHT_DELETE) != SL_BESIDE_OURS)
		return SL_NOT_OURS;
	if (!c->act)
		return 0;
	r = begin(c, &as);
	return r < 0 ? r : finish(&as, unlinkat(name.parent_fd, name.name, directory ? AT_REMOVEDIR : 0));
}

/* Would the object at this path get rights in the directory of the other name that it has not where it is? */
static bool gains(const struct sl_beside_call *c, const struct sl_resolved *object,
		  const struct sl_resolved *to)
{
	SL_FREE char *directory = sl_path_dirname(to->path);
	struct sl_beside here, there;
	struct stat st;

	sl_policy_beside(c->behalf->policy, object->path, &here);
	sl_policy_beside(c->behalf->policy, directory, &there);
	if (fstat(object->fd, &st) < 0)
		return true;
	return there.granted & ~here.granted & (S_ISDIR(st.st_mode) ? SL_RIGHTS_ALL : FILE_RIGHTS);
}

static bool same_directory(const struct sl_resolved *a, const struct sl_resolved *b)
{
	SL_FREE char *x = sl_path_dirname(a->path), *y = sl_path_dirname(b->path);

	return !strcmp(x, y);
}

/* May the two names be moved so, as far as the directories go? */
static enum sl_beside_verdict on_both(const struct sl_beside_call *c, const struct sl_resolved *from,
				      const struct sl_resolved *to, uint64_t flags)
{
	uint32_t at_from = SL_RIGHT_DELETE, at_to = SL_RIGHT_CREATE;
	enum sl_beside_verdict a, b;

	if (flags & RENAME_EXCHANGE || !same_directory(from, to))
		at_from |= SL_RIGHT_CREATE;
	if (to->fd >= 0)
		at_to |= SL_RIGHT_DELETE;
	a = on_directory(c, from, at_from);
	b = on_directory(c, to, at_to);
	if (a == SL_BESIDE_REFUSED || b == SL_BESIDE_REFUSED)
		return SL_BESIDE_REFUSED;
	return a == SL_BESIDE_OURS || b == SL_BESIDE_OURS ? SL_BESIDE_OURS : SL_BESIDE_NATIVE;
}

int sl_beside_rename(struct sl_beside_call *c)
{
	const struct sl_policy *p = c->behalf->policy;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved from = SL_RESOLVED_INIT;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved to = SL_RESOLVED_INIT;
	uint64_t flags = flags_of(c);
	struct sl_beside_identity as;
	int r = find_name(c, 0, &from);

	if (r == 0)
		r = find_name(c, 1, &to);
	if (r < 0)
		return r;
	if (from.fd < 0 || flags & ~(uint64_t)RENAME_KNOWN || (flags & RENAME_EXCHANGE && to.fd < 0) ||
	    sl_policy_holds_name(p, from.path) || sl_policy_holds_name(p, to.path) ||
	    sl_beside_denies_object(p, from.fd) || (to.fd >= 0 && sl_beside_denies_object(p, to.fd)) ||
	    on_both(c, &from, &to, flags) != SL_BESIDE_OURS)
		return SL_NOT_OURS;
	if (!c->act)
		return 0;
	if (!same_directory(&from, &to) &&
	    (gains(c, &from, &to) || (flags & RENAME_EXCHANGE && gains(c, &to, &from))))
		return -EXDEV;
	r = begin(c, &as);
	if (r < 0)
		return r;
	/* A slash behind a name says that it is a directory's, which has been seen of the first; the second
	 * may be made. */
	return finish(&as, syscall(__NR_renameat2, from.parent_fd, from.name, to.parent_fd, to.name, flags));
}

int sl_beside_link(struct sl_beside_call *c)
{
	const struct sl_policy *p = c->behalf->policy;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved object = SL_RESOLVED_INIT;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved to = SL_RESOLVED_INIT;
	uint64_t flags = flags_of(c);
	int find = flags & AT_SYMLINK_FOLLOW ? 0 : SL_RESOLVE_NOFOLLOW;
	struct sl_beside_identity as;
	char name[48];
	struct stat st;
	bool across;
	int r;

	if (flags & ~(uint64_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return SL_NOT_OURS;
	r = sl_beside_resolve(c, dirfd_of(c, 0), c->path[0],
			      find | (flags & AT_EMPTY_PATH ? SL_RESOLVE_EMPTY : 0), 0, &object);
	if (r == 0)
		r = find_name(c, 1, &to);
	if (r < 0)
		return r;
	if (to.fd >= 0 || to.trailing_slash || object.anonymous || fstat(object.fd, &st) < 0 ||
	    S_ISDIR(st.st_mode) || (object.deleted && st.st_nlink) || sl_policy_denied(p, object.path) ||
	    sl_policy_holds_name(p, to.path) || sl_beside_denies_object(p, object.fd))
		return SL_NOT_OURS;
	across = !same_directory(&object, &to);
	if (on_directory(c, &to, SL_RIGHT_CREATE) == SL_BESIDE_REFUSED ||
	    on_directory(c, &object, SL_RIGHT_CREATE) == SL_BESIDE_REFUSED ||
	    (on_directory(c, &to, SL_RIGHT_CREATE) == SL_BESIDE_NATIVE &&
	     on_directory(c, &object, SL_RIGHT_CREATE) == SL_BESIDE_NATIVE))
		return SL_NOT_OURS;
	if (!c->act)
		return 0;
	if (across && gains(c, &object, &to))
		return -EXDEV;
	r = begin(c, &as);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", object.fd);
	return finish(&as, linkat(AT_FDCWD, name, to.parent_fd, to.name, AT_SYMLINK_FOLLOW));
}

int sl_beside_truncate(struct sl_beside_call *c)
{
	const struct sl_policy *p = c->behalf->policy;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved object = SL_RESOLVED_INIT;
	off_t length = (off_t)c->notif->data.args[1];
	struct sl_beside_identity as;
	SL_CLOSE int fd = -EBADF;
	char name[48];
	struct stat st;
	int r = sl_beside_resolve(c, AT_FDCWD, c->path[0], 0, 0, &object);

	if (r < 0)
		return r;
	if (length < 0 || object.anonymous || object.deleted || fstat(object.fd, &st) < 0 ||
	    !S_ISREG(st.st_mode) || sl_beside_decide(p, object.path, SL_RIGHT_WRITE) != SL_BESIDE_OURS ||
	    sl_beside_denies_object(p, object.fd))
		return SL_NOT_OURS;
	if (!c->act)
		return 0;
	r = begin(c, &as);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", object.fd);
	fd = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return finish(&as, fd < 0 ? -1 : ftruncate(fd, length));
}

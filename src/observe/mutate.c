/*
 * mutate.c - calls that make and remove names: mkdir, mknod, symlink, link, unlink, rmdir.
 *
 * Each is checked in the kernel's order (fs/namei.c: filename_create, may_create, may_delete). A new name counts as
 * made, so that what is done to it later is asked of its directory.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <string.h>

#include "base/path.h"
#include "observe/event.h"

/* filename_create(): the name must be missing and its directory writable. */
static int check_new_name(struct sl_event *e, const struct sl_resolved *at, bool is_dir)
{
	if (at->fd >= 0 || !at->name[0])
		return -EEXIST;
	if (at->trailing_slash && !is_dir)
		return -ENOENT;
	return sl_may_create(e, at);
}

static void made(struct sl_event *e, const struct sl_resolved *at)
{
	SL_FREE char *dir = sl_path_dirname(at->path);

	sl_event_use(e, SL_RIGHT_CREATE, dir, true);
	sl_event_made(e, at->path);
}

/* mknod's kinds, judged before the path (fs/namei.c: may_mknod). */
static int check_kind(const struct sl_event *e)
{
	switch ((mode_t)e->n->data.args[e->call->mode_arg] & S_IFMT) {
	case 0:
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
	case S_IFCHR:
	case S_IFBLK:
		return 0;
	case S_IFDIR:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

/* Devices take a capability, but for the whiteout (0, 0). */
static int check_device(struct sl_event *e)
{
	mode_t kind = (mode_t)e->n->data.args[e->call->mode_arg] & S_IFMT;

	if (kind != S_IFBLK && (kind != S_IFCHR || !(uint32_t)e->n->data.args[e->call->mode_arg + 1]))
		return 0;
	if (!sl_may_capable(e, CAP_MKNOD))
		return -EPERM;
	sl_event_note(e, true, "a device node was made, which no profile grants");
	return 0;
}

/* symlink(target, path): an empty target is ENOENT. */
static int check_target(struct sl_event *e)
{
	char first;
	int r = sl_tracee_read(e->tid, e->n->data.args[0], &first, 1);

	return r < 0 ? r : first ? 0 : -ENOENT;
}

/* What is judged before the name: mknod's kind, symlink's target. */
static int check_arguments(struct sl_event *e)
{
	if (e->op == SL_OP_MKNOD)
		return check_kind(e);
	return e->op == SL_OP_SYMLINK ? check_target(e) : 0;
}

int sl_observe_make(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	int r = check_arguments(e);

	if (r == 0)
		r = sl_event_resolve(e, e->op == SL_OP_SYMLINK, SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &at);
	if (r == 0)
		r = check_new_name(e, &at, e->op == SL_OP_MKDIR);
	if (r == 0 && e->op == SL_OP_MKNOD)
		r = check_device(e);
	if (r < 0)
		return r;
	made(e, &at);
	return 0;
}

/* fs.protected_hardlinks: what one neither owns nor may write is not linked (fs/namei.c: may_linkat). */
static int may_link_to(struct sl_event *e, int fd, const struct stat *st)
{
	if (!sl_protection_level(SL_PROTECTED_HARDLINKS) || sl_may_own(e, st) == 0)
		return 0;
	if (!S_ISREG(st->st_mode) || st->st_mode & S_ISUID || (st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		return -EPERM;
	return sl_may_access(e, fd, R_OK | W_OK) < 0 ? -EPERM : 0;
}

static int check_link(struct sl_event *e, const struct sl_resolved *old, const struct sl_resolved *at)
{
	uint64_t old_mount, new_mount;
	struct stat st;
	int r = check_new_name(e, at, false);

	if (fstat(old->fd, &st) < 0)
		return -errno;
	if (r == -EEXIST || r == -ENOENT)
		return r;
	if (e->lenient)
		return S_ISDIR(st.st_mode) ? -EPERM : r;
	if (sl_mount_of(old->fd, &old_mount, NULL) < 0 || sl_mount_of(at->parent_fd, &new_mount, NULL) < 0 ||
	    old_mount != new_mount || old->anonymous)
		return -EXDEV;
	if (S_ISDIR(st.st_mode))
		return -EPERM;
	return r < 0 ? r : may_link_to(e, old->fd, &st);
}

int sl_observe_link(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved old = SL_RESOLVED_INIT;
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	int flags = e->call->flags_arg == SL_NO_ARG ? 0 : (int)e->n->data.args[e->call->flags_arg], r;
	SL_FREE char *old_dir = NULL, *new_dir = NULL;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = sl_event_resolve(e, 0,
			     (flags & AT_SYMLINK_FOLLOW ? 0 : SL_RESOLVE_NOFOLLOW) |
				     (flags & AT_EMPTY_PATH ? SL_RESOLVE_EMPTY : 0),
			     &old);
	if (r < 0)
		return r;
	r = sl_event_resolve(e, 1, SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &at);
	if (r < 0)
		return r;
	r = check_link(e, &old, &at);
	if (r < 0)
		return r;
	old_dir = sl_path_dirname(old.path);
	new_dir = sl_path_dirname(at.path);
	r = sl_event_into_tmp(e, old_dir, new_dir);
	if (r < 0)
		return r;
	sl_event_use(e, SL_RIGHT_CREATE, new_dir, true);
	if (strcmp(old_dir, new_dir) != 0)
		sl_event_refer(e, old_dir, new_dir, SL_REFER_FILES);
	sl_event_made(e, at.path);
	return 0;
}

static int check_remove(struct sl_event *e, bool remove_dir, const struct sl_resolved *at)
{
	const char *last = strrchr(e->raw[0], '/');
	struct stat st;
	int r;

	last = last ? last + 1 : e->raw[0];
	if (!at->name[0]) {
		if (!remove_dir)
			return -EISDIR;
		return !strcmp(last, ".") ? -EINVAL : !strcmp(last, "..") ? -ENOTEMPTY : -EBUSY;
	}
	if (at->fd < 0)
		return -ENOENT;
	if (fstat(at->fd, &st) < 0)
		return -errno;
	if (!remove_dir && at->trailing_slash)
		return S_ISDIR(st.st_mode) ? -EISDIR : -ENOTDIR;
	r = sl_may_remove(e, at, &st);
	if (r < 0)
		return r;
	if (remove_dir)
		return !S_ISDIR(st.st_mode) ? -ENOTDIR : e->lenient ? 0 : sl_directory_empty(at->fd);
	return S_ISDIR(st.st_mode) ? -EISDIR : 0;
}

int sl_observe_remove(struct sl_event *e)
{
	SL_CLEANUP(sl_resolved_release) struct sl_resolved at = SL_RESOLVED_INIT;
	int flags = e->call->flags_arg == SL_NO_ARG ? 0 : (int)e->n->data.args[e->call->flags_arg], r;
	SL_FREE char *dir = NULL;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	r = sl_event_resolve(e, 0, SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &at);
	if (r < 0)
		return r;
	r = check_remove(e, e->op == SL_OP_RMDIR || flags & AT_REMOVEDIR, &at);
	if (r < 0)
		return r;
	dir = sl_path_dirname(at.path);
	sl_event_use(e, SL_RIGHT_DELETE, dir, true);
	sl_event_gone(e, at.path);
	e->removes_names = true;
	return 0;
}

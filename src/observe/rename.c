/*
 * rename.c - rename, renameat2: the conditions of fs/namei.c (do_renameat2, vfs_rename) in their order.
 *
 * Both names' directories need rights: delete where a name goes away or is replaced, create where one appears. A
 * name that something was moved to counts as made: the file that was there before keeps the facts that it has, what
 * is read there from now on is asked of the directory, because a rule on the old file does not hold for the new.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "base/path.h"
#include "observe/event.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE (1 << 0)
#define RENAME_EXCHANGE	 (1 << 1)
#define RENAME_WHITEOUT	 (1 << 2)
#endif

struct renaming {
	struct sl_resolved old, at;
	struct stat old_st, at_st;
	unsigned int flags;
	char *old_dir, *new_dir;
};

static void renaming_release(struct renaming *r)
{
	sl_resolved_release(&r->old);
	sl_resolved_release(&r->at);
	free(r->old_dir);
	free(r->new_dir);
}

static bool same_object(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Kinds must fit: a directory replaces only an empty directory. */
static int check_kinds(const struct sl_event *e, const struct renaming *r)
{
	bool old_is_dir = S_ISDIR(r->old_st.st_mode), new_is_dir = S_ISDIR(r->at_st.st_mode);

	if (r->flags & RENAME_EXCHANGE)
		return 0;
	if (old_is_dir && !new_is_dir)
		return -ENOTDIR;
	if (!old_is_dir && new_is_dir)
		return -EISDIR;
	return new_is_dir && !e->lenient ? sl_directory_empty(r->at.fd) : 0;
}

/* A directory that gets another parent has its ".." rewritten. */
static int check_moved_dir(struct sl_event *e, const struct renaming *r)
{
	int error = 0;

	if (!strcmp(r->old_dir, r->new_dir))
		return 0;
	if (S_ISDIR(r->old_st.st_mode))
		error = sl_may_access(e, r->old.fd, W_OK);
	if (error == 0 && r->flags & RENAME_EXCHANGE && S_ISDIR(r->at_st.st_mode))
		error = sl_may_access(e, r->at.fd, W_OK);
	return error;
}

static int check_names(const struct renaming *r)
{
	if (r->old.fd < 0)
		return -ENOENT;
	if (r->at.fd >= 0 && r->flags & RENAME_NOREPLACE)
		return -EEXIST;
	if (r->at.fd < 0 && r->flags & RENAME_EXCHANGE)
		return -ENOENT;
	if (!S_ISDIR(r->old_st.st_mode) && (r->old.trailing_slash || r->at.trailing_slash))
		return -ENOTDIR;
	if (S_ISDIR(r->old_st.st_mode) && strcmp(r->old.path, r->at.path) != 0 &&
	    sl_path_within(r->at.path, r->old.path))
		return -EINVAL;
	if (r->at.fd >= 0 && strcmp(r->old.path, r->at.path) != 0 && sl_path_within(r->old.path, r->at.path))
		return r->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	return 0;
}

static int check_rename(struct sl_event *e, struct renaming *r)
{
	uint64_t old_mount, new_mount;
	int error;

	if (!r->old.name[0])
		return -EBUSY;
	if (!r->at.name[0])
		return r->flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	if (!e->lenient &&
	    (sl_mount_of(r->old.parent_fd, &old_mount, NULL) < 0 || sl_mount_of(r->at.parent_fd, &new_mount, NULL) < 0 ||
	     old_mount != new_mount))
		return -EXDEV;
	if ((r->old.fd >= 0 && fstat(r->old.fd, &r->old_st) < 0) || (r->at.fd >= 0 && fstat(r->at.fd, &r->at_st) < 0))
		return -errno;
	error = check_names(r);
	if (error < 0 || (r->at.fd >= 0 && same_object(&r->old_st, &r->at_st)))
		return error; /* one file under two names: nothing is done, whoever asks; but Landlock is asked */
	error = sl_may_remove(e, &r->old, &r->old_st);
	if (error == 0)
		error = r->at.fd >= 0 ? sl_may_remove(e, &r->at, &r->at_st) : sl_may_create(e, &r->at);
	if (error == 0 && r->at.fd >= 0)
		error = check_kinds(e, r);
	return error < 0 ? error : check_moved_dir(e, r);
}

static void collect(struct sl_event *e, const struct renaming *r)
{
	bool exchange = r->flags & RENAME_EXCHANGE;
	bool dirs = S_ISDIR(r->old_st.st_mode) || (exchange && S_ISDIR(r->at_st.st_mode));
	uint32_t old_rights = SL_RIGHT_DELETE | (r->flags & (RENAME_EXCHANGE | RENAME_WHITEOUT) ? SL_RIGHT_CREATE : 0u);
	uint32_t new_rights = SL_RIGHT_CREATE | (r->at.fd >= 0 ? SL_RIGHT_DELETE : 0u);

	sl_event_use(e, old_rights, r->old_dir, true);
	sl_event_use(e, new_rights, r->new_dir, true);
	if (strcmp(r->old_dir, r->new_dir) != 0)
		sl_event_refer(e, r->old_dir, r->new_dir,
			       (exchange ? SL_REFER_EXCHANGE : 0u) | (dirs ? 0u : SL_REFER_FILES));
	if (r->at.fd >= 0 && same_object(&r->old_st, &r->at_st))
		return; /* two names of one file: nothing is done */
	if (exchange || r->flags & RENAME_WHITEOUT)
		sl_event_made(e, r->old.path);
	else
		sl_event_gone(e, r->old.path);
	sl_event_made(e, r->at.path);
	e->removes_names = true;
}

int sl_observe_rename(struct sl_event *e)
{
	SL_CLEANUP(renaming_release) struct renaming r = { .old = SL_RESOLVED_INIT, .at = SL_RESOLVED_INIT };
	int error;

	if (e->call->flags_arg != SL_NO_ARG)
		r.flags = (unsigned int)e->n->data.args[e->call->flags_arg];
	if (r.flags & ~(unsigned int)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) ||
	    (r.flags & RENAME_EXCHANGE && r.flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
		return -EINVAL;
	error = sl_event_resolve(e, 0, SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &r.old);
	if (error == 0)
		error = sl_event_resolve(e, 1, SL_RESOLVE_PARENT | SL_RESOLVE_NOFOLLOW, &r.at);
	if (error < 0)
		return error;
	r.old_dir = sl_path_dirname(r.old.path);
	r.new_dir = sl_path_dirname(r.at.path);
	error = check_rename(e, &r);
	if (error == 0)
		error = sl_event_into_tmp(e, r.old_dir, r.new_dir);
	if (error == 0 && r.flags & RENAME_EXCHANGE)
		error = sl_event_into_tmp(e, r.new_dir, r.old_dir);
	if (error < 0)
		return error;
	collect(e, &r);
	return 0;
}

/*
 * view-chdir.c - chdir and fchdir on the view.
 *
 * A caller's working directory is a real one: that of the lower where the view's directory has one, or the
 * empty directory that stands for it in the upper. The router finds the view's directory by it. Where the
 * caller's own chdir would arrive at another one it is made to enter the right one (kernel/substitute.h): a
 * directory of the lower by a descriptor, since it may lie below others that the caller cannot search, one of
 * the upper by its path. Threads that share their working directory (CLONE_FS) share this one.
 *
 * fchdir is always the caller's own: its descriptor is of the right directory already. What the view says of
 * the permission to search it is asked first, which is not what the lower says if its mode was changed.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/strbuf.h"
#include "kernel/seccomp.h"
#include "kernel/substitute.h"
#include "supervise/view-calls.h"
#include "view/perm.h"

int sl_view_untraceable(struct sl_view_calls *v)
{
	if (v->observer)
		sl_observer_note(
		    v->observer, true,
		    "programs and directories that the command made could not be executed or entered: "
		    "ptrace is forbidden here");
	return -EACCES;
}

/* A descriptor of a directory of the lower for the caller; -EBADF where it is to go by the path. */
static int give_directory(const struct sl_view_call *c, struct sl_vnode *n)
{
	SL_CLOSE int fd = n->lower ? sl_vnode_open_lower_dir(n) : -EBADF;
	int r;

	if (fd < 0)
		return -EBADF;
	r = sl_notif_add_fd(c->listener, c->n->id, fd, O_CLOEXEC);
	return r < 0 ? -EBADF : r;
}

static int64_t enter_fd(struct sl_substitution *s, int fd)
{
	const uint64_t args[6] = {(uint64_t)fd};
	int64_t result = 0, closed;
	int r = sl_substitute_call(s, __NR_fchdir, args, true, &result);

	if (r == 0)
		r = sl_substitute_call(s, __NR_close, args, false, &closed);
	return r < 0 ? r : result;
}

static int64_t enter_path(struct sl_substitution *s, const char *path)
{
	uint64_t args[6] = {0};
	int64_t result = 0;
	int r = sl_substitute_place(s, strlen(path) + 1, &args[0]);

	if (r == 0 && sl_tracee_write(sl_substitute_tid(s), args[0], path, strlen(path) + 1) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = sl_substitute_call(s, __NR_chdir, args, true, &result);
	return r < 0 ? r : result;
}

/* Make the caller enter a directory, by descriptor number fd of its own, or by path. */
static int enter(const struct sl_view_call *c, int fd, const char *path)
{
	struct sl_substitution *s;
	int64_t result;
	int r = sl_substitute_begin(c->v->substitute, c->n, &s);

	if (r < 0)
		return r == -EPERM ? sl_view_untraceable(c->v) : r;
	if (r > 0)
		return -ECANCELED; /* it makes its call anew, or is gone: nobody hears this answer */
	result = fd >= 0 ? enter_fd(s, fd) : enter_path(s, path);
	return sl_substitute_end(s, result) ? (int)result : -ECANCELED;
}

int sl_view_do_chdir(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	SL_FREE char *path = NULL;
	bool by_fd = c->row->path_arg == SL_NO_ARG;
	int r;

	if (by_fd)
		r = sl_view_locate_fd(c, (int)c->n->data.args[0], &p);
	else
		r = sl_view_locate_arg(c, 0, SL_VWALK_FOLLOW | SL_VWALK_DIRECTORY, &p);
	if (r < 0)
		return p.moved ? r : SL_VIEW_CONTINUE;
	if (sl_place_is_native(c, &p))
		return SL_VIEW_CONTINUE;
	if (p.kind == SL_PLACE_VIEW) {
		struct sl_view_file at = sl_view_at(p.walk.node);

		if (!sl_vnode_is_dir(p.walk.node))
			return -ENOTDIR;
		r = sl_view_call_ctx(c, false);
		if (r == 0)
			r = sl_vperm(&c->ctx, p.walk.node, X_OK);
		if (r == 0)
			r = sl_view_real_path(&at, &path);
		if (r < 0)
			return r;
	}
	if (by_fd)
		return SL_VIEW_CONTINUE;
	if (!path)
		path = sl_xstrdup(p.text);
	r = enter(c, p.kind == SL_PLACE_VIEW ? give_directory(c, p.walk.node) : -EBADF, path);
	return r == 0 ? SL_VIEW_ANSWERED : r;
}

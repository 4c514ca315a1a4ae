/*
 * view-names.c - calls on a view that make, move and remove names: mkdir, mknod, symlink, link, unlink,
 * rmdir, rename.
 *
 * The walk ends at the directory of the name; the view then does the call relative to it. Below the private
 * temporary directory the caller does it itself, and between there and the view nothing moves (EXDEV).
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "supervise/view-calls.h"

#define LAST_SIZE (NAME_MAX + 3)

const char *sl_view_last(const struct sl_vwalk *w, char *buf)
{
	switch (w->last) {
	case SL_VWALK_NORM:
		break;
	case SL_VWALK_DOT:
		return ".";
	case SL_VWALK_DOTDOT:
		return "..";
	case SL_VWALK_ROOT:
		return "/";
	}
	snprintf(buf, LAST_SIZE, "%s%s", w->name, w->slash ? "/" : "");
	return buf;
}

static struct sl_view_file dir_of(const struct sl_view_call *c, const struct sl_place *p)
{
	return sl_view_at(p->walk.dir ? p->walk.dir : c->v->root->node);
}

/* A name that is to be made or removed. Returns 0 where the view does it; what to answer otherwise. */
static int find_name(struct sl_view_call *c, int which, struct sl_place *p)
{
	int r = sl_view_locate_arg(c, which, SL_VWALK_PARENT, p);

	if (r < 0)
		return r;
	if (sl_view_is_there(c->v, p))
		return SL_VIEW_CONTINUE;
	if (p->kind != SL_PLACE_VIEW)
		return p->moved ? -EACCES : SL_VIEW_CONTINUE;
	if (sl_place_area(c->v, p) == SL_AREA_REAL)
		return p->moved ? -EACCES : SL_VIEW_CONTINUE;
	return 0;
}

/* Of a run: look the name up, because what is there decides what is asked of the profile. */
static int look_up(struct sl_view_call *c, struct sl_place *p)
{
	int r = c->v->policy && p->walk.last == SL_VWALK_NORM ? sl_view_look_up_last(c, p) : 0;

	return r == -ENOENT ? 0 : r;
}

/* The same for a call about one name, which may be made then if the profile grants the right: *ret_at is the directory
 * of the name. A name that is there cannot be made, one that is not cannot be removed: the view says so. */
static int begin_name(struct sl_view_call *c, int which, uint32_t right, struct sl_place *p,
		      struct sl_view_file *ret_at)
{
	int r = find_name(c, which, p);

	if (r == SL_VIEW_CONTINUE && sl_view_is_there(c->v, p))
		return sl_view_call_there(c, p, NULL);
	if (r == 0)
		r = sl_view_call_begin(c, right == SL_RIGHT_CREATE);
	if (r == 0)
		r = look_up(c, p);
	if (r == 0 && !p->walk.node == (right == SL_RIGHT_CREATE))
		r = sl_view_may_name(c, p, right);
	if (r == 0)
		*ret_at = dir_of(c, p);
	return r;
}

static mode_t mode_arg(const struct sl_view_call *c)
{
	return (mode_t)c->n->data.args[c->row->mode_arg];
}

int sl_view_do_mkdir(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	char last[LAST_SIZE];
	struct sl_view_file at;
	int r = begin_name(c, 0, SL_RIGHT_CREATE, &p, &at);

	return r < 0 ? r : sl_view_mkdirat(&c->ctx, &at, sl_view_last(&p.walk, last), mode_arg(c));
}

int sl_view_do_mknod(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	char last[LAST_SIZE];
	struct sl_view_file at;
	int r = begin_name(c, 0, SL_RIGHT_CREATE, &p, &at);

	return r < 0 ? r : sl_view_mknodat(&c->ctx, &at, sl_view_last(&p.walk, last), mode_arg(c));
}

int sl_view_do_symlink(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	char last[LAST_SIZE], target[PATH_MAX];
	struct sl_view_file at;
	ssize_t len = sl_tracee_read_string(c->tid, c->n->data.args[0], target, sizeof(target));
	int r = len < 0 ? (int)len : begin_name(c, 1, SL_RIGHT_CREATE, &p, &at);

	return r < 0 ? r : sl_view_symlinkat(&c->ctx, target, &at, sl_view_last(&p.walk, last));
}

int sl_view_do_unlink(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int flags = c->op == SL_OP_RMDIR ? AT_REMOVEDIR : (int)sl_view_flags_arg(c);
	char last[LAST_SIZE];
	struct sl_view_file at;
	int r = flags & ~AT_REMOVEDIR ? -EINVAL : begin_name(c, 0, SL_RIGHT_DELETE, &p, &at);

	return r < 0 ? r : sl_view_unlinkat(&c->ctx, &at, sl_view_last(&p.walk, last), flags);
}

int sl_view_do_rename(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place from = SL_PLACE_INIT;
	SL_CLEANUP(sl_place_release) struct sl_place to = SL_PLACE_INIT;
	char from_last[LAST_SIZE], to_last[LAST_SIZE];
	struct sl_view_file from_at, to_at;
	int r = find_name(c, 0, &from), r2;

	if (r < 0 && r != SL_VIEW_CONTINUE)
		return r;
	r2 = find_name(c, 1, &to);
	if (r2 < 0 && r2 != SL_VIEW_CONTINUE)
		return r2;
	if (r != r2)
		return -EXDEV;
	if (r == SL_VIEW_CONTINUE)
		return sl_view_is_there(c->v, &from) || sl_view_is_there(c->v, &to) ? sl_view_call_there(c, &from, &to)
										    : r;
	r = sl_view_call_begin(c, false);
	if (r == 0)
		r = look_up(c, &from);
	if (r == 0)
		r = look_up(c, &to);
	if (r == 0)
		r = sl_view_may_rename(c, &from, &to, sl_view_flags_arg(c) & RENAME_EXCHANGE);
	if (r < 0)
		return r;
	from_at = dir_of(c, &from);
	to_at = dir_of(c, &to);
	c->existing_changed = true;
	return sl_view_renameat2(&c->ctx, &from_at, sl_view_last(&from.walk, from_last), &to_at,
				 sl_view_last(&to.walk, to_last), sl_view_flags_arg(c));
}

/* Is the object one that stays real? */
static bool is_real(const struct sl_view_call *c, const struct sl_place *p)
{
	return p->kind != SL_PLACE_VIEW || sl_place_area(c->v, p) == SL_AREA_REAL;
}

int sl_view_do_link(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place from = SL_PLACE_INIT;
	SL_CLEANUP(sl_place_release) struct sl_place to = SL_PLACE_INIT;
	unsigned int flags = sl_view_flags_arg(c);
	char last[LAST_SIZE];
	struct sl_view_file from_at, to_at;
	int r, r2;

	if (flags & ~(unsigned int)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = sl_view_locate_arg(c, 0,
			       (flags & AT_SYMLINK_FOLLOW ? SL_VWALK_FOLLOW : 0) |
				   (flags & AT_EMPTY_PATH ? SL_VWALK_EMPTY : 0),
			       &from);
	if (r < 0)
		return r;
	r2 = find_name(c, 1, &to);
	if (r2 < 0 && r2 != SL_VIEW_CONTINUE)
		return r2;
	if (from.kind == SL_PLACE_OPEN && from.moved && r2 != SL_VIEW_CONTINUE)
		return -ENOENT; /* it has no name any more */
	if (r2 == 0) {
		r2 = look_up(c, &to);
		if (r2 == 0 && c->v->policy && to.walk.node)
			return -EEXIST;
		if (r2 < 0)
			return r2;
	}
	if (is_real(c, &from) != (r2 == SL_VIEW_CONTINUE))
		return -EXDEV;
	if (r2 == SL_VIEW_CONTINUE && (sl_view_is_there(c->v, &from) || sl_view_is_there(c->v, &to)))
		return sl_view_call_there(c, &from, &to);
	if (r2 == SL_VIEW_CONTINUE)
		return from.moved ? -EXDEV : r2;
	r = sl_view_call_begin(c, false);
	if (r == 0)
		r = sl_view_may_link(c, &from, &to);
	if (r < 0)
		return r;
	from_at = sl_view_at(from.walk.node);
	to_at = dir_of(c, &to);
	c->existing_changed = true;
	return sl_view_linkat(&c->ctx, &from_at, "", &to_at, sl_view_last(&to.walk, last), AT_EMPTY_PATH);
}

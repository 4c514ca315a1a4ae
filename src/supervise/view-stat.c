/*
 * view-stat.c - stat, access, readlink and statfs on a view: answered from what the view shows where that is
 * not what the caller would find by itself.
 */
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "supervise/view-calls.h"

/* Kernel structures, whatever the libc makes of them. */
static int write_stat(const struct sl_view_call *c, uint64_t addr, const struct stat *st)
{
	/* struct stat of the libc is the kernel's on 64-bit architectures. */
	return sl_tracee_write(c->tid, addr, st, sizeof(*st));
}

static int write_statx(const struct sl_view_call *c, struct sl_vnode *n)
{
	struct statx x = {0};
	int r = sl_vnode_statx(n, 0, (unsigned int)c->n->data.args[3] | STATX_BASIC_STATS, &x);

	return r < 0 ? r : sl_tracee_write(c->tid, c->n->data.args[4], &x, sizeof(x));
}

/* The object that a reading call is about. 0; or what to answer: SL_VIEW_CONTINUE where the caller finds the
 * same. */
static int find_object(struct sl_view_call *c, unsigned int at_flags, struct sl_place *p)
{
	int walk = c->row->nofollow || at_flags & AT_SYMLINK_NOFOLLOW ? 0 : SL_VWALK_FOLLOW, r;

	if (at_flags & AT_EMPTY_PATH)
		walk |= SL_VWALK_EMPTY;
	if (c->row->path_arg == SL_NO_ARG ||
	    (at_flags & AT_EMPTY_PATH && !c->n->data.args[c->row->path_arg])) /* a null path, Linux 6.11 */
		r = sl_view_locate_fd(c, (int)c->n->data.args[c->row->dir_arg], p);
	else
		r = sl_view_locate_arg(c, 0, walk, p);
	if (r < 0)
		return p->moved ? r : SL_VIEW_CONTINUE;
	if (p->kind == SL_PLACE_VIEW)
		return sl_place_differs(p) ? 0 : SL_VIEW_CONTINUE;
	return SL_VIEW_CONTINUE;
}

/* What the kernel says of the arguments before it looks at the path. */
static int check_stat(const struct sl_view_call *c, bool is_statx)
{
	unsigned int flags = sl_view_flags_arg(c), sync = flags & AT_STATX_SYNC_TYPE;

	if (flags & ~(unsigned int)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	return is_statx && (sync == AT_STATX_SYNC_TYPE || c->n->data.args[3] & STATX__RESERVED) ? -EINVAL : 0;
}

int sl_view_do_stat(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	bool is_statx = c->n->data.nr == __NR_statx;
	struct stat st;
	int r = check_stat(c, is_statx), arg;

	if (r == 0)
		r = find_object(c, sl_view_flags_arg(c), &p);
	if (r == 0)
		r = sl_view_call_begin(c, false);
	if (r < 0)
		return r;
	if (is_statx)
		return write_statx(c, p.walk.node);
	r = sl_vnode_stat(p.walk.node, &st);
	if (r < 0)
		return r;
	arg = c->row->path_arg == SL_NO_ARG ? 1 : c->row->path_arg + 1;
	return write_stat(c, c->n->data.args[arg], &st);
}

/* access(2) asks for the real identity. */
static int real_identity(struct sl_view_call *c)
{
	struct sl_creds creds;
	int r;

	if (!sl_view_other_caller(c)) {
		c->view_creds.uid = c->v->own_creds->uid;
		c->view_creds.gid = c->v->own_creds->gid;
		return 0;
	}
	r = sl_tracee_creds(c->tid, &creds);
	if (r < 0)
		return r;
	c->view_creds.uid = creds.uid;
	c->view_creds.gid = creds.gid;
	if (creds.uid != 0)
		c->view_creds.caps = 0;
	return 0;
}

int sl_view_do_access(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	unsigned int flags = sl_view_flags_arg(c);
	int mode = (int)c->n->data.args[c->row->mode_arg], r;
	struct sl_view_file at;

	if (flags & ~(unsigned int)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	/* What Landlock withholds it does not let access() know: the caller may be told what is so for it. */
	r = find_object(c, flags, &p);
	if (r == 0)
		r = sl_view_call_begin(c, false);
	if (r == 0 && !(flags & AT_EACCESS))
		r = real_identity(c);
	if (r < 0)
		return r;
	at = sl_view_at(p.walk.node);
	return sl_view_accessat(&c->ctx, &at, "", mode, AT_EMPTY_PATH);
}

/* The answer of a readlink. */
static int give_text(const struct sl_view_call *c, const char *text, size_t len)
{
	int first = c->row->path_arg + 1, r;

	len = SL_MIN(len, (size_t)(int)c->n->data.args[first + 1]);
	r = sl_tracee_write(c->tid, c->n->data.args[first], text, len);
	return r < 0 ? r : (int)len;
}

int sl_view_do_readlink(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	int first = c->row->path_arg + 1, r;
	char text[PATH_MAX];
	struct sl_view_file at;
	ssize_t len;

	if ((int)c->n->data.args[first + 1] <= 0)
		return -EINVAL;
	r = find_object(c, AT_EMPTY_PATH, &p);
	if (r == SL_VIEW_CONTINUE && p.kind == SL_PLACE_PROC && sl_view_translate_link(c, p.text, text) == 0)
		return give_text(c, text, strlen(text));
	if (r == 0)
		r = sl_view_call_begin(c, false);
	if (r < 0)
		return r;
	if (!S_ISLNK(p.walk.node->mode))
		return c->path[0][0] ? -EINVAL : -ENOENT;
	at = sl_view_at(p.walk.node);
	len = sl_view_readlinkat(&c->ctx, &at, "", text, sizeof(text));
	return len < 0 ? (int)len : give_text(c, text, (size_t)len);
}

int sl_view_do_statfs(struct sl_view_call *c)
{
	SL_CLEANUP(sl_place_release) struct sl_place p = SL_PLACE_INIT;
	struct sl_view_file at;
	struct statfs fs;
	int r = find_object(c, 0, &p);

	if (r == 0)
		r = sl_view_call_begin(c, false);
	if (r < 0)
		return r;
	at = sl_view_at(p.walk.node);
	r = sl_view_statfs(&c->ctx, &at, "", AT_EMPTY_PATH, &fs);
	return r < 0 ? r : sl_tracee_write(c->tid, c->n->data.args[1], &fs, sizeof(fs));
}

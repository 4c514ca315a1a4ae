/*
 * change.c - making and removing names.
 *
 * The order is always: checks, then every I/O on the upper that can fail, then the index, which cannot. So a
 * full upper leaves the view as it was.
 */
#include "view/change.h"

#include <fcntl.h>
#include <linux/capability.h>

#include "view/acl.h"
#include "view/copy-up.h"
#include "view/perm.h"
#include "view/readdir.h"

int sl_vchange_begin(const struct sl_view_ctx *c, struct sl_vnode *dir, mode_t mode, struct sl_vnew *ret)
{
	gid_t gid = c->creds->gid;
	struct stat st;
	int r = sl_vnode_owner(dir, &st), listed = 0;

	if (r == 0 && !S_ISLNK(mode)) {
		listed = sl_vacl_has_default(dir);
		r = SL_MIN(listed, 0);
	}
	if (r < 0)
		return r;
	if (!S_ISLNK(mode) && !listed)
		mode &= ~(c->umask & 0777);
	if (st.st_mode & S_ISGID) {
		gid = st.st_gid;
		if (S_ISDIR(mode))
			mode |= S_ISGID;
		else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !sl_vperm_in_group(c, gid) &&
			 !sl_vperm_cap(c, CAP_FSETID))
			mode &= ~(mode_t)S_ISGID;
	}
	*ret = (struct sl_vnew){.mode = mode, .gid = gid, .lists = listed};
	return 0;
}

int sl_vchange_adopt(const struct sl_view_ctx *c, struct sl_vnode *dir, uint32_t obj, int fd, const struct sl_vnew *made,
		     struct sl_vnode **ret)
{
	mode_t mode = made->mode;
	SL_VNODE *n = NULL;
	struct stat st;
	int r = fd >= 0 ? (fstat(fd, &st) < 0 ? -errno : 0) : sl_vstore_stat(&c->view->store, obj, &st);

	if (r < 0) {
		sl_vstore_remove(&c->view->store, obj);
		return r;
	}
	n = sl_vnode_upper(c->view, obj, &st, dir); /* the object goes with it */
	if (made->lists) {
		r = sl_vacl_inherit(dir, n, &mode);
		if (r == 0)
			r = sl_vstore_stat(&c->view->store, obj, &st);
	}
	if (r == 0)
		r = sl_vnode_own_as(n, &st, c->creds->uid, made->gid, mode);
	if (r == 0)
		*ret = SL_TAKE_PTR(n);
	return r;
}

int sl_vchange_prepare(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, bool is_dir,
		       struct sl_vwalk *ret)
{
	SL_VNODE *there = NULL;
	SL_VWALK w = {0};
	int r = sl_vwalk(c, at, path, SL_VWALK_PARENT, 0, &w);

	if (r < 0)
		return r;
	if (w.last != SL_VWALK_NORM)
		return -EEXIST;
	r = sl_vnode_lookup(w.dir, w.name, &there);
	if (r != -ENOENT)
		return r < 0 ? r : -EEXIST;
	if (w.dir->dead || (w.slash && !is_dir))
		return -ENOENT;
	*ret = w;
	w = (struct sl_vwalk){0};
	return 0;
}

/* Make an object of a type under a name that sl_vchange_prepare() found free. */
static int make(const struct sl_view_ctx *c, const struct sl_vwalk *w, mode_t mode, const char *target)
{
	SL_VNODE *n = NULL;
	struct sl_vnew made;
	uint32_t obj = 0;
	int r = sl_vperm_create(c, w->dir);

	if (r < 0 || (r = sl_vcopy_up(w->dir, SL_VCOPY_ALL)) < 0 ||
	    (r = sl_vchange_begin(c, w->dir, mode, &made)) < 0)
		return r;
	if (S_ISREG(mode)) {
		r = sl_vstore_create(&c->view->store, O_WRONLY, made.mode, &obj);
		if (r >= 0)
			r = sl_close(r) == -EBADF ? 0 : -EIO;
	} else {
		r = sl_vstore_make(&c->view->store, made.mode, target, &obj);
	}
	if (r < 0 || (r = sl_vchange_adopt(c, w->dir, obj, -EBADF, &made, &n)) < 0)
		return r;
	sl_vnode_link(w->dir, w->name, n);
	sl_vnode_touch(w->dir);
	return 0;
}

int sl_view_mkdirat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, mode_t mode)
{
	SL_VWALK w = {0};
	int r = sl_vchange_prepare(c, at, path, true, &w);

	return r < 0 ? r : make(c, &w, S_IFDIR | (mode & 01777), NULL);
}

int sl_view_mknodat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, mode_t mode)
{
	SL_VWALK w = {0};
	int r;

	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	if (S_ISDIR(mode))
		return -EPERM;
	if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISCHR(mode) && !S_ISBLK(mode))
		return -EINVAL;
	r = sl_vchange_prepare(c, at, path, false, &w);
	if (r < 0)
		return r;
	if (S_ISCHR(mode) || S_ISBLK(mode)) {
		r = sl_vperm_create(c, w.dir);
		return r < 0 ? r : -EPERM;
	}
	return make(c, &w, mode & (S_IFMT | 07777), NULL);
}

int sl_view_make_socket(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path,
			int (*bind)(void *arg, int dir, const char *name), void *arg)
{
	struct sl_vstore *s = &c->view->store;
	char name[SL_VSTORE_NAME];
	struct sl_vnew made;
	SL_VNODE *n = NULL;
	SL_VWALK w = {0};
	int r = sl_vchange_prepare(c, at, path, false, &w);

	if (r < 0 || (r = sl_vperm_create(c, w.dir)) < 0 || (r = sl_vcopy_up(w.dir, SL_VCOPY_ALL)) < 0 ||
	    (r = sl_vchange_begin(c, w.dir, S_IFSOCK | 0777, &made)) < 0 || (r = sl_vstore_gate(s)) < 0)
		return r;
	r = bind(arg, s->fd, sl_vstore_name(s->last + 1, name));
	if (r < 0)
		return r;
	r = sl_vchange_adopt(c, w.dir, ++s->last, -EBADF, &made, &n);
	if (r < 0)
		return r;
	sl_vnode_link(w.dir, w.name, n);
	sl_vnode_touch(w.dir);
	return 0;
}

int sl_view_symlinkat(const struct sl_view_ctx *c, const char *target, struct sl_view_file *at,
		      const char *path)
{
	SL_VWALK w = {0};
	int r;

	if (!*target)
		return -ENOENT;
	r = sl_vchange_prepare(c, at, path, false, &w);
	return r < 0 ? r : make(c, &w, S_IFLNK | 0777, target);
}

int sl_view_linkat(const struct sl_view_ctx *c, struct sl_view_file *from_at, const char *from,
		   struct sl_view_file *to_at, const char *to, int flags)
{
	SL_VNODE *n = NULL;
	SL_VWALK w = {0};
	int r;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	r = sl_vwalk_object(c, from_at, from,
			    (flags & AT_EMPTY_PATH) | (flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW),
			    &n);
	if (r < 0 || (r = sl_vchange_prepare(c, to_at, to, false, &w)) < 0)
		return r;
	if (n->dev != w.dir->dev)
		return -EXDEV;
	if ((r = sl_vperm_hardlink(c, n)) < 0 || (r = sl_vperm_change(n, false)) < 0 ||
	    (r = sl_vperm_create(c, w.dir)) < 0)
		return r;
	if (sl_vnode_is_dir(n))
		return -EPERM;
	/* Only what never had a name gets one without having one. */
	if (!sl_vnode_links(n) && (n->lower || !n->linkable))
		return -ENOENT;
	r = sl_vcopy_up(w.dir, SL_VCOPY_ALL);
	if (r < 0)
		return r;
	n->linkable = false;
	sl_vnode_link(w.dir, w.name, n);
	sl_vnode_touch(w.dir);
	return 0;
}

static int remove_dir(const struct sl_view_ctx *c, const struct sl_vwalk *w)
{
	SL_VNODE *n = NULL;
	int r;

	switch (w->last) {
	case SL_VWALK_DOT:
		return -EINVAL;
	case SL_VWALK_DOTDOT:
		return -ENOTEMPTY;
	case SL_VWALK_ROOT:
		return -EBUSY;
	case SL_VWALK_NORM:
		break;
	}
	r = sl_vnode_lookup(w->dir, w->name, &n);
	if (r < 0 || (r = sl_vperm_delete(c, w->dir, n, true)) < 0)
		return r;
	if (n->dev != w->dir->dev)
		return -EBUSY; /* a mount point */
	if ((r = sl_vdir_check_empty(n)) < 0 || (r = sl_vcopy_up(w->dir, SL_VCOPY_ALL)) < 0)
		return r;
	sl_vnode_unlink(w->dir, w->name, n);
	sl_vnode_kill_dir(n);
	sl_vnode_touch(w->dir);
	return 0;
}

int sl_view_unlinkat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags)
{
	SL_VNODE *n = NULL;
	SL_VWALK w = {0};
	int r;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	r = sl_vwalk(c, at, path, SL_VWALK_PARENT, 0, &w);
	if (r < 0)
		return r;
	if (flags & AT_REMOVEDIR)
		return remove_dir(c, &w);
	if (w.last != SL_VWALK_NORM)
		return -EISDIR;
	r = sl_vnode_lookup(w.dir, w.name, &n);
	if (r < 0)
		return r;
	if (w.slash)
		return sl_vnode_is_dir(n) ? -EISDIR : -ENOTDIR;
	if ((r = sl_vperm_delete(c, w.dir, n, false)) < 0 || (r = sl_vcopy_up(w.dir, SL_VCOPY_ALL)) < 0)
		return r;
	sl_vnode_unlink(w.dir, w.name, n);
	sl_vnode_touch(w.dir);
	return 0;
}

/*
 * open.c - opening, and what is open.
 *
 * The checks and their order are those of do_open(), may_open() and lookup_open() in the kernel's fs/namei.c.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <string.h>

#include "base/strbuf.h"
#include "view/change.h"
#include "view/copy-up.h"
#include "view/perm.h"
#include "view/readdir.h"
#include "view/walk.h"

#define PATH_FLAGS  (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

static struct sl_view_file *file_new(struct sl_vnode *n, int fd, int flags)
{
	struct sl_view_file *f = sl_xcalloc(1, sizeof(*f));

	f->node = sl_vnode_use(n);
	f->fd = fd;
	f->flags = flags;
	f->next = n->files;
	if (f->next)
		f->next->prev = f;
	n->files = f;
	return f;
}

struct sl_view_file *sl_view_reference(struct sl_vnode *n)
{
	return file_new(n, -EBADF, O_PATH);
}

void sl_view_close(struct sl_view_file *f)
{
	if (!f)
		return;
	if (f->prev)
		f->prev->next = f->next;
	else
		f->node->files = f->next;
	if (f->next)
		f->next->prev = f->prev;
	sl_close(f->fd);
	sl_vlisted_free(f);
	sl_vnode_unuse(f->node);
	free(f);
}

int sl_view_fd(const struct sl_view_file *f)
{
	return f->fd;
}

int sl_view_root(struct sl_view *v, struct sl_view_file **ret)
{
	*ret = sl_view_reference(v->root);
	return 0;
}

/* What reading and writing flags ask for, as R_OK and W_OK. */
static int wanted(int flags)
{
	static const int by_mode[] = {R_OK, W_OK, R_OK | W_OK, R_OK | W_OK};
	int want = by_mode[flags & O_ACCMODE];

	return flags & O_TRUNC ? want | W_OK : want;
}

/* The descriptor of the object itself, upper or lower. */
static int open_object(struct sl_vnode *n, int flags)
{
	char proc[SL_VSTORE_PROC];
	bool made = false;
	int fd;

	flags &= ~(O_CREAT | O_EXCL | O_NOFOLLOW | O_DIRECTORY);
	if (S_ISREG(n->mode) && wanted(flags) & W_OK) {
		int r = sl_vcopy_up_sized(n, flags & O_TRUNC ? 0 : SL_VCOPY_ALL, &made);

		if (r < 0)
			return r;
	}
	if (n->obj && !n->standin) { /* no controlling terminal for us, whatever it is */
		fd = sl_vstore_open(&n->view->store, n->obj, flags | O_NOCTTY);
		if (fd < 0 && made)
			sl_vcopy_drop(n);
		return fd;
	}
	fd = sl_vnode_lower_fd(n);
	if (fd < 0)
		return fd;
	fd = open(sl_vstore_proc(fd, proc), flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* may_open() */
static int check_open(const struct sl_view_ctx *c, struct sl_vnode *n, int *flags)
{
	struct stat st;
	int r;

	if (S_ISLNK(n->mode))
		return -ELOOP;
	if (S_ISDIR(n->mode) && wanted(*flags) & W_OK)
		return -EISDIR;
	if (!S_ISREG(n->mode))
		*flags &= ~O_TRUNC;
	r = sl_vperm(c, n, wanted(*flags));
	if (r == 0 && wanted(*flags) & W_OK)
		r = sl_vperm_change(n, *flags & O_APPEND && !(*flags & O_TRUNC));
	if (r < 0 || !(*flags & O_NOATIME))
		return r;
	r = sl_vnode_stat(n, &st);
	if (r < 0)
		return r;
	return sl_vperm_owner(c, &st) ? 0 : -EPERM;
}

static int open_existing(const struct sl_view_ctx *c, struct sl_vwalk *w, int flags,
			 struct sl_view_file **ret)
{
	struct sl_vnode *n = w->node;
	int r, fd = -EBADF;

	if (flags & O_CREAT) {
		if (flags & O_EXCL)
			return -EEXIST;
		if (sl_vnode_is_dir(n))
			return -EISDIR;
		r = w->dir ? sl_vperm_sticky_create(c, w->dir, n) : 0;
		if (r < 0)
			return r;
	}
	if (flags & O_DIRECTORY && !sl_vnode_is_dir(n))
		return -ENOTDIR;
	if (!(flags & O_PATH)) {
		r = check_open(c, n, &flags);
		if (r < 0)
			return r;
		if (S_ISSOCK(n->mode))
			return -ENXIO;
		if (!sl_vnode_is_dir(n)) {
			fd = open_object(n, flags);
			if (fd >= 0 && flags & O_TRUNC && (r = sl_vchange_written(c, n)) < 0)
				sl_close(fd);
			if (fd < 0 || r < 0)
				return SL_MIN(fd, r);
		}
	}
	*ret = file_new(n, fd, flags);
	return 0;
}

/* A new regular file in dir, with a name or (O_TMPFILE) without. */
static int open_new(const struct sl_view_ctx *c, struct sl_vnode *dir, const char *name, int flags,
		    mode_t mode, struct sl_view_file **ret)
{
	struct sl_view *v = c->view;
	SL_VNODE *n = NULL;
	SL_CLOSE int fd = -EBADF;
	struct sl_vnew made;
	uint32_t obj = 0;
	int r = sl_vperm_create(c, dir);

	if (r < 0 || (name && (r = sl_vcopy_up(dir, SL_VCOPY_ALL)) < 0) ||
	    (r = sl_vchange_begin(c, dir, S_IFREG | (mode & 07777), &made)) < 0)
		return r;
	fd = sl_vstore_create(&v->store, flags & ~(O_CREAT | O_EXCL | O_TRUNC | O_TMPFILE | O_NOFOLLOW), made.mode,
			      &obj);
	if (fd < 0)
		return fd;
	r = sl_vchange_adopt(c, dir, obj, fd, &made, &n);
	if (r < 0)
		return r;
	if (name) {
		sl_vnode_link(dir, name, n);
		sl_vnode_touch(dir);
	} else {
		n->linkable = !(flags & O_EXCL);
	}
	*ret = file_new(n, SL_TAKE_FD(fd), flags);
	return 0;
}

int sl_view_reopen(const struct sl_view_ctx *c, struct sl_view_file *f, int flags, struct sl_view_file **ret)
{
	struct sl_vwalk w = {.node = f->node}; /* used by f */

	if (flags & O_CREAT || flags & TMPFILE_BIT)
		return -EINVAL;
	return open_existing(c, &w, flags & O_PATH ? flags & PATH_FLAGS : flags, ret);
}

static int open_tmpfile(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
			mode_t mode, uint64_t resolve, struct sl_view_file **ret)
{
	SL_VWALK w = {0};
	int r;

	if (!(wanted(flags) & W_OK))
		return -EINVAL;
	r = sl_vwalk(c, at, path, SL_VWALK_FOLLOW | SL_VWALK_DIRECTORY, resolve, &w);
	if (r < 0)
		return r;
	r = sl_vperm(c, w.node, W_OK | X_OK);
	return r < 0 ? r : open_new(c, w.node, NULL, flags, mode, ret);
}

int sl_view_openat(const struct sl_view_ctx *c, struct sl_view_file *at, const char *path, int flags,
		   mode_t mode, uint64_t resolve, struct sl_view_file **ret)
{
	int walk = SL_VWALK_FOLLOW, r;
	SL_VWALK w = {0};

	if (resolve & RESOLVE_CACHED)
		return -EAGAIN;
	if (flags & O_PATH)
		flags &= PATH_FLAGS;
	else if (flags & TMPFILE_BIT)
		return (flags & O_TMPFILE) == O_TMPFILE && !(flags & O_CREAT)
			   ? open_tmpfile(c, at, path, flags, mode, resolve, ret)
			   : -EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	if (flags & O_NOFOLLOW || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		walk &= ~SL_VWALK_FOLLOW;
	if (flags & O_CREAT)
		walk |= SL_VWALK_CREATE;
	r = sl_vwalk(c, at, path, walk, resolve, &w);
	if (r < 0)
		return r;
	if (!w.node)
		return open_new(c, w.dir, w.name, flags, mode, ret);
	return open_existing(c, &w, flags, ret);
}

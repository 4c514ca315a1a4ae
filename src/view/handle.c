/*
 * handle.c - see handle.h.
 */
#include "view/handle.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "view/copy-up.h"
#include "view/walk.h"

bool sl_view_is_changed(const struct sl_view *v)
{
	return v->store.last; /* nothing is changed without an object: a name gone is a changed directory */
}

/* ---- from real descriptors ---- */

/* The path of a descriptor, malloc'd; "" where it has none. *ret_gone: it has no name any more. */
static int real_path_of(int fd, char **ret, bool *ret_gone)
{
	static const char gone[] = " (deleted)";
	char proc[SL_VSTORE_PROC], *path;
	char *buf = sl_xmalloc(PATH_MAX);
	ssize_t len = readlink(sl_vstore_proc(fd, proc), buf, PATH_MAX - 1);
	struct stat st;

	if (len < 0) {
		free(buf);
		return -errno;
	}
	path = buf;
	path[len] = '\0';
	*ret_gone = false;
	if ((size_t)len > sizeof(gone) - 1 && strcmp(path + len - (sizeof(gone) - 1), gone) == 0 &&
	    (fstat(fd, &st) < 0 || lstat(path, &st) < 0)) {
		path[len - (ssize_t)(sizeof(gone) - 1)] = '\0';
		*ret_gone = true;
	}
	*ret = path;
	return 0;
}

/* The part of path below dir; NULL. */
static const char *below(const char *path, const char *dir)
{
	size_t len;

	if (!path || !dir)
		return NULL;
	len = strlen(dir);
	if (strcmp(dir, "/") == 0)
		return *path == '/' ? path + 1 : NULL;
	if (strncmp(path, dir, len) != 0 || (path[len] && path[len] != '/'))
		return NULL;
	return path[len] ? path + len + 1 : path + len;
}

static int find_upper(struct sl_view *v, const struct stat *st, const char *number, struct sl_vnode **ret)
{
	struct sl_vnode *n;
	struct stat own;
	char *end;
	unsigned long obj = strtoul(number, &end, 16);

	n = end != number && !*end && obj <= UINT32_MAX ? sl_vnode_of_object(v, (uint32_t)obj) : NULL;
	if (!n || sl_vstore_stat(&v->store, n->obj, &own) < 0 || own.st_dev != st->st_dev ||
	    own.st_ino != st->st_ino)
		return -ENOENT;
	*ret = sl_vnode_use(n);
	return 0;
}

/* A lower object that has no node and whose name the view took away or gave to another. */
static int find_removed(struct sl_view *v, int fd, const char *path, struct sl_vnode **ret)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (copy < 0)
		return -EMFILE;
	r = sl_vnode_lower(v, copy, sl_xstrdup(path), ret);
	if (r < 0)
		return r;
	if (sl_vnode_is_dir(*ret))
		(*ret)->dead = true;
	else if ((*ret)->lower_links == 1)
		(*ret)->links_delta = -1;
	sl_vnode_settle(*ret);
	return 0;
}

/* The child of a lower directory under a name that it has in the lower, wherever the view has it. */
static int lower_child(struct sl_vnode *dir, const char *name, struct sl_vnode **ret)
{
	const struct sl_ventry *e = sl_ventry_find(dir, name);
	SL_CLOSE int fd = -EBADF;
	SL_FREE char *path = NULL;
	struct sl_vnode *n;
	struct stat st;
	int dir_fd;

	if (e && e->clean) {
		*ret = sl_vnode_use(e->node);
		return 0;
	}
	dir_fd = sl_vnode_lower_fd(dir);
	if (dir_fd < 0)
		return dir_fd;
	path = sl_xasprintf("%s%s%s", dir->lower, *dir->lower ? "/" : "", name);
	fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	n = sl_vnode_find(dir->view, &st, path);
	if (n) {
		*ret = sl_vnode_use(n);
		return 0;
	}
	return e || dir->dead ? find_removed(dir->view, fd, path, ret) : sl_vnode_lookup(dir, name, ret);
}

/* By component: a directory on the way may have been moved in the view. */
int sl_vnode_at_lower(struct sl_view *v, const char *path, struct sl_vnode **ret)
{
	SL_VNODE *n = sl_vnode_use(v->root);

	while (*path) {
		SL_FREE char *name = sl_xstrndup(path, strcspn(path, "/"));
		struct sl_vnode *child = NULL;
		int r = n && sl_vnode_is_dir(n) && n->lower ? lower_child(n, name, &child) : -ENOTDIR;

		if (r < 0)
			return r;
		sl_vnode_unuse(n);
		n = child;
		path += strlen(name);
		path += *path == '/';
	}
	*ret = SL_TAKE_PTR(n);
	return 0;
}

int sl_view_find(struct sl_view *v, int fd, struct sl_view_file **ret)
{
	SL_FREE char *path = NULL, *root = NULL;
	SL_VNODE *n = NULL;
	const char *rest;
	struct stat st, found;
	bool gone = false;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode) && (n = sl_vnode_find(v, &st, NULL)) != NULL) {
		*ret = sl_view_reference(n);
		sl_vnode_use(n);
		return 0;
	}
	r = real_path_of(fd, &path, &gone);
	if (r < 0)
		return r;
	rest = below(path, v->store.path);
	if (rest) {
		r = find_upper(v, &st, rest, &n);
	} else {
		r = gone ? -EXDEV : real_path_of(v->lower, &root, &gone);
		rest = r < 0 ? NULL : below(path, root);
		if (r < 0 || !rest || sl_vnode_at_lower(v, rest, &n) < 0)
			return -EXDEV;
		/* In another mount namespace the name leads elsewhere. */
		r = sl_vnode_lower_fd(n);
		if (r < 0 || fstat(r, &found) < 0 || found.st_dev != st.st_dev || found.st_ino != st.st_ino)
			return -EXDEV;
	}
	if (r < 0)
		return r;
	*ret = sl_view_reference(n);
	return 0;
}

/* ---- to real objects ---- */

mode_t sl_view_type(const struct sl_view_file *f)
{
	return f->node->mode & S_IFMT;
}

bool sl_view_is_new(const struct sl_view_file *f)
{
	return !f->node->lower;
}

static bool in_upper(const struct sl_vnode *n)
{
	return sl_vnode_is_dir(n) ? !n->lower : n->obj && !n->standin;
}

bool sl_view_is_upper(const struct sl_view_file *f)
{
	return in_upper(f->node);
}

int sl_view_real_fd(struct sl_view_file *f, int flags)
{
	struct sl_vnode *n = f->node;
	char proc[SL_VSTORE_PROC];
	SL_CLOSE int path = -EBADF;
	int fd;

	if (in_upper(n))
		path = sl_vnode_attr_fd(n);
	else if ((fd = sl_vnode_lower_fd(n)) >= 0)
		path = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	else
		path = fd;
	if (path < 0 || flags & O_PATH)
		return SL_TAKE_FD(path);
	fd = open(sl_vstore_proc(path, proc),
		  (flags & ~(O_CREAT | O_EXCL | O_NOFOLLOW)) | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* Does the lower's file execute as the view's would? */
static bool executes_alike(struct sl_vnode *n)
{
	struct stat st, lower;
	int fd = sl_vnode_lower_fd(n);

	return fd >= 0 && fstat(fd, &lower) == 0 && sl_vnode_stat(n, &st) == 0 &&
	       ((st.st_mode ^ lower.st_mode) & 0111) == 0;
}

int sl_view_real_path(struct sl_view_file *f, char **ret)
{
	struct sl_vnode *n = f->node;
	SL_FREE char *root = NULL;
	char name[SL_VSTORE_NAME];
	bool gone = false;
	int r;

	if (n->standin && S_ISREG(n->mode) && !executes_alike(n) && (r = sl_vcopy_up(n, SL_VCOPY_ALL)) < 0)
		return r;
	if (in_upper(n)) {
		*ret = sl_xasprintf("%s/%s", n->view->store.path, sl_vstore_name(n->obj, name));
		return 0;
	}
	r = real_path_of(n->view->lower, &root, &gone);
	if (r < 0 || !root)
		return r < 0 ? r : -ENOENT;
	*ret = sl_xasprintf("%s/%s", strcmp(root, "/") == 0 ? "" : root, n->lower);
	return 0;
}

int sl_view_lower_path(const struct sl_view *v, char **ret)
{
	bool gone = false;

	return real_path_of(v->lower, ret, &gone);
}

const char *sl_view_upper_path(const struct sl_view *v)
{
	return v->store.path;
}

void sl_view_set_copied(struct sl_view *v, void (*copied)(struct sl_vnode *n, void *arg), void *arg)
{
	v->copied = copied;
	v->copied_arg = arg;
}

int sl_view_hide(struct sl_view *v, const char *path)
{
	SL_FREE char *dir = NULL;
	SL_VNODE *n = NULL;
	const char *name;
	int r;

	path += strspn(path, "/");
	name = strrchr(path, '/');
	dir = name ? sl_xstrndup(path, (size_t)(name - path)) : sl_xstrdup("");
	name = name ? name + 1 : path;
	if (!*name)
		return -EINVAL;
	r = sl_vnode_at_lower(v, dir, &n);
	if (r < 0)
		return r;
	if (!sl_vnode_is_dir(n) || sl_ventry_find(n, name))
		return -EBUSY;
	sl_vnode_hide(n, name);
	return 0;
}

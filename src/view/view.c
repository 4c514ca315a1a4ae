/*
 * view.c - making and freeing a view, and the names of its directories.
 */
#include "view/view.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/strbuf.h"
#include "view/node.h"
#include "view/perm.h"

/* Numbers shown for objects of an upper on another device: above what file systems give. */
#define FIRST_OWN_INO ((ino_t)1 << 62)

int sl_view_new(int lower, int upper, struct sl_view **ret)
{
	struct sl_view *v = sl_xcalloc(1, sizeof(*v));
	struct timespec now;
	int fd, r;

	clock_gettime(CLOCK_REALTIME, &now);
	v->started_ns = now.tv_sec * 1000000000LL + now.tv_nsec;
	v->next_ino = FIRST_OWN_INO;
	v->lower = openat(lower, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	v->store.fd = -EBADF;
	v->store.upper = -EBADF;
	v->shared = geteuid() == 0; /* whose command may become another user, and execute what it has made */
	r = v->lower < 0 ? -errno : sl_vstore_open_dir(&v->store, upper, v->shared);
	fd = r < 0 ? r : openat(v->lower, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r == 0)
		r = fd < 0 ? -errno : sl_vnode_lower(v, fd, sl_xstrdup(""), &v->root);
	if (r < 0) {
		sl_view_free(v);
		return r;
	}
	sl_vperm_read_settings(v);
	*ret = v;
	return 0;
}

void sl_view_free(struct sl_view *v)
{
	if (!v)
		return;
	sl_view_forget(v);
	if (v->root) {
		sl_vnode_clear(v);
		if (v->root->obj)
			sl_vstore_remove(&v->store, v->root->obj);
		sl_close(v->root->lower_fd);
		free(v->root->lower);
		free(v->root);
	}
	sl_vstore_clear(&v->store);
	sl_close(v->lower);
	free(v->entries);
	free(v->nodes);
	for (size_t i = 0; i < v->objs_cap; i++)
		free(v->objs[i]);
	free(v->objs);
	free(v);
}

void sl_view_set_fault(struct sl_view *v, int (*fault)(void *arg), void *arg)
{
	v->store.fault = fault;
	v->store.arg = arg;
}

void sl_view_set_real(struct sl_view *v, bool (*real)(const char *lower, void *arg), void *arg)
{
	sl_view_forget(v);
	v->real = real;
	v->real_arg = arg;
	v->root->real = real && real(v->root->lower, arg);
}

/* A directory's path in the view below its root, "" for the root, malloc'd. */
static int dir_path(const struct sl_vnode *n, char **ret)
{
	char *path;

	if (n->dead)
		return -ENOENT;
	path = sl_xstrdup("");
	for (; n->parent; n = n->parent) {
		char *longer;

		if (!n->self) {
			free(path);
			return -ENOENT;
		}
		longer = sl_xasprintf("/%s%s", n->self->name, path);
		free(path);
		path = longer;
	}
	*ret = path;
	return 0;
}

/* A file whose names the view left alone: where its lower path is. */
static int untouched_path(struct sl_vnode *n, char **ret)
{
	const char *name = strrchr(n->lower, '/');
	SL_FREE char *above = sl_xstrndup(n->lower, name ? (size_t)(name - n->lower) : 0), *dir = NULL;
	SL_VNODE *parent = NULL;
	int r = sl_vnode_at_lower(n->view, above, &parent);

	if (r < 0 || (r = dir_path(parent, &dir)) < 0)
		return r;
	name = name ? name + 1 : n->lower;
	if (sl_ventry_find(parent, name))
		return -ENOENT;
	*ret = sl_xasprintf("%s/%s", dir, name);
	return 0;
}

int sl_view_path(const struct sl_view_file *f, char **ret)
{
	struct sl_vnode *n = f->node;
	SL_FREE char *dir = NULL;
	int r;

	if (!sl_vnode_is_dir(n) && sl_vnode_name(n)) {
		r = dir_path(n->self->dir, &dir);
		if (r == 0)
			*ret = sl_xasprintf("%s/%s", dir, n->self->name);
		return r;
	}
	if (!sl_vnode_is_dir(n))
		return n->lower ? untouched_path(n, ret) : -ENOENT;
	r = dir_path(n, &dir);
	if (r == 0)
		*ret = *dir ? SL_TAKE_PTR(dir) : sl_xstrdup("/");
	return r;
}
